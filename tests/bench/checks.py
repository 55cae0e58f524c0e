"""Looking into what a competitor wrote: all rows there, and some of them as in the release."""

import itertools
import json
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.dataset as pads

SAMPLES = 5


class WrongError(RuntimeError):
    """A competitor's output is not what the release holds."""


@dataclass(frozen=True)
class Expected:
    """What a table must hold.

    Attributes:
        config: Name of the table.
        rows: How many rows.
        key: The column that names a row.
        cells: By key and column, what some rows hold; of an image, its bytes.
    """

    config: str
    rows: int
    key: str
    cells: Mapping[str, Mapping[str, Any]]


def of_sketches(raw: Path) -> list[Expected]:
    """Return what any conversion of an ImageNet-Sketch zip must hold."""
    with zipfile.ZipFile(raw) as archive:
        names = archive.namelist()
        some = {name: {"image": archive.read(name)} for name in _some(names)}
    return [Expected("default", len(names), "file_name", some)]


def of_partimagenet(raw: Path) -> list[Expected]:
    """Return what any conversion of a Seg zip must hold: a row for every photograph."""
    with zipfile.ZipFile(raw) as archive:
        names = [name for name in archive.namelist() if name.endswith(".JPEG")]
        some = {}
        for name in _some(names):
            mask = name.replace("/images/", "/annotations/").replace(".JPEG", ".png")
            cells = {"image": archive.read(name), "part_mask": archive.read(mask)}
            some[Path(name).name] = cells
    return [Expected("seg", len(names), "file_name", some)]


def of_spair(raw: Path) -> list[Expected]:
    """Return what `images` and `pairs` of an SPair-71k tar.gz must hold."""
    photos: dict[str, bytes] = {}
    pairs: list[str] = []
    first: dict[str, Any] = {}
    with tarfile.open(raw, "r|gz") as archive:
        for member in archive:
            file, path = archive.extractfile(member), Path(member.name)
            if file is not None and path.suffix == ".jpg":
                photos[f"{path.parent.name}/{path.stem}"] = file.read()
            elif file is not None and "PairAnnotation" in path.parts:
                pairs.append(path.stem)
                first = first or json.loads(file.read())
    some = {name: {"image": photos[name]} for name in _some(list(photos))}
    x, y = zip(*first["trg_kps"], strict=True)
    cells = {"keypoints": {"id": [*map(int, first["kps_ids"])], "trg_x": [*x], "trg_y": [*y]}}
    return [
        Expected("images", len(photos), "name", some),
        Expected("pairs", len(pairs), "name", {first["filename"]: cells}),
    ]


def _some(names: list[str]) -> list[str]:
    return names[:: -(-len(names) // SAMPLES)]


def parquet(out: Path, expected: list[Expected]) -> None:
    """Check Parquet files, of several tables each in a folder of its name.

    Raises:
        WrongError: If rows are missing, or hold something else.
    """
    for table in expected:
        places = (out / "data" / table.config, out / table.config, out)
        place = next(place for place in places if place.is_dir())
        rows = pads.dataset(sorted(map(str, place.rglob("*.parquet"))), format="parquet")
        _same(place, "rows", table.rows, rows.count_rows())
        some = rows.to_table(filter=pads.field(table.key).isin(list(table.cells))).to_pylist()
        found = {row[table.key]: row for row in some}
        for name, cells in table.cells.items():
            for column, value in cells.items():
                _same(place, f"{column} of {name}", value, _shown(found[name][column], value))


def _shown(cell: Any, like: Any) -> Any:
    """Return as much of a cell as is to be compared."""
    if isinstance(like, bytes):
        return cell["bytes"]
    return {key: cell[key] for key in like}


def unkeyed(out: Path, expected: list[Expected]) -> None:
    """Check Parquet files that keep the images and forget what they were called.

    Raises:
        WrongError: If rows are missing, or the images of some.
    """
    [table] = expected
    rows = pads.dataset(sorted(map(str, out.rglob("*.parquet"))), format="parquet")
    _same(out, "rows", table.rows, rows.count_rows())
    wanted = {cells["image"] for cells in table.cells.values()}
    for batch in rows.to_batches(columns=["image"], batch_size=SAMPLES):
        wanted -= set(batch["image"].field("bytes").to_pylist())
    _same(out, "images not found", 0, len(wanted))


def tars(out: Path, expected: list[Expected]) -> None:
    """Check the shards of webdataset.

    Raises:
        WrongError: If samples are missing, or hold something else.
    """
    [table] = expected
    wanted = {name.replace(".JPEG", ".jpg"): cells for name, cells in table.cells.items()}
    count = 0
    for path in sorted(out.glob("*.tar")):
        with tarfile.open(path, "r|") as archive:
            for member in archive:
                count += member.name.endswith(".jpg")
                if member.name in wanted:
                    file = archive.extractfile(member)
                    found = file.read() if file else b""
                    _same(path, member.name, wanted.pop(member.name)["image"], found)
    _same(out, "samples", table.rows, count)
    _same(out, "samples not found", 0, len(wanted))


def told_alike(told: Mapping[str, Mapping[str, float]]) -> None:
    """Check that all readers read equally many rows and bytes.

    Raises:
        WrongError: If they did not.
    """
    for (one, first), (other, second) in itertools.pairwise(told.items()):
        for quantity in ("rows", "image_bytes"):
            _same(f"{other} and {one}", quantity, first.get(quantity), second.get(quantity))


def _same(place: object, what: str, expected: object, found: object) -> None:
    if expected != found:
        raise WrongError(f"{place}: {what} should be {expected!r:.80}, found {found!r:.80}")
