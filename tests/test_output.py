import errno
import fcntl
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rawshelf import engines, files, output
from rawshelf.convert import Options, convert
from rawshelf.errors import OutputError, SourceError
from tests.conftest import Conversion
from tests.outputs import content


def _no_lock(*_: object) -> None:
    """Lie, as flock does on some network file systems."""


def _no_support(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def at_once(raw: Path, out: Path, count: int) -> list[OutputError]:
    """Convert several times at once; return the errors."""
    refused: list[OutputError] = []

    def run() -> None:
        try:
            convert("spair71k", str(raw), str(out))
        except OutputError as error:
            refused.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused


@pytest.mark.fault(27)
def test_conversions_at_once_wait_for_each_other(conversion: Conversion, tmp_path: Path) -> None:
    """All succeed, with one result."""
    refused = at_once(conversion.raw, tmp_path / "out", 3)

    assert [] == refused
    assert content(conversion.out) == content(tmp_path / "out")


@pytest.mark.parametrize("flock", [_no_lock, _no_support])
@pytest.mark.fault(28)
def test_conversions_at_once_without_locks_publish_whole_files(
    flock: Callable[..., None],
    conversion: Conversion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where locks lie, one may be refused, and running it again ends with the same bytes."""
    monkeypatch.setattr(fcntl, "flock", flock)
    out = tmp_path / "out"
    refused = at_once(conversion.raw, out, 2)

    convert("spair71k", str(conversion.raw), str(out))

    assert content(conversion.out) == content(out)
    assert all(error.remedy for error in refused)


def test_an_error_leaves_no_trace(tmp_path: Path) -> None:
    """A release that cannot be read leaves no folder behind."""
    (tmp_path / "raw").mkdir()

    with pytest.raises(SourceError):
        convert("spair71k", str(tmp_path / "none"), str(tmp_path / "a" / "out"))

    assert not (tmp_path / "a" / "out").exists()


@pytest.mark.fault(29)
def test_files_appear_after_they_were_flushed(
    miniature_tar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each published file is flushed before its rename, and its folder before the manifest."""
    calls: list[tuple[str, str]] = []
    real_flush, real_replace = files.flush, os.replace

    def flush(path: str) -> None:
        calls.append(("flush", path))
        real_flush(path)

    def replace(old: str, new: str) -> None:
        calls.append(("replace", str(new)))
        real_replace(old, new)

    monkeypatch.setattr("rawshelf.files.flush", flush)
    monkeypatch.setattr(output, "flush", flush)
    monkeypatch.setattr(os, "replace", replace)
    out = tmp_path / "out"
    convert("spair71k", str(miniature_tar), str(out), Options(("pairs",)))

    renames = [path for what, path in calls if what == "replace" and path.startswith(f"{out}/data")]
    manifest = calls.index(("replace", str(out / "manifest.json")))
    card = calls.index(("replace", str(out / "README.md")))
    assert 3 == len(renames)
    assert calls.index(("flush", str(out / "data" / "pairs"))) < manifest < card
    assert max(calls.index(("replace", path)) for path in renames) < manifest
    for place in (manifest, card):
        assert "flush" == calls[place - 1][0]
        assert ("flush", str(out)) == calls[place + 1]


def test_threads_are_few() -> None:
    """Memory stays bounded on machines with many cores."""
    assert 1 <= engines.threads() <= 4


def test_records_and_manifest_hold_the_same(conversion: Conversion) -> None:
    """The manifest names every file with its size and hash."""
    manifest = json.loads((conversion.out / "manifest.json").read_text())

    assert [record.to_json() for record in conversion.result.records] == manifest["files"]
    for file in manifest["files"]:
        assert file["bytes"] == (conversion.out / file["path"]).stat().st_size


def test_a_plan_is_kept_by_whatever_name_it_is_known(tmp_path: Path) -> None:
    """A run may have come to the output by a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    one, other = (output.Output(str(tmp_path / name), "key") for name in ("real", "link"))
    one.take_part()
    other.prepare(keep=one.plan)

    assert one.plan.is_dir()
