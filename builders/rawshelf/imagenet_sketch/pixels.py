"""From a JPEG to its luma, and from luma to what is compared and published."""

from __future__ import annotations

import hashlib
import struct
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL.JpegImagePlugin import JpegImageFile

Luma = npt.NDArray[np.uint8]
Cells = npt.NDArray[np.float32]

_GRID, _CELL = 16, 8
_STRIP = 64  # rows


def decode_luma(data: memoryview) -> Luma:
    """Decode a JPEG to its luma, (height, width) in 0..255.

    The number of pixels must have been checked: `PIL.Image.open` warns of large images, through a
    filter that threads share, and is not used here.

    Raises:
        OSError: If the data are damaged.
        SyntaxError: If Pillow cannot read the header.
    """
    with JpegImageFile(BytesIO(data)) as image:
        image.draft("L", image.size)  # decodes no colour
        return np.asarray(image if image.mode == "L" else image.convert("L"))


def moments(luma: Luma) -> tuple[int, int]:
    """Return the sum of the pixels and the sum of their squares, exactly."""
    total = squares = 0
    for top in range(0, len(luma), _STRIP):
        strip = luma[top : top + _STRIP]
        total += int(strip.sum(dtype=np.uint64))
        squares += int(np.multiply(strip, strip, dtype=np.uint16).sum(dtype=np.uint64))
    return total, squares


def grid(luma: Luma) -> Cells:
    """Return the mean luma of a grid of cells, at most 16 x 16 of at least 8 x 8 pixels.

    Cell i of n covers the pixels floor(i w / n) to ceil((i + 1) w / n): neighbours may share a
    line of pixels, and the mirrored image has exactly the mirrored grid.
    """
    rows = _windows(luma.shape[0])
    columns = _windows(luma.shape[1])
    bands = np.stack([luma[a:b].sum(axis=0, dtype=np.uint32) for a, b in rows])
    sums = np.stack([bands[:, a:b].sum(axis=1, dtype=np.int64) for a, b in columns], axis=1)
    areas = np.outer([b - a for a, b in rows], [b - a for a, b in columns])
    means: Cells = (sums / areas).astype(np.float32)
    return means


def grid_shape(width: int, height: int) -> tuple[int, int]:
    """Return the rows and columns of the grid of an image of this size."""
    return len(_windows(height)), len(_windows(width))


def _windows(length: int) -> list[tuple[int, int]]:
    count = max(1, min(_GRID, length // _CELL))
    return [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]


def content_key(luma: Luma) -> str:
    """Return a key of the pixels that mirroring, flipping and rotating by 180 do not change.

    The hash of the size and of the one of the four images whose pixels come first when compared
    row by row; 32 hex digits.
    """
    least = luma
    for turned in (luma[:, ::-1], luma[::-1], luma[::-1, ::-1]):
        least = turned if _precedes(turned, least) else least
    digest = hashlib.blake2b(struct.pack("<II", *luma.shape), digest_size=16)
    for top in range(0, len(least), _STRIP):
        digest.update(least[top : top + _STRIP].tobytes())
    return digest.hexdigest()


def _precedes(one: Luma, other: Luma) -> bool:
    for left, right in zip(one, other, strict=True):
        differing = np.flatnonzero(left != right)
        if len(differing):
            return bool(left[differing[0]] < right[differing[0]])
    return False
