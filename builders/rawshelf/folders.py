"""Reading an unpacked release: a folder on disk or behind an fsspec URL."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rawshelf.errors import SourceError
from rawshelf.members import WHOLE, Blob, Guard, Member, reading

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def list_folder(root: str, guard: Guard) -> Iterator[Member]:
    """Yield the regular files below a local folder, sorted by name within each folder.

    Links are not followed: each is kept in ``guard.skipped_links`` for the report.

    Raises:
        SourceError: If a folder cannot be read, a name is unsafe or stands twice after folding
            case, or something is neither a file nor a folder.
    """
    pending = [""]
    while pending:
        prefix = pending.pop()
        for entry, state in _entries(os.path.join(root, prefix), prefix, guard):
            name = f"{prefix}{entry}"
            if stat.S_ISLNK(state.st_mode):
                guard.skipped_links.append(name)
            elif stat.S_ISDIR(state.st_mode):
                guard.admit_folder(name)
                pending.append(f"{name}/")
            elif stat.S_ISREG(state.st_mode):
                yield from _file(name, os.path.join(root, name), state.st_size, guard)
            else:
                raise _not_regular(name, stat.filemode(state.st_mode), guard)


def _entries(path: str, prefix: str, guard: Guard) -> list[tuple[str, os.stat_result]]:
    with reading(guard.archive, prefix or "."), os.scandir(path) as found:
        return sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in found)


def _not_regular(name: str, found: object, guard: Guard) -> SourceError:
    return guard.refuse(
        "A member is not a regular file.",
        name,
        found=found,
        expected="a regular file or a folder",
        remedy="Take it out of the folder of the release.",
    )


def list_remote(filesystem: AbstractFileSystem, root: str, guard: Guard) -> Iterator[Member]:
    """Yield the files below a folder of an fsspec file system, sorted by name.

    Raises:
        SourceError: If the folder cannot be read, or holds what no URL or size leads to.
    """
    with reading(guard.archive):
        found = sorted(filesystem.find(root, detail=True).items())
        top = filesystem._strip_protocol(root).rstrip("/")  # noqa: SLF001 - fsspec has no public form
    for path, details in found:
        name = path.removeprefix(f"{top}/")
        size = details.get("size")
        if details.get("type") == "link" or details.get("islink"):
            guard.skipped_links.append(name)
            continue
        if details.get("type") != "file" or not isinstance(size, int):
            raise _not_regular(name, f"{details.get('type')} of size {size}", guard)
        url = filesystem.unstrip_protocol(path)
        if "::" in url:
            raise guard.refuse("A name holds '::', which no URL can say.", name)
        yield from _file(name, url, size, guard)


def _file(name: str, path: str, size: int, guard: Guard) -> Iterator[Member]:
    plain = guard.admit(name, size, size)
    if plain is not None:
        yield Member(plain, size, Blob(path, 0, size, size, WHOLE, -1))
