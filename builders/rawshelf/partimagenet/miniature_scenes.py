"""Made-up objects with parts: where the parts lie, and how photos and masks show them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from rawshelf.miniature import draw_photo, mark_colour, text_seed
from rawshelf.partimagenet.miniature_classes import CLASSES, PARTS, SUPERCATEGORIES

__all__ = [
    "BACKGROUND",
    "WHOLE_BACKGROUND",
    "Part",
    "Scene",
    "draw_index",
    "draw_scene",
    "part_colour",
    "part_mask",
    "scene",
    "stage",
    "whole_mask",
]

Polygon = tuple[float, ...]  # x, y, x, y ...: the left edge of pixel 0 is x 0, its right edge x 1
Box = tuple[float, float, float, float]

BACKGROUND = 40
WHOLE_BACKGROUND = 158
CORNERS = 12  # of an oval
COLOUR_STEP = 7  # parts of one object have consecutive ids and get colours far apart
SHARE_LOST = 0.15
LOSABLE = ("Foot", "Tail", "Side Mirror")
ASPECTS = ((4, 3), (3, 4), (3, 2), (4, 3))

# Part, shape and left, top, right, bottom in percent of the object's box. Later ones cover
# earlier ones, and a few do; some parts occur more than once.
_TEMPLATES: dict[str, tuple[tuple[str, str, tuple[int, int, int, int]], ...]] = {
    "Quadruped": (
        ("Body", "oval", (20, 32, 78, 70)),
        ("Head", "oval", (70, 12, 98, 46)),
        ("Foot", "box", (24, 64, 32, 98)),
        ("Foot", "box", (36, 66, 44, 97)),
        ("Foot", "box", (56, 66, 64, 98)),
        ("Foot", "box", (67, 62, 75, 97)),
        ("Tail", "wedge", (2, 22, 24, 50)),
    ),
    "Biped": (
        ("Body", "oval", (32, 30, 68, 76)),
        ("Head", "oval", (36, 3, 64, 34)),
        ("Hand", "box", (12, 42, 34, 54)),
        ("Hand", "box", (66, 42, 88, 54)),
        ("Foot", "box", (32, 76, 46, 98)),
        ("Foot", "box", (54, 76, 68, 98)),
        ("Tail", "wedge", (66, 58, 98, 78)),
    ),
    "Fish": (
        ("Body", "oval", (20, 28, 80, 74)),
        ("Head", "oval", (70, 34, 98, 68)),
        ("Fin", "wedge", (38, 4, 62, 32)),
        ("Fin", "wedge", (42, 72, 60, 96)),
        ("Tail", "wedge", (2, 24, 24, 78)),
    ),
    "Bird": (
        ("Body", "oval", (24, 34, 76, 74)),
        ("Head", "oval", (68, 8, 96, 42)),
        ("Wing", "wedge", (32, 38, 64, 64)),
        ("Foot", "box", (40, 70, 47, 98)),
        ("Foot", "box", (56, 70, 63, 98)),
        ("Tail", "wedge", (2, 40, 28, 66)),
    ),
    "Snake": (("Body", "box", (4, 54, 80, 82)), ("Head", "oval", (74, 38, 98, 70))),
    "Reptile": (
        ("Body", "oval", (24, 34, 74, 70)),
        ("Head", "oval", (68, 30, 97, 60)),
        ("Foot", "box", (28, 64, 38, 94)),
        ("Foot", "box", (60, 64, 70, 94)),
        ("Tail", "wedge", (2, 44, 28, 62)),
    ),
    "Car": (
        ("Body", "box", (4, 26, 96, 78)),
        ("Tier", "oval", (12, 62, 34, 98)),
        ("Tier", "oval", (66, 62, 88, 98)),
        ("Side Mirror", "box", (60, 12, 70, 30)),
    ),
    "Bicycle": (
        ("Body", "box", (28, 34, 72, 70)),
        ("Head", "box", (68, 8, 84, 38)),
        ("Seat", "box", (24, 18, 44, 32)),
        ("Tier", "oval", (3, 48, 38, 98)),
        ("Tier", "oval", (62, 48, 97, 98)),
    ),
    "Boat": (
        ("Body", "box", (4, 66, 96, 94)),
        ("Sail", "wedge", (14, 4, 54, 66)),
        ("Sail", "wedge", (58, 14, 90, 66)),
    ),
    "Aeroplane": (
        ("Body", "oval", (8, 36, 88, 62)),
        ("Head", "oval", (78, 38, 98, 60)),
        ("Engine", "box", (48, 66, 62, 78)),
        ("Wing", "wedge", (24, 52, 50, 94)),
        ("Tail", "wedge", (2, 8, 22, 46)),
    ),
    "Bottle": (("Body", "box", (28, 34, 72, 98)), ("Mouth", "box", (42, 4, 58, 34))),
}


class Part(NamedTuple):
    """An instance of a part: category id, and the polygons that it consists of."""

    category_id: int
    polygons: tuple[Polygon, ...]


class Scene(NamedTuple):
    """What a photo shows: its size, and the parts of its object in paint order."""

    width: int
    height: int
    parts: tuple[Part, ...]


def scene(file_name: str, *, side: int) -> Scene:
    """Return what a photo shows; it depends on the file name alone, not on split or release."""
    wnid = file_name.partition("_")[0]
    return stage(CLASSES[wnid].supercategory, text_seed(file_name), side)


@lru_cache(maxsize=1024)
def stage(supercategory: str, seed: int, side: int) -> Scene:
    """Make up an object of a super-category; ``side`` is the longer side of the photo."""
    rng = np.random.default_rng([SUPERCATEGORIES.index(supercategory), seed])
    wide, high = ASPECTS[int(rng.integers(len(ASPECTS)))]
    width, height = (side * wide // max(wide, high), side * high // max(wide, high))
    share = rng.uniform(0.6, 0.94)
    left, top = rng.uniform(0.02, 0.98 - share, size=2)
    box = (left * width, top * height, share * width, share * height)
    mirrored = bool(rng.integers(2))
    parts = []
    for part, shape, place in _TEMPLATES[supercategory]:
        if part in LOSABLE and rng.random() < SHARE_LOST:
            continue
        shape_or_halves = "halves" if shape == "box" and rng.integers(8) == 0 else shape
        polygons = [
            _scaled(polygon, box, mirrored=mirrored)
            for polygon in _outlines(shape_or_halves, place)
        ]
        parts.append(Part(PARTS.index(f"{supercategory} {part}"), tuple(polygons)))
    return Scene(width, height, tuple(parts))


def _outlines(shape: str, place: Box) -> Iterator[Polygon]:
    """Return the polygons of a shape; one that something hides the middle of has two."""
    left, top, right, bottom = place
    if shape == "oval":
        x, y, across, down = (
            (left + right) / 2,
            (top + bottom) / 2,
            (right - left) / 2,
            (bottom - top) / 2,
        )
        turns = [2 * math.pi * corner / CORNERS for corner in range(CORNERS)]
        yield tuple(v for t in turns for v in (x + across * math.cos(t), y + down * math.sin(t)))
    elif shape == "wedge":
        yield (left, top, right, (top + bottom) / 2, left, bottom)
    elif shape == "halves":
        gap = (right - left) / 10
        middle = (left + right) / 2
        yield from _outlines("box", (left, top, middle - gap, bottom))
        yield from _outlines("box", (middle + gap, top, right, bottom))
    else:
        yield (left, top, right, top, right, bottom, left, bottom)


def _scaled(polygon: Polygon, box: Box, *, mirrored: bool) -> Polygon:
    left, top, width, height = box
    placed = []
    for x, y in zip(polygon[::2], polygon[1::2], strict=True):
        share = 1 - x / 100 if mirrored else x / 100
        placed += [round(left + width * share, 2), round(top + height * y / 100, 2)]
    return tuple(float(value) for value in placed)


def part_colour(category_id: int) -> tuple[int, int, int]:
    """Return the RGB colour of a part in photos and palettes.

    >>> part_colour(0), part_colour(1)
    ((255, 0, 0), (153, 255, 0))
    """
    return mark_colour(COLOUR_STEP * category_id)


def draw_scene(shown: Scene, *, seed: int, grey: bool = False) -> bytes:
    """Draw the photo: a JPEG with every part in its colour."""
    image = Image.open(BytesIO(draw_photo(shown.width, shown.height, seed=seed))).convert("RGB")
    draw = ImageDraw.Draw(image)
    for category_id, polygons in shown.parts:
        for polygon in polygons:
            draw.polygon(_pixels(polygon), fill=part_colour(category_id))
    buffer = BytesIO()
    if grey:
        image.convert("L").save(buffer, "JPEG", quality=95)
    else:
        # Full chroma resolution, else the colour of a small part runs into its surroundings.
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def _pixels(polygon: Polygon) -> list[tuple[float, float]]:
    """Return corners as Pillow takes them: a pixel's middle is a whole number."""
    return [(x - 0.5, y - 0.5) for x, y in zip(polygon[::2], polygon[1::2], strict=True)]


def part_mask(shown: Scene, *, palette: bool) -> bytes:
    """Draw the mask of the parts, background 40, as a PNG of mode P or L."""
    shapes = [(polygon, part.category_id) for part in shown.parts for polygon in part.polygons]
    return draw_index(shown.width, shown.height, shapes, BACKGROUND, palette=palette)


def whole_mask(shown: Scene, whole_id: int, *, palette: bool) -> bytes:
    """Draw the mask of the object, background 158, as a PNG of mode P or L."""
    shapes = [(polygon, whole_id) for part in shown.parts for polygon in part.polygons]
    return draw_index(shown.width, shown.height, shapes, WHOLE_BACKGROUND, palette=palette)


def draw_index(
    width: int,
    height: int,
    shapes: Sequence[tuple[Polygon, int]],
    background: int,
    *,
    palette: bool,
) -> bytes:
    """Draw a PNG whose pixel values are indices; with a palette, the background is black."""
    image = Image.new("P" if palette else "L", (width, height), background)
    if palette:
        colours = [part_colour(index) for index in range(background)]
        image.putpalette([level for colour in [*colours, (0, 0, 0)] for level in colour])
    draw = ImageDraw.Draw(image)
    for polygon, value in shapes:
        draw.polygon(_pixels(polygon), fill=value)
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
