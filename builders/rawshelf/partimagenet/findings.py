"""What is to be said about a PartImageNet release: missing files, contradictions, defects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from rawshelf.incomplete import settle_missing
from rawshelf.partimagenet.annotations import defects
from rawshelf.partimagenet.classes import by_wnid
from rawshelf.partimagenet.coco import Coco
from rawshelf.partimagenet.content import Raw, Tree
from rawshelf.partimagenet.layout import MASK, PHOTO, SIZE, stem_of, wnid_of
from rawshelf.partimagenet.release import (
    OOD,
    PARTS,
    RAW_SPLITS,
    SEG,
    SPLIT_NAMES,
    UNCONFIRMED_SEG_ROWS,
)
from rawshelf.release import Job
from rawshelf.report import Difference


def check_missing(tree: Tree, job: Job, *, pixels: bool) -> None:
    """Put into the report what a release lacks.

    Args:
        tree: The release.
        job: Says how many files may be missing.
        pixels: Whether photographs and masks are wanted.

    Raises:
        MissingError: If more is missing than may be.
    """
    missing = sorted(_missing(tree, pixels=pixels))
    expected = "a COCO file per split, and the files of every image that it lists"
    settle_missing(job, missing, expected)


def _missing(tree: Tree, *, pixels: bool) -> Iterator[str]:
    """Yield what is missing, at the place where the release as published has it."""
    for split in RAW_SPLITS:
        if split not in tree.parts:
            folder = f"annotations/{split}/" if tree.kind == SEG else ""
            yield f"{folder}{split}.json"
        elif pixels:
            for name in tree.parts[split].images["file_name"].to_pylist():
                yield from _missing_pictures(tree, split, stem_of(name), name)


def _missing_pictures(tree: Tree, split: str, stem: str, name: str) -> Iterator[str]:
    if tree.picture(PHOTO, stem, split) is None:
        folder = f"images/{split}" if tree.kind == SEG else f"{split}/{wnid_of(stem)}"
        yield f"{folder}/{name.rpartition('/')[2]}"
    if tree.kind == SEG:
        for whole, suffix in ((False, ""), (True, "_whole")):
            if tree.picture(MASK, stem, split, whole=whole) is None:
                yield f"annotations/{split}{suffix}/{stem}.png"


def note(raw: Raw, found: Mapping[str, Tree], job: Job) -> None:
    """Put into the report what was found, and what contradicts what is known of the release."""
    report = job.report
    report.strays += raw.strays
    report.strays += _unlisted(raw, found)
    report.notes += [
        f"a COCO file of whole objects is left out: {e.member}: {e.what} {e.field or ''} {e.found}"
        for e in raw.problems
    ]
    report.notes += [f"{zip_.name} is read {zip_.way}: {zip_.members:,} files" for zip_ in raw.zips]
    for tree in found.values():
        report.notes += _tree_notes(tree)
        report.differences += differences(tree)
        for split, coco in tree.parts.items():
            name = f"{tree.kind} {SPLIT_NAMES[split]}"
            report.checked[f"images of {name}"] = len(coco.images)
            report.checked[f"annotations of {name}"] = len(coco.annotations)


def _unlisted(raw: Raw, found: Mapping[str, Tree]) -> list[str]:
    listed = {
        stem_of(name)
        for tree in found.values()
        for coco in tree.parts.values()
        for name in coco.images["file_name"].to_pylist()
    }
    return [f.name for f in raw.files if f.place.kind != SIZE and f.place.stem not in listed]


def _tree_notes(tree: Tree) -> list[str]:
    lines = [f"release {tree.kind}, at {tree.root or '(top)'}: {tree.why}"]
    if tree.repeated:
        lines.append(f"{tree.repeated:,} files of {tree.kind} stand more than once; one is read")
    for split, coco in tree.parts.items():
        name = f"{tree.kind} {SPLIT_NAMES[split]}"
        counted = defects(coco.annotations, coco.images)
        lines += [f"{name}: {count:,} {what}" for what, count in counted.items() if count]
        lines += [f"{name}: {line}" for line in _left_out(coco, tree.wholes.get(split))]
        expected = UNCONFIRMED_SEG_ROWS[SPLIT_NAMES[split]] if tree.kind == SEG else None
        if expected is not None and expected != len(coco.images):
            lines.append(
                f"{name}: {len(coco.images):,} images; an unconfirmed source says {expected:,}"
            )
    return lines


def _left_out(coco: Coco, objects: Coco | None) -> Iterator[str]:
    """Yield what two COCO files of a split say that no row holds."""
    for each in (coco, objects):
        if each is not None and each.others:
            yield f"not converted: {', '.join(sorted(each.others))} of {each.member}"
    if objects is None:
        return
    listed = {stem_of(name) for name in coco.images["file_name"].to_pylist()}
    stems = map(stem_of, objects.images["file_name"].to_pylist())
    absent = {
        image
        for image, stem in zip(objects.images["id"].to_pylist(), stems, strict=True)
        if stem not in listed
    }
    lost = sum(image in absent for image in objects.annotations["image_id"].to_pylist())
    if lost:
        yield f"{lost:,} annotations of whole objects, of images without parts, are not converted"
    known = {each["id"] for each in objects.categories if str(each.get("name")) in by_wnid()}
    unnamed = sum(each not in known for each in objects.annotations["category_id"].to_pylist())
    if unnamed:
        yield f"{unnamed:,} annotations of whole objects are of no known class: category is null"


def differences(tree: Tree) -> list[Difference]:
    """List what contradicts the tables of parts and classes, or itself."""
    found: list[Difference] = []
    splits: dict[str, list[str]] = defaultdict(list)
    for split, coco in tree.parts.items():
        found += _category_differences(coco)
        found += _class_differences(tree, split, coco)
        for name in coco.images["file_name"].to_pylist():
            splits[name].append(split)
    found += [
        Difference(name, "split", ", ".join(places), "one split, once")
        for name, places in splits.items()
        if len(places) > 1
    ]
    return found


def _category_differences(coco: Coco) -> Iterator[Difference]:
    """List entries of the category list that differ from the table of the 40 parts."""
    named = {entry["id"]: entry for entry in coco.categories}
    for number, part in enumerate(PARTS):
        entry = named.pop(number, {})
        group = part.partition(" ")[0]
        if (entry.get("name"), entry.get("supercategory")) != (part, group):
            shown = f"{entry.get('name')} ({entry.get('supercategory')})"
            yield Difference(coco.member, f"categories/{number}", shown, f"{part} ({group})")
    for number, entry in named.items():
        yield Difference(coco.member, f"categories/{number}", str(entry), "no such category")


def _class_differences(tree: Tree, split: str, coco: Coco) -> Iterator[Difference]:
    """List classes that are unknown, in the wrong split of OOD, or with another group's parts."""
    stems = [stem_of(name) for name in coco.images["file_name"].to_pylist()]
    wnids = dict(zip(coco.images["id"].to_pylist(), map(wnid_of, stems), strict=True))
    for wnid, count in Counter(wnids.values()).items():
        known = by_wnid().get(wnid or "")
        if known is None:
            yield Difference(coco.member, "file_name", f"{wnid} ({count:,} images)", "a known wnid")
        elif tree.kind == OOD and known.ood_split != split:
            shown = f"{wnid} ({count:,} images)"
            yield Difference(coco.member, "split", shown, f"{wnid} in {known.ood_split}")
    columns = (coco.annotations[name].to_pylist() for name in ("image_id", "category_id"))
    pairs = Counter((wnids[image], part) for image, part in zip(*columns, strict=True))
    for (wnid, part), count in pairs.items():
        known = by_wnid().get(wnid or "")
        group = PARTS[part].partition(" ")[0]
        if known is not None and group != known.supercategory:
            shown = f"{PARTS[part]} of {wnid} ({count:,} annotations)"
            yield Difference(coco.member, "category_id", shown, f"a part of {known.supercategory}")
