"""Named defects of a raw release of PartImageNet, each a function from members to members.

A defect of a file hits the one that belongs to the first image of the training file. Those of
masks and size files need a Seg release.
"""

import json
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rawshelf.miniature import Members
from rawshelf.partimagenet.miniature import CMYK_NAME
from tests.fakes.partimagenet_edits import (
    UNUSED,
    Stream,
    changed,
    part_mask,
    path_of,
    photo,
    training,
    training_file,
    whole_mask,
)
from tests.fakes.partimagenet_json_defects import JSON_DEFECTS

__all__ = ["DEFECTS", "OOD_DEFECTS", "SEG_DEFECTS"]

Defect = Callable[[Members], Members]
Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

ORIENTATION = 0x0112
TURNED = 6  # of EXIF: to be shown turned by 90 degrees
SHORT = 3  # the EXIF type of a 16-bit number
UNKNOWN_VALUE = 200  # of a part mask


def image_missing_on_disk(members: Members) -> Stream:
    """Leave out a photo that the training file lists."""
    files = dict(members)
    del files[photo(files)]
    yield from files.items()


def image_not_listed(members: Members) -> Stream:
    """Add a photo, a copy under a new number, that no file lists."""
    files = dict(members)
    name = photo(files)
    yield from files.items()
    yield f"{name.rpartition('_')[0]}_{UNUSED}.JPEG", files[name]


def image_in_two_splits(members: Members) -> Stream:
    """Add a training photo with all its files to the test split, listed without annotations."""
    files = dict(members)
    name, stem = training_file(files), photo(files).rpartition("/")[2].removesuffix("JPEG")
    other = name.replace("train", "test")
    document: Any = json.loads(files[other])
    document["images"].append(training(files)["images"][0] | {"id": UNUSED})
    files[other] = json.dumps(document).encode("ascii")
    yield from files.items()
    for each, content in files.items():
        if each.rpartition("/")[2].startswith(stem):
            yield each.replace("train_whole/", "test_whole/").replace("train/", "test/"), content


def truncated_json(members: Members) -> Stream:
    """Cut the training file in the middle."""
    return changed(members, training_file, lambda content: content[: len(content) // 2])


def no_training_file(members: Members) -> Stream:
    """Leave out the training file of the parts."""
    files = dict(members)
    del files[training_file(files)]
    yield from files.items()


def truncated_jpeg(members: Members) -> Stream:
    """Cut a photo in the middle."""
    return changed(members, photo, lambda content: content[: len(content) // 2])


def cmyk_jpeg(members: Members) -> Stream:
    """Encode n02492035_15739.JPEG as CMYK, as the public list of such images has it."""

    def cmyk(content: bytes) -> bytes:
        buffer = BytesIO()
        with Image.open(BytesIO(content)) as image:
            image.convert("CMYK").save(buffer, "JPEG")
        return buffer.getvalue()

    return changed(members, lambda files: path_of(files, CMYK_NAME), cmyk)


def orientation_big_endian(members: Members) -> Stream:
    """Give a photo the EXIF orientation 6 in a big-endian header; its pixels stay."""
    return changed(members, photo, lambda content: _turned(content, b"MM", ">"))


def orientation_little_endian(members: Members) -> Stream:
    """Give a photo the EXIF orientation 6 in a little-endian header; its pixels stay."""
    return changed(members, photo, lambda content: _turned(content, b"II", "<"))


def orientation_annotated_as_turned(members: Members) -> Stream:
    """Store a photo on its side with the EXIF orientation 6 that turns it back for viewers.

    The annotations stay, so they are right for the photo as shown and wrong for the raster.
    """

    def on_its_side(content: bytes) -> bytes:
        buffer = BytesIO()
        with Image.open(BytesIO(content)) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=95)
        return _turned(buffer.getvalue(), b"MM", ">")

    return changed(members, photo, on_its_side)


def _turned(jpeg: bytes, mark: bytes, order: str) -> bytes:
    """Insert an EXIF segment with one entry, the orientation, after the start marker."""
    header = mark + struct.pack(f"{order}HI", 42, 8)
    entry = struct.pack(f"{order}HHHIHHI", 1, ORIENTATION, SHORT, 1, TURNED, 0, 0)
    content = b"Exif\x00\x00" + header + entry
    segment = b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
    return jpeg[:2] + segment + jpeg[2:]


def size_file_differs(members: Members) -> Stream:
    """State a height in the size file of a photo that is a pixel more than the photo's."""

    def higher(content: bytes) -> bytes:
        size = json.loads(content)
        return json.dumps(size | {"imgHeight": size["imgHeight"] + 1}).encode("ascii")

    return changed(members, lambda files: part_mask(files).replace(".png", ".json"), higher)


def size_file_missing(members: Members) -> Stream:
    """Leave out the size file of a photo."""
    files = dict(members)
    del files[part_mask(files).replace(".png", ".json")]
    yield from files.items()


def part_mask_missing(members: Members) -> Stream:
    """Leave out the part mask of a photo."""
    files = dict(members)
    del files[part_mask(files)]
    yield from files.items()


def whole_mask_missing(members: Members) -> Stream:
    """Leave out the whole mask of a photo."""
    files = dict(members)
    del files[whole_mask(files)]
    yield from files.items()


def part_mask_of_other_size(members: Members) -> Stream:
    """Make a part mask a pixel wider than its photo."""
    return changed(members, part_mask, lambda content: _redrawn(content, _wider))


def whole_mask_of_other_size(members: Members) -> Stream:
    """Make a whole mask a pixel wider than its photo."""
    return changed(members, whole_mask, lambda content: _redrawn(content, _wider))


def _wider(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([pixels, pixels[:, -1:]], axis=1)


def part_mask_unknown_value(members: Members) -> Stream:
    """Set the first pixel of a part mask to 200, which is neither a part nor background."""

    def unknown(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        pixels[0, 0] = UNKNOWN_VALUE
        return pixels

    return changed(members, part_mask, lambda content: _redrawn(content, unknown))


def whole_mask_two_objects(members: Members) -> Stream:
    """Give the right half of the object in a whole mask the value of another class."""

    def two(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        value = int(pixels.min())  # background is the highest value
        xs = np.nonzero(pixels == value)[1]
        right = pixels[:, int(xs.mean()) :]
        right[right == value] = value + 1 if value == 0 else value - 1
        return pixels

    return changed(members, whole_mask, lambda content: _redrawn(content, two))


def _redrawn(content: bytes, change: Change) -> bytes:
    """Change the pixels of a PNG; mode and palette stay."""
    buffer = BytesIO()
    with Image.open(BytesIO(content)) as image:
        other = Image.fromarray(change(np.array(image)))
        palette = image.getpalette()
    if palette is not None:
        other.putpalette(palette)
    other.save(buffer, "PNG")
    return buffer.getvalue()


OOD_DEFECTS: dict[str, Defect] = JSON_DEFECTS | {
    defect.__name__: defect
    for defect in (
        image_missing_on_disk,
        image_not_listed,
        image_in_two_splits,
        truncated_json,
        no_training_file,
        truncated_jpeg,
        cmyk_jpeg,
        orientation_big_endian,
        orientation_little_endian,
        orientation_annotated_as_turned,
    )
}
# Masks and size files are in the Seg release only.
SEG_DEFECTS: dict[str, Defect] = OOD_DEFECTS | {
    defect.__name__: defect
    for defect in (
        size_file_differs,
        size_file_missing,
        part_mask_missing,
        whole_mask_missing,
        part_mask_of_other_size,
        whole_mask_of_other_size,
        part_mask_unknown_value,
        whole_mask_two_objects,
    )
}
DEFECTS = SEG_DEFECTS
