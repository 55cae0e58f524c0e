"""The values that the Hub knows for fields of a card.

Lists that `datasets` ships are read from the installed one, where 3.6 and 5.2 have the same files:
languages, creators, multilinguality and size categories. It ships no licences and no tasks, so
these lie beside this module:

* ``licences.txt``: the table of the Hub's page on licences (hub-docs, repositories-licenses.md),
  and ids of later licences that cards on the Hub carry: those of Llama 3 to 4 and apple-amlr.
* ``tasks.tsv``: each task and its sub-tasks, from huggingface.js,
  packages/tasks/src/pipelines.ts.
"""

from __future__ import annotations

import json
import os
from functools import cache
from importlib import resources, util
from typing import Any


@cache
def licences() -> frozenset[str]:
    """Return the ids of licences."""
    return frozenset(_lines("licences.txt"))


@cache
def tasks() -> dict[str, frozenset[str]]:
    """Return the sub-tasks of every task."""
    rows = (line.split("\t") for line in _lines("tasks.tsv"))
    return {task: frozenset(ids.split()) for task, ids in rows}


@cache
def languages() -> frozenset[str]:
    """Return the codes of languages, and the words that the Hub takes in their place."""
    return frozenset(_resource("languages.json")) | {"multilingual"}


@cache
def creators(kind: str) -> frozenset[str]:
    """Return who may have made something: `kind` is ``annotations`` or ``language``."""
    return frozenset(_resource("creators.json")[kind])


@cache
def multilingualities() -> frozenset[str]:
    """Return the kinds of multilinguality."""
    return frozenset(_resource("multilingualities.json"))


@cache
def sizes() -> dict[str, tuple[float, float]]:
    """Return the size categories: from how many rows, and below how many.

    >>> sizes()["1K<n<10K"]
    (1000, 10000)
    """
    return {name: _bounds(name) for name in _resource("size_categories.json")}


def _bounds(name: str) -> tuple[float, float]:
    if name == "unknown":
        return 0, float("inf")
    if name.startswith("n<"):
        return 0, _number(name[2:])
    if name.startswith("n>"):
        return _number(name[2:]), float("inf")
    low, high = name.split("<n<")
    return _number(low), _number(high)


def _number(text: str) -> int:
    return int(text[:-1]) * int(1000 ** ("KMBT".index(text[-1]) + 1))


def _lines(name: str) -> list[str]:
    text = resources.files("rawshelf.lint").joinpath(name).read_text("utf-8")
    return text.splitlines()


def _resource(name: str) -> Any:
    # Importing `datasets` takes longer than the whole check; its files are enough.
    spec = util.find_spec("datasets")
    (folder,) = (spec and spec.submodule_search_locations) or ("",)
    with open(os.path.join(folder, "utils", "resources", name), encoding="utf-8") as file:
        return json.load(file)
