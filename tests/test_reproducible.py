"""What is published depends on a release's content alone, not on the copy of it."""

import getpass
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rawshelf.convert import Options, convert
from rawshelf.errors import OutputError
from rawshelf.miniature import pack_folder, pack_tar, pack_zip
from tests.repositories import NAMES, small_members

PACKS: tuple[Callable[..., Path], ...] = (pack_zip, pack_tar, pack_folder)


def published(out: Path) -> dict[str, bytes]:
    """Return every file of an output, hidden ones too."""
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def aged(raw: Path) -> Path:
    """Give a release, file by file, other times."""
    for path in (raw, *raw.rglob("*")):
        os.utime(path, ns=(1, 1))
    return raw


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.fault(31, 40)
def test_copies_of_a_release_give_the_same_output(
    name: str, pack: Callable[..., Path], tmp_path: Path
) -> None:
    """Another place, another name and other times: the same bytes, manifest and card included."""
    first = pack(small_members(name), tmp_path / "first" / "raw")
    second = aged(pack(small_members(name), tmp_path / "second" / "elsewhere" / "renamed"))
    for raw, out in ((first, "a"), (second, "b")):
        convert(name, str(raw), str(tmp_path / out))

    found = published(tmp_path / "a")
    assert found == published(tmp_path / "b")
    assert {"README.md", "manifest.json"} <= set(found)
    user = getpass.getuser()
    for text in (found["README.md"].decode(), found["manifest.json"].decode()):
        assert str(tmp_path) not in text
        assert "renamed" not in text
        assert f"/{user}/" not in text


@pytest.mark.parametrize("pack", PACKS)
def test_a_copy_of_the_release_finds_its_conversion_standing(
    pack: Callable[..., Path], tmp_path: Path
) -> None:
    """Nothing is converted anew, and nothing is refused."""
    first = pack(small_members("spair71k"), tmp_path / "raw")
    second = aged(pack(small_members("spair71k"), tmp_path / "copy"))
    out = tmp_path / "out"
    written = convert("spair71k", str(first), str(out), Options(("images",)))
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}

    found = convert("spair71k", str(second), str(out), Options(("images",)))

    assert len(written.records) == found.kept
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*")}


@pytest.mark.fault(2)
def test_a_folder_with_another_byte_is_another_release(tmp_path: Path) -> None:
    """Equal names, sizes and times do not make two folders one."""
    raw = aged(pack_folder(small_members("spair71k"), tmp_path / "raw"))
    out = tmp_path / "out"
    convert("spair71k", str(raw), str(out), Options(("images",)))
    readme = raw / "README"
    readme.write_bytes(readme.read_bytes()[:-1] + b"?")
    aged(raw)

    with pytest.raises(OutputError, match="another release or another state"):
        convert("spair71k", str(raw), str(out), Options(("images",)))
