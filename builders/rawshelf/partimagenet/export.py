"""From a conversion back to COCO files that equal the release's, for tools that read COCO."""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow.parquet as pq

from rawshelf.errors import MissingError, OutputError
from rawshelf.files import publish
from rawshelf.partimagenet.release import KINDS, PARTS, SPLIT_NAMES

Json = dict[str, Any]

_COLUMNS = ["file_name", "image_id", "width", "height", "parts", "raw"]
_BATCH = 1_000


def export_coco(out_folder: str, target_folder: str) -> list[str]:
    """Write the COCO files of a conversion: ``<target>/<seg or ood>/<train, val or test>.json``.

    Images and annotations are those of the release, whatever the order of rows was: numbers and
    names are equal; images come in the order of their ids, and annotations too, unless an image
    has its own in another order. Backslashes in file names have become "/".

    Args:
        out_folder: A conversion with ``seg``, ``ood``, or their annotations.
        target_folder: A folder, made if need be; its own files of these names are not replaced.

    Returns:
        The files written.

    Raises:
        MissingError: If the conversion holds none of the configs.
        OutputError: If one of the files exists.
    """
    written: list[str] = []
    for kind in KINDS:
        for split, name in SPLIT_NAMES.items():
            paths = _shards(out_folder, kind, name)
            if paths:
                written.append(_write(paths, os.path.join(target_folder, kind, f"{split}.json")))
    if not written:
        raise MissingError(
            "The conversion holds no annotations of PartImageNet.",
            archive=out_folder,
            expected="data/<config>/<split>-*.parquet of seg, ood or their annotations",
            remedy="Convert the release first: rawshelf convert partimagenet RAW OUT.",
        )
    return written


def _shards(folder: str, kind: str, name: str) -> list[str]:
    """Return a split's files, of the config without pixels if that is there."""
    for config in (f"{kind}_annotations", kind):
        place = os.path.join(glob.escape(folder), "data", config, f"{name}-*.parquet")
        paths = sorted(glob.glob(place))
        if paths:
            return paths
    return []


def _write(paths: list[str], target: str) -> str:
    if os.path.exists(target):
        raise OutputError(
            "A file of this name exists.",
            archive=target,
            remedy="Name another folder, or remove the file.",
        )
    images: list[tuple[int, bytes]] = []
    annotations: list[list[tuple[int, bytes]]] = []
    for row in _rows(paths):
        images.append((row["image_id"], orjson.dumps(_image(row))))
        annotations.append([(a["id"], orjson.dumps(a)) for a in _annotations(row)])
    images.sort()
    ordered = [entry for own in annotations for entry in own]
    if all(own == sorted(own) for own in annotations):
        ordered.sort()
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with publish(target) as temporary, open(temporary, "wb") as file:
        file.write(b'{"images":[' + b",".join(text for _, text in images))
        file.write(b'],"annotations":[' + b",".join(text for _, text in ordered))
        file.write(b'],"categories":' + orjson.dumps(_categories()) + b"}")
    return target


def _rows(paths: list[str]) -> Iterator[Json]:
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH, columns=_COLUMNS):
                yield from batch.to_pylist()


def _image(row: Json) -> Json:
    entry = {key: row[key] for key in ("file_name", "width", "height")}
    rest = orjson.loads(row["raw"] or "{}")
    rest.pop("file_name", None)  # the release's spelling of the separators
    return {"id": row["image_id"], **entry, **rest}


def _annotations(row: Json) -> Iterator[Json]:
    """Yield a row's annotations as COCO has them; what `raw` holds goes back to its place."""
    parts = row["parts"]
    for values in zip(*parts.values(), strict=True):
        part = dict(zip(parts, values, strict=True))
        raw = orjson.loads(part.pop("raw") or "{}")
        del part["status"]
        if any(map(math.isnan, part["bbox"])):  # the release has none, or `raw` has it
            del part["bbox"]
        kept = {key: value for key, value in part.items() if value is not None}
        kept["category_id"] = kept.pop("category")
        yield {**kept, "image_id": row["image_id"], **raw}


def _categories() -> list[Json]:
    return [
        {"id": number, "name": name, "supercategory": name.partition(" ")[0]}
        for number, name in enumerate(PARTS)
    ]
