"""Menders: what makes a mutant whole enough that a reader looks further than at its sums."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress

from tests.archives import BLOCK

_MOST = 1 << 16  # bytes that are unpacked
_SUM = slice(148, 156)
_SIZE = slice(124, 135)
_LOCAL, _CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def mend_tar(data: bytes) -> bytes:
    """Put the right checksum into every header that the sizes lead to."""
    mended = bytearray(data)
    start = 0
    while start + BLOCK <= len(mended) and any(mended[start : start + BLOCK]):
        block = mended[start : start + BLOCK]
        block[_SUM] = b" " * 8
        mended[start + 148 : start + 156] = b"%06o\0 " % sum(block)
        digits = bytes(block[_SIZE]).strip(b" \0")
        size = int(digits, 8) if digits.isdigit() and not set(digits) & {56, 57} else 0
        start += BLOCK + size + -size % BLOCK
    return bytes(mended)


def mend_gzip(data: bytes) -> bytes:
    """Pack anew what can still be unpacked, with the sums of its headers right."""
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    found = b""
    with suppress(zlib.error):
        for place in range(len(data)):
            found += reader.decompress(data[place : place + 1], _MOST)
            if len(found) >= _MOST:
                break
    return gzip.compress(mend_tar(found), mtime=0)


def mend_zip(data: bytes) -> bytes:
    """Put the right sum of a stored first member into both of its headers."""
    mended = bytearray(data)
    packed, _, name, extra = struct.unpack_from("<IIHH", mended, 18)
    start = 30 + name + extra
    mended[14:18] = struct.pack("<I", zlib.crc32(mended[start : start + packed]))
    central = mended.find(_CENTRAL)
    if mended[:4] == _LOCAL and central >= 0:
        mended[central + 16 : central + 20] = mended[14:18]
    return bytes(mended)


MENDERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": mend_tar,
    "gzip": mend_gzip,
    "zip": mend_zip,
    "zip_within": mend_zip,
}
