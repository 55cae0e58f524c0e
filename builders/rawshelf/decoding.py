"""Decoding an image from a view of its bytes, as it is stored: no EXIF orientation is applied."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL
import PIL.features
import PIL.Image
import pyarrow as pa

from rawshelf.errors import UsageError
from rawshelf.images import JPEG, ImageProblem, probe

Pixels = npt.NDArray[np.uint8]
Decode = Callable[[memoryview], Pixels]

# What Pillow raises for files that it cannot decode.
BROKEN = (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError)
PILLOW, SIMPLEJPEG = "pillow", "simplejpeg"
_CMYK = 4  # components


def opened(view: memoryview) -> PIL.Image.Image:
    """Return an image whose header is read, in the stored orientation and mode."""
    return PIL.Image.open(pa.BufferReader(pa.py_buffer(view)))


def rgb(view: memoryview) -> PIL.Image.Image:
    """Return an image decoded, in mode RGB."""
    with opened(view) as image:
        return image.convert("RGB")


def decoder_named(name: str) -> tuple[Decode, str]:
    """Return a decoder, and a text that changes with all that may change its results.

    Decoders return uint8 (height, width, 3), red first, and raise one of `BROKEN`.

    Args:
        name: ``pillow``, or ``simplejpeg`` for JPEG and Pillow for all else.

    Raises:
        UsageError: If there is no such decoder, or it is not installed.
    """
    version = f"{PILLOW} {PIL.__version__} {PIL.features.version('jpg')}"
    if name == PILLOW:
        return _pillow, version
    if name != SIMPLEJPEG:
        raise _no_decoder(name, "Leave decoder= away.")
    try:
        library = import_module(SIMPLEJPEG)
    except ImportError as error:
        raise _no_decoder(str(error), "Install it: pip install 'rawshelf[fast]'.") from error
    version = f"{version} {SIMPLEJPEG} {library.__version__}"
    return lambda view: _simplejpeg(library, view), version


def _no_decoder(found: str, remedy: str) -> UsageError:
    return UsageError(
        "There is no such decoder.",
        field="decoder",
        found=found,
        expected=f"{PILLOW} or {SIMPLEJPEG}",
        remedy=remedy,
    )


def _pillow(view: memoryview) -> Pixels:
    return np.asarray(rgb(view))


def _simplejpeg(library: Any, view: memoryview) -> Pixels:
    try:
        header = probe(view)
    except ImageProblem as error:
        raise ValueError(error) from error
    if header.format != JPEG or header.components == _CMYK:
        return _pillow(view)
    # Its defaults are Pillow's (the accurate transform, smooth upsampling): the pixels are equal.
    return np.asarray(library.decode_jpeg(view, colorspace="RGB"))
