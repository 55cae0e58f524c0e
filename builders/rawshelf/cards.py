"""Dataset cards: authored prose, with every figure filled from a conversion's manifest.

A card is a Markdown file in hub_cards/. Its front matter holds what is authored (tags, licence,
task categories); configs and features are added from the code, sizes and counts from the
manifest. ``{{ name }}`` in the prose is replaced by a measured figure or a generated table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import yaml

from rawshelf import card_tables
from rawshelf.errors import UsageError
from rawshelf.features import ClassLabel, Feature, List, Struct, features_card
from rawshelf.release import Config, Dataset

# The one in C writes the same text, ten times as fast; thousands of class names make that count.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
# With the empty line that follows: a figure that is empty leaves no gap.
_PLACEHOLDER = re.compile(r"\{\{ *([a-z_]+) *\}\}(\n\n)?")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
# From so many names on a list of names is written once per card: 1,000 take about 40 kB, and the
# Hub gets slow at editing such cards. `datasets` finds the features in the Parquet files too.
_MANY_NAMES = 100


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
    matter["dataset_info"] = list(_infos(present, files))
    matter["size_categories"] = [_size(max(_rows(c.name, files) for c in present))]
    figures = _figures(dataset, manifest, present)

    def filled(match: re.Match[str]) -> str:
        figure = _figure(figures, match[1], dataset)
        return f"{figure}{match[2] or ''}" if figure else ""

    body = _PLACEHOLDER.sub(filled, prose)
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


def _infos(configs: list[Config], files: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    written: set[tuple[str, ...]] = set()
    for config in configs:
        long = {names for c in config.columns for names in _names(c.feature)}
        yield _info(config, files, features=not long & written)
        written |= long


def _names(feature: Feature) -> Iterator[tuple[str, ...]]:
    """Yield the long lists of class names within a feature."""
    match feature:
        case ClassLabel(names) if len(names) >= _MANY_NAMES:
            yield names
        case List(item):
            yield from _names(item)
        case Struct(fields):
            for item in fields.values():
                yield from _names(item)


def _info(config: Config, files: list[dict[str, Any]], *, features: bool) -> dict[str, Any]:
    size = _bytes(config.name, files)
    entry: dict[str, Any] = {"config_name": config.name}
    if features:
        entry["features"] = features_card(config.columns)
    entry["splits"] = [
        {
            "name": split,
            "num_bytes": _bytes(config.name, files, split),
            "num_examples": _rows(config.name, files, split),
        }
        for split in _splits(config.name, files)
    ]
    return {**entry, "download_size": size, "dataset_size": size}


def _size(rows: int) -> str:
    return next((name for limit, name in _SIZES if rows < limit), "1M<n<10M")


def _figures(
    dataset: Dataset, manifest: Mapping[str, Any], present: list[Config]
) -> dict[str, str]:
    release, files = dataset.release, manifest["files"]
    return {
        "title": release.title,
        "homepage": release.homepage,
        "paper": release.paper,
        "licence": release.licence,
        "citation": _citation(release.name),
        "pictures": card_tables.pictures(manifest.get("assets", ())),
        "rows_table": card_tables.rows_table(files),
        "verification_table": card_tables.verification_table(manifest),
        "columns_tables": card_tables.columns_tables(present),
        "files_table": card_tables.files_table(files),
        "findings": card_tables.findings(manifest["report"]),
        "total_size": card_tables.size_text(sum(file["bytes"] for file in files)),
        "rawshelf_version": str(manifest["tools"]["rawshelf"]),
    }


def _citation(name: str) -> str:
    """Return a dataset's BibTeX entry."""
    path = resources.files("rawshelf").joinpath(f"{name}/CITATION.bib")
    return path.read_text("utf-8").strip()
