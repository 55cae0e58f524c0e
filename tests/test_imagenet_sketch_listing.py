"""ImageNet-Sketch is listed by wnid, wherever its class folders lie; nothing shifts a label."""

import csv
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from rawshelf import labels
from rawshelf.errors import SourceError
from rawshelf.imagenet_sketch.columns import LABEL
from rawshelf.imagenet_sketch.listing import RELEASE_ORDER, SHUFFLED, in_order, note_counts, read
from rawshelf.imagenet_sketch.miniature import COPIES, WNIDS, members
from rawshelf.imagenet_sketch.release import IMAGES, RELEASE, UNDETERMINED, expected_per_class
from rawshelf.imagenet_sketch.tables import prepare
from rawshelf.miniature import Members, pack_folder, pack_tar, pack_zip
from rawshelf.release import Job
from rawshelf.report import Difference, Quarantined
from rawshelf.sources import Source
from tests.fakes.imagenet_sketch import DEFECTS, QUOTA_PAGE, full_count

FEW = WNIDS[:2]
# The first, second and last row of the release: index, file name. They must never change.
PINNED = [
    (47386, "sketch/n07693725/sketch_8.JPEG"),
    (38828, "sketch/n04086273/sketch_1.JPEG"),
    (5985, "sketch/n01968897/sketch_27.JPEG"),
]


def job(raw: Path, folder: Path, *configs: str) -> Job:
    return Job(Source(str(raw)), configs or ("default",), str(folder))


def few() -> Iterator[tuple[str, bytes]]:
    return members(wnids=FEW, drawings=1)


def packed(release: Members, tmp_path: Path) -> Job:
    return job(pack_zip(release, tmp_path / "ImageNet-Sketch.zip"), tmp_path)


@pytest.fixture(scope="module")
def full_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the fake of full count."""
    return pack_zip(full_count(), tmp_path_factory.mktemp("full") / "ImageNet-Sketch.zip")


@pytest.fixture(scope="module")
def full_job(full_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    return job(full_zip, tmp_path_factory.mktemp("work"))


@pytest.mark.parametrize("root", ["sketch/", "sketch/sketch/", "images/", "", "a/b/sketch/"])
@pytest.mark.parametrize("kind", ["zip", "folder", "tar", "tar.gz"])
def test_roots(root: str, kind: str, tmp_path: Path) -> None:
    """The class folders are found under any root and in any container, with the same names."""
    release = [(root + name.removeprefix("sketch/"), content) for name, content in few()]
    if kind == "folder":
        raw = pack_folder(release, tmp_path / "raw")
    elif kind == "zip":
        raw = pack_zip(release, tmp_path / "raw.zip")
    else:
        raw = pack_tar(release, tmp_path / f"raw.{kind}", gzip=kind == "tar.gz")

    found = read(job(raw, tmp_path))

    assert sorted(name for name, _ in few()) == [sketch.file_name for sketch in found]
    assert list(range(len(found))) == [sketch.index for sketch in found]


def test_numbers_order_numerically(tmp_path: Path) -> None:
    """In release order, sketch_10 comes after sketch_9."""
    release = [(f"sketch/{FEW[0]}/sketch_{k}.JPEG", b"") for k in (10, 9, 0)]

    assert [0, 9, 10] == [sketch.number for sketch in read(packed(release, tmp_path))]


def test_two_roots(tmp_path: Path) -> None:
    """Class folders at two places refuse the release."""
    release = packed(DEFECTS["two_roots"](few()), tmp_path)

    with pytest.raises(SourceError) as caught:
        read(release)

    assert f"old/sketch/{FEW[0]}/sketch_0.JPEG" == caught.value.member
    assert "old/sketch/ beside sketch/" == caught.value.found


@pytest.mark.fault(9)
def test_duplicate_member(tmp_path: Path) -> None:
    """A member that stands twice refuses the release."""
    release = packed(DEFECTS["duplicate_member"](few()), tmp_path)

    with pytest.raises(SourceError, match="same name"):
        read(release)


@pytest.mark.fault(13)
def test_strays(tmp_path: Path) -> None:
    """What lies outside of the class folders is listed, not converted, and shifts no label."""
    release = packed(DEFECTS["outside_any_class"](few()), tmp_path)
    found = read(release)

    assert [
        "sketch/sketch_0.JPEG",
        "sketch/aardvark/sketch_0.JPEG",
        "sketch/n01440764/readme.txt",
    ] == release.report.strays
    assert sorted(name for name, _ in few()) == [sketch.file_name for sketch in found]


def test_number_with_leading_zero(tmp_path: Path) -> None:
    """A number with a leading zero is a stray: it does not replace the image without."""
    release = packed(DEFECTS["number_twice"](few()), tmp_path)

    assert len(list(few())) == len(read(release))
    assert [f"sketch/{FEW[0]}/sketch_00.JPEG"] == release.report.strays


@pytest.mark.fault(19)
def test_unknown_class(tmp_path: Path) -> None:
    """Images of a wnid that is no class are set aside and shift no label."""
    release = packed(DEFECTS["unknown_class"](few()), tmp_path)
    table = prepare(release).tables["default", "test"]

    assert [
        Quarantined(f"sketch/{wnid}/sketch_0.JPEG", f"{wnid} is none of the 1,000 classes")
        for wnid in ("n00000001", "n02084071")
    ] == release.report.quarantine
    assert {(0, FEW[0]), (1, FEW[1])} == set(
        zip(table["label"].to_pylist(), table["wnid"].to_pylist(), strict=True)
    )


@pytest.mark.fault(11)
def test_junk(tmp_path: Path) -> None:
    """Leftovers of an operating system are counted and nothing else."""
    release = packed(DEFECTS["junk"](few()), tmp_path)

    assert len(list(few())) == len(read(release))
    assert 3 == release.source.guard.junk
    assert [] == release.report.strays


@pytest.mark.fault(3)
def test_quota_page(tmp_path: Path) -> None:
    """The page that Drive sends in place of the zip is refused, with what to do."""
    raw = tmp_path / "ImageNet-Sketch.zip"
    raw.write_bytes(QUOTA_PAGE)

    with pytest.raises(SourceError) as caught:
        Source(str(raw))

    assert "a web page" == caught.value.found
    assert "quota" in caught.value.remedy


def test_label_names_as_published(real: Path) -> None:
    """The label's names are those of ILSVRC/imagenet-1k, all 1,000, in order."""
    table = (real / "labels" / "imagenet_1k.tsv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))

    assert [row["hf_imagenet1k_name"] for row in rows] == list(LABEL.names)
    assert [row["wnid"] for row in rows] == labels.wnids()


def test_expected_counts(real: Path) -> None:
    """The facts on the counts of classes are those that were derived."""
    table = (real / "imagenet_sketch" / "expected_counts.tsv").read_text("ascii").splitlines()
    rows = list(csv.DictReader(table, delimiter="\t"))

    assert {row["wnid"]: row["n_images"] for row in rows} == {
        wnid: "|".join(str(count) for count in expected_per_class(wnid)) for wnid in labels.wnids()
    }


def test_expected_counts_add_up() -> None:
    """With two of the undetermined twelve at 50, the classes hold 50,889 images in all."""
    known = [expected_per_class(wnid) for wnid in labels.wnids() if wnid not in UNDETERMINED]

    assert {(50,): 109, (51,): 879} == Counter(known)
    assert IMAGES == sum(count for (count,) in known) + 2 * 50 + 10 * 51
    assert [50_000, IMAGES] == [claim.rows for claim in RELEASE.claims]


def test_full_count(full_job: Job) -> None:
    """A release of full count contradicts nothing."""
    found = read(full_job)
    note_counts(found, full_job)

    assert len(found) == IMAGES
    assert {51: 889, 50: 111} == Counter(Counter(sketch.wnid for sketch in found).values())
    assert ([], []) == (full_job.report.notes, full_job.report.differences)


@pytest.mark.fault(12)
def test_other_counts(tmp_path: Path) -> None:
    """Classes with another count than published, and those without images, are reported."""
    release = packed(few(), tmp_path)
    note_counts(read(release), release)
    first = 1 + len(COPIES)  # the first class has a black image too

    assert [
        Difference(f"sketch/{FEW[0]}", "number of images", f"{first} images", "50 or 51"),
        Difference(f"sketch/{FEW[1]}", "number of images", f"{first - 1} images", "50 or 51"),
    ] == release.report.differences
    assert ["998 of 1,000 classes have no image"] == release.report.notes
    assert {"classes compared with their published counts": 1000} == release.report.checked


def test_order_of_rows(full_job: Job) -> None:
    """Rows come in an order that is pinned, and does not depend on the order of the listing."""
    sketches = read(full_job)
    rows = in_order(sketches, SHUFFLED)
    other = random.Random(1).sample(sketches, len(sketches))

    assert rows == in_order(other, SHUFFLED)
    assert PINNED == [(row.index, row.file_name) for row in (*rows[:2], rows[-1])]
    assert 600 < len({row.wnid for row in rows[:1000]})
    assert sketches == in_order(sketches, RELEASE_ORDER)


def test_order_of_part_of_a_release(full_job: Job) -> None:
    """Rows of part of the release come in the order that they have in the whole."""
    sketches = read(full_job)
    part = sketches[100:5000]
    wanted = set(part)

    assert [row for row in in_order(sketches, SHUFFLED) if row in wanted] == in_order(
        part, SHUFFLED
    )
