"""Running competitors side by side: every round runs each of them once, in shuffled order."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from tests.bench import checks
from tests.bench.figures import Runs
from tests.bench.meter import Spent, call, measure
from tests.bench.releases import Size, Store
from tests.bench.works import Competitor, Work

SHARES = tuple(Fraction(1, part) for part in (8, 4, 2, 1))
_ROOT = Path(__file__).resolve().parents[2]
_CHUNK = 1 << 24

T = TypeVar("T")
Expectations = list[checks.Expected] | None


@dataclass
class Place:
    """Where a run of the benchmark works.

    Attributes:
        store: The raw releases.
        scratch: A folder for all that is temporary.
        repeat: Number of rounds.
        seed: Of the order within the rounds.
        prepared: Inputs made from a release, by what makes them.
    """

    store: Store
    scratch: Path
    repeat: int
    seed: int = 0
    prepared: dict[str, Path] = field(default_factory=dict)

    def input(self, work: Work, size: Size) -> Path:
        """Return what the competitors of a work read, in the page cache."""
        raw = work.release(self.store, size)
        if work.prepare is None:
            return _warm(raw)
        name = f"{work.prepare.__name__}-{size.name}"
        if name not in self.prepared:
            folder = self.scratch / name
            folder.mkdir(parents=True)
            command = call(work.prepare, raw, folder)
            subprocess.run(command, env=self._environment(folder / "cache"), check=True)
            self.prepared[name] = folder
        return _warm(self.prepared[name])

    def once(self, competitor: Competitor, given: Path, expected: Expectations) -> Spent:
        """Run a competitor once, with output and caches of its own, gone afterwards."""
        folder = self.scratch / "run"
        folder.mkdir()
        out = folder / "out"
        environment = self._environment(folder / "cache")
        spent = measure(competitor.command(given, out), out, environment)
        if competitor.check is not None and expected is not None:
            competitor.check(out, expected)
        shutil.rmtree(folder)  # with it goes what is not yet written to disk
        return spent

    def _environment(self, cache: Path) -> Mapping[str, str]:
        cache.mkdir()
        own = {
            "HF_HOME": str(cache),
            "HF_DATASETS_CACHE": str(cache / "datasets"),
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "TMPDIR": str(cache),
            # Modules are compiled once, as an installation does, and not at each start.
            "PYTHONDONTWRITEBYTECODE": "",
            # Where torch is installed, `datasets` would import it for nothing.
            "USE_TORCH": "0",
            # The checkout goes first, so that it is this rawshelf that is measured.
            "PYTHONPATH": f"{_ROOT / 'builders'}{os.pathsep}{_ROOT}",
        }
        return {**os.environ, **own}


def compete(work: Work, size: Size, place: Place) -> Runs:
    """Run all competitors of a work, and check what each wrote in the first round."""
    given = place.input(work, size)
    expected = work.expected(given) if work.expected else None
    runs: dict[str, list[Spent]] = {each.name: [] for each in work.competitors}
    for number in range(place.repeat):
        for each in _shuffled(work.competitors, place.seed + number):
            spent = place.once(each, given, expected if number == 0 else None)
            runs[each.name].append(spent)
            _say(f"{work.name}, round {number + 1}, {each.name}", spent)
    if work.prepare is not None:
        checks.told_alike({name: spent[0].told for name, spent in runs.items()})
    return runs


@dataclass(frozen=True)
class Share:
    """What rawshelf took for a part of a release.

    Attributes:
        share: Which part.
        rows: Rows written.
        runs: One for each round.
    """

    share: Fraction
    rows: int
    runs: Sequence[Spent]


def scale(work: Work, size: Size, place: Place) -> list[Share]:
    """Run rawshelf on growing parts of a release."""
    ours = work.competitors[0]
    given, rows, runs = {}, {}, {}
    for share in SHARES:
        given[share] = place.input(work, Size(size.full, size.toy, share))
        expected = work.expected(given[share]) if work.expected else []
        rows[share] = sum(table.rows for table in expected)
        runs[share] = list[Spent]()
    for number in range(place.repeat):
        for share in _shuffled(SHARES, place.seed + number):
            spent = place.once(ours, given[share], None)
            runs[share].append(spent)
            _say(f"{work.name}, {share} of it, round {number + 1}", spent)
    return [Share(share, rows[share], runs[share]) for share in SHARES]


def _shuffled(items: Sequence[T], seed: int) -> list[T]:
    return random.Random(seed).sample(items, len(items))


def _warm(place: Path) -> Path:
    """Read a file, or all files below a folder, so that they are in the page cache."""
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    for path in files:
        with path.open("rb") as file:
            while file.read(_CHUNK):
                pass
    return place


def _say(what: str, spent: Spent) -> None:
    told = " ".join(f"{key} {value:,.6g}" for key, value in spent.told.items())
    line = f"{spent.seconds:.2f} s, {spent.anonymous_mb:.0f} MB, others {spent.others:.0%} {told}"
    sys.stderr.write(f"{what}: {line}\n")
