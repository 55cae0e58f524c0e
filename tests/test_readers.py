from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rawshelf import catalog
from rawshelf.features import IMAGE_TYPE, schema
from tests.conftest import Conversion

CONFIGS = ("pairs", "images", "pairs_flat")


def shard(conversion: Conversion, config: str) -> Path:
    return conversion.out / f"data/{config}/test-00000-of-00001.parquet"


@pytest.mark.parametrize("config", CONFIGS)
def test_pyarrow_reads_the_stated_types(config: str, conversion: Conversion) -> None:
    """Dictionaries are a matter of storage: no reader gets them as types."""
    expected = schema(catalog.find("spair71k").config(config).columns)

    table = pq.read_table(shard(conversion, config))

    assert expected.equals(table.schema)
    assert expected.metadata == table.schema.metadata
    table.validate(full=True)


@pytest.mark.parametrize("config", CONFIGS)
def test_pandas_reads_every_row(config: str, conversion: Conversion) -> None:
    """Numbers, flags, lists, structs and bytes come out as Python has them."""
    frame = pd.read_parquet(shard(conversion, config))
    expected = pq.read_table(shard(conversion, config)).to_pylist()

    assert len(expected) == len(frame)
    assert [row["file_name"] for row in expected] == list(frame["file_name"])
    keypoints = frame["keypoints"].iloc[0]
    assert expected[0]["keypoints"]["id"] == list(keypoints["id"])
    for name in ("image", "src_image"):
        if name in frame:
            assert expected[0][name] == frame[name].iloc[0]


@pytest.mark.parametrize("config", CONFIGS)
def test_polars_reads_the_stated_types(config: str, conversion: Conversion) -> None:
    """Fixed-size lists are arrays, structs of lists are structs."""
    frame = pl.read_parquet(shard(conversion, config))
    box = "bbox" if config == "images" else "src_bbox"

    assert pl.Array(pl.Int32, 4) == frame.schema[box]
    assert pl.Int64 == frame.schema["category"]
    assert pl.List(pl.Int32) == frame.select(pl.col("keypoints").struct.field("id")).schema["id"]
    table = pq.read_table(shard(conversion, config))
    assert table["file_name"].to_pylist() == frame["file_name"].to_list()
    assert table[box].to_pylist() == [list(value) for value in frame[box].to_list()]
    for name in ("image", "src_image", "trg_segmentation"):
        if name in frame.columns:
            assert pl.Struct({"bytes": pl.Binary, "path": pl.String}) == frame.schema[name]
            assert table[name].to_pylist() == frame[name].to_list()


@pytest.mark.parametrize("config", CONFIGS)
def test_duckdb_reads_the_stated_types(config: str, conversion: Conversion) -> None:
    """SQL over the files needs nothing of ours."""
    box = "bbox" if config == "images" else "src_bbox"
    with duckdb.connect() as connection:
        shards = connection.from_parquet(str(shard(conversion, config)))
        kinds = dict(zip(shards.columns, map(str, shards.types), strict=True))
        shards.create_view("shards")
        rows = connection.sql(
            f"select file_name, {box}, keypoints.id as ids from shards order by file_name"  # noqa: S608 - our names
        ).fetchall()

    assert "BIGINT" == kinds["category"]
    assert kinds["keypoints"].startswith("STRUCT(id INTEGER[]")
    columns = ["file_name", box, "keypoints"]
    expected = pq.read_table(shard(conversion, config), columns=columns).to_pylist()
    assert sorted(row["file_name"] for row in expected) == [row[0] for row in rows]
    by_name = {row["file_name"]: row for row in expected}
    assert all(by_name[name][box] == list(found) for name, found, _ in rows)
    assert all(by_name[name]["keypoints"]["id"] == ids for name, _, ids in rows)


@pytest.mark.parametrize("config", ["images", "pairs_flat"])
def test_images_are_bytes_as_released(
    config: str, conversion: Conversion, miniature_folder: Path
) -> None:
    """Photographs and masks are never encoded again."""
    name = "image" if config == "images" else "trg_image"
    mask = "segmentation" if config == "images" else "trg_segmentation"
    key = "name" if config == "images" else "trg_name"

    for row in pq.read_table(shard(conversion, config), columns=[name, mask, key]).to_pylist():
        photo = miniature_folder / f"JPEGImages/{row[key]}.jpg"
        assert {"bytes": photo.read_bytes(), "path": photo.name} == row[name]
        drawn = miniature_folder / f"Segmentation/{row[key]}.png"
        assert {"bytes": drawn.read_bytes(), "path": drawn.name} == row[mask]


@pytest.mark.parametrize("path", ["bytes", "path"])
@pytest.mark.parametrize("side", ["src", "trg"])
@pytest.mark.parametrize("picture", ["image", "segmentation"])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_shared_images_are_stored_once_per_row_group(
    path: str, side: str, picture: str, split: str, conversion: Conversion
) -> None:
    """Data pages hold indices only; a repeated value would make Arrow give the dictionary up."""
    name = f"{side}_{picture}.{path}"
    place = conversion.out / f"data/pairs_flat/{split}-00000-of-00001.parquet"
    file = pq.ParquetFile(place)
    table = file.read([f"{side}_{picture}"])
    values = table[f"{side}_{picture}"].combine_chunks().field(path)
    once = sum(len(value.as_py()) + 4 for value in values.unique())
    group = file.metadata.row_group(0)
    chunk = next(
        group.column(index)
        for index in range(group.num_columns)
        if group.column(index).path_in_schema == name
    )

    assert 1 == file.metadata.num_row_groups
    assert "RLE_DICTIONARY" in chunk.encodings
    assert chunk.total_compressed_size < once + 3 * len(values) + 200
    file.close()


def test_own_images_are_plain_and_uncompressed(conversion: Conversion) -> None:
    """JPEGs do not shrink, and a dictionary of them would only be copied."""
    with pq.ParquetFile(shard(conversion, "images")) as file:
        group = file.metadata.row_group(0)
        chunks = {
            group.column(index).path_in_schema: group.column(index)
            for index in range(group.num_columns)
        }

    assert not chunks["image.bytes"].has_dictionary_page
    assert "UNCOMPRESSED" == chunks["image.bytes"].compression
    assert "ZSTD" == chunks["category"].compression
    assert chunks["category"].statistics is not None
    assert chunks["image.bytes"].statistics is None


def test_the_schema_can_be_read_without_rawshelf_or_datasets(conversion: Conversion) -> None:
    """The Arrow schema that is stored is plain."""
    with pq.ParquetFile(shard(conversion, "pairs_flat")) as file:
        assert IMAGE_TYPE == file.schema_arrow.field("src_image").type
        assert pa.list_(pa.int32(), 4) == file.schema_arrow.field("src_bbox").type
