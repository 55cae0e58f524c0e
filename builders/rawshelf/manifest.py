"""The manifest: what a conversion was made of and by, and every file with its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import metadata
from threading import Thread
from typing import Any

from rawshelf.code import code_fingerprint
from rawshelf.errors import RawshelfError
from rawshelf.manifests import MANIFEST_FORMAT
from rawshelf.output import CARD, Output
from rawshelf.records import ShardRecord
from rawshelf.release import Dataset
from rawshelf.report import Report
from rawshelf.sources import Source


def build(
    dataset: Dataset,
    records: list[ShardRecord],
    report: Report,
    *,
    options: Mapping[str, object],
    description: Mapping[str, object],
) -> dict[str, Any]:
    """Return the manifest of a conversion.

    Args:
        dataset: What was converted.
        records: All shards.
        report: What was noticed.
        options: Those on which the result depends.
        description: What identifies the input, see `rawshelf.sources.Source.describe`.
    """
    return {
        "format": MANIFEST_FORMAT,
        "dataset": dataset.release.name,
        "key": conversion_key(dataset.release.name, options, description),
        "input": description,
        "published": _published(dataset, records),
        "complete": not report.missing,
        "options": options,
        "tools": {
            "rawshelf": metadata.version("rawshelf"),
            "code": code_fingerprint(),
            "pyarrow": metadata.version("pyarrow"),
        },
        "counts": _counts(dataset, records),
        "files": [record.to_json() for record in records],
        "report": report.to_json(),
    }


def conversion_key(
    name: str, options: Mapping[str, object], description: Mapping[str, object]
) -> str:
    """Return what a finished conversion depends on, as a short hash: input, code and options.

    From the input's content alone, so that copies of a release give the same manifest. Not from
    the configs: the same key says that what stands in an output can be added to.

    Args:
        name: The dataset.
        options: Those on which the result depends.
        description: What identifies the input, see `rawshelf.sources.Source.describe`.
    """
    parts = [name, options, description, code_fingerprint()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _published(dataset: Dataset, records: list[ShardRecord]) -> list[dict[str, object]]:
    """Return what is stated about the archives that these configs are made of."""
    present = {record.config for record in records}
    return [
        {
            "name": archive.name,
            "bytes": archive.bytes,
            "bytes_by": archive.bytes_by,
            "sha256": archive.sha256,
            "sha256_by": archive.sha256_by,
        }
        for archive in dataset.release.archives
        if not archive.configs or present & set(archive.configs)
    ]


def _counts(dataset: Dataset, records: list[ShardRecord]) -> list[dict[str, object]]:
    """Return claimed against observed rows, for every config and split."""
    rows: dict[tuple[str, str | None], int] = {}
    for record in records:
        for place in ((record.config, record.split), (record.config, None)):
            rows[place] = rows.get(place, 0) + record.rows
    return [
        {
            "config": config,
            "split": split,
            "rows": found,
            "claims": [
                {"rows": claim.rows, "by": claim.source}
                for claim in dataset.release.claims
                if (claim.config, claim.split) == (config, split)
            ],
        }
        for (config, split), found in rows.items()
    ]


def card_record(card: str) -> dict[str, object]:
    """Return what a manifest says of its card: by this, a card that somebody edited is told."""
    text = card.encode()
    digest = hashlib.sha256(text).hexdigest()
    return {"path": CARD, "bytes": len(text), "sha256": digest}


def report_of(manifest: Mapping[str, Any], output: Output) -> Report:
    """Return the report that a manifest holds.

    Raises:
        OutputError: If it holds none.
    """
    try:
        return Report.from_json(manifest["report"])
    except (KeyError, TypeError, ValueError) as error:
        raise output.unreadable(f"no report ({error})") from error


def describe_aside(url: str) -> Callable[[], dict[str, object]]:
    """Begin to hash the release beside other work; return what waits for the result.

    A daemon, because a hash of gigabytes must not hold up an interrupted run. It has a source of
    its own: one is walked through by one thread at a time.
    """
    found: list[dict[str, object]] = []

    def describe() -> None:
        with suppress(OSError, RawshelfError):
            found.append(Source(url).describe())

    thread = Thread(target=describe, daemon=True)
    thread.start()

    def result() -> dict[str, object]:
        thread.join()
        return found[0] if found else Source(url).describe()

    return result
