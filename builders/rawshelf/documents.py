"""Many small JSON documents at once, straight into typed Arrow columns.

All documents of a kind are joined and parsed by Arrow's JSON reader under an explicit schema: an
unknown key, a duplicate key, a value of another type or out of range is an error, and so is a
null where the schema says that a field must be there. When a batch fails, the culprit is found by
halving the batch.

Joining is safe: each document begins with "{" and ends with "}", strings hold no line break, and
nothing but white space may stand between two objects. So a batch has as many rows as documents
only if each document is one whole object.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple, NoReturn

import pyarrow as pa
import pyarrow.json

from rawshelf.errors import AnnotationError
from rawshelf.pools import ask

MEMBER = "member"

_BATCH_BYTES = 1 << 19  # larger is not faster, and takes more memory
_LONGEST_DOCUMENT = 1 << 20
_SPACE = b" \t\r\n"  # what JSON allows around a document
_LONGEST_VALUE = 200
_REMEDY = "Restore this file from the published release."


@dataclass
class Documents:
    """Collects the documents of one kind and parses them in batches, each in another thread.

    Attributes:
        shape: The documents' schema. A field declared non-nullable must have a value in every
            document; other fields may be null or absent.
        archive: How messages name the release.
    """

    shape: pa.Schema
    archive: str
    _names: list[str] = field(default_factory=list)
    _waiting: list[bytes] = field(default_factory=list)
    _bytes: int = 0
    _tables: list[pa.Table] = field(default_factory=list)
    _parsed: SimpleQueue[Future[pa.Table]] | None = None

    def add(self, name: str, data: memoryview) -> bytes:
        """Take one document; return it without surrounding white space.

        Args:
            name: The member it came from.
            data: UTF-8 JSON text, one object.

        Raises:
            AnnotationError: If it, or one added before it, is not as the schema says.
        """
        if len(data) > _LONGEST_DOCUMENT:
            self._refuse_bounds(name, data)
        document = bytes(data).strip(_SPACE)
        if not (document.startswith(b"{") and document.endswith(b"}")):
            self._refuse_bounds(name, data)
        self._names.append(name)
        self._waiting.append(document)
        self._bytes += len(document)
        if self._bytes >= _BATCH_BYTES:
            self._parse()
        return document

    def table(self) -> pa.Table:
        """Hand over one row per document, in the order they were added; nothing is kept.

        Returns:
            The columns of `shape`, and the name of each document's member in `MEMBER`.

        Raises:
            AnnotationError: If a document is not as the schema says.
        """
        self._parse()
        self._collect()
        tables, self._tables = self._tables, []
        return pa.concat_tables([_named(self.shape.empty_table(), []), *tables])

    def _parse(self) -> None:
        """Hand the waiting documents to the parser, which holds one batch at a time."""
        self._collect()
        if self._waiting:
            documents, self._waiting, self._bytes = self._waiting, [], 0
            names, self._names = self._names, []
            parser = ThreadPoolExecutor(1)
            self._parsed = SimpleQueue()
            try:
                ask(parser, partial(self._read_batch, names, documents), self._parsed)
            finally:
                parser.shutdown(wait=False)  # the thread ends with the batch, also after an error

    def _collect(self) -> None:
        if self._parsed is not None:
            parsed, self._parsed = self._parsed, None
            self._tables.append(parsed.get().result())

    def _read_batch(self, names: list[str], documents: list[bytes]) -> pa.Table:
        try:
            return _named(_read(documents, self.shape), names)
        except _REFUSED:
            self._name_culprit(names, documents)

    def _name_culprit(self, names: list[str], documents: list[bytes]) -> NoReturn:
        """Raise for the first bad document, found by halving."""
        first, last = 0, len(documents)
        while last - first > 1:
            middle = (first + last) // 2
            if _is_good(documents[first:middle], self.shape):
                first = middle
            else:
                last = middle
        fault = _diagnose(documents[first], self.shape)
        raise AnnotationError(
            "A JSON document is not as the release writes it.",
            archive=self.archive,
            member=names[first],
            field=fault.field,
            found=fault.found,
            expected=fault.expected,
            remedy=_REMEDY,
        )

    def _refuse_bounds(self, name: str, data: memoryview) -> NoReturn:
        raise AnnotationError(
            "A JSON document is cut short, too long, or no object.",
            archive=self.archive,
            member=name,
            found=f"{len(data)} bytes, {bytes(data[:20])!r} ... {bytes(data[-20:])!r}",
            expected=f"one object in braces, at most {_LONGEST_DOCUMENT} bytes",
            remedy=_REMEDY,
        )


class _RowError(Exception):
    """A document lacks a field, or is not exactly one row."""


_REFUSED = (pa.ArrowInvalid, UnicodeDecodeError, _RowError)


def _named(table: pa.Table, names: list[str]) -> pa.Table:
    return table.append_column(MEMBER, pa.array(names, pa.string()))


def _is_good(documents: list[bytes], shape: pa.Schema) -> bool:
    try:
        _read(documents, shape)
    except _REFUSED:
        return False
    return True


def _read(documents: list[bytes], shape: pa.Schema) -> pa.Table:
    text = b"\n".join(documents)
    if not text.isascii():
        text.decode("utf-8")  # Arrow's reader lets any bytes through
    nullable = pa.schema([item.with_nullable(nullable=True) for item in shape])
    table = pa.json.read_json(
        pa.BufferReader(text),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pa.json.ParseOptions(
            explicit_schema=nullable,
            unexpected_field_behavior="error",
            newlines_in_values=True,
        ),
        memory_pool=pa.system_memory_pool(),  # Arrow's own keeps the parser's scraps: 30 MB
    )
    if len(table) != len(documents) or any(
        table[item.name].null_count for item in shape if not item.nullable
    ):
        raise _RowError
    return table.cast(shape)


class _Fault(NamedTuple):
    field: str | None
    found: str
    expected: str


_ONE_OBJECT = "one JSON object in UTF-8"


class _Object(dict[str, Any]):
    """An object of JSON which remembers a key that it has twice."""

    twice: str | None = None


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    if len(made) < len(pairs):
        made.twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
    return made


def _diagnose(document: bytes, shape: pa.Schema) -> _Fault:
    """Say what is wrong, by a parse in Python of the one document."""
    try:
        found = json.loads(document.decode("utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        return _Fault(None, str(error), _ONE_OBJECT)
    for fault in _object_faults(found, list(shape), ""):
        return fault
    return _Fault(None, _show(document), "JSON that a strict parser reads")


def _object_faults(found: _Object, items: list[pa.Field], path: str) -> Iterator[_Fault]:
    """Yield what contradicts the fields that an object should have."""
    known = {item.name: item for item in items}
    if found.twice is not None:
        yield _Fault(f"{path}{found.twice}", "the key twice", "each key once")
    for key, value in found.items():
        if key not in known:
            expected = f"only the keys {', '.join(known)}"
            yield _Fault(f"{path}{key}", _show(value), expected)
        else:
            yield from _faults(value, known[key], f"{path}{key}")
    for name, item in known.items():
        if name not in found and not item.nullable:
            yield _Fault(f"{path}{name}", "no such key", str(item.type))


def _faults(value: Any, item: pa.Field, path: str) -> Iterator[_Fault]:
    kind = item.type
    if value is None:
        if not item.nullable:
            yield _Fault(path, "null", str(kind))
    elif pa.types.is_struct(kind) and isinstance(value, _Object):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        yield from _object_faults(value, fields, f"{path}/")
    elif pa.types.is_list(kind) and isinstance(value, list):
        for number, part in enumerate(value):
            yield from _faults(part, kind.value_field, f"{path}/{number}")
    elif not _is_scalar(value, kind):
        yield _Fault(path, _show(value), str(kind))


def _is_scalar(value: Any, kind: pa.DataType) -> bool:
    if pa.types.is_integer(kind):
        end = 1 << (kind.bit_width - 1)
        return type(value) is int and -end <= value < end
    if pa.types.is_floating(kind):
        return type(value) in (int, float) and math.isfinite(value)
    if pa.types.is_boolean(kind):
        return isinstance(value, bool)
    # A lone surrogate, which JSON can escape and UTF-8 cannot hold, is no text.
    return (
        pa.types.is_string(kind)
        and isinstance(value, str)
        and not any("\ud800" <= letter <= "\udfff" for letter in value)
    )


def _show(value: Any) -> str:
    return f"{value!r:.{_LONGEST_VALUE}}"
