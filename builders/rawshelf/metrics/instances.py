"""Average precision of instances, as COCO's own evaluation computes it."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rawshelf.errors import PredictionError
from rawshelf.masks import is_drawable, is_encoded

Json = dict[str, Any]
Kind = Literal["segm", "bbox"]

# Names of COCOeval's twelve figures, in its order: AP at 0.50:0.95, 0.50, 0.75 and by size; AR with
# 1, 10 and 100 detections, and by size.
STATS = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
_SHAPES = {"segm": "segmentation", "bbox": "bbox"}
_BOX = 4


@dataclass(frozen=True)
class Precision:
    """What COCO's evaluation says.

    Attributes:
        stats: By `STATS`, 0 to 1; NaN where nothing of that size is in truth.
        categories: AP by category name; NaN where the truth has none: the mean leaves it out.
        undrawable: Annotations of the truth without any polygon that can be drawn, left out.
    """

    stats: Mapping[str, float]
    categories: Mapping[str, float]
    undrawable: int


def average_precision(
    truth: Mapping[str, Any], results: Any, kind: Kind = "segm", *, path: str = "results"
) -> Precision:
    """Evaluate instances with pycocotools.

    Args:
        truth: A COCO document.
        results: COCO results: a list of objects with ``image_id``, ``category_id``, ``score`` and
            ``segmentation`` (an RLE) or ``bbox``.
        kind: Whether masks or boxes overlap.
        path: Where the results are from, for errors.

    Raises:
        PredictionError: If the results are no such list, or are about other images or categories.
    """
    document, undrawable = _drawable(truth)
    _check(document, results, kind, path)
    with redirect_stdout(io.StringIO()):
        expected = COCO()
        expected.dataset = document
        expected.createIndex()
        # pycocotools itself takes no empty list.
        found = expected.loadRes(_needed(results, kind)) if results else _nothing(document)
        evaluation = COCOeval(expected, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    names = {each["id"]: each["name"] for each in document["categories"]}
    # (thresholds, recalls, categories, sizes, detections): all sizes, most detections.
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    by_category = {
        names[number]: _mean(precision[:, :, place])
        for place, number in enumerate(evaluation.params.catIds)
    }
    stats = {name: _told(value) for name, value in zip(STATS, evaluation.stats, strict=True)}
    return Precision(stats, by_category, undrawable)


def _needed(results: Any, kind: Kind) -> list[Json]:
    """Return results with what the evaluation needs, and no more.

    pycocotools takes any list for one of captions or keypoints if the first entry has such a field,
    takes the area of a mask from a box that stands beside it, and writes into what it is given.
    """
    names = ("image_id", "category_id", "score", _SHAPES[kind])
    return [{name: each[name] for name in names} for each in results]


def _nothing(document: Json) -> COCO:
    empty = COCO()
    empty.dataset = {**document, "annotations": []}
    empty.createIndex()
    return empty


def _mean(precision: Any) -> float:
    told = precision[precision > -1]
    return float(np.mean(told)) if len(told) else float("nan")


def _told(value: float) -> float:
    return float(value) if value > -1 else float("nan")  # -1 is COCO's "nothing there"


def _drawable(truth: Mapping[str, Any]) -> tuple[Json, int]:
    """Return the truth without what pycocotools cannot draw, and how many annotations that are."""
    sizes = {each["id"]: (each["height"], each["width"]) for each in truth["images"]}
    kept = []
    for annotation in truth["annotations"]:
        shape = annotation.get("segmentation") or []
        if isinstance(shape, list):
            shape = [polygon for polygon in shape if is_drawable(polygon)]
        if shape:
            kept.append(_whole(annotation, shape, sizes[annotation["image_id"]]))
    # COCOeval notes the id of what a detection matches, and takes 0 for no match: an annotation
    # that has the id 0 would count as missed, whatever is detected.
    numbered = [{**annotation, "id": number} for number, annotation in enumerate(kept, 1)]
    return {**truth, "annotations": numbered}, len(truth["annotations"]) - len(kept)


def _whole(annotation: Json, shape: Any, size: tuple[int, int]) -> Json:
    """Return an annotation with all that COCO's evaluation asks for."""
    whole = {"iscrowd": 0, **annotation, "segmentation": shape}
    if "area" not in whole or "bbox" not in whole:
        encoded = coco_mask.merge(coco_mask.frPyObjects(shape, *size))
        whole.setdefault("area", float(coco_mask.area(encoded)))
        whole.setdefault("bbox", coco_mask.toBbox(encoded).tolist())
    return whole


def _check(document: Json, results: Any, kind: Kind, path: str) -> None:
    if not isinstance(results, list):
        raise _wrong(path, "the file", type(results).__name__, "a list of objects")
    images = {each["id"]: (each["height"], each["width"]) for each in document["images"]}
    categories = {each["id"] for each in document["categories"]}
    for place, each in enumerate(results):
        problem = _problem(each, images, categories, kind)
        if problem:
            field, expected = problem
            found = each.get(field) if isinstance(each, dict) else each
            raise _wrong(path, f"{field} of entry {place}, counted from 0", found, expected)


def _problem(
    each: Any, images: Mapping[Any, tuple[int, int]], categories: set[Any], kind: Kind
) -> tuple[str, str] | None:
    """Return the field of an entry that is wrong, and what it should be."""
    if not isinstance(each, dict):
        return "all", "an object"
    if not _known(each.get("image_id"), images):
        return "image_id", "the id of an image of this split; ids start again in each split"
    if not _known(each.get("category_id"), categories):
        return "category_id", "the id of a category"
    score = each.get("score")
    if not _is_finite(score):
        return "score", "a finite number"
    if kind == "bbox":
        return None if _is_box(each.get("bbox")) else ("bbox", "[x, y, width, height]")
    size = images[each["image_id"]]
    right = _is_mask(each.get("segmentation"), size)
    return None if right else ("segmentation", f"a compressed RLE of size {list(size)}")


def _known(key: object, known: Mapping[Any, object] | set[Any]) -> bool:
    return isinstance(key, int) and not isinstance(key, bool) and key in known


def _is_finite(number: object) -> bool:
    return (
        isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
    )


def _is_box(box: object) -> bool:
    return (
        isinstance(box, Sequence)
        and len(box) == _BOX
        and all(_is_finite(side) for side in box)
        and min(box[2:]) >= 0
    )


def _is_mask(shape: object, size: tuple[int, int]) -> bool:
    return (
        isinstance(shape, dict)
        and isinstance(shape.get("counts"), str | bytes)
        and shape.get("size") in (size, list(size))
        and is_encoded(shape["counts"], *size)
    )


def _wrong(path: str, field: str, found: object, expected: str) -> PredictionError:
    return PredictionError(
        "The results are not in COCO's format, or not about this split.",
        archive=path,
        field=field,
        found=found,
        expected=expected,
        remedy="Write the results for the files that `rawshelf export coco` gives.",
    )
