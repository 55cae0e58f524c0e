"""SPair-71k's JSON documents: their shape, and the arrays that they hold. Pure, no I/O.

Facts: every image annotation has 15 keys and 30 keypoint slots, every pair annotation 19 keys;
points are 0-based integer pixels, boxes 1-based inclusive (read in the release's own files).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.errors import AnnotationError
from rawshelf.features import ClassLabel
from rawshelf.spair71k import columns
from rawshelf.spair71k.release import AZIMUTH_BINS, KEYPOINT_SLOTS

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

_INTS = pa.list_(pa.int32())
_REMEDY = "Restore this file from the published release."


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


IMAGE_SHAPE = pa.schema(
    [
        *[
            _required(name, pa.string())
            for name in ("filename", "src_database", "src_annotation", "src_image")
        ],
        *[_required(name, pa.int32()) for name in ("image_width", "image_height", "image_depth")],
        _required("category", pa.string()),
        _required("pose", pa.string()),
        *[_required(name, pa.int32()) for name in ("truncated", "occluded", "difficult")],
        _required("bndbox", _INTS),
        _required("kps", pa.struct([(str(slot), _INTS) for slot in range(KEYPOINT_SLOTS)])),
        _required("azimuth_id", pa.int32()),
    ]
)

PAIR_SHAPE = pa.schema(
    [
        _required("pair_id", pa.int32()),
        *[_required(name, pa.string()) for name in ("filename", "src_imname", "trg_imname")],
        *[
            _required(name, _INTS)
            for name in ("src_imsize", "trg_imsize", "src_bndbox", "trg_bndbox")
        ],
        *[_required(name, pa.string()) for name in ("category", "src_pose", "trg_pose")],
        _required("src_kps", pa.list_(_INTS)),
        _required("trg_kps", pa.list_(_INTS)),
        _required("kps_ids", pa.list_(pa.string())),
        *[
            _required(name, pa.int32())
            for name in (
                "mirror",
                "viewpoint_variation",
                "scale_variation",
                "truncation",
                "occlusion",
            )
        ],
    ]
)


@dataclass(frozen=True)
class Checker:
    """Raises for the first row of a table that breaks a rule.

    Attributes:
        archive: How messages name the release.
        members: The file of each row, as Arrow strings.
    """

    archive: str
    members: pa.ChunkedArray

    def only(self, rows: pa.Array) -> Checker:
        """Return a checker of some of the rows, told by a boolean per row."""
        return Checker(self.archive, self.members.filter(rows))

    def require(self, good: Any, field: str, found: Any, expected: str) -> None:
        """Raise unless every row is good.

        Args:
            good: Boolean per row (numpy or Arrow; null counts as bad).
            field: Name of the field.
            found: The field's value per row, for the message.
            expected: What would be right.

        Raises:
            AnnotationError: Naming the first bad row's file.
        """
        flags = _flags(good)
        if not flags.all():
            self.refuse(int(np.argmin(flags)), field, found, expected)

    def refuse(self, row: int, field: str, found: Any, expected: str) -> NoReturn:
        """Raise for one row."""
        value = found[row]
        raise AnnotationError(
            "An annotation says what cannot be.",
            archive=self.archive,
            member=self.members[row].as_py(),
            field=field,
            found=value.as_py() if isinstance(value, pa.Scalar) else value,
            expected=expected,
            remedy=_REMEDY,
        )

    def codes(self, values: pa.Array, label: ClassLabel, field: str) -> pa.Array:
        """Return the class index of each string; every string must be one of the names."""
        codes = label.codes(values)
        self.require(codes.is_valid(), field, values, f"one of {', '.join(label.names)}")
        return codes

    def below(self, values: pa.Array, end: int, field: str) -> pa.Array:
        """Return the integers; each must be in 0..end-1."""
        good = pc.and_(pc.greater_equal(values, 0), pc.less(values, end))
        self.require(good, field, values, f"0..{end - 1}")
        return values

    def fixed(self, values: pa.Array, length: int, field: str) -> Ints:
        """Return lists of one length as an array (rows, length)."""
        good = pc.equal(pc.list_value_length(values), length)
        self.require(good, field, values, f"{length} integers")
        flat = values.flatten()
        if flat.null_count:
            row = _row_of(values, int(np.argmin(_flags(flat.is_valid()))))
            self.refuse(row, field, values, f"{length} integers")
        return _ints(flat).reshape(-1, length)


def _flags(good: Any) -> Bools:
    if isinstance(good, np.ndarray):
        return good.astype(bool, copy=False)
    return np.asarray(pc.fill_null(good, fill_value=False).to_numpy(zero_copy_only=False), bool)


def _ints(values: pa.Array) -> Ints:
    return np.asarray(values.to_numpy(zero_copy_only=False), np.int32)


def _row_of(lists: pa.Array, item: int) -> int:
    offsets = lists.offsets.to_numpy() - lists.offsets[0].as_py()
    return int(np.searchsorted(offsets, item, side="right")) - 1


def whole(table: pa.Table, name: str) -> pa.Array:
    """Return a column as one array."""
    column = table[name]
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def check_slots(document: bytes, member: str, archive: str) -> None:
    """Refuse an image annotation without exactly the 30 keypoint slots.

    Arrow's reader does not tell an absent slot from one that is null; the release always has all.

    Raises:
        AnnotationError: If a slot is absent.
    """
    slots = orjson.loads(document)["kps"]
    if len(slots) != KEYPOINT_SLOTS:
        raise AnnotationError(
            "An image annotation lacks keypoint slots.",
            archive=archive,
            member=member,
            field="kps",
            found=f"{len(slots)} keys",
            expected=f"the {KEYPOINT_SLOTS} keys 0..{KEYPOINT_SLOTS - 1}, null where not annotated",
            remedy=_REMEDY,
        )


@dataclass(frozen=True)
class ImageArrays:
    """The image annotations as arrays, one row per image.

    Attributes:
        table: The documents, typed.
        category: Index into the categories, (n,).
        pose: Index into the poses, (n,).
        box: xmin, ymin, xmax, ymax, 1-based inclusive pixels, (n, 4).
        present: Whether a keypoint is annotated, (n, 30).
        x: 0-based pixels, 0 where absent, (n, 30).
        y: 0-based pixels, 0 where absent, (n, 30).
    """

    table: pa.Table
    category: pa.Array
    pose: pa.Array
    box: Ints
    present: Bools
    x: Ints
    y: Ints

    def column(self, name: str) -> Ints:
        """Return an integer field, (n,)."""
        return _ints(whole(self.table, name))


def image_arrays(table: pa.Table, checker: Checker) -> ImageArrays:
    """Check the image annotations and take them apart.

    Args:
        table: Rows of `IMAGE_SHAPE`.
        checker: Knows the file of each row.

    Raises:
        AnnotationError: If a value is outside its range or a list has another length.
    """
    checker.below(whole(table, "azimuth_id"), AZIMUTH_BINS, "azimuth_id")
    for name in ("truncated", "occluded", "difficult"):
        checker.below(whole(table, name), 2, name)
    slots = whole(table, "kps")
    present = np.zeros((len(table), KEYPOINT_SLOTS), bool)
    points = np.zeros((len(table), KEYPOINT_SLOTS, 2), np.int32)
    for slot in range(KEYPOINT_SLOTS):
        values = slots.field(slot)
        shown = values.is_valid()
        present[:, slot] = _flags(shown)
        found = checker.only(shown).fixed(values.filter(shown), 2, f"kps/{slot}")
        points[present[:, slot], slot] = found
    return ImageArrays(
        table=table,
        category=checker.codes(whole(table, "category"), columns.CATEGORY, "category"),
        pose=checker.codes(whole(table, "pose"), columns.POSE, "pose"),
        box=checker.fixed(whole(table, "bndbox"), 4, "bndbox"),
        present=present,
        x=points[:, :, 0],
        y=points[:, :, 1],
    )


@dataclass(frozen=True)
class PairArrays:
    """The pair annotations of one split as arrays, one row per pair.

    Attributes:
        table: The documents' fields that are no lists, typed.
        category: Index into the categories, (n,).
        pose: Index into the poses of source and target, (n,) each.
        box: Boxes of source and target, 1-based inclusive pixels, (n, 4) each.
        size: Width, height and channels of source and target, (n, 3) each.
        offsets: Where each pair's keypoints begin, (n + 1,).
        ids: Keypoint ids of all pairs, (m,).
        points: x and y of all pairs' source and target keypoints, 0-based pixels, (m, 2) each.
    """

    table: pa.Table
    category: pa.Array
    pose: tuple[pa.Array, pa.Array]
    box: tuple[Ints, Ints]
    size: tuple[Ints, Ints]
    offsets: Ints
    ids: Ints
    points: tuple[Ints, Ints]

    def column(self, name: str) -> Ints:
        """Return an integer field, (n,)."""
        return _ints(whole(self.table, name))

    def take(self, rows: npt.NDArray[np.int64]) -> PairArrays:
        """Return some of the pairs; the rows must ascend."""
        if len(rows) == len(self.table):
            return self
        at = pa.array(rows)
        counts = np.diff(self.offsets)
        kept = np.zeros(len(counts), bool)
        kept[rows] = True
        items = np.repeat(kept, counts)
        return PairArrays(
            table=self.table.take(at),
            category=self.category.take(at),
            pose=(self.pose[0].take(at), self.pose[1].take(at)),
            box=(self.box[0][rows], self.box[1][rows]),
            size=(self.size[0][rows], self.size[1][rows]),
            offsets=np.concatenate([[0], np.cumsum(counts[rows])]).astype(np.int32),
            ids=self.ids[items],
            points=(self.points[0][items], self.points[1][items]),
        )


SIDES = ("src", "trg")


def pair_arrays(table: pa.Table, checker: Checker) -> PairArrays:
    """Check the pair annotations and take them apart.

    Args:
        table: Rows of `PAIR_SHAPE`.
        checker: Knows the file of each row.

    Raises:
        AnnotationError: If a value is outside its range, a list has another length than it
            must, or keypoint ids are not ascending.
    """
    for name, label in (
        ("viewpoint_variation", columns.VIEWPOINT),
        ("scale_variation", columns.SCALE),
        ("truncation", columns.TRUNCATION),
        ("occlusion", columns.OCCLUSION),
    ):
        checker.below(whole(table, name), len(label.names), name)
    checker.below(whole(table, "mirror"), 2, "mirror")
    offsets, ids = _keypoint_ids(whole(table, "kps_ids"), checker)
    src, trg = SIDES
    return PairArrays(
        table=table.select([item.name for item in PAIR_SHAPE if not pa.types.is_list(item.type)]),
        category=checker.codes(whole(table, "category"), columns.CATEGORY, "category"),
        pose=(_pose(table, src, checker), _pose(table, trg, checker)),
        box=_fixed(table, "bndbox", 4, checker),
        size=_fixed(table, "imsize", 3, checker),
        offsets=offsets,
        ids=ids,
        points=(_points(table, src, offsets, checker), _points(table, trg, offsets, checker)),
    )


def _pose(table: pa.Table, side: str, checker: Checker) -> pa.Array:
    field = f"{side}_pose"
    return checker.codes(whole(table, field), columns.POSE, field)


def _fixed(table: pa.Table, name: str, length: int, checker: Checker) -> tuple[Ints, Ints]:
    src, trg = (
        checker.fixed(whole(table, field), length, field)
        for field in (f"{side}_{name}" for side in SIDES)
    )
    return src, trg


def _keypoint_ids(lists: pa.Array, checker: Checker) -> tuple[Ints, Ints]:
    checker.require(pc.greater(pc.list_value_length(lists), 0), "kps_ids", lists, "at least one id")
    names = pa.array([str(slot) for slot in range(KEYPOINT_SLOTS)])
    flat = lists.flatten()
    codes = pc.index_in(flat, names)
    offsets = np.asarray(lists.offsets.to_numpy() - lists.offsets[0].as_py(), np.int32)
    if codes.null_count:
        row = _row_of(lists, int(np.argmin(_flags(codes.is_valid()))))
        checker.refuse(row, "kps_ids", lists, f'strings "0" to "{KEYPOINT_SLOTS - 1}"')
    ids = _ints(codes)
    steps = np.diff(ids) > 0
    steps[offsets[1:-1] - 1] = True
    if not steps.all():
        row = _row_of(lists, int(np.argmin(steps)))
        checker.refuse(row, "kps_ids", lists, "ascending ids, each once")
    return offsets, ids


def _points(table: pa.Table, side: str, offsets: Ints, checker: Checker) -> Ints:
    field = f"{side}_kps"
    lists = whole(table, field)
    lengths = pc.list_value_length(lists)
    good = pc.equal(lengths, pa.array(np.diff(offsets)))
    checker.require(good, field, lists, "as many points as kps_ids has ids")
    points = lists.flatten()
    flat = points.flatten()
    bad = ~_flags(pc.equal(pc.list_value_length(points), 2))
    if bad.any() or flat.null_count:
        item = int(np.argmax(bad)) if bad.any() else int(np.argmin(_flags(flat.is_valid()))) // 2
        checker.refuse(_row_of(lists, item), field, lists, "[x, y] for every point")
    return _ints(flat).reshape(-1, 2)
