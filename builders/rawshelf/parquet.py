"""Writing one shard as a Parquet file: whole or not at all, and the same bytes every time."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator
from itertools import starmap

import pyarrow as pa
import pyarrow.parquet as pq

from rawshelf import catalog
from rawshelf.features import image_columns, schema
from rawshelf.files import file_sha256, publish
from rawshelf.plan import ShardTask
from rawshelf.records import ShardRecord
from rawshelf.release import Config
from rawshelf.report import Quarantined
from rawshelf.shards import read_groups, refuse_withdrawn

# One dictionary page holds a row group's images; Parquet's default of 1 MB would end it at once.
_DICTIONARY_BYTES = 1 << 30
_ZSTD_LEVEL = 3
# The writer ends a page of 1 MB or more after so many values: pages of a few images, so that a
# reader that decodes some rows at a time touches little memory (measured: 1.4 times as fast as
# pages of a whole row group).
_IMAGES_AT_ONCE = 16
# One thread at a time lets the writer copy its pages, so that those of large images do not add up
# (measured: 2 MB less at the peak, and in 4 s threads waited 0.04 s for each other).
_ENCODING = threading.Lock()


def write_shard(task: ShardTask, root: str) -> ShardRecord:
    """Write a shard below a folder.

    Args:
        task: What to write.
        root: Folder below which ``task.path`` will stand.

    Raises:
        SourceError: If the release changed or is damaged.
        OutputError: If the plan was withdrawn, see `rawshelf.output`.
        OSError: If the file cannot be written; nothing then stands at its path.
    """
    refuse_withdrawn(task)  # or a task that comes too late would make the folder anew
    config = catalog.find(task.dataset).config(task.config)
    path = os.path.join(root, task.path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with publish(path) as temporary:
        groups, aside = _write(task, config, temporary)
        digest, size = file_sha256(temporary)
    place = (task.path, task.config, task.split)
    return ShardRecord(*place, sum(groups), size, digest, tuple(groups), tuple(aside))


def _write(task: ShardTask, config: Config, path: str) -> tuple[list[int], list[Quarantined]]:
    """Write the row groups; return how many rows each holds, and which rows were set aside."""
    aside: list[Quarantined] = []
    writer: pq.ParquetWriter | None = None
    plain = schema(config.columns)

    def write(group: pa.Table, bad: list[Quarantined]) -> int:
        nonlocal writer
        aside.extend(bad)
        table = group.replace_schema_metadata(plain.metadata)
        if writer is None:
            writer = _writer(path, table.schema, plain, config)
        if len(table):
            with _ENCODING:
                writer.write_table(table, row_group_size=len(table))
        return len(table)

    try:
        # No loop over the groups: its variable would hold one while the next is read.
        groups = [rows for rows in starmap(write, read_groups(task)) if rows]
    finally:
        if writer is not None:
            writer.close()
    return groups, aside


def _writer(path: str, written: pa.Schema, plain: pa.Schema, config: Config) -> pq.ParquetWriter:
    """Open a writer whose file says that its columns are plain, dictionaries or not."""
    images = [f"{name}.{part}" for name in image_columns(config.columns) for part in _PARTS]
    small = [leaf for leaf in leaves(plain) if leaf not in images]
    writer = pq.ParquetWriter(
        path,
        written,
        compression={**dict.fromkeys(small, "zstd"), **dict.fromkeys(images, "none")},
        compression_level=dict.fromkeys(small, _ZSTD_LEVEL),
        use_dictionary=[*small, *images] if config.shared else small,
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        write_statistics=small,
        write_page_index=True,
        write_batch_size=_IMAGES_AT_ONCE if images and not config.shared else None,
        store_schema=False,
    )
    # Arrow would store the dictionary types of `written`, and hand dictionaries to every reader.
    stored = base64.b64encode(plain.serialize().to_pybytes()).decode()
    writer.add_key_value_metadata({"ARROW:schema": stored})
    return writer


_PARTS = ("bytes", "path")


def leaves(plain: pa.Schema) -> list[str]:
    """Return the Parquet paths of all leaf columns, as pyarrow's writer names them."""
    return [path for item in plain for path in _leaves(item.name, item.type)]


def _leaves(path: str, kind: pa.DataType) -> Iterator[str]:
    if pa.types.is_struct(kind):
        for position in range(kind.num_fields):
            yield from _leaves(f"{path}.{kind.field(position).name}", kind.field(position).type)
    elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    else:
        yield path
