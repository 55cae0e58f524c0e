from __future__ import annotations

import gzip
import os
import shutil
import signal
import threading
from pathlib import Path

import fsspec
import pytest

from rawshelf.errors import SourceError
from rawshelf.sources import Source, Wrapper
from tests.archives import FILES, Zipped, deflated, stored, tar, walked, zipped

ZIP = zipped(*(Zipped(n.encode(), data, 8, deflated(data)) for n, data in FILES.items()))
KINDS = {"tar": tar(), "tar.gz": gzip.compress(tar(), mtime=0), "zip": ZIP}
SCHEMES = ["", "file://", "memory://"]
CASES = [(scheme, kind) for scheme in SCHEMES for kind in ("folder", *KINDS)]


@pytest.fixture(autouse=True)
def _empty_memory() -> None:
    fsspec.filesystem("memory").store.clear()


def put(scheme: str, kind: str, root: Path, files: dict[str, bytes] | None = None) -> str:
    """Write a release of a kind, and return its path or URL."""
    place = str(root / "release")
    contents = FILES | (files or {}) if kind == "folder" else {"": KINDS[kind]}
    for name, data in contents.items():
        path = f"{place}/{name}".rstrip("/")
        if scheme == "memory://":
            fsspec.filesystem("memory").pipe(path, data)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Path(path).write_bytes(data)
    return f"{scheme}{place}"


@pytest.mark.parametrize(("scheme", "kind"), CASES)
def test_reads_every_kind_everywhere(tmp_path: Path, scheme: str, kind: str) -> None:
    """Folder, tar, tar.gz and zip are recognised by content and read alike, wherever they lie."""
    source = Source(put(scheme, kind, tmp_path))

    assert kind == source.kind
    assert (kind == "tar.gz") == source.sequential
    assert FILES == walked(source.url)


@pytest.mark.parametrize(("scheme", "kind"), CASES)
def test_bytes_come_only_if_wanted(tmp_path: Path, scheme: str, kind: str) -> None:
    """Every member passes, with bytes only where they are wanted."""
    source = Source(put(scheme, kind, tmp_path))

    found = {member.name: data for member, data in source.walk(lambda name: "07" in name)}

    assert FILES.keys() == found.keys()
    assert ["d/07.txt"] == [name for name, data in found.items() if data is not None]


@pytest.mark.parametrize(("scheme", "kind"), CASES)
def test_fingerprint_is_stable(tmp_path: Path, scheme: str, kind: str) -> None:
    """Reading does not change the fingerprint."""
    url = put(scheme, kind, tmp_path)
    source = Source(url)
    before = source.fingerprint()
    walked(url)

    assert before == source.fingerprint() == Source(url).fingerprint()


@pytest.mark.parametrize(("scheme", "kind"), CASES)
def test_fingerprint_changes_with_size(tmp_path: Path, scheme: str, kind: str) -> None:
    """Another size is another fingerprint."""
    url = put(scheme, kind, tmp_path)
    before = Source(url).fingerprint()
    place = url.removeprefix(scheme) + ("/d/07.txt" if kind == "folder" else "")
    filesystem = fsspec.filesystem("memory" if scheme == "memory://" else "file")
    filesystem.pipe_file(place, filesystem.cat_file(place) + bytes(512))

    assert before != Source(url).fingerprint()


@pytest.mark.parametrize("kind", ["folder", *KINDS])
def test_fingerprint_changes_with_time(tmp_path: Path, kind: str) -> None:
    """The same size at another time is another fingerprint."""
    url = put("", kind, tmp_path)
    before = Source(url).fingerprint()
    os.utime(f"{url}/d/07.txt" if kind == "folder" else url, ns=(1, 1))

    assert before != Source(url).fingerprint()


def test_fingerprint_changes_with_names(tmp_path: Path) -> None:
    """A file more, or under another name, is another fingerprint."""
    url = put("", "folder", tmp_path)
    before = Source(url).fingerprint()
    os.rename(f"{url}/d/07.txt", f"{url}/d/7.txt")

    assert before != Source(url).fingerprint()


def test_fingerprint_refuses_what_is_gone(tmp_path: Path) -> None:
    """A release that is gone has no fingerprint, and says so."""
    source = Source(put("", "folder", tmp_path))
    shutil.rmtree(source.url)
    with pytest.raises(SourceError):
        source.fingerprint()


@pytest.mark.parametrize("kind", ["folder", *KINDS])
@pytest.mark.fault(40)
def test_description_does_not_depend_on_the_place(tmp_path: Path, kind: str) -> None:
    """The same release is described alike wherever it lies, and whatever its files' times."""
    found = [Source(put(scheme, kind, tmp_path)).describe() for scheme in SCHEMES]

    assert [found[0]] * 3 == found
    assert kind == found[0]["kind"]


@pytest.mark.parametrize("scheme", ["", "memory://"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(30)
def test_refuses_what_vanishes(tmp_path: Path, scheme: str, kind: str) -> None:
    """An archive that is gone when it is walked through or described is refused."""
    source = Source(put(scheme, kind, tmp_path))
    fsspec.filesystem(scheme.removesuffix("://") or "file").rm(source.url.removeprefix(scheme))
    with pytest.raises(SourceError):
        list(source.walk(lambda _: True))
    with pytest.raises(SourceError):
        source.describe()
    with pytest.raises(SourceError):
        source.fingerprint()


PLACES = [
    "",
    "nowhere",
    "~nobody-of-this-name/x",
    "a\0b",
    "a\udc80b",
    "x" * 5000,
    "/dev/null",
    "memory://nowhere",
    "memory://a::b",
    "memory://a#b?c%",
    "memory://a*[b",
    "zip::memory://x",
    "zip://a::memory://x",
    "nosuch://x",
    "://",
    "reference://x",
    "dir://x",
    "cached://x",
    "data://x",
]


@pytest.mark.parametrize("place", PLACES)
def test_refuses_odd_places(place: str) -> None:
    """What leads nowhere, or is no URL, is refused by name."""
    with pytest.raises(SourceError) as caught:
        Source(place)

    assert place == caught.value.archive
    assert caught.value.remedy


def test_refuses_folder_in_a_chain(tmp_path: Path) -> None:
    """A folder within an archive within a URL cannot be read member by member."""
    put("memory://", "zip", tmp_path)
    with pytest.raises(SourceError, match="chain"):
        Source(f"zip://d::memory://{tmp_path}/release")


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html>",
        b"\n  <HTML>",
        b"\xef\xbb\xbf<!doctype html>",
        b"<?xml version='1.0'?><Error><Code>AccessDenied",
    ],
)
@pytest.mark.fault(3)
def test_web_page_is_recognised(tmp_path: Path, page: bytes) -> None:
    """A page that a file host sent in place of the archive is named as what it is."""
    with pytest.raises(SourceError) as caught:
        Source(stored(tmp_path / "x.zip", page + b" Quota exceeded" * 100))

    assert "a web page" == caught.value.found
    assert "quota" in caught.value.remedy
    assert "mirror" in caught.value.remedy


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"BZh91AY", "a bzip2 file"),
        (b"\xfd7zXZ\0", "an xz file"),
        (b"Rar!\x1a", "a rar archive"),
        (bytes(10240), "begins with"),
        (b"MZ" + ZIP, "begins with"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, found: str) -> None:
    """What is no container that is read here is named."""
    with pytest.raises(SourceError) as caught:
        Source(stored(tmp_path / "x", content))

    assert found in str(caught.value.found)


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"PK\3\4", b"PK\5\6"])
def test_bare_magic_is_refused(tmp_path: Path, magic: bytes) -> None:
    """A file that only begins like an archive is refused when it is read."""
    with pytest.raises(SourceError):
        walked(stored(tmp_path / "x", magic))


@pytest.mark.parametrize("place", ["a b", "é", "a#b%20c?d", "x::y", "[glob]*"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(38)
def test_archive_at_odd_place(tmp_path: Path, place: str, kind: str) -> None:
    """A local path is taken as it is."""
    url = stored(tmp_path / place, KINDS[kind])

    assert FILES == walked(url)


def test_relative_path_stays_readable_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blobs of a relative path name it in full, for workers with another working folder."""
    put("", "folder", tmp_path)
    monkeypatch.chdir(tmp_path)
    blobs = [member.blob for member, _ in Source("release").walk(lambda _: False)]

    assert all(os.path.isabs(blob.container) for blob in blobs if blob is not None)


def test_reading_changes_nothing(tmp_path: Path) -> None:
    """Neither the release nor what lies beside it is changed."""
    for kind in ("folder", *KINDS):
        walked(put("", kind, tmp_path / kind))
    before = sorted(tmp_path.rglob("*"))
    for kind in ("folder", *KINDS):
        Source(str(tmp_path / kind / "release")).describe()

    assert before == sorted(tmp_path.rglob("*"))


ANCHORS = frozenset({"Images", "Layout"})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Images/a", "Layout/b"], ["Images/a", "Layout/b"]),
        (["R/Images/a", "R/Layout/b"], ["Images/a", "Layout/b"]),
        (["R/README", "R/Images/a"], [None, "Images/a"]),
        (["Images/Images/a"], ["Images/Images/a"]),
        (["R/S/Images/a"], [None]),
        (["other"], [None]),
    ],
)
def test_wrapper_is_taken_off(tmp_path: Path, names: list[str], expected: list[str | None]) -> None:
    """Zero or one folder around the release is taken off."""
    wrapper = Wrapper(ANCHORS, Source(str(tmp_path)))

    assert expected == [wrapper.strip(name) for name in names]


@pytest.mark.parametrize("second", ["Images/a", "S/Images/a"])
def test_second_root_is_refused(tmp_path: Path, second: str) -> None:
    """A container that holds the release twice is refused."""
    wrapper = Wrapper(ANCHORS, Source(str(tmp_path)))
    wrapper.strip("R/Images/a")
    with pytest.raises(SourceError, match="twice"):
        wrapper.strip(second)


@pytest.mark.fault(23)
def test_an_interrupt_leaves_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes when a thread that inflates was just started; a process waits for its threads."""
    path = tmp_path / "raw.tar.gz"
    path.write_bytes(gzip.compress(tar({"large": bytes(8 << 20)})))
    real, before = threading.Thread.start, set(threading.enumerate())

    def interrupted(thread: threading.Thread) -> None:
        real(thread)
        signal.raise_signal(signal.SIGTERM)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    handler = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(Source(str(path)).walk(lambda _: True))
    finally:
        signal.signal(signal.SIGTERM, handler)

    assert before == set(threading.enumerate())
