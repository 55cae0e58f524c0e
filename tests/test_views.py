import pickle
from io import BytesIO
from typing import Any

import datasets
import numpy as np
import PIL.Image
import pyarrow as pa
import pytest

import rawshelf
from rawshelf.errors import UsageError
from rawshelf.views import JoinedPairs
from tests.conftest import Conversion


@pytest.fixture(scope="module")
def pairs(conversion: Conversion) -> datasets.Dataset:
    return datasets.load_dataset(str(conversion.out), "pairs", split="train")


@pytest.fixture(scope="module")
def images(conversion: Conversion) -> datasets.Dataset:
    return datasets.load_dataset(str(conversion.out), "images", split="train")


@pytest.fixture(scope="module")
def by_name(images: datasets.Dataset) -> dict[str, dict[str, Any]]:
    """Return the encoded pictures of each image, read without rawshelf."""
    for name in ("image", "segmentation"):
        images = images.cast_column(name, datasets.Image(decode=False))
    return {row["name"]: row for row in images}


def check(joined: JoinedPairs, by_name: dict[str, dict[str, Any]]) -> None:
    for row in joined:
        for side in ("src", "trg"):
            expected = by_name[row[f"{side}_name"]]
            assert expected["image"]["bytes"] == bytes(row[f"{side}_image"])
            assert expected["segmentation"]["bytes"] == bytes(row[f"{side}_segmentation"])


def test_each_pair_has_its_own_images(
    pairs: datasets.Dataset, images: datasets.Dataset, by_name: dict[str, dict[str, Any]]
) -> None:
    """Rows are joined by index, and keep their columns."""
    joined = rawshelf.join(pairs, images, decode=False)

    assert len(pairs) == len(joined)
    assert set(pairs.column_names) < set(joined[0])
    check(joined, by_name)


@pytest.mark.parametrize(
    "change",
    [
        lambda pairs: pairs.filter(lambda row: row["category"] == 7),
        lambda pairs: pairs.shuffle(seed=1),
        lambda pairs: pairs.select([5, 3, 3]),
        lambda pairs: pairs.select([]),
        lambda pairs: datasets.concatenate_datasets([pairs, pairs.select([1])]),
        lambda pairs: pairs.with_format("numpy"),
    ],
    ids=["filter", "shuffle", "select", "none", "concatenate", "numpy"],
)
def test_pairs_may_be_rearranged(
    change: Any,
    pairs: datasets.Dataset,
    images: datasets.Dataset,
    by_name: dict[str, dict[str, Any]],
) -> None:
    """The index leads to the image wherever the pair stands."""
    changed = change(pairs)
    joined = rawshelf.join(changed, images, decode=False)

    assert len(changed) == len(joined)
    check(joined, by_name)


def test_no_byte_is_copied(pairs: datasets.Dataset, images: datasets.Dataset) -> None:
    """The bytes of each view lie within the buffers of the memory-mapped dataset."""
    row = rawshelf.join(pairs, images, decode=False)[0]
    chunks = images.data.table["image"].chunks
    buffers = [chunk.field("bytes").buffers()[2] for chunk in chunks]

    view = row["src_image"]
    address = np.frombuffer(view, np.uint8).ctypes.data

    assert isinstance(view, memoryview)
    assert any(b.address <= address and address + len(view) <= b.address + b.size for b in buffers)
    assert images.cache_files


def test_images_decode_as_stored(pairs: datasets.Dataset, images: datasets.Dataset) -> None:
    """Masks keep their palette indices, and sizes are those of the columns."""
    row = rawshelf.join(pairs, images)[0]

    assert ("RGB", "P") == (row["src_image"].mode, row["src_segmentation"].mode)
    assert tuple(row["src_size"][:2]) == row["src_image"].size == row["src_segmentation"].size


def test_an_exif_orientation_is_not_applied(
    pairs: datasets.Dataset, images: datasets.Dataset
) -> None:
    """Keypoints are annotated on the stored raster."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    buffer = BytesIO()
    PIL.Image.new("RGB", (20, 10)).save(buffer, "JPEG", exif=exif)
    turned = {"bytes": buffer.getvalue(), "path": "turned.jpg"}
    encoded = images.cast_column("image", datasets.Image(decode=False))
    table = encoded.data.table.set_column(
        images.column_names.index("image"),
        encoded.data.table.schema.field("image"),
        pa.array([turned] * len(images), encoded.data.table.schema.field("image").type),
    )
    changed = datasets.Dataset(datasets.table.InMemoryTable(table))

    row = rawshelf.join(pairs, changed)[0]

    assert (20, 10) == row["src_image"].size


def test_images_of_another_split_are_refused(
    pairs: datasets.Dataset, conversion: Conversion
) -> None:
    """Indices are rows within a split."""
    other = datasets.load_dataset(str(conversion.out), "images", split="test")

    with pytest.raises(UsageError, match="do not belong together"):
        rawshelf.join(pairs, other)


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images.select([]),
        lambda images: images.shuffle(seed=1).flatten_indices(),
        lambda images: images.select(range(10, 20)),
        lambda images: images.select(range(10)),
    ],
    ids=["none", "shuffled", "part", "first part"],
)
def test_rearranged_images_are_refused(
    change: Any, pairs: datasets.Dataset, images: datasets.Dataset
) -> None:
    """An index means nothing in images that are not all rows in their order."""
    with pytest.raises(UsageError, match="do not belong together"):
        rawshelf.join(pairs, change(images))


def test_a_pair_without_its_image_has_none(
    pairs: datasets.Dataset, images: datasets.Dataset
) -> None:
    """A null index, as of an image that was set aside, gives None."""
    table = pairs.select([0]).data.table.slice(0, 1)
    position = table.column_names.index("trg_index")
    nothing = pa.array([None], pa.int32())
    without = datasets.Dataset(
        datasets.table.InMemoryTable(
            table.set_column(position, table.schema.field("trg_index"), nothing)
        )
    )

    row = rawshelf.join(without, images)[0]

    assert row["trg_image"] is None
    assert row["trg_segmentation"] is None
    assert row["src_image"] is not None


def test_rows_are_found_as_in_a_sequence(pairs: datasets.Dataset, images: datasets.Dataset) -> None:
    """Negative indices, slices, lists and numpy integers work; what is beyond is refused."""
    joined = rawshelf.join(pairs, images, decode=False)
    names = pairs["name"][:] if isinstance(pairs["name"], list) else list(pairs["name"])

    assert names[-1] == joined[-1]["name"]
    assert joined[-1]["src_image"] == joined[len(joined) - 1]["src_image"]
    assert names[2:4] == [row["name"] for row in joined[2:4]]
    assert [names[3], names[0]] == [row["name"] for row in joined[[3, 0]]]
    assert names[1] == joined[np.int64(1)]["name"]
    with pytest.raises(IndexError):
        joined[len(joined)]


def test_a_data_loader_can_take_batches(pairs: datasets.Dataset, images: datasets.Dataset) -> None:
    """Loaders of torch ask for several rows at once, where there is __getitems__."""
    joined = rawshelf.join(pairs, images)

    batch = joined.__getitems__([4, 2])

    assert [pairs[4]["name"], pairs[2]["name"]] == [row["name"] for row in batch]
    assert all(isinstance(row["src_image"], PIL.Image.Image) for row in batch)


@pytest.mark.parametrize("decode", [True, False])
def test_a_join_can_be_pickled(
    decode: bool, pairs: datasets.Dataset, images: datasets.Dataset
) -> None:
    """Spawned loader processes get it as paths, not as bytes."""
    joined = rawshelf.join(pairs, images, decode=decode)

    text = pickle.dumps(joined)
    copied = pickle.loads(text)  # noqa: S301 - ours

    assert len(text) < 50_000
    assert joined[3]["name"] == copied[3]["name"]
    if not decode:
        assert bytes(joined[3]["trg_image"]) == bytes(copied[3]["trg_image"])
