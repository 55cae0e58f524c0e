"""Small archives written byte by byte, so that every field of them can be wrong."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from rawshelf.sources import Source

BLOCK = 512
END = bytes(2 * BLOCK)
FILES = {f"d/{number:02}.txt": b"%d" % number * (number * 23) for number in range(24)}


def header(name: str | bytes, size: int | bytes = 0, kind: bytes = b"0", **raw: bytes) -> bytes:
    """Write a tar header; ``raw`` may hold prefix, magic, and the checksum."""
    block = bytearray(BLOCK)
    encoded = name.encode() if isinstance(name, str) else name
    block[: len(encoded)] = encoded
    block[100:108] = b"0000644\0"
    block[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
    block[156:157] = kind
    magic = raw.get("magic", b"ustar\x0000")
    block[257 : 257 + len(magic)] = magic
    prefix = raw.get("prefix", b"")
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b" " * 8
    block[148:156] = raw.get("checksum", b"%06o\0 " % sum(block))
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def entry(name: str | bytes, data: bytes = b"", kind: bytes = b"0", **raw: bytes) -> bytes:
    return header(name, len(data), kind, **raw) + padded(data)


def pax(**records: str | bytes) -> bytes:
    return pax_data({key.replace("_", "."): value for key, value in records.items()})


def pax_data(records: dict[str, str | bytes], kind: bytes = b"x") -> bytes:
    data = b""
    for key, value in records.items():
        body = b" %b=%b\n" % (key.encode(), value if isinstance(value, bytes) else value.encode())
        length = len(body) + len(str(len(body)))
        length = len(body) + len(str(length))
        data += str(length).encode() + body
    return entry("PaxHeader", data, kind)


def tar(files: dict[str, bytes] | None = None) -> bytes:
    return b"".join(entry(name, data) for name, data in (files or FILES).items()) + END


class Zipped(NamedTuple):
    """One member of a zip: what the data are, and what each header says of them."""

    name: bytes
    data: bytes = b""
    method: int = 0
    packed: bytes | None = None
    flags: int = 0
    mode: int = 0o100644
    local: dict[str, int | bytes] = {}  # noqa: RUF012 - read only
    central: dict[str, int | bytes] = {}  # noqa: RUF012 - read only


def zipped(*members: Zipped, between: bytes = b"", comment: bytes = b"") -> bytes:
    """Write a zip; ``local`` and ``central`` of a member replace what is true."""
    body, directory = b"", b""
    for member in members:
        packed = member.data if member.packed is None else member.packed
        true: dict[str, int | bytes] = {
            "name": member.name,
            "flags": member.flags,
            "method": member.method,
            "crc": zlib.crc32(member.data),
            "packed": len(packed),
            "size": len(member.data),
            "offset": len(body),
            "extra": b"",
        }
        near, far = true | member.local, true | member.central
        directory += _central(far, member.mode)
        body += _local(near) + packed
    body += between
    count = len(members)
    end = struct.pack(
        "<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), len(comment)
    )
    return body + directory + end + comment


def _fields(part: dict[str, int | bytes]) -> tuple[int | bytes, ...]:
    numbers = [part[key] for key in ("flags", "method")]
    sums = [part[key] for key in ("crc", "packed", "size")]
    return (*numbers, 0, 0x21, *sums)


def _local(part: dict[str, int | bytes]) -> bytes:
    name, extra = bytes(part["name"]), bytes(part["extra"])
    lengths = len(name), len(extra)
    return struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, *_fields(part), *lengths) + name + extra


def _central(part: dict[str, int | bytes], mode: int) -> bytes:
    name, extra = bytes(part["name"]), bytes(part["extra"])
    rest = (len(name), len(extra), 0, 0, 0, mode << 16, part["offset"])
    head = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 0x314, 20, *_fields(part), *rest)
    return head + name + extra


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def stored(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def walked(url: str) -> dict[str, bytes]:
    """Read everything there is."""
    found = Source(url).walk(lambda _: True)
    return {member.name: bytes(data) for member, data in found if data is not None}
