"""Small PartImageNet releases to be converted, and how tests read what came out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq

from rawshelf.miniature import pack_zip
from tests.fakes.partimagenet import ood, seg

NAME = "partimagenet"
# Of every split of OOD and of five super-categories; the class of the CMYK photo is among them.
FEW = ("n02492035", "n02422699", "n03792782", "n04509417", "n02835271", "n02099601")
SEG = dict(seg(wnids=FEW, side=48))
OOD = dict(ood(wnids=FEW, side=48))
RELEASES = {"seg": SEG, "ood": OOD}
RAW_SPLITS = {"train": "train", "validation": "val", "test": "test"}
KINDS = tuple(RELEASES)


def released(release: Mapping[str, bytes], end: str) -> bytes:
    [name] = [name for name in release if name.endswith(end)]
    return release[name]


def packed(release: Mapping[str, bytes], folder: Path) -> str:
    return str(pack_zip(iter(release.items()), folder / "raw.zip"))


def table(out: Path, config: str, split: str) -> list[dict[str, Any]]:
    files = sorted((out / "data" / config).glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def loaded(out: Path, config: str, split: str, *, streaming: bool = False) -> Any:
    return datasets.load_dataset(str(out), config, split=split, streaming=streaming)
