"""Predictions in closed form, which a model must beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rawshelf.metrics import conversion, predictions
from rawshelf.metrics.pck import Floats, Protocol, margins, scales
from rawshelf.spair71k.evaluation import Truth
from rawshelf.spair71k.release import CATEGORIES, KEYPOINT_SLOTS

_MEAN_SPLIT = "train"
_CENTRE = 0.5


@dataclass(frozen=True)
class Baseline:
    """A prediction in closed form.

    Attributes:
        doc: What it predicts.
        points: From the truth, the rules and the conversion's folder to float64 (points, 2), in
            pixels of the original target image.
    """

    doc: str
    points: Callable[[Truth, Protocol, str], Floats]


def identity(truth: Truth, _: Protocol, __: str) -> Floats:
    """Return the source's points, scaled by the sizes of the two images."""
    pairs = truth.pairs
    return pairs.src * pairs.trg_size[pairs.owner] / pairs.src_size[pairs.owner]


def identity_unscaled(truth: Truth, protocol: Protocol, _: str) -> Floats:
    """Return the source's points with their coordinates in the protocol's frame unchanged."""
    pairs, owner = truth.pairs, truth.pairs.owner
    placed = pairs.src * scales(pairs.src_size, protocol)[owner]
    placed += margins(pairs.src_size, protocol)[owner] - margins(pairs.trg_size, protocol)[owner]
    return placed / scales(pairs.trg_size, protocol)[owner]


def box_to_box(truth: Truth, _: Protocol, __: str) -> Floats:
    """Return each point at the place in the target's box that it has in the source's."""
    pairs, owner = truth.pairs, truth.pairs.owner
    return _from_box(_in_box(pairs.src, pairs.src_box[owner]), pairs.trg_box[owner])


def mean_keypoint(truth: Truth, _: Protocol, out: str) -> Floats:
    """Return each keypoint's mean place in the boxes of its category's training images."""
    pairs = truth.pairs
    table = conversion.columns(out, "images", _MEAN_SPLIT, ("category", "bbox", "keypoints"))
    points = predictions.whole(table["keypoints"])
    offsets, ids = predictions.ragged(points.field("id"))
    owner = np.repeat(np.arange(len(points)), np.diff(offsets))
    box = predictions.numbers(predictions.whole(table["bbox"]).flatten()).reshape(-1, 4)
    axes = [predictions.numbers(predictions.ragged(points.field(axis))[1]) for axis in "xy"]
    inside = _in_box(np.stack(axes, axis=1), box[owner])
    category = np.asarray(predictions.whole(table["category"]).to_numpy(), np.int64)[owner]
    slots = len(CATEGORIES) * KEYPOINT_SLOTS
    place = category * KEYPOINT_SLOTS + np.asarray(ids.to_numpy(), np.int64)
    number = np.bincount(place, minlength=slots)
    sums = np.stack([np.bincount(place, inside[:, axis], slots) for axis in range(2)], axis=1)
    mean = np.full((slots, 2), _CENTRE)
    mean[number > 0] = sums[number > 0] / number[number > 0, None]
    wanted = pairs.category[pairs.owner] * KEYPOINT_SLOTS + truth.ids
    return _from_box(mean[wanted], pairs.trg_box[pairs.owner])


def _in_box(points: Floats, box: Floats) -> Floats:
    """Return places within boxes, 0 to 1 from corner to corner; the centre if one has no extent."""
    corner, extent = box[:, :2] - 1, box[:, 2:] - box[:, :2]
    inside = np.full(points.shape, _CENTRE)
    np.divide(points - corner, extent, out=inside, where=extent > 0)
    return inside


def _from_box(inside: Floats, box: Floats) -> Floats:
    # Points are 0-based, boxes 1-based.
    return box[:, :2] - 1 + inside * (box[:, 2:] - box[:, :2])


BASELINES = {
    "identity": Baseline("the source's points, scaled by the sizes of the two images", identity),
    "identity-unscaled": Baseline(
        "the source's points with their coordinates unchanged in the protocol's frame (the "
        "original pixels, unless the protocol resizes)",
        identity_unscaled,
    ),
    "box": Baseline(
        "each point at the place in the target's box that it has in the source's; it is told the "
        "target's box",
        box_to_box,
    ),
    "mean": Baseline(
        f"each keypoint's mean place in the boxes of its category's images of the {_MEAN_SPLIT} "
        "split, or the centre if it has none there; it is told the target's box",
        mean_keypoint,
    ),
}
