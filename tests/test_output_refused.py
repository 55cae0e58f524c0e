import errno
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rawshelf.convert import Options, convert
from rawshelf.errors import OutputError, RawshelfError, SourceError
from rawshelf.refusals import explained
from tests.conftest import Conversion
from tests.outputs import content
from tests.refusals import refusal


@pytest.mark.fault(26)
def test_an_output_that_is_a_file_is_refused(miniature_tar: Path, tmp_path: Path) -> None:
    """A file in place of the folder is left as it is."""
    out = tmp_path / "out"
    out.write_text("mine")

    error = refusal(miniature_tar, out)

    assert "The output is not a folder." == error.what
    assert "mine" == out.read_text()


@pytest.mark.fault(26)
def test_an_output_below_a_file_is_refused(miniature_tar: Path, tmp_path: Path) -> None:
    """A file in place of a folder above the output is an error of the output."""
    (tmp_path / "file").write_text("mine")

    error = refusal(miniature_tar, tmp_path / "file" / "out")

    assert "The output cannot be written." == error.what


@pytest.mark.parametrize(
    ("place", "expected"),
    [("SPair-71k.tar.gz", SourceError), ("SPair-71k/data", OutputError), (".", OutputError)],
)
def test_a_release_with_the_outputs_name_is_not_taken_for_it(
    place: str, expected: type[RawshelfError], tmp_path: Path
) -> None:
    """Where the operating system says no, its place says to what."""

    def refused() -> None:
        with explained(str(tmp_path / "SPair-71k")):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(tmp_path / place))

    with pytest.raises(expected):
        refused()


@pytest.mark.parametrize("name", ["notes.txt", "README.md", "data/pairs/mine.parquet", "data/x"])
@pytest.mark.fault(26)
def test_foreign_files_in_a_new_output_are_refused(
    name: str, miniature_tar: Path, tmp_path: Path
) -> None:
    """Nothing is written beside files that rawshelf did not write, and none is removed."""
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine")

    error = refusal(miniature_tar, out)

    assert name in str(error.found)
    assert [name] == [str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()]


@pytest.mark.fault(26)
def test_foreign_files_among_the_shards_of_a_finished_output_are_refused(
    miniature_tar: Path, finished: Path
) -> None:
    """A card's patterns would match a stranger's Parquet file."""
    (finished / "data/pairs/train-extra.parquet").write_text("mine")

    error = refusal(miniature_tar, finished)

    assert "data/pairs/train-extra.parquet" == error.found
    assert "mine" == (finished / "data/pairs/train-extra.parquet").read_text()


@pytest.mark.fault(26)
def test_hidden_files_and_extra_files_beside_the_card_are_left_alone(
    miniature_tar: Path, finished: Path
) -> None:
    """A finished output may be a Git checkout with a licence."""
    for name in (".gitattributes", "LICENSE"):
        (finished / name).write_text("mine")

    convert("spair71k", str(miniature_tar), str(finished), Options(overwrite=True))

    assert "mine" == (finished / "LICENSE").read_text()
    assert "mine" == (finished / ".gitattributes").read_text()


@pytest.mark.fault(26)
def test_a_read_only_output_is_refused(miniature_tar: Path, repository_root: Path) -> None:
    """A folder that may not be written to is told apart from a full disk."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become a user who may not write")
    code = (
        "import os, sys; os.setgid(65534); os.setuid(65534); from rawshelf.cli import main; main()"
    )
    # Not below pytest's own folder, which other users may not enter.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        raw = shutil.copy(miniature_tar, folder / "raw.tar.gz")
        (folder / "out").mkdir(mode=0o555)
        done = subprocess.run(
            [sys.executable, "-c", code, "convert", "spair71k", raw, str(folder / "out")],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(repository_root / "builders")},
        )
        left = os.listdir(folder / "out")
    finally:
        shutil.rmtree(folder)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip("the other user may not read the checkout")

    assert 6 == done.returncode, done.stderr
    assert "Permission denied" in done.stderr
    assert [] == left


@pytest.mark.parametrize("limit", [1_000, 100_000, 400_000])
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.fault(25)
def test_a_full_disk_publishes_nothing_and_the_run_resumes(
    limit: int, workers: str, conversion: Conversion, tmp_path: Path
) -> None:
    """Writing fails while planning, or while writing shards; the same command then finishes."""
    if workers == "2" and limit != 400_000:
        pytest.skip("the plan is written before there are workers")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "rawshelf", "convert", "spair71k", str(conversion.raw)]
    done = subprocess.run(
        [*command, str(out), "--workers", workers],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )

    assert 6 == done.returncode, done.stderr
    assert "bytes free" in done.stderr
    assert not out.exists() or {".rawshelf"} == set(os.listdir(out))
    assert not list(out.rglob("*.part"))

    convert("spair71k", str(conversion.raw), str(out))

    assert content(conversion.out) == content(out)


@pytest.mark.fault(25)
def test_too_little_space_is_told_before_any_shard_is_written(
    miniature_tar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is needed and what is free stand in the message."""
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    error = refusal(miniature_tar, tmp_path / "out")

    assert "1,000 bytes free" == error.found
    assert not (tmp_path / "out").exists()
