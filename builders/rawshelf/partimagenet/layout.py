"""What a member is, by its name, wherever a user's copy of the release put it.

Seen in circulation: ``PartImageNet/images/<split>/`` and ``annotations/<split>[_whole]/`` (the Seg
zip); ``<split>/<wnid>/`` beside ``<split>.json``, in zips within the zip (OOD); the same below
``PartImageNet_OOD/partimagenet/`` (pdiscoformer); ``annotations/<split>.json`` with
``images/<split>/[<wnid>/]`` (part-catseg); ``JPEGImages/<wnid>/`` (adv-part-model).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rawshelf.partimagenet.release import RAW_SPLITS

COCO, PHOTO, MASK, SIZE = "COCO file", "photograph", "mask", "size file"
WHOLE_SUFFIX = "_whole"

_STEM = re.compile(r"(n\d{8})_\d+")
_PHOTO_SUFFIXES = frozenset({"jpeg", "jpg"})
_ANNOTATIONS = "annotations"


class Place(NamedTuple):
    """What a member's name says.

    Attributes:
        kind: ``COCO file``, ``photograph``, ``mask`` or ``size file``.
        split: The release's name of the split, "" if no folder says.
        stem: The name without folder and suffix.
        whole: Whether it belongs to the whole objects rather than to the parts.
        root: Of a COCO file: the folder in which its release stands. Else the member's folder.
    """

    kind: str
    split: str
    stem: str
    whole: bool
    root: str


def place_of(name: str) -> Place | None:
    """Return what a member is, None for what the release does not have.

    >>> place_of("PartImageNet_OOD/partimagenet/val.json").root
    'PartImageNet_OOD/partimagenet'
    >>> place_of("train.zip/train/n02009229/n02009229_11045.JPEG").split
    'train'
    """
    folder, _, base = name.rpartition("/")
    stem, _, suffix = base.rpartition(".")
    parts = [part.removesuffix(".zip") for part in folder.split("/")] if folder else []
    split, whole = _split_of(parts)
    place = Place("", split, stem, whole, "/".join(parts))
    if suffix == "json" and stem in RAW_SPLITS:
        return place._replace(kind=COCO, split=stem, root=_root(parts, stem))
    if suffix.lower() in _PHOTO_SUFFIXES:
        return place._replace(kind=PHOTO)
    if suffix == "png" and split and wnid_of(stem):
        return place._replace(kind=MASK)
    if suffix == "json" and split and wnid_of(stem):
        return place._replace(kind=SIZE)
    return None


def wnid_of(stem: str) -> str | None:
    """Return the wnid in front of an ImageNet file's stem, None if it is no such stem."""
    match = _STEM.fullmatch(stem)
    return match[1] if match else None


def stem_of(file_name: str) -> str:
    """Return a file name without folders and suffix."""
    return file_name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]


def _split_of(parts: list[str]) -> tuple[str, bool]:
    """Return the split that the innermost such folder names, and whether it is for wholes."""
    for part in reversed(parts):
        split = part.removesuffix(WHOLE_SUFFIX)
        if split in RAW_SPLITS:
            return split, split != part
    return "", False


def _root(parts: list[str], split: str) -> str:
    """Return the folder of a COCO file's release."""
    if parts and parts[-1].removesuffix(WHOLE_SUFFIX) == split:
        parts = parts[:-1]
    if parts and parts[-1] == _ANNOTATIONS:
        parts = parts[:-1]
    return "/".join(parts)
