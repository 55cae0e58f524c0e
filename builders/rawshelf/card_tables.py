"""The generated parts of a dataset card: pictures, tables and findings, as Markdown.

All figures are those of a conversion's manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rawshelf.features import ClassLabel, Column, Feature, Image, List, Struct
from rawshelf.release import Config

Entries = Sequence[Mapping[str, Any]]

EQUAL, DIFFERS, INCOMPARABLE = "equal", "**differs**", "not comparable"
_NONE = "none stated"


def pictures(assets: Entries) -> str:
    """Return the pictures, each with its caption, or nothing if there are none.

    Args:
        assets: Their `path` relative to the card, `title` and `alt` text, in order.
    """
    return "\n\n".join(f"![{each['alt']}]({each['path']})\n*{each['title']}*" for each in assets)


def rows_table(files: Entries) -> str:
    """Return rows by config and split, and bytes by config, counted over the files."""
    splits = list(dict.fromkeys(file["split"] for file in files))
    rows = []
    for config in dict.fromkeys(file["config"] for file in files):
        own = [file for file in files if file["config"] == config]
        counts = [sum(f["rows"] for f in own if f["split"] == split) for split in splits]
        figures = (*counts, sum(counts)) if len(splits) > 1 else counts
        size = sum(file["bytes"] for file in own)
        rows.append((f"`{config}`", *(f"{count:,}" for count in figures), size_text(size)))
    total = ("all",) if len(splits) > 1 else ()
    return _table(("config", *splits, *total, "size"), rows)


def verification_table(manifest: Mapping[str, Any]) -> str:
    """Return what is claimed of the release beside what was found: rows, input size and hash."""
    rows = [*_row_claims(manifest["counts"]), *_archive_claims(manifest)]
    header = ("what", "claimed", "observed", "verdict", "who claims it")
    return _table(header, rows)


def _row_claims(counts: Entries) -> list[tuple[str, ...]]:
    return [
        (
            f"rows of `{row['config']}`, {row['split'] or 'all'}",
            f"{claim['rows']:,}",
            f"{row['rows']:,}",
            EQUAL if claim["rows"] == row["rows"] else DIFFERS,
            claim["by"],
        )
        for row in _totals_last(counts)
        for claim in row["claims"]
    ]


def _totals_last(counts: Entries) -> list[Mapping[str, Any]]:
    configs = list(dict.fromkeys(row["config"] for row in counts))
    return sorted(counts, key=lambda row: (configs.index(row["config"]), row["split"] is None))


def _archive_claims(manifest: Mapping[str, Any]) -> list[tuple[str, ...]]:
    found = manifest["input"]
    rows: list[tuple[str, ...]] = []
    for archive in manifest["published"]:
        for field in ("bytes", "sha256"):
            claimed = archive[field]
            # An unpacked release has no archive to hash.
            observed = found["bytes"] if field == "bytes" else found.get(field)
            comparable = claimed is not None and "sha256" in found
            verdict = (EQUAL if claimed == observed else DIFFERS) if comparable else INCOMPARABLE
            what = f"{field} of `{archive['name']}`"
            by = archive[f"{field}_by"]
            rows.append((what, _figure(claimed), _observed(found, field), verdict, by))
    return rows


def _observed(found: Mapping[str, Any], field: str) -> str:
    if "sha256" in found:
        return _figure(found[field])
    if field == "bytes":
        return f"a folder of {found['files']:,} files, {found['bytes']:,} bytes"
    return f"of its files: `{found['files_sha256']}`"


def _figure(value: int | str | None) -> str:
    if value is None:
        return _NONE
    return f"{value:,}" if isinstance(value, int) else f"`{value}`"


def columns_tables(configs: Sequence[Config]) -> str:
    """Return every column with type and meaning; what a config shares with another stands once."""
    return "\n\n".join(
        _columns_table(config, _alike(config, configs[:place]))
        for place, config in enumerate(configs)
    )


def _alike(config: Config, earlier: Sequence[Config]) -> Config | None:
    """Return the earlier config that has most of this one's columns, if one has."""

    def common(other: Config) -> int:
        return sum(column in other.columns for column in config.columns)

    best = max(earlier, key=common, default=None)
    return best if best is not None and 2 * common(best) > len(config.columns) else None


def _columns_table(config: Config, like: Config | None) -> str:
    intro = f"**`{config.name}`**: {config.doc}"
    if like is None:
        return f"{intro}\n\n{_columns(config.columns)}"
    names = {column.name for column in config.columns}
    absent = ", ".join(f"`{column.name}`" for column in like.columns if column.name not in names)
    intro += f" Columns as in `{like.name}`{f' without {absent}' if absent else ''}"
    new = [column for column in config.columns if column not in like.columns]
    return f"{intro}, and:\n\n{_columns(new)}" if new else f"{intro}."


def _columns(columns: Iterable[Column]) -> str:
    rows = [(f"`{c.name}`", type_text(c.feature), c.doc) for c in columns]
    return _table(("column", "type", "meaning"), rows)


def type_text(feature: Feature) -> str:
    """Return a feature's type for people, as a table's cell."""
    match feature:
        case ClassLabel(names):
            return f"class label ({len(names)})"
        case Image():
            return "image"
        case List(item, length):
            return f"list of {f'{length} ' if length >= 0 else ''}{type_text(item)}"
        case Struct(fields):
            return "struct of " + "; ".join(_fields(fields))
        case _:
            return feature.dtype


def _fields(fields: Mapping[str, Feature]) -> Iterator[str]:
    """Yield the fields of a struct, those of one type together."""
    types = {name: type_text(item) for name, item in fields.items()}
    for kind in dict.fromkeys(types.values()):
        yield ", ".join(f"`{name}`" for name in types if types[name] == kind) + f": {kind}"


def files_table(files: Entries) -> str:
    """Return every file with rows, bytes and hash."""
    rows = [
        (f"`{f['path']}`", f"{f['rows']:,}", f"{f['bytes']:,}", f"`{f['sha256']}`") for f in files
    ]
    return _table(("file", "rows", "bytes", "sha256"), rows)


def findings(report: Mapping[str, Any]) -> str:
    """Return what was checked and what was found, one line each."""
    counted = {
        "files missing from the release that was converted": len(report["missing"]),
        "rows set aside": len(report["quarantine"]),
        "fields that contradict a rule of the release": len(report["differences"]),
        "stray files, not converted": len(report["strays"]),
    }
    lines = [f"checked: {count:,} {what}" for what, count in report["checked"].items()]
    lines += [f"{what}: {count:,}" for what, count in counted.items()]
    return "\n".join(f"- {line}" for line in (*lines, *report["notes"]))


def size_text(size: int) -> str:
    """Return a size for people; 1 MB is a million bytes, 1 kB a thousand."""
    return f"{size / 1e6:,.1f} MB" if size >= 10**6 else f"{size / 1e3:.1f} kB"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---" for _ in header], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
