"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import rawshelf

# Importing these as modules runs them.
PROGRAMS = {"rawshelf.__main__"}
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(rawshelf.__path__, "rawshelf.")
    if found.name not in PROGRAMS
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    """Each module can be imported, and its examples give what they say."""
    result = doctest.testmod(importlib.import_module(name))

    assert 0 == result.failed
