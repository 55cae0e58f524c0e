"""The page of PartImageNet: photographs to filter by class and part, with their masks and boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rawshelf import masks
from rawshelf.features import Column
from rawshelf.partimagenet.classes import object_classes
from rawshelf.partimagenet.columns import CONFIGS, STATUS
from rawshelf.partimagenet.release import (
    OOD,
    PART_BACKGROUND,
    PARTS,
    SEG,
    SUPERCATEGORIES,
    WHOLE_BACKGROUND,
)
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

_PIXELS = ("image", "part_mask", "whole_mask")
_ANNOTATIONS = ("parts", "objects")
_NAMES = tuple(each.name for each in object_classes())
_LAYERS = tuple(
    Layer(title, dict(enumerate(names)), masks.palette(background), background, shown)
    for title, names, background, shown in (
        ("Part mask", PARTS, PART_BACKGROUND, True),
        ("Whole mask", _NAMES, WHOLE_BACKGROUND, False),
    )
)


def _fill(conversion: Conversion, configs: tuple[str, ...], wish: Wish) -> Album:
    """Choose photographs, super-categories in turn, and configs with their splits in turn."""
    tables = [(config, split) for config in configs for split in conversion.splits(config)]
    splits = tuple(dict.fromkeys(split for _, split in tables))
    known = [
        ((config, split), row, group)
        for config in configs
        for split, row, group in conversion.listed(config, "supercategory")
    ]
    groups, within = [group for _, _, group in known], [table for table, _, _ in known]
    chosen = [known[row] for row in spread(groups, wish.seed, wish.rows or 0, within)]
    return Album(
        total=len(known),
        spread="super-categories, configs and splits",
        facets=(
            Facet("config", "Config", configs),
            Facet("split", "Split", splits),
            Facet("supercategory", "Super-category", SUPERCATEGORIES),
            Facet("class", "Class", _NAMES),
            Facet("part", "Part", PARTS),
            Facet("status", "Polygons", STATUS.names),
        ),
        items=[
            _item(row, (configs.index(config), config), (splits.index(split), split))
            for config, split in tables
            for row in conversion.rows(
                config,
                split,
                sorted(row for table, row, _ in chosen if table == (config, split)),
                _columns(config),
            )
        ],
        columns=_described(configs[0]),
        boxes="coco",
        marks=(Marks(box="parts.bbox", kinds="parts.category"),),
        layers=_LAYERS,
    )


def _described(config: str) -> tuple[Column, ...]:
    """Return the columns of a config that the page tells of."""
    return without_pixels({each.name: each for each in CONFIGS}[config].columns)


def _columns(config: str) -> Sequence[str]:
    """Return the fields to read: polygons are left out, for they are drawn as masks already."""
    pixels = _PIXELS if config in {SEG, OOD} else ()
    own = []
    for column in _described(config):
        if column.name in _ANNOTATIONS:
            fields = column.feature.arrow()
            own += [f"{column.name}.{each.name}" for each in fields if each.name != "segmentation"]
        else:
            own.append(column.name)
    return [*pixels, *own]


def _item(row: dict[str, Any], config: tuple[int, str], split: tuple[int, str]) -> Item:
    image, *layers = (encoded(row.pop(name, None)) for name in _PIXELS)
    parts: Mapping[str, Any] = row["parts"]
    annotated, states = sorted(set(parts["category"])), sorted(set(parts["status"]))
    count = len(parts["category"])
    name = _NAMES[row["object_class"]]
    return Item(
        name=row["file_name"],
        title=name,
        note=f"{config[1]}, {split[1]}, {count} part{'s' if count != 1 else ''}",
        values=(
            (config[0],),
            (split[0],),
            (row["supercategory"],),
            (row["object_class"],),
            tuple(annotated),
            tuple(states),
        ),
        row=row,
        views=(View(name, image, (row["width"], row["height"]), tuple(layers)),),
        cover=(0,),
    )


SHELF = Shelf(
    (
        (SEG, OOD),
        (SEG,),
        (OOD,),
        (f"{SEG}_annotations", f"{OOD}_annotations"),
        (f"{SEG}_annotations",),
        (f"{OOD}_annotations",),
    ),
    _fill,
)
