"""``rawshelf preview``: the pictures in the folder, in the manifest and in the card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

from rawshelf import catalog
from rawshelf.cards import render
from rawshelf.cli import cli
from rawshelf.convert import Options, convert
from rawshelf.errors import MissingError, OutputError, RawshelfError
from rawshelf.imagenet_sketch import miniature as sketches
from rawshelf.miniature import pack_folder
from rawshelf.output import WORK, Output
from rawshelf.partimagenet import miniature as parts
from rawshelf.preview.pictures import LARGEST, Wish, encode
from rawshelf.preview.publication import preview
from rawshelf.spair71k import miniature as pairs
from tests.outputs import sha256

FEW = Wish(rows=2)
NAMES = {
    "spair71k": [
        "contact-sheet",
        "keypoint-ids",
        "pairs-by-category",
        "pairs-by-difficulty",
        "keypoints-per-pair",
        "azimuth-by-category",
    ],
    "partimagenet": [
        "contact-sheet",
        "parts",
        "images-by-supercategory",
        "images-by-class",
        "parts-per-image",
        "annotations-by-status",
    ],
    "imagenet_sketch": [
        "contact-sheet",
        "repeated-images",
        "images-per-class",
        "image-sizes",
        "repeats-and-content",
    ],
}
Convert = Callable[..., Path]


@pytest.fixture(scope="module")
def raws(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a small release of each dataset."""
    members = {
        "spair71k": pairs.members(categories=("bird", "bus", "cat", "tvmonitor")),
        "partimagenet": parts.members(),
        "imagenet_sketch": sketches.members(drawings=2),
    }
    root = tmp_path_factory.mktemp("raw")
    return {name: pack_folder(content, root / name) for name, content in members.items()}


@pytest.fixture(scope="module")
def converted(raws: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a conversion of each, to be copied and not changed."""
    root = tmp_path_factory.mktemp("converted")
    for name, raw in raws.items():
        convert(name, str(raw), str(root / name))
    return {name: root / name for name in raws}


@pytest.fixture(scope="module")
def previewed(converted: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all three conversions and their pictures, to be read only."""
    root = tmp_path_factory.mktemp("previewed")
    for name, out in converted.items():
        shutil.copytree(out, root / name)
        preview(str(root / name))
    return root


@pytest.fixture
def copy(converted: dict[str, Path], tmp_path: Path) -> Convert:
    """Return what copies a conversion to a folder that a test may change."""

    def copied(name: str = "spair71k", place: str = "out") -> Path:
        return Path(shutil.copytree(converted[name], tmp_path / place))

    return copied


def _manifest(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "manifest.json").read_text("utf-8"))
    return found


def _state(out: Path) -> dict[str, str]:
    return {p.relative_to(out).as_posix(): sha256(p) for p in out.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_all_pictures_are_made_and_listed(previewed: Path, name: str) -> None:
    """Files, manifest and card agree, and nothing else is in the folder."""
    out = previewed / name
    manifest = _manifest(out)

    assert [f"assets/{each}.png" for each in NAMES[name]] == [a["path"] for a in manifest["assets"]]
    assert {Path(a["path"]).name for a in manifest["assets"]} == {
        path.name for path in (out / "assets").iterdir()
    }
    for asset in manifest["assets"]:
        path = out / asset["path"]
        assert (path.stat().st_size, sha256(path)) == (asset["bytes"], asset["sha256"])
        assert asset["bytes"] < LARGEST
    card = render(catalog.find(name), manifest)
    assert card == (out / "README.md").read_text("utf-8")
    assert not (out / WORK).exists()


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_plain_and_readable(previewed: Path, name: str) -> None:
    """Wide enough, opaque on a ground of their own, and without metadata."""
    for path in (previewed / name / "assets").iterdir():
        with Image.open(path) as image:
            image.load()
            assert ("RGB", 1200) == (image.mode, image.width)
            assert {} == image.info
        assert {b"IHDR", b"IDAT", b"IEND"} == _chunks(path.read_bytes())


def _chunks(png: bytes) -> set[bytes]:
    found, place = set(), 8
    while place < len(png):
        found.add(png[place + 4 : place + 8])
        place += 12 + int.from_bytes(png[place : place + 4], "big")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_alternative_texts_state_measured_figures(previewed: Path, name: str) -> None:
    """One line each, with the rows that the manifest counts."""
    assets = _manifest(previewed / name)["assets"]

    for asset in assets:
        assert asset["title"]
        assert "\n" not in asset["alt"]
        assert any(letter.isdigit() for letter in asset["alt"])
        assert len(asset["alt"]) > len(asset["title"])


def test_alternative_texts_count_what_the_files_hold(previewed: Path) -> None:
    """Figures of each dataset, counted again from the Parquet files."""
    texts = {
        name: {Path(a["path"]).stem: a["alt"] for a in _manifest(previewed / name)["assets"]}
        for name in NAMES
    }
    pairs = pq.read_table(previewed / "spair71k" / "data" / "pairs")
    hard = pairs["viewpoint_variation"].to_pylist().count(2)
    assert f"{len(pairs):,} pairs" in texts["spair71k"]["pairs-by-category"]
    assert (
        f"medium {pairs['viewpoint_variation'].to_pylist().count(1):,}, hard {hard:,}"
        in (texts["spair71k"]["pairs-by-difficulty"])
    )
    quality = pq.read_table(previewed / "imagenet_sketch" / "data" / "quality")
    mirrored = quality["transform"].to_pylist().count(2)
    assert f"mirrored {mirrored:,}" in texts["imagenet_sketch"]["repeats-and-content"]
    repeats = len(quality) - quality["copy_of"].null_count
    assert f"{repeats:,} of {len(quality):,}" in texts["imagenet_sketch"]["repeated-images"]
    seg = pq.read_table(previewed / "partimagenet" / "data" / "seg_annotations").to_pylist()
    tails = sum(row["parts"]["category"].count(3) for row in seg)
    assert f"Quadruped Tail {tails:,}," in texts["partimagenet"]["parts"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_conversion_gives_the_same_bytes(
    previewed: Path, copy: Convert, name: str
) -> None:
    """Wherever it stands, and however often."""
    out = copy(name, "elsewhere")

    preview(str(out))
    assert _state(previewed / name) == _state(out)


def test_another_seed_shows_other_rows(copy: Convert) -> None:
    """Distributions do not depend on it, and a run takes the place of the one before."""
    out = copy("imagenet_sketch")
    preview(str(out), Wish(seed=1, rows=2))
    first = _state(out)

    preview(str(out), Wish(seed=2, rows=2))

    changed = {path for path, digest in _state(out).items() if first.get(path) != digest}
    assert "assets/contact-sheet.png" in changed
    assert changed <= {
        "assets/contact-sheet.png",
        "assets/repeated-images.png",
        "manifest.json",
        "README.md",
    }


def test_the_number_of_rows_is_the_users(copy: Convert) -> None:
    """More rows, a higher sheet, and the alternative text names them all."""
    out = copy("imagenet_sketch")
    heights = []
    for rows in (2, 11):
        asset = preview(str(out), Wish(rows=rows)).assets[0]
        assert asset["title"] == f"{rows} sketches"
        with Image.open(out / asset["path"]) as image:
            heights.append(image.height)

    assert heights[0] < heights[1]


def test_missing_configs_are_told(tmp_path: Path, raws: dict[str, Path]) -> None:
    """What is possible is drawn; the rest is left out with the reason."""
    out = tmp_path / "out"
    convert("spair71k", str(raws["spair71k"]), str(out), Options(("pairs",)))

    found = preview(str(out), FEW)

    assert ["pairs-by-category", "pairs-by-difficulty", "keypoints-per-pair"] == [
        Path(asset["path"]).stem for asset in found.assets
    ]
    assert {each.picture: each.reason for each in found.left_out} == {
        "contact-sheet": "needs config pairs and images or pairs_flat",
        "keypoint-ids": "needs config images",
        "azimuth-by-category": "needs config images",
    }


def test_pairs_with_their_pixels_are_enough(
    tmp_path: Path, raws: dict[str, Path], copy: Convert
) -> None:
    """The sheet of a stream-only conversion is that of the other configs."""
    out = tmp_path / "out"
    convert("spair71k", str(raws["spair71k"]), str(out), Options(("pairs_flat",)))

    found = preview(str(out), FEW).assets[0]

    assert found == preview(str(copy(place="both")), FEW).assets[0]


def test_annotations_without_pixels_have_a_legend(tmp_path: Path) -> None:
    """The shareable configs of PartImageNet: no photograph, all counts."""
    raw = pack_folder(parts.ood_members(), tmp_path / "raw")
    convert("partimagenet", str(raw), str(tmp_path / "out"), Options(("ood_annotations",)))

    found = preview(str(tmp_path / "out"), FEW)

    assert NAMES["partimagenet"][1:] == [Path(asset["path"]).stem for asset in found.assets]
    assert ["contact-sheet"] == [each.picture for each in found.left_out]


def test_a_release_without_photographs_is_drawn(tmp_path: Path) -> None:
    """Every image is missing: tiles say so."""
    annotations = pairs.annotations(categories=("bird", "cat"))
    raw = pack_folder(pairs.release_members(annotations), tmp_path / "raw")
    options = Options(("pairs", "images"), allow_missing=100)
    convert("spair71k", str(raw), str(tmp_path / "out"), options)

    found = preview(str(tmp_path / "out"), FEW)

    assert not found.left_out
    assert NAMES["spair71k"] == [Path(asset["path"]).stem for asset in found.assets]


def test_large_pictures_are_made_to_fit() -> None:
    """Noise packs badly: first fewer bits, then fewer pixels, and always the same bytes."""
    noise = Image.effect_noise((300, 200), 90).convert("RGB")
    whole = len(encode(noise))

    bits = encode(noise, whole - 1)
    smaller = encode(noise, whole // 4)

    assert len(bits) < whole
    assert len(smaller) <= whole // 4
    assert smaller == encode(noise, whole // 4)
    with Image.open(BytesIO(bits)) as same, Image.open(BytesIO(smaller)) as reduced:
        assert (300, 200) == same.size
        assert reduced.width < 300


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def _edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        manifest = json.loads(path.read_text("utf-8"))
        change(manifest)
        path.write_text(json.dumps(manifest), "utf-8")

    return edit


SHARD = "data/pairs/test-00000-of-00001.parquet"
DAMAGES: dict[str, tuple[str, Callable[[Path], object], type[RawshelfError]]] = {
    "no manifest": ("manifest.json", Path.unlink, MissingError),
    "no JSON": ("manifest.json", _cut, OutputError),
    "another format": ("manifest.json", _edit(lambda m: m.update(format=9)), OutputError),
    "unknown dataset": ("manifest.json", _edit(lambda m: m.update(dataset="x")), RawshelfError),
    "no files": ("manifest.json", _edit(lambda m: m.pop("files")), OutputError),
    "no counts": ("manifest.json", _edit(lambda m: m.pop("counts")), OutputError),
    "strange assets": ("manifest.json", _edit(lambda m: m.update(assets=[1])), OutputError),
    "assets elsewhere": (
        "manifest.json",
        _edit(lambda m: m.update(assets=[{"path": "assets/../README.md"}])),
        OutputError,
    ),
    "a shard missing": (SHARD, Path.unlink, MissingError),
    "a shard cut": (SHARD, _cut, OutputError),
    "a byte changed": (SHARD, _flip, OutputError),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_conversion_is_refused(copy: Convert, damage: str) -> None:
    """Nothing is written then."""
    out = copy()
    member, spoil, kind = DAMAGES[damage]
    spoil(out / member)
    before = _state(out)

    with pytest.raises(kind) as caught:
        preview(str(out), FEW)

    assert caught.value.remedy
    assert before == _state(out)


def test_no_folder_is_made_for_nothing(tmp_path: Path) -> None:
    """A path that does not exist, and a file."""
    file = tmp_path / "file"
    file.write_text("x")

    for place in (tmp_path / "nowhere", file):
        with pytest.raises(MissingError):
            preview(str(place))

    assert [file] == list(tmp_path.iterdir())


def test_the_command_line_tells_what_it_did(copy: Convert) -> None:
    """For people, for programs, and with an exit code for what is wrong."""
    out = copy("imagenet_sketch")

    plain = CliRunner().invoke(cli, ["preview", str(out), "--rows", "2", "--seed", "5"])
    listed = CliRunner().invoke(cli, ["preview", str(out), "--rows", "2", "--seed", "5", "--json"])

    assert (0, 0) == (plain.exit_code, listed.exit_code)
    assert "assets/contact-sheet.png" in plain.output
    assert _manifest(out)["assets"] == json.loads(listed.output)["assets"]
    assert 2 == CliRunner().invoke(cli, ["preview", str(out), "--rows", "0"]).exit_code
    missing = CliRunner().invoke(cli, ["preview", str(out / "data")])
    assert isinstance(missing.exception, MissingError)


def test_readers_see_the_same_rows_afterwards(previewed: Path, tmp_path: Path) -> None:
    """`datasets` takes no picture for data."""
    from datasets import load_dataset  # noqa: PLC0415 - slow to import

    out = str(previewed / "spair71k")
    loaded = load_dataset(out, "pairs", split="test", cache_dir=str(tmp_path))

    assert Output(out, "").records_of(_manifest(Path(out)))
    expected = pq.read_table(previewed / "spair71k" / SHARD)["name"].to_pylist()
    assert expected == list(loaded["name"])
