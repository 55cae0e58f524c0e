"""The results as text: a table and the goals of each work, for a terminal and for Markdown."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.figures import Runs, Verdict, judge, middle, spread
from tests.bench.releases import Size
from tests.bench.rounds import Share
from tests.bench.works import Work

LIBRARIES = (
    "datasets",
    "huggingface_hub",
    "pyarrow",
    "numpy",
    "pillow",
    "orjson",
    "isal",
    "webdataset",
)
_TELLS_LITTLE = 1.5  # longest over shortest time of one competitor: then a ratio tells little
NOTES = "## Notes"


@dataclass(frozen=True)
class Result:
    """What one work gave.

    Attributes:
        work: The work.
        size: Of its release.
        runs: Of each competitor.
        shares: Of growing parts of the release, where that was asked for.
    """

    work: Work
    size: Size
    runs: Runs
    shares: Sequence[Share] = ()

    def verdicts(self) -> list[Verdict]:
        """Compare with the goals."""
        return [judge(goal, self.runs) for goal in self.work.goals_at(self.size)]


def machine() -> dict[str, str]:
    """Describe what the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processors": f"{os.cpu_count()}, {_processor()}",
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((x.partition(": ")[2] for x in lines if x.startswith("model name")), "unknown")


def table(rows: Iterable[Sequence[str]]) -> str:
    """Lay out rows, the first of them the head, as a Markdown table with even columns."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    )


def competitors(result: Result) -> str:
    """Return the table of a work's competitors."""
    own = middle(result.runs[result.work.competitors[0].name], "seconds")
    rows = [["", "seconds", "least", "CPU s", "peak MB", "output MB", "times rawshelf's"]]
    for name, runs in result.runs.items():
        seconds = middle(runs, "seconds")
        rows.append(
            [
                name,
                _short(seconds),
                _short(min(spent.value("seconds") for spent in runs)),
                _short(middle(runs, "cpu")),
                f"{middle(runs, 'anonymous_mb'):,.0f}",
                f"{middle(runs, 'output_bytes') / 1e6:,.1f}",
                f"{_short(seconds / own)}",
            ]
        )
    return table(rows)


def _short(value: float) -> str:
    """Write a number with three digits.

    >>> _short(12.345), _short(0.012345), _short(1234.5)
    ('12.3', '0.0123', '1,234')
    """
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def goals(results: Sequence[Result]) -> str:
    """Return the table of all goals."""
    rows = [["work", "goal", "found", "interval", "verdict"]]
    rows += [_goal(result.work, verdict) for result in results for verdict in result.verdicts()]
    return table(rows)


def _goal(work: Work, verdict: Verdict) -> list[str]:
    goal, unit = verdict.goal, ""
    if verdict.against is not None:
        unit = "x"
    elif goal.quantity == "anonymous_mb":
        unit = " MB"
    elif goal.quantity == "seconds":
        unit = " s"
    ends = f"{_short(verdict.low)} to {_short(verdict.high)}"
    word = f"{verdict.word}: {verdict.why}" if verdict.why else verdict.word
    return [work.name, goal.text, f"{_short(verdict.found)}{unit}", ends, word]


def shares(result: Result) -> str:
    """Return the table of growing parts of a release, and how much grew from the first on."""
    rows = [["part", "rows", "seconds", "rows/s", "peak MB"]]
    figures = []
    for each in result.shares:
        seconds, memory = (middle(each.runs, name) for name in ("seconds", "anonymous_mb"))
        numbers = [f"{each.rows:,}", _short(seconds), f"{each.rows / seconds:,.0f}"]
        rows.append([str(each.share), *numbers, f"{memory:,.0f}"])
        figures.append((each.rows, seconds, memory))
    grown = [_short(last / first) for first, last in zip(figures[0], figures[-1], strict=True)]
    return f"{table(rows)}\n\nGrown: rows {grown[0]}x, time {grown[1]}x, memory {grown[2]}x."


def noise(results: Sequence[Result]) -> str:
    """Say how far the machine can be trusted."""
    wild, others = [], 0.0
    for result in results:
        for name, runs in result.runs.items():
            others = max(others, middle(runs, "others"))
            if spread(runs) > _TELLS_LITTLE:
                wild.append(f"{name} in {result.work.name} {spread(runs):.1f}x")
    lines = [f"Other programs took up to {others:.0%} of the processors (median of a competitor)."]
    if wild:
        lines.append(f"Longest over shortest time, where above {_TELLS_LITTLE}: {', '.join(wild)}.")
    return "\n".join(lines)


def text(results: Sequence[Result], repeat: int) -> str:
    """Return all results as Markdown."""
    parts = [f"{key} {value}" for key, value in machine().items()]
    blocks = [f"Rounds: {repeat}; {'; '.join(parts)}.", noise(results)]
    blocks += ["## Goals", goals(results)]
    for result in results:
        blocks += [f"## {result.work.title} ({result.size.name})", competitors(result)]
        if result.shares:
            blocks += ["Growing parts of the release, rawshelf alone:", shares(result)]
    return "\n\n".join(blocks)


def plain(results: Sequence[Result], repeat: int) -> dict[str, Any]:
    """Return all results as JSON values."""
    return {"machine": machine(), "repeat": repeat, "works": [_plain(each) for each in results]}


def _plain(result: Result) -> dict[str, Any]:
    return {
        "name": result.work.name,
        "title": result.work.title,
        "size": result.size.name,
        "competitors": {
            name: [vars(spent) for spent in runs] for name, runs in result.runs.items()
        },
        "goals": [
            {
                "goal": verdict.goal.text,
                "against": verdict.against,
                "found": verdict.found,
                "interval": [verdict.low, verdict.high],
                "verdict": verdict.word,
                "why": verdict.why,
            }
            for verdict in result.verdicts()
        ],
        "shares": [
            {"share": str(s.share), "rows": s.rows, "runs": [vars(spent) for spent in s.runs]}
            for s in result.shares
        ],
    }


def write(path: Path, head: str, body: str) -> None:
    """Write the page, and keep the notes that people wrote at its end."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    notes = old[old.index(NOTES) :] if NOTES in old else f"{NOTES}\n"
    path.write_text(f"{head}\n\n{body}\n\n{notes}", encoding="utf-8")
