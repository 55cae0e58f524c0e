"""A hash of the package's own code, so that what other code made is never taken for ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

_CODE = (".py", ".txt", ".tsv")


@cache
def code_fingerprint() -> str:
    """Return a hash of the package's code and tables.

    It keys caches and resumed shards.
    """
    digest = hashlib.sha256()
    for path, content in sorted(_code(resources.files("rawshelf"), "")):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:32]


def _code(folder: Traversable, prefix: str) -> Iterable[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _code(item, f"{prefix}{item.name}/")
        elif item.name.endswith(_CODE):
            yield f"{prefix}{item.name}", item.read_bytes()
