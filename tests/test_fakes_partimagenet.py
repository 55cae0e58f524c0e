"""The fake releases of PartImageNet are what they claim to be."""

import csv
import json
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from rawshelf.partimagenet.miniature import (
    CMYK_NAME,
    SPLITS,
    TOP,
    WNIDS,
    Document,
    categories,
    members,
    ood_members,
    whole_document,
)
from rawshelf.partimagenet.miniature_classes import CLASSES, OOD_ORDER, PARTS, SUPERCATEGORIES
from rawshelf.partimagenet.miniature_scenes import part_colour
from tests.fakes.partimagenet import (
    ANNOTATIONS,
    FEW,
    IMAGES,
    OOD_LAYOUTS,
    SEG_LAYOUTS,
    expected_mask,
    expected_whole_mask,
    ood,
    ood_full_names,
    seg,
)

Files = dict[str, bytes]

TRAINING = f"{TOP}/annotations/train/train.json"


@pytest.fixture(scope="module")
def miniature() -> Files:
    return dict(members())


@pytest.fixture(scope="module")
def ood_miniature() -> Files:
    return dict(ood_members())


def _pixels(content: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(BytesIO(content)))


def _annotated(files: Files) -> Iterator[tuple[str, Document, Document]]:
    """Yield split, COCO document and entry of each image of a Seg release."""
    for split in SPLITS:
        document = json.loads(files[f"{TOP}/annotations/{split}/{split}.json"])
        for image in document["images"]:
            yield split, document, image


def _stem(folder: str, image: Document) -> str:
    return f"{TOP}/annotations/{folder}/{image['file_name'].removesuffix('.JPEG')}"


def test_class_table_is_that_of_the_release(real: Path) -> None:
    """The classes equal the table that was recovered from public code."""
    text = (real / "partimagenet" / "partimagenet_158_classes.tsv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))

    assert [
        (row["wnid"], row["supercategory"], row["ood_split"], int(row["whole_id"])) for row in rows
    ] == list(CLASSES.values())


def test_categories_are_those_of_the_release(real: Path) -> None:
    """The 40 parts have the release's ids, names and super-categories."""
    text = (real / "partimagenet" / "partimagenet_categories.json").read_text("utf-8")

    assert json.loads(text)["categories"] == categories()


def test_counts_of_the_readme() -> None:
    """Classes by super-category and by split are those of the corrected README."""
    by_supercategory = Counter(each.supercategory for each in CLASSES.values())

    assert [46, 17, 10, 14, 15, 20, 19, 6, 4, 2, 5] == [
        by_supercategory[each] for each in SUPERCATEGORIES
    ]
    assert Counter(each.split for each in CLASSES.values()) == {"train": 109, "val": 19, "test": 30}
    assert [each.whole_id for each in CLASSES.values()] == list(range(158))
    assert set(OOD_ORDER) == set(SUPERCATEGORIES)


def test_miniature_has_the_published_layout(miniature: Files) -> None:
    """Photos lie flat, each with part mask, size file and whole mask; four files per split."""
    folders = Counter(name.rpartition("/")[0] for name in miniature)
    count = {"train": 60, "val": 20, "test": 20}

    assert folders == {
        **{f"{TOP}/images/{split}": count[split] for split in SPLITS},
        **{f"{TOP}/annotations/{split}": 2 * count[split] + 1 for split in SPLITS},
        **{f"{TOP}/annotations/{split}_whole": count[split] + 1 for split in SPLITS},
    }
    assert f"{TOP}/images/train/{CMYK_NAME}" in miniature


def test_miniature_shows_everything(miniature: Files) -> None:
    """Every split has every class; training has every part, repeated, split and overlapping."""
    classes = {
        split: {name.rpartition("/")[2][:9] for name in miniature if f"images/{split}/" in name}
        for split in SPLITS
    }
    document = json.loads(miniature[TRAINING])
    annotations = document["annotations"]
    repeated = Counter((each["image_id"], each["category_id"]) for each in annotations)

    assert classes == {split: set(WNIDS) for split in SPLITS}
    assert {each["category_id"] for each in annotations} == set(range(40))
    assert max(repeated.values()) >= 2
    assert {len(each["segmentation"]) for each in annotations} == {1, 2}
    assert {each["iscrowd"] for each in annotations} == {0}
    assert min(each["area"] for each in annotations) > 0


def test_miniature_ids(miniature: Files) -> None:
    """Ids start at 0 in each split and follow the order of the file."""
    for split in SPLITS:
        for folder in (split, f"{split}_whole"):
            document = json.loads(miniature[f"{TOP}/annotations/{folder}/{split}.json"])
            for section in ("images", "annotations", "categories"):
                entries = document[section]
                assert [each["id"] for each in entries] == list(range(len(entries)))


def test_miniature_sizes(miniature: Files) -> None:
    """Photo, both masks, size file and COCO files agree on the size."""
    for split, _, image in _annotated(miniature):
        shape = (image["height"], image["width"])
        size = json.loads(miniature[f"{_stem(split, image)}.json"])
        photo = _pixels(miniature[f"{TOP}/images/{split}/{image['file_name']}"])
        assert size == {"imgHeight": shape[0], "imgWidth": shape[1]}
        assert photo.shape[:2] == shape
        assert _pixels(miniature[f"{_stem(split, image)}.png"]).shape == shape
        assert _pixels(miniature[f"{_stem(f'{split}_whole', image)}.png"]).shape == shape


def test_miniature_masks_follow_the_polygons(miniature: Files) -> None:
    """Part and whole mask differ from the polygons' raster at borders only."""
    for split, document, image in _annotated(miniature):
        part = _pixels(miniature[f"{_stem(split, image)}.png"])
        whole = _pixels(miniature[f"{_stem(f'{split}_whole', image)}.png"])
        expected = expected_mask(document, image["id"])
        whole_id = CLASSES[image["file_name"][:9]].whole_id
        assert (part == expected).mean() > 0.97
        assert set(np.unique(part)) == set(np.unique(expected))
        assert set(np.unique(whole)) == {whole_id, 158}
        assert ((whole == whole_id) == (part != 40)).all()
        assert (whole == expected_whole_mask(document, image["id"])).mean() > 0.97


def test_miniature_mask_modes(miniature: Files) -> None:
    """Part and whole masks come as L and as P; what is P has the photo's colours."""
    modes = Counter(
        (Image.open(BytesIO(content)).mode, "_whole/" in name)
        for name, content in miniature.items()
        if name.endswith(".png")
    )
    palettes = [
        Image.open(BytesIO(content)).getpalette()
        for name, content in miniature.items()
        if name.endswith(".png") and "_whole/" not in name
    ]
    [palette] = {tuple(each[: 3 * 41]) for each in palettes if each}

    assert set(modes) == {("L", False), ("P", False), ("L", True), ("P", True)}
    assert min(modes.values()) >= 20
    assert palette[3 * 7 : 3 * 8] == part_colour(7)
    assert palette[3 * 40 :] == (0, 0, 0)


def test_miniature_photos_show_their_parts(miniature: Files) -> None:
    """A photo has the colour of each part inside it; one photo is grey."""
    grey = 0
    for split, document, image in _annotated(miniature):
        photo = _pixels(miniature[f"{TOP}/images/{split}/{image['file_name']}"])
        mask = expected_mask(document, image["id"])
        if photo.ndim == 2:
            grey += 1
            continue
        for category_id in set(mask.ravel().tolist()) - {40}:
            middle = np.median(photo[mask == category_id], axis=0)
            assert abs(middle - part_colour(category_id)).max() < 20

    assert grey == 1


def test_miniature_whole_files(miniature: Files) -> None:
    """A whole file has one annotation per image, all polygons of its parts, 158 categories."""
    for split in SPLITS:
        parts = json.loads(miniature[f"{TOP}/annotations/{split}/{split}.json"])
        whole = json.loads(miniature[f"{TOP}/annotations/{split}_whole/{split}.json"])
        assert whole == json.loads(json.dumps(whole_document(parts)))
        assert len(whole["annotations"]) == len(whole["images"])
        assert [each["name"] for each in whole["categories"]] == list(CLASSES)


def test_ood_shows_the_same_photos(miniature: Files, ood_miniature: Files) -> None:
    """OOD splits the same photos by class: real splits, folders of classes, bare file names."""
    flat = {n.rpartition("/")[2]: c for n, c in miniature.items() if n.endswith(".JPEG")}
    nested = {n.rpartition("/")[2]: c for n, c in ood_miniature.items() if n.endswith(".JPEG")}

    assert nested == flat
    for name in ood_miniature:
        split, _, path = name.partition("/")
        if path:
            wnid, _, base = path.partition("/")
            assert (CLASSES[wnid].split, base[:9]) == (split, wnid)
    for split in SPLITS:
        images = json.loads(ood_miniature[f"{split}.json"])["images"]
        assert {f"{split}/{i['file_name'][:9]}/{i['file_name']}" for i in images} == {
            name for name in ood_miniature if name.startswith(f"{split}/")
        }


def test_ood_files_look_like_the_real_ones(ood_miniature: Files) -> None:
    """The validation file is indented and has no Aeroplane; images go by super-category."""
    names = {
        split: [
            PARTS[each["category_id"]].split()[0]
            for each in json.loads(ood_miniature[f"{split}.json"])["annotations"]
        ]
        for split in SPLITS
    }

    assert ood_miniature["val.json"].startswith(b'{\n    "images"')
    assert b"\n" not in ood_miniature["train.json"]
    assert "Aeroplane" not in names["val"]
    assert list(dict.fromkeys(names["train"])) == [e for e in OOD_ORDER if e in names["train"]]


def test_fakes_are_deterministic(few_seg: Files, few_ood: Files) -> None:
    """The same seed gives the same members, another seed other photos."""
    assert list(few_seg.items()) == list(members(wnids=FEW, side=64))
    assert list(few_ood.items()) == list(ood_members(wnids=FEW, side=64))
    assert few_seg.keys() != dict(members(1, wnids=FEW, side=64)).keys()


def test_moderate_releases_have_all_classes() -> None:
    """The releases of moderate size have 632 photos of 158 classes, split as they should be."""
    by_image = Counter(name.split("/")[2] for name, _ in seg() if name.endswith(".JPEG"))
    by_class = {name.rpartition("/")[0] for name, _ in ood() if name.endswith(".JPEG")}

    assert by_image == {"train": 316, "val": 158, "test": 158}
    assert Counter(name.partition("/")[0] for name in by_class) == {
        "train": 109,
        "val": 19,
        "test": 30,
    }


@pytest.mark.slow
def test_full_names(real: Path) -> None:
    """The full release has the real names and ids, counts and classes, and no photo twice."""
    tsv = real / "partimagenet" / "ood_train_images.tsv"
    files = dict(ood_full_names(tsv))
    documents = {split: json.loads(files.pop(f"{split}.json")) for split in SPLITS}
    listed = [line.split("\t") for line in tsv.read_text("ascii").splitlines()[1:]]
    wnids = {split: {n.split("/")[1] for n in files if n.startswith(split)} for split in SPLITS}

    assert [[str(i["id"]), i["file_name"]] for i in documents["train"]["images"]] == [
        [image_id, name] for image_id, _, name in listed
    ]
    assert {split: len(documents[split]["images"]) for split in SPLITS} == IMAGES
    assert sum(len(document["annotations"]) for document in documents.values()) == ANNOTATIONS
    assert {split: len(own) for split, own in wnids.items()} == {
        "train": 109,
        "val": 19,
        "test": 30,
    }
    assert len(set(files.values())) == len(files) == 24_095
    assert _pixels(files[f"train/n04252225/{listed[0][2]}"]).ndim == 3


@pytest.mark.parametrize("layout", SEG_LAYOUTS)
def test_seg_layouts_hold_the_photos(layout: str, few_seg: Files, tmp_path: Path) -> None:
    """Every Seg layout holds every photo, under a name that ends with its own."""
    names = _held(SEG_LAYOUTS[layout](few_seg.items(), tmp_path))

    assert _photos(names) == _photos(few_seg)


@pytest.mark.parametrize("layout", OOD_LAYOUTS)
def test_ood_layouts_hold_the_photos(layout: str, few_ood: Files, tmp_path: Path) -> None:
    """Every OOD layout holds every photo and three JSON files."""
    names = _held(OOD_LAYOUTS[layout](few_ood.items(), tmp_path))

    assert _photos(names) == _photos(few_ood)
    assert 3 == sum(n.endswith(".json") and "._" not in n for n in names)


def _photos(names: Any) -> list[str]:
    bases = [name.rpartition("/")[2] for name in names if name.endswith(".JPEG")]
    return sorted(base for base in bases if not base.startswith("._"))


def _held(path: Path) -> list[str]:
    """Return the names below a folder or in an archive, zips in zips and folders opened."""
    if path.is_dir():
        found = [each for each in path.rglob("*") if each.is_file()]
        inner = [name for each in found if each.suffix == ".zip" for name in _held(each)]
        return [each.relative_to(path).as_posix() for each in found] + inner
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as tar:
            return tar.getnames()
    return _held_zip(BytesIO(path.read_bytes()))


def _held_zip(file: BytesIO) -> list[str]:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        inner = [n for n in names if n.endswith(".zip") and not n.startswith("__MACOSX")]
        return names + [m for n in inner for m in _held_zip(BytesIO(archive.read(n)))]


def test_nested_zips_are_stored_or_compressed(few_ood: Files, tmp_path: Path) -> None:
    """The two ways to nest differ in how the outer zip holds the inner ones."""
    methods = {}
    for layout in ("ood_zip_nested_stored", "ood_zip_nested_deflated"):
        with zipfile.ZipFile(OOD_LAYOUTS[layout](few_ood.items(), tmp_path / layout)) as archive:
            methods[layout] = {i.compress_type for i in archive.infolist() if "zip" in i.filename}

    assert methods == {
        "ood_zip_nested_stored": {zipfile.ZIP_STORED},
        "ood_zip_nested_deflated": {zipfile.ZIP_DEFLATED},
    }
