"""What there is to evaluate on: a split of a conversion."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from rawshelf.errors import MissingError, OutputError

_BATCH = 64
_SHARD = re.compile(r"(?P<split>\w+)-\d{5}-of-(?P<count>\d{5})\.parquet")


def columns(out: str, config: str, split: str, names: Sequence[str]) -> pa.Table:
    """Return columns of a split, all rows; not meant for images.

    Args:
        out: A conversion's folder.
        config: The config.
        split: The split.
        names: Its columns.

    Raises:
        MissingError: If the conversion has no such split, or lacks one of its files.
        OutputError: If a file cannot be read, or has no such column.
    """
    return pa.concat_tables(_read(path, names) for path in shards(out, config, split))


def batches(out: str, config: str, split: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield a split's rows, a few at a time. Arguments and errors as those of `columns`."""
    for path in shards(out, config, split):
        try:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(_BATCH, columns=list(names))
        except (OSError, pa.ArrowException) as error:
            raise _damaged(path, str(error)) from error


def splits(out: str, config: str) -> dict[str, list[str]]:
    """Return a config's splits with their files in order; empty if it is not there."""
    folder = os.path.join(out, "data", config)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found: dict[str, list[str]] = {}
    for match in filter(None, map(_SHARD.fullmatch, names)):
        found.setdefault(match["split"], []).append(os.path.join(folder, match.string))
    return found


def shards(out: str, config: str, split: str) -> list[str]:
    """Return a split's files in order, none of them missing."""
    there = splits(out, config)
    paths = there.get(split, [])
    total = _count(paths[0]) if paths else None
    if total != len(paths):
        others = f"splits {', '.join(there)}" if there else "no such config"
        raise MissingError(
            "The conversion does not hold what is to be evaluated on.",
            archive=out,
            member=f"data/{config}/{split}-*.parquet",
            found=f"{len(paths)} files" if paths else others,
            expected=f"{total} files" if paths else "the split's files",
            remedy="Name a split that is there, or convert the release with this config.",
        )
    return paths


def _count(path: str) -> int:
    return int(path.removesuffix(".parquet").rpartition("-")[2])


def _read(path: str, names: Sequence[str]) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            table = file.read(columns=list(names))
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, str(error)) from error
    if set(table.column_names) != set(names):
        raise _damaged(path, f"columns {', '.join(table.column_names)}")
    return table.select(list(names))


def _damaged(path: str, found: str) -> OutputError:
    return OutputError(
        "A file of the conversion cannot be read.",
        archive=path,
        found=found,
        expected="a Parquet file that rawshelf wrote",
        remedy="Convert the release again.",
    )
