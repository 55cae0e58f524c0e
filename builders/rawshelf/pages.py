"""Where the values of a binary column lie in a Parquet file, so that they can be taken from there.

pyarrow copies all values of a column before anybody asks for one, and who asks for `bytes` copies
them again. Images as `rawshelf.parquet` writes them stand in the file as they are. Only pages like
those are known here; of all others, pyarrow reads the values.

The layout is that of parquet.thrift and Encodings.md of https://github.com/apache/parquet-format,
headers in the compact protocol of Thrift.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from rawshelf.rows import Apart

_MOST_BESIDE = 32 << 20  # bytes: pyarrow reads so much beside the images at once
_I16, _I32, _I64, _STRUCT = 4, 5, 6, 12  # types of the compact protocol; no others are known here
_INTEGERS = (_I16, _I32, _I64)
_MOST_BITS = 64
_DEEPEST = 3  # structs within one another: a page's statistics are the third
# Fields of PageHeader and of DataPageHeader, and the values that are known.
_TYPE, _SIZE, _STORED, _DATA = 1, 2, 3, 5
_COUNT, _ENCODING, _LEVELS = 1, 2, 3
_DATA_PAGE, _PLAIN, _RLE = 0, 0, 3
_LENGTH = struct.Struct("<I")


class InPlace(NamedTuple):
    """A row group whose images can be taken from the file.

    Attributes:
        images: Where the bytes of each image column lie.
        others: What is left to read, as pyarrow names it.
    """

    images: Apart
    others: list[str]


class _Unknown(Exception):  # noqa: N818 - says that another reader is wanted
    """The pages are of a kind that is not read here."""


def images_in_place(
    data: memoryview, footer: pq.FileMetaData, group: int, columns: Sequence[str] | None
) -> InPlace | None:
    """Find the images of a row group.

    Args:
        data: The file.
        footer: Its metadata.
        group: Number of the row group.
        columns: Names of the wanted columns; all for None.

    Returns:
        None if there are no images, some that have to be decoded, or much beside them.
    """
    meta = footer.row_group(group)
    places: dict[str, dict[str, int]] = {}
    for place in range(meta.num_columns):
        path = meta.column(place).path_in_schema
        places.setdefault(path.partition(".")[0], {})[path] = place
    images: dict[str, tuple[list[int], memoryview]] = {}
    others: list[str] = []
    for name in places if columns is None else columns:
        content, path = f"{name}.bytes", f"{name}.path"
        if list(places.get(name, ())) != [content, path]:
            others.append(name)
            continue
        place = places[name][content]
        edges = _edges(data, meta.column(place), footer.schema.column(place), meta.num_rows)
        if edges is None:
            return None
        images[name] = edges
        others.append(path)
    beside = sum(meta.column(i).total_uncompressed_size for i in range(meta.num_columns))
    beside -= sum(len(pages) for _, pages in images.values())
    if beside > _MOST_BESIDE:
        return None
    return InPlace(images, others) if images else None


def _edges(
    data: memoryview, chunk: pq.ColumnChunkMetaData, column: pq.ColumnSchema, count: int
) -> tuple[list[int], memoryview] | None:
    """Find the values of a column whose path ends with ``.bytes``, if it is one of images."""
    # The name of a column with a dot in it is its whole path.
    known = column.name == "bytes" and column.physical_type == "BYTE_ARRAY"
    known = known and column.logical_type.type == "NONE" and not column.max_repetition_level
    if not known or chunk.compression != "UNCOMPRESSED" or chunk.has_dictionary_page:
        return None
    start = chunk.data_page_offset
    pages = data[start : start + chunk.total_compressed_size]
    edges = value_edges(pages, count, column.max_definition_level)
    return None if edges is None else (edges, pages)


def value_edges(chunk: memoryview, count: int, depth: int) -> list[int] | None:
    """Find the values of a column chunk.

    Args:
        chunk: Its bytes, from the header of its first page on.
        count: Number of its values, nulls included.
        depth: Its highest definition level: how many of its fields may be null.

    Returns:
        Where each value begins and ends in `chunk`, ``2 * count`` numbers; None if the pages are
        encoded or compressed, hold a null, or are no pages at all.
    """
    edges: list[int] = []
    at = 0
    try:
        while at < len(chunk):
            at = _page(chunk, at, depth, edges)
    except (_Unknown, KeyError, IndexError, TypeError, struct.error):
        return None
    return edges if at == len(chunk) and len(edges) == 2 * count else None


def _page(chunk: memoryview, at: int, depth: int, edges: list[int]) -> int:
    """Add the edges of one page's values; return where the page ends."""
    header, at = _fields(chunk, at)
    page = header[_DATA]
    kind = header[_TYPE], page[_ENCODING], page[_LEVELS]
    if kind != (_DATA_PAGE, _PLAIN, _RLE) or header[_SIZE] != header[_STORED]:
        raise _Unknown
    end = at + header[_SIZE]
    count = page[_COUNT]
    if depth:
        at = _past_levels(chunk, at, count, depth)
    for _ in range(count):
        (size,) = _LENGTH.unpack_from(chunk, at)
        start = at + _LENGTH.size
        at = start + size
        edges += (start, at)
    if at != end:
        raise _Unknown
    return at


def _past_levels(chunk: memoryview, at: int, count: int, depth: int) -> int:
    """Return where the definition levels end that say of each value that it is there."""
    (size,) = _LENGTH.unpack_from(chunk, at)
    start = at + _LENGTH.size
    run, value = _varint(chunk, start)
    # One run of equal levels: twice its length, and the level in a byte.
    if run != 2 * count or chunk[value] != depth or value + 1 != start + size:
        raise _Unknown
    return value + 1


def _fields(chunk: memoryview, at: int, levels: int = _DEEPEST) -> tuple[dict[int, Any], int]:
    """Read a struct of the compact protocol; return its fields by number, and where it ends."""
    found: dict[int, Any] = {}
    number = 0
    while head := chunk[at]:
        at += 1
        number += head >> 4
        kind = head & 15
        if kind in _INTEGERS and head >> 4:
            value, at = _varint(chunk, at)
            found[number] = value >> 1 ^ -(value & 1)  # zigzag: the sign is the lowest bit
        elif kind == _STRUCT and head >> 4 and levels > 1:
            found[number], at = _fields(chunk, at, levels - 1)
        else:
            raise _Unknown
    return found, at + 1


def _varint(chunk: memoryview, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first; return where it ends, too."""
    value = 0
    for shift in range(0, _MOST_BITS, 7):
        byte = chunk[at]
        at += 1
        value |= (byte & 127) << shift
        if byte == byte & 127:
            return value, at
    raise _Unknown
