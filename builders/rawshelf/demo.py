"""All of it on miniature releases that the demo writes itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from rawshelf import catalog
from rawshelf.convert import Options, convert
from rawshelf.miniature import pack_tar, pack_zip
from rawshelf.plan import plan
from rawshelf.release import Dataset, Job
from rawshelf.report import Report
from rawshelf.sources import Source

Say = Callable[[str], None]


def demo(folder: str, say: Say) -> None:
    """Write, verify, convert, load and stream a miniature release of every dataset.

    Args:
        folder: Where the releases and conversions are to lie; kept afterwards.
        say: Takes the lines that tell what happens.

    Raises:
        RawshelfError: If anything contradicts.
    """
    for name in catalog.names():
        _one(catalog.find(name), Path(folder) / name, say)
    say(f"\nEverything lies in {os.path.abspath(folder)}.")


def _one(dataset: Dataset, folder: Path, say: Say) -> None:
    title = dataset.release.title
    say(f"\n== {title}: {dataset.release.summary}")
    raw = write_release(dataset, folder)
    say(f"1. wrote a miniature release in the published layout: {raw}")
    report = _verify(dataset, raw)
    checked = ", ".join(f"{count:,} {what}" for what, count in report.checked.items())
    say(f"2. verified it: {checked}")
    for line in report.lines():
        say(f"   {line}")
    out = folder / "converted"
    result = convert(dataset.release.name, str(raw), str(out), Options(overwrite=True))
    rows = sum(record.rows for record in result.records)
    say(f"3. converted it: {rows:,} rows in {len(result.records)} Parquet files: {out}")
    _load(dict.fromkeys(record.config for record in result.records), out, say)


def write_release(dataset: Dataset, folder: Path) -> Path:
    """Write a dataset's miniature release into a folder, packed as published; return its path."""
    release = dataset.release
    miniature = import_module(f"rawshelf.{release.name}.miniature")
    pack = pack_zip if release.archives[0].name.endswith(".zip") else pack_tar
    return pack(miniature.members(), folder / release.archives[0].name)


def _verify(dataset: Dataset, raw: Path) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        configs = tuple(config.name for config in dataset.configs)
        job = Job(Source(str(raw)), configs, folder)
        plan(job, dataset)
    return job.report


def _load(configs: Iterable[str], out: Path, say: Say) -> None:
    from datasets import (  # noqa: PLC0415 - slow to import, and only the demo needs it here
        disable_progress_bars,
        load_dataset,
    )

    disable_progress_bars()
    say("4. opened it with load_dataset, and streamed it:")
    cache = str(out.parent / "cache")
    for config in configs:
        mapped = load_dataset(str(out), config, cache_dir=cache)
        rows = ", ".join(f"{split} {len(mapped[split]):,}" for split in mapped)
        split = next(reversed(mapped))
        streamed = load_dataset(str(out), config, split=split, streaming=True)
        count = sum(1 for _ in streamed)
        say(f'   load_dataset("{out}", "{config}")  {rows}; streamed {split}: {count:,}')
