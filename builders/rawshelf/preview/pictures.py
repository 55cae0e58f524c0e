"""What a dataset declares about its pictures, and how a picture becomes a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

from rawshelf.preview.reading import Conversion

# A card loads all its pictures at once; this is ours, not a limit of the Hub.
LARGEST = 1_500_000
_BITS = (8, 7, 6)  # kept of each colour
_SHRINK = 0.85


@dataclass(frozen=True)
class Wish:
    """What the user asked for.

    Attributes:
        seed: Of the choice of rows.
        rows: Rows on a contact sheet, or None for as many as suit the dataset.
    """

    seed: int = 0
    rows: int | None = None


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        title: A few words.
        alt: What is to be seen, with the measured figures, for those who do not see it.
        image: The picture, mode RGB.
    """

    title: str
    alt: str
    image: Image.Image


@dataclass(frozen=True)
class Subject:
    """A picture that a dataset can have.

    Attributes:
        name: Of the file, without its ending.
        needs: Sets of configs, best first: the picture is drawn from the first set that is there
            as a whole.
        draw: Draws it from a conversion and the chosen set of configs.
    """

    name: str
    needs: tuple[tuple[str, ...], ...]
    draw: Callable[[Conversion, tuple[str, ...], Wish], Picture]


def encode(image: Image.Image, largest: int = LARGEST) -> bytes:
    """Encode a picture as PNG without metadata, in at most so many bytes.

    If it must be, the last bits of the colours are cleared, which nobody sees and which packs
    better, and then the picture is made smaller. The same picture gives the same bytes with the
    same version of Pillow.
    """
    while True:
        for bits in _BITS:
            found = _png(ImageOps.posterize(image, bits))
            if len(found) <= largest:
                return found
        width, height = (max(1, int(side * _SHRINK)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)


def _png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
