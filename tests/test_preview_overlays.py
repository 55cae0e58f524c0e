"""Marks lie where the annotations say, to the pixel."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rawshelf.keypoints import points
from rawshelf.miniature import mark_colour
from rawshelf.preview import overlays
from rawshelf.preview.choice import spread
from rawshelf.preview.overlays import Frame
from rawshelf.preview.sheets import photographs, tile_width
from rawshelf.preview.style import BOX, PANEL, fitted, text_width, wrapped
from rawshelf.spair71k import pictures
from tests.conftest import Conversion

GREY = (90, 90, 90)


def _pixels(image: Image.Image) -> Any:
    return np.asarray(image.convert("RGB")).astype(int)


def _encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(("size", "scale"), [((200, 100), 2), ((100, 50), 1), ((300, 150), 3)])
def test_a_keypoint_is_marked_at_the_centre_of_its_pixel(size: tuple[int, int], scale: int) -> None:
    """A 0-based keypoint, after scaling and reduction."""

    def mark(canvas: Image.Image, frames: Any) -> None:
        overlays.dot(canvas, frames[0].point(60, 20), (255, 0, 0), 8)

    drawn = _pixels(photographs([Image.new("RGB", (100, 50), GREY)], size, mark))

    y, x = np.argwhere((drawn[..., 0] > 200) & (drawn[..., 1] < 60)).mean(axis=0)
    assert (60 + 0.5) * scale == pytest.approx(x + 0.5, abs=0.6)
    assert (20 + 0.5) * scale == pytest.approx(y + 0.5, abs=0.6)


def test_a_whole_image_box_lies_on_the_border() -> None:
    """A VOC box [1, 1, width, height] is all of the image, and no pixel more."""
    canvas = Image.new("RGB", (240, 140), PANEL)
    frame = Frame(20, 20, 2.0)

    overlays.outline(canvas, frame, overlays.voc_edges([1, 1, 100, 50]), width=2)

    marked = np.argwhere((_pixels(canvas) == BOX).all(axis=-1))
    assert [20, 20] == marked.min(axis=0).tolist()
    assert [119, 219] == marked.max(axis=0).tolist()


@pytest.mark.parametrize("scale", [1.0, 2.0, 3.0])
def test_a_voc_box_is_one_based_and_inclusive(scale: float) -> None:
    """Box [11, 6, 20, 15] covers the 0-based pixels 10 to 19 and 5 to 14."""
    canvas = Image.new("RGB", (100, 80))

    overlays.outline(canvas, Frame(0, 0, scale), overlays.voc_edges([11, 6, 20, 15]), width=1)

    marked = np.argwhere((_pixels(canvas) == BOX).all(axis=-1))
    assert [5 * scale, 10 * scale] == marked.min(axis=0).tolist()
    assert [15 * scale - 1, 20 * scale - 1] == marked.max(axis=0).tolist()


def test_a_coco_box_is_zero_based_with_a_size() -> None:
    """Box [10, 5, 10, 10] covers the same pixels."""
    assert overlays.voc_edges([11, 6, 20, 15]) == overlays.coco_edges([10, 5, 10, 10])


def test_a_mask_colours_exactly_its_pixels() -> None:
    """The background keeps its pixels; index 0 is a class like any other."""
    rng = np.random.default_rng(7)
    photo = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    mask = np.full((40, 60), 40, np.uint8)
    mask[5:25, 10:30] = 0
    mask[15:35, 30:50] = 3
    colours = np.array([[255, 0, 0], [1, 2, 3], [4, 5, 6], [0, 0, 255]], np.uint8)

    drawn = _pixels(overlays.masked(photo, mask, colours, 40))

    outside = mask == 40
    assert (drawn == _pixels(photo))[outside].all()
    # Of red and blue paint, 60 % of it shows: more than anything of the photograph can be.
    assert (drawn[mask == 0][:, 0] >= 0.6 * 255 - 1).all()
    assert (drawn[mask == 0][:, 1] <= 0.4 * 255 + 1).all()
    assert (drawn[mask == 3][:, 2] >= 0.6 * 255 - 1).all()
    assert [255, 0, 0] == drawn[5, 10].tolist()  # the edge of a part is opaque
    assert (drawn[10, 20] != [255, 0, 0]).any()


def test_indices_without_a_colour_are_left_alone() -> None:
    """A damaged mask does not stop a picture."""
    photo = Image.new("RGB", (4, 4), GREY)
    mask = np.full((4, 4), 200, np.uint8)

    drawn = overlays.masked(photo, mask, np.zeros((3, 3), np.uint8), 40)

    assert photo.tobytes() == drawn.tobytes()


def test_images_are_decoded_as_they_are_stored() -> None:
    """An orientation tag turns nothing, since annotations refer to the stored raster."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = _encoded(Image.new("RGB", (30, 10)), "JPEG", exif=exif)
    cmyk = _encoded(Image.new("CMYK", (8, 8)), "JPEG")

    found = overlays.decoded(turned)

    assert found is not None
    assert (30, 10) == found.size
    assert "RGB" == getattr(overlays.decoded(cmyk), "mode", None)


@pytest.mark.parametrize(
    "data", [None, b"", b"no image", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"]
)
def test_what_does_not_decode_leaves_a_tile(data: bytes | None) -> None:
    """A row without a good image never stops a sheet."""
    assert overlays.decoded(data) is None
    called: list[object] = []

    drawn = photographs([data], (120, 80), lambda *given: called.append(given))

    assert (120, 80) == drawn.size
    assert PANEL == drawn.getpixel((1, 1))
    assert not called


def test_a_truncated_jpeg_leaves_a_tile() -> None:
    """Half a file is not drawn half grey."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = _encoded(Image.fromarray(noise), "JPEG")

    assert overlays.decoded(whole) is not None
    assert overlays.decoded(whole[: len(whole) // 2]) is None


def test_discs_do_not_cover_one_another() -> None:
    """Even where all keypoints lie at one place."""
    moved = overlays.apart([(50.0, 50.0)] * 2 + [(52.0, 50.0)] * 3, 20, (0, 0, 200, 200))

    gaps = [
        np.hypot(a[0] - b[0], a[1] - b[1])
        for number, a in enumerate(moved)
        for b in moved[number + 1 :]
    ]
    assert min(gaps) >= 20 - 0.5
    assert all(0 <= x <= 200 and 0 <= y <= 200 for x, y in moved)


def _pair_rows(conversion: Conversion) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    folder = conversion.out / "data"
    pairs, images = (
        pq.read_table(folder / config / "test-00000-of-00001.parquet").to_pylist()
        for config in ("pairs", "images")
    )
    return pairs, images


def test_keypoints_lie_on_the_marks_of_the_photographs(conversion: Conversion) -> None:
    """The miniature draws a disc of a known colour at each keypoint; ours comes to lie on it."""
    pairs, images = _pair_rows(conversion)
    row = max(pairs, key=lambda row: len(row["keypoints"]["id"]))
    pixels = [images[row[f"{side}_index"]]["image"]["bytes"] for side in ("src", "trg")]
    size = (tile_width(2), 214)
    seen: list[Frame] = []

    plain = _pixels(photographs(pixels, size, lambda _, frames: seen.extend(frames)))
    marked = _pixels(photographs(pixels, size, pictures._pair_marks(row)))

    checked = 0
    for side, frame in zip(pictures._SIDES, seen, strict=True):
        for number, (x, y) in zip(row["keypoints"]["id"], points(row, side).tolist(), strict=True):
            left, top = (int(place / 2) for place in frame.point(x, y))
            colour = overlays.colour_of(pictures._COLOURS, number)
            covered = np.abs(marked[top, left] - colour).max() > 60
            if covered or np.abs(plain[top, left] - mark_colour(number)).max() > 80:
                continue  # a neighbour's disc lies over it
            checked += 1
    assert checked >= len(row["keypoints"]["id"])


def test_a_choice_is_spread_and_repeatable() -> None:
    """Groups first all differ; the second property comes about equally often."""
    groups = [number % 6 for number in range(600)]
    within = ["train" if number < 500 else "test" for number in range(600)]

    chosen = spread(groups, 3, 12, within)

    assert chosen == spread(groups, 3, 12, within)
    assert chosen != spread(groups, 4, 12, within)
    assert 12 == len(set(chosen))
    assert 6 == len({groups[row] for row in chosen[:6]})
    assert 6 == [within[row] for row in chosen].count("test")


def test_a_choice_of_more_than_there_is_gives_all() -> None:
    """Each row once."""
    assert [0, 1, 2] == sorted(spread("aab", 0, 9))
    assert [] == spread([], 0, 9)


def test_text_fits_where_it_is_to_stand() -> None:
    """Cut with dots, or wrapped."""
    text = "soft-coated wheaten terrier and a very long name behind it"

    assert text_width(fitted(text, 18, 200), 18) <= 200
    assert fitted(text, 18, 200).endswith("...")
    assert fitted("cat", 18, 200) == "cat"
    assert all(text_width(line, 18) <= 200 for line in wrapped(text, 18, 200))
    assert text == " ".join(wrapped(text, 18, 200))


def test_real_photographs_are_drawn(real: Path) -> None:
    """A pair of the release: the marks lie on the photographs."""
    folder = real / "spair71k" / "SPair-71k" / "JPEGImages" / "aeroplane"
    pixels = [(folder / f"{stem}.jpg").read_bytes() for stem in ("2008_007604", "2009_001056")]
    frames: list[Frame] = []

    drawn = photographs(pixels, (556, 214), lambda _, given: frames.extend(given))

    assert (556, 214) == drawn.size
    assert 2 == len(frames)
