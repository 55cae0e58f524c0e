"""The features that a card states against the schema of every file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from rawshelf.lint import spellings
from rawshelf.lint.counts import Info, infos
from rawshelf.lint.findings import Finding, finding
from rawshelf.lint.repository import Footer, Repository
from rawshelf.lint.spellings import Form, SpellingError

_METADATA = b"huggingface"


def check(repository: Repository) -> Iterator[Finding]:
    """Compare the features of every config with its files, and files with what they say."""
    for info in infos(repository):
        if "features" in info.values:
            yield from _info(repository, info)


def _info(repository: Repository, info: Info) -> Iterator[Finding]:
    path = (*info.path, "features")
    features = info.values["features"]
    try:
        stated = spellings.from_card(features)
    except (SpellingError, RecursionError) as error:
        yield finding("features-form", repository.matter.place(*path), error, "types of datasets")
        return
    for column in dict.fromkeys(path.partition("/")[0] for path in spellings.newer(features)):
        place = _column(repository, info, column)
        yield finding("features-spelling", place, "list, which older versions misread", "sequence")
    for split in repository.configs.get(info.config, ()):
        for file in split.files:
            footer = repository.footers.get(file)
            if isinstance(footer, Footer):
                yield from _file(repository, info, stated, (file, footer.schema))


def _file(
    repository: Repository, info: Info, stated: Form, file: tuple[str, pa.Schema]
) -> Iterator[Finding]:
    path, schema = file
    try:
        written = _metadata(schema)
    except (ValueError, RecursionError, AttributeError) as error:
        yield finding("features-differ", path, f"metadata with {error}", "types of datasets")
        return
    stored: Form = {"struct": {field.name: spellings.from_arrow(field.type) for field in schema}}
    sides = [(spellings.as_arrow(stated), stored, "")]
    if written is not None:
        sides.insert(0, (stated, written, " in its metadata"))
    for ours, theirs, where in sides:
        for column, found, expected in spellings.differences(ours, theirs):
            place = _column(repository, info, column)
            wanted = f"{expected}, as {path} has it{where}"
            yield finding("features-differ", place, f"{column or 'columns'}: {found}", wanted)
            return


def _metadata(schema: pa.Schema) -> Form | None:
    text = (schema.metadata or {}).get(_METADATA)
    if text is None:
        return None
    features = json.loads(text).get("info", {}).get("features")
    return None if features is None else spellings.from_metadata(features)


def _column(repository: Repository, info: Info, column: str) -> str:
    """Return the place of a column in the features of the card."""
    name = column.split("/", maxsplit=1)[0]
    columns: Any = info.values["features"]
    for number, item in enumerate(columns if isinstance(columns, list) else []):
        if isinstance(item, dict) and item.get("name") == name:
            return repository.matter.place(*info.path, "features", number)
    return repository.matter.place(*info.path, "features")
