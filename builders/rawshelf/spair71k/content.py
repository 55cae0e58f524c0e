"""What an SPair-71k release says, put together: which image is in which split, which pair counts.

The splits come from Layout. An incomplete release without Layout may be converted when the user
allows it: then a pair's split is the folder it lies in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.documents import MEMBER
from rawshelf.errors import AnnotationError
from rawshelf.incomplete import REMEDY_MISSING, settle_missing
from rawshelf.release import Job
from rawshelf.report import Report
from rawshelf.spair71k.annotations import (
    SIDES,
    Checker,
    ImageArrays,
    Ints,
    PairArrays,
    image_arrays,
    pair_arrays,
    whole,
)
from rawshelf.spair71k.raw import (
    MASKS,
    PHOTOS,
    RAW_SPLITS,
    SUFFIXES,
    Picture,
    Raw,
    read,
)
from rawshelf.spair71k.release import LAYOUTS

_NO_LINES = pa.array([], pa.string())
_REMEDY = "Restore these files from the published release."


@dataclass(frozen=True)
class PairSplit:
    """The pairs of one split, ordered by pair id.

    Attributes:
        arrays: The annotations.
        members: The file of each pair, as Arrow strings.
        image_names: Names of source and target, ``category/stem``.
        rows: Row of source and target among all image annotations, -1 where there is none.
        in_small: Whether the small layout lists the pair; null where that layout is absent.
    """

    arrays: PairArrays
    members: pa.ChunkedArray
    image_names: tuple[pa.Array, pa.Array]
    rows: tuple[Ints, Ints]
    in_small: pa.Array

    def indices(self, side: int, rank: Ints) -> pa.Array:
        """Return each image's row in the split's images; null where it has none.

        Args:
            side: 0 for the source, 1 for the target.
            rank: Row in the split's images of each image annotation, -1 where it has none; one
                entry more than annotations, which stands for "no annotation".
        """
        found = rank[self.rows[side]]
        return pa.array(found, pa.int32(), mask=found < 0)


@dataclass(frozen=True)
class Content:
    """The whole release.

    Attributes:
        raw: As read.
        images: All image annotations.
        names: Their names, ``category/stem``.
        members: Their files, as Arrow strings.
        pairs: By the release's split name.
        split_of: Number of each image's split, -1 for none.
        image_rows: By split: rows of `images` in the order of publication (by name).
        rank: By split: the inverse of `image_rows`, see `PairSplit.indices`.
        blocked: Names of the images that were set aside: no row shows their pixels.
        complete: Whether nothing is missing.
    """

    raw: Raw
    images: ImageArrays
    names: pa.Array
    members: pa.ChunkedArray
    pairs: Mapping[str, PairSplit]
    split_of: Ints
    image_rows: Mapping[str, Ints]
    rank: Mapping[str, Ints]
    blocked: frozenset[str]
    complete: bool


def load(job: Job) -> Content:
    """Read a release and put its parts together.

    Raises:
        RawshelfError: As `rawshelf.spair71k.tables.prepare`.
    """
    raw = read(job)
    archive, report = job.source.url, job.report
    table = raw.images.table()
    raw.check_slots(archive)
    members = table[MEMBER]
    checker = Checker(archive, members)
    images = image_arrays(table, checker)
    names = _image_names(images, checker)
    pairs = {split: _pair_split(raw, split, names, archive, report) for split in RAW_SPLITS}
    missing = _missing(raw, names, pairs)
    if len(missing) > job.allow_missing:
        _refuse_pair(missing, pairs, archive)
    expected = "every file that Layout and the annotations name"
    settle_missing(job, missing, expected)
    report.strays += raw.strays
    split_of = _split_of(len(names), pairs, archive)
    problems = _problems(raw, images, names, split_of)
    for row, reason in sorted(problems.items()):
        report.set_aside([members[row].as_py()], reason)
    rows, rank = _ranked(names, split_of, problems)
    blocked = frozenset(names.take(pa.array(sorted(problems), pa.int64())).to_pylist())
    return Content(raw, images, names, members, pairs, split_of, rows, rank, blocked, not missing)


def _ranked(
    names: pa.Array, split_of: Ints, problems: Mapping[int, str]
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Return `Content.image_rows` and `Content.rank`."""
    order = np.asarray(pc.sort_indices(names).to_numpy(), np.int64)
    kept = order[~np.isin(order, list(problems))]
    image_rows = {
        split: kept[split_of[kept] == number].astype(np.int32)
        for number, split in enumerate(RAW_SPLITS)
    }
    rank = {}
    for split, rows in image_rows.items():
        rank[split] = np.full(len(names) + 1, -1, np.int32)
        rank[split][rows] = np.arange(len(rows), dtype=np.int32)
    return image_rows, rank


def _image_names(images: ImageArrays, checker: Checker) -> pa.Array:
    """Return ``category/stem`` of each annotation; its file must stand where that says."""
    files = whole(images.table, "filename")
    checker.require(pc.ends_with(files, ".jpg"), "filename", files, "a name ending in .jpg")
    stems = pc.utf8_slice_codeunits(files, 0, -4)
    names = pc.binary_join_element_wise(whole(images.table, "category"), stems, "/")
    places = pc.binary_join_element_wise("ImageAnnotation/", names, ".json", "")
    good = pc.equal(places, checker.members)
    checker.require(good, "category and filename", places, "the file's name")
    return names


def _pair_split(raw: Raw, split: str, names: pa.Array, archive: str, report: Report) -> PairSplit:
    table = _by_id(raw.pairs[split].table())
    table = _listed_in_layout(table, raw, split, archive, report)
    members = table[MEMBER]
    checker = Checker(archive, members)
    arrays = pair_arrays(table, checker)
    image_names = (_side_names(table, SIDES[0], checker), _side_names(table, SIDES[1], checker))
    _check_pair_names(table, split, checker)
    rows = tuple(
        np.asarray(pc.fill_null(pc.index_in(side, names), -1).to_numpy()) for side in image_names
    )
    return PairSplit(arrays, members, image_names, (rows[0], rows[1]), _in_small(table, raw, split))


def _by_id(table: pa.Table) -> pa.Table:
    """Return the pairs ascending by id; archives often hold them so, and sorting copies."""
    ascending = (np.diff(table["pair_id"].to_numpy()) > 0).all()
    return table if ascending else table.sort_by("pair_id")


def _listed_in_layout(
    table: pa.Table, raw: Raw, split: str, archive: str, report: Report
) -> pa.Table:
    """Keep the pairs of the split's large layout; without one, the folder decides."""
    lines, names = raw.layouts.get(("large", split)), whole(table, "filename")
    if lines is None or not len(others(names, lines)):
        return table
    listed = pc.is_in(names, value_set=lines)
    unlisted = table.filter(pc.invert(listed))
    for other in RAW_SPLITS:
        elsewhere = raw.layouts.get(("large", other), _NO_LINES)
        moved = unlisted.filter(pc.is_in(unlisted["filename"], value_set=elsewhere))
        if len(moved):
            raise AnnotationError(
                "A pair lies in the folder of one split and is listed in another.",
                archive=archive,
                member=moved[MEMBER][0].as_py(),
                field="split",
                found=split,
                expected=f"{other}, as Layout/large/{other}.txt says",
                remedy=_REMEDY,
            )
    report.set_aside(unlisted[MEMBER].to_pylist(), f"not listed in Layout/large/{split}.txt")
    return table.filter(listed)


def others(values: pa.Array, known: pa.Array) -> pa.Array:
    """Return the values that are not among the known ones."""
    if values.equals(known):  # the usual case, and told at a tenth of the cost
        return values.slice(0, 0)
    return values.filter(pc.invert(pc.is_in(values, value_set=known)))


def _side_names(table: pa.Table, side: str, checker: Checker) -> pa.Array:
    field = f"{side}_imname"
    files = whole(table, field)
    checker.require(pc.ends_with(files, ".jpg"), field, files, "a name ending in .jpg")
    stems = pc.utf8_slice_codeunits(files, 0, -4)
    return pc.binary_join_element_wise(whole(table, "category"), stems, "/")


def _check_pair_names(table: pa.Table, split: str, checker: Checker) -> None:
    """Require the pair's name to repeat its fields, and its file to carry the pair's name."""
    ids = whole(table, "pair_id")
    repeated = np.flatnonzero(np.diff(ids.to_numpy()) == 0)
    if len(repeated):
        checker.refuse(int(repeated[0]) + 1, "pair_id", ids, "each id once in a split")
    names = whole(table, "filename")
    number = pc.utf8_lpad(pc.cast(ids, pa.string()), 6, "0")
    src, trg = (pc.utf8_slice_codeunits(whole(table, f"{s}_imname"), 0, -4) for s in SIDES)
    images = pc.binary_join_element_wise(number, src, trg, "-")
    built = pc.binary_join_element_wise(images, whole(table, "category"), ":")
    checker.require(pc.equal(names, built), "filename", names, "id-source-target:category")
    places = pc.binary_join_element_wise(f"PairAnnotation/{split}/", names, ".json", "")
    good = pc.equal(places, checker.members)
    if not pc.all(good).as_py():
        dashed = pc.replace_substring(places, ":", "-")
        good = pc.or_(good, pc.equal(dashed, checker.members))
    checker.require(good, "filename", names, 'the file\'s name (":" may be "-")')


def _in_small(table: pa.Table, raw: Raw, split: str) -> pa.Array:
    lines = raw.layouts.get(("small", split))
    if lines is None:
        return pa.nulls(len(table), pa.bool_())
    return pc.is_in(whole(table, "filename"), value_set=lines)


def _missing(raw: Raw, names: pa.Array, pairs: Mapping[str, PairSplit]) -> list[str]:
    """List every file that the release must hold and does not."""
    missing = [
        f"Layout/{size}/{split}.txt"
        for size in LAYOUTS
        for split in RAW_SPLITS
        if (size, split) not in raw.layouts
    ]
    for split, found in pairs.items():
        lines = raw.layouts.get(("large", split), _NO_LINES)
        absent = others(lines, whole(found.arrays.table, "filename"))
        missing += [f"PairAnnotation/{split}/{line}.json" for line in absent.to_pylist()]
    annotated = set(names.to_pylist())
    for name in annotated.union(_mentioned(pairs), *raw.pictures.values()):
        if name not in annotated:
            missing.append(f"ImageAnnotation/{name}.json")
        for folder, suffix in SUFFIXES.items():
            if name not in raw.pictures[folder]:
                missing.append(f"{folder}/{name}{suffix}")
    return sorted(missing)


def _mentioned(pairs: Mapping[str, PairSplit]) -> set[str]:
    sides = [side for found in pairs.values() for side in found.image_names]
    return set(pc.unique(pa.chunked_array(sides, pa.string())).to_pylist())


def _refuse_pair(missing: list[str], pairs: Mapping[str, PairSplit], archive: str) -> None:
    """Raise for a pair without its image, if something missing is one, naming the pair."""
    absent = frozenset(missing)
    for found in pairs.values():
        for side, names in zip(SIDES, found.image_names, strict=True):
            for row in np.flatnonzero(found.rows[SIDES.index(side)] < 0):
                name = names[int(row)].as_py()
                if f"{PHOTOS}/{name}.jpg" in absent:
                    raise AnnotationError(
                        "A pair names an image that the release does not hold.",
                        archive=archive,
                        member=found.members[row].as_py(),
                        field=f"{side}_imname",
                        found=f"{name}.jpg",
                        expected="an image of ImageAnnotation, JPEGImages and Segmentation",
                        remedy=REMEDY_MISSING,
                    )


def _split_of(count: int, pairs: Mapping[str, PairSplit], archive: str) -> Ints:
    """Return each image's split; an image in two splits is refused."""
    split_of = np.full(count, -1, np.int32)
    for number, found in enumerate(pairs.values()):
        for side, rows in zip(SIDES, found.rows, strict=True):
            earlier = np.append(split_of, number)[rows]  # -1, no annotation, takes the last
            leaks = np.flatnonzero((earlier >= 0) & (earlier != number))
            if len(leaks):
                raise AnnotationError(
                    "An image is used by two splits.",
                    archive=archive,
                    member=found.members[leaks[0]].as_py(),
                    field=f"{side}_imname",
                    found=RAW_SPLITS[number],
                    expected=f"{RAW_SPLITS[earlier[leaks[0]]]}, where other pairs use the image",
                    remedy=_REMEDY,
                )
            split_of[rows[rows >= 0]] = number
    return split_of


def _problems(raw: Raw, images: ImageArrays, names: pa.Array, split_of: Ints) -> dict[int, str]:
    """Return why an image annotation cannot become a row, by its row."""
    problems: dict[int, str] = {}
    sizes = zip(images.column("image_width"), images.column("image_height"), strict=True)
    for row, (name, size) in enumerate(zip(names.to_pylist(), sizes, strict=True)):
        reasons = [
            _picture_problem(raw.pictures[PHOTOS].get(name), f"{PHOTOS}/{name}.jpg", size),
            _picture_problem(raw.pictures[MASKS].get(name), f"{MASKS}/{name}.png", size),
            "no pair of any split names this image" if split_of[row] < 0 else "",
        ]
        reason = "; ".join(filter(None, reasons))
        if reason:
            problems[row] = reason
    return problems


def _picture_problem(picture: Picture | None, member: str, size: tuple[int, int]) -> str:
    if picture is None:
        return ""
    if picture.problem:
        return f"{member}: {picture.problem}"
    if picture.size != size:
        found, expected = picture.size or (0, 0), size
        return (
            f"{member}: {found[0]} x {found[1]} pixels, annotated as {expected[0]} x {expected[1]}"
        )
    return ""
