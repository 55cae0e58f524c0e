"""What an encoded image's header says, without decoding it.

Sizes are those of the stored pixel raster: an EXIF orientation is reported, never applied.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from isal import isal_zlib

JPEG, PNG = "JPEG", "PNG"

# Pillow refuses above twice 89,478,485 pixels (Image.MAX_IMAGE_PIXELS): a reader that cannot
# decode an image is no better off for having its bytes.
MAX_PIXELS = 178_956_970

# What Pillow raises for files that it cannot decode. It catches most itself: of an empty chunk iCCP
# behind the pixels comes an IndexError (seen with 13.0).
UNDECODABLE = (
    *(OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError),
    *(struct.error, zlib.error),
)

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_START_OF_SCAN = 0xDA
_APP1 = 0xE1
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_ORIENTATION_TAG = 0x0112
_TIFF_TYPES = {1: "B", 3: "H", 4: "I"}  # byte, short, long
_TAIL = 64  # bytes; a file that is whole and has nothing appended ends within them


class ImageProblem(ValueError):  # noqa: N818 - it is a finding about a file, handled by the caller
    """An image that cannot become a row; its text is the reason."""


class Header(NamedTuple):
    """What the header of an encoded image says.

    Attributes:
        format: ``JPEG`` or ``PNG``.
        width: Pixels of the stored raster.
        height: Pixels of the stored raster.
        components: Colour components of a JPEG (1 grey, 3 colour, 4 CMYK); PNG colour type.
        orientation: EXIF orientation 1..8; 1 where the file has none.
    """

    format: str
    width: int
    height: int
    components: int
    orientation: int


def probe(data: memoryview) -> Header:
    """Read the header of a JPEG or PNG and check that the file is whole.

    A PNG has a checksum for each of its chunks, which is compared: decoders accept pixels whose
    checksum differs (Pillow took 59 of 200 masks with one bit turned). A JPEG has none.

    Args:
        data: The encoded file.

    Raises:
        ImageProblem: If the file is empty, cut short, no JPEG or PNG, has too many pixels, or a
            checksum in it differs.
    """
    if not len(data):
        msg = "the file is empty"
        raise ImageProblem(msg)
    if data[:2] == _SOI:
        header = _probe_jpeg(data)
    elif data[:8] == _PNG_SIGNATURE:
        header = _probe_png(data)
    else:
        msg = f"no JPEG or PNG: it starts with {bytes(data[:8])!r}"
        raise ImageProblem(msg)
    if not 0 < header.width * header.height <= MAX_PIXELS:
        msg = f"{header.width} x {header.height} pixels; at most {MAX_PIXELS} are decodable"
        raise ImageProblem(msg)
    return header


def _probe_png(data: memoryview) -> Header:
    try:
        width, height, _, colour = struct.unpack_from(">IIBB", data, 16)
        orientation = _check_chunks(data)
    except struct.error as error:
        raise _cut_short(PNG) from error
    if bytes(data[12:16]) != b"IHDR":
        msg = "the PNG is damaged: its first chunk is no IHDR"
        raise ImageProblem(msg)
    return Header(PNG, width, height, colour, orientation)


def _check_chunks(data: memoryview) -> int:
    """Walk through the chunks to the last one; return the orientation.

    Raises:
        ImageProblem: If a checksum differs.
        struct.error: If the file ends before.
    """
    position, orientation, kind = len(_PNG_SIGNATURE), 1, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if struct.unpack_from(">I", data, end)[0] != isal_zlib.crc32(data[position + 4 : end]):
            msg = f"the PNG is damaged: the checksum of its chunk {str(kind, 'latin-1')!r} differs"
            raise ImageProblem(msg)
        if kind == b"eXIf":
            orientation = _tiff_orientation(bytes(data[position + 8 : end]))
        position = end + 4
    return orientation


def _probe_jpeg(data: memoryview) -> Header:
    position, orientation, frame = 2, 1, None
    try:
        while True:
            marker, position, length = _segment(data, position)
            if marker == _APP1 and orientation == 1:
                orientation = _exif_orientation(bytes(data[position : position + length]))
            elif marker in _START_OF_FRAME and frame is None:
                frame = struct.unpack_from(">BHHB", data, position)
            elif marker == _START_OF_SCAN:
                break
            position += length
    except (IndexError, struct.error) as error:
        raise _cut_short(JPEG) from error
    if frame is None:
        msg = "the JPEG is damaged: no frame header in front of the scan"
        raise ImageProblem(msg)
    if not _has_end(data, position + length):
        raise _cut_short(JPEG)
    _, height, width, components = frame
    return Header(JPEG, width, height, components, orientation)


def _has_end(data: memoryview, scan: int) -> bool:
    """Tell whether an end marker follows; most files end with one, others go on behind it."""
    # Entropy-coded data escapes every 0xFF, so an end marker behind the scan is a real one.
    return _EOI in bytes(data[max(scan, len(data) - _TAIL) :]) or _EOI in bytes(data[scan:])


def _segment(data: memoryview, position: int) -> tuple[int, int, int]:
    """Return the next marker, where its payload begins, and how long that is."""
    if data[position] != 0xFF:  # noqa: PLR2004 - the marker prefix
        msg = "the JPEG is damaged: no marker where one must stand"
        raise ImageProblem(msg)
    while data[position] == 0xFF:  # noqa: PLR2004 - may be repeated as fill
        position += 1
    marker = data[position]
    if marker in _NO_LENGTH:
        return marker, position + 1, 0
    (length,) = struct.unpack_from(">H", data, position + 1)
    return marker, position + 3, max(length - 2, 0)


def _cut_short(kind: str) -> ImageProblem:
    return ImageProblem(f"the {kind} is cut short")


def _exif_orientation(payload: bytes) -> int:
    """Return the orientation of an APP1 segment; 1 where it has none or is malformed."""
    return _tiff_orientation(payload[6:]) if payload.startswith(b"Exif\0\0") else 1


def _tiff_orientation(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for entry in range(first + 2, first + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                code = _TIFF_TYPES.get(kind, "H")
                (value,) = struct.unpack_from(f"{order}{code}", tiff, entry + 8)
                return value if 1 <= value <= 8 else 1  # noqa: PLR2004 - EXIF defines eight
    except struct.error:
        return 1
    return 1
