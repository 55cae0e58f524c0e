"""Fields of the front matter whose values the Hub lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import NamedTuple

from rawshelf.lint import vocabularies
from rawshelf.lint.findings import Finding, finding
from rawshelf.lint.repository import Repository


class _Listed(NamedTuple):
    """A field and the values that it may have."""

    key: str
    rule: str
    values: Callable[[], Collection[str]]


_LISTED = (
    _Listed("license", "license", vocabularies.licences),
    _Listed("language", "language", vocabularies.languages),
    _Listed("size_categories", "size-categories", vocabularies.sizes),
    _Listed(
        "annotations_creators",
        "annotations-creators",
        partial(vocabularies.creators, "annotations"),
    ),
    _Listed("language_creators", "language-creators", partial(vocabularies.creators, "language")),
    _Listed("multilinguality", "multilinguality", vocabularies.multilingualities),
    _Listed("task_categories", "task-categories", vocabularies.tasks),
)
_TEXTS = ("pretty_name", "license_name", "license_link", "viewer_type", "extra_gated_prompt")
# An own collection, one that this extends (with a name, if it is on the Hub), or a Hub dataset.
_SOURCE = re.compile(r"original|extended|(extended\|)?[\w.-]+(/[\w.-]+)?")


def check(repository: Repository) -> Iterator[Finding]:
    """Compare every field with the values that it may have."""
    if not repository.card:
        return
    for listed in _LISTED:
        yield from _listed(repository, listed)
    yield from _sources(repository)
    yield from _task_ids(repository)
    yield from _tags(repository)
    yield from _texts(repository)
    yield from _other_licence(repository)
    yield from _rows(repository)


def _items(repository: Repository, key: str) -> Iterator[tuple[str, object]]:
    """Yield the values of a field, which may be one or a list, each with its place."""
    value = repository.card.get(key)
    if isinstance(value, list):
        yield from ((repository.matter.place(key, n), item) for n, item in enumerate(value))
    elif value is not None:
        yield repository.matter.place(key), value


def _texts_of(repository: Repository, key: str) -> list[str]:
    return [item for _, item in _items(repository, key) if isinstance(item, str)]


def _listed(repository: Repository, listed: _Listed) -> Iterator[Finding]:
    known = listed.values()
    for place, item in _items(repository, listed.key):
        if not isinstance(item, str):
            # `no`, the code of Norwegian, is a boolean in YAML: told apart from a misspelt one.
            yield finding("field-type", place, repr(item), "a text; quote it")
        elif item not in known:
            yield finding(listed.rule, place, item, _some(known))


def _some(known: Collection[str]) -> str:
    names = sorted(known)
    return f"one of these {len(names)}: {', '.join(names)}"


def _sources(repository: Repository) -> Iterator[Finding]:
    for place, item in _items(repository, "source_datasets"):
        if not isinstance(item, str) or not _SOURCE.fullmatch(item):
            yield finding("source-datasets", place, repr(item), "original, or extended|NAME")


def _task_ids(repository: Repository) -> Iterator[Finding]:
    stated = _texts_of(repository, "task_categories")
    fitting = {name for task in stated for name in vocabularies.tasks().get(task, ())}
    for place, item in _items(repository, "task_ids"):
        if not isinstance(item, str) or item not in fitting:
            expected = _some(fitting) if fitting else "none: no task_categories has sub-tasks"
            yield finding("task-ids", place, repr(item), expected)


def _tags(repository: Repository) -> Iterator[Finding]:
    tags = repository.card.get("tags")
    if tags is not None and not isinstance(tags, list):
        yield finding("tags", repository.matter.place("tags"), repr(tags), "a list of texts")
        return
    for place, item in _items(repository, "tags"):
        if not isinstance(item, str) or not item.strip():
            yield finding("tags", place, repr(item), "a text")


def _texts(repository: Repository) -> Iterator[Finding]:
    for key in _TEXTS:
        value = repository.card.get(key)
        if value is not None and not isinstance(value, str):
            yield finding("field-type", repository.matter.place(key), repr(value), "a text")


def _other_licence(repository: Repository) -> Iterator[Finding]:
    stated = [item for _, item in _items(repository, "license")]
    place = repository.matter.place("license")
    if not stated:
        yield finding("license-missing", place, "no license", "the id of a licence")
    lacking = [key for key in ("license_name", "license_link") if not repository.card.get(key)]
    if "other" in stated and lacking:
        yield finding("license-other", place, f"no {' and no '.join(lacking)}", "both")
    link = repository.card.get("license_link")
    if isinstance(link, str) and "://" not in link and link not in repository.files:
        place = repository.matter.place("license_link")
        yield finding("license-other", place, link, "an address, or a file of this repository")


def _rows(repository: Repository) -> Iterator[Finding]:
    """Compare the size categories with the rows of the configs, if all are known."""
    counts = [
        repository.rows(tuple(file for split in splits for file in split.files))
        for splits in repository.configs.values()
        if splits and not any(split.remote for split in splits)
    ]
    known = [count for count in counts if count is not None]
    if not known or len(known) < len(repository.configs):
        return
    for place, item in _items(repository, "size_categories"):
        low, high = vocabularies.sizes().get(str(item), (0, float("inf")))
        if not any(low <= rows < high for rows in (*known, sum(known))):
            found = f"{item} for configs of {', '.join(f'{rows:,}' for rows in known)} rows"
            yield finding("size-rows", place, found, "the category of one of them or their sum")
