"""Rows of an Arrow table as Python values, without a table, an array or a scalar made for each.

`datasets` slices the table and converts every value of a row through an Arrow scalar. Here each
record batch is looked at once, and then read in its own buffers: they stay mapped and are shared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from operator import getitem
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from datasets import Dataset

Get = Callable[[int], Any]
_Fields = list[tuple[str, Callable[[Any, int], Any], Any]]  # a name and its `Reader`
_Cut = tuple[Sequence[int], memoryview]  # where pieces begin, and what they are cut from
Apart = Mapping[str, _Cut]


class Reader(NamedTuple):
    """How the values of one array are read.

    The functions are few and shared by all arrays, so that they stay in the processor's cache while
    rows are taken at random from many batches.

    Attributes:
        get: Returns the value at a place of what `of` is.
        of: Views of the array's buffers, and readers of its children.
    """

    get: Callable[[Any, int], Any]
    of: Any


class Rows:
    """Rows of a table as dicts.

    Values are those of `pyarrow.Table.to_pydict`, in type too: int, float, bool, str, bytes, list,
    dict and None; what Arrow has besides (times, decimals, maps, dictionaries) as Arrow gives it.
    """

    def __init__(self, table: pa.Table, apart: Apart | None = None) -> None:
        """Take the batches; nothing is read.

        Args:
            table: Its columns.
            apart: By name of a struct column, the field ``bytes`` that stands before those of the
                table: where each value begins and ends, and what it is cut from.
        """
        self._apart = apart or {}
        self._batches = [batch for batch in table.to_batches() if batch.num_rows]
        self._starts: list[int] = [0, *accumulate(batch.num_rows for batch in self._batches)]
        self._columns: list[_Fields | None] = [None] * len(self._batches)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._starts[-1]

    def __getitem__(self, row: int) -> dict[str, Any]:
        """Return one row, counted from 0; the caller has checked that it is there."""
        number = bisect_right(self._starts, row) - 1
        columns = self._columns[number]
        if columns is None:
            batch = self._batches[number]
            # Two threads may both come here: they make the same.
            columns = _fields(batch.schema.names, batch.columns)
            self._columns[number] = columns = [self._with_apart(number, *each) for each in columns]
        return _dict(columns, row - self._starts[number])

    def _with_apart(
        self, number: int, name: str, get: Callable[[Any, int], Any], of: Any
    ) -> tuple[str, Callable[[Any, int], Any], Any]:
        """Put the field that is apart before a column's others."""
        cut = self._apart.get(name)
        if cut is None:
            return name, get, of
        edges, data = cut
        here = edges[2 * self._starts[number] :], data
        return name, get, [("bytes", _apart, here), *of]


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


def _fields(names: Iterable[str], arrays: Iterable[pa.Array]) -> _Fields:
    return [(name, *_reader(array)) for name, array in zip(names, arrays, strict=True)]


def _reader(array: pa.Array) -> Reader:
    make = _READERS.get(array.type.id)
    if make is None:
        return Reader(_scalar, array)
    found = make(array)
    if array.null_count:
        return Reader(_or_none, (np.asarray(array.is_valid()).data, *found))
    return found


def offsets(array: pa.Array) -> memoryview:
    """Return where each value of a list, string or binary array begins, and where the last ends."""
    return _fixed(array, "q" if array.type.id in _LARGE else "i", extra=1)


def _fixed(array: pa.Array, kind: Any, extra: int = 0) -> memoryview:
    """Return a view of an array's second buffer, which an array of no values may lack.

    Of a view, Python takes its own numbers, three times as fast as of a numpy array.
    """
    found: memoryview = memoryview(array.buffers()[1] or bytes(8)).cast("B").cast(kind)
    return found[array.offset : array.offset + len(array) + extra]


def _numbers(array: pa.Array) -> Reader:
    return Reader(getitem, _fixed(array, _NUMBERS[array.type.id]))


def _flags(array: pa.Array) -> Reader:
    flags = pc.fill_null(array, fill_value=False) if array.null_count else array
    return Reader(getitem, flags.to_numpy(zero_copy_only=False).data)


def _bytes(array: pa.Array) -> Reader:
    return Reader(_content, (offsets(array), memoryview(array.buffers()[2] or b"")))


def _texts(array: pa.Array) -> Reader:
    return Reader(_text, _bytes(array).of)


def _lists(array: pa.Array) -> Reader:
    return _lists_of(array.values, offsets(array))


def _fixed_lists(array: pa.Array) -> Reader:
    length, first = array.type.list_size, array.offset
    if not length:
        return Reader(_scalar, array)
    edges = range(first * length, (first + len(array)) * length + 1, length)
    return _lists_of(array.values, edges)


def _lists_of(values: pa.Array, edges: Sequence[int]) -> Reader:
    item = _reader(values)
    if item.get is getitem:
        return Reader(_values, (edges, item.of))
    return Reader(_list, (edges, *item))


def _structs(array: pa.Array) -> Reader:
    names = [field.name for field in array.type]
    return Reader(_dict, _fields(names, map(array.field, range(len(names)))))


def _scalar(array: pa.Array, place: int) -> Any:
    return array[place].as_py()


def _or_none(of: Any, place: int) -> Any:
    valid, get, values = of
    return get(values, place) if valid[place] else None


def _content(of: _Cut, place: int) -> bytes:
    edges, data = of
    return data[edges[place] : edges[place + 1]].tobytes()


def _apart(of: _Cut, place: int) -> bytes:
    edges, data = of
    return data[edges[2 * place] : edges[2 * place + 1]].tobytes()


def _text(of: _Cut, place: int) -> str:
    edges, data = of
    return data[edges[place] : edges[place + 1]].tobytes().decode()


def _values(of: _Cut, place: int) -> list[Any]:
    edges, values = of
    found: list[Any] = values[edges[place] : edges[place + 1]].tolist()
    return found


def _list(of: Any, place: int) -> list[Any]:
    edges, get, values = of
    return [get(values, item) for item in range(edges[place], edges[place + 1])]


def _dict(of: _Fields, place: int) -> dict[str, Any]:
    return {name: get(values, place) for name, get, values in of}


_ITEM = pa.null()  # of types whose items do not matter
# Without half floats: they have no Python type, and Arrow's own has changed between its versions.
_NUMBERS = {  # and how `struct` names them
    kind.id: np.dtype(kind.to_pandas_dtype()).char
    for kind in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    )
}
_LARGE = {kind.id for kind in (pa.large_binary(), pa.large_string(), pa.large_list(_ITEM))}
_READERS: dict[int, Callable[[pa.Array], Reader]] = dict.fromkeys(_NUMBERS, _numbers) | {
    kind.id: make
    for make, kinds in (
        (_flags, (pa.bool_(),)),
        (_texts, (pa.string(), pa.large_string())),
        (_bytes, (pa.binary(), pa.large_binary())),
        (_lists, (pa.list_(_ITEM), pa.large_list(_ITEM))),
        (_fixed_lists, (pa.list_(_ITEM, 1),)),
        (_structs, (pa.struct([]),)),
    )
    for kind in kinds
}
