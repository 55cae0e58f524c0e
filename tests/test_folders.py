from __future__ import annotations

import os
import socket
from pathlib import Path

import fsspec
import pytest

from rawshelf.errors import SourceError
from rawshelf.folders import list_remote
from rawshelf.members import Guard
from rawshelf.sources import Source
from tests.archives import FILES, walked


def fill(root: Path, files: dict[str, bytes]) -> str:
    root.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return str(root)


def refusal(url: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        walked(url)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    "place", ["plain", "with space", "é ü", "a#b%20c?d", "CON", "x::y", "-dash", "d/" * 90 + "deep"]
)
@pytest.mark.fault(38)
def test_reads_folder_at_odd_place(tmp_path: Path, place: str) -> None:
    """The place of a folder may be spelled in any way that its file system takes."""
    assert FILES == walked(fill(tmp_path / place, FILES))


@pytest.mark.fault(31)
def test_order_is_by_name(tmp_path: Path) -> None:
    """The order of the members does not depend on that of the directory."""
    url = fill(tmp_path / "r", {"b/2": b"", "b/1": b"", "a/1": b"", "c": b"", "B2/x": b""})

    names = [member.name for member, _ in Source(url).walk(lambda _: False)]

    assert ["c", "b/1", "b/2", "a/1", "B2/x"] == names


@pytest.mark.fault(38)
def test_names_become_nfc_and_stay_readable(tmp_path: Path) -> None:
    """Decomposed names of folders and files are read, under composed names."""
    url = fill(tmp_path / "r", {"e\u0301/o\u0308": b"data"})

    assert {"\u00e9/\u00f6": b"data"} == walked(url)
    assert Source(url).fingerprint() == Source(url).fingerprint()


@pytest.mark.fault(6)
def test_links_are_reported_and_not_followed(tmp_path: Path) -> None:
    """Links to files and folders, outwards, dangling and in a loop, are kept for the report."""
    url = fill(tmp_path / "r", {"d/a": b"a"})
    (tmp_path / "secret").write_bytes(b"secret")
    for name, target in (
        ("file", "../secret"),
        ("out", ".."),
        ("dangling", "nowhere"),
        ("d/loop", "../d"),
        ("self", "self"),
    ):
        (tmp_path / "r" / name).symlink_to(target)
    source = Source(url)

    assert ["d/a"] == [member.name for member, _ in source.walk(lambda _: True)]
    assert ["d/loop", "dangling", "file", "out", "self"] == sorted(source.guard.skipped_links)


def test_reads_through_link_to_root(tmp_path: Path) -> None:
    """The root that the user names may itself be a link."""
    fill(tmp_path / "r", FILES)
    (tmp_path / "link").symlink_to("r")

    assert FILES == walked(str(tmp_path / "link"))


@pytest.mark.fault(11)
def test_junk_is_counted(tmp_path: Path) -> None:
    """Leftovers of operating systems are skipped and counted."""
    files = {"a": b"", ".DS_Store": b"", "d/._a": b"", "__MACOSX/a": b"", "Thumbs.db": b""}
    source = Source(fill(tmp_path / "r", files))

    assert ["a"] == [member.name for member, _ in source.walk(lambda _: True)]
    assert 4 == source.guard.junk


@pytest.mark.fault(5)
def test_refuses_fifo(tmp_path: Path) -> None:
    """A fifo is refused, not waited for."""
    url = fill(tmp_path / "r", {"a": b"a"})
    os.mkfifo(tmp_path / "r" / "pipe")

    assert "pipe" == refusal(url).member


@pytest.mark.fault(5)
def test_refuses_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket is refused."""
    url = fill(tmp_path / "r", {"a": b"a"})
    monkeypatch.chdir(tmp_path / "r")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")

        assert "s" == refusal(url).member


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a\\b", "a\udcffb"])
@pytest.mark.parametrize("below", ["", "{}/x"])
@pytest.mark.fault(4)
def test_refuses_hostile_name(tmp_path: Path, name: str, below: str) -> None:
    """Names of files and folders with controls or in no encoding are refused."""
    refusal(fill(tmp_path / "r", {below.format(name) or name: b""}))


@pytest.mark.fault(9)
def test_refuses_twins_by_case(tmp_path: Path) -> None:
    """Two files whose names differ in case only are refused."""
    assert "A and a" == refusal(fill(tmp_path / "r", {"A": b"", "a": b""})).found


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["d", "d/a"])
def test_refuses_unreadable(tmp_path: Path, name: str) -> None:
    """What may not be read is named."""
    url = fill(tmp_path / "r", {"d/a": b"a"})
    (tmp_path / "r" / name).chmod(0)

    assert name in str(refusal(url).member)


def test_names_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says of a file that it does not open stands in the message."""
    url = fill(tmp_path / "r", {"d/a": b"a"})

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("rawshelf.blobs.os.open", refuse)
    error = refusal(url)

    assert ("d/a", "Permission denied") == (error.member, error.found)


def vanish(path: Path) -> None:
    path.unlink()


def grow(path: Path) -> None:
    path.write_bytes(b"longer than before")


def shrink(path: Path) -> None:
    path.write_bytes(b"")


def become_link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def become_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [vanish, grow, shrink, become_link, become_fifo, become_folder])
@pytest.mark.fault(30)
def test_refuses_what_changes_while_read(tmp_path: Path, change: object) -> None:
    """A file that is not what was listed is refused when it is read."""
    url = fill(tmp_path / "r", {"a": b"1", "b": b"2"})
    walk = Source(url).walk(lambda _: True)
    next(walk)
    change(tmp_path / "r" / "b")  # type: ignore[operator]
    with pytest.raises(SourceError) as caught:
        next(walk)

    assert "b" == caught.value.member


@pytest.mark.fault(30)
def test_refuses_folder_that_vanishes(tmp_path: Path) -> None:
    """A folder that is gone when its turn comes is refused."""
    url = fill(tmp_path / "r", {"a": b"1", "d/b": b"2"})
    walk = Source(url).walk(lambda _: True)
    next(walk)
    (tmp_path / "r" / "d").rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="No such file"):
        next(walk)


def test_empty_folder(tmp_path: Path) -> None:
    """A folder without files holds no member."""
    (tmp_path / "r" / "d").mkdir(parents=True)

    assert {} == walked(str(tmp_path / "r"))


class Foreign(fsspec.AbstractFileSystem):
    """A remote file system that lists what it is told to."""

    protocol = "foreign"
    cachable = False

    def __init__(self, found: dict[str, object]) -> None:
        """List these files."""
        super().__init__()
        self.found = found

    def find(self, path: str, **_: object) -> dict[str, object]:
        """Return the files with their details."""
        return {f"{path}/{name}": details for name, details in self.found.items()}


@pytest.mark.parametrize(
    ("name", "details"),
    [
        ("a", {"type": "file"}),
        ("a", {"type": "file", "size": None}),
        ("a", {"type": "other", "size": 1}),
        ("../a", {"type": "file", "size": 1}),
        ("a::b", {"type": "file", "size": 1}),
        ("", {"type": "file", "size": 1}),
    ],
)
def test_refuses_remote_listing(name: str, details: object) -> None:
    """A remote entry without a size or a plain name is refused."""
    with pytest.raises(SourceError):
        list(list_remote(Foreign({name: details}), "root", Guard("foreign://root")))


@pytest.mark.fault(6)
def test_remote_links_are_reported() -> None:
    """A link behind a URL is not followed either."""
    guard = Guard("foreign://root")

    assert [] == list(list_remote(Foreign({"a": {"type": "link", "size": 1}}), "root", guard))
    assert ["a"] == guard.skipped_links
