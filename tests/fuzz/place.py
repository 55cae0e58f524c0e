"""Bytes at a place that the readers can open, and tiny releases with one hostile member."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from rawshelf import catalog
from rawshelf.partimagenet import miniature as parts
from rawshelf.release import Job
from rawshelf.sources import Source
from rawshelf.spair71k import miniature as pairs
from rawshelf.verification import verify_release
from tests.archives import tar


@contextmanager
def stored(data: bytes) -> Iterator[Path]:
    """Give the place of a file with these bytes, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="rawshelf-fuzz-") as folder:
        path = Path(folder) / "release"
        path.write_bytes(data)
        yield path


@cache
def release(dataset: str) -> dict[str, bytes]:
    """Return the files of the smallest release of which all kinds of rows come."""
    if dataset == "spair71k":
        counts = {"trn": 2, "val": 0, "test": 0}
        return dict(pairs.members(0, counts, pairs.CATEGORIES[:1], side=24))
    counts = {"train": 2, "val": 1, "test": 1}
    return dict(parts.members(0, counts, parts.WNIDS[:1], side=16))


def member(dataset: str, end: str) -> str:
    """Return the first file of the tiny release whose name ends so."""
    return next(name for name in release(dataset) if name.endswith(end))


def examine(dataset: str, name: str, data: bytes) -> None:
    """Do all that is done with a raw release to the tiny one, one file of which is other.

    Its tables are planned, which may be refused; it is inspected; it is verified, which reports
    what is wrong rather than refusing.
    """
    found = catalog.find(dataset)
    configs = tuple(config.name for config in found.configs)
    with stored(tar({**release(dataset), name: data})) as path:
        verified = verify_release(dataset, str(path))
        json.dumps([verified.to_json(), str(verified.refusal)], allow_nan=False).encode()
        job = Job(Source(str(path)), configs, str(path.parent), allow_missing=100_000)
        for table in found.prepare(job).tables.values():
            table.validate(full=True)
        inspect = found.tools().inspect
        if inspect is not None:
            seen = inspect(Job(Source(str(path)), (), str(path.parent)))
            json.dumps(seen, ensure_ascii=False).encode()
