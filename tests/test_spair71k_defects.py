"""Each defect of an SPair-71k release is refused, set aside or listed, and named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rawshelf.convert import Options, Result, convert
from rawshelf.errors import AnnotationError, MissingError, RawshelfError, SourceError
from rawshelf.miniature import Members, pack_folder, pack_tar
from rawshelf.report import Quarantined
from rawshelf.spair71k.miniature import CATEGORIES, members
from tests.fakes.spair71k import DEFECTS

FILES = dict(members(categories=CATEGORIES[:2], side=48))
IMAGE = next(name for name in FILES if name.startswith("ImageAnnotation/"))
PHOTO = IMAGE.replace("ImageAnnotation", "JPEGImages").replace(".json", ".jpg")
MASK = IMAGE.replace("ImageAnnotation", "Segmentation").replace(".json", ".png")
STEM = IMAGE.rpartition("/")[2].removesuffix(".json")
NAMING = next(name for name in FILES if name.startswith("PairAnnotation/") and f"-{STEM}-" in name)
PAIR = next(name for name in FILES if name.startswith("PairAnnotation/"))

# name: error class, exit code, member, field, part of what was found, part of what was expected
REFUSED: dict[str, tuple[type[RawshelfError], int, str, str | None, str, str]] = {
    "missing_layout": (MissingError, 5, "Layout/large/test.txt", None, "6 files missing", "every"),
    "pair_names_absent_image": (
        AnnotationError,
        4,
        NAMING,
        "src_imname",
        PHOTO.rpartition("/")[2],
        "an image of ImageAnnotation, JPEGImages and Segmentation",
    ),
    "keypoint_id_out_of_range": (AnnotationError, 4, PAIR, "kps_ids", "'30'", '"0" to "29"'),
    "truncated_json": (AnnotationError, 4, IMAGE, None, "bytes", "one object in braces"),
    "pair_moved_to_other_split": (
        AnnotationError,
        4,
        PAIR.replace("/trn/", "/val/"),
        "split",
        "val",
        "trn, as Layout/large/trn.txt says",
    ),
    "duplicate_member": (SourceError, 3, IMAGE, None, IMAGE, "each name once"),
    "unknown_json_key": (AnnotationError, 4, IMAGE, "licence", "'unknown'", "only the keys"),
    "json_bom": (AnnotationError, 4, IMAGE, None, "xef", "one object in braces"),
    "json_nan": (AnnotationError, 4, IMAGE, "bndbox/0", "nan", "int32"),
    "garbage_utf8": (AnnotationError, 4, IMAGE, None, "'utf-8' codec", "UTF-8"),
    "kps_29_keys": (AnnotationError, 4, IMAGE, "kps", "29 keys", "the 30 keys 0..29"),
    "missing_image": (MissingError, 5, PHOTO, None, "1 files missing", "every file"),
    "missing_annotation": (MissingError, 5, IMAGE, None, "1 files missing", "every file"),
}
SET_ASIDE = {
    "broken_jpeg": (IMAGE, f"{PHOTO}: the JPEG is cut short"),
    "empty_jpeg": (IMAGE, f"{PHOTO}: the file is empty"),
    "mask_of_other_size": (IMAGE, f"{MASK}: .* pixels, annotated as .*"),
    "image_without_split": (
        re.sub(r"20\d\d_\d{6}", "2011_999999", IMAGE),
        "no pair of any split names this image",
    ),
}
LISTED = ("pair_field_differs", "junk", "stray_file")

Convert = Callable[..., Result]


@pytest.fixture
def converted(tmp_path: Path) -> Convert:
    def run(stream: Members, **options: Any) -> Result:
        raw = pack_tar(stream, tmp_path / "SPair-71k.tar.gz", wrapper="SPair-71k")
        return convert("spair71k", str(raw), str(tmp_path / "out"), Options(**options))

    return run


def edited(place: str, edit: Callable[[Any], object]) -> Members:
    """Return the miniature with one document changed."""
    document = json.loads(FILES[place])
    edit(document)
    return {**FILES, place: json.dumps(document).encode()}.items()


def rows(result: Result, config: str) -> int:
    """Return how many rows a config has."""
    return sum(record.rows for record in result.records if record.config == config)


def test_every_defect_is_expected() -> None:
    """Each defect that the fakes know has its outcome in this module."""
    assert set(DEFECTS) == {*REFUSED, *SET_ASIDE, *LISTED}


@pytest.mark.parametrize("defect", REFUSED)
@pytest.mark.fault(9, only="duplicate_member")
@pytest.mark.fault(12, only="missing_")
@pytest.mark.fault(18, only="json_|truncated_json|garbage|unknown_json|kps_29")
@pytest.mark.fault(20, only="pair_|keypoint")
def test_defect_is_refused(defect: str, converted: Convert, tmp_path: Path) -> None:
    """What is missing or contradictory is refused, and the message says what, where and why."""
    kind, code, member, field, found, expected = REFUSED[defect]

    with pytest.raises(kind) as caught:
        converted(DEFECTS[defect](FILES.items()))

    error = caught.value
    assert kind is type(error)
    assert code == error.exit_code
    assert str(tmp_path / "SPair-71k.tar.gz") == error.archive
    assert str(error.member).endswith(member)
    assert field == error.field
    assert found in str(error.found)
    assert expected in str(error.expected)
    assert error.remedy.endswith(".")
    assert not (tmp_path / "out" / "data").exists()


@pytest.mark.parametrize("defect", SET_ASIDE)
@pytest.mark.fault(14, only="jpeg")
@pytest.mark.fault(17, only="mask")
def test_defect_sets_one_row_aside(defect: str, converted: Convert) -> None:
    """An image that cannot become a row is set aside with its reason; all others are rows."""
    whole = [name for name in FILES if name.startswith("ImageAnnotation/")]
    added = defect == "image_without_split"
    member, reason = SET_ASIDE[defect]

    result = converted(DEFECTS[defect](FILES.items()))

    (found,) = result.report.quarantine
    assert member == found.member
    assert re.fullmatch(reason, found.reason)
    assert len(whole) + added == rows(result, "images") + 1


@pytest.mark.parametrize("defect", SET_ASIDE)
@pytest.mark.fault(14, only="jpeg")
@pytest.mark.fault(17, only="mask")
def test_defect_is_refused_when_strict(defect: str, converted: Convert) -> None:
    """With strict, no row is set aside: the release is refused."""
    member, reason = SET_ASIDE[defect]

    with pytest.raises(AnnotationError) as caught:
        converted(DEFECTS[defect](FILES.items()), strict=True)

    assert member == caught.value.member
    assert re.search(reason, str(caught.value.found))


@pytest.mark.parametrize("defect", ["broken_jpeg", "missing_image"])
@pytest.mark.fault(14, only="broken")
@pytest.mark.fault(12, only="missing")
def test_pairs_of_an_unseen_image_have_no_index(
    defect: str, converted: Convert, tmp_path: Path
) -> None:
    """Pairs stay when an image has no pixels: those are null, and the report says so."""
    result = converted(DEFECTS[defect](FILES.items()), allow_missing=100)

    split = {"trn": "train", "val": "validation", "test": "test"}[NAMING.split("/")[1]]
    (file,) = (tmp_path / "out").glob(f"data/pairs_flat/{split}-*")
    columns = ["src_name", "src_index", "src_image"]
    name = IMAGE.removeprefix("ImageAnnotation/").removesuffix(".json")
    for row in pq.read_table(file, columns=columns).to_pylist():
        without_pixels = row["src_name"] == name
        assert without_pixels == (row["src_image"] is None)
        assert (without_pixels and defect == "broken_jpeg") == (row["src_index"] is None)
    noted = any("not annotated or was set aside" in note for note in result.report.notes)
    assert noted == (defect == "broken_jpeg")
    assert ([PHOTO] if defect == "missing_image" else []) == result.report.missing


@pytest.mark.fault(13)
def test_stray_file_is_listed(converted: Convert) -> None:
    """A file that the release does not have is listed and not converted."""
    result = converted(DEFECTS["stray_file"](FILES.items()))

    assert ["JPEGImages/notes.txt"] == result.report.strays


@pytest.mark.parametrize("name", ["PairAnnotation/trn/notes.txt", "PairAnnotation/dev/a.json", "x"])
@pytest.mark.fault(13)
def test_stray_file_anywhere_is_listed(name: str, converted: Convert) -> None:
    """A file at a place that the release does not have is a stray, whatever it holds."""
    result = converted([*FILES.items(), (name, b"{")])

    assert [name] == [stray.removeprefix("SPair-71k/") for stray in result.report.strays]


@pytest.mark.fault(11)
def test_junk_is_counted(converted: Convert) -> None:
    """Leftovers of an operating system are skipped and counted."""
    result = converted(DEFECTS["junk"](FILES.items()))

    assert (4, []) == (result.report.junk, result.report.strays)


@pytest.mark.fault(19)
def test_contradiction_is_listed(converted: Convert) -> None:
    """A pair's field that contradicts its images is listed with both values."""
    result = converted(DEFECTS["pair_field_differs"](FILES.items()))

    (found,) = result.report.differences
    pair = json.loads(FILES[PAIR])
    x, y = pair["src_kps"][0]
    assert (PAIR, f"src_kps of keypoint {pair['kps_ids'][0]}") == (found.member, found.field)
    assert (str([x + 1, y]), str([x, y])) == (found.found, found.expected)


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


def renumbered(release: dict[str, bytes]) -> Members:
    """Return the release with the numbers of its last pair one higher."""
    place = max(name for name in release if name.startswith("PairAnnotation/"))
    pair = json.loads(release[place])
    old = pair["filename"]
    pair["pair_id"] += 1
    pair["filename"] = f"{pair['pair_id']:06d}{old[6:]}"
    for name, content in release.items():
        if name == place:
            yield name.replace(old, pair["filename"]), json.dumps(pair).encode()
        else:
            yield name, content.replace(f"{old}\n".encode(), f"{pair['filename']}\n".encode())


def test_pair_ids_follow_the_count_of_the_release(converted: Convert) -> None:
    """A pair that is not numbered as the release counts is listed."""
    result = converted(renumbered(FILES))

    (found,) = result.report.differences
    assert ("pair_id", 1) == (found.field, int(found.found) - int(found.expected))


def without_last_pair(release: dict[str, bytes]) -> Members:
    """Return the release without its last pair, in the layouts too."""
    place = max(name for name in release if name.startswith("PairAnnotation/"))
    line = f"{json.loads(release[place])['filename']}\n".encode()
    for name, content in release.items():
        if name != place:
            yield name, content.replace(line, b"")


@pytest.mark.fault(12)
def test_absent_pair_is_listed(converted: Convert) -> None:
    """A pair that two images give and the release lacks is listed."""
    result = converted(without_last_pair(FILES))

    (found,) = result.report.differences
    assert ("absent", "present") == (found.found, found.expected)


def test_pair_beside_the_layout_is_set_aside(converted: Convert) -> None:
    """A pair that no layout lists is set aside, under the name of its file."""
    place = max(name for name in FILES if name.startswith("PairAnnotation/"))
    line = f"{json.loads(FILES[place])['filename']}\n".encode()
    stream = [
        (name, content.replace(line, b"") if name.startswith("Layout/") else content)
        for name, content in FILES.items()
    ]

    result = converted(stream)

    split = place.split("/")[1]
    reason = f"not listed in Layout/large/{split}.txt"
    assert [Quarantined(place, reason)] == result.report.quarantine


def test_line_of_the_small_layout_alone_is_listed(converted: Convert) -> None:
    """The small layout is a part of the large one."""
    stream = {**FILES, "Layout/small/val.txt": b"000001-a-b:cat\n"}

    result = converted(stream.items())

    (found,) = result.report.differences
    assert ("Layout/small/val.txt", "000001-a-b:cat") == (found.member, found.found)


@pytest.mark.parametrize(
    ("content", "found"), [(b"a-b:cat\n" * 2, "a-b:cat more than once"), (b"\xff\n", "ascii")]
)
def test_bad_layout_is_refused(content: bytes, found: str, converted: Convert) -> None:
    """A layout that repeats a line or is no text is refused."""
    with pytest.raises(AnnotationError, match=found) as caught:
        converted({**FILES, "Layout/large/trn.txt": content}.items())

    assert "Layout/large/trn.txt" == caught.value.member


@pytest.mark.fault(20)
def test_image_in_two_splits_is_refused(converted: Convert) -> None:
    """An image is of one split: pairs of two splits that name it are refused."""
    pair = max(name for name in FILES if name.startswith("PairAnnotation/trn/"))
    moved = {
        name.replace("/trn/", "/val/") if name == pair else name: content
        for name, content in FILES.items()
        if not name.startswith("Layout/")
    }

    with pytest.raises(AnnotationError, match="used by two splits"):
        converted(moved.items(), allow_missing=100)


@pytest.mark.fault(20)
def test_repeated_pair_id_is_refused(converted: Convert) -> None:
    """Within a split, no two pairs have one id."""
    first, second = [name for name in FILES if name.startswith("PairAnnotation/trn/")][:2]
    twin = json.loads(FILES[second])
    twin["pair_id"] = json.loads(FILES[first])["pair_id"]
    twin["filename"] = f"{twin['pair_id']:06d}{twin['filename'][6:]}"
    stream = {name: content for name, content in FILES.items() if name != second}
    stream[f"PairAnnotation/trn/{twin['filename']}.json"] = json.dumps(twin).encode()
    kept = [item for item in stream.items() if not item[0].startswith("Layout/")]

    with pytest.raises(AnnotationError) as caught:
        converted(kept, allow_missing=100)

    assert "pair_id" == caught.value.field


@pytest.mark.parametrize(
    ("place", "content", "reason"),
    [
        (PHOTO, MASK, "a PNG under the name of a JPEG"),
        (MASK, PHOTO, "a JPEG under the name of a PNG"),
    ],
)
@pytest.mark.fault(14)
def test_wrong_suffix_is_set_aside(
    place: str, content: str, reason: str, converted: Convert
) -> None:
    """A picture of another format than its name says is set aside."""
    result = converted({**FILES, place: FILES[content]}.items())

    assert [Quarantined(IMAGE, f"{place}: {reason}")] == result.report.quarantine


@pytest.mark.parametrize(
    "left",
    [
        ("PairAnnotation",),
        ("PairAnnotation", "Layout"),
        ("PairAnnotation", "Layout", "ImageAnnotation"),
        ("PairAnnotation", "JPEGImages", "Segmentation"),
        ("ImageAnnotation", "PairAnnotation/test", "JPEGImages"),
        ("PairAnnotation/val", "Layout/large/val.txt"),
    ],
)
@pytest.mark.fault(12)
def test_parts_of_a_release_are_converted_when_allowed(
    left: tuple[str, ...], converted: Convert
) -> None:
    """Whatever parts of a release there are, they give rows, and the rest is listed."""
    stream = [(name, content) for name, content in FILES.items() if name.startswith(left)]
    pairs = sum(name.startswith("PairAnnotation/") for name, _ in stream)

    result = converted(stream, allow_missing=100)

    assert pairs == rows(result, "pairs")
    assert pairs == rows(result, "pairs_flat")
    assert result.report.missing
    assert not result.manifest["complete"]


@pytest.mark.parametrize("left", ["ImageAnnotation", "Layout", "JPEGImages", "README"])
def test_release_without_pairs_is_refused(left: str, converted: Convert) -> None:
    """A release that gives no row at all is refused even when parts may be missing."""
    stream = [(name, content) for name, content in FILES.items() if name.startswith(left)]

    with pytest.raises(MissingError):
        converted(stream, allow_missing=100)


@pytest.mark.fault(6)
def test_links_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    """A link in an unpacked release is reported, and what it names is missing."""
    raw = pack_folder(FILES.items(), tmp_path / "raw")
    (raw / PHOTO).rename(tmp_path / "photo.jpg")
    (raw / PHOTO).symlink_to(tmp_path / "photo.jpg")

    result = convert("spair71k", str(raw), str(tmp_path / "out"), Options(allow_missing=100))

    assert ([PHOTO], [PHOTO]) == (result.report.skipped_links, result.report.missing)
