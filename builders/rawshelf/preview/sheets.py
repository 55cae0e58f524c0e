"""Composition: tiles in grids, blocks on a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from PIL import Image

from rawshelf.preview.overlays import Frame, decoded, fit, place
from rawshelf.preview.style import (
    HEADING,
    INNER,
    MARGIN,
    MUTED,
    PANEL,
    RULE,
    SMALL,
    TEXT,
    TITLE,
    WIDTH,
    Colour,
    blank,
    fitted,
    text_width,
    wrapped,
    write,
)

# Marks are drawn twice as large and reduced: Pillow draws slanted lines in steps.
SHARP = 2
_LINE = 27  # pixels from line to line
_SWATCH = 15
_TITLE_ROOM = 62
_HEADING_ROOM = 40
_ROW_GAP, _COLUMN_GAP = 26, 22

Marks = Callable[[Image.Image, Sequence[Frame]], None]


class Caption(NamedTuple):
    """What stands below a tile.

    Attributes:
        text: First line.
        side: Right end of the first line.
        notes: Second line: texts, each after a swatch of its colour if it has one.
    """

    text: str
    side: str = ""
    notes: Sequence[tuple[str, Colour | None]] = ()


def page(title: str, lead: str, blocks: Sequence[Image.Image]) -> Image.Image:
    """Set blocks below one another under a title and an explanation.

    Args:
        title: One line.
        lead: What is to be seen; wrapped.
        blocks: At most `INNER` pixels wide.
    """
    lines = list(wrapped(lead, TEXT, INNER))
    top = MARGIN + _TITLE_ROOM + len(lines) * _LINE
    height = top + sum(block.height + MARGIN for block in blocks)
    image, draw = blank(WIDTH, height)
    write(draw, (MARGIN, MARGIN + 32), fitted(title, TITLE, INNER), TITLE)
    for number, line in enumerate(lines):
        write(draw, (MARGIN, MARGIN + _TITLE_ROOM + number * _LINE + 8), line, fill=MUTED)
    for block in blocks:
        image.paste(block, (MARGIN, top))
        top += block.height + MARGIN
    draw.rectangle((0, 0, WIDTH - 1, height - 1), outline=RULE)
    return image


def headed(heading: str, block: Image.Image) -> Image.Image:
    """Set a block below a heading."""
    image, draw = blank(block.width, block.height + _HEADING_ROOM)
    write(draw, (0, HEADING), fitted(heading, HEADING, block.width), HEADING)
    image.paste(block, (0, _HEADING_ROOM))
    return image


def tile_width(columns: int) -> int:
    """Return how wide a tile may be where so many stand side by side."""
    return (INNER - (columns - 1) * _COLUMN_GAP) // columns


def grid(tiles: Sequence[Image.Image], columns: int) -> Image.Image:
    """Set tiles side by side and below one another."""
    width = tile_width(columns)
    lines = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    heights = [max(tile.height for tile in line) for line in lines]
    image, _ = blank(INNER, sum(heights) + (len(lines) - 1) * _ROW_GAP)
    top = 0
    for line, height in zip(lines, heights, strict=True):
        for number, tile in enumerate(line):
            image.paste(tile, (number * (width + _COLUMN_GAP), top))
        top += height + _ROW_GAP
    return image


def tile(
    pictures: Sequence[Image.Image | bytes | None],
    size: tuple[int, int],
    caption: Caption,
    marks: Marks | None = None,
) -> Image.Image:
    """Draw images as `photographs` does, with a caption below."""
    return _captioned(photographs(pictures, size, marks), caption)


def photographs(
    pictures: Sequence[Image.Image | bytes | None],
    size: tuple[int, int],
    marks: Marks | None = None,
) -> Image.Image:
    """Draw images side by side, equally high, with marks over them.

    Args:
        pictures: Decoded or encoded. Where one is missing or does not decode, that is said in
            their place, without marks.
        size: Pixels of the area.
        marks: Draws over the images, given where each of them lies on the canvas.
    """
    found = [decoded(p) if isinstance(p, bytes) else p for p in pictures]
    whole = [image for image in found if image is not None]
    canvas, draw = blank(size[0] * SHARP, size[1] * SHARP, PANEL)
    if len(whole) < len(found):
        text = "no image" if None in pictures else "does not decode"
        write(draw, (size[0], size[1]), text, SMALL * SHARP, fill=MUTED, anchor="mm")
    else:
        frames = _side_by_side([image.size for image in whole], canvas.size)
        for image, frame in zip(whole, frames, strict=True):
            place(canvas, image, frame)
        if marks is not None:
            marks(canvas, frames)
    return canvas.reduce(SHARP)


def _side_by_side(sizes: Sequence[tuple[int, int]], area: tuple[int, int]) -> list[Frame]:
    """Return frames of equal height in the middle of an area, with gaps between them."""
    gap = 6 * SHARP if len(sizes) > 1 else 0
    room = area[0] - gap * (len(sizes) - 1)
    height = min(area[1], room / sum(width / height for width, height in sizes))
    widths = [round(size[0] * height / size[1]) for size in sizes]
    left = (area[0] - sum(widths) - gap * (len(sizes) - 1)) // 2
    frames = []
    for size, width in zip(sizes, widths, strict=True):
        frames.append(fit(size, (left, 0, left + width, area[1])))
        left += width + gap
    return frames


def _captioned(image: Image.Image, caption: Caption) -> Image.Image:
    lines = 1 + bool(caption.notes)
    whole, draw = blank(image.width, image.height + lines * _LINE + 2)
    whole.paste(image, (0, 0))
    base = image.height + 23
    room = image.width - text_width(caption.side, SMALL) - 10
    write(draw, (0, base), fitted(caption.text, TEXT, room))
    write(draw, (image.width, base), caption.side, SMALL, fill=MUTED, anchor="rs")
    left = 0
    for text, colour in caption.notes:
        if colour is not None:
            swatch = (left, base + _LINE - _SWATCH + 1, left + _SWATCH - 1, base + _LINE)
            draw.rectangle(swatch, fill=colour)
            left += _SWATCH + 5
        note = fitted(text, SMALL, image.width - left)
        write(draw, (left, base + _LINE), note, SMALL, fill=MUTED)
        left += text_width(note, SMALL) + 10
    return whole
