import errno
import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rawshelf import engines, files, output
from rawshelf.convert import Options, convert
from rawshelf.errors import OutputError, SourceError
from rawshelf.miniature import pack_tar
from rawshelf.spair71k import miniature
from tests.conftest import Conversion
from tests.outputs import content

OUTSIDE = {
    "path": "data/../../x",
    "config": "c",
    "split": "s",
    "rows": 1,
    "bytes": 1,
    "sha256": "0",
}


@pytest.fixture(scope="module")
def other_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    members = miniature.members(categories=("cat", "dog"))
    return pack_tar(members, tmp_path_factory.mktemp("other") / "other.tar.gz")


@pytest.fixture
def finished(conversion: Conversion, tmp_path: Path) -> Path:
    """Return a copy of the conversion, to be changed."""
    return Path(shutil.copytree(conversion.out, tmp_path / "out"))


def states(out: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in out.rglob("*")
        if path.is_file()
    }


def refusal(raw: Path, out: Path, *args: object, **options: int) -> OutputError:
    with pytest.raises(OutputError) as caught:
        convert("spair71k", str(raw), str(out), Options(*args, **options))  # type: ignore[arg-type]

    assert 6 == caught.value.exit_code
    return caught.value


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


def test_the_same_conversion_is_confirmed_and_nothing_is_rewritten(
    conversion: Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run reads neither the release nor plans anything."""
    before = states(conversion.out)
    monkeypatch.setattr("rawshelf.convert.plan", None)

    result = convert("spair71k", str(conversion.raw), str(conversion.out))

    assert before == states(conversion.out)
    assert conversion.result.records == result.records
    assert conversion.result.report == result.report
    assert 9 == result.kept


def test_a_damaged_shard_is_written_again_and_no_other(
    conversion: Conversion, finished: Path
) -> None:
    """Running the command again mends a finished output."""
    damaged = finished / "data/images/test-00000-of-00001.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    before = states(finished)

    result = convert("spair71k", str(conversion.raw), str(finished))

    after = states(finished)
    changed = {path for path in before if before[path] != after[path]}
    texts = {str(finished / name) for name in ("manifest.json", "README.md")}
    assert {str(damaged), *texts} == changed
    assert content(conversion.out) == content(finished)
    assert 8 == result.kept


def test_a_further_config_is_added(conversion: Conversion, tmp_path: Path) -> None:
    """Configs converted one by one give what they give at once; finished files stay."""
    out = tmp_path / "out"
    convert("spair71k", str(conversion.raw), str(out), Options(("images",)))
    before = states(out / "data")
    convert("spair71k", str(conversion.raw), str(out), Options(("pairs", "pairs_flat")))

    after = states(out / "data")
    assert before == {path: after[path] for path in before}
    assert content(conversion.out) == content(out)


def test_another_input_is_refused_unless_it_may_replace(
    other_tar: Path, finished: Path, tmp_path: Path
) -> None:
    """Only --overwrite replaces a conversion, and then wholly."""
    before = states(finished)

    error = refusal(other_tar, finished)

    assert "another release" in str(error.found)
    assert "--overwrite" in error.remedy
    assert before == states(finished)

    convert("spair71k", str(other_tar), str(finished), Options(overwrite=True))
    convert("spair71k", str(other_tar), str(tmp_path / "new"))

    assert content(tmp_path / "new") == content(finished)


def test_a_config_that_the_new_conversion_lacks_is_removed(other_tar: Path, finished: Path) -> None:
    """Replacing leaves no shard that the new manifest does not name."""
    convert("spair71k", str(other_tar), str(finished), Options(("pairs",), overwrite=True))

    assert ["pairs"] == os.listdir(finished / "data")


@pytest.mark.fault(39)
def test_other_options_and_other_code_are_named(
    conversion: Conversion, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says in what a standing conversion differs."""
    options = refusal(conversion.raw, finished, allow_missing=1)
    monkeypatch.setattr("rawshelf.convert.code_fingerprint", lambda: "other")
    code = refusal(conversion.raw, finished)

    assert "options {'allow_missing': 0, 'order': 'release'}" == options.found
    assert "code other" == code.expected


@pytest.mark.parametrize(
    "text",
    [
        '{"format": 0}',
        "[]",
        "{",
        '{"format": 1, "key": "k"}',
        '{"format": 1, "key": "k", "files": [{"path": "x"}]}',
        json.dumps({"format": 1, "key": "k", "files": [OUTSIDE]}),
    ],
)
@pytest.mark.fault(39)
def test_a_manifest_of_another_format_is_refused(
    text: str, miniature_tar: Path, finished: Path
) -> None:
    """What this version does not understand it neither reuses nor replaces."""
    (finished / "manifest.json").write_text(text)
    before = states(finished)

    error = refusal(miniature_tar, finished, overwrite=True)

    assert "manifest.json" == error.member
    assert before == states(finished)


def test_a_missing_card_is_written_again(conversion: Conversion, finished: Path) -> None:
    """A run that was killed between manifest and card is completed."""
    (finished / "README.md").unlink()

    convert("spair71k", str(conversion.raw), str(finished))

    assert content(conversion.out) == content(finished)


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
