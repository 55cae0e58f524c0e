"""What is counted about PartImageNet: images by class and split, parts, polygons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from rawshelf.partimagenet.classes import object_classes
from rawshelf.partimagenet.columns import STATUS
from rawshelf.partimagenet.release import OOD, SEG, SUPERCATEGORIES
from rawshelf.preview import charts, sheets, style
from rawshelf.preview.counting import (
    Tallies,
    by_split,
    figures,
    lengths_by_split,
    mean,
    named,
    numbered,
    split_totals,
    total,
)
from rawshelf.preview.pictures import Picture, Subject, Wish
from rawshelf.preview.reading import Conversion

_EITHER = {kind: (f"{kind}_annotations", kind) for kind in (SEG, OOD)}
# Both releases where both are there, each without pixels where that is there.
_TABLES = (
    *product(_EITHER[SEG], _EITHER[OOD]),
    *((config,) for kind in (SEG, OOD) for config in _EITHER[kind]),
)
_CLASSES = (style.INNER, 460)
_HISTOGRAM = (style.INNER, 380)


def _heading(config: str, found: Tallies, what: str) -> str:
    kind = config.partition("_")[0]
    return f"{kind}: {total(found):,} {what} ({split_totals(found)})"


def _by_release(configs: tuple[str, ...]) -> str:
    """Say which of the two releases are shown."""
    texts = {SEG: "seg has all classes in every split", OOD: "ood has other classes in each split"}
    return "; ".join(texts[config.partition("_")[0]] for config in configs) + "."


def _draw_groups(conversion: Conversion, configs: tuple[str, ...], _: Wish) -> Picture:
    blocks, texts = [], []
    for config in configs:
        found = by_split(conversion, config, "supercategory")
        rows = named(found, SUPERCATEGORIES)
        heading = _heading(config, found, "images")
        blocks += [sheets.headed(heading, charts.bars(rows, list(found), style.INNER))]
        texts.append(f"{heading}: {figures(rows)}")
    return Picture(
        "Images by super-category and split",
        f"Bar charts of images by super-category. {'. '.join(texts)}.",
        sheets.page("PartImageNet: images by super-category", _by_release(configs), blocks),
    )


def _draw_classes(conversion: Conversion, configs: tuple[str, ...], _: Wish) -> Picture:
    blocks, texts = [], []
    for config in configs:
        found = by_split(conversion, config, "object_class")
        rows = named(found, [each.name for each in object_classes()])
        groups = [(group, _largest_first(rows, group)) for group in SUPERCATEGORIES]
        there = [row.total for _, own in groups for row in own]
        chart = charts.grouped(
            [group for group in groups if group[1]], list(found), _CLASSES, up="images of a class"
        )
        kind = config.partition("_")[0]
        span = " to ".join(f"{count:,}" for count in sorted({min(there), max(there)}))
        text = f"{kind}: {len(there)} of the {len(object_classes())} classes, {span} images each"
        blocks.append(sheets.headed(text, chart))
        texts.append(text)
    return Picture(
        "Images by class and split",
        f"Bar charts with one bar for each class, by super-category. {'. '.join(texts)}.",
        sheets.page("PartImageNet: images by class", _by_release(configs), blocks),
    )


def _largest_first(rows: Sequence[charts.Row], group: str) -> list[charts.Row]:
    """Return the bars of one super-category's classes that have images."""
    own = [
        row
        for row, each in zip(rows, object_classes(), strict=False)
        if each.supercategory == group and row.total
    ]
    return sorted(own, key=lambda row: -row.total)


def _draw_parts(conversion: Conversion, configs: tuple[str, ...], _: Wish) -> Picture:
    blocks, texts = [], []
    for config in configs:
        found = lengths_by_split(conversion, config, "parts.id")
        rows = numbered(found)
        span = f"{mean(found):.2f} on average, {rows[0].label} to {rows[-1].label}"
        text = f"{config.partition('_')[0]}: {span} in {total(found):,} images"
        chart = charts.histogram(
            rows, list(found), _HISTOGRAM, across="annotated parts of an image", up="images"
        )
        blocks.append(sheets.headed(text, chart))
        texts.append(text)
    return Picture(
        "Parts per image",
        f"Histograms of the part annotations of an image. {'. '.join(texts)}.",
        sheets.page("PartImageNet: parts per image", _by_release(configs), blocks),
    )


def _draw_status(conversion: Conversion, configs: tuple[str, ...], _: Wish) -> Picture:
    blocks, texts = [], []
    for config in configs:
        found = by_split(conversion, config, "parts.status")
        rows = named(found, STATUS.names)
        heading = _heading(config, found, "part annotations")
        blocks.append(sheets.headed(heading, charts.bars(rows, list(found), style.INNER)))
        texts.append(f"{heading}: {figures(rows)}")
    lead = (
        "ok: polygons with an area. zero_area: the release says that the area is 0. degenerate: a "
        "polygon with fewer than three points. empty: no points. rle: run lengths, no polygons."
    )
    return Picture(
        "Part annotations by status",
        f"Bar charts of part annotations by what their polygons are. {'. '.join(texts)}.",
        sheets.page("PartImageNet: what the polygons are", lead, blocks),
    )


PICTURES = (
    Subject("images-by-supercategory", _TABLES, _draw_groups),
    Subject("images-by-class", _TABLES, _draw_classes),
    Subject("parts-per-image", _TABLES, _draw_parts),
    Subject("annotations-by-status", _TABLES, _draw_status),
)
