"""The `datasets` side: builders over raw releases, and `load`.

This module does no file access of its own: constructing a builder makes `datasets` replace
``open``, ``os.path`` and more in the builder's module and its bases' modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import datasets
import pyarrow as pa

from rawshelf import catalog
from rawshelf.cache import cached_plan, source_key
from rawshelf.code import code_fingerprint
from rawshelf.errors import UsageError
from rawshelf.features import features_json
from rawshelf.plan import ShardTask
from rawshelf.registry import builder_module
from rawshelf.release import Dataset
from rawshelf.shards import read_batches


@dataclass
class RawConfig(datasets.BuilderConfig):
    """A config read from a raw release.

    The release is given as ``data_dir`` (a folder, an archive, or an fsspec URL of one) or as the
    only entry of ``data_files``.

    Attributes:
        allow_missing: How many files that the release must hold may be absent.
        order: In which order rows come, one of the dataset's; its default if empty.
    """

    allow_missing: int = 0
    order: str = ""

    @property
    def source(self) -> str | None:
        """Path or URL of the raw release, or None if the user gave none."""
        if self.data_dir is not None:
            return str(self.data_dir)
        files = [str(file) for files in (self.data_files or {}).values() for file in files]
        return files[0] if len(files) == 1 else None

    def create_config_id(self, config_kwargs: dict[str, Any], **options: Any) -> str:
        """Make the cache key depend on the release's state and on rawshelf's code."""
        plain: str = super().create_config_id(config_kwargs, **options)
        if self.source is None:
            return plain
        return f"{plain}-{source_key(self.source)}-{code_fingerprint()[:16]}"


class RawBuilder(datasets.ArrowBasedBuilder):
    """Base of all builders: a leaf names its dataset and lists its configs."""

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = RawConfig
    DATASET: ClassVar[Dataset]

    def __init__(self, *args: Any, hash: str | None = None, **kwargs: Any) -> None:  # noqa: A002 - the name is given
        """Build as `datasets` does, with a hash of our code in the cache's path."""
        super().__init__(*args, hash=hash or code_fingerprint(), **kwargs)

    @property
    def manual_download_instructions(self) -> str | None:
        """What to do when no release was given; None when one was."""
        return None if self.config.source else _where_from(self.DATASET)

    def _info(self) -> datasets.DatasetInfo:
        release = self.DATASET.release
        columns = self.DATASET.config(self.config.name).columns
        return datasets.DatasetInfo(
            description=release.summary,
            homepage=release.homepage,
            license=release.licence,
            features=datasets.Features.from_dict(features_json(columns)),
        )

    def _split_generators(self, _: Any) -> list[datasets.SplitGenerator]:
        source = self.config.source
        if source is None:
            raise UsageError(
                "No raw release was given.",
                field="data_dir",
                found=self.config.data_files,
                expected="one path or URL of a folder, tar, tar.gz or zip",
                remedy=_where_from(self.DATASET),
            )
        tasks = cached_plan(
            self.DATASET,
            source,
            self.config.name,
            self._cache_dir_root,
            allow_missing=self.config.allow_missing,
            order=catalog.wanted_order(self.DATASET, self.config.order),
        )
        splits: dict[str, list[ShardTask]] = {}
        for task in tasks:
            splits.setdefault(task.split, []).append(task)
        return [
            datasets.SplitGenerator(name=name, gen_kwargs={"tasks": shards})
            for name, shards in splits.items()
        ]

    def _generate_tables(self, tasks: list[ShardTask]) -> Iterator[tuple[Any, pa.Table]]:
        for task in tasks:
            for number, table in enumerate(read_batches(task)):
                yield (task.index, number), table


def raw_configs(dataset: Dataset) -> list[RawConfig]:
    """Return a dataset's configs as `datasets` wants them."""
    return [
        RawConfig(name=config.name, version=RawBuilder.VERSION, description=config.doc)
        for config in dataset.configs
    ]


def _where_from(dataset: Dataset) -> str:
    urls = ", ".join(url for archive in dataset.release.archives for url in archive.urls)
    return f"Pass data_dir: the path or URL of the release. It is published at {urls}."


def load(
    name: str,
    config: str | None = None,
    *,
    data_dir: str,
    split: str | None = None,
    streaming: bool = False,
    num_proc: int | None = None,
    cache_dir: str | None = None,
    allow_missing: int = 0,
    order: str = "",
) -> Any:
    """Load a raw release as a dataset.

    Args:
        name: Dataset name, see `rawshelf.names`.
        config: Config name; the dataset's first if None.
        data_dir: Path or fsspec URL of the release: folder, tar, tar.gz or zip.
        split: Split name; all splits if None.
        streaming: Whether to read rows on the fly instead of writing an Arrow cache.
        num_proc: Number of processes that write the cache.
        cache_dir: Where the cache is; that of `datasets` if None.
        allow_missing: How many files that the release must hold may be absent.
        order: In which order rows come, one of the dataset's; its default if empty.

    Returns:
        What `datasets.load_dataset` would: a `Dataset`, `IterableDataset`, or dict of them.

    Raises:
        RawshelfError: If a name is unknown, or the release is damaged, incomplete or wrong.
    """
    dataset = catalog.find(name)
    known = tuple(item.name for item in dataset.configs)
    if config is not None and config not in known:
        raise catalog.unknown("config", config, known)
    builder_class = import_module(builder_module(name)).BUILDER
    builder = builder_class(
        config_name=config or known[0],
        data_dir=str(data_dir),
        cache_dir=cache_dir,
        allow_missing=allow_missing,
        order=order,
    )
    if streaming:
        return builder.as_streaming_dataset(split=split)
    builder.download_and_prepare(num_proc=num_proc)
    return builder.as_dataset(split=split)
