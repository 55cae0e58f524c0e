"""Tables are written out as a reader and a program expect them, in every format."""

from __future__ import annotations

import json

from rawshelf.metrics.tables import Row, Table, render

TABLE = Table(
    "PCK at 0.1",
    (("view", "easy"), ("view", "hard"), ("", "pairs")),
    (Row("A_1 & 100%", (5.649, float("nan"), 12_234)), Row("~B^2\\C|", (None, 100.0, 1))),
    ("distance <= 0.1",),
)


def test_text() -> None:
    """Figures stand below their heads, groups above them, and nothing is a dash."""
    assert render([TABLE], "text").splitlines() == [
        "PCK at 0.1",
        "            view",
        "            easy   hard   pairs",
        "A_1 & 100%   5.6      -  12,234",
        "~B^2\\C|        -  100.0       1",
        "(distance <= 0.1)",
    ]


def test_markdown() -> None:
    """A bar within a cell does not end it."""
    assert render([TABLE], "markdown").splitlines() == [
        "**PCK at 0.1**",
        "",
        "|  | view easy | view hard | pairs |",
        "| --- | ---: | ---: | ---: |",
        "| A_1 & 100% | 5.6 | - | 12,234 |",
        "| ~B^2\\C\\| | - | 100.0 | 1 |",
        "",
        "distance <= 0.1",
    ]


def test_latex() -> None:
    """What LaTeX takes for a command is a character."""
    assert render([TABLE], "latex").splitlines() == [
        "% PCK at 0.1",
        "% distance <= 0.1",
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r" & \multicolumn{2}{c}{view} & \multicolumn{1}{c}{} \\",
        r" & easy & hard & pairs \\",
        r"\midrule",
        r"A\_1 \& 100\% & 5.6 & - & 12,234 \\",
        r"\textasciitilde{}B\textasciicircum{}2\textbackslash{}C| & - & 100.0 & 1 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_json() -> None:
    """At full precision, and null where there is no figure."""
    assert json.loads(render([TABLE, TABLE], "json")) == 2 * [
        {
            "title": "PCK at 0.1",
            "rows": [
                {
                    "name": "A_1 & 100%",
                    "figures": {"view easy": 5.649, "view hard": None, "pairs": 12_234},
                },
                {
                    "name": "~B^2\\C|",
                    "figures": {"view easy": None, "view hard": 100.0, "pairs": 1},
                },
            ],
            "notes": ["distance <= 0.1"],
        }
    ]


def test_a_group_wider_than_its_columns_widens_them() -> None:
    """So that figures stay below their heads."""
    narrow = Table("T", (("occlusion", "a"), ("", "b")), (Row("r", (1, 2)),))

    assert render([narrow], "text").splitlines() == [
        "T",
        "   occlusion",
        "           a  b",
        "r          1  2",
    ]
