"""The pairs of SPair-71k as they follow from its image annotations, in plain loops.

This states the law a second time, apart from the code that reads the release: a test which
compares the two compares two independent statements.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Document", "pair_documents"]

Document = dict[str, Any]
Box = Sequence[int]


def pair_documents(
    annotations_by_split: Mapping[str, Iterable[Document]],
) -> Iterator[tuple[str, Document]]:
    """Derive the pairs from the images: yield ``(split, pair annotation)`` by rising pair id.

    Two images of a category and a split are a pair, in either order, if at least one keypoint id
    is visible in both. A counter over sorted categories, sources and targets gives the ids: an
    image paired with itself uses a number up, two images without a common keypoint do not.
    """
    for split, images in annotations_by_split.items():
        by_category = defaultdict(list)
        for image in sorted(images, key=lambda image: str(image["filename"])):
            by_category[image["category"]].append(image)
        pair_id = 0
        for category in sorted(by_category):
            for source in by_category[category]:
                for target in by_category[category]:
                    if source is target:
                        pair_id += 1
                        continue
                    common = _common_ids(source, target)
                    if not common:
                        continue
                    yield split, _pair(pair_id, source, target, common)
                    pair_id += 1


def _common_ids(source: Document, target: Document) -> list[str]:
    ids = [str(i) for i in range(30)]
    return [i for i in ids if source["kps"][i] is not None and target["kps"][i] is not None]


def _pair(pair_id: int, source: Document, target: Document, common: list[str]) -> Document:
    names = f"{source['filename'][:-4]}-{target['filename'][:-4]}"
    return {
        "pair_id": pair_id,
        "filename": f"{pair_id:06d}-{names}:{source['category']}",
        "src_imname": source["filename"],
        "trg_imname": target["filename"],
        "src_imsize": [source["image_width"], source["image_height"], source["image_depth"]],
        "trg_imsize": [target["image_width"], target["image_height"], target["image_depth"]],
        "src_bndbox": source["bndbox"],
        "trg_bndbox": target["bndbox"],
        "category": source["category"],
        "src_pose": source["pose"],
        "trg_pose": target["pose"],
        "src_kps": [source["kps"][i] for i in common],
        "trg_kps": [target["kps"][i] for i in common],
        "kps_ids": common,
        "mirror": 0,
        "viewpoint_variation": _viewpoint(source["azimuth_id"], target["azimuth_id"]),
        "scale_variation": _scale(source["bndbox"], target["bndbox"]),
        "truncation": source["truncated"] + 2 * target["truncated"],
        "occlusion": source["occluded"] + 2 * target["occluded"],
    }


def _viewpoint(one: int, other: int) -> int:
    """Return the code for two of the 8 bins on a circle: 0 or 1, 2 or 3, or 4 bins apart."""
    apart = abs(one - other)
    around = min(apart, 8 - apart)
    return (0, 0, 1, 1, 2)[around]


def _scale(one: Box, other: Box) -> int:
    """Return the code for the ratio of two box areas: below 2, below 4, or more."""
    areas = sorted((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    if areas[1] < 2 * areas[0]:
        return 0
    if areas[1] < 4 * areas[0]:
        return 1
    return 2
