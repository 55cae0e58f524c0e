"""Tables of figures as text, Markdown, LaTeX and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Cell = str | int | float | None
FORMATS = ("text", "json", "latex", "markdown")
_NOTHING = "-"
_GAP = 2
_SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


@dataclass(frozen=True)
class Row:
    """A row: what it is about, and its figures.

    Attributes:
        name: The first cell.
        cells: One per column; None or NaN where there is no figure.
    """

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: One line.
        columns: Group and name of each column; the group may be "".
        rows: The rows.
        notes: What a reader must know to read the figures.
        decimals: Digits behind the point, in all formats but JSON.
    """

    title: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    decimals: int = 1


def render(tables: Sequence[Table], kind: str) -> str:
    """Return tables in one of `FORMATS`; JSON has them at full precision.

    >>> table = Table("PCK", (("", "all"),), (Row("identity", (5.62,)),))
    >>> print(render([table], "markdown"))
    **PCK**
    <BLANKLINE>
    |  | all |
    | --- | ---: |
    | identity | 5.6 |
    """
    if kind == "json":
        return json.dumps([_plain(table) for table in tables], indent=1, ensure_ascii=False)
    return "\n\n".join(_WRITERS[kind](table) for table in tables)


def _plain(table: Table) -> dict[str, object]:
    names = [" ".join(filter(None, column)) for column in table.columns]
    return {
        "title": table.title,
        "rows": [
            {"name": row.name, "figures": dict(zip(names, map(_number, row.cells), strict=True))}
            for row in table.rows
        ],
        "notes": list(table.notes),
    }


def _number(cell: Cell) -> Cell:
    # JSON has no NaN.
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def _shown(cell: Cell, decimals: int) -> str:
    cell = _number(cell)
    if cell is None:
        return _NOTHING
    if isinstance(cell, float):
        return f"{cell:.{decimals}f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _grid(table: Table) -> list[list[str]]:
    return [[row.name, *(_shown(cell, table.decimals) for cell in row.cells)] for row in table.rows]


def _text(table: Table) -> str:
    groups = ["", *(group for group, _ in table.columns)]
    names = ["", *(name for _, name in table.columns)]
    body = _grid(table)
    widths = [max(map(len, column)) for column in zip(names, *body, strict=True)]
    lines = [_over(groups, widths)] if any(groups) else []
    lines += [_line(row, widths) for row in (names, *body)]
    return "\n".join([table.title, *lines, *(f"({note})" for note in table.notes)])


def _over(groups: Sequence[str], widths: list[int]) -> str:
    """Return the line of groups, each above its columns, which are widened if they must be."""
    line = ""
    for start, stop in _spans(groups):
        room = sum(widths[start:stop]) + _GAP * (stop - start - 1)
        missing = max(0, len(groups[start]) - room)
        widths[start] += missing
        line += groups[start].ljust(room + missing + _GAP)
    return line.rstrip()


def _spans(groups: Sequence[str]) -> list[tuple[int, int]]:
    """Return where runs of equal groups begin and end."""
    starts = [i for i, group in enumerate(groups) if not i or group != groups[i - 1]]
    return list(pairwise([*starts, len(groups)]))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
    return (" " * _GAP).join(padded).rstrip()


def _markdown(table: Table) -> str:
    names = ["", *(" ".join(filter(None, column)) for column in table.columns)]
    rule = ["---", *("---:" for _ in table.columns)]
    lines = [_bars(row) for row in (names, rule, *_grid(table))]
    notes = [f"\n{note}" for note in table.notes]
    return "\n".join([f"**{table.title}**", "", *lines, *notes])


def _bars(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _latex(table: Table) -> str:
    groups = [group for group, _ in table.columns]
    head = [" & ".join(["", *(_escape(name) for _, name in table.columns)])]
    if any(groups):
        over = [
            rf"\multicolumn{{{stop - start}}}{{c}}{{{_escape(groups[start])}}}"
            for start, stop in _spans(groups)
        ]
        head.insert(0, " & ".join(["", *over]))
    body = [" & ".join(map(_escape, row)) for row in _grid(table)]
    return "\n".join(
        [
            *(f"% {line}" for line in (table.title, *table.notes)),
            rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
            r"\toprule",
            *(rf"{line} \\" for line in head),
            r"\midrule",
            *(rf"{line} \\" for line in body),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


_WRITERS: dict[str, Callable[[Table], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
}
