"""The pictures of SPair-71k: pairs with their correspondences, and where the keypoints are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.compute as pc
from PIL import Image

from rawshelf import masks
from rawshelf.keypoints import Side, points
from rawshelf.preview import overlays, sheets
from rawshelf.preview.choice import spread
from rawshelf.preview.counting import lengths
from rawshelf.preview.overlays import Frame
from rawshelf.preview.pictures import Picture, Subject, Wish
from rawshelf.preview.reading import Conversion
from rawshelf.preview.sheets import SHARP, Caption
from rawshelf.spair71k import distributions
from rawshelf.spair71k.release import (
    CATEGORIES,
    KEYPOINT_SLOTS,
    OCCLUSION,
    SCALE,
    TRUNCATION,
    VIEWPOINT,
)

_COLOURS = overlays.as_colours(masks.palette(KEYPOINT_SLOTS))
_SIDES: tuple[Side, Side] = ("src", "trg")
_PAIRS = 8
_PAIR_HEIGHT = 214  # two photographs of 4:3 side by side fill the tile's width
_EXAMPLE_HEIGHT = 260
_EXAMPLE_COLUMNS = 3
_FADE = 0.45  # so that the ids stand out
_MARGIN = 0.06  # of the object's size, around it
_LETTERS = 14  # pixels; of the ids

_PAIR_LEAD = (
    "Source (left) and target (right). Dots of one colour, joined by a line, are the same keypoint "
    "on both objects; yellow boxes are the annotated objects. Below: category, split, number of "
    "common keypoints, and the four labels of difficulty."
)
_IDS_LEAD = (
    "One example per category: the photograph with the most annotated keypoints, faded, cut to the "
    "object. Numbers are keypoint ids, moved apart where they are close. An id means one part, "
    "within its category only; the release gives them no names. Counted are the ids of this build."
)
_PAIR_COLUMNS = (
    "category",
    "src_index",
    "trg_index",
    "src_bbox",
    "trg_bbox",
    "keypoints",
    "viewpoint_variation",
    "scale_variation",
    "truncation",
    "occlusion",
)


def _draw_pairs(conversion: Conversion, configs: tuple[str, ...], wish: Wish) -> Picture:
    """Draw a choice of pairs, categories and splits in turn."""
    places = _places(conversion, configs[0])
    groups = [category for _, _, category in places]
    splits = [split for split, _, _ in places]
    chosen = [places[row] for row in spread(groups, wish.seed, wish.rows or _PAIRS, splits)]
    rows = [_pair(conversion, configs, split, position) for split, position, _ in chosen]
    size = (sheets.tile_width(2), _PAIR_HEIGHT)
    tiles = [sheets.tile(row["pixels"], size, _caption(row), _pair_marks(row)) for row in rows]
    shown = [f"{CATEGORIES[r['category']]} ({r['split']}, {common(r)})" for r in rows]
    return Picture(
        f"{len(rows)} pairs of photographs with their common keypoints",
        f"{len(rows)} pairs of photographs side by side, the common keypoints joined by lines, "
        f"the objects in boxes: {', '.join(shown)}. Chosen at random over categories and splits.",
        sheets.page(
            "SPair-71k: the same points on two objects", _PAIR_LEAD, [sheets.grid(tiles, 2)]
        ),
    )


def _places(conversion: Conversion, config: str) -> list[tuple[str, int, int]]:
    """Return split, position and category of the pairs to choose from.

    These are the pairs both of whose images are there, or all if there are none.
    """
    names = ["category", "src_index", "trg_index"]
    places = [
        (split, position, row)
        for split in conversion.splits(config)
        for position, row in enumerate(conversion.columns(config, split, names).to_pylist())
    ]
    whole = [place for place in places if None not in place[2].values()]
    return [(split, position, row["category"]) for split, position, row in whole or places]


def _pair(
    conversion: Conversion, configs: tuple[str, ...], split: str, position: int
) -> dict[str, Any]:
    """Return a row of pairs with its split and the encoded photographs, None where it has none."""
    images = ("src_image", "trg_image") if len(configs) == 1 else ()
    row = conversion.rows(configs[0], split, [position], (*_PAIR_COLUMNS, *images))[0]
    if images:
        pixels = [row.pop(name) for name in images]
    else:
        index = [row[f"{side}_index"] for side in _SIDES]
        wanted = sorted({place for place in index if place is not None})
        found = conversion.rows(configs[1], split, wanted, ["image"])
        known = {place: value["image"] for place, value in zip(wanted, found, strict=True)}
        pixels = [known.get(place) for place in index]
    return {**row, "split": split, "pixels": [_bytes(value) for value in pixels]}


def _bytes(value: Mapping[str, Any] | None) -> bytes | None:
    return value["bytes"] if value else None


def common(row: Mapping[str, Any]) -> str:
    """Say how many keypoints a pair has in common."""
    count = len(row["keypoints"]["id"])
    return f"{count} keypoint{'s' if count != 1 else ''}"


def _caption(row: Mapping[str, Any]) -> Caption:
    labels = (
        f"view {VIEWPOINT[row['viewpoint_variation']]}",
        f"scale {SCALE[row['scale_variation']]}",
        f"truncated {TRUNCATION[row['truncation']]}",
        f"occluded {OCCLUSION[row['occlusion']]}",
    )
    notes = [(label, None) for label in labels]
    return Caption(CATEGORIES[row["category"]], f"{row['split']}, {common(row)}", notes)


def _pair_marks(row: Mapping[str, Any]) -> sheets.Marks:
    """Return what draws a pair's boxes and correspondences over its two photographs."""

    def draw(canvas: Image.Image, frames: Sequence[Frame]) -> None:
        for side, frame in zip(_SIDES, frames, strict=True):
            edges = overlays.voc_edges(row[f"{side}_bbox"])
            overlays.outline(canvas, frame, edges, width=2 * SHARP)
        both = [
            [frame.point(x, y) for x, y in points(row, side).tolist()]
            for side, frame in zip(_SIDES, frames, strict=True)
        ]
        ends = list(zip(row["keypoints"]["id"], *both, strict=True))
        for number, start, end in ends:
            overlays.link(canvas, start, end, overlays.colour_of(_COLOURS, number))
        for number, start, end in ends:
            for place in (start, end):
                overlays.dot(canvas, place, overlays.colour_of(_COLOURS, number), 5 * SHARP)

    return draw


def _draw_ids(conversion: Conversion, configs: tuple[str, ...], wish: Wish) -> Picture:
    """Draw one example per category with the ids of its keypoints."""
    del wish  # nothing is left to chance or to the user: one example per category
    (config,) = configs
    best: dict[int, tuple[int, str, int]] = {}
    for split in conversion.splits(config):
        table = conversion.columns(config, split, ["category", "keypoints.id"])
        counts = lengths(table, "keypoints.id").to_pylist()
        for row, (category, count) in enumerate(
            zip(table["category"].to_pylist(), counts, strict=True)
        ):
            if count > best.get(category, (-1,))[0]:
                best[category] = (count, split, row)
    used = _used_ids(conversion, config)
    tiles = [
        _example(conversion, config, *best[category][1:], used[category])
        for category in sorted(best)
    ]
    counts_text = ", ".join(f"{CATEGORIES[c]} {len(used[c])}" for c in sorted(best))
    return Picture(
        "Keypoint ids of each category",
        f"One photograph of each of {len(tiles)} categories with numbered keypoints. "
        f"Ids in use in this build, by category: {counts_text}.",
        sheets.page("SPair-71k: keypoint ids", _IDS_LEAD, [sheets.grid(tiles, _EXAMPLE_COLUMNS)]),
    )


def _used_ids(conversion: Conversion, config: str) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for split in conversion.splits(config):
        table = conversion.columns(config, split, ["category", "keypoints.id"])
        ids = pc.struct_field(table["keypoints"], "id").to_pylist()
        for category, own in zip(table["category"].to_pylist(), ids, strict=True):
            found.setdefault(category, set()).update(own)
    return found


def _example(
    conversion: Conversion, config: str, split: str, position: int, used: set[int]
) -> Image.Image:
    names = ("image", "category", "name", "bbox", "keypoints")
    row = conversion.rows(config, split, [position], names)[0]
    shown = set(row["keypoints"]["id"])
    hidden = ", ".join(str(number) for number in sorted(used - shown))
    note = f"also used: {hidden}" if hidden else "all ids of the build"
    caption = Caption(CATEGORIES[row["category"]], f"{len(used)} ids", [(note, None)])
    size = (sheets.tile_width(_EXAMPLE_COLUMNS), _EXAMPLE_HEIGHT)
    image = overlays.decoded(_bytes(row["image"]))
    if image is None:
        return sheets.tile([_bytes(row["image"])], size, caption)
    faded, left, top = _faded(image, row)

    def draw(canvas: Image.Image, frames: Sequence[Frame]) -> None:
        ids = row["keypoints"]["id"]
        places = [frames[0].point(x - left, y - top) for x, y in points(row).tolist()]
        colours = [overlays.colour_of(_COLOURS, number) for number in ids]
        overlays.badges(canvas, places, [str(n) for n in ids], colours, _LETTERS * SHARP)

    return sheets.tile([faded], size, caption, draw)


def _faded(image: Image.Image, row: Mapping[str, Any]) -> tuple[Image.Image, int, int]:
    """Cut an image to its object and all keypoints, grey and pale; return where the cut begins."""
    edges = overlays.union(points(row).tolist(), overlays.voc_edges(row["bbox"]))
    room = _MARGIN * max(edges[2] - edges[0], edges[3] - edges[1])
    left, top = max(0, int(edges[0] - room)), max(0, int(edges[1] - room))
    right, bottom = min(image.width, int(edges[2] + room)), min(image.height, int(edges[3] + room))
    cut = image.crop((left, top, max(right, left + 1), max(bottom, top + 1))).convert("L")
    return Image.blend(cut, Image.new("L", cut.size, 255), _FADE), left, top


PICTURES = (
    Subject("contact-sheet", (("pairs", "images"), ("pairs_flat",)), _draw_pairs),
    Subject("keypoint-ids", (("images",),), _draw_ids),
    *distributions.PICTURES,
)
