import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import datasets
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from rawshelf.miniature import pack_tar
from rawshelf.spair71k.columns import CATEGORY
from tests.fakes.spair71k import full_size
from tests.fakes.spair71k_tables import OCCLUSION, PAIRS, SCALE, TRUNCATION, VIEWPOINT
from tests.test_spair71k_evaluate import evaluate, figures

ROWS = {"train": 53_340, "validation": 5_384, "test": 12_234}
IMAGES = {"train": 997, "validation": 322, "test": 481}
TABLE_1: Mapping[str, Mapping[str, Sequence[int]]] = {
    "viewpoint_variation": VIEWPOINT,
    "scale_variation": SCALE,
    "truncation": TRUNCATION,
    "occlusion": OCCLUSION,
}
MEMORY = 800_000  # kB of resident memory, mapped files included; the images are 175 MB
# The peak since the program began: what wait4 gives includes the memory of the forking parent.
MEASURED = """
import sys
from pathlib import Path
{}
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
CONVERT = """
from rawshelf.convert import Options, convert
convert("spair71k", *sys.argv[1:], Options(("pairs", "images")))
"""
VERIFY = """
from rawshelf.verification import verify_release
found = verify_release("spair71k", sys.argv[1], deep=True)
if not found.agrees or {"not checked"} & {check.verdict for check in found.checks}:
    sys.exit([check for check in found.checks if check.verdict != "agrees"])
"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack_tar(full_size(), tmp_path_factory.mktemp("raw") / "raw.tar", gzip=False)


def resident_after(code: str, *arguments: Path) -> int:
    """Return the most memory that a program of our own took, in kB."""
    command = [sys.executable, "-c", MEASURED.format(code), *map(str, arguments)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.slow
def test_nothing_contradicts_in_full_size(raw: Path) -> None:
    """Every claim is checked, every image decoded, in bounded memory."""
    assert resident_after(VERIFY, raw) < MEMORY


@pytest.mark.slow
def test_a_release_of_full_size(raw: Path, tmp_path: Path) -> None:
    """All counts are the paper's, in bounded memory, and the law has nothing to say against it."""
    out = tmp_path / "out"
    resident = resident_after(CONVERT, raw, out)
    report = json.loads((out / "manifest.json").read_text())["report"]

    assert resident < MEMORY
    assert ([], [], []) == (report["differences"], report["quarantine"], report["missing"])
    assert 70_958 in report["checked"].values()
    for config, expected in (("pairs", ROWS), ("images", IMAGES)):
        loaded = datasets.load_dataset(str(out), config, cache_dir=str(tmp_path / "cache"))
        assert expected == {split: len(rows) for split, rows in loaded.items()}
    _check_tables(out)
    _check_identity(out)


def _check_tables(out: Path) -> None:
    for column, (split, raw) in enumerate(zip(ROWS, ("trn", "val", "test"), strict=True)):
        table = pq.read_table(sorted((out / "data" / "pairs").glob(f"{split}-*.parquet")))
        for name, cells in TABLE_1.items():
            assert list(cells[raw]) == _counts(table[name], len(cells[raw]))
        expected = [PAIRS[category][column] for category in CATEGORY.names]
        assert expected == _counts(table["category"], len(expected))


def _check_identity(out: Path) -> None:
    """The identity of all test pairs is what a loop over the rows gives."""
    table = pq.read_table(sorted((out / "data" / "pairs").glob("test-*.parquet")))
    expected = fmean(_identity(row) for row in table.to_pylist())
    text = evaluate(out, "--split", "test", "--baseline", "identity", "--format", "json")

    assert 100 * expected == pytest.approx(figures(text)[0]["identity"]["all"])


def _identity(row: Mapping[str, Any]) -> float:
    """Return the share of a pair's points that scaling the source hits, by the paper's rule."""
    points = row["keypoints"]
    across, down = (row["trg_size"][axis] / row["src_size"][axis] for axis in (0, 1))
    left, top, right, bottom = row["trg_bbox"]
    longest = 0.1 * max(right - left, bottom - top)
    src = zip(points["src_x"], points["src_y"], strict=True)
    trg = zip(points["trg_x"], points["trg_y"], strict=True)
    return fmean(
        math.hypot(x * across - u, y * down - v) <= longest
        for (x, y), (u, v) in zip(src, trg, strict=True)
    )


def _counts(values: Any, length: int) -> list[int]:
    found = {row["values"]: row["counts"] for row in pc.value_counts(values).to_pylist()}
    return [found.get(code, 0) for code in range(length)]
