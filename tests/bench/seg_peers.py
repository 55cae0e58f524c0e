"""PartImageNet's Seg release as others convert it: json, zipfile, a builder that passes bytes."""

import json
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import datasets
from datasets import ClassLabel, Features, Image, Sequence, Value

from rawshelf.partimagenet.release import PARTS

_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_FEATURES = Features(
    {
        "image": Image(),
        "file_name": Value("string"),
        "image_id": Value("int64"),
        "width": Value("int32"),
        "height": Value("int32"),
        "wnid": Value("string"),
        "parts": {
            "id": [Value("int64")],
            "category": [ClassLabel(names=PARTS)],
            "bbox": [Sequence(Value("float64"), length=4)],
            "area": [Value("float64")],
            "iscrowd": [Value("int8")],
            "segmentation": [[[Value("float64")]]],
        },
        "part_mask": Image(),
        "whole_mask": Image(),
    }
)
_KEYS = {"category": "category_id"}


class Seg(datasets.GeneratorBasedBuilder):
    """Passes photographs and masks through; images without a photograph have no row."""

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=_FEATURES)

    def _split_generators(self, _: Any) -> list[datasets.SplitGenerator]:
        return [
            datasets.SplitGenerator(name, gen_kwargs={"split": raw})
            for raw, name in _SPLITS.items()
        ]

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        with zipfile.ZipFile(self.config.data_dir) as archive:
            members = _by_folder(archive)
            coco = json.loads(archive.read(members["annotations", split][f"{split}.json"]))
            annotations = defaultdict(list)
            for each in coco["annotations"]:
                annotations[each["image_id"]].append(each)
            photos = members["images", split]
            for image in coco["images"]:
                if image["file_name"] in photos:
                    own = annotations[image["id"]]
                    yield image["id"], _row(archive, members, split, image, own)


_Members = dict[tuple[str, str], dict[str, str]]


def _by_folder(archive: zipfile.ZipFile) -> _Members:
    found: _Members = defaultdict(dict)
    for name in archive.namelist():
        path = PurePosixPath(name)
        found[path.parts[-3], path.parts[-2]][path.name] = name
    return found


def _row(
    archive: zipfile.ZipFile, members: _Members, split: str, image: Any, own: list[Any]
) -> dict[str, Any]:
    name = image["file_name"]
    mask = f"{PurePosixPath(name).stem}.png"

    def picture(member: str) -> dict[str, Any]:
        return {"bytes": archive.read(member), "path": PurePosixPath(member).name}

    return {
        "image": picture(members["images", split][name]),
        "file_name": name,
        "image_id": image["id"],
        "width": image["width"],
        "height": image["height"],
        "wnid": name.partition("_")[0],
        "parts": {key: [each[_KEYS.get(key, key)] for each in own] for key in _FEATURES["parts"]},
        "part_mask": picture(members["annotations", split][mask]),
        "whole_mask": picture(members["annotations", f"{split}_whole"][mask]),
    }


def generator_based(raw: str, out: str) -> None:
    """Build with `Seg` into Parquet."""
    Seg(data_dir=raw).download_and_prepare(out, file_format="parquet")


def imagefolder(raw: str, out: str) -> None:
    """Unpack, open the photographs with `imagefolder`, write Parquet: no masks, no polygons."""
    folder = Path(out).with_name("unpacked")
    with zipfile.ZipFile(raw) as archive:
        archive.extractall(folder)
    [images] = folder.glob("*/images")
    builder = datasets.load_dataset_builder("imagefolder", data_dir=str(images), drop_labels=True)
    builder.download_and_prepare(out, file_format="parquet")
