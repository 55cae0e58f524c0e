"""Column types: one description, three spellings (Arrow, `datasets` metadata, card YAML).

The metadata is written in the spelling that `datasets` 2.21 to 5.2 all read: ``Sequence`` rather
than the ``List`` of 4.0, which older versions refuse ("Feature type 'List' not found"). The
package writes it without importing `datasets`, whose import takes longer than many conversions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Json = dict[str, Any]

_ARROW = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
}
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass(frozen=True)
class Value:
    """A scalar, of one of the Arrow types named in this module."""

    dtype: str

    def arrow(self) -> pa.DataType:
        """Return the Arrow type."""
        return _ARROW[self.dtype]

    def metadata(self) -> Json:
        """Return the feature as `datasets` writes it into Parquet metadata."""
        return {"dtype": self.dtype, "_type": "Value"}

    def card(self) -> Json:
        """Return the feature as `datasets` writes it into a card's YAML."""
        return {"dtype": self.dtype}


@dataclass(frozen=True)
class ClassLabel:
    """An enumerated value, stored as its int64 index into the names."""

    names: tuple[str, ...]

    def arrow(self) -> pa.DataType:
        """Return the Arrow type."""
        return pa.int64()

    def metadata(self) -> Json:
        """Return the feature as `datasets` writes it into Parquet metadata."""
        return {"names": list(self.names), "_type": "ClassLabel"}

    def card(self) -> Json:
        """Return the feature as `datasets` writes it into a card's YAML."""
        return {"dtype": {"class_label": {"names": dict(_numbered(self.names))}}}

    def codes(self, values: pa.Array) -> pa.Array:
        """Return the index of each string; null where the string is not a name."""
        index = pc.index_in(values, pa.array(self.names))
        return index.cast(pa.int64())


@dataclass(frozen=True)
class Image:
    """An encoded image: ``struct<bytes: binary, path: string>``, bytes as released."""

    def arrow(self) -> pa.DataType:
        """Return the Arrow type."""
        return IMAGE_TYPE

    def metadata(self) -> Json:
        """Return the feature as `datasets` writes it into Parquet metadata."""
        return {"_type": "Image"}

    def card(self) -> Json:
        """Return the feature as `datasets` writes it into a card's YAML."""
        return {"dtype": "image"}


@dataclass(frozen=True)
class List:
    """A list of scalars or of lists; `length` says that every list has as many items."""

    item: Value | ClassLabel | List
    length: int = -1

    def arrow(self) -> pa.DataType:
        """Return the Arrow type."""
        return pa.list_(self.item.arrow(), self.length)

    def metadata(self) -> Json:
        """Return the feature as `datasets` writes it into Parquet metadata."""
        kept: Json = {"feature": self.item.metadata(), "_type": "Sequence"}
        return kept if self.length < 0 else {**kept, "length": self.length}

    def card(self) -> Json:
        """Return the feature as `datasets` writes it into a card's YAML."""
        item = self.item.card()
        kept: Json = {"sequence": item["dtype"] if set(item) == {"dtype"} else item}
        return kept if self.length < 0 else {**kept, "length": self.length}


@dataclass(frozen=True)
class Struct:
    """A struct of named features."""

    fields: Mapping[str, Value | ClassLabel | List]

    def arrow(self) -> pa.DataType:
        """Return the Arrow type."""
        return pa.struct([(name, item.arrow()) for name, item in self.fields.items()])

    def metadata(self) -> Json:
        """Return the feature as `datasets` writes it into Parquet metadata."""
        return {name: item.metadata() for name, item in self.fields.items()}

    def card(self) -> Json:
        """Return the feature as `datasets` writes it into a card's YAML."""
        return {"struct": [{"name": name, **item.card()} for name, item in self.fields.items()]}


Feature = Value | ClassLabel | Image | List | Struct


@dataclass(frozen=True)
class Column:
    """One column: name, type, and what a reader must know (units, convention, null).

    Attributes:
        name: Column name.
        feature: Its type.
        doc: One or two sentences for the card and for ``rawshelf info``.
        references: ``CONFIG/COLUMN`` that holds each value of this column exactly once, if it is
            the key of another config's rows.
    """

    name: str
    feature: Feature
    doc: str
    references: str | None = None


def schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Return the Arrow schema with the metadata from which `datasets` restores the features."""
    fields = [pa.field(column.name, column.feature.arrow()) for column in columns]
    info = {"info": {"features": features_json(columns)}}
    return pa.schema(fields, metadata={"huggingface": json.dumps(info)})


def features_json(columns: tuple[Column, ...]) -> Json:
    """Return the features as `datasets.Features.from_dict` takes them."""
    return {column.name: column.feature.metadata() for column in columns}


def features_card(columns: tuple[Column, ...]) -> list[Json]:
    """Return the features as a card's ``dataset_info`` holds them."""
    return [{"name": column.name, **column.feature.card()} for column in columns]


def image_columns(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Return the names of the columns that hold encoded images."""
    return tuple(column.name for column in columns if isinstance(column.feature, Image))


def _numbered(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return ((str(index), name) for index, name in enumerate(names))
