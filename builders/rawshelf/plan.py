"""From a raw release to independent shard tasks.

A dataset's `prepare` reads the release once and gives one planned table per (config, split): the
config's columns, with an index into a list of blobs in place of each image. The tables go to
files; a task is the paths of those files and a range of rows. It carries no bytes, can be pickled,
and can run anywhere that sees the same paths.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

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
from rawshelf.release import Config, Dataset, Job


@dataclass(frozen=True)
class ShardTask:
    """One Parquet file to write: which rows of which planned table.

    Attributes:
        dataset: Name in the catalog.
        config: Config name.
        split: Split name.
        index: Number of the shard, from 0.
        count: Number of shards of this split.
        start: First row.
        stop: Row behind the last.
        ends: Of each row group, the row behind its last, counted from `start`.
        size: Estimate of the file's bytes.
        table: Path of the planned table (Arrow IPC file).
        blobs: Path of the list of blobs (Arrow IPC file).
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

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ShardTask:
        """Return the task whose fields JSON has kept."""
        return cls(**{**values, "ends": tuple(values["ends"])})

    @property
    def path(self) -> str:
        """Where the file stands in the output, relative to its root."""
        name = f"{self.split}-{self.index:05d}-of-{self.count:05d}.parquet"
        return f"data/{self.config}/{name}"


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
    blobs = _store(prepared.blobs, os.path.join(job.folder, "blobs.arrow"))
    tasks: list[ShardTask] = []
    for (config_name, split), table in prepared.tables.items():
        if not len(table):
            continue  # an incomplete release may lack a split; an empty file helps nobody
        path = _store(table, os.path.join(job.folder, f"{config_name}-{split}.arrow"))
        shards = _shards(table, prepared.blobs, dataset.config(config_name))
        place = (dataset.release.name, config_name, split)
        tasks += [
            ShardTask(*place, index, len(shards), start, stop, ends, share, path, blobs)
            for index, (start, stop, ends, share) in enumerate(shards)
        ]
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


def stored_bytes(table: pa.Table, blobs: pa.Table, config: Config) -> int:
    """Estimate what a planned table takes in Parquet, from the blobs that its rows name."""
    sizes = blobs["size"].to_numpy()
    total: int = table.nbytes // 4
    for name in image_columns(config.columns):
        indices = pc.drop_null(table[name])
        total += int(sizes[(pc.unique(indices) if config.shared else indices).to_numpy()].sum())
    return total


def load_table(path: str) -> pa.Table:
    """Open a planned table; its columns are views of the mapped file."""
    with pa.memory_map(path) as file:
        return pa.ipc.open_file(file).read_all()


def _store(table: pa.Table, path: str) -> str:
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path
