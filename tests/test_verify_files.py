import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rawshelf.errors import HubError, MissingError, OutputError
from rawshelf.files import file_sha256
from rawshelf.remote import Remote
from rawshelf.verify import Finding, verify_folder, verify_hub
from tests.conftest import Conversion
from tests.publishing import REPO, Desk, desk, local

PAIRS = "data/pairs/test-00000-of-00001.parquet"
Damage = Callable[[Path], Any]


@pytest.fixture
def out(conversion: Conversion, tmp_path: Path) -> Path:
    """Return a copy of a conversion, to be damaged."""
    return Path(shutil.copytree(conversion.out, tmp_path / "out"))


@pytest.fixture
def me() -> Iterator[Desk]:
    with desk() as found:
        yield found


def test_a_conversion_agrees_with_its_manifest(conversion: Conversion) -> None:
    """Files, bytes and rows are counted."""
    verdict = verify_folder(str(conversion.out))

    assert ([], []) == (verdict.differences, verdict.notes)
    records = conversion.result.records
    assert (9, sum(record.rows for record in records)) == (verdict.files, verdict.rows)
    assert sum(record.bytes for record in records) == verdict.bytes


def test_progress_is_told_in_bytes(conversion: Conversion) -> None:
    """To the last one."""
    told: list[tuple[str, int, int]] = []

    verdict = verify_folder(str(conversion.out), lambda *step: told.append(step))

    assert ("hashing", verdict.bytes, verdict.bytes) == told[-1]
    assert sorted(told) == told


def _shards(out: Path) -> list[str]:
    return [file["path"] for file in json.loads((out / "manifest.json").read_text())["files"]]


@pytest.mark.parametrize("place", [0, 0.5, -1])
@pytest.mark.fault(37)
def test_one_flipped_bit_is_found_in_any_shard(place: float, out: Path) -> None:
    """At the start, in the middle, at the end; with the hash found and the one expected."""
    for path in _shards(out):
        whole = (out / path).read_bytes()
        data = bytearray(whole)
        data[int(place * len(data)) if place > 0 else int(place)] ^= 1
        expected = file_sha256(str(out / path))[0]
        (out / path).write_bytes(data)

        verdict = verify_folder(str(out))

        assert {path} == {found.path for found in verdict.differences}
        found = file_sha256(str(out / path))[0]
        assert Finding(path, "sha256", found, expected) in verdict.differences
        (out / path).write_bytes(whole)


def _truncate(out: Path) -> None:
    (out / PAIRS).write_bytes((out / PAIRS).read_bytes()[:-100])


def _replace(out: Path) -> None:
    """Put another shard in the place of one: a good Parquet file, but not this one."""
    shutil.copy(out / PAIRS.replace("test", "train"), out / PAIRS)


def _claim(out: Path) -> None:
    """Let the manifest claim a row too many, of a file that is untouched."""
    manifest = json.loads((out / "manifest.json").read_text())
    next(file for file in manifest["files"] if file["path"] == PAIRS)["rows"] += 1
    (out / "manifest.json").write_text(json.dumps(manifest))


def _extra(out: Path) -> None:
    shutil.copy(out / PAIRS, out / PAIRS.replace("00000-of", "00001-of"))


@pytest.mark.parametrize(
    ("damage", "path", "what"),
    [
        (lambda out: (out / PAIRS).unlink(), PAIRS, {"presence"}),
        (_truncate, PAIRS, {"bytes", "sha256", "content"}),
        (_replace, PAIRS, {"bytes", "sha256", "rows"}),
        (_claim, PAIRS, {"rows"}),
        (lambda out: (out / "README.md").unlink(), "README.md", {"presence"}),
        (_extra, PAIRS.replace("00000-of", "00001-of"), {"presence"}),
    ],
)
@pytest.mark.fault(37)
def test_every_kind_of_damage_is_told_with_its_file(
    damage: Damage, path: str, what: set[str], out: Path
) -> None:
    """And nothing else is."""
    damage(out)

    differences = verify_folder(str(out)).differences

    assert {path} == {found.path for found in differences}
    assert what == {found.what for found in differences}


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda out: (out / "notes.txt").write_text("mine"), "notes.txt is not part"),
        (lambda out: (out / "README.md").write_text("mine"), "README.md was edited"),
        (lambda out: (out / ".rawshelf").mkdir(), ".rawshelf holds"),
    ],
)
def test_what_stands_beside_is_noted(change: Damage, note: str, out: Path) -> None:
    """It contradicts nothing that the manifest says."""
    change(out)

    verdict = verify_folder(str(out))

    assert verdict.agrees
    assert [note] == [found[: len(note)] for found in verdict.notes]


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    """With how to get one."""
    with pytest.raises(MissingError, match="rawshelf convert"):
        verify_folder(str(tmp_path))


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 10**5, "[]", '{"format": 2}', '{"format": 1}'], ids=len
)
@pytest.mark.fault(39)
def test_a_manifest_of_another_format_is_told(text: str, tmp_path: Path) -> None:
    """Never a traceback."""
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(OutputError, match=r"manifest\.json"):
        verify_folder(str(tmp_path))


def _remote(me: Desk, name: str = REPO) -> Remote:
    return Remote(name, api=me.api(), retry=me.retry)


@pytest.mark.parametrize("field", ["dataset", "tools", "counts", "files", "report", "card"])
def test_a_field_of_another_type_is_told(field: str, out: Path) -> None:
    """Whoever reads it later may rely on it."""
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, field: 5}))

    with pytest.raises(OutputError) as caught:
        verify_folder(str(out))

    assert caught.value.found == f"{field} of another type, int"


def test_a_repository_agrees_with_its_manifest(me: Desk, conversion: Conversion) -> None:
    """By the hashes of the LFS store; only the small files are read."""
    me.push(conversion.out)
    me.hub.reset_requests()

    verdict = verify_hub(_remote(me))

    assert verdict.agrees
    assert verify_folder(str(conversion.out)).build == verdict.build
    read = {request.path for request in me.hub.requests if request.kind == "resolve"}
    assert {"README.md", "manifest.json"} == {path.rpartition("/")[2] for path in read}


@pytest.mark.parametrize(
    ("path", "content", "what"),
    [
        (PAIRS, b"PAR1 other bytes", {"bytes", "sha256"}),
        (PAIRS, None, {"presence"}),
        ("README.md", None, {"presence"}),
        (PAIRS.replace("00000-of", "00001-of"), b"PAR1", {"presence"}),
    ],
)
@pytest.mark.fault(37)
def test_a_changed_repository_is_told(
    path: str, content: bytes | None, what: set[str], me: Desk, conversion: Conversion
) -> None:
    """Whoever changed it, and however."""
    first = me.push(conversion.out)
    me.hub.commit(REPO, {path: content})

    verdict = verify_hub(_remote(me))

    assert {(path, kind) for kind in what} == {(d.path, d.what) for d in verdict.differences}
    assert verify_hub(_remote(me), first.commit).agrees


def test_a_repository_is_compared_with_a_conversion(
    me: Desk, conversion: Conversion, out: Path
) -> None:
    """A repository that agrees with itself may still hold another build."""
    me.push(conversion.out)
    _claim(out)

    assert verify_hub(_remote(me), out=str(conversion.out)).agrees
    differences = verify_hub(_remote(me), out=str(out)).differences
    assert {"manifest.json"} == {found.path for found in differences}


def test_notes_and_edits_on_the_hub_are_told(me: Desk, conversion: Conversion) -> None:
    """As in a folder."""
    me.push(conversion.out)
    card = local(conversion.out)["README.md"]
    me.hub.commit(REPO, {"notes.txt": b"mine", "README.md": card + b"\nThanks.\n"})

    verdict = verify_hub(_remote(me))

    assert verdict.agrees
    expected = ["notes.txt is not part of the conversion"]
    assert [*expected, "README.md was edited since the conversion"] == verdict.notes


@pytest.mark.parametrize(
    ("name", "revision"), [("me/nothing", None), (REPO, "no-branch"), (REPO, None)]
)
def test_a_repository_without_a_conversion_is_told(
    name: str, revision: str | None, me: Desk
) -> None:
    """Be it missing, empty or of another name."""
    me.hub.create(REPO)

    with pytest.raises(HubError, match="no published conversion"):
        verify_hub(_remote(me, name), revision)
