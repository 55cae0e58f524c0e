"""Each defect of an SPair-71k release is refused, set aside or listed, and named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rawshelf.convert import Options, Result, convert
from rawshelf.errors import AnnotationError, MissingError, RawshelfError, SourceError
from rawshelf.miniature import pack_folder
from rawshelf.report import Quarantined
from tests.conftest import Convert
from tests.fakes.spair71k import DEFECTS
from tests.spair71k_files import FILES, IMAGE, PAIR

PHOTO = IMAGE.replace("ImageAnnotation", "JPEGImages").replace(".json", ".jpg")
MASK = IMAGE.replace("ImageAnnotation", "Segmentation").replace(".json", ".png")
STEM = IMAGE.rpartition("/")[2].removesuffix(".json")
NAMING = next(name for name in FILES if name.startswith("PairAnnotation/") and f"-{STEM}-" in name)

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
