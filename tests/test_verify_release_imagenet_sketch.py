"""Every single error that is planted in an ImageNet-Sketch release is found and named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rawshelf.claims import Verdict
from rawshelf.imagenet_sketch.miniature import WNIDS, members
from rawshelf.miniature import pack_zip
from rawshelf.verification import verify_release
from tests.fakes.imagenet_sketch import DEFECTS, full_count
from tests.verifying import Place, Sound, contradictions, flip_in_zip, places

NAME = "imagenet_sketch"
Files = dict[str, bytes]
Plant = Callable[[Files], set[Place]]
ONE, OTHER = (f"sketch/{wnid}" for wnid in WNIDS[:2])
COUNT = "number of images"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    folder = tmp_path_factory.mktemp("imagenet_sketch")
    return Sound(NAME, dict(members(wnids=WNIDS[:3])), pack_zip, folder)


@pytest.mark.slow
def test_a_release_of_full_count_contradicts_nowhere(tmp_path: Path) -> None:
    """Though the README says 50,000, which is known to be wrong."""
    full = verify_release(NAME, str(pack_zip(full_count(), tmp_path / "ImageNet-Sketch.zip")))

    assert set() == contradictions(full)
    assert 0 == full.exit_code
    (known,) = [check for check in full.checks if check.verdict is Verdict.KNOWN]
    assert (50_000, 50_889) == (known.claimed, known.observed)
    assert "issue 1" in known.source


def test_a_sound_release_contradicts_in_counts_only(sound: Sound) -> None:
    """Whatever is claimed beside numbers of images holds."""
    assert {COUNT} == {field for _, field in places(contradictions(sound.found))}


def test_constant_images_and_copies_are_known_defects(sound: Sound) -> None:
    """Deep only: each constant image is named, copies are counted by their kind."""
    known = [check for check in sound.found.checks if check.verdict is Verdict.KNOWN]

    constant = {check.member for check in known if check.subject == "constant image"}
    assert {f"{ONE}/sketch_8.JPEG"} == constant
    copies = {c.subject.split()[-1] for c in known if c.subject.startswith("images that repeat")}
    assert {"copy", "mirror", "flip", "rotate180"} == copies


def moved_to_another_class(files: Files) -> set[Place]:
    files[f"{OTHER}/sketch_51.JPEG"] = files.pop(f"{ONE}/sketch_3.JPEG")
    return {(ONE, COUNT), (OTHER, COUNT), (f"{ONE}/sketch_3.JPEG", "")}


def moved_to_a_folder_that_is_no_class(files: Files) -> set[Place]:
    files["sketch/n00000001/sketch_0.JPEG"] = files.pop(f"{ONE}/sketch_0.JPEG")
    return {("sketch/n00000001/sketch_0.JPEG", ""), (ONE, COUNT)}


def renamed(files: Files) -> set[Place]:
    files[f"{ONE}/drawing_2.JPEG"] = files.pop(f"{ONE}/sketch_2.JPEG")
    return {(ONE, COUNT), (f"{ONE}/sketch_2.JPEG", "")}


def byte_of_a_header(files: Files) -> set[Place]:
    name = f"{OTHER}/sketch_1.JPEG"
    files[name] = b"\xfe" + files[name][1:]
    return {(name, "image")}


PLANTS = (moved_to_another_class, moved_to_a_folder_that_is_no_class, renamed, byte_of_a_header)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_error_is_named(plant: Plant, sound: Sound) -> None:
    """By its file and field."""
    files = dict(sound.members)
    expected = plant(files)

    assert expected <= places(sound.planted(files.items()))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.fault(2)
def test_a_flipped_bit_is_named(deep: bool, sound: Sound, tmp_path: Path) -> None:
    """By the member and its CRC-32, while all other images are looked at."""
    raw = pack_zip(sound.members.items(), tmp_path / "raw.zip")
    name = f"{ONE}/sketch_4.JPEG"
    flip_in_zip(raw, name)

    found = verify_release(NAME, str(raw), deep=deep)

    assert {(name, "CRC-32")} == places(sound.added(found))
    assert 1 == found.exit_code
    whole = next(c for c in found.checks if c.subject == "images that are whole JPEGs")
    count = len(sound.members)
    assert (f"{count} of {count}", f"{count - 1} of {count}") == (whole.claimed, whole.observed)


HARMLESS = {"junk", "outside_any_class", "undecodable_jpeg", "number_twice"}


@pytest.mark.parametrize("defect", sorted(DEFECTS))
def test_a_defect_contradicts_unless_it_is_harmless(defect: str, sound: Sound) -> None:
    """What a release has beside is told, and no more; a header hides what does not decode."""
    added = sound.planted(DEFECTS[defect](iter(sound.members.items())))

    assert (defect not in HARMLESS) == bool(places(added)), added


def test_an_image_that_does_not_decode_is_named_by_deep(sound: Sound) -> None:
    """With the reason."""
    name = next(iter(sound.members))
    added = sound.planted(DEFECTS["undecodable_jpeg"](iter(sound.members.items())), deep=True)

    (found,) = [check for check in added if check.member]
    assert (name, "image") == (found.member, found.field)
    assert str(found.observed).startswith("does not decode")
