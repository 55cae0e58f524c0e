"""The strict parser of many small JSON documents."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rawshelf.documents import Documents
from rawshelf.errors import AnnotationError

SHAPE = pa.schema(
    [
        pa.field("number", pa.int32(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("list", pa.list_(pa.int32())),
        pa.field("slots", pa.struct([("0", pa.list_(pa.int32())), ("1", pa.list_(pa.int32()))])),
    ]
)
GOOD: dict[str, Any] = {"number": 1, "text": "ä", "list": [1, 2], "slots": {"0": [3], "1": None}}


def parse(*documents: bytes) -> list[dict[str, Any]]:
    """Parse documents called 0, 1, 2 ..."""
    collected = Documents(SHAPE, "the archive")
    for number, document in enumerate(documents):
        collected.add(str(number), memoryview(document))
    rows: list[dict[str, Any]] = collected.table().drop_columns(["member"]).to_pylist()
    return rows


def changed(**values: Any) -> bytes:
    """Return a good document with other values."""
    return json.dumps({**GOOD, **values}).encode()


def without(key: str) -> bytes:
    """Return a good document that lacks a key."""
    return json.dumps({k: v for k, v in GOOD.items() if k != key}).encode()


def nested(depth: int, tail: str = "") -> bytes:
    """Return a document with a list as deep as this."""
    return f'{{"number": 1, "text": "", "list": {"[" * depth}{tail}}}'.encode()


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        json.dumps(GOOD, indent=2),
        json.dumps(GOOD, ensure_ascii=False),
        json.dumps(GOOD, separators=(",", ":")),
        f" \r\n\t{json.dumps(GOOD)}\n",
        json.dumps(dict(reversed(GOOD.items()))),
    ],
)
def test_spelling_does_not_matter(text: str) -> None:
    """White space, order of keys and escapes make no difference."""
    assert [GOOD] == parse(text.encode())


def test_optional_values_may_be_absent_or_null() -> None:
    """Only fields that must have a value need one."""
    found = parse(b'{"number": -0, "text": "", "list": null}')

    assert [{"number": 0, "text": "", "list": None, "slots": None}] == found


def test_no_documents_give_no_rows() -> None:
    """A kind that the release does not have gives an empty table of the same shape."""
    table = Documents(SHAPE, "the archive").table()

    assert ([*SHAPE.names, "member"], 0) == (table.column_names, len(table))


def test_rows_keep_the_order_over_batches() -> None:
    """Rows come in the order in which the documents were added, whatever the batches."""
    text = "x" * 10_000
    documents = [changed(number=number, text=text) for number in range(1_000)]

    assert list(range(1_000)) == [row["number"] for row in parse(*documents)]


@pytest.mark.parametrize(
    ("document", "field", "found"),
    [
        (b"", None, "0 bytes"),
        (b"  \n", None, "3 bytes"),
        (b"{", None, "1 bytes"),
        (b"null", None, "4 bytes"),
        (b"[1]", None, "3 bytes"),
        (b"{}", "number", "no such key"),
        (changed()[:-1], None, "delimiter"),
        (changed()[:-2], None, "bytes"),
        (changed()[: len(changed()) // 2], None, "bytes"),
        (changed() + b"]", None, "bytes"),
        (b"\xef\xbb\xbf" + changed(), None, "bytes"),
        (changed() + b"\x0c", None, "bytes"),
        (json.dumps(GOOD).encode("utf-16"), None, "bytes"),
        (changed() + changed(), None, "Extra data"),
        (changed() + b"\n" + changed(), None, "Extra data"),
        (changed() + b"," + changed(), None, "Extra data"),
        (changed() + b"\0}", None, "Extra data"),
        (changed() + b"garbage}", None, "Extra data"),
        (changed()[:-1] + b",}", None, "property name"),
        (b'{"number": 01, "text": ""}', None, "delimiter"),
        (b'{"number": +1, "text": ""}', None, "Expecting value"),
        (b'{"number": 1, "text": "\n"}', None, "control character"),
        (b'{"number": 1, "text": "\0"}', None, "control character"),
        (b'{"number": 1, "text": "\\x"}', None, "escape"),
        (b'{"number": 1, "text": "\xff"}', None, "utf-8"),
        (b'{"number": 1, "text": "\xed\xa0\x80"}', None, "utf-8"),
        (b'{"number": 1, "text": "\\ud800"}', "text", "ud800"),
        (b'{"number": 1, "text": "\\udc00"}', "text", "udc00"),
        (b'{"number": 1, "text": "", // note\n "list": []}', None, "property name"),
        (b"{'number': 1, 'text': ''}", None, "property name"),
        (b'{"number": 1, "number": 1, "text": ""}', "number", "the key twice"),
        (changed(slots={})[:-2] + b'"0": [1], "0": [1]}}', "slots/0", "the key twice"),
        (changed(more=1), "more", "1"),
        (changed(more=None), "more", "None"),
        (changed(slots={"2": [1]}), "slots/2", "[1]"),
        (b'{"number": 1, "text": "", "\\udc00": 1}', "\udc00", "1"),
        (without("number"), "number", "no such key"),
        (without("text"), "text", "no such key"),
        (changed(number=None), "number", "null"),
        (changed(number=1.0), "number", "1.0"),
        (changed(number=1.5), "number", "1.5"),
        (b'{"number": 1e2, "text": ""}', "number", "100.0"),
        (changed(number="1"), "number", "'1'"),
        (changed(number=True), "number", "True"),
        (changed(number=[1]), "number", "[1]"),
        (changed(number={"a": 1}), "number", "{'a': 1}"),
        (changed(number=float("nan")), "number", "nan"),
        (changed(number=float("inf")), "number", "inf"),
        (changed(number=-float("inf")), "number", "-inf"),
        (changed(number=2**31), "number", "2147483648"),
        (changed(number=-(2**31) - 1), "number", "-2147483649"),
        (changed(number=10**400), "number", "1000"),
        (b'{"number": ' + b"9" * 5_000 + b', "text": ""}', None, "digits"),
        (changed(text=1), "text", "1"),
        (changed(text=["a"]), "text", "['a']"),
        (changed(list=1), "list", "1"),
        (changed(list="12"), "list", "'12'"),
        (changed(list={"0": 1}), "list", "{'0': 1}"),
        (changed(list=[1, "2"]), "list/1", "'2'"),
        (changed(list=[1, [2]]), "list/1", "[2]"),
        (changed(list=[1, 2.5]), "list/1", "2.5"),
        (changed(slots=[1]), "slots", "[1]"),
        (changed(slots={"0": {"x": 1}}), "slots/0", "{'x': 1}"),
        (nested(100_000), None, "recursion"),
        (nested(100_000, "]" * 100_000), None, "recursion"),
        (b'{"number": ' * 80_000 + b"1" + b"}" * 80_000, None, "recursion"),
        (b'{"more": ' * 80_000 + b"1" + b"}" * 80_000, None, "recursion"),
        (changed(text="x" * (1 << 20)), None, "bytes"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value).encode("unicode_escape"),
)
@pytest.mark.fault(18)
def test_document_is_refused(document: bytes, field: str | None, found: str) -> None:
    """A document that is not exactly as the schema says is refused, alone and among others."""
    others = [changed(number=number) for number in range(5)]

    for documents, member in (([document], "0"), ([*others, document, *others], "5")):
        with pytest.raises(AnnotationError) as caught:
            parse(*documents)

        error = caught.value
        assert ("the archive", member, field) == (error.archive, error.member, error.field)
        assert found in str(error.found)
        assert error.expected
        assert str(error).encode()  # can be printed


@pytest.mark.fault(18)
def test_culprit_is_named_among_thousands() -> None:
    """The one bad document of many batches is named."""
    documents = [changed(number=number) for number in range(60_000)]
    documents[31_234] = changed(number="31234")

    with pytest.raises(AnnotationError) as caught:
        parse(*documents)

    assert ("31234", "number") == (caught.value.member, caught.value.field)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b'{"number": 1, "slots": {"0": [1]}', b'{"text": "a"}}'),
        (b'{"number": 1, "text": "a}', b'{", "list": [1]}'),
        (b'{"number": 1, "text": "a"}{"number": 2, "text": "b"}', b"{}"),
        (b'{"number": 1, "text": "a"}{"number": 1, "text": {"x": 1}', b'{"y": 1}}'),
    ],
)
@pytest.mark.fault(18)
def test_documents_that_only_parse_together_are_refused(first: bytes, second: bytes) -> None:
    """No document lends another what that lacks."""
    with pytest.raises(AnnotationError) as caught:
        parse(first, second)

    assert "0" == caught.value.member


def test_error_of_an_earlier_batch_is_not_lost() -> None:
    """An error in a batch that is parsed in the background is raised all the same."""
    text = "x" * 1_000_000
    documents = Documents(SHAPE, "the archive")
    documents.add("bad", memoryview(changed(number="1", text=text)))

    def add_more() -> None:
        for number in range(10):
            documents.add(str(number), memoryview(changed(text=text)))

    with pytest.raises(AnnotationError) as caught:
        add_more()

    assert "bad" == caught.value.member


def test_no_thread_is_left_behind() -> None:
    """A batch that is refused ends its thread, while the error and the documents are still held."""
    documents = Documents(SHAPE, "the archive")
    documents.add("bad", memoryview(b"{}"))
    before = set(threading.enumerate())
    with pytest.raises(AnnotationError) as caught:
        documents.table()
    for thread in set(threading.enumerate()) - before:
        thread.join(30)

    assert "bad" == caught.value.member
    assert before >= set(threading.enumerate())


@pytest.mark.fault(18)
def test_deep_nesting_does_not_end_the_process() -> None:
    """A document as deep as its size allows is refused, also with the small stack of a thread."""
    code = (
        "import pyarrow as pa\n"
        "from rawshelf.documents import Documents\n"
        "from rawshelf.errors import AnnotationError\n"
        "documents = Documents(pa.schema([('list', pa.list_(pa.int32()))]), 'x')\n"
        "text = b'{\"list\": ' + b'[' * ((1 << 20) - 20) + b'}'\n"
        "try:\n"
        "    documents.add('deep', memoryview(text))\n"
        "    documents.table()\n"
        "except AnnotationError as error:\n"
        "    print(error.member)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (0, "deep\n") == (done.returncode, done.stdout)


SCALARS = st.none() | st.booleans() | st.integers(-(2**33), 2**33) | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["0", "1", "x", "number"]), inner, max_size=3)
    ),
    max_leaves=6,
)
INTEGERS = st.integers(-(2**31), 2**31 - 1)
LISTS = st.none() | st.lists(INTEGERS, max_size=3)
FITTING = st.fixed_dictionaries(
    {"number": INTEGERS, "text": st.text()},
    optional={
        "list": LISTS,
        "slots": st.none() | st.fixed_dictionaries({}, optional={"0": LISTS, "1": LISTS}),
    },
)
ANY = st.dictionaries(st.sampled_from([*GOOD, "more"]), VALUES, max_size=5)
MIXED = st.builds(lambda good, other: {**good, **other}, FITTING, ANY)


def normal(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with null for what is absent, as a table has it."""
    row = {name: document.get(name) for name in SHAPE.names}
    if row["slots"] is not None:
        row["slots"] = {"0": None, "1": None, **row["slots"]}
    return row


def check_strict(text: bytes) -> None:
    """Require the typed parse to give what Python's gives, or to refuse."""
    try:
        (found,) = parse(text)
    except AnnotationError:
        return

    expected = json.loads(text)
    assert normal(expected) == found
    assert set(expected) <= set(SHAPE.names)
    assert type(expected["number"]) is int


@given(FITTING)
def test_fitting_documents_are_parsed(document: dict[str, Any]) -> None:
    """Whatever fits the schema is parsed to the same values as Python's parser gives."""
    assert [normal(document)] == parse(json.dumps(document, ensure_ascii=False).encode("utf-8"))


@given(FITTING | MIXED | ANY, st.booleans())
@pytest.mark.fault(18)
def test_other_documents_are_refused(document: dict[str, Any], ascii_only: bool) -> None:
    """A document is parsed to Python's values or refused; nothing else happens."""
    text = json.dumps(document, ensure_ascii=ascii_only)
    check_strict(text.encode("utf-8", "surrogatepass"))


@given(FITTING, st.lists(st.tuples(st.integers(0), st.binary(max_size=3)), min_size=1, max_size=3))
@example(GOOD, [(len(json.dumps(GOOD)), b"\0}")])
@pytest.mark.fault(18)
def test_damaged_documents_are_refused(
    document: dict[str, Any], damage: list[tuple[int, bytes]]
) -> None:
    """A document with bytes overwritten is parsed to Python's values or refused."""
    text = bytearray(json.dumps(document).encode())
    for place, content in damage:
        start = place % (len(text) + 1)
        text[start : start + len(content)] = content
    check_strict(bytes(text))
