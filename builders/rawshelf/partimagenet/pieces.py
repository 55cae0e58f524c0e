"""Cuts the list of annotations out of the text of a COCO file, a few megabytes at a time.

Cutting text at "},{" is safe: inside a string or a nested list it leaves brackets unbalanced, so
that the piece does not parse, and then the file is parsed as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_WINDOW = 2 << 20
OPENS = re.compile(rb'"annotations"\s*:\s*\[')
_EMPTY = re.compile(rb"\s*\]")
_CLOSES = re.compile(rb"\}(?=\s*\]\s*[,}])")
_NEXT = re.compile(rb"\}\s*,\s*(?=\{)")


class Unusual(Exception):  # noqa: N818 - leads to the strict parse, never to the user
    """A text that the quick way does not read."""


def pieces(data: memoryview, start: int) -> Iterator[tuple[bytes, int]]:
    """Yield annotations without their brackets, each with where the text behind them begins.

    Raises:
        Unusual: If the list has no end, or an entry none.
    """
    if _EMPTY.match(data, start):
        return
    size = _WINDOW
    while True:
        window = bytes(data[start : start + size])
        closes = _CLOSES.search(window)
        if closes is not None:
            yield window[: closes.end()], start + closes.end()
            return
        cut = _last_boundary(window)
        if cut is not None:
            yield window[: cut.start() + 1], start + cut.end()
            start += cut.end()
        elif start + size >= len(data):
            raise Unusual
        else:
            size *= 2


def _last_boundary(window: bytes) -> re.Match[bytes] | None:
    place = window.rfind(b"}")
    while place >= 0:
        match = _NEXT.match(window, place)
        if match is not None:
            return match
        place = window.rfind(b"}", 0, place)
    return None
