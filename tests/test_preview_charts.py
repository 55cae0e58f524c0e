"""Charts show what was counted, and what was counted is what the Parquet files hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rawshelf.output import Output
from rawshelf.preview import charts, counting
from rawshelf.preview.charts import Row
from rawshelf.preview.reading import Conversion as Reading
from rawshelf.preview.style import LEVELS, SMALL, SPLITS, TEXT, text_width
from rawshelf.spair71k.release import CATEGORIES
from tests.conftest import Conversion


def _count(image: Image.Image, colour: tuple[int, int, int], row: int | None = None) -> int:
    pixels = np.asarray(image)
    found = (pixels == colour).all(axis=-1)
    return int(found.sum() if row is None else found[row].sum())


def test_bars_are_as_long_as_their_counts() -> None:
    """Parts of a bar are in proportion, to a pixel."""
    rows = [Row("a", (300, 100)), Row("b", (0, 200)), Row("c", (0, 0))]

    image = charts.bars(rows, ["x", "y"], 800)

    middle = [charts._HEAD + charts._ROW * number + charts._ROW // 2 for number in range(3)]
    lengths = [[_count(image, colour, y) for colour in SPLITS[:2]] for y in middle]
    unit = lengths[0][0] / 300
    assert unit > 1
    assert lengths[0][1] == pytest.approx(100 * unit, abs=1.5)
    assert lengths[1] == [0, pytest.approx(200 * unit, abs=1.5)]
    assert [0, 0] == lengths[2]


def test_shares_fill_the_width() -> None:
    """All bars are equally long; a bar of nothing is empty."""
    rows = [Row("a", (1, 2, 1)), Row("b", (10, 0, 30)), Row("c", (0, 0, 0))]

    image = charts.bars(rows, ["e", "m", "h"], 900, colours=LEVELS, share=True)

    middle = [charts._HEAD + charts._ROW * number + charts._ROW // 2 for number in range(3)]
    lengths = [[_count(image, colour, y) for colour in LEVELS] for y in middle]
    assert sum(lengths[0]) == sum(lengths[1]) > 300
    assert lengths[0][1] == pytest.approx(sum(lengths[0]) / 2, abs=1.5)
    assert lengths[1][1] == 0 == sum(lengths[2])


def test_a_small_count_beside_a_large_one_shows() -> None:
    """What is there can be seen."""
    image = charts.bars([Row("a", (100_000, 1))], ["x", "y"], 700)

    middle = charts._HEAD + charts._ROW // 2
    assert _count(image, SPLITS[1], middle) >= 1


def test_columns_are_as_high_as_their_counts() -> None:
    """Upright bars, as high as the scale says."""
    rows = [Row("0", (10,)), Row("1", (40,)), Row("2", (0,))]

    image = charts.histogram(rows, [], (600, 300), across="n", up="images")

    pixels = (np.asarray(image) == SPLITS[0]).all(axis=-1)
    heights = sorted(set(pixels.sum(axis=0).tolist()))
    assert 3 == len(heights)
    assert heights[2] == pytest.approx(4 * heights[1], abs=2)


@pytest.mark.parametrize("largest", [0, 1, 7, 99, 100, 101, 4178, 53_340, 111_960])
def test_ticks_reach_the_largest_count(largest: int) -> None:
    """Round, even, few, and no larger than needed."""
    found = charts.ticks(largest)

    assert found[-1] >= max(largest, 1)
    assert found[-2] < max(largest, 1)
    assert 1 == len(set(np.diff(found)))
    assert len(found) <= 7


def test_bars_leave_room_for_long_labels_and_large_counts() -> None:
    """Bars begin behind the labels and end before the counts."""
    rows = [Row("a" * 20, (1_000_000, 2_000_000, 3_000_000))]

    image = charts.bars(rows, ["train", "validation", "test"], 1136)

    pixels = np.asarray(image)[charts._HEAD + charts._ROW // 2 - 8]
    drawn = np.flatnonzero([tuple(pixel) in SPLITS for pixel in pixels.tolist()])
    assert drawn.min() >= text_width("a" * 20, TEXT)
    assert drawn.max() <= 1136 - 3 * text_width("3,000,000", SMALL)
    assert len(drawn) > 200


@pytest.fixture(scope="module")
def reading(conversion: Conversion) -> Reading:
    """Return the miniature's conversion, to be read."""
    output = Output(str(conversion.out), "")
    manifest = output.manifest()
    assert manifest is not None
    return Reading(str(conversion.out), tuple(output.records_of(manifest)))


def _table(out: Path, config: str, split: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(
        out / "data" / config / f"{split}-00000-of-00001.parquet"
    ).to_pylist()
    return rows


def test_counts_by_class_are_those_of_the_files(conversion: Conversion, reading: Reading) -> None:
    """Pairs by category and split."""
    rows = counting.named(counting.by_split(reading, "pairs", "category"), CATEGORIES)

    splits = ("train", "validation", "test")
    expected = [Counter(r["category"] for r in _table(conversion.out, "pairs", s)) for s in splits]
    assert list(CATEGORIES) == [row.label for row in rows]
    assert [tuple(c[index] for c in expected) for index in range(18)] == [r.counts for r in rows]


def test_lengths_of_lists_are_those_of_the_files(conversion: Conversion, reading: Reading) -> None:
    """Keypoints per pair."""
    found = counting.lengths_by_split(reading, "pairs", "keypoints.id")

    sizes = [len(row["keypoints"]["id"]) for row in _table(conversion.out, "pairs", "test")]
    assert Counter(sizes) == found["test"]
    rows = counting.numbered(found)
    assert len(sizes) == sum(row.counts[2] for row in rows)
    numbers = [int(row.label) for row in rows]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_values_in_lists_are_those_of_the_files(conversion: Conversion, reading: Reading) -> None:
    """Ids of all keypoints, flattened."""
    found = counting.by_split(reading, "images", "keypoints.id")

    ids = [i for row in _table(conversion.out, "images", "train") for i in row["keypoints"]["id"]]
    assert Counter(ids) == found["train"]


def test_bins_hold_every_value_once() -> None:
    """Round and even bins, at most as many as wanted."""
    found: counting.Tallies = {"test": {80: 4, 81: 1, 99: 2, 192: 3, None: 5}, "train": {100: 7}}

    rows = counting.binned(found, 12)

    starts = [int(row.label) for row in rows]
    assert len(rows) <= 12
    assert 1 == len(set(np.diff(starts)))
    assert (10, 7) == tuple(map(sum, zip(*(row.counts for row in rows), strict=True)))


def test_values_that_are_missing_are_counted_apart() -> None:
    """Nothing is left out silently."""
    rows = counting.named({"test": {0: 2, None: 3}}, ["cat"])

    assert [Row("cat", (2,)), Row(counting.NO_VALUE, (3,))] == rows


def test_rows_come_in_the_order_asked_for(conversion: Conversion, reading: Reading) -> None:
    """A few rows, wherever they stand."""
    expected = [row["name"] for row in _table(conversion.out, "images", "train")]
    wanted = [5, 0, len(expected) - 1]

    rows = reading.rows("images", "train", wanted, ["name"])

    assert [expected[position] for position in wanted] == [row["name"] for row in rows]
