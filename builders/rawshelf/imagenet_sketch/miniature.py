"""A miniature ImageNet-Sketch release in the published layout, padded as the authors' script pads.

A class with too few drawings is filled with mirrored, flipped, rotated and plain copies of its
drawings, each encoded anew (scripts/moveImages.py of the home repository).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageOps

# Three dogs, both cranes, both maillots, and five things: classes whose names are known to clash.
WNIDS = (
    "n01440764",
    "n01443537",
    "n02012849",
    "n02085620",
    "n02088364",
    "n02099601",
    "n03126707",
    "n03710637",
    "n03710721",
    "n03773504",
    "n04008634",
    "n04355933",
)
COPIES = ("none", "mirror", "flip", "rotate180", "copy")
_QUALITY = 95  # OpenCV's default when it writes a JPEG


def members(
    seed: int = 0, wnids: Sequence[str] = WNIDS, drawings: int = 4
) -> Iterator[tuple[str, bytes]]:
    """Write a miniature release: yield ``(name, content)`` of each of its files.

    Args:
        seed: Other seeds draw other pictures.
        wnids: Class folders.
        drawings: Different drawings per class; each class also holds one copy of each kind and,
            every third class, a black image.
    """
    for position, wnid in enumerate(wnids):
        pictures = [draw(seed + 101 * position + k) for k in range(drawings)]
        pictures += [transformed(pictures[k % drawings], t) for k, t in enumerate(COPIES[1:])]
        if position % 3 == 0:
            pictures.append(Image.new("RGB", (80, 60)))
        for number, picture in enumerate(pictures):
            yield f"sketch/{wnid}/sketch_{number}.JPEG", encode(picture)


def draw(seed: int, size: tuple[int, int] | None = None) -> Image.Image:
    """Draw black strokes on white, grey or RGB, the same for the same seed.

    Args:
        seed: What to draw.
        size: Width and height in pixels; by default about 100 to 200 each.
    """
    rng = np.random.default_rng([seed, 7])
    width, height = size or (int(rng.integers(96, 200)), int(rng.integers(96, 200)))
    image = Image.new("L", (width, height), 255)
    pen = ImageDraw.Draw(image)
    for _ in range(8):
        points = rng.integers(0, (width, height), (4, 2))
        pen.line([(int(x), int(y)) for x, y in points], fill=int(rng.integers(0, 90)), width=2)
    x, y = (int(v) for v in rng.integers(10, 60, 2))
    pen.ellipse([x, y, x + 30, y + 20], outline=0, width=2)
    return image if seed % 4 == 0 else image.convert("RGB")


def transformed(image: Image.Image, transform: str) -> Image.Image:
    """Return the image mirrored (left-right), flipped (upside down), rotated180, or as it is."""
    if transform == "rotate180":
        return image.rotate(180)
    turn = {"mirror": ImageOps.mirror, "flip": ImageOps.flip}.get(transform)
    return turn(image) if turn else image.copy()


def encode(image: Image.Image, quality: int = _QUALITY) -> bytes:
    """Encode as the release's images are: baseline JPEG, colour subsampled, no metadata."""
    file = BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling="4:2:0" if image.mode == "RGB" else -1)
    return file.getvalue()
