"""The file system behind a URL."""

from __future__ import annotations

from typing import Any


def file_system(url: str, **options: object) -> tuple[Any, str]:
    """Return the fsspec file system of a URL and the path there; None for this machine's own files.

    fsspec is imported with the first URL: most releases lie on a disk, and need none of it.

    Args:
        url: With a scheme, or a chain of such.
        options: For the file system.

    Raises:
        Exception: What the file system raises for a URL that it cannot open.
    """
    from fsspec.core import url_to_fs  # noqa: PLC0415 - see above
    from fsspec.implementations.local import LocalFileSystem  # noqa: PLC0415 - see above

    filesystem, path = url_to_fs(url, **options)
    return None if isinstance(filesystem, LocalFileSystem) else filesystem, path
