"""Chunks of a PNG, with the checksums that they should have."""

import struct
import zlib


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def with_content(png: bytes, kind: bytes, content: bytes) -> bytes:
    """Return a PNG whose first chunk of a kind has another content."""
    place = png.index(kind) - 4
    (length,) = struct.unpack_from(">I", png, place)
    return png[:place] + chunk(kind, content) + png[place + 12 + length :]
