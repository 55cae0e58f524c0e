"""PCK equals what loops over fractions give, under every published protocol."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from rawshelf.errors import PredictionError, UsageError
from rawshelf.metrics.pck import Floats, Pairs, Protocol, correct, pck, score
from rawshelf.metrics.protocols import PRESETS, protocol
from tests import pck_reference
from tests.pck_reference import Pair, Point, Side

PROTOCOLS = {
    **{name: preset.protocol for name, preset in PRESETS.items()},
    "strict": Protocol(strict=True),
    "inclusive": Protocol(inclusive=True),
    "image": Protocol(threshold="image"),
    "image of the source, square": Protocol(
        threshold="image", side="source", frame="square", size=300
    ),
    "macro": Protocol(pool="category"),
    "weighted": Protocol(pool="weighted", strict=True),
    "alpha 0.05": Protocol(alpha=0.05, frame="square", size=240),
    "alpha 0.15": Protocol(alpha=0.15, average="point"),
    "alpha 0.01": Protocol(alpha=0.01, frame="padded", size=840),
}
ORIGIN = (Fraction(0), Fraction(0))


def flat(pairs: list[Pair]) -> tuple[Pairs, Floats]:
    """Return the same pairs as arrays, and the predictions."""

    def array(points: list[Point]) -> Floats:
        return np.array([[float(x), float(y)] for x, y in points]).reshape(-1, 2)

    counts = [len(pair.predicted) for pair in pairs]
    truth = Pairs(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        src=array([point for pair in pairs for point in pair.src.points]),
        trg=array([point for pair in pairs for point in pair.trg.points]),
        src_size=np.array([pair.src.size for pair in pairs], float).reshape(-1, 2),
        trg_size=np.array([pair.trg.size for pair in pairs], float).reshape(-1, 2),
        src_box=np.array([pair.src.box for pair in pairs], float).reshape(-1, 4),
        trg_box=np.array([pair.trg.box for pair in pairs], float).reshape(-1, 4),
        category=np.array([pair.category for pair in pairs], np.int64),
    )
    return truth, array([point for pair in pairs for point in pair.predicted])


def random_pairs(seed: int, count: int = 60) -> list[Pair]:
    """Make pairs whose points often lie just at a threshold of 0.1 of the box."""
    rng = np.random.default_rng(seed)

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high))

    def side(points: int) -> Side:
        left, top = number(1, 60), number(1, 60)
        # Sides are often multiples of ten, now and then nothing.
        width, height = number(0, 9) * 10, number(0, 30)
        box = (left, top, left + width, top + height)
        places = [(Fraction(number(0, 90)), Fraction(number(0, 90))) for _ in range(points)]
        return Side((number(100, 500), number(100, 500)), box, places)

    pairs = []
    for _ in range(count):
        points = number(0, 6)
        src, trg = side(points), side(points)
        near = [(x + number(-8, 9), y + number(-1, 2) * number(0, 9)) for x, y in trg.points]
        pairs.append(Pair(number(0, 5), src, trg, near))
    return pairs


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PROTOCOLS)
def test_equals_the_loop(name: str, seed: int) -> None:
    """Arrays and float64 give what loops and fractions give, point by point and on the whole."""
    pairs = random_pairs(seed)
    rules = PROTOCOLS[name]
    truth, predicted = flat(pairs)

    expected = [
        pck_reference.is_correct(one, other, pair, rules)
        for pair in pairs
        for one, other in zip(pair.predicted, pair.trg.points, strict=True)
    ]

    assert expected == correct(truth, predicted, rules).tolist()
    assert pck_reference.pck(pairs, rules) == pytest.approx(pck(truth, predicted, rules))


def at(distance: float, box_side: int) -> tuple[Pairs, Floats]:
    """Return one keypoint in a box, predicted at a distance."""
    box = (1, 1, 1 + box_side, 1)
    one = Side((500, 400), box, [ORIGIN])
    return flat([Pair(0, one, one, [(Fraction(distance), Fraction(0))])])


@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.01, 0.15, 0.2])
def test_a_tie_is_a_tie(alpha: float) -> None:
    """A distance of just alpha is correct with <= and wrong with <, whatever 0.1 is in binary."""
    for box_side in range(100, 501, 100):
        threshold = round(alpha * box_side)
        for strict in (False, True):
            rules = Protocol(alpha=alpha, strict=strict)
            assert pck(*at(threshold, box_side), rules) == (0 if strict else 1)
            assert pck(*at(threshold - 1e-6, box_side), rules) == 1
            assert pck(*at(threshold + 1e-6, box_side), rules) == 0


def test_float32_would_decide_ties_otherwise() -> None:
    """The trap that the tie rule avoids is real: 0.1 is a little more than a tenth in float32."""
    limit = np.float32(0.1) * np.float64(30)

    assert limit > 3
    assert pck(*at(3, 30), Protocol(strict=True)) == 0


def test_a_box_without_extent() -> None:
    """Only a perfect prediction is within nothing, and nothing is below it."""
    assert pck(*at(0, 0)) == 1
    assert pck(*at(0, 0), Protocol(strict=True)) == 0
    assert pck(*at(1e-9, 0)) == 0
    assert pck(*at(0.1, 0), Protocol(inclusive=True)) == 1


def test_no_keypoints_say_nothing() -> None:
    """A pair without keypoints is neither right nor wrong; without any there is no figure."""
    one = Side((500, 400), (1, 1, 101, 101), [ORIGIN])
    empty = Pair(0, one._replace(points=[]), one._replace(points=[]), [])
    right = Pair(1, one, one, [ORIGIN])

    for rules in PROTOCOLS.values():
        assert pck(*flat([empty, right, empty]), replace(rules, strict=False)) == 1
        assert np.isnan(pck(*flat([empty]), rules))
    assert np.isnan(pck(*flat([])))


def test_averages_by_hand() -> None:
    """Three pairs of two categories: 1 of 1, 1 of 2 and 0 of 3 points."""
    points = [ORIGIN, ORIGIN, ORIGIN]
    far = (Fraction(400), Fraction(0))
    side = Side((500, 400), (1, 1, 101, 101), points)

    def pair(category: int, hits: int, count: int) -> Pair:
        own = side._replace(points=points[:count])
        return Pair(category, own, own, [ORIGIN] * hits + [far] * (count - hits))

    truth, predicted = flat([pair(0, 1, 1), pair(0, 1, 2), pair(1, 0, 3)])

    assert pck(truth, predicted) == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert pck(truth, predicted, Protocol(average="point")) == pytest.approx(2 / 6)
    assert pck(truth, predicted, Protocol(pool="category")) == pytest.approx((3 / 4 + 0) / 2)
    by_points = Protocol(average="point", pool="category")
    assert pck(truth, predicted, by_points) == pytest.approx((2 / 3 + 0) / 2)
    weighted = Protocol(average="point", pool="weighted")
    assert pck(truth, predicted, weighted) == pytest.approx((2 * 2 / 3 + 1 * 0) / 3)


def test_a_part_of_the_pairs() -> None:
    """A breakdown averages over the chosen pairs alone."""
    pairs = random_pairs(7)
    truth, predicted = flat(pairs)
    chosen = np.arange(len(pairs)) % 3 == 0

    for rules in PROTOCOLS.values():
        found = score(truth, correct(truth, predicted, rules), rules, chosen)
        assert pck_reference.pck(pairs[::3], rules) == pytest.approx(found)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_point_that_is_no_number_is_refused(value: float) -> None:
    """It is named by its pair and place."""
    truth, predicted = flat(random_pairs(1))
    owner = truth.owner[5]
    predicted[5, 1] = value

    with pytest.raises(PredictionError, match=f"point {5 - truth.offsets[owner]} of pair {owner}"):
        pck(truth, predicted)


@pytest.mark.filterwarnings("error")
def test_a_point_beyond_all_squares_is_wrong() -> None:
    """Without a warning: it is a number, and far away."""
    truth, predicted = flat(random_pairs(1))

    assert not correct(truth, np.full_like(predicted, 1e300), Protocol()).any()


def test_another_number_of_points_is_refused() -> None:
    """One point too few, and points without a second coordinate."""
    truth, predicted = flat(random_pairs(1))

    for wrong in (predicted[:-1], predicted[:, :1], predicted.reshape(-1)):
        with pytest.raises(PredictionError, match="not as many"):
            pck(truth, wrong)


@pytest.mark.parametrize(
    "changes",
    [
        {"alpha": 0},
        {"alpha": float("nan")},
        {"alpha": float("inf")},
        {"frame": "square"},
        {"size": 240},
        {"size": -240},
        {"frame": "squared", "size": 240},
        {"side": "trg"},
        {"threshold": "img"},
        {"average": "pair"},
        {"pool": "class"},
    ],
)
def test_rules_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    """No alpha, a frame without a size, a size without a frame, a rule that there is not."""
    with pytest.raises(UsageError, match="cannot be computed"):
        protocol("dift", **changes)


def test_an_unknown_protocol_is_refused() -> None:
    """A near name is offered."""
    with pytest.raises(UsageError, match="Did you mean geoaware"):
        protocol("geoawere")


def test_every_preset_says_where_it_is_from() -> None:
    """A name that means the rules of somebody, with the place where they were read."""
    for name, preset in PRESETS.items():
        assert any(character.isdigit() for character in preset.source), name
        assert f"{preset.protocol.alpha:g}" in preset.protocol.describe()
