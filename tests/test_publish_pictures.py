"""The pictures of a card are published, verified and replaced with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rawshelf.preview.pictures import Wish
from rawshelf.preview.publication import preview
from rawshelf.remote import Remote
from rawshelf.verify import verify_folder, verify_hub
from tests.publishing import REPO, Desk, build, copied, desk

SHEET = "assets/contact-sheet.png"


@pytest.fixture
def me() -> Iterator[Desk]:
    with desk() as found:
        yield found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a build without pictures."""
    return build("imagenet_sketch", tmp_path_factory.mktemp("plain"), "default")


@pytest.fixture(scope="module")
def shown(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same with pictures."""
    out = copied(plain, tmp_path_factory.mktemp("shown"))
    preview(str(out), Wish())
    return out


def test_pictures_come_with_the_card_that_shows_them(me: Desk, plain: Path, shown: Path) -> None:
    """They are added with it, and go when a card without them comes."""
    me.push(plain)
    me.push(shown)

    assert set() == me.holds(shown)
    assert verify_hub(Remote(REPO, api=me.api()), out=str(shown)).agrees

    me.push(plain)

    assert set() == me.holds(plain)


def test_a_picture_that_others_put_there_stays(me: Desk, plain: Path) -> None:
    """Only what a manifest names is ever deleted."""
    me.push(plain)
    me.hub.commit(REPO, {"assets/mine.png": b"mine"}, "Mine")
    me.push(plain)

    assert {"assets/mine.png"} == me.holds(plain)


def test_a_damaged_picture_is_found(shown: Path, tmp_path: Path) -> None:
    """By its hash, and by its absence."""
    assert ([], []) == (verify_folder(str(shown)).differences, verify_folder(str(shown)).notes)

    out = copied(shown, tmp_path)
    content = bytearray((out / SHEET).read_bytes())
    content[100] ^= 1
    (out / SHEET).write_bytes(content)

    assert {(SHEET, "sha256")} == {(d.path, d.what) for d in verify_folder(str(out)).differences}

    (out / SHEET).unlink()

    assert {(SHEET, "presence")} == {(d.path, d.what) for d in verify_folder(str(out)).differences}
