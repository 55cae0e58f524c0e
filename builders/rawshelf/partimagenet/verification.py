"""What is claimed about PartImageNet: classes, splits, ids, masks, and polygons against masks."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf import masks
from rawshelf.claims import Check, Verdict, compared, contradicted, free_of, noted
from rawshelf.image_checks import Picture, decode, problems
from rawshelf.images import ImageProblem
from rawshelf.members import Blob
from rawshelf.partimagenet.annotations import DEGENERATE, EMPTY, ZERO_AREA
from rawshelf.partimagenet.classes import ObjectClass, by_wnid, object_classes
from rawshelf.partimagenet.columns import STATUS
from rawshelf.partimagenet.content import Raw, Tree, read, trees
from rawshelf.partimagenet.crosscheck import cross_check
from rawshelf.partimagenet.inspection import SAMPLE, stated_size
from rawshelf.partimagenet.layout import MASK, SIZE, stem_of, wnid_of
from rawshelf.partimagenet.pixels import check_mask, check_photo
from rawshelf.partimagenet.release import (
    CLASSES,
    CLASSES_PER_SUPERCATEGORY,
    KINDS,
    OOD,
    OOD_CLASSES,
    PART_BACKGROUND,
    PARTS,
    SEG,
    SPLIT_NAMES,
    SUPERCATEGORIES,
    UNCONFIRMED_SEG_ROWS,
    WHOLE_BACKGROUND,
)
from rawshelf.release import Evidence, Job
from rawshelf.report import Difference, Report

CONFIGS = (*KINDS, *(f"{kind}_annotations" for kind in KINDS))

_README = "README of the home repository"
_PDISCO = "training list of ananthu-aniraj/pdiscoformer"
_AUTHOR = "author, issue 12 of the home repository"
_POLYGONS = "issue 7 of the home repository; public loaders skip or repair them"
_EMPTY = "public loaders (pdiscoformer, PDiscoNet, WPS-SAM) drop images without annotations"
_SEVERAL = "public loaders leave such images out; nobody says how many there are"
_UNCONFIRMED = "unconfirmed: recollected without a source"
_IDS = "unconfirmed: true of the OOD training split, and nobody tells of others"
_FILES = "sizes that the COCO file states"
_FOLDERS = "published layout: <split>/<wnid>/"
_ORDER = "order of the COCO categories (VLPart, PlumageParts)"
_OBJECTS = re.compile(r"whole masks with (\d+) object values")


def verify(evidence: Evidence) -> Iterator[Check]:
    """Yield the checks of a PartImageNet release, whichever is there.

    Args:
        evidence: With those tables of `CONFIGS` that could be planned.
    """
    tables = evidence.prepared.tables
    for kind in KINDS:
        found = {
            split: tables[f"{kind}_annotations", split]
            for split in SPLIT_NAMES.values()
            if (f"{kind}_annotations", split) in tables
        }
        if found:
            yield from _classes(kind, found)
            yield from _annotations(kind, found)
            yield from _pictures(kind, evidence)
    yield from _folders(evidence.prepared.blobs["name"].to_pylist())
    if any(config == SEG for config, _ in tables):
        yield from _further(evidence)


def _classes(kind: str, tables: Mapping[str, pa.Table]) -> Iterator[Check]:
    """Yield the classes of each split and group, and how many images those of OOD train have."""
    group = f"{kind} classes"
    counts = {split: Counter(table["wnid"].to_pylist()) for split, table in tables.items()}
    for split, own in counts.items():
        subject = f"classes in {split}"
        if kind == OOD:
            yield compared(group, subject, OOD_CLASSES[split], len(own), _README)
        else:
            yield compared(group, subject, CLASSES, len(own), _UNCONFIRMED, firm=False)
            rows, claimed = own.total(), UNCONFIRMED_SEG_ROWS[split]
            yield compared(group, f"images in {split}", claimed, rows, _UNCONFIRMED, firm=False)
    present = {wnid for own in counts.values() for wnid in own}
    known = Counter(each.supercategory for each in object_classes() if each.wnid in present)
    for name, claimed in zip(SUPERCATEGORIES, CLASSES_PER_SUPERCATEGORY, strict=True):
        yield compared(group, f"classes of {name}", claimed, known[name], _README)
    if kind == OOD and "train" in counts:
        yield from _training_classes(counts["train"])


def _training_classes(counts: Mapping[str | None, int]) -> Iterator[Check]:
    listed = [each for each in object_classes() if each.ood_train_images is not None]
    wrong = [each for each in listed if counts.get(each.wnid, 0) != each.ood_train_images]
    rule = "training classes with the listed number of images"
    yield free_of("ood classes", rule, len(listed), len(wrong), _PDISCO)
    yield from contradicted("ood classes", map(partial(_count_difference, counts), wrong), _PDISCO)


def _count_difference(counts: Mapping[str | None, int], each: ObjectClass) -> Difference:
    found = f"{counts.get(each.wnid, 0)} images"
    expected = f"{each.ood_train_images} images"
    return Difference(f"train/{each.wnid}", "number of images", found, expected)


def _annotations(kind: str, tables: Mapping[str, pa.Table]) -> Iterator[Check]:
    """Yield ids and the states of annotations."""
    group = f"{kind} annotations"
    for split, table in tables.items():
        ids = sorted(table["image_id"].to_pylist())
        by = _PDISCO if (kind, split) == (OOD, "train") else _IDS
        subject = f"image ids of {split}"
        shown = "0 to n - 1" if ids == list(range(len(ids))) else f"{ids[0]} to {ids[-1]}, or gaps"
        yield compared(group, subject, "0 to n - 1", shown, by, firm=by is _PDISCO)
        parts = table["parts"].combine_chunks()
        states = Counter(parts.field("status").flatten().to_pylist())
        for code, name in enumerate(STATUS.names):
            known = _POLYGONS if code in (ZERO_AREA, DEGENERATE, EMPTY) else ""
            yield noted(group, f"annotations of {split}: {name}", states[code], known=known)
        empty = int(pc.sum(pc.equal(pc.list_value_length(parts.field("id")), 0)).as_py() or 0)
        yield noted(group, f"images of {split} without annotations", empty, known=_EMPTY)


def _pictures(kind: str, evidence: Evidence) -> Iterator[Check]:
    """Yield what is wrong with photographs, and with masks and the values in them."""
    group = f"{kind} pixels"
    blobs = evidence.prepared.blobs.to_pylist()
    found: list[Picture] = []
    for (config, _), table in evidence.prepared.tables.items():
        if config == kind:
            for row in _rows(table):
                found += _of_row(row, blobs, deep=evidence.deep)
    wrong = problems(found, evidence.job.parts, f"{kind} pictures")
    how = "decoded" if evidence.deep else "headers"
    subject = f"photographs ({how}) and masks (decoded) as annotated"
    yield free_of(group, subject, len(found), len(wrong), f"{_FILES}; {_AUTHOR}")
    yield from contradicted(group, wrong, f"{_FILES}; {_AUTHOR}")
    if not evidence.deep:
        yield Check(group, "photographs that decode", None, None, Verdict.UNCHECKED, "only --deep")


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    names = ("image", "part_mask", "whole_mask", "file_name", "width", "height")
    rows: list[dict[str, Any]] = table.select(names).to_pylist()
    return rows


def _of_row(
    row: Mapping[str, Any], blobs: list[dict[str, Any]], *, deep: bool
) -> Iterator[Picture]:
    size = {"width": row["width"], "height": row["height"]}
    wnid = wnid_of(stem_of(row["file_name"]))
    looks = {
        "image": partial(_look_at_photo, deep=deep, **size),
        "part_mask": partial(_look_at_parts, wnid=wnid, **size),
        "whole_mask": partial(_look_at_whole, wnid=wnid, **size),
    }
    for column, look in looks.items():
        if row[column] is not None:
            entry = blobs[row[column]]
            place = Blob(**{name: entry[name] for name in Blob._fields})
            yield Picture(entry["name"], place, look)


def _look_at_photo(data: memoryview, *, width: int, height: int, deep: bool) -> None:
    check_photo(data, width, height)
    if deep:
        decode(data)


def _look_at_parts(data: memoryview, *, width: int, height: int, wnid: str | None) -> None:
    """Refuse a part mask that shows parts of another group than the image's class has."""
    mask = masks.decode_png(data)
    check_mask(masks.extent_of(mask), width, height, PART_BACKGROUND)
    known = by_wnid().get(wnid or "")
    shown = np.flatnonzero(np.bincount(mask.reshape(-1)))
    parts = [PARTS[value] for value in shown if value != PART_BACKGROUND]
    foreign = [part for part in parts if known and part.partition(" ")[0] != known.supercategory]
    if foreign and known:
        raise ImageProblem(f"the mask of a {known.supercategory} shows {', '.join(foreign)}")


def _look_at_whole(data: memoryview, *, width: int, height: int, wnid: str | None) -> None:
    """Refuse a whole mask that shows another class and not the image's."""
    mask = masks.decode_png(data)
    check_mask(masks.extent_of(mask), width, height, WHOLE_BACKGROUND)
    known = by_wnid().get(wnid or "")
    shown = set(np.flatnonzero(np.bincount(mask.reshape(-1))).tolist()) - {WHOLE_BACKGROUND}
    if known and shown and known.whole_id not in shown:
        raise ImageProblem(f"the mask shows {sorted(shown)}; {wnid} is {known.whole_id}")


def _folders(names: list[str]) -> Iterator[Check]:
    """Yield the photographs that lie in the folder of a class which is not theirs."""
    folders = ((name, name.split("/")[-2:-1], wnid_of(stem_of(name))) for name in names)
    moved = [
        Difference(name, "folder", own[0], str(wnid))
        for name, own, wnid in folders
        if own and own[0] in by_wnid() and own[0] != wnid
    ]
    yield from contradicted("files", moved, _FOLDERS)


def _further(evidence: Evidence) -> Iterator[Check]:
    """Yield what no row shows: size files, and how polygons fit the released masks.

    For that the release is read again, from its listing to its COCO files.
    """
    folder = os.path.join(evidence.job.folder, "further")
    os.makedirs(folder)
    job = replace(evidence.job, folder=folder, report=Report())
    raw = read(job)
    for tree in trees(raw, job).values():
        if tree.kind == SEG:
            yield from _sizes(raw, tree, job)
        if tree.pictures[MASK, False]:
            for split in tree.parts:
                yield from _polygons(tree, split, sample=None if evidence.deep else SAMPLE)


def _sizes(raw: Raw, tree: Tree, job: Job) -> Iterator[Check]:
    """Yield the size files that contradict the COCO file."""
    stated: dict[str, tuple[int, int]] = {}
    for coco in tree.parts.values():
        columns = (coco.images[name].to_pylist() for name in ("file_name", "width", "height"))
        for name, width, height in zip(*columns, strict=True):
            stated[stem_of(name)] = width, height
    found = [
        Picture(file.name, file.blob, partial(_look_at_size, size=stated[file.place.stem]))
        for file in raw.files
        if file.place.kind == SIZE and file.place.stem in stated
    ]
    wrong = problems(found, job.parts, "size files")
    yield free_of("seg pixels", "size files as the COCO file", len(found), len(wrong), _FILES)
    yield from contradicted("seg pixels", wrong, _FILES)


def _look_at_size(data: memoryview, *, size: tuple[int, int]) -> None:
    found = stated_size(data)
    if found != size:
        raise ImageProblem(f"width and height {found}; the COCO file says {size}")


def _polygons(tree: Tree, split: str, *, sample: int | None) -> Iterator[Check]:
    """Yield how well polygons and masks agree: of all images, or of a stated sample."""
    group = "polygons against masks" + ("" if sample is None else f", {sample} images a split")
    found = cross_check(tree, split, sample=sample).to_json()
    yield noted(group, f"images compared, {split}", found["images compared"])
    agreement = f"{found['mean agreement of an image']:.2%}"
    yield noted(group, f"pixels of an image that agree on average, {split}", agreement)
    moved = [
        Difference(f"part masks of {split}", part, f"shown as {other}", part)
        for part, other in found["parts shown under another index"].items()
    ]
    yield free_of(group, f"parts under their index, {split}", len(PARTS), len(moved), _ORDER)
    yield from contradicted(group, moved, _ORDER)
    for image in found["images that agree by less than 90 %"]:
        shown = f"{image['agreement']:.2%} agree"
        yield noted(group, f"image of {split}", shown, member=image["image"])
    for subject, count in found["counts"].items():
        several = _OBJECTS.fullmatch(subject)
        known = _SEVERAL if several and int(several[1]) > 1 else ""
        yield noted(group, f"{subject}, {split}", count, known=known)
