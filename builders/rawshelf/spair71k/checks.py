"""Whether an SPair-71k release agrees with itself: the derivation law, layouts, coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.report import Difference, Report
from rawshelf.spair71k import law
from rawshelf.spair71k.annotations import Checker
from rawshelf.spair71k.content import Content, PairSplit, others
from rawshelf.spair71k.raw import PHOTOS, RAW_SPLITS
from rawshelf.spair71k.release import IMAGE_DEPTH

_LISTED = 1_000
_LAW = "pairs compared with what their two image annotations give"
_IMAGES = "image annotations"


def check(content: Content, report: Report) -> None:
    """Compare every pair with what the image annotations give, and list the differences.

    Raises:
        AnnotationError: If a pair has a keypoint that one of its images does not have.
    """
    found: list[Difference] = []
    for split, pairs in content.pairs.items():
        found += _pair_differences(content, pairs, report)
        found += _small_differences(content, split)
    if content.complete:
        found += _pair_set_differences(content) or _pair_id_differences(content)
    found += _image_differences(content)
    report.checked[_IMAGES] = len(content.names)
    report.differences += found[:_LISTED]
    if len(found) > _LISTED:
        report.notes.append(f"{len(found):,} differences; the first {_LISTED:,} are listed")
    unseen = sum(_without_pixels(content, split) for split in RAW_SPLITS)
    if unseen:
        report.notes.append(
            f"{unseen:,} pairs name an image that is not annotated or was set aside: its index is "
            "null, and so are its pixels in rows that hold them"
        )
    turned = [p for p in content.raw.pictures[PHOTOS].values() if p.orientation != 1]
    if turned:
        report.notes.append(
            f"{len(turned)} photographs carry an EXIF orientation: a reader that applies it turns "
            "them away from their keypoints"
        )


def _pair_differences(content: Content, pairs: PairSplit, report: Report) -> list[Difference]:
    known = np.flatnonzero((pairs.rows[0] >= 0) & (pairs.rows[1] >= 0))
    report.checked[_LAW] = report.checked.get(_LAW, 0) + len(known)
    arrays = pairs.arrays.take(known)
    rows = pairs.rows[0][known], pairs.rows[1][known]
    _refuse_dangling(content, pairs, known)
    members = pairs.members.take(pa.array(known))
    return list(law.differences(content.images, arrays, rows, members))


def _refuse_dangling(content: Content, pairs: PairSplit, known: Any) -> None:
    """Refuse a pair with a keypoint that one of its images does not have."""
    arrays = pairs.arrays.take(known)
    pair_of = np.repeat(known, np.diff(arrays.offsets))
    checker = Checker(content.raw.images.archive, pairs.members)
    for side, rows in enumerate(pairs.rows):
        there = content.images.present[rows[pair_of], arrays.ids]
        if not there.all():
            row = int(pair_of[np.argmin(there)])
            member = f"ImageAnnotation/{pairs.image_names[side][row].as_py()}.json"
            found = {row: arrays.ids[pair_of == row].tolist()}
            checker.refuse(row, "kps_ids", found, f"ids of keypoints that {member} has")


def _small_differences(content: Content, split: str) -> list[Difference]:
    large = content.raw.layouts.get(("large", split))
    if large is None:
        return []
    small = content.raw.layouts.get(("small", split), large)
    if pc.sum(content.pairs[split].in_small).as_py() == len(small):
        return []  # each of its lines is that of a pair, and pairs are those of the large layout
    beyond = sorted(others(small, large).to_pylist())
    member = f"Layout/small/{split}.txt"
    expected = f"a line of Layout/large/{split}.txt"
    return [Difference(member, "line", line, expected) for line in beyond]


def _pair_set_differences(content: Content) -> list[Difference]:
    """List the pairs that the law gives and the release lacks, and the other way round."""
    count = len(content.names)
    expected = law.expected_pairs(content.images, content.split_of)
    expected = expected[content.split_of[expected // count] >= 0]
    sides = [
        np.concatenate([pairs.rows[side].astype(np.int64) for pairs in content.pairs.values()])
        for side in (0, 1)
    ]
    found = np.sort(sides[0] * count + sides[1])
    if np.array_equal(found, expected):
        return []
    absent = np.setdiff1d(expected, found)
    extra = np.setdiff1d(found, expected)
    return [
        *(_pair_difference(content, code, "absent", "present") for code in absent),
        *(_pair_difference(content, code, "present", "absent") for code in extra),
    ]


def _pair_id_differences(content: Content) -> list[Difference]:
    """List the pairs that are not numbered as the release numbers them."""
    place = pc.rank(content.names).to_numpy().astype(np.int64) - 1
    found = []
    for pairs in content.pairs.values():
        ids = pairs.arrays.column("pair_id")
        expected = law.pair_ids(place[pairs.rows[0]], place[pairs.rows[1]])
        for row in np.flatnonzero(ids != expected):
            member = pairs.members[row].as_py()
            found.append(Difference(member, "pair_id", str(ids[row]), str(expected[row])))
    return found


def _without_pixels(content: Content, split: str) -> int:
    rank, rows = content.rank[split], content.pairs[split].rows
    return int(np.count_nonzero((rank[rows[0]] < 0) | (rank[rows[1]] < 0)))


def _pair_difference(content: Content, code: int, found: str, expected: str) -> Difference:
    src, trg = divmod(int(code), len(content.names))
    split = RAW_SPLITS[content.split_of[src]]
    names = content.names[src].as_py(), content.names[trg].as_py()
    return Difference(f"PairAnnotation/{split}", f"pair {names[0]} to {names[1]}", found, expected)


def _image_differences(content: Content) -> list[Difference]:
    """List points and boxes that leave their image, and image depths other than 3."""
    depth = content.images.column("image_depth")
    return [
        *_points_outside(content),
        *_boxes_outside(content),
        *(
            Difference(_member(content, row), "image_depth", str(depth[row]), str(IMAGE_DEPTH))
            for row in np.flatnonzero(depth != IMAGE_DEPTH)
        ),
    ]


def _member(content: Content, row: Any) -> str:
    return str(content.members[row].as_py())


def _boxes_outside(content: Content) -> list[Difference]:
    images = content.images
    end = np.stack([images.column("image_width"), images.column("image_height")], axis=1)
    low, high = images.box[:, :2], images.box[:, 2:]
    inside = ((low >= 1) & (low < high) & (high <= end)).all(axis=1)
    return [
        Difference(
            _member(content, row),
            "bndbox",
            str(images.box[row].tolist()),
            f"a box within [1, 1, {end[row, 0]}, {end[row, 1]}]",
        )
        for row in np.flatnonzero(~inside)
    ]


def _points_outside(content: Content) -> list[Difference]:
    images = content.images
    width = images.column("image_width")[:, None]
    height = images.column("image_height")[:, None]
    inside = (images.x >= 0) & (images.x < width) & (images.y >= 0) & (images.y < height)
    return [
        Difference(
            _member(content, row),
            f"kps/{slot}",
            f"[{images.x[row, slot]}, {images.y[row, slot]}]",
            f"a pixel of {width[row, 0]} x {height[row, 0]}",
        )
        for row, slot in np.argwhere(images.present & ~inside)
    ]
