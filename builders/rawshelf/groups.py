"""Reading row groups of a conversion's shards, one after another, wherever the shards are.

Nothing is read ahead of the row group that is being read, and nothing in another thread: a reader
that is dropped in the middle leaves nothing behind that could hold up the interpreter's end.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from math import log2
from typing import IO, Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from rawshelf.pages import images_in_place
from rawshelf.published import Published, reaching
from rawshelf.ranges import RangeFile, Span, Window, spans
from rawshelf.records import ShardRecord
from rawshelf.rows import Rows

Item = TypeVar("Item")

# Measured: a footer with the names of 1,000 classes, of 16 row groups, has 75 kB.
_FOOTER_GUESS = 1 << 17
_FOOTER_TAIL = 8  # the footer's length and the magic number
_BATCH_BYTES = 2 << 20  # of rows that are decoded at a time: about what a processor's cache holds
_BUFFER = 1 << 16  # what pyarrow asks for at a time; more where a page is larger


class Piece(NamedTuple):
    """Row groups of one shard.

    Attributes:
        path: Of the shard, below the root of the conversion.
        size: Of the file, in bytes.
        groups: Numbers of the row groups.
    """

    path: str
    size: int
    groups: tuple[int, ...]


def pieces(files: Sequence[ShardRecord]) -> list[Piece]:
    """Return the pieces of a split that readers can share, and go on behind.

    They are its row groups where all shards have equally many, as even as `even_edges` makes
    them; else whole shards, which always are even.
    """
    rows = [count for file in files for count in file.groups]
    even = max(rows) - min(rows) <= 1 and len({len(file.groups) for file in files}) == 1
    return [
        Piece(file.path, file.bytes, groups)
        for file in files
        for groups in (
            [(group,) for group in range(len(file.groups))]
            if even
            else [tuple(range(len(file.groups)))]
        )
    ]


class _Mapped(NamedTuple):
    """A shard of this machine, as bytes and as a Parquet file."""

    data: memoryview
    file: pq.ParquetFile


class GroupReader:
    """Reads pieces of one conversion, as Arrow tables or row by row.

    It can be pickled; what it has opened stays behind. Several threads may each read a piece:
    `datasets` 5 shuffles so. What one of them has open, no other uses.
    """

    def __init__(
        self, published: Published, columns: Sequence[str] | None, rows: int | None
    ) -> None:
        """Open nothing yet.

        Args:
            published: The conversion.
            columns: Names of those to read; all for None.
            rows: To decode at a time; chosen by their size for None.
        """
        self._published = published
        self._columns = None if columns is None else list(columns)
        self._rows = rows
        self._forget()

    def _forget(self) -> None:
        self._footers: dict[str, pq.FileMetaData] = {}
        self._idle: dict[str, Any] = {}
        self._window = Window()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is open."""
        return {name: self.__dict__[name] for name in ("_published", "_columns", "_rows")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin anew."""
        self.__dict__.update(state)
        self._forget()

    def schema(self, piece: Piece) -> pa.Schema:
        """Return the Arrow schema of a shard, with its metadata.

        Raises:
            SourceError: If the shard cannot be read.
        """
        with reaching(self._published.place, piece.path):
            return self._footer(piece).schema.to_arrow_schema()

    def tables(self, piece: Piece) -> Iterator[pa.Table]:
        """Yield the rows of a piece, some at a time.

        Raises:
            SourceError: If the shard cannot be read, or is not the one of the manifest.
        """
        copied = (self._copied(piece, group) for group in piece.groups)
        return self._reaching(piece, chain.from_iterable(copied))

    def rows(self, piece: Piece) -> Iterator[Rows]:
        """Yield the rows of a piece, some at a time.

        Raises:
            SourceError: If the shard cannot be read, or is not the one of the manifest.
        """
        read = self._in_place if self._local else self._as_tables
        return self._reaching(piece, chain.from_iterable(read(piece, g) for g in piece.groups))

    def _reaching(self, piece: Piece, items: Iterator[Item]) -> Iterator[Item]:
        while True:
            # Never around a `yield`: at the interpreter's end a dropped generator would leave the
            # context when the modules that it needs are gone.
            with reaching(self._published.place, piece.path):
                item = next(items, None)
            if item is None:
                return
            yield item

    def _as_tables(self, piece: Piece, group: int) -> Iterator[Rows]:
        return map(Rows, self._copied(piece, group))

    def _copied(self, piece: Piece, group: int) -> Iterator[pa.Table]:
        """Yield tables that are copies of what is in the file."""
        footer = self._footer(piece)
        source = self._take(piece)
        file = source.file if self._local else self._remote(source, piece, group)
        rows = self._rows or self._batch_rows(footer, group)
        for batch in file.iter_batches(rows, [group], columns=self._columns, use_threads=False):
            yield pa.Table.from_batches([batch])
        self._give_back(piece, source)

    def _in_place(self, piece: Piece, group: int) -> Iterator[Rows]:
        """Yield rows whose images are taken from the mapped file, where all of them can be."""
        source = self._take(piece)
        found = images_in_place(source.data, self._footer(piece), group, self._columns)
        rows = None
        if found is not None:
            table = source.file.read_row_group(group, columns=found.others, use_threads=False)
            # A damaged path may say that there is no image where the bytes say that there is one.
            if not any(table[name].null_count for name in found.images):
                rows = Rows(table, found.images)
        self._give_back(piece, source)
        return self._as_tables(piece, group) if rows is None else iter([rows])

    @property
    def _local(self) -> bool:
        return self._published.filesystem is None

    def _take(self, piece: Piece) -> Any:
        """Return a mapped shard, or the handle of a remote one, for this thread alone."""
        return self._idle.pop(piece.path, None) or self._open(piece)

    def _give_back(self, piece: Piece, source: Any) -> None:
        if self._local:
            self._idle.clear()  # or all that was ever read would stay mapped
        self._idle[piece.path] = source

    def _open(self, piece: Piece) -> Any:
        path = self._published.path(piece.path)
        if self._local:
            footer = self._footer(piece)
            data = pa.memory_map(path).read_buffer()
            file = pq.ParquetFile(pa.BufferReader(data), metadata=footer, pre_buffer=False)
            return _Mapped(memoryview(data).cast("B"), file)
        # What is fetched is decided here: the caches of fsspec fetch 5 MB for a single byte.
        return self._published.filesystem.open(path, "rb", cache_type="none", size=piece.size)

    def _remote(self, handle: IO[bytes], piece: Piece, group: int) -> pq.ParquetFile:
        footer = self._footer(piece)
        wanted = spans(self._chunks(footer, group), self._window.size)
        file = RangeFile(handle, piece.size, wanted, self._window)
        # pyarrow's own read-ahead takes whole row groups, in threads that outlive a dropped reader.
        return pq.ParquetFile(file, metadata=footer, buffer_size=_BUFFER, pre_buffer=False)

    def _chunks(self, footer: pq.FileMetaData, group: int) -> list[Span]:
        """Return the byte ranges of the wanted columns in a row group."""
        meta = footer.row_group(group)
        chunks = []
        for index in range(meta.num_columns):
            chunk = meta.column(index)
            if self._columns is None or chunk.path_in_schema.split(".")[0] in self._columns:
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                chunks.append((start, start + chunk.total_compressed_size))
        return chunks

    def _batch_rows(self, footer: pq.FileMetaData, group: int) -> int:
        rows: int = footer.row_group(group).num_rows
        size = sum(stop - start for start, stop in self._chunks(footer, group))
        wanted = max(1, rows * _BATCH_BYTES // max(size, 1))
        # A power of two ends with a page of images, see `rawshelf.parquet` (measured: 1.25 times as
        # fast as to end within one).
        return min(rows, 1 << round(log2(wanted)))

    def _footer(self, piece: Piece) -> pq.FileMetaData:
        if piece.path not in self._footers:
            self._footers[piece.path] = self._read_footer(piece)
        return self._footers[piece.path]

    def _read_footer(self, piece: Piece) -> pq.FileMetaData:
        if self._local:
            path = self._published.path(piece.path)
            _check_size(os.path.getsize(path), piece)
            return pq.read_metadata(path)
        handle = self._take(piece)
        tail = _last(handle, piece, min(piece.size, _FOOTER_GUESS))
        length = int.from_bytes(tail[-_FOOTER_TAIL:][:4], "little") + _FOOTER_TAIL
        if len(tail) < length <= piece.size:
            tail = _last(handle, piece, length)
        self._give_back(piece, handle)
        return pq.read_metadata(io.BytesIO(tail))


def _last(handle: IO[bytes], piece: Piece, length: int) -> bytes:
    handle.seek(piece.size - length)
    tail = handle.read(length)
    _check_size(piece.size - length + len(tail), piece)
    return tail


def _check_size(found: int, piece: Piece) -> None:
    if found != piece.size:
        msg = f"{found:,} bytes instead of the {piece.size:,} that the manifest states"
        raise OSError(msg)
