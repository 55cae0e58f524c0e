"""From the content of a PartImageNet release to planned tables: splits, order, indices."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.blobs import INDEX, blob_table
from rawshelf.errors import MissingError
from rawshelf.features import Column, Image
from rawshelf.members import Blob
from rawshelf.partimagenet import columns, findings
from rawshelf.partimagenet.annotations import Ints, lists, whole
from rawshelf.partimagenet.classes import by_wnid
from rawshelf.partimagenet.coco import ANNOTATIONS, Coco, check_categories
from rawshelf.partimagenet.content import SCRATCH, File, Raw, Tree, read, trees
from rawshelf.partimagenet.layout import MASK, PHOTO, stem_of, wnid_of
from rawshelf.partimagenet.release import (
    KINDS,
    PARTS,
    RAW_SPLITS,
    RELEASE_ORDER,
    SEG,
    SPLIT_NAMES,
)
from rawshelf.plan import set_down
from rawshelf.release import Job, Prepared

# The order of rows must be the same on every machine and for every numpy: rows are sorted by a
# keyed hash of their names rather than by a library's generator.
_SEED = b"rawshelf partimagenet 1"
# Rows planned at a time. The points of all would take 100 MB, and half of that again to order them.
_STEP = 2_048
_PICTURES = {"image": (PHOTO, False), "part_mask": (MASK, False), "whole_mask": (MASK, True)}
_REMEDY = "Name the archive or folder that holds the COCO files train.json, val.json, test.json."


def prepare(job: Job) -> Prepared:
    """Read a PartImageNet release, whichever is there, and plan its tables.

    Tables of a release that is not there are not planned, which the report says.

    Raises:
        SourceError: If a container is damaged or hostile.
        AnnotationError: If a COCO file says what cannot be.
        MissingError: If no wanted config can be built, or files are missing and the job does not
            allow it.
    """
    raw = read(job)
    found = trees(raw, job)
    planned = _buildable(job, found, raw)
    pixels = frozenset(config for config in planned if config in KINDS)
    for kind, tree in found.items():
        for coco in tree.parts.values():
            check_categories(coco, len(PARTS), job.source.url)
        if any(config.startswith(kind) for config in planned):
            findings.check_missing(tree, job, pixels=kind in pixels)
    findings.note(raw, found, job)
    pictures = _Pictures([found[kind] for kind in pixels])
    tables = {
        (config, SPLIT_NAMES[split]): _table(config, found[_kind_of(config)], split, pictures, job)
        for config in planned
        for split in RAW_SPLITS
        if split in found[_kind_of(config)].parts
    }
    return Prepared(pictures.blobs(), tables)


def _kind_of(config: str) -> str:
    return config.removesuffix("_annotations")


def _buildable(job: Job, found: Mapping[str, Tree], raw: Raw) -> list[str]:
    """Return the wanted configs that the source has the files for; note the others.

    Raises:
        MissingError: If there is none.
    """
    lacking = {}
    for config in job.configs:
        tree = found.get(_kind_of(config))
        if tree is None:
            lacking[config] = f"the source holds no {_kind_of(config)} release"
        elif config in KINDS and not tree.has_photos:
            lacking[config] = "the source holds its annotations, but no photographs"
    if len(lacking) == len(job.configs):
        raise MissingError(
            "None of the wanted configs can be built.",
            archive=job.source.url,
            found="; ".join(
                [*(f"{k}: {v}" for k, v in lacking.items()), f"{len(raw.files)} pictures"]
            ),
            expected="a COCO file per split, and photographs",
            remedy=_REMEDY,
        )
    job.report.left_out += lacking
    job.report.notes += [f"config {config} is not built: {why}" for config, why in lacking.items()]
    return [config for config in job.configs if config not in lacking]


class _Pictures:
    """Photographs and masks as one list of blobs."""

    def __init__(self, used: list[Tree]) -> None:
        self._named: dict[str, Blob] = {}
        self._rows: dict[str, int] = {}
        files: dict[str, File] = {}
        for tree in used:
            for split, coco in tree.parts.items():
                for stem in map(stem_of, coco.images["file_name"].to_pylist()):
                    for kind, of_whole in _PICTURES.values():
                        file = tree.picture(kind, stem, split, whole=of_whole)
                        if file is not None:
                            files[file.name] = file
        for name in sorted(files):
            self._rows[name] = len(self._named)
            self._named[name] = files[name].blob

    def blobs(self) -> pa.Table:
        """Return the list; a picture of an inner zip has the name that it has there."""
        table = blob_table(self._named)
        names = pa.array(list(self._named), pa.string())
        return table.set_column(table.column_names.index("name"), "name", names)

    def indices(self, column: str, tree: Tree, split: str, stems: list[str]) -> pa.Array:
        """Return the place of each image's picture in the list, null where there is none."""
        kind, of_whole = _PICTURES[column]
        files = (tree.picture(kind, stem, split, whole=of_whole) for stem in stems)
        return pa.array([None if f is None else self._rows[f.name] for f in files], INDEX)


def _table(config: str, tree: Tree, split: str, pictures: _Pictures, job: Job) -> pa.Table:
    """Plan one split of one config."""
    order = _order(tree.parts[split].images["file_name"].to_pylist(), job.order)
    if config in KINDS:
        order = _with_photo(tree, split, order, job)
    scratch = os.path.join(job.folder, SCRATCH)
    starts = range(0, max(len(order), 1), _STEP)
    some = (_rows(config, tree, split, pictures, order[start : start + _STEP]) for start in starts)
    return pa.concat_tables([set_down(table, scratch) for table in some])


def _rows(config: str, tree: Tree, split: str, pictures: _Pictures, order: Ints) -> pa.Table:
    """Plan some rows of a split."""
    values = _values(tree, split, order)
    wanted = {each.name: each.columns for each in columns.CONFIGS}[config]
    rows = len(order)
    stems = [stem_of(name) for name in values["file_name"].to_pylist()]
    for column in wanted:
        if column.name in _PICTURES:
            values[column.name] = pictures.indices(column.name, tree, split, stems)
            if tree.kind != SEG and column.name != "image":
                values[column.name] = pa.nulls(rows, INDEX)
        elif column.name not in values:
            values[column.name] = pa.nulls(rows, column.feature.arrow())
    return _planned(wanted, values)


def _with_photo(tree: Tree, split: str, order: Ints, job: Job) -> Ints:
    """Set images aside that have no photograph; that they may lack it is checked before."""
    names = tree.parts[split].images["file_name"].to_pylist()
    has = [tree.picture(PHOTO, stem_of(names[row]), split) is not None for row in order]
    absent = [names[row] for row, photo in zip(order, has, strict=True) if not photo]
    job.report.set_aside(absent, "its photograph is missing")
    kept: Ints = order[np.array(has, bool)]
    return kept


def _order(names: list[str], order: str) -> Ints:
    """Return the images in the order of their rows: shuffled, or as in the COCO file.

    OOD train is sorted by super-category, all cars first.
    """
    if order == RELEASE_ORDER:
        return np.arange(len(names))
    keys = [hashlib.blake2b(n.encode(), key=_SEED, digest_size=16).digest() for n in names]
    return np.array(sorted(range(len(names)), key=keys.__getitem__), np.int64)


def _values(tree: Tree, split: str, order: Ints) -> dict[str, Any]:
    """Return the columns that both kinds of config have."""
    coco = tree.parts[split]
    images = coco.images.take(pa.array(order))
    names = images["file_name"].to_pylist()
    wnids = [wnid_of(stem_of(name)) for name in names]
    known = [by_wnid().get(wnid or "") for wnid in wnids]
    parts = _parts(coco, images)
    return {
        "file_name": images["file_name"],
        "image_id": images["id"],
        "width": images["width"],
        "height": images["height"],
        "wnid": pa.array(wnids, pa.string()),
        "label": pa.array([None if k is None else k.label for k in known], pa.int64()),
        "object_class": pa.array([None if k is None else k.whole_id for k in known], pa.int64()),
        "supercategory": _supercategories([k and k.supercategory for k in known], parts),
        "parts": parts,
        "objects": _objects(tree.wholes.get(split), images),
        "raw": images["raw"],
    }


def _supercategories(known: list[str | None], parts: pa.StructArray) -> pa.Array:
    """Return each row's group: its class's, or that of its first part for an unknown class."""
    first = [c[0] if c else None for c in parts.field("category").to_pylist()]
    groups = [
        name or (PARTS[part].partition(" ")[0] if part is not None else None)
        for name, part in zip(known, first, strict=True)
    ]
    return columns.SUPERCATEGORY.codes(pa.array(groups, pa.string()))


def _parts(coco: Coco, images: pa.Table) -> pa.StructArray:
    owner = pc.index_in(coco.annotations["image_id"], value_set=whole(images["id"]))
    owners = np.asarray(pc.fill_null(owner, -1).to_numpy(), np.int64)
    return lists(coco.annotations, owners, len(images), whole(coco.annotations["category_id"]))


def _objects(coco: Coco | None, images: pa.Table) -> pa.StructArray:
    """Return each row's annotations of whole objects, joined by file name.

    By name, because nobody says that image ids of the two files are the same.
    """
    if coco is None:
        return lists(
            ANNOTATIONS.empty_table(), np.zeros(0, np.int64), len(images), pa.array([], pa.int64())
        )
    rows = {stem_of(name): row for row, name in enumerate(images["file_name"].to_pylist())}
    names = zip(coco.images["id"].to_pylist(), coco.images["file_name"].to_pylist(), strict=True)
    row_of = {image: rows.get(stem_of(name), -1) for image, name in names}
    owners = np.array([row_of[i] for i in coco.annotations["image_id"].to_pylist()], np.int64)
    # Their categories are named by wnid (OmniScient-Model); an id of another name becomes null.
    named = {entry["id"]: by_wnid().get(str(entry.get("name"))) for entry in coco.categories}
    found = (named.get(category) for category in coco.annotations["category_id"].to_pylist())
    category = pa.array([None if each is None else each.whole_id for each in found], pa.int64())
    return lists(coco.annotations, owners, len(images), category)


def _planned(wanted: tuple[Column, ...], values: Mapping[str, Any]) -> pa.Table:
    """Put columns in order; images are indices into the list of blobs."""
    fields = [
        pa.field(c.name, INDEX if isinstance(c.feature, Image) else c.feature.arrow())
        for c in wanted
    ]
    return pa.table([values[item.name] for item in fields], schema=pa.schema(fields))
