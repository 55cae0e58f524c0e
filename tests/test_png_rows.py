"""The largest index of a PNG: as a decoder gives it, or left to the decoder."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rawshelf import masks, png_rows
from rawshelf.images import ImageProblem
from tests.pngs import chunk

_GREY, _PALETTE = 0, 3
WIDTH = 9
# Mostly no difference, as in a mask; with every filter, that of an unknown number too.
DIFFERENCES = st.lists(st.sampled_from([0, 0, 0, 0, 0, 1, 7, 40, 255]), min_size=9, max_size=9)
ROWS = st.lists(st.tuples(st.integers(0, 4), DIFFERENCES | st.just([0] * WIDTH)), min_size=1)


def png(
    stored: bytes,
    height: int,
    *,
    colour: int = _GREY,
    interlace: int = 0,
    between: bytes = b"",
    parts: int = 1,
) -> memoryview:
    header = struct.pack(">IIBBBBB", WIDTH, height, 8, colour, 0, 0, interlace)
    packed = zlib.compress(stored)
    step = -(-len(packed) // parts)
    pieces = [packed[at : at + step] for at in range(0, len(packed), step)]
    chunks = (chunk(b"IHDR", header), between, *(chunk(b"IDAT", piece) for piece in pieces))
    return memoryview(b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b""))


def stored_rows(rows: list[tuple[int, list[int]]]) -> bytes:
    return b"".join(bytes([kind, *values]) for kind, values in rows)


def outcome(data: memoryview, look: str) -> masks.Extent | str:
    try:
        if look == "decoded":
            return masks.extent_of(masks.decode_png(data))
        return masks.extent(data)
    except ImageProblem as problem:
        return str(problem)


@given(ROWS, st.integers(1, 3), st.sampled_from([b"", chunk(b"PLTE", masks.palette(40))]))
def test_every_filter_gives_what_a_decoder_gives(
    rows: list[tuple[int, list[int]]], parts: int, palette: bytes
) -> None:
    """Whatever filters and differences the rows have, the largest index is the decoder's."""
    colour = _PALETTE if palette else _GREY
    data = png(stored_rows(rows), len(rows), colour=colour, between=palette, parts=parts)
    assert png_rows.largest(data) == int(np.asarray(Image.open(BytesIO(data))).max())


def usual() -> memoryview:
    rows = [(2, [40] * WIDTH), (2, [0] * WIDTH), (4, [0, 1, 0, 0, 3, 0, 0, 0, 0])]
    return png(stored_rows(rows), len(rows))


@pytest.mark.fault(17)
@pytest.mark.parametrize("place", range(len(usual())))
def test_damage_is_told_as_a_decoder_tells_it(place: int) -> None:
    """Wherever a byte is flipped, size, index or reason are those of the decoder."""
    damaged = bytearray(usual())
    damaged[place] ^= 0x10
    data = memoryview(damaged)
    assert outcome(data, "decoded") == outcome(data, "quick")


@pytest.mark.parametrize(
    "data",
    [
        png(bytes(3 * (WIDTH + 1)), 3, between=chunk(b"gAMA", struct.pack(">I", 45_455))),
        png(bytes(3 * (WIDTH + 1)), 3, colour=_PALETTE),
        png(bytes(3 * (WIDTH + 1)), 3, colour=_PALETTE, between=chunk(b"PLTE", bytes(771))),
        png(bytes(3 * (WIDTH + 1)), 3, interlace=1),
        png(bytes(2 * (WIDTH + 1)), 3),
        png(bytes(4 * (WIDTH + 1)), 3),
        png(b"\5" + bytes(3 * (WIDTH + 1) - 1), 3),
    ],
    ids=["further chunk", "no palette", "palette", "interlace", "short", "long", "filter"],
)
def test_the_unusual_is_left_to_a_decoder(data: memoryview) -> None:
    """No answer where a file is unusual or wrong; then the decoder's answer or reason counts."""
    assert png_rows.largest(data) is None
    assert outcome(data, "decoded") == outcome(data, "quick")


def test_rows_of_zeros_alone() -> None:
    """Where every row repeats the one above, all indices are 0."""
    rows = [(2, [0] * WIDTH)] * 3
    assert masks.extent(png(stored_rows(rows), len(rows))) == masks.Extent(3, WIDTH, 0)
