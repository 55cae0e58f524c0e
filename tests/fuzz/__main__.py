"""The search for inputs that break a reader: `scripts/fuzz --help`."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.corpus import finds, line
from tests.fuzz.targets import TARGETS

_COVERED = re.compile(r"cov: (\d+)")
_RUNS = re.compile(r"stat::number_of_executed_units:\s+(\d+)|^#(\d+)\s", re.MULTILINE)
_SPARE = 900  # seconds for instrumenting, seeds and minimising, on a busy machine too


class Trial(NamedTuple):
    """What the search of one target gave.

    Attributes:
        target: Its name.
        runs: Inputs tried.
        covered: Edges of the readers' code reached by the first input, and in the end.
        found: Inputs that broke the reader, by name.
        fault: What ended the search before its time, or "".
    """

    target: str
    runs: int
    covered: tuple[int, int]
    found: dict[str, Path]
    fault: str


def search(target: str, seconds: int, folder: Path) -> Trial:
    """Search for inputs that break one target.

    Args:
        target: Its name.
        seconds: How long.
        folder: Keeps what is worth to begin with the next time, and what was found.
    """
    corpus, found = folder / target / "corpus", folder / target / "finds"
    for place in (corpus, found):
        place.mkdir(parents=True, exist_ok=True)
    for name, data in finds(target).items():
        (corpus / name).write_bytes(data)
    log = folder / target / "log.txt"
    command = [sys.executable, "-m", "tests.fuzz.worker", target, str(seconds)]
    with (
        log.open("wb") as file,
        subprocess.Popen([*command, str(corpus), str(found)], stdout=file, stderr=file) as worker,
    ):
        try:
            code: object = worker.wait(seconds + _SPARE)
        except subprocess.TimeoutExpired:
            worker.kill()
            code = "stalled"
    fault = f"exit: {code}" if code else ""
    return _trial(target, log.read_text("utf-8", "replace"), found, fault)


def _trial(target: str, log: str, found: Path, fault: str) -> Trial:
    covered = [int(number) for number in _COVERED.findall(log)] or [0]
    runs = [int(last or number) for last, number in _RUNS.findall(log)] or [0]
    inputs = {path.name: path for path in sorted(found.iterdir()) if path.suffix != ".txt"}
    return Trial(target, runs[-1], (covered[0], covered[-1]), inputs, fault)


def main() -> int:
    """Search, print what was reached and found; return 1 if anything was."""
    arguments = _parser().parse_args()
    if find_spec("atheris") is None:
        sys.stderr.write("The search needs atheris: pip install -e '.[test,fuzz]'.\n")
        return 2
    wanted = arguments.targets or list(TARGETS)
    seconds = max(1, arguments.seconds * arguments.jobs // len(wanted))
    with tempfile.TemporaryDirectory(prefix="rawshelf-fuzz-") as scratch:
        folder = arguments.folder or Path(scratch)

        def one(target: str) -> Trial:
            return search(target, seconds, folder)

        with ThreadPoolExecutor(arguments.jobs) as pool:
            return report(pool.map(one, wanted), partial(print, end="", flush=True))


def report(searched: Iterable[Trial], write: Callable[[str], object]) -> int:
    """Write a table, and every find as a line for the corpus; return the exit code."""
    trials: list[Trial] = []
    write(f"{'target':22} {'inputs':>9} {'coverage':>13}  finds\n")
    for trial in searched:
        trials.append(trial)
        reached = f"{trial.covered[0]} -> {trial.covered[1]}"
        faults = f" {trial.fault}" if trial.fault else ""
        write(f"{trial.target:22} {trial.runs:9,} {reached:>13}  {len(trial.found)}{faults}\n")
    for trial in trials:
        for name, path in trial.found.items():
            write(f"\ncorpus/{trial.target}.txt: {line(name, path.read_bytes())}")
            story = path.with_suffix(".txt")
            write(story.read_text("utf-8") if story.is_file() else "")
    return int(any(trial.found or trial.fault for trial in trials))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], help="all by default")
    parser.add_argument("--seconds", type=int, default=600, help="in all; 600 by default")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time; 1 by default")
    parser.add_argument("--folder", type=Path, help="keep inputs and finds there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
