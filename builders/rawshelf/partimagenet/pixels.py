"""What follows from the pixels of a row, found while a shard is written: images are read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rawshelf import masks
from rawshelf.encoded import EncodedImages
from rawshelf.features import IMAGE_TYPE
from rawshelf.images import JPEG, ImageProblem, probe
from rawshelf.partimagenet.layout import stem_of
from rawshelf.partimagenet.orientation import TURNED, UPRIGHT, neutralised, orientation
from rawshelf.partimagenet.release import PART_BACKGROUND, WHOLE_BACKGROUND
from rawshelf.report import Quarantined

Drawn = tuple[bytes | None, bytes | None]

# Index in columns.MODE, by the number of a JPEG's colour components.
_MODE_OF_COMPONENTS = {1: 0, 3: 1, 4: 2}
_MASKS = {"part_mask": PART_BACKGROUND, "whole_mask": WHOLE_BACKGROUND}
_PART_PALETTE = masks.palette(PART_BACKGROUND)
_WHOLE_PALETTE = masks.palette(WHOLE_BACKGROUND)


class Photo(NamedTuple):
    """What a photograph's header says.

    Attributes:
        mode: Index in columns.MODE.
        orientation: The orientation tag as released, 1 if none.
        changed: The file with the tag set to 1, or None where it stays as released.
    """

    mode: int
    orientation: int
    changed: bytes | None


def check_photo(data: memoryview, width: int, height: int) -> Photo:
    """Compare a photograph's header with its annotation.

    Args:
        data: The encoded file.
        width: As annotated.
        height: As annotated.

    Raises:
        ImageProblem: If the file is no whole JPEG of that size.
    """
    header = probe(data)
    if header.format != JPEG:
        raise ImageProblem(f"a {header.format} under the name of a JPEG")
    if header.components not in _MODE_OF_COMPONENTS:
        raise ImageProblem(f"{header.components} colour components")
    mode, turn, size = _MODE_OF_COMPONENTS[header.components], orientation(data), (width, height)
    if size == (header.width, header.height):
        return Photo(mode, turn, None if turn == UPRIGHT else neutralised(data))
    if turn in TURNED and size == (header.height, header.width):
        return Photo(mode, turn, None)  # annotated as turned: the tag has to stay
    raise ImageProblem(
        f"the photograph has {header.width} x {header.height} pixels, its annotation says "
        f"{width} x {height}"
    )


def check_mask(found: masks.Extent, width: int, height: int, background: int) -> None:
    """Compare a released mask with the annotation.

    Raises:
        ImageProblem: If it is of another size, or holds an unknown index.
    """
    if (found.width, found.height) != (width, height):
        raise ImageProblem(
            f"the mask has {found.width} x {found.height} pixels, the annotation says "
            f"{width} x {height}"
        )
    if found.largest > background:
        raise ImageProblem(f"the mask holds {found.largest}; the background, {background}, is last")


class Row(NamedTuple):
    """What deriving one row needs.

    Attributes:
        number: The row within its table.
        name: Its `file_name`.
        width: As annotated.
        height: As annotated.
    """

    number: int
    name: str
    width: int
    height: int


def derive_seg(rows: pa.Table) -> tuple[pa.Table, list[Quarantined]]:
    """Fill in what the photographs say; set rows aside whose photograph or mask is no good.

    Args:
        rows: Rows of config ``seg`` with images.

    Returns:
        The rows that stay, with their masks as released, and those set aside.
    """
    released = {name: EncodedImages(rows[name]) for name in _MASKS}

    def check(row: Row) -> None:
        for name, background in _MASKS.items():
            data = released[name].view(row.number)
            if data is not None:
                try:
                    check_mask(masks.extent(data), row.width, row.height, background)
                except ImageProblem as problem:
                    raise ImageProblem(f"{name}: {problem}") from problem

    return _derive(rows, check)


def derive_ood(rows: pa.Table) -> tuple[pa.Table, list[Quarantined]]:
    """Fill in what the photographs say and draw the masks.

    Args:
        rows: Rows of config ``ood`` with photographs and without masks.

    Returns:
        The rows that stay, with masks as palette PNGs, and those set aside.
    """
    parts = Polygons(rows["parts"])
    classes = rows["object_class"].to_pylist()
    drawn: dict[int, Drawn] = {}

    def draw(row: Row) -> None:
        drawn[row.number] = _draw(parts, row, classes[row.number])

    table, bad = _derive(rows, draw)
    stems = [stem_of(name) for name in table["file_name"].to_pylist()]
    for position, name in enumerate(_MASKS):
        files = [drawn[number][position] for number in sorted(drawn)]
        table = _set(table, name, image_array(files, [f"{stem}.png" for stem in stems]))
    return table, bad


def _draw(parts: Polygons, row: Row, object_class: int | None) -> Drawn:
    """Draw both masks; there is no whole mask of a class that is none of the 158."""
    part = parts.paint(row.number, row.height, row.width).mask
    whole = None
    if object_class is not None:
        filled = np.where(part == PART_BACKGROUND, WHOLE_BACKGROUND, object_class)
        whole = masks.encode_png(filled.astype(np.uint8), _WHOLE_PALETTE)
    return masks.encode_png(part, _PART_PALETTE), whole


class Polygons:
    """The parts of a table's rows, as what can be painted."""

    def __init__(self, parts: pa.ChunkedArray) -> None:
        """Find out where each row's annotations and each annotation's polygons lie."""
        column = pa.concat_tables([pa.table([parts], ["parts"])]).combine_chunks()["parts"]
        struct = column.chunk(0) if column.num_chunks else pa.array([], column.type)
        category, segmentation = (_field(struct, name) for name in ("category", "segmentation"))
        self._rows = category.offsets.to_numpy()
        self._categories = category.values.to_numpy()
        polygons = segmentation.values
        self._annotations = polygons.offsets.to_numpy()
        self._polygons = polygons.values.offsets.to_numpy()
        self._numbers = polygons.values.values.to_numpy()

    def of(self, row: int) -> tuple[list[list[npt.NDArray[np.float64]]], list[int]]:
        """Return the polygons of each of a row's annotations, and their categories."""
        annotations = range(self._rows[row], self._rows[row + 1])
        polygons = [
            [
                self._numbers[self._polygons[p] : self._polygons[p + 1]]
                for p in range(self._annotations[a], self._annotations[a + 1])
            ]
            for a in annotations
        ]
        return polygons, [int(self._categories[a]) for a in annotations]

    def paint(self, row: int, height: int, width: int, *, backwards: bool = False) -> masks.Painted:
        """Draw a row's part mask; `backwards` lets earlier annotations cover later ones."""
        polygons, categories = self.of(row)
        step = -1 if backwards else 1
        return masks.paint(
            polygons[::step],
            categories[::step],
            height=height,
            width=width,
            background=PART_BACKGROUND,
        )


def _field(struct: pa.StructArray, name: str) -> pa.ListArray:
    """Return a field that starts at the struct's first row, whatever slice that is."""
    field_array: pa.ListArray = struct.flatten()[struct.type.get_field_index(name)]
    return field_array


@dataclass
class _Found:
    keep: list[int] = field(default_factory=list)
    photos: list[Photo] = field(default_factory=list)
    bad: list[Quarantined] = field(default_factory=list)


def _derive(rows: pa.Table, check: Callable[[Row], None]) -> tuple[pa.Table, list[Quarantined]]:
    """Check each row's photograph, then what `check` says, and fill in the derived columns."""
    encoded = EncodedImages(rows["image"])
    found = _Found()
    for row in _rows(rows):
        data = encoded.view(row.number)
        try:
            if data is None:
                raise ImageProblem("its photograph is missing")  # noqa: TRY301 - one reason of several
            photo = check_photo(data, row.width, row.height)
            check(row)
        except ImageProblem as problem:
            found.bad.append(Quarantined(row.name, str(problem)))
        else:
            found.keep.append(row.number)
            found.photos.append(photo)
    table = rows.take(pa.array(found.keep, pa.int64())) if found.bad else rows
    return _filled(table, found.photos), found.bad


def _rows(rows: pa.Table) -> Iterator[Row]:
    columns = (rows[name].to_pylist() for name in ("file_name", "width", "height"))
    return (Row(number, *values) for number, values in enumerate(zip(*columns, strict=True)))


def _filled(table: pa.Table, photos: Sequence[Photo]) -> pa.Table:
    if any(photo.changed is not None for photo in photos):
        encoded = EncodedImages(table["image"])
        files = [
            encoded.view(row) if photo.changed is None else photo.changed
            for row, photo in enumerate(photos)
        ]
        names = table["file_name"].to_pylist()
        table = _set(table, "image", image_array(files, names))
    values: dict[str, list[Any]] = {
        "mode": [photo.mode for photo in photos],
        "exif_orientation": [photo.orientation for photo in photos],
        "exif_neutralised": [photo.changed is not None for photo in photos],
    }
    for name, column in values.items():
        table = _set(table, name, pa.array(column, table.schema.field(name).type))
    return table


def image_array(files: Sequence[bytes | memoryview | None], names: Sequence[str]) -> pa.StructArray:
    """Return encoded files as an image column; None becomes null."""
    absent = pa.array([file is None for file in files], pa.bool_())
    data = pa.array(files, pa.binary())
    paths = pa.array([name.replace("\\", "/").rpartition("/")[2] for name in names], pa.string())
    return pa.StructArray.from_arrays([data, paths], fields=list(IMAGE_TYPE), mask=absent)


def _set(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, pa.field(name, column.type), column)
