"""Named defects of a raw release of SPair-71k, each a function from members to members.

A defect that concerns one file hits the first of its kind in the stream, whatever the release.
"""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from PIL import Image

from rawshelf.miniature import Members

__all__ = ["DEFECTS"]

Stream = Iterator[tuple[str, bytes]]
Edit = Callable[[Any], None]

IMAGE = "ImageAnnotation/"
PHOTO = "JPEGImages/"
MASK = "Segmentation/"
PAIR = "PairAnnotation/"
LAYOUT = "Layout/"
UNUSED_STEM = "2011_999999"


def _first(members: Members, prefix: str, change: Callable[[str, bytes], Members]) -> Stream:
    """Replace the first member below a prefix by what ``change`` returns for it."""
    done = False
    for name, content in members:
        if not done and name.startswith(prefix):
            done = True
            yield from change(name, content)
        else:
            yield name, content


def _first_content(members: Members, prefix: str, change: Callable[[bytes], bytes]) -> Stream:
    return _first(members, prefix, lambda name, content: [(name, change(content))])


def _first_json(members: Members, prefix: str, edit: Edit) -> Stream:
    def changed(content: bytes) -> bytes:
        document = json.loads(content)
        edit(document)
        return json.dumps(document).encode("ascii")

    return _first_content(members, prefix, changed)


def missing_layout(members: Members) -> Stream:
    """Leave the Layout folder out."""
    return ((name, content) for name, content in members if not name.startswith(LAYOUT))


def pair_names_absent_image(members: Members) -> Stream:
    """Leave out annotation, photo and mask of an image, not the pairs that name it."""
    absent = ""
    for name, content in members:
        folder, _, path = name.partition("/")
        image = path.rpartition(".")[0]
        if name.startswith(IMAGE) and not absent:
            absent = image
        if not absent or image != absent or f"{folder}/" not in {IMAGE, PHOTO, MASK}:
            yield name, content


def keypoint_id_out_of_range(members: Members) -> Stream:
    """Make the last keypoint id of a pair "30", one beyond the last."""

    def edit(pair: Any) -> None:
        pair["kps_ids"][-1] = "30"

    return _first_json(members, PAIR, edit)


def truncated_json(members: Members) -> Stream:
    """Cut an image annotation in the middle."""
    return _first_content(members, IMAGE, lambda content: content[: len(content) // 2])


def pair_field_differs(members: Members) -> Stream:
    """Shift a source keypoint of a pair by a pixel, away from the image annotation."""

    def edit(pair: Any) -> None:
        pair["src_kps"][0][0] += 1

    return _first_json(members, PAIR, edit)


def pair_moved_to_other_split(members: Members) -> Stream:
    """Put a training pair into the folder of the validation pairs."""
    return _first(
        members,
        f"{PAIR}trn/",
        lambda name, content: [(name.replace("/trn/", "/val/"), content)],
    )


def broken_jpeg(members: Members) -> Stream:
    """Cut a photo in the middle."""
    return _first_content(members, PHOTO, lambda content: content[: len(content) // 2])


def empty_jpeg(members: Members) -> Stream:
    """Make a photo a file of no bytes."""
    return _first_content(members, PHOTO, lambda _: b"")


def mask_of_other_size(members: Members) -> Stream:
    """Make a mask one pixel wider than its photo."""

    def wider(content: bytes) -> bytes:
        with Image.open(BytesIO(content)) as mask:
            # Cropping beyond the border fills up with zeros and keeps the palette.
            larger = mask.crop((0, 0, mask.width + 1, mask.height))
        buffer = BytesIO()
        larger.save(buffer, "PNG")
        return buffer.getvalue()

    return _first_content(members, MASK, wider)


def duplicate_member(members: Members) -> Stream:
    """Repeat an image annotation under the same name."""
    return _first(members, IMAGE, lambda name, content: [(name, content)] * 2)


def junk(members: Members) -> Stream:
    """Add what file managers leave behind: harmless, to be ignored."""
    yield "__MACOSX/._README", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"
    yield ".DS_Store", b"\x00\x00\x00\x01Bud1"
    yield from members
    yield f"{PHOTO}Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    yield f"{PHOTO}cat/._2008_000001.jpg", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"


def stray_file(members: Members) -> Stream:
    """Add a text file among the photos."""
    yield from members
    yield f"{PHOTO}notes.txt", b"left over\n"


def image_without_split(members: Members) -> Stream:
    """Add a complete image, a copy under a new name, that no pair and no layout mentions."""
    original = ""
    for name, content in members:
        yield name, content
        folder, _, path = name.partition("/")
        stem = path.rpartition("/")[2].partition(".")[0]
        if name.startswith(IMAGE) and not original:
            original = path.rpartition(".")[0]
        image = path.rpartition(".")[0]
        if original and image == original and f"{folder}/" in {IMAGE, PHOTO, MASK}:
            copied = content.replace(stem.encode("ascii"), UNUSED_STEM.encode("ascii"))
            yield name.replace(stem, UNUSED_STEM), copied if folder == IMAGE[:-1] else content


def unknown_json_key(members: Members) -> Stream:
    """Give an image annotation a key that the release does not have."""
    return _first_json(members, IMAGE, lambda image: image.update(licence="unknown"))


def json_bom(members: Members) -> Stream:
    """Begin an image annotation with a byte order mark."""
    return _first_content(members, IMAGE, lambda content: b"\xef\xbb\xbf" + content)


def json_nan(members: Members) -> Stream:
    """Make a coordinate of an image's box NaN, which Python reads and JSON does not have."""

    def edit(image: Any) -> None:
        image["bndbox"][0] = float("nan")

    return _first_json(members, IMAGE, edit)


def garbage_utf8(members: Members) -> Stream:
    """Put bytes that are no UTF-8 into a string of an image annotation."""
    return _first_content(
        members, IMAGE, lambda content: content.replace(b"flickr", b"fl\xff\xfer")
    )


def kps_29_keys(members: Members) -> Stream:
    """Leave the keypoint id "29" out of an image annotation."""
    return _first_json(members, IMAGE, lambda image: image["kps"].pop("29"))


def missing_image(members: Members) -> Stream:
    """Leave out a photo, not its annotation and mask."""
    return _first(members, PHOTO, lambda _name, _content: [])


def missing_annotation(members: Members) -> Stream:
    """Leave out an image annotation, not its photo and mask."""
    return _first(members, IMAGE, lambda _name, _content: [])


DEFECTS: dict[str, Callable[[Members], Members]] = {
    defect.__name__: defect
    for defect in (
        missing_layout,
        pair_names_absent_image,
        keypoint_id_out_of_range,
        truncated_json,
        pair_field_differs,
        pair_moved_to_other_split,
        broken_jpeg,
        empty_jpeg,
        mask_of_other_size,
        duplicate_member,
        junk,
        stray_file,
        image_without_split,
        unknown_json_key,
        json_bom,
        json_nan,
        garbage_utf8,
        kps_29_keys,
        missing_image,
        missing_annotation,
    )
}
