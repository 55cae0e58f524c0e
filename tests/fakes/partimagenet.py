"""Fake raw releases of PartImageNet besides the miniature, and the masks to expect of one.

Of moderate size with all classes, of full size under the real names, in every layout that people
hold, and with every defect that a release can have.
"""

import csv
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rasters

from rawshelf.miniature import text_seed
from rawshelf.partimagenet.miniature import (
    SPLITS,
    Document,
    annotation,
    categories,
    file_names,
    image_entry,
    members,
    ood_members,
)
from rawshelf.partimagenet.miniature_classes import CLASSES, OOD_ORDER
from rawshelf.partimagenet.miniature_scenes import Scene, draw_scene, stage
from tests.fakes.imagenet_sketch import commented
from tests.fakes.partimagenet_defects import DEFECTS, OOD_DEFECTS, SEG_DEFECTS
from tests.fakes.partimagenet_layouts import LAYOUTS, OOD_LAYOUTS, SEG_LAYOUTS

__all__ = [
    "ANNOTATIONS",
    "DEFECTS",
    "FEW",
    "IMAGES",
    "LAYOUTS",
    "OOD_DEFECTS",
    "OOD_LAYOUTS",
    "SEG_DEFECTS",
    "SEG_LAYOUTS",
    "document",
    "drawn_from_few",
    "expected_mask",
    "expected_whole_mask",
    "full_document",
    "ood",
    "ood_full_names",
    "seg",
]

BACKGROUND = 40
WHOLE_BACKGROUND = 158
SHORTEST_POLYGON = 6  # three corners

FEW = ("n02422699", "n02492035", "n02099601", "n02835271")  # two of train, one of val and test
IMAGES = {"train": 16_540, "val": 2_957, "test": 4_598}  # README of the home repository
ANNOTATIONS = 111_960  # a secondary page on the paper; 4.65 per image
TINY = 40  # pixels
VARIANTS = 24  # different drawings of each super-category


def seg(
    seed: int = 0, wnids: Sequence[str] = tuple(CLASSES), *, side: int = 64
) -> Iterator[tuple[str, bytes]]:
    """Write a Seg release of all 158 classes, 316 / 158 / 158 photos."""
    return members(seed, {"train": 2, "val": 1, "test": 1}, wnids, side=side)


def ood(
    seed: int = 0, wnids: Sequence[str] = tuple(CLASSES), *, side: int = 64
) -> Iterator[tuple[str, bytes]]:
    """Write an OOD release of the same photos: 109 / 19 / 30 classes of four."""
    return ood_members(seed, 4, wnids, side=side)


def ood_full_names(tsv: Path) -> Iterator[tuple[str, bytes]]:
    """Write an OOD release with the real counts and the real training images' names and ids.

    Names of validation and test are made up, spread evenly over their 19 and 30 classes. Photos
    are tiny and no two have equal bytes. All in all there are 111,960 annotations.

    Args:
        tsv: The real training images: image_id, wnid and file_name, tab-separated.
    """
    names = {split: _names(split, tsv) for split in SPLITS}
    ahead = 0
    for split, own in names.items():
        indent = 4 if split == "val" else None
        yield f"{split}.json", json.dumps(full_document(own, ahead), indent=indent).encode("ascii")
        ahead += len(own)
    for split, own in names.items():
        for name in own:
            yield f"{split}/{name.partition('_')[0]}/{name}", _tiny_photo(name)


def _names(split: str, tsv: Path) -> list[str]:
    """Return the file names of a split; an image's id is its place in the list."""
    if split == "train":
        with tsv.open(encoding="ascii", newline="") as file:
            rows = {
                int(r["image_id"]): r["file_name"] for r in csv.DictReader(file, delimiter="\t")
            }
        return [rows[image_id] for image_id in range(len(rows))]
    wnids = [wnid for wnid, each in CLASSES.items() if each.split == split]
    wnids.sort(key=lambda wnid: (OOD_ORDER.index(CLASSES[wnid].supercategory), wnid))
    base, more = divmod(IMAGES[split], len(wnids))
    return [
        name for place, wnid in enumerate(wnids) for name in file_names(wnid, base + (place < more))
    ]


def full_document(
    names: Sequence[str], ahead: int, *, side: int = TINY, corners: int = 0
) -> Document:
    """Return the COCO document of a split of a release of full size.

    Args:
        names: The split's photos, of 24,095 in all splits together.
        ahead: How many photos other splits have before them.
        side: The longer side of the photos.
        corners: Least number of corners of a polygon.
    """
    images: list[Document] = []
    annotations: list[Document] = []
    total = sum(IMAGES.values())
    for image_id, name in enumerate(names):
        shown = drawn_from_few(name, side)
        images.append(image_entry(image_id, name, shown))
        place = ahead + image_id
        count = (place + 1) * ANNOTATIONS // total - place * ANNOTATIONS // total
        for entry in _instances(shown, count, corners):
            annotations.append(entry | {"id": len(annotations), "image_id": image_id})
    return {"images": images, "annotations": annotations, "categories": categories()}


def drawn_from_few(name: str, side: int) -> Scene:
    """Return one of few scenes of a photo's super-category."""
    supercategory = CLASSES[name.partition("_")[0]].supercategory
    return stage(supercategory, text_seed(name) % VARIANTS, side)


@lru_cache(maxsize=1024)
def _instances(shown: Scene, count: int, corners: int) -> tuple[Document, ...]:
    """Return so many parts of the object; those beyond the last are the first ones, moved."""
    entries = []
    for number in range(count):
        again, place = divmod(number, len(shown.parts))
        category_id, polygons = shown.parts[place]
        moved = [round(value + 0.3 * again, 2) for value in _with_corners(polygons[0], corners)]
        entries.append(annotation(0, 0, category_id, [moved]))
    return tuple(entries)


def _with_corners(polygon: Sequence[float], corners: int) -> list[float]:
    """Put corners on the sides of a polygon until it has as many as asked for.

    >>> _with_corners((0, 0, 4, 0, 0, 2), 6)
    [0.0, 0.0, 2.0, 0.0, 4.0, 0.0, 2.0, 1.0, 0.0, 2.0, 0.0, 1.0]
    """
    whole = list(zip(polygon[::2], polygon[1::2], strict=True))
    steps = max(1, -(-corners // len(whole)))
    points = []
    for (x, y), (to_x, to_y) in zip(whole, whole[1:] + whole[:1], strict=True):
        for step in range(steps):
            points += [x + (to_x - x) * step / steps, y + (to_y - y) * step / steps]
    return points


def _tiny_photo(name: str) -> bytes:
    return commented(_drawn(drawn_from_few(name, TINY)), name)


@lru_cache(maxsize=len(OOD_ORDER) * VARIANTS)
def _drawn(shown: Scene) -> bytes:
    return draw_scene(shown, seed=0)


def document(release: Mapping[str, bytes], split: str) -> Any:
    """Return the COCO document of a split's parts."""
    names = [n for n in release if n.endswith(f"{split}.json") and "_whole/" not in n]
    return json.loads(release[min(names, key=len)])


def expected_mask(coco: Document, image_id: int) -> NDArray[np.uint8]:
    """Draw the part mask that the polygons of an image give, by the plainest means.

    The rule: all pixels are 40 at first. The annotations of the image are painted in the order
    of the file, each with its category id over what is there. An annotation covers what
    pycocotools' rasteriser gives for each of its polygons; a polygon of fewer than six numbers is
    skipped wherever it stands, of an odd number the last is ignored, and what lies outside the
    image is cut off. A run-length encoding has no polygons and is not painted. ``area`` and
    ``iscrowd`` do not matter.
    """
    [image] = [each for each in coco["images"] if each["id"] == image_id]
    height, width = image["height"], image["width"]
    mask = np.full((height, width), BACKGROUND, np.uint8)
    for each in coco["annotations"]:
        if each["image_id"] == image_id:
            for covered in _covered(each["segmentation"], height, width):
                mask[covered] = each["category_id"]
    return mask


def _covered(segmentation: Any, height: int, width: int) -> Iterator[NDArray[np.bool_]]:
    polygons = segmentation if isinstance(segmentation, list) else []
    for polygon in polygons:
        if len(polygon) >= SHORTEST_POLYGON:
            [encoded] = rasters.frPyObjects([polygon], height, width)
            with warnings.catch_warnings():
                # pycocotools 2.0.11 was built for numpy 1: its __array__ has no `copy`.
                warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
                pixels: NDArray[np.uint8] = rasters.decode(encoded)
            yield pixels == 1


def expected_whole_mask(coco: Document, image_id: int) -> NDArray[np.uint8]:
    """Draw the whole mask that the polygons give: the class where any part is, else 158."""
    names = {each["id"]: each["file_name"] for each in coco["images"]}
    wnid = names[image_id].replace("\\", "/").rpartition("/")[2].partition("_")[0]
    covered = expected_mask(coco, image_id) != BACKGROUND
    return np.where(covered, CLASSES[wnid].whole_id, WHOLE_BACKGROUND).astype(np.uint8)
