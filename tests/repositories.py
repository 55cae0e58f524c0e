"""A small conversion of every dataset, with all configs, for tests of what all have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from rawshelf import cutting
from rawshelf.convert import convert
from rawshelf.imagenet_sketch import miniature as sketch
from rawshelf.miniature import Members, pack_zip
from rawshelf.partimagenet import miniature as parts

# Together of every OOD split; the last is of no super-category of the others.
_WNIDS = ("n02422699", "n04509417", "n02835271", "n02492035")

CONFIGS = (
    ("spair71k", "pairs"),
    ("spair71k", "images"),
    ("spair71k", "pairs_flat"),
    ("imagenet_sketch", "default"),
    ("imagenet_sketch", "quality"),
    ("partimagenet", "seg"),
    ("partimagenet", "ood"),
    ("partimagenet", "seg_annotations"),
    ("partimagenet", "ood_annotations"),
)
_SMALL: dict[str, dict[str, Any]] = {
    "spair71k": {"categories": ("cat", "dog")},
    "imagenet_sketch": {"wnids": ("n01440764", "n02012849")},
    "partimagenet": {"wnids": ("n02422699", "n04509417"), "side": 48},
}
NAMES = tuple(dict.fromkeys(name for name, _ in CONFIGS))


def small_members(name: str) -> Members:
    """Return the members of a release of two classes."""
    members: Members = import_module(f"rawshelf.{name}.miniature").members(**_SMALL[name])
    return members


@contextmanager
def finely_cut() -> Iterator[None]:
    """Let conversions in this process cut as if all were large.

    Splits are of up to 8 shards, those of up to 4 row groups.
    """
    with (
        patch.object(cutting, "SMALLEST_SHARD", 4_000),
        patch.object(cutting, "GROUP_MEAN", 8_000),
    ):
        yield


def convert_sketch(folder: Path) -> Path:
    """Convert three classes of ImageNet-Sketch below a folder and return the output."""
    raw = pack_zip(sketch.members(wnids=sketch.WNIDS[:3]), folder / "ImageNet-Sketch.zip")
    convert("imagenet_sketch", str(raw), str(folder / "out"))
    return folder / "out"


def convert_parts(folder: Path) -> Path:
    """Convert both releases of PartImageNet, in one folder, and return the output."""
    pack_zip(parts.members(wnids=_WNIDS, side=48), folder / "raw/PartImageNet_Seg.zip")
    pack_zip(parts.ood_members(wnids=_WNIDS, side=48), folder / "raw/PartImageNet_OOD.zip")
    convert("partimagenet", str(folder / "raw"), str(folder / "out"))
    return folder / "out"


def front_matter(out: Path) -> dict[str, Any]:
    """Return the front matter of an output's card."""
    text = (out / "README.md").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found
