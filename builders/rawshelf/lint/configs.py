"""Configs: their names, splits and data files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rawshelf.lint.findings import Finding, finding
from rawshelf.lint.repository import Pattern, Repository, Split

# Both as in datasets/naming.py: INVALID_WINDOWS_CHARACTERS_IN_PATH and _split_re, which
# `datasets` matches with `$`, hence before a last line break too; none is taken here.
_NOT_IN_NAMES = re.compile(r'[<>:/\\|?*"\x00-\x1f]')
SPLIT = re.compile(r"\w+(\.\w+)*")
_DATA = "data/"


def check(repository: Repository) -> Iterator[Finding]:
    """Check every config, then what no config names."""
    entries = repository.card.get("configs")
    if entries is None:
        return
    if not isinstance(entries, list):
        yield finding("config-form", repository.matter.place("configs"), repr(entries), "a list")
        return
    for number, config in enumerate(entries):
        yield from _form(repository, config, number)
    yield from _names(repository, entries)
    for name, splits in repository.configs.items():
        yield from _splits(name, splits)
    if any(isinstance(config, dict) and "data_files" not in config for config in entries):
        # `datasets` looks for the files of such a config by itself.
        return
    used = {file for splits in repository.configs.values() for s in splits for file in s.files}
    for path in repository.files:
        if path.startswith(_DATA) and path not in used:
            yield finding("data-files-unused", path, "no config with this file", "one")


def _form(repository: Repository, config: Any, number: int) -> Iterator[Finding]:
    place = repository.matter.place("configs", number)
    if not isinstance(config, dict) or not isinstance(config.get("config_name"), str):
        yield finding("config-form", place, repr(config), "a mapping with config_name")
        return
    name = config["config_name"]
    if not name.strip() or name in {".", ".."} or _NOT_IN_NAMES.search(name):
        place = repository.matter.place("configs", number, "config_name")
        yield finding("config-name", place, repr(name), "a name that can be a folder's")
    entries = config.get("data_files")
    if entries is None or isinstance(entries, str):
        return
    place = repository.matter.place("configs", number, "data_files")
    if not isinstance(entries, list):
        yield finding("config-form", place, repr(entries), "a list of split and path")
        return
    for index, entry in enumerate(entries):
        place = repository.matter.place("configs", number, "data_files", index)
        yield from _entry_form(entry, place)


def _entry_form(entry: Any, place: str) -> Iterator[Finding]:
    if isinstance(entry, str):
        return
    if not isinstance(entry, dict) or set(entry) != {"split", "path"}:
        yield finding("config-form", place, repr(entry), "a mapping of split and path")
        return
    if not isinstance(entry["split"], str) or not SPLIT.fullmatch(entry["split"]):
        yield finding("split-name", place, repr(entry["split"]), SPLIT.pattern)
    paths = entry["path"] if isinstance(entry["path"], list) else [entry["path"]]
    if not paths or not all(isinstance(path, str) for path in paths):
        yield finding("config-form", place, repr(entry["path"]), "a path, or a list of paths")


def _names(repository: Repository, entries: list[Any]) -> Iterator[Finding]:
    configs = [
        (number, config)
        for number, config in enumerate(entries)
        if isinstance(config, dict) and isinstance(config.get("config_name"), str)
    ]
    for name, count in Counter(config["config_name"] for _, config in configs).items():
        if count > 1:
            last = max(number for number, config in configs if config["config_name"] == name)
            place = repository.matter.place("configs", last, "config_name")
            yield finding("config-duplicate", place, f"{name} {count} times", "each name once")
    # A config named `default` is one without being marked (datasets, MetadataConfigs).
    defaults = [c["config_name"] for _, c in configs if _is_default(c)]
    if len(configs) > 1 and len(defaults) != 1:
        found = f"{len(defaults)} defaults{''.join(f', {name}' for name in defaults)}"
        yield finding("config-default", repository.matter.place("configs"), found, "one")


def _is_default(config: dict[Any, Any]) -> bool:
    return config["config_name"] == "default" or bool(config.get("default"))


def _splits(config: str, splits: tuple[Split, ...]) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    names: set[str] = set()
    for split in splits:
        place = split.patterns[0].place if split.patterns else f"config {config}"
        if split.name in names:
            yield finding("split-duplicate", place, f"{split.name} twice", "each split once")
        names.add(split.name)
        for pattern in split.patterns:
            yield from _pattern(pattern)
        shared = [file for file in split.files if owners.setdefault(file, split.name) != split.name]
        if shared:
            found = f"{shared[0]} in {owners[shared[0]]} and in {split.name}"
            yield finding("data-files-twice", place, found, "each file in one split")


def _pattern(pattern: Pattern) -> Iterator[Finding]:
    text, place, files = pattern
    if pattern.remote:
        yield finding("data-files-remote", place, text, "a path within the repository")
    elif text.startswith(("/", "~")) or ".." in text.split("/"):
        yield finding("data-files-outside", place, text, "a path within the repository")
    elif not files:
        yield finding("data-files-empty", place, f"no file for {text}", "one or more")
