"""What the page of a conversion shows in a browser: rows and what is drawn over them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rawshelf import catalog
from rawshelf.features import Column, Value
from rawshelf.miniature import mark_colour
from rawshelf.partimagenet import miniature as parts
from rawshelf.partimagenet.release import PART_BACKGROUND
from rawshelf.preview.album import Album, Facet, Item, Shelf, View
from rawshelf.preview.page import LARGEST, write_page
from rawshelf.spair71k import miniature as pairs
from tests.browser import Browser
from tests.repositories import NAMES

WINDOW = (1280, 900)
HOSTILE = """</script><img src=x onerror="hacked=1">'"><!--${policy}$data&lt;\u2028"""
PHOTO = parts.file_names("n02422699", 1)[0]

_OPEN_ALL = """(async () => {
  const broken = [];
  for (const card of [...document.querySelectorAll(".card")].slice(0, 24)) {
    card.click();
    for (const box of document.querySelectorAll("#toggles :not(:checked)")) box.click?.();
    for (const button of document.querySelectorAll("#legend button")) button.focus();
    for (const { href } of document.querySelectorAll("#stage image")) {
      const image = new Image();
      image.src = href.baseVal;
      await image.decode().catch(() => broken.push(href.baseVal));
    }
  }
  return { broken, cards: document.querySelectorAll(".card").length };
})()"""

_DRAWN = """(() => {
  const number = (shape, name) => [name, Number(shape.getAttribute(name))];
  const all = (kind, names) => [...document.querySelectorAll(`#stage ${kind}`)].map((shape) => ({
    key: shape.closest("[data-key]")?.dataset.key ?? null,
    colour: shape.getAttribute("fill") ?? shape.getAttribute("stroke"),
    href: shape.getAttribute("href"),
    ...Object.fromEntries(names.map((name) => number(shape, name))),
  }));
  const place = ["x", "y", "width", "height"];
  return {
    images: all("image:not(.mask)", place),
    masks: all("image.mask", place),
    boxes: all("rect.box", place),
    points: all("circle.point", ["cx", "cy"]),
    lines: all("line.link", ["x1", "y1", "x2", "y2"]),
  };
})()"""

_TEXTS = """[
  document.title.replace(/: rows of a conversion$/, ""),
  document.querySelector("h1").textContent,
  document.querySelector(".card strong").textContent,
  document.getElementById("heading").textContent,
  document.getElementById("name").textContent,
  document.querySelector("#facts strong").textContent,
  document.querySelector("#row th").textContent,
  document.querySelector("#row small").textContent,
  JSON.parse(document.querySelector("#row td").firstChild.textContent),
]"""

Shape = dict[str, Any]


def opened(browser: Browser, path: Path, name: str, place: int = 0) -> dict[str, list[Shape]]:
    """Open a page, look for the rows of a name, and return what is drawn for one of them."""
    browser.look(*WINDOW)
    browser.open(path)
    browser.run(f"document.getElementById('query').value = {json.dumps(name)}")
    browser.run("document.getElementById('query').dispatchEvent(new Event('input'))")
    browser.run(f"document.querySelectorAll('.card')[{place}].click()")
    assert name in browser.run("document.getElementById('name').textContent")
    found: dict[str, list[Shape]] = browser.run(_DRAWN)
    return found


def pixels(image: Shape, size: tuple[int, int], shape: Shape) -> list[float]:
    """Return the edges of a box, or the middle of a point, in pixels of the original."""
    if "cx" in shape:
        edges = [shape["cx"], shape["cy"]]
    else:
        left, top = shape["x"], shape["y"]
        edges = [left, top, left + shape["width"], top + shape["height"]]
    scale = (image["width"] / size[0], image["height"] / size[1])
    return [(edge - image["xy"[k % 2]]) / scale[k % 2] for k, edge in enumerate(edges)]


def picture(image: Shape) -> Image.Image:
    """Return a picture of the open row."""
    return Image.open(BytesIO(base64.b64decode(image["href"].partition("base64,")[2])))


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_from_a_file_and_asks_for_nothing(
    browser: Browser, pages: Path, name: str
) -> None:
    """Nothing is fetched, blocked or complained of, whatever is opened, and the file is small."""
    path = pages / f"{name}.html"
    browser.look(*WINDOW)

    browser.open(path)
    found = browser.run(_OPEN_ALL)

    assert [] == found["broken"]
    assert found["cards"] > 20
    assert ([], [path.as_uri()]) == (browser.complaints, browser.requests)
    assert path.stat().st_size < LARGEST


@pytest.mark.parametrize("category", ["aeroplane", "cat", "tvmonitor"])
def test_a_pair_shows_its_points_where_they_were_drawn(
    browser: Browser, pages: Path, category: str
) -> None:
    """Points and boxes have the coordinates of the annotation, and points lie on their marks."""
    images = [image for image in pairs.annotations()["val"] if image["category"] == category]
    one, other = (image["filename"][:-4] for image in images)

    shapes = opened(browser, pages / "spair71k.html", f"{one}-{other}:{category}")

    points = iter(shapes["points"])
    common = [key for key in images[0]["kps"] if all(image["kps"][key] for image in images)]
    for image, place, box in zip(images, shapes["images"], shapes["boxes"], strict=True):
        size = image["image_width"], image["image_height"]
        left, top, right, bottom = image["bndbox"]
        assert pixels(place, size, box) == pytest.approx([left - 1, top - 1, right, bottom])
        with picture(place) as photograph:
            assert size == photograph.size
            for key in common:
                point = next(points)
                x, y = image["kps"][key]
                assert f"point{key}" == point["key"]
                assert pixels(place, size, point) == pytest.approx([x + 0.5, y + 0.5])
                assert _distance(photograph.getpixel((x, y)), mark_colour(int(key))) < 90
    _check_lines(shapes, len(common))


def _distance(colour: Any, other: tuple[int, int, int]) -> int:
    differences = [abs(a - b) for a, b in zip(colour, other, strict=True)]
    return int(max(differences))


def _check_lines(shapes: dict[str, list[Shape]], count: int) -> None:
    """Check that each line joins the two points of an id, in their colour."""
    sources, targets = shapes["points"][:count], shapes["points"][count:]
    for source, target, line in zip(sources, targets, shapes["lines"], strict=True):
        assert [source["cx"], source["cy"]] == [line["x1"], line["y1"]]
        assert [target["cx"], target["cy"]] == [line["x2"], line["y2"]]
        assert {line["colour"]} == {source["colour"], target["colour"]}


@pytest.mark.parametrize("place", [0, 1], ids=["seg", "ood"])
def test_parts_have_their_boxes_and_masks(browser: Browser, pages: Path, place: int) -> None:
    """Boxes are those of the COCO file; the mask lies where the photograph shows parts."""
    coco = parts.document([PHOTO], side=48)
    size = coco["images"][0]["width"], coco["images"][0]["height"]

    shapes = opened(browser, pages / "partimagenet.html", PHOTO, place)

    (image,), (mask,) = shapes["images"], shapes["masks"]
    assert pixels(image, size, mask) == pytest.approx([0, 0, *size])
    for annotation, box in zip(coco["annotations"], shapes["boxes"], strict=True):
        left, top, width, height = annotation["bbox"]
        edges = [left, top, left + width, top + height]
        assert f"kind{annotation['category_id']}" == box["key"]
        assert pixels(image, size, box) == pytest.approx(edges)
    with picture(image) as photograph, picture(mask) as indices:
        covered = np.asarray(indices) != PART_BACKGROUND
        saturation = np.asarray(photograph.convert("HSV"))[..., 1]
    assert saturation[covered].mean() > 200
    assert saturation[~covered].mean() < 90


def test_words_keep_apart(browser: Browser, pages: Path) -> None:
    """Names of parts that stand close together do not cover each other."""
    shapes = opened(browser, pages / "partimagenet.html", PHOTO)

    words = browser.run(
        """[...document.querySelectorAll("#stage .word")].map((word) => {
          const { left, top, right, bottom } = word.getBoundingClientRect();
          return [left, top, right, bottom];
        })"""
    )

    assert len(shapes["boxes"]) == len(words) > 4
    for place, (left, top, right, bottom) in enumerate(words):
        for other in words[:place]:
            beside = right <= other[0] or other[2] <= left
            assert beside or bottom <= other[1] + 2 or other[3] <= top + 2


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> str:
    """Let all words of a release be hostile, and return them."""
    word = HOSTILE
    album = Album(
        total=1,
        spread=word,
        facets=(Facet("facet", word, (word, "other")), Facet("class", "Class", ("a", "b"))),
        items=[
            Item(word, word, word, ((0,), (n,)), {word: word}, (View(word, None, (4, 3)),), (0,))
            for n in (0, 1)
        ],
        columns=(Column(word, Value("string"), word),),
    )
    dataset = catalog.find("imagenet_sketch")
    release = replace(
        dataset.release, title=word, summary=word, licence=word, homepage=word, paper=word
    )
    tools = replace(dataset.tools(), shelf=Shelf((("default",),), lambda *_: album))
    changed = replace(dataset, release=release, tools=lambda: tools)
    found = SimpleNamespace(find=lambda _: changed)
    for module in ("preview.page", "builds"):
        monkeypatch.setattr(f"rawshelf.{module}.catalog", found)
    return word


def test_text_is_only_text(
    browser: Browser, repositories: dict[str, Path], tmp_path: Path, hostile: str
) -> None:
    """Names that are markup are shown letter for letter, and nothing of them is run."""
    path = tmp_path / "page.html"
    write_page(str(repositories["imagenet_sketch"]), str(path))

    browser.open(path)
    browser.run("document.querySelector('.card').click()")

    assert [hostile] * 9 == browser.run(_TEXTS)
    assert [0, False] == browser.run("[document.images.length, 'hacked' in window]")
    assert ([], [path.as_uri()]) == (browser.complaints, browser.requests)
    assert "<img" not in path.read_text("ascii")
