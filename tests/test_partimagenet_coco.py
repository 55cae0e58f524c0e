"""COCO files of PartImageNet, read however they are spelt and exported as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pycocotools.coco import COCO

from rawshelf.errors import AnnotationError, MissingError
from rawshelf.miniature import pack_zip
from rawshelf.partimagenet.coco import read_coco
from rawshelf.partimagenet.export import export_coco
from tests.fakes.partimagenet import document, expected_mask
from tests.partimagenet_reading import OOD, RAW_SPLITS, Read, decoded, read

# pycocotools 2.0.11 was built for numpy 1; only the fakes' expectations decode with it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

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
