"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

TEMPORARY = ".part"
# To be hashed at a time: as long as hashing a piece takes, other threads can run.
_PIECE = 1 << 20


class Readable(Protocol):
    """An open file."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Read into a buffer; return how many bytes came, 0 at the end."""


@contextmanager
def publish(path: str, *, within: str | None = None) -> Iterator[str]:
    """Let a file appear whole: write to a temporary name, flush, rename, flush the folder.

    Args:
        path: Where the file will stand.
        within: Folder for the temporary file, on the same file system; that of `path` if None.

    Yields:
        The temporary path to write to.
    """
    folder, name = os.path.split(path)
    # Unique on all hosts: where locks do not work, two may write the same shard.
    unique = f"{name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}"
    temporary = os.path.join(within or folder, unique)
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    flush(folder)


def flush(path: str) -> None:
    """Make a file or folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: str) -> tuple[str, int]:
    """Return a file's sha256 (hex) and its size."""
    with open(path, "rb", buffering=0) as file:
        return stream_sha256(file)


def stream_sha256(file: Readable) -> tuple[str, int]:
    """Return the sha256 (hex) of what is left of an open file, and its size."""
    digest = hashlib.sha256()
    size = 0
    # One for all pieces: the system would have to clear the pages of a new one each time.
    piece = memoryview(bytearray(_PIECE))
    while count := file.readinto(piece):
        digest.update(piece[:count])
        size += count
    return digest.hexdigest(), size
