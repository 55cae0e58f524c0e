import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from rawshelf.miniature import pack_tar
from rawshelf.spair71k.columns import CATEGORY
from tests.fakes.spair71k import full_size
from tests.fakes.spair71k_tables import OCCLUSION, PAIRS, SCALE, TRUNCATION, VIEWPOINT

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
from rawshelf.convert import Options, convert
convert("spair71k", *sys.argv[1:], Options(("pairs", "images")))
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
def test_a_release_of_full_size(tmp_path: Path) -> None:
    """All counts are the paper's, in bounded memory, and the law has nothing to say against it."""
    raw = pack_tar(full_size(), tmp_path / "raw.tar", gzip=False)
    out = tmp_path / "out"
    command = [sys.executable, "-c", MEASURED, str(raw), str(out)]
    resident = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    report = json.loads((out / "manifest.json").read_text())["report"]

    assert resident < MEMORY
    assert ([], [], []) == (report["differences"], report["quarantine"], report["missing"])
    assert 70_958 in report["checked"].values()
    for config, expected in (("pairs", ROWS), ("images", IMAGES)):
        loaded = datasets.load_dataset(str(out), config, cache_dir=str(tmp_path / "cache"))
        assert expected == {split: len(rows) for split, rows in loaded.items()}
    _check_tables(out)


def _check_tables(out: Path) -> None:
    for column, (split, raw) in enumerate(zip(ROWS, ("trn", "val", "test"), strict=True)):
        table = pq.read_table(sorted((out / "data" / "pairs").glob(f"{split}-*.parquet")))
        for name, cells in TABLE_1.items():
            assert list(cells[raw]) == _counts(table[name], len(cells[raw]))
        expected = [PAIRS[category][column] for category in CATEGORY.names]
        assert expected == _counts(table["category"], len(expected))


def _counts(values: Any, length: int) -> list[int]:
    found = {row["values"]: row["counts"] for row in pc.value_counts(values).to_pylist()}
    return [found.get(code, 0) for code in range(length)]
