"""Where rows are cut into shards and row groups."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rawshelf.cutting import (
    GROUP_LIMIT,
    even_edges,
    even_groups,
    group_ends,
    relative_ends,
    shard_count,
)

MB = 1 << 20
WORLDS = (1, 2, 4, 8)

Ints = npt.NDArray[np.int64]


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
    before = ends[-2] if len(ends) > 1 else 0
    both = sum(int(sizes[list(set(c[before:]) - {-1})].sum()) for c in columns)
    if ends and total < target and both <= limit:
        ends.pop()
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
    assert expected == shard_count(size, 1 << 20)


def test_no_shard_is_without_a_row() -> None:
    """Few large rows give fewer shards, but still a power of two."""
    assert [1, 2, 2, 4] == [shard_count(900 * MB, rows) for rows in (1, 2, 3, 4)]


@settings(max_examples=300)
@given(
    rows=st.integers(1, 60_000),
    shards=st.sampled_from([1, 2, 4, 8, 32]),
    groups=st.sampled_from([1, 2, 4, 8, 16]),
)
def test_rows_are_spread_evenly_at_every_level(rows: int, shards: int, groups: int) -> None:
    """Shards, row groups, and what readers get of either, differ by at most one row."""
    rows = max(rows, shards * groups)
    edges = even_edges(rows, shards, groups)
    by_group = np.diff(edges)
    by_shard = by_group.reshape(shards, groups).sum(axis=1)

    assert (0, rows) == (edges[0], edges[-1])
    assert 1 <= by_group.min()
    for parts in (by_shard, by_group):
        assert parts.max() - parts.min() <= 1
    for world in WORLDS:
        for parts, divides in ((by_shard, shards), (by_group, groups)):
            if divides % world == 0:
                read = [parts[rank::world].sum() for rank in range(world)]
                assert max(read) - min(read) <= 1


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
@given(st.lists(st.integers(0, 30 * MB), min_size=1, max_size=60), st.sampled_from([1, 2, 4, 8]))
def test_even_groups_keep_within_the_limit_or_are_refused(sizes: list[int], shards: int) -> None:
    """No row group passes 25 MB, but one that is a single larger image."""
    shards = min(shards, shard_count(10_000 * MB, len(sizes)))
    edges = even_groups(np.array(sizes, np.int64), shards)

    for first, last in [] if edges is None else pairwise(edges):
        assert last - first == 1 or sum(sizes[first:last]) <= GROUP_LIMIT


@pytest.mark.parametrize(
    ("rows", "mean", "groups", "megabytes"),
    [
        (50_889, 153_000, 512, 14.5),  # ImageNet-Sketch: 7.8 GB
        (20_466, 110_000, 128, 16.8),  # the train split of PartImageNet, one of its releases
        (997, 97_000, 8, 11.5),  # the train split of SPair-71k
        (53_340, 50, 1, 2.5),  # its pairs
        (36, 5_000, 1, 0.17),
    ],
)
def test_even_groups_are_of_10_to_25_mb(
    rows: int, mean: int, groups: int, megabytes: float
) -> None:
    """So they are at the sizes of the releases; what is smaller than that is one group."""
    sizes = np.random.default_rng(0).gamma(4, mean / 4, rows).astype(np.int64)
    edges = even_groups(sizes, shard_count(int(sizes.sum()), rows))

    assert edges is not None
    found = np.add.reduceat(sizes, edges[:-1])
    assert groups == len(found)
    assert megabytes == pytest.approx(found.mean() / MB, rel=0.05)
    assert groups == 1 or (found.min() > 8 * MB and found.max() < GROUP_LIMIT)


def test_rows_of_very_different_sizes_cannot_be_cut_evenly() -> None:
    """One region of large images would make every other group silly small."""
    sizes = np.full(4_096, 1_000, np.int64)
    sizes[:64] = 9 * MB

    assert even_groups(sizes, 1) is None


def test_ends_are_counted_from_the_start_of_the_shard() -> None:
    """A shard's last end is the number of its rows."""
    assert [[2, 5], [3, 5]] == relative_ends([0, 2, 5, 8, 10], 2)
