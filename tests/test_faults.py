"""Every fault of the matrix has a test that can pass."""

from __future__ import annotations

import pytest

from tests.fault_matrix import Matrix
from tests.faults import COLLECTED, FAULTS


def test_every_fault_has_a_test(request: pytest.FixtureRequest) -> None:
    """One that is not skipped in any case; and no test names a fault that there is not."""
    if request.config.option.file_or_dir:
        pytest.skip("only a part of the suite was collected")
    items = request.config.stash[COLLECTED]
    rows = {row for item, found in items for row in found if not item.get_closest_marker("skip")}

    assert set(FAULTS) == rows


def test_every_pattern_of_cases_fits_one(request: pytest.FixtureRequest) -> None:
    """A mark for some cases of a test has such cases."""
    if request.config.option.file_or_dir:
        pytest.skip("only a part of the suite was collected")
    marked: dict[tuple[str, int], bool] = {}
    for item, rows in request.config.stash[COLLECTED]:
        for mark in item.iter_markers("fault"):
            for row in mark.args:
                place = (item.nodeid.partition("[")[0], row)
                marked[place] = marked.get(place, False) or row in rows

    assert [] == [place for place, fits in marked.items() if not fits]


def test_the_matrix_counts_trials_and_failures() -> None:
    """A row is sound if a test of it passed and none failed."""
    matrix = Matrix({1, 2, 3, 4})
    for rows, outcome, trials in (
        ({1, 2}, "passed", 200),
        ({1}, "skipped", 1),
        ({2}, "failed", 1),
        ({3}, "skipped", 1),
    ):
        matrix.count(rows, outcome, trials, 0.5)

    assert [2, 3, 4] == matrix.unsound
    first, second = matrix.lines()[2:4]
    assert first.endswith(" | archives | 2 | 200 | 1 | 0 | 1 | 1.0 |")
    assert second.endswith(" | archives | 2 | 201 | 1 | 1 | 0 | 1.0 |")
