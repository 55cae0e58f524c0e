"""A lock between processes that share a folder, also on several machines."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


@contextmanager
def locked(place: Path, *, alone: bool = True) -> Iterator[None]:
    """Hold a lock file, creating it and its folder if need be; wait for whoever holds it.

    It saves work where the file system has locks. No result may depend on it.

    Args:
        place: The file. Who holds it alone may remove it.
        alone: Whether nobody else may hold it.

    Raises:
        OSError: If it cannot be created.
    """
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    while True:
        # The folder may vanish when whoever we waited for ends: then start over.
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            # For reading and writing: NFS asks for one or the other, by the kind of lock.
            lock = place.open("a+")
            if _holds(lock, place, kind):
                break
    with lock:
        yield


def _holds(lock: IO[str], place: Path, kind: int) -> bool:
    """Take the lock; tell whether it is still the file that others find, or else close it."""
    held = False
    try:
        _lock(lock.fileno(), kind)
        held = os.path.samestat(os.fstat(lock.fileno()), place.stat())
    finally:
        if not held:
            lock.close()
    return held


def _lock(handle: int, kind: int) -> None:
    try:
        fcntl.flock(handle, kind)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
