"""Sketches to evaluate on, and predictions for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.errors import OutputError
from rawshelf.imagenet_sketch.columns import LABEL
from rawshelf.metrics import classification, conversion, predictions
from rawshelf.metrics.classification import Bools, Ints
from rawshelf.metrics.predictions import Predictions

SPLIT = "test"

_CLASSES = len(LABEL.names)
_WIDE = 2  # dimensions of a table of logits or labels


@dataclass(frozen=True, eq=False)
class Truth:
    """The sketches.

    Attributes:
        file_names: Their names within the release.
        labels: Int64 (images,), ImageNet indices.
        subsets: By name, bool (images,): the images to average over. All of them; and if the
            conversion has config ``quality``, those without constant images, without copies,
            and without either.
    """

    file_names: pa.Array
    labels: Ints
    subsets: dict[str, Bools]


def read(out: str) -> Truth:
    """Read the labels of a conversion.

    Raises:
        MissingError: If the conversion has no config ``default``, or lacks a file of either.
        OutputError: If a file cannot be read, or ``quality`` is about other images.
    """
    table = conversion.columns(out, "default", SPLIT, ("file_name", "label"))
    names = predictions.whole(table["file_name"])
    labels = np.asarray(predictions.whole(table["label"]).to_numpy(), np.int64)
    subsets = {"all images": np.ones(len(labels), bool)}
    constant, copy = _quality(out, names)
    if constant is not None and copy is not None:
        subsets["without constant images"] = ~constant
        subsets["without copies"] = ~copy
        subsets["without either"] = ~(constant | copy)
    return Truth(names, labels, subsets)


def _quality(out: str, names: pa.Array) -> tuple[Bools, Bools] | tuple[None, None]:
    """Return which images are constant and which are copies, if the conversion says so."""
    if SPLIT not in conversion.splits(out, "quality"):
        return None, None
    table = conversion.columns(out, "quality", SPLIT, ("quality_of", "is_constant", "copy_of"))
    if predictions.whole(table["quality_of"]) != names:
        raise OutputError(
            "The configs default and quality are not about the same images in the same order.",
            archive=out,
            field="quality_of",
            remedy="Convert the release again, with both configs.",
        )
    # Null where the file does not decode: such an image is not known to be constant.
    constant = pc.fill_null(table["is_constant"], False)  # noqa: FBT003 - Arrow's signature
    copy = pc.is_valid(table["copy_of"])
    return _bools(constant), _bools(copy)


def _bools(column: pa.ChunkedArray) -> Bools:
    return np.asarray(column.to_numpy(), bool)


@dataclass(frozen=True, eq=False)
class Ranked:
    """Where the true classes stand.

    Attributes:
        ranks: Int64 (images,), the place of the true class in the prediction, from 0.
        depth: How many places a prediction has: there is no top-k for a larger k.
    """

    ranks: Ints
    depth: int


def rank(truth: Truth, given: Predictions) -> Ranked:
    """Find the true classes in predictions.

    Args:
        truth: What they are for.
        given: Columns ``file_name``, and ``logits`` (images, 1000) or ``labels`` (images, k), the
            likeliest first: arrays in npz, lists in Parquet.

    Raises:
        PredictionError: If a column or an image is missing, an image is given twice, or a row
            holds anything but 1000 finite logits or k different ImageNet indices.
    """
    name = given.one_of("logits", "labels")
    values = _matrix(given, name)
    found = given.keys(given.one_of("file_name"))
    if len(found) != len(values):
        raise given.wrong(name, f"{len(values):,} rows", f"{len(found):,}, as file_name")
    order = predictions.places(found, truth.file_names, path=given.path, field="file_name")
    if name == "logits":
        _check_logits(given, values)
        return Ranked(classification.ranks(values[order], truth.labels), _CLASSES)
    _check_labels(given, values)
    chosen = values[order].astype(np.int64)
    return Ranked(classification.places(chosen, truth.labels), values.shape[1])


def _matrix(given: Predictions, name: str) -> npt.NDArray[Any]:
    column = given.columns[name]
    expected = f"a row of {'1000 numbers' if name == 'logits' else 'k whole numbers'} per image"
    if not isinstance(column, np.ndarray):
        try:
            offsets, flat = predictions.ragged(column)
            numbers = predictions.numbers(flat)
        except TypeError as error:
            raise given.wrong(name, error, expected) from error
        lengths = np.unique(np.diff(offsets))
        if len(lengths) > 1:
            raise given.wrong(name, f"rows of {len(lengths)} lengths", expected)
        column = numbers.reshape(len(column), int(lengths.sum()))
    if column.ndim != _WIDE or column.dtype.kind not in "fiu" or not column.shape[1]:
        raise given.wrong(name, f"{column.dtype} of shape {column.shape}", expected)
    return column


def _check_logits(given: Predictions, values: npt.NDArray[Any]) -> None:
    if values.shape[1] != _CLASSES:
        raise given.wrong("logits", f"{values.shape[1]} classes", f"{_CLASSES} classes")
    # -inf is how some mask classes out; it is below everything.
    if np.isnan(values).any() or np.isposinf(values).any():
        raise given.wrong("logits", "NaN or inf", "numbers")


def _check_labels(given: Predictions, values: npt.NDArray[Any]) -> None:
    numbers = values.astype(np.float64)
    whole = np.isin(numbers, np.arange(_CLASSES)).all()
    ordered = np.sort(numbers, axis=1)
    if not whole or (ordered[:, 1:] == ordered[:, :-1]).any():
        raise given.wrong(
            "labels",
            "other numbers, or one twice in a row",
            f"different indices 0 to {_CLASSES - 1}",
        )
