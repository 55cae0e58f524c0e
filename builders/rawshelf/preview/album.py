"""What a dataset declares for its page to browse: rows, what to draw over them, how to filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from rawshelf.features import Column, Image
from rawshelf.preview.pictures import Wish
from rawshelf.preview.reading import Conversion


@dataclass(frozen=True)
class Facet:
    """A property to filter by.

    Attributes:
        key: Its name in the page's address.
        title: Its name for people.
        names: Of its values; rows give positions in it.
    """

    key: str
    title: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Layer:
    """A kind of mask that can be laid over a photograph.

    Attributes:
        title: Its name for people.
        names: Of the indices that stand for something.
        colours: Of the indices from 0 on, RGB triples.
        background: The index that stands for nothing.
        shown: Whether it is laid over from the start.
    """

    title: str
    names: Mapping[int, str]
    colours: bytes
    background: int
    shown: bool


@dataclass(frozen=True)
class Marks:
    """Which fields of a row are drawn over a view; a field of a struct is ``parts.bbox``.

    Attributes:
        box: A box, or a list of boxes.
        kinds: The kind of each of a list of boxes: an index into the names of the first layer.
        ids: The ids of points.
        x: Their places, 0-based pixels from the left.
        y: The same from the top.
    """

    box: str
    kinds: str | None = None
    ids: str | None = None
    x: str | None = None
    y: str | None = None


class View(NamedTuple):
    """One image of a row.

    Attributes:
        title: A few words.
        encoded: The image as it is stored, or None if the conversion has none.
        size: Width and height as the row states them, for where there is no image.
        masks: For each layer the mask as it is stored, or None.
    """

    title: str
    encoded: bytes | None
    size: tuple[int, int]
    masks: tuple[bytes | None, ...] = ()


@dataclass(frozen=True)
class Item:
    """A row.

    Attributes:
        name: What the release calls it.
        title: A few words, such as its class.
        note: A few more.
        values: For each facet the positions of the row's values.
        row: Its columns but for pixels, as they stand in the Parquet file.
        views: Its images.
        cover: Which of them stand for it among the others.
    """

    name: str
    title: str
    note: str
    values: tuple[tuple[int, ...], ...]
    row: Mapping[str, Any]
    views: tuple[View, ...]
    cover: tuple[int, ...]


@dataclass(frozen=True)
class Album:
    """What the page of a conversion shows.

    Attributes:
        total: How many rows there are to choose from.
        spread: Over what the choice is spread evenly, in words.
        facets: What to filter by.
        items: The chosen rows.
        columns: The columns of the rows, for their names and meanings.
        boxes: How boxes are given: ``voc`` for [xmin, ymin, xmax, ymax], 1-based and inclusive;
            ``coco`` for [x, y, width, height].
        marks: What to draw over the first view, the second, and so on.
        layers: Masks.
        colours: Of points by id, RGB triples; ids go round.
    """

    total: int
    spread: str
    facets: tuple[Facet, ...]
    items: Sequence[Item]
    columns: tuple[Column, ...]
    boxes: Literal["voc", "coco"] = "voc"
    marks: tuple[Marks, ...] = ()
    layers: tuple[Layer, ...] = ()
    colours: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Shelf:
    """The album that a dataset can have.

    Attributes:
        needs: Sets of configs, best first: rows come from the first set that is there as a whole.
        fill: Chooses the rows of a conversion from such a set.
    """

    needs: tuple[tuple[str, ...], ...]
    fill: Callable[[Conversion, tuple[str, ...], Wish], Album]


def without_pixels(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Return the columns that are no images."""
    return tuple(column for column in columns if not isinstance(column.feature, Image))


def encoded(image: Mapping[str, Any] | None) -> bytes | None:
    """Return the bytes of an image's value in a row, None where it has none."""
    return image["bytes"] if image else None
