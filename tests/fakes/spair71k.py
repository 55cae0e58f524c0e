"""Fake raw releases of SPair-71k besides the miniature.

One of full size whose pairs satisfy the published tables, one of the real test annotations with
drawn pixels, and the defects that a release can have.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from rawshelf.miniature import text_seed
from rawshelf.spair71k.miniature import SPLITS, Pictures, annotation, release_members
from rawshelf.spair71k.miniature_pairs import Document
from tests.fakes.spair71k_defects import DEFECTS
from tests.fakes.spair71k_tables import SMALL, annotations

__all__ = ["DEFECTS", "full_size", "real_test_annotations", "real_test_split"]

# The one file of the real test split that ends with a newline, seen in the release.
REAL_NEWLINE = ("pottedplant", "2007_004081.jpg")


class FullSizePictures(Pictures):
    """Draws photos whose sizes in bytes are spread like the release's, about 95 kB on average."""

    def photo_size(self, image: Document) -> int | None:
        """Return 65 to 125 kB."""
        rng = np.random.default_rng(text_seed(image["filename"]))
        return int(rng.integers(65_000, 125_001))


class RealPictures(Pictures):
    """Draws the photos that are not at hand."""

    def __init__(self, images: Iterable[Document], folder: Path) -> None:
        """Remember where real photos may be."""
        super().__init__(images)
        self.folder = folder

    def photo(self, image: Document) -> bytes:
        """Return the real photo if there is one, else a drawing of its size."""
        path = self.folder / image["category"] / image["filename"]
        return path.read_bytes() if path.is_file() else super().photo(image)


def full_size(*, images: bool = True) -> Iterator[tuple[str, bytes]]:
    """Write a release with the counts of the real one: yield ``(name, content)`` of each file.

    Args:
        images: Whether to draw photos and masks; without them there are 1,800 annotations only.
    """
    by_split = annotations()
    everything = [image for split in SPLITS for image in by_split[split]]
    pictures = FullSizePictures(everything) if images else None
    return release_members(by_split, pictures=pictures, small=SMALL)


def real_test_annotations(real: Path) -> list[Document]:
    """Expand the 481 real annotations of the test split.

    Args:
        real: The folder that holds ``test_image_annotations.txt``.
    """
    lines = (real / "test_image_annotations.txt").read_text(encoding="ascii").splitlines()
    return [_expanded(line) for line in lines]


def _expanded(line: str) -> Document:
    """Expand a line into the annotation that it abbreviates.

    >>> _expanded("cat/2008_000001 700 2008 500 375 Left 0 1 0 1,2,3,4 2 7:5,6")["kps"]["7"]
    [5, 6]
    """
    name, _, _, width, height, pose, *flags_and_more = line.split()
    truncated, occluded, difficult, box, azimuth, *points = flags_and_more
    category, stem = name.split("/")
    return annotation(
        category,
        stem,
        size=(int(width), int(height)),
        box=[int(side) for side in box.split(",")],
        points=dict(_point(point) for point in points),
        azimuth=int(azimuth),
        pose=pose,
        flags=(int(truncated), int(occluded), int(difficult)),
    )


def _point(text: str) -> tuple[int, tuple[int, int]]:
    number, _, place = text.partition(":")
    x, y = place.split(",")
    return int(number), (int(x), int(y))


def real_test_split(
    real: Path, *, layouts: Iterable[str] = ("test",)
) -> Iterator[tuple[str, bytes]]:
    """Write a release that has the real test annotations and no other images.

    The pairs and their large layout are the real ones; the small layout is made up, and photos
    are drawn unless the real one is at hand. Training and validation layouts are empty.

    Args:
        real: The folder of ``test_image_annotations.txt`` and, for photos, of ``SPair-71k``.
        layouts: The splits that layout files are written for.
    """
    images = real_test_annotations(real)
    return release_members(
        {"test": images},
        pictures=RealPictures(images, real / "SPair-71k" / "JPEGImages"),
        small={"test": SMALL["test"]},
        layouts=tuple(layouts),
        newline_after={REAL_NEWLINE},
    )
