"""Marks on one decoded image: where its pixels come to lie, and boxes, points and masks there.

Coordinates on a canvas are continuous: (0, 0) is the outer corner of its first pixel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import combinations
from math import hypot
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from rawshelf.images import UNDECODABLE
from rawshelf.preview.style import BOX, Colour, font

Box = tuple[float, float, float, float]
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (20, 20, 20)
_MIDDLE = 140  # brightness above which black reads better than white
_PATIENCE = 100  # rounds
_SLACK = 0.01  # of a pixel, for rounding
_OPACITY = 0.6  # of a mask: the photograph still shows through
_BROKEN = (*UNDECODABLE, Image.DecompressionBombError)


class Frame(NamedTuple):
    """Where an image lies on a canvas.

    Attributes:
        left: Its left edge on the canvas.
        top: Its top edge on the canvas.
        scale: Canvas pixels per pixel of the image.
    """

    left: float
    top: float
    scale: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where the centre of the image's pixel (x, y), counted from 0, lies.

        >>> Frame(10, 20, 2.0).point(0, 3)
        (11.0, 27.0)
        """
        return self.left + (x + 0.5) * self.scale, self.top + (y + 0.5) * self.scale

    def box(self, edges: Box) -> Box:
        """Return where a box lies that is given by its outer edges in the image."""
        left, top, right, bottom = edges
        x0, y0 = self.left + left * self.scale, self.top + top * self.scale
        return x0, y0, self.left + right * self.scale, self.top + bottom * self.scale


def voc_edges(box: Sequence[int]) -> Box:
    """Return the outer edges of a box of 1-based, inclusive pixels, as in PASCAL VOC.

    >>> voc_edges([1, 1, 500, 375])
    (0, 0, 500, 375)
    """
    left, top, right, bottom = box
    return left - 1, top - 1, right, bottom


def coco_edges(box: Sequence[float]) -> Box:
    """Return the outer edges of a box [x, y, width, height], as in COCO."""
    left, top, width, height = box
    return left, top, left + width, top + height


def decoded(encoded: bytes | None) -> Image.Image | None:
    """Decode an image as it is stored, EXIF orientation not applied; None if it is no good."""
    if not encoded:
        return None
    try:
        with Image.open(BytesIO(encoded)) as image:
            image.load()
            return image if image.mode in {"L", "P", "RGB"} else image.convert("RGB")
    except _BROKEN:
        return None


def fit(size: tuple[int, int], cell: Box) -> Frame:
    """Return the frame of an image of this size, as large as it can be and in a cell's middle."""
    width, height = cell[2] - cell[0], cell[3] - cell[1]
    scale = min(width / size[0], height / size[1])
    left = cell[0] + (width - size[0] * scale) / 2
    return Frame(round(left), round(cell[1] + (height - size[1] * scale) / 2), scale)


def place(canvas: Image.Image, image: Image.Image, frame: Frame) -> None:
    """Put an image onto a canvas."""
    size = [max(1, round(side * frame.scale)) for side in image.size]
    scaled = image.convert("RGB").resize((size[0], size[1]), Image.Resampling.LANCZOS)
    canvas.paste(scaled, (int(frame.left), int(frame.top)))


def outline(
    canvas: Image.Image, frame: Frame, edges: Box, colour: Colour = BOX, width: int = 2
) -> None:
    """Draw a box whose line lies inside of its edges."""
    left, top, right, bottom = (round(edge) for edge in frame.box(edges))
    inner = (left, top, max(left, right - 1), max(top, bottom - 1))
    ImageDraw.Draw(canvas).rectangle(inner, outline=colour, width=width)


def link(
    canvas: Image.Image, start: tuple[float, float], end: tuple[float, float], colour: Colour
) -> None:
    """Join two places with a line that shows on any ground."""
    draw = ImageDraw.Draw(canvas)
    draw.line([start, end], fill=_WHITE, width=5)
    draw.line([start, end], fill=colour, width=3)


def dot(canvas: Image.Image, centre: tuple[float, float], colour: Colour, radius: int = 7) -> None:
    """Draw a disc with a white rim; the pixel that holds `centre` has the colour."""
    draw = ImageDraw.Draw(canvas)
    x, y = int(centre[0]), int(centre[1])
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_WHITE)
    inner = radius - 2
    draw.ellipse((x - inner, y - inner, x + inner, y + inner), fill=colour)


def badges(
    canvas: Image.Image,
    places: Sequence[tuple[float, float]],
    labels: Sequence[str],
    colours: Sequence[Colour],
    size: int,
) -> None:
    """Mark places with labelled discs that do not cover one another.

    A disc that had to give way is joined with its place by a line.

    Args:
        canvas: To draw on.
        places: On the canvas.
        labels: Two letters at most.
        colours: Of the discs; the letters are dark or white as reads better.
        size: Of the letters, pixels.
    """
    radius = round(size * 0.75)
    room = (radius, radius, canvas.width - radius, canvas.height - radius)
    moved = apart(places, 2.0 * radius, room)
    draw = ImageDraw.Draw(canvas)
    for place_, centre, colour in zip(places, moved, colours, strict=True):
        if centre != place_:
            link(canvas, place_, centre, colour)
            dot(canvas, place_, colour, radius // 3)
    for centre, label, colour in zip(moved, labels, colours, strict=True):
        dot(canvas, centre, colour, radius)
        fill = _BLACK if _brightness(colour) > _MIDDLE else _WHITE
        middle = (int(centre[0]) + 0.5, int(centre[1]) + 0.5)
        draw.text(middle, label, font=font(size), fill=fill, anchor="mm")


def apart(
    places: Sequence[tuple[float, float]], distance: float, within: Box
) -> list[tuple[float, float]]:
    """Move places away from each other until all pairs are so far apart, or patience ends.

    >>> apart([(10, 10), (50, 10)], 20, (0, 0, 99, 99))
    [(10, 10), (50, 10)]
    >>> [round(x) for x, _ in apart([(40, 10), (50, 10)], 20, (0, 0, 99, 99))]
    [35, 55]
    """
    moved = list(places)
    for _ in range(_PATIENCE):
        close = [
            pair for pair in combinations(range(len(moved)), 2) if _gap(moved, pair) < distance
        ]
        for first, second in close:
            (x0, y0), (x1, y1) = moved[first], moved[second]
            length = hypot(x1 - x0, y1 - y0)
            # Two at one place part sideways.
            along = ((x1 - x0) / length, (y1 - y0) / length) if length else (1.0, 0.0)
            push = max(0.0, distance - length) / 2
            moved[first] = _inside(x0 - push * along[0], y0 - push * along[1], within)
            moved[second] = _inside(x1 + push * along[0], y1 + push * along[1], within)
        if not close:
            break
    return moved


def _gap(places: Sequence[tuple[float, float]], pair: tuple[int, int]) -> float:
    (x0, y0), (x1, y1) = (places[index] for index in pair)
    return hypot(x1 - x0, y1 - y0) + _SLACK


def _inside(x: float, y: float, within: Box) -> tuple[float, float]:
    return min(max(x, within[0]), within[2]), min(max(y, within[1]), within[3])


def _brightness(colour: Colour) -> float:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R BT.601, as Pillow's own grey


def masked(
    image: Image.Image, mask: npt.NDArray[np.uint8], colours: npt.NDArray[np.uint8], background: int
) -> Image.Image:
    """Lay the colours of a mask over an image; pixels of the background stay as they are.

    Below a colour the image is grey, or else its own colours would change that of the mask.

    Args:
        image: Any mode; as large as the mask.
        mask: Indices, (height, width).
        colours: uint8 (indices, 3): the colour of each index but the background.
        background: The index that stands for nothing.
    """
    pixels = np.asarray(image.convert("RGB"), np.float32)
    inside = (mask != background) & (mask < len(colours))
    paint = colours[np.where(inside, mask, 0)].astype(np.float32)
    opacity = np.where(_edge(mask), 1.0, _OPACITY)[..., None]
    grey = np.asarray(image.convert("L"), np.float32)[..., None]
    mixed = np.where(inside[..., None], grey + (paint - grey) * opacity, pixels)
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _edge(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Tell which pixels have a neighbour of another index, above, below, left or right."""
    edge = np.zeros(mask.shape, bool)
    across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def as_colours(triples: bytes) -> npt.NDArray[np.uint8]:
    """Return RGB triples, as `rawshelf.masks.palette` gives them, as uint8 (n, 3)."""
    return np.frombuffer(triples, np.uint8).reshape(-1, 3)


def colour_of(colours: npt.NDArray[np.uint8], index: int) -> Colour:
    """Return one colour; indices go round."""
    red, green, blue = (int(level) for level in colours[index % len(colours)])
    return red, green, blue


def union(points: Iterable[tuple[float, float]], edges: Box) -> Box:
    """Return the smallest box that holds a box and the centres of some pixels.

    >>> union([(0, 9)], (1, 1, 5, 5))
    (0, 1, 5, 10)
    """
    left, top, right, bottom = edges
    for x, y in points:
        left, top = min(left, x), min(top, y)
        right, bottom = max(right, x + 1), max(bottom, y + 1)
    return left, top, right, bottom
