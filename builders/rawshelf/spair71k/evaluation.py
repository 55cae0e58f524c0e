"""Pairs of SPair-71k to evaluate on, and predictions for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rawshelf.errors import PredictionError
from rawshelf.metrics import conversion, predictions
from rawshelf.metrics.pck import Floats, Ints, Pairs
from rawshelf.metrics.predictions import Predictions

FACTORS = ("viewpoint_variation", "scale_variation", "truncation", "occlusion")
KEYS = ("pair_id", "name")

_SIDES = ("src", "trg")
_COLUMNS = (
    *KEYS,
    "category",
    "keypoints",
    *(f"{side}_{what}" for side in _SIDES for what in ("size", "bbox")),
    *FACTORS,
)


@dataclass(frozen=True, eq=False)
class Truth:
    """A split to evaluate on.

    Attributes:
        split: Its name.
        pairs: What PCK is computed from; categories are indices of the class label.
        keys: By `KEYS`: what names each pair.
        ids: Int64 (points,), each point's keypoint id.
        levels: By `FACTORS`: each pair's code.
    """

    split: str
    pairs: Pairs
    keys: Mapping[str, pa.Array]
    ids: Ints
    levels: Mapping[str, Ints]


def read(out: str, split: str = "test") -> Truth:
    """Read the pairs of a conversion.

    Args:
        out: A conversion with config ``pairs``.
        split: ``train``, ``validation`` or ``test``.

    Raises:
        MissingError: If the conversion does not hold them.
        OutputError: If a file cannot be read.
    """
    table = conversion.columns(out, "pairs", split, _COLUMNS)
    whole = {name: predictions.whole(table[name]) for name in _COLUMNS}
    points = whole["keypoints"]
    fields = {name.name: points.field(name.name) for name in points.type}
    offsets, ids = predictions.ragged(fields["id"])
    flat = {name: _flat(fields[name]) for name in fields if name != "id"}
    src, trg = (np.stack([flat[f"{side}_x"], flat[f"{side}_y"]], axis=1) for side in _SIDES)
    src_size, trg_size = (_matrix(whole[f"{side}_size"])[:, :2] for side in _SIDES)
    src_box, trg_box = (_matrix(whole[f"{side}_bbox"]) for side in _SIDES)
    category = _integers(whole["category"])
    pairs = Pairs(offsets, src, trg, src_size, trg_size, src_box, trg_box, category)
    return Truth(
        split,
        pairs,
        {name: whole[name] for name in KEYS},
        _integers(ids),
        {name: _integers(whole[name]) for name in FACTORS},
    )


def _flat(lists: pa.Array) -> Floats:
    return predictions.numbers(predictions.ragged(lists)[1])


def _matrix(lists: pa.Array) -> Floats:
    return _flat(lists).reshape(len(lists), -1)


def _integers(column: pa.Array) -> Ints:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64)


def points(truth: Truth, given: Predictions) -> Floats:
    """Bring predicted points into the order of the truth.

    Args:
        truth: What they are for.
        given: Columns ``pair_id`` or ``name``, and ``points``: in Parquet a list of [x, y] per
            pair; in npz a float array (points, 2), pair after pair, and ``offsets`` (pairs + 1,).
            Pixels of the original target image, in the order of the pair's ``keypoints.id``.

    Returns:
        Float64 (points, 2).

    Raises:
        PredictionError: If a column or a pair is missing, a pair is given twice, one has more
            or fewer points than keypoints, or a point is no finite number.
    """
    key = given.one_of(*KEYS)
    offsets, flat = _lists(given, given.one_of("points"))
    found = given.keys(key)
    if len(found) != len(offsets) - 1:
        raise given.wrong("points", f"{len(offsets) - 1:,} pairs", f"{len(found):,}, as {key}")
    expected = truth.keys[key]
    order = predictions.places(found, expected, path=given.path, field=key)
    wrong = np.diff(offsets)[order] != truth.pairs.counts
    if wrong.any():
        row = int(np.argmax(wrong))
        raise given.wrong(
            f"points of {key} {expected[row].as_py()}",
            f"{np.diff(offsets)[order][row]} points",
            f"{truth.pairs.counts[row]} points, one for each keypoint",
        )
    flat = flat[predictions.gather(offsets, order)]
    finite = np.isfinite(flat).all(axis=1)
    if not finite.all():
        worst = int(np.argmin(finite))
        row = int(truth.pairs.owner[worst])
        raise given.wrong(
            f"point {worst - int(truth.pairs.offsets[row])} (counted from 0) "
            f"of {key} {expected[row].as_py()}",
            flat[worst].tolist(),
            "finite numbers; a point far away counts as wrong",
        )
    return flat


def _lists(given: Predictions, name: str) -> tuple[Ints, Floats]:
    column = given.columns[name]
    expected = "a list of [x, y] for each pair"
    if isinstance(column, np.ndarray):
        return _npz_lists(given, name, column)
    try:
        offsets, inner = predictions.ragged(column)
        lengths, flat = predictions.ragged(inner)
        values = predictions.numbers(flat)
    except TypeError as error:
        raise given.wrong(name, error, expected) from error
    if (np.diff(lengths) != len(_SIDES)).any():
        raise given.wrong(name, "a point without exactly two coordinates", expected)
    return offsets, values.reshape(-1, 2)


def _npz_lists(given: Predictions, name: str, column: Any) -> tuple[Ints, Floats]:
    offsets: npt.NDArray[Any] = np.asarray(given.columns[given.one_of("offsets")])
    if (
        column.ndim != len(_SIDES)
        or column.shape[1] != len(_SIDES)
        or column.dtype.kind not in "fiu"
    ):
        raise given.wrong(name, f"{column.dtype} of shape {column.shape}", "floats, (points, 2)")
    good = offsets.ndim == 1 and offsets.dtype.kind in "iu" and len(offsets)
    # Unsigned differences are never below 0.
    if (
        not good
        or offsets[0] != 0
        or offsets[-1] != len(column)
        or (offsets[1:] < offsets[:-1]).any()
    ):
        raise given.wrong(
            "offsets",
            f"{offsets.dtype} of shape {offsets.shape}",
            f"whole numbers that rise from 0 to {len(column):,}, one more than pairs",
        )
    return offsets.astype(np.int64), column.astype(np.float64)


def predict(
    truth: Truth,
    rows: Iterable[Mapping[str, Any]],
    model: Callable[[Mapping[str, Any]], Any],
) -> Floats:
    """Ask a model for the points of every pair.

    Args:
        truth: What is evaluated on.
        rows: The rows of the same split of ``pairs``, in any order: a split of `datasets`, or
            `rawshelf.join` of one, whose rows have the images.
        model: Gets a row and returns its points, (n, 2), x and y in pixels of the original target
            image, in the order of ``keypoints.id``.

    Returns:
        Float64 (points, 2), in the order of the truth.

    Raises:
        PredictionError: If the rows are not those of the truth, or points are more or fewer, of
            another shape, or no finite numbers.
    """
    found: list[int] = []
    given: list[Floats] = []
    for row in rows:
        found.append(row[Predictions("the rows", row).one_of("pair_id")])
        given.append(_answer(model(row), found[-1]))
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in given])]).astype(np.int64)
    flat = predictions.stacked(given)
    columns = {"pair_id": np.asarray(found, np.int64), "points": flat, "offsets": offsets}
    return points(truth, Predictions("the model", columns))


def _answer(said: Any, pair_id: int) -> Floats:
    try:
        answer = np.asarray(said, np.float64)
        shown = f"an array of shape {answer.shape}"
    except (TypeError, ValueError, RuntimeError) as error:  # torch raises the last
        answer, shown = np.empty(1), str(error)
    if not answer.size:
        return np.empty((0, 2))
    if answer.ndim != len(_SIDES) or answer.shape[1] != len(_SIDES):
        raise PredictionError(
            "The model's answer is not what it should be.",
            field=f"points of pair_id {pair_id}",
            found=shown,
            expected="x and y of each keypoint, (n, 2)",
            remedy="Return an array or a list on the CPU, one point for each keypoint.",
        )
    return answer
