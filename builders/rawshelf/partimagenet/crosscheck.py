"""Polygons against released masks: does what the COCO file says look like what the PNG shows?

On request, because it draws and decodes every mask. It settles what nobody states: whether the
part masks have the COCO order of the categories (one public list has Bicycle, Aeroplane and Bottle
in another order), which annotation covers which where they overlap, and whether a whole mask is
the union of its parts.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from rawshelf import masks
from rawshelf.blobs import BlobReader
from rawshelf.images import ImageProblem
from rawshelf.partimagenet.annotations import lists, whole
from rawshelf.partimagenet.classes import by_wnid
from rawshelf.partimagenet.content import File, Tree
from rawshelf.partimagenet.layout import MASK, stem_of, wnid_of
from rawshelf.partimagenet.pixels import Polygons
from rawshelf.partimagenet.release import PART_BACKGROUND, PARTS, WHOLE_BACKGROUND

_PART_INDICES, _WHOLE_INDICES = PART_BACKGROUND + 1, WHOLE_BACKGROUND + 1
_LISTED = 20
_SUSPECT = 0.9  # agreement of an image below which it is worth a look


class Image(NamedTuple):
    """One image of a split.

    Attributes:
        row: Its place in the COCO file.
        stem: Its name without suffix.
        height: As annotated.
        width: As annotated.
    """

    row: int
    stem: str
    height: int
    width: int


@dataclass
class Check:
    """Collects what the images of one split show.

    Attributes:
        table: Pixels by (index drawn from the polygons, index released).
        agreements: Agreement of each compared image.
        backwards: Sum of the agreements when earlier annotations cover later ones.
        modes: PNG modes, of part and whole masks.
        problems: What is wrong with single files.
        counts: Counts of further findings.
    """

    table: masks.Counts = field(
        default_factory=lambda: np.zeros((_PART_INDICES, _PART_INDICES), np.int64)
    )
    agreements: dict[str, float] = field(default_factory=dict)
    backwards: float = 0.0
    modes: Counter[str] = field(default_factory=Counter)
    problems: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Return the findings as plain JSON values."""
        compared = len(self.agreements)
        worst = sorted(self.agreements.items(), key=lambda item: (item[1], item[0]))
        return {
            "images compared": compared,
            "pixels that agree": masks.agreement(self.table),
            "mean agreement of an image": sum(self.agreements.values()) / max(compared, 1),
            "the same, earlier annotations over later": self.backwards / max(compared, 1),
            "images that agree by less than 90 %": [
                {"image": stem, "agreement": value}
                for stem, value in worst[:_LISTED]
                if value < _SUSPECT
            ],
            "intersection over union": {
                (*PARTS, "background")[i]: value for i, value in masks.overlaps(self.table).items()
            },
            "parts shown under another index": self._moved(),
            "PNG modes": dict(sorted(self.modes.items())),
            "counts": dict(sorted(self.counts.items())),
            "unusable masks": len(self.problems),
            "some of them": dict(sorted(self.problems.items())[:_LISTED]),
        }

    def _moved(self) -> dict[str, str]:
        """Name the parts whose polygons mostly lie on another part's index."""
        parts = self.table[:PART_BACKGROUND, :PART_BACKGROUND]
        best = parts.argmax(axis=1)
        return {
            PARTS[i]: PARTS[best[i]]
            for i in np.flatnonzero(parts.sum(axis=1))
            if parts[i, best[i]] > parts[i, i]
        }


def cross_check(tree: Tree, split: str, *, sample: int | None = None) -> Check:
    """Compare the polygons of a split with its released masks.

    Args:
        tree: A release that has masks.
        split: The release's name of the split.
        sample: How many images to compare at most, chosen by a hash of their names; None for all.

    Raises:
        SourceError: If a file cannot be read.
    """
    check = Check()
    with BlobReader() as reader:
        polygons = _polygons(tree, split)
        for image in _images(tree, split, sample):
            files = [tree.picture(MASK, image.stem, split, whole=of) for of in (False, True)]
            part = _decoded(files[0], image, reader, check, "part")
            of_whole = _decoded(files[1], image, reader, check, "whole")
            if part is not None:
                _compare_parts(part, polygons, image, check)
            if of_whole is not None:
                _compare_whole(of_whole, part, image, check)
    return check


def _images(tree: Tree, split: str, sample: int | None) -> Iterator[Image]:
    images = tree.parts[split].images
    stems = [stem_of(name) for name in images["file_name"].to_pylist()]
    rows = sorted(range(len(stems)), key=lambda row: hashlib.blake2b(stems[row].encode()).digest())
    heights, widths = images["height"].to_pylist(), images["width"].to_pylist()
    for row in sorted(rows[:sample]):
        yield Image(row, stems[row], heights[row], widths[row])


def _polygons(tree: Tree, split: str) -> Polygons:
    coco = tree.parts[split]
    ids = {image: row for row, image in enumerate(coco.images["id"].to_pylist())}
    owners = np.array([ids[image] for image in coco.annotations["image_id"].to_pylist()], np.int64)
    categories = whole(coco.annotations["category_id"])
    return Polygons(
        pa.chunked_array([lists(coco.annotations, owners, len(coco.images), categories)])
    )


def _decoded(
    file: File | None, image: Image, reader: BlobReader, check: Check, which: str
) -> masks.Mask | None:
    if file is None:
        check.counts[f"{which} masks that are missing"] += 1
        return None
    data = reader.read(file.blob, file.name)
    try:
        check.modes[f"{which}: {masks.png_mode(data)}"] += 1
        mask = masks.decode_png(data)
    except ImageProblem as problem:
        check.problems[file.name] = str(problem)
        return None
    if mask.shape != (image.height, image.width):
        check.problems[file.name] = (
            f"{mask.shape[1]} x {mask.shape[0]} pixels; the COCO file says "
            f"{image.width} x {image.height}"
        )
        return None
    return mask


def _compare_parts(part: masks.Mask, polygons: Polygons, image: Image, check: Check) -> None:
    drawn = polygons.paint(image.row, image.height, image.width)
    check.counts["polygons that cannot be drawn"] += drawn.skipped
    try:
        table = masks.confusion(drawn.mask, part, _PART_INDICES)
    except ImageProblem as problem:
        check.problems[image.stem] = f"part mask: {problem}"
        return
    check.table += table
    check.agreements[image.stem] = masks.agreement(table)
    other = polygons.paint(image.row, image.height, image.width, backwards=True)
    check.backwards += masks.agreement(masks.confusion(other.mask, part, _PART_INDICES))


def _compare_whole(
    of_whole: masks.Mask, part: masks.Mask | None, image: Image, check: Check
) -> None:
    values = np.flatnonzero(np.bincount(of_whole.reshape(-1), minlength=_WHOLE_INDICES))
    objects = [int(value) for value in values if value != WHOLE_BACKGROUND]
    known = by_wnid().get(wnid_of(image.stem) or "")
    check.counts[f"whole masks with {len(objects)} object values"] += 1
    if known is not None and known.whole_id not in objects:
        check.counts["whole masks without the value of the image's class"] += 1
    if part is None:
        return
    union, filled = part != PART_BACKGROUND, of_whole != WHOLE_BACKGROUND
    check.counts["whole masks equal to the union of the parts"] += bool((union == filled).all())
    check.counts["whole masks compared with the union of the parts"] += 1
    check.counts["pixels of a part outside the whole"] += int(np.count_nonzero(union & ~filled))
    check.counts["pixels of the whole in no part"] += int(np.count_nonzero(filled & ~union))
