"""Reading a zip in place: the central directory through `zipfile`, the data by ranges.

The central directory and the local headers must agree, members must not overlap, and only stored
and deflated regular files are accepted.
"""

from __future__ import annotations

import io
import stat
import struct
import unicodedata
import zipfile
from collections.abc import Iterator
from typing import IO

from rawshelf.errors import SourceError, TruncatedError
from rawshelf.members import DEFLATED, STORED, Blob, Guard, Member, printable, read_errors

LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
LOCAL_MAGIC = b"PK\x03\x04"
_END, _END_MAGIC = struct.Struct("<4s4H2LH"), b"PK\x05\x06"
_LONGEST_COMMENT = (1 << 16) - 1
# The end of a zip with 64-bit fields; where it lies is said by the locator between both ends.
_LARGE_END, _LARGE_END_MAGIC = struct.Struct("<4sQ2H2L4Q"), b"PK\x06\x06"
_LARGE_LOCATOR = 20  # bytes
_IN_LARGE_END = 0xFFFF
_LONGEST_END = _LARGE_END.size + _LARGE_LOCATOR + _END.size + _LONGEST_COMMENT
# Encryption of any kind (bits 0, 6, 13) and patches (bit 5).
_ENCRYPTED, _STATED_AFTER_DATA, _UTF8 = 0x2061, 0x8, 0x800
_IN_ZIP64_FIELD = 0xFFFFFFFF
_REMEDY = "Fetch the archive again, or pack the release anew with a plain zip tool."
_REMEDY_REPACK = "Unpack this archive with the tool that wrote it, and name the folder instead."


def list_zip(file: IO[bytes], guard: Guard, container: str) -> Iterator[Member]:
    """Yield the regular files of a zip in the order of its central directory.

    Raises:
        SourceError: If the zip is damaged, encrypted, uses another compression, overlaps, or
            holds anything but regular files and folders with plain names.
    """
    try:
        entries, end = _directory(file)
        _check_end(file, len(entries), guard)
    except read_errors(zipfile.BadZipFile, struct.error, OverflowError) as error:
        raise guard.refuse(
            "The zip has no readable central directory.",
            "(central directory)",
            kind=TruncatedError,
            found=error,
            remedy=_REMEDY,
        ) from error
    _check_places(entries, end, guard)
    entries.reverse()
    while entries:
        # Each is let go of as it passes: they are larger than the members made of them.
        member = _member(entries.pop(), guard, container)
        if member is not None:
            yield member


def _directory(file: IO[bytes]) -> tuple[list[zipfile.ZipInfo], int]:
    """Return the entries of the central directory, and where it begins."""
    with zipfile.ZipFile(file) as archive:
        return archive.infolist(), archive.start_dir


def _check_end(file: IO[bytes], entries: int, guard: Guard) -> None:
    """Compare the number of entries read with the number stated at the end.

    `zipfile` does not: where a damaged length lets an entry swallow those behind it, it goes on.
    """
    size = file.seek(0, io.SEEK_END)
    start = file.seek(max(0, size - _LONGEST_END))
    tail = file.read()
    place = tail.rfind(_END_MAGIC)
    fields = _END.unpack_from(tail, place)
    stated, comment = fields[4], fields[7]
    if len(tail) - place - _END.size < comment:
        raise guard.refuse(
            "The zip is cut short within the comment at its end.",
            "(end)",
            found=f"{size} bytes",
            expected=f"{start + place + _END.size + comment} bytes",
            remedy=_REMEDY,
        )
    large = place - _LARGE_END.size - _LARGE_LOCATOR
    modulus = 1 << 16  # also the number of tools that know no 64-bit fields
    if large >= 0 and tail[large : large + 4] == _LARGE_END_MAGIC:
        stated, modulus = _LARGE_END.unpack_from(tail, large)[7], 1 << 64
    elif stated == _IN_LARGE_END:
        return
    if (entries - stated) % modulus:
        raise guard.refuse(
            "The zip's central directory holds another number of entries than its end states.",
            "(central directory)",
            field="number of entries",
            found=entries,
            expected=stated,
            remedy=_REMEDY,
        )


def _member(entry: zipfile.ZipInfo, guard: Guard, container: str) -> Member | None:
    # zipfile cuts `filename` at a NUL and turns separators round: the original spelling counts.
    name = entry.orig_filename
    _check_kind(entry, name, guard)
    if name.endswith("/"):
        guard.admit_folder(name)
        return None
    plain = guard.admit(name, entry.file_size, entry.compress_size)
    if plain is None:
        return None
    blob = Blob(
        container,
        entry.header_offset,
        entry.file_size,
        entry.compress_size,
        entry.compress_type,
        entry.CRC,
    )
    return Member(plain, entry.file_size, blob)


def _check_kind(entry: zipfile.ZipInfo, name: str, guard: Guard) -> None:
    mode = stat.S_IFMT(entry.external_attr >> 16)
    folder = name.endswith("/") and entry.file_size == 0
    if mode not in {0, stat.S_IFDIR if folder else stat.S_IFREG} or name.endswith("/") > folder:
        raise guard.refuse(
            "A member is not a regular file.",
            name,
            found=f"mode {stat.filemode(mode)}, {entry.file_size} bytes",
            expected="a regular file or a folder",
        )
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in {STORED, DEFLATED}:
        raise guard.refuse(
            "A member cannot be read.",
            name,
            field="compression",
            found=f"method {entry.compress_type}, flags {entry.flag_bits:#x}",
            expected="stored or deflated, not encrypted",
            remedy=_REMEDY_REPACK,
        )


def _check_places(entries: list[zipfile.ZipInfo], end: int, guard: Guard) -> None:
    """Refuse members that share bytes, the trick of most zip bombs, or lie outside the file."""
    free = 0
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    if ordered and ordered[0].header_offset:
        raise guard.refuse(
            "Data stand before the first member.",
            ordered[0].orig_filename,
            field="offset",
            found=ordered[0].header_offset,
            expected=0,
            remedy=_REMEDY_REPACK,
        )
    for entry in ordered:
        if entry.header_offset < free:
            raise guard.refuse("Two members overlap.", entry.orig_filename)
        free = entry.header_offset + LOCAL_HEADER.size + entry.compress_size
        free += len(entry.orig_filename)
        if free > end:
            raise guard.refuse(
                "A member lies outside the archive.",
                entry.orig_filename,
                field="offset",
                found=entry.header_offset,
                expected=f"data that ends before byte {end}",
                remedy=_REMEDY,
            )


def header_length(window: memoryview, name: str, blob: Blob) -> int:
    """Return how many bytes after the local header's first byte the data begins.

    Args:
        window: Bytes of the archive from ``blob.offset`` on.
        name: The member's name, for the message.
        blob: What the central directory says of the member.

    Raises:
        SourceError: If no local header stands there.
    """
    if len(window) < LOCAL_HEADER.size or window[:4] != LOCAL_MAGIC:
        raise Guard(blob.container).refuse(
            "The central directory points at no member.",
            name,
            found=bytes(window[:4]),
            expected=LOCAL_MAGIC,
            remedy=_REMEDY,
        )
    fields = LOCAL_HEADER.unpack(window[: LOCAL_HEADER.size])
    return LOCAL_HEADER.size + int(fields[9]) + int(fields[10])


def check_header(header: memoryview, name: str, blob: Blob) -> None:
    """Compare a local header with the central directory.

    Args:
        header: The whole local header, with name and extra fields.
        name: The member's name within the release. Its outer folders may be spelled otherwise
            than in the container, so only the file and the folder that holds it must agree.
        blob: What the central directory says of the member.

    Raises:
        SourceError: If they disagree.
    """
    guard = Guard(blob.container)
    fields = LOCAL_HEADER.unpack(header[: LOCAL_HEADER.size])
    flags, method, sums, name_length = fields[2], fields[3], fields[6:9], fields[9]
    raw = bytes(header[LOCAL_HEADER.size : LOCAL_HEADER.size + name_length])
    local = raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
    if not _same_file(local, name):
        raise _disagreement(guard, name, "name", printable(local), name)
    if method != blob.method or flags & _ENCRYPTED:
        raise _disagreement(guard, name, "method", f"{method}, flags {flags:#x}", blob.method)
    for part, found, stated in zip(
        ("CRC-32", "packed size", "size"), sums, (blob.crc, blob.packed, blob.size), strict=True
    ):
        unknown = flags & _STATED_AFTER_DATA or found == _IN_ZIP64_FIELD
        if found != stated and not unknown:
            raise _disagreement(guard, name, part, found, stated)


def _same_file(local: str, name: str) -> bool:
    ours, theirs = _end_of(name), _end_of(unicodedata.normalize("NFC", local).removeprefix("./"))
    return all(mine == other for mine, other in zip(ours, theirs, strict=False))


def _end_of(name: str) -> list[str]:
    """Return the name of the file and that of its folder, if any."""
    return name.split("/")[::-1][:2]


def _disagreement(
    guard: Guard, name: str, part: str, found: object, expected: object
) -> SourceError:
    return guard.refuse(
        "The zip's central directory and the member's own header disagree.",
        name,
        field=part,
        found=found,
        expected=expected,
    )
