import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rawshelf import catalog
from rawshelf.cli import cli
from rawshelf.miniature import pack_tar
from rawshelf.spair71k import miniature
from tests.conftest import Conversion
from tests.fakes.spair71k import DEFECTS
from tests.outputs import content


def rawshelf(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rawshelf", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)

    assert 0 == result.exit_code, result.output
    return result.output


def test_list_names_every_dataset() -> None:
    """One line each, with its title."""
    lines = shown("list").splitlines()

    assert list(catalog.names()) == [line.split()[0] for line in lines]


def test_info_tells_figures_with_their_sources() -> None:
    """Counts, hashes and terms come with who states them."""
    text = shown("info", "spair71k")

    for expected in ("53,340", "226,961,117 bytes", "cvlab.postech.ac.kr", "Terms:", "paper"):
        assert expected in text


@pytest.mark.parametrize("name", catalog.names())
def test_info_names_every_config_and_column(name: str) -> None:
    """Whatever is known of a dataset is told, also where nobody states a size."""
    text = shown("info", name)

    dataset = catalog.find(name)
    assert dataset.release.title in text
    for config in dataset.configs:
        assert f"Config {config.name}: {config.doc}" in text
        assert all(f"  {column.name}" in text for column in config.columns)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("inspect", "spair71k", "x"), "convert spair71k x OUT"),
        (("export", "cocoo", "x", "y"), "Did you mean coco?"),
        (("export", "coco", "nowhere", "y"), "The conversion holds no annotations"),
    ],
)
def test_inspect_and_export_say_what_they_cannot_do(
    arguments: tuple[str, ...], expected: str
) -> None:
    """A dataset without open questions, an unknown format, no conversion: each with a remedy."""
    done = rawshelf(*arguments)

    assert done.returncode in (2, 5)
    assert expected in done.stderr


NAMES = ("list", "info", "inspect", "convert", "export", "evaluate", "verify", "push", "demo")
COMMANDS = [(), *((name,) for name in NAMES)]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_every_command_has_help(arguments: tuple[str, ...]) -> None:
    """Help names the arguments; the main help names the exit codes."""
    text = shown(*arguments, "--help")

    assert "Usage:" in text
    if not arguments:
        assert "130   interrupted" in text
        assert "6     the output cannot be written" in text


def test_convert_tells_what_it_wrote(conversion: Conversion, tmp_path: Path) -> None:
    """Files, rows, and how to load them."""
    done = rawshelf("convert", "spair71k", conversion.raw, tmp_path / "out", "--config", "pairs")

    assert 0 == done.returncode, done.stderr
    assert "data/pairs/train-00000-of-00001.parquet  106 rows" in done.stdout
    assert f'load_dataset("{tmp_path / "out"}", "pairs")' in done.stdout


def test_convert_prints_the_manifest_as_json(conversion: Conversion, tmp_path: Path) -> None:
    """Programs read standard output; the progress bar is not in it."""
    done = rawshelf("convert", "spair71k", conversion.raw, tmp_path / "out", "--json")

    assert conversion.result.manifest == json.loads(done.stdout)
    assert content(conversion.out) == content(tmp_path / "out")


def test_a_second_run_says_that_it_found_everything(conversion: Conversion) -> None:
    """Nothing is written twice, and the user is told."""
    done = rawshelf("convert", "spair71k", conversion.raw, conversion.out)

    assert 0 == done.returncode
    assert "9 shards were finished by an earlier run." in done.stdout


@pytest.mark.parametrize(
    ("defect", "status"),
    [
        ("truncated_json", 4),
        ("json_nan", 4),
        ("duplicate_member", 3),
        ("missing_image", 5),
        ("missing_layout", 5),
    ],
)
def test_exit_codes_tell_what_kind_of_error_it_is(defect: str, status: int, tmp_path: Path) -> None:
    """Each class of errors has its own, and its message ends with a remedy."""
    raw = pack_tar(DEFECTS[defect](miniature.members()), tmp_path / "raw.tar.gz")

    done = rawshelf("convert", "spair71k", raw, tmp_path / "out")

    assert status == done.returncode, done.stderr
    assert "remedy:" in done.stderr
    assert "Traceback" not in done.stderr
    assert "" == done.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (("info", "spair-71k"), 2, "Did you mean spair71k?"),
        (("convert", "zzz", "a", "b"), 2, "Name one of"),
        (("convert", "spair71k", "a", "b", "--config", "pair"), 2, "Did you mean pairs"),
        (("convert", "spair71k", "nowhere", "b"), 3, "Check that it"),
        (("convert", "spair71k"), 2, "Missing argument"),
        (("convert", "spair71k", "a", "b", "--workers", "x"), 2, "Invalid value"),
        (("nothing",), 2, "No such command"),
    ],
)
def test_wrong_arguments_are_told_with_what_to_do(
    arguments: tuple[str, ...], status: int, expected: str
) -> None:
    """No traceback for what a user typed."""
    done = rawshelf(*arguments)

    assert status == done.returncode
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_with_other_files_has_exit_code_6(conversion: Conversion, tmp_path: Path) -> None:
    """Errors of the output are told apart from those of the input."""
    (tmp_path / "mine.txt").write_text("mine")

    done = rawshelf("convert", "spair71k", conversion.raw, tmp_path)

    assert 6 == done.returncode
    assert "mine.txt" in done.stderr


@pytest.mark.parametrize("workers", ["0", "-1"])
def test_a_number_of_workers_must_be_positive(workers: str, tmp_path: Path) -> None:
    """Zero processes convert nothing."""
    done = rawshelf("convert", "spair71k", tmp_path, tmp_path / "out", "--workers", workers)

    assert 2 == done.returncode
    assert "Invalid value" in done.stderr


def test_notes_tell_what_was_skipped(tmp_path: Path) -> None:
    """Leftovers of an operating system are counted, not hidden."""
    raw = pack_tar(DEFECTS["junk"](miniature.members()), tmp_path / "raw.tar.gz")

    done = rawshelf("convert", "spair71k", raw, tmp_path / "out", "--config", "pairs")

    assert "note: 4 skipped leftovers" in done.stdout
