import copy
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from rawshelf.hooks import after_import

NAME = "waited_for_by_test_hooks"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ModuleType]]:
    """A module that can be imported, and with what a hook was called."""
    (tmp_path / f"{NAME}.py").write_text("VALUE = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    told: list[ModuleType] = []
    after_import(NAME, told.append)
    yield told
    sys.modules.pop(NAME, None)


def test_a_hook_is_called_once_the_module_is_whole(told: list[ModuleType]) -> None:
    """And the module looks as if nobody had waited for it."""
    assert not told
    module = importlib.import_module(NAME)

    assert [module] == told
    assert "SourceFileLoader" == type(module.__loader__).__name__
    assert module.__spec__ is not None
    assert module.__loader__ is module.__spec__.loader
    sys.modules.pop(NAME)
    importlib.import_module(NAME)
    assert [module] == told


def test_a_module_that_is_there_is_told_at_once(told: list[ModuleType]) -> None:
    module = importlib.import_module(NAME)
    after_import(NAME, told.append)

    assert [module, module] == told


def test_looking_for_a_module_is_no_import(told: list[ModuleType]) -> None:
    """Packages look so for each other; the import may come later."""
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    assert spec.origin == cast("Any", spec.loader).get_filename(NAME)
    assert not told
    module = importlib.import_module(NAME)

    assert [module] == told


def test_all_hooks_of_a_module_are_called(told: list[ModuleType]) -> None:
    after_import(NAME, told.append)
    module = importlib.import_module(NAME)

    assert [module, module] == told


def test_an_import_that_fails_may_be_tried_again(told: list[ModuleType], tmp_path: Path) -> None:
    """As after the installation of what was missing."""
    path = tmp_path / f"{NAME}.py"
    path.write_text("raise ImportError")
    with pytest.raises(ImportError):
        importlib.import_module(NAME)
    path.write_text("VALUE = 'another size'")
    module = importlib.import_module(NAME)

    assert [module] == told


def test_a_module_whose_import_is_forbidden_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """None in its place says so."""
    told: list[ModuleType] = []
    monkeypatch.setitem(sys.modules, "forbidden_by_test_hooks", None)
    after_import("forbidden_by_test_hooks", told.append)

    assert not told


class Older:
    """A finder as copies of old packages still leave one."""

    def find_module(self, *_: object) -> None:
        """Find nothing."""


@pytest.mark.filterwarnings("ignore::ImportWarning")
def test_finders_of_an_older_kind_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{NAME}_absent"
    after_import(name, lambda _: None)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Older()])
    with pytest.raises(ModuleNotFoundError, match=name):
        importlib.import_module(name)


def test_what_is_found_can_be_copied(told: list[ModuleType]) -> None:
    spec = importlib.util.find_spec(NAME)
    assert spec is not None

    assert cast("Any", copy.copy(spec.loader)).get_filename(NAME) == spec.origin
    assert not told


def test_a_module_that_is_nowhere_is_missed_as_ever() -> None:
    name = f"{NAME}_nowhere"
    after_import(name, lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=name):
        importlib.import_module(name)
