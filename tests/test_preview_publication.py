"""Pictures appear whole, survive `convert`, and nothing of others is touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rawshelf import catalog
from rawshelf.cards import render
from rawshelf.convert import Options, convert
from rawshelf.errors import OutputError
from rawshelf.miniature import pack_folder
from rawshelf.output import WORK, Output
from rawshelf.preview.pictures import Wish
from rawshelf.preview.publication import preview
from rawshelf.spair71k.miniature import members
from tests.outputs import sha256

FEW = Wish(rows=1)
PAIRS = Options(("pairs",))


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small release."""
    chosen = members(categories=("bicycle", "cat"))
    return pack_folder(chosen, tmp_path_factory.mktemp("raw") / "SPair-71k")


@pytest.fixture(scope="module")
def converted(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the conversion of its pairs, which has three pictures; to be copied."""
    out = tmp_path_factory.mktemp("converted") / "out"
    convert("spair71k", str(raw), str(out), PAIRS)
    return out


@pytest.fixture
def out(converted: Path, tmp_path: Path) -> Path:
    """Return a copy of the conversion."""
    return Path(shutil.copytree(converted, tmp_path / "out"))


def _manifest(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "manifest.json").read_text("utf-8"))
    return found


def _seen(out: Path) -> dict[str, str]:
    """Return what an observer sees; the working folder is nobody's business."""
    found = {p.relative_to(out).as_posix(): sha256(p) for p in out.rglob("*") if p.is_file()}
    return {path: digest for path, digest in found.items() if not path.startswith(WORK)}


class Killed(BaseException):
    """Stands for the end of a process."""


def _killed_at(monkeypatch: pytest.MonkeyPatch, out: Path, step: int) -> bool:
    """Preview until so many files are written; tell whether it was killed there."""
    real = Output.write
    done: list[Path] = []

    def write(self: Output, path: Path, content: bytes) -> None:
        if len(done) == step:
            raise Killed
        real(self, path, content)
        done.append(path)

    with monkeypatch.context() as patch:
        patch.setattr(Output, "write", write)
        try:
            preview(str(out), FEW)
        except Killed:
            return True
    return False


def test_a_killed_run_leaves_old_or_new(
    monkeypatch: pytest.MonkeyPatch, converted: Path, tmp_path: Path
) -> None:
    """After every step: whole files, and a manifest and a card of one of the two states."""
    old = _seen(converted)
    whole = Path(shutil.copytree(converted, tmp_path / "whole"))
    preview(str(whole), FEW)
    new = _seen(whole)

    for step in range(6):
        out = Path(shutil.copytree(converted, tmp_path / f"killed-{step}"))
        was_killed = _killed_at(monkeypatch, out, step)

        seen = _seen(out)
        assert (step < 5) == was_killed
        assert all(digest in {old.get(path), new[path]} for path, digest in seen.items())
        for asset in _manifest(out).get("assets", ()):
            assert asset["sha256"] == seen[asset["path"]]
        if seen["README.md"] == new["README.md"] != old["README.md"]:
            assert seen["manifest.json"] == new["manifest.json"]
        preview(str(out), FEW)
        assert new == _seen(out)
        assert not (out / WORK).exists()


def test_pictures_of_an_earlier_run_go(out: Path) -> None:
    """Those that the manifest names; whatever else is in the folder stays."""
    preview(str(out), FEW)
    manifest = _manifest(out)
    stale = {**manifest["assets"][0], "path": "assets/stale.png"}
    (out / "manifest.json").write_text(
        json.dumps({**manifest, "assets": [*manifest["assets"], stale]}), "utf-8"
    )
    for name in ("stale.png", "mine.png"):
        (out / "assets" / name).write_bytes(b"picture")

    preview(str(out), FEW)

    assert not (out / "assets" / "stale.png").exists()
    assert b"picture" == (out / "assets" / "mine.png").read_bytes()
    assert manifest == _manifest(out)


def test_a_file_of_somebody_else_is_not_replaced(out: Path) -> None:
    """Nothing at all is written then."""
    place = out / "assets" / "pairs-by-category.png"
    place.parent.mkdir()
    place.write_bytes(b"mine")
    before = _seen(out)

    with pytest.raises(OutputError, match="did not write"):
        preview(str(out), FEW)

    assert before == _seen(out)


def test_a_conversion_run_again_is_complete_with_its_pictures(raw: Path, out: Path) -> None:
    """The same command finds nothing to do, and a lost card comes back with them."""
    preview(str(out), FEW)
    before = _seen(out)

    result = convert("spair71k", str(raw), str(out), PAIRS)
    assert len(result.records) == result.kept
    assert before == _seen(out)

    (out / "README.md").unlink()
    convert("spair71k", str(raw), str(out), PAIRS)
    assert before == _seen(out)


def test_pictures_stay_when_configs_are_added(raw: Path, out: Path) -> None:
    """What they show has not changed; a new preview adds what is possible now."""
    preview(str(out), FEW)
    assets = _manifest(out)["assets"]

    convert("spair71k", str(raw), str(out), Options(("pairs", "images")))

    manifest = _manifest(out)
    assert assets == manifest["assets"]
    assert {asset["path"] for asset in assets} <= set(_seen(out))
    card = render(catalog.find("spair71k"), manifest)
    assert card == (out / "README.md").read_text("utf-8")
    assert 6 == len(preview(str(out), FEW).assets)


def test_pictures_of_another_conversion_go(raw: Path, out: Path, tmp_path: Path) -> None:
    """They would show what is no longer there; a file of somebody else stays."""
    preview(str(out), FEW)
    mine = out / "assets" / "mine.txt"
    mine.write_text("mine")
    other = Path(shutil.copytree(raw, tmp_path / "other"))
    (other / "README").write_text("another state of the release")

    convert("spair71k", str(other), str(out), Options(("pairs",), overwrite=True))

    assert "assets" not in _manifest(out)
    assert [mine] == list((out / "assets").iterdir())


@pytest.mark.parametrize("left", [0, 2])
def test_an_interrupted_replacement_resumes(
    raw: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    """Killed between the old manifest and the new one, with old pictures still there."""
    preview(str(out), FEW)
    other = Path(shutil.copytree(raw, tmp_path / "other"))
    (other / "README").write_text("another state of the release")
    options = Options(("pairs",), overwrite=True)
    real = Output.remove

    def remove(self: Output, paths: set[str]) -> None:
        real(self, set(sorted(paths)[:left]))
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Output, "remove", remove)
        with pytest.raises(Killed):
            convert("spair71k", str(other), str(out), options)
    assert not (out / "manifest.json").exists()
    assert (out / "assets").exists()

    convert("spair71k", str(other), str(out), options)

    assert not (out / "assets").exists()
    assert "assets" not in _manifest(out)
    assert not (out / WORK).exists()


def test_a_folder_that_cannot_be_written_is_told(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the disk has a remedy too."""

    def write(_: Output, __: Path, ___: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Output, "write", write)

    with pytest.raises(OutputError, match="No space left"):
        preview(str(out), FEW)
