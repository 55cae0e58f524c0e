"""From the raw documents of SPair-71k to planned tables: splits, order, indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.blobs import INDEX, blob_table
from rawshelf.features import Column, Image
from rawshelf.members import Blob
from rawshelf.release import Job, Prepared
from rawshelf.spair71k import checks, columns
from rawshelf.spair71k.annotations import ImageArrays, Ints, PairArrays, whole
from rawshelf.spair71k.content import Content, PairSplit, load
from rawshelf.spair71k.raw import MASKS, PHOTOS, SUFFIXES, Raw
from rawshelf.spair71k.release import RELEASE

_BOX, _SIZE = pa.list_(pa.int32(), 4), pa.list_(pa.int32(), 3)


def prepare(job: Job) -> Prepared:
    """Read an SPair-71k release and plan its tables.

    Raises:
        SourceError: If the container is damaged or hostile.
        AnnotationError: If an annotation says what cannot be.
        MissingError: If files are missing and the job does not allow it.
    """
    content = load(job)
    checks.check(content, job.report)
    pictures = _Pictures.of(content.raw)
    images = _image_tables(content, pictures)
    pairs = _pair_tables(content)
    tables: dict[tuple[str, str], pa.Table] = {}
    for config in job.configs:
        for split in RELEASE.splits:
            table = images[split.name] if config == "images" else pairs[split.name]
            if config == "pairs_flat":
                table = _with_pictures(table, content, pictures)
            tables[config, split.name] = table
    return Prepared(pictures.blobs, tables)


@dataclass(frozen=True)
class _Pictures:
    """All photographs and masks as one list of blobs.

    Attributes:
        blobs: The list.
        rows: By folder: row in the list by ``category/stem``.
    """

    blobs: pa.Table
    rows: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, raw: Raw) -> _Pictures:
        named: dict[str, Blob] = {}
        rows: dict[str, dict[str, int]] = {PHOTOS: {}, MASKS: {}}
        for folder, suffix in SUFFIXES.items():
            for name, picture in sorted(raw.pictures[folder].items()):
                if not picture.problem:
                    rows[folder][name] = len(named)
                    named[f"{folder}/{name}{suffix}"] = picture.blob
        return cls(blob_table(named), rows)

    def index(self, folder: str, names: list[str]) -> pa.Array:
        """Return the row of each image's picture, null where there is none."""
        rows = self.rows[folder]
        return pa.array([rows.get(name) for name in names], INDEX)


def _image_tables(content: Content, pictures: _Pictures) -> dict[str, pa.Table]:
    return {
        split.name: _image_table(content, pictures, content.image_rows[split.raw])
        for split in RELEASE.splits
    }


def _image_table(content: Content, pictures: _Pictures, rows: Ints) -> pa.Table:
    arrays = content.images
    taken = arrays.table.take(pa.array(rows))
    names = content.names.take(pa.array(rows)).to_pylist()
    values = {
        "image": pictures.index(PHOTOS, names),
        "segmentation": pictures.index(MASKS, names),
        "name": pa.array(names, pa.string()),
        "category": arrays.category.take(pa.array(rows)),
        "voc_id": pa.array([name.partition("/")[2] for name in names], pa.string()),
        "width": taken["image_width"],
        "height": taken["image_height"],
        "depth": taken["image_depth"],
        "bbox": _fixed(arrays.box[rows], _BOX),
        "pose": arrays.pose.take(pa.array(rows)),
        "azimuth_id": taken["azimuth_id"],
        **{name: pc.cast(taken[name], "bool") for name in ("truncated", "occluded", "difficult")},
        "keypoints": _image_keypoints(arrays, rows),
        "voc_database": taken["src_database"],
        "voc_annotation": taken["src_annotation"],
        "voc_image": taken["src_image"],
        "file_name": pa.array([f"{PHOTOS}/{name}.jpg" for name in names], pa.string()),
    }
    return _planned(columns.IMAGE_COLUMNS, values)


def _image_keypoints(arrays: ImageArrays, rows: Ints) -> pa.Array:
    present = arrays.present[rows]
    image, slot = np.nonzero(present)
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int32)
    at = rows[image], slot
    return _lists(offsets, {"id": slot.astype(np.int32), "x": arrays.x[at], "y": arrays.y[at]})


def _pair_tables(content: Content) -> dict[str, pa.Table]:
    return {
        split.name: _pair_table(content, content.pairs[split.raw], split.raw)
        for split in RELEASE.splits
    }


def _pair_table(content: Content, pairs: PairSplit, raw_split: str) -> pa.Table:
    arrays = pairs.arrays
    table = arrays.table
    rank = content.rank[raw_split]
    names = whole(table, "filename")
    path = pc.binary_join_element_wise(f"PairAnnotation/{raw_split}/", names, ".json", "")
    values = {
        "pair_id": table["pair_id"],
        "name": names,
        "category": arrays.category,
        "in_small": pairs.in_small,
        "keypoints": _pair_keypoints(arrays),
        "mirror": pc.cast(table["mirror"], "bool"),
        "file_name": path,
    }
    for side, name in enumerate(("src", "trg")):
        values[f"{name}_name"] = pairs.image_names[side]
        values[f"{name}_index"] = pairs.indices(side, rank)
        values[f"{name}_size"] = _fixed(arrays.size[side], _SIZE)
        values[f"{name}_bbox"] = _fixed(arrays.box[side], _BOX)
        values[f"{name}_pose"] = arrays.pose[side]
    for name in ("viewpoint_variation", "scale_variation", "truncation", "occlusion"):
        values[name] = pc.cast(table[name], pa.int64())
    return _planned(columns.PAIR_COLUMNS, values)


def _pair_keypoints(arrays: PairArrays) -> pa.Array:
    (src, trg) = arrays.points
    points = {"src_x": src[:, 0], "src_y": src[:, 1], "trg_x": trg[:, 0], "trg_y": trg[:, 1]}
    return _lists(arrays.offsets, {"id": arrays.ids, **points})


def _with_pictures(table: pa.Table, content: Content, pictures: _Pictures) -> pa.Table:
    """Put the photographs and masks of both sides in front of the pairs' columns."""
    values = {name: table[name] for name in table.column_names}
    for side in ("src", "trg"):
        found = table[f"{side}_name"].combine_chunks().dictionary_encode()
        names = found.dictionary.to_pylist()
        for column, folder in (("image", PHOTOS), ("segmentation", MASKS)):
            index = pictures.index(folder, ["" if n in content.blocked else n for n in names])
            values[f"{side}_{column}"] = index.take(found.indices)
    return _planned(columns.CONFIGS[2].columns, values)


def _planned(wanted: tuple[Column, ...], values: Mapping[str, pa.Array]) -> pa.Table:
    """Put columns in order; images are indices into the list of blobs."""
    fields = [
        pa.field(c.name, INDEX if isinstance(c.feature, Image) else c.feature.arrow())
        for c in wanted
    ]
    return pa.table([values[item.name] for item in fields], schema=pa.schema(fields))


def _fixed(matrix: Ints, kind: pa.DataType) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(matrix, np.int32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


def _lists(offsets: Ints, fields: Mapping[str, Ints]) -> pa.Array:
    shared = pa.array(offsets, pa.int32())
    arrays = [
        pa.ListArray.from_arrays(shared, pa.array(np.ascontiguousarray(values, np.int32)))
        for values in fields.values()
    ]
    return pa.StructArray.from_arrays(arrays, list(fields))
