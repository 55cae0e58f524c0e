"""``rawshelf preview --html``: one file in which a person browses a sample of a conversion.

The file holds all that it shows and asks the network for nothing, which its content security policy
enforces. Values of rows stand in it as in the Parquet files; boxes and points are drawn from them
by the browser, in pixels of the original.
"""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib import resources
from string import Template

from rawshelf import catalog
from rawshelf.builds import open_build
from rawshelf.errors import OutputError, UsageError
from rawshelf.files import publish
from rawshelf.preview.album import Album
from rawshelf.preview.page_data import json_text, page_data
from rawshelf.preview.pictures import Wish
from rawshelf.preview.reading import Conversion
from rawshelf.release import Dataset, Release

# Ours: a file that a mail takes and a phone opens.
LARGEST = 15_000_000
ROWS = 216  # four pairs of each category and split of SPair-71k
MOST_ROWS = 1000  # beyond, thumbnails would be too small to look at
_FRAME = 100_000  # bytes for the page's own text, style and script, which take about a third
_START = "<!doctype html>\n<!-- rawshelf preview -->\n"


@dataclass(frozen=True)
class Page:
    """A page that was written.

    Attributes:
        path: Where.
        bytes: Its size.
        rows: How many rows it shows.
        total: Of how many.
    """

    path: str
    bytes: int
    rows: int
    total: int


def write_page(out: str, path: str, wish: Wish | None = None) -> Page:
    """Write a page that shows rows of a conversion. The conversion is not changed.

    The same conversion, wish and version of Pillow give the same bytes.

    Args:
        out: Folder of the conversion.
        path: The file to write, outside of that folder. A page that is there is replaced.
        wish: How to choose the rows; `ROWS` of them if it does not say.

    Raises:
        MissingError: If there is no conversion.
        OutputError: If a file of it is damaged, or the page cannot be written.
        UsageError: If it has nothing to show, or the rows do not fit into `LARGEST`.
    """
    _check_place(out, path)
    wish = wish or Wish()
    build = open_build(out)
    dataset = catalog.find(build.release.name)
    album = _album(dataset, Conversion(out, build.records), Wish(wish.seed, wish.rows or ROWS))
    content = _render(build.release, album, wish.seed).encode("ascii")
    if len(content) > LARGEST:
        raise UsageError(
            "The page would be too large.",
            field="rows",
            found=f"{len(content):,} bytes with {len(album.items):,} rows",
            expected=f"at most {LARGEST:,} bytes",
            remedy="Ask for fewer rows with --rows.",
        )
    _write(path, content)
    return Page(path, len(content), len(album.items), album.total)


def _check_place(out: str, path: str) -> None:
    root, place = os.path.realpath(out), os.path.realpath(path)
    if os.path.commonpath([root, place]) == root:
        raise UsageError(
            "The page cannot stand in the conversion's folder, which holds only what its manifest "
            "lists.",
            field="html",
            found=path,
            remedy="Name a file in another folder.",
        )


def _album(dataset: Dataset, conversion: Conversion, wish: Wish) -> Album:
    shelf = dataset.tools().shelf
    configs = conversion.best(shelf.needs) if shelf else ()
    if shelf is None or not configs:
        needs = " or ".join(" and ".join(each) for each in shelf.needs) if shelf else "a page"
        raise UsageError(
            "This conversion has nothing to browse.",
            archive=conversion.root,
            field="config",
            found=", ".join(conversion.configs) or "none",
            expected=needs,
            remedy="Convert the release with one of these configs.",
        )
    return shelf.fill(conversion, configs, wish)


def _write(path: str, content: bytes) -> None:
    try:
        if os.path.lexists(path):
            _refuse_foreign(path)
        with publish(os.path.abspath(path)) as temporary, open(temporary, "wb") as file:
            file.write(content)
    except OSError as error:
        raise OutputError(
            "The page cannot be written.",
            archive=path,
            found=error.strerror or str(error),
            remedy="Name a file in a folder that exists, can be written and has space.",
        ) from error


def _refuse_foreign(path: str) -> None:
    start = _START.encode("ascii")
    with open(path, "rb") as file:
        if file.read(len(start)) == start:
            return
    raise OutputError(
        "There is a file that rawshelf did not write.",
        archive=path,
        remedy="Name another file, or move this one away.",
    )


def _render(release: Release, album: Album, seed: int) -> str:
    texts = resources.files(__package__)
    style, drawing, script = (
        texts.joinpath(name).read_text("utf-8") for name in ("page.css", "drawing.js", "page.js")
    )
    page = Template(texts.joinpath("page.html").read_text("utf-8"))
    return _START + page.substitute(
        policy=f"default-src 'none'; img-src data:; style-src {_source(style)}; "
        f"script-src {_source(drawing)} {_source(script)}; base-uri 'none'; form-action 'none'",
        title=_text(release.title),
        summary=_text(release.summary),
        homepage=_text(release.homepage),
        paper=_text(release.paper),
        licence=_text(release.licence),
        sample=_text(_sample(album, seed)),
        style=style,
        drawing=drawing,
        script=script,
        data=json_text(page_data(album, LARGEST - _FRAME)),
    )


def _source(text: str) -> str:
    """Return what a content security policy calls an element of this text."""
    return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _text(text: str) -> str:
    """Return a text that is only a text in HTML, in ASCII."""
    return escape(text).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _sample(album: Album, seed: int) -> str:
    shown = len(album.items)
    if shown == album.total:
        return f"All {shown:,} rows of this conversion."
    return (
        f"{shown:,} of the {album.total:,} rows of this conversion, chosen at random (seed {seed}) "
        f"and spread evenly over {album.spread}: shares here are not those of the dataset."
    )
