"""PCK on SPair-71k as tables: by difficulty, by category, beside the paper's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rawshelf.metrics.pck import Bools, Floats, Ints, Protocol, correct, score
from rawshelf.metrics.tables import Row, Table
from rawshelf.spair71k import published, release
from rawshelf.spair71k.evaluation import FACTORS, Truth

_LEVELS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "viewpoint_variation": ("viewpoint", release.VIEWPOINT),
    "scale_variation": ("scale", release.SCALE),
    "truncation": ("truncation", release.TRUNCATION),
    "occlusion": ("occlusion", release.OCCLUSION),
}
_CELLS = tuple((factor, code) for factor in FACTORS for code in range(len(_LEVELS[factor][1])))
_COLUMNS = tuple((_LEVELS[factor][0], _LEVELS[factor][1][code]) for factor, code in _CELLS)
# Codes 1 and 2, source and target, change places; viewpoint and scale know no direction.
_EXCHANGED = np.array([0, 2, 1, 3])
_DIRECTED = frozenset({"truncation", "occlusion"})
_ALL = ("", "all")


@dataclass(frozen=True, eq=False)
class Result:
    """What one row of the tables is made of.

    Attributes:
        name: The row's name.
        protocol: The rules.
        hits: Bool (points,), which points are correct.
    """

    name: str
    protocol: Protocol
    hits: Bools


def result(name: str, truth: Truth, points: Floats, protocol: Protocol) -> Result:
    """Judge predicted points.

    Raises:
        PredictionError: If they are more or fewer than the keypoints, or not finite.
    """
    return Result(name, protocol, correct(truth.pairs, points, protocol))


def tables(truth: Truth, results: Sequence[Result], notes: Sequence[str] = ()) -> list[Table]:
    """Return PCK in per cent, as Tables 4 and 5 of the paper have it, and by category.

    Args:
        truth: What was evaluated on.
        results: One row each.
        notes: What to say below the first table.
    """
    return [
        by_difficulty(truth, results, notes),
        others_easy(truth, results),
        by_category(truth, results),
    ]


def by_difficulty(truth: Truth, results: Sequence[Result], notes: Sequence[str] = ()) -> Table:
    """Return PCK by level of each factor of difficulty, beside the paper's Table 4."""
    rows = [
        Row(
            each.name,
            (*(_percent(truth, each, m) for m in _members(truth, each)), _percent(truth, each)),
        )
        for each in results
    ]
    about = list(notes)
    if truth.split == published.SPLIT and all(_as_published(each.protocol) for each in results):
        rows += _published()
        about.append(f"[paper] are the rows of {published.SOURCE}")
    return Table(
        _title(truth, results, "by difficulty"), (*_COLUMNS, _ALL), tuple(rows), tuple(about)
    )


def others_easy(truth: Truth, results: Sequence[Result]) -> Table:
    """Return PCK by level of each factor among the pairs that are easy in the other three."""
    rows = []
    for each in results:
        easy = {factor: _codes(truth, each, factor) == 0 for factor in FACTORS}
        cells = [
            _percent(truth, each, m & np.all([easy[o] for o in FACTORS if o != factor], axis=0))
            for (factor, _), m in zip(_CELLS, _members(truth, each), strict=True)
        ]
        rows.append(Row(each.name, tuple(cells)))
    title = _title(truth, results, "by difficulty, the other three factors easy or none")
    return Table(title, _COLUMNS, tuple(rows))


def by_category(truth: Truth, results: Sequence[Result]) -> Table:
    """Return PCK by category."""
    members = [truth.pairs.category == number for number in range(len(release.CATEGORIES))]
    rows = tuple(
        Row(each.name, (*(_percent(truth, each, m) for m in members), _percent(truth, each)))
        for each in results
    )
    columns = (*(("", name) for name in release.CATEGORIES), _ALL)
    return Table(_title(truth, results, "by category"), columns, rows)


def _as_published(protocol: Protocol) -> bool:
    return protocol.alpha == published.ALPHA and protocol.threshold == "box"


def _title(truth: Truth, results: Sequence[Result], how: str) -> str:
    alphas = ", ".join(dict.fromkeys(f"{each.protocol.alpha:g}" for each in results))
    count = len(truth.pairs.category)
    return f"PCK at {alphas} in per cent, SPair-71k {truth.split}, {count:,} pairs, {how}"


def _members(truth: Truth, each: Result) -> list[Bools]:
    return [_codes(truth, each, factor) == code for factor, code in _CELLS]


def _codes(truth: Truth, each: Result, factor: str) -> Ints:
    codes = truth.levels[factor]
    exchanged = each.protocol.reverse and factor in _DIRECTED
    return np.asarray(_EXCHANGED[codes]) if exchanged else codes


def _percent(truth: Truth, each: Result, members: Bools | None = None) -> float:
    return 100 * score(truth.pairs, each.hits, each.protocol, members)


def _published() -> list[Row]:
    nothing = (None,) * len(_COLUMNS)
    kinds = {"": published.AUTHORS_MODELS, ", finetuned": published.FINETUNED}
    return [
        Row("identity [paper]", published.IDENTITY),
        *(
            Row(f"{name}{how} [paper]", (*nothing, figure))
            for how, models in kinds.items()
            for name, figure in models.items()
        ),
    ]
