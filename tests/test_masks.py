"""Drawing, encoding and comparing index masks."""

from __future__ import annotations

import pickle
import warnings
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from rawshelf import masks
from rawshelf.images import ImageProblem
from tests.pngs import chunk, with_content

HEIGHT, WIDTH = 47, 61
SQUARE = [2.0, 3.0, 12.0, 3.0, 12.0, 13.0, 2.0, 13.0]


def by_pycocotools(polygons: list[Any], height: int = HEIGHT, width: int = WIDTH) -> NDArray[Any]:
    """Draw as `COCO.annToMask` does."""
    with warnings.catch_warnings():
        # pycocotools 2.0.11 was built for numpy 1: its __array__ has no `copy`.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        drawn: NDArray[Any] = coco.decode(coco.merge(coco.frPyObjects(polygons, height, width)))
    return drawn


NUMBERS = st.floats(-40, 100, allow_nan=False) | st.integers(-40, 100).map(float)
POLYGONS = st.lists(st.lists(NUMBERS, min_size=6, max_size=31), min_size=1, max_size=4)


@given(POLYGONS)
@settings(max_examples=300)
def test_draw_equals_pycocotools(polygons: list[list[float]]) -> None:
    """A union of any polygons, inside the image or not, equals pycocotools pixel for pixel."""
    drawn = masks.draw(polygons, HEIGHT, WIDTH)
    assert drawn is not None
    assert by_pycocotools(polygons).tolist() == drawn.tolist()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (375, 500), (1200, 700)])
def test_draw_equals_pycocotools_at_any_size(size: tuple[int, int]) -> None:
    """Long runs, whose lengths take several characters, are read right."""
    height, width = size
    polygon = [-5.0, -5.0, width + 5.0, -5.0, width / 2, height + 9.0]
    drawn = masks.draw([polygon], height, width)
    assert drawn is not None
    assert by_pycocotools([polygon], height, width).tolist() == drawn.tolist()


def test_later_annotations_cover_earlier_ones() -> None:
    """Annotations are painted in order; the background stays where none is."""
    moved = [value + 4 for value in SQUARE]
    painted = masks.paint([[SQUARE], [moved]], [7, 9], height=HEIGHT, width=WIDTH, background=40)
    expected = np.full((HEIGHT, WIDTH), 40, np.uint8)
    expected[by_pycocotools([SQUARE]) == 1] = 7
    expected[by_pycocotools([moved]) == 1] = 9
    assert expected.tolist() == painted.mask.tolist()
    assert painted.skipped == 0


@pytest.mark.parametrize(
    ("bad", "skipped"),
    [
        ([], 1),
        ([5.0, 5.0], 1),
        ([5.0, 5.0, 9.0, 9.0], 1),
        ([5.0, 5.0, 9.0, 9.0, 3.0], 1),
        ([0.0, 0.0, 1e9, 0.0, 1e9, 1e9], 1),
    ],
)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.fault(19)
def test_bad_polygons_are_skipped_and_counted(bad: list[float], skipped: int, first: bool) -> None:
    """A bad polygon, first or last, takes nothing from the good one beside it."""
    polygons = [bad, SQUARE] if first else [SQUARE, bad]
    painted = masks.paint([polygons], [3], height=HEIGHT, width=WIDTH, background=40)
    expected = np.where(by_pycocotools([SQUARE]) == 1, 3, 40)
    assert expected.tolist() == painted.mask.tolist()
    assert skipped == painted.skipped


@pytest.mark.parametrize("polygons", [[], [[]], [[1.0, 2.0]], [[1.0, 2.0, 3.0, 4.0]]])
@pytest.mark.fault(17)
def test_nothing_to_draw(polygons: list[list[float]]) -> None:
    """An annotation whose first polygon pycocotools refuses gives no mask and no error."""
    assert masks.draw(polygons, HEIGHT, WIDTH) is None


def random_mask(colours: int, seed: int = 0) -> masks.Mask:
    return np.random.default_rng(seed).integers(0, colours, (HEIGHT, WIDTH)).astype(np.uint8)


@pytest.mark.parametrize("colours", [41, 159])
def test_png_round_trip(colours: int) -> None:
    """Pillow and `decode_png` give the indices back, and the palette is the published one."""
    mask, palette = random_mask(colours), masks.palette(colours - 1)
    data = masks.encode_png(mask, palette)
    with Image.open(BytesIO(data)) as image:
        assert (image.mode, image.size) == ("P", (WIDTH, HEIGHT))
        assert list(palette) == image.getpalette()
        assert mask.tolist() == np.asarray(image).tolist()
    assert mask.tolist() == masks.decode_png(memoryview(data)).tolist()
    assert data == masks.encode_png(mask.copy(), palette)


@pytest.mark.parametrize("colours", [40, 158])
def test_palette_colours_differ(colours: int) -> None:
    """No two indices share a colour, and the background is black."""
    flat = masks.palette(colours)
    triples = [flat[start : start + 3] for start in range(0, len(flat), 3)]
    assert colours + 1 == len(set(triples)) == len(triples)
    assert bytes(3) == triples[-1]


def encoded(mode: str, size: tuple[int, int] = (WIDTH, HEIGHT), kind: str = "PNG") -> memoryview:
    file = BytesIO()
    Image.new(mode, size).save(file, kind)
    return memoryview(file.getvalue())


@pytest.mark.parametrize("mode", ["L", "P"])
@pytest.mark.fault(17)
def test_released_modes_are_decoded(mode: str) -> None:
    """Grey and palette PNGs are masks, palette ones of fewer bits too."""
    assert masks.png_mode(encoded(mode)).startswith(mode)
    assert masks.decode_png(encoded(mode)).shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encoded("RGB"), "colour type 2"),
        (encoded("I;16"), "16 bits"),
        (encoded("1"), "grey PNG of 1 bits"),
        (encoded("L", kind="JPEG"), "a JPEG under the name of a PNG"),
        (encoded("L")[:-30], "cut short"),
        (memoryview(b""), "empty"),
    ],
)
@pytest.mark.fault(17)
def test_what_is_no_mask_is_named(data: memoryview, reason: str) -> None:
    """Other images are refused with a reason."""
    with pytest.raises(ImageProblem, match=reason):
        masks.decode_png(data)


@pytest.mark.fault(17)
def test_damaged_pixels_are_named() -> None:
    """A PNG whose pixel data are damaged is refused, even where its checksum is right."""
    data = masks.encode_png(random_mask(41), masks.palette(40))
    start = data.index(b"IDAT") + 4
    packed = bytearray(data[start : data.index(b"IEND") - 8])
    packed[16:56] = bytes(40)
    damaged = data.replace(data[start : start + 56], bytes(packed[:56]))
    with pytest.raises(ImageProblem, match="checksum of its chunk 'IDAT' differs"):
        masks.decode_png(memoryview(damaged))
    with pytest.raises(ImageProblem, match="decode"):
        masks.decode_png(memoryview(with_content(data, b"IDAT", bytes(packed))))


@pytest.mark.fault(17)
@pytest.mark.parametrize("content", [b"", b"name\0", bytes(3)])
@pytest.mark.parametrize("kind", [b"iCCP", b"gAMA", b"cHRM", b"pHYs", b"tRNS", b"zTXt", b"iTXt"])
def test_odd_chunks_are_a_reason_or_none(kind: bytes, content: bytes) -> None:
    """Before the pixels or behind them: whatever a decoder raises, there is a mask or a reason."""
    data = masks.encode_png(random_mask(41), masks.palette(40))
    for place in (data.index(b"IDAT") - 4, data.index(b"IEND") - 4):
        odd = data[:place] + chunk(kind, content) + data[place:]
        with suppress(ImageProblem):
            assert masks.decode_png(memoryview(odd)).max() <= 40


def test_confusion_agreement_and_overlaps() -> None:
    """Pixels are counted by pair of indices, and from them agreement and IoU."""
    first = np.array([[0, 0, 1, 2]], np.uint8)
    second = np.array([[0, 1, 1, 2]], np.uint8)
    table = masks.confusion(first, second, 4)
    assert (table[0, 0], table[0, 1], table[1, 1], table[2, 2]) == (1, 1, 1, 1)
    assert masks.agreement(table) == 0.75
    assert masks.overlaps(table) == {0: 0.5, 1: 0.5, 2: 1.0}


@pytest.mark.parametrize(
    ("second", "reason"),
    [(np.zeros((1, 5), np.uint8), "5 x 1 pixels beside"), (np.full((1, 4), 9, np.uint8), "above")],
)
def test_confusion_refuses_what_does_not_compare(second: masks.Mask, reason: str) -> None:
    """Masks of other sizes or indices are not compared."""
    with pytest.raises(ImageProblem, match=reason):
        masks.confusion(np.zeros((1, 4), np.uint8), second, 4)


def test_painted_survives_an_executor() -> None:
    """What is painted can be pickled."""
    painted = masks.paint([[SQUARE]], [1], height=20, width=20, background=0)
    assert painted.skipped == pickle.loads(pickle.dumps(painted)).skipped  # noqa: S301 - our own
