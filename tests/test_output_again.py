import json
import os
from pathlib import Path

import pytest

from rawshelf.convert import Options, convert
from rawshelf.miniature import pack_tar
from rawshelf.spair71k import miniature
from tests.conftest import Conversion
from tests.outputs import content
from tests.refusals import refusal

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


def states(out: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in out.rglob("*")
        if path.is_file()
    }


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
