"""``rawshelf evaluate imagenet_sketch`` on a miniature release."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from rawshelf.cli import cli
from rawshelf.convert import Options, convert
from rawshelf.errors import MissingError, OutputError, PredictionError
from rawshelf.imagenet_sketch import evaluation
from rawshelf.imagenet_sketch import miniature as sketch
from rawshelf.metrics.classification import macro, micro, ranks
from rawshelf.miniature import pack_zip
from tests.repositories import convert_sketch

Columns = dict[str, Any]
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert_sketch(tmp_path_factory.mktemp("sketch"))


@pytest.fixture(scope="module")
def rows(out: Path) -> Rows:
    """Return the rows of both configs, read without rawshelf."""
    tables = []
    for config, names in (
        ("default", ["file_name", "label"]),
        ("quality", ["is_constant", "copy_of"]),
    ):
        paths = sorted((out / "data" / config).glob("test-*.parquet"))
        tables.append([row for p in paths for row in pq.read_table(p, columns=names).to_pylist()])
    return [{**one, **other} for one, other in zip(*tables, strict=True)]


def evaluate(*arguments: object) -> dict[str, dict[str, float]]:
    words = ["evaluate", "imagenet_sketch", *map(str, arguments), "--format", "json"]
    found = CliRunner().invoke(cli, words)
    if found.exception:
        raise found.exception
    (table,) = json.loads(found.output)
    return {row["name"]: row["figures"] for row in table["rows"]}


def predicted(rows: Rows) -> Columns:
    """Return five classes per image: the true one is in a place that depends on the image."""
    lists = []
    for number, row in enumerate(rows):
        others = [(row["label"] + each) % 1000 for each in range(1, 6)]
        others.insert(number % 7, row["label"])
        lists.append(others[:5])
    return {"file_name": [row["file_name"] for row in rows], "labels": lists}


def logits(columns: Columns) -> Columns:
    """Return logits that rank the classes in the same way."""
    values = np.full((len(columns["labels"]), 1000), -9, np.float32)
    for row, chosen in zip(values, columns["labels"], strict=True):
        row[chosen] = [5, 4, 3, 2, 1]
    return {"file_name": columns["file_name"], "logits": values}


def backwards(columns: Columns) -> Columns:
    return {name: values[::-1] for name, values in columns.items()}


def parquet(folder: Path, columns: Columns) -> Path:
    path = folder / "p.parquet"
    plain = {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in columns.items()}
    pq.write_table(pa.table(plain), path)
    return path


def npz(folder: Path, columns: Columns) -> Path:
    np.savez(folder / "p.npz", **{name: np.array(v) for name, v in columns.items()})  # type: ignore[arg-type]
    return folder / "p.npz"


@pytest.mark.parametrize("write", [parquet, npz])
@pytest.mark.parametrize("change", [lambda c: c, backwards, logits, lambda c: backwards(logits(c))])
def test_accuracy_by_hand(
    change: Callable[[Columns], Columns],
    write: Callable[[Path, Columns], Path],
    out: Path,
    rows: Rows,
    tmp_path: Path,
) -> None:
    """Over images and over classes, with and without constant images and copies."""
    subsets: dict[str, Callable[[dict[str, Any]], bool]] = {
        "all images": bool,
        "without constant images": lambda row: not row["is_constant"],
        "without copies": lambda row: row["copy_of"] is None,
        "without either": lambda row: not row["is_constant"] and row["copy_of"] is None,
    }

    found = evaluate(out, write(tmp_path, change(predicted(rows))))

    places = {row["file_name"]: number % 7 for number, row in enumerate(rows)}
    assert set(subsets) == set(found)
    assert len({figures["images"] for figures in found.values()}) == 4
    for name, figures in found.items():
        own = [row for row in rows if subsets[name](row)]
        assert len(own) == figures["images"]
        for k in (1, 5):
            hits = [places[row["file_name"]] < k for row in own]
            labels = [row["label"] for row in own]
            by_class = [
                np.mean([h for h, c in zip(hits, labels, strict=True) if c == each])
                for each in sorted(set(labels))
            ]
            assert 100 * np.mean(hits) == pytest.approx(figures[f"over images top-{k}"])
            assert 100 * np.mean(by_class) == pytest.approx(figures[f"over classes top-{k}"])


def test_micro_and_macro_differ() -> None:
    """Two of three images of one class, and none of one of another."""
    hits, labels = np.array([True, True, False, False]), np.array([1, 1, 1, 5])

    assert 2 / 4 == micro(hits)
    assert (2 / 3 + 0) / 2 == pytest.approx(macro(hits, labels))
    assert np.isnan(micro(hits[:0]))
    assert np.isnan(macro(hits[:0], labels[:0]))


def test_equal_logits_are_no_gain() -> None:
    """A model that says the same of all classes is right about one of a thousand."""
    labels = np.arange(1000)
    same: npt.NDArray[np.float32] = np.zeros((1000, 1000), np.float32)

    np.testing.assert_array_equal(labels, ranks(same, labels))


def test_one_class_per_image_has_no_top_5(out: Path, rows: Rows, tmp_path: Path) -> None:
    """There is no figure rather than a wrong one."""
    columns = predicted(rows)
    columns["labels"] = [chosen[:1] for chosen in columns["labels"]]

    figures = evaluate(out, parquet(tmp_path, columns))["all images"]

    assert figures["over images top-5"] is None
    assert figures["over images top-1"] > 0


def test_quality_may_be_absent(tmp_path: Path) -> None:
    """Then there are the figures of all images, and a note."""
    raw = pack_zip(sketch.members(wnids=sketch.WNIDS[:1], drawings=1), tmp_path / "s.zip")
    convert("imagenet_sketch", str(raw), str(tmp_path / "out"), Options(configs=("default",)))
    names = evaluation.read(str(tmp_path / "out")).file_names.to_pylist()
    path = parquet(tmp_path, {"file_name": names, "labels": [[1]] * len(names)})

    arguments = ["evaluate", "imagenet_sketch", str(tmp_path / "out"), str(path)]
    text = CliRunner().invoke(cli, arguments).output

    assert "all images" in text
    assert "without copies" not in text
    assert "convert the config quality too" in text


def test_quality_of_other_images_is_refused(out: Path, tmp_path: Path) -> None:
    """Configs of two conversions in one folder are noticed."""
    for config in ("default", "quality"):
        (source,) = (out / "data" / config).glob("*.parquet")
        target = tmp_path / "data" / config / source.name
        target.parent.mkdir(parents=True)
        table = pq.read_table(source)
        pq.write_table(table.slice(1) if config == "quality" else table, target)

    with pytest.raises(OutputError, match="not about the same images"):
        evaluation.read(str(tmp_path))


def test_quality_without_one_of_its_files_is_refused(out: Path, tmp_path: Path) -> None:
    """It is there, so that its figures are not left out in silence."""
    for config in ("default", "quality"):
        (source,) = (out / "data" / config).glob("*.parquet")
        name = source.name.replace("of-00001", "of-00002") if config == "quality" else source.name
        target = tmp_path / "data" / config / name
        target.parent.mkdir(parents=True)
        target.write_bytes(source.read_bytes())

    with pytest.raises(MissingError, match="2 files"):
        evaluation.read(str(tmp_path))


def replaced(columns: Columns, name: str, value: Any) -> Columns:
    return {**columns, name: [value, *columns[name][1:]]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: {name: values[1:] for name, values in c.items()}, "1 predictions are missing"),
        (lambda c: replaced(c, "file_name", c["file_name"][1]), "more than once"),
        (lambda c: replaced(c, "file_name", "sketch_0.JPEG"), "for nothing in this split"),
        (lambda c: replaced(c, "labels", [1, 2, 3, 4, 1000]), "different indices"),
        (lambda c: replaced(c, "labels", [1, 2, 3, 4, -1]), "different indices"),
        (lambda c: replaced(c, "labels", [1, 2, 3, 4, 1]), "different indices"),
        (lambda c: replaced(c, "labels", [1, 2]), "rows of 2 lengths"),
        (lambda c: replaced(c, "labels", None), "1 nulls"),
        (lambda c: {**c, "labels": pa.array([[]] * len(c["labels"]), pa.list_(pa.int64()))}, ", 0"),
        (lambda c: {**c, "labels": [["a"]] * len(c["labels"])}, "whole numbers"),
        (lambda c: {"file_name": c["file_name"]}, "logits or labels"),
        (lambda c: {"labels": c["labels"]}, "expected: file_name"),
        (lambda c: {"file_name": c["file_name"], "logits": c["labels"]}, "1000 classes"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(
    change: Callable[[Columns], Columns], expected: str, out: Path, rows: Rows, tmp_path: Path
) -> None:
    """Each fault is named; nothing is scored."""
    with pytest.raises(PredictionError, match=expected):
        evaluate(out, parquet(tmp_path, change(predicted(rows))))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_refused(
    value: float, out: Path, rows: Rows, tmp_path: Path
) -> None:
    """Minus infinity is one: some models say so of classes that they do not know."""
    columns = logits(predicted(rows))
    columns["logits"][0, 3] = -np.inf
    assert evaluate(out, npz(tmp_path, columns))
    columns["logits"][1, 3] = value

    with pytest.raises(PredictionError, match="NaN or inf"):
        evaluate(out, npz(tmp_path, columns))
