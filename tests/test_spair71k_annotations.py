"""What an annotation of SPair-71k cannot say is refused, what is implausible is listed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from rawshelf.errors import AnnotationError
from rawshelf.miniature import Members
from tests.conftest import Convert
from tests.spair71k_files import FILES, IMAGE, PAIR


def edited(place: str, edit: Callable[[Any], object]) -> Members:
    """Return the miniature with one document changed."""
    document = json.loads(FILES[place])
    edit(document)
    return {**FILES, place: json.dumps(document).encode()}.items()


IMAGE_EDITS: dict[str, tuple[Callable[[Any], object], str]] = {
    "category": (lambda image: image.update(category="zebra"), "category"),
    "filename": (lambda image: image.update(filename="2008_000001.jpg"), "category and filename"),
    "suffix": (lambda image: image.update(filename="2008_000001.png"), "filename"),
    "pose": (lambda image: image.update(pose="Upside"), "pose"),
    "azimuth": (lambda image: image.update(azimuth_id=8), "azimuth_id"),
    "flag": (lambda image: image.update(truncated=2), "truncated"),
    "box": (lambda image: image.update(bndbox=[1, 2, 3]), "bndbox"),
    "box with null": (lambda image: image.update(bndbox=[1, None, 3, 4]), "bndbox"),
    "point": (lambda image: image["kps"].update({"3": [1]}), "kps/3"),
    "point with null": (lambda image: image["kps"].update({"3": [1, None]}), "kps/3"),
    "slot": (lambda image: image["kps"].update({"30": None}), "kps/30"),
    "no key": (lambda image: image.pop("azimuth_id"), "azimuth_id"),
    "null": (lambda image: image.update(pose=None), "pose"),
    "float": (lambda image: image.update(image_width=48.0), "image_width"),
}


@pytest.mark.parametrize("name", IMAGE_EDITS)
@pytest.mark.fault(19)
def test_image_annotation_is_refused(name: str, converted: Convert) -> None:
    """An image annotation that says what cannot be is refused, file and field named."""
    edit, field = IMAGE_EDITS[name]

    with pytest.raises(AnnotationError) as caught:
        converted(edited(IMAGE, edit))

    assert (IMAGE, field) == (caught.value.member, caught.value.field)


PAIR_EDITS: dict[str, tuple[Callable[[Any], object], str]] = {
    "category": (lambda pair: pair.update(category="zebra"), "category"),
    "file name": (lambda pair: pair.update(pair_id=pair["pair_id"] + 100), "filename"),
    "pose": (lambda pair: pair.update(trg_pose="Upside"), "trg_pose"),
    "code": (lambda pair: pair.update(viewpoint_variation=3), "viewpoint_variation"),
    "mirror": (lambda pair: pair.update(mirror=-1), "mirror"),
    "size": (lambda pair: pair.update(trg_imsize=[1, 2]), "trg_imsize"),
    "box": (lambda pair: pair.update(src_bndbox=[1, 2, 3, 4, 5]), "src_bndbox"),
    "no ids": (lambda pair: pair.update(kps_ids=[], src_kps=[], trg_kps=[]), "kps_ids"),
    "null id": (lambda pair: pair["kps_ids"].append(None), "kps_ids"),
    "number as id": (lambda pair: pair["kps_ids"].append(29), r"kps_ids/\d+"),
    "padded id": (lambda pair: pair["kps_ids"].insert(0, "00"), "kps_ids"),
    "order of ids": (lambda pair: pair["kps_ids"].reverse(), "kps_ids"),
    "fewer points": (lambda pair: pair["trg_kps"].pop(), "trg_kps"),
    "more points": (lambda pair: pair["src_kps"].append([1, 2]), "src_kps"),
    "null point": (lambda pair: pair["src_kps"].__setitem__(0, None), "src_kps"),
    "point of three": (lambda pair: pair["src_kps"][0].append(1), "src_kps"),
    "point with null": (lambda pair: pair["src_kps"].__setitem__(0, [1, None]), "src_kps"),
    "another image": (lambda pair: pair.update(src_imname="2008_000001.jpg"), "filename"),
}


@pytest.mark.parametrize("name", PAIR_EDITS)
@pytest.mark.fault(20)
def test_pair_annotation_is_refused(name: str, converted: Convert) -> None:
    """A pair annotation that says what cannot be is refused, file and field named."""
    edit, field = PAIR_EDITS[name]
    last = [place for place in FILES if place.startswith("PairAnnotation/")][-1]

    with pytest.raises(AnnotationError) as caught:
        converted(edited(last, edit))

    assert last == caught.value.member
    assert re.fullmatch(field, str(caught.value.field))


@pytest.mark.fault(20)
def test_pair_with_unannotated_keypoint_is_refused(converted: Convert) -> None:
    """A pair may only have keypoints that both of its images have."""
    source = f"ImageAnnotation/aeroplane/{PAIR.split('-')[1]}.json"
    absent = [i for i, point in json.loads(FILES[source])["kps"].items() if point is None][-1]

    def add(pair: Any) -> None:
        pair["kps_ids"].append(absent)
        pair["src_kps"].append([1, 1])
        pair["trg_kps"].append([1, 1])

    with pytest.raises(AnnotationError) as caught:
        converted(edited(PAIR, add))

    assert (PAIR, "kps_ids") == (caught.value.member, caught.value.field)
    assert source in str(caught.value.expected)


IMAGE_DIFFERENCES: dict[str, tuple[Callable[[Any], object], str]] = {
    "point outside": (lambda image: image["kps"].update({"0": [48, 0]}), "kps/0"),
    "negative point": (lambda image: image["kps"].update({"0": [-1, 0]}), "kps/0"),
    "box from 0": (lambda image: image.update(bndbox=[0, 1, 9, 9]), "bndbox"),
    "box beyond": (lambda image: image.update(bndbox=[1, 1, 999, 9]), "bndbox"),
    "empty box": (lambda image: image.update(bndbox=[5, 5, 5, 9]), "bndbox"),
    "depth": (lambda image: image.update(image_depth=1), "image_depth"),
}


@pytest.mark.parametrize("name", IMAGE_DIFFERENCES)
@pytest.mark.fault(19)
def test_implausible_image_annotation_is_listed(name: str, converted: Convert) -> None:
    """What is implausible, but can be a row, is a row and is listed."""
    edit, field = IMAGE_DIFFERENCES[name]

    result = converted(edited(IMAGE, edit))

    found = [item.field for item in result.report.differences if item.member == IMAGE]
    assert [field] == found
