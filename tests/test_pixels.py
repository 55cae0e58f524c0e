import os
import pickle
import shutil
import subprocess
import sys
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import PIL.Image
import pyarrow as pa
import pytest

import rawshelf
from rawshelf import pixels
from rawshelf.errors import OutputError, RawshelfError, SourceError, UsageError
from tests.conftest import Conversion

COLUMNS = ("image", "segmentation")
# Makes the file, or finds it, and says by which of the two.
MAKER = """
import sys, datasets, rawshelf
from rawshelf import pixels
made, make = [], pixels._make
pixels._make = lambda *given: (made.append(1), make(*given))
images = datasets.load_from_disk(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
found = rawshelf.decoded(images, sys.argv[2])
print(len(made), found.path, int(sum(found[row]["image"].sum() for row in range(len(found)))))
"""


@pytest.fixture(scope="module")
def images(conversion: Conversion) -> datasets.Dataset:
    return datasets.load_dataset(str(conversion.out), "images", split="train")


@pytest.fixture(scope="module")
def pairs(conversion: Conversion) -> datasets.Dataset:
    return datasets.load_dataset(str(conversion.out), "pairs", split="train")


@pytest.fixture(scope="module")
def kept(images: datasets.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file, to be copied and not changed."""
    return rawshelf.decoded(images, tmp_path_factory.mktemp("cache")).path


@pytest.fixture
def copied(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(kept, tmp_path))


def drawn(*pictures: PIL.Image.Image | bytes | None, name: str = "image") -> datasets.Dataset:
    """Return a dataset of pictures, as PNG if they are not encoded."""
    rows = []
    for picture in pictures:
        content = picture
        if isinstance(picture, PIL.Image.Image):
            buffer = BytesIO()
            picture.save(buffer, "PNG")
            content = buffer.getvalue()
        rows.append(None if content is None else {"bytes": content, "path": None})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({name: pa.array(rows, kind)})
    return datasets.Dataset(
        datasets.table.InMemoryTable(table),
        info=datasets.DatasetInfo(features=datasets.Features({name: datasets.Image()})),
    )


def test_pixels_are_those_of_pillow(images: datasets.Dataset, kept: Path) -> None:
    """Photographs in RGB, masks as indices; read-only."""
    found = rawshelf.decoded(images, kept.parent)

    assert (len(images), COLUMNS) == (len(found), found.columns)
    for row, expected in enumerate(images):
        picture, mask = (found.picture(name, row) for name in COLUMNS)
        assert picture is not None
        assert mask is not None
        assert np.array_equal(np.asarray(expected["image"].convert("RGB")), picture)
        assert np.array_equal(np.asarray(expected["segmentation"]), mask)
        assert {np.dtype(np.uint8)} == {picture.dtype, mask.dtype}
        assert not picture.flags.writeable
        assert not mask.flags.writeable
    assert {"image", "segmentation"} == set(found[0])
    with pytest.raises(IndexError):
        found[len(found)]


def test_photographs_of_any_name_are_decoded(conversion: Conversion, tmp_path: Path) -> None:
    """Those of `pairs_flat`, which has two, and their masks."""
    flat = datasets.load_dataset(str(conversion.out), "pairs_flat", split="validation")
    found = rawshelf.decoded(flat, tmp_path)

    for row, expected in enumerate(flat):
        for side in ("src", "trg"):
            photo, mask = (found[row][f"{side}_{name}"] for name in COLUMNS)
            assert photo is not None
            assert mask is not None
            assert np.array_equal(np.asarray(expected[f"{side}_image"].convert("RGB")), photo)
            assert np.array_equal(np.asarray(expected[f"{side}_segmentation"]), mask)


def test_joined_pairs_have_the_decoded_pictures(
    pairs: datasets.Dataset, images: datasets.Dataset, kept: Path
) -> None:
    """As arrays, equal to those that are decoded each time."""
    shuffled = pairs.shuffle(seed=2)
    decoded = rawshelf.join(shuffled, rawshelf.decoded(images, kept.parent))

    for each, expected in zip(decoded, rawshelf.join(shuffled, images), strict=True):
        assert expected.keys() == each.keys()
        for side in ("src", "trg"):
            photo = np.asarray(expected[f"{side}_image"].convert("RGB"))
            assert np.array_equal(photo, each[f"{side}_image"])
            mask = np.asarray(expected[f"{side}_segmentation"])
            assert np.array_equal(mask, each[f"{side}_segmentation"])


def test_columns_may_be_left_out(
    pairs: datasets.Dataset, images: datasets.Dataset, tmp_path: Path
) -> None:
    """What is not held is given as without; what the images do not have, not at all."""
    photos = rawshelf.decoded(images, tmp_path, columns=["image"])
    row = rawshelf.join(pairs, photos, decode=False)[0]
    fewer = rawshelf.join(pairs, images.remove_columns("segmentation"))[0]

    assert isinstance(row["src_image"], np.ndarray)
    assert isinstance(row["src_segmentation"], memoryview)
    assert row.keys() - fewer.keys() == {"src_segmentation", "trg_segmentation"}
    with pytest.raises(UsageError, match="segmentation"):
        rawshelf.decoded(images, tmp_path, columns=["masks"])


def test_the_size_is_known_before(images: datasets.Dataset, kept: Path, tmp_path: Path) -> None:
    """And nothing is written if it is more than allowed."""
    size = rawshelf.decoded_size(images)

    assert kept.stat().st_size == size
    assert rawshelf.decoded_size(images, columns=["image"]) < size
    with pytest.raises(UsageError, match=f"{size:,} bytes"):
        rawshelf.decoded(images, tmp_path, limit=size - 1)
    assert not list(tmp_path.glob("*.pixels*"))
    assert rawshelf.decoded(images, tmp_path, limit=size).path.exists()


def test_nothing_begins_without_space(
    images: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user learns how much is needed."""
    size = rawshelf.decoded_size(images)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 0, size - 1))

    with pytest.raises(OutputError, match=f"{size:,}"):
        rawshelf.decoded(images, tmp_path)
    assert not list(tmp_path.glob("*.pixels*"))


def test_a_full_disk_leaves_nothing(
    images: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it fills up meanwhile, the write is cut short."""
    monkeypatch.setattr(os, "pwrite", lambda *_: 1)

    with pytest.raises(OutputError, match="No space left"):
        rawshelf.decoded(images, tmp_path)
    assert not list(tmp_path.glob("*.pixels*"))


def test_a_cache_that_cannot_be_written_is_named(images: datasets.Dataset, tmp_path: Path) -> None:
    """A file stands where the folder should."""
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="file"):
        rawshelf.decoded(images, tmp_path / "file" / "cache")


def test_it_is_made_once(
    images: datasets.Dataset, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time the file is found by what it holds, whatever the order of the rows."""
    monkeypatch.setattr(pixels, "_make", None)

    assert kept == rawshelf.decoded(images.shuffle(seed=1), kept.parent).path


def test_two_processes_make_one_file(images: datasets.Dataset, tmp_path: Path) -> None:
    """They begin together; one makes it, and both read the same."""
    images.save_to_disk(tmp_path / "images")
    command = [sys.executable, "-c", MAKER, str(tmp_path / "images"), str(tmp_path / "cache")]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in both]

    assert ["0", "1"] == sorted(made for made, *_ in said)
    assert said[0][1:] == said[1][1:]
    assert 1 == len(list((tmp_path / "cache").glob("*.pixels*")))


def test_an_interrupted_making_is_begun_anew(
    images: datasets.Dataset, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is half made never stands under the name."""
    with monkeypatch.context() as patch:
        patch.setattr(pixels, "_decode", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rawshelf.decoded(images, tmp_path)
    assert not list(tmp_path.glob("*.pixels*"))

    assert kept.read_bytes() == rawshelf.decoded(images, tmp_path).path.read_bytes()


def test_other_images_have_another_file(tmp_path: Path) -> None:
    """One pixel differs."""
    one, other = PIL.Image.new("RGB", (4, 3)), PIL.Image.new("RGB", (4, 3))
    other.putpixel((1, 1), (0, 0, 1))
    first, second = (rawshelf.decoded(drawn(each), tmp_path) for each in (one, other))

    assert first.path != second.path
    assert not np.array_equal(first[0]["image"], second[0]["image"])  # type: ignore[arg-type]


def test_another_decoder_has_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pixels may differ."""
    images = drawn(PIL.Image.new("RGB", (4, 3)))
    before = rawshelf.decoded(images, tmp_path).path
    monkeypatch.setattr(PIL, "__version__", "0.0")

    assert before != rawshelf.decoded(images, tmp_path).path


@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "head", "index"])
def test_a_changed_file_is_refused(damage: str, images: datasets.Dataset, copied: Path) -> None:
    """When it is opened."""
    content = bytearray(copied.read_bytes())
    place = {"head": 3, "index": 40}.get(damage)
    if place is not None:
        content[place] ^= 1
    others = {"cut": bytes(content[:-1]), "longer": bytes(content) + b"1", "empty": b""}
    copied.write_bytes(others.get(damage, bytes(content)))

    with pytest.raises(SourceError, match=copied.name):
        rawshelf.decoded(images, copied.parent)


def test_changed_pixels_are_refused(images: datasets.Dataset, copied: Path) -> None:
    """When the picture is asked for; the others are good."""
    content = bytearray(copied.read_bytes())
    content[-1] ^= 1
    copied.write_bytes(content)
    found = rawshelf.decoded(images, copied.parent)
    last = len(images) - 1

    assert found.picture("image", last) is not None
    for _ in range(2):
        with pytest.raises(SourceError, match=f"segmentation of row {last}"):
            found.picture("segmentation", last)


@pytest.mark.parametrize("joined", [False, True])
def test_workers_map_the_same_file(
    joined: bool, images: datasets.Dataset, pairs: datasets.Dataset, copied: Path
) -> None:
    """It is pickled as a path; a worker that does not find it says so."""
    found = rawshelf.decoded(images, copied.parent)
    text = pickle.dumps(rawshelf.join(pairs, found) if joined else found)
    again: Any = pickle.loads(text)  # noqa: S301 - ours
    picture = again[0]["src_image"] if joined else again[0]["image"]
    first = pairs[0]["src_index"] if joined else 0

    assert len(text) < 50_000
    assert np.array_equal(found[first]["image"], picture)  # type: ignore[arg-type]
    copied.unlink()
    with pytest.raises(SourceError, match=copied.name):
        pickle.loads(text)  # noqa: S301 - ours


def test_absent_pictures_are_none(tmp_path: Path) -> None:
    """As of a photograph that the release does not have."""
    grey = PIL.Image.new("L", (3, 2), 9)
    photo = partial(rawshelf.decoded(drawn(None, grey, None), tmp_path).picture, "image")

    shapes = [None if each is None else each.shape for each in map(photo, range(3))]

    assert [None, (2, 3, 3), None] == shapes


@pytest.mark.parametrize(
    ("picture", "name", "word"),
    [
        (b"no image", "image", "no JPEG or PNG"),
        (PIL.Image.new("RGB", (3, 2)), "part_mask", "no class indices"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "image", "image of row 0"),
    ],
    ids=["foreign", "coloured mask", "broken"],
)
def test_what_does_not_decode_is_refused(
    picture: Any, name: str, word: str, tmp_path: Path
) -> None:
    """By column and row; nothing is left behind."""
    with pytest.raises(SourceError, match=word):
        rawshelf.decoded(drawn(picture, name=name), tmp_path)
    assert not list(tmp_path.glob("*.pixels*"))


def test_a_dataset_without_images_is_refused(pairs: datasets.Dataset, tmp_path: Path) -> None:
    """With the names of its columns."""
    with pytest.raises(UsageError, match="pair_id"):
        rawshelf.decoded(pairs, tmp_path)


def test_an_exif_orientation_is_not_applied(tmp_path: Path) -> None:
    """Annotations are of the stored raster."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    buffer = BytesIO()
    PIL.Image.new("RGB", (20, 10)).save(buffer, "JPEG", exif=exif)
    picture = rawshelf.decoded(drawn(buffer.getvalue()), tmp_path)[0]["image"]

    assert picture is not None
    assert (10, 20, 3) == picture.shape


def test_images_of_another_split_are_refused(
    pairs: datasets.Dataset, conversion: Conversion, tmp_path: Path
) -> None:
    """Decoded or not."""
    other = datasets.load_dataset(str(conversion.out), "images", split="test")

    with pytest.raises(RawshelfError, match="do not belong together"):
        rawshelf.join(pairs, rawshelf.decoded(other, tmp_path))
