"""The pictures of ImageNet-Sketch: sketches with what is wrong with them, repeats, counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from rawshelf import labels
from rawshelf.imagenet_sketch import distributions
from rawshelf.imagenet_sketch.columns import TRANSFORM
from rawshelf.preview import sheets
from rawshelf.preview.choice import spread
from rawshelf.preview.pictures import Picture, Subject, Wish
from rawshelf.preview.reading import Conversion
from rawshelf.preview.sheets import Caption
from rawshelf.preview.style import SPLITS, Colour

_SKETCHES, _COLUMNS, _SIDE = 25, 5, 209
_REPEATS, _REPEAT_COLUMNS, _REPEAT_HEIGHT = 12, 3, 200
_REPEAT, _CONSTANT = SPLITS[1], (60, 60, 60)
_BOTH = ("default", "quality")
_FLAGS = ("quality_of", "is_constant", "copy_of", "transform")

_SHEET_LEAD = "One sketch each of classes chosen at random. Below: class and file."
_FLAG_LEAD = (
    " Orange: repeats another image of the release, unchanged, mirrored, flipped or rotated. Dark: "
    "all pixels are equal."
)
_REPEATS_LEAD = (
    "Left the first image in release order, right another that repeats it. Below: class, how the "
    "second is made from the first, and the two files."
)


def _split(conversion: Conversion) -> str:
    """Return the one split: the release is a test set."""
    return conversion.splits("default")[0]


def _draw_sheet(conversion: Conversion, configs: tuple[str, ...], wish: Wish) -> Picture:
    """Draw sketches of a choice of classes."""
    split = _split(conversion)
    groups = conversion.columns("default", split, ["label"])["label"].to_pylist()
    chosen = spread(groups, wish.seed, wish.rows or _SKETCHES)
    rows = conversion.rows("default", split, chosen, ["image", "label", "file_name"])
    flags = _flags(conversion, {row["file_name"] for row in rows}) if configs == _BOTH else {}
    tiles = [
        sheets.tile([_bytes(row)], (_SIDE, _SIDE), _caption(row, flags.get(row["file_name"])))
        for row in rows
    ]
    shown = ", ".join(_class(row["label"]) for row in rows)
    repeats = sum(flag["copy_of"] is not None for flag in flags.values())
    constant = sum(bool(flag["is_constant"]) for flag in flags.values())
    said = f" {repeats} of them repeat another image, {constant} are constant." if flags else ""
    return Picture(
        f"{len(tiles)} sketches",
        f"{len(tiles)} sketches of classes chosen at random: {shown}.{said}",
        sheets.page(
            "ImageNet-Sketch: sketches of the ImageNet classes",
            _SHEET_LEAD + (_FLAG_LEAD if flags else ""),
            [sheets.grid(tiles, _COLUMNS)],
        ),
    )


def _bytes(row: Mapping[str, Any]) -> bytes | None:
    return row["image"]["bytes"] if row["image"] else None


def _class(label: int) -> str:
    """Return the first of a class's names, which is enough for a picture."""
    return labels.names()[label].partition(",")[0]


def stem(name: str) -> str:
    """Return a file's name without folders and ending.

    >>> stem("sketch/n01440764/sketch_7.JPEG")
    'sketch_7'
    """
    return name.rpartition("/")[2].partition(".")[0]


def _flags(conversion: Conversion, names: set[str]) -> dict[str, dict[str, Any]]:
    """Return the rows of ``quality`` about some files, by file."""
    table = conversion.columns("quality", _split(conversion), _FLAGS)
    own = table.filter(pc.is_in(table["quality_of"], pa.array(sorted(names))))
    return {row["quality_of"]: row for row in own.to_pylist()}


def _caption(row: Mapping[str, Any], flag: Mapping[str, Any] | None) -> Caption:
    note: tuple[str, Colour | None] = (stem(row["file_name"]), None)
    if flag and flag["is_constant"]:
        note = ("constant", _CONSTANT)
    elif flag and flag["copy_of"] is not None:
        note = (f"{TRANSFORM.names[flag['transform']]} of {stem(flag['copy_of'])}", _REPEAT)
    return Caption(_class(row["label"]), "", [note])


def _draw_repeats(conversion: Conversion, configs: tuple[str, ...], wish: Wish) -> Picture:
    """Draw images beside those that they repeat, the kinds of change in turn."""
    del configs  # both are needed
    split = _split(conversion)
    table = conversion.columns("quality", split, _FLAGS)
    repeats = table.filter(pc.is_valid(table["copy_of"])).to_pylist()
    chosen = spread([flag["transform"] for flag in repeats], wish.seed, _REPEATS)
    flags = [repeats[position] for position in chosen]
    names = {name for flag in flags for name in (flag["quality_of"], flag["copy_of"])}
    rows = _rows_of(conversion, split, names)
    tiles = [_repeat(flag, rows) for flag in flags]
    made = [TRANSFORM.names[flag["transform"]] for flag in repeats]
    counts = ", ".join(f"{name} {made.count(name):,}" for name in TRANSFORM.names[1:])
    alt = f"{len(tiles)} images, each beside the one that it repeats." if tiles else "No image."
    return Picture(
        "Images that repeat another",
        f"{alt} In this build {len(repeats):,} of {len(table):,} images repeat one: {counts}.",
        sheets.page(
            "ImageNet-Sketch: images that repeat another",
            f"{len(repeats):,} of {len(table):,} images: {counts}. {_REPEATS_LEAD}",
            [sheets.grid(tiles, _REPEAT_COLUMNS)] if tiles else [],
        ),
    )


def _rows_of(conversion: Conversion, split: str, names: set[str]) -> dict[str, dict[str, Any]]:
    """Return rows of ``default`` by file; a file that was set aside has none."""
    known = conversion.columns("default", split, ["file_name"])["file_name"]
    wanted = pc.is_in(known, pa.array(sorted(names), pa.string())).to_pylist()
    places = [position for position, is_wanted in enumerate(wanted) if is_wanted]
    rows = conversion.rows("default", split, places, ["image", "label", "file_name"])
    return {row["file_name"]: row for row in rows}


def _repeat(flag: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> Image.Image:
    pair = [rows.get(flag["copy_of"]), rows.get(flag["quality_of"])]
    label = next((_class(row["label"]) for row in pair if row), "")
    files = f"{stem(flag['copy_of'])} and {stem(flag['quality_of'])}"
    caption = Caption(label, TRANSFORM.names[flag["transform"]], [(files, None)])
    size = (sheets.tile_width(_REPEAT_COLUMNS), _REPEAT_HEIGHT)
    return sheets.tile([_bytes(row) if row else None for row in pair], size, caption)


PICTURES = (
    Subject("contact-sheet", (_BOTH, _BOTH[:1]), _draw_sheet),
    Subject("repeated-images", (_BOTH,), _draw_repeats),
    *distributions.PICTURES,
)
