"""PCK as one would work it out on paper: loops and fractions, no arrays, no rounding."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from rawshelf.metrics.pck import Protocol

Point = tuple[Fraction, Fraction]


class Side(NamedTuple):
    """One image of a pair.

    Attributes:
        size: Width and height.
        box: xmin, ymin, xmax, ymax.
        points: Its keypoints.
    """

    size: tuple[int, int]
    box: tuple[int, int, int, int]
    points: Sequence[Point]


class Pair(NamedTuple):
    """A pair with its predictions.

    Attributes:
        category: A number.
        src: The source.
        trg: The target.
        predicted: One point for each of the target's.
    """

    category: int
    src: Side
    trg: Side
    predicted: Sequence[Point]


def frame_scale(size: tuple[int, int], protocol: Protocol) -> Point:
    """Return by how much x and y grow in the frame."""
    width, height = size
    longest = max(width, height)
    if protocol.frame == "original":
        return Fraction(1), Fraction(1)
    if protocol.frame == "square":
        return Fraction(protocol.size, width), Fraction(protocol.size, height)
    if protocol.frame == "longest" and longest <= protocol.size:
        return Fraction(1), Fraction(1)
    return Fraction(protocol.size, longest), Fraction(protocol.size, longest)


def into_frame(point: Point, size: tuple[int, int], protocol: Protocol) -> Point:
    """Return where a point of an image lies in the frame."""
    x_scale, y_scale = frame_scale(size, protocol)
    left = top = 0
    if protocol.frame == "padded":
        left = (protocol.size - round(x_scale * size[0])) // 2
        top = (protocol.size - round(y_scale * size[1])) // 2
    return point[0] * x_scale + left, point[1] * y_scale + top


def threshold(pair: Pair, protocol: Protocol) -> Fraction:
    """Return the longest distance, in pixels of the frame."""
    side = pair.trg if protocol.side == "target" else pair.src
    x_scale, y_scale = frame_scale(side.size, protocol)
    if protocol.threshold == "image":
        width, height = side.size
    else:
        one = 1 if protocol.inclusive else 0
        width = side.box[2] - side.box[0] + one
        height = side.box[3] - side.box[1] + one
    return Fraction(str(protocol.alpha)) * max(width * x_scale, height * y_scale)


def is_correct(predicted: Point, true: Point, pair: Pair, protocol: Protocol) -> bool:
    """Tell whether one point is correct."""
    one = into_frame(predicted, pair.trg.size, protocol)
    other = into_frame(true, pair.trg.size, protocol)
    squared = (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2
    limit = threshold(pair, protocol) ** 2
    return squared < limit if protocol.strict else squared <= limit


def mean(values: Sequence[Fraction]) -> Fraction:
    """Return the mean."""
    return sum(values, Fraction(0)) / len(values)


def figure(pairs: Sequence[Pair], protocol: Protocol) -> Fraction:
    """Return the PCK of some pairs, as one figure."""
    shares: list[Fraction] = []
    for pair in pairs:
        judged = [
            Fraction(is_correct(predicted, true, pair, protocol))
            for predicted, true in zip(pair.predicted, pair.trg.points, strict=True)
        ]
        if protocol.average == "point":
            shares.extend(judged)
        elif judged:
            shares.append(mean(judged))
    return mean(shares)


def pck(pairs: Sequence[Pair], protocol: Protocol) -> float:
    """Return the PCK."""
    told = [pair for pair in pairs if pair.trg.points]
    if protocol.pool == "all":
        return float(figure(told, protocol))
    figures, weights = [], []
    for category in sorted({pair.category for pair in told}):
        own = [pair for pair in told if pair.category == category]
        figures.append(figure(own, protocol))
        weights.append(len(own) if protocol.pool == "weighted" else 1)
    weighted = sum(f * w for f, w in zip(figures, weights, strict=True))
    return float(weighted / sum(weights))


def unscaled(pair: Pair, protocol: Protocol) -> list[Point]:
    """Return the source's points as they stand in the frame, as points of the target."""
    x_scale, y_scale = frame_scale(pair.trg.size, protocol)
    left, top = into_frame((Fraction(0), Fraction(0)), pair.trg.size, protocol)
    placed = [into_frame(point, pair.src.size, protocol) for point in pair.src.points]
    return [((x - left) / x_scale, (y - top) / y_scale) for x, y in placed]
