"""Photographs of PartImageNet decode as annotated, whatever their EXIF or colours say."""

from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from rawshelf.convert import Options, convert
from tests.fakes.partimagenet import OOD_DEFECTS, SEG_DEFECTS, document
from tests.partimagenet_converting import (
    FEW,
    KINDS,
    NAME,
    RAW_SPLITS,
    RELEASES,
    loaded,
    packed,
    released,
    table,
)

DEFECTS = {"seg": SEG_DEFECTS, "ood": OOD_DEFECTS}


def harmed(
    kind: str, defect: str, folder: Path, options: Options | None = None
) -> tuple[Path, dict[str, bytes], dict[str, Any]]:
    """Convert a release with a defect; return the output, the release and the manifest's report."""
    files = dict(DEFECTS[kind][defect](iter(RELEASES[kind].items())))
    out = folder / "out"
    result = convert(NAME, packed(files, folder), str(out), options)
    return out, files, result.report.to_json()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("defect", ["orientation_big_endian", "orientation_little_endian"])
@pytest.mark.fault(16)
def test_orientation_does_not_turn_images_away(kind: str, defect: str, tmp_path: Path) -> None:
    """With EXIF orientation 6 an image decodes as stored, aligned with its mask, and is told."""
    out, files, _ = harmed(kind, defect, tmp_path, Options((kind,)))
    name = document(files, "train")["images"][0]["file_name"]
    [row] = [row for row in loaded(out, kind, "train") if row["file_name"] == name]
    with Image.open(BytesIO(released(RELEASES[kind], name))) as plain:
        expected = np.asarray(plain)

    assert (6, True) == (row["exif_orientation"], row["exif_neutralised"])
    assert expected.tolist() == np.asarray(row["image"]).tolist()
    assert row["part_mask"].size == row["whole_mask"].size == row["image"].size
    assert 1 == sum(r["exif_neutralised"] for s in RAW_SPLITS for r in loaded(out, f"{kind}", s))


@pytest.mark.parametrize("kind", KINDS)
def test_orientation_stays_where_annotations_need_it(kind: str, tmp_path: Path) -> None:
    """A photo that was annotated as turned keeps its tag, so that it decodes as annotated."""
    out, files, _ = harmed(kind, "orientation_annotated_as_turned", tmp_path, Options((kind,)))
    name = document(files, "train")["images"][0]["file_name"]
    [row] = [row for row in loaded(out, kind, "train") if row["file_name"] == name]
    with (
        Image.open(BytesIO(released(files, name))) as tagged,
        Image.open(BytesIO(released(RELEASES[kind], name))) as plain,
    ):
        shown, upright = np.asarray(ImageOps.exif_transpose(tagged)), np.asarray(plain).astype(int)
    found = np.asarray(row["image"])

    assert (6, False) == (row["exif_orientation"], row["exif_neutralised"])
    assert row["part_mask"].size == row["image"].size == (row["width"], row["height"])
    assert shown.tolist() == found.tolist()
    # Encoded anew: not equal to the photo before it was laid on its side, but upright as that was.
    assert np.abs(upright - found).mean() < np.abs(upright - found[::-1, ::-1]).mean() / 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(16)
def test_colour_modes_are_kept(kind: str, tmp_path: Path) -> None:
    """CMYK and grey photographs keep mode and bytes, and the row tells the mode."""
    out, files, _ = harmed(kind, "cmyk_jpeg", tmp_path, Options((kind,)))
    modes: Counter[str] = Counter()
    for split in RAW_SPLITS:
        rows = loaded(out, kind, split)
        modes.update(row["image"].mode for row in rows)

        assert [row["image"].mode for row in rows] == [
            rows.features["mode"].int2str(row["mode"]) for row in rows
        ]
        for row in table(out, kind, split):
            assert released(files, row["file_name"]) == row["image"]["bytes"]

    assert {"CMYK": 1, "L": 1, "RGB": 4 * len(FEW) - 2} == modes
