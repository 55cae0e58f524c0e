"""Machinery for writing miniature raw releases: packing members, drawing photos and masks.

A release is a stream of members, ``(release-relative POSIX name, bytes)``. The packers write such
a stream as the kinds of thing that users hold: an unpacked folder, a tar, a zip.
"""

import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from gzip import GzipFile
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageColor, ImageDraw

__all__ = [
    "Mark",
    "Members",
    "Rename",
    "Shape",
    "colon_to_dash",
    "draw_mask",
    "draw_photo",
    "mark_colour",
    "pack_folder",
    "pack_tar",
    "pack_zip",
    "text_seed",
]

Members = Iterable[tuple[str, bytes]]
Rename = Callable[[str], str]
Mark = tuple[int, int, int]  # colour id, x, y
Shape = tuple[Sequence[tuple[int, int]], int]  # polygon corners, pixel value

MARK_RADIUS = 3
MARK_COLOURS = 30
SEGMENT_HEAD = 4  # marker and length
COMMENT_LIMIT = 65533  # a JPEG segment states its length, itself included, in 16 bits
GZIP_LEVEL = 6  # what tar and gzip use unless told otherwise
FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def colon_to_dash(name: str) -> str:
    """Return a member name as it looks after unpacking on a file system that forbids colons.

    >>> colon_to_dash("a/000001-x-y:cat.json")
    'a/000001-x-y-cat.json'
    """
    return name.replace(":", "-")


def _placed(members: Members, wrapper: str, rename: Rename | None) -> Iterator[tuple[str, bytes]]:
    for name, content in members:
        final = rename(name) if rename else name
        yield (f"{wrapper}/{final}" if wrapper else final), content


def pack_folder(
    members: Members, root: Path, *, wrapper: str = "", rename: Rename | None = None
) -> Path:
    """Write members as files below ``root`` and return ``root``; a repeated name overwrites."""
    for name, content in _placed(members, wrapper, rename):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def pack_tar(
    members: Members,
    path: Path,
    *,
    wrapper: str = "",
    gzip: bool = True,
    directories: bool = True,
    rename: Rename | None = None,
) -> Path:
    """Write members as a tar and return its path; equal members give equal bytes.

    Args:
        members: The stream to write, in its order.
        path: The archive to write.
        wrapper: A top-level folder to put everything into; empty for none.
        gzip: Whether to compress the tar.
        directories: Whether each folder gets an entry before its first member, as tar does.
        rename: Maps a member name to the name to write.
    """
    placed = _placed(members, wrapper, rename)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        if gzip:
            with GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as squeezed:
                _write_tar(placed, squeezed, directories=directories)
        else:
            _write_tar(placed, file, directories=directories)
    return path


def _write_tar(members: Members, file: BinaryIO | GzipFile, *, directories: bool) -> None:
    seen: set[str] = set()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in members:
            if directories:
                for folder in _new_folders(name, seen):
                    tar.addfile(_tar_folder(folder))
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, BytesIO(content))


def _tar_folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(f"{name}/")
    entry.type = tarfile.DIRTYPE
    entry.mode = 0o755
    return entry


def _new_folders(name: str, seen: set[str]) -> list[str]:
    """Return the folders above a name that have not been seen, outermost first."""
    above = [str(folder) for folder in PurePosixPath(name).parents if str(folder) != "."]
    new = [folder for folder in reversed(above) if folder not in seen]
    seen.update(new)
    return new


def pack_zip(
    members: Members,
    path: Path,
    *,
    wrapper: str = "",
    compression: int = zipfile.ZIP_STORED,
    rename: Rename | None = None,
) -> Path:
    """Write members as a zip and return its path; equal members give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        # Releases with a repeated name are among the defects that fakes have on purpose.
        warnings.filterwarnings("ignore", message="Duplicate name")
        for name, content in _placed(members, wrapper, rename):
            entry = zipfile.ZipInfo(name, FIRST_ZIP_DATE)
            entry.compress_type = compression
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return path


def mark_colour(number: int) -> tuple[int, int, int]:
    """Return the RGB colour of the marks with this id: saturated, while photos are greyish.

    >>> mark_colour(0)
    (255, 0, 0)
    """
    hue = 360 * (number % MARK_COLOURS) // MARK_COLOURS
    red, green, blue = ImageColor.getrgb(f"hsl({hue}, 100%, 50%)")[:3]
    return red, green, blue


def draw_photo(
    width: int,
    height: int,
    *,
    seed: int,
    marks: Iterable[Mark] = (),
    box: tuple[int, int, int, int] | None = None,
    quality: int = 95,
    size_bytes: int | None = None,
) -> bytes:
    """Draw a JPEG that looks a bit like a photo, with a filled disc at each marked pixel.

    Args:
        width: Pixels.
        height: Pixels.
        seed: Photos of one size share few backgrounds, but no two seeds give equal bytes.
        marks: ``(colour id, x, y)``, 0-based pixels; see `mark_colour`.
        box: An outline to draw, as 0-based inclusive ``(left, top, right, bottom)``.
        quality: Of the JPEG.
        size_bytes: Fill up to this size with comment segments; a larger photo stays larger.
    """
    image = _background(width, height, seed % 4).copy()
    draw = ImageDraw.Draw(image)
    if box is not None:
        draw.rectangle(box, outline=(235, 235, 235))
    for number, x, y in marks:
        disc = (x - MARK_RADIUS, y - MARK_RADIUS, x + MARK_RADIUS, y + MARK_RADIUS)
        draw.ellipse(disc, fill=mark_colour(number))
    buffer = BytesIO()
    # Full chroma resolution, else the colour of a small disc runs into its surroundings.
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return _with_comment(buffer.getvalue(), seed, size_bytes or 0)


@lru_cache(maxsize=64)
def _background(width: int, height: int, variant: int) -> Image.Image:
    """Return low-frequency greyish noise plus a little grain."""
    rng = np.random.default_rng([width, height, variant])
    coarse = rng.integers(70, 190, size=(5, 6, 1)) + rng.integers(-15, 16, size=(5, 6, 3))
    small = Image.fromarray(coarse.astype(np.uint8))
    smooth = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = rng.integers(-6, 7, size=(height, width, 1), dtype=np.int16)
    return Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))


def _with_comment(jpeg: bytes, seed: int, size: int) -> bytes:
    """Insert comment segments after the start marker: the seed, then noise up to the size."""
    first = _comment(f"seed {seed}".encode("ascii"))
    noise = np.random.default_rng(seed).bytes(max(size - len(jpeg) - len(first), 0))
    step = COMMENT_LIMIT + SEGMENT_HEAD
    chunks = (noise[start : start + step] for start in range(0, len(noise), step))
    # The head of a segment takes the place of as many bytes of its chunk.
    filling = b"".join(_comment(chunk[SEGMENT_HEAD:]) for chunk in chunks)
    return jpeg[:2] + first + filling + jpeg[2:]


def _comment(content: bytes) -> bytes:
    return b"\xff\xfe" + (len(content) + 2).to_bytes(2, "big") + content


def draw_mask(width: int, height: int, shapes: Iterable[Shape], *, palette: Sequence[int]) -> bytes:
    """Draw a palette PNG of value 0 with filled polygons, each painted over the ones before.

    Args:
        width: Pixels.
        height: Pixels.
        shapes: Corners, 0-based and part of the polygon, and the pixel value to fill it with.
        palette: RGB values of the palette, one after another.
    """
    image = Image.new("P", (width, height), 0)
    image.putpalette(list(palette))
    draw = ImageDraw.Draw(image)
    for corners, value in shapes:
        draw.polygon(list(corners), fill=value)
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def text_seed(text: str) -> int:
    """Return a seed that depends on a text alone, on every platform and in every version."""
    return zlib.crc32(text.encode("utf-8"))
