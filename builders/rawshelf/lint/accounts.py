"""The manifest of a conversion against the files beside it and the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import UnionType
from typing import Any

from rawshelf.lint.counts import infos
from rawshelf.lint.findings import Finding, finding
from rawshelf.lint.repository import Repository
from rawshelf.manifests import MANIFEST

# None is the split of a config's total.
_COUNTED = (("config", str), ("split", str | None), ("rows", int))
_FIELDS = (
    ("path", str),
    ("config", str),
    ("split", str),
    ("rows", int),
    ("bytes", int),
    ("sha256", str),
)


def check(repository: Repository) -> Iterator[Finding]:
    """Check the manifest, where rawshelf wrote one. Hashes are not computed."""
    manifest = repository.manifest
    if manifest is None:
        return
    if isinstance(manifest, Exception):
        yield finding("manifest-form", MANIFEST, manifest, "JSON")
        return
    files: Any = manifest.get("files")
    counts: Any = manifest.get("counts")
    if not _are_records(files, _FIELDS) or not _are_records(counts, _COUNTED):
        yield finding("manifest-form", MANIFEST, "other keys", "lists of files and counts")
        return
    yield from _files(repository, files)
    yield from _counts(repository, files, counts)


def _are_records(value: Any, fields: tuple[tuple[str, type | UnionType], ...]) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and all(_is_a(item.get(name), kind) for name, kind in fields)
        for item in value
    )


def _is_a(value: Any, kind: type | UnionType) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _files(repository: Repository, files: list[dict[str, Any]]) -> Iterator[Finding]:
    for number, file in enumerate(files):
        place = f"{MANIFEST} files/{number}"
        size = repository.files.get(file["path"])
        if size != file["bytes"]:
            found = "no such file" if size is None else f"{size:,} bytes"
            yield finding("manifest-file", place, f"{file['path']}: {found}", file["bytes"])
    listed = {file["path"] for file in files}
    for path in repository.footers:
        if path not in listed:
            yield finding("manifest-unlisted", path, "not in the manifest", "every data file in it")


def _counts(
    repository: Repository, files: list[dict[str, Any]], counts: list[dict[str, Any]]
) -> Iterator[Finding]:
    rows: Counter[tuple[Any, Any]] = Counter()
    for file in files:
        rows[file["config"], file["split"]] += file["rows"]
        rows[file["config"], None] += file["rows"]
    for number, count in enumerate(counts):
        expected = rows.get((count.get("config"), count.get("split")), 0)
        if count["rows"] != expected:
            place = f"{MANIFEST} counts/{number}"
            yield finding("manifest-counts", place, count["rows"], f"{expected}, as its files")
    for info in infos(repository):
        splits = info.values.get("splits")
        for number, split in enumerate(splits if isinstance(splits, list) else []):
            if isinstance(split, dict) and "num_examples" in split:
                expected = rows.get((info.config, str(split.get("name"))), 0)
                if split["num_examples"] != expected:
                    path = (*info.path, "splits", number, "num_examples")
                    place = repository.matter.place(*path)
                    found = repr(split["num_examples"])
                    yield finding("manifest-counts", place, found, f"{expected}, as {MANIFEST}")
