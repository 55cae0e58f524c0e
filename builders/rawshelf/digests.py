"""A hash of what a conversion says: its schema and decoded values, not the bytes of its files.

Other versions of pyarrow write other bytes for the same table, and other encoders another PNG for
the same mask. Whoever compares two conversions by these hashes compares neither.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL.PngImagePlugin import PngImageFile

from rawshelf.builds import Build
from rawshelf.features import IMAGE_TYPE

_ROWS_AT_ONCE = 256  # of rows with two photographs each: some 60 MB
_MASKS = 4096  # a mask of many pairs is decoded once; SPair-71k has 1,800
_PNG = b"\x89PNG\r\n\x1a\n"


def content_digests(out: str, build: Build) -> dict[str, str]:
    """Return a sha256 (hex) for each config and split of a conversion, by ``config/split``.

    It depends on the features, the order of rows and the values, and not on how they are cut into
    files and row groups, encoded or compressed. A PNG counts by size, mode, palette and pixels;
    any other image by its bytes, which are as released.

    Args:
        out: The folder of the conversion.
        build: What its manifest tells, see `rawshelf.builds.open_build`.
    """
    places: dict[str, list[Path]] = {}
    for record in build.records:
        places.setdefault(f"{record.config}/{record.split}", []).append(Path(out) / record.path)
    return {place: _digest(paths) for place, paths in places.items()}


def _digest(paths: list[Path]) -> str:
    sums = _Sums()
    rows = 0
    metadata: bytes = pq.read_schema(paths[0]).metadata[b"huggingface"]
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                rows += len(batch)
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    sums.add(name, column)
    whole = [json.loads(metadata), rows, sums.result()]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


class _Sums:
    """One hash for each leaf of the columns, and for what is null and how long lists are.

    Each goes on over all batches, so that where batches end does not matter.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}

    def result(self) -> dict[str, str]:
        """Return all hashes."""
        return {name: found.hexdigest() for name, found in self._sums.items()}

    def add(self, path: str, array: pa.Array) -> None:
        """Add values of a column, or of a part of it."""
        self._update(f"{path} valid", _bytes(array.is_valid()))
        array, kind = array.drop_null(), array.type
        if kind == IMAGE_TYPE:
            self._update(f"{path}.bytes", b"".join(_images(array.field("bytes"))))
            self.add(f"{path}.path", array.field("path"))
        elif pa.types.is_struct(kind):
            for position in range(kind.num_fields):
                self.add(f"{path}.{kind.field(position).name}", array.field(position))
        elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
            self._update(f"{path} lengths", _bytes(pc.list_value_length(array)))
            self.add(f"{path}[]", array.flatten())
        elif pa.types.is_string(kind):
            self._update(f"{path} lengths", _bytes(pc.binary_length(array)))
            self._update(f"{path} string", "".join(array.to_pylist()).encode())
        else:
            self._update(f"{path} {kind}", _bytes(array))

    def _update(self, name: str, values: bytes) -> None:
        self._sums.setdefault(name, hashlib.sha256()).update(values)


def _bytes(array: pa.Array) -> bytes:
    """Return the values of numbers or flags without nulls, little-endian."""
    values = array.to_numpy(zero_copy_only=False)
    return bytes(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())


def _images(files: pa.Array) -> Iterator[bytes]:
    """Yield a hash of each image."""
    for data in files.to_pylist():
        if data is None:
            yield b"-" * hashlib.sha256().digest_size
        else:
            yield _pixels(data) if data.startswith(_PNG) else hashlib.sha256(data).digest()


@lru_cache(_MASKS)
def _pixels(data: bytes) -> bytes:
    with PngImageFile(BytesIO(data)) as image:
        told = (image.mode, image.size, image.getpalette())
        return hashlib.sha256(repr(told).encode() + image.tobytes()).digest()
