"""Dataset cards: authored prose, with every figure filled from a conversion's manifest.

A card is a Markdown file in hub_cards/. Its front matter holds what is authored (tags, licence,
task categories); configs and features are added from the code, sizes and counts from the
manifest. ``{{ name }}`` in the prose is replaced by a measured figure or a generated table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import yaml

from rawshelf.errors import UsageError
from rawshelf.features import features_card
from rawshelf.release import Config, Dataset

# The one in C writes the same text, ten times as fast; thousands of class names make that count.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_PLACEHOLDER = re.compile(r"\{\{ *([a-z_]+) *\}\}")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))


def authored(name: str) -> tuple[dict[str, Any], str]:
    """Return the authored card of a dataset: front matter and prose."""
    text = resources.files("rawshelf").joinpath(f"hub_cards/{name}.md").read_text("utf-8")
    _, front, prose = text.split("---\n", 2)
    matter: dict[str, Any] = yaml.safe_load(front)
    return matter, prose


def render(dataset: Dataset, manifest: Mapping[str, Any]) -> str:
    """Return the card of one conversion.

    Args:
        dataset: The dataset.
        manifest: The conversion's manifest.

    Raises:
        UsageError: If the prose names a figure that there is none of.
    """
    matter, prose = authored(dataset.release.name)
    files = manifest["files"]
    present = [c for c in dataset.configs if any(file["config"] == c.name for file in files)]
    matter["configs"] = [_config(c, files, default=c is present[0]) for c in present]
    matter["dataset_info"] = [_info(c, files) for c in present]
    matter["size_categories"] = [_size(max(_rows(c.name, files) for c in present))]
    figures = _figures(dataset, manifest, present)
    body = _PLACEHOLDER.sub(lambda match: _figure(figures, match[1], dataset), prose)
    front = yaml.dump(matter, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{front}---\n{body}"


def _figure(figures: Mapping[str, str], name: str, dataset: Dataset) -> str:
    if name not in figures:
        raise UsageError(
            "The card asks for a figure that is not measured.",
            member=f"hub_cards/{dataset.release.name}.md",
            field=name,
            expected=f"one of {', '.join(sorted(figures))}",
            remedy="Correct the placeholder in the card.",
        )
    return figures[name]


def _splits(config: str, files: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(file["split"] for file in files if file["config"] == config))


def _rows(config: str, files: list[dict[str, Any]], split: str | None = None) -> int:
    chosen = [f for f in files if f["config"] == config and split in (None, f["split"])]
    return sum(int(file["rows"]) for file in chosen)


def _bytes(config: str, files: list[dict[str, Any]], split: str | None = None) -> int:
    chosen = [f for f in files if f["config"] == config and split in (None, f["split"])]
    return sum(int(file["bytes"]) for file in chosen)


def _config(config: Config, files: list[dict[str, Any]], *, default: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "config_name": config.name,
        # `datasets` keys its cache of a local folder by this part of the card, not by the files.
        "description": f"{config.doc} Content {_content(config.name, files)}.",
    }
    if default:
        entry["default"] = True
    entry["data_files"] = [
        {"split": split, "path": f"data/{config.name}/{split}-*.parquet"}
        for split in _splits(config.name, files)
    ]
    if config.batch_rows is not None:
        # Rows that share images each get a copy when read: few at a time, or memory suffers.
        entry["batch_size"] = config.batch_rows
    return entry


def _content(config: str, files: list[dict[str, Any]]) -> str:
    """Return a short hash of a config's files."""
    hashes = "".join(str(file["sha256"]) for file in files if file["config"] == config)
    return hashlib.sha256(hashes.encode()).hexdigest()[:16]


def _info(config: Config, files: list[dict[str, Any]]) -> dict[str, Any]:
    size = _bytes(config.name, files)
    return {
        "config_name": config.name,
        "features": features_card(config.columns),
        "splits": [
            {
                "name": split,
                "num_bytes": _bytes(config.name, files, split),
                "num_examples": _rows(config.name, files, split),
            }
            for split in _splits(config.name, files)
        ],
        "download_size": size,
        "dataset_size": size,
    }


def _size(rows: int) -> str:
    return next((name for limit, name in _SIZES if rows < limit), "1M<n<10M")


def _figures(
    dataset: Dataset, manifest: Mapping[str, Any], present: list[Config]
) -> dict[str, str]:
    files = manifest["files"]
    return {
        "title": dataset.release.title,
        "homepage": dataset.release.homepage,
        "paper": dataset.release.paper,
        "licence": dataset.release.licence,
        "rows_table": _rows_table(manifest["counts"]),
        "columns_tables": "\n\n".join(_columns_table(config) for config in present),
        "files_table": _files_table(files),
        "report": _report(manifest["report"]),
        "total_size": f"{sum(file['bytes'] for file in files) / 1e6:,.1f} MB",
        "rawshelf_version": str(manifest["tools"]["rawshelf"]),
    }


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rows_table(counts: list[dict[str, Any]]) -> str:
    return _table(
        ("config", "split", "rows in this build", "claimed", "who claims it"),
        [
            (
                row["config"],
                row["split"] or "all",
                f"{row['rows']:,}",
                "; ".join(f"{claim['rows']:,}" for claim in row["claims"]),
                "; ".join(claim["by"] for claim in row["claims"]),
            )
            for row in sorted(counts, key=lambda row: row["split"] is None)
        ],
    )


def _columns_table(config: Config) -> str:
    rows = [(f"`{c.name}`", f"`{c.feature.arrow()}`", c.doc) for c in config.columns]
    return f"**`{config.name}`**: {config.doc}\n\n{_table(('column', 'type', 'meaning'), rows)}"


def _files_table(files: list[dict[str, Any]]) -> str:
    rows = [
        (f"`{f['path']}`", f"{f['rows']:,}", f"{f['bytes']:,}", f"`{f['sha256']}`") for f in files
    ]
    return _table(("file", "rows", "bytes", "sha256"), rows)


def _report(report: Mapping[str, Any]) -> str:
    counted = {
        "files missing from the release that was converted": len(report["missing"]),
        "rows set aside": len(report["quarantine"]),
        "fields that contradict a rule of the release": len(report["differences"]),
        "stray files, not converted": len(report["strays"]),
    }
    return "\n".join(f"- {what}: {count:,}" for what, count in counted.items())
