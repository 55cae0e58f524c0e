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
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.cutting import (
    GROUP_LIMIT,
    GROUP_TARGET,
    Ints,
    blob_bytes,
    even_edges,
    even_groups,
    group_ends,
    relative_ends,
    shard_count,
)
from rawshelf.features import image_columns
from rawshelf.incomplete import told_if_cut
from rawshelf.release import Config, Dataset, Job
from rawshelf.report import Report


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
        ends: Of each row group, the row behind its last, counted from `start`.
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
    ends: tuple[int, ...]
    size: int
    table: str
    blobs: str
    lease: str

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ShardTask:
        """Return the task whose fields JSON has kept."""
        return cls(**{**values, "ends": tuple(values["ends"])})

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
        tasks = [ShardTask.from_json(task) for task in values["tasks"]]
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
    with told_if_cut(job.source, dataset.release):
        prepared = dataset.prepare(job)
    job.report.junk = job.source.guard.junk
    job.report.skipped_links = sorted(job.source.guard.skipped_links)
    blobs = Batches(prepared.blobs)
    tasks: list[ShardTask] = []
    for (config_name, split), table in prepared.tables.items():
        if not len(table):
            continue  # an incomplete release may lack a split; an empty file helps nobody
        config = dataset.config(config_name)
        shards = _shards(table, prepared.blobs, config)
        place = (dataset.release.name, config_name, split)
        for index, (start, stop, ends, share) in enumerate(shards):
            name = os.path.join(job.folder, f"{config_name}-{split}-{index:05d}")
            paths = _store_part(table.slice(start, stop - start), blobs, config, name)
            spot = (*place, index, len(shards), start, stop)
            tasks.append(ShardTask(*spot, ends, share, *paths, job.folder))
    return tasks


Shard = tuple[int, int, tuple[int, ...], int]  # `start`, `stop`, `ends` and `size` of a task


def _shards(table: pa.Table, blobs: pa.Table, config: Config) -> list[Shard]:
    """Cut a planned table into shards, and those into row groups."""
    size, rows = stored_bytes(table, blobs, config), len(table)
    count = shard_count(size, rows)
    sizes = blobs["size"].to_numpy()
    indices = [image_indices(table[name]) for name in image_columns(config.columns)]
    own = blob_bytes(indices, sizes).sum(axis=1) if indices else np.full(rows, size // rows)
    edges = None if config.shared else even_groups(own, count)
    if edges is not None:
        bounds, ends = edges[:: (len(edges) - 1) // count], relative_ends(edges, count)
    else:
        bounds = even_edges(rows, count, 1)
        keys = table[config.group].to_numpy() if config.group else np.zeros(rows, np.int64)
        ends = [_ends(indices, sizes, keys, slice(*part)) for part in pairwise(bounds)]
    shards = zip(pairwise(bounds), ends, strict=True)
    return [(*bound, tuple(groups), size // count) for bound, groups in shards]


def _ends(indices: list[Ints], sizes: Ints, keys: Ints, part: slice) -> list[int]:
    taken = [column[part] for column in indices]
    return group_ends(taken, sizes, keys[part], target=GROUP_TARGET, limit=GROUP_LIMIT)


def image_indices(column: pa.ChunkedArray) -> Ints:
    """Return the blob of each row of a planned image column, -1 for none."""
    return np.asarray(pc.fill_null(column, -1).to_numpy(), np.int64)


def _store_part(rows: pa.Table, blobs: Batches, config: Config, name: str) -> tuple[str, str]:
    """Write some planned rows and the list of the blobs that they name; return both paths."""
    images = image_columns(config.columns)
    named = [pc.drop_null(rows[column]).to_numpy() for column in images]
    used = np.unique(np.concatenate([np.empty(0, np.int64), *named]))
    for column in images:
        place, item = rows.column_names.index(column), rows.schema.field(column)
        own = pc.index_in(rows[column], value_set=pa.array(used, item.type))
        rows = rows.set_column(place, item, own.cast(item.type))
    named_by = blobs.take(used)
    return store_table(rows, f"{name}.arrow"), store_table(named_by, f"{name}-blobs.arrow")


class Batches:
    """The list of blobs, to take some from at the cost of those alone.

    `pyarrow.Table.take` puts the chunks of a table together first (seen with 17.0), at each call.
    """

    def __init__(self, table: pa.Table) -> None:
        """Take the list, whose columns may be views of a mapped file."""
        self._schema = table.schema
        self._batches = table.to_batches()
        self._starts = np.cumsum([0, *(len(batch) for batch in self._batches)])

    def take(self, rows: Ints) -> pa.Table:
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


def stored_bytes(table: pa.Table, blobs: pa.Table, config: Config) -> int:
    """Estimate what a planned table takes in Parquet, from the blobs that its rows name."""
    sizes = blobs["size"].to_numpy()
    total: int = table.nbytes // 4
    for name in image_columns(config.columns):
        indices = pc.drop_null(table[name])
        total += int(sizes[(pc.unique(indices) if config.shared else indices).to_numpy()].sum())
    return total


def load_table(path: str) -> pa.Table:
    """Open a table that `store_table` wrote; its columns are views of the mapped file."""
    with pa.memory_map(path) as file:
        return pa.ipc.open_file(file).read_all()


def set_down(table: pa.Table, path: str) -> pa.Table:
    """Return a table as views of a file, whose name is free again: it takes no memory."""
    found = load_table(store_table(table, path))
    os.unlink(path)
    return found


def store_table(table: pa.Table, path: str) -> str:
    """Write a table to a file that `load_table` opens; return its path."""
    # One batch: readers would put several together again.
    table = table.combine_chunks()
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path
