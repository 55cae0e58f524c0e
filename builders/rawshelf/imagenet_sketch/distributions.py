"""What is counted about ImageNet-Sketch: images by class, their sizes, what is wrong with them."""

from __future__ import annotations

from collections import Counter

import pyarrow.compute as pc

from rawshelf.imagenet_sketch.columns import TRANSFORM
from rawshelf.preview import charts, sheets
from rawshelf.preview.counting import (
    Tallies,
    binned,
    by_split,
    figures,
    mean,
    named,
    numbered,
    total,
)
from rawshelf.preview.pictures import Picture, Subject, Wish
from rawshelf.preview.reading import Conversion
from rawshelf.preview.style import INNER

_HISTOGRAM = (INNER, 360)
_BINS = 24
_LISTED = 6  # counts that can be listed one by one
_TRANSFORMS = ("repeats none", "unchanged", "mirrored", "flipped", "rotated by 180")
_CONTENT = ("all pixels equal", "a drawing", "does not decode")


def _draw_classes(conversion: Conversion, _: tuple[str, ...], __: Wish) -> Picture:
    found = by_split(conversion, "default", "label")
    classes: Tallies = {
        split: dict(Counter(count for label, count in counts.items() if label is not None))
        for split, counts in found.items()
    }
    rows = numbered(classes)
    lead = f"{total(found):,} images of {total(classes):,} classes."
    listed = ", ".join(_classes(row) for row in rows if row.total)
    if len(rows) > _LISTED:
        listed = f"{_classes(rows[0])} to {_classes(rows[-1])}"
    block = charts.histogram(rows, [], _HISTOGRAM, across="images of a class", up="classes")
    return Picture(
        "Images per class",
        f"Histogram of images per class. {lead} {listed}.",
        sheets.page("ImageNet-Sketch: images per class", f"{lead} {listed}.", [block]),
    )


def _classes(row: charts.Row) -> str:
    return f"{row.total:,} {'class' if row.total == 1 else 'classes'} of {row.label}"


def _draw_sizes(conversion: Conversion, _: tuple[str, ...], __: Wish) -> Picture:
    blocks, texts = [], []
    for column in ("width", "height"):
        found = by_split(conversion, "default", column)
        sizes = [size for counts in found.values() for size in counts if size is not None]
        text = f"{column}: {min(sizes):,} to {max(sizes):,} pixels, {mean(found):,.0f} on average"
        chart = charts.histogram(
            binned(found, _BINS), [], _HISTOGRAM, across=f"{column} in pixels, from", up="images"
        )
        blocks.append(sheets.headed(text, chart))
        texts.append(text)
    return Picture(
        "Image sizes",
        f"Histograms of the images' sizes. {'. '.join(texts)}.",
        sheets.page("ImageNet-Sketch: image sizes", "Images are stored as released.", blocks),
    )


def _draw_quality(conversion: Conversion, _: tuple[str, ...], __: Wish) -> Picture:
    made = by_split(conversion, "quality", "transform")
    repeats = named(made, _TRANSFORMS[: len(TRANSFORM.names)])
    content = [
        charts.Row(name, tuple(_content(conversion, split)[name] for split in made))
        for name in _CONTENT
    ]
    blocks = [
        charts.bars(rows, ["images"], INNER, heading=heading)
        for heading, rows in (("Repeats of another image", repeats), ("Content", content))
    ]
    return Picture(
        "Repeated and constant images",
        f"Bar charts of {total(made):,} images. Repeats: {figures(repeats)}. "
        f"Content: {figures(content)}.",
        sheets.page(
            "ImageNet-Sketch: repeated and constant images", f"{total(made):,} images.", blocks
        ),
    )


def _content(conversion: Conversion, split: str) -> dict[str, int]:
    """Return how many images of a split are constant, are not, and do not decode."""
    flags = conversion.columns("quality", split, ["is_constant"])["is_constant"]
    constant = pc.sum(flags).as_py() or 0
    return dict(
        zip(
            _CONTENT,
            (constant, len(flags) - flags.null_count - constant, flags.null_count),
            strict=True,
        )
    )


PICTURES = (
    Subject("images-per-class", (("default",),), _draw_classes),
    Subject("image-sizes", (("default",),), _draw_sizes),
    Subject("repeats-and-content", (("quality",),), _draw_quality),
)
