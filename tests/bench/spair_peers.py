"""SPair-71k as others convert it: tarfile, json, `from_generator`.

All write the columns of rawshelf's `images` and `pairs`, and the same rows in the same order.
"""

import json
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import datasets
from datasets import ClassLabel, Features, Image, Sequence, Value

from rawshelf.spair71k import release

Document = dict[str, Any]
Members = Iterable[tuple[str, bytes]]

SPLITS = {"trn": "train", "val": "validation", "test": "test"}
_INT, _TEXT, _FLAG = Value("int32"), Value("string"), Value("bool")
_BOX, _SIZE = Sequence(_INT, length=4), Sequence(_INT, length=3)
_CATEGORY, _POSE = ClassLabel(names=release.CATEGORIES), ClassLabel(names=release.POSES)

IMAGES = Features(
    {
        "image": Image(),
        "segmentation": Image(),
        "name": _TEXT,
        "category": _CATEGORY,
        "voc_id": _TEXT,
        "width": _INT,
        "height": _INT,
        "depth": _INT,
        "bbox": _BOX,
        "pose": _POSE,
        "azimuth_id": _INT,
        "truncated": _FLAG,
        "occluded": _FLAG,
        "difficult": _FLAG,
        "keypoints": {"id": [_INT], "x": [_INT], "y": [_INT]},
        "voc_database": _TEXT,
        "voc_annotation": _TEXT,
        "voc_image": _TEXT,
        "file_name": _TEXT,
    }
)
PAIRS = Features(
    {
        "pair_id": _INT,
        "name": _TEXT,
        "category": _CATEGORY,
        "src_name": _TEXT,
        "trg_name": _TEXT,
        "src_index": _INT,
        "trg_index": _INT,
        "src_size": _SIZE,
        "trg_size": _SIZE,
        "src_bbox": _BOX,
        "trg_bbox": _BOX,
        "src_pose": _POSE,
        "trg_pose": _POSE,
        "keypoints": {key: [_INT] for key in ("id", "src_x", "src_y", "trg_x", "trg_y")},
        "mirror": _FLAG,
        "viewpoint_variation": ClassLabel(names=release.VIEWPOINT),
        "scale_variation": ClassLabel(names=release.SCALE),
        "truncation": ClassLabel(names=release.TRUNCATION),
        "occlusion": ClassLabel(names=release.OCCLUSION),
        "in_small": _FLAG,
        "file_name": _TEXT,
    }
)
SIDES = ("src", "trg")
FLAT = Features({f"{s}_{p}": Image() for s in SIDES for p in ("image", "segmentation")} | PAIRS)


class Release:
    """All of a release: what is not a picture parsed, pictures as bytes."""

    def __init__(self, members: Members) -> None:
        """Take the members, in any order."""
        self.images: dict[str, Document] = {}
        self.pictures: dict[tuple[str, str], bytes] = {}
        self.pairs: dict[str, list[Document]] = {split: [] for split in SPLITS}
        self.layouts: dict[tuple[str, str], set[str]] = {}
        for name, data in members:
            self._take(PurePosixPath(name), data)
        for pairs in self.pairs.values():
            pairs.sort(key=lambda pair: int(pair["pair_id"]))
        self.names = {split: self._names(split) for split in SPLITS}

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as a name: `datasets` pickles what a generator takes, to name its cache."""
        return str, ("release",)

    def _take(self, path: PurePosixPath, data: bytes) -> None:
        if "ImageAnnotation" in path.parts:
            self.images[f"{path.parent.name}/{path.stem}"] = json.loads(data)
        elif "PairAnnotation" in path.parts:
            self.pairs[path.parent.name].append(json.loads(data))
        elif "Layout" in path.parts:
            self.layouts[path.parent.name, path.stem] = set(data.decode("ascii").split())
        elif path.suffix in (".jpg", ".png"):
            self.pictures[f"{path.parent.name}/{path.stem}", path.suffix] = data

    def _names(self, split: str) -> list[str]:
        """Return the images that occur in a split's pairs: the release lists them nowhere else."""
        pairs = self.pairs[split]
        return sorted({_image_name(pair, side) for pair in pairs for side in SIDES})

    def picture(self, name: str, suffix: str) -> Document:
        """Return a picture as `datasets` takes it."""
        return {"bytes": self.pictures[name, suffix], "path": f"{name.partition('/')[2]}{suffix}"}


def _image_name(pair: Document, side: str) -> str:
    return f"{pair['category']}/{PurePosixPath(pair[f'{side}_imname']).stem}"


def image_rows(found: Release, split: str) -> Iterator[Document]:
    """Yield the rows of `images`."""
    for name in found.names[split]:
        image = found.images[name]
        points = {int(k): xy for k, xy in image["kps"].items() if xy is not None}
        yield {
            "image": found.picture(name, ".jpg"),
            "segmentation": found.picture(name, ".png"),
            "name": name,
            "category": image["category"],
            "voc_id": name.partition("/")[2],
            "width": image["image_width"],
            "height": image["image_height"],
            "depth": image["image_depth"],
            "bbox": image["bndbox"],
            "pose": image["pose"],
            "azimuth_id": image["azimuth_id"],
            "truncated": bool(image["truncated"]),
            "occluded": bool(image["occluded"]),
            "difficult": bool(image["difficult"]),
            "keypoints": {
                "id": list(points),
                "x": [x for x, _ in points.values()],
                "y": [y for _, y in points.values()],
            },
            "voc_database": image["src_database"],
            "voc_annotation": image["src_annotation"],
            "voc_image": image["src_image"],
            "file_name": f"JPEGImages/{name}.jpg",
        }


def pair_rows(found: Release, split: str) -> Iterator[Document]:
    """Yield the rows of `pairs`."""
    index = {name: row for row, name in enumerate(found.names[split])}
    small = found.layouts["small", split]
    for pair in found.pairs[split]:
        names = {side: _image_name(pair, side) for side in SIDES}
        keypoints = {"id": [int(k) for k in pair["kps_ids"]]}
        row = {"pair_id": pair["pair_id"], "name": pair["filename"], "category": pair["category"]}
        for side in SIDES:
            keypoints[f"{side}_x"] = [x for x, _ in pair[f"{side}_kps"]]
            keypoints[f"{side}_y"] = [y for _, y in pair[f"{side}_kps"]]
            row |= {
                f"{side}_name": names[side],
                f"{side}_index": index[names[side]],
                f"{side}_size": pair[f"{side}_imsize"],
                f"{side}_bbox": pair[f"{side}_bndbox"],
                f"{side}_pose": pair[f"{side}_pose"],
            }
        kinds = ("viewpoint_variation", "scale_variation", "truncation", "occlusion")
        yield (
            row
            | {kind: pair[kind] for kind in kinds}
            | {
                "keypoints": keypoints,
                "mirror": bool(pair["mirror"]),
                "in_small": pair["filename"] in small,
                "file_name": f"PairAnnotation/{split}/{pair['filename']}.json",
            }
        )


def flat_rows(found: Release, split: str, step: int) -> Iterator[Document]:
    """Yield rows of `pairs` with both photographs and both masks, one in so many."""
    for number, row in enumerate(pair_rows(found, split)):
        if number % step == 0:
            pictures = {}
            for side in SIDES:
                pictures[f"{side}_image"] = found.picture(row[f"{side}_name"], ".jpg")
                pictures[f"{side}_segmentation"] = found.picture(row[f"{side}_name"], ".png")
            yield pictures | row


def streamed(raw: str, out: str) -> None:
    """Read the archive once with tarfile; write `images` and `pairs`."""
    found = Release(_members(raw))
    _write(found, out, "images", image_rows, IMAGES)
    _write(found, out, "pairs", pair_rows, PAIRS)


def extracted(raw: str, out: str) -> None:
    """Unpack first, then read the files."""
    folder = Path(out).with_name("unpacked")
    shutil.unpack_archive(raw, folder)
    files = (path for path in folder.rglob("*") if path.is_file())
    found = Release((path.relative_to(folder).as_posix(), path.read_bytes()) for path in files)
    _write(found, out, "images", image_rows, IMAGES)
    _write(found, out, "pairs", pair_rows, PAIRS)


def naive(raw: str, out: str, step: int) -> dict[str, float]:
    """Write every pair, or one in so many, with its own copies of its pictures."""
    found = Release(_members(raw))
    rows = _write(found, out, "pairs_flat", flat_rows, FLAT, step=step)
    size = sum(path.stat().st_size for path in Path(out).rglob("*.parquet"))
    return {"bytes_per_row": size / rows}


def _members(raw: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(raw, "r|gz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                yield member.name, file.read()


def _write(
    found: Release,
    out: str,
    config: str,
    rows: Callable[..., Iterator[Document]],
    columns: Features,
    **more: int,
) -> int:
    count = 0
    for split, name in SPLITS.items():
        keywords: Mapping[str, object] = {"found": found, "split": split, **more}
        made = datasets.Dataset.from_generator(
            rows,
            features=columns,
            gen_kwargs=keywords,
        )
        path = Path(out) / config / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        made.to_parquet(path)
        count += len(made)
    return count
