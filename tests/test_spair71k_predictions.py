"""Predictions for SPair-71k: from files and from functions, whole ones and others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rawshelf.errors import PredictionError
from rawshelf.metrics import predictions
from rawshelf.metrics.pck import pck
from rawshelf.spair71k import evaluation
from rawshelf.spair71k.evaluation import Truth
from tests.conftest import Conversion
from tests.test_spair71k_evaluate import evaluate, figures
from tests.test_spair71k_rows import Row, rows

Columns = dict[str, Any]


@pytest.fixture(scope="module")
def truth(conversion: Conversion) -> Truth:
    return evaluation.read(str(conversion.out), "train")


@pytest.fixture(scope="module")
def pair_rows(conversion: Conversion) -> list[Row]:
    return rows(conversion.out, "pairs", "train")


def parquet(path: Path, columns: Columns) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def good(pair_rows: list[Row], key: str = "pair_id") -> Columns:
    """Return the truth as predictions, the last pair first."""
    rows = pair_rows[::-1]
    points = [
        [[float(x), float(y)] for x, y in zip(p["trg_x"], p["trg_y"], strict=True)]
        for p in (row["keypoints"] for row in rows)
    ]
    return {key: [row[key] for row in rows], "points": points}


def as_npz(path: Path, columns: Columns) -> Path:
    flat = [point for points in columns["points"] for point in points]
    offsets = np.cumsum([0, *map(len, columns["points"])])
    keys = {key: np.array(columns[key]) for key in columns if key != "points"}
    np.savez(path, points=np.array(flat, np.float32), offsets=offsets, **keys)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("key", ["pair_id", "name"])
@pytest.mark.parametrize("write", [parquet, as_npz])
def test_predictions_are_found_by_their_key(
    write: Callable[[Path, Columns], Path],
    key: str,
    conversion: Conversion,
    pair_rows: list[Row],
    tmp_path: Path,
) -> None:
    """The truth itself scores 100 in every cell, in either format and any order."""
    path = write(tmp_path / ("p.npz" if write is as_npz else "p.parquet"), good(pair_rows, key))

    found = figures(evaluate(conversion.out, path, "--split", "train", "--format", "json"))

    assert 3 == len(found)
    for table in found:
        assert {100.0} == {each for each in table["predictions"].values() if each is not None}


def without(columns: Columns, place: int) -> Columns:
    return {name: [*values[:place], *values[place + 1 :]] for name, values in columns.items()}


def changed(columns: Columns, name: str, value: Any) -> Columns:
    return {**columns, name: [value, *columns[name][1:]]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: without(c, 3), "1 predictions are missing"),
        (lambda c: changed(c, "pair_id", c["pair_id"][1]), "more than once"),
        (lambda c: changed(c, "pair_id", 999_999), "for nothing in this split"),
        (lambda c: changed(c, "pair_id", None), "for nothing in this split"),
        (lambda c: changed(c, "points", c["points"][0][1:]), "one for each keypoint"),
        (lambda c: changed(c, "points", [*c["points"][0], [0.0, 0.0]]), "one for each keypoint"),
        (lambda c: changed(c, "points", None), "1 nulls"),
        (lambda c: changed(c, "points", [[1.0, 2.0, 3.0]]), "exactly two coordinates"),
        (
            lambda c: changed(
                c, "points", [[0.0, 2.0], *[[np.nan, 2.0]] * (len(c["points"][0]) - 1)]
            ),
            r"point 1 \(counted from 0\) of pair_id \d+",
        ),
        (lambda c: {"points": c["points"]}, "pair_id or name"),
        (lambda c: {"pair_id": c["pair_id"]}, "expected: points"),
        (lambda c: {**c, "points": c["pair_id"]}, r"list of \[x, y\]"),
        (lambda c: {**c, "pair_id": ["a"] * len(c["pair_id"])}, "not what it should be"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(
    change: Callable[[Columns], Columns],
    expected: str,
    truth: Truth,
    pair_rows: list[Row],
    tmp_path: Path,
) -> None:
    """Each fault is named; nothing is scored."""
    path = parquet(tmp_path / "p.parquet", change(good(pair_rows)))

    with pytest.raises(PredictionError, match=expected):
        pck(truth.pairs, evaluation.points(truth, predictions.read(str(path))))


@pytest.mark.parametrize(
    "change",
    [
        {"offsets": np.array([0, 1])},
        {"offsets": np.array([[0, 1]])},
        {"offsets": np.array([0.5])},
        {"points": np.zeros((4, 3))},
        {"points": np.array(["a", "b"])},
        {"pair_id": np.zeros((2, 2), int)},
        {"pair_id": np.zeros(106, complex)},
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    change: Columns, truth: Truth, pair_rows: list[Row], tmp_path: Path
) -> None:
    """Shapes and kinds are checked before anything is computed."""
    whole = dict(np.load(as_npz(tmp_path / "a.npz", good(pair_rows))))
    np.savez(tmp_path / "b.npz", **{**whole, **change})

    with pytest.raises(PredictionError, match="not what it should be"):
        evaluation.points(truth, predictions.read(str(tmp_path / "b.npz")))


def test_offsets_that_fall_are_refused(truth: Truth, pair_rows: list[Row], tmp_path: Path) -> None:
    """Also unsigned ones, whose differences are never below 0."""
    whole = dict(np.load(as_npz(tmp_path / "a.npz", good(pair_rows))))
    offsets = whole["offsets"].astype(np.uint64)
    offsets[[1, 2]] = offsets[[2, 1]]
    np.savez(tmp_path / "b.npz", **{**whole, "offsets": offsets})

    with pytest.raises(PredictionError, match="field: offsets"):
        evaluation.points(truth, predictions.read(str(tmp_path / "b.npz")))


def test_the_other_byte_order_is_read(truth: Truth, pair_rows: list[Row], tmp_path: Path) -> None:
    """As another machine may write it."""
    whole = dict(np.load(as_npz(tmp_path / "a.npz", good(pair_rows))))
    swapped = {name: each.astype(each.dtype.newbyteorder("S")) for name, each in whole.items()}
    np.savez(tmp_path / "b.npz", **swapped)

    found = evaluation.points(truth, predictions.read(str(tmp_path / "b.npz")))

    np.testing.assert_array_equal(truth.pairs.trg, found)


def test_a_damaged_npz_is_refused(pair_rows: list[Row], tmp_path: Path) -> None:
    """Wherever its bytes are wrong: what is read is what was written."""
    path = tmp_path / "p.npz"
    whole = dict(np.load(as_npz(path, good(pair_rows))))
    np.savez_compressed(path, **whole)
    data, refused = path.read_bytes(), 0
    for place in range(0, len(data), len(data) // 50):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            found = predictions.read(str(path)).columns
        except PredictionError:
            refused += 1
            continue
        for name in set(whole) & set(found):
            np.testing.assert_array_equal(whole[name], found[name])
    assert refused > 25


def test_one_array_is_no_npz(tmp_path: Path) -> None:
    """Though numpy reads it under that name."""
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")

    with pytest.raises(PredictionError, match="without a name"):
        predictions.read(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("name", ["none.parquet", "none.npz", "text.parquet", "text.npz"])
def test_a_file_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    """No traceback for a wrong path, or another kind of file."""
    if name.startswith("text"):
        (tmp_path / name).write_text("pair_id,x,y\n")

    with pytest.raises(PredictionError, match="cannot be read"):
        predictions.read(str(tmp_path / name))


def test_a_model_may_be_a_function(truth: Truth, pair_rows: list[Row]) -> None:
    """It gets rows in any order; its points are checked like those of a file."""

    def model(row: Mapping[str, Any]) -> list[tuple[float, float]]:
        return list(zip(row["keypoints"]["trg_x"], row["keypoints"]["trg_y"], strict=True))

    found = evaluation.predict(truth, pair_rows[::-1], model)

    np.testing.assert_array_equal(truth.pairs.trg, found)
    with pytest.raises(PredictionError, match="missing"):
        evaluation.predict(truth, pair_rows[1:], model)
    with pytest.raises(PredictionError, match="one for each keypoint"):
        evaluation.predict(truth, pair_rows, lambda row: model(row)[1:])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (np.transpose, r"shape \(2, "),
        (np.ravel, "shape"),
        (lambda points: points[:, :1], r"shape \(\d+, 1\)"),
        (lambda _: "no", "could not convert"),
        (lambda points: points * np.nan, "finite"),
    ],
)
def test_an_answer_of_another_shape_is_refused(
    change: Callable[[Any], Any], expected: str, truth: Truth, pair_rows: list[Row]
) -> None:
    """Points the wrong way round are not scored as others."""

    def model(row: Mapping[str, Any]) -> Any:
        points = row["keypoints"]
        return change(np.array([points["trg_x"], points["trg_y"]], float).T)

    with pytest.raises(PredictionError, match=expected):
        evaluation.predict(truth, pair_rows, model)


def test_rows_of_another_config_are_refused(truth: Truth) -> None:
    """They have no pairs."""
    with pytest.raises(PredictionError, match="expected: pair_id"):
        evaluation.predict(truth, [{"name": "a"}], lambda _: [])
