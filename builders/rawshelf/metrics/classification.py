"""Top-k accuracy, over images and over classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

_ROWS = 4096  # at a time, so that comparing takes megabytes and not the logits once more


def ranks(logits: Reals, labels: Ints) -> Ints:
    """Return the place of each true class among the classes ordered by logit, from 0.

    Of equal logits the class with the lower index comes first, whatever the true one is: a model
    that says the same of all classes gets what guessing one class gets.

    Args:
        logits: (images, classes), any numbers that rise with confidence.
        labels: Int64 (images,), the true classes.

    >>> ranks(np.array([[0.1, 0.9, 0.9]]), np.array([2])).tolist()
    [1]
    """
    found = np.empty(len(labels), np.int64)
    classes = np.arange(logits.shape[1])
    for start in range(0, len(labels), _ROWS):
        part, true = logits[start : start + _ROWS], labels[start : start + _ROWS, None]
        own = np.take_along_axis(part, true, axis=1)
        found[start : start + _ROWS] = (part > own).sum(axis=1)
        found[start : start + _ROWS] += ((part == own) & (classes < true)).sum(axis=1)
    return found


def places(predicted: Ints, labels: Ints) -> Ints:
    """Return the place of each true class in a list of classes, from 0; its length if absent.

    Args:
        predicted: Int64 (images, k), classes, the likeliest first.
        labels: Int64 (images,), the true classes.

    >>> places(np.array([[5, 7], [5, 7]]), np.array([7, 8])).tolist()
    [1, 2]
    """
    same = predicted == labels[:, None]
    return np.asarray(np.where(same.any(axis=1), same.argmax(axis=1), predicted.shape[1]))


def micro(hits: Bools) -> float:
    """Return the share of right images; NaN if there are none."""
    return float(hits.mean()) if len(hits) else float("nan")


def macro(hits: Bools, labels: Ints) -> float:
    """Return the mean over the classes that have images of each one's share of right images."""
    number = np.bincount(labels)
    present = number > 0
    if not present.any():
        return float("nan")
    return float((np.bincount(labels, hits)[present] / number[present]).mean())
