"""Where rows are cut into shards and row groups, by their number and by their bytes.

Both are for readers: shards for those that share the work, row groups for those that want a first
row soon, or to go on in the middle. Rows that have images of their own are cut evenly at both
levels; rows that share images are cut into row groups where that repeats the fewest images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Common world sizes are powers of two: so are the numbers of shards, and of row groups in a shard.
# A shard is worth a file of its own from 32 MB; above 256 MB it streams and resumes badly.
SMALLEST_SHARD = 32 << 20
LARGEST_SHARD = 256 << 20
_WORLD = 8

# Row groups of 10 to 25 MB: small enough for a first row within tens of milliseconds, large enough
# that a scan of one column is not all overhead. Halving until their mean is at most 20 MB leaves
# it above 10, and room below 25 for those that are larger than the mean.
GROUP_MEAN = 20 << 20
GROUP_LIMIT = 25 << 20
# From here on a group of rows that share images ends where the key changes.
GROUP_TARGET = 14 << 20
_HALVINGS = 2  # below the mean, to keep even groups within the limit
_WINDOW = 4096  # rows looked at before more are taken in, when a group's end is searched

Ints = npt.NDArray[np.int64]


def shard_count(size: int, rows: int) -> int:
    """Return into how many shards to cut a split: a power of two, and no shard without a row.

    Args:
        size: Bytes that the split takes in Parquet.
        rows: Its rows, at least one.
    """
    wanted = max(1, -(-size // LARGEST_SHARD))
    useful = max(1, min(_WORLD, size // SMALLEST_SHARD))
    power = max((wanted - 1).bit_length(), useful.bit_length() - 1)
    return 1 << min(power, rows.bit_length() - 1)


def even_edges(rows: int, shards: int, groups: int) -> list[int]:
    """Return the edges of equally many row groups in every shard, as even as can be.

    Shards differ by at most one row, row groups too. The longer groups follow one another in a
    circle, from shard to shard. So wherever group ``k`` of every shard goes to the reader ``k``
    modulo a world size that divides `groups`, readers differ by at most one row; and where whole
    shards go to readers likewise.

    Args:
        rows: Number of rows, at least ``shards * groups``.
        shards: Number of shards.
        groups: Number of row groups in each.

    Returns:
        ``shards * groups + 1`` row numbers, from 0 to `rows`.
    """
    share, more = divmod(rows, shards)
    base = rows // (shards * groups)
    edges = [0]
    for shard in range(shards):
        longer = share + (shard < more) - groups * base
        first = edges[-1] - shard * groups * base
        for group in range(groups):
            edges.append(edges[-1] + base + ((group - first) % groups < longer))
    return edges


def even_groups(row_bytes: Ints, shards: int) -> list[int] | None:
    """Cut rows into shards of equally many even row groups, by their mean size.

    Args:
        row_bytes: Size of each row.
        shards: Number of shards, not more than there are rows.

    Returns:
        Edges as from `even_edges`; None if rows are of so different sizes that a group of
        several would pass the limit.
    """
    rows = len(row_bytes)
    total = np.concatenate([[0], np.cumsum(row_bytes)])
    most = (rows // shards).bit_length() - 1
    mean = int(total[-1]) // shards
    power = min(most, max(0, -(-mean // GROUP_MEAN) - 1).bit_length())
    for halving in range(_HALVINGS + 1):
        groups = 1 << min(most, power + halving)
        edges = even_edges(rows, shards, groups)
        large = np.diff(total[edges]) > GROUP_LIMIT
        if not (large & (np.diff(edges) > 1)).any():
            return edges
    return None


def group_ends(
    indices: Sequence[Ints], sizes: Ints, keys: Ints, *, target: int, limit: int
) -> list[int]:
    """Cut rows that share blobs into row groups by bytes.

    Args:
        indices: Per image column, each row's blob (-1 for none). A blob counts once per column
            and group.
        sizes: Size of each blob, bytes.
        keys: Where a change of value is a good place to cut.
        target: Bytes from which on a group may end at a change of the key.
        limit: Bytes that a group does not pass, unless one row does.

    Returns:
        The row behind the last of each group. A last one below the target joins the one before
        it, where the limit allows.
    """
    row_bytes = blob_bytes(indices, sizes)
    earlier = np.stack([_earlier(i) for i in indices], axis=1)
    changes = np.concatenate([[False], keys[1:] != keys[:-1]])
    ends: list[int] = []
    start, window = 0, _WINDOW
    while start < len(row_bytes):
        part = slice(start, start + window)
        held = np.cumsum(_added(row_bytes, earlier, part))
        before = np.concatenate([[0], held[:-1]])
        cut = (before > 0) & ((held > limit) | ((before >= target) & changes[part]))
        if cut.any():
            start += int(np.argmax(cut))
            ends.append(start)
        elif start + window >= len(row_bytes):
            break
        else:
            window *= 2
    tails = [int(_added(row_bytes, earlier, slice(at, None)).sum()) for at in [0, *ends][-2:]]
    if ends and tails[1] < target and tails[0] <= limit:
        ends.pop()
    return [*ends, len(row_bytes)]


def _added(row_bytes: Ints, earlier: Ints, part: slice) -> Ints:
    """Return what each row adds to a group of these rows: a blob costs where it is met first."""
    counted: Ints = np.where(earlier[part] < part.start, row_bytes[part], 0).sum(axis=1)
    return counted


def blob_bytes(indices: Sequence[Ints], sizes: Ints) -> Ints:
    """Return the sizes of each row's blobs, shape (rows, image columns); 0 for no blob."""
    found = [np.where(i < 0, 0, sizes[i]) if len(sizes) else np.zeros_like(i) for i in indices]
    return np.stack(found, axis=1).astype(np.int64)


def _earlier(values: Ints) -> Ints:
    """Return for each row the last row before it that has the same value, -1 for none."""
    order = np.argsort(values, kind="stable")
    same = values[order][1:] == values[order][:-1]
    earlier = np.full(len(values), -1, np.int64)
    earlier[order[1:][same]] = order[:-1][same]
    return earlier


def relative_ends(edges: Sequence[int], shards: int) -> list[list[int]]:
    """Return for each shard its edges but the first, counted from there."""
    groups = (len(edges) - 1) // shards
    starts = range(0, len(edges) - 1, groups)
    return [[edge - edges[at] for edge in edges[at + 1 : at + groups + 1]] for at in starts]
