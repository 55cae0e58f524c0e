"""Predicted masks of PartImageNet against those of a conversion."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rawshelf.errors import MissingError, PredictionError
from rawshelf.images import ImageProblem
from rawshelf.masks import Counts, Mask, confusion, decode_png
from rawshelf.metrics import conversion, predictions
from rawshelf.partimagenet.columns import OBJECT_CLASS
from rawshelf.partimagenet.release import PART_BACKGROUND, PARTS, WHOLE_BACKGROUND

Reader = Callable[[], npt.NDArray[Any]]

ANY_LABEL = 256  # labels of clusters: whatever a byte holds

_AXES = 2  # height and width
_PNG = ".png"
_SHOWN = 3


@dataclass(frozen=True)
class Target:
    """What a mask is of.

    Attributes:
        column: The mask's column.
        background: Index of the background.
        names: Names of the other indices.
    """

    column: str
    background: int
    names: tuple[str, ...]


TARGETS = {
    "part": Target("part_mask", PART_BACKGROUND, PARTS),
    "whole": Target("whole_mask", WHOLE_BACKGROUND, OBJECT_CLASS.names),
}


@dataclass(frozen=True, eq=False)
class PredictedMasks:
    """Masks by the stem of their image's name, decoded when they are asked for.

    Attributes:
        path: Where they are.
        masks: By stem: what gives the mask.
    """

    path: str
    masks: Mapping[str, Reader]

    def mask(self, stem: str) -> Mask:
        """Return one mask.

        Raises:
            PredictionError: If it holds no indices 0 to 255.
        """
        try:
            mask = self.masks[stem]()
        except (ImageProblem, OSError) as error:
            raise _wrong(self.path, stem, str(error)) from error
        if mask.ndim != _AXES or not _is_index(mask):
            raise _wrong(self.path, stem, f"{mask.dtype} of shape {mask.shape}")
        return mask.astype(np.uint8)


def _is_index(mask: npt.NDArray[np.generic]) -> bool:
    if mask.dtype.kind not in "bui":
        return False
    return not mask.size or bool(0 <= mask.min() <= mask.max() < ANY_LABEL)


def _wrong(path: str, stem: str, found: str) -> PredictionError:
    return PredictionError(
        "A predicted mask cannot be used.",
        archive=path,
        member=stem,
        found=found,
        expected="a mask of class indices, one byte per pixel, as large as its photograph",
        remedy="Write it as a grey or palette PNG, or as an array of whole numbers.",
    )


def read(path: str) -> PredictedMasks:
    """Find predicted masks.

    Args:
        path: A folder of PNGs named after their images (``n02085782_1.png``); or a Parquet file
            with ``file_name`` and ``mask`` (PNG bytes, or an image column of `datasets`); or an
            npz with one array (height, width) per image, named after it.

    Raises:
        PredictionError: If there is nothing of the kind, or an image has two masks.
    """
    if os.path.isdir(path) and any(name.endswith(_PNG) for name in os.listdir(path)):
        names = [name for name in os.listdir(path) if name.endswith(_PNG)]
        readers = [partial(_decode_file, os.path.join(path, name)) for name in names]
        return PredictedMasks(path, _by_stem(path, names, readers))
    given = predictions.read(path)
    if path.endswith(".npz"):
        arrays = [partial(np.asarray, array) for array in given.columns.values()]
        return PredictedMasks(path, _by_stem(path, list(given.columns), arrays))
    column = given.columns[given.one_of("mask")]
    names = given.keys(given.one_of("file_name")).to_pylist()
    decoders = [partial(_decode_cell, cell) for cell in pa.array(column).to_pylist()]
    return PredictedMasks(path, _by_stem(path, names, decoders))


def _decode_file(path: str) -> Mask:
    with open(path, "rb") as file:
        return decode_png(memoryview(file.read()))


def _decode_cell(cell: object) -> Mask:
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if not isinstance(content, bytes):
        raise ImageProblem(f"{type(content).__name__} in place of the bytes of a PNG")
    return decode_png(memoryview(content))


def _by_stem(path: str, names: Sequence[str], readers: Sequence[Reader]) -> dict[str, Reader]:
    found: dict[str, Reader] = {}
    for name, reader in zip(names, readers, strict=True):
        if _stem(name) in found:
            raise _wrong(path, name, "a second mask for the image")
        found[_stem(name)] = reader
    return found


def _stem(file_name: str) -> str:
    return os.path.splitext(os.path.basename(str(file_name)))[0]


@dataclass(frozen=True, eq=False)
class Judged:
    """Confusions of predicted masks.

    Attributes:
        images: One confusion per image, in the order of the conversion.
        total: Their sum.
        unmasked: Images of the split that have no mask to compare with.
    """

    images: list[Counts]
    total: Counts
    unmasked: int


def judge(
    out: str, config: str, split: str, target: Target, given: PredictedMasks, classes: int = 0
) -> Judged:
    """Compare predicted masks with a split's.

    Args:
        out: A conversion.
        config: ``seg`` or ``ood``.
        split: The split.
        target: What the masks are of.
        given: The predictions: one for each image of the split.
        classes: Number of indices; those of the target and its background if 0.

    Raises:
        MissingError: If the conversion has no such split, or no mask in it.
        PredictionError: If a mask is missing, for something else, of another size, or has an index
            that does not exist.
    """
    names = conversion.columns(out, config, split, ["file_name"])["file_name"].to_pylist()
    _same_images(given, {_stem(name) for name in names})
    tables = list(_confusions(out, config, split, target, given, classes or target.background + 1))
    if not tables:
        raise MissingError(
            "No image of the split has a mask.",
            archive=out,
            field=target.column,
            remedy="Convert the release with its masks.",
        )
    total: Counts = np.sum(tables, axis=0)
    return Judged(tables, total, len(names) - len(tables))


def _same_images(given: PredictedMasks, expected: set[str]) -> None:
    for names, how in (
        (expected - set(given.masks), "missing"),
        (set(given.masks) - expected, "for nothing in this split"),
    ):
        if names:
            some = ", ".join(sorted(names)[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            raise PredictionError(
                f"{len(names):,} predicted masks are {how}.",
                archive=given.path,
                found=some,
                expected="exactly one mask for each image of the split",
                remedy="Evaluate on the config and split that were predicted, all of it.",
            )


def _confusions(
    out: str, config: str, split: str, target: Target, given: PredictedMasks, classes: int
) -> Iterator[Counts]:
    columns = ["file_name", target.column]
    for batch in conversion.batches(out, config, split, columns):
        for row in batch.to_pylist():
            content = (row[target.column] or {}).get("bytes")
            if content is None:
                continue
            stem = _stem(row["file_name"])
            mask = given.mask(stem)
            try:
                yield confusion(decode_png(memoryview(content)), mask, classes)
            except ImageProblem as error:
                raise _wrong(given.path, stem, str(error)) from error
