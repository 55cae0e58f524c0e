"""From a raw release to independent shard tasks.

A dataset's `prepare` reads the release once and gives one planned table per (config, split): the
config's columns, with an index into a list of blobs in place of each image. Each shard's part of
both goes to files of its own; a task is their paths. It carries no bytes, can be pickled, runs
anywhere that sees the same paths, and reads nothing but its own part: the cost of all tasks grows
with the rows, not with rows times shards.

Tables may be views of mapped files. Planning then holds one shard's rows at a time, and a few
bytes per row of the release.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.features import image_columns
from rawshelf.release import Config, Dataset, Job
from rawshelf.report import Report

# Readers scale by shards, and common world sizes are powers of two: so are shard counts. A shard is
# worth a file of its own from 32 MB; above 256 MB it streams and resumes badly.
_SMALLEST_SHARD = 32 << 20
_LARGEST_SHARD = 256 << 20
_WORLD = 8
_WINDOW = 4096  # rows looked at before more are taken in, when a group's end is searched


@dataclass(frozen=True)
class ShardTask:
    """One Parquet file to write: which rows of which planned table.

    Attributes:
        dataset: Name in the catalog.
        config: Config name.
        split: Split name.
        index: Number of the shard, from 0.
        count: Number of shards of this split.
        start: First of its rows in the split.
        stop: Row behind the last.
        size: Estimate of the file's bytes.
        table: Path of its planned rows (Arrow IPC file).
        blobs: Path of the list of the blobs that those name (Arrow IPC file).
        lease: A path that exists as long as the shard is wanted.
    """

    dataset: str
    config: str
    split: str
    index: int
    count: int
    start: int
    stop: int
    size: int
    table: str
    blobs: str
    lease: str

    @property
    def path(self) -> str:
        """Where the file stands in the output, relative to its root."""
        name = f"{self.split}-{self.index:05d}-of-{self.count:05d}.parquet"
        return f"data/{self.config}/{name}"


@dataclass(frozen=True)
class Plan:
    """All shards of a conversion, and what reading the release for them told.

    Attributes:
        folder: Where the planned tables stand.
        tasks: The shards, in the order of publication.
        report: What was noticed.
        tools: Versions on which the shards' bytes depend.
    """

    folder: str
    tasks: list[ShardTask]
    report: Report
    tools: Mapping[str, str]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the plan that `to_json` gave."""
        tasks = [ShardTask(**task) for task in values["tasks"]]
        return cls(values["folder"], tasks, Report.from_json(values["report"]), values["tools"])

    def to_json(self) -> dict[str, object]:
        """Return the plan as plain JSON values."""
        return {
            "folder": self.folder,
            "tasks": [asdict(task) for task in self.tasks],
            "report": self.report.to_json(),
            "tools": dict(self.tools),
        }


def plan(job: Job, dataset: Dataset) -> list[ShardTask]:
    """Read a release and write its planned tables into the job's folder.

    Args:
        job: Source, wanted configs and folder; its report is filled.
        dataset: What to read, and how.

    Returns:
        The tasks, in the order of configs, splits and shards.

    Raises:
        RawshelfError: If the release cannot be read, is incomplete, or contradicts itself.
    """
    tasks = _tasks(job, dataset)
    # What Arrow keeps for later would be missing while shards are written.
    pa.default_memory_pool().release_unused()
    return tasks


def _tasks(job: Job, dataset: Dataset) -> list[ShardTask]:
    prepared = dataset.prepare(job)
    job.report.junk = job.source.guard.junk
    job.report.skipped_links = sorted(job.source.guard.skipped_links)
    blobs = Batches(prepared.blobs)
    tasks: list[ShardTask] = []
    for (config_name, split), table in prepared.tables.items():
        if not len(table):
            continue  # an incomplete release may lack a split; an empty file helps nobody
        config = dataset.config(config_name)
        size = stored_bytes(table, prepared.blobs, config)
        bounds = _bounds(len(table), shard_count(size))
        count, share = len(bounds) - 1, size // (len(bounds) - 1)
        for index, (start, stop) in enumerate(pairwise(bounds)):
            name = os.path.join(job.folder, f"{config_name}-{split}-{index:05d}")
            paths = _store_part(table.slice(start, stop - start), blobs, config, name)
            place = (dataset.release.name, config_name, split)
            tasks.append(ShardTask(*place, index, count, start, stop, share, *paths, job.folder))
    return tasks


def _store_part(rows: pa.Table, blobs: Batches, config: Config, name: str) -> tuple[str, str]:
    """Write some planned rows and the list of the blobs that they name; return both paths."""
    images = image_columns(config.columns)
    named = [pc.drop_null(rows[column]).to_numpy() for column in images]
    used = np.unique(np.concatenate([np.empty(0, np.int64), *named]))
    for column in images:
        place, item = rows.column_names.index(column), rows.schema.field(column)
        own = pc.index_in(rows[column], value_set=pa.array(used, item.type))
        rows = rows.set_column(place, item, own.cast(item.type))
    return _store(rows, f"{name}.arrow"), _store(blobs.take(used), f"{name}-blobs.arrow")


class Batches:
    """The list of blobs, to take some from at the cost of those alone.

    `pyarrow.Table.take` puts the chunks of a table together first (seen with 17.0), at each call.
    """

    def __init__(self, table: pa.Table) -> None:
        """Take the list, whose columns may be views of a mapped file."""
        self._schema = table.schema
        self._batches = table.to_batches()
        self._starts = np.cumsum([0, *(len(batch) for batch in self._batches)])

    def take(self, rows: npt.NDArray[np.int64]) -> pa.Table:
        """Return rows, given in ascending order, with a dictionary of no more than they need."""
        edges = np.searchsorted(rows, self._starts)
        pieces = [
            batch.take(pa.array(rows[edge:end] - start))
            for batch, start, (edge, end) in zip(
                self._batches, self._starts[:-1], pairwise(edges), strict=True
            )
            if edge < end
        ]
        found = pa.Table.from_batches(pieces, self._schema)
        for place, item in enumerate(self._schema):
            if pa.types.is_dictionary(item.type):
                plain = found[place].cast(item.type.value_type)
                found = found.set_column(place, item, plain.dictionary_encode())
        return found


def _bounds(rows: int, count: int) -> list[int]:
    """Return where to cut rows into parts that differ by at most one; none is empty."""
    count = min(count, rows)
    return [rows * index // count for index in range(count + 1)]


def stored_bytes(table: pa.Table, blobs: pa.Table, config: Config) -> int:
    """Estimate what a planned table takes in Parquet, from the blobs that its rows name."""
    sizes = blobs["size"].to_numpy()
    total: int = table.nbytes // 4
    for name in image_columns(config.columns):
        indices = pc.drop_null(table[name])
        total += int(sizes[(pc.unique(indices) if config.shared else indices).to_numpy()].sum())
    return total


def shard_count(size: int) -> int:
    """Return into how many shards to cut a split of so many bytes: a power of two."""
    wanted = max(1, -(-size // _LARGEST_SHARD))
    useful = max(1, min(_WORLD, size // _SMALLEST_SHARD))
    return 1 << max((wanted - 1).bit_length(), useful.bit_length() - 1)


def load_table(path: str) -> pa.Table:
    """Open a planned table; its columns are views of the mapped file."""
    with pa.memory_map(path) as file:
        return pa.ipc.open_file(file).read_all()


def group_ends(
    indices: Sequence[npt.NDArray[np.int64]],
    sizes: npt.NDArray[np.int64],
    keys: npt.NDArray[np.int64] | None,
    *,
    target: int,
    limit: int,
) -> list[int]:
    """Cut rows into row groups by bytes.

    Args:
        indices: Per image column, each row's blob (-1 for none).
        sizes: Size of each blob, bytes.
        keys: For rows that share blobs: where a change of value is a good place to cut. A blob
            then counts once per column and group. None if every row has blobs of its own.
        target: Bytes from which on a group may end (at a change of the key, if there is one).
        limit: Bytes that a group does not pass, unless one row does.

    Returns:
        The row behind the last of each group.
    """
    found = [np.where(i < 0, 0, sizes[i]) if len(sizes) else np.zeros_like(i) for i in indices]
    row_bytes = np.stack(found, axis=1).astype(np.int64)
    if keys is None:
        return _even_ends(row_bytes.sum(axis=1), target=target, limit=limit)
    earlier = np.stack([_earlier(i) for i in indices], axis=1)
    changes = np.concatenate([[False], keys[1:] != keys[:-1]])
    return _ends(row_bytes, earlier, changes, target=target, limit=limit)


def _earlier(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each row the last row before it that has the same value, -1 for none."""
    order = np.argsort(values, kind="stable")
    same = values[order][1:] == values[order][:-1]
    earlier = np.full(len(values), -1, np.int64)
    earlier[order[1:][same]] = order[:-1][same]
    return earlier


def _ends(
    row_bytes: npt.NDArray[np.int64],
    earlier: npt.NDArray[np.int64],
    changes: npt.NDArray[np.bool_],
    *,
    target: int,
    limit: int,
) -> list[int]:
    ends: list[int] = []
    start, window = 0, _WINDOW
    while start < len(row_bytes):
        part = slice(start, start + window)
        # A blob costs only where its group meets it first.
        added = np.where(earlier[part] < start, row_bytes[part], 0).sum(axis=1)
        held = np.cumsum(added)
        before = held - added
        cut = (before > 0) & ((held > limit) | ((before >= target) & changes[part]))
        if cut.any():
            start += int(np.argmax(cut))
            ends.append(start)
        elif start + window >= len(row_bytes):
            break
        else:
            window *= 2
    return [*ends, len(row_bytes)]


def _even_ends(row_bytes: npt.NDArray[np.int64], *, target: int, limit: int) -> list[int]:
    """Cut into groups of about equal size."""
    total = np.cumsum(row_bytes)
    count = max(1, round(int(total[-1]) / target)) if len(total) else 1
    edges = np.searchsorted(total, [total[-1] * k // count for k in range(1, count)], side="right")
    ends = [*sorted({int(edge) for edge in edges if edge > 0}), len(total)]
    if all(_fits(row_bytes[start:end], limit) for start, end in pairwise([0, *ends])):
        return ends
    alone = np.full((len(row_bytes), 1), -1, np.int64)
    never = np.zeros(len(row_bytes), bool)
    return _ends(row_bytes[:, None], alone, never, target=target, limit=limit)


def _fits(row_bytes: npt.NDArray[np.int64], limit: int) -> bool:
    return len(row_bytes) <= 1 or int(row_bytes.sum()) <= limit


def _store(table: pa.Table, path: str) -> str:
    # One batch: readers would put several together again.
    table = table.combine_chunks()
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path
