"""Every seed and every find of the fuzzer once more, without the fuzzer."""

from __future__ import annotations

import pytest

from tests.fuzz.corpus import FOLDER, finds
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS, attempt

FINDS = [(target, name) for target in TARGETS for name in finds(target)]


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_read_or_refused(target: str) -> None:
    """Nothing but a reader's own refusal comes of a seed, and what it reads is right."""
    for seed in SEEDS[target]():
        attempt(target, seed)


@pytest.mark.parametrize(("target", "name"), FINDS)
def test_finds_are_read_or_refused(target: str, name: str) -> None:
    """What once broke a reader is read or refused."""
    attempt(target, finds(target)[name])


def test_every_find_belongs_to_a_target() -> None:
    """No file of finds is left over, and every target has seeds."""
    assert TARGETS.keys() == SEEDS.keys()
    assert {path.stem for path in FOLDER.iterdir()} <= TARGETS.keys()
