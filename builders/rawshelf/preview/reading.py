"""Rows of a conversion: whole columns without pixels, and a few rows with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from rawshelf.errors import OutputError
from rawshelf.records import ShardRecord

_BATCH = 16  # rows with images that are in memory at a time
REMEDY = "Convert the release again: the same command keeps the files that are whole."
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Conversion:
    """A conversion on disk.

    Attributes:
        root: Its folder.
        records: The shards that its manifest names.
    """

    root: str
    records: tuple[ShardRecord, ...]

    @property
    def configs(self) -> tuple[str, ...]:
        """Return the names of its configs."""
        return tuple(dict.fromkeys(record.config for record in self.records))

    def splits(self, config: str) -> tuple[str, ...]:
        """Return the splits of a config."""
        own = (record.split for record in self.records if record.config == config)
        return tuple(dict.fromkeys(own))

    def best(self, needs: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
        """Return the first set of configs that is there as a whole, or an empty one."""
        present = set(self.configs)
        return next((configs for configs in needs if present.issuperset(configs)), ())

    def columns(self, config: str, split: str, names: Sequence[str]) -> pa.Table:
        """Return columns of a split as a whole: not meant for images.

        Args:
            config: One of `configs`.
            split: One of its splits.
            names: Columns, or fields of a struct such as ``parts.category``: only those are read.

        Raises:
            OutputError: If a file is damaged, or has no such column.
        """

        def read(file: pq.ParquetFile) -> pa.Table:
            return _expected(file.read(columns=list(names)), names)

        return pa.concat_tables(self._read(record, read) for record in self._of(config, split))

    def listed(self, config: str, column: str) -> list[tuple[str, int, Any]]:
        """Return the split, the position in it and the value of a column, for all rows."""
        return [
            (split, position, value)
            for split in self.splits(config)
            for position, value in enumerate(
                self.columns(config, split, [column])[column].to_pylist()
            )
        ]

    def rows(
        self, config: str, split: str, positions: Sequence[int], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Return a few rows of a split as Python values, in the order of `positions`.

        Raises:
            OutputError: If a file is damaged, or has no such row or column.
        """
        found: dict[int, dict[str, Any]] = {}
        first = 0
        for record in self._of(config, split):
            own = {row - first for row in positions if first <= row < first + record.rows}

            def read(file: pq.ParquetFile, wanted: set[int] = own) -> dict[int, dict[str, Any]]:
                return _some_rows(file, wanted, names)

            if own:
                some = self._read(record, read)
                found |= {first + row: values for row, values in some.items()}
            first += record.rows
        return [found[position] for position in positions]

    def _of(self, config: str, split: str) -> list[ShardRecord]:
        return [r for r in self.records if (r.config, r.split) == (config, split)]

    def _read(self, record: ShardRecord, read: Callable[[pq.ParquetFile], _Result]) -> _Result:
        try:
            with pq.ParquetFile(os.path.join(self.root, record.path)) as file:
                if file.metadata.num_rows != record.rows:
                    found = f"{file.metadata.num_rows:,} rows"
                    raise self._damaged(record, found, f"{record.rows:,} rows")
                return read(file)
        except (pa.ArrowException, OSError, KeyError) as error:
            raise self._damaged(record, str(error), "a Parquet file that rawshelf wrote") from error

    def _damaged(self, record: ShardRecord, found: str, expected: str) -> OutputError:
        return OutputError(
            "A file of the conversion is not what its manifest says.",
            archive=self.root,
            member=record.path,
            found=found,
            expected=expected,
            remedy=REMEDY,
        )


def _expected(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return a table if it has the columns: pyarrow leaves out silently what a file has not."""
    missing = {name.partition(".")[0] for name in names} - set(table.column_names)
    if missing:
        msg = f"no column {', '.join(sorted(missing))}"
        raise KeyError(msg)
    return table


def _some_rows(
    file: pq.ParquetFile, wanted: set[int], names: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """Return rows by their place in a file, reading only the row groups that hold them."""
    found: dict[int, dict[str, Any]] = {}
    first = 0
    for group in range(file.metadata.num_row_groups):
        stop = first + file.metadata.row_group(group).num_rows
        if any(first <= row < stop for row in wanted):
            at = first
            for batch in file.iter_batches(_BATCH, row_groups=[group], columns=list(names)):
                _expected(pa.Table.from_batches([batch]), names)
                for row in sorted(wanted & set(range(at, at + len(batch)))):
                    found[row] = batch.slice(row - at, 1).to_pylist()[0]
                at += len(batch)
        first = stop
    return found
