"""Pairs with their images, joined by row index and without copying a byte."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.encoded import EncodedImages, opened
from rawshelf.errors import UsageError
from rawshelf.pixels import DecodedImages
from rawshelf.rows import row_reader

if TYPE_CHECKING:
    from datasets import Dataset

SIDES = ("src", "trg")
PICTURES = ("image", "segmentation")
_REMEDY = (
    'Load both from the same conversion and split: load_dataset(OUT, "pairs", split=s) and '
    'load_dataset(OUT, "images", split=s).'
)


class JoinedPairs(Sequence[dict[str, Any]]):
    """Rows of ``pairs`` with both images and both masks, by index; see `join`."""

    def __init__(self, pairs: Dataset, images: Dataset | DecodedImages, *, decode: bool) -> None:
        """Check that the two belong together.

        Raises:
            UsageError: If a pair's index does not lead to the image that the pair names.
        """
        self.pairs = pairs
        self.images = images
        self.decode = decode
        encoded = images.images if isinstance(images, DecodedImages) else images
        table = encoded.data.table
        self._count = len(pairs)
        self._row_of = row_reader(pairs)
        indices = {side: _checked_index(pairs, table, side).data for side in SIDES}
        self._pictures = [
            (f"{side}_{name}", indices[side], self._reader(table, name))
            for side in SIDES
            for name in PICTURES
            if name in table.column_names
        ]

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the two datasets, which pickle as paths, and none of the bytes."""
        return partial(join, decode=self.decode), (self.pairs, self.images)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return self._count

    def __getitem__(self, index: Any) -> Any:
        """Return one row, or a list of rows for a slice or a list of indices."""
        if isinstance(index, slice):
            return [self._row(row) for row in range(*index.indices(len(self)))]
        if isinstance(index, (list, np.ndarray)):
            return [self._row(row) for row in index]
        return self._row(index)

    def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
        """Return several rows, as torch's DataLoader asks for them."""
        return [self._row(index) for index in indices]

    def _row(self, index: int) -> dict[str, Any]:
        place, count = operator.index(index), self._count
        if not -count <= place < count:
            raise IndexError(f"row {place} of {count}")
        place %= count
        row: dict[str, Any] = self._row_of(place)
        for key, leads_to, picture in self._pictures:
            image = leads_to[place]
            row[key] = None if image < 0 else picture(image)
        return row

    def _reader(self, table: pa.Table, name: str) -> Callable[[int], Any]:
        """Return what gives a picture of a row of the images."""
        if isinstance(self.images, DecodedImages) and name in self.images.columns:
            return partial(self.images.picture, name)
        encoded = EncodedImages(table[name])
        return partial(_opened, encoded) if self.decode else encoded.view


def _opened(images: EncodedImages, row: int) -> Any:
    view = images.view(row)
    if view is None:
        return None
    image = opened(view)
    image.load()
    return image


def _checked_index(pairs: Dataset, images: pa.Table, side: str) -> npt.NDArray[np.int64]:
    columns = pairs.with_format("arrow").select_columns([f"{side}_index", f"{side}_name"])[:]
    index, names = columns[f"{side}_index"], columns[f"{side}_name"]
    known = np.asarray(pc.fill_null(index, -1).to_numpy(), np.int64)
    found = images["name"].combine_chunks()
    safe = pa.array(np.where((known >= 0) & (known < len(found)), known, 0))
    same = np.zeros(len(known), bool)
    if len(found):
        same = np.asarray(pc.equal(found.take(safe), names).to_numpy(zero_copy_only=False), bool)
    wrong = (known >= len(found)) | ((known >= 0) & ~same)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UsageError(
            "The pairs and the images do not belong together.",
            field=f"{side}_index of row {row}",
            found=found[int(safe[row].as_py())].as_py() if len(found) else "no image",
            expected=names[row].as_py(),
            remedy=_REMEDY,
        )
    return known


def join(pairs: Dataset, images: Dataset | DecodedImages, *, decode: bool = True) -> JoinedPairs:
    """Give a map-style view of pairs with both images; it copies no bytes.

    Args:
        pairs: A split of config ``pairs``; may be filtered, shuffled or selected.
        images: The same split of config ``images``, all rows as they were loaded (shuffling or
            selecting them has no effect); or what `rawshelf.decoded` made of them, whose pictures
            come as arrays, see `DecodedImages.picture`.
        decode: Whether other images are decoded (PIL, in the stored orientation, mode unchanged) or
            given as memoryviews of the encoded file.

    Returns:
        A sequence of dicts: the columns of `pairs`, and ``src_image``, ``trg_image``,
        ``src_segmentation``, ``trg_segmentation`` (None where the release has none), as far as
        `images` has these columns.

    Raises:
        UsageError: If the two are not of the same conversion and split.
    """
    return JoinedPairs(pairs, images, decode=decode)
