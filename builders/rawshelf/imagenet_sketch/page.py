"""The page of ImageNet-Sketch: sketches to filter by class and flaw, beside those they repeat."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from rawshelf import labels
from rawshelf.imagenet_sketch.columns import COLUMNS, LABEL, QUALITY_COLUMNS, TRANSFORM
from rawshelf.imagenet_sketch.pictures import stem
from rawshelf.preview.album import Album, Facet, Item, Shelf, View, encoded, without_pixels
from rawshelf.preview.choice import spread
from rawshelf.preview.pictures import Wish
from rawshelf.preview.reading import Conversion

# Positions in `_FLAGS`; those of copies are the transforms'.
_FLAGS = ("none found", *TRANSFORM.names[1:], "is repeated", "constant", "does not decode")
_NONE, _REPEATED, _CONSTANT, _BROKEN = 0, *range(len(TRANSFORM.names), len(_FLAGS))
_MOST_VIEWS = 6  # of a group of repeats: more would be too small to compare
_COLUMNS = without_pixels(COLUMNS)
_QUALITY = tuple(column for column in QUALITY_COLUMNS if column.name != "quality_of")


class _Flags(NamedTuple):
    """What config ``quality`` says.

    Attributes:
        rows: Its rows by file, without the file; empty if the config is not there.
        groups: For the first of a group of repeats, all the files of the group.
    """

    rows: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, list[str]]

    def group(self, name: str) -> list[str]:
        """Return the files that repeat each other, the first in release order first."""
        first = self.rows.get(name, {}).get("copy_of") or name
        return self.groups.get(first, [name])

    def of(self, name: str) -> tuple[int, ...]:
        """Return the positions of an image's flags."""
        if not self.rows:
            return ()
        row = self.rows[name]
        if row["is_constant"] is None:
            return (_BROKEN,)
        found = [_CONSTANT] * row["is_constant"] + [row["transform"]] * (row["transform"] != 0)
        return (*found, *[_REPEATED] * (name in self.groups)) or (_NONE,)


def _flags(conversion: Conversion, split: str, *, present: bool) -> _Flags:
    if not present:
        return _Flags({}, {})
    names = [column.name for column in QUALITY_COLUMNS]
    rows = conversion.columns("quality", split, names).to_pylist()
    groups: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["copy_of"] is not None:
            groups[row["copy_of"]].append(row["quality_of"])
    return _Flags(
        {row.pop("quality_of"): row for row in rows},
        {first: [first, *others] for first, others in groups.items()},
    )


def _fill(conversion: Conversion, configs: tuple[str, ...], wish: Wish) -> Album:
    """Choose sketches, classes in turn, and flags in turn as far as a class has them."""
    (split,) = conversion.splits("default")
    table = conversion.columns("default", split, ["label", "file_name"])
    names, classes = table["file_name"].to_pylist(), table["label"].to_pylist()
    flags = _flags(conversion, split, present="quality" in configs)
    kinds = [flags.of(name) for name in names]
    chosen = [names[row] for row in spread(classes, wish.seed, wish.rows or 0, kinds)]
    rows = _rows(conversion, split, {file for name in chosen for file in _shown(flags, name)})
    items = [_item(rows, name, flags) for name in chosen]
    return Album(
        total=len(names),
        spread="classes and flags" if flags.rows else "classes",
        facets=(Facet("class", "Class", LABEL.names), Facet("flag", "Flag", _FLAGS)),
        items=sorted(items, key=lambda item: int(item.row["index"])),
        columns=(*_COLUMNS, *(_QUALITY if flags.rows else ())),
    )


def _shown(flags: _Flags, name: str) -> list[str]:
    """Return the files to show for one: of a large group the first ones, and itself."""
    group = flags.group(name)
    return group if name in group[:_MOST_VIEWS] else [*group[: _MOST_VIEWS - 1], name]


def _rows(conversion: Conversion, split: str, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Return rows of ``default`` with their pixels by file; a file that was set aside has none."""
    known = conversion.columns("default", split, ["file_name"])["file_name"].to_pylist()
    places = [place for place, name in enumerate(known) if name in wanted]
    columns = ["image", *(column.name for column in _COLUMNS)]
    rows = conversion.rows("default", split, places, columns)
    return {row["file_name"]: row for row in rows}


def _item(rows: Mapping[str, dict[str, Any]], name: str, flags: _Flags) -> Item:
    group, positions = flags.group(name), flags.of(name)
    shown = [file for file in _shown(flags, name) if file in rows]
    row = {**rows[name], **flags.rows.get(name, {})}
    del row["image"]
    place = shown.index(name)
    more = f" ({len(shown)} of {len(group)} shown)" if len(shown) < len(group) else ""
    return Item(
        name=name,
        title=labels.names()[row["label"]].partition(",")[0],
        note=f"{_said(name, flags)}{more}",
        values=((row["label"],), positions),
        row=row,
        views=tuple(_view(rows[file], flags) for file in shown),
        cover=(0, place) if place else (0,),
    )


def _said(name: str, flags: _Flags) -> str:
    """Return an image's flags in words.

    >>> row = {"is_constant": False, "transform": 2, "copy_of": "sketch/n01440764/sketch_1.JPEG"}
    >>> _said("sketch/n01440764/sketch_7.JPEG", _Flags({"sketch/n01440764/sketch_7.JPEG": row}, {}))
    'sketch_7, mirror of sketch_1'
    """
    copy_of = flags.rows.get(name, {}).get("copy_of")
    made = [
        f"{_FLAGS[position]} of {stem(copy_of)}" if copy_of is not None else _FLAGS[position]
        for position in flags.of(name)
        if position != _NONE
    ]
    return ", ".join([stem(name), *made])


def _view(row: Mapping[str, Any], flags: _Flags) -> View:
    title = f"{_said(row['file_name'], flags)}, {row['wnid']}"
    return View(title, encoded(row["image"]), (row["width"], row["height"]))


SHELF = Shelf((("default", "quality"), ("default",)), _fill)
