"""A strict reader of BibTeX entries: enough to tell whether BibTeX would read them.

Written here because the readers at hand either repair what they read or need a grammar library.
The grammar is that of BibTeX's own manual: an entry is ``@type{key, field = value, ...}``, and a
value is a number, a name, ``{balanced}`` or ``"balanced"`` text, joined by ``#``.
"""

from __future__ import annotations

import re

_SPACE = re.compile(r"(\s|%[^\n]*)*")
_NAME = re.compile(r"[A-Za-z][\w:.+/-]*")
_KEY = re.compile(r"[^\s,{}\"#%~\\()=]+")
_NUMBER = re.compile(r"\d+")
_DEFINITIONS = {"string", "preamble", "comment"}


class BibtexError(ValueError):
    """Text that is no BibTeX.

    Attributes:
        line: Line on which reading stopped, from 0.
    """

    def __init__(self, expected: str, text: str, place: int) -> None:
        """Say what should have come at a place in the text."""
        self.line = text.count("\n", 0, place)
        found = text[place : place + 20].split("\n", maxsplit=1)[0] or "the end"
        super().__init__(f"{found!r} where {expected} should be")


def parse(text: str) -> list[tuple[str, str, dict[str, str]]]:
    r"""Return the entries of a text: type, key, and fields as they stand between the braces.

    Raises:
        BibtexError: If BibTeX would not read it, a key comes twice, or there is no entry.

    >>> parse("@misc{a, title = {The {B}}, year = 2019}")
    [('misc', 'a', {'title': 'The {B}', 'year': '2019'})]
    """
    reader = _Reader(text)
    entries = []
    keys: set[str] = set()
    while not reader.at_end():
        place = reader.place
        kind, key, fields = reader.entry()
        if key in keys:
            raise BibtexError("a key that no other entry has", text, place)
        keys.add(key)
        entries.append((kind, key, fields))
    if not entries:
        raise BibtexError("an entry", text, 0)
    return entries


class _Reader:
    """A place in a text that moves on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def at_end(self) -> bool:
        self._skip()
        return self.place == len(self.text)

    def entry(self) -> tuple[str, str, dict[str, str]]:
        self._take("@")
        kind = self._match(_NAME, "a type of entry").lower()
        if kind in _DEFINITIONS:
            raise BibtexError("an entry of the literature", self.text, self.place)
        self._take("{")
        key = self._match(_KEY, "a key")
        fields: dict[str, str] = {}
        while self._take_one_of(",}") == ",":
            self._skip()
            if self.text.startswith("}", self.place):
                self.place += 1
                break
            place = self.place
            name = self._match(_NAME, "a field").lower()
            if name in fields:
                raise BibtexError("a field that the entry does not have yet", self.text, place)
            self._take("=")
            fields[name] = self._value()
        return kind, key, fields

    def _value(self) -> str:
        parts = [self._part()]
        self._skip()
        while self.text.startswith("#", self.place):
            self.place += 1
            parts.append(self._part())
            self._skip()
        return "".join(parts)

    def _part(self) -> str:
        self._skip()
        first = self.text[self.place : self.place + 1]
        if first in {"{", '"'}:
            return self._delimited("}" if first == "{" else '"')
        return self._match(_NUMBER if first.isdigit() else _NAME, "a value")

    def _delimited(self, end: str) -> str:
        start = self.place + 1
        depth = 0
        for place in range(start, len(self.text)):
            letter = self.text[place]
            if depth == 0 and letter == end:
                self.place = place + 1
                return self.text[start:place]
            depth += (letter == "{") - (letter == "}")
            if depth < 0:
                break
        raise BibtexError(f"a value that ends with {end}", self.text, self.place)

    def _match(self, pattern: re.Pattern[str], expected: str) -> str:
        self._skip()
        found = pattern.match(self.text, self.place)
        if found is None:
            raise BibtexError(expected, self.text, self.place)
        self.place = found.end()
        return found[0]

    def _take(self, letter: str) -> None:
        self._take_one_of(letter)

    def _take_one_of(self, letters: str) -> str:
        self._skip()
        found = self.text[self.place : self.place + 1]
        if not found or found not in letters:
            raise BibtexError(" or ".join(letters), self.text, self.place)
        self.place += 1
        return found

    def _skip(self) -> None:
        found = _SPACE.match(self.text, self.place)
        self.place = found.end() if found else self.place
