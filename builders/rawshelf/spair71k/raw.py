"""One walk through a raw SPair-71k release: documents parsed, layouts read, images located."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import pyarrow as pa

from rawshelf.blobs import Spool
from rawshelf.documents import Documents
from rawshelf.errors import AnnotationError
from rawshelf.features import image_columns
from rawshelf.images import JPEG, PNG, ImageProblem, probe
from rawshelf.members import Blob, Member
from rawshelf.release import Job
from rawshelf.sources import Wrapper
from rawshelf.spair71k.annotations import IMAGE_SHAPE, PAIR_SHAPE, check_slots
from rawshelf.spair71k.columns import CONFIGS
from rawshelf.spair71k.release import ANCHORS, LAYOUTS, RELEASE

RAW_SPLITS = tuple(split.raw for split in RELEASE.splits)
PHOTOS, MASKS = "JPEGImages", "Segmentation"
SUFFIXES = {PHOTOS: ".jpg", MASKS: ".png"}
_FORMATS = {PHOTOS: JPEG, MASKS: PNG}
_INDEXED = (0, 3)  # colour types of PNG whose samples are indices: grey and palette
_LAYOUT_FILES = frozenset(f"{split}.txt" for split in RAW_SPLITS)
_DEPTH = 2  # every file that counts lies in a folder of one of the top folders
_NOT_CONVERTED = ("README", "devkit")


@dataclass(frozen=True)
class Picture:
    """One photograph or mask.

    Attributes:
        blob: Where its bytes lie.
        size: Width and height of the stored raster, or None if the file is unusable.
        problem: Why it is unusable, or "".
        orientation: EXIF orientation, 1 where there is none.
    """

    blob: Blob
    size: tuple[int, int] | None
    problem: str
    orientation: int = 1


@dataclass
class Raw:
    """The content of a release, by kind.

    Attributes:
        images: Documents of ImageAnnotation.
        pairs: Documents of PairAnnotation, by the release's split name.
        layouts: Lines of Layout files as Arrow strings, by (large or small, split).
        pictures: Photographs and masks, by folder and ``category/stem``.
        strays: Files at places that the release does not have.
    """

    images: Documents
    pairs: dict[str, Documents]
    layouts: dict[tuple[str, str], pa.Array] = field(default_factory=dict)
    pictures: dict[str, dict[str, Picture]] = field(default_factory=lambda: {PHOTOS: {}, MASKS: {}})
    strays: list[str] = field(default_factory=list)
    _image_texts: list[tuple[str, bytes]] = field(default_factory=list)

    def add_image(self, name: str, data: memoryview) -> None:
        """Take one image annotation."""
        self._image_texts.append((name, self.images.add(name, data)))

    def check_slots(self, archive: str) -> None:
        """Refuse image annotations without the 30 keypoint slots."""
        for member, text in self._image_texts:
            check_slots(text, member, archive)
        self._image_texts.clear()


def read(job: Job) -> Raw:
    """Walk through the release once.

    Raises:
        RawshelfError: If the container is damaged or a document is not as the release writes it.
    """
    archive = job.source.url
    raw = Raw(
        images=Documents(IMAGE_SHAPE, archive),
        pairs={split: Documents(PAIR_SHAPE, archive) for split in RAW_SPLITS},
    )
    wrapper = Wrapper(ANCHORS, job.source)
    with ExitStack() as stack:
        spool = None
        if job.source.sequential and _shows_pictures(job):
            spool = stack.enter_context(closing(Spool(os.path.join(job.folder, "spool"))))
        for member, data in job.source.walk(lambda _: True):
            name = wrapper.strip(member.name)
            if name is None or data is None or not _take(raw, name, member, data, spool):
                raw.strays.append(name or member.name)
    return raw


def _shows_pictures(job: Job) -> bool:
    """Tell whether any wanted config has pictures in its rows."""
    return any(image_columns(item.columns) for item in CONFIGS if item.name in job.configs)


def _take(raw: Raw, name: str, member: Member, data: memoryview, spool: Spool | None) -> bool:
    """File one member by its place; tell whether the release has such a place."""
    top, *below = name.split("/")
    if len(below) != _DEPTH:
        return top in _NOT_CONVERTED
    folder, file = below
    if top == "PairAnnotation" and folder in raw.pairs and file.endswith(".json"):
        raw.pairs[folder].add(name, data)
    elif top == "ImageAnnotation" and file.endswith(".json"):
        raw.add_image(name, data)
    elif top in SUFFIXES and file.endswith(SUFFIXES[top]):
        key = f"{folder}/{file.removesuffix(SUFFIXES[top])}"
        raw.pictures[top][key] = _picture(top, member, data, spool)
    elif top == "Layout" and folder in LAYOUTS and file in _LAYOUT_FILES:
        place = folder, file.removesuffix(".txt")
        raw.layouts[place] = _layout(name, data, raw.images.archive)
    else:
        return top in _NOT_CONVERTED
    return True


def _layout(name: str, data: memoryview, archive: str) -> pa.Array:
    """Return the lines of a layout, each once, with ":" before the category."""
    try:
        lines = [colon_name(line) for line in bytes(data).decode("ascii").splitlines()]
    except UnicodeDecodeError as error:
        raise _bad_layout(name, archive, str(error), "ASCII text") from error
    if len(set(lines)) != len(lines):
        repeated = Counter(lines).most_common(1)[0][0]
        raise _bad_layout(name, archive, f"{repeated} more than once", "each pair once")
    return pa.array(lines, pa.string())


def colon_name(name: str) -> str:
    """Return a pair's name as the release spells it.

    Copies that passed through a file system without ":" have "-" in its place.

    >>> colon_name("000167-2008_007604-2009_001056-aeroplane")
    '000167-2008_007604-2009_001056:aeroplane'
    """
    if ":" in name:
        return name
    front, _, category = name.rpartition("-")
    return f"{front}:{category}"


def _bad_layout(name: str, archive: str, found: str, expected: str) -> AnnotationError:
    return AnnotationError(
        "A layout is not as the release writes it.",
        archive=archive,
        member=name,
        found=found,
        expected=expected,
        remedy="Restore this file from the published release.",
    )


def _picture(folder: str, member: Member, data: memoryview, spool: Spool | None) -> Picture:
    blob = member.blob if spool is None else spool.add(data)
    if blob is None:
        blob = Blob("", 0, 0, 0, 0, -1)
    try:
        header = probe(data)
    except ImageProblem as problem:
        return Picture(blob, None, str(problem))
    if header.format != _FORMATS[folder]:
        return Picture(blob, None, f"a {header.format} under the name of a {_FORMATS[folder]}")
    if folder == MASKS and header.components not in _INDEXED:
        return Picture(blob, None, f"PNG colour type {header.components} holds no class ids")
    return Picture(blob, (header.width, header.height), "", header.orientation)
