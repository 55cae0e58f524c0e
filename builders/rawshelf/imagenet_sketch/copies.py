"""Which images repeat another, mirrored, flipped or rotated: the rule, and how it is applied.

The authors' script pads a class of fewer than 50 images with flipped and plain copies of its
images, each encoded anew from the same source (scripts/moveImages.py of the home repository). So
flipped copies are not equal byte by byte, but equal after decoding up to the noise of JPEG.

The rule. Two images of the same size are copies under a transform if, after it, in every tile of
8 x 8 pixels the mean luma differs by at most `MEAN_LIMIT` and the root mean square of the
differences is at most `ROOT_LIMIT`, grey levels of 255. Images of different size are never copies.
Colour is not compared, only luma: JPEG halves its resolution. Images without content, whose luma
spans no more than noise does, take no part: any two would match.

To compare every image with every other would take too long, so candidates come first: images
whose coarse grids are alike. Comparing the grids misses no pair whose cells differ by at most
`CELL_NOISE` (see `clusters`); what it finds is then compared pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rawshelf.blobs import BlobReader
from rawshelf.imagenet_sketch.pixels import Luma, decode_luma
from rawshelf.members import Blob
from rawshelf.release import Job

Cells = npt.NDArray[np.float32]
Turn = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]

# OpenCV's quantiser at quality 95 moves a block by at most 3.4 (root mean square), hence two
# encodings of one source apart by at most 6.7. Measured: 4.7, and 1.2 for the mean of a tile.
ROOT_LIMIT = 7.0
MEAN_LIMIT = 2.0
CELL_NOISE = 1.5  # measured: 0.8
TILE = 8
_STRIP = 16 * TILE  # rows that are compared at a time
_PART = 256  # images whose comparison goes into one file: what an interrupted run loses at most

TRANSFORMS: dict[int, Turn] = {  # numbered as in columns.TRANSFORM; each undoes itself
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[..., ::-1],
    3: lambda pixels: pixels[..., ::-1, :],
    4: lambda pixels: pixels[..., ::-1, ::-1],
}

COMPARED = pa.schema([("row", pa.int64()), ("first", pa.int64()), ("transform", pa.int8())])


def difference(turned: Luma, luma: Luma) -> float | None:
    """Return the mean square of the differences of two images; None if they are no copies."""
    if turned.shape != luma.shape:
        return None
    total = 0
    columns = _lengths(luma.shape[1])
    for top in range(0, luma.shape[0], _STRIP):
        apart = np.subtract(turned[top : top + _STRIP], luma[top : top + _STRIP], dtype=np.int16)
        areas = np.outer(_lengths(len(apart)), columns)
        squares = _tile_sums(np.multiply(apart, apart, dtype=np.int32))
        if (np.abs(_tile_sums(apart)) > MEAN_LIMIT * areas).any():
            return None
        if (squares > ROOT_LIMIT**2 * areas).any():
            return None
        total += int(squares.sum(dtype=np.int64))
    return total / luma.size


def _lengths(side: int) -> npt.NDArray[np.int64]:
    return np.diff(np.arange(0, side, TILE), append=side)


def _tile_sums(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sum over each tile; those at the right and at the bottom may be smaller."""
    # Eight additions of whole rows: several times faster than `reduceat` or a sum over an axis.
    height, width = values.shape
    filled = np.zeros((height + -height % TILE, width + -width % TILE), values.dtype)
    filled[:height, :width] = values  # np.pad takes several times longer
    rows = filled.reshape(-1, TILE, filled.shape[1])
    sums = rows[:, 0].copy()
    for line in range(1, TILE):
        sums += rows[:, line]
    tiles: npt.NDArray[Any] = sums.reshape(len(sums), -1, TILE).sum(axis=2)
    return tiles


def match(first: Luma, luma: Luma) -> int:
    """Return the number of the transform that makes an image from the first; 0 if none does."""
    if np.array_equal(first, luma):  # plain copies are equal byte by byte
        return 1
    found = {number: difference(turn(first), luma) for number, turn in TRANSFORMS.items()}
    fitting = {number: apart for number, apart in found.items() if apart is not None}
    return min(fitting, key=lambda number: fitting[number], default=0)


@dataclass(frozen=True)
class Cluster:
    """Images of one size that may be copies of each other: names and places, never bytes.

    Attributes:
        rows: Their places in release order, ascending.
        names: File names.
        blobs: Where their bytes lie.
    """

    rows: tuple[int, ...]
    names: tuple[str, ...]
    blobs: tuple[Blob, ...]


def compare_part(part: Sequence[Cluster], path: str) -> None:
    """Compare the images of some clusters; write an Arrow IPC file of `COMPARED`, one row each."""
    rows: list[tuple[int, int, int]] = []
    with BlobReader() as reader:
        for cluster in part:
            rows += _compare(cluster, reader)
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, item.type) for c, item in zip(columns, COMPARED, strict=True)]
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, COMPARED) as writer:
        writer.write_table(pa.table(arrays, schema=COMPARED))


def _compare(cluster: Cluster, reader: BlobReader) -> list[tuple[int, int, int]]:
    """Give each image the first earlier one that it repeats, and how; one that is no copy itself.

    Holds two decoded images at a time, however large the cluster.
    """

    def decoded(place: int) -> Luma:
        return decode_luma(reader.read(cluster.blobs[place], cluster.names[place]))

    found: list[tuple[int, int, int]] = []
    waiting = list(range(len(cluster.rows)))
    while waiting:
        first, *others = waiting
        row = cluster.rows[first]
        found.append((row, row, 0))
        luma = decoded(first) if others else None
        waiting = []
        for place in others:
            transform = match(luma, decoded(place)) if luma is not None else 0
            if transform:
                found.append((cluster.rows[place], row, transform))
            else:
                waiting.append(place)
    return found


def clusters(cells: Cells, means: npt.NDArray[np.float32]) -> list[list[int]]:
    """Put images of one size together that may be copies; leave out those that are alone.

    The distance of two images is the largest difference between cells of their grids, under the
    transform that fits best. An image is joined to every head within twice `CELL_NOISE`, and
    becomes a head itself unless one is within `CELL_NOISE`. Then two images within `CELL_NOISE` of
    each other always end together: the head of the one is within twice `CELL_NOISE` of the other.

    Args:
        cells: The images' grids, (images, rows, columns).
        means: Their mean luma.

    Returns:
        Places in the arguments, ascending, in clusters of at least two.
    """
    reach = 2 * CELL_NOISE
    invariants = _invariants(cells)
    few = np.ascontiguousarray(invariants[:, :: -(-invariants.shape[1] // 6)])
    order = np.argsort(means, kind="stable")
    heads = np.empty(len(order), np.int64)
    count = start = 0
    leader = np.arange(len(order))
    for item in order:
        while start < count and means[heads[start]] < means[item] - reach:
            start += 1
        near = heads[start:count]
        for some in (few, invariants):  # few values tell most images apart
            near = near[(np.abs(some[near] - some[item]) <= reach).all(axis=1)]
        apart = _distances(cells[near], cells[item])
        for head in near[apart <= reach]:
            leader[_root(leader, int(item))] = _root(leader, int(head))
        if not (apart <= CELL_NOISE).any():
            heads[count] = item
            count += 1
    together: dict[int, list[int]] = {}
    for item in range(len(order)):
        together.setdefault(_root(leader, item), []).append(item)
    return [members for members in together.values() if len(members) > 1]


def _invariants(cells: Cells) -> Cells:
    """Return of each grid what no transform changes; as near as the grids are, or nearer."""
    mean: Cells = np.mean([turn(cells) for turn in TRANSFORMS.values()], axis=0, dtype=np.float32)
    quarter = mean[:, : -(-mean.shape[1] // 2), : -(-mean.shape[2] // 2)]
    return quarter.reshape(len(quarter), -1)


def _distances(cells: Cells, item: Cells) -> Cells:
    turned = [np.abs(turn(cells) - item).max(axis=(1, 2)) for turn in TRANSFORMS.values()]
    nearest: Cells = np.min(turned, axis=0)
    return nearest


def _root(leader: npt.NDArray[np.int64], item: int) -> int:
    while leader[item] != item:
        leader[item] = leader[leader[item]]
        item = int(leader[item])
    return item


def compare(found: Sequence[Cluster], job: Job) -> pa.Table:
    """Compare the images of all clusters, several at a time; return a table of `COMPARED`."""
    parts: list[list[Cluster]] = []
    filled = _PART
    for cluster in found:
        if filled >= _PART:
            parts.append([])
            filled = 0
        parts[-1].append(cluster)
        filled += len(cluster.rows)
    return pa.concat_tables(
        [COMPARED.empty_table(), *job.parts.run(compare_part, parts, "compare")]
    )
