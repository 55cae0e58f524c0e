"""Browsing the page of a conversion: filters, one row after the other, the keyboard, the window."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rawshelf.imagenet_sketch.columns import TRANSFORM
from rawshelf.partimagenet.columns import PART, SUPERCATEGORY
from rawshelf.spair71k.columns import CATEGORY, OCCLUSION, SCALE, TRUNCATION, VIEWPOINT
from tests.browser import Browser
from tests.repositories import NAMES

Values = Mapping[str, set[str]]
Row = dict[str, Any]

WIDE, NARROW = (1280, 900), (400, 800)
READABLE = 4.5  # least contrast of text; WCAG 2.2, 1.4.3
STEP = 48  # rows that are listed at a time
PIXELS = ("image", "mask", "segmentation")
KEYS = {"Enter": (13, "\r"), " ": (32, " "), "Escape": (27, ""), "Tab": (9, "")}
ARROWS = {"ArrowLeft": (37, ""), "ArrowRight": (39, "")}

_CHOOSE = """(() => {
  for (const [key, name] of Object.entries(%s)) {
    const select = document.getElementById(`facet-${key}`);
    const words = (option) => option.textContent.replace(/ [(]\\d+[)]$/, "");
    select.value = [...select.options].find((option) => words(option) === name).value;
    select.dispatchEvent(new Event("change"));
  }
})()"""

_MORE = "for (const more = document.getElementById('more'); !more.hidden; ) more.click()"
_LISTED = "[...document.querySelectorAll('.card')].map((card) => card.title).sort()"

_CHOSEN = "document.querySelector('#facet-%s option:checked').textContent"
_COUNT = "document.getElementById('count').textContent"

_COLOURS = """(() => {
  const style = getComputedStyle(document.documentElement);
  const valueOf = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["ground", "panel", "sunk", "ink", "muted", "accent"];
  return Object.fromEntries(names.map((name) => [name, valueOf(name)]));
})()"""


def rows(out: Path, config: str) -> Iterator[Row]:
    """Yield the rows of a config without pixels, with their split."""
    for file in sorted((out / "data" / config).glob("*.parquet")):
        names = [name for name in pq.read_schema(file).names if not name.endswith(PIXELS)]
        for row in pq.read_table(file, columns=names).to_pylist():
            yield {**row, "split": file.name.partition("-")[0]}


def _pairs(out: Path) -> Iterator[tuple[str, Values]]:
    for row in rows(out, "pairs"):
        yield (
            row["name"],
            {
                "split": {row["split"]},
                "category": {CATEGORY.names[row["category"]]},
                "viewpoint_variation": {VIEWPOINT.names[row["viewpoint_variation"]]},
                "scale_variation": {SCALE.names[row["scale_variation"]]},
                "truncation": {TRUNCATION.names[row["truncation"]]},
                "occlusion": {OCCLUSION.names[row["occlusion"]]},
                "layout": {"large", "small"} if row["in_small"] else {"large"},
            },
        )


def _sketches(out: Path) -> Iterator[tuple[str, Values]]:
    quality = list(rows(out, "quality"))
    repeated = {row["copy_of"] for row in quality}
    for row in quality:
        flags = {TRANSFORM.names[row["transform"]]} - {"none"}
        flags |= {"constant"} if row["is_constant"] else set()
        flags |= {"is repeated"} if row["quality_of"] in repeated else set()
        yield row["quality_of"], {"flag": flags or {"none found"}}


def _photographs(out: Path) -> Iterator[tuple[str, Values]]:
    for config in ("seg", "ood"):
        for row in rows(out, config):
            yield (
                row["file_name"],
                {
                    "config": {config},
                    "split": {row["split"]},
                    "supercategory": {SUPERCATEGORY.names[row["supercategory"]]},
                    "part": {PART.names[category] for category in row["parts"]["category"]},
                },
            )


ROWS: dict[str, Callable[[Path], Iterator[tuple[str, Values]]]] = {
    "spair71k": _pairs,
    "imagenet_sketch": _sketches,
    "partimagenet": _photographs,
}
TOGETHER = {
    "spair71k": {"split": "train", "viewpoint_variation": "easy", "truncation": "both"},
    "imagenet_sketch": {"flag": "mirror", "class": "goldfish, Carassius auratus"},
    "partimagenet": {"config": "seg", "part": "Quadruped Foot", "split": "train"},
}


@pytest.mark.parametrize("name", NAMES)
def test_filters_list_the_rows_that_the_files_hold(
    browser: Browser, pages: Path, repositories: dict[str, Path], name: str
) -> None:
    """Each value of each property alone, counted and listed."""
    known = list(ROWS[name](repositories[name]))
    browser.open(pages / f"{name}.html")
    browser.run(_MORE)
    assert sorted(row for row, _ in known) == browser.run(_LISTED)

    for key in known[0][1]:
        for value in set.union(*(set(values[key]) for _, values in known)):
            expected = sorted(row for row, values in known if value in values[key])
            browser.run(_CHOOSE % json.dumps({key: value}))
            chosen, count, listed = browser.run(f"[{_CHOSEN % key}, {_COUNT}, {_LISTED}]")
            of = f" of {len(known)}" if len(expected) < len(known) else ""
            assert (f"{value} ({len(expected)})", f"{len(expected)}{of} rows") == (chosen, count)
            assert listed == expected if len(expected) <= STEP else set(listed) <= set(expected)
        browser.run(_CHOOSE % json.dumps({key: "any"}))


@pytest.mark.parametrize("name", NAMES)
def test_filters_work_together_and_stay_in_the_address(
    browser: Browser, pages: Path, repositories: dict[str, Path], name: str
) -> None:
    """A page that is opened under the address of another lists the same rows."""
    wanted = TOGETHER[name]
    known = ROWS[name](repositories[name])
    expected = sorted(
        row
        for row, values in known
        if all(value in values[key] for key, value in wanted.items() if key in values)
    )
    browser.open(pages / f"{name}.html")

    browser.run(_CHOOSE % json.dumps(wanted))
    found, fragment = browser.run(_LISTED), browser.run("location.hash")
    browser.open(pages / f"{name}.html", fragment)

    if name == "imagenet_sketch":
        expected = [row for row in expected if "n01443537" in row]
    assert 0 < len(expected)
    assert expected == found == browser.run(_LISTED)


def press(browser: Browser, *names: str) -> None:
    """Press keys one after the other."""
    for name in names:
        code, text = {**KEYS, **ARROWS}[name]
        browser.press(name, code, text)


def test_the_keyboard_is_enough(browser: Browser, pages: Path) -> None:
    """Tab to a row, open it, go through its neighbours, change what is drawn, and back."""
    browser.look(*WIDE)
    browser.open(pages / "spair71k.html")
    focused = "document.activeElement.dataset.row ?? document.activeElement.id"
    row = "new URLSearchParams(location.hash.slice(1)).get('row')"

    seen = []
    while browser.run(focused) != "1":
        press(browser, "Tab")
        seen.append(browser.run(focused))
    press(browser, "Enter")
    assert ("1", "heading") == (browser.run(row), browser.run(focused))
    press(browser, "ArrowRight", "ArrowRight", "ArrowLeft")
    assert "2" == browser.run(row)
    count = "document.querySelectorAll('#stage .link').length"
    assert browser.run(count) > 0
    while browser.run(focused) != "toggle-lines":
        press(browser, "Tab")
    press(browser, " ")
    assert 0 == browser.run(count)
    press(browser, "Escape")
    while browser.run(row) is not None:  # the dialog tells of its end a moment later
        pass

    assert ["query", "facet-split", "facet-category"] == [each for each in seen if each][:3]
    assert [False, "2"] == browser.run(f"[document.getElementById('detail').open, {focused}]")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", NAMES)
def test_everything_fits_into_the_window(
    browser: Browser, pages: Path, name: str, size: tuple[int, int]
) -> None:
    """Nothing lies beyond the right edge, in the list or in a row."""
    browser.look(*size)
    browser.open(pages / f"{name}.html")
    beyond = """((root) => [...root.querySelectorAll(":not(svg *)")].filter((each) =>
      each.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    ).map((each) => each.outerHTML.slice(0, 80)))(%s)"""

    assert [] == browser.run(beyond % "document.body")
    for place in (0, 7, 20):
        browser.run(f"document.querySelectorAll('.card')[{place}].click()")
        browser.run("document.getElementById('values').open = true")
        assert [] == browser.run(beyond % "document.getElementById('detail')")
        browser.run("document.getElementById('close').click()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(browser: Browser, pages: Path, scheme: str) -> None:
    """All inks on all grounds, and the grounds are those of the scheme."""
    browser.look(*WIDE, scheme)
    browser.open(pages / "imagenet_sketch.html")

    colours = browser.run(_COLOURS)
    light = {name: _luminance(colour) for name, colour in colours.items()}

    assert (scheme == "light") == (light["ground"] > 0.5)
    for ink in ("ink", "muted", "accent"):
        for ground in ("ground", "panel", "sunk"):
            low, high = sorted((light[ink], light[ground]))
            assert (high + 0.05) / (low + 0.05) > READABLE, (ink, ground)


def _luminance(colour: str) -> float:
    """Return the relative luminance of a colour #rrggbb, as WCAG defines it."""
    levels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in levels]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
