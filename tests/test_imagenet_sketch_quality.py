"""Config quality has a row for each row of config default, from parts that survive a kill."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from rawshelf.engines import Engine
from rawshelf.imagenet_sketch import copies, quality
from rawshelf.imagenet_sketch.columns import TRANSFORM
from rawshelf.imagenet_sketch.miniature import COPIES, WNIDS, draw, encode, members, transformed
from rawshelf.imagenet_sketch.tables import prepare
from rawshelf.miniature import Members, pack_zip
from rawshelf.parts import Parts
from rawshelf.release import Job, Prepared
from rawshelf.report import Quarantined
from rawshelf.sources import Source
from tests.fakes.imagenet_sketch import DEFECTS, commented

FEW = WNIDS[:3]


def job(raw: Path, order: str = "release", parts: Parts | None = None) -> Job:
    source = Source(str(raw))
    return Job(source, ("default", "quality"), str(raw.parent), order=order, parts=parts or Parts())


def packed(release: Members, tmp_path: Path) -> Path:
    return pack_zip(release, tmp_path / "ImageNet-Sketch.zip")


def quality_of(prepared: Prepared) -> pa.Table:
    return prepared.tables["quality", "test"]


def rows(release: Members, tmp_path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = quality_of(prepare(job(packed(release, tmp_path)))).to_pylist()
    return found


def images(*pictures: Image.Image) -> Members:
    return [(f"sketch/{FEW[0]}/sketch_{k}.JPEG", encode(p)) for k, p in enumerate(pictures)]


def test_miniature(tmp_path: Path) -> None:
    """Each class of the miniature holds originals, one copy of each kind, and a black image."""
    found = rows(members(wnids=FEW[:1]), tmp_path)
    wnid = f"sketch/{FEW[0]}"

    assert [f"{wnid}/sketch_{k}.JPEG" for k in range(9)] == [row["quality_of"] for row in found]
    assert [None] * 4 + [f"{wnid}/sketch_{k}.JPEG" for k in range(4)] + [None] == [
        row["copy_of"] for row in found
    ]
    assert ["none"] * 4 + list(COPIES[1:]) + ["none"] == [
        TRANSFORM.names[row["transform"]] for row in found
    ]
    assert [False] * 8 + [True] == [row["is_constant"] for row in found]


@pytest.mark.parametrize("order", ["shuffled", "release"])
def test_rows_join_those_of_default(order: str, tmp_path: Path) -> None:
    """Row by row, both configs are about the same image, whichever the order."""
    tables = prepare(job(packed(members(wnids=FEW), tmp_path), order)).tables

    assert tables["default", "test"]["file_name"] == tables["quality", "test"]["quality_of"]


def test_copies_across_classes(tmp_path: Path) -> None:
    """A copy is found in another class too, and is told from the first in release order."""
    picture = draw(5, (211, 140))
    release = [
        (f"sketch/{FEW[1]}/sketch_0.JPEG", encode(transformed(picture, "flip"))),
        (f"sketch/{FEW[0]}/sketch_0.JPEG", encode(picture)),
        (f"sketch/{FEW[2]}/sketch_7.JPEG", encode(transformed(picture, "rotate180"))),
    ]
    found = rows(release, tmp_path)
    first = f"sketch/{FEW[0]}/sketch_0.JPEG"

    assert [(None, 0), (first, 3), (first, 4)] == [(r["copy_of"], r["transform"]) for r in found]
    assert 1 == len({row["content_key"] for row in found})


def test_equal_bytes_but_for_a_comment(tmp_path: Path) -> None:
    """Files of equal pixels and other bytes are copies."""
    jpeg = encode(draw(2))
    release = [
        (f"sketch/{FEW[0]}/sketch_{k}.JPEG", commented(jpeg, str(k)) if k else jpeg)
        for k in range(2)
    ]

    assert [0, 1] == [row["transform"] for row in rows(release, tmp_path)]


def test_images_without_content(tmp_path: Path) -> None:
    """Black images, and those whose luma spans at most 7 levels, repeat nothing."""
    faint = np.full((60, 80), 250, np.uint8)
    faint[20:40, 20:40] = 255
    found = rows(
        images(
            Image.new("RGB", (80, 60)),
            Image.new("L", (80, 60)),
            Image.fromarray(faint),
            Image.fromarray(faint),
        ),
        tmp_path,
    )

    assert [True, True, False, False] == [row["is_constant"] for row in found]
    assert {(None, None, 0)} == {(r["content_key"], r["copy_of"], r["transform"]) for r in found}


def test_nearly_black_images_have_content(tmp_path: Path) -> None:
    """A dark image whose drawing can still be seen is compared like any other."""
    dark = draw(3, (90, 70)).convert("L").point([v // 6 for v in range(256)])
    found = rows(images(dark, transformed(dark, "mirror")), tmp_path)

    assert [0, 2] == [row["transform"] for row in found]


def test_mean_and_deviation(tmp_path: Path) -> None:
    """Mean and deviation are those of the decoded luma."""
    picture = draw(4, (120, 75))
    (row,) = rows(images(picture), tmp_path)
    jpeg = packed([], tmp_path / "other").parent / "x.jpg"
    jpeg.write_bytes(encode(picture))
    with Image.open(jpeg) as image:
        luma = np.asarray(image, np.float64)

    assert "L" == picture.mode
    assert pytest.approx(luma.mean(), abs=1e-4) == row["mean"]
    assert pytest.approx(luma.std(), abs=1e-4) == row["deviation"]


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        ("png_named_jpeg", "a PNG under the name of a JPEG"),
        ("empty_jpeg", "the file is empty"),
        ("truncated_jpeg", "the JPEG is cut short"),
    ],
)
@pytest.mark.fault(14)
def test_set_aside(defect: str, reason: str, tmp_path: Path) -> None:
    """An image that is no whole JPEG has no row, and the reason is listed."""
    release = job(packed(DEFECTS[defect](members(wnids=FEW[:1])), tmp_path))
    release.configs = ("quality",)
    found = quality_of(prepare(release))
    first = f"sketch/{FEW[0]}/sketch_0.JPEG"

    assert [Quarantined(first, reason)] == release.report.quarantine
    assert 8 == len(found)
    assert first not in found["quality_of"].to_pylist()


@pytest.mark.fault(14)
def test_undecodable(tmp_path: Path) -> None:
    """An image that does not decode keeps its row, with nulls, and is noted."""
    release = job(packed(DEFECTS["undecodable_jpeg"](members(wnids=FEW[:1])), tmp_path))
    first, *others = quality_of(prepare(release)).to_pylist()

    assert {
        "quality_of": f"sketch/{FEW[0]}/sketch_0.JPEG",
        "is_constant": None,
        "mean": None,
        "deviation": None,
        "content_key": None,
        "copy_of": None,
        "transform": 0,
    } == first
    assert [False] * 7 + [True] == [row["is_constant"] for row in others]
    assert [] == release.report.quarantine
    assert 1 == sum("does not decode" in note for note in release.report.notes)


class Stopping(Executor):
    """Runs what it is given until it has run a number of parts; then it is interrupted."""

    def __init__(self, parts: int) -> None:
        """Take the number of parts."""
        self._left = parts

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a part at once."""
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "_PART", 5)
    monkeypatch.setattr(copies, "_PART", 4)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("stop", [0, 1, 4, 6, 8])
@pytest.mark.fault(22)
def test_resume(stop: int, tmp_path: Path) -> None:
    """A run that was stopped keeps its finished parts; the next takes them up as they are."""
    raw = packed(members(wnids=FEW), tmp_path)
    whole = quality_of(prepare(job(raw)))
    folder = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        prepare(job(raw, parts=Parts(str(folder), Engine(Stopping(stop)))))
    kept = {path: path.stat().st_ino for path in folder.glob("*.arrow")}
    resumed = quality_of(prepare(job(raw, parts=Parts(str(folder)))))

    assert stop == len(kept)
    assert kept == {path: path.stat().st_ino for path in kept}
    assert stop < len(list(folder.glob("*.arrow")))
    assert whole == resumed


@pytest.mark.usefixtures("small_parts")
def test_workers(tmp_path: Path) -> None:
    """One thread, and two processes, find the same."""
    raw = packed(members(wnids=FEW), tmp_path)
    with ThreadPoolExecutor(1) as one, ProcessPoolExecutor(2, get_context("spawn")) as two:
        alone, together = (
            quality_of(prepare(job(raw, parts=Parts(None, Engine(pool))))) for pool in (one, two)
        )

    assert alone == together


def test_progress(tmp_path: Path) -> None:
    """Both passes tell how far they are."""
    told: list[tuple[str, int, int]] = []
    raw = packed(members(wnids=FEW), tmp_path)
    prepare(job(raw, parts=Parts(advance=lambda *progress: told.append(progress))))

    assert [("quality", 1, 1), ("compare", 1, 1)] == told
