"""From the listed sketches to planned tables."""

from __future__ import annotations

import pyarrow as pa

from rawshelf import labels
from rawshelf.blobs import INDEX, blob_table
from rawshelf.features import Column, Image
from rawshelf.imagenet_sketch import columns
from rawshelf.imagenet_sketch.listing import Sketch, in_order, note_counts, read
from rawshelf.imagenet_sketch.quality import quality_values
from rawshelf.release import Job, Prepared

_SPLIT = "test"


def prepare(job: Job) -> Prepared:
    """List an ImageNet-Sketch release and plan its tables.

    Images are not read here, but for config ``quality``, which decodes them all.

    Raises:
        SourceError: If the container is damaged or hostile.
    """
    sketches = read(job)
    note_counts(sketches, job)
    rows = in_order(sketches, job.order)
    blobs = blob_table({sketch.file_name: sketch.blob for sketch in sketches})
    tables = {}
    if "default" in job.configs:
        tables["default", _SPLIT] = _default(rows)
    if "quality" in job.configs:
        values = quality_values(sketches, rows, job)
        tables["quality", _SPLIT] = pa.table(values, schema=_planned(columns.QUALITY_COLUMNS))
    return Prepared(blobs, tables)


def _default(rows: list[Sketch]) -> pa.Table:
    wnids = [row.wnid for row in rows]
    nothing = [None] * len(rows)  # filled in while a shard is written
    values = {
        "image": [row.index for row in rows],
        "label": [labels.index(wnid) for wnid in wnids],
        "wnid": wnids,
        "file_name": [row.file_name for row in rows],
        "index": [row.index for row in rows],
        "width": nothing,
        "height": nothing,
        "mode": nothing,
    }
    return pa.table(values, schema=_planned(columns.COLUMNS))


def _planned(wanted: tuple[Column, ...]) -> pa.Schema:
    return pa.schema(
        [(c.name, INDEX if isinstance(c.feature, Image) else c.feature.arrow()) for c in wanted]
    )
