"""A small PartImageNet release of each kind, and how tests read rows from one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from rawshelf import masks
from rawshelf.blobs import BlobReader
from rawshelf.features import IMAGE_TYPE, schema
from rawshelf.members import Blob
from rawshelf.miniature import pack_zip
from rawshelf.partimagenet import DATASET
from rawshelf.partimagenet.miniature import members, ood_members
from rawshelf.release import Job
from rawshelf.sources import Source
from tests.fakes.partimagenet import OOD_DEFECTS, SEG_DEFECTS

# Of every split of OOD; among them the class of the CMYK photo and a bicycle.
WNIDS = ("n02492035", "n02422699", "n03792782", "n04509417", "n02835271")
SEG = dict(members(wnids=WNIDS, side=64))
OOD = dict(ood_members(wnids=WNIDS, side=64))
CONFIGS = tuple(config.name for config in DATASET.configs)
RAW_SPLITS = {"train": "train", "validation": "val", "test": "test"}


class Read(NamedTuple):
    """A release that was read.

    Attributes:
        job: With its report.
        rows: The derived rows of each (config, split), as a table.
        aside: What deriving set aside: file name and reason.
    """

    job: Job
    rows: dict[tuple[str, str], pa.Table]
    aside: dict[str, str]

    def row(self, config: str, split: str, name: str) -> dict[str, Any]:
        """Return the row of one file name."""
        rows: list[dict[str, Any]] = self.rows[config, split].to_pylist()
        [row] = [r for r in rows if r["file_name"].endswith(name)]
        return row


def read(path: Path, work: Path, configs: tuple[str, ...] = CONFIGS, **options: Any) -> Read:
    """Prepare a release and derive all rows, as a shard's writer does."""
    work.mkdir(exist_ok=True)
    job = Job(Source(str(path)), configs, str(work), order=DATASET.orders[0])
    for name, value in options.items():
        setattr(job, name, value)
    prepared = DATASET.prepare(job)
    rows, aside = {}, {}
    for (name, split), planned in prepared.tables.items():
        config = DATASET.config(name)
        table = filled(planned, prepared.blobs)
        if config.derive is not None:
            table, bad = pickle.loads(pickle.dumps(config.derive))(table)  # noqa: S301 - our own
            aside.update({each.member: each.reason for each in bad})
        rows[name, split] = table.cast(schema(config.columns))
    return Read(job, rows, aside)


def filled(table: pa.Table, blobs: pa.Table) -> pa.Table:
    """Put images in place of indices."""
    entries = blobs.to_pylist()
    for place, item in enumerate(table.schema):
        if item.type == pa.int32() and item.name in {"image", "part_mask", "whole_mask"}:
            images = [stored(entries, index) for index in table[item.name].to_pylist()]
            table = table.set_column(place, item.name, pa.array(images, IMAGE_TYPE))
    return table


def stored(entries: list[dict[str, Any]], index: int | None) -> dict[str, Any] | None:
    if index is None:
        return None
    entry = dict(entries[index])
    name = entry.pop("name")
    with BlobReader() as reader:
        return {"bytes": bytes(reader.read(Blob(**entry), name)), "path": name.rpartition("/")[2]}


def of_release(release: dict[str, bytes], end: str) -> bytes:
    [name] = [name for name in release if name.endswith(end)]
    return release[name]


def decoded(image: dict[str, Any]) -> Any:
    return masks.decode_png(memoryview(image["bytes"])).tolist()


def defective(
    kind: str, defect: str, folder: Path, configs: tuple[str, ...] = CONFIGS, **options: Any
) -> tuple[Read, dict[str, bytes]]:
    release, defects = (SEG, SEG_DEFECTS) if kind == "seg" else (OOD, OOD_DEFECTS)
    files = dict(defects[defect](iter(release.items())))
    path = pack_zip(iter(files.items()), folder / "raw.zip")
    return read(path, folder / "work", configs, **options), files
