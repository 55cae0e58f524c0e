"""What `inspect` says of a PartImageNet release, sound or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rawshelf import masks
from rawshelf.miniature import pack_zip
from rawshelf.partimagenet.inspection import inspect
from rawshelf.partimagenet.release import PARTS
from rawshelf.release import Job
from rawshelf.sources import Source
from tests.fakes.partimagenet import SEG_DEFECTS
from tests.partimagenet_reading import SEG


def inspected(files: Iterator[tuple[str, bytes]], folder: Path) -> dict[str, Any]:
    (folder / "work").mkdir()
    job = Job(Source(str(pack_zip(files, folder / "raw.zip"))), (), str(folder / "work"))
    report: dict[str, Any] = json.loads(json.dumps(inspect(job)))
    return report


def test_inspect_answers_the_open_questions(tmp_path: Path) -> None:
    """The report is JSON and says what the release shows."""
    report = inspected(iter(SEG.items()), tmp_path)
    train = report["releases"]["seg"]["splits"]["train"]
    assert train["image_ids"]["contiguous_from_0"]
    assert train["whole_objects"]["categories_equal_the_table"]
    assert train["cross_check"]["mean agreement of an image"] > 0.95
    assert not train["cross_check"]["parts shown under another index"]
    counts = train["cross_check"]["counts"]
    assert counts["whole masks equal to the union of the parts"] == train["images"]
    assert report["answers"]["images of seg per split"] == {"train": 15, "val": 5, "test": 5}
    assert report["answers"]["images known to be CMYK in ImageNet"]["n02492035_15739"] == ["seg"]


def test_inspect_finds_parts_in_another_order(tmp_path: Path) -> None:
    """Masks whose Bicycle parts are in another order than the COCO file are found out."""
    body, head = PARTS.index("Bicycle Body"), PARTS.index("Bicycle Head")
    files = dict(SEG)
    for name, content in SEG.items():
        if "/annotations/train/" in name and name.endswith(".png"):
            mask = masks.decode_png(memoryview(content))
            other = np.where(mask == body, head, np.where(mask == head, body, mask))
            files[name] = masks.encode_png(other.astype(np.uint8), masks.palette(40))
    report = inspected(iter(files.items()), tmp_path)
    assert {"Bicycle Body": "Bicycle Head", "Bicycle Head": "Bicycle Body"} == report["answers"][
        "parts shown under another index"
    ]["train"]


@pytest.mark.parametrize("defect", sorted(SEG_DEFECTS))
def test_inspect_reports_every_defect(defect: str, tmp_path: Path) -> None:
    """First contact gives a report, whatever is wrong with the release."""
    report = inspected(iter(SEG_DEFECTS[defect](iter(SEG.items()))), tmp_path)
    assert {"source", "releases", "between_releases", "answers"} == set(report)
