from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from rawshelf.blobs import BLOBS, BlobReader, Spool, blob_table
from rawshelf.errors import SourceError
from rawshelf.members import RAW, STORED, WHOLE, Blob
from rawshelf.sources import Source
from tests.archives import FILES, Zipped, deflated, tar, zipped

PLACES = ["local", "memory"]


def put(place: str, tmp_path: Path, content: bytes) -> str:
    if place == "local":
        (tmp_path / "x").write_bytes(content)
        return str(tmp_path / "x")
    fsspec.filesystem("memory").pipe("/blobs/x", content)
    return "memory://blobs/x"


@pytest.fixture(autouse=True)
def _empty_memory() -> None:
    fsspec.filesystem("memory").store.clear()


DEFLATABLE = zipped(
    *(Zipped(name.encode(), data, 8, deflated(data)) for name, data in FILES.items())
)
PLAIN = zipped(*(Zipped(name.encode(), data) for name, data in FILES.items()))
LONG_EXTRA = zipped(
    *(Zipped(n.encode(), data, local={"extra": bytes(4000)}) for n, data in FILES.items())
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("content", [tar(), DEFLATABLE, PLAIN, LONG_EXTRA])
def test_blobs_lead_to_the_bytes(place: str, tmp_path: Path, content: bytes) -> None:
    """Blobs of every method are read in any order, here or behind a URL."""
    url = put(place, tmp_path, content)
    members = [member for member, _ in Source(url).walk(lambda _: False)]
    with BlobReader() as reader:
        found = {m.name: bytes(reader.read(m.blob, m.name)) for m in reversed(members) if m.blob}

    assert FILES == found


@pytest.mark.parametrize("place", PLACES)
def test_reads_whole_files(place: str, tmp_path: Path) -> None:
    """A blob may be a whole file."""
    url = put(place, tmp_path, b"data")
    with BlobReader() as reader:
        assert b"data" == bytes(reader.read(Blob(url, 0, 4, 4, WHOLE, -1), "x"))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "part",
    [
        Blob("", 0, 5, 5, WHOLE, -1),
        Blob("", 0, 3, 3, WHOLE, -1),
        Blob("", 2, 5, 5, RAW, -1),
        Blob("", 99, 5, 5, RAW, -1),
        Blob("", 0, 5, 5, STORED, 0),
    ],
)
@pytest.mark.fault(8)
def test_refuses_other_size(place: str, tmp_path: Path, part: Blob) -> None:
    """A container that is shorter or longer than the blob says is refused."""
    blob = part._replace(container=put(place, tmp_path, b"data"))
    with BlobReader() as reader, pytest.raises(SourceError) as caught:
        reader.read(blob, "n")

    assert (blob.container, "n") == (caught.value.archive, caught.value.member)


@pytest.mark.parametrize("container", ["nowhere", "memory://nowhere", "nosuch://x", "a\0b", ""])
@pytest.mark.parametrize("method", [WHOLE, RAW, STORED])
def test_refuses_missing_container(container: str, method: int) -> None:
    """A container that is not there is refused by name."""
    with BlobReader() as reader, pytest.raises(SourceError) as caught:
        reader.read(Blob(container, 0, 1, 1, method, 0), "n")

    assert container == caught.value.archive


@pytest.mark.fault(30)
def test_container_that_shrinks_is_refused(tmp_path: Path) -> None:
    """A container that is cut while it is open gives an error, and does not kill the process."""
    url = put("local", tmp_path, bytes(100_000))
    with BlobReader() as reader:
        reader.read(Blob(url, 0, 10, 10, RAW, -1), "n")
        (tmp_path / "x").write_bytes(b"")
        with pytest.raises(SourceError, match="another size"):
            reader.read(Blob(url, 50_000, 10, 10, RAW, -1), "n")


def test_views_outlive_the_reader(tmp_path: Path) -> None:
    """Bytes handed out stay valid when the reader is closed."""
    with BlobReader() as reader:
        view = reader.read(Blob(put("local", tmp_path, b"data"), 1, 2, 2, RAW, -1), "n")

    assert b"at" == bytes(view)


def test_accepts_name_below_wrapper(tmp_path: Path) -> None:
    """A zip member is also read by the end of its name, and by no other name."""
    url = put("local", tmp_path, PLAIN)
    (blob,) = (m.blob for m, _ in Source(url).walk(lambda _: False) if m.name == "d/07.txt")
    assert blob is not None
    with BlobReader() as reader:
        assert FILES["d/07.txt"] == reader.read(blob, "07.txt")
        with pytest.raises(SourceError, match="disagree"):
            reader.read(blob, "7.txt")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_table_holds_blobs(count: int) -> None:
    """The table of blobs gives back what was put in."""
    named = {f"n{i}": Blob("c", i, 2, 3, 8, 4) for i in range(count)}
    table = blob_table(named)

    assert BLOBS == table.schema
    assert list(named) == table["name"].to_pylist()
    assert list(named.values()) == [
        Blob(**{key: row[key] for key in Blob._fields}) for row in table.to_pylist()
    ]


def test_spool_takes_members(tmp_path: Path) -> None:
    """Blobs of a spool lead to what was added."""
    spool = Spool(str(tmp_path / "spool"))
    blobs = [spool.add(memoryview(data)) for data in FILES.values()]
    spool.close()
    with BlobReader() as reader:
        assert list(FILES.values()) == [bytes(reader.read(blob, "n")) for blob in blobs]


def test_a_spool_that_lost_bytes_is_told(tmp_path: Path) -> None:
    """A disk that does not keep what a spool was given is named, and no bytes are handed out."""
    path = tmp_path / "spool"
    spool = Spool(str(path))
    first, second = spool.add(memoryview(b"first")), spool.add(memoryview(b"second"))
    spool.close()
    path.write_bytes(b"first" + bytes(6))

    with BlobReader() as reader:
        assert bytes(reader.read(first, "first.jpg")) == b"first"
        with pytest.raises(SourceError, match="A disk lost bytes") as caught:
            reader.read(second, "second.jpg")
    assert (caught.value.member, caught.value.field) == ("second.jpg", "CRC-32")


@pytest.mark.fault(7)
def test_a_file_too_large_for_an_image_is_refused() -> None:
    """Before anything is made of its size; the largest passes."""
    blob = Blob("raw.zip", 0, 2**31 - 1, 0, RAW, 0)
    assert 1 == len(blob_table({"sketch/n/sketch_0.JPEG": blob}))
    with pytest.raises(SourceError, match=r"sketch_0\.JPEG"):
        blob_table({"sketch/n/sketch_0.JPEG": blob._replace(size=2**31)})
