"""Every single error that is planted in an SPair-71k release is found and named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rawshelf.claims import Verdict
from rawshelf.miniature import pack_tar, pack_zip
from rawshelf.spair71k import miniature
from rawshelf.verification import Verification, verify_release
from tests.fakes.spair71k import DEFECTS
from tests.pngs import with_content
from tests.verifying import Place, Sound, contradictions, flip_in_zip, places

NAME = "spair71k"
Files = dict[str, bytes]
Plant = Callable[[Files], Place]

# Table 1 says 6458 and 3794: the README of the real annotations tells of this one pair of images.
SCALE_OF_THE_REAL_PAIRS = {"easy": 6460, "medium": 3792}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    folder = tmp_path_factory.mktemp("spair71k")
    return Sound(NAME, dict(miniature.members()), pack_tar, folder)


def first(files: Files, prefix: str) -> str:
    return next(name for name in files if name.startswith(prefix))


def edited(files: Files, name: str, edit: Callable[[Any], None]) -> None:
    document = json.loads(files[name])
    edit(document)
    files[name] = json.dumps(document).encode("ascii")


def renamed(files: Files, name: str, other: str) -> None:
    files[other] = files.pop(name)


def test_a_sound_release_contradicts_in_counts_only(sound: Sound) -> None:
    """Whatever is claimed beside numbers of images and pairs holds."""
    assert set() == places(contradictions(sound.found))
    agreed = {c.subject for c in sound.found.checks if c.verdict is Verdict.AGREES}
    assert {"missing files", "photographs and masks that decode", "images in two splits"} <= agreed
    assert sound.found.refusal is None
    assert 1 == sound.found.exit_code


def pair_in_another_split(files: Files) -> Place:
    name = first(files, "PairAnnotation/trn/")
    other = name.replace("/trn/", "/val/")
    renamed(files, name, other)
    return other, "split"


def point_of_a_pair(files: Files) -> Place:
    name = first(files, "PairAnnotation/val/")
    slot = json.loads(files[name])["kps_ids"][1]

    def shift(pair: Any) -> None:
        pair["trg_kps"][1][1] += 1

    edited(files, name, shift)
    return name, f"trg_kps of keypoint {slot}"


def point_of_an_image(files: Files) -> Place:
    name = "ImageAnnotation/" + _source(files)
    # A point that no pair has cannot be compared with anything.
    slot = json.loads(files[first(files, "PairAnnotation/trn/")])["kps_ids"][0]

    def shift(image: Any) -> None:
        image["kps"][slot][0] += 1

    edited(files, name, shift)
    return name, f"kps/{slot}"


def azimuth_of_an_image(files: Files) -> Place:
    name = "ImageAnnotation/" + _source(files)
    edited(files, name, lambda image: image.update(azimuth_id=(image["azimuth_id"] + 4) % 8))
    return name, "azimuth_id"


def box_of_an_image(files: Files) -> Place:
    name = "ImageAnnotation/" + _source(files)

    def shift(image: Any) -> None:
        image["bndbox"][0] += 1

    edited(files, name, shift)
    return name, "bndbox"


def _source(files: Files) -> str:
    pair = json.loads(files[first(files, "PairAnnotation/trn/")])
    return f"{pair['category']}/{pair['src_imname'].removesuffix('.jpg')}.json"


def pair_file_renamed(files: Files) -> Place:
    name = first(files, "PairAnnotation/test/")
    other = name.replace("test/0", "test/9")
    renamed(files, name, other)
    return other, "filename"


def annotation_renamed(files: Files) -> Place:
    name = first(files, "ImageAnnotation/")
    other = name.replace(".json", "0.json")
    renamed(files, name, other)
    return other, "category and filename"


def photograph_renamed(files: Files) -> Place:
    name = first(files, "JPEGImages/")
    renamed(files, name, name.replace(".jpg", "0.jpg"))
    return name, ""


def layout_line_dropped(files: Files) -> Place:
    name = "Layout/large/trn.txt"
    line, _, rest = files[name].decode().partition("\n")
    files[name] = rest.encode()
    return f"PairAnnotation/trn/{line}.json", ""


def layout_line_for_no_pair(files: Files) -> Place:
    files["Layout/large/val.txt"] += b"009999-2008_000001-2008_000002:cat\n"
    return "PairAnnotation/val/009999-2008_000001-2008_000002:cat.json", ""


def small_line_beyond_large(files: Files) -> Place:
    files["Layout/small/val.txt"] += b"009999-2008_000001-2008_000002:cat\n"
    return "Layout/small/val.txt", "line"


def annotations_of_two_categories_swapped(files: Files) -> Place:
    one, other = _two_sizes(files)
    files[one], files[other] = files[other], files[one]
    return one, "category and filename"


def photographs_of_two_categories_swapped(files: Files) -> Place:
    annotations = _two_sizes(files)
    one, other = map(_photograph, annotations)
    files[one], files[other] = files[other], files[one]
    return annotations[0], ""


def _photograph(annotation: str) -> str:
    return annotation.replace("ImageAnnotation", "JPEGImages").replace(".json", ".jpg")


def _two_sizes(files: Files) -> tuple[str, str]:
    """Return the first image and one of another category and width."""
    images = {n: json.loads(files[n]) for n in files if n.startswith("ImageAnnotation/")}
    (one, image), *others = images.items()
    keys = ("category", "image_width")
    return one, next(n for n, other in others if all(other[k] != image[k] for k in keys))


def byte_of_a_width(files: Files) -> Place:
    name = first(files, "ImageAnnotation/")
    flip(files, name, files[name].index(b'image_width": ') + len(b'image_width": '))
    return name, ""


def byte_of_a_photograph(files: Files) -> Place:
    name = first(files, "ImageAnnotation/")
    flip(files, _photograph(name), 0)
    return name, ""


def flip(files: Files, name: str, at: int) -> None:
    data = bytearray(files[name])
    data[at] ^= 1
    files[name] = bytes(data)


PLANTS = (
    pair_in_another_split,
    point_of_a_pair,
    point_of_an_image,
    azimuth_of_an_image,
    box_of_an_image,
    pair_file_renamed,
    annotation_renamed,
    photograph_renamed,
    layout_line_dropped,
    layout_line_for_no_pair,
    small_line_beyond_large,
    annotations_of_two_categories_swapped,
    photographs_of_two_categories_swapped,
    byte_of_a_width,
    byte_of_a_photograph,
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_error_is_named(plant: Plant, sound: Sound) -> None:
    """By its file and field."""
    files = dict(sound.members)
    place = plant(files)

    assert place in places(sound.planted(files.items()))


HARMLESS = {"junk", "stray_file"}


@pytest.mark.parametrize("defect", sorted(DEFECTS))
def test_a_defect_contradicts_unless_it_is_harmless(defect: str, sound: Sound) -> None:
    """What a release has beside is told, and no more."""
    added = sound.planted(DEFECTS[defect](iter(sound.members.items())))

    assert (defect not in HARMLESS) == bool(places(added)), added


@pytest.mark.fault(12)
def test_all_missing_files_are_listed_at_once(sound: Sound) -> None:
    """Each by its name."""
    files = dict(sound.members)
    gone = [name for name in files if name.startswith(("Segmentation/cat/", "Layout/small/"))]
    for name in gone:
        del files[name]

    added = sound.planted(files.items())

    assert {(name, "") for name in gone} == places({c for c in added if c.claimed == "present"})


def test_a_mask_that_does_not_decode_is_named_by_deep(sound: Sound) -> None:
    """Where the checksum is right, only a decoder can tell."""
    files = dict(sound.members)
    name = first(files, "Segmentation/")
    files[name] = with_content(files[name], b"IDAT", bytes(40))

    assert set() == places(sound.planted(files.items()))
    (found,) = [c for c in sound.planted(files.items(), deep=True) if c.member]
    assert (name, "image") == (found.member, found.field)
    assert str(found.observed).startswith("does not decode")


@pytest.mark.fault(17)
def test_a_mask_with_a_flipped_bit_is_named(sound: Sound) -> None:
    """By its checksum, without decoding: its image is no row."""
    files = dict(sound.members)
    name = first(files, "Segmentation/")
    flip(files, name, files[name].index(b"IDAT") + len(b"IDAT") + 8)

    (found,) = [c for c in sound.planted(files.items()) if c.member]

    assert name.split("/")[1:] == found.member.replace(".json", ".png").split("/")[1:]
    assert f"{name}: the PNG is damaged: the checksum of its chunk 'IDAT' differs" == found.observed


@pytest.mark.parametrize("prefix", ["PairAnnotation/val/", "JPEGImages/", "README"])
@pytest.mark.fault(2)
def test_a_flipped_bit_in_a_zip_is_named(prefix: str, sound: Sound, tmp_path: Path) -> None:
    """By the member and its CRC-32; what can be told otherwise is told, and the exit code is 3."""
    raw = pack_zip(sound.members.items(), tmp_path / "raw.zip")
    name = first(sound.members, prefix)
    flip_in_zip(raw, name)

    found = verify_release(NAME, str(raw))

    assert (name, "CRC-32") in places(sound.added(found))
    assert 3 == found.exit_code
    assert found.input["bytes"] == raw.stat().st_size
    assert {"rows", "archive"} <= {check.group for check in found.checks}


@pytest.mark.fault(2)
def test_a_flipped_bit_in_a_compressed_tar_is_told(sound: Sound, tmp_path: Path) -> None:
    """It cannot be read to its end, so that nothing is said to agree."""
    raw = pack_tar(sound.members.items(), tmp_path / "raw.tar.gz")
    data = bytearray(raw.read_bytes())
    data[len(data) // 2] ^= 4
    raw.write_bytes(data)

    found = verify_release(NAME, str(raw))

    assert 3 == found.exit_code
    assert found.refusal is not None
    assert "content" in {check.group for check in contradictions(found)}
    rows = {check.verdict for check in found.checks if check.group == "rows"}
    assert {Verdict.UNCHECKED} == rows


@pytest.fixture(scope="module")
def real_split(real_test_tar: Path) -> Verification:
    return verify_release(NAME, str(real_test_tar))


def test_real_test_split_agrees_cell_by_cell(real_split: Verification) -> None:
    """All 32 cells of Tables 1 and 2, but the two that are known to differ in this copy."""
    cells = [c for c in real_split.checks if c.group.startswith("paper, Table")]
    cells = [check for check in cells if check.subject.startswith("test: ")]

    differing = {c.subject.split()[-1]: c.observed for c in cells if c.claimed != c.observed}
    assert 14 + 18 == len(cells)
    assert SCALE_OF_THE_REAL_PAIRS == differing


def test_real_test_split_lacks_the_other_splits_only(real_split: Verification) -> None:
    """The files that are named are the layouts that are not there."""
    absent = {f"Layout/{s}/{split}.txt" for s in ("large", "small") for split in ("trn", "val")}

    assert {(name, "") for name in absent} == places(contradictions(real_split))
