"""Copies are found by a stated rule, measured on images whose copies are known."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rawshelf.imagenet_sketch.columns import TRANSFORM
from rawshelf.imagenet_sketch.copies import (
    CELL_NOISE,
    TRANSFORMS,
    clusters,
    difference,
    match,
)
from rawshelf.imagenet_sketch.miniature import draw, encode, transformed
from rawshelf.imagenet_sketch.pixels import (
    Luma,
    content_key,
    decode_luma,
    grid,
    grid_shape,
    moments,
)
from rawshelf.imagenet_sketch.tables import prepare
from rawshelf.miniature import pack_zip
from rawshelf.release import Job
from rawshelf.sources import Source
from tests.fakes.imagenet_sketch import PICTURES, Sample, copies

Row = Mapping[str, Any]
NAMES = dict(enumerate(TRANSFORM.names))
SIDES = st.integers(1, 300)


@pytest.fixture(scope="module")
def samples() -> dict[str, Sample]:
    return {sample.name: sample for sample in copies()}


@pytest.fixture(scope="module")
def rows(samples: dict[str, Sample], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """Return the rows of config quality of the release of known copies, by file name."""
    folder = tmp_path_factory.mktemp("copies")
    members = ((sample.name, sample.data) for sample in samples.values())
    job = Job(Source(str(pack_zip(members, folder / "raw.zip"))), ("quality",), str(folder))
    table = prepare(job).tables["quality", "test"]
    return {row["quality_of"]: row for row in table.to_pylist()}


def luma_of(jpeg: bytes) -> Luma:
    return decode_luma(memoryview(jpeg))


def pixels(width: int, height: int, seed: int) -> Luma:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def right(sample: Sample, row: Row) -> bool:
    return (sample.copy_of, sample.transform) == (row["copy_of"], NAMES[row["transform"]])


def test_originals(samples: dict[str, Sample], rows: dict[str, Row]) -> None:
    """No original repeats anything."""
    wrong = [
        s.name for s in samples.values() if s.kind == "original" and not right(s, rows[s.name])
    ]

    assert [] == wrong


@pytest.mark.parametrize("picture", PICTURES)
def test_recall_on_copies_made_as_the_authors_made_them(
    picture: str, samples: dict[str, Sample], rows: dict[str, Row]
) -> None:
    """Of copies encoded from one source, all are found, with the right transform."""
    made = [s for s in samples.values() if (s.kind, s.picture) == ("source", picture)]

    assert made
    assert [] == [s.name for s in made if not right(s, rows[s.name])]


@pytest.mark.parametrize("picture", [p for p in PICTURES if p != "coloured"])
def test_recall_on_copies_of_the_decoded_image(
    picture: str, samples: dict[str, Sample], rows: dict[str, Row]
) -> None:
    """Of copies encoded from the decoded image, across classes too, all are found."""
    made = [s for s in samples.values() if (s.kind, s.picture) == ("decoded", picture)]

    assert made
    assert [] == [s.name for s in made if not right(s, rows[s.name])]


def test_limit_of_recall(samples: dict[str, Sample], rows: dict[str, Row]) -> None:
    """Decoded images of saturated colour lose more than the rule allows: not copies of it."""
    made = [s for s in samples.values() if (s.kind, s.picture) == ("decoded", "coloured")]

    assert made
    assert [] == [s.name for s in made if rows[s.name]["copy_of"] == s.copy_of]


# Changes that drown in the noise of JPEG: a blur of grainy grey, 2 % of the contrast of dark ink.
BELOW_RESOLUTION = {("blurred", "photo"), ("contrast +2 %", "thin")}


def test_precision(samples: dict[str, Sample], rows: dict[str, Row]) -> None:
    """Of images with a small change none is called a copy, but for the changes named above."""
    near = [s for s in samples.values() if s.kind not in ("original", "source", "decoded")]
    wrong = Counter((s.kind, s.picture) for s in near if rows[s.name]["copy_of"])

    assert 300 < len(near)
    assert BELOW_RESOLUTION == set(wrong)


def test_keys_are_those_of_groups(rows: dict[str, Row]) -> None:
    """An image has the key of the image that it repeats; other images have other keys."""
    firsts = [row for row in rows.values() if row["copy_of"] is None]
    repeats = [row for row in rows.values() if row["copy_of"] is not None]

    assert len(firsts) == len({row["content_key"] for row in firsts})
    assert [] == [r for r in repeats if r["content_key"] != rows[r["copy_of"]]["content_key"]]


@pytest.mark.parametrize("number", list(TRANSFORMS))
def test_transforms_are_those_of_the_column(number: int) -> None:
    """The numbers of the transforms are those of the column, and each undoes itself."""
    turn = TRANSFORMS[number]
    image = Image.fromarray(pixels(5, 3, 0))

    assert np.array_equal(np.asarray(transformed(image, NAMES[number])), turn(np.asarray(image)))
    assert np.array_equal(np.asarray(image), turn(turn(np.asarray(image))))


@pytest.mark.parametrize("number", list(TRANSFORMS))
@given(width=SIDES, height=SIDES, seed=st.integers(0, 9))
@settings(max_examples=40)
def test_grid_turns_with_the_image(number: int, width: int, height: int, seed: int) -> None:
    """The grid of the turned image is the turned grid, for any size."""
    luma = pixels(width, height, seed)
    turn = TRANSFORMS[number]

    assert np.array_equal(grid(turn(luma)), turn(grid(luma)))
    assert grid(luma).shape == grid_shape(width, height)


@pytest.mark.parametrize("number", list(TRANSFORMS))
@given(width=SIDES, height=SIDES, seed=st.integers(0, 9), bits=st.sampled_from([1, 255]))
@settings(max_examples=40)
def test_key_does_not_change_with_the_transform(
    number: int, width: int, height: int, seed: int, bits: int
) -> None:
    """An image has one key, however it is turned; another image and another size have others."""
    luma: Luma = pixels(width, height, seed) & np.uint8(bits)
    other = luma.copy()
    other[0, 0] ^= 1

    assert content_key(luma) == content_key(TRANSFORMS[number](luma))
    assert content_key(luma) != content_key(other)
    assert content_key(luma) != content_key(np.pad(luma, ((0, 1), (0, 0))))


@given(width=SIDES, height=SIDES, seed=st.integers(0, 9))
@settings(max_examples=40)
def test_moments(width: int, height: int, seed: int) -> None:
    """Sums over strips are those over the whole image."""
    luma = pixels(width, height, seed).astype(np.int64)

    assert (luma.sum(), (luma**2).sum()) == moments(luma.astype(np.uint8))


@given(width=st.integers(1, 40), height=st.integers(1, 300), seed=st.integers(0, 9))
@settings(max_examples=40)
def test_difference_is_the_rule(width: int, height: int, seed: int) -> None:
    """Tiles are compared as the rule says, those at the right and at the bottom too."""
    luma = pixels(width, height, seed) // 2 + 50
    noise = np.random.default_rng(seed + 1).integers(-3, 4, luma.shape)
    other = (luma + noise).astype(np.uint8)
    tiles = [
        noise[top : top + 8, left : left + 8]
        for top in range(0, height, 8)
        for left in range(0, width, 8)
    ]
    fits = all(abs(t.mean()) <= 2 and (t**2).mean() <= 49 for t in tiles)

    assert ((noise**2).mean() if fits else None) == difference(other, luma)


def test_other_size_is_no_copy() -> None:
    """Images of different size are no copies, even if one is a part of the other."""
    luma = np.full((20, 30), 200, np.uint8)

    assert 0 == match(luma, luma[:-1])
    assert 0 == match(luma, luma.T)


def test_best_transform() -> None:
    """Of several transforms that fit, the one that fits best is told; in doubt, the plain copy."""
    luma = np.tile(np.arange(100, 140, dtype=np.uint8), (40, 1))

    assert 1 == match(luma, luma)
    assert 1 == match(luma, luma[::-1])
    assert 2 == match(luma, luma[:, ::-1])


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=100)
def test_clusters_miss_no_pair(seed: int, count: int, height: int, width: int) -> None:
    """Grids within the noise of each other, in whatever orientation, are in one cluster."""
    rng = np.random.default_rng(seed)
    few = rng.uniform(100, 106, (2, height, width))
    grids = np.stack([TRANSFORMS[int(rng.integers(1, 5))](few[k % 2]) for k in range(count)])
    grids = (grids + rng.uniform(-1, 1, grids.shape)).astype(np.float32)
    found = clusters(grids, grids.mean(axis=(1, 2)))
    cluster_of = {item: number for number, items in enumerate(found) for item in items}
    pairs = [(a, b) for b in range(count) for a in range(b) if _alike(grids[a], grids[b])]

    assert [] == [p for p in pairs if p[0] not in cluster_of or len({*map(cluster_of.get, p)}) > 1]
    assert all(len(items) > 1 and items == sorted(items) for items in found)


def _alike(one: Any, other: Any) -> bool:
    return any(np.abs(turn(one) - other).max() <= CELL_NOISE for turn in TRANSFORMS.values())


def test_many_images_of_one_size_are_quick() -> None:
    """Thousands of images of one size cluster in seconds, alike or not."""
    rng = np.random.default_rng(0)
    apart = 255 - rng.gamma(1.5, 12, (3000, 16, 16)).astype(np.float32)
    equal = np.repeat(apart[:1], 3000, axis=0)

    assert [] == clusters(apart, apart.mean(axis=(1, 2)))
    assert [list(range(3000))] == clusters(equal, equal.mean(axis=(1, 2)))


def test_large_images_do_not_warn() -> None:
    """An image at which Pillow warns of decompression bombs is decoded, without a warning."""
    buffer = BytesIO()
    Image.new("L", (9500, 9500), 255).save(buffer, "JPEG")

    assert (9500, 9500) == luma_of(buffer.getvalue()).shape


def test_luma_of_colour() -> None:
    """The luma is that of the file, decoded without its colour."""
    picture = draw(1, (33, 47))
    luma = luma_of(encode(picture))

    assert "RGB" == picture.mode
    assert difference(luma, np.asarray(picture.convert("L"))) is not None


def test_samples_are_what_they_claim(samples: dict[str, Sample]) -> None:
    """The fake holds all kinds of copies, odd and large sizes, grey and colour."""
    sizes, modes = set(), set()
    for sample in samples.values():
        with Image.open(BytesIO(sample.data)) as image:
            sizes.add(image.size)
            modes.add(image.mode)

    assert {"mirror", "flip", "rotate180", "copy", "none"} == {
        sample.transform for sample in samples.values()
    }
    assert {115, 2500} <= {width for width, _ in sizes}
    assert {"L", "RGB"} == modes
    assert len(samples) == len({replace(sample, kind="") for sample in samples.values()})
