"""Figures of dataset_info against the footers and sizes of the files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from rawshelf.lint.findings import Finding, finding
from rawshelf.lint.repository import Repository, Split

# A group that the dataset viewer cannot hold in memory is TooBigContentError there; its limit is
# 300,000,000 bytes, which its messages give as 286.10 MiB.
LARGEST_GROUP = 300_000_000
_DEFAULT = "default"


class Info(NamedTuple):
    """One entry of dataset_info that is a mapping.

    Attributes:
        config: Name of its config.
        values: Its values.
        path: Its path of keys in the front matter.
    """

    config: str
    values: dict[Any, Any]
    path: tuple[object, ...]


def infos(repository: Repository) -> Iterator[Info]:
    """Yield the entries of dataset_info: it may be one mapping, or a list of them."""
    value = repository.card.get("dataset_info")
    entries = value if isinstance(value, list) else [value]
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            path = ("dataset_info", number) if isinstance(value, list) else ("dataset_info",)
            yield Info(str(entry.get("config_name", _DEFAULT)), entry, path)


def check(repository: Repository) -> Iterator[Finding]:
    """Check dataset_info, and the footers of all files."""
    yield from _form(repository)
    yield from _configs(repository)
    for info in infos(repository):
        if info.config in repository.configs:
            yield from _splits(repository, info, repository.configs[info.config])
            yield from _sizes(repository, info, repository.configs[info.config])
    yield from _footers(repository)


def _form(repository: Repository) -> Iterator[Finding]:
    value = repository.card.get("dataset_info")
    entries = value if isinstance(value, list) else [] if value is None else [value]
    for entry in entries:
        if not isinstance(entry, dict):
            place = repository.matter.place("dataset_info")
            yield finding("info-form", place, repr(entry), "a mapping")
    for info in infos(repository):
        splits = info.values.get("splits", [])
        if not isinstance(splits, list) or not all(
            isinstance(split, dict) and isinstance(split.get("name"), str) for split in splits
        ):
            place = repository.matter.place(*info.path, "splits")
            yield finding("info-form", place, repr(splits), "a list of mappings with a name")


def _configs(repository: Repository) -> Iterator[Finding]:
    seen: set[str] = set()
    for info in infos(repository):
        place = repository.matter.place(*info.path, "config_name")
        if repository.configs and info.config not in repository.configs:
            expected = f"one of {', '.join(repository.configs)}"
            yield finding("info-config", place, info.config, expected)
        if info.config in seen:
            yield finding("info-config", place, f"{info.config} twice", "each config once")
        seen.add(info.config)
    if seen:
        for name in repository.configs.keys() - seen:
            place = repository.matter.place("dataset_info")
            yield finding("info-config", place, f"nothing of {name}", "every config of configs")


def _stated(info: Info) -> list[tuple[int, dict[Any, Any]]]:
    splits = info.values.get("splits")
    return [
        (number, split)
        for number, split in enumerate(splits if isinstance(splits, list) else [])
        if isinstance(split, dict) and isinstance(split.get("name"), str)
    ]


def _splits(repository: Repository, info: Info, splits: tuple[Split, ...]) -> Iterator[Finding]:
    stated = _stated(info)
    named = [split["name"] for _, split in stated]
    present = {split.name: split for split in splits}
    if named and sorted(named) != sorted(present):
        place = repository.matter.place(*info.path, "splits")
        yield finding("info-split", place, ", ".join(named), ", ".join(present))
    for number, entry in stated:
        split = present.get(entry["name"])
        if split is None or split.remote:
            continue
        path = (*info.path, "splits", number)
        rows = repository.rows(split.files)
        if rows is not None and "num_examples" in entry and entry["num_examples"] != rows:
            place = repository.matter.place(*path, "num_examples")
            yield finding("num-examples", place, repr(entry["num_examples"]), rows)
        if repository.manifest is not None:
            # Elsewhere these are the bytes of the Arrow cache, which no file tells.
            size = _size(repository, [split])
            yield from _equal(repository, (*path, "num_bytes"), "num-bytes", entry, size)


def _sizes(repository: Repository, info: Info, splits: tuple[Split, ...]) -> Iterator[Finding]:
    if not any(split.remote for split in splits):
        size = _size(repository, splits)
        path = (*info.path, "download_size")
        yield from _equal(repository, path, "download-size", info.values, size)
    sizes = [split.get("num_bytes") for _, split in _stated(info)]
    known = [size for size in sizes if isinstance(size, int)]
    if sizes and len(known) == len(sizes):
        path = (*info.path, "dataset_size")
        yield from _equal(repository, path, "dataset-size", info.values, sum(known))


def _size(repository: Repository, splits: list[Split] | tuple[Split, ...]) -> int:
    return sum(repository.files[file] for split in splits for file in split.files)


def _equal(
    repository: Repository,
    path: tuple[object, ...],
    rule: str,
    values: dict[Any, Any],
    expected: int,
) -> Iterator[Finding]:
    key = path[-1]
    if key in values and values[key] != expected:
        yield finding(rule, repository.matter.place(*path), repr(values[key]), expected)


def _footers(repository: Repository) -> Iterator[Finding]:
    for path, footer in repository.footers.items():
        if isinstance(footer, Exception):
            yield finding("parquet-unreadable", path, footer, "a Parquet file")
        elif footer.largest_group > LARGEST_GROUP:
            found = f"a row group of {footer.largest_group:,} bytes"
            yield finding("row-group", path, found, f"at most {LARGEST_GROUP:,}")
