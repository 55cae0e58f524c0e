"""Agreement of two clusterings, from how often their labels meet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


def mutual_information(table: Counts) -> float:
    """Return the normalised mutual information (NMI), 0 to 1.

    Normalised by the arithmetic mean of the two entropies, as scikit-learn does by default. Two
    clusterings of one cluster each agree fully.

    Args:
        table: Contingency, (classes, clusters): how many items have each pair of labels.

    >>> mutual_information(np.array([[5, 0], [0, 3]]))
    1.0
    """
    share = table[table.any(axis=1)][:, table.any(axis=0)] / max(int(table.sum()), 1)
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    entropy = _entropy(rows) + _entropy(columns)
    if entropy == 0:
        return 1.0
    together = share > 0
    expected = np.outer(rows, columns)[together]
    information = float(np.sum(share[together] * np.log(share[together] / expected)))
    # Rounding must not take it out of its range.
    return min(max(2 * information / entropy, 0.0), 1.0)


def _entropy(shares: npt.NDArray[np.float64]) -> float:
    return float(-np.sum(shares * np.log(shares)))


def rand_index(table: Counts) -> float:
    """Return the adjusted Rand index (ARI), 1 for equal clusterings and 0 by chance.

    Whole numbers throughout: pairs of a thousand million pixels are counted exactly.

    Args:
        table: Contingency, (classes, clusters): how many items have each pair of labels.

    >>> rand_index(np.array([[1, 1], [1, 1]]))
    -0.5
    """
    together = _pairs(table.reshape(-1))
    rows, columns = _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    total = _pairs(table.sum().reshape(-1))
    if together == rows == columns:
        return 1.0
    # How far above chance, over how far it could be; both times 2 * total, to stay whole numbers.
    chance = 2 * rows * columns
    return (2 * together * total - chance) / ((rows + columns) * total - chance)


def _pairs(counts: Counts) -> int:
    return sum(number * (number - 1) // 2 for number in counts.tolist())
