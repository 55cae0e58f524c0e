"""The orientation tag of a JPEG: where it stands, and setting it to 1 without touching pixels.

Decoders that obey the tag (Pillow's `exif_transpose`, and `datasets` with it) turn the photograph,
but not its mask. Pillow reads the tag from Exif and, where that has none, from XMP: both count.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

UPRIGHT = 1
TURNED = frozenset({5, 6, 7, 8})  # orientations that swap width and height

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_APP1, _SCAN, _TAG = 0xE1, 0xDA, 0x0112
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_ENTRY = 12  # bytes of one entry of a TIFF directory
_LARGEST = 8
_KINDS = {1: "B", 3: "H", 4: "I"}  # TIFF's byte, short and long
_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')  # as Pillow searches


class Place(NamedTuple):
    """Where an orientation is stored.

    Attributes:
        offset: First byte of the value within the file.
        format: How `struct` packs it.
        value: The orientation, 1..8.
    """

    offset: int
    format: str
    value: int


def orientation(data: memoryview) -> int:
    """Return a JPEG's orientation, 1 where it has none."""
    return next((place.value for place in _places(data)), UPRIGHT)


def neutralised(data: memoryview) -> bytes:
    """Return the JPEG with every orientation tag set to 1 and nothing else changed."""
    changed = bytearray(data)
    for place in _places(data):
        value: object = b"1" if place.format == "c" else UPRIGHT
        struct.pack_into(place.format, changed, place.offset, value)
    return bytes(changed)


def _places(data: memoryview) -> Iterator[Place]:
    """Yield where a whole JPEG stores its orientation: Exif first, then XMP."""
    payloads = list(_application_segments(data))
    for start, payload in payloads:
        if payload.startswith(_EXIF):
            yield from _in_tiff(payload[len(_EXIF) :], start + len(_EXIF))
    for start, payload in payloads:
        if payload.startswith(_XMP):
            for match in _IN_XMP.finditer(payload):
                yield Place(start + match.start(1), "c", int(match[1]))


def _application_segments(data: memoryview) -> Iterator[tuple[int, bytes]]:
    """Yield the APP1 segments in front of the scan: where the payload begins, and the payload."""
    position, marker = 2, 0
    while position + 4 <= len(data) and marker != _SCAN:
        marker = data[position + 1]
        if marker == 0xFF or marker in _BARE:  # noqa: PLR2004 - fill bytes may stand here
            position += 1 if marker not in _BARE else 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker == _APP1:
            yield position + 4, bytes(data[position + 4 : position + 2 + length])
        position += 2 + length


def _in_tiff(tiff: bytes, start: int) -> Iterator[Place]:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for entry in range(first + 2, first + 2 + _ENTRY * count, _ENTRY):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, entry)
            if tag == _TAG and kind in _KINDS:
                pattern = f"{order}{_KINDS[kind]}"
                (value,) = struct.unpack_from(pattern, tiff, entry + 8)
                if UPRIGHT <= value <= _LARGEST:
                    yield Place(start + entry + 8, pattern, value)
    except struct.error:
        return  # a directory that ends too early: what it would have said next is unknown
