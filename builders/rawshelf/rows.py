"""Rows of an Arrow table as Python values, without a table, an array or a scalar made for each.

`datasets` slices the table and converts every value of a row through an Arrow scalar. Here each
record batch is looked at once, and then read in its own buffers: they stay mapped and are shared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from datasets import Dataset

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


def row_reader(dataset: Dataset) -> Get:
    """Return what gives the row of a place as ``dataset[place]`` does, in type too.

    Without that, where the dataset has no format and all of its features are known here: the values
    of others, as of images, are not those of the table.

    Args:
        dataset: May be filtered, shuffled or selected.

    Returns:
        Takes places from 0; the caller has checked that they are there.
    """
    form, table = dataset.format, dataset.data.table
    plain = form["type"] is None and form["columns"] == table.column_names
    if not plain or not _is_known(dict(dataset.features)):
        return lambda place: dict(dataset[place])
    rows = Rows(table)
    # Without a public name: that of a filtered or shuffled dataset is the only way to its order.
    indices = dataset._indices  # noqa: SLF001
    if indices is None:
        return rows.__getitem__
    order = indices.column(0).to_numpy().data
    return lambda place: rows[order[place]]


def _is_known(feature: Any) -> bool:
    """Tell whether a feature's values are what the table has, or lists and dicts of such."""
    import datasets  # noqa: PLC0415 - who has a dataset has imported it

    if isinstance(feature, dict):
        return all(map(_is_known, feature.values()))
    if isinstance(feature, list):
        return _is_known(feature[0])
    # Lists are `Sequence` up to `datasets` 3, and `List` since 4, where `Sequence` makes one.
    lists = (datasets.Sequence, datasets.LargeList, getattr(datasets, "List", datasets.Sequence))
    if isinstance(feature, lists):
        return _is_known(feature.feature)
    return isinstance(feature, (datasets.Value, datasets.ClassLabel))


def reader(array: pa.Array) -> Reader:
    """Return how an array's values are read."""
    make = _READERS.get(array.type.id)
    if make is None:
        return _one_by_one(lambda place: array[place].as_py())
    return _with_nulls(array, make(array))


def offsets(array: pa.Array) -> npt.NDArray[Any]:
    """Return where each value of a list, string or binary array begins, and where the last ends."""
    return _fixed(array, np.int64 if array.type.id in _LARGE else np.int32, extra=1)


def _fixed(array: pa.Array, kind: npt.DTypeLike, extra: int = 0) -> npt.NDArray[Any]:
    """Return a view of an array's second buffer, which an array of no values may lack."""
    found = np.frombuffer(array.buffers()[1] or b"", kind)
    return found[array.offset : array.offset + len(array) + extra]


def _one_by_one(one: Get) -> Reader:
    return Reader(one, lambda start, stop: [one(place) for place in range(start, stop)])


def _of_values(values: npt.NDArray[Any]) -> Reader:
    view = values.data  # gives Python numbers, and three times as fast as numpy
    return Reader(view.__getitem__, lambda start, stop: view[start:stop].tolist())


def _numbers(array: pa.Array) -> Reader:
    return _of_values(_fixed(array, array.type.to_pandas_dtype()))


def _flags(array: pa.Array) -> Reader:
    flags = pc.fill_null(array, fill_value=False)
    return _of_values(flags.to_numpy(zero_copy_only=False))


def _edges_and_data(array: pa.Array) -> tuple[memoryview, memoryview]:
    return offsets(array).data, memoryview(array.buffers()[2] or b"")


def _bytes(array: pa.Array) -> Reader:
    edge, data = _edges_and_data(array)
    return _one_by_one(lambda place: bytes(data[edge[place] : edge[place + 1]]))


def _texts(array: pa.Array) -> Reader:
    edge, data = _edges_and_data(array)
    return _one_by_one(lambda place: str(data[edge[place] : edge[place + 1]], "utf-8"))


def _lists(array: pa.Array) -> Reader:
    edge, items = offsets(array).data, reader(array.values).many
    return _one_by_one(lambda place: items(edge[place], edge[place + 1]))


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


_ITEM = pa.null()  # of types whose items do not matter
# Without half floats: they have no Python type, and Arrow's own has changed between its versions.
_NUMBERS = (
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
)
_LARGE = {kind.id for kind in (pa.large_binary(), pa.large_string(), pa.large_list(_ITEM))}
_READERS: dict[int, Callable[[pa.Array], Reader]] = {
    kind.id: make
    for make, kinds in (
        (_numbers, _NUMBERS),
        (_flags, (pa.bool_(),)),
        (_texts, (pa.string(), pa.large_string())),
        (_bytes, (pa.binary(), pa.large_binary())),
        (_lists, (pa.list_(_ITEM), pa.large_list(_ITEM))),
        (_fixed_lists, (pa.list_(_ITEM, 1),)),
        (_structs, (pa.struct([]),)),
    )
    for kind in kinds
}
