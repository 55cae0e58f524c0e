"""The config ``quality``: which sketches are constant, and which repeat another.

Every image is decoded and measured, in parts that survive a kill; then those that look alike are
decoded once more and compared pixel by pixel (see `rawshelf.imagenet_sketch.copies`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from rawshelf.blobs import BlobReader
from rawshelf.imagenet_sketch.copies import ROOT_LIMIT, Cluster, clusters, compare
from rawshelf.imagenet_sketch.headers import check
from rawshelf.imagenet_sketch.listing import Sketch
from rawshelf.imagenet_sketch.pixels import (
    Cells,
    content_key,
    decode_luma,
    grid,
    grid_shape,
    moments,
)
from rawshelf.images import UNDECODABLE, ImageProblem
from rawshelf.members import Blob
from rawshelf.release import Job

_PART = 512  # images whose measures go into one file: what an interrupted run loses at most

MEASURES = pa.schema(
    [
        ("problem", pa.string()),
        ("set_aside", pa.bool_()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("is_constant", pa.bool_()),
        ("mean", pa.float32()),
        ("deviation", pa.float32()),
        ("key", pa.string()),  # null for an image without content
        ("cells", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True)
class Part:
    """Some images to measure: names and places, never bytes."""

    names: tuple[str, ...]
    blobs: tuple[Blob, ...]


def measure_part(part: Part, path: str) -> None:
    """Decode some images and write their measures as an Arrow IPC file of `MEASURES`."""
    with BlobReader() as reader:
        rows = [_measure(reader.read(*item)) for item in zip(part.blobs, part.names, strict=True)]
    table = pa.Table.from_pylist(rows, schema=MEASURES)
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, MEASURES) as writer:
        writer.write_table(table)


def _measure(data: memoryview) -> dict[str, Any]:
    """Measure one image; one that is set aside or does not decode has only a problem."""
    try:
        check(data)
    except ImageProblem as problem:
        return {"problem": str(problem), "set_aside": True}
    try:
        luma = decode_luma(data)
    except UNDECODABLE as error:
        return {"problem": f"does not decode: {error}", "set_aside": False}
    total, squares = moments(luma)
    spread = int(luma.max()) - int(luma.min())
    return {
        "set_aside": False,
        "width": luma.shape[1],
        "height": luma.shape[0],
        "is_constant": spread == 0,
        "mean": total / luma.size,
        "deviation": (luma.size * squares - total**2) ** 0.5 / luma.size,
        "key": content_key(luma) if spread > ROOT_LIMIT else None,
        "cells": grid(luma).reshape(-1),
    }


def quality_values(sketches: Sequence[Sketch], rows: Sequence[Sketch], job: Job) -> list[pa.Array]:
    """Measure all sketches and return the columns of config ``quality``.

    Args:
        sketches: In release order.
        rows: The same, in the order of rows.
        job: Runs the parts, several at a time, and keeps those that are done.
    """
    parts = [
        Part(
            tuple(sketch.file_name for sketch in sketches[start : start + _PART]),
            tuple(sketch.blob for sketch in sketches[start : start + _PART]),
        )
        for start in range(0, len(sketches), _PART)
    ]
    measures = pa.concat_tables(
        [MEASURES.empty_table(), *job.parts.run(measure_part, parts, "quality")]
    )
    _report(sketches, measures, job)
    compared = compare(_clusters(sketches, measures), job)
    aside = measures["set_aside"].to_pylist()
    kept = [row.index for row in rows if not aside[row.index]]
    values = _columns([sketch.file_name for sketch in sketches], measures, compared, kept)
    job.report.notes.append(_summary(values))
    return values


def _summary(values: list[pa.Array]) -> str:
    """Return how many images are constant and how many repeat another one."""
    names, constant, copies = (values[place].to_pylist() for place in (0, 1, 5))
    classes = [(n.split("/")[1], c.split("/")[1]) for n, c in zip(names, copies, strict=True) if c]
    moved = sum(own != first for own, first in classes)
    return (
        f"of {len(names):,} images {constant.count(True):,} are black or of another single luma, "
        f"and {len(classes):,} repeat an earlier image, {moved:,} of these one of another class"
    )


def _report(sketches: Sequence[Sketch], measures: pa.Table, job: Job) -> None:
    problems = zip(
        sketches, measures["problem"].to_pylist(), measures["set_aside"].to_pylist(), strict=True
    )
    for sketch, problem, aside in problems:
        if aside:
            if "default" not in job.configs:  # that config sets the same images aside itself
                job.report.set_aside([sketch.file_name], problem)
        elif problem:
            job.report.notes.append(f"{sketch.file_name} {problem}: its quality is null")


def _clusters(sketches: Sequence[Sketch], measures: pa.Table) -> list[Cluster]:
    """Return the clusters of images that may be copies, in release order of their first."""
    means = measures["mean"].to_numpy()
    cells = _cells(measures["cells"])
    found: list[tuple[int, ...]] = []
    for (width, height), rows in _by_size(measures).items():
        shape = (len(rows), *grid_shape(width, height))
        stacked = np.stack([cells[row] for row in rows]).reshape(shape)
        alike = clusters(stacked, means[rows])
        found += [tuple(rows[place] for place in places) for places in alike]
    return [
        Cluster(
            rows,
            tuple(sketches[row].file_name for row in rows),
            tuple(sketches[row].blob for row in rows),
        )
        for rows in sorted(found)
    ]


def _by_size(measures: pa.Table) -> dict[tuple[int, int], list[int]]:
    """Return the rows with content of each size that occurs more than once."""
    sizes: dict[tuple[int, int], list[int]] = defaultdict(list)
    columns = (measures[name].to_pylist() for name in ("width", "height", "key"))
    for row, (width, height, key) in enumerate(zip(*columns, strict=True)):
        if key is not None:
            sizes[width, height].append(row)
    return {size: rows for size, rows in sizes.items() if len(rows) > 1}


def _cells(column: pa.ChunkedArray) -> list[Cells]:
    """Return views of the lists: `take` would copy the whole column for each size."""
    views: list[Cells] = []
    for chunk in column.chunks:
        values = chunk.values.to_numpy()
        ends = chunk.offsets.to_numpy()
        views += [values[a:b] for a, b in pairwise(ends)]
    return views


def _columns(
    names: list[str], measures: pa.Table, compared: pa.Table, kept: list[int]
) -> list[pa.Array]:
    first = np.arange(len(names))
    transform = np.zeros(len(names), np.int64)
    rows = compared["row"].to_numpy()
    first[rows] = compared["first"].to_numpy()
    transform[rows] = compared["transform"].to_numpy()
    keys = measures["key"].to_pylist()
    copies = [names[first[row]] if transform[row] else None for row in kept]
    plain = measures.select(["is_constant", "mean", "deviation"]).take(pa.array(kept, pa.int64()))
    return [
        pa.array([names[row] for row in kept], pa.string()),
        *plain.columns,
        pa.array([keys[first[row]] for row in kept], pa.string()),
        pa.array(copies, pa.string()),
        pa.array(transform[kept], pa.int64()),
    ]
