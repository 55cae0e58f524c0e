"""What is claimed about SPair-71k: the paper's tables, the README, what the devkit asserts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.claims import Check, Verdict, compared, contradicted, free_of, noted
from rawshelf.features import ClassLabel
from rawshelf.image_checks import Picture, decode, problems
from rawshelf.members import Blob
from rawshelf.release import Evidence
from rawshelf.report import Difference, Report
from rawshelf.spair71k import columns, paper
from rawshelf.spair71k.raw import MASKS, PHOTOS, RAW_SPLITS
from rawshelf.spair71k.release import RELEASE

CONFIGS = ("pairs", "images")

_SPLITS = tuple(split.name for split in RELEASE.splits)
_LABELS: Mapping[str, ClassLabel] = {
    "viewpoint_variation": columns.VIEWPOINT,
    "scale_variation": columns.SCALE,
    "truncation": columns.TRUNCATION,
    "occlusion": columns.OCCLUSION,
}
_README = "README of the release"
_DEVKIT = "devkit/verify_dataset.py of the release"
_SHARED = (
    f"{_DEVKIT} forbids it within a category only; in the release's own files, pottedplant and "
    "chair share 2009_001085 across val and test, horse and person 2007_000799"
)
_LAW = "paper, section 3.3: every pair follows from two image annotations"
# Which field of an image annotation a field of its pairs repeats or follows from.
_ORIGINS = {
    "imsize": "image_width, image_height, image_depth",
    "viewpoint_variation": "azimuth_id",
    "scale_variation": "bndbox",
    "truncation": "truncated",
    "occlusion": "occluded",
    "kps_ids": "kps",
}
_SIDES = {"src_": 1, "trg_": 2}  # place of the image's name in that of the pair


def verify(evidence: Evidence) -> Iterator[Check]:
    """Yield the checks of an SPair-71k release.

    Args:
        evidence: With the tables of `CONFIGS`.
    """
    tables = evidence.prepared.tables
    pairs = [tables["pairs", split] for split in _SPLITS]
    images = [tables["images", split] for split in _SPLITS]
    yield from _table_1(pairs)
    yield from _table_2(pairs)
    yield from _layouts(pairs)
    yield from _folders(evidence.folders)
    yield from _photographs(images)
    yield noted("content", "keypoints of pairs outside their box", _outside_boxes(pairs))
    yield from _suspects(evidence.job.report)
    yield from _pixels(evidence)


def _table_1(pairs: Sequence[pa.Table]) -> Iterator[Check]:
    for column, claimed in paper.TABLE_1.items():
        names = _LABELS[column].names
        yield from _cells("paper, Table 1", column, names, claimed, [t[column] for t in pairs])


def _table_2(pairs: Sequence[pa.Table]) -> Iterator[Check]:
    claimed = list(zip(*paper.TABLE_2.values(), strict=True))
    found = [table["category"] for table in pairs]
    yield from _cells("paper, Table 2", "category", tuple(paper.TABLE_2), claimed, found)


def _cells(
    table: str,
    column: str,
    names: Sequence[str],
    claimed: Sequence[Sequence[int]],
    found: Sequence[pa.ChunkedArray],
) -> Iterator[Check]:
    """Yield a table's cells, split by split, then their sums."""
    counts = [np.bincount(each.to_numpy(), minlength=len(names)) for each in found]
    for split, expected, count in zip(
        (*_SPLITS, "all"),
        (*claimed, np.sum(claimed, axis=0)),
        (*counts, np.sum(counts, axis=0)),
        strict=True,
    ):
        for name, cell, number in zip(names, expected, count, strict=True):
            yield compared(table, f"{split}: {column} {name}", int(cell), int(number), table)


def _layouts(pairs: Sequence[pa.Table]) -> Iterator[Check]:
    for split, claimed, table in zip(_SPLITS, paper.SMALL, pairs, strict=True):
        subject = f"pairs of the small layout, {split}"
        if table["in_small"].null_count and len(table):
            yield Check("layout", subject, claimed, None, Verdict.UNCHECKED, _README)
        else:
            yield compared(
                "layout", subject, claimed, pc.sum(table["in_small"]).as_py() or 0, _README
            )


def _folders(folders: Mapping[str, int]) -> Iterator[Check]:
    """Yield how many files the folders of the release hold, whatever folder is around them."""
    counts: Counter[str] = Counter()
    for path, count in folders.items():
        counts["/".join(path.split("/")[-2:])] += count
    for folder in ("ImageAnnotation", PHOTOS, MASKS):
        for category in paper.TABLE_2:
            place = f"{folder}/{category}"
            expected = paper.IMAGES_PER_CATEGORY
            yield compared("files", f"files in {place}", expected, counts[place], _DEVKIT)
    claims = {(claim.config, claim.split): claim.rows for claim in RELEASE.claims}
    for split, raw in zip(_SPLITS, RAW_SPLITS, strict=True):
        place = f"PairAnnotation/{raw}"
        yield compared("files", f"files in {place}", claims["pairs", split], counts[place], _README)


def _photographs(images: Sequence[pa.Table]) -> Iterator[Check]:
    """Yield which photographs stand under two categories or in two splits."""
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for split, table in zip(_SPLITS, images, strict=True):
        rows = zip(table["voc_id"].to_pylist(), table["name"].to_pylist(), strict=True)
        for photograph, name in rows:
            places[photograph].append((split, name))
    total, once = sum(len(table) for table in images), len(places)
    yield noted("photographs", "distinct photographs of all images", once)
    yield noted("photographs", "images whose photograph stands twice", total - once, known=_SHARED)
    names = {name for found in places.values() for _, name in found}
    yield compared("photographs", "images in two splits", 0, total - len(names), _DEVKIT)
    for found in places.values():
        if len({split for split, _ in found}) > 1:
            shown = ", ".join(f"{split} {name}" for split, name in found)
            subject = "photograph in two splits"
            yield noted("photographs", subject, shown, known=_SHARED)


def _outside_boxes(pairs: Sequence[pa.Table]) -> int:
    """Count the points of pairs beyond their box; points are 0-based, boxes 1-based."""
    count = 0
    for table in pairs:
        points = table["keypoints"].combine_chunks()
        for side in ("src", "trg"):
            lists = points.field(f"{side}_x")
            owner = np.repeat(np.arange(len(table)), pc.list_value_length(lists).to_numpy())
            box = table[f"{side}_bbox"].combine_chunks().flatten().to_numpy().reshape(-1, 4)[owner]
            x, y = (points.field(f"{side}_{axis}").flatten().to_numpy() + 1 for axis in "xy")
            inside = (x >= box[:, 0]) & (x <= box[:, 2]) & (y >= box[:, 1]) & (y <= box[:, 3])
            count += int(np.count_nonzero(~inside))
    return count


def _suspects(report: Report) -> Iterator[Check]:
    """Name the image annotations that all pairs which differ in a field have in common.

    One changed cell of an image contradicts every pair of that image: then it is the image that
    is wrong, not a hundred pairs. Where a category has two images only, it is one of the two.
    """
    groups: dict[str, list[Difference]] = defaultdict(list)
    for each in report.differences:
        if each.member.startswith("PairAnnotation/") and each.member.endswith(".json"):
            groups[_origin(each.field)].append(each)
    for field, found in groups.items():
        shared = set.intersection(*(_images(each) for each in found))
        for name in sorted(shared) if len(found) > 1 else ():
            said = {each.found for each in found}
            differing = Difference(
                f"ImageAnnotation/{name}.json",
                field,
                f"what {len(found):,} pairs of this image contradict",
                said.pop() if len(said) == 1 else "what its pairs say",
            )
            yield from contradicted("content", [differing], _LAW)


def _origin(field: str) -> str:
    """Return the image annotation's field.

    >>> _origin("trg_kps of keypoint 3"), _origin("src_bndbox"), _origin("scale_variation")
    ('kps/3', 'bndbox', 'bndbox')
    """
    plain = field[4:] if field[:4] in _SIDES else field
    return _ORIGINS.get(plain, plain.replace("kps of keypoint ", "kps/"))


def _images(difference: Difference) -> set[str]:
    """Return the names of the images that a field of a pair follows from."""
    stem = difference.member.rpartition("/")[2].removesuffix(".json").replace(":", "-")
    parts = stem.split("-")  # number, source, target, category
    side = _SIDES.get(difference.field[:4])
    return {f"{parts[3]}/{parts[place]}" for place in ([side] if side else _SIDES.values())}


def _pixels(evidence: Evidence) -> Iterator[Check]:
    subject, source = "photographs and masks that decode", "each is an image file"
    if not evidence.deep:
        yield Check("pixels", subject, None, None, Verdict.UNCHECKED, "only with --deep")
        return
    pictures = []
    for row in evidence.prepared.blobs.to_pylist():
        name = row.pop("name")
        pictures.append(Picture(name, Blob(**row), decode))
    found = problems(pictures, evidence.job.parts, "decoding")
    yield free_of("pixels", subject, len(pictures), len(found), source)
    yield from contradicted("pixels", found, source)
