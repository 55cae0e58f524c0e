"""A dataset repository in a local folder, as the checks see it: card, files, Parquet footers."""

from __future__ import annotations

import json
import os
import re
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.utils import glob_translate

from rawshelf.errors import UsageError
from rawshelf.lint.findings import Finding, finding
from rawshelf.lint.matter import CARD, Matter
from rawshelf.manifests import MANIFEST

_FENCE = re.compile(r"---[ \t]*")
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# Not read further: a manifest of a million files has fewer.
_MOST_MANIFEST_BYTES = 2**30


class Footer(NamedTuple):
    """What the footer of a Parquet file says.

    Attributes:
        rows: Number of rows.
        schema: Arrow schema with its metadata.
        largest_group: Bytes of the largest row group, uncompressed.
    """

    rows: int
    schema: pa.Schema
    largest_group: int


class Pattern(NamedTuple):
    """One path or pattern of a config's data_files.

    Attributes:
        text: The pattern, from the root of the repository; or an address.
        place: Where the card has it.
        files: The files that it matches, sorted.
    """

    text: str
    place: str
    files: tuple[str, ...]

    @property
    def remote(self) -> bool:
        """Whether it is an address rather than a path."""
        return _REMOTE.match(self.text) is not None


class Split(NamedTuple):
    """One entry of a config's data_files: a split and its patterns."""

    name: str
    patterns: tuple[Pattern, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the split, sorted."""
        return tuple(sorted({file for pattern in self.patterns for file in pattern.files}))

    @property
    def remote(self) -> bool:
        """Whether a pattern is an address, so that `files` is not all."""
        return any(pattern.remote for pattern in self.patterns)


class Repository:
    """A repository: what is in its card, and what is in its folder.

    Attributes:
        folder: Where it lies.
        prose: The card's text after the front matter.
        prose_line: Line of the card on which it begins, from 1.
        faults: Why card or front matter could not be read.
    """

    def __init__(self, folder: str) -> None:
        """Read the card.

        Raises:
            UsageError: If there is no such folder.
        """
        if not os.path.isdir(folder):
            raise UsageError(
                "There is no such folder.",
                found=folder,
                expected="the folder of a dataset repository",
                remedy="Name the folder that holds the card, README.md, and the data files.",
            )
        self.folder = folder
        self.prose, self.prose_line = "", 1
        self.faults: list[Finding] = []
        self.matter = Matter("", 1)
        text = self._card()
        if text is not None:
            self._split(text)

    @property
    def card(self) -> dict[Any, Any]:
        """The values of the front matter."""
        return self.matter.values

    @cached_property
    def files(self) -> dict[str, int]:
        """The sizes of all files in bytes, by path; hidden ones are left out."""
        found: dict[str, int] = {}
        for folder, folders, names in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = os.path.join(folder, name)
                if not name.startswith(".") and os.path.isfile(path):
                    key = os.path.relpath(path, self.folder).replace(os.sep, "/")
                    found[key] = os.path.getsize(path)
        return found

    @cached_property
    def footers(self) -> dict[str, Footer | Exception]:
        """The footers of all Parquet files, or why one cannot be read, by path."""
        paths = [path for path in self.files if path.endswith(".parquet")]
        return {path: _footer(os.path.join(self.folder, path)) for path in paths}

    @cached_property
    def manifest(self) -> dict[str, Any] | Exception | None:
        """The manifest that rawshelf writes: None if there is none or it is of another program."""
        if self.files.get(MANIFEST, _MOST_MANIFEST_BYTES) >= _MOST_MANIFEST_BYTES:
            return None
        try:
            with open(os.path.join(self.folder, MANIFEST), encoding="utf-8") as file:
                found = json.load(file)
        except (ValueError, RecursionError, OSError) as error:
            return error
        return found if isinstance(found, dict) and "format" in found else None

    def match(self, pattern: str) -> list[str]:
        """Return the files that a pattern of data_files matches, as `datasets` resolves it."""
        try:
            regex = re.compile(glob_translate(pattern.removeprefix("./")))
        except (ValueError, re.error):
            return []
        return [path for path in self.files if regex.match(path)]

    @cached_property
    def configs(self) -> dict[str, tuple[Split, ...]]:
        """The well-formed splits of every well-formed config, by name; later ones win."""
        found: dict[str, tuple[Split, ...]] = {}
        entries = self.card.get("configs")
        for number, config in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(config, dict) and isinstance(config.get("config_name"), str):
                path = ("configs", number, "data_files")
                found[config["config_name"]] = tuple(self._splits(config, path))
        return found

    def rows(self, files: tuple[str, ...]) -> int | None:
        """Return how many rows files hold, or None if that is not known of one."""
        footers = [self.footers.get(path) for path in files]
        known = [footer.rows for footer in footers if isinstance(footer, Footer)]
        return sum(known) if len(known) == len(files) else None

    def _splits(self, config: dict[Any, Any], path: tuple[object, ...]) -> list[Split]:
        base = config.get("data_dir")
        prefix = f"{base.rstrip('/')}/" if isinstance(base, str) and base else ""
        entries = config.get("data_files")
        if isinstance(entries, str) or _is_texts(entries):
            # Without splits named, everything is `train`.
            entries = [{"split": "train", "path": entries}]
        return [
            self._one_split(entry, prefix, (*path, number))
            for number, entry in enumerate(entries if isinstance(entries, list) else [])
            if isinstance(entry, dict)
            and isinstance(entry.get("split"), str)
            and (isinstance(entry.get("path"), str) or _is_texts(entry.get("path")))
        ]

    def _one_split(self, entry: dict[Any, Any], prefix: str, path: tuple[object, ...]) -> Split:
        value = entry["path"]
        texts = [value] if isinstance(value, str) else value
        place = self.matter.place(*path, "path")
        return Split(entry["split"], tuple(self._pattern(text, prefix, place) for text in texts))

    def _pattern(self, text: str, prefix: str, place: str) -> Pattern:
        pattern = Pattern(text, place, ())
        if pattern.remote:
            return pattern
        return Pattern(prefix + text, place, tuple(self.match(prefix + text)))

    def _card(self) -> str | None:
        path = os.path.join(self.folder, CARD)
        if not os.path.isfile(path):
            self.faults.append(finding("card-missing", CARD, "no such file", "a dataset card"))
            return None
        try:
            with open(path, "rb") as file:
                content = file.read()
            text = content.decode("utf-8")
        except OSError as error:
            self.faults.append(finding("card-missing", CARD, error, "a card that can be read"))
            return None
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            self._fault("card-encoding", line, error, "UTF-8")
            return None
        if text.startswith("\ufeff"):
            self._fault("card-encoding", 1, "a byte order mark", "none")
        return text.removeprefix("\ufeff")

    def _split(self, text: str) -> None:
        lines = text.splitlines(keepends=True)
        first = next((n for n, line in enumerate(lines) if line.strip()), 0)
        marks = [n for n in range(first, len(lines)) if _FENCE.fullmatch(lines[n].rstrip("\r\n"))]
        if not marks or marks[0] != first or len(marks) == 1:
            found = "no front matter" if not marks or marks[0] != first else "no end of it"
            self._fault("front-matter", first + 1, found, "YAML between two lines of ---")
            self.prose = text
            return
        end = marks[1]
        self.prose, self.prose_line = "".join(lines[end + 1 :]), end + 2
        self.matter = Matter("".join(lines[first + 1 : end]), first + 2)
        if not self.matter.values and not self.matter.faults:
            self._fault("front-matter", first + 1, "an empty front matter", "keys and values")
        self.faults.extend(self.matter.faults)

    def _fault(self, rule: str, line: int, found: object, expected: object) -> None:
        self.faults.append(finding(rule, f"{CARD}:{line}", found, expected))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _footer(path: str) -> Footer | Exception:
    try:
        with pq.ParquetFile(path) as file:
            found = file.metadata
            groups = range(found.num_row_groups)
            sizes = [found.row_group(group).total_byte_size for group in groups]
            return Footer(found.num_rows, file.schema_arrow, max(sizes, default=0))
    except (pa.ArrowException, OSError, ValueError) as error:
        return error
