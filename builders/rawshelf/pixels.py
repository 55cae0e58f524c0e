"""Images decoded once, kept in one file that all processes map.

The file is named by the SHA-256 of the encoded images and of what decodes them, and appears when it
is whole: what is found under a name is what would be decoded again. It holds, as int64 of this
machine's byte order, `_MAGIC`, its length in bytes, the number of pictures and the CRC-32 of their
entries; for each picture an entry, of where it begins, height, width, channels and the CRC-32 of
its pixels; then the pixels. A picture that is not there has height 0.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import PIL
import PIL.features
from isal import isal_zlib
from tqdm import tqdm

from rawshelf import catalog
from rawshelf.encoded import EncodedImages, opened
from rawshelf.errors import OutputError, SourceError, UsageError
from rawshelf.files import publish
from rawshelf.images import JPEG, UNDECODABLE, Header, ImageProblem, probe
from rawshelf.locks import locked
from rawshelf.masks import decode_png
from rawshelf.pools import each

if TYPE_CHECKING:
    from datasets import Dataset

Pixels = npt.NDArray[np.uint8]
Index = npt.NDArray[np.int64]

LIMIT = 4_000_000_000  # bytes; three times the photographs and masks of SPair-71k (1,800 of each)
PHOTOGRAPH = "image"  # its name where it is the only one; besides, photographs are JPEGs
_MAGIC = int.from_bytes(b"rwshelf1", "little")  # the number counts the layouts of the file
_HEAD = 4 * 8  # bytes
_FIELDS = 5  # of an entry
_RGB = 3
_BROKEN = (*UNDECODABLE, PIL.Image.DecompressionBombError)


class DecodedImages:
    """The images of a dataset as arrays, each decoded once; see `decoded`.

    Arrays are read-only views of a file that is mapped into memory: processes and the workers of a
    data loader share its pages, and threads may read it at once. A picture's checksum is compared
    when a process first asks for it.

    Attributes:
        images: The dataset.
        path: The file.
        columns: The image columns that it holds.
    """

    def __init__(self, images: Dataset, path: Path, columns: tuple[str, ...]) -> None:
        """Map a file that `decoded` made.

        Raises:
            SourceError: If it is not there, or not as it was made.
        """
        self.images, self.path, self.columns = images, path, columns
        try:
            self._data: Pixels = np.asarray(np.memmap(path, np.uint8, "r"))
        except (OSError, ValueError) as error:  # numpy maps no empty file
            raise self._changed(str(error)) from error
        self._index = self._checked_index()
        self._rows = len(self._index) // len(columns)
        self._seen = bytearray(len(self._index))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the dataset, which pickles as paths, and the path of the pixels."""
        return DecodedImages, (self.images, self.path, self.columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows

    def __getitem__(self, row: int) -> dict[str, Pixels | None]:
        """Return the pictures of one row, counted from 0, by column; see `picture`."""
        if not 0 <= row < self._rows:
            raise IndexError(row)
        return {name: self.picture(name, row) for name in self.columns}

    def picture(self, column: str, row: int) -> Pixels | None:
        """Return one picture; None where the row has none.

        Returns:
            A read-only array, uint8: (height, width, 3), red first, of column ``image``;
            (height, width), indices, of any other. The stored raster: an EXIF orientation is not
            applied.

        Raises:
            SourceError: If the pixels are not those that were decoded.
        """
        number = self.columns.index(column) * self._rows + row
        start, height, width, channels, crc = self._index[number]
        if not height:
            return None
        pixels = self._data[start : start + height * width * channels]
        if not self._seen[number]:
            if isal_zlib.crc32(pixels) != crc:
                raise self._changed(f"other pixels in {column} of row {row}")
            self._seen[number] = 1
        return pixels.reshape((height, width, channels) if channels > 1 else (height, width))

    def _checked_index(self) -> list[list[int]]:
        head = self._data[:_HEAD].view(np.int64).tolist() if len(self._data) >= _HEAD else []
        if head[:2] != [_MAGIC, len(self._data)]:
            raise self._changed(f"a file of {len(self._data):,} bytes")
        entries = self._data[_HEAD : _HEAD + head[2] * _FIELDS * 8]
        if isal_zlib.crc32(entries) != head[3]:
            raise self._changed("another list of pictures")
        found: list[list[int]] = entries.view(np.int64).reshape(-1, _FIELDS).tolist()
        return found

    def _changed(self, found: str) -> SourceError:
        return SourceError(
            "The decoded images are not as they were made.",
            archive=str(self.path),
            found=found,
            remedy="Delete the file: rawshelf.decoded makes it anew.",
        )


class _Picture(NamedTuple):
    column: str
    row: int
    view: memoryview | None


def decoded(
    images: Dataset,
    cache: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    limit: int = LIMIT,
) -> DecodedImages:
    """Decode the images of a dataset once, for all epochs and processes.

    The first process that asks makes the file, others wait for it. A bar shows how far it is, of
    how many bytes. Later the encoded images are hashed, and the file is found by that. Files of
    other images, and of another Pillow, stay: delete the folder when it is no longer needed.

    Args:
        images: All rows as they were loaded (shuffling or selecting them has no effect), of a
            conversion or a raw release: JPEG and PNG.
        cache: Folder for the file, made if it is not there; on this machine's own disk, best.
        columns: Image columns to decode; all that there are if None.
        limit: Largest file to write, in bytes: see `decoded_size`.

    Raises:
        UsageError: If there are no images or no such column, or the file would be larger than the
            limit.
        SourceError: If an image cannot be decoded, or the file is not as it was made.
        OutputError: If the file cannot be written, or there is not enough space for it.
    """
    names = _image_columns(images, columns)
    pictures = _pictures(images, names)
    path = Path(cache) / f"{_key(pictures)}.pixels"
    try:
        with locked(path.with_suffix(".lock")):
            if not path.exists():
                _make(path, pictures, limit)
    except OSError as error:
        raise OutputError(
            "The decoded images cannot be written.",
            field=str(path),
            found=error.strerror or error,
            remedy="Name a cache that can be written and has the space, or decode each time.",
        ) from error
    return DecodedImages(images, path, names)


def decoded_size(images: Dataset, *, columns: Sequence[str] | None = None) -> int:
    """Return how large a file `decoded` would make, in bytes; it reads headers only.

    Args:
        images: As `decoded` takes them.
        columns: As `decoded` takes them.

    Raises:
        UsageError: If there are no images, or no such column.
        SourceError: If a header cannot be read.
    """
    return _size(_index(_pictures(images, _image_columns(images, columns))))


def _image_columns(images: Dataset, wanted: Sequence[str] | None) -> tuple[str, ...]:
    from datasets import Image  # noqa: PLC0415 - who has a dataset has imported it

    known = tuple(name for name, kind in images.features.items() if isinstance(kind, Image))
    for name in wanted or ():
        if name not in known:
            raise catalog.unknown("image column", name, known)
    names = known if wanted is None else tuple(dict.fromkeys(wanted))
    if not names:
        raise UsageError(
            "There are no images to decode.",
            field="columns",
            found=", ".join(images.features),
            expected="a column of images",
            remedy='Load a config that has images: load_dataset(OUT, "images", split=s).',
        )
    return names


def _pictures(images: Dataset, columns: tuple[str, ...]) -> list[_Picture]:
    """Return the encoded pictures, one column after the other."""
    found = []
    for name in columns:
        encoded = EncodedImages(images.data.table[name])
        found += [_Picture(name, row, encoded.view(row)) for row in range(len(encoded))]
    return found


def _key(pictures: list[_Picture]) -> str:
    decoder = f"Pillow {PIL.__version__} {PIL.features.version('jpg')}"
    digest = hashlib.sha256(f"{_MAGIC} {decoder}".encode())
    for column, _, view in pictures:
        digest.update(f"\0{column} {'-' if view is None else len(view)}\0".encode())
        digest.update(view or b"")
    return digest.hexdigest()[:32]


def _index(pictures: list[_Picture]) -> Index:
    """Return the entries of the pictures, without checksums."""
    index = np.zeros((len(pictures), _FIELDS), np.int64)
    index[:, 1:4] = np.array([_shape(picture) for picture in pictures]).reshape(-1, 3)
    sizes = index[:, 1:4].prod(axis=1)
    index[:, 0] = _HEAD + index.nbytes + np.cumsum(sizes) - sizes
    return index


def _size(index: Index) -> int:
    return int(_HEAD + index.nbytes + index[:, 1:4].prod(axis=1).sum())


def _shape(picture: _Picture) -> tuple[int, int, int]:
    if picture.view is None:
        return 0, 0, 0
    try:
        header = probe(picture.view)
    except ImageProblem as error:
        raise _undecodable(picture, error) from error
    return header.height, header.width, _RGB if _is_photograph(picture, header) else 1


def _is_photograph(picture: _Picture, header: Header) -> bool:
    """Tell a photograph from a mask."""
    return picture.column == PHOTOGRAPH or header.format == JPEG


def _make(path: Path, pictures: list[_Picture], limit: int) -> None:
    index = _index(pictures)
    size = _size(index)
    if size > limit:
        raise UsageError(
            "The decoded images are larger than allowed.",
            field="limit",
            found=f"{size:,} bytes",
            expected=f"at most {limit:,}",
            remedy="Allow more with limit=, name fewer columns=, or decode each time.",
        )
    # To begin with, so that nobody waits for what cannot end.
    if size > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, f"{size:,} bytes: {os.strerror(errno.ENOSPC)}")
    with publish(str(path)) as part, open(part, "wb") as file:
        _decode_all(file.fileno(), index, pictures, size)
        head = np.array([_MAGIC, size, len(index), isal_zlib.crc32(index)], np.int64)
        file.write(head.tobytes() + index.tobytes())


def _decode_all(file: int, index: Index, pictures: list[_Picture], size: int) -> None:
    """Write all pixels, and their checksums into the index."""

    def fill(number: int) -> int:
        entry, picture = index[number], pictures[number]
        if picture.view is None:
            return 0
        pixels = _decode(picture)
        expected = tuple(entry[1:4].tolist())
        if (*pixels.shape, 1)[:3] != expected:
            raise _undecodable(picture, f"{pixels.shape} pixels, {expected} in the header")
        entry[4] = isal_zlib.crc32(pixels)
        if os.pwrite(file, pixels.data, int(entry[0])) != pixels.nbytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pixels.nbytes

    workers = len(os.sched_getaffinity(0))
    bar = tqdm(desc="decoding", total=size, unit="B", unit_scale=True, disable=None, leave=False)
    with bar:
        for count in each(fill, range(len(index)), workers):
            bar.update(count)


def _decode(picture: _Picture) -> Pixels:
    view = picture.view or memoryview(b"")
    try:
        if not _is_photograph(picture, probe(view)):
            return np.ascontiguousarray(decode_png(view))
        with opened(view) as image:
            return np.asarray(image.convert("RGB"))
    except _BROKEN as error:
        raise _undecodable(picture, error) from error


def _undecodable(picture: _Picture, found: object) -> SourceError:
    return SourceError(
        "An image cannot be decoded.",
        field=f"{picture.column} of row {picture.row}",
        found=found,
        remedy="Convert the release anew, or leave the column out with columns=.",
    )
