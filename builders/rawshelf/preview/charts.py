"""Bar charts with their figures: bars in parts with columns of counts, and histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from rawshelf.preview.style import (
    HEADING,
    INK,
    MUTED,
    RULE,
    SMALL,
    SPLITS,
    TEXT,
    Colour,
    blank,
    fitted,
    font,
    plain,
    text_width,
    write,
)

_ROW, _BAR = 32, 20  # pixels from bar to bar, and of a bar
_GAP = 18
_SWATCH = 14
_TICKS = 5
_HEAD = 40  # pixels above the bars, for heading and names
_STEPS = (1, 2, 5)
_WIDEST = 120  # pixels of an upright bar


@dataclass(frozen=True)
class Row:
    """One bar.

    Attributes:
        label: What it counts.
        counts: The parts of the bar, in the order of the names.
    """

    label: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Return the length of the whole bar."""
        return sum(self.counts)


def ticks(largest: int, most: int = _TICKS) -> list[int]:
    """Return round numbers from 0 to the first that is not below `largest`, evenly spaced.

    >>> ticks(4178), ticks(3), ticks(0)
    ([0, 1000, 2000, 3000, 4000, 5000], [0, 1, 2, 3], [0, 1])
    """
    power = 1
    while True:
        for step in _STEPS:
            if step * power * most >= largest:
                count = max(1, -(-largest // (step * power)))
                return [step * power * index for index in range(count + 1)]
        power *= 10


def bars(
    rows: Sequence[Row],
    names: Sequence[str],
    width: int,
    *,
    colours: Sequence[Colour] = SPLITS,
    heading: str = "",
    share: bool = False,
) -> Image.Image:
    """Draw horizontal bars in parts, with all counts beside them under the parts' names.

    Args:
        rows: The bars, from above.
        names: Of the parts; they are the legend too.
        width: Pixels.
        colours: Of the parts.
        heading: Above the bars.
        share: Draw all bars equally long, as shares of their total.
    """
    columns = _columns(rows, names)
    label = max(text_width(row.label, TEXT) for row in rows) + _GAP
    area = (label, width - sum(columns) - _GAP)
    image, draw = blank(width, _HEAD + len(rows) * _ROW + 34)
    write(draw, (0, _HEAD - 14), heading, HEADING)
    _names(draw, names, columns, colours, width)
    scale = [0, 25, 50, 75, 100] if share else ticks(max(row.total for row in rows))
    _grid(draw, scale, area, _HEAD + len(rows) * _ROW, "%" if share else "")
    for number, row in enumerate(rows):
        top = _HEAD + number * _ROW
        middle = top + _ROW / 2
        write(draw, (label - _GAP, middle), row.label, anchor="rm")
        full = max(row.total, 1) if share else scale[-1]
        _bar(draw, row, (*area, top + (_ROW - _BAR) // 2), full, colours)
        _counts(draw, row, columns, (width, middle))
    return image


def _columns(rows: Sequence[Row], names: Sequence[str]) -> list[int]:
    """Return the widths of the columns of counts; the last is of the totals, if there are parts."""
    found = [
        max(text_width(name, SMALL) + _SWATCH + 6, *(_wide(row.counts[part]) for row in rows))
        + _GAP
        for part, name in enumerate(names)
    ]
    if len(names) > 1:
        found.append(max(text_width("all", SMALL), *(_wide(row.total) for row in rows)) + _GAP)
    return found


def _wide(count: int) -> int:
    return text_width(f"{count:,}", SMALL)


def _names(
    draw: ImageDraw.ImageDraw,
    names: Sequence[str],
    columns: Sequence[int],
    colours: Sequence[Colour],
    width: int,
) -> None:
    right = width - sum(columns)
    for part, name in enumerate(names):
        right += columns[part]
        write(draw, (right, _HEAD - 14), name, SMALL, fill=MUTED, anchor="rs")
        left = right - text_width(name, SMALL) - 6 - _SWATCH
        draw.rectangle((left, _HEAD - 28, left + _SWATCH - 1, _HEAD - 15), fill=colours[part])
    if len(names) > 1:
        write(draw, (width, _HEAD - 14), "all", SMALL, fill=MUTED, anchor="rs")


def _grid(
    draw: ImageDraw.ImageDraw, scale: Sequence[int], area: tuple[int, int], foot: int, unit: str
) -> None:
    for tick in scale:
        x = area[0] + round((area[1] - area[0]) * tick / scale[-1])
        draw.line((x, _HEAD, x, foot), fill=RULE if tick else MUTED)
        anchor = "ms" if tick < scale[-1] else "rs"
        write(draw, (x, foot + 24), f"{tick:,}{unit}", SMALL, fill=MUTED, anchor=anchor)


def _bar(
    draw: ImageDraw.ImageDraw,
    row: Row,
    place: tuple[int, int, int],
    full: int,
    colours: Sequence[Colour],
) -> None:
    left, right, top = place
    before = 0
    for count, colour in zip(row.counts, colours, strict=False):
        start = left + round((right - left) * before / full)
        before += count
        stop = left + round((right - left) * before / full)
        if count:  # one pixel at least: what is there shows
            draw.rectangle((start, top, max(stop - 1, start), top + _BAR - 1), fill=colour)


def _counts(
    draw: ImageDraw.ImageDraw, row: Row, columns: Sequence[int], place: tuple[int, float]
) -> None:
    width, middle = place
    right = width - sum(columns)
    values = [*row.counts, row.total][: len(columns)]
    for column, value in zip(columns, values, strict=True):
        right += column
        fill = INK if value else MUTED
        write(draw, (right, middle), f"{value:,}", SMALL, fill=fill, anchor="rm")


def histogram(
    rows: Sequence[Row],
    names: Sequence[str],
    size: tuple[int, int],
    *,
    across: str,
    up: str,
    colours: Sequence[Colour] = SPLITS,
) -> Image.Image:
    """Draw upright bars in parts over a scale, the totals above them where they have room.

    Args:
        rows: The bars, from the left.
        names: Of the parts: the legend, if there are two or more.
        size: Pixels, width and height.
        across: What the labels of the bars are.
        up: What is counted.
        colours: Of the parts.
    """
    scale = ticks(max(row.total for row in rows))
    left, top = text_width(f"{scale[-1]:,}", SMALL) + 12, 44
    image, draw = blank(*size)
    right, foot = size[0], size[1] - 58
    write(draw, (0, 18), up, SMALL, fill=MUTED)
    write(draw, (right, size[1] - 8), across, SMALL, fill=MUTED, anchor="rs")
    if len(names) > 1:
        legend(draw, names, colours, (right, 18))
    for tick in scale:
        y = foot - round((foot - top) * tick / scale[-1])
        draw.line((left, y, right, y), fill=RULE if tick else MUTED)
        write(draw, (left - 8, y), f"{tick:,}", SMALL, fill=MUTED, anchor="rm")
    step = (right - left) / len(rows)
    for number, row in enumerate(rows):
        x0, x1 = left + step * number, left + step * (number + 1)
        _column(draw, row, (x0, x1, foot), (foot - top) / scale[-1], colours)
    _labels(draw, rows, (left, step, foot + 24))
    _totals(draw, rows, (left, step, foot), (foot - top) / scale[-1])
    return image


def legend(
    draw: ImageDraw.ImageDraw,
    names: Sequence[str],
    colours: Sequence[Colour],
    place: tuple[float, float],
) -> None:
    """Write names with their colours in a line that ends at a place, its baseline given."""
    right, base = place
    for name, colour in reversed(list(zip(names, colours, strict=False))):
        write(draw, (right, base), name, SMALL, fill=MUTED, anchor="rs")
        left = right - text_width(name, SMALL) - 6 - _SWATCH
        draw.rectangle((left, base - _SWATCH, left + _SWATCH - 1, base - 1), fill=colour)
        right = left - _GAP


def _column(
    draw: ImageDraw.ImageDraw,
    row: Row,
    place: tuple[float, float, int],
    unit: float,
    colours: Sequence[Colour],
) -> None:
    width = place[1] - place[0]
    gap = max(min(4.0, width / 5), width - _WIDEST)
    x0, x1 = round(place[0] + gap / 2), round(place[1] - gap / 2) - 1
    before = 0
    for count, colour in zip(row.counts, colours, strict=False):
        low = place[2] - round(before * unit)
        before += count
        high = place[2] - round(before * unit)
        if count:
            draw.rectangle((x0, min(high, low - 1), max(x0, x1), low - 1), fill=colour)


def _labels(
    draw: ImageDraw.ImageDraw, rows: Sequence[Row], place: tuple[float, float, float]
) -> None:
    left, step, base = place
    widest = max(text_width(row.label, SMALL) for row in rows) + 10
    every = max(1, -int(-widest // step))
    for number in range(0, len(rows), every):
        x = left + step * (number + 0.5)
        write(draw, (x, base), rows[number].label, SMALL, fill=MUTED, anchor="ms")


def _totals(
    draw: ImageDraw.ImageDraw,
    rows: Sequence[Row],
    place: tuple[float, float, float],
    unit: float,
) -> None:
    left, step, foot = place
    if max(text_width(f"{row.total:,}", SMALL) for row in rows) + 4 > step:
        return
    for number, row in enumerate(rows):
        x, y = left + step * (number + 0.5), foot - round(row.total * unit) - 6
        if row.total:
            write(draw, (x, y), f"{row.total:,}", SMALL, anchor="ms", rim=3)


def grouped(
    groups: Sequence[tuple[str, Sequence[Row]]],
    names: Sequence[str],
    size: tuple[int, int],
    *,
    up: str,
    colours: Sequence[Colour] = SPLITS,
) -> Image.Image:
    """Draw many thin upright bars in groups; the groups are named, the bars are not.

    Args:
        groups: Names with their bars, from the left; the names are written upwards below.
        names: Of the parts of the bars.
        size: Pixels, width and height.
        up: What is counted.
        colours: Of the parts.
    """
    scale = ticks(max(row.total for _, rows in groups for row in rows))
    left, top = text_width(f"{scale[-1]:,}", SMALL) + 12, 44
    below = max(text_width(name, SMALL) for name, _ in groups) + 16
    image, draw = blank(*size)
    right, foot = size[0], size[1] - below
    write(draw, (0, 18), up, SMALL, fill=MUTED)
    legend(draw, names, colours, (right, 18))
    for tick in scale:
        y = foot - round((foot - top) * tick / scale[-1])
        draw.line((left, y, right, y), fill=RULE if tick else MUTED)
        write(draw, (left - 8, y), f"{tick:,}", SMALL, fill=MUTED, anchor="rm")
    # A group takes the room of two bars besides its own: as much as its name is high.
    step = (right - left) / sum(len(rows) + 2 for _, rows in groups)
    x = left + step
    for name, rows in groups:
        middle = x + step * len(rows) / 2
        _upwards(image, name, (round(middle), foot + 8))
        for row in rows:
            _column(draw, row, (x, x + step, foot), (foot - top) / scale[-1], colours)
            x += step
        x += 2 * step
    return image


def _upwards(image: Image.Image, text: str, place: tuple[int, int]) -> None:
    """Write a text that reads upwards and ends at a place, in the middle of its height."""
    text = fitted(plain(text), SMALL, image.height)
    line, draw = blank(text_width(text, SMALL), SMALL + 8)
    draw.text((0, SMALL), text, font=font(SMALL), fill=MUTED, anchor="ls")
    turned = line.transpose(Image.Transpose.ROTATE_90)
    image.paste(turned, (place[0] - turned.width // 2, place[1]))
