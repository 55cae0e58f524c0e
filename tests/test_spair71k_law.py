"""The derivation law of SPair-71k: what it gives, and that it finds any field that breaks it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawshelf.documents import Documents
from rawshelf.report import Difference
from rawshelf.spair71k import law, miniature
from rawshelf.spair71k.annotations import (
    IMAGE_SHAPE,
    PAIR_SHAPE,
    Checker,
    ImageArrays,
    image_arrays,
    pair_arrays,
)
from rawshelf.spair71k.miniature_pairs import Document, pair_documents

SPLIT = miniature.annotations(categories=("aeroplane", "bicycle"), side=64)["trn"]
PAIRS = [pair for _, pair in pair_documents({"trn": SPLIT})]


def table(shape: pa.Schema, documents: list[Document]) -> tuple[pa.Table, Checker]:
    """Parse documents that are called 0, 1, 2 ..."""
    collected = Documents(shape, "the archive")
    for number, document in enumerate(documents):
        collected.add(str(number), memoryview(json.dumps(document).encode()))
    parsed = collected.table()
    return parsed, Checker("the archive", parsed["member"])


def images_of(documents: list[Document]) -> ImageArrays:
    """Return image annotations as arrays."""
    return image_arrays(*table(IMAGE_SHAPE, documents))


def differences(documents: list[Document]) -> list[Difference]:
    """Compare pairs with the images."""
    parsed, checker = table(PAIR_SHAPE, documents)
    names = [(image["category"], image["filename"]) for image in SPLIT]
    src, trg = (
        np.array([names.index((pair["category"], pair[f"{side}_imname"])) for pair in documents])
        for side in ("src", "trg")
    )
    arrays = pair_arrays(parsed, checker)
    rows = src.astype(np.int32), trg.astype(np.int32)
    return list(law.differences(images_of(SPLIT), arrays, rows, checker.members))


def test_good_pairs_have_no_differences() -> None:
    """Pairs that follow from their images have no differences."""
    assert [] == differences(PAIRS)


def _other_code(field: str, count: int) -> Callable[[Document], tuple[str, str, str]]:
    def edit(pair: Document) -> tuple[str, str, str]:
        old = pair[field]
        pair[field] = (old + 1) % count
        return field, str(pair[field]), str(old)

    return edit


def _other_number(field: str, place: int) -> Callable[[Document], tuple[str, str, str]]:
    def edit(pair: Document) -> tuple[str, str, str]:
        old = tuple(pair[field])
        pair[field] = [*pair[field]]
        pair[field][place] += 7
        return field, str(tuple(pair[field])), str(old)

    return edit


def _other_pose(side: str) -> Callable[[Document], tuple[str, str, str]]:
    def edit(pair: Document) -> tuple[str, str, str]:
        old = pair[f"{side}_pose"]
        new = "Rear" if old == "Left" else "Left"
        pair[f"{side}_pose"] = new
        return f"{side}_pose", new, old

    return edit


def _other_point(side: str, axis: int) -> Callable[[Document], tuple[str, str, str]]:
    def edit(pair: Document) -> tuple[str, str, str]:
        points = copy.deepcopy(pair[f"{side}_kps"])
        old = str(points[-1])
        points[-1][axis] += 1
        pair[f"{side}_kps"] = points
        return f"{side}_kps of keypoint {pair['kps_ids'][-1]}", str(points[-1]), old

    return edit


def _fewer_ids(pair: Document) -> tuple[str, str, str]:
    ids = [int(i) for i in pair["kps_ids"]]
    for field in ("kps_ids", "src_kps", "trg_kps"):
        pair[field] = pair[field][1:]
    return "kps_ids", str(ids[1:]), str(ids)


PLANTED = {
    "mirror": _other_code("mirror", 2),
    "viewpoint": _other_code("viewpoint_variation", 3),
    "scale": _other_code("scale_variation", 3),
    "truncation": _other_code("truncation", 4),
    "occlusion": _other_code("occlusion", 4),
    **{
        f"{s}_imsize {n}": _other_number(f"{s}_imsize", n) for s in ("src", "trg") for n in range(3)
    },
    **{
        f"{s}_bndbox {n}": _other_number(f"{s}_bndbox", n) for s in ("src", "trg") for n in range(4)
    },
    **{f"{s}_pose": _other_pose(s) for s in ("src", "trg")},
    **{f"{s}_kps {n}": _other_point(s, n) for s in ("src", "trg") for n in range(2)},
    "kps_ids": _fewer_ids,
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_difference_is_found(name: str) -> None:
    """One field that is wrong in one pair is found and named, with both values."""
    where = next(n for n, pair in enumerate(PAIRS) if len(pair["kps_ids"]) > 1)
    pair = dict(PAIRS[where])

    field, found, expected = PLANTED[name](pair)

    planted = [*PAIRS[:where], pair, *PAIRS[where + 1 :]]
    assert [Difference(str(where), field, found, expected)] == differences(planted)


@pytest.mark.parametrize("distance", range(8))
def test_viewpoint_goes_around_the_circle(distance: int) -> None:
    """The code depends on the shorter way between two of the 8 bins."""
    bins = np.arange(8, dtype=np.int32)
    expected = (0, 0, 1, 1, 2, 1, 1, 0)[distance]

    assert {expected} == set(law.viewpoint(bins, (bins + distance) % 8).tolist())


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        ([1, 1, 11, 11], [1, 1, 11, 11], 0),
        ([1, 1, 101, 101], [1, 1, 200, 101], 0),
        ([1, 1, 101, 101], [1, 1, 201, 101], 1),
        ([1, 1, 101, 101], [1, 1, 400, 101], 1),
        ([1, 1, 101, 101], [1, 1, 401, 101], 2),
        ([1, 1, 101, 101], [1, 1, 201, 201], 2),
        ([5, 5, 5, 9], [1, 1, 11, 11], 2),
        ([5, 5, 5, 9], [7, 7, 7, 7], 2),
        ([1, 1, 60_000, 60_000], [1, 1, 60_000, 60_000], 0),
    ],
)
def test_scale_edges(one: list[int], other: list[int], code: int) -> None:
    """A ratio of exactly 2 is medium and of exactly 4 hard; a box without area is always hard."""
    first, second = np.array([one], np.int32), np.array([other], np.int32)

    assert [code] == law.scale(first, second).tolist()
    assert [code] == law.scale(second, first).tolist()


def test_expected_pairs_are_those_of_the_loops() -> None:
    """All ordered pairs of a category and split that share a keypoint are expected, no others."""
    names = [f"{image['category']}/{image['filename']}" for image in SPLIT]
    wanted = sorted(
        names.index(f"{p['category']}/{p['src_imname']}") * len(names)
        + names.index(f"{p['category']}/{p['trg_imname']}")
        for p in PAIRS
    )

    found = law.expected_pairs(images_of(SPLIT), np.zeros(len(SPLIT), np.int32))

    assert wanted == found.tolist()


def test_images_of_two_splits_make_no_pair() -> None:
    """Images of different splits are no pair."""
    splits = np.arange(len(SPLIT), dtype=np.int32)

    assert [] == law.expected_pairs(images_of(SPLIT), splits).tolist()


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=8))
def test_pair_ids_are_those_of_the_loops(visible: list[list[bool]]) -> None:
    """Numbers and pairs are those that plain loops over made-up images give."""
    images: list[Any] = [
        {
            **SPLIT[0],
            "filename": f"2008_{number:06d}.jpg",
            "kps": {
                str(slot): [1, 2] if slot < len(shown) and shown[slot] else None
                for slot in range(30)
            },
        }
        for number, shown in enumerate(visible)
        if any(shown)
    ]
    wanted = [pair for _, pair in pair_documents({"trn": images})]
    used = sorted({pair["src_imname"] for pair in wanted})
    # An image without any pair is of no split, so it takes no number here.
    counted = [
        pair for _, pair in pair_documents({"trn": [i for i in images if i["filename"] in used]})
    ]

    src = np.array([used.index(pair["src_imname"]) for pair in counted], np.int32)
    trg = np.array([used.index(pair["trg_imname"]) for pair in counted], np.int32)

    assert [pair["pair_id"] for pair in counted] == law.pair_ids(src, trg).tolist()
