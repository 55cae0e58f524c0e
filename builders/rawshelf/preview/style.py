"""Fonts, colours and text: what all pictures share."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

# The Hub shows a card about 800 pixels wide; half as many again keep thin lines and small print
# sharp on dense screens, and a sheet of photographs within a megabyte or so.
WIDTH = 1200
MARGIN = 32
INNER = WIDTH - 2 * MARGIN

# A ground of its own, so that a picture reads the same on a light and on a dark page.
GROUND: Colour = (253, 252, 249)
PANEL: Colour = (240, 239, 234)
INK: Colour = (33, 37, 41)
MUTED: Colour = (92, 99, 106)
RULE: Colour = (217, 217, 210)
BOX: Colour = (255, 176, 32)

TITLE, HEADING, TEXT, SMALL = 34, 23, 20, 18  # pixels; two thirds of it when shown 800 wide

# Blue, orange, green of about equal weight that also differ in brightness.
SPLITS: tuple[Colour, ...] = ((43, 106, 153), (227, 148, 55), (96, 167, 121))
LEVELS: tuple[Colour, ...] = ((174, 205, 227), (84, 148, 194), (27, 74, 118))
SIDES: tuple[Colour, ...] = ((208, 210, 205), (227, 148, 55), (43, 106, 153), (118, 78, 139))


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font in a size in pixels.

    Always in the basic layout: the other needs a library that not every machine has, and places
    letters differently.
    """
    found = ImageFont.load_default(size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        msg = "Pillow was built without FreeType and cannot draw text of a given size."
        raise TypeError(msg)
    return found.font_variant(layout_engine=ImageFont.Layout.BASIC)


def plain(text: str) -> str:
    r"""Return a text in the letters that the font has: ASCII, accents dropped.

    >>> plain("cafe\u0301 na\u00efve")
    'cafe naive'
    """
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def text_width(text: str, size: int) -> int:
    """Return the width of a line of text in pixels, rounded up."""
    return -int(-font(size).getlength(text) // 1)


def fitted(text: str, size: int, width: int) -> str:
    """Return a text cut short, with dots, so that it is at most `width` pixels wide."""
    text = plain(text)
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}...", size) > width:
        text = text[:-1].rstrip()
    return f"{text}..."


def wrapped(text: str, size: int, width: int) -> Iterator[str]:
    """Yield the lines of a text that is to be at most `width` pixels wide."""
    line = ""
    for word in plain(text).split():
        longer = f"{line} {word}".strip()
        if line and text_width(longer, size) > width:
            yield line
            longer = word
        line = longer
    yield line


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int = TEXT,
    *,
    fill: Colour = INK,
    anchor: str = "ls",
    rim: int = 0,
) -> None:
    """Write a line of text.

    Args:
        draw: The pen.
        place: Of the anchor.
        text: One line.
        size: Pixels.
        fill: Colour.
        anchor: As Pillow names it; by default the left end of the baseline.
        rim: Pixels of the ground's colour around the letters, to set them off from lines.
    """
    draw.text(
        place,
        plain(text),
        font=font(size),
        fill=fill,
        anchor=anchor,
        stroke_width=rim,
        stroke_fill=GROUND,
    )


def blank(
    width: int, height: int, colour: Colour = GROUND
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return an empty picture and the pen for it."""
    image = Image.new("RGB", (width, height), colour)
    return image, ImageDraw.Draw(image)


def hues(count: int) -> tuple[Colour, ...]:
    """Return colours evenly spaced on the circle of hues, for what goes round in a circle."""
    wheel = Image.new("HSV", (count, 1))
    wheel.putdata([(256 * index // count, 150, 205) for index in range(count)])
    data = wheel.convert("RGB").tobytes()
    return tuple((data[i], data[i + 1], data[i + 2]) for i in range(0, len(data), 3))
