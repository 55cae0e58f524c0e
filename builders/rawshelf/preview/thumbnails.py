"""Small copies of images and masks, as data URIs of a bounded size."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from rawshelf import masks
from rawshelf.images import ImageProblem

LARGEST_SIDE = 512  # pixels: photographs of SPair-71k have 500 at most, and stay sharp
SMALLEST_SIDE = 96
_STEP = 0.8
_QUALITY = 80  # of JPEG; below it thin lines of sketches grow fringes
BASE64 = 0.75  # bytes of content per letter
_MASK_SIDE = 320  # nobody sees finer edges below a photograph of 512


def uri(kind: str, content: bytes) -> str:
    """Return content as a data URI.

    >>> uri("image/png", b"abc")
    'data:image/png;base64,YWJj'
    """
    return f"data:{kind};base64,{b64encode(content).decode('ascii')}"


def photograph(image: Image.Image, most: int) -> bytes:
    """Encode a decoded image as JPEG of at most so many bytes, as large as they allow.

    One that is too large even with `SMALLEST_SIDE` is returned in that size.
    """
    if image.mode != "L":
        image = image.convert("RGB")
    side = float(min(LARGEST_SIDE, max(image.size)))
    while True:
        found = _jpeg(image, side)
        if len(found) <= most or side <= SMALLEST_SIDE:
            return found
        side = max(SMALLEST_SIDE, side * _STEP)


def _jpeg(image: Image.Image, side: float) -> bytes:
    scale = side / max(image.size)
    if scale < 1:
        width, height = (max(1, round(length * scale)) for length in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()


def mask_indices(encoded: bytes | None, size: tuple[int, int]) -> npt.NDArray[np.uint8] | None:
    """Return the indices of a mask, or None if there is none that fits an image of this size."""
    if not encoded:
        return None
    try:
        found = masks.decode_png(memoryview(encoded))
    except ImageProblem:
        return None
    return found if found.shape == (size[1], size[0]) else None


def mask_picture(indices: npt.NDArray[np.uint8], colours: bytes, background: int) -> bytes:
    """Encode a mask as palette PNG whose background lets the photograph through.

    Args:
        indices: (height, width).
        colours: RGB triples of the indices from 0 on.
        background: The index that stands for nothing.
    """
    image = Image.fromarray(indices).convert("L")
    scale = min(1.0, _MASK_SIDE / max(image.size))
    width, height = (max(1, round(length * scale)) for length in image.size)
    image = image.resize((width, height), Image.Resampling.NEAREST)
    painted = Image.frombytes("P", image.size, image.tobytes())
    painted.putpalette(colours.ljust(3 * (background + 1), b"\0"))
    file = BytesIO()
    painted.save(file, "PNG", transparency=background, optimize=True)
    return file.getvalue()
