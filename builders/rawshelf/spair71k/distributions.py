"""What the paper counts about SPair-71k, counted in a conversion."""

from __future__ import annotations

from rawshelf.preview import charts, sheets
from rawshelf.preview.counting import (
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
from rawshelf.preview.style import INNER, LEVELS, SIDES, hues
from rawshelf.spair71k.release import (
    AZIMUTH_BINS,
    CATEGORIES,
    OCCLUSION,
    SCALE,
    TRUNCATION,
    VIEWPOINT,
)

_PAIRS = (("pairs",), ("pairs_flat",))
_FACTORS = (
    ("viewpoint_variation", "Viewpoint", VIEWPOINT, LEVELS),
    ("scale_variation", "Scale", SCALE, LEVELS),
    ("truncation", "Truncation", TRUNCATION, SIDES),
    ("occlusion", "Occlusion", OCCLUSION, SIDES),
)
_VIEWS = {0: "front", 2: "left", 4: "rear", 6: "right"}  # see the column's documentation
_HISTOGRAM = (INNER, 420)


def _draw_categories(conversion: Conversion, configs: tuple[str, ...], _: Wish) -> Picture:
    """Draw the paper's Table 2."""
    found = by_split(conversion, configs[0], "category")
    rows = named(found, CATEGORIES)
    lead = f"{total(found):,} pairs: {split_totals(found)}. Table 2 of the paper, in this build."
    return Picture(
        "Pairs by category and split",
        f"Bar chart of {total(found):,} pairs by category: {split_totals(found)}. "
        f"All splits: {figures(rows)}.",
        sheets.page(
            "SPair-71k: pairs by category and split", lead, [charts.bars(rows, list(found), INNER)]
        ),
    )


def _draw_difficulty(conversion: Conversion, configs: tuple[str, ...], _: Wish) -> Picture:
    """Draw the paper's Table 1."""
    blocks, texts = [], []
    for column, heading, names, colours in _FACTORS:
        found = by_split(conversion, configs[0], column)
        rows = [
            charts.Row(split, tuple(counts.get(code, 0) for code in range(len(names))))
            for split, counts in found.items()
        ]
        if len(rows) > 1:
            parts = zip(*(row.counts for row in rows), strict=True)
            rows.append(charts.Row("all", tuple(map(sum, parts))))
        texts.append(
            f"{heading}: "
            + ", ".join(
                f"{name} {count:,}" for name, count in zip(names, rows[-1].counts, strict=True)
            )
        )
        blocks.append(charts.bars(rows, names, INNER, colours=colours, heading=heading, share=True))
    lead = "Shares and numbers of pairs by each label. Table 1 of the paper, in this build."
    return Picture(
        "Pairs by difficulty",
        f"Bar charts of the pairs by label, all splits together. {'. '.join(texts)}.",
        sheets.page("SPair-71k: what makes pairs difficult", lead, blocks),
    )


def _draw_keypoints(conversion: Conversion, configs: tuple[str, ...], _: Wish) -> Picture:
    found = lengths_by_split(conversion, configs[0], "keypoints.id")
    rows = numbered(found)
    average = f"{mean(found):.1f} on average, from {rows[0].label} to {rows[-1].label}"
    block = charts.histogram(
        rows, list(found), _HISTOGRAM, across="common keypoints of a pair", up="pairs"
    )
    return Picture(
        "Keypoints per pair",
        f"Histogram of the common keypoints of {total(found):,} pairs: {average}.",
        sheets.page("SPair-71k: keypoints per pair", f"{average.capitalize()}.", [block]),
    )


def _draw_azimuth(conversion: Conversion, configs: tuple[str, ...], _: Wish) -> Picture:
    """Draw what the paper's Figure 2 shows: from where the objects of a category are seen."""
    (config,) = configs
    counts = [[0] * AZIMUTH_BINS for _ in CATEGORIES]
    for split in conversion.splits(config):
        table = conversion.columns(config, split, ["category", "azimuth_id"])
        for item in (
            table.group_by(["category", "azimuth_id"]).aggregate([([], "count_all")]).to_pylist()
        ):
            counts[item["category"]][item["azimuth_id"]] += item["count_all"]
    rows = [charts.Row(n, tuple(own)) for n, own in zip(CATEGORIES, counts, strict=True)]
    names = [f"{bin_} {_VIEWS.get(bin_, '')}".strip() for bin_ in range(AZIMUTH_BINS)]
    sums = [sum(own[bin_] for own in counts) for bin_ in range(AZIMUTH_BINS)]
    seen = ", ".join(f"{name}: {count:,}" for name, count in zip(names, sums, strict=True))
    chart = charts.bars(rows, names, INNER, colours=hues(AZIMUTH_BINS), share=True)
    lead = "Images by category and azimuth_id, bins of 45 degrees around the object."
    return Picture(
        "Viewpoint of the images by category",
        f"Bar chart of {sum(sums):,} images by category and azimuth bin. All categories: {seen}.",
        sheets.page("SPair-71k: from where objects are seen", lead, [chart]),
    )


PICTURES = (
    Subject("pairs-by-category", _PAIRS, _draw_categories),
    Subject("pairs-by-difficulty", _PAIRS, _draw_difficulty),
    Subject("keypoints-per-pair", _PAIRS, _draw_keypoints),
    Subject("azimuth-by-category", (("images",),), _draw_azimuth),
)
