"""Damage at every place of a small archive, and headers that lie in every field."""

from __future__ import annotations

import gzip
import io
import struct
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rawshelf.errors import SourceError
from rawshelf.members import Guard
from rawshelf.tars import TarStream, has_checksum
from tests.archives import (
    BLOCK,
    END,
    Zipped,
    deflated,
    entry,
    header,
    padded,
    pax,
    tar,
    zipped,
)
from tests.fuzz.place import stored
from tests.fuzz.targets import attempt, walked

FILES = {"a/b.txt": b"hello " * 9, "a/c": b"x", "e": b""}
LONG = "n" * 99 + "/x"
# One of every kind of header that says something of a member.
TAR = (
    entry("d/", b"", b"5")
    + entry("a", b"first")
    + pax(path="p/q", size="5", mtime="1.5")
    + entry("short", b"later")
    + entry("././@LongLink", LONG.encode() + b"\0", b"L")
    + entry(LONG[:100], b"long")
    + entry("z", b"deep", prefix=b"y")
    + END
)
IN_TAR = {"a": b"first", "p/q": b"later", LONG: b"long", "y/z": b"deep"}
ZIP = zipped(
    Zipped(b"a/b.txt", FILES["a/b.txt"], 8, deflated(FILES["a/b.txt"])),
    Zipped(b"a/c", FILES["a/c"]),
    Zipped(b"d/", mode=0o040755),
    Zipped(b"e", flags=0x800),
    comment=b"a comment",
)
GZIP = gzip.compress(tar(FILES), mtime=0)


def untarred(content: bytes, *, packed: bool = False) -> dict[str, bytes]:
    stream = TarStream(io.BytesIO(content), Guard("x.tar"), "x.tar", gzip=packed)
    try:
        return {member.name: bytes(data) for member, data in stream.members()}
    finally:
        stream.close()


def unzipped(content: bytes) -> dict[str, bytes]:
    return dict(walked(content))


def flips(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the content with one bit turned round, at each place another one of the eight."""
    for place in range(len(content)):
        bit = 1 << place % 8
        yield place, content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]


def has_sum(content: bytes, place: int) -> bool:
    """Tell whether a place of the tar is in a header or at the end: of data it keeps no sum."""
    block = content[place - place % BLOCK :][:BLOCK]
    return has_checksum(block) or place >= len(content) - len(END)


def test_archives_are_read_undamaged() -> None:
    """What is damaged below is whole here."""
    assert (IN_TAR, FILES, FILES) == (untarred(TAR), unzipped(ZIP), untarred(GZIP, packed=True))


def test_tar_cut_at_every_byte_is_refused() -> None:
    """A tar that lacks its last bytes is never read as if it were whole."""
    for size in range(len(TAR) - BLOCK):
        with pytest.raises(SourceError):
            untarred(TAR[:size])


def test_gzip_cut_at_every_byte_is_refused() -> None:
    """Nor is a compressed one, whatever of it is left."""
    for size in range(len(GZIP)):
        with pytest.raises(SourceError):
            untarred(GZIP[:size], packed=True)


def test_zip_cut_at_every_byte_is_refused() -> None:
    """Nor is a zip, even if only its comment is cut."""
    for size in range(len(ZIP)):
        with pytest.raises(SourceError):
            unzipped(ZIP[:size])


def test_flip_in_a_tar_is_detected_outside_of_the_data() -> None:
    """One bit changes nothing of what is read, or the tar is refused."""
    for place, content in flips(TAR):
        if not has_sum(TAR, place):
            continue
        try:
            found = untarred(content)
        except SourceError:
            continue
        assert found == IN_TAR, place


def test_flip_in_a_zip_is_detected() -> None:
    """One bit changes nothing of what is read, or the zip is refused."""
    for place, content in flips(ZIP):
        try:
            found = unzipped(content)
        except SourceError:
            continue
        assert found == FILES, place


def test_flip_in_a_compressed_tar_is_detected() -> None:
    """The sum at the end is of all bytes; what it does not cover says nothing of them."""
    for place, content in flips(GZIP):
        try:
            found = untarred(content, packed=True)
        except SourceError:
            continue
        assert found == FILES, place


NUMBERS = st.sampled_from([b"00000000005\0", b"\x80" + bytes(10) + b"\5", b"-0000000001\0"])
SIZES = st.binary(min_size=12, max_size=12) | NUMBERS | st.integers(0, 2000)
NAMES = st.sampled_from(["a", "b/", "./c", "\u00e9", "e\u0301", "x" * 100, "._x", "../y", "A"])
KINDS = st.sampled_from([b"0", b"\0", b"5", b"L", b"x", b"g", b"K", b"S", b"7", b"1", b"\xff"])
PREFIXES = st.sampled_from([b"", b"p", b"p\0q", b"..", b"\xff"])
MAGICS = st.sampled_from([b"ustar\x0000", b"ustar  \0", b"", b"ustar\x0011"])
LIES = st.builds(
    lambda name, size, kind, magic, prefix, data: (
        header(name, size, kind, magic=magic, prefix=prefix) + padded(data)
    ),
    NAMES,
    SIZES,
    KINDS,
    MAGICS,
    PREFIXES,
    st.sampled_from([b"", b"hello", b"9 path=a\n", b"20 size=00000000005\n", b"z" * 600]),
)


@settings(max_examples=200)
@given(st.lists(LIES, min_size=1, max_size=4))
def test_tar_headers_that_lie_are_refused_or_read_as_others_read_them(headers: list[bytes]) -> None:
    """With right sums over wrong fields, what is read is what `tarfile` reads."""
    attempt("tar", b"".join(headers) + END)


SHORT = st.sampled_from([0, 1, 8, 12, 99, 0x800, 0xFFFF])
WIDE = st.sampled_from([0, 1, 20, 31, 54, 0xFFFFFFF0, 0xFFFFFFFF])


def zip64(*numbers: int, kind: int = 1) -> bytes:
    """Return the extra field that holds 64-bit numbers."""
    return struct.pack(f"<HH{len(numbers)}Q", kind, 8 * len(numbers), *numbers)


EXTRAS = st.binary(max_size=9) | st.builds(
    zip64, st.sampled_from([0, 20, 54, 1 << 40, (1 << 64) - 1]), st.sampled_from([0, 20, 54])
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([b"a", b"b/", b"\xff", b"../x", b"a\0b"]),
        "flags": SHORT,
        "method": SHORT,
        "crc": WIDE,
        "packed": WIDE,
        "size": WIDE,
        "extra": EXTRAS,
    },
)
PLACED = st.builds(
    lambda fields, offset: fields if offset is None else {**fields, "offset": offset},
    FIELDS,
    st.none() | WIDE,
)
ENTRIES = st.builds(
    lambda name, method, local, central: Zipped(
        name,
        FILES["a/b.txt"],
        method,
        deflated(FILES["a/b.txt"]) if method else None,
        local=local,
        central=central,
    ),
    st.sampled_from([b"a", b"b", b"A", b"c/d"]),
    st.sampled_from([0, 8]),
    FIELDS | st.just({}),
    PLACED | st.just({}),
)


@settings(max_examples=200)
@given(st.lists(ENTRIES, min_size=1, max_size=4))
def test_zip_headers_that_lie_are_refused_or_read_as_others_read_them(
    members: list[Zipped],
) -> None:
    """With any field of any header wrong, what is read is what `zipfile` reads."""
    attempt("zip", zipped(*members))


LARGE = 0xFFFFFFFF
DATA = FILES["a/b.txt"]
TRUE: dict[str, int | bytes] = {
    "size": LARGE,
    "packed": LARGE,
    "extra": zip64(len(DATA), len(DATA)),
}
WRONG: dict[str, dict[str, int | bytes]] = {
    "size too large": {"extra": zip64(len(DATA) + 1, len(DATA))},
    "packed size too small": {"extra": zip64(len(DATA), len(DATA) - 1)},
    "size of 2**63": {"extra": zip64(1 << 63, len(DATA))},
    "size of 2**64 - 1": {"extra": zip64((1 << 64) - 1, len(DATA))},
    "packed size of 2**63": {"extra": zip64(len(DATA), 1 << 63)},
    "field of one number": {"extra": zip64(len(DATA))},
    "field of another kind": {"extra": zip64(len(DATA), len(DATA), kind=2)},
    "field longer than the extra": {"extra": zip64(len(DATA), len(DATA))[:-1]},
    "offset without a number": {"offset": LARGE},
    "offset of 2**63": {"offset": LARGE, "extra": zip64(len(DATA), len(DATA), 1 << 63)},
    "offset of another place": {"offset": LARGE, "extra": zip64(len(DATA), len(DATA), 7)},
}


def test_zip64_fields_are_read() -> None:
    """Sizes may stand in the extra field, of both headers or of one."""
    both = zipped(Zipped(b"a", DATA, local=TRUE, central=TRUE))

    assert {"a": DATA} == unzipped(both) == unzipped(zipped(Zipped(b"a", DATA, central=TRUE)))


@pytest.mark.parametrize("lie", WRONG)
def test_zip64_fields_that_lie_are_refused(lie: str) -> None:
    """A 64-bit number that is not true, or not there, refuses the zip."""
    with pytest.raises(SourceError) as caught:
        unzipped(zipped(Zipped(b"a", DATA, central={**TRUE, **WRONG[lie]})))

    assert caught.value.remedy


def folded(name: str) -> str:
    """Fold as Unicode's canonical caseless matching does (D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


SPELLINGS = st.text(st.sampled_from("aAk\u212a\u00e9\u00c9e\u0301s\u00df\u01f0j\u030c"), min_size=1)


@settings(max_examples=150)
@given(st.lists(SPELLINGS.map(lambda text: text[:8]), min_size=1, max_size=5, unique=True))
def test_twins_after_folding_are_refused(names: list[str]) -> None:
    """Names that a file system may hold to be one refuse tar and zip alike; others are kept."""
    twins = len(set(map(folded, names))) < len(names)
    expected = {unicodedata.normalize("NFC", name): b"x" for name in names}
    archives = (
        tar(dict.fromkeys(names, b"x")),
        zipped(*(Zipped(name.encode(), b"x", flags=0x800) for name in names)),
    )
    for content in archives:
        if twins:
            with pytest.raises(SourceError, match="same name"):
                unzipped(content)
        else:
            assert expected == unzipped(content)


def test_size_that_lies_takes_no_memory() -> None:
    """A header that states gigabytes is refused as the archive ends, before so much is reserved."""
    content = header("a", b"77777777777\0") + b"x" * 100
    with stored(content) as path, path.open("rb") as file:
        stream = TarStream(Narrow(file.read()), Guard("x.tar"), "x.tar", gzip=False)
        with pytest.raises(SourceError, match="ends in the middle"):
            list(stream.members())


class Narrow(io.BytesIO):
    """A file that reserves what it is asked for, as files do, up to 100 MB."""

    def read(self, size: int | None = -1) -> bytes:
        """Read, or run out of memory."""
        if size is None or size < 0 or size > 100 << 20:
            raise MemoryError
        return super().read(size)
