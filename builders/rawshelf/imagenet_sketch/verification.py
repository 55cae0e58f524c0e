"""What is claimed about ImageNet-Sketch: counts per class, names, and what its images hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from rawshelf import labels
from rawshelf.claims import Check, Verdict, compared, contradicted, free_of, noted
from rawshelf.image_checks import Picture, problems
from rawshelf.imagenet_sketch import columns
from rawshelf.imagenet_sketch.headers import check
from rawshelf.imagenet_sketch.listing import Sketch
from rawshelf.imagenet_sketch.quality import quality_values
from rawshelf.imagenet_sketch.release import (
    KNOWN_BLACK,
    SHORT_PER_CLASS,
    USUAL_PER_CLASS,
    expected_per_class,
)
from rawshelf.members import Blob
from rawshelf.release import Evidence, Job
from rawshelf.report import Difference, Report

CONFIGS = ("default",)

# 50,889 images in 1,000 classes of 50 or 51 leave no other way.
_CLASSES_OF = {USUAL_PER_CLASS: 889, SHORT_PER_CLASS: 111}
_COUNTED = "50,889 images in classes of 50 or 51 (issue 1 of the home repository)"
_SPACE = "label space of ILSVRC/imagenet-1k"
_SCRIPT = "scripts/moveImages.py of the home repository"
_BLACK = f"issue 2 of the home repository; {_SCRIPT} drops transparency"
_PADDED = f"{_SCRIPT} pads classes with mirrored, flipped, rotated and plain copies"
_FILES = "each is a JPEG written by OpenCV"
_DEEP = "only with --deep"


def verify(evidence: Evidence) -> Iterator[Check]:
    """Yield the checks of an ImageNet-Sketch release.

    Args:
        evidence: With the tables of `CONFIGS`.
    """
    sketches = _sketches(evidence)
    yield from _classes(sketches)
    yield from _numbers(sketches)
    pictures = [Picture(each.file_name, each.blob, check) for each in sketches]
    found = problems(pictures, evidence.job.parts, "headers")
    yield free_of("pixels", "images that are whole JPEGs", len(sketches), len(found), _FILES)
    yield from contradicted("pixels", found, _FILES)
    if evidence.deep:
        bad = {each.member for each in found}
        yield from _quality([s for s in sketches if s.file_name not in bad], evidence.job)
    else:
        for subject in ("images that decode", "constant images", "images that repeat another"):
            yield Check("pixels", subject, None, None, Verdict.UNCHECKED, _DEEP)


def _sketches(evidence: Evidence) -> list[Sketch]:
    """Return the listed sketches, in release order."""
    found = []
    for index, row in enumerate(evidence.prepared.blobs.to_pylist()):
        _, wnid, base = row.pop("name").split("/")
        number = int(base.removeprefix("sketch_").removesuffix(".JPEG"))
        found.append(Sketch(wnid, number, Blob(**row), index))
    return found


def _classes(sketches: Sequence[Sketch]) -> Iterator[Check]:
    """Yield how many classes there are and of which sizes.

    A class of a wrong size stands in the report that `prepare` fills; an empty one only here.
    """
    counts = Counter(sketch.wnid for sketch in sketches)
    wnids = labels.wnids()
    yield compared("classes", "classes with images", len(wnids), len(counts), _SPACE)
    sizes = Counter(counts.values())
    for size, claimed in _CLASSES_OF.items():
        yield compared("classes", f"classes of {size} images", claimed, sizes[size], _COUNTED)
    absent = [wnid for wnid in wnids if not counts[wnid]]
    for wnid in absent:
        expected = " or ".join(f"{number} images" for number in expected_per_class(wnid))
        missing = Difference(f"sketch/{wnid}", "number of images", "0 images", expected)
        yield from contradicted("classes", [missing], _SPACE)


def _numbers(sketches: Sequence[Sketch]) -> Iterator[Check]:
    """Yield the gaps in the numbers of a class, which the release counts from 0."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for sketch in sketches:
        numbers[sketch.wnid].add(sketch.number)
    gaps = [
        Difference(f"sketch/{wnid}/sketch_{number}.JPEG", "", "absent", f"up to sketch_{max(own)}")
        for wnid, own in numbers.items()
        if max(own) <= len(sketches)
        for number in sorted(set(range(max(own))) - own)
    ]
    rule = "classes numbered from 0 without gaps"
    failed = sum(max(own) >= len(own) for own in numbers.values())
    yield free_of("classes", rule, len(numbers), failed, _SCRIPT)
    yield from contradicted("classes", gaps, _SCRIPT)


def _quality(sketches: Sequence[Sketch], job: Job) -> Iterator[Check]:
    """Decode and compare all images, as config ``quality`` does."""
    own = [replace(sketch, index=index) for index, sketch in enumerate(sketches)]
    apart = replace(job, report=Report())
    values = quality_values(own, own, apart)
    names = [column.name for column in columns.QUALITY_COLUMNS]
    table = pa.table(dict(zip(names, values, strict=True)))
    broken = table.filter(pc.is_null(table["is_constant"]))["quality_of"].to_pylist()
    yield free_of("pixels", "images that decode", len(own), len(broken), _FILES)
    yield from contradicted("pixels", (_undecoded(name, apart.report) for name in broken), _FILES)
    yield from _constant(table)
    yield from _copies(table)


def _undecoded(name: str, report: Report) -> Difference:
    note = next((note for note in report.notes if note.startswith(f"{name} ")), name)
    return Difference(name, "image", note.removeprefix(f"{name} "), "an image that decodes")


def _constant(table: pa.Table) -> Iterator[Check]:
    constant = set(table.filter(table["is_constant"])["quality_of"].to_pylist())
    yield noted("pixels", "constant images", len(constant), known=_BLACK)
    for name in sorted(constant):
        yield noted("pixels", "constant image", "one luma", known=_BLACK, member=name)
    known = [name for name in KNOWN_BLACK if name in set(table["quality_of"].to_pylist())]
    black = sum(name in constant for name in known)
    yield compared("pixels", "images reported as black", len(known), black, _BLACK)


def _copies(table: pa.Table) -> Iterator[Check]:
    counts: Mapping[int, int] = Counter(table["transform"].to_pylist())
    for code, name in enumerate(columns.TRANSFORM.names):
        if code:
            subject = f"images that repeat another: {name}"
            yield noted("pixels", subject, counts.get(code, 0), known=_PADDED)
