"""Made-up raw releases of the published counts, written once and kept in a folder.

What is drawn: the pictures, from small pools; a comment of its own makes each file's bytes unique.
"""

import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from rawshelf import labels
from rawshelf.imagenet_sketch.miniature import encode
from rawshelf.miniature import Members, pack_tar, pack_zip
from rawshelf.spair71k import miniature as spair
from tests.bench import seg
from tests.fakes.imagenet_sketch import PICTURES, commented, sketch, stated_count
from tests.fakes.partimagenet import IMAGES as OOD_IMAGES
from tests.fakes.spair71k import FullSizePictures
from tests.fakes.spair71k_tables import SMALL, annotations

VERSION = 1  # of the releases; a kept one of another version is not used

# The real zip holds 50,889 images in 7.8 GB: 153 kB each.
_SKETCHES = 5_000
_SKETCH_SIZES = ((640, 680), (723, 611), (800, 840), (1003, 700))
_SKETCH_POOL = 240
_PHOTO_SIDE = 600  # pixels
_TOY_CLASSES = 3


@dataclass(frozen=True)
class Size:
    """How large the releases are.

    Attributes:
        full: All images, where the default is a part of them.
        toy: A few images, for a test of the benchmark itself.
        share: How much of that.
    """

    full: bool = False
    toy: bool = False
    share: Fraction = Fraction(1)

    @property
    def name(self) -> str:
        """Return a name that tells sizes apart."""
        kind = "toy" if self.toy else "full" if self.full else "default"
        return f"{kind}-{self.share.numerator}-{self.share.denominator}"

    def of(self, count: int) -> int:
        """Return the share of a count, at least 1."""
        return max(1, round(count * self.share))


@dataclass(frozen=True)
class Store:
    """Where the releases are kept.

    Attributes:
        folder: Holds one file per release, size and version.
    """

    folder: Path

    def kept(self, name: str, size: Size, write: Callable[[Path], object]) -> Path:
        """Return the release of a name and size, written if it is not there."""
        path = self.folder / f"v{VERSION}-{size.name}" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f"unfinished-{os.getpid()}-{path.name}")
            write(unfinished)
            unfinished.rename(path)
        return path

    def sketch_stored(self, size: Size) -> Path:
        """Write ImageNet-Sketch as a zip that stores."""
        return self._sketch(size, "sketch-stored.zip", zipfile.ZIP_STORED)

    def sketch_deflated(self, size: Size) -> Path:
        """Write ImageNet-Sketch as a zip that deflates."""
        return self._sketch(size, "sketch-deflated.zip", zipfile.ZIP_DEFLATED)

    def _sketch(self, size: Size, name: str, compression: int) -> Path:
        return self.kept(
            name, size, lambda path: pack_zip(sketches(size), path, compression=compression)
        )

    def spair(self, size: Size) -> Path:
        """Write SPair-71k as its tar.gz."""
        return self.kept(
            "SPair-71k.tar.gz",
            size,
            lambda path: pack_tar(spair_members(size), path, wrapper="SPair-71k"),
        )

    def partimagenet(self, size: Size) -> Path:
        """Write PartImageNet's Seg release as a zip that deflates, as `zip -r` does."""
        return self.kept(
            "PartImageNet_Seg.zip",
            size,
            lambda path: pack_zip(
                partimagenet_members(size), path, compression=zipfile.ZIP_DEFLATED
            ),
        )

    def partimagenet_ood(self, size: Size) -> Path:
        """Write PartImageNet's OOD release as a zip that stores."""
        counts = {split: size.of(count) for split, count in OOD_IMAGES.items()}
        return self.kept(
            "PartImageNet_OOD.zip",
            size,
            lambda path: pack_zip(seg.ood_members(counts, side=_PHOTO_SIDE), path),
        )


def sketches(size: Size) -> Members:
    """Yield so many sketches, spread over all classes as the release's are."""
    wnids = labels.wnids()[: _TOY_CLASSES if size.toy else None]
    total = sum(map(stated_count, wnids))
    wanted = size.of(total if size.full else 12 if size.toy else _SKETCHES)
    number = 0
    for wnid in wnids:
        # Each class is cut by the same share, so that the counts are exact in the end.
        start, number = number, number + stated_count(wnid)
        for k in range(number * wanted // total - start * wanted // total):
            name = f"sketch/{wnid}/sketch_{k}.JPEG"
            yield name, commented(_drawing((start + k) % _SKETCH_POOL, small=size.toy), name)


@lru_cache(maxsize=_SKETCH_POOL)
def _drawing(number: int, *, small: bool) -> bytes:
    width, height = _SKETCH_SIZES[number // len(PICTURES) % len(_SKETCH_SIZES)]
    shape = (width // 8, height // 8) if small else (width, height)
    return encode(sketch(PICTURES[number % len(PICTURES)], shape, np.random.default_rng(number)))


def spair_members(size: Size) -> Iterator[tuple[str, bytes]]:
    """Yield the release of `tests.fakes.spair71k.full_size`, or some of its categories."""
    if size.toy:
        return spair.members(categories=spair.CATEGORIES[:2], side=80)
    kept = set(spair.CATEGORIES[: size.of(len(spair.CATEGORIES))])
    by_split = {
        split: [image for image in images if image["category"] in kept]
        for split, images in annotations().items()
    }
    everything = [image for images in by_split.values() for image in images]
    small = SMALL if size.share == 1 else None
    return spair.release_members(by_split, pictures=FullSizePictures(everything), small=small)


def partimagenet_members(size: Size) -> Iterator[tuple[str, bytes]]:
    """Yield the Seg release of `tests.bench.seg`: all annotations, some of the photographs."""
    if size.toy:
        return seg.members({"train": 4, "val": 2, "test": 2}, side=80, photos=2)
    counts = {split: size.of(count) for split, count in seg.IMAGES.items()}
    return seg.members(counts, side=_PHOTO_SIDE, photos=1 if size.full else 8)
