"""Defects in the training file of a PartImageNet release, each a function from members to members.

A defect of an annotation hits the first one of the file, a defect of an image the first image.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rawshelf.miniature import Members
from tests.fakes.partimagenet_edits import UNUSED, Edit, Stream, edited, edited_annotation

__all__ = ["JSON_DEFECTS"]


def _corner(annotation: Any, corners: int) -> list[float]:
    numbers: list[float] = annotation["segmentation"][0][: 2 * corners]
    return numbers


def four_numbers_first(members: Members) -> Stream:
    """Put a polygon of two corners in front of the others; `annToMask` raises TypeError."""
    return edited_annotation(members, lambda a: a["segmentation"].insert(0, _corner(a, 2)))


def two_numbers_first(members: Members) -> Stream:
    """Put a polygon of one corner in front of the others; `annToMask` raises Exception."""
    return edited_annotation(members, lambda a: a["segmentation"].insert(0, _corner(a, 1)))


def four_numbers_later(members: Members) -> Stream:
    """Put a polygon of two corners behind the others, where `annToMask` says nothing."""
    return edited_annotation(members, lambda a: a["segmentation"].append(_corner(a, 2)))


def two_numbers_later(members: Members) -> Stream:
    """Put a polygon of one corner behind the others, where `annToMask` says nothing."""
    return edited_annotation(members, lambda a: a["segmentation"].append(_corner(a, 1)))


def four_numbers_only(members: Members) -> Stream:
    """Leave an annotation nothing but a polygon of two corners, the box as it was."""
    return edited_annotation(members, lambda a: a.update(segmentation=[_corner(a, 2)], area=0.0))


def two_numbers_only(members: Members) -> Stream:
    """Leave an annotation nothing but a polygon of one corner, the box as it was."""
    return edited_annotation(members, lambda a: a.update(segmentation=[_corner(a, 1)], area=0.0))


def odd_length_polygon(members: Members) -> Stream:
    """End a sound polygon with an x that has no y."""
    return edited_annotation(members, lambda a: a["segmentation"][0].append(1.5))


def area_zero(members: Members) -> Stream:
    """Squeeze a polygon to a line of three corners, and state its area: 0."""

    def edit(annotation: Any) -> None:
        x, y = _corner(annotation, 1)
        annotation.update(segmentation=[[x, y, x + 2, y, x + 4, y]], area=0)

    return edited_annotation(members, edit)


def area_zero_sound_polygon(members: Members) -> Stream:
    """State the area 0 for an annotation whose polygon has one."""
    return edited_annotation(members, lambda a: a.update(area=0))


def empty_segmentation(members: Members) -> Stream:
    """Give an annotation an empty list of polygons."""
    return edited_annotation(members, lambda a: a.update(segmentation=[], area=0))


def empty_polygon(members: Members) -> Stream:
    """Give an annotation one polygon that is an empty list."""
    return edited_annotation(members, lambda a: a.update(segmentation=[[]], area=0))


def category_id_40(members: Members) -> Stream:
    """Give an annotation the category id 40, which is the masks' background."""
    return edited_annotation(members, lambda a: a.update(category_id=40))


def iscrowd_rle(members: Members) -> Stream:
    """Make an annotation a crowd with an uncompressed run-length encoding of its box."""

    def edit(document: Any) -> None:
        image, annotation = document["images"][0], document["annotations"][0]
        height, width = image["height"], image["width"]
        left, top, across, down = (int(value) for value in annotation["bbox"])
        raster = np.zeros((height, width), bool)
        raster[top : top + down, left : left + across] = True
        counts = _runs(raster.T.ravel())
        annotation.update(iscrowd=1, segmentation={"size": [height, width], "counts": counts})

    return edited(members, edit)


def _runs(pixels: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of the runs of equal values, of False first.

    >>> _runs(np.array([False, True, True, False]))
    [1, 2, 1]
    """
    changes = np.flatnonzero(np.diff(pixels)) + 1
    lengths = np.diff([0, *changes, len(pixels)]).tolist()
    return [0, *lengths] if pixels[0] else lengths


def _moved(share: float) -> Edit:
    def edit(document: Any) -> None:
        move = share * document["images"][0]["width"]
        annotation = document["annotations"][0]
        for polygon in annotation["segmentation"]:
            polygon[::2] = [round(x + move, 2) for x in polygon[::2]]
        annotation["bbox"][0] = round(annotation["bbox"][0] + move, 2)

    return edit


def polygon_partly_outside(members: Members) -> Stream:
    """Move a polygon so far to the right that 5 pixels of its box stay inside the image."""

    def edit(document: Any) -> None:
        width, left = document["images"][0]["width"], document["annotations"][0]["bbox"][0]
        _moved((width - left - 5) / width)(document)

    return edited(members, edit)


def polygon_outside(members: Members) -> Stream:
    """Move a polygon two image widths to the right, so that nothing of it is left."""
    return edited(members, _moved(2))


def polygon_negative(members: Members) -> Stream:
    """Make the first x of a polygon negative."""
    return edited_annotation(members, lambda a: a["segmentation"][0].__setitem__(0, -3.5))


def duplicate_annotation_id(members: Members) -> Stream:
    """Give the second annotation the id of the first."""

    def edit(document: Any) -> None:
        first, second = document["annotations"][:2]
        second["id"] = first["id"]

    return edited(members, edit)


def duplicate_image_id(members: Members) -> Stream:
    """Give the second image the id of the first."""

    def edit(document: Any) -> None:
        first, second = document["images"][:2]
        second["id"] = first["id"]

    return edited(members, edit)


def dangling_image_id(members: Members) -> Stream:
    """Give an annotation an image id that no image has."""
    return edited_annotation(members, lambda a: a.update(image_id=UNUSED))


def overlapping_parts(members: Members) -> Stream:
    """End the file with an annotation of the first image that lies over half of its first part."""

    def edit(document: Any) -> None:
        annotations = document["annotations"]
        own = [each for each in annotations if each["image_id"] == annotations[0]["image_id"]]
        left, top, across, down = own[0]["bbox"]
        right, bottom = round(left + across / 2, 2), round(top + down, 2)
        polygon = [left, top, right, top, right, bottom, left, bottom]
        changed = {
            "id": UNUSED,
            "category_id": own[-1]["category_id"],
            "segmentation": [polygon],
            "area": round(across * down / 2, 2),
            "bbox": [left, top, round(across / 2, 2), down],
        }
        annotations.append(own[0] | changed)

    return edited(members, edit)


def image_without_annotations(members: Members) -> Stream:
    """Leave out all annotations of an image."""

    def edit(document: Any) -> None:
        first = document["images"][0]["id"]
        kept = [each for each in document["annotations"] if each["image_id"] != first]
        document["annotations"] = kept

    return edited(members, edit)


def nan_area(members: Members) -> Stream:
    """Make the area of an annotation NaN, which Python reads and JSON does not have."""
    return edited_annotation(members, lambda a: a.update(area=float("nan")))


def _renamed(separator: str) -> Edit:
    def edit(document: Any) -> None:
        for image in document["images"]:
            wnid = image["file_name"].partition("_")[0]
            image["file_name"] = f"{wnid}{separator}{image['file_name']}"

    return edit


def backslash_file_name(members: Members) -> Stream:
    r"""Write all file names of the training file as Windows does: ``n0\n0_1.JPEG``."""
    return edited(members, _renamed("\\"))


def folder_in_file_name(members: Members) -> Stream:
    """Write all file names with their class folder, as VLPart's formatted files have them."""
    return edited(members, _renamed("/"))


def json_size_differs(members: Members) -> Stream:
    """State a width in the training file that is a pixel more than the photo's."""

    def edit(document: Any) -> None:
        document["images"][0]["width"] += 1

    return edited(members, edit)


JSON_DEFECTS: dict[str, Callable[[Members], Members]] = {
    defect.__name__: defect
    for defect in (
        four_numbers_first,
        two_numbers_first,
        four_numbers_later,
        two_numbers_later,
        four_numbers_only,
        two_numbers_only,
        odd_length_polygon,
        area_zero,
        area_zero_sound_polygon,
        empty_segmentation,
        empty_polygon,
        category_id_40,
        iscrowd_rle,
        polygon_partly_outside,
        polygon_outside,
        polygon_negative,
        duplicate_annotation_id,
        duplicate_image_id,
        dangling_image_id,
        overlapping_parts,
        image_without_annotations,
        nan_area,
        backslash_file_name,
        folder_in_file_name,
        json_size_differs,
    )
}
