"""PCK, the percentage of correct keypoints, with every convention that evaluators differ in.

A predicted point is correct if it lies no farther from the true one than `alpha` times a length.
All arithmetic is in float64; what differs from the threshold by less than `TIE` of it is a tie,
which is correct unless `Protocol.strict`. With whole pixels that is exact in the original frame:
100 d^2 and s^2 are whole numbers, so that two different ones differ by 1 / s^2 at least. An
evaluator that computes in float32 decides some ties by its rounding; its rule is reproduced
here, its rounding is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from rawshelf.errors import PredictionError, UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Between the rounding of a few float64 operations (1e-15) and the gap between whole pixels (4e-6).
TIE = 1e-12


@dataclass(frozen=True)
class Protocol:
    """A way to compute PCK. The defaults are the reference for SPair-71k.

    Attributes:
        alpha: The threshold as a share of the length.
        threshold: What the length is of: the ``box`` of the object or the ``image``; its longer
            side.
        side: The pair's image whose box or size that is: ``target``, where the points lie, or
            ``source``.
        inclusive: Whether a box from 1 to 10 is 10 pixels long, as inclusive boxes are, and not
            9, as evaluators have it.
        strict: Whether a point just at the threshold is wrong (``<``), and not correct (``<=``).
        average: ``image``: the mean over pairs of each pair's share of correct points; ``point``:
            the share of all points.
        pool: ``all`` pairs alike; ``category``: the mean of the categories' figures;
            ``weighted``: their mean weighted by numbers of pairs.
        frame: Where distances and lengths are measured: in the ``original`` pixels; ``longest``:
            shrunk so that the longer side is `size` at most; ``square``: each axis resized to
            `size`, which distorts distances; ``padded``: the longer side resized to `size`, the
            shorter filled up on both sides.
        size: Pixels of the frame, 0 for the original.
        reverse: Whether breakdowns take the pair's source for its target, as evaluators do that
            predict source points from target points, and the paper's Table 4.
    """

    alpha: float = 0.1
    threshold: Literal["box", "image"] = "box"
    side: Literal["target", "source"] = "target"
    inclusive: bool = False
    strict: bool = False
    average: Literal["image", "point"] = "image"
    pool: Literal["all", "category", "weighted"] = "all"
    frame: Literal["original", "longest", "square", "padded"] = "original"
    size: int = 0
    reverse: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be computed.

        Raises:
            UsageError: If `alpha` is not above 0, a frame has no size, or a rule is unknown.
        """
        for name, hint in get_type_hints(Protocol).items():
            known = get_args(hint)
            if known and getattr(self, name) not in known:
                _refuse(name, getattr(self, name), f"one of {', '.join(known)}")
        if not 0 < self.alpha < np.inf:
            _refuse("alpha", self.alpha, "a finite number above 0")
        if self.size < 0 or (self.size > 0) != (self.frame != "original"):
            _refuse("size", self.size, "pixels above 0 for a resized frame, 0 for the original")

    def describe(self) -> str:
        """Return the rules in words.

        >>> Protocol().describe()
        "distance <= 0.1 of the target's box, original pixels, mean over all pairs"
        """
        sign = "<" if self.strict else "<="
        longer = ", inclusive" if self.inclusive else ""
        frame = (
            "original pixels" if self.frame == "original" else f"{self.frame} {self.size} pixels"
        )
        units = "pairs" if self.average == "image" else "points"
        pool = {
            "all": f"mean over all {units}",
            "category": f"mean over {units} of a category, then over categories",
            "weighted": f"mean over {units} of a category, then over categories weighted by pairs",
        }
        length = f"{self.alpha:g} of the {self.side}'s {self.threshold}{longer}"
        return f"distance {sign} {length}, {frame}, {pool[self.pool]}"


def _refuse(field: str, found: object, expected: str) -> None:
    raise UsageError(
        "PCK cannot be computed so.",
        field=field,
        found=found,
        expected=expected,
        remedy="Name a published protocol, or give all that yours needs.",
    )


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of images with their common keypoints, as flat arrays.

    Attributes:
        offsets: Int64 (pairs + 1,): the points of pair i are those from ``offsets[i]`` up to
            ``offsets[i + 1]``.
        src: Float64 (points, 2), x and y in 0-based pixels of the source.
        trg: The same points in the target.
        src_size: Float64 (pairs, 2), width and height.
        trg_size: The same of the target.
        src_box: Float64 (pairs, 4), xmin, ymin, xmax, ymax, 1-based and inclusive.
        trg_box: The same of the target.
        category: Int64 (pairs,).
    """

    offsets: Ints
    src: Floats
    trg: Floats
    src_size: Floats
    trg_size: Floats
    src_box: Floats
    trg_box: Floats
    category: Ints

    @property
    def counts(self) -> Ints:
        """Number of points of each pair."""
        return np.diff(self.offsets)

    @property
    def owner(self) -> Ints:
        """Each point's pair."""
        return np.repeat(np.arange(len(self.category)), self.counts)


def scales(size: Floats, protocol: Protocol) -> Floats:
    """Return how many pixels of the frame a pixel of each image becomes, (pairs, 2).

    Args:
        size: Width and height of each image.
        protocol: Whose frame.
    """
    if protocol.frame == "original":
        return np.ones_like(size)
    if protocol.frame == "square":
        return np.asarray(protocol.size / size)
    scale = protocol.size / size.max(axis=1, keepdims=True)
    if protocol.frame == "longest":
        scale = np.minimum(scale, 1)
    return np.broadcast_to(scale, size.shape)


def margins(size: Floats, protocol: Protocol) -> Floats:
    """Return where an image's corner lies in the frame, (pairs, 2): whole pixels, as evaluators do.

    Args:
        size: Width and height of each image.
        protocol: Whose frame.
    """
    if protocol.frame != "padded":
        return np.zeros_like(size)
    inner = np.around(protocol.size * size / size.max(axis=1, keepdims=True))
    return np.asarray(np.trunc((protocol.size - inner) / 2))


def correct(pairs: Pairs, points: Floats, protocol: Protocol) -> Bools:
    """Tell which predicted points are correct.

    Args:
        pairs: The truth.
        points: Predictions, float64 (points, 2): x and y in pixels of the original target image.
        protocol: The rules.

    Returns:
        Bool (points,).

    Raises:
        PredictionError: If there are more or fewer points, or one is no finite number.
    """
    _check(pairs, points)
    owner = pairs.owner
    apart = (points - pairs.trg) * scales(pairs.trg_size, protocol)[owner]
    with np.errstate(over="ignore"):  # inf is as wrong as it is far
        squared = (apart**2).sum(axis=1)
    limit = (protocol.alpha * _lengths(pairs, protocol)[owner]) ** 2
    tie = np.abs(squared - limit) <= TIE * limit
    if protocol.strict:
        return np.asarray((squared < limit) & ~tie)
    return np.asarray((squared < limit) | tie)


def _check(pairs: Pairs, points: Floats) -> None:
    if points.shape != pairs.trg.shape:
        raise PredictionError(
            "The predictions are not as many as the keypoints.",
            field="points",
            found=points.shape,
            expected=pairs.trg.shape,
            remedy="Predict one point (x, y) for each keypoint, in their order.",
        )
    good = np.isfinite(points).all(axis=1)
    if not good.all():
        worst = int(np.argmin(good))
        raise PredictionError(
            "A predicted point is not a finite number.",
            field=f"point {worst - int(pairs.offsets[pairs.owner[worst]])} "
            f"of pair {int(pairs.owner[worst])}, counted from 0",
            found=points[worst].tolist(),
            remedy="Predict some point for every keypoint; a far one counts as wrong.",
        )


def _lengths(pairs: Pairs, protocol: Protocol) -> Floats:
    """Return each pair's length that `alpha` is a share of, in pixels of the frame."""
    target = protocol.side == "target"
    size = pairs.trg_size if target else pairs.src_size
    box = pairs.trg_box if target else pairs.src_box
    sides = size if protocol.threshold == "image" else box[:, 2:] - box[:, :2]
    if protocol.threshold == "box" and protocol.inclusive:
        sides = sides + 1
    longest: Floats = (sides * scales(size, protocol)).max(axis=1)
    return longest


def score(pairs: Pairs, hits: Bools, protocol: Protocol, chosen: Bools | None = None) -> float:
    """Average what is correct.

    Pairs without keypoints say nothing: they count neither as correct nor as wrong.

    Args:
        pairs: The truth.
        hits: What `correct` gives.
        protocol: The rules of averaging.
        chosen: Bool (pairs,): the pairs to average over; all if None.

    Returns:
        The PCK, 0 to 1; NaN if no point is left.
    """
    counts = pairs.counts
    told = counts > 0 if chosen is None else (counts > 0) & chosen
    sums = np.diff(np.concatenate([[0], np.cumsum(hits)])[pairs.offsets])
    sums, counts, group = sums[told], counts[told], pairs.category[told]
    if not len(counts):
        return float("nan")
    share, of = (
        (sums / counts, np.ones_like(counts)) if protocol.average == "image" else (sums, counts)
    )
    if protocol.pool == "all":
        return float(share.sum() / of.sum())
    number = np.bincount(group)
    present = number > 0
    each = np.bincount(group, share)[present] / np.bincount(group, of)[present]
    weights = number[present] if protocol.pool == "weighted" else None
    return float(np.average(each, weights=weights))


def pck(pairs: Pairs, points: Floats, protocol: Protocol | None = None) -> float:
    """Return the PCK of predictions, 0 to 1.

    Args:
        pairs: The truth.
        points: Predictions, float64 (points, 2): x and y in pixels of the original target image,
            pair after pair, in the order of the pair's keypoints.
        protocol: The rules; those of the reference if None.

    Raises:
        PredictionError: If there are more or fewer points, or one is no finite number.
    """
    rules = protocol or Protocol()
    return score(pairs, correct(pairs, points, rules), rules)
