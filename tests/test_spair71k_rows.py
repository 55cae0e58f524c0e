"""Every document of an SPair-71k release can be rebuilt from the converted rows, to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rawshelf.convert import Options, convert
from rawshelf.miniature import Members, colon_to_dash, pack_folder, pack_tar, pack_zip
from rawshelf.spair71k.columns import CATEGORY, IMAGE_COLUMNS, PAIR_COLUMNS, POSE
from rawshelf.spair71k.miniature import CATEGORIES, members
from tests.conftest import Conversion
from tests.fakes.spair71k import DEFECTS

Row = dict[str, Any]

SPLITS = {"train": "trn", "validation": "val", "test": "test"}
CONTAINERS: dict[str, Callable[[Members, Path], Path]] = {
    "tar.gz": partial(pack_tar, wrapper="SPair-71k"),
    "tar": partial(pack_tar, gzip=False),
    "zip": pack_zip,
    "folder": partial(pack_folder, wrapper="SPair-71k"),
    "dashes": partial(pack_folder, rename=colon_to_dash),
}


def rows(out: Path, config: str, split: str = "*") -> list[Row]:
    """Return the converted rows of a config, without pixels, in order."""
    columns = PAIR_COLUMNS if config == "pairs" else IMAGE_COLUMNS[2:]
    names = [column.name for column in columns]
    files = sorted((out / "data" / config).glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.read_table(file, columns=names).to_pylist()]


def image_document(row: Row) -> Row:
    """Return the image annotation that a row of `images` came from."""
    points = row["keypoints"]
    known = {str(i): [x, y] for i, x, y in zip(*points.values(), strict=True)}
    return {
        "filename": f"{row['voc_id']}.jpg",
        "src_database": row["voc_database"],
        "src_annotation": row["voc_annotation"],
        "src_image": row["voc_image"],
        "image_width": row["width"],
        "image_height": row["height"],
        "image_depth": row["depth"],
        "category": CATEGORY.names[row["category"]],
        "pose": POSE.names[row["pose"]],
        "truncated": int(row["truncated"]),
        "occluded": int(row["occluded"]),
        "difficult": int(row["difficult"]),
        "bndbox": row["bbox"],
        "kps": {str(slot): known.get(str(slot)) for slot in range(30)},
        "azimuth_id": row["azimuth_id"],
    }


def pair_document(row: Row) -> Row:
    """Return the pair annotation that a row of `pairs` came from."""
    points = row["keypoints"]
    return {
        "pair_id": row["pair_id"],
        "filename": row["name"],
        "src_imname": f"{row['src_name'].partition('/')[2]}.jpg",
        "trg_imname": f"{row['trg_name'].partition('/')[2]}.jpg",
        "src_imsize": row["src_size"],
        "trg_imsize": row["trg_size"],
        "src_bndbox": row["src_bbox"],
        "trg_bndbox": row["trg_bbox"],
        "category": CATEGORY.names[row["category"]],
        "src_pose": POSE.names[row["src_pose"]],
        "trg_pose": POSE.names[row["trg_pose"]],
        "src_kps": [list(point) for point in zip(points["src_x"], points["src_y"], strict=True)],
        "trg_kps": [list(point) for point in zip(points["trg_x"], points["trg_y"], strict=True)],
        "kps_ids": [str(i) for i in points["id"]],
        "mirror": int(row["mirror"]),
        "viewpoint_variation": row["viewpoint_variation"],
        "scale_variation": row["scale_variation"],
        "truncation": row["truncation"],
        "occlusion": row["occlusion"],
    }


def rebuilt(out: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every annotation and layout, from the rows alone."""
    for row in rows(out, "images"):
        name = f"ImageAnnotation/{row['name']}.json"
        yield name, json.dumps(image_document(row)).encode()
    for split, raw in SPLITS.items():
        pairs = rows(out, "pairs", split)
        for row in pairs:
            yield row["file_name"], json.dumps(pair_document(row)).encode()
        large = [row["name"] for row in pairs]
        small = [row["name"] for row in pairs if row["in_small"]]
        for size, lines in (("large", large), ("small", small)):
            yield f"Layout/{size}/{raw}.txt", "".join(f"{line}\n" for line in lines).encode()


def texts(release: Members) -> dict[str, bytes]:
    """Return the annotations and layouts of a release; one annotation ends with a newline."""
    folders = ("ImageAnnotation/", "PairAnnotation/", "Layout/")
    return {
        name: content.strip() if name.endswith(".json") else content
        for name, content in release
        if name.startswith(folders)
    }


def small_release() -> list[tuple[str, bytes]]:
    """Return a miniature of two categories."""
    return list(members(categories=CATEGORIES[:2], side=48))


def test_miniature_is_rebuilt(conversion: Conversion) -> None:
    """All annotations and layouts of the miniature follow from its rows."""
    expected = texts(members())

    actual = dict(rebuilt(conversion.out))

    assert expected == actual


@pytest.mark.parametrize("kind", CONTAINERS)
def test_container_does_not_matter(kind: str, tmp_path: Path) -> None:
    """A release gives the same rows from every container, with ":" or "-" in file names."""
    release = small_release()
    raw = CONTAINERS[kind](release, tmp_path / "raw")

    result = convert(
        "spair71k", str(raw), str(tmp_path / "out"), Options(configs=("pairs", "images"))
    )

    assert texts(release) == dict(rebuilt(tmp_path / "out"))
    assert [] == result.report.lines()


def test_order_of_members_does_not_matter(tmp_path: Path) -> None:
    """A release gives the same files whatever the order of its members."""
    release = small_release()
    shards = []
    for name, stream in (("one", release), ("other", release[::-1])):
        raw = pack_tar(stream, tmp_path / f"{name}.tar.gz")
        result = convert("spair71k", str(raw), str(tmp_path / name))
        shards.append([(record.path, record.sha256) for record in result.records])

    assert shards[0] == shards[1]


def test_layout_lines_may_have_dashes(tmp_path: Path) -> None:
    """Lines of Layout may spell the pairs with "-" before the category, as file names may."""
    release = small_release()
    dashed = [
        (name, content.replace(b":", b"-") if name.startswith("Layout/") else content)
        for name, content in release
    ]
    raw = pack_folder(dashed, tmp_path / "raw", rename=colon_to_dash)

    convert("spair71k", str(raw), str(tmp_path / "out"), Options(configs=("pairs", "images")))

    assert texts(release) == dict(rebuilt(tmp_path / "out"))


def test_contradiction_is_kept_as_released(tmp_path: Path) -> None:
    """A pair that contradicts its images is converted as released, and listed."""
    release = list(DEFECTS["pair_field_differs"](small_release()))
    raw = pack_tar(release, tmp_path / "raw.tar.gz")

    result = convert(
        "spair71k", str(raw), str(tmp_path / "out"), Options(configs=("pairs", "images"))
    )

    assert texts(release) == dict(rebuilt(tmp_path / "out"))
    assert 1 == len(result.report.differences)


def test_pairs_find_their_images(conversion: Conversion) -> None:
    """The indices of a pair are rows of its split's images, and sizes and boxes agree."""
    for split in SPLITS:
        images = rows(conversion.out, "images", split)
        for pair in rows(conversion.out, "pairs", split):
            for side in ("src", "trg"):
                image = images[pair[f"{side}_index"]]
                size = [image["width"], image["height"], image["depth"]]

                assert pair[f"{side}_name"] == image["name"]
                assert pair[f"{side}_size"] == size
                assert pair[f"{side}_bbox"] == image["bbox"]
                assert pair[f"{side}_pose"] == image["pose"]
