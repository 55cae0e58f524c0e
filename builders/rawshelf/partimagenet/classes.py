"""The 158 object classes: wnid, super-category, whole-mask value, OOD split and its images.

Joined from three public sources that agree without a conflict: `whole_meta` in
bytedance/OmniScient-Model (values and super-categories, whose counts equal the README's), the OOD
training list of ananthu-aniraj/pdiscoformer, and the 19 novel classes of kaist-cvml/part-catseg,
which are the OOD validation classes. The order of the values is that of a folder listing, neither
alphabetical nor ImageNet's. The OOD training list also gives the number of images of its classes.

    >>> [(each.whole_id, each.wnid, each.name) for each in object_classes()[:2]]
    [(0, 'n02422699', 'impala'), (1, 'n01740131', 'night snake')]
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

from rawshelf import labels


class ObjectClass(NamedTuple):
    """One of the 158 classes.

    Attributes:
        whole_id: Its pixel value in whole masks, 0..157; also its `object_class`.
        wnid: WordNet 3.0 id.
        supercategory: One of the 11.
        ood_split: ``train``, ``val`` or ``test``: the split of the OOD release that holds it.
        label: Its index in ImageNet-1k, 0..999.
        name: Its first lemma; unique among the 158.
        ood_train_images: How many images the OOD training list has of it; None for the classes
            of other splits, whose lists are not public.
    """

    whole_id: int
    wnid: str
    supercategory: str
    ood_split: str
    label: int
    name: str
    ood_train_images: int | None


@cache
def object_classes() -> tuple[ObjectClass, ...]:
    """Return the classes; position is the value in whole masks."""
    text = resources.files(__package__).joinpath("classes.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return tuple(
        ObjectClass(
            int(number),
            wnid,
            group,
            split,
            labels.index(wnid),
            labels.synset(wnid).lemmas[0],
            int(images) if images else None,
        )
        for number, wnid, group, split, images in rows
    )


@cache
def by_wnid() -> dict[str, ObjectClass]:
    """Return the classes by their wnids."""
    return {each.wnid: each for each in object_classes()}


def info_lines() -> list[str]:
    """Return the table of classes for people, by super-category, as ``rawshelf info`` prints it."""
    lines = [f"{'super-category':<14} {'wnid':<9} {'OOD split':<9} {'mask value':>10}  name"]
    rows = sorted(object_classes(), key=lambda each: (each.supercategory, each.wnid))
    lines += [
        f"{row.supercategory:<14} {row.wnid:<9} {row.ood_split:<9} {row.whole_id:>10}  {row.name}"
        for row in rows
    ]
    return lines
