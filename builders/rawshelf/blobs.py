"""Reading the bytes that a `Blob` points at, and keeping those that nothing can point at.

A blob is a path and a range, so a shard task that carries blobs stays small, picklable and
independent. Members of a compressed tar have no range; they go through a `Spool` once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import IO, Self, cast

import deflate
import pyarrow as pa
from isal import isal_zlib

from rawshelf.errors import SourceError
from rawshelf.members import DEFLATED, RAW, WHOLE, Blob, Guard, reading
from rawshelf.urls import file_system
from rawshelf.zips import check_header, header_length

_REMOTE_BLOCK = 1 << 16
_USUAL_HEADER = 512  # of a zip member, with name and extra fields; if longer, it is read again
# A link or a fifo that has taken a file's place since the listing is not followed or waited for.
_PLAIN_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_REMEDY_CHANGED = "Leave the release unchanged while it is read, and run the command again."
_REMEDY_SPOOL = "A disk lost bytes of a temporary file: check it, and run the command again."
_REMEDY_DAMAGED = "Fetch the release again: these bytes are not what was packed."

BLOBS = pa.schema(
    [
        ("name", pa.string()),
        ("container", pa.dictionary(pa.int32(), pa.string())),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("packed", pa.int64()),
        ("method", pa.int8()),
        ("crc", pa.int64()),
    ]
)
LARGEST = (1 << 31) - 1  # bytes: offsets of Arrow's binary arrays are int32
INDEX = pa.int32()  # of a planned image: its row in the list of blobs, null for no image


def blob_table(named: Mapping[str, Blob]) -> pa.Table:
    """Return the list of blobs as a table of `BLOBS`, in the mapping's order.

    Raises:
        SourceError: If one is larger than an Arrow array of binary values holds.
    """
    for name, blob in named.items():
        if blob.size > LARGEST:
            raise SourceError(
                "A file is too large for an image.",
                member=name,
                found=f"{blob.size:,} bytes",
                expected=f"at most {LARGEST:,} bytes",
                remedy="Restore this file from the published release, or remove it.",
            )
    container, *numbers = ([blob[i] for blob in named.values()] for i in range(len(Blob._fields)))
    arrays = [
        pa.array(list(named), pa.string()),
        pa.array(container, pa.string()).dictionary_encode(),
        *(pa.array(n, item.type) for n, item in zip(numbers, list(BLOBS)[2:], strict=True)),
    ]
    return pa.table(arrays, schema=BLOBS)


class BlobReader:
    """Reads blobs; containers are opened once and stay open until `close`.

    Not thread-safe: each shard task has a reader of its own.
    """

    def __init__(self) -> None:
        """Open nothing yet."""
        self._stack = ExitStack()
        self._files: dict[str, int] = {}
        self._handles: dict[str, IO[bytes]] = {}

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all containers."""
        self.close()

    def close(self) -> None:
        """Let go of all containers. Views handed out stay valid."""
        self._files.clear()
        self._handles.clear()
        self._stack.close()

    def read(self, blob: Blob, name: str) -> memoryview:
        """Return a member's bytes.

        A copy, never a view of the mapped file: when a mapped file shrinks or its disk fails,
        the process is killed, while a read gives an error that can be told.

        Args:
            blob: Where they lie.
            name: The member's name, or the end of it below a wrapper folder.

        Raises:
            SourceError: If the container cannot be read or has changed, or size or CRC differ
                from what the blob states.
        """
        with reading(blob.container, name):
            if blob.method == WHOLE:
                data = self._whole(blob)
            elif blob.method == RAW:
                data = self._range(blob, blob.offset, blob.size)
            else:
                data = self._zip_member(blob, name)
        self._check_size(data, blob, name)
        if blob.crc >= 0:
            self._check_crc(data, blob, name)
        return data

    def _zip_member(self, blob: Blob, name: str) -> memoryview:
        window = self._range(blob, blob.offset, blob.packed + _USUAL_HEADER)
        length = header_length(window, name, blob)
        if length > _USUAL_HEADER:
            window = self._range(blob, blob.offset, blob.packed + length)
        check_header(window[:length], name, blob)
        packed = window[length : length + blob.packed]
        return _inflate(packed, blob, name) if blob.method == DEFLATED else packed

    def _check_crc(self, data: memoryview, blob: Blob, name: str) -> None:
        found = isal_zlib.crc32(data)
        if found != blob.crc:
            raise Guard(blob.container).refuse(
                "A member is damaged.",
                name,
                field="CRC-32",
                found=f"{found:08x}",
                expected=f"{blob.crc:08x}",
                remedy=_REMEDY_SPOOL if blob.method == RAW else _REMEDY_DAMAGED,
            )

    def _check_size(self, data: memoryview, blob: Blob, name: str) -> None:
        if len(data) != blob.size:
            raise SourceError(
                "A member has another size than the container stated.",
                archive=blob.container,
                member=name,
                field="size",
                found=len(data),
                expected=blob.size,
                remedy=_REMEDY_CHANGED,
            )

    def _whole(self, blob: Blob) -> memoryview:
        if "://" in blob.container:
            filesystem, path = file_system(blob.container)
            return memoryview(filesystem.cat_file(path))
        file = os.open(blob.container, _PLAIN_FILE)
        try:
            return _read_at(file, 0, blob.size + 1)
        finally:
            os.close(file)

    def _range(self, blob: Blob, offset: int, size: int) -> memoryview:
        if "://" not in blob.container:
            return _read_at(self._file(blob.container), offset, size)
        handle = self._handle(blob.container)
        handle.seek(offset)
        return memoryview(handle.read(size))

    def _file(self, path: str) -> int:
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._stack.callback(os.close, file)
        return file

    def _handle(self, url: str) -> IO[bytes]:
        handle = self._handles.get(url)
        if handle is None:
            filesystem, path = file_system(url)
            opened = filesystem.open(path, "rb", block_size=_REMOTE_BLOCK)
            handle = self._handles[url] = cast("IO[bytes]", self._stack.enter_context(opened))
        return handle


def _read_at(file: int, offset: int, size: int) -> memoryview:
    """Read a range, or what there is of it before the end of the file."""
    data = os.pread(file, size, offset)
    while len(data) < size and (more := os.pread(file, size - len(data), offset + len(data))):
        data += more
    return memoryview(data)


def _inflate(packed: memoryview, blob: Blob, name: str) -> memoryview:
    """Inflate into as many bytes as stated, so that a lying size costs nothing."""
    try:
        # One byte more: an empty member needs a place for its end, too.
        return memoryview(deflate.deflate_decompress(packed, blob.size + 1))
    except deflate.DeflateError as error:
        raise Guard(blob.container).refuse(
            "A member is damaged.",
            name,
            field="deflate stream",
            found=error,
            expected=f"{blob.size} bytes",
            remedy=_REMEDY_DAMAGED,
        ) from error


class Spool:
    """One temporary file that takes the members of a compressed tar as they pass.

    A compressed tar has no random access, while shards need their images in row order. The
    spool is an append-only file of image bytes; it is never a tree of files. It goes with the
    plan, so it is not flushed to the disk, which would cost as much as the output; a CRC tells
    whoever reads a blob that the bytes are what was added.
    """

    def __init__(self, path: str) -> None:
        """Create the file.

        Raises:
            OSError: If it cannot be created.
        """
        self.path = path
        self._file = open(path, "wb", buffering=1 << 20)  # noqa: SIM115 - closed by `close`
        self._end = 0

    def add(self, data: memoryview) -> Blob:
        """Append bytes and return where they lie."""
        self._file.write(data)
        blob = Blob(self.path, self._end, len(data), len(data), RAW, isal_zlib.crc32(data))
        self._end += len(data)
        return blob

    def flush(self) -> None:
        """Let readers see what was added so far."""
        self._file.flush()

    def close(self) -> None:
        """Write what is left, so that readers see all of it."""
        self._file.close()
