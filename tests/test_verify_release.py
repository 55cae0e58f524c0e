"""What is common to the releases of all datasets, and the command that verifies them."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click.testing
import pytest

from rawshelf import catalog
from rawshelf.claims import Check, Verdict
from rawshelf.cli import cli
from rawshelf.errors import OutputError, SourceError, UsageError
from rawshelf.files import file_sha256
from rawshelf.miniature import pack_folder, pack_tar
from rawshelf.release import Archive, Claim, Evidence, Tools, Verifier
from rawshelf.spair71k import miniature
from rawshelf.verification import Verification, verify_release

NAME = "spair71k"
Pretend = Callable[..., None]


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Let nothing be claimed about SPair-71k but what a test says."""

    def patched(*claims: Claim, archives: tuple[Archive, ...] = ()) -> None:
        real = catalog.find(NAME)
        release = replace(real.release, claims=claims, archives=archives)
        tools = Tools(Verifier(real.tools().verifier.configs, nothing))
        dataset = replace(real, release=release, tools=lambda: tools)
        monkeypatch.setattr(catalog, "find", lambda _: dataset)

    return patched


def nothing(_: Evidence) -> list[Check]:
    return []


def archive(raw: Path, **fields: object) -> Archive:
    sha256, size = file_sha256(str(raw))
    known = Archive("SPair-71k.tar.gz", size, sha256, (), "a source", "another source")
    return replace(known, **fields)  # type: ignore[arg-type]


def of_group(found: Verification, group: str) -> dict[str, Verdict]:
    return {check.subject: check.verdict for check in found.checks if check.group == group}


def run(*arguments: object) -> click.testing.Result:
    return click.testing.CliRunner().invoke(cli, [*map(str, arguments)])


A, C, P, O = Verdict.AGREES, Verdict.CONTRADICTS, Verdict.PACKING, Verdict.OBSERVED  # noqa: E741


@pytest.mark.parametrize(
    ("fields", "size", "sha256"),
    [
        ({}, A, A),
        ({"sha256": "0" * 64}, A, C),  # as large, other bytes: damaged
        ({"sha256": "0" * 64, "bytes": 5}, P, P),  # packed again: the content decides
        ({"sha256": None}, A, O),
        ({"sha256": None, "bytes": 5}, P, O),
        ({"bytes": None}, O, A),
        ({"bytes": None, "sha256": None}, O, O),
    ],
)
@pytest.mark.fault(2)
def test_archive_against_the_published_one(
    fields: dict[str, object], size: Verdict, sha256: Verdict, miniature_tar: Path, pretend: Pretend
) -> None:
    """Another size and hash is another packing; the same size and another hash is damage."""
    pretend(archives=(archive(miniature_tar, **fields),))

    found = verify_release(NAME, str(miniature_tar))

    assert {"bytes": size, "sha256": sha256} == of_group(found, "archive")
    assert (C not in (size, sha256)) == found.agrees


def test_archive_is_told_by_hash_then_size_then_name(miniature_tar: Path, pretend: Pretend) -> None:
    """Of several published ones; if nothing fits, nobody claims anything."""
    right = archive(miniature_tar, name="b.zip")
    wrong = archive(miniature_tar, name=miniature_tar.name, sha256="0" * 64, bytes=5)
    pretend(archives=(wrong, right))
    found = verify_release(NAME, str(miniature_tar))
    pretend(archives=(replace(wrong, name="a.zip"), replace(wrong, name="c.zip")))
    neither = verify_release(NAME, str(miniature_tar))

    assert {"b.zip"} == {check.member for check in found.checks if check.group == "archive"}
    assert {"bytes": A, "sha256": A} == of_group(found, "archive")
    assert {"bytes": O, "sha256": O} == of_group(neither, "archive")


def test_a_folder_has_no_hash(miniature_folder: Path, pretend: Pretend) -> None:
    """That is not checked, rather than said to agree."""
    pretend(archives=(archive(miniature_folder / "README"),))

    found = verify_release(NAME, str(miniature_folder))

    assert {"sha256": Verdict.UNCHECKED} == of_group(found, "archive")
    assert found.agrees


def test_rows_against_claims(miniature_tar: Path, pretend: Pretend) -> None:
    """A claim that is known to be wrong is a known defect, one of a config not read unchecked."""
    pretend(
        Claim("pairs", "train", 106, "right"),
        Claim("pairs", "validation", 1, "wrong"),
        Claim("pairs", "test", 1, "known", refuted="issue 1"),
        Claim("pairs_flat", None, 1, "elsewhere"),
    )

    found = verify_release(NAME, str(miniature_tar))

    rows = {c.source: (c.claimed, c.observed, c.verdict) for c in found.checks if c.group == "rows"}
    assert (106, 106, A) == rows["right"]
    assert (1, 36, C) == rows["wrong"]
    assert (1, 36, Verdict.KNOWN) == rows["known; issue 1"]
    assert (1, None, Verdict.UNCHECKED) == rows["elsewhere"]
    assert O is of_group(found, "rows")["images train"]


def test_exit_code_0_tells_that_nothing_contradicts(miniature_tar: Path, pretend: Pretend) -> None:
    """And the table says so."""
    pretend(Claim("pairs", "train", 106, "the paper"))
    done = run("verify", NAME, miniature_tar)

    assert 0 == done.exit_code, done.output
    assert done.output.splitlines()[-1] == "  nothing contradicts"
    assert "agrees: rows  [the paper]" in done.output


def test_exit_code_1_tells_of_a_contradiction(miniature_tar: Path, pretend: Pretend) -> None:
    """It comes first."""
    pretend(Claim("pairs", "train", 107, "the paper"), Claim("pairs", "test", 36, "the paper"))
    done = run("verify", NAME, miniature_tar)

    assert 1 == done.exit_code
    lines = done.output.splitlines()
    assert lines[1] == "  CONTRADICTS: rows  [the paper]"
    assert ["pairs", "train", "107", "106"] == lines[3].split()


def test_json_goes_to_a_file_beside_the_table(
    miniature_tar: Path, pretend: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the working folder too; all checks, with the numbers as numbers."""
    pretend(Claim("pairs", "train", 106, "the paper"))
    monkeypatch.chdir(tmp_path)
    done = run("verify", NAME, miniature_tar, "--json", "found.json")

    found = json.loads(Path("found.json").read_text())
    assert "nothing contradicts" in done.output
    assert ["found.json"] == os.listdir()
    assert (NAME, True, None) == (found["dataset"], found["agrees"], found["refusal"])
    assert found["input"]["sha256"] == file_sha256(str(miniature_tar))[0]
    (row,) = [check for check in found["checks"] if check["source"] == "the paper"]
    assert (106, 106, "agrees") == (row["claimed"], row["observed"], row["verdict"])
    assert len(found["checks"]) == sum(found["counts"].values())


@pytest.mark.parametrize("option", [("--json", "-"), ("--json",)])
def test_json_alone_goes_to_standard_output(
    option: tuple[str, ...], miniature_tar: Path, pretend: Pretend
) -> None:
    """In place of the table."""
    pretend()
    done = run("verify", NAME, miniature_tar, *option)

    assert json.loads(done.stdout)["agrees"]


def test_json_that_cannot_be_written(miniature_tar: Path, tmp_path: Path, pretend: Pretend) -> None:
    """The table is there, and the error names the file."""
    pretend()
    done = run("verify", NAME, miniature_tar, "--json", tmp_path / "absent" / "found.json")

    assert "nothing contradicts" in done.output
    assert "found.json" in str(done.exception)


def test_many_contradictions_are_cut_for_people(tmp_path: Path, pretend: Pretend) -> None:
    """JSON has them all."""
    masks = 126
    kept = [(n, data) for n, data in miniature.members() if not n.startswith("Segmentation/")]
    raw = pack_folder(kept, tmp_path / "raw")
    pretend()
    done = run("verify", NAME, raw)
    found = verify_release(NAME, str(raw))

    assert masks == sum(check.member.startswith("Segmentation/") for check in found.checks)
    shown = done.output.count("Segmentation/")
    assert 0 < shown < masks
    assert f"... and {masks - shown} more; --json lists all" in done.output


@pytest.mark.parametrize(
    "arguments",
    [("spair", "RAW"), ("spair71k", "a", "b"), (), ("OUT", "--deep"), ("OUT", "--workers", "2")],
)
def test_wrong_command_lines(arguments: tuple[str, ...]) -> None:
    """Nothing is read."""
    done = run("verify", *arguments)

    assert isinstance(done.exception, UsageError)


def test_a_near_name_is_offered() -> None:
    """For a dataset."""
    with pytest.raises(UsageError, match="Did you mean spair71k"):
        verify_release("spair71", "RAW")


@pytest.mark.parametrize("content", [None, b"", b"<!DOCTYPE html><html></html>", b"7z\xbc\xaf"])
@pytest.mark.fault(3, only="DOCTYPE")
def test_what_is_no_release_is_refused(content: bytes | None, tmp_path: Path) -> None:
    """There is nothing to compare then: no table."""
    raw = tmp_path / "raw"
    if content is not None:
        raw.write_bytes(content)

    with pytest.raises(SourceError):
        verify_release(NAME, str(raw))


@pytest.mark.parametrize("cut", [8, 1024])
@pytest.mark.fault(1)
def test_a_cut_archive_has_exit_code_3(cut: int, miniature_tar: Path, tmp_path: Path) -> None:
    """With a table of what could be told: its size and hash, and where reading ended."""
    raw = tmp_path / "SPair-71k.tar.gz"
    raw.write_bytes(miniature_tar.read_bytes()[:-cut])
    done = run("verify", NAME, raw)

    assert 3 == done.exit_code
    assert "CONTRADICTS: content" in done.output
    assert f"{raw.stat().st_size:,}" in done.output


def test_workers_find_the_same(miniature_tar: Path) -> None:
    """Whatever looks at the images."""
    threads, processes = (
        verify_release(NAME, str(miniature_tar), deep=True, workers=count) for count in (1, 2)
    )

    assert threads == processes


@pytest.mark.fault(25)
def test_a_full_temporary_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to name another."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("rawshelf.blobs.Spool.add", full)
    raw = pack_tar(miniature.members(), tmp_path / "raw.tar.gz")
    with pytest.raises(OutputError, match="TMPDIR"):
        verify_release(NAME, str(raw))


def test_an_unreadable_release_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its place."""

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "/far/raw.zip")

    monkeypatch.setattr("rawshelf.verification._content_checks", broken)
    raw = pack_tar(miniature.members(), tmp_path / "raw.tar", gzip=False)
    with pytest.raises(SourceError, match=r"/far/raw\.zip"):
        verify_release(NAME, str(raw))
