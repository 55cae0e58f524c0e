"""Images decoded once, kept in one file that all processes map.

The file is named by the SHA-256 of the encoded images and of how they were decoded, and becomes
visible when it is whole: what is found under a name is what would be decoded again. It holds, as
int64, `_MAGIC`, its length in bytes and the number of pictures; for each picture where it begins,
height, width and channels; then the pixels. A picture that is not there has height 0.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rawshelf.decoding import BROKEN, Decode, Pixels, decoder_named, opened
from rawshelf.encoded import EncodedImages
from rawshelf.errors import OutputError, SourceError, UsageError

if TYPE_CHECKING:
    from datasets import Dataset

LIMIT = 4_000_000_000  # bytes; four times the photographs of SPair-71k (1,800, 0.5 MB each)
IMAGE, MASK = "image", "segmentation"
_MAGIC = int.from_bytes(b"rwshelf1", "little")  # the number counts the layouts of the file
_HEAD = 3
_INDEXED = ("L", "P")
_RGB = 3


class DecodedImages:
    """The photographs of a dataset as RGB arrays, each decoded once.

    Arrays are read-only views of a file that is mapped into memory: processes and their workers
    share its pages, and threads may read it at once. It is made by the first process that asks for
    it; others wait. The stored raster is decoded, an EXIF orientation is not applied.

    Attributes:
        images: The dataset.
        path: The file.
        columns: The columns that it holds.
    """

    def __init__(
        self,
        images: Dataset,
        folder: str | os.PathLike[str] | None = None,
        *,
        masks: bool = False,
        decoder: str = "pillow",
        limit: int = LIMIT,
    ) -> None:
        """Decode the images, or find that it was done.

        Args:
            images: A split of config ``images``, all rows as they were loaded (shuffling or
                selecting them has no effect).
            folder: Where the file is kept for the next time; made if it is not there. None: in the
                folder for temporary files, until this object or the process ends.
            masks: Whether to keep column ``segmentation`` too, as indices.
            decoder: ``pillow`` or ``simplejpeg`` (extra ``fast``).
            limit: Largest file to write, in bytes. Files of other images or of another decoder that
                lie in the folder do not count.

        Raises:
            UsageError: If a column is missing, the decoder is not there, or the file would be
                larger than the limit.
            SourceError: If an image cannot be decoded.
            OutputError: If the file cannot be written.
        """
        decode, version = decoder_named(decoder)
        self.images = images
        self.columns = (IMAGE, MASK) if masks else (IMAGE,)
        encoded = _encoded(images, self.columns)
        owned = folder is None
        place = Path(tempfile.mkdtemp(prefix="rawshelf-") if folder is None else folder)
        try:
            self.path = place / f"{_key(encoded, version)}.pixels"
            _made(self.path, encoded, decode, limit)
        except BaseException:
            if owned:
                shutil.rmtree(place, ignore_errors=True)
            raise
        if owned:
            weakref.finalize(self, _remove, place, os.getpid())
        self._map()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the dataset, which pickles as paths, and the path of the pixels."""
        return _mapped, (self.images, self.path, self.columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._arrays[IMAGE])

    def __getitem__(self, row: int) -> Pixels | None:
        """Return a photograph, uint8 (height, width, 3), red first; None where there is none."""
        return self.array(IMAGE, row)

    def array(self, column: str, row: int) -> Pixels | None:
        """Return a picture of one of the columns; None where the row has none.

        Returns:
            A read-only array, uint8: (height, width, 3) of ``image``, (height, width) of
            ``segmentation``.
        """
        found = self._arrays[column][row]
        return None if found is None else found.view()

    def _map(self) -> None:
        data: Pixels = np.asarray(np.memmap(self.path, np.uint8, "r"))
        count = int(data[: _HEAD * 8].view(np.int64)[2])
        index = data[_HEAD * 8 : (_HEAD + 4 * count) * 8].view(np.int64).reshape(-1, 4)
        arrays = [_picture(data, *place) for place in index.tolist()]
        rows = count // len(self.columns)
        self._arrays = {
            name: arrays[number * rows : (number + 1) * rows]
            for number, name in enumerate(self.columns)
        }


def _mapped(images: Dataset, path: Path, columns: tuple[str, ...]) -> DecodedImages:
    """Return what was pickled, by mapping the same file."""
    found = DecodedImages.__new__(DecodedImages)
    found.images, found.path, found.columns = images, path, columns
    found._map()  # noqa: SLF001 - of the same class
    return found


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker ends before the process that made the file
        shutil.rmtree(folder, ignore_errors=True)


def _picture(data: Pixels, start: int, height: int, width: int, channels: int) -> Pixels | None:
    if not height:
        return None
    pixels = data[start : start + height * width * channels]
    return pixels.reshape((height, width, channels) if channels > 1 else (height, width))


class _Pictures:
    """Encoded pictures, one column after the other."""

    def __init__(self, columns: dict[str, EncodedImages]) -> None:
        self.views = [
            (name, row, encoded.view(row))
            for name, encoded in columns.items()
            for row in range(len(encoded))
        ]

    def index(self) -> tuple[npt.NDArray[np.int64], int]:
        """Return where each picture begins, its height, width and channels; and the whole size."""
        shapes = [_shape(*each) for each in self.views]
        index = np.zeros((len(shapes), 4), np.int64)
        index[:, 1:] = np.array(shapes, np.int64).reshape(-1, 3)
        ends = (_HEAD + 4 * len(shapes)) * 8 + np.cumsum(index[:, 1:].prod(axis=1))
        index[:, 0] = ends - index[:, 1:].prod(axis=1)
        return index, int(ends[-1]) if len(ends) else _HEAD * 8


def _encoded(images: Dataset, columns: tuple[str, ...]) -> _Pictures:
    table = images.data.table
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise UsageError(
            "The dataset has no images to decode.",
            field=missing[0],
            found=", ".join(table.column_names),
            expected="a split of config images",
            remedy='Load it with load_dataset(OUT, "images", split=s).',
        )
    return _Pictures({name: EncodedImages(table[name]) for name in columns})


def _key(pictures: _Pictures, version: str) -> str:
    digest = hashlib.sha256(f"{_MAGIC} {version} {len(pictures.views)}".encode())
    for name, _, view in pictures.views:
        digest.update(f"\0{name} {'-' if view is None else len(view)}\0".encode())
        digest.update(view or b"")
    return digest.hexdigest()[:32]


def _made(
    path: Path, pictures: _Pictures, decode: Decode, limit: int
) -> None:
    """Make the file unless it is there; one process makes it, the others wait."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _whole(path):
                _write(path, pictures, decode, limit)
    except OSError as error:
        raise OutputError(
            "The decoded images cannot be written.",
            field=str(path),
            found=error.strerror or error,
            remedy="Give a folder= that can be written and has the space, or decode each pair.",
        ) from error


def _whole(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as file:
        head = np.frombuffer(file.read(_HEAD * 8), np.int64)
    return len(head) == _HEAD and head[0] == _MAGIC and head[1] == path.stat().st_size


def _write(
    path: Path, pictures: _Pictures, decode: Decode, limit: int
) -> None:
    index, size = pictures.index()
    if size > limit:
        raise UsageError(
            "The decoded images are larger than allowed.",
            field="limit",
            found=f"{size:,} bytes",
            expected=f"at most {limit:,}",
            remedy="Give a larger limit=, or decode each pair.",
        )
    part = path.with_suffix(".part")
    with part.open("w+b") as file:
        # A full disk is met here, as an error, and not at a write to the map, as a signal.
        os.posix_fallocate(file.fileno(), 0, size)
        data = np.memmap(file, np.uint8, "r+")
        head = np.array([_MAGIC, size, len(index), *index.ravel()], np.int64)
        data[: head.nbytes] = head.view(np.uint8)
        _decode_all(data, index, pictures, decode)
        data.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _decode_all(
    data: Pixels,
    index: npt.NDArray[np.int64],
    pictures: _Pictures,
    decode: Decode,
) -> None:
    def fill(number: int) -> None:
        name, row, view = pictures.views[number]
        target = _picture(data, *index[number].tolist())
        if view is None or target is None:
            return
        try:
            pixels = decode(view) if name == IMAGE else np.asarray(opened(view))
        except BROKEN as error:
            raise _undecodable(name, row, error) from error
        if pixels.shape != target.shape:
            raise _undecodable(name, row, f"{pixels.shape} pixels where {target.shape} were stated")
        target[:] = pixels

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(fill, range(len(index))):  # an error cancels what has not begun
            pass


def _shape(name: str, row: int, view: memoryview | None) -> tuple[int, int, int]:
    if view is None:
        return 0, 0, 0
    try:
        with opened(view) as image:
            width, height = image.size
            mode = image.mode
    except BROKEN as error:
        raise _undecodable(name, row, error) from error
    if name == IMAGE:
        return height, width, _RGB
    if mode not in _INDEXED:
        raise _undecodable(name, row, f"a mask of mode {mode}, where indices were expected")
    return height, width, 1


def _undecodable(name: str, row: int, found: object) -> SourceError:
    return SourceError(
        "An image cannot be decoded.",
        field=f"{name} of row {row}",
        found=found,
        remedy="Convert the release anew, or set the row aside.",
    )
