"""Index masks: drawing polygons, PNG in and out, palettes, agreement of two masks.

A mask is a ``uint8`` array (height, width); a pixel is the index of a class, and one index, given
by whoever asks, is the background. Polygons are COCO's: flat sequences x0, y0, x1, y1, ... in
pixels, (0, 0) being the outer corner of the first pixel.

Drawing is pycocotools' own (`frPyObjects`), so that a mask equals, pixel for pixel, what
`COCO.annToMask` gives. pycocotools looks at the first polygon only to decide what a
segmentation is: a first polygon of four numbers raises a TypeError, one of two an Exception, and
such a one further back adds nothing (measured with 2.0.11). Here each polygon is judged alone.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL.PngImagePlugin import PngImageFile
from pycocotools import mask as coco

from rawshelf.images import PNG, UNDECODABLE, ImageProblem, probe
from rawshelf.png_rows import largest

Mask = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]
Polygon = Sequence[float] | npt.NDArray[np.float64]

MIN_NUMBERS = 6  # three points
# pycocotools walks along every edge in steps of a fifth of a pixel and keeps them all: a corner far
# outside would take any amount of memory. No image of a release comes near.
FARTHEST = 100_000.0

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3  # colour types of PNG whose samples are indices
_BITS = 8
# Of COCO's compressed run lengths: the code of 0, the number of codes, and how many groups of five
# bits a length may take, more than any photograph has pixels.
_LOWEST = ord("0")
_CODES = 64
_GROUPS = 8
_LEVEL = 6
# The golden ratio's fractional part: multiples of it spread evenly over the circle of hues.
_GOLDEN = 0.618033988749895
_LIGHTS = (1.0, 0.72, 0.5)


def is_drawable(polygon: Polygon) -> bool:
    """Tell whether a polygon has three points, none of them absurdly far away.

    >>> is_drawable([0, 0, 4, 0, 4, 4]), is_drawable([0, 0, 4, 4])
    (True, False)
    """
    return len(polygon) >= MIN_NUMBERS and bool(np.abs(polygon).max() <= FARTHEST)


def draw(polygons: Sequence[Polygon], height: int, width: int) -> Mask | None:
    """Draw the union of the polygons that can be drawn.

    Args:
        polygons: Of one annotation. What lies outside the image is cut off; a last odd number is
            ignored.
        height: Pixels.
        width: Pixels.

    Returns:
        1 inside, 0 outside, (height, width); None if no polygon can be drawn.
    """
    if not any(map(is_drawable, polygons)):
        return None
    return paint([polygons], [1], height=height, width=width, background=0).mask


def is_encoded(counts: str | bytes, height: int, width: int) -> bool:
    """Tell whether compressed run lengths are COCO's, and those of just a mask of this size.

    pycocotools itself does not ask: for fewer pixels it gives what the memory held before.

    >>> is_encoded("04", 2, 2), is_encoded("03", 2, 2), is_encoded("p", 2, 2)
    (True, False, False)
    """
    codes = np.frombuffer(counts.encode() if isinstance(counts, str) else counts, np.uint8)
    if not len(codes) or codes.min() < _LOWEST or codes.max() >= _LOWEST + _CODES:
        return False
    ends = np.flatnonzero((codes - _LOWEST) & 0x20 == 0)
    if not len(ends) or ends[-1] != len(codes) - 1 or np.diff(ends, prepend=-1).max() > _GROUPS:
        return False
    lengths = _lengths(codes.tobytes())
    return bool(lengths.min() >= 0) and int(lengths.sum()) == height * width


def _runs(counts: bytes) -> tuple[list[int], list[int]]:
    """Return where the runs of ones begin and end, from COCO's compressed run lengths.

    Reading them here rather than through `decode` spares a mask as large as the image per polygon.
    """
    edges = np.cumsum(_lengths(counts)).tolist()
    return edges[::2], edges[1::2]


def _lengths(counts: bytes) -> Counts:
    """Return the lengths of runs, of zeros first, from COCO's compressed form.

    Pixels are counted down the columns. Every run length, from the fourth on as the difference to
    the one before the last, is stored in groups of five bits, lowest first; bit 5 says that more
    follow, bit 4 of the last one is the sign (`rleToString` in cocoapi's maskApi.c).
    """
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - _LOWEST
    last = np.flatnonzero(codes & 0x20 == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    groups = last - first + 1
    place = np.arange(len(codes)) - np.repeat(first, groups)
    lengths = np.add.reduceat((codes & 0x1F) << (5 * place), first)
    lengths -= np.where(codes[last] & 0x10, 1 << (5 * groups), 0)
    for start in (1, 2):
        lengths[start::2] = np.cumsum(lengths[start::2])
    return np.asarray(lengths)


class Painted(NamedTuple):
    """A mask drawn from annotations.

    Attributes:
        mask: The indices, (height, width).
        skipped: How many polygons could not be drawn.
    """

    mask: Mask
    skipped: int


def paint(
    annotations: Sequence[Sequence[Polygon]],
    indices: Sequence[int],
    *,
    height: int,
    width: int,
    background: int,
) -> Painted:
    """Draw annotations one over another: later ones cover earlier ones.

    Args:
        annotations: The polygons of each annotation.
        indices: What to write where each annotation is.
        height: Pixels.
        width: Pixels.
        background: What stands where no annotation is.
    """
    pixels = np.full(height * width, background, np.uint8)  # down the columns
    skipped = 0
    for polygons, index in zip(annotations, indices, strict=True):
        good = [polygon for polygon in polygons if is_drawable(polygon)]
        skipped += len(polygons) - len(good)
        for encoded in coco.frPyObjects(good, height, width) if good else ():
            for start, stop in zip(*_runs(encoded["counts"]), strict=False):
                pixels[start:stop] = index
    return Painted(np.ascontiguousarray(pixels.reshape(width, height).T), skipped)


def palette(colours: int) -> bytes:
    """Return RGB triples for the indices 0 to `colours` - 1 and black for the background behind.

    The colours are all different: hues a golden section of the circle apart, in three degrees of
    brightness and two of saturation. Equal on every machine.

    >>> palette(2).hex()
    'f224240033ae000000'
    """
    rows = [_colour(index) for index in range(colours)]
    return bytes(value for row in rows for value in row) + bytes(3)


def _colour(index: int) -> tuple[int, int, int]:
    hue = index * _GOLDEN % 1 * 6
    light = _LIGHTS[index % 3] * 0.95
    low = light * (0.15 if index % 2 == 0 else 0.0)
    middle = low + (light - low) * (1 - abs(hue % 2 - 1))
    places = ((0, 1), (1, 0), (1, 2), (2, 1), (2, 0), (0, 2))  # the strongest, the second
    strongest, second = places[int(hue)]
    values = [low, low, low]
    values[strongest], values[second] = light, middle
    red, green, blue = (round(value * 255) for value in values)
    return red, green, blue


def encode_png(mask: Mask, colours: bytes) -> bytes:
    """Encode a mask as PNG with a palette, 8 bits a pixel; the same mask gives the same bytes.

    Rows are not filtered, which suits areas of one index and lets `decode_png` be quick.

    Args:
        mask: Indices, (height, width).
        colours: RGB triples, as `palette` gives.
    """
    height, width = mask.shape
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = mask
    header = struct.pack(">IIBBBBB", width, height, _BITS, _PALETTE, 0, 0, 0)
    # Matches of distance one only: as small as the usual search on such rows, four times faster.
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    data = packer.compress(rows.tobytes()) + packer.flush()
    chunks = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", data), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def decode_png(data: memoryview) -> Mask:
    """Decode a PNG whose samples are indices.

    Args:
        data: The file: grey (mode L) or palette (mode P), at most 8 bits a pixel.

    Returns:
        The indices, (height, width).

    Raises:
        ImageProblem: If it is no such PNG, or damaged.
    """
    header = probe(data)
    if header.format != PNG:
        raise ImageProblem(f"a {header.format} under the name of a PNG")
    bits = data[24]
    if header.components not in (_GREY, _PALETTE) or bits > _BITS:
        raise ImageProblem(
            f"PNG colour type {header.components} with {bits} bits holds no class indices"
        )
    if header.components == _GREY and bits < _BITS:
        raise ImageProblem(f"a grey PNG of {bits} bits, whose indices decoders scale")
    try:
        # Not `PIL.Image.open`: of a damaged header it tells no more than where in memory that was.
        with PngImageFile(BytesIO(data)) as image:
            return np.asarray(image)
    except UNDECODABLE as error:
        raise ImageProblem(f"the PNG does not decode: {error}") from error


class Extent(NamedTuple):
    """What a mask of indices reaches.

    Attributes:
        height: Pixels.
        width: Pixels.
        largest: Its largest index.
    """

    height: int
    width: int
    largest: int


def extent(data: memoryview) -> Extent:
    """Return what `decode_png` would show of a mask's size and indices, at half the cost.

    Raises:
        ImageProblem: As `decode_png`.
    """
    header = probe(data)
    found = largest(data) if header.format == PNG else None
    if found is None:
        return extent_of(decode_png(data))
    return Extent(header.height, header.width, found)


def extent_of(mask: Mask) -> Extent:
    """Return the extent of a decoded mask."""
    height, width = mask.shape
    return Extent(height, width, int(mask.max()))


def png_mode(data: memoryview) -> str:
    """Return a PNG's colour type and depth as Pillow names modes: ``L``, ``P``, else as found."""
    header = probe(data)
    name = {_GREY: "L", _PALETTE: "P"}.get(header.components, f"type {header.components}")
    return name if data[24] == _BITS else f"{name}, {data[24]} bits"


def confusion(first: Mask, second: Mask, classes: int) -> Counts:
    """Count the pixels of each pair of indices.

    Args:
        first: Indices below `classes`.
        second: The same, of the same shape.
        classes: Number of indices, the background included.

    Returns:
        (classes, classes): element i, j counts pixels that are i in the first and j in the second.

    Raises:
        ImageProblem: If the masks differ in shape or hold other indices.
    """
    if first.shape != second.shape:
        raise ImageProblem(f"a mask of {_size(second)} beside one of {_size(first)}")
    if first.size and max(int(first.max()), int(second.max())) >= classes:
        raise ImageProblem(f"an index above {classes - 1}")
    pairs = first.astype(np.intp) * classes + second
    return np.bincount(pairs.reshape(-1), minlength=classes * classes).reshape(classes, classes)


def _size(mask: Mask) -> str:
    return f"{mask.shape[1]} x {mask.shape[0]} pixels"


def agreement(table: Counts) -> float:
    """Return the share of pixels in which two masks agree, from their confusion."""
    total = int(table.sum())
    return float(np.trace(table)) / total if total else 1.0


def overlaps(table: Counts) -> dict[int, float]:
    """Return each index' intersection over union, from a confusion; only for those that occur."""
    both = np.diagonal(table)
    union = table.sum(axis=0) + table.sum(axis=1) - both
    return {int(i): float(both[i] / union[i]) for i in np.flatnonzero(union)}
