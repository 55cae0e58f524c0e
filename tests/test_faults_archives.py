"""Damaged and hostile archives of every dataset: refused, and nothing is published."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from rawshelf import catalog
from rawshelf.builds import open_build
from rawshelf.cli import cli
from rawshelf.convert import Options, Result, convert
from rawshelf.digests import content_digests
from rawshelf.errors import RawshelfError, SourceError, TruncatedError
from rawshelf.files import file_sha256
from rawshelf.miniature import pack_folder, pack_tar, pack_zip
from tests.archives import END, Zipped, deflated, entry, stored, zipped
from tests.repositories import NAMES, small_members

Test = Callable[..., None]

FLIPS = (6, 70)  # by default, and with --full-trials


class Sound(NamedTuple):
    """A sound release of one dataset.

    Attributes:
        name: Of the dataset.
        files: Its members.
        raw: The same, packed and named as published.
        result: Of its conversion.
        digests: What that says.
    """

    name: str
    files: dict[str, bytes]
    raw: Path
    result: Result
    digests: dict[str, str]

    @property
    def rows(self) -> int:
        """Number of rows in all configs."""
        return sum(record.rows for record in self.result.records)


@pytest.fixture(scope="module", params=NAMES)
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sound:
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    files = dict(small_members(name))
    archive = catalog.find(name).release.archives[0].name
    pack = pack_zip if archive.endswith(".zip") else pack_tar
    raw = pack(files.items(), folder / archive)
    result = convert(name, str(raw), str(folder / "out"))
    digests = content_digests(str(folder / "out"), open_build(str(folder / "out")))
    return Sound(name, files, raw, result, digests)


def refusal(name: str, raw: str, folder: Path) -> RawshelfError:
    """Return why a release is refused; no file appears but what a rerun can take up."""
    before = sorted(folder.parent.iterdir())
    with pytest.raises(RawshelfError) as caught:
        convert(name, raw, str(folder))

    assert caught.value.remedy
    assert before == sorted(set(folder.parent.iterdir()) - {folder})
    assert not folder.exists() or [".rawshelf"] == os.listdir(folder)
    return caught.value


@pytest.mark.fault(1)
@pytest.mark.parametrize("cut", [1, 8, 1024])
def test_a_cut_archive_tells_how_much_is_there(cut: int, sound: Sound, tmp_path: Path) -> None:
    """Bytes there and due stand in the message, and how the download is resumed."""
    raw = tmp_path / sound.raw.name
    raw.write_bytes(sound.raw.read_bytes()[:-cut])
    published = catalog.find(sound.name).release.archives[0]

    error = refusal(sound.name, str(raw), tmp_path / "out")

    assert TruncatedError is type(error)
    assert published.bytes is not None
    told = f"got {raw.stat().st_size:,} of {published.bytes:,} bytes"
    assert f"The archive is incomplete: {told}." == error.what
    assert "curl -L -C - " in error.remedy
    assert published.urls[0] in error.remedy


@pytest.mark.fault(1)
def test_another_packing_that_is_cut_is_not_compared(sound: Sound, tmp_path: Path) -> None:
    """Of an archive with another name nobody knows how large it should be."""
    raw = tmp_path / "mine"
    raw.write_bytes(sound.raw.read_bytes()[:-1024])

    error = refusal(sound.name, str(raw), tmp_path / "out")

    assert TruncatedError is type(error)
    assert "incomplete" not in str(error)


@pytest.mark.fault(2)
def test_a_flipped_bit_never_changes_a_row(
    sound: Sound,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    request: pytest.FixtureRequest,
) -> None:
    """A checksum refuses it, or it is in no member and the manifest has another sha256."""
    trials = FLIPS[request.config.option.full_trials]
    record_property("trials", trials)
    chance, whole = random.Random(7), sound.raw.read_bytes()
    for trial in range(trials):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        raw, out = stored(tmp_path / "raw", bytes(data)), tmp_path / f"out-{trial}"
        with suppress(RawshelfError):
            convert(sound.name, raw, str(out))
        if (out / "data").exists():
            build = open_build(str(out))
            assert sound.result.manifest["input"] != build.manifest["input"]
            assert sound.digests == content_digests(str(out), build)


@pytest.mark.fault(2)
def test_other_bytes_of_the_published_size_need_consent(
    sound: Sound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused by their sha256; the manifest tells who accepted them."""
    dataset = catalog.find(sound.name)
    sha256, size = file_sha256(str(sound.raw))
    published = replace(dataset.release.archives[0], bytes=size, sha256="0" * 64)
    release = replace(dataset.release, archives=(published,))
    monkeypatch.setattr(catalog, "find", lambda _: replace(dataset, release=release))
    config = dataset.configs[0].name
    arguments = ["convert", sound.name, str(sound.raw), str(tmp_path / "out"), "--config", config]

    refused = CliRunner().invoke(cli, arguments)
    accepted = CliRunner().invoke(cli, [*arguments, "--accept-unknown-release"])

    assert isinstance(refused.exception, SourceError)
    for part in (sha256, "0" * 64, "--accept-unknown-release"):
        assert part in str(refused.exception)
    assert 0 == accepted.exit_code, accepted.output
    notes = open_build(str(tmp_path / "out")).manifest["report"]["notes"]
    [note] = [line for line in notes if "unknown release" in line]
    assert sha256 in note


@pytest.mark.fault(3)
def test_a_web_page_in_place_of_the_archive_is_refused(sound: Sound, tmp_path: Path) -> None:
    """Before anything is hashed; quota and mirrors are named."""
    page = b"<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>"

    error = refusal(sound.name, stored(tmp_path / sound.raw.name, page), tmp_path / "out")

    assert "a web page" == error.found
    assert "quota" in error.remedy
    assert "mirror" in error.remedy


BOMB = bytes(40_000_000)
IN_TARS: dict[str, tuple[bytes, ...]] = {
    "traversal": (entry("../x", b"1"),),
    "absolute": (entry("/abs", b"1"),),
    "drive": (entry("C:\\x", b"1"),),
    "climbing": (entry("a/../../x", b"1"),),
    "control": (entry("a\nb", b"1"),),
    "symbolic link": (entry("link", kind=b"2"),),
    "hard link": (entry("link", kind=b"1"),),
    "device": (entry("device", kind=b"3"),),
    "fifo": (entry("fifo", kind=b"6"),),
    "twin": (entry("twin", b"1"), entry("twin", b"2")),
    "twin by case": (entry("a/twin", b"1"), entry("A/TWIN", b"2")),
    "twin by form": (entry("\xe9", b"1"), entry("e\u0301", b"2")),
    "sparse": (entry("sparse", b"1", b"S"),),
    "size past the end": (entry("long", b"1" * 10_000)[:512],),
}
IN_ZIPS: dict[str, tuple[Zipped, ...]] = {
    "traversal": (Zipped(b"../x"),),
    "absolute": (Zipped(b"/abs"),),
    "drive": (Zipped(b"C:\\x"),),
    "zero": (Zipped(b"a\0b"),),
    "symbolic link": (Zipped(b"link", b"/etc", mode=0o120777),),
    "device": (Zipped(b"device", mode=0o020666),),
    "fifo": (Zipped(b"fifo", mode=0o010666),),
    "bomb": (Zipped(b"bomb", BOMB + b"1", 8, deflated(BOMB)[:20_000]),),
    "overlap": (Zipped(b"first", b"1"), Zipped(b"second", b"2", central={"offset": 0})),
    "twin": (Zipped(b"twin"), Zipped(b"twin")),
    "twin by case": (Zipped(b"a/twin"), Zipped(b"A/TWIN")),
    "encrypted": (Zipped(b"secret", b"1", flags=1),),
    "bzip2": (Zipped(b"packed", b"1", 12),),
}
ROWS = {
    4: "traversal|absolute|drive|climbing|control|zero",
    5: "link|device|fifo",
    7: "bomb|overlap",
    8: "size",
    9: "twin",
    10: "sparse|encrypted|bzip2",
}


def of_rows(cases: Iterable[str]) -> Callable[[Test], Test]:
    """Mark a test with the rows of its cases."""

    def marked(test: Test) -> Test:
        for row, pattern in ROWS.items():
            if any(re.search(pattern, case) for case in cases):
                test = pytest.mark.fault(row, only=pattern)(test)
        return test

    return marked


@of_rows(IN_TARS)
@pytest.mark.parametrize("evil", IN_TARS)
def test_a_tar_with_a_hostile_member_is_refused(evil: str, sound: Sound, tmp_path: Path) -> None:
    """As a whole, although all other members are sound."""
    parts = [entry(name, data) for name, data in sound.files.items()]
    content = b"".join((*parts, *IN_TARS[evil], END))

    error = refusal(sound.name, stored(tmp_path / "raw.tar", content), tmp_path / "out")

    assert SourceError.exit_code == error.exit_code
    assert error.member


@of_rows(IN_ZIPS)
@pytest.mark.parametrize("evil", IN_ZIPS)
def test_a_zip_with_a_hostile_member_is_refused(evil: str, sound: Sound, tmp_path: Path) -> None:
    """As a whole, although all other members are sound."""
    parts = [Zipped(name.encode(), data) for name, data in sound.files.items()]
    content = zipped(*parts, *IN_ZIPS[evil])

    error = refusal(sound.name, stored(tmp_path / "raw.zip", content), tmp_path / "out")

    assert SourceError.exit_code == error.exit_code
    assert error.member


@pytest.mark.fault(8)
@pytest.mark.parametrize("lie", [{"size": 1}, {"packed": 1}, {"size": 1, "packed": 1}], ids=str)
def test_an_image_whose_headers_disagree_is_refused(
    lie: dict[str, int], sound: Sound, tmp_path: Path
) -> None:
    """What the directory of a zip says of a member is compared with the member."""
    first = next(name for name in sound.files if name.lower().endswith(("jpg", "jpeg")))
    shorter: dict[str, int | bytes] = {k: len(sound.files[first]) - less for k, less in lie.items()}
    parts = [
        Zipped(name.encode(), data, central=shorter if name == first else {})
        for name, data in sound.files.items()
    ]

    error = refusal(sound.name, stored(tmp_path / "raw.zip", zipped(*parts)), tmp_path / "out")

    assert SourceError.exit_code == error.exit_code
    assert first.endswith(str(error.member))


@pytest.mark.fault(6)
def test_links_of_a_folder_are_listed_and_not_followed(sound: Sound, tmp_path: Path) -> None:
    """Neither one that leads out, nor one that leads round."""
    raw = pack_folder(sound.files.items(), tmp_path / "raw")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("mine")
    (raw / "out").symlink_to(tmp_path / "outside")
    (raw / "loop").symlink_to(raw)

    found = convert(sound.name, str(raw), str(tmp_path / "out"))

    assert ["loop", "out"] == found.report.skipped_links
    assert [record.sha256 for record in sound.result.records] == [
        record.sha256 for record in found.records
    ]


@pytest.mark.fault(11)
def test_leftovers_of_operating_systems_are_counted(sound: Sound, tmp_path: Path) -> None:
    """And change nothing."""
    first = next(name for name in sound.files if "/" in name).rpartition("/")[0]
    junk = ("__MACOSX/._x", ".DS_Store", f"{first}/._x.jpg", f"{first}/Thumbs.db")
    files = {**dict.fromkeys(junk, b"junk"), **sound.files}

    found = convert(sound.name, str(pack_zip(files.items(), tmp_path / "raw")), str(tmp_path / "o"))

    assert len(junk) == found.report.junk
    assert sound.result.report.strays == found.report.strays
    assert sound.rows == sum(record.rows for record in found.records)


@pytest.mark.fault(13)
def test_a_file_that_the_release_does_not_have_is_listed(sound: Sound, tmp_path: Path) -> None:
    """And gives no row."""
    first = next(name for name in sound.files if name.lower().endswith(("jpg", "jpeg")))
    stray = f"{first.rpartition('/')[0]}/notes.txt"
    raw = pack_zip({**sound.files, stray: b"left over"}.items(), tmp_path / "raw.zip")

    found = convert(sound.name, str(raw), str(tmp_path / "out"), Options())

    assert [*sound.result.report.strays, stray] == found.report.strays
    assert sound.rows == sum(record.rows for record in found.records)
