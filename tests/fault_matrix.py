"""Runs the tests of all faults and prints what became of each: ``python -m tests.fault_matrix``."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest

from tests.faults import FAULTS, rows_of

_FILE = Path(__file__).with_name("FAULTS.md")
_COLUMNS = ("tests", "trials", "passed", "failed", "skipped")
_HEAD = f"| row | fault | what must happen | where | {' | '.join(_COLUMNS)} | seconds |"
_VERSIONS = ("datasets", "huggingface_hub", "pyarrow", "pillow", "numpy", "dask")
_INTRODUCTION = """# Faults

Every fault that a conversion or a push must survive, and what became of its tests. Printed by
`scripts/faults --write`; no figure is typed by hand. A test has one trial, or as many as it
says: kills, flipped bits. A test that shows several faults counts in each of their rows.
"""


class Matrix:
    """A plugin of pytest that keeps the tests of faults, and counts what becomes of them.

    Attributes:
        counts: By row: tests, trials, passed, failed, skipped.
        seconds: By row: how long its tests took.
    """

    def __init__(self, rows: Iterable[int]) -> None:
        """Count nothing yet.

        Args:
            rows: Those to print.
        """
        self.counts: dict[int, Counter[str]] = {row: Counter() for row in rows}
        self.seconds: defaultdict[int, float] = defaultdict(float)
        self._rows: dict[str, set[int]] = {}
        self._took: defaultdict[str, float] = defaultdict(float)

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave out all other tests."""
        found = {item: rows_of(item) & set(self.counts) for item in items}
        self._rows = {item.nodeid: rows for item, rows in found.items()}
        config.hook.pytest_deselected(items=[item for item in items if not found[item]])
        items[:] = [item for item in items if found[item]]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test when its outcome is known: its own, or that of what it needs."""
        self._took[report.nodeid] += report.duration
        if report.when == "call" or report.outcome != "passed":
            trials = int(str(dict(report.user_properties).get("trials", 1)))
            rows = self._rows[report.nodeid]
            self.count(rows, report.outcome, trials, self._took[report.nodeid])

    def count(self, rows: Iterable[int], outcome: str, trials: int, seconds: float) -> None:
        """Add a test to its rows; one that was skipped had no trial."""
        for row in rows:
            self.counts[row].update({"tests": 1, outcome: 1})
            self.counts[row]["trials"] += trials if outcome != "skipped" else 0
            self.seconds[row] += seconds

    @property
    def unsound(self) -> list[int]:
        """Rows with a failure, or without a test that passed."""
        return [row for row, c in self.counts.items() if c["failed"] or not c["passed"]]

    def lines(self) -> list[str]:
        """Return the table."""
        rows = [
            f"| {row} | {FAULTS[row].title} | {FAULTS[row].outcome} | {FAULTS[row].where} | "
            + " | ".join(f"{counts[column]:,}" for column in _COLUMNS)
            + f" | {self.seconds[row]:.1f} |"
            for row, counts in self.counts.items()
        ]
        return [_HEAD, "| ---: | --- | --- | --- |" + " ---: |" * (len(_COLUMNS) + 1), *rows]


def main() -> int:
    """Run what is asked for; return 0 if every row is sound."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument("--full", action="store_true", help="many trials of every fault")
    parser.add_argument("--write", action="store_true", help=f"write {_FILE.name} too")
    parser.add_argument("--row", type=int, action="append", choices=FAULTS, metavar="N")
    arguments = parser.parse_args()
    matrix = Matrix(arguments.row or FAULTS)
    begin = time.monotonic()
    options = ["-q", "-p", "no:cacheprovider", *(["--full-trials"] if arguments.full else [])]
    status = pytest.main([*options, str(_FILE.parent)], plugins=[matrix])
    lines = [*matrix.lines(), "", *_described(matrix, time.monotonic() - begin, arguments.full)]
    sys.stdout.write("\n".join([*lines, ""]))
    if arguments.write and not arguments.row:
        _FILE.write_text("\n".join([_INTRODUCTION, *lines, ""]), encoding="utf-8")
    if matrix.unsound:
        sys.stderr.write(f"Not sound: rows {matrix.unsound}.\n")
    return int(bool(matrix.unsound) or status != pytest.ExitCode.OK)


def _described(matrix: Matrix, seconds: float, full: bool) -> list[str]:
    total = sum((counts for counts in matrix.counts.values()), Counter[str]())
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _VERSIONS)
    kind = "Full trials" if full else "Default trials"
    return [
        f"{kind}: {total['trials']:,} in all rows, {seconds:,.0f} s.",
        f"Python {platform.python_version()}, {versions}; {platform.system()}.",
    ]


if __name__ == "__main__":
    sys.exit(main())
