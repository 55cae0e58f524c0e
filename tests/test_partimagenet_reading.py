"""From a raw PartImageNet release, however it is packed, to rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from rawshelf.errors import MissingError, SourceError
from rawshelf.miniature import pack_folder, pack_zip
from rawshelf.partimagenet.classes import info_lines, object_classes
from rawshelf.partimagenet.release import PARTS, SUPERCATEGORIES
from tests.fakes.partimagenet import (
    OOD_LAYOUTS,
    SEG_LAYOUTS,
    document,
    expected_mask,
    expected_whole_mask,
)
from tests.partimagenet_reading import (
    OOD,
    RAW_SPLITS,
    SEG,
    Read,
    decoded,
    defective,
    of_release,
    read,
)

# pycocotools 2.0.11 was built for numpy 1; only the fakes' expectations decode with it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


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


@pytest.mark.parametrize("step", [1, 3])
def test_rows_planned_a_few_at_a_time_are_the_same(
    step: int, seg: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """However many rows are planned at once; a full release takes several steps a split."""
    monkeypatch.setattr("rawshelf.partimagenet.tables._STEP", step)
    path = pack_zip(iter(SEG.items()), tmp_path / "seg.zip")
    found = read(path, tmp_path / "work")
    assert max(len(table["parts"].chunks) for table in found.rows.values()) > 1
    same_rows(seg, found)


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
        assert files == list(left)
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


def test_masks_of_ood_are_drawn_by_the_rule(ood: Read) -> None:
    """Drawn masks equal those of the plainest use of pycocotools, and whole is the union."""
    for split, raw in RAW_SPLITS.items():
        coco = document(OOD, raw)
        for row in ood.rows["ood", split].to_pylist():
            assert expected_mask(coco, row["image_id"]).tolist() == decoded(row["part_mask"])
            assert expected_whole_mask(coco, row["image_id"]).tolist() == decoded(row["whole_mask"])


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


def test_classes_table() -> None:
    """158 classes, in the order of the whole masks, 109, 19 and 30 of them in the OOD splits."""
    classes = object_classes()
    assert list(range(158)) == [each.whole_id for each in classes]
    assert len({each.wnid for each in classes}) == len({each.name for each in classes}) == 158
    counts: Callable[[str], int] = [each.ood_split for each in classes].count
    assert (109, 19, 30) == (counts("train"), counts("val"), counts("test"))
    assert len(info_lines()) == 159
    assert set(SUPERCATEGORIES) == {part.partition(" ")[0] for part in PARTS}
