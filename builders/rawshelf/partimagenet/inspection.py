"""A first look at real files: what is there, and the answers to what nobody has confirmed.

Nothing is converted, and what is merely unexpected is told, not refused.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rawshelf.blobs import BlobReader
from rawshelf.errors import AnnotationError
from rawshelf.images import ImageProblem, probe
from rawshelf.members import RAW, STORED, WHOLE
from rawshelf.partimagenet.annotations import defects, statuses
from rawshelf.partimagenet.classes import by_wnid, object_classes
from rawshelf.partimagenet.coco import Coco, check_categories
from rawshelf.partimagenet.columns import STATUS
from rawshelf.partimagenet.content import File, Raw, Tree, read, trees
from rawshelf.partimagenet.crosscheck import cross_check
from rawshelf.partimagenet.findings import differences
from rawshelf.partimagenet.layout import MASK, PHOTO, SIZE, stem_of, wnid_of
from rawshelf.partimagenet.orientation import UPRIGHT, orientation
from rawshelf.partimagenet.release import CMYK, PARTS, UNCONFIRMED_SEG_ROWS
from rawshelf.partimagenet.strict import strict_loads
from rawshelf.release import Job

Json = dict[str, Any]

SAMPLE = 500  # images per split whose masks are drawn and compared, unless all are asked for
_LISTED = 20
_TERMS = ("licen", "terms", "readme", "copying")
_WAYS = {WHOLE: "file", RAW: "range", STORED: "stored"}


def inspect(job: Job, *, sample: int | None = SAMPLE) -> Json:
    """Look at a source and answer the open questions about the release.

    Args:
        job: The source; a folder for temporary files. Its configs do not matter.
        sample: How many images per split are compared with their masks; None for all.

    Returns:
        Plain JSON values: ``source`` (what the container holds), ``releases`` (per release that
        was recognised: splits, ids, defects, pictures, cross-check), ``between_releases`` and
        ``answers`` (by question).

    Raises:
        SourceError: If a container is damaged or hostile, or holds a release twice.
    """
    raw = read(job, lenient=True)
    found = trees(raw, job)
    releases = {kind: _release(tree, raw, job, sample) for kind, tree in found.items()}
    return {
        "source": _source(raw, job),
        "releases": releases,
        "between_releases": _between(found),
        "answers": _answers(raw, found, releases),
    }


def _source(raw: Raw, job: Job) -> Json:
    return {
        "kind": job.source.kind,
        "zips_within": [each._asdict() for each in raw.zips],
        "files_by_folder": dict(sorted(raw.folders.items())),
        "leftovers_skipped": job.source.guard.junk,
        "links_skipped": len(job.source.guard.skipped_links),
        "stored_as": dict(Counter(_WAYS.get(f.blob.method, "deflated") for f in raw.files)),
        "strays": {"count": len(raw.strays), "some": sorted(raw.strays)[:_LISTED]},
        "unreadable_coco_files": [str(error) for error in raw.problems],
    }


def _release(tree: Tree, raw: Raw, job: Job, sample: int | None) -> Json:
    sizes = {f.place.stem: f for f in raw.files if f.place.kind == SIZE}
    return {
        "recognised_by": tree.why,
        "root": tree.root or "(top)",
        "files_that_stand_twice": tree.repeated,
        "splits": {
            split: _split(tree, split, sizes, sample, job.source.url) for split in tree.parts
        },
        "differences": [asdict(each) for each in _differences(tree, job)],
    }


def _differences(tree: Tree, job: Job) -> list[Any]:
    """List what contradicts the tables; nothing where a category id is not even in them."""
    if any(_category_problem(coco, job.source.url) for coco in tree.parts.values()):
        return []
    return differences(tree)


def _category_problem(coco: Coco, archive: str) -> str | None:
    try:
        check_categories(coco, len(PARTS), archive)
    except AnnotationError as error:
        return str(error)
    return None


def _split(
    tree: Tree, split: str, sizes: Mapping[str, File], sample: int | None, archive: str
) -> Json:
    coco = tree.parts[split]
    problem = _category_problem(coco, archive)
    compared: Json | None = None
    if problem is None and tree.pictures[MASK, False]:
        compared = cross_check(tree, split, sample=sample).to_json()
    return {
        "images": len(coco.images),
        "annotations": len(coco.annotations),
        "classes": len({wnid_of(stem_of(n)) for n in coco.images["file_name"].to_pylist()}),
        "image_ids": _ids(coco.images["id"].to_pylist()),
        "annotation_ids": _ids(coco.annotations["id"].to_pylist()),
        "further_keys_of_the_file": sorted(coco.others),
        "category_problem": problem,
        "defects": defects(coco.annotations, coco.images),
        "status": _named(Counter(statuses(coco.annotations).tolist())),
        "images_by_annotations": _annotation_counts(coco),
        "photographs": _photos(tree, split, sizes),
        "whole_objects": _whole_file(tree.wholes.get(split)),
        "cross_check": compared,
    }


def _named(counted: Counter[int]) -> dict[str, int]:
    return {name: counted[code] for code, name in enumerate(STATUS.names)}


def _annotation_counts(coco: Coco) -> Json:
    """Return the mean number of annotations per image, and how many images have none."""
    used = set(coco.annotations["image_id"].to_pylist())
    images = max(len(coco.images), 1)
    return {
        "mean": len(coco.annotations) / images,
        "none": sorted(
            name
            for image, name in zip(
                coco.images["id"].to_pylist(), coco.images["file_name"].to_pylist(), strict=True
            )
            if image not in used
        )[:_LISTED],
    }


def _ids(ids: list[int]) -> Json:
    return {
        "lowest": min(ids, default=None),
        "highest": max(ids, default=None),
        "contiguous_from_0": sorted(ids) == list(range(len(ids))),
        "ascending": ids == sorted(ids),
    }


def _photos(tree: Tree, split: str, sizes: Mapping[str, File]) -> Json:
    """Look at the header of every photograph of a split."""
    counts: Counter[str] = Counter()
    listed: dict[str, list[str]] = defaultdict(list)
    images = tree.parts[split].images
    columns = (images[name].to_pylist() for name in ("file_name", "width", "height"))
    with BlobReader() as reader:
        for name, width, height in zip(*columns, strict=True):
            stem = stem_of(name)
            for finding in _photo(tree.picture(PHOTO, stem, split), (width, height), reader):
                counts[finding] += 1
                listed[finding].append(name)
            if stem in sizes and _size_of(sizes[stem], reader) != (width, height):
                counts["size files that contradict the COCO file"] += 1
    usual = {"3 components", "orientation 1"}
    return {
        "counts": dict(sorted(counts.items())),
        "some": {key: names[:_LISTED] for key, names in listed.items() if key not in usual},
    }


def _photo(file: File | None, size: tuple[int, int], reader: BlobReader) -> list[str]:
    if file is None:
        return ["missing"]
    data = reader.read(file.blob, file.name)
    try:
        header = probe(data)
    except ImageProblem as problem:
        return [f"unusable: {problem}"]
    found = [f"{header.components} components"]
    if header.format == "JPEG":
        turn = orientation(data)
        found.append(f"orientation {turn}")
        if turn != UPRIGHT and size == (header.width, header.height):
            found.append("orientation that would turn the image away from its annotations")
    else:
        found.append(f"a {header.format} under the name of a JPEG")
    if size != (header.width, header.height):
        found.append("size other than annotated")
    return found


def _size_of(file: File, reader: BlobReader) -> tuple[Any, Any]:
    return stated_size(reader.read(file.blob, file.name))


def stated_size(data: memoryview) -> tuple[Any, Any]:
    """Return what a size file says: width and height; None twice if it cannot be read."""
    try:
        content = strict_loads(bytes(data))
    except ValueError:
        return (None, None)
    if not isinstance(content, dict):
        return (None, None)
    return content.get("imgWidth"), content.get("imgHeight")


def _whole_file(coco: Coco | None) -> Json | None:
    """Describe a COCO file of whole objects, whose geometry nobody describes."""
    if coco is None:
        return None
    named = {entry["id"]: entry.get("name") for entry in coco.categories}
    images = max(len(coco.images), 1)
    return {
        "images": len(coco.images),
        "annotations": len(coco.annotations),
        "annotations_per_image": len(coco.annotations) / images,
        "categories": len(named),
        "categories_equal_the_table": named == {c.whole_id: c.wnid for c in object_classes()},
        "categories_named_by_wnid": all(str(name) in by_wnid() for name in named.values()),
        "status": _named(Counter(statuses(coco.annotations).tolist())),
        "defects": defects(coco.annotations, coco.images),
        "further_keys_of_the_file": sorted(coco.others),
    }


def _stems(tree: Tree) -> set[str]:
    return {
        stem_of(n) for coco in tree.parts.values() for n in coco.images["file_name"].to_pylist()
    }


def _between(found: Mapping[str, Tree]) -> Json | None:
    """Tell which images only one of the two releases has."""
    if len(found) < len(("seg", "ood")):
        return None
    stems = {kind: _stems(tree) for kind, tree in found.items()}
    return {
        f"only_in_{kind}": {
            "count": len(own - set().union(*(s for k, s in stems.items() if k != kind))),
            "some": sorted(own - set().union(*(s for k, s in stems.items() if k != kind)))[
                :_LISTED
            ],
        }
        for kind, own in stems.items()
    }


def _answers(raw: Raw, found: Mapping[str, Tree], releases: Mapping[str, Json]) -> Json:
    """Answer the open questions in a line or two each."""
    seg = releases.get("seg", {}).get("splits", {})
    rows = {split: each["images"] for split, each in seg.items()}
    checks = {split: each["cross_check"] or {} for split, each in seg.items()}
    names = [*raw.strays, *(file.name for file in raw.files)]
    return {
        "images of seg per split": rows or None,
        "their sum": sum(rows.values()) if rows else None,
        "sum an unconfirmed source states": sum(UNCONFIRMED_SEG_ROWS.values()),
        "parts shown under another index": {
            s: c.get("parts shown under another index") for s, c in checks.items()
        },
        "mean agreement of polygons and masks": {
            s: c.get("mean agreement of an image") for s, c in checks.items()
        },
        "PNG modes": {s: c.get("PNG modes") for s, c in checks.items()},
        "whole masks, parts and sizes": {s: c.get("counts") for s, c in checks.items()},
        "files of a licence or description": [
            name for name in names if name.rpartition("/")[2].lower().startswith(_TERMS)
        ],
        "image ids contiguous from 0": {
            f"{kind} {split}": each["image_ids"]["contiguous_from_0"]
            for kind, release in releases.items()
            for split, each in release["splits"].items()
        },
        "images known to be CMYK in ImageNet": {
            stem: [kind for kind, tree in found.items() if stem in _stems(tree)] for stem in CMYK
        },
    }
