"""From a raw PartImageNet release, however it is packed, to rows and back to COCO files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageOps
from pycocotools.coco import COCO

from rawshelf import masks
from rawshelf.blobs import BlobReader
from rawshelf.errors import AnnotationError, MissingError, SourceError
from rawshelf.features import IMAGE_TYPE, schema
from rawshelf.members import Blob
from rawshelf.miniature import pack_folder, pack_zip
from rawshelf.partimagenet import DATASET
from rawshelf.partimagenet.classes import info_lines, object_classes
from rawshelf.partimagenet.coco import read_coco
from rawshelf.partimagenet.export import export_coco
from rawshelf.partimagenet.inspection import inspect
from rawshelf.partimagenet.miniature import members, ood_members
from rawshelf.partimagenet.release import PARTS, SUPERCATEGORIES
from rawshelf.release import Job
from rawshelf.sources import Source
from tests.fakes.partimagenet import (
    OOD_DEFECTS,
    OOD_LAYOUTS,
    SEG_DEFECTS,
    SEG_LAYOUTS,
    expected_mask,
    expected_whole_mask,
)
from tests.fakes.partimagenet_json_defects import JSON_DEFECTS

# Of every split of OOD; among them the class of the CMYK photo and a bicycle.
WNIDS = ("n02492035", "n02422699", "n03792782", "n04509417", "n02835271")
SEG = dict(members(wnids=WNIDS, side=64))
OOD = dict(ood_members(wnids=WNIDS, side=64))
CONFIGS = tuple(config.name for config in DATASET.configs)
RAW_SPLITS = {"train": "train", "validation": "val", "test": "test"}

# pycocotools 2.0.11 was built for numpy 1; only the fakes' expectations decode with it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Read(NamedTuple):
    """A release that was read.

    Attributes:
        job: With its report.
        rows: The derived rows of each (config, split), as a table.
        aside: What deriving set aside: file name and reason.
    """

    job: Job
    rows: dict[tuple[str, str], pa.Table]
    aside: dict[str, str]

    def row(self, config: str, split: str, name: str) -> dict[str, Any]:
        """Return the row of one file name."""
        rows: list[dict[str, Any]] = self.rows[config, split].to_pylist()
        [row] = [r for r in rows if r["file_name"].endswith(name)]
        return row


def read(path: Path, work: Path, configs: tuple[str, ...] = CONFIGS, **options: Any) -> Read:
    """Prepare a release and derive all rows, as a shard's writer does."""
    work.mkdir(exist_ok=True)
    job = Job(Source(str(path)), configs, str(work), order=DATASET.orders[0])
    for name, value in options.items():
        setattr(job, name, value)
    prepared = DATASET.prepare(job)
    rows, aside = {}, {}
    for (name, split), planned in prepared.tables.items():
        config = DATASET.config(name)
        table = filled(planned, prepared.blobs)
        if config.derive is not None:
            table, bad = pickle.loads(pickle.dumps(config.derive))(table)  # noqa: S301 - our own
            aside.update({each.member: each.reason for each in bad})
        rows[name, split] = table.cast(schema(config.columns))
    return Read(job, rows, aside)


def filled(table: pa.Table, blobs: pa.Table) -> pa.Table:
    """Put images in place of indices."""
    entries = blobs.to_pylist()
    for place, item in enumerate(table.schema):
        if item.type == pa.int32() and item.name in {"image", "part_mask", "whole_mask"}:
            images = [stored(entries, index) for index in table[item.name].to_pylist()]
            table = table.set_column(place, item.name, pa.array(images, IMAGE_TYPE))
    return table


def stored(entries: list[dict[str, Any]], index: int | None) -> dict[str, Any] | None:
    if index is None:
        return None
    entry = dict(entries[index])
    name = entry.pop("name")
    with BlobReader() as reader:
        return {"bytes": bytes(reader.read(Blob(**entry), name)), "path": name.rpartition("/")[2]}


def of_release(release: dict[str, bytes], end: str) -> bytes:
    [name] = [name for name in release if name.endswith(end)]
    return release[name]


def document(release: dict[str, bytes], split: str) -> Any:
    names = [n for n in release if n.endswith(f"{split}.json") and "_whole/" not in n]
    return json.loads(release[min(names, key=len)])


@pytest.fixture(scope="module")
def seg(tmp_path_factory: pytest.TempPathFactory) -> Read:
    folder = tmp_path_factory.mktemp("seg")
    return read(pack_zip(iter(SEG.items()), folder / "seg.zip"), folder / "work")


@pytest.fixture(scope="module")
def ood(tmp_path_factory: pytest.TempPathFactory) -> Read:
    folder = tmp_path_factory.mktemp("ood")
    return read(pack_zip(iter(OOD.items()), folder / "ood.zip"), folder / "work")


def same_rows(expected: Read, found: Read) -> None:
    assert list(expected.rows) == list(found.rows)
    for key, table in expected.rows.items():
        assert table.equals(found.rows[key]), key


@pytest.mark.parametrize("layout", SEG_LAYOUTS)
def test_every_seg_layout_gives_the_same_rows(layout: str, seg: Read, tmp_path: Path) -> None:
    """However the Seg release is packed, its rows are the same."""
    (tmp_path / "raw").mkdir()
    path = SEG_LAYOUTS[layout](iter(SEG.items()), tmp_path / "raw")
    same_rows(seg, read(path, tmp_path / "work"))


@pytest.mark.parametrize("layout", OOD_LAYOUTS)
def test_every_ood_layout_gives_the_same_rows(layout: str, ood: Read, tmp_path: Path) -> None:
    """However the OOD release is packed, in zips within the zip too, its rows are the same."""
    (tmp_path / "raw").mkdir()
    path = OOD_LAYOUTS[layout](iter(OOD.items()), tmp_path / "raw")
    found = read(path, tmp_path / "work")
    same_rows(ood, found)
    assert not found.job.report.strays


def test_both_releases_in_one_folder(seg: Read, ood: Read, tmp_path: Path) -> None:
    """A folder with both zips, as the Hub repository has them, gives all four configs."""
    raw = tmp_path / "raw"
    OOD_LAYOUTS["ood_zip_nested_stored"](iter(OOD.items()), raw)
    SEG_LAYOUTS["seg_zip"](iter(SEG.items()), raw)
    found = read(raw, tmp_path / "work")
    assert {**seg.rows, **ood.rows}.keys() == found.rows.keys()
    for key, table in {**seg.rows, **ood.rows}.items():
        assert table.equals(found.rows[key]), key


def test_nested_zips_are_read_in_place_where_stored(tmp_path: Path) -> None:
    """A stored inner zip needs no temporary file; a deflated one goes through exactly one."""
    for layout, files in (("ood_zip_nested_stored", []), ("ood_zip_nested_deflated", ["nested"])):
        path = OOD_LAYOUTS[layout](iter(OOD.items()), tmp_path / layout)
        found = read(path, tmp_path / f"{layout} work")
        left = (file.name for file in (tmp_path / f"{layout} work").iterdir())
        assert files == [name for name in left if not name.startswith("coco-")]
        ways = [line for line in found.job.report.notes if "is read" in line]
        assert len(ways) == 3


@pytest.mark.fault(7)
def test_deeper_zips_are_refused(tmp_path: Path) -> None:
    """A zip in a zip in a zip is named and refused."""
    inner = pack_zip([("a.zip", b"PK")], tmp_path / "train.zip").read_bytes()
    path = pack_zip([("train.zip", inner)], tmp_path / "outer.zip")
    with pytest.raises(SourceError, match="a zip that itself lies in a zip"):
        read(path, tmp_path / "work")


@pytest.mark.fault(4)
def test_hostile_names_in_inner_zips_are_refused(tmp_path: Path) -> None:
    """The rules for names hold within inner zips."""
    inner = pack_zip([("../evil.json", b"{}")], tmp_path / "train.zip").read_bytes()
    with pytest.raises(SourceError, match="leaves the folder"):
        read(pack_zip([("train.zip", inner)], tmp_path / "outer.zip"), tmp_path / "work")


def test_a_zip_left_beside_its_files_does_not_count(ood: Read, tmp_path: Path) -> None:
    """Who unpacked train.zip and left it there gets each row once, and a note."""
    raw = pack_folder(iter(OOD.items()), tmp_path / "raw")
    photos = [(n, c) for n, c in OOD.items() if n.startswith("train/")]
    pack_zip(photos, raw / "train.zip")
    found = read(raw, tmp_path / "work")
    same_rows(ood, found)
    assert any("stand more than once" in line for line in found.job.report.notes)


@pytest.mark.parametrize("kind", ["seg", "ood"])
def test_rows_hold_what_the_coco_file_says(kind: str, seg: Read, ood: Read) -> None:
    """Ids, names, sizes and annotations are those of the COCO files."""
    found, release = (seg, SEG) if kind == "seg" else (ood, OOD)
    for split, raw in RAW_SPLITS.items():
        coco = document(release, raw)
        rows = {row["image_id"]: row for row in found.rows[kind, split].to_pylist()}
        assert sorted(image["id"] for image in coco["images"]) == sorted(rows)
        for image in coco["images"]:
            row = rows[image["id"]]
            assert {k: row[k] for k in ("file_name", "width", "height")} == {
                k: image[k] for k in ("file_name", "width", "height")
            }
            own = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
            assert [a["segmentation"] for a in own] == row["parts"]["segmentation"]
            assert [a["bbox"] for a in own] == row["parts"]["bbox"]
            assert [a["category_id"] for a in own] == row["parts"]["category"]


def test_annotation_configs_are_the_same_rows_without_pixels(seg: Read, ood: Read) -> None:
    """The configs without pixels have the rows of those with, in the same order."""
    for kind, found in (("seg", seg), ("ood", ood)):
        for split in RAW_SPLITS:
            bare = found.rows[f"{kind}_annotations", split]
            assert bare.equals(found.rows[kind, split].select(bare.column_names))


def test_class_columns(seg: Read) -> None:
    """Label, object class and super-category follow from the wnid."""
    classes = {each.wnid: each for each in object_classes()}
    for row in seg.rows["seg_annotations", "train"].to_pylist():
        known = classes[row["file_name"].partition("_")[0]]
        assert (known.wnid, known.label, known.whole_id, known.supercategory) == (
            row["wnid"],
            row["label"],
            row["object_class"],
            SUPERCATEGORIES[row["supercategory"]],
        )


def test_rows_are_shuffled_and_the_release_order_is_to_be_had(tmp_path: Path) -> None:
    """By default super-categories are mixed; order `release` is the COCO file's."""
    path = pack_zip(iter(OOD.items()), tmp_path / "ood.zip")
    shuffled = read(path, tmp_path / "a", ("ood_annotations",))
    released = read(path, tmp_path / "b", ("ood_annotations",), order="release")
    key = "ood_annotations", "train"
    ids = released.rows[key]["image_id"].to_pylist()
    assert list(range(len(ids))) == ids
    mixed = shuffled.rows[key]["image_id"].to_pylist()
    assert ids == sorted(mixed)
    assert ids != mixed


def test_released_masks_are_kept_byte_for_byte(seg: Read) -> None:
    """The masks of `seg` are the release's files."""
    for split, raw in RAW_SPLITS.items():
        for row in seg.rows["seg", split].to_pylist():
            stem = row["file_name"].removesuffix(".JPEG")
            assert of_release(SEG, f"/{raw}/{stem}.png") == row["part_mask"]["bytes"]
            assert of_release(SEG, f"/{raw}_whole/{stem}.png") == row["whole_mask"]["bytes"]
            assert of_release(SEG, f"/{raw}/{stem}.JPEG") == row["image"]["bytes"]


def decoded(image: dict[str, Any]) -> Any:
    return masks.decode_png(memoryview(image["bytes"])).tolist()


def test_masks_of_ood_are_drawn_by_the_rule(ood: Read) -> None:
    """Drawn masks equal those of the plainest use of pycocotools, and whole is the union."""
    for split, raw in RAW_SPLITS.items():
        coco = document(OOD, raw)
        for row in ood.rows["ood", split].to_pylist():
            assert expected_mask(coco, row["image_id"]).tolist() == decoded(row["part_mask"])
            assert expected_whole_mask(coco, row["image_id"]).tolist() == decoded(row["whole_mask"])


def defective(
    kind: str, defect: str, folder: Path, configs: tuple[str, ...] = CONFIGS, **options: Any
) -> tuple[Read, dict[str, bytes]]:
    release, defects = (SEG, SEG_DEFECTS) if kind == "seg" else (OOD, OOD_DEFECTS)
    files = dict(defects[defect](iter(release.items())))
    path = pack_zip(iter(files.items()), folder / "raw.zip")
    return read(path, folder / "work", configs, **options), files


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


@pytest.mark.parametrize("defect", ["orientation_big_endian", "orientation_little_endian"])
@pytest.mark.fault(16)
def test_orientation_is_neutralised(defect: str, seg: Read, tmp_path: Path) -> None:
    """A tag that would turn the photograph is set to 1, and nothing else is changed."""
    found, files = defective("seg", defect, tmp_path)
    name = document(files, "train")["images"][0]["file_name"]
    row = found.row("seg", "train", name)
    released = of_release(files, name)
    assert (6, True) == (row["exif_orientation"], row["exif_neutralised"])
    changed = [i for i, b in enumerate(row["image"]["bytes"]) if b != released[i]]
    assert (1, len(released)) == (len(changed), len(row["image"]["bytes"]))
    with Image.open(BytesIO(row["image"]["bytes"])) as image:
        assert (row["width"], row["height"]) == ImageOps.exif_transpose(image).size
    others = {
        (r["exif_orientation"], r["exif_neutralised"]) for r in seg.rows["seg", "train"].to_pylist()
    }
    assert {(1, False)} == others


@pytest.mark.fault(16)
def test_orientation_that_the_annotation_follows_stays(tmp_path: Path) -> None:
    """Where the annotation fits the turned photograph only, the tag has to stay."""
    found, files = defective("seg", "orientation_annotated_as_turned", tmp_path)
    name = document(files, "train")["images"][0]["file_name"]
    row = found.row("seg", "train", name)
    assert (6, False) == (row["exif_orientation"], row["exif_neutralised"])
    assert of_release(files, name) == row["image"]["bytes"]


def test_xmp_orientation_is_neutralised(tmp_path: Path) -> None:
    """Pillow obeys XMP too, so that a tag there is set to 1 as well."""
    files = dict(SEG)
    [place] = [n for n in files if n.endswith(document(files, "train")["images"][0]["file_name"])]
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="8"/>'
    segment = b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp
    files[place] = files[place][:2] + segment + files[place][2:]
    found = read(pack_zip(iter(files.items()), tmp_path / "raw.zip"), tmp_path / "work", ("seg",))
    row = found.row("seg", "train", place.rpartition("/")[2])
    assert (8, True) == (row["exif_orientation"], row["exif_neutralised"])
    assert b'tiff:Orientation="1"' in row["image"]["bytes"]


@pytest.mark.fault(16)
def test_colour_modes_are_told(tmp_path: Path) -> None:
    """Grey, colour and the release's CMYK photograph keep their bytes; `mode` tells them."""
    found, files = defective("seg", "cmyk_jpeg", tmp_path)
    rows = [row for split in RAW_SPLITS for row in found.rows["seg", split].to_pylist()]
    [cmyk] = [row for row in rows if row["mode"] == 2]
    assert cmyk["file_name"] == "n02492035_15739.JPEG"
    assert of_release(files, "n02492035_15739.JPEG") == cmyk["image"]["bytes"]
    assert {0, 1, 2} == {row["mode"] for row in rows}


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


def test_annotations_alone_are_enough_for_their_config(ood: Read, tmp_path: Path) -> None:
    """The three JSON files, all that the first host still has, give `ood_annotations`."""
    files = [(name, content) for name, content in OOD.items() if name.endswith(".json")]
    path = pack_zip(files, tmp_path / "raw.zip")
    found = read(path, tmp_path / "work")
    assert {"ood_annotations"} == {config for config, _ in found.rows}
    assert any("no photographs" in line for line in found.job.report.notes)
    assert ood.rows["ood_annotations", "test"].equals(found.rows["ood_annotations", "test"])
    with pytest.raises(MissingError, match="None of the wanted configs"):
        read(path, tmp_path / "work", ("seg", "ood"))


def test_two_copies_of_a_release_are_refused(tmp_path: Path) -> None:
    """Which of two copies is meant cannot be known."""
    pack_folder(iter(SEG.items()), tmp_path / "raw" / "a")
    pack_folder(iter(SEG.items()), tmp_path / "raw" / "b")
    with pytest.raises(SourceError, match="twice"):
        read(tmp_path / "raw", tmp_path / "work")


@pytest.mark.fault(20)
def test_an_image_in_two_splits_is_a_difference(tmp_path: Path) -> None:
    """A leak between splits is listed, and both rows stay."""
    found, _ = defective("seg", "image_in_two_splits", tmp_path)
    assert ["train, test"] == [d.found for d in found.job.report.differences if d.field == "split"]


def test_what_no_row_holds_is_told(tmp_path: Path) -> None:
    """Objects of images without parts, of unknown classes, and further keys are not lost unsaid."""
    name = "PartImageNet/annotations/train_whole/train.json"
    coco = json.loads(SEG[name])
    lost = coco["annotations"][0]["image_id"]
    for image in coco["images"]:
        if image["id"] == lost:
            image["file_name"] = "n02422699_999999.JPEG"
    coco["categories"][coco["annotations"][1]["category_id"]]["name"] = "animal"
    coco["info"] = {"year": 2022}
    files = {**SEG, name: json.dumps(coco).encode()}
    raw = pack_zip(iter(files.items()), tmp_path / "raw.zip")
    notes = "\n".join(read(raw, tmp_path / "work", ("seg_annotations",)).job.report.notes)
    assert f"seg train: not converted: info of {name}" in notes
    assert "seg train: 1 annotations of whole objects, of images without parts" in notes
    assert "annotations of whole objects are of no known class: category is null" in notes


IMAGE = {"id": 0, "file_name": "n02422699_1.JPEG", "width": 30, "height": 20}
GOOD = {
    "id": 0,
    "image_id": 0,
    "category_id": 2,
    "segmentation": [[1, 2, 9.5, 2, 9.25, 8]],
    "area": 20.5,
    "bbox": [1, 2, 8.5, 6],
    "iscrowd": 0,
}


def coco_text(*annotations: Any, indent: int | None = None, **others: Any) -> bytes:
    return json.dumps(
        {"images": [IMAGE], "annotations": list(annotations), "categories": [], **others},
        indent=indent,
    ).encode()


def parsed(data: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_coco(
        memoryview(data), "train.json", "raw"
    ).annotations.to_pylist()
    return rows


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_spelling_of_json_does_not_matter(indent: int | None) -> None:
    """Compact or indented, with further keys or without: the annotations are the same."""
    entries = [GOOD | {"id": number} for number in range(50)]
    data = coco_text(*entries, indent=indent, info={"annotations": []}, licenses=[])
    assert [{**entry, "raw": None} for entry in entries] == parsed(data)


def test_a_list_of_the_same_name_within_another_object_does_not_count() -> None:
    """Only the document's own list of annotations is read."""
    document = {"info": {"annotations": [GOOD]}, "images": [IMAGE], "categories": []}
    assert [] == parsed(json.dumps(document | {"annotations": []}).encode())
    entries = [GOOD | {"id": 5}]
    assert [5] == [
        row["id"] for row in parsed(json.dumps(document | {"annotations": entries}).encode())
    ]


def test_windows_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the text is cut into pieces does not matter, not even in text that misleads."""
    odd = GOOD | {"id": 1, "note": "},{ ] }]", "nested": [{"a": [{}, {}]}, {"b": "}, {"}]}
    data = coco_text(GOOD, odd, GOOD | {"id": 2}, GOOD | {"id": 3})
    expected = parsed(data)
    for window in (1, 7, 64, 200, 333):
        monkeypatch.setattr("rawshelf.partimagenet.pieces._WINDOW", window)
        assert expected == parsed(data)
    assert {"note": odd["note"], "nested": odd["nested"]} == json.loads(expected[1]["raw"])


@pytest.mark.parametrize(
    ("change", "column", "value"),
    [
        ({"segmentation": {"size": [20, 30], "counts": [5, 9]}}, "segmentation", []),
        ({"segmentation": [["x"]]}, "segmentation", []),
        ({"bbox": [1, 2]}, "bbox", None),
        ({"area": None}, "area", None),
        ({"area": "large"}, "area", None),
        ({"iscrowd": True}, "iscrowd", None),
        ({"area": 2**53 + 1}, "area", None),
        ({"area": 10**400, "note": 1}, "area", None),
        ({"bbox": [2**60, 0, 1, 1]}, "bbox", None),
        ({"segmentation": [[2**70, 0, 1, 1, 1, 1]]}, "segmentation", []),
    ],
)
def test_what_fits_no_column_is_kept_raw(change: dict[str, Any], column: str, value: Any) -> None:
    """A value of another type leaves its column empty and stands in `raw`."""
    first, second = parsed(coco_text(GOOD, GOOD | {"id": 1} | change))
    assert {**GOOD, "raw": None} == first
    assert value == second[column]
    assert change == json.loads(second["raw"])


@pytest.mark.parametrize(
    ("data", "field", "found"),
    [
        (coco_text(GOOD, GOOD), "annotations/*/id", "0 2 times"),
        (coco_text(GOOD | {"image_id": 7}), "annotations/0/image_id", "7"),
        (coco_text(GOOD | {"category_id": "2"}), "annotations/0/category_id", "'2'"),
        (coco_text(GOOD, {"id": 1}), "annotations/1/image_id", "no such key"),
        (coco_text(GOOD, 5), "annotations/1", "5"),
        (coco_text(images=[IMAGE, IMAGE]), "images/*/id", "0 2 times"),
        (coco_text(images=[IMAGE | {"width": None}]), "images/0/width", "None"),
        (coco_text(images={}), "images", "no such list"),
        (coco_text(GOOD, categories=[{"id": [1]}]), "categories/0/id", "[1]"),
        (coco_text(GOOD, categories=[{"name": "x"}]), "categories/0/id", "no such key"),
        (coco_text(GOOD, categories=[{"id": 3}, {"id": 3}]), "categories/*/id", "3 2 times"),
        (b"[]", None, "list"),
        (b"\xef\xbb\xbf" + coco_text(GOOD), None, "BOM"),
        (coco_text(GOOD)[:-40], None, "line 1"),
        (coco_text(GOOD).replace(b"20.5", b"NaN"), None, "NaN"),
        (coco_text(GOOD).replace(b"20.5", b"1e999"), None, "1e999"),
        (coco_text(GOOD).replace(b'"iscrowd": 0', b'"id": 0, "id": 0'), None, "twice"),
        (coco_text(GOOD, x="\u00e9").replace(b"u00e9", b"xe9"), None, None),
        (b"[" * 200_000, None, None),
    ],
)
@pytest.mark.fault(18)
def test_wrong_coco_files_are_named(data: bytes, field: str | None, found: str | None) -> None:
    """What is wrong is refused with member, field and what was found."""
    with pytest.raises(AnnotationError) as caught:
        parsed(data)
    assert ("train.json", "raw") == (caught.value.member, caught.value.archive)
    assert field == caught.value.field
    assert found is None or found in str(caught.value.found)


def test_file_names_with_backslashes(tmp_path: Path) -> None:
    """A name that Windows spelt is found, and its own spelling is kept in `raw`."""
    coco = document(OOD, "train")
    name = coco["images"][0]["file_name"]
    coco["images"][0]["file_name"] = f"train\\{name}"
    files = {**OOD, "train.json": json.dumps(coco).encode()}
    found = read(pack_zip(iter(files.items()), tmp_path / "raw.zip"), tmp_path / "work", ("ood",))
    row = found.row("ood", "train", name)
    assert f"train/{name}" == row["file_name"]
    assert {"file_name": f"train\\{name}"} == json.loads(row["raw"])
    assert of_release(OOD, name) == row["image"]["bytes"]


STATUSES = {
    "ok": GOOD["segmentation"],
    "degenerate": [[1, 2, 3, 4], [1, 2, 9, 2, 9, 8]],
    "empty": [],
    "zero_area": GOOD["segmentation"],
    "rle": {"size": [20, 30], "counts": [5, 9]},
}


def with_statuses() -> dict[str, bytes]:
    """Give the first training image one part of each status, in place of its own."""
    coco = document(OOD, "train")
    image = coco["images"][0]["id"]
    others = [a for a in coco["annotations"] if a["image_id"] != image]
    odd = [
        GOOD | {"id": 10_000 + n, "image_id": image, "segmentation": polygons, "area": 0.0}
        if status == "zero_area"
        else GOOD | {"id": 10_000 + n, "image_id": image, "segmentation": polygons}
        for n, (status, polygons) in enumerate(STATUSES.items())
    ]
    coco["annotations"] = odd + others
    return {**OOD, "train.json": json.dumps(coco).encode()}


@pytest.mark.fault(19)
def test_degenerate_annotations_are_kept_and_told(tmp_path: Path) -> None:
    """Every annotation stays, with a status, and the report counts the defects."""
    files = with_statuses()
    found = read(pack_zip(iter(files.items()), tmp_path / "raw.zip"), tmp_path / "work", ("ood",))
    coco = document(files, "train")
    row = found.row("ood", "train", coco["images"][0]["file_name"])
    names = ("ok", "zero_area", "degenerate", "empty", "rle")
    assert list(STATUSES) == [names[code] for code in row["parts"]["status"]]
    assert expected_mask(coco, row["image_id"]).tolist() == decoded(row["part_mask"])
    notes = "\n".join(found.job.report.notes)
    for what in ("polygons of 4 numbers", "annotations of run lengths", "annotations of area 0"):
        assert f"ood train: 1 {what}" in notes


def write(found: Read, out: Path) -> Path:
    for (config, split), table in found.rows.items():
        path = out / "data" / config / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    return out


@pytest.mark.parametrize("configs", [("ood", "ood_annotations"), ("ood",)])
def test_export_equals_the_release(configs: tuple[str, ...], tmp_path: Path) -> None:
    """COCO files made from a conversion equal the release's, and pycocotools loads them."""
    files = with_statuses()
    path = pack_zip(iter(files.items()), tmp_path / "raw.zip")
    out = write(read(path, tmp_path / "work", configs), tmp_path / "out")
    written = export_coco(str(out), str(tmp_path / "coco"))
    assert [str(tmp_path / "coco" / "ood" / f"{s}.json") for s in RAW_SPLITS.values()] == written
    for target, split in zip(written, RAW_SPLITS.values(), strict=True):
        expected, made = document(files, split), json.loads(Path(target).read_bytes())
        assert expected["categories"] == made["categories"]
        for key in ("images", "annotations"):
            assert sorted(expected[key], key=lambda e: e["id"]) == made[key]
        assert len(expected["annotations"]) == len(COCO(target).anns)


def test_export_needs_a_conversion(tmp_path: Path) -> None:
    """A folder that is none is refused."""
    with pytest.raises(MissingError, match="no annotations"):
        export_coco(str(tmp_path), str(tmp_path / "coco"))


def inspected(files: Iterator[tuple[str, bytes]], folder: Path) -> dict[str, Any]:
    (folder / "work").mkdir()
    job = Job(Source(str(pack_zip(files, folder / "raw.zip"))), (), str(folder / "work"))
    report: dict[str, Any] = json.loads(json.dumps(inspect(job)))
    return report


def test_inspect_answers_the_open_questions(tmp_path: Path) -> None:
    """The report is JSON and says what the release shows."""
    report = inspected(iter(SEG.items()), tmp_path)
    train = report["releases"]["seg"]["splits"]["train"]
    assert train["image_ids"]["contiguous_from_0"]
    assert train["whole_objects"]["categories_equal_the_table"]
    assert train["cross_check"]["mean agreement of an image"] > 0.95
    assert not train["cross_check"]["parts shown under another index"]
    counts = train["cross_check"]["counts"]
    assert counts["whole masks equal to the union of the parts"] == train["images"]
    assert report["answers"]["images of seg per split"] == {"train": 15, "val": 5, "test": 5}
    assert report["answers"]["images known to be CMYK in ImageNet"]["n02492035_15739"] == ["seg"]


def test_inspect_finds_parts_in_another_order(tmp_path: Path) -> None:
    """Masks whose Bicycle parts are in another order than the COCO file are found out."""
    body, head = PARTS.index("Bicycle Body"), PARTS.index("Bicycle Head")
    files = dict(SEG)
    for name, content in SEG.items():
        if "/annotations/train/" in name and name.endswith(".png"):
            mask = masks.decode_png(memoryview(content))
            other = np.where(mask == body, head, np.where(mask == head, body, mask))
            files[name] = masks.encode_png(other.astype(np.uint8), masks.palette(40))
    report = inspected(iter(files.items()), tmp_path)
    assert {"Bicycle Body": "Bicycle Head", "Bicycle Head": "Bicycle Body"} == report["answers"][
        "parts shown under another index"
    ]["train"]


@pytest.mark.parametrize("defect", sorted(SEG_DEFECTS))
def test_inspect_reports_every_defect(defect: str, tmp_path: Path) -> None:
    """First contact gives a report, whatever is wrong with the release."""
    report = inspected(iter(SEG_DEFECTS[defect](iter(SEG.items()))), tmp_path)
    assert {"source", "releases", "between_releases", "answers"} == set(report)


def test_classes_table() -> None:
    """158 classes, in the order of the whole masks, 109, 19 and 30 of them in the OOD splits."""
    classes = object_classes()
    assert list(range(158)) == [each.whole_id for each in classes]
    assert len({each.wnid for each in classes}) == len({each.name for each in classes}) == 158
    counts: Callable[[str], int] = [each.ood_split for each in classes].count
    assert (109, 19, 30) == (counts("train"), counts("val"), counts("test"))
    assert len(info_lines()) == 159
    assert set(SUPERCATEGORIES) == {part.partition(" ")[0] for part in PARTS}
