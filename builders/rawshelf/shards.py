"""From a shard task to Arrow tables: the one code path behind Parquet files and builders."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, starmap

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rawshelf import catalog
from rawshelf.blobs import BlobReader
from rawshelf.cutting import Ints
from rawshelf.errors import OutputError, SourceError
from rawshelf.features import IMAGE_TYPE, image_columns, schema
from rawshelf.members import Blob
from rawshelf.plan import ShardTask, image_indices, load_table
from rawshelf.release import Config
from rawshelf.report import Quarantined


def read_groups(task: ShardTask) -> Iterator[tuple[pa.Table, list[Quarantined]]]:
    """Yield a shard's row groups, images filled in.

    Args:
        task: Which rows of which planned table.

    Yields:
        One table per row group, and the rows set aside from it because their image is no good.
        For a config whose rows share images, image columns are
        ``struct<bytes: dictionary<int32, binary>, path: dictionary<int32, string>>`` with each
        image once; otherwise plain ``struct<bytes: binary, path: string>``.

    Raises:
        SourceError: If the release changed or is damaged.
        OutputError: If the plan was withdrawn, see `rawshelf.output`.
    """
    config = catalog.find(task.dataset).config(task.config)
    refuse_withdrawn(task)
    rows = load_table(task.table)
    blobs = load_table(task.blobs)
    start = 0
    with BlobReader() as reader:
        for end in task.ends:
            refuse_withdrawn(task)
            try:
                # Not named: a generator would hold the group while the next one is read.
                yield _group(rows.slice(start, end - start), blobs, config, reader)
            except SourceError:
                refuse_withdrawn(task)  # images of a compressed tar go with the plan
                raise
            start = end


def _group(
    rows: pa.Table, blobs: pa.Table, config: Config, reader: BlobReader
) -> tuple[pa.Table, list[Quarantined]]:
    """Fill a row group in."""
    group = _fill(rows, blobs, config, reader)
    return (group, []) if config.derive is None else config.derive(group)


def refuse_withdrawn(task: ShardTask) -> None:
    """Stop where the plan or the lease is gone.

    So a conversion that was interrupted stops its tasks, wherever an executor runs them.

    Raises:
        OutputError: If so.
    """
    if not (os.path.exists(task.lease) and os.path.exists(task.table)):
        raise OutputError(
            "The plan of the conversion was removed while it was in use.",
            archive=task.table,
            remedy="Run the same command again, and only one at a time on an output.",
        )


def read_batches(task: ShardTask) -> Iterator[pa.Table]:
    """Yield a shard's rows with plain columns, in tables small enough to hold.

    As `read_groups`, for readers that take no dictionaries; rows that share images come a few at
    a time, because here each row has its own copy. A warning names each row set aside.
    """
    config = catalog.find(task.dataset).config(task.config)
    plain = schema(config.columns)
    for group, aside in read_groups(task):
        for row in aside:
            warnings.warn(f"{row.member} is set aside: {row.reason}", stacklevel=2)
        step = config.batch_rows or max(len(group), 1)
        for start in range(0, len(group), step):
            piece = group.slice(start, step)
            arrays = [_plain(piece[name], item.type) for name, item in _named(plain)]
            yield pa.table(arrays, schema=plain)


def _named(plain: pa.Schema) -> list[tuple[str, pa.Field]]:
    return [(item.name, item) for item in plain]


def _plain(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    """Turn dictionaries within an image column into values."""
    if kind != IMAGE_TYPE or column.type == IMAGE_TYPE:
        return column
    struct = column.combine_chunks()
    struct = struct.chunk(0) if isinstance(struct, pa.ChunkedArray) else struct
    fields = [field.cast(field.type.value_type) for field in struct.flatten()]
    return pa.StructArray.from_arrays(fields, ["bytes", "path"], mask=struct.is_null())


def _fill(rows: pa.Table, blobs: pa.Table, config: Config, reader: BlobReader) -> pa.Table:
    """Put images in place of the indices."""
    for name in image_columns(config.columns):
        position = rows.column_names.index(name)
        indices = image_indices(rows[name])
        column = _shared(indices, blobs, reader) if config.shared else _own(indices, blobs, reader)
        rows = rows.set_column(position, pa.field(name, column.type), column)
    return rows


def _own(indices: Ints, blobs: pa.Table, reader: BlobReader) -> pa.StructArray:
    absent = indices < 0
    data, paths = _read(indices[~absent], blobs, reader)
    if absent.any():
        at = pa.array(np.cumsum(~absent) - 1, pa.int64(), mask=absent)
        data, paths = data.take(at), paths.take(at)
    return pa.StructArray.from_arrays([data, paths], ["bytes", "path"], mask=pa.array(absent))


def _shared(indices: Ints, blobs: pa.Table, reader: BlobReader) -> pa.StructArray:
    absent = indices < 0
    distinct, codes = np.unique(indices[~absent], return_inverse=True)
    views, names = _views(distinct, blobs, reader)
    firsts, same = _equal_to(views)
    kept = [views[first] for first in firsts]
    data = _coded(_binary([len(view) for view in kept], kept), same[codes], absent)
    paths = pa.array(names, pa.string()).dictionary_encode()
    found = np.asarray(paths.indices.to_numpy(), np.int64)[codes]
    fields = [data, _coded(paths.dictionary, found, absent)]
    return pa.StructArray.from_arrays(fields, ["bytes", "path"], mask=pa.array(absent))


def _coded(values: pa.Array, codes: Ints, absent: npt.NDArray[np.bool_]) -> pa.DictionaryArray:
    keys = np.zeros(len(absent), np.int32)
    keys[~absent] = codes
    return pa.DictionaryArray.from_arrays(pa.array(keys, pa.int32(), mask=absent), values)


def _equal_to(views: Sequence[memoryview]) -> tuple[list[int], Ints]:
    """Find equal images: a photograph can be in a release under two names.

    A dictionary with repeated values makes Arrow's Parquet writer give up the dictionary, and
    leave uninitialised memory in its page (seen with 26.0): every value must stand there once.

    Returns:
        The first image of each content, and for each image the place of its content among those.
    """
    sizes = Counter(len(view) for view in views)
    firsts: list[int] = []
    places: dict[bytes | int, int] = {}
    same = np.zeros(len(views), np.int64)
    for row, view in enumerate(views):
        # Equal images are of equal size, which few are: only those need to be looked at.
        content = bytes(view) if sizes[len(view)] > 1 else row
        same[row] = places.setdefault(content, len(firsts))
        if same[row] == len(firsts):
            firsts.append(row)
    return firsts, same


def _read(
    indices: Ints, blobs: pa.Table, reader: BlobReader
) -> tuple[pa.BinaryArray, pa.StringArray]:
    """Read blobs into one binary array, each byte copied once; give their base names beside it."""
    found, names = _named_blobs(indices, blobs)
    sizes = [blob.size for blob, _ in found]
    # One after another: a row group's bytes are held once, not also in pieces.
    return _binary(sizes, starmap(reader.read, found)), pa.array(names, pa.string())


def _views(
    indices: Ints, blobs: pa.Table, reader: BlobReader
) -> tuple[list[memoryview], list[str]]:
    """Return the bytes of blobs, and their base names."""
    found, names = _named_blobs(indices, blobs)
    return [reader.read(blob, name) for blob, name in found], names


def _named_blobs(indices: Ints, blobs: pa.Table) -> tuple[list[tuple[Blob, str]], list[str]]:
    """Return blobs with their names, and their base names."""
    rows = blobs.take(pa.array(indices)).to_pylist()
    names = [str(row.pop("name")) for row in rows]
    found = [(Blob(**row), name) for row, name in zip(rows, names, strict=True)]
    return found, [name.rpartition("/")[2] for name in names]


def _binary(sizes: Sequence[int], views: Iterable[memoryview]) -> pa.BinaryArray:
    """Return values of known sizes as one array, each copied as it comes."""
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    data = np.empty(offsets[-1], np.uint8)
    for (start, end), view in zip(pairwise(offsets.tolist()), views, strict=True):
        data[start:end] = view
    return pa.Array.from_buffers(
        pa.binary(), len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
