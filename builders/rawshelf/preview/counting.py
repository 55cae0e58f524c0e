"""Counts of a column's values by split, computed in Arrow, as the bars of a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.preview.charts import Row
from rawshelf.preview.reading import Conversion

Tallies = Mapping[str, Mapping[int | None, int]]
NO_VALUE = "(no value)"
_ROUND = (1, 2, 5)


def values(table: pa.Table, path: str) -> pa.ChunkedArray:
    """Return a column, or a field of a struct as ``parts.category``; lists are flattened."""
    name, *fields = path.split(".")
    found = table[name]
    for field in fields:
        found = pc.struct_field(found, field)
    while pa.types.is_list(found.type):
        found = pc.list_flatten(found)
    return found


def lengths(table: pa.Table, path: str) -> pa.ChunkedArray:
    """Return how many entries each row has in a list of a struct, such as ``parts.id``."""
    name, field = path.split(".")
    return pc.fill_null(pc.list_value_length(pc.struct_field(table[name], field)), 0)


def tally(column: pa.ChunkedArray) -> dict[int | None, int]:
    """Return how often each value occurs."""
    found = pc.value_counts(column).to_pylist()
    return {item["values"]: item["counts"] for item in found}


def by_split(conversion: Conversion, config: str, path: str) -> dict[str, dict[int | None, int]]:
    """Return how often each value of a column occurs in each split of a config."""
    return {
        split: tally(values(conversion.columns(config, split, [path]), path))
        for split in conversion.splits(config)
    }


def lengths_by_split(
    conversion: Conversion, config: str, path: str
) -> dict[str, dict[int | None, int]]:
    """Return how many rows of each split have how many entries in a list of a struct."""
    return {
        split: tally(lengths(conversion.columns(config, split, [path]), path))
        for split in conversion.splits(config)
    }


def named(tallies: Tallies, names: Sequence[str]) -> list[Row]:
    """Return a bar for each class, its parts being the splits."""
    rows = [Row(name, _parts(tallies, index)) for index, name in enumerate(names)]
    nothing = Row(NO_VALUE, _parts(tallies, None))
    return [*rows, nothing] if nothing.total else rows


def numbered(tallies: Tallies) -> list[Row]:
    """Return a bar for each whole number from the smallest to the largest that occurs."""
    found = _numbers(tallies)
    span = range(min(found), max(found) + 1) if found else range(1)
    return [Row(str(number), _parts(tallies, number)) for number in span]


def binned(tallies: Tallies, most: int) -> list[Row]:
    """Return a bar for each of at most so many equally wide, round bins, named by their start."""
    found = _numbers(tallies)
    low, high = (min(found), max(found)) if found else (0, 0)
    width = _bin_width(low, high, most)
    starts = range(low // width * width, high + 1, width)
    sums = {split: dict.fromkeys(starts, 0) for split in tallies}
    for split, counts in tallies.items():
        for value, count in counts.items():
            if value is not None:
                sums[split][value // width * width] += count
    return [Row(f"{start}", tuple(sums[split][start] for split in tallies)) for start in starts]


def _bin_width(low: int, high: int, most: int) -> int:
    power = 1
    while True:
        for step in _ROUND:
            if high // (step * power) - low // (step * power) < most:
                return step * power
        power *= 10


def _parts(tallies: Tallies, value: int | None) -> tuple[int, ...]:
    return tuple(counts.get(value, 0) for counts in tallies.values())


def _numbers(tallies: Tallies) -> set[int]:
    return {value for counts in tallies.values() for value in counts if value is not None}


def total(tallies: Tallies) -> int:
    """Return how many values there are."""
    return sum(sum(counts.values()) for counts in tallies.values())


def mean(tallies: Tallies) -> float:
    """Return the mean of all values that are there."""
    pairs = [(v, n) for counts in tallies.values() for v, n in counts.items() if v is not None]
    return sum(v * n for v, n in pairs) / max(1, sum(n for _, n in pairs))


def figures(rows: Sequence[Row]) -> str:
    """Return the totals of bars in words, for an alternative text.

    >>> figures([Row("cat", (1, 2)), Row("dog", (1000, 0))])
    'cat 3, dog 1,000'
    """
    return ", ".join(f"{row.label} {row.total:,}" for row in rows)


def split_totals(tallies: Tallies) -> str:
    """Return the totals of the splits in words.

    >>> split_totals({"train": {0: 2000}, "test": {}})
    '2,000 in train, 0 in test'
    """
    return ", ".join(f"{sum(counts.values()):,} in {split}" for split, counts in tallies.items())
