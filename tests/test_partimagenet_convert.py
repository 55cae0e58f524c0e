"""PartImageNet converts from any layout and loads everywhere, its masks aligned and exact."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pycocotools.coco import COCO

import rawshelf
from rawshelf import labels
from rawshelf.convert import Options, convert
from rawshelf.imagenet_sketch.miniature import members as sketches
from rawshelf.miniature import pack_zip
from rawshelf.partimagenet.classes import object_classes
from rawshelf.partimagenet.release import SUPERCATEGORIES
from tests.fakes.partimagenet import (
    OOD_LAYOUTS,
    SEG_LAYOUTS,
    document,
    expected_mask,
    expected_whole_mask,
)
from tests.partimagenet_converting import (
    FEW,
    KINDS,
    NAME,
    OOD,
    RAW_SPLITS,
    RELEASES,
    SEG,
    loaded,
    packed,
    released,
    table,
)

BACKGROUNDS = {"part_mask": 40, "whole_mask": 158}

# pycocotools 2.0.11 was built for numpy 1; only the fakes' expectations decode with it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def published(out: Path) -> dict[str, bytes]:
    """Return the content of all files below data/."""
    files = sorted(path for path in (out / "data").rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def pixels(image: Any) -> npt.NDArray[np.uint8]:
    """Decode a stored image, with nothing but Pillow and without obeying EXIF."""
    with Image.open(BytesIO(image["bytes"])) as opened:
        return np.asarray(opened)


@pytest.fixture(scope="module")
def outs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a conversion of each of the two releases, all configs."""
    found = {}
    for kind, release in RELEASES.items():
        folder = tmp_path_factory.mktemp(kind)
        convert(NAME, packed(release, folder), str(folder / "out"))
        found[kind] = folder / "out"
    return found


@pytest.mark.parametrize("layout", SEG_LAYOUTS)
def test_every_seg_layout_gives_the_same_bytes(
    layout: str, outs: dict[str, Path], tmp_path: Path
) -> None:
    """However the Seg release is packed, the files below data/ are the same."""
    (tmp_path / "raw").mkdir()
    raw = SEG_LAYOUTS[layout](iter(SEG.items()), tmp_path / "raw")
    convert(NAME, str(raw), str(tmp_path / "out"))

    assert published(outs["seg"]) == published(tmp_path / "out")


@pytest.mark.parametrize("layout", OOD_LAYOUTS)
def test_every_ood_layout_gives_the_same_bytes(
    layout: str, outs: dict[str, Path], tmp_path: Path
) -> None:
    """However the OOD release is packed, the files below data/ are the same."""
    (tmp_path / "raw").mkdir()
    raw = OOD_LAYOUTS[layout](iter(OOD.items()), tmp_path / "raw")
    convert(NAME, str(raw), str(tmp_path / "out"))

    assert published(outs["ood"]) == published(tmp_path / "out")


def test_both_releases_in_one_folder_with_workers(outs: dict[str, Path], tmp_path: Path) -> None:
    """Both zips in one folder give all four configs, and other numbers of workers no other byte."""
    raw = tmp_path / "raw"
    OOD_LAYOUTS["ood_zip_nested_stored"](iter(OOD.items()), raw)
    SEG_LAYOUTS["seg_zip"](iter(SEG.items()), raw)
    convert(NAME, str(raw), str(tmp_path / "out"), Options(workers=2))

    assert published(outs["ood"]) | published(outs["seg"]) == published(tmp_path / "out")


@pytest.mark.parametrize("config", ["seg", "ood", "seg_annotations", "ood_annotations"])
@pytest.mark.parametrize("split", RAW_SPLITS)
def test_map_style_and_streaming_give_the_same_rows(
    config: str, split: str, outs: dict[str, Path]
) -> None:
    """Each config loads without rawshelf, map-style and streaming alike, with all rows."""
    kind = config.removesuffix("_annotations")
    rows = loaded(outs[kind], config, split)

    assert len(document(RELEASES[kind], RAW_SPLITS[split])["images"]) == len(rows)
    assert list(rows) == list(loaded(outs[kind], config, split, streaming=True))


@pytest.mark.parametrize("config", ["seg", "ood", "seg_annotations", "ood_annotations"])
def test_load_from_raw(config: str, outs: dict[str, Path], tmp_path: Path) -> None:
    """Loaded from the raw release, rows are those of the conversion, map-style and streaming."""
    kind = config.removesuffix("_annotations")
    raw = packed(RELEASES[kind], tmp_path)
    expected = list(loaded(outs[kind], config, "train"))
    for streaming in (False, True):
        rows = rawshelf.load(
            NAME, config, data_dir=raw, split="train", streaming=streaming, cache_dir=str(tmp_path)
        )

        assert expected == list(rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BACKGROUNDS)
@pytest.mark.parametrize("streaming", [False, True])
def test_masks_decode_to_indices_in_numpy_format(
    kind: str, name: str, streaming: bool, outs: dict[str, Path]
) -> None:
    """A mask is an array of indices up to the background, whatever mode its PNG has."""
    rows = loaded(outs[kind], kind, "train", streaming=streaming)
    found = [row[name] for row in rows.select_columns([name]).with_format("numpy")]
    stored = table(outs[kind], kind, "train")

    assert len(stored) == len(found)
    for row, mask in zip(stored, found, strict=True):
        assert ((row["height"], row["width"]), np.uint8) == (mask.shape, mask.dtype)
        assert pixels(row[name]).tolist() == mask.tolist()
        assert BACKGROUNDS[name] == mask.max()
        if name == "whole_mask":
            assert [row["object_class"], 158] == np.unique(mask).tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BACKGROUNDS)
def test_masks_decode_to_indices_in_torch_format(
    kind: str, name: str, outs: dict[str, Path]
) -> None:
    """A mask in torch's format has the same indices, behind one channel at most."""
    pytest.importorskip("torch", reason="torch is not installed")
    rows = loaded(outs[kind], kind, "train").select_columns([name]).with_format("torch")

    assert [pixels(row[name]).tolist() for row in table(outs[kind], kind, "train")] == [
        row[name].squeeze().tolist() for row in rows
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BACKGROUNDS)
def test_modes_of_masks(kind: str, name: str, outs: dict[str, Path]) -> None:
    """Seg's masks keep both PNG modes that the release has; those of OOD have palettes."""
    modes = {row[name].mode for row in loaded(outs[kind], kind, "train")}

    assert ({"L", "P"} if kind == "seg" else {"P"}) == modes


@pytest.mark.parametrize("split", RAW_SPLITS)
def test_masks_of_ood_are_drawn_by_the_rule(split: str, outs: dict[str, Path]) -> None:
    """Drawn masks equal what pycocotools paints in the order of the file, pixel for pixel."""
    coco = document(OOD, RAW_SPLITS[split])
    for row in table(outs["ood"], "ood", split):
        number = row["image_id"]

        assert expected_mask(coco, number).tolist() == pixels(row["part_mask"]).tolist()
        assert expected_whole_mask(coco, number).tolist() == pixels(row["whole_mask"]).tolist()


@pytest.mark.parametrize("split", RAW_SPLITS)
def test_files_of_seg_are_the_released_bytes(split: str, outs: dict[str, Path]) -> None:
    """Photographs and masks of Seg are the release's files, byte for byte."""
    raw = RAW_SPLITS[split]
    for row in table(outs["seg"], "seg", split):
        stem = row["file_name"].removesuffix(".JPEG")
        names = {
            "image": f"/images/{raw}/{stem}.JPEG",
            "part_mask": f"/annotations/{raw}/{stem}.png",
            "whole_mask": f"/annotations/{raw}_whole/{stem}.png",
        }

        for column, end in names.items():
            stored = {"bytes": released(SEG, end), "path": end.rpartition("/")[2]}
            assert stored == row[column]


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_rows(kind: str, outs: dict[str, Path], tmp_path: Path) -> None:
    """Rows come mixed and in the same order on every run; order `release` is that of the ids."""
    config, raw = f"{kind}_annotations", packed(RELEASES[kind], tmp_path)
    convert(NAME, raw, str(tmp_path / "again"), Options((config,)))
    convert(NAME, raw, str(tmp_path / "released"), Options((config,), order="release"))
    first, again, in_order = (
        table(out, config, "train")
        for out in (outs[kind], tmp_path / "again", tmp_path / "released")
    )
    groups = [SUPERCATEGORIES[row["supercategory"]] for row in first]

    assert first == again
    assert list(range(len(first))) == [row["image_id"] for row in in_order]
    assert in_order == sorted(first, key=lambda row: int(row["image_id"]))
    assert (
        runs(groups)
        > len(set(groups))
        == runs([SUPERCATEGORIES[row["supercategory"]] for row in in_order])
    )


def runs(values: list[str]) -> int:
    """Count runs of equal values."""
    return sum(index == 0 or values[index - 1] != value for index, value in enumerate(values))


def test_joins_imagenet_sketch_on_wnid(outs: dict[str, Path], tmp_path: Path) -> None:
    """Photographs with parts and sketches of the same classes join on wnid, with equal labels."""
    raw = pack_zip(sketches(wnids=FEW[:2]), tmp_path / "sketch.zip")
    convert("imagenet_sketch", str(raw), str(tmp_path / "sketch"), Options(("default",)))
    sketch = loaded(tmp_path / "sketch", "default", "test").to_pandas()
    parts = loaded(outs["seg"], "seg", "train").to_pandas()
    both = parts.merge(sketch, on="wnid", suffixes=("", "_sketch"))

    assert set(FEW[:2]) == set(both["wnid"])
    assert len(sketch) * 2 == len(both)
    assert both["label"].tolist() == both["label_sketch"].tolist()
    assert [labels.index(wnid) for wnid in both["wnid"]] == both["label"].tolist()


def run(*arguments: object) -> str:
    """Run the command line; return its output."""
    done = subprocess.run(
        [sys.executable, "-m", "rawshelf", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_command_inspect(kind: str, tmp_path: Path) -> None:
    """`inspect --json` prints one line of JSON that answers the open questions."""
    text = run("inspect", NAME, packed(RELEASES[kind], tmp_path), "--json")
    report = json.loads(text)

    assert 1 == len(text.splitlines())
    assert {"source", "releases", "between_releases", "answers"} == set(report)
    assert [kind] == list(report["releases"])
    assert (24 if kind == "seg" else None) == report["answers"]["their sum"]


@pytest.mark.parametrize("kind", KINDS)
def test_command_export(kind: str, outs: dict[str, Path], tmp_path: Path) -> None:
    """`export coco` gives files that pycocotools loads, equal to those of the release."""
    text = run("export", "coco", outs[kind], tmp_path / "coco")
    files = {split: tmp_path / "coco" / kind / f"{split}.json" for split in RAW_SPLITS.values()}

    assert [str(file) for file in files.values()] == text.splitlines()
    for split, file in files.items():
        expected, found = document(RELEASES[kind], split), COCO(str(file))
        assert {each["id"]: each for each in expected["annotations"]} == found.anns
        assert {each["id"]: each for each in expected["images"]} == found.imgs
        assert {each["id"]: each for each in expected["categories"]} == found.cats


def test_command_info() -> None:
    """`info` prints a line for each of the 158 classes."""
    lines = [line for line in run("info", NAME).splitlines() if line.startswith(SUPERCATEGORIES)]

    assert 158 == len(lines)
    assert {each.wnid for each in object_classes()} == {line.split()[1] for line in lines}


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    """Also where a source has one release only and all configs are wanted: an edited card stays."""
    raw, out = packed(OOD, tmp_path), tmp_path / "out"
    assert ["seg", "seg_annotations"] == convert(NAME, raw, str(out)).report.left_out
    (out / "README.md").write_text("my own words")

    convert(NAME, raw, str(out))

    assert "my own words" == (out / "README.md").read_text()


@pytest.mark.fault(12)
def test_texts_that_utf_8_cannot_hold_are_escaped(tmp_path: Path) -> None:
    """A lone surrogate, which JSON may hold and no file can, stands there as its escape."""
    [name] = [name for name in OOD if name.endswith("train.json")]
    document = json.loads(OOD[name])
    document["\ud800"] = 1
    document["categories"][0]["name"] += "\udfff"
    raw = packed({**OOD, name: json.dumps(document).encode()}, tmp_path)

    notes = convert(NAME, raw, str(tmp_path / "out")).report.to_json()
    found = (tmp_path / "out/manifest.json").read_text("utf-8")

    assert "\\ud800" in json.dumps(notes, ensure_ascii=False)
    assert notes == json.loads(found)["report"]
