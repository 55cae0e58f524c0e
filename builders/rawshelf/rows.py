"""Rows of an Arrow table as Python values, without a table, an array or a scalar made for each.

`datasets` slices the table and converts every value of a row through an Arrow scalar. Here each
record batch is looked at once, and then read in its own buffers: they stay mapped and are shared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Get = Callable[[int], Any]


class Reader(NamedTuple):
    """How the values of one array are read.

    Attributes:
        one: Returns the value at a place.
        many: Returns the values from a place to another, the second not included.
    """

    one: Get
    many: Callable[[int, int], list[Any]]


class Rows:
    """Rows of a table as dicts.

    Values are those of `pyarrow.Table.to_pydict`, in type too: int, float, bool, str, bytes, list,
    dict and None; what Arrow has besides (times, decimals, maps, dictionaries) as Arrow gives it.
    """

    def __init__(self, table: pa.Table) -> None:
        """Take the batches; nothing is read."""
        self._batches = [batch for batch in table.to_batches() if batch.num_rows]
        self._starts = [0, *accumulate(batch.num_rows for batch in self._batches)]
        self._readers: list[dict[str, Get] | None] = [None] * len(self._batches)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """Return one row, counted from 0; the caller has checked that it is there."""
        number = bisect_right(self._starts, row) - 1
        readers = self._readers[number]
        if readers is None:
            batch = self._batches[number]
            columns = zip(batch.schema.names, batch.columns, strict=True)
            # Two threads may both come here: they make the same.
            readers = self._readers[number] = {name: reader(of).one for name, of in columns}
        place = row - self._starts[number]
        return {name: get(place) for name, get in readers.items()}


def reader(array: pa.Array) -> Reader:
    """Return how an array's values are read."""
    kind = array.type
    for matches, make in _KINDS:
        if matches(kind):
            return _with_nulls(array, make(array))
    return _one_by_one(lambda place: array[place].as_py())


def offsets(array: pa.Array) -> npt.NDArray[Any]:
    """Return where each value of a list, string or binary array begins, and where the last ends."""
    return _fixed(array, np.int64 if _is_large(array.type) else np.int32, extra=1)


def _is_large(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in _LARGE)


_LARGE = (pa.types.is_large_binary, pa.types.is_large_string, pa.types.is_large_list)


def _fixed(array: pa.Array, kind: npt.DTypeLike, extra: int = 0) -> npt.NDArray[Any]:
    """Return a view of an array's second buffer, which an array of no values may lack."""
    found = np.frombuffer(array.buffers()[1] or b"", kind)
    return found[array.offset : array.offset + len(array) + extra]


def _one_by_one(one: Get) -> Reader:
    return Reader(one, lambda start, stop: [one(place) for place in range(start, stop)])


def _of_values(values: npt.NDArray[Any]) -> Reader:
    return Reader(values.item, lambda start, stop: values[start:stop].tolist())


def _numbers(array: pa.Array) -> Reader:
    return _of_values(_fixed(array, array.type.to_pandas_dtype()))


def _flags(array: pa.Array) -> Reader:
    flags = pc.fill_null(array, fill_value=False)
    return _of_values(flags.to_numpy(zero_copy_only=False))


def _bytes(array: pa.Array) -> Reader:
    edge = offsets(array).item
    data = memoryview(array.buffers()[2] or b"")
    return _one_by_one(lambda place: bytes(data[edge(place) : edge(place + 1)]))


def _texts(array: pa.Array) -> Reader:
    edge = offsets(array).item
    data = memoryview(array.buffers()[2] or b"")
    return _one_by_one(lambda place: str(data[edge(place) : edge(place + 1)], "utf-8"))


def _lists(array: pa.Array) -> Reader:
    edge, items = offsets(array).item, reader(array.values).many
    return _one_by_one(lambda place: items(edge(place), edge(place + 1)))


def _fixed_lists(array: pa.Array) -> Reader:
    length, first = array.type.list_size, array.offset
    items = reader(array.values).many

    def one(place: int) -> list[Any]:
        start = (first + place) * length
        return items(start, start + length)

    return _one_by_one(one)


def _structs(array: pa.Array) -> Reader:
    names = [field.name for field in array.type]
    fields = [(name, reader(array.field(place)).one) for place, name in enumerate(names)]
    return _one_by_one(lambda place: {name: get(place) for name, get in fields})


def _with_nulls(array: pa.Array, values: Reader) -> Reader:
    if not array.null_count:
        return values
    valid, one = np.asarray(array.is_valid()), values.one
    return _one_by_one(lambda place: one(place) if valid[place] else None)


def _is_number(kind: pa.DataType) -> bool:
    # Half floats have no Python type, and Arrow's own has changed between its versions.
    return bool(pa.types.is_integer(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


_KINDS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], Reader]], ...] = (
    (_is_number, _numbers),
    (pa.types.is_boolean, _flags),
    (_is_text, _texts),
    (_is_bytes, _bytes),
    (_is_list, _lists),
    (pa.types.is_fixed_size_list, _fixed_lists),
    (pa.types.is_struct, _structs),
)
