"""Keypoint columns as arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from rawshelf.errors import UsageError
from rawshelf.keypoints import points
from tests.conftest import Conversion

IMAGE = {"keypoints": {"id": [0, 29], "x": [10, 30], "y": [20, 40]}}
PAIR = {"keypoints": {"id": [3], "src_x": [1], "src_y": [2], "trg_x": [3], "trg_y": [4]}}


@pytest.mark.parametrize(
    ("row", "side", "expected"),
    [
        (IMAGE, "", [[10, 20], [30, 40]]),
        (PAIR, "src", [[1, 2]]),
        (PAIR, "trg", [[3, 4]]),
        ({"keypoints": {"id": [], "x": [], "y": []}}, "", np.empty((0, 2))),
    ],
)
def test_points_are_x_and_y(row: Any, side: Any, expected: Any) -> None:
    """Points are float32 pairs of x and y in the order of the ids."""
    found = points(row, side)

    assert np.float32 == found.dtype
    np.testing.assert_array_equal(np.asarray(expected, np.float32), found, strict=True)


def test_slots_give_each_id_a_place() -> None:
    """With slots, each id has a place, and a mask tells which are there."""
    found, mask = points(IMAGE, slots=30)

    assert ((30, 2), (30,)) == (found.shape, mask.shape)
    assert [0, 29] == np.flatnonzero(mask).tolist()
    assert [[10, 20], [30, 40]] == found[mask].tolist()
    assert not found[~mask].any()


def test_no_points_fill_no_slots() -> None:
    """An image without keypoints has an empty mask."""
    _, mask = points({"keypoints": {"id": [], "x": [], "y": []}}, slots=2)

    assert [False, False] == mask.tolist()


@pytest.mark.parametrize(
    ("row", "side"), [(IMAGE, "src"), (PAIR, ""), ({}, ""), ({"keypoints": None}, "trg")]
)
def test_wrong_side_is_refused(row: Any, side: Any) -> None:
    """A row without keypoints of that side is refused, and the message says what there is."""
    with pytest.raises(UsageError) as caught:
        points(row, side)

    assert "side" == caught.value.field


@pytest.mark.parametrize("slots", [0, 29])
def test_too_few_slots_are_refused(slots: int) -> None:
    """An id beyond the slots is refused, and the message names it."""
    with pytest.raises(UsageError) as caught:
        points(IMAGE, slots=slots)

    assert ("slots", slots) == (caught.value.field, caught.value.found)
    assert "29" in str(caught.value.expected)


@pytest.mark.parametrize("kind", [None, "numpy", "arrow"])
def test_rows_of_datasets_have_points(
    kind: str | None, conversion: Conversion, tmp_path: Path
) -> None:
    """Rows that `datasets` reads work in plain and numpy format."""
    files = [str(path) for path in conversion.out.glob("data/pairs/test-*")]
    loaded = datasets.Dataset.from_parquet(files, cache_dir=str(tmp_path))
    expected = loaded[0]["keypoints"]

    row = loaded.with_format(kind)[0]
    if kind == "arrow":
        row = row.to_pylist()[0]

    assert expected["trg_x"] == points(row, "trg")[:, 0].tolist()
