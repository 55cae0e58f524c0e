"""Fake raw releases of SPair-71k: made-up images, and the pairs that follow from them.

Nothing here uses the code that reads the release.
"""

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from rawshelf.miniature import Mark, draw_mask, draw_photo, text_seed
from rawshelf.spair71k.miniature_pairs import Document, pair_documents

__all__ = [
    "CATEGORIES",
    "CLASS_IDS",
    "KEYPOINT_IDS",
    "SPLITS",
    "Document",
    "Pictures",
    "annotation",
    "annotations",
    "members",
    "pair_documents",
    "place_points",
    "release_members",
]

Box = Sequence[int]

SPLITS = ("trn", "val", "test")

# The numbers of the PASCAL VOC classes; 11 (diningtable) and 18 (sofa) are not in SPair-71k.
CLASS_IDS = {
    "aeroplane": 1,
    "bicycle": 2,
    "bird": 3,
    "boat": 4,
    "bottle": 5,
    "bus": 6,
    "car": 7,
    "cat": 8,
    "chair": 9,
    "cow": 10,
    "dog": 12,
    "horse": 13,
    "motorbike": 14,
    "person": 15,
    "pottedplant": 16,
    "sheep": 17,
    "train": 19,
    "tvmonitor": 20,
}
CATEGORIES = tuple(CLASS_IDS)
VOID = 255
BORDER = 2  # pixels of void around an object

SHARE_VISIBLE = 0.7

# The keypoint ids that a category uses at all, of "0" to "29".
KEYPOINT_IDS: dict[str, tuple[int, ...]] = {
    "aeroplane": tuple(range(25)),
    "bicycle": (*range(11), 13),
    "bird": tuple(range(17)),
    "boat": tuple(range(14)),
    "bottle": tuple(range(10)),
    "bus": (*range(8), *range(10, 30)),
    "car": tuple(range(30)),
    "cat": tuple(range(15)),
    "chair": tuple(range(14)),
    "cow": tuple(range(21)),
    "dog": tuple(range(16)),
    "horse": tuple(range(20)),
    "motorbike": tuple(range(13)),
    "person": tuple(range(20)),
    "pottedplant": tuple(range(9)),
    "sheep": tuple(range(21)),
    "train": tuple(range(18)),
    "tvmonitor": tuple(range(16)),
}

# The pose that an azimuth bin of 45 degrees goes with.
POSES = ("Frontal", "Left", "Left", "Left", "Rear", "Right", "Right", "Frontal")

IMAGES_PER_SPLIT = {"trn": 3, "val": 2, "test": 2}

README = """\
A miniature of the raw release of SPair-71k, written by rawshelf: same folders, same file names,
same fields, made-up content.

ImageAnnotation/  one JSON file per image
JPEGImages/       photos
Segmentation/     palette PNG, pixel values are VOC class ids
PairAnnotation/   one JSON file per ordered pair of images of a category
Layout/           the pairs of each split, all of them (large) or some (small)
"""
DEVKIT_README = "The miniature has no development kit.\n"


def annotation(
    category: str,
    stem: str,
    *,
    size: tuple[int, int],
    box: Box,
    points: Mapping[int, tuple[int, int]],
    azimuth: int,
    pose: str,
    flags: tuple[int, int, int] = (0, 0, 0),
) -> Document:
    """Return the annotation of an image with the keys of the release, in its order.

    Args:
        category: Folder name.
        stem: VOC id of the photo, ``2008_000123``.
        size: Width and height of the photo.
        box: ``(xmin, ymin, xmax, ymax)``, 1-based inclusive.
        points: Visible keypoints by id, 0-based ``(x, y)``.
        azimuth: Bin of 45 degrees, 0 to 7.
        pose: Of VOC.
        flags: Truncated, occluded, difficult.
    """
    year = stem[:4]
    keypoints = {str(i): list(points[i]) if i in points else None for i in range(30)}
    return {
        "filename": f"{stem}.jpg",
        "src_database": f"The VOC{year} Database",
        "src_annotation": f"PASCAL VOC{year}",
        "src_image": "flickr",
        "image_width": size[0],
        "image_height": size[1],
        "image_depth": 3,
        "category": category,
        "pose": pose,
        "truncated": flags[0],
        "occluded": flags[1],
        "difficult": flags[2],
        "bndbox": list(box),
        "kps": keypoints,
        "azimuth_id": azimuth,
    }


def place_points(
    box: Box, ids: Iterable[int], rng: np.random.Generator
) -> dict[int, tuple[int, int]]:
    """Put each keypoint id somewhere into its own cell of a 6 x 5 grid over the box, 0-based."""
    xmin, ymin, xmax, ymax = box
    width, height = xmax - xmin + 1, ymax - ymin + 1
    points = {}
    for i in ids:
        x = xmin - 1 + width * (2 * (i % 6) + 1) // 12
        y = ymin - 1 + height * (2 * (i // 6) + 1) // 10
        # Stay 4 pixels off the border of the cell: marks of a photo must not touch.
        loose_x, loose_y = max(width // 12 - 4, 0), max(height // 10 - 4, 0)
        points[i] = (
            x + int(rng.integers(-loose_x, loose_x + 1)),
            y + int(rng.integers(-loose_y, loose_y + 1)),
        )
    return points


def annotations(
    seed: int = 0,
    images_per_split: Mapping[str, int] = IMAGES_PER_SPLIT,
    categories: Sequence[str] = CATEGORIES,
    *,
    side: int = 160,
) -> dict[str, list[Document]]:
    """Make up the image annotations of each split; ``side`` is the longer side of the photos.

    Oddities of the release that are in here, as far as there are images enough:
    the first category's first validation photo is also the second category's first test photo;
    of the first category's training images, the first two share a single keypoint and the first
    and the third none.
    """
    made: dict[str, list[Document]] = defaultdict(list)
    serial = 0
    for category in categories:
        for split, count in images_per_split.items():
            for index in range(count):
                serial += 1
                role = (categories.index(category), split, index)
                stem = _stem(seed, 0 if _is_shared(role) else serial)
                made[split].append(_made_up(category, stem, role, side))
    return dict(made)


def _is_shared(role: tuple[int, str, int]) -> bool:
    return role in {(0, "val", 0), (1, "test", 0)}


def _stem(seed: int, serial: int) -> str:
    # 7919 has no common divisor with a million: no number twice, and an order unlike the serials'.
    return f"{2007 + serial % 5}_{(7919 * serial + 101 * seed + 17) % 1_000_000:06d}"


def _made_up(category: str, stem: str, role: tuple[int, str, int], side: int) -> Document:
    rng = np.random.default_rng(text_seed(f"{category}/{stem}"))
    short = side * 3 // 4 if rng.integers(2) else side * 2 // 3
    size = (side, short) if rng.integers(3) else (short, side)
    box = _box(size, (1.0, 0.68, 0.47)[int(rng.integers(3))], rng)
    if _is_shared(role):
        size = (side, side * 3 // 4)
        box = (1, 1, side // 2, size[1]) if role[0] == 0 else (side // 2 + 1, 1, *size)
    azimuth = int(rng.integers(8))
    truncated, occluded, known = (int(flag) for flag in rng.integers(2, size=3))
    return annotation(
        category,
        stem,
        size=size,
        box=box,
        points=place_points(box, _visible(category, role, rng), rng),
        azimuth=azimuth,
        pose=POSES[azimuth] if known else "Unspecified",
        flags=(truncated, occluded, int(rng.integers(10) == 0)),
    )


def _box(size: tuple[int, int], share: float, rng: np.random.Generator) -> tuple[int, ...]:
    """Return a 1-based inclusive box with this share of the photo's width and height."""
    width, height = int(size[0] * share), int(size[1] * share)
    left = int(rng.integers(size[0] - width + 1))
    top = int(rng.integers(size[1] - height + 1))
    return (left + 1, top + 1, left + width, top + height)


def _visible(category: str, role: tuple[int, str, int], rng: np.random.Generator) -> list[int]:
    ids = KEYPOINT_IDS[category]
    scarce = {(0, "trn", 0): ids[:3], (0, "trn", 1): ids[2:5], (0, "trn", 2): ids[3:]}
    if role in scarce:
        return list(scarce[role])
    # Two ids are always there, so that every other pair has a common keypoint.
    return [i for i in ids if i in {ids[0], ids[3]} or rng.random() < SHARE_VISIBLE]


class Pictures:
    """Draws the photos and masks of a set of images; images of one stem are one photo."""

    def __init__(self, images: Iterable[Document]) -> None:
        """Remember which objects a photo shows."""
        self.objects: dict[str, list[Document]] = defaultdict(list)
        for image in images:
            self.objects[image["filename"]].append(image)

    def photo(self, image: Document) -> bytes:
        """Return a JPEG with a mark at every keypoint and no other strong colour."""
        size = self.photo_size(image)
        marks = [mark for shown in self.objects[image["filename"]] for mark in _marks(shown)]
        seed = text_seed(image["filename"])
        width, height = image["image_width"], image["image_height"]
        return draw_photo(width, height, seed=seed, marks=marks, size_bytes=size)

    def photo_size(self, image: Document) -> int | None:  # noqa: ARG002
        """Return the least size of a photo in bytes; a class of larger photos overrides it."""
        return None

    def mask(self, image: Document) -> bytes:
        """Return a PNG of class ids, each object inside its box and with a void border."""
        shapes = []
        for shown in self.objects[image["filename"]]:
            xmin, ymin, xmax, ymax = box = shown["bndbox"]
            border = BORDER if min(xmax - xmin, ymax - ymin) > 3 * BORDER else 0
            shapes.append((_octagon(box, 0), VOID))
            shapes.append((_octagon(box, border), CLASS_IDS[shown["category"]]))
        width, height = image["image_width"], image["image_height"]
        return draw_mask(width, height, shapes, palette=voc_palette())


def _marks(image: Document) -> list[Mark]:
    return [(int(i), *point) for i, point in image["kps"].items() if point is not None]


def _octagon(box: Box, inset: int) -> list[tuple[int, int]]:
    left, top, right, bottom = (
        box[0] - 1 + inset,
        box[1] - 1 + inset,
        box[2] - 1 - inset,
        box[3] - 1 - inset,
    )
    cut_x, cut_y = (right - left) // 8, (bottom - top) // 8
    return [
        (left + cut_x, top),
        (right - cut_x, top),
        (right, top + cut_y),
        (right, bottom - cut_y),
        (right - cut_x, bottom),
        (left + cut_x, bottom),
        (left, bottom - cut_y),
        (left, top + cut_y),
    ]


@cache
def voc_palette() -> tuple[int, ...]:
    """Return the colours of PASCAL VOC masks: the bits of an index, spread over red, green, blue.

    >>> voc_palette()[3:9]
    (128, 0, 0, 0, 128, 0)
    """
    palette = [0] * 768
    for index in range(256):
        for bit in range(8):
            palette[3 * index + bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
    return tuple(palette)


def members(
    seed: int = 0,
    images_per_split: Mapping[str, int] = IMAGES_PER_SPLIT,
    categories: Sequence[str] = CATEGORIES,
    *,
    side: int = 160,
) -> Iterator[tuple[str, bytes]]:
    """Write a miniature release: yield ``(name, content)`` of each of its files.

    See `annotations` for the parameters and for the oddities; another one is the newline at the
    end of one annotation file, that of the last test image.
    """
    by_split = annotations(seed, images_per_split, categories, side=side)
    images = [image for split in by_split.values() for image in split]
    last = max((image["category"], image["filename"]) for image in by_split.get("test") or images)
    return release_members(by_split, pictures=Pictures(images), newline_after={last})


def release_members(
    annotations_by_split: Mapping[str, Sequence[Document]],
    *,
    pictures: Pictures | None = None,
    small: Mapping[str, int] | None = None,
    layouts: Iterable[str] = SPLITS,
    newline_after: Container[tuple[str, str]] = (),
) -> Iterator[tuple[str, bytes]]:
    """Write a release of these images: yield ``(name, content)`` of each of its files.

    Args:
        annotations_by_split: The images.
        pictures: What draws the photos and masks; without it there are none.
        small: Pairs of the small layout by split; a fifth of the large one by default.
        layouts: The splits to write the list of pairs of.
        newline_after: ``(category, file name)`` of the annotations that end with a newline.
    """
    yield "README", README.encode("utf-8")
    yield "devkit/README", DEVKIT_README.encode("utf-8")
    images = [image for split in annotations_by_split.values() for image in split]
    images.sort(key=lambda image: (image["category"], image["filename"]))
    for image in images:
        key = (image["category"], image["filename"])
        end = "\n" if key in newline_after else ""
        yield _name("ImageAnnotation", image, "json"), (json.dumps(image) + end).encode("ascii")
    if pictures:
        for image in images:
            yield _name("JPEGImages", image, "jpg"), pictures.photo(image)
        for image in images:
            yield _name("Segmentation", image, "png"), pictures.mask(image)
    lines: dict[str, list[str]] = {split: [] for split in layouts}
    for split, pair in pair_documents(annotations_by_split):
        lines.setdefault(split, []).append(pair["filename"])
        name = f"PairAnnotation/{split}/{pair['filename']}.json"
        yield name, json.dumps(pair).encode("ascii")
    for split in layouts:
        count = (small or {}).get(split, (len(lines[split]) + 4) // 5)
        yield f"Layout/large/{split}.txt", _text(lines[split])
        yield f"Layout/small/{split}.txt", _text(_spread(lines[split], count))


def _name(folder: str, image: Document, suffix: str) -> str:
    return f"{folder}/{image['category']}/{image['filename'][:-4]}.{suffix}"


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _spread(lines: Sequence[str], count: int) -> list[str]:
    """Return this many of the lines, evenly spread.

    >>> _spread(["a", "b", "c", "d"], 2)
    ['b', 'd']
    """
    total = len(lines)
    return [line for i, line in enumerate(lines) if i * count // total != (i + 1) * count // total]
