"""ImageNet-Sketch converts from any container, joins with its quality, and loads everywhere."""

import resource
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from PIL import Image

import rawshelf
from rawshelf import labels
from rawshelf.convert import Options, Result, convert
from rawshelf.errors import AnnotationError, RawshelfError
from rawshelf.imagenet_sketch.miniature import WNIDS, members
from rawshelf.imagenet_sketch.release import IMAGES
from rawshelf.miniature import pack_folder, pack_zip
from tests.fakes.imagenet_sketch import DEFECTS, full_count

NAME = "imagenet_sketch"
FEW = WNIDS[:3]
DEFAULT = Options(configs=("default",))


def release() -> Iterator[tuple[str, bytes]]:
    return members(wnids=FEW)


def table(out: Path, config: str = "default") -> list[dict[str, Any]]:
    files = sorted((out / "data" / config).glob("test-*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a conversion of three classes, both configs."""
    folder = tmp_path_factory.mktemp("sketch")
    convert(NAME, str(pack_zip(release(), folder / "raw.zip")), str(folder / "out"))
    return folder / "out"


ROOTS: dict[str, Callable[[str], str]] = {
    "sketch/sketch": lambda name: f"sketch/{name}",
    "images": lambda name: name.replace("sketch/", "images/", 1),
    "bare": lambda name: name.removeprefix("sketch/"),
    "in-sketch/val": lambda name: name.replace("sketch/", "in-sketch/val/", 1),
}


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("pack", [pack_zip, pack_folder])
def test_roots_that_users_make(
    root: str, pack: Callable[..., Path], converted: Path, tmp_path: Path
) -> None:
    """Wherever the class folders lie, the same bytes come out."""
    raw = pack(release(), tmp_path / "raw", rename=ROOTS[root])
    out = tmp_path / "out"
    convert(NAME, str(raw), str(out))

    for file in sorted((converted / "data").rglob("*.parquet")):
        assert file.read_bytes() == (out / file.relative_to(converted)).read_bytes()


def test_rows(converted: Path) -> None:
    """A row is the image as released, with its class by wnid, and what its header says."""
    content = dict(release())
    rows = table(converted)

    assert sorted(content) == sorted(row["file_name"] for row in rows)
    for row in rows:
        data = content[row["file_name"]]
        with Image.open(BytesIO(data)) as image:
            assert (image.size, image.mode) == (
                (row["width"], row["height"]),
                ("L", "RGB")[row["mode"]],
            )
        assert {"bytes": data, "path": row["file_name"].rpartition("/")[2]} == row["image"]
        assert (row["file_name"].split("/")[1], labels.index(row["wnid"])) == (
            row["wnid"],
            row["label"],
        )
    assert list(content) == [
        row["file_name"] for row in sorted(rows, key=lambda row: int(row["index"]))
    ]


def test_release_order(tmp_path: Path) -> None:
    """In release order, index counts the rows."""
    raw = pack_zip(release(), tmp_path / "raw.zip")
    convert(NAME, str(raw), str(tmp_path / "out"), Options(order="release"))
    rows = table(tmp_path / "out")

    assert list(range(len(rows))) == [row["index"] for row in rows]
    assert [row["file_name"] for row in rows] == [
        row["quality_of"] for row in table(tmp_path / "out", "quality")
    ]


def test_quality_joins(converted: Path) -> None:
    """The two configs concatenate side by side, and their rows are about the same images."""
    parts = [
        datasets.load_dataset(str(converted), config, split="test")
        for config in ("default", "quality")
    ]
    both = datasets.concatenate_datasets(parts, axis=1)
    distinct = both.filter(
        lambda constant, copy: constant is False and copy is None,
        input_columns=["is_constant", "copy_of"],
    )

    assert list(both["file_name"]) == list(both["quality_of"])
    assert 4 * len(FEW) == len(distinct)


def test_same_bytes_from_folder_zip_and_workers(converted: Path, tmp_path: Path) -> None:
    """A folder and other numbers of workers give the same files."""
    raw = pack_folder(((n.removeprefix("sketch/"), c) for n, c in release()), tmp_path / "raw")
    convert(NAME, str(raw), str(tmp_path / "out"), Options(workers=2))

    assert [path.read_bytes() for path in sorted(converted.glob("data/*/*"))] == [
        path.read_bytes() for path in sorted((tmp_path / "out").glob("data/*/*"))
    ]


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_real_sketches(kind: str, real: Path, tmp_path: Path) -> None:
    """The real sketches convert, from a folder and from a zip, and load and stream alike."""
    folder = real / "imagenet_sketch" / "sketch"
    content = {
        f"sketch/{path.parent.name}/{path.name}": path.read_bytes()
        for path in sorted(folder.glob("n*/*.JPEG"))
    }
    raw = folder if kind == "folder" else pack_zip(content.items(), tmp_path / "raw.zip")
    out = tmp_path / "out"
    convert(NAME, str(raw), str(out))
    loaded = datasets.load_dataset(str(out), split="test")
    streamed = datasets.load_dataset(str(out), split="test", streaming=True)

    assert 4 == len(loaded)
    assert content == {row["file_name"]: row["image"]["bytes"] for row in table(out)}
    assert list(loaded) == list(streamed)
    assert {("n01440764", 0, "tench, Tinca tinca"), ("n01443537", 1, GOLDFISH)} == {
        (row["wnid"], row["label"], loaded.features["label"].int2str(row["label"]))
        for row in loaded
    }
    assert {"RGB": 3, "L": 1} == _modes(loaded)
    assert [row["image"].mode for row in loaded] == [
        loaded.features["mode"].int2str(row["mode"]) for row in loaded
    ]


GOLDFISH = "goldfish, Carassius auratus"


def _modes(rows: Any) -> dict[str, int]:
    modes = [row["image"].mode for row in rows]
    return {mode: modes.count(mode) for mode in modes}


def test_real_teaser(real: Path, tmp_path: Path) -> None:
    """A PNG under a JPEG's name, the home repository's own teaser, is set aside with its reason."""
    teaser = (real / "imagenet_sketch" / "teaser.jpg").read_bytes()
    content = [*release(), (f"sketch/{FEW[0]}/sketch_50.JPEG", teaser)]
    result = _convert(pack_zip(content, tmp_path / "raw.zip"), tmp_path / "out")

    assert [(f"sketch/{FEW[0]}/sketch_50.JPEG", "a PNG under the name of a JPEG")] == _quarantine(
        result
    )
    assert len(content) - 1 == len(table(tmp_path / "out"))


def _convert(raw: Path, out: Path, *, strict: bool = False) -> Result:
    return convert(NAME, str(raw), str(out), Options(strict=strict))


def _quarantine(result: Result) -> list[tuple[str, str]]:
    return [(row.member, row.reason) for row in result.report.quarantine]


SET_ASIDE = {
    "png_named_jpeg": "a PNG under the name of a JPEG",
    "empty_jpeg": "the file is empty",
    "truncated_jpeg": "the JPEG is cut short",
}


@pytest.mark.parametrize("configs", [("default",), ("quality",), ()])
@pytest.mark.parametrize("defect", SET_ASIDE)
@pytest.mark.fault(14)
def test_set_aside(defect: str, configs: tuple[str, ...], tmp_path: Path) -> None:
    """What is no whole JPEG is set aside, once, with its reason; strict refuses."""
    raw = str(pack_zip(DEFECTS[defect](release()), tmp_path / "raw.zip"))
    result = convert(NAME, raw, str(tmp_path / "out"), Options(configs))
    count = len(list(release()))

    assert [(f"sketch/{FEW[0]}/sketch_0.JPEG", SET_ASIDE[defect])] == _quarantine(result)
    assert {count - 1} == {
        len(table(tmp_path / "out", c)) for c in configs or ("default", "quality")
    }
    with pytest.raises(AnnotationError):
        convert(NAME, raw, str(tmp_path / "strict"), Options(configs, strict=True))
    assert [] == list((tmp_path / "strict").glob("data/**/*.parquet"))


@pytest.mark.parametrize("defect", ["two_roots", "duplicate_member"])
@pytest.mark.fault(9, only="duplicate")
def test_refused(defect: str, tmp_path: Path) -> None:
    """What cannot be told apart refuses the release; nothing is published."""
    raw = pack_zip(DEFECTS[defect](release()), tmp_path / "raw.zip")

    with pytest.raises(RawshelfError):
        _convert(raw, tmp_path / "out")

    assert [] == list((tmp_path / "out").glob("data/**/*.parquet"))


def test_load_from_raw(converted: Path, tmp_path: Path) -> None:
    """Loaded from the raw release, rows are those of the conversion, map-style and streaming."""
    raw = pack_zip(release(), tmp_path / "raw.zip")
    expected = table(converted)
    features = datasets.Image(decode=False)
    for streaming in (False, True):
        loaded = rawshelf.load(
            NAME, data_dir=str(raw), split="test", streaming=streaming, cache_dir=str(tmp_path)
        ).cast_column("image", features)

        assert expected == list(loaded)


def test_concatenates_with_imagenet(converted: Path) -> None:
    """With ILSVRC/imagenet-1k's features, both sets concatenate."""
    sketches = datasets.load_dataset(str(converted), split="test").select_columns(
        ["image", "label"]
    )
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=labels.names())}
    )

    assert features == sketches.features
    assert 2 * len(sketches) == len(
        datasets.concatenate_datasets([sketches.cast(features), sketches])
    )


@pytest.mark.slow
def test_full_count(tmp_path: Path) -> None:
    """A release of full count converts in bounded memory; its first rows span 600 classes."""
    raw = pack_zip(full_count(), tmp_path / "raw.zip")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = convert(NAME, str(raw), str(tmp_path / "out"), DEFAULT)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    stream = datasets.load_dataset(str(tmp_path / "out"), split="test", streaming=True)
    first = stream.select_columns(["wnid"]).take(1000)

    assert IMAGES == sum(record.rows for record in result.records)
    assert ([], []) == (result.report.quarantine, result.report.differences)
    assert 600 < len({row["wnid"] for row in first})
    assert grown < 600_000  # kB, of 61 MB of images; a mapped zip counts as well
