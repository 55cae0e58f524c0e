"""Encoded images of a memory-mapped dataset: where their bytes lie."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.compute as pc

from rawshelf.rows import offsets


class EncodedImages:
    """An image column of a memory-mapped dataset as views of its bytes."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        """Find out where each image's bytes lie; none are read."""
        self._views = [view for chunk in column.chunks for view in _views(chunk)]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._views)

    def view(self, row: int) -> memoryview | None:
        """Return the bytes of one image, or None where the row has none."""
        view = self._views[row]
        # A view of its own: who has it may release it.
        return None if view is None else view[:]


def _views(chunk: pa.StructArray) -> list[memoryview | None]:
    """Return a view of each image; an Arrow scalar would be a copy of the bytes."""
    encoded = chunk.field("bytes")
    data = memoryview(encoded.buffers()[2] or b"").cast("B")  # pyarrow's has signed bytes
    edges = offsets(encoded).tolist()
    valid = pc.and_(chunk.is_valid(), encoded.is_valid())
    spans = zip(np.asarray(valid), edges[:-1], edges[1:], strict=True)
    return [data[start:stop] if good else None for good, start, stop in spans]


def opened(view: memoryview) -> PIL.Image.Image:
    """Return an image whose header is read, in the stored orientation and mode."""
    return PIL.Image.open(pa.BufferReader(pa.py_buffer(view)))
