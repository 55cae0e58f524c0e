import fcntl
import itertools
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rawshelf.cli import cli
from rawshelf.convert import Options, convert
from rawshelf.errors import UsageError, WorkerError
from rawshelf.plan import ShardTask, plan
from rawshelf.shares import Share, convert_share, finish_shares
from tests.conftest import Conversion
from tests.outputs import content, observed

SHARDS = 9  # of the miniature release, three of each config


def member(conversion: Conversion, out: Path, index: int, count: int = 3) -> set[str]:
    """Run one member; return the paths of its shards."""
    share = Share(index, count)
    return {each.path for each in convert_share("spair71k", str(conversion.raw), str(out), share)}


def command(conversion: Conversion, out: Path, *more: str) -> list[str]:
    base = [sys.executable, "-m", "rawshelf", "convert", "spair71k", str(conversion.raw), str(out)]
    return [*base, *more]


def plans(out: Path) -> list[Path]:
    return list(out.glob(".rawshelf/plan-*"))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.fault(31)
def test_members_in_any_order_give_the_same_bytes(
    order: tuple[int, ...], conversion: Conversion, tmp_path: Path
) -> None:
    """Shares are disjoint and whole, and the last run only publishes."""
    out = tmp_path / "out"
    shares = [member(conversion, out, index) for index in order]
    assert not observed(out, {})
    assert 1 == len(plans(out))
    result = finish_shares("spair71k", str(conversion.raw), str(out), 3)

    assert SHARDS == sum(map(len, shares)) == len(set.union(*shares)) == result.kept
    assert content(conversion.out) == content(out)
    assert not (out / ".rawshelf").exists()


def test_the_finish_names_who_is_missing(conversion: Conversion, tmp_path: Path) -> None:
    """Nothing is published then, and a plain conversion writes the rest."""
    out = tmp_path / "out"
    member(conversion, out, 0)
    member(conversion, out, 2)
    with pytest.raises(WorkerError, match="array index 1") as caught:
        finish_shares("spair71k", str(conversion.raw), str(out), 3)

    assert 8 == caught.value.exit_code
    assert "3 shards missing" in str(caught.value.found)
    assert not observed(out, {})
    assert 6 == convert("spair71k", str(conversion.raw), str(out)).kept
    assert content(conversion.out) == content(out)


def test_a_finish_without_members_is_refused(conversion: Conversion, tmp_path: Path) -> None:
    """It leaves nothing behind."""
    with pytest.raises(WorkerError, match="No member"):
        finish_shares("spair71k", str(conversion.raw), str(tmp_path / "out"), 3)

    assert not (tmp_path / "out").exists()


def test_members_of_a_published_conversion_do_nothing(
    conversion: Conversion, tmp_path: Path
) -> None:
    """A member that comes too late finds its shards, and the finish may run again."""
    out = Path(shutil.copytree(conversion.out, tmp_path / "out"))

    assert 3 == len(member(conversion, out, 1))
    finish_shares("spair71k", str(conversion.raw), str(out), 3)
    assert content(conversion.out) == content(out)
    assert not (out / ".rawshelf").exists()


@pytest.mark.fault(27)
def test_members_at_once_and_twice(conversion: Conversion, tmp_path: Path) -> None:
    """Processes that start together, two of them with the same index, work on one plan."""
    out = tmp_path / "out"
    running = [
        subprocess.Popen(
            command(conversion, out, "--array-index", index, "--array-count", "2", "--json"),
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in ("0", "1", "1")
    ]
    written = [{file["path"] for file in json.loads(p.communicate()[0])} for p in running]

    assert [0, 0, 0] == [process.returncode for process in running]
    assert written[1] == written[2]
    assert 1 == len(plans(out))
    finish_shares("spair71k", str(conversion.raw), str(out), 2)
    assert content(conversion.out) == content(out)


@pytest.mark.fault(28)
def test_members_without_locks(
    conversion: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where locks lie two may plan at once; either plan serves whoever found it."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    out = tmp_path / "out"
    raw = str(conversion.raw)
    second: list[set[str]] = []

    def meanwhile(*arguments: Any) -> list[ShardTask]:
        if not second:
            second.append(set())
            second[0] = member(conversion, out, 0)
        return plan(*arguments)

    monkeypatch.setattr("rawshelf.convert.plan", meanwhile)
    first = member(conversion, out, 0)

    assert first == second[0]
    assert 2 == len(plans(out))
    for index in (1, 2):
        member(conversion, out, index)
    finish_shares("spair71k", raw, str(out), 3)
    assert content(conversion.out) == content(out)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.fault(22, only="9|KILL")
@pytest.mark.fault(23, only="15|TERM")
def test_a_member_that_is_killed_resumes(
    number: int, conversion: Conversion, tmp_path: Path
) -> None:
    """At whatever moment; what it had finished is kept, and others do not mind."""
    out = tmp_path / "out"
    for wait in (0.0, 0.2):
        process = subprocess.Popen(
            command(conversion, out, "--array-index", "0", "--array-count", "2"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not plans(out) and process.poll() is None:
            time.sleep(0.002)
        time.sleep(wait)
        process.send_signal(number)
        process.communicate()

        assert process.returncode in {0, -number, 128 + number}
        assert not observed(out, {})
    member(conversion, out, 1, 2)
    member(conversion, out, 0, 2)
    finish_shares("spair71k", str(conversion.raw), str(out), 2)

    assert content(conversion.out) == content(out)
    assert not (out / ".rawshelf").exists()


@pytest.mark.fault(32)
def test_members_with_other_versions_are_refused(
    conversion: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their shards would be of other bytes than those of the first."""
    out = tmp_path / "out"
    member(conversion, out, 0)
    monkeypatch.setattr("rawshelf.convert.tools", lambda: {"pyarrow": "1.0"})
    (place,) = out.glob(".rawshelf/shared/*/*.json")
    values = json.loads(place.read_text())
    place.write_text(json.dumps({**values, "tools": {"pyarrow": "0.9"}}))

    with pytest.raises(WorkerError, match="different versions") as caught:
        member(conversion, out, 1)

    assert ("pyarrow", "1.0", "0.9") == (
        caught.value.field,
        caught.value.found,
        caught.value.expected,
    )


def test_configs_have_plans_of_their_own(conversion: Conversion, tmp_path: Path) -> None:
    """Members with fewer configs do not take up the plan of others."""
    out = tmp_path / "out"
    raw = str(conversion.raw)
    options = Options(("pairs",))
    member(conversion, out, 0)
    for index in (0, 1):
        convert_share("spair71k", raw, str(out), Share(index, 2), options)
    finish_shares("spair71k", raw, str(out), 2, options)

    assert ["pairs"] == [path.name for path in (out / "data").iterdir()]


@pytest.mark.parametrize(
    "options",
    [
        ["--array-index", "1"],
        ["--array-count", "2"],
        ["--array-finish"],
        ["--array-index", "1", "--array-count", "2", "--array-finish"],
        ["--array-index", "2", "--array-count", "2"],
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], conversion: Conversion, tmp_path: Path
) -> None:
    """Before anything is written."""
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="array"):
        cli.main(command(conversion, out, *options)[3:], standalone_mode=False)

    assert not out.exists()


def test_a_member_that_does_not_exist_is_refused() -> None:
    """Members count from 0."""
    with pytest.raises(UsageError, match="0 to 2"):
        Share(3, 3)
