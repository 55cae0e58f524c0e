import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rawshelf.miniature import pack_zip
from tests.bench import checks, page
from tests.bench.figures import MISSED, REACHED, UNSURE, Goal, interval, judge
from tests.bench.meter import FailedError, Spent, measure
from tests.bench.releases import Size, Store, sketches
from tests.bench.works import WORKS

ALLOCATE = "import time; held = bytes(range(256)) * 400_000; time.sleep(1)"  # 102 MB
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ALLOCATE!r}])"


def spent(wall: float, others: float = 0.0, **told: float) -> Spent:
    return Spent(wall, wall, 10.0, 100, others, told)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "tests.bench", "--toy", "--repeat", "1"]
    done = subprocess.run(
        [*command, "--json", str(folder / "all.json"), "--scratch", str(folder)],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert ["all.json"] == [path.name for path in folder.iterdir()]
    return json.loads((folder / "all.json").read_text()), done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)  # some forty processes, one after the other
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_every_work_is_in_the_results(work: Any, results: tuple[dict[str, Any], str]) -> None:
    """Each competitor and each goal is in the JSON and in the printed tables."""
    found, text = results
    [entry] = [each for each in found["works"] if each["name"] == work.name]
    goals = work.goals_at(Size(toy=True))

    assert [each.name for each in work.competitors] == list(entry["competitors"])
    assert all(len(runs) == 1 for runs in entry["competitors"].values())
    assert len(goals) == len(entry["goals"]) > 0
    assert {each["verdict"] for each in entry["goals"]} <= {REACHED, MISSED, UNSURE}
    assert work.title in text
    for each in work.competitors:
        assert f"| {each.name} " in text


def test_fewer_peers_leave_the_goals_that_they_decide() -> None:
    """Those against a peer that stays, and those against none."""
    [sketch] = [work for work in WORKS if work.name == "sketch-deflated"]
    [first] = [work for work in WORKS if work.name == "first-row"]
    fewer = sketch.against(["cat", "sketch-deflated: ArrowBasedBuilder", "spair: sha256sum"])
    alone = first.against([])

    assert ["rawshelf", "cat", "ArrowBasedBuilder"] == [each.name for each in fewer.competitors]
    assert [("ArrowBasedBuilder",), (), ("cat",)] == [
        goal.against for goal in fewer.goals_at(Size(full=True))
    ]
    assert [("40 ms", None)] == [(goal.text, goal.otherwise) for goal in alone.goals]


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ([1.0] * 5, [4.0, 5.0, 6.0, 5.0, 5.0], REACHED),
        ([1.0] * 5, [2.0, 2.5, 2.0, 2.9, 2.0], MISSED),
        ([1.0] * 5, [2.0, 5.0, 6.0, 5.0, 5.0], UNSURE),
        ([1.0] * 4, [5.0] * 4, UNSURE),
    ],
)
def test_a_goal_within_the_interval_is_not_decided(
    ours: list[float], theirs: list[float], verdict: str
) -> None:
    """Four times as fast, in five rounds; four rounds are too few."""
    runs = {"a": [spent(s) for s in ours], "b": [spent(s) for s in theirs]}

    assert verdict == judge(Goal("", "a", ("b",), at_least=4), runs).word


def test_other_programs_make_times_unsure_but_not_sizes() -> None:
    """A size is the same on a busy machine."""
    runs = {"a": [spent(1, others=0.5)] * 5, "b": [spent(9, others=0.5)] * 5}

    assert UNSURE == judge(Goal("", "a", ("b",), at_least=4), runs).word
    assert MISSED == judge(Goal("", "a", ("b",), at_least=4, quantity="output_bytes"), runs).word


def test_the_best_peer_counts() -> None:
    """Not the one that is easiest to beat."""
    runs = {"a": [spent(1)] * 5, "slow": [spent(9)] * 5, "fast": [spent(2)] * 5}
    verdict = judge(Goal("", "a", ("slow", "fast"), at_least=4), runs)

    assert ("fast", MISSED, 2) == (verdict.against, verdict.word, verdict.found)


def test_a_goal_may_be_reached_in_another_way() -> None:
    """What a process told about itself goes before its wall time."""
    runs = {"a": [spent(1, seconds=0.05)] * 5, "b": [spent(1, seconds=0.4)] * 5}
    ratio = Goal("", "a", ("b",), at_least=6)
    either = Goal("", "a", at_most=0.04, otherwise=ratio)

    assert MISSED == judge(Goal("", "a", at_most=0.04), runs).word
    assert (ratio, REACHED) == (judge(either, runs).goal, judge(either, runs).word)


@pytest.mark.parametrize(("count", "ends"), [(1, (0, 0)), (5, (0, 4)), (8, (1, 6)), (20, (5, 14))])
def test_the_interval_holds_the_median(count: int, ends: tuple[int, int]) -> None:
    """The ends that a table of the sign test has for 90 %."""
    assert ends == interval([float(value) for value in range(count)])


def test_the_memory_of_a_child_counts(tmp_path: Path) -> None:
    """The child of a process holds 102 MB, the process itself next to nothing."""
    measured = measure([sys.executable, "-c", PARENT], tmp_path, {})

    assert 102 < measured.anonymous_mb < 150
    assert 0 == measured.output_bytes


def test_a_process_tells_about_itself(tmp_path: Path) -> None:
    """The last line of its output; its files are counted."""
    code = f"open({str(tmp_path / 'file')!r}, 'w').write('1234'); print('x\\n{{\"rows\": 7}}')"
    measured = measure([sys.executable, "-c", code], tmp_path, {})

    assert (7, 4) == (measured.value("rows"), measured.value("output_bytes"))


def test_a_failed_process_is_an_error(tmp_path: Path) -> None:
    """With what it said."""
    with pytest.raises(FailedError, match="ZeroDivisionError"):
        measure([sys.executable, "-c", "1 / 0"], tmp_path, {})


@pytest.mark.parametrize("damage", ["lost", "changed"])
def test_a_wrong_output_is_noticed(damage: str, tmp_path: Path) -> None:
    """A sample is lost, or an image is not that of the release."""
    raw = pack_zip(sketches(Size(toy=True)), tmp_path / "raw.zip")
    [expected] = checks.of_sketches(raw)
    name = next(iter(expected.cells))
    cells = {**expected.cells, name: {"image": b"other"}} if damage == "changed" else expected.cells
    rows = expected.rows + (damage == "lost")
    command = [sys.executable, "-m", "rawshelf", "convert", "imagenet_sketch", str(raw)]
    subprocess.run([*command, str(tmp_path / "out")], check=True, capture_output=True)
    wrong = checks.Expected("default", rows, "file_name", cells)

    checks.parquet(tmp_path / "out", [expected])
    with pytest.raises(checks.WrongError, match="rows" if damage == "lost" else name):
        checks.parquet(tmp_path / "out", [wrong])


def test_a_release_is_written_once(tmp_path: Path) -> None:
    """The second run takes what is there, and never what an interrupted run left."""
    store, size = Store(tmp_path), Size(toy=True)

    def interrupted(path: Path) -> None:
        path.write_bytes(b"half of it")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.kept("a", size, interrupted)
    path = store.kept("a", size, lambda path: path.write_bytes(b"all"))
    again = store.kept("a", size, lambda path: path.write_bytes(b"more"))
    assert (path, b"all") == (again, again.read_bytes())


@pytest.mark.parametrize("wanted", [1, 5])
def test_notes_of_people_stay(wanted: int, tmp_path: Path) -> None:
    """Everything from the notes' heading on, however often the page is written."""
    path = tmp_path / "page.md"
    path.write_text(f"old\n\n{page.NOTES}\n\nWritten by hand.\n")
    for number in range(wanted):
        page.write(path, "# Head", f"Body {number}")

    text = f"# Head\n\nBody {wanted - 1}\n\n{page.NOTES}\n\nWritten by hand.\n"
    assert text == path.read_text()
