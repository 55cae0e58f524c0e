"""The largest index of a PNG, without decoding the rows that repeat the one above.

PNG stores a row as differences to its surroundings. Above, below and between the areas of a mask
many rows have none: those are left out, and the smaller PNG that is left holds the same indices.
"""

from __future__ import annotations

import re
import struct
import zlib

import deflate
import numpy as np
import numpy.typing as npt
import PIL.Image

Rows = npt.NDArray[np.uint8]

# By colour type (grey, palette), the chunks of a file that holds nothing besides its pixels.
_PLAIN = {0: re.compile(rb"IHDR(IDAT)+IEND"), 3: re.compile(rb"IHDRPLTE(IDAT)+IEND")}
_HEADER = struct.Struct(">IIBB3s")  # width, height, bits, colour type, methods
_METHODS = bytes(3)  # of compression, filters and interlace: the only ones, and none
_BITS = 8
_COLOURS = 3 << _BITS  # bytes of the largest palette
_CHUNK, _FIRST_AT = struct.Struct(">I4s"), 8  # length of the content, kind
_SUM = 4  # bytes of a checksum, which `probe` has compared
_UP = 2  # the filter that stores the differences to the row above


def largest(data: memoryview) -> int | None:
    """Return the largest index of a PNG.

    Args:
        data: The file; `rawshelf.images.probe` has found it whole.

    Returns:
        None for all but grey and palette PNGs of 8 bits without interlace and further chunks, and
        for damaged ones: what these hold, or what is wrong with them, a decoder tells.
    """
    try:
        rows = _stored_rows(data)
        return None if rows is None else _largest(rows)
    except (deflate.DeflateError, struct.error, OSError, ValueError):
        return None


def _stored_rows(data: memoryview) -> Rows | None:
    """Return the rows as stored, (height, 1 + width): the number of its filter begins each."""
    chunks = _chunks(data)
    width, height, bits, colour, methods = _HEADER.unpack(chunks[0][1])
    if (bits, methods) != (_BITS, _METHODS) or colour not in _PLAIN:
        return None
    if not _PLAIN[colour].fullmatch(b"".join(kind for kind, _ in chunks)):
        return None
    if any(kind == b"PLTE" and len(content) > _COLOURS for kind, content in chunks):
        return None
    packed = b"".join(content for kind, content in chunks if kind == b"IDAT")
    # Of another size, it is no array of this shape.
    stored = deflate.zlib_decompress(packed, height * (1 + width))
    return np.frombuffer(stored, np.uint8).reshape(height, 1 + width)


def _chunks(data: memoryview) -> list[tuple[bytes, memoryview]]:
    """Return kind and content of each chunk."""
    found: list[tuple[bytes, memoryview]] = []
    place = _FIRST_AT
    while not found or found[-1][0] != b"IEND":
        length, kind = _CHUNK.unpack_from(data, place)
        start = place + _CHUNK.size
        stop = start + length
        found.append((kind, data[start:stop]))
        place = stop + _SUM
    return found


def _largest(rows: Rows) -> int:
    differs = np.bitwise_or.reduce(rows[:, 1:], axis=1) != 0
    rows = rows[differs | (rows[:, 0] != _UP)]
    if not len(rows):
        return 0  # above the first row, zeros are implied
    # Pillow undoes the filters. It takes a stream: one that is only wrapped costs the least.
    stream = zlib.compress(rows.data, 0)
    image = PIL.Image.frombytes("L", (rows.shape[1] - 1, len(rows)), stream, "zip", "L", 0)
    return int(np.asarray(image).max())
