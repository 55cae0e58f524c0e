"""The derivation law of SPair-71k: every pair annotation follows from two image annotations.

Stated in the paper (section 3.3) and confirmed on the release's own files: the common keypoints
are those annotated in both images; viewpoint variation is the circular distance of the azimuth
bins (0-1, 2-3, 4); scale variation the ratio of the box areas, without the +1 of inclusive boxes
(below 2, below 4, more); truncation and occlusion are source + 2 x target. Pure, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rawshelf.report import Difference
from rawshelf.spair71k.annotations import (
    SIDES,
    Bools,
    ImageArrays,
    Ints,
    PairArrays,
)
from rawshelf.spair71k.release import AZIMUTH_BINS, KEYPOINT_SLOTS, POSES

_VIEW_EDGES = (1, 3)  # distances up to 1 easy, up to 3 medium
_SCALE_EDGES = (2, 4)  # ratios below 2 easy, below 4 medium


def viewpoint(src: Ints, trg: Ints) -> Ints:
    """Return the viewpoint code of pairs of azimuth bins.

    >>> viewpoint(np.array([0, 0, 0]), np.array([7, 3, 4])).tolist()
    [0, 1, 2]
    """
    distance = np.abs(src - trg)
    circular = np.minimum(distance, AZIMUTH_BINS - distance)
    return np.asarray(np.searchsorted(_VIEW_EDGES, circular, side="left"), np.int32)


def scale(src: Ints, trg: Ints) -> Ints:
    """Return the scale code of pairs of boxes (n, 4); hard if either has no area.

    >>> scale(np.array([[1, 1, 11, 11]]), np.array([[1, 1, 21, 11]])).tolist()
    [1]
    """
    one, other = _area(src), _area(trg)
    larger, smaller = np.maximum(one, other), np.minimum(one, other)
    passed = [larger >= edge * smaller for edge in _SCALE_EDGES]
    return np.asarray(np.sum(passed, axis=0), np.int32)


def _area(box: Ints) -> Any:
    sides = box[:, 2:].astype(np.int64) - box[:, :2]
    return sides[:, 0] * sides[:, 1]


def differences(
    images: ImageArrays,
    pairs: PairArrays,
    rows: tuple[Ints, Ints],
    members: pa.ChunkedArray,
) -> Iterator[Difference]:
    """Yield each field of a pair that the two image annotations contradict.

    Args:
        images: The image annotations.
        pairs: The pair annotations of one split.
        rows: Row of each pair's source and target in `images`; both must be known.
        members: The file of each pair.
    """
    for field, found, expected in _scalar_rules(images, pairs, rows):
        for row in np.flatnonzero(found != expected):
            yield Difference(members[row].as_py(), field, _show(found[row]), _show(expected[row]))
    yield from _keypoint_differences(images, pairs, rows, members)


def _scalar_rules(
    images: ImageArrays, pairs: PairArrays, rows: tuple[Ints, Ints]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield (field, what the pairs say, what the law gives), one value per pair."""
    src, trg = rows
    azimuth = images.column("azimuth_id")
    yield "mirror", pairs.column("mirror"), np.zeros(len(src), np.int32)
    yield (
        "viewpoint_variation",
        pairs.column("viewpoint_variation"),
        viewpoint(azimuth[src], azimuth[trg]),
    )
    yield (
        "scale_variation",
        pairs.column("scale_variation"),
        scale(images.box[src], images.box[trg]),
    )
    for field, flag in (("truncation", "truncated"), ("occlusion", "occluded")):
        values = images.column(flag)
        yield field, pairs.column(field), values[src] + 2 * values[trg]
    yield from _side_rules(images, pairs, rows)


def _side_rules(
    images: ImageArrays, pairs: PairArrays, rows: tuple[Ints, Ints]
) -> Iterator[tuple[str, Any, Any]]:
    size = np.stack(
        [images.column(f"image_{name}") for name in ("width", "height", "depth")], axis=1
    )
    poses = np.array(POSES, object)
    shown = poses[images.pose.to_numpy()]
    for side, name in enumerate(SIDES):
        at = rows[side]
        yield f"{name}_pose", poses[pairs.pose[side].to_numpy()], shown[at]
        yield f"{name}_imsize", _rows(pairs.size[side]), _rows(size[at])
        yield f"{name}_bndbox", _rows(pairs.box[side]), _rows(images.box[at])


def _rows(matrix: Ints) -> Any:
    """View each row of a matrix as one value, so that rows compare as wholes."""
    packed = np.ascontiguousarray(matrix, np.int32)
    return packed.view([("", np.int32)] * packed.shape[1]).reshape(-1)


def _show(value: Any) -> str:
    return str(value.item()) if isinstance(value, np.generic) else str(value)


def _keypoint_differences(
    images: ImageArrays, pairs: PairArrays, rows: tuple[Ints, Ints], members: pa.ChunkedArray
) -> Iterator[Difference]:
    common = images.present[rows[0]] & images.present[rows[1]]
    pair_of = np.repeat(np.arange(len(members)), np.diff(pairs.offsets))
    listed = np.zeros_like(common)
    listed[pair_of, pairs.ids] = True
    for row in np.unique(np.flatnonzero(listed != common) // KEYPOINT_SLOTS):
        yield Difference(
            members[row].as_py(), "kps_ids", _show_ids(listed[row]), _show_ids(common[row])
        )
    for side, name in enumerate(SIDES):
        found, slots = pairs.points[side], rows[side][pair_of] * KEYPOINT_SLOTS + pairs.ids
        x, y = (np.take(values, slots) for values in (images.x, images.y))
        wrong = (found[:, 0] != x) | (found[:, 1] != y)
        for item in np.flatnonzero(wrong & np.take(images.present, slots)):
            yield Difference(
                members[pair_of[item]].as_py(),
                f"{name}_kps of keypoint {pairs.ids[item]}",
                str(found[item].tolist()),
                str([int(x[item]), int(y[item])]),
            )


def _show_ids(present: Bools) -> str:
    return str(np.flatnonzero(present).tolist())


def pair_ids(src: Ints, trg: Ints) -> npt.NDArray[np.int64]:
    """Return the number of each pair of a split.

    The release counts sorted sources and, within them, sorted targets from 0. An image paired
    with itself takes a number though it has no file; two images that share no keypoint take none.

    Args:
        src: Place of each source in the order of names, ``category/stem``.
        trg: Place of each target.

    >>> pair_ids(np.array([0, 0, 1, 2]), np.array([1, 2, 0, 0])).tolist()
    [1, 2, 3, 5]
    """
    images = np.union1d(src, trg).astype(np.int64)
    count = images.max(initial=0) + 1
    found = src.astype(np.int64) * count + trg
    counted = np.sort(np.concatenate([found, images * (count + 1)]))
    return np.asarray(np.searchsorted(counted, found), np.int64)


def expected_pairs(images: ImageArrays, splits: Ints) -> npt.NDArray[np.int64]:
    """Return all pairs that the law gives, each as source row x number of images + target row.

    Args:
        images: The image annotations.
        splits: Number of each image's split; images of different splits make no pair.
    """
    category = images.category.to_numpy()
    found = []
    for group in np.unique(np.stack([category, splits], axis=1), axis=0):
        rows = np.flatnonzero((category == group[0]) & (splits == group[1]))
        shared = images.present[rows].astype(np.int32) @ images.present[rows].T
        np.fill_diagonal(shared, 0)
        one, other = np.nonzero(shared)
        found.append(rows[one] * len(category) + rows[other])
    return np.sort(np.concatenate([*found, np.empty(0, np.int64)]))
