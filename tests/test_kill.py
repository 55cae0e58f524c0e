import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rawshelf.convert import Options, convert
from rawshelf.imagenet_sketch import miniature as sketch
from rawshelf.miniature import pack_tar, pack_zip
from rawshelf.partimagenet import miniature as parts
from rawshelf.spair71k import miniature
from tests.conftest import Conversion
from tests.outputs import content, observed

TRIALS = {"1": (14, 110), "2": (6, 50)}  # by number of workers; by default, with --full-trials

Record = Callable[[str, object], None]

# Converts in forked children, each killed at one of the operations that change the file system.
KILLED_AT_STEPS = """
import os, signal, sys
from rawshelf.convert import Options, convert

name, config, raw, out, by = sys.argv[1:]
os.fsync = lambda handle: None  # no machine dies here, and flushing takes most of the time

def dying(act, left):
    def wrapped(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*args, **kwargs)
    return wrapped

# What is imported and computed once need not be so in each child.
options = Options((config,), overwrite=True)
convert(name, raw, f"{out}-warm", options)
for step in range(1, 1000, int(by)):
    child = os.fork()
    if not child:
        left = [step]
        for call in ("replace", "fsync", "unlink", "rmdir", "mkdir"):
            setattr(os, call, dying(getattr(os, call), left))
        convert(name, raw, f"{out}-{step}", options)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        print(step)
        break
"""


@pytest.fixture(scope="module")
def small_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    members = miniature.members(categories=("cat",))
    return pack_tar(members, tmp_path_factory.mktemp("small") / "small.tar.gz")


@pytest.fixture(scope="module")
def other_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    members = miniature.members(categories=("dog",))
    return pack_tar(members, tmp_path_factory.mktemp("other") / "other.tar.gz")


@pytest.fixture
def unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the time of flushing where hundreds of files are written and no machine dies."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Conversion:
    """Return a release that takes about a second, and its undisturbed conversion."""
    folder = tmp_path_factory.mktemp("longer")
    sizes = {"trn": 6, "val": 4, "test": 4}
    raw = pack_tar(miniature.members(images_per_split=sizes), folder / "raw.tar.gz")
    result = convert("spair71k", str(raw), str(folder / "out"))
    return Conversion(raw, folder / "out", result)


def command(raw: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "rawshelf", "convert", "spair71k", str(raw), str(out), *more]


def finished_shards(out: Path) -> dict[str, tuple[int, int]]:
    """Return time and inode of the shards that have a record, by path."""
    found = {}
    for record in out.glob(".rawshelf/records/*/data/*/*.json"):
        path = f"data/{record.parent.name}/{record.stem}"
        for shard in (out / path, out / ".rawshelf/shards" / record.parts[-4] / path):
            if shard.exists():
                found[path] = (shard.stat().st_mtime_ns, shard.stat().st_ino)
    return found


def check_resumed(
    raw: Path, out: Path, expected: dict[str, str], *configs: str, name: str = "spair71k"
) -> int:
    """Finish an interrupted conversion; return how many shards it kept."""
    before = finished_shards(out)
    result = convert(name, str(raw), str(out), Options(configs, overwrite=True))

    assert expected == content(out)
    assert not (out / ".rawshelf").exists()
    for path, state in before.items():
        shard = (out / path).stat()
        assert state == (shard.st_mtime_ns, shard.st_ino)
    return result.kept


def start(arguments: list[str], out: Path) -> subprocess.Popen[str]:
    """Start a conversion, and return when it has begun."""
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (out / ".rawshelf").exists() and process.poll() is None:
        time.sleep(0.002)
    return process


@pytest.mark.usefixtures("unflushed")
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.fault(22)
def test_a_run_killed_at_random_moments_resumes(
    workers: str,
    longer: Conversion,
    tmp_path: Path,
    record_property: Record,
    request: pytest.FixtureRequest,
) -> None:
    """After SIGKILL nothing torn is visible, and the next run ends with the same bytes."""
    trials = TRIALS[workers][request.config.option.full_trials]
    record_property("trials", trials)
    chance = random.Random(int(workers))
    expected = content(longer.out)
    whole = measured(longer, tmp_path / "whole", workers)
    kept = []
    for trial in range(trials):
        out = tmp_path / f"out-{trial}"
        process = start(command(longer.raw, out, "--workers", workers), out)
        time.sleep(whole * (trial + chance.random()) / trials)
        process.kill()
        process.communicate()

        seen = observed(out, expected)
        if "README.md" not in seen:
            kept.append(check_resumed(longer.raw, out, expected))
        shutil.rmtree(out)

    assert len(kept) > 2


def measured(longer: Conversion, out: Path, workers: str) -> float:
    """Return the seconds from the first visible step of a conversion to its end."""
    process = start(command(longer.raw, out, "--workers", workers), out)
    begin = time.monotonic()
    process.communicate()
    return time.monotonic() - begin


def outputs_killed_at_each_step(
    raw: Path, out: Path, *, by: int = 1, of: tuple[str, str] = ("spair71k", "pairs")
) -> Iterator[Path]:
    """Kill conversions at each of their steps; yield the outputs as the observer sees them."""
    arguments = [sys.executable, "-c", KILLED_AT_STEPS, *of, str(raw), str(out), str(by)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    yield from (Path(f"{out}-{step}") for step in range(1, int(done.stdout), by))


@pytest.mark.usefixtures("unflushed")
@pytest.mark.fault(22)
def test_a_run_killed_at_any_step_resumes(
    small_tar: Path, tmp_path: Path, record_property: Record
) -> None:
    """Whatever the last rename, flush or removal was, what is visible is whole."""
    convert("spair71k", str(small_tar), str(tmp_path / "whole"), Options(("pairs",)))
    expected = content(tmp_path / "whole")
    seen = []
    for out in outputs_killed_at_each_step(small_tar, tmp_path / "out"):
        seen.append(len(observed(out, expected) if out.exists() else ()))
        check_resumed(small_tar, out, expected, "pairs")

    # Nothing, then shard by shard, then the manifest, then the card.
    assert {0, 1, 2, 3, 4, 5} == set(seen)
    record_property("trials", len(seen))


@pytest.mark.usefixtures("unflushed")
@pytest.mark.fault(22)
@pytest.mark.parametrize("of", [("imagenet_sketch", "quality"), ("partimagenet", "ood")])
def test_a_run_of_any_dataset_killed_at_a_step_resumes(
    of: tuple[str, str], tmp_path: Path, record_property: Record, request: pytest.FixtureRequest
) -> None:
    """Also where images are measured, or masks drawn, before shards are written."""
    name, config = of
    members = parts.ood_members if name == "partimagenet" else sketch.members
    raw = pack_zip(members(wnids=("n02422699", "n02835271")), tmp_path / "raw.zip")
    convert(name, str(raw), str(tmp_path / "whole"), Options((config,)))
    expected = content(tmp_path / "whole")
    seen = []
    by = 1 if request.config.option.full_trials else 9
    for out in outputs_killed_at_each_step(raw, tmp_path / "out", by=by, of=of):
        seen.append(len(observed(out, expected) if out.exists() else ()))
        check_resumed(raw, out, expected, config, name=name)

    assert 0 in seen
    record_property("trials", len(seen))


@pytest.mark.usefixtures("unflushed")
@pytest.mark.fault(22)
def test_a_run_killed_while_it_replaces_another_conversion_resumes(
    small_tar: Path, other_tar: Path, tmp_path: Path, record_property: Record
) -> None:
    """Card and manifest never describe files that are not there, nor the old ones the new."""
    convert("spair71k", str(small_tar), str(tmp_path / "whole"), Options(("pairs",)))
    convert("spair71k", str(other_tar), str(tmp_path / "old"), Options(("images",)))
    old, new = content(tmp_path / "old"), content(tmp_path / "whole")
    for step in range(1, 150, 2):
        shutil.copytree(tmp_path / "old", tmp_path / f"out-{step}")
    seen = []
    for out in outputs_killed_at_each_step(small_tar, tmp_path / "out", by=2):
        if (out / "manifest.json").exists():
            observed(out, old if (out / "data/images").exists() else new)
        else:
            assert not (out / "README.md").exists()
        seen.append(((out / "manifest.json").exists(), (out / "README.md").exists()))
        check_resumed(small_tar, out, new, "pairs")

    assert {(True, True), (True, False), (False, False)} == set(seen)
    record_property("trials", len(seen))


@pytest.mark.fault(22)
def test_finished_shards_are_kept(longer: Conversion, tmp_path: Path) -> None:
    """A run that is killed when some shards are finished does not write those again."""
    out = tmp_path / "out"
    process = start(command(longer.raw, out), out)
    while len(finished_shards(out)) < 4:
        time.sleep(0.001)
    process.kill()
    process.communicate()

    assert check_resumed(longer.raw, out, content(longer.out)) >= 4


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("wait", [0.05, 0.6])
@pytest.mark.fault(23)
def test_a_run_that_is_told_to_stop_stops_soon(
    number: int, status: int, workers: str, wait: float, longer: Conversion, tmp_path: Path
) -> None:
    """Exit codes tell an interruption, and the same command resumes."""
    out = tmp_path / "out"
    process = start(command(longer.raw, out, "--workers", workers), out)
    time.sleep(wait)
    process.send_signal(number)
    begin = time.monotonic()
    _, errors = process.communicate(timeout=5)

    assert time.monotonic() - begin < 5
    assert process.returncode in {status, 0}
    if process.returncode:
        assert "run the same command to resume" in errors
    assert "Traceback" not in errors
    check_resumed(longer.raw, out, content(longer.out))


@pytest.mark.parametrize("wait", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.fault(23)
def test_ctrl_c_goes_to_workers_too(wait: float, longer: Conversion, tmp_path: Path) -> None:
    """As a terminal sends it: to all processes at once, whatever they are at."""
    process = start(command(longer.raw, tmp_path / "out", "--workers", "2"), tmp_path / "out")
    time.sleep(wait)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=5)

    assert process.returncode in {130, 0}
    assert "Traceback" not in errors


@pytest.mark.fault(22)
def test_workers_do_not_outlive_a_killed_run(longer: Conversion, tmp_path: Path) -> None:
    """Spawned workers end when their parent is gone."""
    out = tmp_path / "out"
    process = start(command(longer.raw, out, "--workers", "2"), out)
    while not (workers := children(process.pid)):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in found]


def workers_of(process: int) -> list[int]:
    """Return the spawned workers, without multiprocessing's resource tracker."""
    return [
        c for c in children(process) if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()
    ]


@pytest.mark.fault(24)
def test_a_worker_that_dies_is_replaced(longer: Conversion, tmp_path: Path) -> None:
    """Its shard is written by another worker."""
    out = tmp_path / "out"
    process = start(command(longer.raw, out, "--workers", "2"), out)
    while not (workers := workers_of(process.pid)):
        time.sleep(0.01)
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=30)

    assert 0 == process.returncode, errors
    assert content(longer.out) == content(out)
