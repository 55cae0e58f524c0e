from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rawshelf.errors import SourceError
from rawshelf.sources import Source
from tests.archives import END, FILES, entry, header, padded, pax, pax_data, stored, tar, walked

ONE = entry("a.txt", b"hello")
# Enough plain members that the hostile one is met among a run that is checked as a whole.
RUN = tar()[: -len(END)]
OTHER_RUN = tar({name.replace("d/", "e/"): data for name, data in FILES.items()})[: -len(END)]
_QUIET = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def refusal(tmp_path: Path, content: bytes, name: str = "x.tar") -> SourceError:
    url = stored(tmp_path / name, content)
    with pytest.raises(SourceError) as caught:
        walked(url)
    assert caught.value.archive == url
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
@pytest.mark.fault(10)
def test_reads_what_tarfile_writes(tmp_path: Path, form: int, name: str) -> None:
    """Long, deep and non-ASCII names, empty files and folders come out in every format."""
    names = ["a", "d/" * 60 + "x", "n" * 90 + "/" + "m" * 90, "empty"]
    names += [] if form == tarfile.USTAR_FORMAT else ["é" * 80, "x" * 300]
    files = {each: each.encode() * 40 * (each != "empty") for each in names} | FILES
    path = tmp_path / name
    with tarfile.open(path, "w:gz" if name.endswith("gz") else "w", format=form) as archive:
        folder = tarfile.TarInfo("d")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for each, data in files.items():
            info = tarfile.TarInfo(each)
            info.size, info.mtime = len(data), 1.5 if form == tarfile.PAX_FORMAT else 1
            archive.addfile(info, io.BytesIO(data))

    assert files == walked(str(path))


def test_members_of_a_plain_tar_have_blobs(tmp_path: Path) -> None:
    """The blob of a member points at its bytes."""
    url = stored(tmp_path / "x.tar", tar())
    content = Path(url).read_bytes()

    blobs = [(m.name, m.blob) for m, _ in Source(url).walk(lambda _: False)]

    assert FILES == {n: content[b.offset : b.offset + b.size] for n, b in blobs if b is not None}


def test_members_of_a_compressed_tar_have_none(tmp_path: Path) -> None:
    """There is no range to point at."""
    url = stored(tmp_path / "x.tar.gz", gzip.compress(tar()))

    assert {None} == {member.blob for member, _ in Source(url).walk(lambda _: False)}


def test_large_members_span_chunks(tmp_path: Path) -> None:
    """A member larger than the buffer, between small ones, comes out whole."""
    files = FILES | {"big": bytes(range(256)) * 40_000} | {f"z/{n}": b"z" * n for n in range(5000)}

    assert files == walked(stored(tmp_path / "x.tar", tar(files)))


@pytest.mark.parametrize(
    "content",
    [
        header("a.txt", 5, magic=b"") + padded(b"hello"),
        header("a.txt", 5, b"\0", magic=b"") + padded(b"hello"),
        header("a.txt", b"\x80" + bytes(10) + b"\5") + padded(b"hello"),
        header("a.txt", b"          5 ") + padded(b"hello"),
        header("a.txt", 5, checksum=b"%07o\0" % (sum(header("a.txt", 5, checksum=b" " * 8))))
        + padded(b"hello"),
    ],
)
def test_reads_other_spellings(tmp_path: Path, content: bytes) -> None:
    """Headers of Unix v7, binary sizes, and other fillings of sizes and sums are read."""
    assert {"a.txt": b"hello"} == walked(stored(tmp_path / "x.tar", content + END))


@pytest.mark.parametrize("before", [b"", RUN], ids=["first", "after a run"])
@pytest.mark.parametrize(
    ("extension", "name"),
    [
        (pax(path="long/name"), "long/name"),
        (pax(path="long/name", size="5"), "long/name"),
        (pax(mtime="1.5"), "a.txt"),
        (entry("././@LongLink", b"long/name\0", b"L"), "long/name"),
        (pax_data({"comment": "0123abcd"}, b"g"), "a.txt"),
        (entry("dir/", b"", b"5"), "a.txt"),
        (entry("dir/", b"", b"\0"), "a.txt"),
        (entry("./", b"", b"5"), "a.txt"),
        (pax(path="some/dir") + entry("dir/", b"", b"5"), "a.txt"),
        (pax(path="some/dir", size="0") + entry("dir/", b"", b"5"), "a.txt"),
    ],
)
def test_extended_headers(tmp_path: Path, before: bytes, extension: bytes, name: str) -> None:
    """An extended header says something of the next entry, and of no other."""
    last = entry("last.txt", b"last")
    found = walked(stored(tmp_path / "x.tar", before + extension + ONE + last + END))

    assert (b"hello", b"last") == (found[name], found["last.txt"])


HOSTILE = {
    "bad checksum": header("a", 0, checksum=b"000001\0 "),
    "size with letters": header("a", b"0000000000z\0"),
    "size with underscore": header("a", b"00000000_10\0"),
    "size with 0o": header("a", b"0o000000010\0"),
    "size with minus": header("a", b"-0000000010\0"),
    "negative binary size": header("a", b"\xff" * 12),
    "binary size of 2**80": header("a", b"\x80" + b"\x3f" * 11),
    "size of 8 GB": header("a", b"77777777777\0"),
    "hard link": header("a", 0, b"1"),
    "symbolic link": header("a", 0, b"2"),
    "character device": header("a", 0, b"3"),
    "block device": header("a", 0, b"4"),
    "fifo": header("a", 0, b"6"),
    "unknown type": header("a", 0, b"Z"),
    "old sparse": header("a", 0, b"S"),
    "multi-volume": header("a", 0, b"M"),
    "long link": entry("././@LongLink", b"x\0", b"K"),
    "folder with data": entry("d/", b"data", b"5"),
    "file with a slash": entry("d/", b"data"),
    "empty name": entry("", b"data"),
    "zero in name": entry(b"a\0b", b"data"),
    "line end in name": entry(b"a\nb", b"data"),
    "invalid UTF-8": entry(b"a\xff", b"data"),
    "traversal": entry("../a", b"data"),
    "traversing prefix": entry("a", b"data", prefix=b".."),
    "prefix without a magic": entry("a", b"data", prefix=b"d", magic=b""),
    "prefix under another magic": entry("a", b"data", prefix=b"d", magic=b"ustar  \0"),
    "absolute": entry("/a", b"data"),
    "drive": entry("C:/a", b"data"),
    "backslash": entry("C:\\a", b"data"),
    "traversing folder": entry("../", b"", b"5"),
    "absolute folder": entry("/", b"", b"5"),
    "traversing pax path": pax(path="../a") + ONE,
    "zero in pax path": pax(path=b"a\0b") + ONE,
    "empty pax path": pax(path="") + ONE,
    "invalid UTF-8 in pax path": pax(path=b"\xff") + ONE,
    "pax path with line end": pax(path="a\n") + ONE,
    "pax link": pax(linkpath="/etc/passwd") + ONE,
    "pax sparse": pax_data({"GNU.sparse.major": "1"}) + ONE,
    "pax size with letters": pax(size="1e3") + ONE,
    "negative pax size": pax(size="-5") + ONE,
    "pax size of 5,000 digits": pax(size="9" * 5000) + ONE,
    "pax size of another script": pax(size="\u00b2") + ONE,
    "pax size past the end": pax(size="99999999") + ONE,
    "global pax path": pax_data({"path": "b"}, b"g") + ONE,
    "global pax size": pax_data({"size": "1"}, b"g") + ONE,
    "pax without length": entry("p", b"path=a\n", b"x") + ONE,
    "pax length 0": entry("p", b"0 path=a\n", b"x") + ONE,
    "pax length too long": entry("p", b"99 path=a\n", b"x") + ONE,
    "pax length of 5,000 digits": entry("p", b"9" * 5000 + b" path=a\n", b"x") + ONE,
    "pax without equals": entry("p", b"7 path\n", b"x") + ONE,
    "pax without line end": entry("p", b"9 path=ab", b"x") + ONE,
    "pax header of 2 MB": entry("p", bytes(2 << 20), b"x") + ONE,
    "long name that traverses": entry("././@LongLink", b"../a\0", b"L") + ONE,
    "long name with a zero": entry("././@LongLink", b"a\0b\0", b"L") + ONE,
    "long name empty": entry("././@LongLink", b"\0", b"L") + ONE,
    "pax header before the end": pax(path="a"),
    "long name before the end": entry("././@LongLink", b"a\0", b"L"),
    "twin": ONE + ONE,
    "twin by case": ONE + entry("A.TXT"),
    "twin of the run": entry("d/03.TXT"),
}


@pytest.mark.parametrize("before", [b"", RUN], ids=["first", "after a run"])
@pytest.mark.parametrize("after", [b"", OTHER_RUN], ids=["last", "before a run"])
@pytest.mark.parametrize("evil", HOSTILE, ids=str)
@pytest.mark.fault(4, only="name|travers|absolute|drive|backslash|UTF-8|path")
@pytest.mark.fault(5, only="link|device|fifo|unknown type|multi-volume")
@pytest.mark.fault(8, only=r"\bsize|length|binary|checksum")
@pytest.mark.fault(9, only="twin")
@pytest.mark.fault(10, only="sparse")
def test_refuses_hostile_entry(tmp_path: Path, before: bytes, after: bytes, evil: str) -> None:
    """Each hostile entry refuses the archive, wherever it stands."""
    if evil == "twin of the run" and not before:
        before = RUN
    ends = evil.endswith("before the end")

    refusal(tmp_path, before + HOSTILE[evil] + (b"" if ends else after) + END)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (tar()[:-1024], "ends in the middle"),
        (tar()[:-512], "ends in the middle"),
        (RUN[:-1024], "ends in the middle"),
        (RUN + ONE[:100], "ends in the middle"),
        (RUN + ONE[:512], "ends in the middle"),
        (RUN + ONE[:515], "ends in the middle"),
        (tar() + b"x", "Data follows the end"),
        (tar() + bytes(10240) + b"x", "Data follows the end"),
        (RUN + bytes(512) + ONE, "Data follows the end"),
        (tar() + tar(), "Data follows the end"),
    ],
)
@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
@pytest.mark.fault(1, only="ends in")
def test_refuses_cut_and_prolonged(tmp_path: Path, content: bytes, what: str, name: str) -> None:
    """An archive that is cut, or goes on after its end, is refused."""
    packed = gzip.compress(content) if name.endswith("gz") else content

    assert what in refusal(tmp_path, packed, name).what


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 100, 1024])
@pytest.mark.fault(1)
def test_refuses_cut_gzip(tmp_path: Path, cut: int) -> None:
    """A gzip stream that lacks its last bytes is refused, even if only its trailer is gone."""
    packed = gzip.compress(tar({"r": bytes(range(256)) * 64}), 1)

    assert "gzip" == refusal(tmp_path, packed[: -min(cut, len(packed) - 20)], "x.tar.gz").field


@pytest.mark.fault(2)
def test_refuses_wrong_gzip_sum(tmp_path: Path) -> None:
    """The sum at the end of the gzip stream is checked."""
    packed = bytearray(gzip.compress(tar()))
    packed[-6] ^= 1

    assert "gzip" == refusal(tmp_path, bytes(packed), "x.tar.gz").field


@pytest.mark.fault(2)
def test_refuses_garbage_after_gzip(tmp_path: Path) -> None:
    """Bytes behind the gzip stream are refused."""
    assert "gzip" == refusal(tmp_path, gzip.compress(tar()) + b"garbage", "x.tar.gz").field


def test_reads_concatenated_gzip(tmp_path: Path) -> None:
    """A gzip file of several streams, as parallel packers write it, is read as one."""
    content = tar()
    packed = gzip.compress(content[:700]) + gzip.compress(content[700:]) + bytes(100)

    assert FILES == walked(stored(tmp_path / "x.tar.gz", packed))


@pytest.mark.parametrize("content", [b"{}", b"x" * 2000, b"", b"\x89PNG" + bytes(600)])
def test_refuses_gzip_without_tar(tmp_path: Path, content: bytes) -> None:
    """What is compressed, but no tar, is refused."""
    refusal(tmp_path, gzip.compress(content), "x.tar.gz")


def test_abandoned_walk_closes_everything(tmp_path: Path) -> None:
    """A consumer that stops early leaves no thread or file behind."""
    walk = Source(stored(tmp_path / "x.tar.gz", gzip.compress(tar()))).walk(lambda _: True)
    next(walk)
    walk.close()  # type: ignore[attr-defined]  # it is a generator

    assert [] == list(walk)


def mutate(content: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    changed = bytearray(content)
    for place, flip in changes:
        changed[place % len(changed)] ^= flip
    return bytes(changed[: len(changed) - cut])


FLIPS = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), max_size=3)
GZIPPED = gzip.compress(tar(), mtime=0)
RICH = pax(path="p/q") + ONE + entry("././@LongLink", b"l/m\0", b"L") + ONE + tar()


@_QUIET
@given(changes=FLIPS, cut=st.integers(0, 3000))
@pytest.mark.fault(2)
def test_damaged_tar_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    """Whatever happens to the bytes of a tar, nothing but a SourceError comes of it."""
    url = stored(tmp_path_factory.getbasetemp() / "m.tar", mutate(RICH, changes, cut))
    try:
        names = set(walked(url))
    except SourceError:
        return

    assert len(names) == len(FILES) + 2


@_QUIET
@given(changes=FLIPS.filter(bool), cut=st.integers(0, 300))
@pytest.mark.fault(2)
def test_damaged_gzip_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    """A damaged tar.gz is refused, or the damage was in the gzip header and nothing is lost."""
    url = stored(tmp_path_factory.getbasetemp() / "m.tar.gz", mutate(GZIPPED, changes, cut))
    try:
        found = walked(url)
    except SourceError:
        return

    assert FILES == found
