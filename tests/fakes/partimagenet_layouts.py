"""Every layout that releases of PartImageNet are held in, each written from the same members.

A layout takes members and an empty folder, and returns what a user would point at.
"""

import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rawshelf.miniature import Members, Rename, pack_folder, pack_tar, pack_zip
from rawshelf.partimagenet.miniature import SPLITS, TOP

__all__ = ["LAYOUTS", "OOD_LAYOUTS", "SEG_LAYOUTS", "with_junk"]

Layout = Callable[[Members, Path], Path]
Stream = Iterator[tuple[str, bytes]]

APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"
DS_STORE = b"\x00\x00\x00\x01Bud1"
SEG_ZIP = "PartImageNet_Seg.zip"
OOD_ZIP = "PartImageNet_OOD.zip"
OOD_TOP = "PartImageNet_OOD"
DOUBLED = "PartImageNet_OOD/partimagenet"


def with_junk(members: Members) -> Stream:
    """Add what macOS puts into a zip: a shadow of each file and a note in each folder."""
    noted: set[str] = set()
    for name, content in members:
        folder, _, base = name.rpartition("/")
        if folder not in noted:
            noted.add(folder)
            yield f"{folder}/.DS_Store".removeprefix("/"), DS_STORE
        yield name, content
        yield f"__MACOSX/{folder}/._{base}".replace("//", "/"), APPLE_DOUBLE


def seg_zip(members: Members, folder: Path) -> Path:
    """Write the zip as published, without its junk."""
    return pack_zip(members, folder / SEG_ZIP)


def seg_zip_junk(members: Members, folder: Path) -> Path:
    """Write the zip as published: one top folder, and what macOS adds beside and below it."""
    return pack_zip(with_junk(members), folder / SEG_ZIP, compression=zipfile.ZIP_DEFLATED)


def seg_folder(members: Members, folder: Path) -> Path:
    """Unpack the zip; the folder to point at is the one above the top folder."""
    return pack_folder(members, folder)


def seg_folder_top(members: Members, folder: Path) -> Path:
    """Unpack the zip; the folder to point at is the top folder itself."""
    return pack_folder(members, folder) / TOP


def seg_folder_junk(members: Members, folder: Path) -> Path:
    """Unpack the zip with all its junk."""
    return pack_folder(with_junk(members), folder)


def seg_folder_doubled(members: Members, folder: Path) -> Path:
    """Unpack the zip into a folder named like it."""
    pack_folder(members, folder / "PartImageNet_Seg")
    return folder


def seg_tar_gz(members: Members, folder: Path) -> Path:
    """Pack the release anew as a compressed tar."""
    return pack_tar(members, folder / "PartImageNet_Seg.tar.gz")


def ood_folder(members: Members, folder: Path) -> Path:
    """Write ``train.json`` and ``train/<wnid>/`` and so on, with no folder above."""
    return pack_folder(members, folder)


def ood_folder_stray(members: Members, folder: Path) -> Path:
    """Write a stray file where ``train/`` otherwise holds class folders."""
    pack_folder(members, folder)
    (folder / "train" / ".DS_Store").write_bytes(DS_STORE)
    return folder


def ood_folder_doubled(members: Members, folder: Path) -> Path:
    """Write ``PartImageNet_OOD/partimagenet/``, the folder in a folder that users report."""
    pack_folder(members, folder, wrapper=DOUBLED)
    return folder


def ood_folder_flat(members: Members, folder: Path) -> Path:
    """Write ``train/<file>`` without class folders."""
    return pack_folder(members, folder, rename=_flat)


def ood_folder_rearranged(members: Members, folder: Path) -> Path:
    """Write ``images/train/<file>`` and ``annotations/train.json``, as for COCO loaders."""
    return pack_folder(members, folder, rename=_below("images/", "annotations/", _flat))


def ood_folder_images(members: Members, folder: Path) -> Path:
    """Write ``images/train/<wnid>/`` beside ``train.json``, below ``PartImageNet_OOD/``."""
    pack_folder(members, folder, wrapper=OOD_TOP, rename=_below("images/", ""))
    return folder


def ood_folder_jpegimages(members: Members, folder: Path) -> Path:
    """Write the photos of all splits to ``JPEGImages/<wnid>/``; the JSON files tell the split."""
    return pack_folder(members, folder, rename=_below("JPEGImages/", "", _without_split))


def ood_folder_of_zips(members: Members, folder: Path) -> Path:
    """Write ``train.zip`` and so on beside the JSON files, as the first release had them."""
    return pack_folder(_nested(members), folder)


def ood_zip(members: Members, folder: Path) -> Path:
    """Write a zip with a top folder and no zips in it."""
    return pack_zip(members, folder / OOD_ZIP, wrapper=OOD_TOP)


def ood_zip_junk(members: Members, folder: Path) -> Path:
    """Write a zip with a doubled folder and what macOS adds."""
    wrapped = ((f"{DOUBLED}/{name}", content) for name, content in members)
    return pack_zip(with_junk(wrapped), folder / OOD_ZIP, compression=zipfile.ZIP_DEFLATED)


def ood_zip_nested_stored(members: Members, folder: Path) -> Path:
    """Write a zip of three zips and the JSON files, the zips stored as they are."""
    return pack_zip(_nested(members), folder / OOD_ZIP)


def ood_zip_nested_deflated(members: Members, folder: Path) -> Path:
    """Write a zip of three zips below a top folder, the zips compressed once more."""
    return pack_zip(
        _nested(members), folder / OOD_ZIP, wrapper=OOD_TOP, compression=zipfile.ZIP_DEFLATED
    )


def ood_zip_nested_bare(members: Members, folder: Path) -> Path:
    """Write a zip of three zips that start with the class folders; not confirmed, but likely."""
    return pack_zip(_nested(members, _without_split), folder / OOD_ZIP)


def ood_zip_nested_junk(members: Members, folder: Path) -> Path:
    """Write a zip of three zips that all hold what macOS adds."""
    return pack_zip(with_junk(_nested(members, junk=True)), folder / OOD_ZIP)


def ood_tar_gz(members: Members, folder: Path) -> Path:
    """Pack the release anew as a compressed tar with a top folder."""
    return pack_tar(members, folder / "PartImageNet_OOD.tar.gz", wrapper=OOD_TOP)


def _flat(name: str) -> str:
    """Drop the class folder.

    >>> _flat("train/n1/n1_2.JPEG"), _flat("train.json")
    ('train/n1_2.JPEG', 'train.json')
    """
    split, slash, path = name.partition("/")
    return f"{split}{slash}{path.rpartition('/')[2]}"


def _without_split(name: str) -> str:
    return name.partition("/")[2] or name


def _below(images: str, documents: str, rename: Rename = str) -> Rename:
    """Return a renaming that puts photos and JSON files into folders."""

    def renamed(name: str) -> str:
        return documents + name if name.endswith(".json") else images + rename(name)

    return renamed


def _nested(members: Members, rename: Rename = str, *, junk: bool = False) -> Stream:
    """Pack the photos of each split into a zip of their own; JSON files come first."""
    photos: dict[str, list[tuple[str, bytes]]] = {split: [] for split in SPLITS}
    for name, content in members:
        if name.endswith(".json"):
            yield name, content
        else:
            photos[name.partition("/")[0]].append((rename(name), content))
    with tempfile.TemporaryDirectory() as folder:
        for split, own in photos.items():
            inner = with_junk(own) if junk else own
            yield f"{split}.zip", pack_zip(inner, Path(folder, split)).read_bytes()


SEG_LAYOUTS: dict[str, Layout] = {
    layout.__name__: layout
    for layout in (
        seg_zip,
        seg_zip_junk,
        seg_folder,
        seg_folder_top,
        seg_folder_junk,
        seg_folder_doubled,
        seg_tar_gz,
    )
}
OOD_LAYOUTS: dict[str, Layout] = {
    layout.__name__: layout
    for layout in (
        ood_folder,
        ood_folder_stray,
        ood_folder_doubled,
        ood_folder_flat,
        ood_folder_rearranged,
        ood_folder_images,
        ood_folder_jpegimages,
        ood_folder_of_zips,
        ood_zip,
        ood_zip_junk,
        ood_zip_nested_stored,
        ood_zip_nested_deflated,
        ood_zip_nested_bare,
        ood_zip_nested_junk,
        ood_tar_gz,
    )
}
LAYOUTS = SEG_LAYOUTS | OOD_LAYOUTS
