"""What defects of a PartImageNet release are made of: finding its files and changing them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from rawshelf.miniature import Members

__all__ = [
    "UNUSED",
    "Defect",
    "Edit",
    "Files",
    "Stream",
    "changed",
    "edited",
    "edited_annotation",
    "part_mask",
    "path_of",
    "photo",
    "training",
    "training_file",
    "whole_mask",
]

Stream = Iterator[tuple[str, bytes]]
Files = dict[str, bytes]
Edit = Callable[[Any], None]
Defect = Callable[[Members], Stream]

UNUSED = 99_999  # above every file number and every id of a fake


def training_file(files: Files) -> str:
    """Return the name of the COCO file of the training parts."""
    return next(
        name
        for name in files
        if name == "train.json" or name.endswith("/annotations/train/train.json")
    )


def training(files: Files) -> Any:
    """Return the COCO document of the training parts."""
    return json.loads(files[training_file(files)])


def path_of(files: Files, base: str, *, whole: bool = False) -> str:
    """Return the name of the one member with this base name, among the whole masks or not."""
    [name] = [each for each in files if each.endswith(f"/{base}") and ("_whole/" in each) == whole]
    return name


def photo(files: Files) -> str:
    """Return the name of the photo of the first training image."""
    return path_of(files, training(files)["images"][0]["file_name"])


def part_mask(files: Files) -> str:
    """Return the name of that photo's part mask."""
    return path_of(files, _mask_name(files))


def whole_mask(files: Files) -> str:
    """Return the name of that photo's whole mask."""
    return path_of(files, _mask_name(files), whole=True)


def _mask_name(files: Files) -> str:
    return photo(files).rpartition("/")[2].replace(".JPEG", ".png")


def edited(members: Members, edit: Edit) -> Stream:
    """Edit the training file of the parts."""
    files = dict(members)
    document = training(files)
    edit(document)
    files[training_file(files)] = json.dumps(document).encode("ascii")
    yield from files.items()


def edited_annotation(members: Members, edit: Edit) -> Stream:
    """Edit the first annotation of the training file of the parts."""
    return edited(members, lambda document: edit(document["annotations"][0]))


def changed(
    members: Members, pick: Callable[[Files], str], change: Callable[[bytes], bytes]
) -> Stream:
    """Change the content of the member that ``pick`` names."""
    files = dict(members)
    name = pick(files)
    files[name] = change(files[name])
    yield from files.items()
