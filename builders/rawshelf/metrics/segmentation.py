"""Semantic segmentation from confusion matrices, with every way to treat the background.

A confusion is what `rawshelf.masks.confusion` counts: element i, j is the number of pixels that are
i in truth and j in the prediction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Background = Literal["counted", "left out", "ignored"]

# How published figures treat the background, and who does so.
BACKGROUNDS: dict[Background, str] = {
    "counted": "the background is a class like the others (TACJu/Compositor 30e6f1a)",
    "left out": "means run over the other classes; a part predicted on background is still wrong",
    "ignored": (
        "pixels whose truth is background are not looked at "
        "(kaist-cvml part-clipseg 8abceef and part-catseg 4a9a882)"
    ),
}


@dataclass(frozen=True)
class Scores:
    """Figures of a confusion, 0 to 1; NaN where there is nothing to average.

    Attributes:
        mean_iou: Intersection over union, averaged over the classes that are in truth or predicted.
        mean_accuracy: Share of a class's true pixels that are found, over the classes in truth.
        pixel_accuracy: Share of the true pixels of these classes that are found.
        weighted_iou: Intersection over union, averaged by number of true pixels (fwIoU).
    """

    mean_iou: float
    mean_accuracy: float
    pixel_accuracy: float
    weighted_iou: float


def ious(table: Counts) -> Floats:
    """Return each class's intersection over union; NaN if it is neither true nor predicted."""
    both = np.diagonal(table)
    return _share(both, table.sum(axis=0) + table.sum(axis=1) - both)


def accuracies(table: Counts) -> Floats:
    """Return the share of each class's true pixels that are found; NaN if it has none."""
    return _share(np.diagonal(table), table.sum(axis=1))


def _share(part: Counts, whole: Counts) -> Floats:
    shares = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def scores(table: Counts, background: int, how: Background = "counted") -> Scores:
    """Return the figures of a confusion over all images.

    Args:
        table: The confusion, (classes, classes), the background among the classes.
        background: Its index.
        how: One of `BACKGROUNDS`.

    >>> scores(np.array([[3, 1], [0, 4]]), background=1).mean_iou
    0.775
    """
    seen = table.copy()
    if how == "ignored":
        seen[background] = 0
    kept = np.ones(len(table), bool)
    kept[background] = how == "counted"
    overlap, found = ious(seen)[kept], accuracies(seen)[kept]
    true = seen.sum(axis=1)[kept]
    total = int(true.sum())
    return Scores(
        _mean(overlap),
        _mean(found),
        float(np.diagonal(seen)[kept].sum()) / total if total else float("nan"),
        float(np.nansum(overlap * true)) / total if total else float("nan"),
    )


def _mean(values: Floats) -> float:
    told = values[~np.isnan(values)]
    return float(told.mean()) if len(told) else float("nan")


@dataclass(frozen=True)
class QueryScores:
    """Figures over queries: a query is an image and a class that is in its truth.

    Attributes:
        queries: Their number.
        mean_iou: Mean of the queries' intersection over union; 0 for a class that is missed. What
            WPS-SAM calls mIoU and others gIoU.
        total_iou: All intersections over all unions (cIoU).
        mean_accuracy: Mean of the queries' share of right pixels of the image, those rightly left
            out included. What WPS-SAM calls mACC.
    """

    queries: int
    mean_iou: float
    total_iou: float
    mean_accuracy: float


def query_scores(tables: Iterable[Counts], background: int) -> QueryScores:
    """Return figures over queries, from the confusion of each image.

    Args:
        tables: One confusion per image.
        background: The class that is no query.
    """
    overlap: list[Floats] = []
    counts: list[Counts] = []
    for table in tables:
        both, true, predicted = np.diagonal(table), table.sum(axis=1), table.sum(axis=0)
        asked = true > 0
        asked[background] = False
        both, true, predicted = both[asked], true[asked], predicted[asked]
        union = true + predicted - both
        right = table.sum() - union + both
        overlap.append(np.stack([both / union, right / max(int(table.sum()), 1)], axis=1))
        counts.append(np.array([both.sum(), union.sum()]))
    shares = np.concatenate([np.empty((0, 2)), *overlap])
    intersection, union = np.sum([np.zeros(2, np.int64), *counts], axis=0)
    return QueryScores(
        len(shares),
        _mean(shares[:, 0]),
        float(intersection / union) if union else float("nan"),
        _mean(shares[:, 1]),
    )
