"""Streaming a conversion through rawshelf's own reader, as an `IterableDataset`.

``datasets.load_dataset(..., streaming=True)`` reads a conversion too. What is different here:

* A reader that stops in the middle ends well. With `datasets` 5.2 and pyarrow 26, an interpreter
  that has read a part of a Parquet stream aborts or hangs at its end in many runs: threads of
  ``pyarrow.dataset`` still call into Python (https://github.com/apache/arrow/issues/45214; the
  workaround in `datasets` is bound to pyarrow up to 24). This reader has no such threads.
* A shard is a row group of 10 to 25 MB rather than a file, where row groups are even. So a resumed
  or shuffled stream starts there, and more readers share a split.
* Only the wanted columns are fetched, and of the first row group only what the first rows need.

This module does no file access of its own: constructing a builder makes `datasets` replace
``open``, ``os.path`` and more in the builder's module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import datasets
import pyarrow as pa

from rawshelf import catalog
from rawshelf.errors import UsageError
from rawshelf.groups import GroupReader, Piece, pieces
from rawshelf.published import Published, find


@dataclass
class StreamConfig(datasets.BuilderConfig):
    """A config of a conversion.

    Attributes:
        reader: Reads the pieces.
        splits: The pieces of each split.
        features: Of the wanted columns.
    """

    reader: Any = None
    splits: Mapping[str, list[Piece]] = field(default_factory=dict)
    features: Any = None

    def create_config_id(self, *_: Any, **__: Any) -> str:
        """Name the cache, which is never written: nothing to tell apart."""
        return str(self.name)


class StreamBuilder(datasets.ArrowBasedBuilder):
    """Gives `datasets` the pieces as shards, and their rows as tables."""

    BUILDER_CONFIG_CLASS = StreamConfig

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=self.config.features)

    def _split_generators(self, _: Any) -> list[datasets.SplitGenerator]:
        reader = self.config.reader
        return [
            datasets.SplitGenerator(name=name, gen_kwargs={"reader": reader, "pieces": parts})
            for name, parts in self.config.splits.items()
        ]

    def _generate_tables(
        self, reader: GroupReader, pieces: list[Piece]
    ) -> Iterator[tuple[tuple[int, int], pa.Table]]:
        for place, piece in enumerate(pieces):
            for number, table in enumerate(reader.tables(piece)):
                yield (place, number), table


def stream(
    source: str,
    config: str | None = None,
    *,
    split: str | None = None,
    columns: Sequence[str] | None = None,
    revision: str | None = None,
    token: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Stream a conversion.

    Args:
        source: Folder that ``rawshelf convert`` wrote, ``user/name`` of a dataset repository on
            the Hub, or fsspec URL of such a folder.
        config: Config name; the conversion's first if None.
        split: Split name; all splits if None.
        columns: Names of the columns to read; all if None. Nothing of the others is fetched.
        revision: Branch, tag or commit of the repository.
        token: For the Hub; the one of this machine's user if None.
        storage_options: For the file system of a URL.

    Returns:
        An `IterableDataset`, or an `IterableDatasetDict` of all splits. Its shards are row
        groups if those are even, else files. Images are decoded when a row is taken, as
        `datasets` does.

    Raises:
        UsageError: If there is no such conversion, revision, config, split or column.
        SourceError: If it cannot be reached or read; also while rows are taken.
    """
    found = find(str(source), revision=revision, token=token, storage_options=storage_options)
    name = found.config(config)
    parts = {key: pieces(files) for key, files in found.splits(name, split).items()}
    reader = GroupReader(found, columns, _batch_rows(found, name))
    features = datasets.Features.from_arrow_schema(reader.schema(next(iter(parts.values()))[0]))
    builder = StreamBuilder(
        dataset_name=found.dataset,
        config_name=name,
        reader=reader,
        splits=parts,
        features=_chosen(features, columns),
    )
    return builder.as_streaming_dataset(split=split)


def _chosen(features: Any, columns: Sequence[str] | None) -> Any:
    if columns is not None and not columns:
        raise UsageError(
            "No column is asked for.",
            field="columns",
            expected=f"some of {', '.join(features)}",
            remedy="Name columns, or leave `columns` out for all of them.",
        )
    for column in columns or ():
        if column not in features:
            raise catalog.unknown("column", column, tuple(features))
    kept = {name: kind for name, kind in features.items() if columns is None or name in columns}
    return datasets.Features(kept)


def _batch_rows(found: Published, config: str) -> int | None:
    """Return how many rows to decode at a time where rows that share images each get a copy."""
    if found.dataset not in catalog.names():
        return None
    configs = {item.name: item for item in catalog.find(found.dataset).configs}
    return configs[config].batch_rows if config in configs else None
