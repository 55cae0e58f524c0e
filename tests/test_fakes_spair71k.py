"""The fake releases of SPair-71k are what they claim to be."""

import json
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rawshelf.miniature import (
    MARK_RADIUS,
    Members,
    colon_to_dash,
    draw_photo,
    mark_colour,
    pack_folder,
    pack_tar,
    pack_zip,
)
from rawshelf.spair71k.miniature import CLASS_IDS, KEYPOINT_IDS, SPLITS, members
from rawshelf.spair71k.miniature_pairs import pair_documents
from tests.fakes.spair71k import DEFECTS, full_size, real_test_annotations, real_test_split
from tests.fakes.spair71k_tables import (
    IMAGES,
    OCCLUSION,
    PAIRS,
    SCALE,
    SMALL,
    TRUNCATION,
    VIEWPOINT,
    annotations,
    image_count,
    strangers,
)

REAL = Path(__file__).parents[2] / "shared" / "real" / "spair71k"
needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real fragments of the release are not beside the repository"
)

Documents = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def miniature() -> dict[str, bytes]:
    return dict(members())


@pytest.fixture(scope="module")
def pairs() -> Documents:
    """Return the pairs of the full-size fake."""
    return list(pair_documents(annotations()))


def _documents(release: dict[str, bytes], folder: str) -> list[dict[str, Any]]:
    return [json.loads(release[name]) for name in release if name.startswith(f"{folder}/")]


def test_full_size_images_by_split() -> None:
    """The full size has the paper's number of images, 100 in each category."""
    counts = {split: len(images) for split, images in annotations().items()}
    by_category = Counter(i["category"] for images in annotations().values() for i in images)

    assert counts == IMAGES
    assert by_category == dict.fromkeys(PAIRS, 100)


def test_full_size_pairs_by_category(pairs: Documents) -> None:
    """The full size satisfies every cell of Table 2."""
    counts = Counter((split, pair["category"]) for split, pair in pairs)

    assert counts == {
        (split, category): PAIRS[category][column]
        for column, split in enumerate(SPLITS)
        for category in PAIRS
    }
    assert len(pairs) == 70_958


@pytest.mark.parametrize(
    ("field", "table"),
    [
        ("viewpoint_variation", VIEWPOINT),
        ("scale_variation", SCALE),
        ("truncation", TRUNCATION),
        ("occlusion", OCCLUSION),
    ],
)
def test_full_size_pairs_by_difficulty(
    pairs: Documents, field: str, table: dict[str, tuple[int, ...]]
) -> None:
    """The full size satisfies every cell of Table 1."""
    counts = Counter((split, pair[field]) for split, pair in pairs)

    assert counts == {
        (split, code): count for split, row in table.items() for code, count in enumerate(row)
    }


def test_full_size_strangers(pairs: Documents) -> None:
    """Images without a common keypoint are the only ones that are no pair."""
    for column, split in enumerate(SPLITS):
        for category in PAIRS:
            count = image_count(category, split)
            apart = 2 * len(strangers(category, split))
            assert PAIRS[category][column] == count * (count - 1) - apart
    assert {len(pair["kps_ids"]) > 0 for _, pair in pairs} == {True}


def test_full_size_layouts() -> None:
    """The layouts of the full size have the release's sizes and its numbers of lines."""
    release = dict(full_size(images=False))
    large = {split: len(release[f"Layout/large/{split}.txt"]) for split in SPLITS}
    small = {split: release[f"Layout/small/{split}.txt"].splitlines() for split in SPLITS}

    assert large == {"trn": 1_999_262, "val": 202_906, "test": 461_486}
    assert {split: len(lines) for split, lines in small.items()} == SMALL
    for split in SPLITS:
        assert set(small[split]) < set(release[f"Layout/large/{split}.txt"].splitlines())
    assert sum(name.startswith("PairAnnotation/") for name in release) == 70_958


def test_full_size_last_pair_ids(pairs: Documents) -> None:
    """An image paired with itself uses a number up, images without a common keypoint do not."""
    last = {split: pair["pair_id"] for split, pair in pairs}

    assert last == {"trn": 54_335, "val": 5_704, "test": 12_713}


def test_full_size_keypoints_inside_boxes() -> None:
    """Made-up keypoints lie in their box, the box in its photo, ids in their category's."""
    for images in annotations().values():
        for image in images:
            xmin, ymin, xmax, ymax = image["bndbox"]
            points = {int(i): point for i, point in image["kps"].items() if point}
            assert 1 <= xmin < xmax <= image["image_width"]
            assert 1 <= ymin < ymax <= image["image_height"]
            assert set(points) <= set(KEYPOINT_IDS[image["category"]])
            assert all(xmin <= x + 1 <= xmax and ymin <= y + 1 <= ymax for x, y in points.values())


@needs_real
def test_real_annotations_expand_to_the_real_files() -> None:
    """The abbreviated test annotations expand to the release's own bytes, newline included."""
    release = {"ImageAnnotation": 0, "PairAnnotation": 0}
    for name, content in _real_test_text():
        path = REAL / "SPair-71k" / name
        if path.is_file():
            assert content == path.read_bytes()
            release[name.partition("/")[0]] += 1

    assert release == {"ImageAnnotation": 2, "PairAnnotation": 3}


def _real_test_text() -> Iterator[tuple[str, bytes]]:
    """Yield the JSON of the real test split without drawing."""
    images = real_test_annotations(REAL)
    for image in images:
        name = f"ImageAnnotation/{image['category']}/{image['filename'][:-4]}.json"
        yield name, json.dumps(image).encode("ascii")
    for split, pair in pair_documents({"test": images}):
        yield f"PairAnnotation/{split}/{pair['filename']}.json", json.dumps(pair).encode("ascii")


@needs_real
def test_real_lengths() -> None:
    """Every expanded annotation is as long as the real file, one of them with a newline."""
    lines = (REAL / "test_image_annotations.txt").read_text(encoding="ascii").splitlines()
    lengths = {line.split()[0]: int(line.split()[1]) for line in lines}
    members_of_split = real_test_split(REAL)
    written = {}
    for name, content in members_of_split:
        if name.startswith("JPEGImages/"):
            break
        if name.startswith("ImageAnnotation/"):
            written[name[len("ImageAnnotation/") : -len(".json")]] = len(content)

    assert written == lengths


@needs_real
def test_real_layout_size() -> None:
    """The real test pairs make a layout of the real size, with Table 2's counts."""
    derived = [pair for _, pair in pair_documents({"test": real_test_annotations(REAL)})]

    assert sum(len(pair["filename"]) + 1 for pair in derived) == 461_486
    assert Counter(pair["category"] for pair in derived) == {c: n for c, (_, _, n) in PAIRS.items()}


@needs_real
def test_real_validation_motorbikes() -> None:
    """The law gives the real validation pairs of the one category whose images are at hand."""
    folder = REAL / "SPair-71k"
    images = [
        json.loads(path.read_bytes()) for path in (folder / "ImageAnnotation/motorbike").iterdir()
    ]
    lines = (folder / "Layout/large/val.motorbike-slice.txt").read_text("ascii").splitlines()
    before = int(lines[0][:6]) - 1  # ids that the categories ahead of it use up
    derived = []
    for _, pair in pair_documents({"val": images}):
        number = pair["pair_id"] + before
        pair.update(pair_id=number, filename=f"{number:06d}{pair['filename'][6:]}")
        derived.append(pair)
    real = {p.stem: p.read_bytes() for p in (folder / "PairAnnotation/val").glob("*motorbike.json")}
    written = {pair["filename"]: json.dumps(pair).encode("ascii") for pair in derived}

    assert lines == [pair["filename"] for pair in derived][: len(lines)]
    assert len(derived) == 238
    assert real == {name: written[name] for name in real}
    assert len(real) == 3


def test_miniature_counts(miniature: dict[str, bytes]) -> None:
    """Each category has 7 images of three files; two training images of one are no pair."""
    counts = Counter(name.split("/")[0] for name in miniature)

    assert counts["ImageAnnotation"] == counts["JPEGImages"] == counts["Segmentation"] == 126
    assert counts["PairAnnotation"] == 18 * (6 + 2 + 2) - 2
    assert counts["Layout"] == 6


def test_miniature_shared_photo(miniature: dict[str, bytes]) -> None:
    """One photograph is in two categories, once for validation and once for test."""
    names = [name for name in miniature if name.startswith("JPEGImages/")]
    stems = Counter(name.rpartition("/")[2] for name in names)
    [(shared, count)] = [item for item in stems.most_common() if item[1] > 1]
    one, other = (miniature[name] for name in names if name.endswith(shared))
    splits = [s for s in SPLITS if shared[:-4] in miniature[f"Layout/large/{s}.txt"].decode()]

    assert count == 2
    assert one == other
    assert splits == ["val", "test"]


def test_miniature_oddities(miniature: dict[str, bytes]) -> None:
    """There are a pair with one keypoint, a final newline, every code and pose."""
    pair_files = _documents(miniature, "PairAnnotation")
    images = _documents(miniature, "ImageAnnotation")
    newline = [
        name for name, text in miniature.items() if name[-5:] == ".json" and text[-1:] == b"\n"
    ]

    assert min(len(pair["kps_ids"]) for pair in pair_files) == 1
    assert len(newline) == 1
    assert {pair["viewpoint_variation"] for pair in pair_files} == {0, 1, 2}
    assert {pair["scale_variation"] for pair in pair_files} == {0, 1, 2}
    assert {pair["truncation"] for pair in pair_files} == {0, 1, 2, 3}
    assert {pair["occlusion"] for pair in pair_files} == {0, 1, 2, 3}
    assert {i["pose"] for i in images} == {"Frontal", "Left", "Rear", "Right", "Unspecified"}
    assert {tuple(image["kps"]) for image in images} == {tuple(str(i) for i in range(30))}


def test_miniature_photos_show_their_keypoints(miniature: dict[str, bytes]) -> None:
    """A photo has its size and the colour of each keypoint id where the keypoint is."""
    for image in _documents(miniature, "ImageAnnotation"):
        name = f"JPEGImages/{image['category']}/{image['filename']}"
        pixels = np.asarray(Image.open(BytesIO(miniature[name])).convert("RGB"), dtype=int)
        assert pixels.shape == (image["image_height"], image["image_width"], 3)
        for i, point in image["kps"].items():
            if point:
                assert abs(pixels[point[1], point[0]] - mark_colour(int(i))).max() < 40


def test_miniature_masks(miniature: dict[str, bytes]) -> None:
    """A mask is a palette image of the photo's size that holds its class and void, in its box."""
    for image in _documents(miniature, "ImageAnnotation"):
        name = f"Segmentation/{image['category']}/{image['filename'][:-4]}.png"
        mask = Image.open(BytesIO(miniature[name]))
        ys, xs = np.nonzero(np.asarray(mask) == CLASS_IDS[image["category"]])
        xmin, ymin, xmax, ymax = image["bndbox"]
        assert mask.mode == "P"
        assert mask.size == (image["image_width"], image["image_height"])
        assert 255 in np.asarray(mask)
        assert xmin <= xs.min() + 1 < xs.max() + 1 <= xmax
        assert ymin <= ys.min() + 1 < ys.max() + 1 <= ymax


def test_miniature_is_deterministic(miniature: dict[str, bytes]) -> None:
    """The same seed gives the same members, another seed others."""
    assert miniature == dict(members())
    assert set(miniature) != set(dict(members(seed=1)))


def test_one_category_is_enough() -> None:
    """A release of one category has no shared photo and is written all the same."""
    names = [name for name, _ in members(images_per_split={"trn": 2}, categories=("cat",))]

    assert sum(name.startswith("PairAnnotation/trn/") for name in names) == 2


@pytest.mark.parametrize("pack", [pack_tar, pack_zip])
def test_packers_are_deterministic(pack: Callable[[Members, Path], Path], tmp_path: Path) -> None:
    """Equal members make archives of equal bytes under different names."""
    few = [("a/b.txt", b"1"), ("a/c:d.txt", b"2")]

    assert (
        pack(few, tmp_path / "one").read_bytes() == pack(few, tmp_path / "other.bin").read_bytes()
    )


def test_tar_has_folders_in_front_of_their_members(tmp_path: Path) -> None:
    """A tar lists each folder once, before what is in it, unless told not to."""
    few = [("a/b.txt", b"1"), ("a/c/d.txt", b"2")]
    with tarfile.open(pack_tar(few, tmp_path / "x.tar.gz", wrapper="w")) as tar:
        names = tar.getnames()
    with tarfile.open(pack_tar(few, tmp_path / "x.tar", gzip=False, directories=False)) as tar:
        plain = tar.getnames()

    assert names == ["w", "w/a", "w/a/b.txt", "w/a/c", "w/a/c/d.txt"]
    assert plain == ["a/b.txt", "a/c/d.txt"]


def test_folder_and_zip_hold_the_members(tmp_path: Path) -> None:
    """A folder and a zip hold the same content, under other names if asked to rename."""
    few = [("a/b:c.txt", b"1")]
    root = pack_folder(few, tmp_path / "r", wrapper="w", rename=colon_to_dash)
    path = pack_zip([*few, *few], tmp_path / "x.zip", compression=zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()

    assert (root / "w" / "a" / "b-c.txt").read_bytes() == b"1"
    assert names == ["a/b:c.txt", "a/b:c.txt"]


def test_photo_fills_up_to_its_size() -> None:
    """A photo of a given number of bytes has exactly that many and still decodes."""
    photo = draw_photo(
        120, 80, seed=5, marks=[(0, 60, 40)], box=(1, 1, 118, 78), size_bytes=150_000
    )
    pixels = np.asarray(Image.open(BytesIO(photo)).convert("RGB"), dtype=int)

    assert len(photo) == 150_000
    assert abs(pixels[40, 60 + MARK_RADIUS - 1] - (255, 0, 0)).max() < 60


@pytest.mark.parametrize("defect", DEFECTS)
def test_defects_change_little(defect: str, miniature: dict[str, bytes]) -> None:
    """A defect changes the release, the same way each time, and leaves most files alone."""
    harmed = list(DEFECTS[defect](miniature.items()))
    same = sum(miniature.get(name) == content for name, content in harmed)

    assert harmed != list(miniature.items())
    assert harmed == list(DEFECTS[defect](miniature.items()))
    assert same >= len(miniature) - 6
