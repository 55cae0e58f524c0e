"""Keypoint columns as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from rawshelf.errors import UsageError

Points = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Side = Literal["", "src", "trg"]


@overload
def points(row: Mapping[str, Any], side: Side = ..., *, slots: None = ...) -> Points: ...


@overload
def points(row: Mapping[str, Any], side: Side = ..., *, slots: int) -> tuple[Points, Mask]: ...


def points(
    row: Mapping[str, Any], side: Side = "", *, slots: int | None = None
) -> Points | tuple[Points, Mask]:
    """Return the keypoints of one row.

    Args:
        row: A row with a ``keypoints`` column: of SPair-71k's ``images``, ``pairs`` or
            ``pairs_flat``.
        side: ``"src"`` or ``"trg"`` for a row of pairs, "" for a row of images.
        slots: Number of keypoint ids (30 in SPair-71k), to get a place for each.

    Returns:
        x and y in 0-based pixels of the stored raster: float32 (n, 2), in the order of the row's
        ids; or, with `slots`, float32 (slots, 2), zero where absent, and bool (slots,) telling
        which are present.

    Raises:
        UsageError: If the row has no keypoints of that side, or one that has no slot.

    >>> row = {"keypoints": {"id": [0, 2], "x": [10, 30], "y": [20, 40]}}
    >>> points(row).tolist()
    [[10.0, 20.0], [30.0, 40.0]]
    >>> points(row, slots=3)[1].tolist()
    [True, False, True]
    """
    keypoints = row.get("keypoints") or {}
    prefix = f"{side}_" if side else ""
    axes = [f"{prefix}x", f"{prefix}y"]
    if not {"id", *axes} <= set(keypoints):
        raise UsageError(
            "The row has no such keypoints.",
            field="side",
            found=f"keypoints with {', '.join(sorted(keypoints)) or 'nothing'}",
            expected=f"keypoints with id, {axes[0]} and {axes[1]}",
            remedy='Pass side="src" or side="trg" for pairs, and none for images.',
        )
    found = np.stack([np.asarray(keypoints[axis], np.float32) for axis in axes], axis=-1)
    if slots is None:
        return found
    ids = np.asarray(keypoints["id"], np.int64)
    if len(ids) and not 0 <= ids.min() <= ids.max() < slots:
        raise UsageError(
            "A keypoint of the row has no slot.",
            field="slots",
            found=slots,
            expected=f"more than {ids.max()}, the highest keypoint id",
            remedy="Pass the number of keypoint ids that the dataset has: 30 in SPair-71k.",
        )
    placed = np.zeros((slots, 2), np.float32)
    mask = np.zeros(slots, bool)
    placed[ids], mask[ids] = found, True
    return placed, mask
