"""The page of SPair-71k: pairs to filter by difficulty, with their correspondences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rawshelf import masks
from rawshelf.preview.album import (
    Album,
    Facet,
    Item,
    Layer,
    Marks,
    Shelf,
    View,
    encoded,
    without_pixels,
)
from rawshelf.preview.choice import spread
from rawshelf.preview.pictures import Wish
from rawshelf.preview.reading import Conversion
from rawshelf.spair71k.columns import PAIR_COLUMNS
from rawshelf.spair71k.pictures import common
from rawshelf.spair71k.release import (
    CATEGORIES,
    KEYPOINT_SLOTS,
    LAYOUTS,
    OCCLUSION,
    SCALE,
    TRUNCATION,
    VIEWPOINT,
    VOC_CLASS_IDS,
)

_COLUMNS = without_pixels(PAIR_COLUMNS)
_SIDES = ("src", "trg")
_FACTORS = {
    "viewpoint_variation": ("Viewpoint", VIEWPOINT),
    "scale_variation": ("Scale", SCALE),
    "truncation": ("Truncated", TRUNCATION),
    "occlusion": ("Occluded", OCCLUSION),
}
_MARKS = tuple(
    Marks(box=f"{side}_bbox", ids="keypoints.id", x=f"keypoints.{side}_x", y=f"keypoints.{side}_y")
    for side in _SIDES
)
_PIXELS = ("image", "segmentation")
_Pixels = tuple[bytes | None, ...]  # as `_PIXELS`
_NOTHING: _Pixels = (None, None)
# Masks may hold classes beyond SPair-71k's own: every value of a byte has a colour.
_LAYER = Layer(
    "Segmentation",
    dict(zip(VOC_CLASS_IDS, CATEGORIES, strict=True)),
    masks.palette(256)[: 3 * 256],
    background=0,
    shown=False,
)


def _fill(conversion: Conversion, configs: tuple[str, ...], wish: Wish) -> Album:
    """Choose pairs, categories and splits in turn."""
    config = configs[0]
    splits = conversion.splits(config)
    known = conversion.listed(config, "category")
    groups, within = [category for _, _, category in known], [split for split, _, _ in known]
    chosen = [known[row] for row in spread(groups, wish.seed, wish.rows or 0, within)]
    return Album(
        total=len(known),
        spread="categories and splits",
        facets=(
            Facet("split", "Split", splits),
            Facet("category", "Category", CATEGORIES),
            *(Facet(key, title, names) for key, (title, names) in _FACTORS.items()),
            Facet("layout", "Layout", LAYOUTS),
        ),
        items=[
            item
            for number, split in enumerate(splits)
            for item in _items(
                conversion,
                configs,
                (number, split),
                sorted(row for own, row, _ in chosen if own == split),
            )
        ],
        columns=_COLUMNS,
        marks=_MARKS,
        layers=(_LAYER,),
        colours=masks.palette(KEYPOINT_SLOTS)[: 3 * KEYPOINT_SLOTS],
    )


def _items(
    conversion: Conversion,
    configs: tuple[str, ...],
    split: tuple[int, str],
    positions: Sequence[int],
) -> list[Item]:
    number, name = split
    flat = [[f"{side}_{kind}" for kind in _PIXELS] for side in _SIDES]
    own = [column for side in flat for column in side] if configs == ("pairs_flat",) else []
    rows = conversion.rows(configs[0], name, positions, [*(c.name for c in _COLUMNS), *own])
    pixels: list[list[_Pixels]]
    if own:
        pixels = [
            [tuple(encoded(row.pop(column)) for column in side) for side in flat] for row in rows
        ]
    else:
        images = _images(conversion, configs, name, rows)
        pixels = [[images.get(row[f"{side}_index"], _NOTHING) for side in _SIDES] for row in rows]
    return [_item(number, name, *both) for both in zip(rows, pixels, strict=True)]


def _images(
    conversion: Conversion, configs: tuple[str, ...], split: str, rows: Sequence[Mapping[str, Any]]
) -> dict[int, _Pixels]:
    """Return the pixels of pairs by their row in config ``images``, if that is there."""
    if "images" not in configs:
        return {}
    index = {row[f"{side}_index"] for row in rows for side in _SIDES}
    wanted = sorted(place for place in index if place is not None)
    found = conversion.rows("images", split, wanted, _PIXELS)
    return {
        place: tuple(encoded(row[kind]) for kind in _PIXELS)
        for place, row in zip(wanted, found, strict=True)
    }


def _item(number: int, split: str, row: Mapping[str, Any], pixels: Sequence[_Pixels]) -> Item:
    factors = [(row[key],) for key in _FACTORS]
    # The small layout is a part of the large one. Without layouts nobody knows.
    layouts = () if row["in_small"] is None else tuple(range(1 + row["in_small"]))
    return Item(
        name=row["name"],
        title=CATEGORIES[row["category"]],
        note=f"{split}, {common(row)}",
        values=((number,), (row["category"],), *factors, layouts),
        row=row,
        views=tuple(
            View(f"{role}: {row[f'{side}_name']}", image, tuple(row[f"{side}_size"][:2]), (mask,))
            for role, side, (image, mask) in zip(("Source", "Target"), _SIDES, pixels, strict=True)
        ),
        cover=(0, 1),
    )


SHELF = Shelf((("pairs", "images"), ("pairs_flat",), ("pairs",)), _fill)
