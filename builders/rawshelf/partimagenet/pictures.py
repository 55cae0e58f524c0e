"""The pictures of PartImageNet: photographs with their parts, and the parts' colours and names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rawshelf import masks
from rawshelf.images import ImageProblem
from rawshelf.partimagenet import distributions
from rawshelf.partimagenet.classes import object_classes
from rawshelf.partimagenet.release import OOD, PART_BACKGROUND, PARTS, SEG, SUPERCATEGORIES
from rawshelf.preview import overlays, sheets, style
from rawshelf.preview.choice import spread
from rawshelf.preview.counting import by_split
from rawshelf.preview.overlays import Frame
from rawshelf.preview.pictures import Picture, Subject, Wish
from rawshelf.preview.reading import Conversion
from rawshelf.preview.sheets import SHARP, Caption

# Those of the masks that rawshelf draws; masks of the release bring none or their own.
_COLOURS = overlays.as_colours(masks.palette(PART_BACKGROUND))
_PHOTOS = 12
_COLUMNS = 3
_HEIGHT = 274
_EXAMPLE = (190, 150)
_CARD_HEADING, _CARD_LINE = 24, 27

_NAMES = ("image", "part_mask", "file_name", "object_class", "supercategory", "parts")
_SHEET_LEAD = (
    "Part masks over the photographs, boxes of the part annotations in the same colours. Below: "
    "class, super-category, split, and the parts that are annotated."
)
_LEGEND_LEAD = (
    "The 40 parts by super-category in the colours of the masks, with the number of annotations in "
    'this build and one example. "Tier" (a tyre) is the release\'s spelling.'
)


def _draw_sheet(conversion: Conversion, configs: tuple[str, ...], wish: Wish) -> Picture:
    """Draw a choice of photographs, super-categories and splits in turn."""
    (config,) = configs
    places: list[tuple[str, int]] = []
    groups: list[int] = []
    for split in conversion.splits(config):
        table = conversion.columns(config, split, ["supercategory"])
        places += [(split, row) for row in range(len(table))]
        groups += table["supercategory"].to_pylist()
    chosen = spread(groups, wish.seed, wish.rows or _PHOTOS, [split for split, _ in places])
    tiles, shown = [], []
    for split, position in (places[row] for row in chosen):
        row = conversion.rows(config, split, [position], _NAMES)[0]
        name = _class_name(row)
        tiles.append(_tile(row, split))
        shown.append(f"{name} ({SUPERCATEGORIES[row['supercategory']]}, {split})")
    return Picture(
        f"{len(tiles)} photographs with their parts",
        f"{len(tiles)} photographs of config {config} with masks and boxes of their parts: "
        f"{', '.join(shown)}. Chosen at random over super-categories and splits.",
        sheets.page(
            "PartImageNet: objects and their parts", _SHEET_LEAD, [sheets.grid(tiles, _COLUMNS)]
        ),
    )


def _class_name(row: Mapping[str, Any]) -> str:
    name: str = object_classes()[row["object_class"]].name
    return name


def _tile(row: Mapping[str, Any], split: str) -> Image.Image:
    group = SUPERCATEGORIES[row["supercategory"]]
    parts = sorted(set(row["parts"]["category"]))
    notes = [(_short(part), overlays.colour_of(_COLOURS, part)) for part in parts]
    caption = Caption(_class_name(row), f"{group}, {split}", notes or [("no parts", None)])
    size = (sheets.tile_width(_COLUMNS), _HEIGHT)
    return sheets.tile([overlaid(row)], size, caption, _boxes(row))


def _short(part: int) -> str:
    """Return a part's name without its super-category."""
    return PARTS[part].partition(" ")[2]


def _boxes(row: Mapping[str, Any]) -> sheets.Marks:
    """Return what draws the boxes of a row's parts; those without a box are left out."""

    def draw(canvas: Image.Image, frames: Sequence[Frame]) -> None:
        for part, box in zip(row["parts"]["category"], row["parts"]["bbox"], strict=True):
            if not any(map(math.isnan, box)):
                colour = overlays.colour_of(_COLOURS, part)
                overlays.outline(canvas, frames[0], overlays.coco_edges(box), colour, SHARP)

    return draw


def overlaid(row: Mapping[str, Any]) -> Image.Image | bytes | None:
    """Return a row's photograph with its part mask over it, as far as both are there and fit."""
    encoded = row["image"]["bytes"] if row["image"] else None
    image, mask = overlays.decoded(encoded), _mask(row)
    if image is None or mask is None or mask.shape != (image.height, image.width):
        return image or encoded
    return overlays.masked(image, mask, _COLOURS[:PART_BACKGROUND], PART_BACKGROUND)


def _mask(row: Mapping[str, Any]) -> npt.NDArray[np.uint8] | None:
    if not row["part_mask"] or not row["part_mask"]["bytes"]:
        return None
    try:
        return masks.decode_png(memoryview(row["part_mask"]["bytes"]))
    except ImageProblem:
        return None


def _draw_legend(conversion: Conversion, configs: tuple[str, ...], wish: Wish) -> Picture:
    """Draw the colours and names of the parts, counted, with an example of each group."""
    (config,) = configs
    counts = dict.fromkeys(range(len(PARTS)), 0)
    for own in by_split(conversion, config, "parts.category").values():
        for part, count in own.items():
            if part is not None:
                counts[part] += count
    examples = _examples(conversion, config, wish.seed) if config in {SEG, OOD} else {}
    cards = [_card(group, counts, examples.get(group)) for group in range(len(SUPERCATEGORIES))]
    named = ", ".join(f"{name} {counts[part]:,}" for part, name in enumerate(PARTS))
    return Picture(
        "The 40 parts, their colours and counts",
        f"Legend of the parts by super-category. Annotations in config {config}: {named}.",
        sheets.page("PartImageNet: the 40 parts", _LEGEND_LEAD, [sheets.grid(cards, _COLUMNS)]),
    )


def _examples(conversion: Conversion, config: str, seed: int) -> dict[int, dict[str, Any]]:
    """Return for each super-category a row with as many different parts as any has."""
    best: dict[int, tuple[int, list[tuple[str, int]]]] = {}
    for split in conversion.splits(config):
        table = conversion.columns(config, split, ["supercategory", "parts.category"])
        for position, row in enumerate(table.to_pylist()):
            parts = len(set(row["parts"]["category"]))
            most, places = best.get(row["supercategory"], (-1, []))
            if parts > most:
                best[row["supercategory"]] = (parts, [(split, position)])
            elif parts == most:
                places.append((split, position))
    found = {}
    for group, (_, places) in best.items():
        split, position = places[spread(places, seed, 1)[0]]
        found[group] = conversion.rows(config, split, [position], _NAMES)[0]
    return found


def _card(group: int, counts: Mapping[int, int], example: Mapping[str, Any] | None) -> Image.Image:
    """Draw one super-category: an example on the left, its parts on the right."""
    name = SUPERCATEGORIES[group]
    parts = [part for part in counts if PARTS[part].partition(" ")[0] == name]
    image, draw = style.blank(sheets.tile_width(_COLUMNS), _EXAMPLE[1] + 6)
    left = 0
    if example is not None:
        image.paste(sheets.photographs([overlaid(example)], _EXAMPLE), (0, 0))
        left = _EXAMPLE[0] + 14
    style.write(draw, (left, _CARD_HEADING - 6), name, style.TEXT)
    for number, part in enumerate(parts):
        base = _CARD_HEADING + (number + 1) * _CARD_LINE - 4
        draw.rectangle((left, base - 14, left + 15, base + 1), fill=tuple(_COLOURS[part].tolist()))
        style.write(draw, (left + 23, base), _short(part), style.SMALL)
        place = (image.width, base)
        style.write(draw, place, f"{counts[part]:,}", style.SMALL, fill=style.MUTED, anchor="rs")
    return image


PICTURES = (
    Subject("contact-sheet", ((SEG,), (OOD,)), _draw_sheet),
    Subject(
        "parts", ((SEG,), (OOD,), (f"{SEG}_annotations",), (f"{OOD}_annotations",)), _draw_legend
    ),
    *distributions.PICTURES,
)
