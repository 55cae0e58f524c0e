"""What tests ask of an output folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["content", "digest", "observed", "published", "sha256"]


def sha256(path: Path) -> str:
    """Return a file's hash."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest(rows: Iterable[dict[str, Any]]) -> tuple[int, str]:
    """Return how many rows there are, and a hash of all in order."""
    count, whole = 0, hashlib.sha256()
    for row in rows:
        text = json.dumps(row, default=lambda image: hashlib.sha256(image).hexdigest())
        whole.update(f"{text}\n".encode())
        count += 1
    return count, whole.hexdigest()


def content(out: Path) -> dict[str, str]:
    """Return the hash of every file below a folder, by its path.

    Manifest and card without what they say of the input.
    """
    found = {p.relative_to(out).as_posix(): _hash(p) for p in out.rglob("*") if p.is_file()}
    found["manifest.json"] = json.dumps(published(out))
    return found


def _hash(path: Path) -> str:
    if path.name != "README.md":
        return sha256(path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    of_input = ("| bytes of `", "| sha256 of `")
    kept = "".join(line for line in lines if not line.startswith(of_input))
    return hashlib.sha256(kept.encode()).hexdigest()


def published(out: Path) -> dict[str, Any]:
    """Return the manifest without what tells one packing of a release from another."""
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return {key: manifest[key] for key in manifest if key not in {"key", "input", "card"}}


def observed(out: Path, expected: dict[str, str]) -> set[str]:
    """Check what an observer of an interrupted conversion sees, and return the paths.

    Whatever is visible is one of the expected files, whole; and what a manifest or card names is
    there before it.
    """
    seen = {
        path.relative_to(out).as_posix(): path
        for path in out.rglob("*")
        if path.is_file() and not path.relative_to(out).as_posix().startswith(".rawshelf/")
    }
    for name, path in seen.items():
        assert name in expected
        assert name == "manifest.json" or expected[name] == _hash(path)
    if "manifest.json" in seen:
        for file in published(out)["files"]:
            assert file["sha256"] == sha256(seen[file["path"]])
    if "README.md" in seen:
        assert "manifest.json" in seen
    return set(seen)
