import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rawshelf import catalog
from rawshelf.errors import OutputError
from rawshelf.plan import ShardTask, _bounds, group_ends, load_table, plan, shard_count
from rawshelf.release import Job
from rawshelf.shards import read_groups
from rawshelf.sources import Source

MB = 1 << 20

Ints = npt.NDArray[np.int64]


def tasks_of(raw: Path, folder: Path, *configs: str) -> list[ShardTask]:
    folder.mkdir()
    return plan(Job(Source(str(raw)), configs, str(folder)), catalog.find("spair71k"))


def naive_ends(columns: list[Ints], sizes: Ints, keys: Ints, target: int, limit: int) -> list[int]:
    """Cut row by row, as the documentation of `group_ends` says."""
    ends: list[int] = []
    held: list[set[int]] = [set() for _ in columns]
    total = 0
    for row in range(len(columns[0])):
        new = [(h, int(c[row])) for h, c in zip(held, columns, strict=True) if c[row] not in h]
        added = sum(int(sizes[blob]) for _, blob in new if blob >= 0)
        change = row > 0 and keys[row] != keys[row - 1]
        if total and (total + added > limit or (total >= target and change)):
            ends.append(row)
            held = [set() for _ in columns]
            new = [(h, int(c[row])) for h, c in zip(held, columns, strict=True)]
            total, added = 0, sum(int(sizes[blob]) for _, blob in new if blob >= 0)
        for column, blob in new:
            column.add(blob)
        total += added
    return [*ends, len(columns[0])]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, 1),
        (63 * MB, 1),
        (64 * MB, 2),
        (130 * MB, 4),
        (255 * MB, 4),
        (256 * MB, 8),
        (2048 * MB, 8),
        (2049 * MB, 16),
        (8000 * MB, 32),
    ],
)
def test_shard_counts_are_powers_of_two_with_shards_of_32_to_256_mb(
    size: int, expected: int
) -> None:
    """Splits are cut for common world sizes, and no shard is needlessly small or large."""
    assert expected == shard_count(size)


def test_shards_differ_by_at_most_one_row() -> None:
    """Rows are spread evenly, and no shard is empty."""
    assert [0, 3, 6, 10] == _bounds(10, 3)
    assert [0, 1, 2] == _bounds(2, 8)


@settings(max_examples=150)
@given(
    rows=st.lists(st.tuples(st.integers(-1, 7), st.integers(-1, 7), st.integers(0, 2)), min_size=1),
    sizes=st.lists(st.integers(0, 40), min_size=8, max_size=8),
    target=st.integers(1, 60),
    more=st.integers(0, 60),
)
def test_groups_of_shared_images_end_where_counting_row_by_row_ends_them(
    rows: list[tuple[int, int, int]], sizes: list[int], target: int, more: int
) -> None:
    """The vectorised cut equals the obvious loop."""
    columns = [np.array([row[side] for row in rows], np.int64) for side in (0, 1)]
    keys = np.array([row[2] for row in rows], np.int64)
    size = np.array(sizes, np.int64)

    actual = group_ends(columns, size, keys, target=target, limit=target + more)

    assert naive_ends(columns, size, keys, target, target + more) == actual


def test_groups_are_found_beyond_the_first_window() -> None:
    """A group may be longer than the rows that are looked at first."""
    blobs = np.zeros(50_000, np.int64)
    blobs[30_000:] = 1
    keys = blobs.copy()

    actual = group_ends([blobs], np.array([10, 10]), keys, target=10, limit=100)

    assert [30_000, 50_000] == actual


@settings(max_examples=100)
@given(st.lists(st.integers(0, 30 * MB), min_size=1, max_size=60))
def test_groups_of_own_images_keep_within_the_limit(sizes: list[int]) -> None:
    """No row group passes 25 MB, but one that is a single larger image."""
    size = np.array(sizes, np.int64)
    rows = np.arange(len(sizes))

    ends = group_ends([rows], size, None, target=14 * MB, limit=25 * MB)

    starts = [0, *ends[:-1]]
    assert len(sizes) == ends[-1]
    assert all(a < b for a, b in zip(starts, ends, strict=True))
    groups = list(zip(starts, ends, strict=True))
    assert all(b - a == 1 or size[a:b].sum() <= 25 * MB for a, b in groups)


def test_groups_of_own_images_are_even() -> None:
    """Images of one size give groups near the target, all about equally large."""
    size = np.full(1_000, 100_000, np.int64)

    ends = group_ends([np.arange(1_000)], size, None, target=14 * MB, limit=25 * MB)

    assert [143, 286, 429, 572, 715, 858, 1000] == pytest.approx(ends, abs=1)


def test_tasks_are_small_and_can_be_pickled(miniature_tar: Path, tmp_path: Path) -> None:
    """A task carries paths and ranges, never bytes."""
    tasks = tasks_of(miniature_tar, tmp_path / "plan", "pairs", "images", "pairs_flat")

    assert 9 == len(tasks)
    assert all(task == pickle.loads(pickle.dumps(task)) for task in tasks)  # noqa: S301 - ours
    assert max(len(pickle.dumps(task)) for task in tasks) < 1_000


def test_planned_tables_hold_indices_in_place_of_images(
    miniature_tar: Path, tmp_path: Path
) -> None:
    """The planned table of images names rows of the list of blobs."""
    (task, *_) = tasks_of(miniature_tar, tmp_path / "plan", "images")

    table = load_table(task.table)
    blobs = load_table(task.blobs)

    assert pa.int32() == table.schema.field("image").type
    names = blobs["name"].take(table["image"].combine_chunks()).to_pylist()
    assert table["file_name"].to_pylist() == names


def test_a_task_stops_when_its_plan_is_withdrawn(miniature_tar: Path, tmp_path: Path) -> None:
    """Tasks of a conversion that was given up end at their next row group."""
    (task, *_) = tasks_of(miniature_tar, tmp_path / "plan", "images")
    Path(task.table).unlink()

    with pytest.raises(OutputError, match="removed while it was in use"):
        list(read_groups(task))
