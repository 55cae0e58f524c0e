"""What the script of a page reads: an album as JSON, its pictures as data URIs.

The JSON is an object of

* ``boxes``, ``facets``, ``marks``, ``colours``, ``columns``, ``layers``: as in
  `rawshelf.preview.album`, colours as ``#rrggbb``;
* ``pictures``: data URIs, each picture once;
* ``items``: rows. ``row`` holds their values as they stand in the Parquet file (NaN as null);
  a view has ``size``, the pixels of the stored raster, and a position in ``pictures``, or null, as
  ``image`` and for each layer in ``masks``, with the indices that a mask holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rawshelf.features import ClassLabel
from rawshelf.images import ImageProblem, probe
from rawshelf.preview.album import Album, Item, Layer, View
from rawshelf.preview.overlays import decoded
from rawshelf.preview.thumbnails import BASE64, mask_indices, mask_picture, photograph, uri

_SHARP_ENOUGH = 40_000  # bytes; a photograph of 512 pixels seldom takes more


def json_text(value: Any) -> str:
    r"""Return JSON in ASCII that cannot end the HTML element it stands in.

    >>> json_text("</script><!--")
    '"\\u003c/script\\u003e\\u003c!--"'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: NaN and infinity, which it cannot, become null.

    >>> plain({"bbox": (1.5, float("nan"))})
    {'bbox': [1.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def page_data(album: Album, most: int) -> dict[str, Any]:
    """Return an album as JSON values whose text has about `most` bytes at most.

    Photographs share what the rest leaves; if that is next to nothing they are as small as they
    get, and the text is longer.
    """
    pictures = _Pictures()
    data = {
        "boxes": album.boxes,
        "colours": _hexes(album.colours),
        "columns": {
            column.name: {
                "doc": column.doc,
                "names": column.feature.names if isinstance(column.feature, ClassLabel) else [],
            }
            for column in album.columns
        },
        "facets": [vars(facet) for facet in album.facets],
        "layers": [_layer(layer) for layer in album.layers],
        "marks": [vars(marks) for marks in album.marks],
        "items": [_item(item, album.layers, pictures) for item in album.items],
    }
    room = most - len(json_text({**data, "pictures": pictures.uris}))
    return {**data, "pictures": pictures.filled(room)}


class _Pictures:
    """Pictures that are each stored once, photographs after all that they share the room with."""

    def __init__(self) -> None:
        self.uris: list[str | None] = []
        self._places: dict[bytes, int] = {}
        self._masks: dict[bytes, int] = {}

    def photograph(self, encoded: bytes) -> int:
        """Keep a place for a photograph."""
        if encoded not in self._places:
            self._places[encoded] = len(self.uris)
            self.uris.append(None)
        return self._places[encoded]

    def mask(self, png: bytes) -> int:
        """Store a mask."""
        if png not in self._masks:
            self._masks[png] = len(self.uris)
            self.uris.append(uri("image/png", png))
        return self._masks[png]

    def filled(self, room: int) -> list[str | None]:
        """Return all pictures; a photograph that does not decode is None."""
        share = BASE64 * room / max(1, len(self._places))
        most = min(_SHARP_ENOUGH, int(share) - len(uri("image/jpeg", b"")))
        for encoded, place in self._places.items():
            image = decoded(encoded)
            if image is not None:
                self.uris[place] = uri("image/jpeg", photograph(image, most))
        return self.uris


def _hexes(colours: bytes) -> list[str]:
    return [f"#{colours[place : place + 3].hex()}" for place in range(0, len(colours), 3)]


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "title": layer.title,
        "names": dict(layer.names),
        "colours": _hexes(layer.colours),
        "shown": layer.shown,
    }


def _item(item: Item, layers: tuple[Layer, ...], pictures: _Pictures) -> dict[str, Any]:
    return {
        "name": item.name,
        "title": item.title,
        "note": item.note,
        "values": item.values,
        "row": plain(item.row),
        "views": [_view(view, layers, pictures) for view in item.views],
        "cover": item.cover,
    }


def _view(view: View, layers: tuple[Layer, ...], pictures: _Pictures) -> dict[str, Any]:
    size = _raster(view.encoded) or view.size
    return {
        "title": view.title,
        "size": size,
        "image": pictures.photograph(view.encoded) if view.encoded else None,
        "masks": [
            _mask(encoded, size, layer, pictures)
            for encoded, layer in zip(view.masks, layers, strict=True)
        ],
    }


def _raster(encoded: bytes | None) -> tuple[int, int] | None:
    try:
        found = probe(memoryview(encoded or b""))
    except ImageProblem:
        return None
    return found.width, found.height


def _mask(
    encoded: bytes | None, size: tuple[int, int], layer: Layer, pictures: _Pictures
) -> dict[str, Any] | None:
    indices = mask_indices(encoded, size)
    if indices is None:
        return None
    values = [int(value) for value in np.unique(indices) if value != layer.background]
    png = mask_picture(indices, layer.colours, layer.background)
    return {"image": pictures.mask(png), "values": values}
