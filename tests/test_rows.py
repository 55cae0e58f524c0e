import datetime as dt
import math
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawshelf.rows import Rows, row_reader
from tests.conftest import Conversion

LIST, TEXTS = datasets.Sequence, ["", "a", "\u00e9\u4e2d\U0001f600", None, "b"]
STRUCT = pa.struct([("x", pa.int16()), ("y", pa.list_(pa.float32()))])
POINTS = [{"x": 1, "y": [0.5, None]}, None, {"x": None, "y": None}, {"x": -4, "y": []}, None]
COLUMNS = {
    "uint8": pa.array([0, 255, None, 3, 4], pa.uint8()),
    "int64": pa.array([-(2**63), 2**63 - 1, 0, None, 5]),
    "uint64": pa.array([0, 2**64 - 1, 2, 3, 4], pa.uint64()),
    "float32": pa.array([0.1, -0.0, math.inf, None, 4], pa.float32()),
    "float64": pa.array([0.1, 1e300, -math.inf, 3.0, None]),
    "half": pa.array(np.array([0.5, 1, 2, 3, 4], np.float16)),
    "bool": pa.array([True, False, None, True, False]),
    "text": pa.array(TEXTS),
    "large_text": pa.array(TEXTS, pa.large_string()),
    "bytes": pa.array([b"", b"\x00\xff", None, b"a", b"b"]),
    "large_bytes": pa.array([b"", b"\x00\xff", None, b"a", b"b"], pa.large_binary()),
    "list": pa.array([[1, 2], [], None, [None, 3], [4]]),
    "large_list": pa.array([["a"], [], None, [None, "b"], ["c"]], pa.large_list(pa.string())),
    "nested": pa.array([[[1], []], [], None, [None], [[2, 3]]]),
    "fixed": pa.array([[1, 2], None, [3, 4], [5, None], [6, 7]], pa.list_(pa.int32(), 2)),
    "empty": pa.array([[], None, [], [], []], pa.list_(pa.int32(), 0)),
    "boxes": pa.array([[[1, 2]], [], None, [[3, 4], [5, 6]], []], pa.list_(pa.list_(pa.int8(), 2))),
    "struct": pa.array(POINTS, STRUCT),
    "structs": pa.array([[POINTS[0]], [], None, POINTS, []], pa.list_(STRUCT)),
    "nothing": pa.nulls(5),
    "no_text": pa.nulls(5, pa.string()),
    "no_list": pa.array([[]] * 5, pa.list_(pa.string())),
    "time": pa.array([dt.datetime(2007, 1, 2, tzinfo=dt.UTC), None] * 2 + [None]),
    "dictionary": pa.array(["a", "b", None, "a", "b"]).dictionary_encode(),
}


def same(one: Any, other: Any) -> bool:
    """Tell whether values and the types of all values within are equal."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("name", COLUMNS)
def test_values_are_those_of_arrow(name: str) -> None:
    """Whole, in slices that begin within the buffers, and in several batches, in type too."""
    whole = pa.table({"a": COLUMNS[name]})
    parts = [whole, whole.slice(1, 3), whole.slice(4), whole.slice(0, 0)]
    for table in (*parts, pa.concat_tables(parts)):
        rows = Rows(table)
        for place, expected in enumerate(table.to_pylist()):
            assert same(expected, rows[place])


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.lists(
                st.fixed_dictionaries(
                    {"x": st.none() | st.integers(-9, 9), "y": st.none() | st.text(max_size=3)}
                ),
                max_size=3,
            ),
        ),
        max_size=6,
    ),
    st.integers(0, 6),
)
def test_any_nesting_of_nulls_reads_alike(values: list[Any], start: int) -> None:
    """Structs in lists, where each level may be null, from any place on."""
    kind = pa.list_(pa.struct([("x", pa.int8()), ("y", pa.string())]))
    table = pa.table({"a": pa.array(values, kind)}).slice(start)
    rows = Rows(table)

    assert table.to_pylist() == [rows[place] for place in range(len(table))]


FEATURES = datasets.Features(
    {
        "label": datasets.ClassLabel(names=["a", "b"]),
        "points": {"x": LIST(datasets.Value("float32")), "id": LIST(datasets.Value("int64"))},
        "box": LIST(datasets.Value("int16"), length=2),
        "parts": [{"name": datasets.Value("string"), "ok": datasets.Value("bool")}],
        "raw": datasets.Value("binary"),
    }
)
COUNT = 25


def known() -> datasets.Dataset:
    rows = [
        {
            "label": i % 2,
            "points": {"x": [i + 0.5] * (i % 3), "id": [*range(i % 3)]},
            "box": [i, -i],
            "parts": [{"name": f"p{i}", "ok": i % 2 == 0}] * (i % 4),
            "raw": bytes([i, 255]),
        }
        for i in range(COUNT)
    ]
    return datasets.Dataset.from_list(rows, features=FEATURES)


CHANGES = {
    "all": lambda rows: rows,
    "shuffle": lambda rows: rows.shuffle(seed=3),
    "select": lambda rows: rows.select([9, 2, 2, 24]),
    "part": lambda rows: rows.select(range(4, 9)),
    "filter": lambda rows: rows.filter(lambda row: row["label"] == 1),
    "filter of a shuffle": lambda rows: rows.shuffle(seed=1).filter(lambda row: row["label"] == 1),
    "concatenate": lambda rows: datasets.concatenate_datasets([rows, rows.select([3])]),
    "fewer columns": lambda rows: rows.select_columns(["box", "label"]),
    "renamed": lambda rows: rows.rename_column("box", "rectangle"),
    "python": lambda rows: rows.with_format("python"),
}
# The values of these are made by `datasets`.
OTHERS = {
    "numpy": lambda rows: rows.with_format("numpy", columns=["box"]),
    "columns": lambda rows: rows.with_format(None, columns=["box"]),
    "all columns": lambda rows: rows.with_format(
        "numpy", columns=["label"], output_all_columns=True
    ),
    "transform": lambda rows: rows.with_transform(lambda batch: {"n": [len(batch["box"])]}),
    "array": lambda rows: rows.add_column("a", [[[1, 2]]] * COUNT).cast_column(
        "a", datasets.Array2D(shape=(1, 2), dtype="int32")
    ),
}


def plain(value: Any) -> Any:
    """Make numpy's values comparable."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return (str(value.dtype), value.tolist()) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name", [*CHANGES, *OTHERS])
def test_rows_are_those_of_the_dataset(name: str, tmp_path: Path) -> None:
    """Mapped from a file, rearranged, and with formats; in type too."""
    known().save_to_disk(tmp_path)
    rows = (CHANGES | OTHERS)[name](datasets.load_from_disk(str(tmp_path)))
    row_of = row_reader(rows)

    assert len(rows) > 0
    for place in range(len(rows)):
        assert same(plain(dict(rows[place])), plain(row_of(place)))


@pytest.mark.parametrize("name", CHANGES)
def test_known_features_are_read_from_the_table(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the formatter of `datasets`."""
    rows = CHANGES[name](known())
    expected = [dict(row) for row in rows]
    row_of = row_reader(rows)
    monkeypatch.setattr(datasets.Dataset, "_getitem", None)

    assert expected == [row_of(place) for place in range(len(expected))]


def test_images_are_decoded_by_datasets(conversion: Conversion) -> None:
    """A feature that is not read as it is stored leaves all to `datasets`."""
    images = datasets.load_dataset(str(conversion.out), "images", split="test")

    assert images[0]["image"] == row_reader(images)(0)["image"]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_pairs_are_those_of_datasets(split: str, conversion: Conversion) -> None:
    """All columns of a conversion."""
    pairs = datasets.load_dataset(str(conversion.out), "pairs", split=split)
    row_of = row_reader(pairs)

    assert all(same(dict(pairs[place]), row_of(place)) for place in range(len(pairs)))
