from __future__ import annotations

import unicodedata

import pytest

from rawshelf.errors import SourceError
from rawshelf.members import Guard, Limits, is_junk

HOSTILE = [
    "../x",
    "/abs",
    "C:/x",
    "C:",
    "C:\\x",
    "a\\b",
    "a/../../x",
    "a/..",
    "..",
    ".",
    "./.",
    "./../x",
    ".//abs",
    "a//b",
    "a/./b",
    "a/",
    "",
    "a\0b",
    "a\nb",
    "a\x7fb",
    "a\x85b",
    "a\u202eb",
    "a\u2028b",
    "a\udc80b",
    "a" * 5000,
]


def refusal(name: str) -> str:
    guard = Guard("x.tar")
    with pytest.raises(SourceError) as caught:
        guard.admit(name, 1, 1)
    return str(caught.value)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.fault(4)
def test_refuses_hostile_name(name: str) -> None:
    """A name that is not plain and relative is refused, and the message can be printed."""
    message = refusal(name)

    assert "x.tar" in message
    assert message.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", [name for name in HOSTILE if len(name) <= 100])
@pytest.mark.fault(4)
def test_usual_names_leave_hostile_ones_for_a_closer_look(name: str) -> None:
    """The check of many tar names at once never lets pass what the check of one refuses."""
    raw = name.encode("utf-8", "surrogateescape")

    assert Guard("x.tar").admit_usual([b"a", raw, b"b"], [1, 1, 1]) is None


@pytest.mark.parametrize(
    "raw", [b".hidden", b"a/.hidden", b"\xc3\xa9", b"__MACOSX/a", b"Thumbs.db"]
)
def test_usual_names_leave_unusual_ones_for_a_closer_look(raw: bytes) -> None:
    """What may be junk or needs NFC is not admitted in passing."""
    assert Guard("x").admit_usual([b"a", raw], [1, 1]) is None


@pytest.mark.parametrize(
    "name", ["a", "a/b.c", "0-1:cat.json", "a b", "é", "a..b", "a#b%20?", "CON", "-x", "x" * 4096]
)
def test_admits_plain_names(name: str) -> None:
    """Plain names pass as they are, whatever Windows thinks of them."""
    assert name == Guard("x").admit(name, 1, 1)


def test_names_become_nfc() -> None:
    """A decomposed name comes out composed."""
    assert Guard("x").admit("e\u0301", 0, 0) == "\u00e9"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "a"),
        ("a/B", "A/b"),
        ("\u00e9", "e\u0301"),
        ("\u00c9", "\u00e9"),
        ("stra\u00dfe", "STRASSE"),
        ("k", "\u212a"),
        ("\u01f0", "J\u030c"),
        ("./a", "a"),
    ],
)
@pytest.mark.fault(9)
def test_refuses_twins(first: str, second: str) -> None:
    """Names that are equal after folding case or composing are refused, and both are named."""
    guard = Guard("x")
    guard.admit(first, 1, 1)
    with pytest.raises(SourceError, match="same name") as caught:
        guard.admit(second, 1, 1)

    assert unicodedata.normalize("NFC", second.removeprefix("./")) in str(caught.value.found)


@pytest.mark.parametrize(("first", "many"), [("A", [b"a", b"b"]), ("x", [b"a", b"A"])])
@pytest.mark.fault(9)
def test_usual_names_leave_twins_for_a_closer_look(first: str, many: list[bytes]) -> None:
    """A twin within many names, or of an earlier one, is seen; then nothing is admitted."""
    guard = Guard("x")
    guard.admit(first, 1, 1)

    assert guard.admit_usual(many, [1, 1]) is None
    assert guard.admit("b", 1, 1) == "b"


LIMITS = Limits(members=3, member_bytes=5 << 20, total_bytes=6 << 20, ratio=10)


@pytest.mark.parametrize(
    ("sizes", "packed", "field"),
    [
        ([1, 1, 1, 1], 1, "members"),
        ([6 << 20], 6 << 20, "bytes in one member"),
        ([4 << 20, 4 << 20], 4 << 20, "bytes in all members"),
        ([2 << 20], 1 << 10, "compression ratio"),
        ([2 << 20], 0, "compression ratio"),
    ],
)
@pytest.mark.parametrize("name", ["{}", "._{}"])
@pytest.mark.fault(7)
def test_limits(sizes: list[int], packed: int, field: str, name: str) -> None:
    """Each limit refuses, also for leftovers that are skipped."""
    guard = Guard("x", LIMITS)
    for number, size in enumerate(sizes[:-1]):
        guard.admit(name.format(number), size, packed)
    with pytest.raises(SourceError) as caught:
        guard.admit(name.format(len(sizes) - 1), sizes[-1], packed)

    assert field == caught.value.field


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1], [6 << 20], [4 << 20, 4 << 20]])
@pytest.mark.fault(7)
def test_usual_names_keep_limits(sizes: list[int]) -> None:
    """Many at once do not pass a limit either."""
    raw = [b"%d" % number for number in range(len(sizes))]

    assert Guard("x", LIMITS).admit_usual(raw, sizes) is None


@pytest.mark.fault(7)
def test_folders_count_as_entries() -> None:
    """An archive of nothing but folders ends at the limit too."""
    guard = Guard("x", Limits(members=2))
    guard.admit_folder("./")
    guard.admit_folder("a/")
    with pytest.raises(SourceError, match="larger than any release"):
        guard.admit_folder("b/")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/.DS_Store", True),
        ("Thumbs.db", True),
        ("a/._x", True),
        ("__MACOSX/a/b", True),
        ("a/__MACOSX/b", True),
        ("__MACOSX", False),
        (".hidden", False),
        ("desktop.ini", False),
        ("MyThumbs.db", False),
    ],
)
@pytest.mark.fault(11)
def test_junk_is_an_explicit_list(name: str, expected: bool) -> None:
    """Only the listed leftovers are junk."""
    assert expected == is_junk(name)
