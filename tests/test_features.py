"""Column types in their three spellings: Arrow, metadata of `datasets`, card YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from rawshelf import catalog
from rawshelf.features import (
    ClassLabel,
    Column,
    Feature,
    Image,
    List,
    Struct,
    Value,
    features_card,
    features_json,
    image_columns,
    schema,
)

EVERY_KIND = (
    Column("image", Image(), "An image."),
    Column("label", ClassLabel(("no", "yes", "012", "null")), "An enumerated value."),
    *(
        Column(dtype, Value(dtype), "A scalar.")
        for dtype in ("string", "bool", "int8", "int16", "int32", "int64", "float32", "float64")
    ),
    Column("list", List(Value("int32")), "A list."),
    Column("fixed", List(Value("float32"), 4), "A list of one length."),
    Column("labels", List(ClassLabel(("a", "b"))), "A list of enumerated values."),
    Column("nested", List(List(Value("float64"))), "A list of lists."),
    Column("nested_fixed", List(List(Value("int32"), 2)), "A list of lists of one length."),
    Column("deep", List(List(List(Value("float64")))), "Polygons of objects."),
    Column(
        "struct",
        Struct({"id": List(Value("int32")), "x": Value("float32"), "k": ClassLabel(("a", "b"))}),
        "A struct.",
    ),
)


def all_columns() -> Iterator[tuple[str, tuple[Column, ...]]]:
    """Yield the columns of every config of every dataset, and one of each kind."""
    yield "every kind", EVERY_KIND
    for name in catalog.names():
        for config in catalog.find(name).configs:
            yield f"{name}/{config.name}", config.columns


def example(feature: Feature) -> Any:
    """Return a value of a feature."""
    match feature:
        case Value("string"):
            return ""
        case Value("bool"):
            return False
        case Image():
            return {"bytes": b"", "path": "a.jpg"}
        case List(item, length):
            return [example(item)] * max(length, 0)
        case Struct(fields):
            return {name: example(item) for name, item in fields.items()}
    return 0


every_config = pytest.mark.parametrize(
    "columns", [pytest.param(columns, id=name) for name, columns in all_columns()]
)


@every_config
def test_metadata_gives_the_arrow_schema(columns: tuple[Column, ...]) -> None:
    """`datasets` restores features of just the Arrow types that are written."""
    features = datasets.Features.from_dict(features_json(columns))

    expected = schema(columns).remove_metadata()
    assert expected == features.arrow_schema.remove_metadata()


@every_config
def test_schema_carries_the_features(columns: tuple[Column, ...]) -> None:
    """The schema's metadata is what `datasets` reads features from."""
    expected = datasets.Features.from_dict(features_json(columns))

    assert expected == datasets.Features.from_arrow_schema(schema(columns))


@every_config
def test_card_gives_the_features(columns: tuple[Column, ...]) -> None:
    """The card's spelling, through YAML, means the same features."""
    card = yaml.safe_load(yaml.safe_dump(features_card(columns), sort_keys=False))

    found = datasets.Features._from_yaml_list(card)

    assert datasets.Features.from_dict(features_json(columns)) == found


@every_config
def test_parquet_file_gives_the_features(columns: tuple[Column, ...], tmp_path: Path) -> None:
    """`datasets` reads a Parquet file of the schema with its features."""
    path = str(tmp_path / "rows.parquet")
    row = {column.name: example(column.feature) for column in columns}
    pq.write_table(pa.Table.from_pylist([row], schema=schema(columns)), path)

    found = datasets.Dataset.from_parquet(path, cache_dir=str(tmp_path)).features

    assert datasets.Features.from_dict(features_json(columns)) == found


@every_config
def test_metadata_is_in_the_spelling_of_all_versions(columns: tuple[Column, ...]) -> None:
    """No type is used that only `datasets` 4 or later knows."""
    text = json.dumps(features_json(columns))

    assert '"List"' not in text
    assert '"LargeList"' not in text


@every_config
def test_columns_are_documented(columns: tuple[Column, ...]) -> None:
    """Names are unique, and every column has a sentence for the reader."""
    names = [column.name for column in columns]

    assert len(set(names)) == len(names)
    assert all(column.doc.endswith(".") for column in columns)


def test_codes_are_indices_of_names() -> None:
    """A name becomes its index; null and other strings become null."""
    label = ClassLabel(("no", "yes"))

    codes = label.codes(pa.array(["yes", None, "no", "maybe"]))

    assert (pa.int64(), [1, None, 0, None]) == (codes.type, codes.to_pylist())


def test_image_columns_are_named() -> None:
    """Only columns of images are image columns."""
    assert ("image",) == image_columns(EVERY_KIND)
