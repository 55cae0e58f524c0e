"""Fake raw releases of PartImageNet: the Seg kind in its published layout, and the OOD kind.

Both releases show the same photos and split them differently: Seg by image, OOD by class. Nothing
here uses the code that reads the release.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rawshelf.miniature import text_seed
from rawshelf.partimagenet.miniature_classes import CLASSES, OOD_ORDER, PARTS
from rawshelf.partimagenet.miniature_scenes import (
    Scene,
    draw_scene,
    part_mask,
    scene,
    whole_mask,
)

__all__ = [
    "CMYK_NAME",
    "IMAGES_PER_SPLIT",
    "SPLITS",
    "TOP",
    "WNIDS",
    "Document",
    "annotation",
    "categories",
    "document",
    "file_names",
    "image_entry",
    "members",
    "ood_members",
    "whole_document",
]

Document = dict[str, Any]
Names = Mapping[str, Sequence[str]]  # by split, in the order of the COCO file

SPLITS = ("train", "val", "test")
TOP = "PartImageNet"
IMAGES_PER_SPLIT = {"train": 3, "val": 1, "test": 1}
NUMBERS = 20_000  # file numbers stay below

# A photo of the release under its real name; the public list of CMYK images of ImageNet has it.
CMYK_NAME = "n02492035_15739.JPEG"

# Every super-category, both Aeroplanes, the lowest and the highest value of the whole masks.
WNIDS = (
    "n02422699",
    "n02124075",
    "n02099601",
    "n02492035",
    "n02490219",
    "n02480495",
    "n02071294",
    "n01443537",
    "n02009912",
    "n01734418",
    "n01641577",
    "n04465501",
    "n02930766",
    "n03792782",
    "n02835271",
    "n04612504",
    "n02690373",
    "n04552348",
    "n02823428",
    "n04557648",
)


def members(
    seed: int = 0,
    images_per_split: Mapping[str, int] = IMAGES_PER_SPLIT,
    wnids: Sequence[str] = WNIDS,
    *,
    side: int = 160,
) -> Iterator[tuple[str, bytes]]:
    """Write a miniature Seg release: yield ``(name, content)`` of each of its files.

    Part masks have one PNG mode, L or P, and the whole mask of the same image the other. The
    first class's second photo is grey.

    Args:
        seed: Other seeds give other photos.
        images_per_split: Photos of each class.
        wnids: Classes.
        side: The longer side of the photos.
    """
    pool = {wnid: file_names(wnid, sum(images_per_split.values()), seed) for wnid in wnids}
    names: dict[str, list[str]] = {}
    start = 0
    for split, count in images_per_split.items():
        names[split] = _ordered(
            name for own in pool.values() for name in own[start : start + count]
        )
        start += count
    return _seg_release(names, _grey(pool), side)


def ood_members(
    seed: int = 0,
    images_per_class: int = sum(IMAGES_PER_SPLIT.values()),
    wnids: Sequence[str] = WNIDS,
    *,
    side: int = 160,
) -> Iterator[tuple[str, bytes]]:
    """Write a miniature OOD release of the same photos: yield ``(name, content)`` of its files.

    A class is in the split that it has in the real release. ``val.json`` is indented, as there.

    Args:
        seed: Other seeds give other photos.
        images_per_class: Photos of each class.
        wnids: Classes.
        side: The longer side of the photos.
    """
    pool = {wnid: file_names(wnid, images_per_class, seed) for wnid in wnids}
    names = {
        split: _ordered(
            name for wnid, own in pool.items() if CLASSES[wnid].split == split for name in own
        )
        for split in SPLITS
    }
    return _ood_release(names, _grey(pool), side)


def file_names(wnid: str, count: int, seed: int = 0) -> list[str]:
    """Make up file names of a class, no two the same; the class of the CMYK photo begins with it.

    >>> file_names("n02492035", 2)
    ['n02492035_15739.JPEG', 'n02492035_3658.JPEG']
    """
    cmyk, _, number = CMYK_NAME.removesuffix(".JPEG").partition("_")
    first = int(number) if wnid == cmyk else text_seed(wnid) + 101 * seed
    # 7919 has no common divisor with the limit: no number twice.
    return [f"{wnid}_{(first + 7919 * step) % NUMBERS}.JPEG" for step in range(count)]


def _grey(pool: Mapping[str, Sequence[str]]) -> Collection[str]:
    return next(iter(pool.values()))[1:2]


def _ordered(names: Iterable[str]) -> list[str]:
    """Order photos as the OOD files do: by super-category, the classes of one mixed."""

    def key(name: str) -> tuple[int, int, str]:
        supercategory = CLASSES[name.partition("_")[0]].supercategory
        return OOD_ORDER.index(supercategory), text_seed(name), name

    return sorted(names, key=key)


def _seg_release(names: Names, grey: Collection[str], side: int) -> Iterator[tuple[str, bytes]]:
    for split, own in names.items():
        for name in own:
            yield f"{TOP}/images/{split}/{name}", _photo(name, grey, side)
    for split, own in names.items():
        parts = document(own, side=side)
        for name in own:
            stem = f"{TOP}/annotations/{split}/{name.removesuffix('.JPEG')}"
            shown = scene(name, side=side)
            yield f"{stem}.json", _json({"imgHeight": shown.height, "imgWidth": shown.width})
            yield f"{stem}.png", part_mask(shown, palette=_has_palette(name))
        yield f"{TOP}/annotations/{split}/{split}.json", _json(parts)
        for name in own:
            whole_id = CLASSES[name.partition("_")[0]].whole_id
            content = whole_mask(scene(name, side=side), whole_id, palette=not _has_palette(name))
            yield f"{TOP}/annotations/{split}_whole/{name.removesuffix('.JPEG')}.png", content
        yield f"{TOP}/annotations/{split}_whole/{split}.json", _json(whole_document(parts))


def _ood_release(names: Names, grey: Collection[str], side: int) -> Iterator[tuple[str, bytes]]:
    for split, own in names.items():
        indent = 4 if split == "val" else None
        yield f"{split}.json", _json(document(own, side=side), indent)
    for split, own in names.items():
        for name in own:
            yield f"{split}/{name.partition('_')[0]}/{name}", _photo(name, grey, side)


def _photo(name: str, grey: Collection[str], side: int) -> bytes:
    return draw_scene(scene(name, side=side), seed=text_seed(name), grey=name in grey)


def _has_palette(name: str) -> bool:
    return text_seed(name) % 2 == 1


def _json(content: Document, indent: int | None = None) -> bytes:
    return json.dumps(content, indent=indent).encode("ascii")


def document(names: Sequence[str], *, side: int = 160) -> Document:
    """Return the COCO document of the parts: photo ids from 0 in order, annotation ids too."""
    shown = [scene(name, side=side) for name in names]
    annotations: list[Document] = []
    for image_id, each in enumerate(shown):
        for part in each.parts:
            entry = annotation(len(annotations), image_id, part.category_id, part.polygons)
            annotations.append(entry)
    return {
        "images": [image_entry(i, name, shown[i]) for i, name in enumerate(names)],
        "annotations": annotations,
        "categories": categories(),
    }


def image_entry(image_id: int, file_name: str, shown: Scene) -> Document:
    """Return the entry of a photo; its file name has no folder."""
    return {
        "id": image_id,
        "file_name": file_name,
        "height": shown.height,
        "width": shown.width,
    }


def annotation(
    number: int, image_id: int, category_id: int, polygons: Sequence[Sequence[float]]
) -> Document:
    """Return the annotation of a part, its area and its box those of the polygons."""
    xs = [x for polygon in polygons for x in polygon[::2]]
    ys = [y for polygon in polygons for y in polygon[1::2]]
    box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": [list(polygon) for polygon in polygons],
        "area": round(sum(_area(polygon) for polygon in polygons), 2),
        "bbox": [round(value, 2) for value in box],
        "iscrowd": 0,
    }


def _area(polygon: Sequence[float]) -> float:
    xs, ys = polygon[::2], polygon[1::2]
    doubled = sum(xs[i - 1] * ys[i] - xs[i] * ys[i - 1] for i in range(len(xs)))
    return abs(doubled) / 2


def categories() -> list[Document]:
    """Return the 40 categories, numbered from 0."""
    return [
        {"id": number, "name": name, "supercategory": name.split()[0]}
        for number, name in enumerate(PARTS)
    ]


def whole_document(parts: Document) -> Document:
    """Return the COCO document of the objects that belongs to a document of their parts.

    Its categories are all 158 classes, named by wnid. Whether the real file has a polygon for
    each part or one for the object is not known; here an object has the polygons of its parts.
    """
    annotations = []
    for number, image in enumerate(parts["images"]):
        own = [each for each in parts["annotations"] if each["image_id"] == image["id"]]
        polygons = [polygon for each in own for polygon in each["segmentation"]]
        whole_id = CLASSES[image["file_name"].partition("_")[0]].whole_id
        annotations.append(annotation(number, image["id"], whole_id, polygons))
    return {
        "images": parts["images"],
        "annotations": annotations,
        "categories": [
            {"id": each.whole_id, "name": each.wnid, "supercategory": each.supercategory}
            for each in CLASSES.values()
        ],
    }
