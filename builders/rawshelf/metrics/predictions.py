"""Predictions of others: read from Parquet or npz, and brought into the order of the truth."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rawshelf.errors import PredictionError

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.floating] | npt.NDArray[np.integer]

_SHOWN = 3
# What numpy raises for files that are none, damaged, encrypted or packed in an unknown way.
_UNREADABLE = (
    OSError,
    TypeError,
    ValueError,
    EOFError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    pa.ArrowException,
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """The columns of a file of predictions.

    Attributes:
        path: The file.
        columns: By name: an Arrow array, one entry per prediction, or a numpy array.
    """

    path: str
    columns: Mapping[str, pa.Array | npt.NDArray[np.generic]]

    def one_of(self, *names: str) -> str:
        """Return the first of the names that is a column.

        Raises:
            PredictionError: If none is.
        """
        for name in names:
            if name in self.columns:
                return name
        raise PredictionError(
            "The predictions lack a column.",
            archive=self.path,
            found=", ".join(self.columns) or "no columns",
            expected=" or ".join(names),
            remedy="Write that column; the command's --help describes the format.",
        )

    def keys(self, name: str) -> pa.Array:
        """Return a column that says what each prediction is for, one value each."""
        column = self.columns[name]
        if isinstance(column, np.ndarray) and column.ndim != 1:
            raise self.wrong(name, f"an array of shape {column.shape}", "one value per prediction")
        try:
            return column if isinstance(column, pa.Array) else pa.array(column)
        except pa.ArrowException as error:
            raise self.wrong(name, column.dtype, "whole numbers or text") from error

    def wrong(self, field: str, found: object, expected: str) -> PredictionError:
        """Build the error for a column of another kind than it should be."""
        return PredictionError(
            "A column of the predictions is not what it should be.",
            archive=self.path,
            field=field,
            found=found,
            expected=expected,
            remedy="Write the column as the command's --help describes it.",
        )


def read(path: str) -> Predictions:
    """Read a Parquet file, a folder of them, or an npz file.

    Raises:
        PredictionError: If it cannot be read as such.
    """
    try:
        if path.endswith(".npz"):
            return Predictions(path, _arrays(path))
        table = pq.read_table(path)
        columns = {name: whole(table[name]) for name in table.column_names}
    except _UNREADABLE as error:
        raise PredictionError(
            "The predictions cannot be read.",
            archive=path,
            found=str(error) or type(error).__name__,
            expected="a Parquet file, or a folder of them, or an .npz without pickled objects",
            remedy="Check the path, or write the predictions again.",
        ) from error
    return Predictions(path, columns)


def _arrays(path: str) -> dict[str, npt.NDArray[Any]]:
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        msg = "one array without a name, as in an .npy file"
        raise TypeError(msg)
    with loaded as file:
        arrays = {name: np.asarray(file[name]) for name in file.files}
    # Arrow takes this machine's byte order only.
    return {
        name: each.astype(each.dtype.newbyteorder("="), copy=False) for name, each in arrays.items()
    }


def whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array."""
    # `combine_chunks` of a column without chunks is an array in some versions, none in others.
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def places(found: pa.Array, expected: pa.Array, *, path: str, field: str) -> Ints:
    """Return where the prediction for each expected key is.

    Args:
        found: What each prediction is for.
        expected: What predictions are needed for, all different.
        path: The file, for errors.
        field: The column, for errors.

    Returns:
        Int64, one row of `found` per entry of `expected`.

    Raises:
        PredictionError: If a prediction is missing, given twice, or for something else.
    """
    try:
        keys = pc.cast(found, expected.type)
    except pa.ArrowException as error:
        raise Predictions(path, {}).wrong(field, found.type, str(expected.type)) from error
    where = pc.index_in(keys, value_set=expected)
    _refuse(keys.filter(pc.is_null(where)), "for nothing in this split", path, field)
    row = np.asarray(where.to_numpy(zero_copy_only=False), np.int64)
    times = np.bincount(row, minlength=len(expected))
    _refuse(expected.filter(pa.array(times > 1)), "given more than once", path, field)
    _refuse(expected.filter(pa.array(times == 0)), "missing", path, field)
    order = np.empty(len(expected), np.int64)
    order[row] = np.arange(len(row))
    return order


def _refuse(keys: pa.Array, how: str, path: str, field: str) -> None:
    if len(keys):
        some = ", ".join(str(key) for key in keys[:_SHOWN].to_pylist())
        raise PredictionError(
            f"{len(keys):,} predictions are {how}.",
            archive=path,
            field=field,
            found=some + (", ..." if len(keys) > _SHOWN else ""),
            expected="exactly one prediction for each row of the split",
            remedy="Evaluate on the split that was predicted, and predict all of it.",
        )


def ragged(column: pa.Array) -> tuple[Ints, pa.Array]:
    """Split a column of lists into offsets and what they hold, whatever the kind of list.

    Raises:
        TypeError: If it is no column of lists, or has nulls.
    """
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or _is_fixed(kind)):
        msg = str(kind)
        raise TypeError(msg)
    if column.null_count:
        msg = f"{column.null_count} nulls"
        raise TypeError(msg)
    lengths = np.asarray(pc.list_value_length(column).to_numpy(zero_copy_only=False), np.int64)
    return np.concatenate([[0], np.cumsum(lengths)]), column.flatten()


def _is_fixed(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_list(kind))


def numbers(column: pa.Array) -> npt.NDArray[np.float64]:
    """Return a column of numbers as float64.

    Raises:
        TypeError: If it holds anything else, or nulls.
    """
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)) or column.null_count:
        msg = f"{kind} with {column.null_count} nulls"
        raise TypeError(msg)
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def gather(offsets: Ints, order: Ints) -> Ints:
    """Return the places of the items of lists that are put into another order.

    Args:
        offsets: Int64 (lists + 1,), where each list begins and ends.
        order: Which list comes at each place.

    >>> gather(np.array([0, 2, 3]), np.array([1, 0])).tolist()
    [2, 0, 1]
    """
    lengths = np.diff(offsets)[order]
    starts = offsets[:-1][order]
    before = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else lengths
    return np.asarray(np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths))


def stacked(values: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Join arrays (n, 2), also if there are none."""
    return np.concatenate([np.empty((0, 2)), *values])
