"""What must be true of the main branch of a dataset repository after every commit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fsspec.utils import glob_translate

from tests.hub.cards import front_matter, validate
from tests.hub.store import Entry

Read = Callable[[Entry], bytes | None]


def violations(tree: Mapping[str, Entry], read: Read) -> list[str]:
    """Return what is wrong with a tree, in sentences.

    The card may name no data files that are not there, and the manifest no file that is absent
    or has other bytes.

    Args:
        tree: All files of the commit.
        read: Gives the bytes of one.
    """
    return [*_of_card(tree, read), *_of_manifest(tree, read)]


def _of_card(tree: Mapping[str, Entry], read: Read) -> Iterator[str]:
    content = _content("README.md", tree, read)
    if content is None:
        return
    text = content.decode(errors="replace")
    errors, _ = validate(text)
    if errors:
        yield from (f"README.md: {error}" for error in errors)
        return
    for config in (front_matter(text) or {}).get("configs") or []:
        for pattern in _patterns(config.get("data_files")):
            path = f"{config['data_dir']}/{pattern}" if "data_dir" in config else pattern
            if "://" not in path and not _matches(path, tree):
                name = config["config_name"]
                yield f"README.md: config {name!r} names {path!r}, which matches no file"


def _patterns(data_files: Any) -> Iterator[str]:
    """Yield the globs of all forms that `datasets` accepts."""
    if isinstance(data_files, str):
        yield data_files
    elif isinstance(data_files, list):
        for item in data_files:
            yield from _patterns(item["path"] if isinstance(item, dict) else item)
    elif isinstance(data_files, dict):
        for item in data_files.values():
            yield from _patterns(item)


def _matches(pattern: str, tree: Mapping[str, Entry]) -> bool:
    compiled = re.compile(glob_translate(pattern.removeprefix("./")))
    return any(compiled.match(path) for path in tree)


def _of_manifest(tree: Mapping[str, Entry], read: Read) -> Iterator[str]:
    content = _content("manifest.json", tree, read)
    if content is None:
        return
    try:
        files = {file["path"]: file["sha256"] for file in json.loads(content)["files"]}
    except (ValueError, LookupError, TypeError) as error:
        yield f"manifest.json: no list of files: {error!r}"
        return
    for path, sha256 in files.items():
        entry = tree.get(path)
        if entry is None:
            yield f"manifest.json: {path} is not there"
        elif entry.sha256 != sha256:
            yield f"manifest.json: {path} has other bytes"


def _content(path: str, tree: Mapping[str, Entry], read: Read) -> bytes | None:
    return read(tree[path]) if path in tree else None
