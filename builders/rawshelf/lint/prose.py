"""The card's text: links, images, headings, code blocks, citations, what was left to fill in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rawshelf.bibtex import BibtexError, parse
from rawshelf.lint.findings import Finding, finding
from rawshelf.lint.matter import CARD
from rawshelf.lint.repository import Repository

# The Hub's template says "[More Information Needed]"; the other is what templating engines leave.
_PLACEHOLDER = re.compile(r"\[More Information Needed\]|\{\{[\w.\s|]+\}\}", re.IGNORECASE)
_LOCAL = re.compile(r"/(home|Users|tmp|mnt|root|data|scratch)/|[A-Za-z]:[\\/]|file:|~/")
# GitHub's anchors, which the Hub follows: lower case, punctuation dropped, spaces to dashes.
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


class _Target(NamedTuple):
    """Where a link or an image leads to, and the line of its block."""

    address: str
    line: int


class _Page:
    """What the checks need of a parsed text."""

    def __init__(self, text: str, first_line: int) -> None:
        """Parse the text as CommonMark with tables."""
        self.lines = text.splitlines()
        parser = MarkdownIt("commonmark").enable("table")
        # A link to file:// is to be found, not left as text.
        parser.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005
        self.blocks = parser.parse(text)
        self._first_line = first_line
        self.targets: list[_Target] = []
        self.silent: list[_Target] = []
        self.anchors: set[str] = set()
        for number, block in enumerate(self.blocks):
            if block.type == "inline":
                self._inline(block)
            elif block.type == "html_block":
                self._html(block.content, self.line(block))
            if block.type == "heading_open":
                self.anchors.add(_anchor(_plain(self.blocks[number + 1])))

    def line(self, token: Token) -> int:
        """Return the line of a block, from 1, in the card."""
        return (token.map[0] if token.map else 0) + self._first_line

    def _inline(self, block: Token) -> None:
        line = self.line(block)
        for token in block.children or []:
            if token.type == "link_open":
                self.targets.append(_Target(str(token.attrGet("href") or ""), line))
            elif token.type == "image":
                target = _Target(str(token.attrGet("src") or ""), line)
                self.targets.append(target)
                if not token.content.strip():
                    self.silent.append(target)
            elif token.type == "html_inline":
                self._html(token.content, line)

    def _html(self, text: str, line: int) -> None:
        tags = _Tags()
        # The parser asserts that marked sections of SGML are of a known kind; others are no links.
        with suppress(AssertionError):
            tags.feed(text)
        self.targets += [_Target(address, line) for address in tags.addresses]
        self.silent += [_Target(address, line) for address in tags.silent]
        self.anchors |= tags.anchors


class _Tags(HTMLParser):
    """The links, images and anchors of some HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.silent: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one tag."""
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.addresses.append(found["href"])
        if tag in {"img", "source"}:
            self.addresses += [found[name] for name in ("src", "srcset") if name in found]
        if tag == "img" and not found.get("alt", "").strip():
            self.silent.append(found.get("src", ""))


def check(repository: Repository) -> Iterator[Finding]:
    """Check the text after the front matter."""
    page = _Page(repository.prose, repository.prose_line)
    yield from _placeholders(repository)
    for number, block in enumerate(page.blocks):
        if block.type == "heading_open" and not _plain(page.blocks[number + 1]).strip():
            place = f"{CARD}:{page.line(block)}"
            yield finding("heading-empty", place, "a heading without text", "a title")
        if block.type == "fence":
            yield from _fence(page, block)
    for target in page.targets:
        yield from _link(repository, page, target)
    for target in page.silent:
        place = f"{CARD}:{target.line}"
        yield finding("image-alt", place, f"{target.address} without a text", "a description")


def _placeholders(repository: Repository) -> Iterator[Finding]:
    for number, line in enumerate(repository.prose.splitlines(), repository.prose_line):
        for match in _PLACEHOLDER.finditer(line):
            yield finding("placeholder", f"{CARD}:{number}", match[0], "the text itself")


def _fence(page: _Page, block: Token) -> Iterator[Finding]:
    line = page.line(block)
    last = page.lines[block.map[1] - 1] if block.map else ""
    if not _closes(last, block.markup) or (block.map and block.map[1] - block.map[0] == 1):
        yield finding("fence-open", f"{CARD}:{line}", "no end of the code block", block.markup)
        return
    if block.info.strip().lower() in {"bibtex", "bib", "biblatex"}:
        try:
            parse(block.content)
        except BibtexError as error:
            place = f"{CARD}:{line + 1 + error.line}"
            yield finding("bibtex", place, error, "an entry that BibTeX reads")


def _closes(line: str, markup: str) -> bool:
    text = line.strip(" \t>")
    return len(text) >= len(markup) and set(text) == {markup[0]}


def _link(repository: Repository, page: _Page, target: _Target) -> Iterator[Finding]:
    place = f"{CARD}:{target.line}"
    if _LOCAL.match(unquote(target.address)):
        yield finding("link-local", place, target.address, "a path within the repository")
        return
    try:
        parts = urlsplit(target.address)
    except ValueError as error:
        yield finding("link-broken", place, f"{target.address} ({error})", "an address")
        return
    if parts.scheme or parts.netloc:
        return
    path = unquote(parts.path)
    if path and not _exists(repository, path):
        yield finding("link-broken", place, target.address, "a file of this repository")
    elif not path and not parts.fragment:
        yield finding("link-broken", place, "an empty address", "an address")
    elif not path and unquote(parts.fragment).lower() not in page.anchors:
        expected = f"one of {', '.join(sorted(page.anchors))}"
        yield finding("anchor-broken", place, target.address, expected)


def _exists(repository: Repository, path: str) -> bool:
    relative = os.path.normpath(path.lstrip("/"))
    inside = not relative.startswith("..") and "\0" not in relative
    return inside and os.path.exists(os.path.join(repository.folder, relative))


def _plain(inline: Token) -> str:
    """Return the text of a heading without its markup."""
    children = inline.children or []
    return "".join(token.content for token in children if token.type in {"text", "code_inline"})


def _anchor(text: str) -> str:
    return _NOT_IN_ANCHORS.sub("", text.strip().lower()).replace(" ", "-")
