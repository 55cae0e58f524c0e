"""What stands in the page of a conversion, without a browser."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

from rawshelf import masks
from rawshelf.builds import open_build
from rawshelf.cli import cli
from rawshelf.convert import Options, convert
from rawshelf.errors import MissingError, OutputError, RawshelfError, UsageError
from rawshelf.miniature import pack_folder
from rawshelf.partimagenet import miniature as parts
from rawshelf.preview import page
from rawshelf.preview.album import Album, Item, Layer, View
from rawshelf.preview.page import LARGEST, Page, write_page
from rawshelf.preview.page_data import json_text, page_data
from rawshelf.preview.pictures import Wish
from rawshelf.preview.reading import Conversion
from rawshelf.preview.thumbnails import (
    LARGEST_SIDE,
    SMALLEST_SIDE,
    mask_indices,
    mask_picture,
    photograph,
)
from rawshelf.spair71k import miniature as pairs
from rawshelf.spair71k.page import SHELF
from tests.outputs import sha256 as file_hash
from tests.repositories import NAMES

_DATA = re.compile(r'<script id="data" type="application/json">(.*?)</script>', re.DOTALL)
_EMBEDDED = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')


def _refused(word: str) -> None:
    raise AssertionError(word)


def shown(path: Path) -> dict[str, Any]:
    """Return the data of a page, read as strictly as a browser reads it."""
    (text,) = _DATA.findall(path.read_text("ascii"))
    found: dict[str, Any] = json.loads(text, parse_constant=_refused)
    return found


def picture(data: dict[str, Any], number: int) -> Image.Image:
    """Return a picture of a page."""
    content = base64.b64decode(data["pictures"][number].partition("base64,")[2])
    return Image.open(BytesIO(content))


@pytest.mark.parametrize("name", NAMES)
def test_pages_hold_everything_and_are_small(pages: Path, name: str) -> None:
    """ASCII, strict JSON, every picture inside, nothing that leads elsewhere but two links."""
    path = pages / f"{name}.html"
    text = path.read_text("ascii")
    data = shown(path)

    assert path.stat().st_size < LARGEST
    assert 2 == len(re.findall(r"\b(?:href|src)=", text.partition("<script")[0]))
    assert data["items"]
    assert {"data:image/jpeg", "data:image/png"} >= {u.partition(";")[0] for u in data["pictures"]}
    assert len(set(data["pictures"])) == len(data["pictures"])
    for facet in data["facets"]:
        assert len(set(facet["names"])) == len(facet["names"]), facet["key"]


@pytest.mark.parametrize("name", NAMES)
def test_the_policy_lets_only_the_pages_own_code_run(pages: Path, name: str) -> None:
    """Style and scripts by their hashes, pictures from data, nothing else from anywhere."""
    text = (pages / f"{name}.html").read_text("ascii")
    (policy,) = _POLICY.findall(text)
    hashes = [
        f"'sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}'"
        for _, content in _EMBEDDED.findall(text)
    ]

    assert (
        f"default-src 'none'; img-src data:; style-src {hashes[0]}; script-src {hashes[1]} "
        f"{hashes[2]}; base-uri 'none'; form-action 'none'"
    ) == policy


@pytest.mark.parametrize("name", NAMES)
def test_the_same_conversion_gives_the_same_page(
    repositories: dict[str, Path], tmp_path: Path, name: str
) -> None:
    """Wherever it stands. The conversion is not changed."""
    out = Path(shutil.copytree(repositories[name], tmp_path / "elsewhere"))
    before = {path: file_hash(path) for path in out.rglob("*") if path.is_file()}

    for place, root in (("one", out), ("other", repositories[name])):
        write_page(str(root), str(tmp_path / place), Wish(seed=3, rows=30))

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert before == {path: file_hash(path) for path in out.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_chooses_the_rows(
    repositories: dict[str, Path], tmp_path: Path, name: str
) -> None:
    """As many as were asked for, and not always the same."""
    chosen = set()
    for seed in range(6):  # there are few rows to choose from: some seeds agree
        write_page(str(repositories[name]), str(tmp_path / "few.html"), Wish(seed, 5))
        items = shown(tmp_path / "few.html")["items"]
        assert 5 == len(items)
        chosen.add(tuple(item["name"] for item in items))

    assert 1 < len(chosen)


def test_rows_stand_as_in_the_files(pages: Path, repositories: dict[str, Path]) -> None:
    """All columns of every pair but the pixels."""
    table = pq.read_table(repositories["spair71k"] / "data/pairs")
    expected = {row["name"]: row for row in table.to_pylist()}

    assert expected == {
        item["name"]: item["row"] for item in shown(pages / "spair71k.html")["items"]
    }


def test_pairs_with_their_pixels_give_the_same_page(repositories: dict[str, Path]) -> None:
    """Whether photographs and masks lie in `images` or in `pairs_flat`."""
    out = str(repositories["spair71k"])
    conversion = Conversion(out, open_build(out).records)

    joined, flat = (
        SHELF.fill(conversion, configs, Wish(rows=20))
        for configs in (("pairs", "images"), ("pairs_flat",))
    )

    assert joined == flat
    assert all(view.encoded and all(view.masks) for item in flat.items for view in item.views)


def test_masks_keep_their_indices(pages: Path, repositories: dict[str, Path]) -> None:
    """Small ones are not reduced; colours are the legend's, the background is clear."""
    data = shown(pages / "partimagenet.html")
    stored = {
        row["file_name"]: masks.decode_png(memoryview(row["part_mask"]["bytes"]))
        for row in pq.read_table(repositories["partimagenet"] / "data/seg").to_pylist()
    }

    for item in [item for item in data["items"] if item["values"][0] == [0]]:
        mask = item["views"][0]["masks"][0]
        image = picture(data, mask["image"])
        pixels = np.asarray(image)
        palette = image.getpalette() or []
        assert np.array_equal(stored[item["name"]], pixels)
        assert 40 == image.info["transparency"]
        assert sorted(set(np.unique(pixels)) - {40}) == mask["values"]
        for value in mask["values"]:
            colour = bytes(palette[3 * value : 3 * value + 3]).hex()
            assert data["layers"][0]["colours"][value] == f"#{colour}"


def test_a_pair_has_the_masks_of_its_images(pages: Path, repositories: dict[str, Path]) -> None:
    """Each side has its own."""
    data = shown(pages / "spair71k.html")
    stored = {
        row["name"]: row["segmentation"]["bytes"]
        for row in pq.read_table(repositories["spair71k"] / "data/images").to_pylist()
    }

    for item in data["items"][::20]:
        for view, side in zip(item["views"], ("src", "trg"), strict=True):
            expected = masks.decode_png(memoryview(stored[item["row"][f"{side}_name"]]))
            with picture(data, view["masks"][0]["image"]) as image:
                assert np.array_equal(expected, np.asarray(image))


def test_what_is_missing_is_left_open(tmp_path: Path) -> None:
    """A release without photographs and layouts: nobody knows which pairs are the small ones."""
    annotations = pairs.annotations(categories=("bird", "cat"))
    members = pairs.release_members(annotations, layouts=())
    raw = pack_folder(members, tmp_path / "raw")
    options = Options(("pairs", "images"), allow_missing=100)
    convert("spair71k", str(raw), str(tmp_path / "out"), options)

    write_page(str(tmp_path / "out"), str(tmp_path / "page.html"))

    data = shown(tmp_path / "page.html")
    layout = [facet["key"] for facet in data["facets"]].index("layout")
    assert {()} == {tuple(item["values"][layout]) for item in data["items"]}
    assert [] == data["pictures"]
    assert {(None, (None,))} == {
        (view["image"], tuple(view["masks"])) for item in data["items"] for view in item["views"]
    }


def test_annotations_without_pixels_have_a_page(tmp_path: Path) -> None:
    """The shareable configs of PartImageNet."""
    raw = pack_folder(parts.ood_members(wnids=parts.WNIDS[:3]), tmp_path / "raw")
    convert("partimagenet", str(raw), str(tmp_path / "out"), Options(("ood_annotations",)))

    found = write_page(str(tmp_path / "out"), str(tmp_path / "page.html"))

    assert (15, []) == (found.rows, shown(tmp_path / "page.html")["pictures"])


def test_json_cannot_end_its_element() -> None:
    """Text is what it was, and no letter of it is special in HTML."""
    text = json_text({"<!--": "</script>&amp;\u2028\udc80\U0001f980"})

    assert {"<!--": "</script>&amp;\u2028\udc80\U0001f980"} == json.loads(text)
    assert not set("<>&") & set(text)
    assert text.isascii()


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 700, 3), np.uint8))


def _jpeg(image: Image.Image, quality: int = 95) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _album(*photographs: bytes, **row: Any) -> Album:
    views = tuple(View("", photograph, (700, 400)) for photograph in photographs)
    item = Item("", "", "", (), row, views, (0,))
    return Album(1, "", (), (item,), ())


@pytest.mark.parametrize("most", [30_000, 60_000, 400_000])
def test_photographs_share_the_room(most: int) -> None:
    """Noise packs badly: copies get smaller until all of them fit."""
    different = [_jpeg(NOISE, quality) for quality in (95, 94, 93, 92)]

    text = json_text(page_data(_album(*different, different[0]), most))

    assert most / 4 < len(text) <= most
    assert 4 == len(json.loads(text)["pictures"])


def test_what_does_not_decode_has_no_picture() -> None:
    """Its size is what the row says."""
    data = page_data(_album(b"no image"), LARGEST)

    assert [None] == data["pictures"]
    assert (700, 400) == data["items"][0]["views"][0]["size"]


def test_numbers_that_json_lacks_are_null() -> None:
    """A part without a box has four NaN."""
    data = page_data(_album(bbox=[float("nan"), 1.0], area=float("inf")), LARGEST)

    assert {"bbox": [None, 1.0], "area": None} == data["items"][0]["row"]


@pytest.mark.parametrize("most", [0, 5_000, 20_000, 10**6])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "P", "RGBA"])
def test_thumbnails_are_bounded(mode: str, most: int) -> None:
    """In bytes, but for the smallest, and in pixels; the shape stays."""
    found = photograph(NOISE.convert(mode), most)

    with Image.open(BytesIO(found)) as image:
        assert image.mode == ("L" if mode == "L" else "RGB")
        assert SMALLEST_SIDE <= image.width <= LARGEST_SIDE
        assert len(found) <= most or image.width == SMALLEST_SIDE
        assert 1.7 < image.width / image.height < 1.8


def test_thumbnails_are_never_enlarged() -> None:
    """An image below the limits keeps its pixels."""
    with Image.open(BytesIO(photograph(NOISE.crop((0, 0, 30, 20)), 10**6))) as image:
        assert (30, 20) == image.size


def test_masks_that_do_not_fit_are_left_out() -> None:
    """No mask, no PNG, another size: nothing is laid over the photograph."""
    file = BytesIO()
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(file, "PNG")

    assert mask_indices(file.getvalue(), (6, 4)) is not None
    for encoded, size in ((None, (6, 4)), (b"x", (6, 4)), (file.getvalue(), (4, 6))):
        assert mask_indices(encoded, size) is None


def test_large_masks_are_reduced_without_new_values() -> None:
    """No index comes in between two others."""
    indices = np.repeat(np.array([[0, 3, 7]], np.uint8), 900, axis=0).repeat(400, axis=1)

    with Image.open(BytesIO(mask_picture(indices, bytes(range(24)), 0))) as image:
        assert (320, 240) == image.size
        assert {0, 3, 7} == set(np.unique(np.asarray(image)))


def test_a_layer_names_what_its_indices_stand_for() -> None:
    """Indices may have gaps, and the background may be any of them."""
    layer = Layer("Classes", {2: "bird"}, bytes(range(9)), 0, shown=False)

    (found,) = page_data(Album(0, "", (), (), (), layers=(layer,)), LARGEST)["layers"]

    assert {2: "bird"} == found["names"]
    assert ["#000102", "#030405", "#060708"] == found["colours"]


def test_too_much_for_a_page_is_refused(
    repositories: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the number of rows, and nothing written."""
    monkeypatch.setattr(page, "LARGEST", 20_000)

    with pytest.raises(UsageError, match="--rows"):
        write_page(str(repositories["imagenet_sketch"]), str(tmp_path / "page.html"))

    assert [] == list(tmp_path.iterdir())


def _in_out(out: Path, _: Path) -> Path:
    return out / "assets" / "page.html"


def _foreign(_: Path, folder: Path) -> Path:
    (folder / "mine.html").write_text("<!doctype html>\nmine")
    return folder / "mine.html"


def _nowhere(_: Path, folder: Path) -> Path:
    return folder / "none" / "page.html"


@pytest.mark.parametrize(
    ("place", "kind"), [(_in_out, UsageError), (_foreign, OutputError), (_nowhere, OutputError)]
)
def test_places_that_are_refused(
    repositories: dict[str, Path],
    tmp_path: Path,
    place: Callable[[Path, Path], Path],
    kind: type[RawshelfError],
) -> None:
    """The conversion's own folder, a file of somebody else, a folder that is not there."""
    path = place(repositories["imagenet_sketch"], tmp_path)
    before = path.read_bytes() if path.exists() else None

    with pytest.raises(kind) as caught:
        write_page(str(repositories["imagenet_sketch"]), str(path), Wish(rows=2))

    assert caught.value.remedy
    assert before == (path.read_bytes() if path.exists() else None)


def test_no_page_of_nothing(tmp_path: Path) -> None:
    """Without a conversion, and without a config that can be shown."""
    with pytest.raises(MissingError):
        write_page(str(tmp_path / "none"), str(tmp_path / "page.html"))

    raw = pack_folder(pairs.members(categories=("bird", "cat")), tmp_path / "raw")
    convert("spair71k", str(raw), str(tmp_path / "out"), Options(("images",)))
    with pytest.raises(UsageError, match="nothing to browse"):
        write_page(str(tmp_path / "out"), str(tmp_path / "page.html"))


def test_the_command_writes_and_replaces_the_page(
    repositories: dict[str, Path], tmp_path: Path
) -> None:
    """For people, for programs, with the rows that were asked for."""
    command = ["preview", str(repositories["imagenet_sketch"]), "--html", str(tmp_path / "p.html")]

    plain = CliRunner().invoke(cli, [*command, "--rows", "3"], catch_exceptions=False)
    listed = CliRunner().invoke(cli, [*command, "--rows", "2", "--json"], catch_exceptions=False)

    assert "3 of 25 rows" in plain.output
    found = Page(**json.loads(listed.output))
    assert (2, 25) == (found.rows, found.total)
    assert found.bytes == Path(found.path).stat().st_size
    assert 2 == CliRunner().invoke(cli, [*command, "--rows", "1001"]).exit_code
