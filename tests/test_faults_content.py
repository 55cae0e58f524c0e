"""Faults of what a release holds and of where it is converted, for every dataset."""

from __future__ import annotations

import getpass
import hashlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

from rawshelf.builds import open_build
from rawshelf.cli import cli
from rawshelf.convert import Options, Result, convert
from rawshelf.digests import content_digests
from rawshelf.errors import MissingError, OutputError, UsageError
from rawshelf.miniature import pack_folder, pack_zip
from rawshelf.verify import verify_folder
from tests.repositories import NAMES, small_members

PIXELS = {"spair71k": "images", "imagenet_sketch": "default", "partimagenet": "seg"}

# Of `tests.conftest.repositories`; the same with pyarrow 17.0 and 26.0, Pillow 10.3 and 12.
CONTENT = {
    "spair71k": "3e79188b28182a07bdc107e95a52126cb837686b6a2d728057b1a1a81e2aabbe",
    "imagenet_sketch": "4128682966d8b2d1d6a635c1433adef0a28ca44bf1cb3c49cfdda8c75835fdf9",
    "partimagenet": "3e5ed20d3aab8b486ff273d96a5e6a8fbdcc6a837f072fcc7f7ecd29f934f428",
}


class Small(NamedTuple):
    """A small release of one dataset, and its conversion, to be read and not changed.

    Attributes:
        name: Of the dataset.
        files: Its members.
        raw: The same as a zip.
        out: The output.
        result: Of the conversion.
    """

    name: str
    files: dict[str, bytes]
    raw: Path
    out: Path
    result: Result

    @property
    def photo(self) -> str:
        """Name of the first photograph or sketch."""
        return self.photos[0]

    @property
    def photos(self) -> list[str]:
        """Names of all."""
        return [name for name in self.files if name.lower().endswith(("jpg", "jpeg"))]

    def changed(self, content: bytes, folder: Path) -> Path:
        """Pack the release with other bytes for its first photograph."""
        return pack_zip({**self.files, self.photo: content}.items(), folder / "changed.zip")


@pytest.fixture(scope="module", params=NAMES)
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Small:
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    files = dict(small_members(name))
    raw = pack_zip(files.items(), folder / "raw.zip")
    out = folder / "out"
    return Small(name, files, raw, out, convert(name, str(raw), str(out)))


def published(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def pixel_rows(name: str, out: Path) -> list[dict[str, Any]]:
    """Return the rows of the config with photographs."""
    files = sorted((out / "data" / PIXELS[name]).glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.mark.fault(12)
def test_more_files_missing_than_allowed_are_all_listed(small: Small, tmp_path: Path) -> None:
    """Up to a number they may be; the manifest then has that number and every name."""
    if small.name == "imagenet_sketch":
        pytest.skip("nothing in this release names its files; its counts are compared")
    lost = small.photos[:3]
    files = {name: data for name, data in small.files.items() if name not in lost}
    raw, out = pack_zip(files.items(), tmp_path / "raw.zip"), tmp_path / "out"
    arguments = ["convert", small.name, str(raw), str(out), "--config", PIXELS[small.name]]

    refused = CliRunner().invoke(cli, [*arguments, "--allow-missing", "2"])
    allowed = CliRunner().invoke(cli, [*arguments, "--allow-missing", "3"])

    assert isinstance(refused.exception, MissingError)
    assert "at most 2 may be missing" in str(refused.exception)
    assert 3 == str(refused.exception).count("  missing: ")
    assert 0 == allowed.exit_code, allowed.output
    manifest = open_build(str(out)).manifest
    assert 3 == manifest["options"]["allow_missing"]
    assert manifest["complete"] is False
    assert list(refused.exception.missing) == manifest["report"]["missing"]
    for name in lost:
        assert any(name.endswith(found) for found in refused.exception.missing)


@pytest.mark.fault(12)
def test_a_class_that_lacks_a_sketch_is_told(tmp_path: Path) -> None:
    """By its published count, because nothing names the files."""
    files = dict(small_members("imagenet_sketch"))
    del files[next(iter(files))]
    raw = pack_zip(files.items(), tmp_path / "raw.zip")

    found = convert("imagenet_sketch", str(raw), str(tmp_path / "out"), Options(("default",)))

    assert "number of images" in {each.field for each in found.report.differences}
    assert len(files) == found.records[0].rows


@pytest.mark.fault(15)
def test_an_image_of_too_many_pixels_is_set_aside(small: Small, tmp_path: Path) -> None:
    """By its header, before anything decodes it; all other rows stay."""
    photo = bytearray(small.files[small.photo])
    frame = photo.index(b"\xff\xc0")
    photo[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    raw = small.changed(bytes(photo), tmp_path)

    found = convert(small.name, str(raw), str(tmp_path / "out"), Options((PIXELS[small.name],)))

    [row] = found.report.quarantine
    assert "65535 x 65535 pixels" in row.reason
    expected = len(pixel_rows(small.name, small.out))
    assert expected == len(pixel_rows(small.name, tmp_path / "out")) + 1


def encoded(photo: bytes, **options: Any) -> bytes:
    """Encode a photograph anew."""
    mode = options.pop("mode", "RGB")
    buffer = BytesIO()
    with Image.open(BytesIO(photo)) as image:
        image.convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


KINDS: dict[str, dict[str, Any]] = {
    "orientation": {"exif": turned()},
    "CMYK": {"mode": "CMYK"},
    "grey": {"mode": "L"},
    "profile": {"icc_profile": b"profile" * 40},
    "progressive": {"progressive": True},
}


@pytest.mark.fault(16)
@pytest.mark.parametrize("kind", KINDS)
def test_images_of_every_kind_keep_their_bytes(kind: str, small: Small, tmp_path: Path) -> None:
    """And have the size of the stored pixels; where polygons need it, orientation is undone."""
    photo = encoded(small.files[small.photo], **KINDS[kind])
    raw = small.changed(photo, tmp_path)

    found = convert(small.name, str(raw), str(tmp_path / "out"), Options((PIXELS[small.name],)))

    assert [] == found.report.quarantine
    undone = kind == "orientation" and small.name == "partimagenet"
    expected = photo.replace(turned(), turned().replace(b"\x06", b"\x01")) if undone else photo
    [row] = [r for r in pixel_rows(small.name, tmp_path / "out") if r["image"]["bytes"] == expected]
    with Image.open(BytesIO(photo)) as image:
        assert image.size == (row["width"], row["height"])


@pytest.mark.fault(31)
def test_a_clock_that_jumps_changes_no_byte(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward and back by decades."""
    jumps = itertools.cycle((0.0, 4e9, 1e8))
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    monkeypatch.setattr(time, "time_ns", lambda: int(next(jumps) * 1e9))

    convert(small.name, str(small.raw), str(tmp_path / "out"))

    assert published(small.out) == published(tmp_path / "out")


@pytest.mark.fault(31)
def test_another_environment_changes_no_byte(small: Small, tmp_path: Path) -> None:
    """Hash seed, time zone, locale, umask, user and threads of Arrow."""
    if small.name == "spair71k":
        pytest.skip("tests/test_convert.py has this for SPair-71k, with several processes too")
    odd = {"PYTHONHASHSEED": "3", "TZ": "Pacific/Chatham", "LC_ALL": "C", "USER": "somebody"}
    command = [sys.executable, "-m", "rawshelf", "convert", small.name, str(small.raw), "out"]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **odd, "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"},
        preexec_fn=lambda: os.umask(0o077) and None,
    )

    assert 0 == done.returncode, done.stderr
    assert published(small.out) == published(tmp_path / "out")


@pytest.mark.fault(32)
@pytest.mark.parametrize("name", NAMES)
def test_every_version_gives_the_same_content(name: str, repositories: dict[str, Path]) -> None:
    """The digest of schema and decoded values is one that was written down."""
    out = str(repositories[name])
    digests = content_digests(out, open_build(out))

    assert set(digests) == {f"{each.config}/{each.split}" for each in open_build(out).records}
    assert CONTENT[name] == hashlib.sha256(json.dumps(digests).encode()).hexdigest()


@pytest.mark.fault(32)
def test_the_digest_of_the_content_is_that_of_the_rows(small: Small, tmp_path: Path) -> None:
    """Other row groups and compression do not change it; another value or order does."""
    build = open_build(str(small.out))
    before = content_digests(str(small.out), build)
    for change, same in ((_repacked, True), (_reversed, False)):
        for record in build.records:
            table = pq.read_table(small.out / record.path)
            path = tmp_path / record.path
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(change(table), path, row_group_size=3, compression="gzip")
        found = content_digests(str(tmp_path), build)
        assert {same} == {
            before[f"{record.config}/{record.split}"] == found[f"{record.config}/{record.split}"]
            for record in build.records
            if record.rows > 1
        }


def _repacked(table: pa.Table) -> pa.Table:
    return table


def _reversed(table: pa.Table) -> pa.Table:
    return table.take(list(range(len(table)))[::-1])


@pytest.mark.fault(32)
def test_verify_prints_the_digest_of_the_content(small: Small) -> None:
    """With --content, and of a conversion only."""
    digests = content_digests(str(small.out), open_build(str(small.out)))

    done = CliRunner().invoke(cli, ["verify", str(small.out), "--content"])
    refused = CliRunner().invoke(cli, ["verify", "--hub", "me/data", "--content"])

    assert 0 == done.exit_code, done.output
    for place, digest in digests.items():
        assert f"content {place}: {digest}" in done.output
    assert isinstance(refused.exception, UsageError)


@pytest.mark.fault(38)
@pytest.mark.parametrize(
    "place", ["with space/\xe9\u4e2d\u6587/a#b%20c?d/CON/[glob]*/-dash", "a long folder/" * 40]
)
def test_odd_paths_change_nothing(place: str, small: Small, tmp_path: Path) -> None:
    """Neither of the release nor of the output."""
    raw = pack_folder(small.files.items(), tmp_path / "in" / place / "raw")
    out = tmp_path / "out" / place

    config = PIXELS[small.name]
    found = convert(small.name, str(raw), str(out), Options((config,)))

    expected = [record for record in small.result.records if record.config == config]
    assert expected == found.records
    assert verify_folder(str(out)).agrees


@pytest.mark.fault(40)
def test_no_secret_and_no_place_is_written(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a conversion, its verification or its refusal, with a token in the environment."""
    token = "hf_" + "Secret" * 6
    monkeypatch.setenv("HF_TOKEN", token)
    out = tmp_path / "out"
    printed = "".join(
        f"{done.output}{done.exception}"
        for done in (
            CliRunner().invoke(cli, ["convert", small.name, str(small.raw), str(out)]),
            CliRunner().invoke(cli, ["verify", str(out)]),
            CliRunner().invoke(cli, ["convert", small.name, str(tmp_path / "none"), str(out)]),
        )
    )

    assert "no such" in printed.lower()
    assert token not in printed
    hidden = [token, str(tmp_path), str(small.raw.parent), f"/{getpass.getuser()}/"]
    for path, data in published(out).items():
        assert [] == [text for text in hidden if text.encode() in data], path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return what mounts a disk of a size, or gives it another size."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(size: str) -> Path:
        kept = "remount," if os.path.ismount(place) else ""
        command = ["mount", "-t", "tmpfs", "-o", f"{kept}size={size}", "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        return place

    yield mount
    if os.path.ismount(place):
        # Lazily: an error that is still held keeps the tables mapped that it came from.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.fault(25)
@pytest.mark.parametrize("size", ["16k", "160k"])
def test_a_full_disk_is_told_and_the_rerun_finishes(
    size: str, small: Small, disk: Callable[[str], Path]
) -> None:
    """While planning, or before or while shards are written; nothing is published until then."""
    out = disk(size) / "out"
    with pytest.raises(OutputError) as caught:
        convert(small.name, str(small.raw), str(out))

    assert "bytes free" in str(caught.value.found)
    assert "Free space" in caught.value.remedy
    assert not out.exists() or [".rawshelf"] == os.listdir(out)

    disk("64m")
    convert(small.name, str(small.raw), str(out))
    assert published(small.out) == published(out)
