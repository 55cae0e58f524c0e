from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rawshelf.errors import SourceError
from rawshelf.members import Limits
from rawshelf.sources import Source
from tests.archives import FILES, Zipped, deflated, stored, walked, zipped

DATA = b"hello " * 20
PACKED = deflated(DATA)
A = Zipped(b"a.txt", DATA)
B = Zipped(b"b.txt", DATA, 8, PACKED)


def refusal(tmp_path: Path, content: bytes) -> SourceError:
    url = stored(tmp_path / "x.zip", content)
    with pytest.raises(SourceError) as caught:
        walked(url)
    assert caught.value.archive == url
    assert caught.value.remedy
    return caught.value


class Pipe(io.RawIOBase):
    """A stream without seek, for which `zipfile` states sizes after the data."""

    def __init__(self) -> None:
        """Begin empty."""
        self.content = b""

    def writable(self) -> bool:
        """Take writes."""
        return True

    def write(self, data: object) -> int:
        """Append."""
        self.content += bytes(data)  # type: ignore[call-overload]
        return len(bytes(data))  # type: ignore[call-overload]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.fault(10)
def test_reads_what_zipfile_writes(
    tmp_path: Path, method: int, zip64: bool, streamed: bool
) -> None:
    """Stored and deflated members come out, also of a streaming writer and with zip64 fields."""
    target = Pipe() if streamed else io.BytesIO()
    files = FILES | {"é/ü.txt": b"accents", "a b#c%d?.txt": b"", "n" * 3000: b"long"}
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.writestr("d/", "")
        for name, data in files.items():
            with archive.open(name, "w", force_zip64=zip64) as member:
                member.write(data)
    content = target.content if isinstance(target, Pipe) else target.getvalue()

    assert files == walked(stored(tmp_path / "x.zip", content))


def test_reads_handmade_zip(tmp_path: Path) -> None:
    """The writer of these tests is right where it does not lie; so is what it may add."""
    content = zipped(A, B, between=b"gap", comment=b"a comment")

    assert {"a.txt": DATA, "b.txt": DATA} == walked(stored(tmp_path / "x.zip", content))


def test_reads_old_names(tmp_path: Path) -> None:
    """A name without the UTF-8 flag is in code page 437."""
    assert {"\u00e9": DATA} == walked(stored(tmp_path / "x.zip", zipped(Zipped(b"\x82", DATA))))


def test_reads_empty_zip(tmp_path: Path) -> None:
    """A zip without members holds none."""
    assert {} == walked(stored(tmp_path / "x.zip", zipped()))


HOSTILE = {
    "local name": zipped(A, B._replace(local={"name": b"c.txt"})),
    "local folder": zipped(A._replace(name=b"d/a", local={"name": b"e/a"}), B),
    "local method": zipped(A, B._replace(local={"method": 0})),
    "local size": zipped(A, B._replace(local={"size": 7})),
    "local packed size": zipped(A, B._replace(local={"packed": 7})),
    "local sum": zipped(A, B._replace(local={"crc": 7})),
    "local encryption": zipped(A, B._replace(local={"flags": 1})),
    "central sum": zipped(A, A._replace(name=b"c", central={"crc": 7}, local={"crc": 7})),
    "size too small": zipped(B._replace(local={"size": 7}, central={"size": 7})),
    "size too large": zipped(B._replace(local={"size": 999}, central={"size": 999})),
    "packed too small": zipped(B._replace(local={"packed": 5}, central={"packed": 5})),
    "packed too large": zipped(B._replace(central={"packed": 999})),
    "stored size lies": zipped(A._replace(local={"size": 7}, central={"size": 7})),
    "offset outside": zipped(A, B._replace(central={"offset": 1 << 30})),
    "offset at no header": zipped(A, B._replace(central={"offset": 151})),
    "overlap": zipped(A, B._replace(central={"offset": 0})),
    "partial overlap": zipped(A, B._replace(central={"offset": 40})),
    "no deflate stream": zipped(Zipped(b"a", DATA, 8, b"\xff" * 40)),
    "cut deflate stream": zipped(Zipped(b"a", DATA, 8, PACKED[:-4])),
    "encrypted": zipped(A._replace(flags=1)),
    "strongly encrypted": zipped(A._replace(flags=0x41)),
    "hidden directory": zipped(A._replace(flags=0x2000)),
    "bzip2": zipped(A._replace(method=12)),
    "lzma": zipped(A._replace(method=14)),
    "deflate64": zipped(A._replace(method=9)),
    "symbolic link": zipped(A._replace(mode=0o120777)),
    "device": zipped(A._replace(mode=0o060644)),
    "fifo": zipped(A._replace(mode=0o010644)),
    "linked folder": zipped(Zipped(b"d/", mode=0o120777)),
    "folder with data": zipped(A._replace(name=b"d/")),
    "folder mode without slash": zipped(A._replace(mode=0o040755)),
    "twins": zipped(A, A),
    "twins by case": zipped(A, A._replace(name=b"A.TXT")),
    "zero in name": zipped(A._replace(name=b"a\0b")),
    "traversal": zipped(A._replace(name=b"../a")),
    "traversing folder": zipped(Zipped(b"a/../../", mode=0o040755)),
    "absolute": zipped(A._replace(name=b"/a")),
    "backslash": zipped(A._replace(name=b"d\\a")),
    "drive": zipped(A._replace(name=b"C:/a")),
    "empty name": zipped(A._replace(name=b"")),
    "invalid UTF-8": zipped(A._replace(name=b"\xff\xfe", flags=0x800)),
    "bomb": zipped(Zipped(b"a", bytes(3 << 20), 8, PACKED)),
    "size of 4 GB": zipped(B._replace(central={"size": 0xFFFFFFF0})),
    "zip64 size without field": zipped(B._replace(central={"size": 0xFFFFFFFF})),
    "no directory": zipped(A, B)[:-40],
    "half a directory": zipped(A, B)[:-80],
    "no end": zipped(A, B)[:-22],
    "first half": zipped(A, B)[:100],
    "magic only": b"PK\3\4",
    "end only, cut": b"PK\5\6" + bytes(5),
    "junk in front": b"PK\3\4 self-extracting" + zipped(A),
    "directory size lies": zipped(A)[:-10] + struct.pack("<I", 1 << 30) + zipped(A)[-6:],
    "directory offset lies": zipped(A)[:-6] + struct.pack("<I", 1 << 30) + zipped(A)[-2:],
    "fewer entries than stated": zipped(A, B)[:-12] + b"\3\0" + zipped(A, B)[-10:],
    "more entries than stated": zipped(A, B)[:-12] + b"\1\0" + zipped(A, B)[-10:],
    "comment cut": zipped(A, B, comment=b"a comment")[:-1],
    "junk in the directory": zipped(A).replace(b"PK\1\2", b"PK\1\3"),
}


@pytest.mark.parametrize("evil", HOSTILE, ids=str)
@pytest.mark.fault(4, only="zero in name|travers|absolute|backslash|drive|empty name|UTF-8")
@pytest.mark.fault(5, only="link|device|fifo|folder")
@pytest.mark.fault(7, only="overlap|bomb|hidden|offset")
@pytest.mark.fault(8, only="size|packed|sum|lies")
@pytest.mark.fault(9, only="twins")
@pytest.mark.fault(10, only="encrypt|bzip2|lzma|deflate64|zip64")
@pytest.mark.fault(1, only="first half|half a directory|no end|end only")
def test_refuses_hostile_zip(tmp_path: Path, evil: str) -> None:
    """Each hostile or damaged zip is refused."""
    refusal(tmp_path, HOSTILE[evil])


@pytest.mark.parametrize("evil", ["bzip2", "encrypted"])
@pytest.mark.fault(10)
def test_names_what_cannot_be_read(tmp_path: Path, evil: str) -> None:
    """An unknown compression or encryption is named."""
    assert "compression" == refusal(tmp_path, HOSTILE[evil]).field


@pytest.mark.fault(2)
def test_an_entry_that_swallows_the_next_is_noticed(tmp_path: Path) -> None:
    """A damaged length within the directory never makes a member vanish."""
    content = bytearray(zipped(A, B))
    length = 46 + len(B.name)  # of the second entry, taken for the first one's comment
    content[content.index(b"PK\1\2") + 32] = length

    assert "number of entries" == refusal(tmp_path, bytes(content)).field


@pytest.mark.fault(8)
@pytest.mark.parametrize("stated", [3, 70_000])
def test_entries_of_a_large_zip_are_counted(tmp_path: Path, stated: int) -> None:
    """Where the end has 64-bit fields, theirs is the number that counts."""
    content = zipped(A, B)
    body, end = content[:-22], content[-22:]
    size, offset = struct.unpack("<II", end[12:20])
    large = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, stated, stated, size, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(body), 1)

    error = refusal(tmp_path, body + large + locator + end)

    assert (2, stated) == (error.found, error.expected)


@pytest.mark.fault(7)
def test_ratio_limit(tmp_path: Path) -> None:
    """A member that grows beyond the ratio is refused before it is inflated."""
    zeros = bytes(2 << 20)
    url = stored(tmp_path / "x.zip", zipped(Zipped(b"a", zeros, 8, deflated(zeros))))
    with pytest.raises(SourceError) as caught:
        list(Source(url, limits=Limits(ratio=100)).walk(lambda _: True))

    assert "compression ratio" == caught.value.field


@pytest.mark.fault(7)
def test_many_members_take_linear_time(tmp_path: Path) -> None:
    """20,000 members are listed, which a quadratic check would not live to see."""
    members = (Zipped(b"%d/%d" % (number % 7, number), b"x") for number in range(20_000))
    url = stored(tmp_path / "x.zip", zipped(*members))

    assert 20_000 == sum(1 for _ in Source(url).walk(lambda _: False))


FLIPS = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), max_size=3)
SMALL = zipped(A, B, Zipped(b"d/", mode=0o040755))


@settings(max_examples=300)
@given(changes=FLIPS, cut=st.integers(0, 60), local=st.booleans())
@pytest.mark.fault(2)
def test_damaged_zip_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[int, int]],
    cut: int,
    local: bool,
) -> None:
    """Whatever happens to the bytes of a zip, nothing but a SourceError comes of it."""
    content = bytearray(SMALL)
    for place, flip in changes:
        # Half of the trials stay within the directory, where the fields are.
        content[place % len(content) if local else -1 - place % 170] ^= flip
    url = stored(
        tmp_path_factory.getbasetemp() / "m.zip", bytes(content[: len(content) - cut // 20 * cut])
    )
    try:
        found = walked(url)
    except SourceError:
        return

    assert set(found.values()) <= {DATA, b""}
