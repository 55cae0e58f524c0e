"""What is wrong with a PartImageNet release is refused, set aside or told when it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from rawshelf.errors import AnnotationError, MissingError
from tests.fakes.partimagenet import OOD_LAYOUTS, document, expected_mask
from tests.fakes.partimagenet_json_defects import JSON_DEFECTS
from tests.partimagenet_reading import OOD, decoded, defective, read

# pycocotools 2.0.11 was built for numpy 1; only the fakes' expectations decode with it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

REFUSED = {
    "truncated_json": "one JSON object",
    "nan_area": "NaN",
    "category_id_40": "category_id",
    "duplicate_annotation_id": r"annotations/\*/id",
    "duplicate_image_id": r"images/\*/id",
    "dangling_image_id": "image_id",
}
ASIDE = {
    "json_size_differs": "the photograph has",
    "truncated_jpeg": "cut short",
    "part_mask_of_other_size": "part_mask: the mask has",
    "whole_mask_of_other_size": "whole_mask: the mask has",
    "part_mask_unknown_value": "part_mask: the mask holds 200",
}


@pytest.mark.parametrize("defect", sorted(REFUSED))
@pytest.mark.fault(19)
def test_contradictory_coco_files_are_refused(defect: str, tmp_path: Path) -> None:
    """An error names the file and what is wrong with it."""
    with pytest.raises(AnnotationError, match=REFUSED[defect]) as caught:
        defective("ood", defect, tmp_path)
    assert "train.json" == caught.value.member


@pytest.mark.parametrize("defect", sorted(JSON_DEFECTS.keys() - REFUSED - {"json_size_differs"}))
def test_rows_with_defective_annotations_stay(defect: str, tmp_path: Path) -> None:
    """All rows stay, and masks are drawn by the rule from what can be drawn."""
    found, files = defective("ood", defect, tmp_path, ("ood",))
    coco = document(files, "train")
    rows = found.rows["ood", "train"].to_pylist()
    assert len(coco["images"]) == len(rows)
    for row in rows:
        assert expected_mask(coco, row["image_id"]).tolist() == decoded(row["part_mask"])


@pytest.mark.parametrize("defect", sorted(ASIDE))
@pytest.mark.fault(14, only="jpeg")
@pytest.mark.fault(17, only="mask")
def test_rows_with_unusable_pictures_are_set_aside(defect: str, tmp_path: Path) -> None:
    """One row is set aside with its reason, the others stay."""
    found, files = defective("seg", defect, tmp_path)
    [(name, reason)] = found.aside.items()
    assert document(files, "train")["images"][0]["file_name"] == name
    assert ASIDE[defect] in reason
    bare = found.rows["seg_annotations", "train"]
    assert len(bare) - 1 == len(found.rows["seg", "train"])


@pytest.mark.parametrize(
    "defect", ["image_missing_on_disk", "part_mask_missing", "whole_mask_missing"]
)
@pytest.mark.fault(12)
def test_missing_files_are_refused_or_told(defect: str, tmp_path: Path) -> None:
    """A missing file refuses the release; if that is allowed, it is listed."""
    with pytest.raises(MissingError, match="1 files missing"):
        defective("seg", defect, tmp_path)
    found, files = defective("seg", defect, tmp_path, allow_missing=100)
    name = document(files, "train")["images"][0]["file_name"].removesuffix(".JPEG")
    [missing] = found.job.report.missing
    assert name in missing
    if defect == "image_missing_on_disk":
        [aside] = found.job.report.quarantine
        assert aside.member.startswith(name)
    else:
        column = defect.removesuffix("_missing")
        assert found.row("seg", "train", f"{name}.JPEG")[column] is None


@pytest.mark.fault(12)
def test_missing_coco_file(tmp_path: Path) -> None:
    """A split without its COCO file refuses the release; if allowed, it has no table."""
    with pytest.raises(MissingError, match=r"train\.json"):
        defective("ood", "no_training_file", tmp_path)
    found, _ = defective("ood", "no_training_file", tmp_path, allow_missing=100)
    assert {"validation", "test"} == {split for _, split in found.rows}


@pytest.mark.fault(20)
def test_an_image_in_two_splits_is_a_difference(tmp_path: Path) -> None:
    """A leak between splits is listed, and both rows stay."""
    found, _ = defective("seg", "image_in_two_splits", tmp_path)
    assert ["train, test"] == [d.found for d in found.job.report.differences if d.field == "split"]


def test_a_zip_in_a_zip_is_read_wherever_it_lies(tmp_path: Path) -> None:
    """Below a folder, too, whose name looks like a chain of file systems."""
    raw = tmp_path / "x::y"
    found = read(OOD_LAYOUTS["ood_zip_nested_deflated"](iter(OOD.items()), raw), raw / "work")
    assert found.rows
