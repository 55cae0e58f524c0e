"""Streaming a conversion through rawshelf's own reader, as an `IterableDataset`.

``datasets.load_dataset(..., streaming=True)`` reads a conversion too. What is different here:

* A reader that stops in the middle ends well. With `datasets` 5.2 and pyarrow 26, an interpreter
  that has read a part of a Parquet stream aborts or hangs at its end in many runs: threads of
  ``pyarrow.dataset`` still call into Python (https://github.com/apache/arrow/issues/45214; the
  workaround in `datasets` is bound to pyarrow up to 24). This reader has no such threads.
* A shard is a row group of 10 to 25 MB rather than a file, where row groups are even. So a resumed
  or shuffled stream starts there, and more readers share a split.
* Only the wanted columns are fetched, and of the first row group only what the first rows need.
* Rows whose images stay bytes are made by `rawshelf.rows`, with images taken from the mapped file.
  `datasets` copies those into a table, makes a table of each row, and of that a dict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from typing import Any, Self

import datasets
import numpy as np
import pyarrow as pa
from datasets.iterable_dataset import ArrowExamplesIterable

from rawshelf import catalog
from rawshelf.errors import UsageError
from rawshelf.groups import GroupReader, Piece, pieces
from rawshelf.published import Published, find

Keyed = tuple[int, int]  # number of a piece, and of a table in it


class GroupExamples(ArrowExamplesIterable):
    """Pieces of a split as shards; their rows as tables for `datasets`, and as dicts.

    A dataset takes the dicts where it has the features that they have: those of the conversion, all
    images as bytes. In any other case it takes the tables, and makes of them what is asked for.

    Attributes:
        features: Of the dicts.
    """

    features: Any = None

    def __init__(self, reader: GroupReader, pieces: list[Piece], features: Any) -> None:
        """Read nothing yet.

        Args:
            reader: Reads the pieces.
            pieces: In the order of their rows.
            features: Of the wanted columns, without decoding.
        """
        super().__init__(_tables, {"reader": reader, "pieces": pieces})
        self._reader, self._pieces = reader, pieces
        self.features = features

    def __iter__(self) -> Iterator[tuple[Keyed, dict[str, Any]]]:
        """Yield rows, and count them in the state, if there is one."""
        state = self._state_dict or {"shard_idx": 0, "shard_example_idx": 0}
        for piece in islice(self._pieces, state["shard_idx"], None):
            behind = state["shard_example_idx"]
            for number, rows in enumerate(self._reader.rows(piece)):
                for row in range(min(behind, len(rows)), len(rows)):
                    state["shard_example_idx"] += 1
                    yield (0, number), rows[row]
                behind = max(0, behind - len(rows))
            state["shard_idx"] += 1
            state["shard_example_idx"] = 0

    def shuffle_data_sources(self, generator: np.random.Generator) -> Self:
        """Return the same pieces in another order."""
        order = list(range(len(self._pieces)))
        deepcopy(generator).shuffle(order)
        return self._of(order)

    def shard_data_sources(
        self,
        num_shards: int,
        index: int,
        contiguous: bool = True,  # noqa: FBT001, FBT002 - as `datasets` hands it over
    ) -> Self:
        """Return the pieces of one of several readers."""
        return self._of(self.split_shard_indices_by_worker(num_shards, index, contiguous))

    def reshard_data_sources(self) -> Self:
        """Return all pieces: they are as small as they can be."""
        return self

    def _of(self, order: Sequence[int]) -> Self:
        return type(self)(self._reader, [self._pieces[place] for place in order], self.features)

    def __deepcopy__(self, _: Any) -> ArrowExamplesIterable:
        """Return the tables alone.

        `datasets` copies streams so when it joins several. It would take the features of the first
        for those of all, and not add columns that another lacks.
        """
        return ArrowExamplesIterable(self.generate_tables_fn, self.kwargs)


def _tables(reader: GroupReader, pieces: Sequence[Piece]) -> Iterator[tuple[Keyed, pa.Table]]:
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
        `datasets` does; cast them to ``datasets.Image(decode=False)`` for their bytes, several
        times as fast as `datasets` gives them.

    Raises:
        UsageError: If there is no such conversion, revision, config, split or column.
        SourceError: If it cannot be reached or read; also while rows are taken.
    """
    found = find(str(source), revision=revision, token=token, storage_options=storage_options)
    name = found.config(config)
    parts = {key: pieces(files) for key, files in found.splits(name, split).items()}
    reader = GroupReader(found, columns, _batch_rows(found, name))
    schema = reader.schema(next(iter(parts.values()))[0])
    features = _chosen(datasets.Features.from_arrow_schema(schema), columns)
    info = datasets.DatasetInfo(features=features, dataset_name=found.dataset, config_name=name)
    streams = datasets.IterableDatasetDict(
        {
            key: datasets.IterableDataset(
                GroupExamples(reader, part, _encoded(features)), info, datasets.NamedSplit(key)
            )
            for key, part in parts.items()
        }
    )
    return streams if split is None else streams[split]


def _encoded(features: Any) -> Any:
    """Return the features of rows whose images are bytes."""
    return datasets.Features(
        {
            name: replace(kind, decode=False) if isinstance(kind, datasets.Image) else kind
            for name, kind in features.items()
        }
    )


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
