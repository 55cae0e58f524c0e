import getpass
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rawshelf.convert import Options, Total, convert
from rawshelf.errors import AnnotationError, MissingError, SourceError, UsageError, WorkerError
from rawshelf.files import file_sha256
from rawshelf.miniature import colon_to_dash, pack_folder, pack_tar, pack_zip
from rawshelf.records import ShardRecord
from rawshelf.spair71k import miniature
from tests.conftest import Conversion
from tests.fakes.spair71k import DEFECTS
from tests.outputs import content

CONTAINERS: dict[str, Callable[[Path], Path]] = {
    "tar": lambda at: pack_tar(miniature.members(), at / "raw.tar", gzip=False),
    "tar.gz in a wrapper": lambda at: pack_tar(
        miniature.members(), at / "raw.tgz", wrapper="SPair-71k"
    ),
    "tar.gz without directories": lambda at: pack_tar(
        miniature.members(), at / "raw", directories=False
    ),
    "stored zip": lambda at: pack_zip(miniature.members(), at / "raw.zip"),
    "deflated zip in a wrapper": lambda at: pack_zip(
        miniature.members(),
        at / "raw.zip",
        wrapper="SPair-71k",
        compression=zipfile.ZIP_DEFLATED,
    ),
    "folder": lambda at: pack_folder(miniature.members(), at / "raw"),
    "folder in a wrapper": lambda at: pack_folder(
        miniature.members(), at / "raw", wrapper="SPair-71k"
    ),
    "folder with dashes": lambda at: pack_folder(
        miniature.members(), at / "raw", rename=colon_to_dash
    ),
    "zip in reverse order": lambda at: pack_zip(
        reversed(list(miniature.members())), at / "raw.zip"
    ),
    "names that need care": lambda at: pack_tar(
        miniature.members(), at / "é #1 100% of?it" / "raw 1.tar.gz"
    ),
}


class AtOnce(Executor):
    """Runs a task when it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Broken(Executor):
    """Loses its workers."""

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        """Lose it."""
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor("killed"))
        return future


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.fault(31)
@pytest.mark.fault(38, only="care")
def test_every_container_gives_the_same_bytes(
    container: str, conversion: Conversion, tmp_path: Path
) -> None:
    """Files do not depend on how the release is packed, named or ordered."""
    convert("spair71k", str(CONTAINERS[container](tmp_path)), str(tmp_path / "out"))

    assert content(conversion.out) == content(tmp_path / "out")


@pytest.mark.parametrize("executor", [AtOnce(), ThreadPoolExecutor(3)])
@pytest.mark.fault(31)
def test_every_executor_gives_the_same_bytes(
    executor: Executor, conversion: Conversion, tmp_path: Path
) -> None:
    """Shards run on whatever executor is given, which stays open."""
    convert("spair71k", str(conversion.raw), str(tmp_path / "out"), executor=executor)

    assert content(conversion.out) == content(tmp_path / "out")
    assert 4 == executor.submit(sum, (2, 2)).result()


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}, ["--workers", "2"]),
        ({"PYTHONHASHSEED": "2", "TZ": "America/St_Johns", "USER": "somebody"}, []),
    ],
)
@pytest.mark.fault(31)
def test_every_environment_gives_the_same_bytes(
    settings: dict[str, str], arguments: list[str], conversion: Conversion, tmp_path: Path
) -> None:
    """Files do not depend on hash seed, time zone, locale, user, umask, folder or processes."""
    command = [sys.executable, "-m", "rawshelf", "convert", "spair71k"]
    raw = os.path.relpath(conversion.raw, tmp_path)
    done = subprocess.run(
        [*command, raw, "out", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **settings},
        preexec_fn=lambda: os.umask(0o077) and None,
    )

    assert 0 == done.returncode, done.stderr
    assert content(conversion.out) == content(tmp_path / "out")


@pytest.mark.fault(40)
def test_published_files_name_no_place_and_no_user(
    conversion: Conversion, repository_root: Path
) -> None:
    """Nothing of the machine gets into what is published."""
    forbidden = [str(conversion.raw.parent), str(conversion.out), str(repository_root)]
    forbidden += [name for name in (getpass.getuser(), os.uname().nodename) if len(name) > 4]
    for path in conversion.out.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert [] == [name for name in forbidden if name.encode() in data]


def test_progress_is_told_of_every_shard(conversion: Conversion, tmp_path: Path) -> None:
    """The callback gets each record, and what there is in all."""
    told: list[tuple[ShardRecord, Total]] = []
    result = convert(
        "spair71k",
        str(conversion.raw),
        str(tmp_path / "out"),
        progress=lambda record, total: told.append((record, total)),
    )

    rows = sum(record.rows for record in result.records)
    assert set(result.records) == {record for record, _ in told}
    assert {Total(9, rows)} == {total for _, total in told}


@pytest.mark.fault(30)
def test_an_input_that_changes_during_the_conversion_is_refused(
    miniature_tar: Path, tmp_path: Path
) -> None:
    """Sizes and times at the end must be those at the start; nothing is published."""
    raw = tmp_path / "raw.tar.gz"
    raw.write_bytes(miniature_tar.read_bytes())

    with pytest.raises(SourceError, match="changed while it was read"):
        convert(
            "spair71k",
            str(raw),
            str(tmp_path / "out"),
            progress=lambda *_: os.utime(raw, ns=(1, 1)),
        )

    assert not (tmp_path / "out" / "data").exists()


@pytest.mark.fault(30)
def test_a_file_that_changes_in_a_folder_is_refused(tmp_path: Path) -> None:
    """A single changed file of an unpacked release is noticed."""
    raw = pack_folder(miniature.members(), tmp_path / "raw")

    def change(*_: object) -> None:
        (raw / "README").write_text("other")

    with pytest.raises(SourceError, match="changed while it was read"):
        convert("spair71k", str(raw), str(tmp_path / "out"), progress=change)

    assert not (tmp_path / "out" / "data").exists()


@pytest.mark.fault(30)
def test_an_input_that_vanishes_is_an_error_of_the_release(tmp_path: Path) -> None:
    """A removed archive is not blamed on the output."""
    raw = pack_tar(miniature.members(), tmp_path / "raw.tar", gzip=False)

    with pytest.raises(SourceError, match=r"raw\.tar"):
        convert(
            "spair71k",
            str(raw),
            str(tmp_path / "out"),
            executor=AtOnce(),
            progress=lambda *_: raw.unlink(missing_ok=True),
        )


@pytest.mark.fault(24)
def test_lost_workers_are_told_with_the_shard(conversion: Conversion, tmp_path: Path) -> None:
    """An executor that breaks ends the conversion, and what is finished stays."""
    with pytest.raises(WorkerError, match="Workers died") as caught:
        convert("spair71k", str(conversion.raw), str(tmp_path / "out"), executor=Broken())

    assert "data/pairs/train-00000-of-00001.parquet" == caught.value.member


def test_strict_refuses_what_would_be_set_aside(tmp_path: Path) -> None:
    """Rows set aside are an error with --strict, also where the conversion stands already."""
    members = DEFECTS["broken_jpeg"](miniature.members())
    raw = pack_tar(members, tmp_path / "raw.tar.gz")
    out = tmp_path / "out"

    with pytest.raises(AnnotationError, match="--strict"):
        convert("spair71k", str(raw), str(out), Options(strict=True))

    assert not out.exists()
    convert("spair71k", str(raw), str(out))
    with pytest.raises(AnnotationError, match="--strict"):
        convert("spair71k", str(raw), str(out), Options(strict=True))


@pytest.mark.fault(12)
def test_missing_files_are_listed_when_they_are_allowed(tmp_path: Path) -> None:
    """The manifest says that the conversion is not complete, and what is absent."""
    raw = pack_tar(DEFECTS["missing_layout"](miniature.members()), tmp_path / "raw.tar.gz")

    with pytest.raises(MissingError):
        convert("spair71k", str(raw), str(tmp_path / "out"))

    result = convert("spair71k", str(raw), str(tmp_path / "out"), Options(allow_missing=100))
    assert result.manifest["complete"] is False
    assert "Layout/large/test.txt" in result.manifest["report"]["missing"]


def test_an_unknown_config_is_refused_with_a_near_match(
    miniature_tar: Path, tmp_path: Path
) -> None:
    """A misspelt config is told with the one that was meant."""
    with pytest.raises(UsageError, match="Did you mean images"):
        convert("spair71k", str(miniature_tar), str(tmp_path / "out"), Options(("image",)))

    assert not (tmp_path / "out").exists()


def test_counts_are_set_against_claims(conversion: Conversion) -> None:
    """Every config and split has its rows beside the published number and its source."""
    counts = conversion.result.manifest["counts"]
    rows = {(row["config"], row["split"]): row for row in counts}

    assert 12_234 == rows["pairs", "test"]["claims"][0]["rows"]
    assert rows["pairs", None]["rows"] == sum(
        rows["pairs", split]["rows"] for split in ("train", "validation", "test")
    )


def test_a_release_without_rows_is_refused(tmp_path: Path) -> None:
    """An archive of something else does not become an empty dataset."""
    raw = pack_tar([("README", b"x")], tmp_path / "raw.tar.gz")

    with pytest.raises(MissingError):
        convert("spair71k", str(raw), str(tmp_path / "out"), Options(allow_missing=100))


@pytest.mark.fault(30)
def test_the_manifest_identifies_the_input(conversion: Conversion) -> None:
    """Kind, size and hash of the archive stand in the manifest."""
    digest, size = file_sha256(str(conversion.raw))
    manifest = json.loads((conversion.out / "manifest.json").read_text())

    assert {"kind": "tar.gz", "bytes": size, "sha256": digest} == manifest["input"]
