"""What a member is, by its name, wherever a user's copy of the release put it.

Seen in circulation: ``PartImageNet/images/<split>/`` and ``annotations/<split>[_whole]/`` (the Seg
zip); ``<split>/<wnid>/`` beside ``<split>.json``, in zips within the zip (OOD); the same below
``PartImageNet_OOD/partimagenet/`` (pdiscoformer); ``annotations/<split>.json`` with
``images/<split>/[<wnid>/]`` (part-catseg); ``JPEGImages/<wnid>/`` (adv-part-model).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rawshelf.partimagenet.release import RAW_SPLITS

COCO, PHOTO, MASK, SIZE = "COCO file", "photograph", "mask", "size file"
WHOLE_SUFFIX = "_whole"

_STEM = re.compile(r"(n\d{8})_\d+")
_PHOTO_SUFFIXES = frozenset({"jpeg", "jpg"})
_ANNOTATIONS = "annotations"
_FOLDERS = 1024  # remembered: more than a release has (a folder per split and class)


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
    split, whole, root = _folder(folder)
    if suffix == "json" and stem in RAW_SPLITS:
        return Place(COCO, stem, stem, whole, _root(root, stem))
    if suffix.lower() in _PHOTO_SUFFIXES:
        return Place(PHOTO, split, stem, whole, root)
    kind = {"png": MASK, "json": SIZE}.get(suffix)
    if kind is not None and split and wnid_of(stem):
        return Place(kind, split, stem, whole, root)
    return None


def wnid_of(stem: str) -> str | None:
    """Return the wnid in front of an ImageNet file's stem, None if it is no such stem."""
    match = _STEM.fullmatch(stem)
    return match[1] if match else None


def stem_of(file_name: str) -> str:
    """Return a file name without folders and suffix."""
    return file_name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]


@lru_cache(_FOLDERS)
def _folder(name: str) -> tuple[str, bool, str]:
    """Return what a folder says: split, whether it is for wholes, and its name without ".zip".

    The split is what the innermost folder says that names one.
    """
    parts = [part.removesuffix(".zip") for part in name.split("/")]
    for part in reversed(parts):
        split = part.removesuffix(WHOLE_SUFFIX)
        if split in RAW_SPLITS:
            return split, split != part, "/".join(parts)
    return "", False, "/".join(parts)


def _root(folder: str, split: str) -> str:
    """Return the folder of a COCO file's release."""
    parts = folder.split("/")
    if parts and parts[-1].removesuffix(WHOLE_SUFFIX) == split:
        parts = parts[:-1]
    if parts and parts[-1] == _ANNOTATIONS:
        parts = parts[:-1]
    return "/".join(parts)
