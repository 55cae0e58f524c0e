"""The front matter of a card, read safely: limits first, then the nodes, then plain values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from rawshelf.lint.findings import Finding, finding

CARD = "README.md"
# Five times as much as the largest card known, 78.7 kB of class names (songweig/imagenet_sketch),
# with thousands of classes in several configs. Measured on this: a tenth of a second.
_MOST_CHARACTERS = 2**20
# Features nest to six or so; libyaml and Python recurse over the rest.
_DEEPEST = 64
# Values after aliases are filled in: ten times what fits into the characters as plain YAML lists.
_MOST_VALUES = 2**20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Beside its own errors the safe loader passes on those of int(), date(), hash() and its table of
# booleans.
_RAISED = (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError, LookupError)


class Matter:
    """The front matter: values, the lines on which they stand, and what is wrong with it.

    Attributes:
        values: The top-level mapping; empty if there is none to read.
        faults: Why it could not be read, or not wholly trusted.
    """

    def __init__(self, text: str, first_line: int) -> None:
        """Read a front matter.

        Args:
            text: The YAML between the dashes.
            first_line: Line of the card on which it begins, from 1.
        """
        self.values: dict[Any, Any] = {}
        self.faults: list[Finding] = []
        self._first_line = first_line
        self._node: yaml.Node | None = None
        try:
            self._read(text)
        except _RAISED as error:
            self._fault("yaml-syntax", _line(error), str(error), "YAML that a safe loader reads")

    def place(self, *path: object) -> str:
        """Return the place of a value by its path of keys and indices: line and key.

        If there is no such value, the line is that of the nearest mapping or list around it.
        """
        node, line = self._node, 0
        for key in path:
            found = _child(node, key)
            if found is None:
                break
            node, line = found
        return f"{CARD}:{line + self._first_line} {'/'.join(map(str, path))}".rstrip()

    def _fault(self, rule: str, line: int, found: object, expected: object) -> None:
        place = f"{CARD}:{line + self._first_line}"
        self.faults.append(finding(rule, place, found, expected))

    def _read(self, text: str) -> None:
        if len(text) > _MOST_CHARACTERS:
            expected = f"at most {_MOST_CHARACTERS:,} characters"
            self._fault("yaml-limit", 0, f"{len(text):,} characters", expected)
            return
        if not self._is_shallow(text):
            return
        self._node = yaml.compose(text, _LOADER)
        if self._node is None or not self._is_bounded(self._node):
            return
        self._check_nodes(self._node, set())
        if any(fault.rule == "yaml-tag" for fault in self.faults):
            return
        values = yaml.load(text, _LOADER)  # noqa: S506 - the loader is a safe one
        if isinstance(values, dict):
            self.values = values
        else:
            self._fault("front-matter", 0, type(values).__name__, "a mapping of keys to values")

    def _is_shallow(self, text: str) -> bool:
        """Look at the events, which come without recursion."""
        depth = 0
        for event in yaml.parse(text, _LOADER):
            if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                depth += 1
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                depth -= 1
            if depth > _DEEPEST:
                line = event.start_mark.line if event.start_mark else 0
                self._fault("yaml-limit", line, "deeper nesting", f"at most {_DEEPEST} levels")
                return False
        return True

    def _is_bounded(self, root: yaml.Node) -> bool:
        """Count the values that the aliases stand for, without filling them in."""
        try:
            count = _count(root, {}, set())
        except RecursionError:
            found = "values within themselves, or nested deeply through aliases"
            self._fault("yaml-limit", 0, found, "no such aliases")
            return False
        if count > _MOST_VALUES:
            expected = f"at most {_MOST_VALUES:,}"
            self._fault("yaml-limit", 0, f"{count:,} values behind aliases", expected)
        return count <= _MOST_VALUES

    def _check_nodes(self, node: yaml.Node, seen: set[int]) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        if _is_foreign(node.tag):
            expected = "plain values"
            self._fault("yaml-tag", node.start_mark.line, f"the tag {node.tag}", expected)
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
        for child in _children(node):
            self._check_nodes(child, seen)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        known: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in known:
                found = f"the key {key.value!r} twice"
                self._fault("yaml-duplicate", key.start_mark.line, found, "each key once")
            known.add((key.tag, key.value))


def _is_foreign(tag: str) -> bool:
    core = {"null", "bool", "int", "float", "timestamp", "str", "seq", "map", "merge", "value"}
    prefix, _, name = tag.rpartition(":")
    return prefix != "tag:yaml.org,2002" or name not in core


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    for item in node.value if isinstance(node, yaml.CollectionNode) else ():
        yield from item if isinstance(item, tuple) else (item,)


def _count(node: yaml.Node, known: dict[int, int], within: set[int]) -> int:
    """Return the number of values of a node; one within itself, or too deep, is refused."""
    if id(node) in within or len(within) > _DEEPEST:
        raise RecursionError
    if id(node) not in known:
        inner = within | {id(node)}
        known[id(node)] = 1 + sum(_count(child, known, inner) for child in _children(node))
    return known[id(node)]


def _child(node: yaml.Node | None, key: object) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return value, name.start_mark.line
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        item = node.value[key]
        return item, item.start_mark.line
    return None


def _line(error: Exception) -> int:
    mark = getattr(error, "problem_mark", None)
    return 0 if mark is None else int(mark.line)
