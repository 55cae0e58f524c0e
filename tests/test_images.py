"""Headers of encoded images, compared with what Pillow reads."""

from __future__ import annotations

import struct
from contextlib import suppress
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rawshelf.images import JPEG, PNG, Header, ImageProblem, probe
from tests.pngs import chunk, with_content

EXIF = b"Exif\0\0"


@cache
def encoded(form: str, mode: str = "RGB", size: tuple[int, int] = (37, 23), **how: Any) -> bytes:
    """Return a noisy image: hard to compress, so that its scan is long."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], bands), np.uint8)
    pixels = noise if bands > 1 else noise[:, :, 0]
    buffer = BytesIO()
    image = (
        Image.fromarray(pixels) if mode != "CMYK" else Image.frombytes(mode, size, noise.tobytes())
    )
    (image if mode not in ("P", "1") else image.convert(mode)).save(buffer, form, **how)
    return buffer.getvalue()


def segment(marker: int, payload: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_segments(*segments: bytes) -> bytes:
    """Return a JPEG with segments put in behind its start marker."""
    jpeg = encoded("JPEG")
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def tiff(order: str, value: int, kind: int = 3, *, before: int = 0) -> bytes:
    """Return EXIF data that holds an orientation behind some other entries."""
    code = {1: "B", 3: "H", 4: "I"}[kind]
    entries = [struct.pack(f"{order}HHIHH", 0x0100 + n, 3, 1, 7, 0) for n in range(before)]
    content = struct.pack(f"{order}{code}", value).ljust(4, b"\0")
    entries.append(struct.pack(f"{order}HHI", 0x0112, kind, 1) + content)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return head + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)


def pillow(data: bytes) -> Header:
    """Return what Pillow finds."""
    with Image.open(BytesIO(data)) as image:
        image.load()
        components = len(image.getbands()) if image.format == "JPEG" else data[25]
        orientation = image.getexif().get(0x0112, 1)
        return Header(str(image.format), *image.size, components, orientation)


KINDS = {
    "colour": encoded("JPEG"),
    "grey": encoded("JPEG", "L"),
    "CMYK": encoded("JPEG", "CMYK"),
    "progressive": encoded("JPEG", progressive=True),
    "optimized": encoded("JPEG", optimize=True),
    "full chroma": encoded("JPEG", subsampling=0),
    "restart markers": encoded("JPEG", restart_marker_blocks=1),
    "one pixel": encoded("JPEG", size=(1, 1)),
    "large": encoded("JPEG", size=(3000, 500)),
    "profile": encoded("JPEG", icc_profile=b"\xff\xd9" * 50_000),
    "comment": with_segments(segment(0xFE, b"\xff\xd9\xff\xda")),
    "application data": with_segments(*(segment(0xE0 + n, bytes(n)) for n in range(3, 14))),
    "fill bytes": with_segments(b"\xff\xff\xff", segment(0xFE, b"note"), b"\xff\xff"),
    "empty segment": with_segments(segment(0xFE, b"")),
    "trailing garbage": encoded("JPEG") + bytes(1000),
    "another JPEG behind": encoded("JPEG") + encoded("JPEG", "L", (5, 5)),
    "PNG": encoded("PNG"),
    "PNG palette": encoded("PNG", "P"),
    "PNG grey": encoded("PNG", "L"),
    "PNG alpha": encoded("PNG", "RGBA"),
    "PNG bilevel": encoded("PNG", "1"),
    "PNG large": encoded("PNG", size=(900, 400)),
    "PNG trailing garbage": encoded("PNG") + bytes(1000),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(16)
def test_header_is_what_pillow_reads(kind: str) -> None:
    """Format, size and components are those that Pillow finds."""
    assert pillow(KINDS[kind]) == probe(memoryview(KINDS[kind]))


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("before", [0, 5])
@pytest.mark.fault(16)
def test_orientation_is_what_pillow_reads(order: str, value: int, before: int) -> None:
    """The EXIF orientation is found in either byte order, and the size is the stored one."""
    data = with_segments(segment(0xE1, EXIF + tiff(order, value, before=before)))

    found = probe(memoryview(data))

    assert pillow(data) == found
    assert (37, 23, value) == (found.width, found.height, found.orientation)


@pytest.mark.parametrize("kind", [1, 4])
def test_orientation_may_be_of_another_type(kind: int) -> None:
    """An orientation stored as a byte or as a long is found, as Pillow finds it."""
    data = with_segments(segment(0xE1, EXIF + tiff(">", 6, kind)))

    assert (6, pillow(data)) == (probe(memoryview(data)).orientation, pillow(data))


@pytest.mark.fault(16)
def test_orientation_of_a_png() -> None:
    """The orientation of a PNG's EXIF chunk is found."""
    png = encoded("PNG")
    data = png[:33] + chunk(b"eXIf", tiff(">", 8)) + png[33:]

    assert (8, pillow(data)) == (probe(memoryview(data)).orientation, pillow(data))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        EXIF,
        EXIF + b"II",
        EXIF + b"XX" + bytes(20),
        EXIF + tiff("<", 3)[:12],
        EXIF + b"II*\0\xff\xff\xff\xff",
        EXIF + b"II*\0\x08\0\0\0\xff\xff",
        EXIF + tiff("<", 0),
        EXIF + tiff("<", 9),
        b"http://ns.adobe.com/xap/1.0/\0<x/>",
    ],
)
@pytest.mark.fault(16)
def test_malformed_exif_has_no_orientation(payload: bytes) -> None:
    """EXIF that is cut short or out of range turns nothing."""
    assert 1 == probe(memoryview(with_segments(segment(0xE1, payload)))).orientation


def test_thumbnail_is_not_the_image() -> None:
    """A whole JPEG within the EXIF data is taken neither for the image nor for its end."""
    thumbnail = encoded("JPEG", size=(8, 8))
    data = with_segments(segment(0xE1, EXIF + tiff("<", 6) + thumbnail))

    found = probe(memoryview(data))

    assert (37, 23, 6) == (found.width, found.height, found.orientation)
    with pytest.raises(ImageProblem, match="cut short"):
        probe(memoryview(data[: data.index(thumbnail) + len(thumbnail) + 40]))


@pytest.mark.parametrize("kind", [k for k in KINDS if "behind" not in k and "large" not in k])
@pytest.mark.fault(14)
def test_cut_file_is_a_problem(kind: str) -> None:
    """A file cut anywhere is never taken for whole."""
    data = KINDS[kind]
    end = max(data.rfind(b"\xff\xd9") + 2, data.rfind(b"IEND") + 8)
    step = 1 if end < 5_000 else 997

    for length in [*range(0, end, step), end - 1]:
        with pytest.raises(ImageProblem):
            probe(memoryview(data)[:length])


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO"])
@pytest.mark.fault(14)
def test_other_format_is_a_problem(form: str) -> None:
    """An image of another format is named by how it starts."""
    with pytest.raises(ImageProblem, match="no JPEG or PNG: it starts with b'"):
        probe(memoryview(encoded(form)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html>", "no JPEG or PNG"),
        (bytes(1000), "no JPEG or PNG"),
        (b"\xff\xd8", "the JPEG is cut short"),
        (b"\xff\xd8\xff\xd9", "damaged|cut short"),
        (b"\xff\xd8" + bytes(100), "no marker where one must stand"),
        (b"\xff\xd8" + segment(0xDA, b"") + b"\xff\xd9", "no frame header"),
        (b"\x89PNG\r\n\x1a\n", "the PNG is cut short"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\0IHDRIEND", "the PNG is cut short"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"gAMA", bytes(13)) + chunk(b"IEND", b""), "no IHDR"),
    ],
)
@pytest.mark.fault(14)
def test_what_is_no_image_is_a_problem(data: bytes, reason: str) -> None:
    """What is no image is said to be none."""
    with pytest.raises(ImageProblem, match=reason):
        probe(memoryview(data))


def bomb(form: str, width: int, height: int) -> bytes:
    """Return a small file that claims to be large."""
    data = encoded(form)
    if form == PNG:
        return with_content(data, b"IHDR", struct.pack(">II", width, height) + data[24:29])
    frame = data.index(b"\xff\xc0") + 5
    return data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]


@pytest.mark.parametrize(
    ("form", "width", "height"),
    [
        (PNG, 20_000, 20_000),
        (PNG, 2**32 - 1, 2**32 - 1),
        (PNG, 178_956_971, 1),
        (JPEG, 65_535, 65_535),
        (PNG, 0, 5),
        (JPEG, 5, 0),
    ],
)
@pytest.mark.fault(15)
def test_impossible_size_is_a_problem(form: str, width: int, height: int) -> None:
    """A file that claims more pixels than Pillow decodes, or none, is refused by its header."""
    with pytest.raises(ImageProblem, match=f"{width} x {height} pixels"):
        probe(memoryview(bomb(form, width, height)))


@pytest.mark.fault(15)
def test_largest_size_passes() -> None:
    """A file of just as many pixels as Pillow decodes is none of our business."""
    assert 178_956_970 == probe(memoryview(bomb(PNG, 178_956_970, 1))).width


@pytest.mark.fault(17)
@pytest.mark.parametrize("bit", range(8))
def test_a_turned_bit_of_a_png_is_a_problem(bit: int) -> None:
    """Wherever it is, although decoders accept many."""
    data = encoded("PNG", "P", (9, 7))

    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << bit
        with pytest.raises(ImageProblem):
            probe(memoryview(damaged))


@given(
    st.sampled_from(["colour", "progressive", "fill bytes", "PNG", "PNG palette"]),
    st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=4)), max_size=4),
    st.none() | st.integers(0, 3000),
)
@pytest.mark.fault(14)
def test_damage_is_a_header_or_a_problem(
    kind: str, damage: list[tuple[int, bytes]], end: int | None
) -> None:
    """Whatever the damage, there is a header or a reason, never another exception."""
    data = bytearray(KINDS[kind])
    for place, content in damage:
        data[place : place + len(content)] = content
    with suppress(ImageProblem):
        found = probe(memoryview(data)[:end])
        assert found.width * found.height > 0


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b""]), st.binary(max_size=200))
@pytest.mark.fault(14)
def test_noise_is_a_header_or_a_problem(start: bytes, noise: bytes) -> None:
    """Noise behind a signature is a header or a reason, never another exception."""
    with suppress(ImageProblem):
        found = probe(memoryview(start + noise))
        assert 1 <= found.orientation <= 8
