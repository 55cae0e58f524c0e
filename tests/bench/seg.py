"""PartImageNet at its published counts: Seg with about 120 MB of polygons, and OOD."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache

from rawshelf.partimagenet.miniature import TOP, file_names
from rawshelf.partimagenet.miniature_classes import CLASSES
from rawshelf.partimagenet.miniature_scenes import Scene, draw_scene, part_mask, whole_mask
from tests.fakes.imagenet_sketch import commented
from tests.fakes.partimagenet import drawn_from_few, full_document

# As recollected, without a source; the sum is 15 below the README's 24,095.
IMAGES = {"train": 20_466, "val": 1_206, "test": 2_408}
CORNERS = 56  # of a polygon, so that the three COCO files have about 120 MB


def members(counts: Mapping[str, int], *, side: int, photos: int) -> Iterator[tuple[str, bytes]]:
    """Yield ``(name, content)`` of each file; there are no COCO files of whole objects.

    Args:
        counts: Images of each split, over all classes.
        side: The longer side of the photographs.
        photos: One in so many images has its photograph and its masks.
    """
    wnids = list(CLASSES)
    rounds = -(-sum(counts.values()) // len(wnids))
    by_class = [file_names(wnid, rounds) for wnid in wnids]
    names = iter([each[k] for k in range(rounds) for each in by_class])
    ahead = 0
    for split, count in counts.items():
        own = [next(names) for _ in range(count)]
        document = full_document(own, ahead, side=side, corners=CORNERS)
        yield f"{TOP}/annotations/{split}/{split}.json", json.dumps(document).encode("ascii")
        for name in own[::photos]:
            yield from _files(name, split, side)
        ahead += count


def ood_members(counts: Mapping[str, int], *, side: int) -> Iterator[tuple[str, bytes]]:
    """Yield ``(name, content)`` of each file of an OOD release.

    Args:
        counts: Images of each split, spread evenly over the split's own classes.
        side: The longer side of the photographs.
    """
    ahead = 0
    for split, count in counts.items():
        wnids = [wnid for wnid, each in CLASSES.items() if each.split == split]
        own = [
            name
            for place, wnid in enumerate(wnids)
            for name in file_names(wnid, (count + place) // len(wnids))
        ]
        document = full_document(own, ahead, side=side, corners=CORNERS)
        yield f"{split}.json", json.dumps(document).encode("ascii")
        for name in own:
            photo = _photo(drawn_from_few(name, side))
            yield f"{split}/{name.partition('_')[0]}/{name}", commented(photo, name)
        ahead += count


def _files(name: str, split: str, side: int) -> Iterator[tuple[str, bytes]]:
    stem, shown = name.removesuffix(".JPEG"), drawn_from_few(name, side)
    whole_id = CLASSES[name.partition("_")[0]].whole_id
    photo, parts, whole = _pictures(shown, whole_id)
    size = {"imgHeight": shown.height, "imgWidth": shown.width}
    yield f"{TOP}/images/{split}/{name}", commented(photo, name)
    yield f"{TOP}/annotations/{split}/{stem}.json", json.dumps(size).encode("ascii")
    yield f"{TOP}/annotations/{split}/{stem}.png", parts
    yield f"{TOP}/annotations/{split}_whole/{stem}.png", whole


@lru_cache(maxsize=4096)
def _pictures(shown: Scene, whole_id: int) -> tuple[bytes, bytes, bytes]:
    return (
        _photo(shown),
        part_mask(shown, palette=False),
        whole_mask(shown, whole_id, palette=False),
    )


@lru_cache(maxsize=1024)
def _photo(shown: Scene) -> bytes:
    return draw_scene(shown, seed=0)
