"""Rows that a stream makes itself, and what `datasets` makes of its tables: they are the same."""

import dataclasses
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest

import rawshelf
from rawshelf.groups import GroupReader, Piece, pieces
from rawshelf.published import find
from tests.test_streaming import Rows, plain

IMAGES = ("image", "segmentation")


def stream(sharded: dict[str, Path], *columns: str) -> Any:
    return rawshelf.stream(
        str(sharded["spair71k"]), "images", split="test", columns=columns or None
    )


def as_bytes(rows: Any) -> Any:
    for name in IMAGES:
        rows = rows.cast_column(name, datasets.Image(decode=False))
    return rows


@pytest.fixture(scope="module")
def expected(sharded: dict[str, Path]) -> Rows:
    return plain(datasets.load_dataset(str(sharded["spair71k"]), "images", split="test"))


@pytest.fixture
def no_formatter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `datasets` make no row of a table."""
    monkeypatch.setattr(datasets.formatting.PythonFormatter, "format_batch", None)
    monkeypatch.setattr(datasets.formatting.PythonFormatter, "format_row", None)


def order(rows: Any) -> list[Any]:
    return sorted(rows, key=lambda row: str(row["name"]))


@pytest.mark.usefixtures("no_formatter")
def test_images_as_bytes_come_without_the_formatter(
    expected: Rows, sharded: dict[str, Path]
) -> None:
    """Whole, in batches, skipped, resumed and shuffled."""
    rows = as_bytes(stream(sharded))

    assert expected == list(rows)
    assert expected == [row for batch in rows.iter(5) for row in unbatched(batch)]
    assert expected[3:8] == list(rows.skip(3).take(5))
    assert order(expected) == order(rows.shuffle(seed=1, buffer_size=7))
    assert expected == list(resumed(rows, lambda: as_bytes(stream(sharded)), 7))


def unbatched(batch: dict[str, list[Any]]) -> Rows:
    return [dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)]


def resumed(rows: Any, again: Callable[[], Any], count: int) -> Any:
    """Yield all rows, the last of them from another stream that has the first one's state."""
    for _, row in zip(range(count), rows, strict=False):
        yield row
    other = again()
    other.load_state_dict(rows.state_dict())
    yield from other


@pytest.mark.usefixtures("no_formatter")
def test_rows_without_images_come_without_the_formatter(
    expected: Rows, sharded: dict[str, Path]
) -> None:
    """Numbers, texts, lists and structs."""
    columns = [name for name in expected[0] if name not in IMAGES]

    rows = stream(sharded, *columns)

    assert [{name: row[name] for name in columns} for row in expected] == list(rows)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "decoded": lambda rows: rows,
    "shuffled before": lambda rows: as_bytes(rows.shuffle(seed=1, buffer_size=7)),
    "mapped": lambda rows: as_bytes(rows).map(lambda row: {"wide": row["width"] > 1}),
    "filtered": lambda rows: as_bytes(rows).filter(lambda row: row["width"] > 1),
    "fewer": lambda rows: as_bytes(rows).select_columns(["name", *IMAGES]),
    "renamed": lambda rows: as_bytes(rows).rename_column("voc_id", "id"),
    "with a format": lambda rows: as_bytes(rows).with_format("arrow").with_format(None),
    "text": lambda rows: as_bytes(rows).cast_column("width", datasets.Value("string")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_stream_is_a_changed_dataset(name: str, sharded: dict[str, Path]) -> None:
    """In its features and in all rows, whoever makes them."""
    mapped = datasets.load_dataset(str(sharded["spair71k"]), "images", split="test")
    change = CHANGES[name]
    # A dataset's own shuffle has no buffer.
    changed = as_bytes(mapped) if name == "shuffled before" else change(mapped)

    streamed = change(stream(sharded))

    assert changed.features == streamed.features or name == "mapped"
    assert order(changed) == order(streamed)


@pytest.mark.parametrize("kind", ["decoded", "tables"])
def test_a_decoded_stream_goes_on_where_it_was(
    kind: str, expected: Rows, sharded: dict[str, Path]
) -> None:
    """`datasets` keeps the state of the tables that it takes."""

    def rows() -> Any:
        found = stream(sharded, "name", "image")
        return found.with_format("arrow") if kind == "tables" else found

    names = [row["name"] for row in resumed(rows(), rows, 7)]

    if kind == "tables":
        names = [name.as_py() for column in names for name in column]
    assert [row["name"] for row in expected] == names


def test_joined_streams_have_the_columns_of_all(expected: Rows, sharded: dict[str, Path]) -> None:
    """Those that one of them lacks are None there."""
    wide, narrow = stream(sharded, "name", "width"), stream(sharded, "name")
    full = [{"name": row["name"], "width": row["width"]} for row in expected]
    empty = [{**row, "width": None} for row in full]
    by_turns = [row for both in zip(full, empty, strict=True) for row in both]

    assert full + empty == list(datasets.concatenate_datasets([wide, narrow]))
    # The first to end ends it.
    assert by_turns[:-1] == list(datasets.interleave_datasets([wide, narrow]))


class SlowFile(io.BytesIO):
    """A remote file where other threads run between a seek and what is read then."""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Take its time."""
        place = super().seek(offset, whence)
        time.sleep(0.002)
        return place


class SlowFiles:
    """A file system of such files."""

    def open(self, path: str, *_: Any, **__: Any) -> SlowFile:
        """Open a file."""
        return SlowFile(Path(path).read_bytes())


@pytest.mark.parametrize("remote", [False, True])
def test_threads_read_pieces_of_one_shard(remote: bool, sharded: dict[str, Path]) -> None:
    """Each gets its own rows, though they share the reader."""
    found = find(str(sharded["spair71k"]))
    parts = pieces(found.splits("images", "test")["test"])
    if remote:
        found = dataclasses.replace(found, filesystem=SlowFiles())

    def read(reader: GroupReader, piece: Piece) -> pa.Table:
        return pa.concat_tables(reader.tables(piece))

    expected = [read(GroupReader(found, None, None), piece) for piece in parts]
    shared = GroupReader(found, None, None)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(partial(read, shared), parts))

    assert len({piece.path for piece in parts}) < len(parts)
    assert expected == got
