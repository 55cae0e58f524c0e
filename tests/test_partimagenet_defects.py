"""Every planted defect of a PartImageNet release is converted, set aside, told or refused."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rawshelf.convert import Options, Result, convert
from rawshelf.errors import AnnotationError, MissingError, RawshelfError
from rawshelf.miniature import pack_zip
from tests.fakes.partimagenet import OOD_DEFECTS, SEG_DEFECTS, ood, seg

NAME = "partimagenet"
FEW = ("n02492035", "n02422699", "n03792782", "n04509417")  # of every split of OOD
RELEASES = {"seg": dict(seg(wnids=FEW, side=40)), "ood": dict(ood(wnids=FEW, side=40))}
DEFECTS = {"seg": SEG_DEFECTS, "ood": OOD_DEFECTS}
SPLITS = {"train": "train", "val": "validation", "test": "test"}
STATUSES = ("ok", "zero_area", "degenerate", "empty", "rle")
CASES = [(kind, defect) for kind, defects in DEFECTS.items() for defect in defects]

REFUSED: dict[str, type[RawshelfError]] = {
    "truncated_json": AnnotationError,
    "nan_area": AnnotationError,
    "category_id_40": AnnotationError,
    "duplicate_annotation_id": AnnotationError,
    "duplicate_image_id": AnnotationError,
    "dangling_image_id": AnnotationError,
    "no_training_file": MissingError,
    "image_missing_on_disk": MissingError,
    "part_mask_missing": MissingError,
    "whole_mask_missing": MissingError,
}
ALLOWED = [name for name, error in REFUSED.items() if error is MissingError]
SET_ASIDE = {
    "truncated_jpeg": "cut short",
    "json_size_differs": "its annotation says",
    "part_mask_of_other_size": "part_mask: the mask has",
    "whole_mask_of_other_size": "whole_mask: the mask has",
    "part_mask_unknown_value": "part_mask: the mask holds 200; the background, 40, is last",
}
# The status of the annotation that the defect hits.
STATUS = {
    "four_numbers_first": "degenerate",
    "two_numbers_first": "degenerate",
    "four_numbers_later": "degenerate",
    "two_numbers_later": "degenerate",
    "four_numbers_only": "degenerate",
    "two_numbers_only": "degenerate",
    "area_zero": "zero_area",
    "area_zero_sound_polygon": "zero_area",
    "empty_segmentation": "empty",
    "empty_polygon": "empty",
    "iscrowd_rle": "rle",
}


@dataclass(frozen=True)
class Harmed:
    """A release with a defect, and where it is converted to.

    Attributes:
        kind: Which release.
        files: Its members.
        raw: The same as a zip.
        out: The output.
    """

    kind: str
    files: Mapping[str, bytes]
    raw: str
    out: Path

    def convert(self, **options: Any) -> Result:
        """Convert the config with pixels."""
        return convert(NAME, self.raw, str(self.out), Options((self.kind,), **options))

    def document(self, split: str) -> Any:
        """Return the COCO document of a split's parts."""
        names = [n for n in self.files if n.endswith(f"{split}.json") and "_whole/" not in n]
        return json.loads(self.files[min(names, key=len)])

    def rows(self, split: str) -> list[dict[str, Any]]:
        """Return the converted rows of a split, by its published name."""
        files = sorted((self.out / "data" / self.kind).glob(f"{split}-*.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    def shards(self) -> list[Path]:
        """Return all files that were published."""
        return list(self.out.glob("data/**/*.parquet"))


def harmed(kind: str, defect: str, folder: Path) -> Harmed:
    files = dict(DEFECTS[kind][defect](iter(RELEASES[kind].items())))
    raw = pack_zip(iter(files.items()), folder / "raw.zip")
    return Harmed(kind, files, str(raw), folder / "out")


def first_name(kind: str) -> str:
    """Return the photo that the defects hit."""
    release = Harmed(kind, RELEASES[kind], "", Path())
    name: str = release.document("train")["images"][0]["file_name"]
    return name


def quarantine(result: Result) -> list[tuple[str, str]]:
    return [(row.member, row.reason) for row in result.report.quarantine]


def split_differences(kind: str, defect: str) -> list[tuple[str, str, str]]:
    """Return what a defect must be told to contradict: member, found and expected."""
    if defect != "image_in_two_splits":
        return []
    name = first_name(kind)
    twice = [(name, "train, test", "one split, once")]
    wnid = name.partition("_")[0]
    # In OOD, moreover, the class has no place in the test split.
    strange = [("test.json", f"{wnid} (1 images)", f"{wnid} in train")] if kind == "ood" else []
    return strange + twice


@pytest.mark.parametrize(("kind", "defect"), [case for case in CASES if case[1] in REFUSED])
@pytest.mark.fault(12, only="missing|no_training")
@pytest.mark.fault(18, only="truncated_json|nan")
@pytest.mark.fault(19, only="category_id|duplicate|dangling")
def test_refused(kind: str, defect: str, tmp_path: Path) -> None:
    """What cannot be understood or is missing refuses the release; nothing is published."""
    release = harmed(kind, defect, tmp_path)
    with pytest.raises(RawshelfError) as caught:
        release.convert()

    assert REFUSED[defect] is type(caught.value)
    assert [] == release.shards()


@pytest.mark.parametrize(("kind", "defect"), [case for case in CASES if case[1] not in REFUSED])
@pytest.mark.fault(19)
def test_counts_add_up(kind: str, defect: str, tmp_path: Path) -> None:
    """Rows are those of the COCO files less those set aside; differences are as stated."""
    release = harmed(kind, defect, tmp_path)
    result = release.convert()
    aside = quarantine(result)
    names = Counter(
        (SPLITS[split], image["file_name"].replace("\\", "/"))
        for split in SPLITS
        for image in release.document(split)["images"]
    )
    kept = Counter(
        (split, row["file_name"]) for split in SPLITS.values() for row in release.rows(split)
    )

    assert names == kept + Counter(("train", name) for name, _ in aside)
    assert [first_name(kind)] * (defect in SET_ASIDE) == [name for name, _ in aside]
    assert all(SET_ASIDE[defect] in reason for _, reason in aside)
    assert split_differences(kind, defect) == [
        (each.member.rpartition("/")[2], each.found, each.expected)
        for each in result.report.differences
    ]


@pytest.mark.parametrize("defect", STATUS)
@pytest.mark.fault(19)
def test_status(defect: str, tmp_path: Path) -> None:
    """A defective annotation stays in its place and has a status; the others are ok."""
    release = harmed("ood", defect, tmp_path)
    release.convert()
    document = release.document("train")
    hit = document["annotations"][0]["id"]
    found = {
        number: STATUSES[status]
        for row in release.rows("train")
        for number, status in zip(row["parts"]["id"], row["parts"]["status"], strict=True)
    }

    assert {each["id"]: "ok" for each in document["annotations"]} | {hit: STATUS[defect]} == found


@pytest.mark.parametrize(("kind", "defect"), [case for case in CASES if case[1] in SET_ASIDE])
@pytest.mark.fault(14, only="jpeg")
@pytest.mark.fault(17, only="mask")
@pytest.mark.fault(19, only="json_size")
def test_strict_refuses(kind: str, defect: str, tmp_path: Path) -> None:
    """Where rows would be set aside, strict refuses and publishes nothing."""
    release = harmed(kind, defect, tmp_path)
    with pytest.raises(AnnotationError, match="--strict"):
        release.convert(strict=True)

    assert [] == release.shards()


@pytest.mark.parametrize("kind", RELEASES)
@pytest.mark.parametrize("defect", ["four_numbers_only", "iscrowd_rle", "image_in_two_splits"])
def test_strict_accepts_what_sets_no_row_aside(kind: str, defect: str, tmp_path: Path) -> None:
    """Defective annotations have a status, and no row is lost for them: strict converts them."""
    release = harmed(kind, defect, tmp_path)

    assert [] == quarantine(release.convert(strict=True))


@pytest.mark.parametrize(("kind", "defect"), [case for case in CASES if case[1] in ALLOWED])
@pytest.mark.fault(12)
def test_missing_files_are_listed_if_allowed(kind: str, defect: str, tmp_path: Path) -> None:
    """With `allow_missing` the gap is listed, and only what needs the file is lost."""
    release = harmed(kind, defect, tmp_path)
    result = release.convert(allow_missing=1)
    [lost] = set(RELEASES[kind]) - set(release.files)
    name = first_name(kind)
    rows = {row["file_name"]: row for row in release.rows("train")}
    photo_lost = defect == "image_missing_on_disk"

    assert 1 == len(result.report.missing)
    assert lost.endswith(result.report.missing[0])
    assert [(name, "its photograph is missing")] * photo_lost == quarantine(result)
    if defect == "no_training_file":
        assert {} == rows
        return
    expected = {image["file_name"] for image in release.document("train")["images"]}
    assert expected - ({name} if photo_lost else set()) == set(rows)
    for row in rows.values():
        for column in ("part_mask", "whole_mask"):
            gone = (row["file_name"], f"{column}_missing") == (name, defect)
            assert gone == (row[column] is None)
    if photo_lost:
        with pytest.raises(AnnotationError, match="--strict"):
            harmed(kind, defect, tmp_path / "strict").convert(allow_missing=1, strict=True)


@pytest.mark.parametrize("kind", RELEASES)
@pytest.mark.fault(13)
def test_a_photo_that_no_file_lists_is_a_stray(kind: str, tmp_path: Path) -> None:
    """It is listed and gives no row."""
    release = harmed(kind, "image_not_listed", tmp_path)

    assert sorted(set(release.files) - set(RELEASES[kind])) == release.convert().report.strays


@pytest.mark.parametrize("kind", RELEASES)
def test_an_image_without_annotations_keeps_its_row(kind: str, tmp_path: Path) -> None:
    """Its row has no parts."""
    release = harmed(kind, "image_without_annotations", tmp_path)
    release.convert()
    bare = [row["file_name"] for row in release.rows("train") if not row["parts"]["id"]]

    assert [first_name(kind)] == bare
