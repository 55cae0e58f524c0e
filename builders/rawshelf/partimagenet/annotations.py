"""From a COCO file's annotations to the rows' lists, without a Python object per annotation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf import masks

Ints = npt.NDArray[np.int64]

OK, ZERO_AREA, DEGENERATE, EMPTY, RLE = range(5)
_BOX = 4
_SLICE = 4_096
_BOXES = pa.list_(pa.float64(), _BOX)


def lists(annotations: pa.Table, owners: Ints, rows: int, categories: pa.Array) -> pa.StructArray:
    """Return each row's annotations as a struct of equally long lists.

    Args:
        annotations: Rows of `coco.ANNOTATIONS`, in the order of the file.
        owners: The row that each annotation belongs to, -1 for none.
        rows: How many rows there are.
        categories: Each annotation's index in the ClassLabel; null for none.
    """
    order = np.argsort(owners, kind="stable")
    order = order[owners[order] >= 0]
    counts = np.bincount(owners[order], minlength=rows)
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    taken = annotations.take(pa.array(order)).combine_chunks()
    values = {
        "id": whole(taken["id"]),
        "category": categories.take(pa.array(order)),
        "bbox": _boxes(whole(taken["bbox"])),
        "area": whole(taken["area"]),
        "iscrowd": whole(taken["iscrowd"]),
        "segmentation": whole(taken["segmentation"]),
        "status": pa.array(statuses(taken), pa.int64()),
        "raw": whole(taken["raw"]),
    }
    arrays = [pa.ListArray.from_arrays(offsets, each) for each in values.values()]
    return pa.StructArray.from_arrays(arrays, list(values))


def whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array that starts at its buffers' start."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _boxes(column: pa.Array) -> pa.Array:
    """Return boxes of four numbers, NaN where the release has none.

    Not null: the oldest supported pyarrow cannot write null within a list of fixed length.
    """
    boxes = np.full((len(column), _BOX), np.nan)
    valid = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), bool)
    boxes[valid] = pc.list_flatten(column).to_numpy().reshape(-1, _BOX)
    return pa.FixedSizeListArray.from_arrays(pa.array(boxes.reshape(-1)), type=_BOXES)


def statuses(annotations: pa.Table) -> Ints:
    """Return what is to be known before an annotation is used; an index in columns.STATUS.

    Args:
        annotations: Rows of `coco.ANNOTATIONS`.
    """
    found = [_statuses(some) for some in _slices(annotations)]
    return np.concatenate([np.zeros(0, np.int64), *found])


def _slices(annotations: pa.Table) -> Iterator[pa.Table]:
    """Yield a few thousand annotations at a time: their points take most of the memory."""
    for start in range(0, len(annotations), _SLICE):
        yield annotations.slice(start, _SLICE)


def _statuses(annotations: pa.Table) -> Ints:
    found = np.full(len(annotations), OK, np.int64)
    area = annotations["area"].to_numpy()
    found[area == 0] = ZERO_AREA
    numbers, good = polygon_sizes(annotations)
    owner = polygon_owners(annotations)
    found[owner[~good]] = DEGENERATE
    points = np.bincount(owner, weights=numbers, minlength=len(annotations))
    found[points == 0] = EMPTY
    for row in np.flatnonzero(found == EMPTY):
        if '"segmentation": {' in (annotations["raw"][int(row)].as_py() or ""):
            found[row] = RLE
    return found


def polygon_owners(annotations: pa.Table) -> Ints:
    """Return the annotation of each polygon."""
    lengths = pc.list_value_length(whole(annotations["segmentation"])).to_numpy()
    return np.repeat(np.arange(len(annotations)), lengths)


def polygon_sizes(annotations: pa.Table) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return for each polygon how many numbers it has, and whether it can be drawn.

    The rule is that of `masks.is_drawable`.
    """
    polygons = pc.list_flatten(whole(annotations["segmentation"]))
    lengths: Ints = np.asarray(pc.list_value_length(polygons).to_numpy(), np.int64)
    numbers = pc.list_flatten(polygons).to_numpy()
    good: npt.NDArray[np.bool_] = np.greater_equal(lengths, masks.MIN_NUMBERS)
    far = np.flatnonzero(~(np.abs(numbers) <= masks.FARTHEST))
    if len(far):
        ends = np.cumsum(lengths)
        good[np.searchsorted(ends, far, side="right")] = False
    return lengths, good


def defects(annotations: pa.Table, images: pa.Table) -> dict[str, int]:
    """Count what the release is known or feared to have wrong.

    Args:
        annotations: Rows of `coco.ANNOTATIONS`.
        images: Rows of `coco.IMAGES` that they belong to.
    """
    sides = np.stack([images["width"].to_numpy(), images["height"].to_numpy()], axis=1)
    rows = pc.index_in(annotations["image_id"], value_set=whole(images["id"])).to_numpy()
    counted = Counter(dict.fromkeys(_DEFECTS, 0))
    for number, some in enumerate(_slices(annotations)):
        counted.update(_defects(some, sides[rows[number * _SLICE : (number + 1) * _SLICE]]))
    return {
        **counted,
        "images without annotations": len(images) - len(np.unique(rows)),
        "images of no width or height": int(np.count_nonzero((sides <= 0).any(axis=1))),
    }


_DEFECTS = (
    "polygons of 0 numbers",
    "polygons of 2 numbers",
    "polygons of 4 numbers",
    "polygons of an odd number",
    "polygons that cannot be drawn",
    "polygons with a point outside the image",
    "annotations without polygons",
    "annotations of run lengths",
    "annotations of area 0",
    "annotations with iscrowd",
    "annotations with further fields",
    "boxes of no width or height",
    "boxes that leave the image",
)


def _defects(annotations: pa.Table, size: Ints) -> dict[str, int]:
    """Count the defects of some annotations, whose images are as large as `size` says."""
    lengths, good = polygon_sizes(annotations)
    found = _statuses(annotations)
    boxes = _boxes(whole(annotations["bbox"])).flatten().to_numpy().reshape(-1, _BOX)
    flags = (
        lengths == 0,
        lengths == 2,  # noqa: PLR2004 - one point
        lengths == 4,  # noqa: PLR2004 - two points
        lengths % 2,
        ~good,
        _outside(annotations, lengths, size),
        found == EMPTY,
        found == RLE,
        annotations["area"].to_numpy() == 0,
        pc.fill_null(annotations["iscrowd"], 0).to_numpy(),
        annotations["raw"].is_valid().to_numpy(),
        ~(boxes[:, 2:] > 0).all(axis=1),
        ~_inside(boxes[:, :2], boxes[:, :2] + boxes[:, 2:], size),
    )
    return {name: int(np.count_nonzero(each)) for name, each in zip(_DEFECTS, flags, strict=True)}


def _inside(low: npt.NDArray[Any], high: npt.NDArray[Any], size: Ints) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = np.all((low >= 0) & (high <= size), axis=1)
    return inside


def _outside(annotations: pa.Table, lengths: Ints, size: Ints) -> npt.NDArray[np.bool_]:
    """Tell for each polygon whether a point of it lies beyond the image's edges."""
    flat = pc.list_flatten(pc.list_flatten(whole(annotations["segmentation"]))).to_numpy()
    ends = np.cumsum(lengths)
    # Few numbers are beyond the shortest side of all: only those are looked at one by one.
    far = np.flatnonzero((flat < 0) | (flat > size.min()))
    polygon = np.searchsorted(ends, far, side="right")
    axis = (far - (ends - lengths)[polygon]) % 2
    beyond = (flat[far] < 0) | (flat[far] > size[polygon_owners(annotations)[polygon], axis])
    outside = np.zeros(len(lengths), bool)
    outside[polygon[beyond]] = True
    return outside
