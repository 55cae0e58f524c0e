"""Which members of a source are sketches, of which class, in which order."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from dataclasses import dataclass

from rawshelf import labels
from rawshelf.blobs import Spool
from rawshelf.errors import SourceError
from rawshelf.imagenet_sketch.release import expected_per_class
from rawshelf.members import Blob
from rawshelf.release import Job
from rawshelf.report import Difference

SHUFFLED, RELEASE_ORDER = "shuffled", "release"
_SKETCH = re.compile(r"((?:[^/]+/){0,3})(n\d{8})/(sketch_(0|[1-9]\d{0,8})\.JPEG)")
# The order of rows must be the same on every machine and for every numpy: rows are sorted by a
# keyed hash of their names rather than by a library's generator.
_SEED = b"rawshelf imagenet_sketch 1"


@dataclass(frozen=True)
class Sketch:
    """One image of the release.

    Attributes:
        wnid: Class folder.
        number: The number in its file's name.
        blob: Where its bytes lie.
        index: Place in release order.
    """

    wnid: str
    number: int
    blob: Blob
    index: int

    @property
    def file_name(self) -> str:
        """Name within the release as published, whatever folder the user put it in."""
        return f"sketch/{self.wnid}/sketch_{self.number}.JPEG"


def read(job: Job) -> list[Sketch]:
    """List the sketches of a source in release order: by wnid, then by number.

    Members elsewhere are strays. Images of a folder whose name is no ImageNet class are set
    aside: labels are looked up by wnid, so that no folder shifts another's label.

    Raises:
        SourceError: If the container is damaged or holds two roots.
    """
    known = frozenset(labels.wnids())
    spool = Spool(os.path.join(job.folder, "spool")) if job.source.sequential else None
    found: dict[tuple[str, int], Blob] = {}
    root: str | None = None
    for member, data in job.source.walk(lambda _: spool is not None):
        match = _SKETCH.fullmatch(member.name)
        if match is None:
            job.report.strays.append(member.name)
            continue
        root = _same_root(root, match[1], member.name, job)
        if match[2] not in known:
            job.report.set_aside([member.name], f"{match[2]} is none of the 1,000 classes")
            continue
        blob = spool.add(data) if spool is not None and data is not None else member.blob
        if blob is not None:
            found[match[2], int(match[4])] = blob
    if spool is not None:
        spool.close()
    return [Sketch(*key, found[key], index) for index, key in enumerate(sorted(found))]


def _same_root(root: str | None, found: str, member: str, job: Job) -> str:
    if root not in (None, found):
        raise SourceError(
            "The container holds the class folders at two places.",
            archive=job.source.url,
            member=member,
            found=f"{found or '(top)'} beside {root or '(top)'}",
            expected="all class folders in one folder",
            remedy="Keep one copy of the release in the folder or archive.",
        )
    return found


def in_order(sketches: list[Sketch], order: str) -> list[Sketch]:
    """Return the sketches in the order of their rows: shuffled, or as released."""
    if order == RELEASE_ORDER:
        return sketches
    return sorted(sketches, key=_rank)


def _rank(sketch: Sketch) -> bytes:
    return hashlib.blake2b(sketch.file_name.encode(), key=_SEED, digest_size=16).digest()


def note_counts(sketches: list[Sketch], job: Job) -> None:
    """Put into the report how the classes' counts compare with what is known of the release."""
    counts = Counter(sketch.wnid for sketch in sketches)
    wnids = labels.wnids()
    for wnid in wnids:
        expected = expected_per_class(wnid)
        if counts[wnid] and counts[wnid] not in expected:
            numbers = " or ".join(str(number) for number in expected)
            found = f"{counts[wnid]} images"
            job.report.differences.append(
                Difference(f"sketch/{wnid}", "number of images", found, numbers)
            )
    job.report.checked["classes compared with their published counts"] = len(wnids)
    absent = sum(not counts[wnid] for wnid in wnids)
    if absent:
        job.report.notes.append(f"{absent:,} of {len(wnids):,} classes have no image")
