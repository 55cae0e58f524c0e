"""Images taken from where they lie in a Parquet file, against what pyarrow reads."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawshelf.groups import GroupReader, pieces
from rawshelf.pages import images_in_place, value_edges
from rawshelf.published import find
from rawshelf.rows import Rows

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
ROWS = [
    {"label": n, "image": {"bytes": bytes([n % 251]) * (n * 37 % 900), "path": f"{n}.png"}}
    for n in range(200)
]
# What `rawshelf.parquet` asks for, as far as pages are concerned.
PLAIN = {
    "compression": "none",
    "use_dictionary": ["label"],
    "write_statistics": ["label"],
    "write_page_index": True,
    "write_batch_size": 16,
    "data_page_size": 1000,
}


def written(
    rows: list[dict[str, Any]], image: pa.Field | None = None, **options: Any
) -> memoryview:
    """Write rows as a file of two row groups."""
    schema = pa.schema([("label", pa.int64()), image or pa.field("image", IMAGE)])
    out = io.BytesIO()
    table = pa.Table.from_pylist(rows, schema)
    pq.write_table(table, out, row_group_size=120, **{**PLAIN, **options})
    return out.getbuffer()


def in_place(data: memoryview, columns: list[str] | None = None) -> list[Any] | None:
    """Read rows as a stream does, or None if it would not."""
    file = pq.ParquetFile(io.BytesIO(data))
    taken: list[Any] = []
    for group in range(file.num_row_groups):
        found = images_in_place(data, file.metadata, group, columns)
        if found is None:
            return None
        rows = Rows(file.read_row_group(group, columns=found.others), found.images)
        taken += [rows[row] for row in range(len(rows))]
    return taken


NEVER_NULL = pa.struct([pa.field("bytes", pa.binary(), nullable=False), ("path", pa.string())])


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (None, {}),
        (None, {"data_page_size": 1 << 20}),
        (None, {"write_page_checksum": True}),
        (pa.field("image", NEVER_NULL), {}),
        (pa.field("image", NEVER_NULL, nullable=False), {}),
    ],
)
def test_plain_images_are_taken_in_place(image: pa.Field | None, options: dict[str, Any]) -> None:
    """From pages of one or many values, with or without a checksum, nullable or not."""
    assert ROWS == in_place(written(ROWS, image, **options))


def test_chosen_columns_come_in_their_order() -> None:
    data = written(ROWS)
    for columns in (["image"], ["image", "label"], ["label", "image"]):
        expected = [{name: row[name] for name in columns} for row in ROWS]
        found = in_place(data, columns)

        assert expected == found
        assert found is not None
        assert columns == list(found[0])
    assert in_place(data, ["label"]) is None


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "snappy"},
        {"use_dictionary": True},
        {"data_page_version": "2.0"},
        {"column_encoding": {"image.bytes": "DELTA_LENGTH_BYTE_ARRAY"}},
    ],
)
def test_other_pages_are_left_to_pyarrow(options: dict[str, Any]) -> None:
    assert in_place(written(ROWS, **options)) is None


@pytest.mark.parametrize("gap", [None, {"bytes": None, "path": "a"}])
def test_a_missing_image_is_left_to_pyarrow(gap: Any) -> None:
    rows = [dict(row) for row in ROWS]
    rows[150]["image"] = gap

    assert in_place(written(rows)) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [(pa.string(), "a"), (pa.int32(), 0), (pa.int64(), 4), (pa.binary(4), bytes(4))],
)
def test_what_is_only_named_like_an_image_is_left_to_pyarrow(kind: pa.DataType, value: Any) -> None:
    """Zeros can be read as empty images."""
    image = pa.field("image", pa.struct([("bytes", kind), ("path", pa.string())]))
    rows = [{"label": n, "image": {"bytes": value, "path": "a"}} for n in range(9)]

    assert in_place(written(rows, image)) is None


def test_names_with_dots_are_left_to_pyarrow() -> None:
    """They look like fields of a struct. So is a name that the file does not have."""
    out = io.BytesIO()
    columns = {"image.bytes": [b"a", b"b"], "image.path": ["x", "y"]}
    pq.write_table(pa.table(columns), out, compression="none", use_dictionary=False)

    assert in_place(out.getbuffer()) is None
    assert in_place(written(ROWS), ["image.bytes"]) is None
    found = in_place(written(ROWS), ["image", "elsewhere"])
    assert found is not None
    assert ROWS[5]["image"] == found[5]["image"]


def test_images_are_counted_on_over_batches() -> None:
    """As in a table whose other columns come in several pieces."""
    half = pa.table({"image": pa.array([{"path": "a"}] * 2)})
    data = memoryview(b"abcd")
    rows = Rows(pa.concat_tables([half, half]), {"image": ([0, 1, 1, 2, 2, 3, 3, 4], data)})

    assert [b"a", b"b", b"c", b"d"] == [rows[n]["image"]["bytes"] for n in range(4)]


def test_much_beside_the_images_is_left_to_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read at once here."""
    monkeypatch.setattr("rawshelf.pages._MOST_BESIDE", 100)

    assert in_place(written(ROWS)) is None


def test_structs_without_end_are_no_header() -> None:
    assert value_edges(memoryview(b"\x1c" * 5000), 1, 2) is None


@given(data=st.data())
def test_damage_never_leads_outside(data: st.DataObject) -> None:
    """Where pages are damaged, no value is found, or values within the chunk."""
    chunk = bytearray(CHUNK)
    for _ in range(data.draw(st.integers(1, 4))):
        chunk[data.draw(st.integers(0, len(chunk) - 1))] = data.draw(st.integers(0, 255))
    part = memoryview(chunk)[: data.draw(st.integers(0, len(chunk)) | st.just(len(chunk)))]
    edges = value_edges(part, COUNT, 2)

    assert edges is None or (2 * COUNT == len(edges) and edges == sorted(edges))
    assert edges is None or edges[-1] <= len(part)


def chunk_of(data: memoryview) -> tuple[bytes, int]:
    group = pq.read_metadata(io.BytesIO(data)).row_group(0)
    column = group.column(1)
    start = column.data_page_offset
    return bytes(data[start : start + column.total_compressed_size]), group.num_rows


CHUNK, COUNT = chunk_of(written(ROWS[:40], data_page_size=500))


def test_the_chunk_that_is_damaged_is_good() -> None:
    assert value_edges(memoryview(CHUNK), COUNT, 2) is not None


@pytest.mark.parametrize(
    ("dataset", "config", "split", "count"),
    [
        ("imagenet_sketch", "default", "test", 1),
        ("partimagenet", "seg", "train", 3),
        ("spair71k", "images", "test", 2),
    ],
)
def test_conversions_are_read_in_place(
    sharded: dict[str, Path], dataset: str, config: str, split: str, count: int
) -> None:
    """All their images: so a stream copies none of them twice."""
    found = find(str(sharded[dataset]))
    for piece in pieces(found.splits(config, split)[split]):
        data = Path(found.path(piece.path)).read_bytes()
        footer = pq.read_metadata(found.path(piece.path))
        for group in piece.groups:
            images = images_in_place(memoryview(data), footer, group, None)

            assert images is not None
            assert count == len(images.images)


def test_rows_share_what_is_mapped(sharded: dict[str, Path]) -> None:
    """A row taken late is whole, though the reader has gone on or is gone."""
    found = find(str(sharded["spair71k"]))
    reader = GroupReader(found, None, None)
    kept = [
        rows
        for piece in pieces(found.splits("images", "test")["test"])
        for rows in reader.rows(piece)
    ]
    expected = [
        row
        for piece in pieces(found.splits("images", "test")["test"])
        for table in reader.tables(piece)
        for row in table.to_pylist()
    ]
    del reader

    assert expected == [rows[place] for rows in kept for place in range(len(rows))]
