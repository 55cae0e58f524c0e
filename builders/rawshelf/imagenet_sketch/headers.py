"""Image size and mode, read from the JPEG's header while a shard is written."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rawshelf.features import IMAGE_TYPE
from rawshelf.images import JPEG, Header, ImageProblem, probe
from rawshelf.report import Quarantined

MODES = ("L", "RGB", "CMYK")
_MODE_OF_COMPONENTS = {1: 0, 3: 1, 4: 2}
_BYTES = IMAGE_TYPE.get_field_index("bytes")
DERIVED = ("width", "height", "mode")


def check(data: memoryview) -> Header:
    """Read the header of a released image.

    Raises:
        ImageProblem: If the file is not a whole JPEG.
    """
    header = probe(data)
    if header.format != JPEG:
        msg = f"a {header.format} under the name of a JPEG"
        raise ImageProblem(msg)
    if header.components not in _MODE_OF_COMPONENTS:
        msg = f"{header.components} colour components"
        raise ImageProblem(msg)
    return header


def derive(rows: pa.Table) -> tuple[pa.Table, list[Quarantined]]:
    """Fill in width, height and mode; set rows aside whose image is no whole JPEG.

    Args:
        rows: Rows of config ``default`` with images.

    Returns:
        The rows that stay, and those set aside with their reasons.
    """
    # Chunk by chunk: to put them together would copy them, even a single one.
    images = (image for chunk in rows["image"].chunks for image in chunk.flatten()[_BYTES])
    names = rows["file_name"].to_pylist()
    headers: list[Header] = []
    bad: list[Quarantined] = []
    keep = np.ones(len(rows), bool)
    for row, (name, image) in enumerate(zip(names, images, strict=True)):
        try:
            # Arrow's buffers are of signed bytes, which equal no bytes from 0x80 on.
            headers.append(check(memoryview(image.as_buffer()).cast("B")))
        except ImageProblem as problem:
            keep[row] = False
            bad.append(Quarantined(name, str(problem)))
    if bad:
        rows = rows.filter(pa.array(keep))
    found = {
        "width": [header.width for header in headers],
        "height": [header.height for header in headers],
        "mode": [_MODE_OF_COMPONENTS[header.components] for header in headers],
    }
    for name, values in found.items():
        place = rows.column_names.index(name)
        kind = rows.schema.field(name).type
        rows = rows.set_column(place, rows.schema.field(name), pa.array(values, kind))
    return rows, bad
