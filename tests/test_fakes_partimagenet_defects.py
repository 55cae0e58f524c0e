"""The defects of fake PartImageNet releases are what they claim to be."""

import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from rawshelf.partimagenet.miniature import TOP, Document
from tests.fakes.partimagenet import (
    OOD_DEFECTS,
    SEG_DEFECTS,
    expected_mask,
    expected_whole_mask,
)

Files = dict[str, bytes]

TRAINING = f"{TOP}/annotations/train/train.json"


@pytest.mark.parametrize("defect", SEG_DEFECTS)
def test_seg_defects_change_little(defect: str, few_seg: Files) -> None:
    """A defect changes a Seg release, the same way each time, and leaves most files alone."""
    _changes_little(few_seg, SEG_DEFECTS[defect])


@pytest.mark.parametrize("defect", OOD_DEFECTS)
def test_ood_defects_change_little(defect: str, few_ood: Files) -> None:
    """A defect changes an OOD release, the same way each time, and leaves most files alone."""
    _changes_little(few_ood, OOD_DEFECTS[defect])


def _changes_little(files: Files, defect: Any) -> None:
    harmed = list(defect(files.items()))
    same = sum(files.get(name) == content for name, content in harmed)

    assert defect.__doc__
    assert harmed != list(files.items())
    assert harmed == list(defect(files.items()))
    assert same >= len(files) - 2


def _harmed(defect: str, files: Files) -> tuple[Document, Document]:
    """Return the training file before and after a defect."""
    harmed = dict(SEG_DEFECTS[defect](files.items()))
    return json.loads(files[TRAINING]), json.loads(harmed[TRAINING])


@pytest.mark.parametrize(
    "defect",
    [
        "four_numbers_first",
        "two_numbers_first",
        "four_numbers_later",
        "two_numbers_later",
        "odd_length_polygon",
        "area_zero_sound_polygon",
        "backslash_file_name",
        "folder_in_file_name",
        "nan_area",
        "duplicate_annotation_id",
    ],
)
def test_defects_that_no_mask_shows(defect: str, few_seg: Files) -> None:
    """Short polygons beside sound ones, a last odd number, ids and areas leave the mask alone."""
    before, after = _harmed(defect, few_seg)

    assert (expected_mask(before, 0) == expected_mask(after, 0)).all()
    assert (expected_whole_mask(before, 0) == expected_whole_mask(after, 0)).all()


@pytest.mark.parametrize(
    "defect",
    [
        "four_numbers_only",
        "two_numbers_only",
        "area_zero",
        "empty_segmentation",
        "empty_polygon",
        "dangling_image_id",
        "polygon_outside",
        "iscrowd_rle",
    ],
)
def test_defects_that_take_a_part_away(defect: str, few_seg: Files) -> None:
    """What is left without a sound polygon, or lies outside, is as if it were not there."""
    before, after = _harmed(defect, few_seg)
    del before["annotations"][0]

    assert (expected_mask(before, 0) == expected_mask(after, 0)).all()


def test_defects_that_every_pixel_shows(few_seg: Files) -> None:
    """No annotation is background, later parts cover earlier ones, what lies outside is cut."""
    _, empty = _harmed("image_without_annotations", few_seg)
    before, covered = _harmed("overlapping_parts", few_seg)
    _, outside = _harmed("polygon_partly_outside", few_seg)
    added = covered["annotations"][-1]
    left, top, width, height = (int(value) for value in added["bbox"])
    inside = np.s_[top + 2 : top + height - 2, left + 2 : left + width - 2]
    first = before["annotations"][0]["category_id"]

    assert set(np.unique(expected_mask(empty, 0))) == {40}
    assert (expected_mask(covered, 0)[inside] == added["category_id"]).all()
    assert (expected_mask(outside, 0)[:, -1] == first).any()


@pytest.mark.parametrize("order", ["big", "little"])
def test_orientation_is_what_pillow_reads(order: str, few_ood: Files) -> None:
    """The orientation defect is a valid EXIF header; raster and pixels stay."""
    for name, content in OOD_DEFECTS[f"orientation_{order}_endian"](few_ood.items()):
        if content != few_ood[name]:
            image = Image.open(BytesIO(content))
            assert image.getexif()[0x0112] == 6
            assert (np.asarray(image) == np.asarray(Image.open(BytesIO(few_ood[name])))).all()


def test_orientation_turns_the_photo_upright(few_ood: Files) -> None:
    """The photo on its side has swapped sizes, and is like the other once a viewer turned it."""
    harmed = dict(OOD_DEFECTS["orientation_annotated_as_turned"](few_ood.items()))
    [name] = [each for each in harmed if harmed[each] != few_ood[each]]
    before, after = (Image.open(BytesIO(files[name])) for files in (few_ood, harmed))
    upright = np.asarray(ImageOps.exif_transpose(after), dtype=int)

    assert after.size == before.size[::-1]
    assert abs(upright - np.asarray(before)).mean() < 10


def test_file_defects(few_seg: Files) -> None:
    """The photo is CMYK, the masks have the wrong values and sizes, and keep their modes."""

    def changed(defect: str) -> tuple[Image.Image, Image.Image]:
        harmed = dict(SEG_DEFECTS[defect](few_seg.items()))
        [name] = [each for each in harmed if harmed[each] != few_seg[each]]
        return Image.open(BytesIO(few_seg[name])), Image.open(BytesIO(harmed[name]))

    for defect in ("part_mask_of_other_size", "whole_mask_of_other_size"):
        before, after = changed(defect)
        assert (before.width + 1, before.height, before.mode) == (*after.size, after.mode)
    assert changed("cmyk_jpeg")[1].mode == "CMYK"
    assert np.asarray(changed("part_mask_unknown_value")[1])[0, 0] == 200
    assert len(np.unique(np.asarray(changed("whole_mask_two_objects")[1]))) == 3
