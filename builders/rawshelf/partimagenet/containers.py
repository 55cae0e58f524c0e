"""Zips within a release's zip, as `PartImageNet_OOD.zip` holds train.zip, val.zip and test.zip.

A member that is a zip is listed like a folder of its own name: ``train.zip/train/...``. Where its
bytes stand as they are (stored, a file of a folder, a range of a tar), it is read in place; where
they are deflated or pass only once, it goes into one temporary file first. It is never unpacked.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import IO, NamedTuple

from isal import isal_zlib

from rawshelf.blobs import BlobReader, Spool
from rawshelf.errors import SourceError
from rawshelf.members import DEFLATED, INFLATE_ERROR, RAW, STORED, WHOLE, Blob, Guard, Member
from rawshelf.sources import FOLDER, Source, Wanted
from rawshelf.urls import file_system
from rawshelf.zips import LOCAL_HEADER, header_length, list_zip

_READ = 1 << 20
_DEPTH = 1  # a zip within a zip; a folder of zips is no level of its own
# The Hub repository of the release also holds Compositor's PascalPart, which is another dataset.
_OTHERS = ("pascal",)


class Window(io.RawIOBase):
    """A range of a file as a file of its own; reads and seeks only."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        """Choose the range: `size` bytes from `start` on. The file stays the caller's to close."""
        self._file = file
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can seek."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move within the range."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError("a seek to before the start")
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        """Return the place within the range."""
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Read at most so many bytes of the range; all that is left for -1."""
        left = max(0, self._size - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        self._file.seek(self._start + self._position)
        data = self._file.read(wanted)
        self._position += len(data)
        return data


class Inner(NamedTuple):
    """A zip found within a release.

    Attributes:
        name: The member.
        size: Its bytes.
        way: How it is read: ``in place`` or ``through a temporary file``.
        members: How many files it holds.
    """

    name: str
    size: int
    way: str
    members: int


@dataclass
class Nested:
    """Walks through a release and the zips in it.

    Attributes:
        source: The release.
        folder: Takes the temporary file.
        found: The zips that were met, filled while walking.
    """

    source: Source
    folder: str
    found: list[Inner] = field(default_factory=list)
    _spool: Spool | None = None
    _entries: int = 0
    _bytes: int = 0

    def walk(self, read: Wanted) -> Iterator[tuple[Member, memoryview | None]]:
        """Yield every member, those of inner zips in place of the zips.

        Args:
            read: Says by the name whether the bytes are wanted.

        Raises:
            SourceError: If a container is damaged, unsafe, or nested more deeply.
        """
        depth = _DEPTH + (self.source.kind == FOLDER)
        sequential = self.source.sequential
        try:
            for member, data in self.source.walk(
                lambda name: read(name) or (sequential and _is_zip(name))
            ):
                self._count(1, member.size)
                if _is_zip(member.name):
                    yield from self._inner(member, data, read, depth)
                else:
                    yield member, data
        finally:
            if self._spool is not None:
                self._spool.close()
                self._spool = None

    def _count(self, entries: int, size: int) -> None:
        self._entries += entries
        self._bytes += size

    def _inner(
        self, member: Member, data: memoryview | None, read: Wanted, depth: int
    ) -> Iterator[tuple[Member, memoryview | None]]:
        if depth == 0:
            raise self.source.guard.refuse(
                "A zip lies in a zip that itself lies in a zip.",
                member.name,
                expected="at most one zip within another",
                remedy="Take the outer archive apart, and name the inner one.",
            )
        blob, way = self._place(member, data)
        guard = self._guard(member)
        count = 0
        with ExitStack() as stack:
            file, start = _open(blob, stack, member.name)
            reader = stack.enter_context(BlobReader())
            for inner in list_zip(Window(file, start, blob.size), guard, blob.container):  # type: ignore[arg-type]
                self._count(1, inner.size)
                count += 1
                moved = _moved(inner, member.name, start)
                if _is_zip(moved.name):
                    yield from self._inner(moved, None, read, depth - 1)
                elif moved.blob is not None:
                    wanted = read(moved.name)
                    yield moved, reader.read(moved.blob, inner.name) if wanted else None
        self.source.guard.junk += guard.junk
        self.found.append(Inner(member.name, member.size, way, count))

    def _guard(self, member: Member) -> Guard:
        """Return the rules for an inner zip: what all members together may hold still counts."""
        limits = self.source.guard.limits
        left = replace(
            limits,
            members=max(0, limits.members - self._entries),
            total_bytes=max(0, limits.total_bytes - self._bytes),
        )
        return Guard(f"{self.source.url}!{member.name}", left)

    def _place(self, member: Member, data: memoryview | None) -> tuple[Blob, str]:
        """Return where the inner zip can be listed, and how."""
        blob = member.blob
        if blob is not None and blob.method != DEFLATED:
            return blob, "in place"
        if self._spool is None:
            self._spool = Spool(os.path.join(self.folder, "nested"))
        if blob is None:
            kept = self._spool.add(memoryview(b"") if data is None else data)
        else:
            kept = _spooled(blob, member.name, self._spool, self.source.guard)
        self._spool.flush()  # read below while more may follow
        return kept, "through a temporary file"


def _is_zip(name: str) -> bool:
    base = name.rpartition("/")[2].lower()
    return base.endswith(".zip") and not base.startswith(_OTHERS)


def _moved(inner: Member, outer: str, start: int) -> Member:
    """Name and place an inner member as one of the outer container."""
    blob = inner.blob
    moved = None if blob is None else blob._replace(offset=start + blob.offset)
    return Member(f"{outer}/{inner.name}", inner.size, moved)


def _open(blob: Blob, stack: ExitStack, name: str) -> tuple[IO[bytes], int]:
    """Open the container of a blob; return it and where the blob's data begin."""
    open_any, path = open, blob.container
    if "://" in path:
        filesystem, path = file_system(path)
        open_any = filesystem.open
    file: IO[bytes] = stack.enter_context(open_any(path, "rb"))
    if blob.method == WHOLE:
        return file, 0
    if blob.method == RAW:
        return file, blob.offset
    file.seek(blob.offset)
    header = memoryview(file.read(LOCAL_HEADER.size))
    return file, blob.offset + header_length(header, name, blob)


def _spooled(blob: Blob, name: str, spool: Spool, guard: Guard) -> Blob:
    """Inflate a member into the temporary file, a megabyte at a time."""
    with ExitStack() as stack:
        file, start = _open(blob._replace(method=STORED), stack, name)
        packed = Window(file, start, blob.packed)
        crc, size, first = 0, 0, None
        for piece in _inflated(packed, guard, name):
            crc, size = isal_zlib.crc32(piece, crc), size + len(piece)
            if size > blob.size:
                break
            kept = spool.add(memoryview(piece))
            first = kept if first is None else first
    if (size, crc) != (blob.size, blob.crc) or first is None:
        raise _damaged(guard, name, f"{size} bytes, CRC-32 {crc:08x}", blob)
    return first._replace(size=size, packed=size, crc=crc)


def _inflated(packed: Window, guard: Guard, name: str) -> Iterator[bytes]:
    inflater = isal_zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    while chunk := packed.read(_READ):
        while chunk:
            try:
                piece = inflater.decompress(chunk, max_length=_READ)
            except INFLATE_ERROR as error:
                raise _damaged(guard, name, error, None) from error
            if piece:
                yield piece
            chunk = inflater.unconsumed_tail
            if inflater.eof:
                return
    yield inflater.flush()


def _damaged(guard: Guard, name: str, found: object, blob: Blob | None) -> SourceError:
    return guard.refuse(
        "A zip within the release is damaged.",
        name,
        found=found,
        expected=None if blob is None else f"{blob.size} bytes, CRC-32 {blob.crc:08x}",
        remedy="Fetch the release again: these bytes are not what was packed.",
    )
