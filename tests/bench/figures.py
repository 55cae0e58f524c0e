"""Ratios of interleaved runs: what the median is, how sure it is, and whether a goal is reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

from tests.bench.meter import Spent

CONFIDENCE = 0.9  # of the interval of a ratio
BUSY = 0.1  # share of the processors in other programs from which on times say nothing sure
REACHED, MISSED, UNSURE = "reached", "not reached", "cannot tell"
_MEMORYLIKE = ("output_bytes", "bytes_per_row", "anonymous_mb")  # other programs do not change them

Runs = Mapping[str, Sequence[Spent]]  # of each competitor, by round


@dataclass(frozen=True)
class Goal:
    """What a competitor should reach.

    Attributes:
        text: In words.
        ours: The competitor that should reach it.
        against: The peers to compare with; the best of them counts. None: the quantity itself.
        at_least: Least ratio of the peer's quantity to ours.
        at_most: Largest ratio of our quantity to the peer's, or largest quantity of ours.
        quantity: A name that `Spent.value` knows; less of it is better.
        otherwise: Reached instead of this goal, it does as well.
    """

    text: str
    ours: str
    against: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    quantity: str = "seconds"
    otherwise: "Goal | None" = None


@dataclass(frozen=True)
class Verdict:
    """How a goal stands.

    Attributes:
        goal: The goal.
        against: The peer that counted, if there is one.
        found: Median of the ratio, or of the quantity where there is no peer.
        low: Lower end of its interval.
        high: Upper end.
        word: ``reached``, ``not reached`` or ``cannot tell``.
        why: Why one cannot tell.
    """

    goal: Goal
    against: str | None
    found: float
    low: float
    high: float
    word: str
    why: str = ""


def judge(goal: Goal, runs: Runs) -> Verdict:
    """Compare a goal with what was measured; of two goals that do as well, the better one."""
    first = _judge(goal, runs)
    if goal.otherwise is None or first.word == REACHED:
        return first
    second = judge(goal.otherwise, runs)
    return second if _ORDER.index(second.word) < _ORDER.index(first.word) else first


_ORDER = (REACHED, UNSURE, MISSED)


def _judge(goal: Goal, runs: Runs) -> Verdict:
    peer = min(goal.against, key=lambda name: middle(runs[name], goal.quantity), default=None)
    ratios = _ratios(goal, runs, peer)
    low, high = interval(ratios)
    bound = goal.at_least if goal.at_least is not None else goal.at_most
    if bound is None:
        raise ValueError(goal)
    above, below = low >= bound, high <= bound
    good, bad = (above, high < bound) if goal.at_least is not None else (below, low > bound)
    why = _doubt(goal, runs, peer, sure=good or bad)
    word = UNSURE if why else REACHED if good else MISSED
    return Verdict(goal, peer, median(ratios), low, high, word, why)


def _ratios(goal: Goal, runs: Runs, peer: str | None) -> list[float]:
    """Return the ratio of each round: what ran side by side is compared."""
    ours = [spent.value(goal.quantity) for spent in runs[goal.ours]]
    if peer is None:
        return ours
    theirs = [spent.value(goal.quantity) for spent in runs[peer]]
    if goal.at_least is not None:
        return [t / max(o, _LEAST) for o, t in zip(ours, theirs, strict=True)]
    return [o / max(t, _LEAST) for o, t in zip(ours, theirs, strict=True)]


_LEAST = 1e-9  # in place of a zero: a process too short for a look at its memory has 0 MB


def _doubt(goal: Goal, runs: Runs, peer: str | None, *, sure: bool) -> str:
    if not sure:
        return "the interval spans the goal"
    if goal.quantity in _MEMORYLIKE:
        return ""
    names = [goal.ours] if peer is None else [goal.ours, peer]
    if coverage(len(runs[goal.ours])) < CONFIDENCE:
        return f"too few rounds: {len(runs[goal.ours])}"
    others = max(median(spent.others for spent in runs[name]) for name in names)
    return f"other programs took {others:.0%} of the processors" if others > BUSY else ""


def middle(runs: Sequence[Spent], quantity: str) -> float:
    """Return the median of a quantity."""
    return median(spent.value(quantity) for spent in runs)


def coverage(count: int, cut: int = 0) -> float:
    """Return how probable it is that the median lies between two of so many values.

    Whatever the distribution: each value is above the median with probability 1/2.

    Args:
        count: Number of values.
        cut: How many values to leave out at either end.
    """
    return 1 - sum(comb(count, k) for k in range(cut + 1)) / 2.0 ** (count - 1)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the narrowest two values that hold the median with `CONFIDENCE`, else the extremes.

    >>> interval([5, 1, 4, 2, 3])
    (1, 5)
    >>> interval([5, 1, 4, 2, 3, 6, 8, 7])
    (2, 7)
    """
    ordered = sorted(values)
    cut = 0
    while 2 * (cut + 1) < len(ordered) and coverage(len(ordered), cut + 1) >= CONFIDENCE:
        cut += 1
    return ordered[cut], ordered[-1 - cut]


def spread(runs: Sequence[Spent]) -> float:
    """Return the longest wall time over the shortest."""
    times = [spent.value("seconds") for spent in runs]
    return max(times) / max(min(times), _LEAST)
