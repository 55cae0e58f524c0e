"""A COCO file of PartImageNet as Arrow columns.

A training file has about 100 MB and 77,000 annotations. Its annotations are read two megabytes at
a time by Arrow's JSON reader under an explicit schema; no Python object is made for any of them.
What they give can go to a file. What is left is parsed strictly in Python. A piece that is not as
expected (another type, a further key, a run-length mask, a value that is not finite) goes through
a strict parse in Python that keeps what fits the columns and puts the rest into `raw`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from rawshelf.errors import AnnotationError
from rawshelf.partimagenet.pieces import OPENS, Unusual, pieces
from rawshelf.partimagenet.strict import strict_loads
from rawshelf.plan import set_down

_BOX = 4
_SURROGATE = re.compile("[\ud800-\udfff]")
_KNOWN = (
    ("id", pa.int64()),
    ("image_id", pa.int64()),
    ("category_id", pa.int64()),
    ("iscrowd", pa.int8()),
    ("area", pa.float64()),
    ("bbox", pa.list_(pa.float64())),
    ("segmentation", pa.list_(pa.list_(pa.float64()))),
)
_ENTRY = pa.struct(list(_KNOWN))
_KEYS = ("id", "image_id", "category_id")
ANNOTATIONS = pa.schema([*_KNOWN, ("raw", pa.string())])
IMAGES = pa.schema(
    [
        ("id", pa.int64()),
        ("file_name", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("raw", pa.string()),
    ]
)
_IMAGE_KEYS = ("id", "file_name", "width", "height")

_LARGEST_INT = 1 << 63
_LARGEST_SIDE = 1 << 31
_EXACT = 1 << 53  # below, every integer is a 64-bit float and no other one is read as it
_REMEDY = "Restore this file from the published release."


class Coco(NamedTuple):
    """One COCO file.

    Attributes:
        member: Its name.
        images: Rows of `IMAGES`, in the file's order; names with "/" as separator.
        annotations: Rows of `ANNOTATIONS`, in the file's order.
        categories: The entries of its category list.
        others: Its further keys.
    """

    member: str
    images: pa.Table
    annotations: pa.Table
    categories: list[dict[str, Any]]
    others: dict[str, Any]


def read_coco(data: memoryview, member: str, archive: str, scratch: str | None = None) -> Coco:
    """Read a COCO file.

    Args:
        data: UTF-8 JSON.
        member: Its name, for messages.
        archive: The release, for messages.
        scratch: Path for files that hold the annotations, then in several chunks; None: memory.

    Raises:
        AnnotationError: If it is no COCO file, or ids repeat or lead nowhere.
    """
    reader = _Reader(member, archive)
    try:
        document, annotations = reader.quick(data, scratch)
    except Unusual:
        document = reader.strict(bytes(data))
        annotations = [reader.normalised(reader.entries(document, "annotations"), 0)]
    together = pa.concat_tables([ANNOTATIONS.empty_table(), *annotations])
    found = Coco(
        member,
        reader.images(document),
        together.combine_chunks() if scratch is None else together,
        reader.categories(document),
        {k: v for k, v in document.items() if k not in {"images", "annotations", "categories"}},
    )
    reader.check_ids(found)
    return found


class _Reader:
    """Reads one file; knows how to name it."""

    def __init__(self, member: str, archive: str) -> None:
        self._member = member
        self._archive = archive

    def quick(self, data: memoryview, scratch: str | None) -> tuple[dict[str, Any], list[pa.Table]]:
        """Return the document without its annotations, and those as tables.

        Raises:
            Unusual: If the file has to be parsed as a whole.
        """
        opens = OPENS.search(data)
        if opens is None:
            raise Unusual
        tables: list[pa.Table] = []
        end, rows = opens.end(), 0
        for piece, behind in pieces(data, opens.end()):
            table = self._piece(piece, rows)
            tables.append(table if scratch is None else set_down(table, scratch))
            rows, end = rows + len(tables[-1]), behind
        rest = bytes(data[: opens.end()]) + bytes(data[end:])
        try:
            document = strict_loads(rest)
        except ValueError as error:
            raise Unusual from error
        several = len(OPENS.findall(rest)) > 1  # another object may have such a list
        if several or not isinstance(document, dict) or document.get("annotations") != []:
            raise Unusual
        return document, tables

    def _piece(self, piece: bytes, before: int) -> pa.Table:
        try:
            return _typed(piece)
        except (Unusual, pa.ArrowInvalid, UnicodeDecodeError):
            try:
                entries = strict_loads(b"[%b]" % piece)
            except ValueError as error:
                raise Unusual from error
            return self.normalised(entries, before)

    def strict(self, data: bytes) -> dict[str, Any]:
        """Parse the whole file.

        Raises:
            AnnotationError: If it is not one strict JSON object.
        """
        try:
            document = strict_loads(data)
        except ValueError as error:
            raise self._wrong(None, error, "one JSON object in UTF-8, each key once") from error
        if not isinstance(document, dict):
            raise self._wrong(None, type(document).__name__, "one JSON object")
        return document

    def entries(self, document: dict[str, Any], key: str) -> list[dict[str, Any]]:
        """Return a list of objects of the document.

        Raises:
            AnnotationError: If it is none.
        """
        found = document.get(key)
        if not isinstance(found, list):
            raise self._wrong(key, "no such list", "a list of objects, as COCO has it")
        for number, entry in enumerate(found):
            if not isinstance(entry, dict):
                raise self._wrong(f"{key}/{number}", repr(entry), "an object")
        return found

    def categories(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the category list; each of its entries has an integer id."""
        for number, entry in enumerate(found := self.entries(document, "categories")):
            self._integer(entry, "id", f"categories/{number}", _LARGEST_INT)
        return found

    def images(self, document: dict[str, Any]) -> pa.Table:
        """Return the image list as a table of `IMAGES`."""
        rows = [
            self._image(entry, f"images/{number}")
            for number, entry in enumerate(self.entries(document, "images"))
        ]
        return pa.Table.from_pylist(rows, IMAGES)

    def _image(self, entry: dict[str, Any], place: str) -> dict[str, Any]:
        self._integer(entry, "id", place, _LARGEST_INT)
        for key in ("width", "height"):
            self._integer(entry, key, place, _LARGEST_SIDE)
        name = entry.get("file_name")
        if not isinstance(name, str) or not name or not _is_text(name):
            raise self._wrong(f"{place}/file_name", repr(name), "a file name")
        rest = {key: value for key, value in entry.items() if key not in _IMAGE_KEYS}
        plain = name.replace("\\", "/")  # a Windows user's copy has "\\" (seen in a public loader)
        if plain != name:
            rest["file_name"] = name
        kept = {key: entry[key] for key in _IMAGE_KEYS}
        return {**kept, "file_name": plain, "raw": _as_json(rest)}

    def normalised(self, entries: Iterable[Any], before: int) -> pa.Table:
        """Return annotations as a table, what has no column in `raw`.

        Args:
            entries: Annotations.
            before: How many annotations stand before them in the file.

        Raises:
            AnnotationError: If one has no integer ids.
        """
        rows = [
            self._annotation(entry, f"annotations/{number}")
            for number, entry in enumerate(entries, start=before)
        ]
        return pa.Table.from_pylist(rows, ANNOTATIONS)

    def _annotation(self, entry: Any, place: str) -> dict[str, Any]:
        if not isinstance(entry, dict):
            raise self._wrong(place, repr(entry), "an object")
        for key in _KEYS:
            self._integer(entry, key, place, _LARGEST_INT)
        fits = {key: key in entry and _FITS[key](entry[key]) for key in _FITS}
        row = {key: entry[key] if good else None for key, good in fits.items()}
        row["segmentation"] = row["segmentation"] or []
        typed = {*_KEYS, *(key for key, good in fits.items() if good)}
        rest = {key: value for key, value in entry.items() if key not in typed}
        return {**row, **{key: entry[key] for key in _KEYS}, "raw": _as_json(rest)}

    def _integer(self, entry: dict[str, Any], key: str, place: str, limit: int) -> None:
        value = entry.get(key)
        if type(value) is not int or not -limit <= value < limit:
            found = repr(value) if key in entry else "no such key"
            raise self._wrong(f"{place}/{key}", found, "an integer")

    def check_ids(self, found: Coco) -> None:
        """Refuse ids that repeat, and annotations of images that are not listed.

        Raises:
            AnnotationError: If there is one.
        """
        named = pa.array([entry["id"] for entry in found.categories], pa.int64())
        ids_of = {"images": found.images["id"], "annotations": found.annotations["id"]}
        for key, ids in {**ids_of, "categories": named}.items():
            if pc.count_distinct(ids).as_py() != len(ids):
                [(twice, count)] = Counter(ids.to_pylist()).most_common(1)
                raise self._wrong(f"{key}/*/id", f"{twice} {count} times", "each id once")
        known = pc.is_in(found.annotations["image_id"], value_set=_values(found.images["id"]))
        if not pc.all(known).as_py() and len(known):
            row = pc.index(known, False).as_py()
            image = found.annotations["image_id"][row].as_py()
            raise self._wrong(f"annotations/{row}/image_id", image, "an id of the image list")

    def wrong_category(self, row: int, category: int, expected: str) -> AnnotationError:
        """Build the error for a category that does not exist."""
        return self._wrong(f"annotations/{row}/category_id", category, expected)

    def _wrong(self, place: str | None, found: object, expected: str) -> AnnotationError:
        return AnnotationError(
            "A COCO file is not as the release writes it.",
            archive=self._archive,
            member=self._member,
            field=place,
            found=found,
            expected=expected,
            remedy=_REMEDY,
        )


def check_categories(found: Coco, count: int, archive: str) -> None:
    """Refuse an annotation whose category is not one of 0 to `count` - 1.

    Raises:
        AnnotationError: If there is one.
    """
    ids = found.annotations["category_id"].to_numpy()
    wrong = np.flatnonzero((ids < 0) | (ids >= count))
    if len(wrong):
        row = int(wrong[0])
        expected = f"a category id, 0 to {count - 1}"
        raise _Reader(found.member, archive).wrong_category(row, int(ids[row]), expected)


def _typed(piece: bytes) -> pa.Table:
    """Parse annotations that are exactly as the release writes them.

    Raises:
        Unusual: If a value is absent, null, not finite, or a box has not four numbers.
        ArrowInvalid: If Arrow does not read them under the schema.
    """
    if not piece.isascii():
        piece.decode("utf-8")  # Arrow's reader lets any bytes through
    text = b'{"a":[%b]}' % piece
    table = pa.json.read_json(
        pa.BufferReader(text),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pa.json.ParseOptions(
            explicit_schema=pa.schema([("a", pa.list_(_ENTRY))]),
            unexpected_field_behavior="error",
            newlines_in_values=True,
        ),
    )
    rows = table["a"].combine_chunks()
    rows = rows.chunk(0) if isinstance(rows, pa.ChunkedArray) else rows
    entries = rows.flatten()
    fields = entries.flatten()
    if len(table) != 1 or entries.null_count or not _is_usual(fields):
        raise Unusual
    return pa.table([*fields, pa.nulls(len(entries), pa.string())], schema=ANNOTATIONS)


def _is_usual(fields: list[pa.Array]) -> bool:
    area, box, polygons = fields[4:]
    numbers = polygons.values.values
    if any(each.null_count for each in (*fields, box.values, polygons.values, numbers)):
        return False
    if not pc.all(pc.equal(pc.list_value_length(box), _BOX)).as_py():
        return False
    return all((np.abs(each.to_numpy()) < _EXACT).all() for each in (area, box.values, numbers))


def _is_number(value: Any) -> bool:
    # What a 64-bit float cannot hold exactly stays as it is, in `raw`.
    return type(value) is float or (type(value) is int and abs(value) < _EXACT)


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == _BOX and all(map(_is_number, value))


def _is_polygons(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(polygon, list) and all(map(_is_number, polygon)) for polygon in value
    )


def _is_flag(value: Any) -> bool:
    return type(value) is int and -128 <= value < 128  # noqa: PLR2004 - one byte


def _is_text(value: str) -> bool:
    return _SURROGATE.search(value) is None


_FITS = {
    "iscrowd": _is_flag,
    "area": _is_number,
    "bbox": _is_box,
    "segmentation": _is_polygons,
}


def _as_json(rest: dict[str, Any]) -> str | None:
    return json.dumps(rest, sort_keys=True) if rest else None


def _values(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
