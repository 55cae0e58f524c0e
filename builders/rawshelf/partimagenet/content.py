"""One walk through a raw PartImageNet release: COCO files parsed, pictures located."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rawshelf.blobs import Spool
from rawshelf.errors import AnnotationError, SourceError
from rawshelf.members import Blob, Member
from rawshelf.partimagenet.classes import by_wnid
from rawshelf.partimagenet.coco import Coco, read_coco
from rawshelf.partimagenet.containers import Inner, Nested
from rawshelf.partimagenet.layout import COCO, MASK, PHOTO, Place, place_of, stem_of, wnid_of
from rawshelf.partimagenet.release import OOD, RAW_SPLITS, SEG
from rawshelf.plan import set_down
from rawshelf.release import Job

# A Seg release shares classes between its splits: about 63 % of its images would lie in the split
# that OOD gives to their class. A real OOD release has all of them there, as far as is known.
_OOD_SHARE = 0.9
SCRATCH = "scratch.arrow"  # name in the job's folder under which a table is set down


class File(NamedTuple):
    """A photograph, mask or size file.

    Attributes:
        name: The member.
        place: What its name says.
        blob: Where its bytes lie.
    """

    name: str
    place: Place
    blob: Blob


@dataclass
class Raw:
    """What a source holds, by kind.

    Attributes:
        documents: COCO files, by (root, split, whether of whole objects).
        files: Photographs, masks and size files.
        strays: Members that the release does not have.
        zips: Zips that were found within.
        problems: What is wrong with COCO files that were left out.
        folders: Number of files per folder; folders named by a wnid count as one.
    """

    documents: dict[tuple[str, str, bool], list[Coco]] = field(
        default_factory=lambda: defaultdict(list)
    )
    files: list[File] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    zips: list[Inner] = field(default_factory=list)
    problems: list[AnnotationError] = field(default_factory=list)
    folders: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass
class Tree:
    """One release within a source.

    Attributes:
        kind: ``seg`` or ``ood``.
        why: How that was recognised.
        root: The folder in which it stands.
        parts: COCO file of the parts, by the release's split name.
        wholes: COCO file of the whole objects, by the release's split name.
        pictures: Photographs and masks by (kind, whether of whole objects) and stem; of several
            the preferred one comes first.
        repeated: Number of files that stand more than once.
    """

    kind: str
    why: str
    root: str
    parts: dict[str, Coco]
    wholes: dict[str, Coco]
    pictures: Mapping[tuple[str, bool], Mapping[str, list[File]]]
    repeated: int = 0

    def picture(self, kind: str, stem: str, split: str, *, whole: bool = False) -> File | None:
        """Return an image's photograph or mask: that of its split, if there are several."""
        found = self.pictures[kind, whole].get(stem)
        if not found:
            return None
        return next((file for file in found if file.place.split == split), found[0])

    @property
    def has_photos(self) -> bool:
        """Tell whether there is any photograph."""
        return bool(self.pictures[PHOTO, False])


def read(job: Job, *, lenient: bool = False) -> Raw:
    """Walk through a source once.

    Args:
        job: The source; a folder for temporary files.
        lenient: Whether a COCO file that cannot be read is left out rather than refused.

    Raises:
        SourceError: If a container is damaged or hostile.
        AnnotationError: If the COCO file of a split's parts is not as it should be.
    """
    raw = Raw()
    walker = Nested(job.source, job.folder)
    sequential = job.source.sequential
    spool = Spool(os.path.join(job.folder, "spool")) if sequential else None

    def wanted(name: str) -> bool:
        place = place_of(name)
        return place is not None and (sequential or place.kind == COCO)

    held: Counter[str] = Counter()
    for member, data in walker.walk(wanted):
        held[member.name.rpartition("/")[0]] += 1
        place = place_of(member.name)
        if place is None:
            raw.strays.append(member.name)
        elif place.kind == COCO and data is not None:
            _take_document(raw, place, member, data, job, lenient=lenient)
        else:
            _take_file(raw, place, member, data, spool)
    if spool is not None:
        spool.close()
    raw.zips = walker.found
    for folder, files in held.items():
        parts = folder.split("/")
        raw.folders["/".join("<wnid>" if wnid_of(f"{p}_0") else p for p in parts)] += files
    _join(raw, job.folder)
    return raw


def _join(raw: Raw, folder: str) -> None:
    """Put each COCO file's annotations into one chunk of a file: no text is held any more."""
    scratch = os.path.join(folder, SCRATCH)
    for found in raw.documents.values():
        for place, coco in enumerate(found):
            found[place] = coco._replace(annotations=set_down(coco.annotations, scratch))


def _take_document(
    raw: Raw, place: Place, member: Member, data: memoryview, job: Job, *, lenient: bool
) -> None:
    scratch = os.path.join(job.folder, SCRATCH)
    try:
        found = read_coco(data, member.name, job.source.url, scratch)
    except AnnotationError as error:
        # Nobody describes the COCO files of whole objects: what they hold is unconfirmed.
        if not lenient and not place.whole:
            raise
        raw.problems.append(error)
    else:
        raw.documents[place.root, place.split, place.whole].append(found)


def _take_file(
    raw: Raw, place: Place, member: Member, data: memoryview | None, spool: Spool | None
) -> None:
    blob = member.blob
    if blob is None and spool is not None and data is not None:
        blob = spool.add(data)
    if blob is not None:
        raw.files.append(File(member.name, place, blob))


def trees(raw: Raw, job: Job) -> dict[str, Tree]:
    """Return the releases within a source, by kind.

    Raises:
        SourceError: If it holds the same release twice.
    """
    roots = sorted({root for root, _, whole in raw.documents if not whole})
    found: dict[str, Tree] = {}
    for root in roots:
        tree = _tree(raw, root, roots, job)
        if tree.kind in found:
            raise _twice(job, tree.root, found[tree.kind].root, f"release {tree.kind!r}")
        found[tree.kind] = tree
    return found


def _tree(raw: Raw, root: str, roots: list[str], job: Job) -> Tree:
    parts, wholes = (
        {
            split: _only(raw.documents[root, split, whole], job)
            for split in RAW_SPLITS
            if (root, split, whole) in raw.documents
        }
        for whole in (False, True)
    )
    pictures: dict[tuple[str, bool], dict[str, list[File]]] = {
        (kind, whole): defaultdict(list) for kind in (PHOTO, MASK) for whole in (False, True)
    }
    for file in raw.files:
        home = _home(file.place.root, roots)
        if home in (root, None) and (file.place.kind, False) in pictures:
            whole = file.place.whole and file.place.kind == MASK
            pictures[file.place.kind, whole][file.place.stem].append(file)
    # Who unpacked a zip and left it beside its files has everything twice: the files count.
    for group in pictures.values():
        for files in group.values():
            files.sort(key=lambda file: (".zip/" in file.name, file.name))
    repeated = sum(len(files) > 1 for group in pictures.values() for files in group.values())
    kind, why = _kind(parts, has_masks=bool(pictures[MASK, False]))
    return Tree(kind, why, root, parts, wholes, pictures, repeated)


def _home(folder: str, roots: list[str]) -> str | None:
    """Return the innermost release that a folder lies in, None for none."""
    around = [root for root in roots if not root or f"{folder}/".startswith(f"{root}/")]
    return max(around, key=len, default=None)


def _only(found: list[Coco], job: Job) -> Coco:
    """Return the one COCO file of a split; a copy left in a zip beside it does not count."""
    plain = [each for each in found if ".zip/" not in each.member] or found
    if len(plain) > 1:
        raise _twice(job, plain[1].member, plain[0].member, "COCO file of a split")
    return plain[0]


def _kind(parts: Mapping[str, Coco], *, has_masks: bool) -> tuple[str, str]:
    """Tell which release it is, and by what."""
    if has_masks:
        return SEG, "it holds PNG masks"
    share = ood_share(parts)
    what = f"{share:.1%} of the images are in the split that OOD gives to their class"
    return (OOD if share >= _OOD_SHARE else SEG), f"no PNG masks; {what}"


def ood_share(parts: Mapping[str, Coco]) -> float:
    """Return the share of images that lie in the OOD split of their class; 1 for no image."""
    total = right = 0
    for split, found in parts.items():
        for name in found.images["file_name"].to_pylist():
            known = by_wnid().get(wnid_of(stem_of(name)) or "")
            total += 1
            right += known is not None and known.ood_split == split
    return right / total if total else 1.0


def _twice(job: Job, second: str, first: str, what: str) -> SourceError:
    return SourceError(
        f"The source holds the same {what} twice.",
        archive=job.source.url,
        member=second or "(top)",
        found=f"another one at {first or '(top)'}",
        expected="one copy of each",
        remedy="Name the folder or archive that holds just one copy of the release.",
    )
