"""Figures of masks, clusters and instances equal what is worked out by hand."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from rawshelf.errors import PredictionError
from rawshelf.masks import confusion, is_encoded
from rawshelf.metrics.clustering import mutual_information, rand_index
from rawshelf.metrics.instances import STATS, average_precision
from rawshelf.metrics.segmentation import Background, query_scores, scores

BACKGROUND = 2
TRUE = np.array([[0, 0, 2], [0, 1, 2], [1, 1, 2]], np.uint8)
PREDICTED = np.array([[0, 0, 0], [2, 1, 2], [1, 0, 2]], np.uint8)

# pycocotools 2.0.11 was built for numpy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        # Right, true and predicted: 2, 3, 4 of class 0; 2, 3, 2 of class 1; 2, 3, 3 of background.
        ("counted", ((2 / 5 + 2 / 3 + 2 / 4) / 3, 2 / 3, 6 / 9, (2 / 5 + 2 / 3 + 2 / 4) / 3)),
        ("left out", ((2 / 5 + 2 / 3) / 2, 2 / 3, 4 / 6, (2 / 5 + 2 / 3) / 2)),
        # Without the three pixels of background, class 0 is predicted 3 times.
        ("ignored", ((2 / 4 + 2 / 3) / 2, 2 / 3, 4 / 6, (2 / 4 + 2 / 3) / 2)),
    ],
)
def test_mean_iou_by_hand(how: Background, expected: tuple[float, ...]) -> None:
    """Nine pixels, three of each class."""
    table = confusion(TRUE, PREDICTED, 3)

    found = scores(table, BACKGROUND, how)

    assert expected == pytest.approx(
        (found.mean_iou, found.mean_accuracy, found.pixel_accuracy, found.weighted_iou)
    )


def test_frequency_weights_by_hand() -> None:
    """Classes of 1, 2 and 6 pixels, the first one missed."""
    true = np.array([[0, 1, 1], [2, 2, 2], [2, 2, 2]], np.uint8)
    predicted = np.array([[1, 1, 1], [2, 2, 2], [2, 2, 2]], np.uint8)

    found = scores(confusion(true, predicted, 3), BACKGROUND)

    assert (0 + 2 / 3 + 1) / 3 == pytest.approx(found.mean_iou)
    assert (0 + 1 + 1) / 3 == pytest.approx(found.mean_accuracy)
    assert 8 / 9 == pytest.approx(found.pixel_accuracy)
    assert (1 * 0 + 2 * 2 / 3 + 6 * 1) / 9 == pytest.approx(found.weighted_iou)


def test_classes_that_do_not_occur() -> None:
    """One that is predicted alone lowers mIoU and not mACC; one that is nowhere is in no mean."""
    true = np.array([[0, 0, 4]], np.uint8)
    predicted = np.array([[0, 1, 4]], np.uint8)

    found = scores(confusion(true, predicted, 5), background=4)

    assert (1 / 2 + 0 + 1) / 3 == pytest.approx(found.mean_iou)
    assert (1 / 2 + 1) / 2 == pytest.approx(found.mean_accuracy)


def test_nothing_but_background() -> None:
    """There is no figure where there is nothing to average."""
    empty = np.full((3, 3), BACKGROUND, np.uint8)
    table = confusion(empty, empty, 3)

    assert 1 == scores(table, BACKGROUND).mean_iou
    for how in ("left out", "ignored"):
        assert np.isnan(scores(table, BACKGROUND, how).mean_iou)
        assert np.isnan(scores(table, BACKGROUND, how).pixel_accuracy)
    assert np.isnan(query_scores([table], BACKGROUND).mean_iou)
    assert 0 == query_scores([], BACKGROUND).queries


def test_queries_by_hand() -> None:
    """Two classes in one image, and in another one class that is missed."""
    missed = np.array([[1, 2, 2]], np.uint8)
    nothing = np.full((1, 3), BACKGROUND, np.uint8)
    tables = [confusion(TRUE, PREDICTED, 3), confusion(missed, nothing, 3)]

    found = query_scores(tables, BACKGROUND)

    assert 3 == found.queries
    assert (2 / 5 + 2 / 3 + 0) / 3 == pytest.approx(found.mean_iou)
    assert (2 + 2 + 0) / (5 + 3 + 1) == pytest.approx(found.total_iou)
    # 9 pixels less those of the union that are not right; of three pixels one is wrong.
    assert (6 / 9 + 8 / 9 + 2 / 3) / 3 == pytest.approx(found.mean_accuracy)


def contingency(first: list[int], second: list[int]) -> Any:
    return confusion(np.array([first], np.uint8), np.array([second], np.uint8), 8)


@pytest.mark.parametrize(
    ("first", "second", "nmi", "ari"),
    [
        ([0, 0, 1, 1], [3, 3, 1, 1], 1, 1),
        ([0, 0, 0, 0], [0, 1, 2, 3], 0, 0),
        ([0, 0, 0, 0], [5, 5, 5, 5], 1, 1),
        ([0, 1, 2, 3], [3, 2, 1, 0], 1, 1),
        # ln 2 is shared; the entropies are ln 2 and 1.5 ln 2. Of 6 pairs one is together in both,
        # two and one in each: (1 - 2/6) / (1.5 - 2/6).
        ([0, 0, 1, 1], [0, 0, 1, 2], 0.8, 4 / 7),
        # Knowing one says nothing of the other.
        ([0, 0, 1, 1], [0, 1, 0, 1], 0, -0.5),
    ],
)
def test_clusters_by_hand(first: list[int], second: list[int], nmi: float, ari: float) -> None:
    """The names of clusters do not matter, and neither does which one is the truth."""
    for table in (contingency(first, second), contingency(second, first)):
        assert nmi == pytest.approx(mutual_information(table), abs=1e-12)
        assert ari == pytest.approx(rand_index(table))


def test_rand_index_counts_pairs() -> None:
    """It is what counting all pairs gives."""
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 4, 40).tolist(), rng.integers(0, 3, 40).tolist()
    pairs = list(combinations(range(40), 2))
    one = [first[i] == first[j] for i, j in pairs]
    other = [second[i] == second[j] for i, j in pairs]
    both = sum(a and b for a, b in zip(one, other, strict=True))
    chance = sum(one) * sum(other) / len(pairs)

    expected = (both - chance) / ((sum(one) + sum(other)) / 2 - chance)

    assert expected == pytest.approx(rand_index(contingency(first, second)))


def test_many_pixels_do_not_overflow() -> None:
    """A data set has a thousand million pixels; its pairs have pairs beyond 64 bits."""
    table = np.array([[6 * 10**9, 1], [1, 3 * 10**9]])

    assert 1 == pytest.approx(rand_index(table), abs=1e-8)
    assert 1 == pytest.approx(mutual_information(table), abs=1e-7)


SIDE = 10


def square(left: int, top: int) -> list[float]:
    return [left, top, left + 4, top, left + 4, top + 4, left, top + 4]


def encoded(left: int, top: int) -> dict[str, Any]:
    [rle] = coco_mask.frPyObjects([square(left, top)], SIDE, SIDE)
    return {**rle, "counts": rle["counts"].decode()}


def truth() -> dict[str, Any]:
    """Return two squares of one category, one of them without area and box, and a bad one."""
    box = [0, 0, 4, 4]
    first = {"id": 0, "segmentation": [square(0, 0), [1, 2]], "area": 16, "bbox": box, "iscrowd": 0}
    annotations = [first, {"id": 2, "segmentation": [square(5, 5)]}]
    annotations += [{"id": 3, "segmentation": [[1, 2, 3, 4]], "area": 0, "bbox": box}]
    return {
        "images": [{"id": 0, "height": SIDE, "width": SIDE, "file_name": "a.JPEG"}],
        "annotations": [{**each, "image_id": 0, "category_id": 0} for each in annotations],
        "categories": [{"id": 0, "name": "Head"}, {"id": 1, "name": "Tail"}],
    }


def detection(left: int, top: int, score: float) -> dict[str, Any]:
    shape = {"segmentation": encoded(left, top), "bbox": [left, top, 4, 4]}
    return {"image_id": 0, "category_id": 0, "score": score, **shape}


@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_average_precision_by_hand(kind: Any) -> None:
    """Right, wrong, right: precision is 1 up to half the recall, and 2/3 from there on."""
    results = [detection(0, 0, 0.9), detection(0, 6, 0.8), detection(5, 5, 0.7)]

    found = average_precision(truth(), results, kind)

    # Read off at 101 recalls, 0 to 1; 51 of them are up to 0.5.
    expected = (51 * 1 + 50 * 2 / 3) / 101
    for name in ("AP", "AP50", "AP75", "APs"):
        assert expected == pytest.approx(found.stats[name])
    assert 1 == found.stats["AR100"]
    assert 0.5 == found.stats["AR1"]
    assert np.isnan(found.stats["APl"])
    assert expected == pytest.approx(found.categories["Head"])
    assert np.isnan(found.categories["Tail"])
    assert 1 == found.undrawable
    assert set(STATS) == set(found.stats)


def test_no_detections_score_nothing() -> None:
    """An empty list is a result."""
    found = average_precision(truth(), [])

    assert 0 == found.stats["AP"] == found.stats["AR100"]


def test_the_results_are_not_written_to(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither into what was given nor onto standard output, as pycocotools itself would."""
    results = [detection(0, 0, 0.9)]
    document = truth()

    average_precision(document, results)

    assert [detection(0, 0, 0.9)] == results
    assert truth() == document
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({}, "a list of objects"),
        ([3], "an object"),
        ([{**detection(0, 0, 1), "image_id": 7}], "id of an image"),
        ([{**detection(0, 0, 1), "category_id": None}], "id of a category"),
        ([{**detection(0, 0, 1), "score": float("nan")}], "a finite number"),
        ([{**detection(0, 0, 1), "score": "0.5"}], "a finite number"),
        ([{**detection(0, 0, 1), "segmentation": [square(0, 0)]}], "compressed RLE"),
        ([{**detection(0, 0, 1), "segmentation": {"size": [9, 9], "counts": "1"}}], "of size"),
        ([{**detection(0, 0, 1), "segmentation": {"size": 10, "counts": "1"}}], "of size"),
        ([{**detection(0, 0, 1), "image_id": False}], "id of an image"),
        ([{**detection(0, 0, 1), "score": True}], "a finite number"),
    ],
)
def test_results_of_another_kind_are_refused(results: Any, expected: str) -> None:
    """The entry and the field are named."""
    with pytest.raises(PredictionError, match=expected):
        average_precision(truth(), results)


@pytest.mark.parametrize(
    "counts", ["", "0", "01", "garbage!!", "S3\N{EURO SIGN}", "\0", "T31", "t", "oooooooooooooooo"]
)
def test_run_lengths_of_other_masks_are_refused(counts: str) -> None:
    """Else pycocotools would take them, and read memory that no mask was written to."""
    shape = {"size": [SIDE, SIDE], "counts": counts}

    with pytest.raises(PredictionError, match="compressed RLE"):
        average_precision(truth(), [{**detection(0, 0, 1), "segmentation": shape}])


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_of_any_mask_are_taken(seed: int) -> None:
    """Sparse and dense ones, and those of one value."""
    rng = np.random.default_rng(seed)
    mask = np.asfortranarray(rng.random((37, 53)) < seed / 4, np.uint8)

    assert is_encoded(coco_mask.encode(mask)["counts"], 37, 53)
    assert not is_encoded(coco_mask.encode(mask)["counts"], 37, 52)


def test_what_else_a_result_has_does_not_matter() -> None:
    """Neither the area of a box beside a mask, nor fields of captions and keypoints."""
    plain = [{**detection(0, 0, 0.9)}, {**detection(5, 5, 0.7)}]
    for each in plain:
        del each["bbox"]
    more = {"bbox": [0, 0, 9999, 9999], "caption": "head", "keypoints": [1, 2, 2]}

    found = average_precision(truth(), plain)

    assert found.stats["APs"] == 1
    other = average_precision(truth(), [{**each, **more} for each in plain])
    np.testing.assert_equal(other.stats, found.stats)
    np.testing.assert_equal(other.categories, found.categories)


def test_boxes_of_another_kind_are_refused() -> None:
    """A box has four finite numbers."""
    for box in (None, [0, 0, 1], [0, 0, 1, float("nan")], [0, 0, -1, 1], [True] * 4):
        with pytest.raises(PredictionError, match="width, height"):
            average_precision(truth(), [{**detection(0, 0, 1), "bbox": box}], "bbox")


def test_masks_are_not_changed() -> None:
    """Leaving the background out works on a copy."""
    table = confusion(TRUE, PREDICTED, 3)
    before = table.copy()

    scores(table, BACKGROUND, "ignored")

    np.testing.assert_array_equal(before, table)
