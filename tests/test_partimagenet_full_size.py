"""A PartImageNet release of full size, with the real names."""

from collections import Counter
from pathlib import Path

import pytest

from rawshelf.convert import Options, convert
from tests.fakes.partimagenet import ANNOTATIONS, IMAGES, OOD_LAYOUTS, ood_full_names
from tests.partimagenet_converting import NAME, RAW_SPLITS, loaded


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_full_names(real: Path, tmp_path: Path) -> None:
    """A release with the real counts, and real names and ids in train, converts row for row."""
    tsv = real / "partimagenet" / "ood_train_images.tsv"
    raw = OOD_LAYOUTS["ood_zip"](ood_full_names(tsv), tmp_path)
    result = convert(NAME, str(raw), str(tmp_path / "out"), Options(workers=2))
    lines = [line.split("\t") for line in tsv.read_text("ascii").splitlines()[1:]]
    found: Counter[tuple[str, str]] = Counter()
    for record in result.records:
        found[record.config, record.split] += record.rows

    assert {
        (config, split): IMAGES[raw_split]
        for config in ("ood", "ood_annotations")
        for split, raw_split in RAW_SPLITS.items()
    } == found
    assert ([], [], []) == (
        result.report.quarantine,
        result.report.differences,
        result.report.missing,
    )
    for config in ("ood", "ood_annotations"):
        rows = loaded(tmp_path / "out", config, "train").select_columns(
            ["image_id", "wnid", "file_name"]
        )
        assert {name: (int(number), wnid) for number, wnid, name in lines} == {
            row["file_name"]: (row["image_id"], row["wnid"]) for row in rows
        }
    splits = [loaded(tmp_path / "out", "ood_annotations", split) for split in RAW_SPLITS]
    assert ANNOTATIONS == sum(
        len(row["parts"]["id"]) for rows in splits for row in rows.select_columns(["parts"])
    )
