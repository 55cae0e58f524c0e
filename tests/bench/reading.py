"""Reading what was written: each function reads one layout in one way and tells how long it took.

Times begin after the imports, as in a program that trains: they count the reading alone.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from isal import isal_zlib

if TYPE_CHECKING:
    from rawshelf.convert import Result

Told = dict[str, float]

SHARD = 500_000_000  # bytes: `max_shard_size` of `push_to_hub`
_OPENINGS = 15
SEED = 7
_LARGEST = 3 * 500 * 500  # bytes of a photograph: VOC's have at most 500 pixels a side


def prepare_sketches(raw: str, folder: str) -> None:
    """Write the layouts: rawshelf's, the one that `push_to_hub` writes, webdataset's."""
    from tests.bench import sketch_peers  # noqa: PLC0415 - readers should not pay for it

    _converted("imagenet_sketch", ("default",), raw, f"{folder}/rawshelf")
    _pushed(f"{folder}/rawshelf", Path(folder, "default", "data"))
    sketch_peers.webdataset(raw, f"{folder}/webdataset")


def prepare_pairs(raw: str, folder: str) -> None:
    """Write rawshelf's `images` and `pairs`."""
    _converted("spair71k", ("images", "pairs"), raw, f"{folder}/rawshelf")


def pairs_flat(raw: str, out: str) -> Told:
    """Write rawshelf's `pairs_flat`; tell the bytes per row."""
    result = _converted("spair71k", ("pairs_flat",), raw, out)
    rows = sum(record.rows for record in result.records)
    return {"bytes_per_row": sum(record.bytes for record in result.records) / rows}


def _converted(name: str, configs: tuple[str, ...], raw: str, out: str) -> Result:
    from rawshelf.convert import Options, convert  # noqa: PLC0415 - readers should not pay for it

    return convert(name, raw, out, Options(configs))


def _pushed(source: str, out: Path) -> None:
    """Write the files that `push_to_hub` would: shards of 500 MB, all else by default."""
    import datasets  # noqa: PLC0415 - slow to import

    rows = datasets.load_dataset(source, split="test")
    count = max(1, -(-rows.data.nbytes // SHARD))
    out.mkdir(parents=True)
    for index in range(count):
        shard = rows.shard(count, index, contiguous=True)
        shard.to_parquet(out / f"test-{index:05d}-of-{count:05d}.parquet")


def _streamed(folder: str) -> Any:
    import datasets  # noqa: PLC0415 - webdataset's reader should not pay for it

    rows = datasets.load_dataset(folder, split="test", streaming=True)
    return rows.cast_column("image", datasets.Image(decode=False))


def stream(folder: str) -> Told:
    """Read all rows of a Parquet repository through `datasets`, images as bytes."""
    rows = _streamed(folder)
    start = time.perf_counter()
    sizes = [len(row["image"]["bytes"]) for row in rows]
    return _told(start, sizes)


def stream_own(folder: str) -> Told:
    """Read all rows of a Parquet repository through `rawshelf.stream`, images as bytes."""
    import datasets  # noqa: PLC0415 - webdataset's reader should not pay for it

    import rawshelf  # noqa: PLC0415 - beside `datasets`

    rows = rawshelf.stream(folder, split="test").cast_column("image", datasets.Image(decode=False))
    start = time.perf_counter()
    sizes = [len(row["image"]["bytes"]) for row in rows]
    return _told(start, sizes)


def stream_webdataset(folder: str) -> Told:
    """Read all samples of a folder of tars through webdataset, images as bytes."""
    import webdataset as wds  # noqa: PLC0415 - the others should not pay for it

    samples = wds.WebDataset(sorted(map(str, Path(folder).glob("*.tar"))), shardshuffle=False)
    start = time.perf_counter()
    sizes = []
    for sample in samples:
        json.loads(sample["json"])
        sizes.append(len(sample["jpg"]))
    return _told(start, sizes)


def first_row(folder: str) -> None:
    """Wait for the first row of a stream: the median of some openings in one program.

    The program then ends at once: at a usual end, threads that pyarrow left reading may abort it
    or hang (https://github.com/apache/arrow/issues/45214).
    """
    times = []
    for _ in range(_OPENINGS):
        rows = _streamed(folder)
        start = time.perf_counter()
        next(iter(rows))
        times.append(time.perf_counter() - start)
    sys.stdout.write(json.dumps({"seconds": median(times), "first": times[0]}))
    sys.stdout.flush()
    os._exit(0)


def _pairs(folder: str) -> tuple[Any, Any]:
    import datasets  # noqa: PLC0415 - slow to import

    pairs, images = (
        datasets.load_dataset(folder, config, split="train") for config in ("pairs", "images")
    )
    return pairs, images


def random_join(folder: str, *, read: bool = False) -> Told:
    """Take all pairs in random order through `rawshelf.join`, with both photographs' bytes."""
    import rawshelf  # noqa: PLC0415 - beside `datasets`

    rows = rawshelf.join(*_pairs(folder), decode=False)
    length = _length_read if read else len
    return _taken(lambda i: _sides(rows[i], length), len(rows))


def random_join_read(folder: str) -> Told:
    """Do so, and read each byte once: what was not copied is not in the processor's cache."""
    return random_join(folder, read=True)


def random_transform(folder: str, *, read: bool = False) -> Told:
    """Take all pairs in random order through `with_transform`, with both photographs' bytes."""
    rows = _transformed(folder, decode=False)
    length = _length_read if read else len
    return _taken(lambda i: _sides(rows[i], lambda image: length(image["bytes"])), len(rows))


def random_transform_read(folder: str) -> Told:
    """Do so, and read each byte once."""
    return random_transform(folder, read=True)


def _transformed(folder: str, *, decode: bool) -> Any:
    """Return pairs that look their photographs up, as one would without rawshelf."""
    import datasets  # noqa: PLC0415 - slow to import

    pairs, images = _pairs(folder)
    photos = images.select_columns(["image"]).cast_column("image", datasets.Image(decode=decode))

    def looked_up(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for side in ("src", "trg"):
            batch[f"{side}_image"] = photos[batch[f"{side}_index"]]["image"]
        return batch

    return pairs.with_transform(looked_up)


def epoch_cached(folder: str) -> Told:
    """Read the pixels of all pairs, shuffled, the photographs decoded once: that counts too."""
    import rawshelf  # noqa: PLC0415 - beside `datasets`

    pairs, images = _pairs(folder)
    with tempfile.TemporaryDirectory(dir=Path(folder).parent) as cache:
        start = time.perf_counter()
        photos = rawshelf.decoded(images, cache, columns=["image"])
        return _epoch(rawshelf.join(pairs, photos, decode=False), 1, start)


def epoch_decoding(folder: str, step: int) -> Told:
    """Read the pixels of one pair in so many, decoded each time."""
    rows = _transformed(folder, decode=True)
    return _epoch(rows, step, time.perf_counter())


def _epoch(rows: Any, step: int, start: float) -> Told:
    """Tell the seconds per pair; each pair's pixels are copied into a batch."""
    order = np.random.default_rng(SEED).permutation(len(rows))[::step].tolist()
    batch = np.empty(_LARGEST, np.uint8)
    for index in order:
        row = rows[index]
        for side in ("src", "trg"):
            pixels = np.asarray(row[f"{side}_image"])
            batch[: pixels.size] = pixels.reshape(-1)
    return {"seconds": (time.perf_counter() - start) / len(order)}


def _sides(row: Any, length: Callable[[Any], int]) -> int:
    return sum(length(row[f"{side}_image"]) for side in ("src", "trg"))


def _length_read(content: Any) -> int:
    isal_zlib.crc32(content)
    return len(content)


def _taken(take: Callable[[int], int], rows: int) -> Told:
    indices = np.random.default_rng(SEED).permutation(rows).tolist()
    start = time.perf_counter()
    return _told(start, [take(index) for index in indices])


def _told(start: float, sizes: list[int]) -> Told:
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "rows": len(sizes), "image_bytes": sum(sizes)}
