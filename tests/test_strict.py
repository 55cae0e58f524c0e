"""Strict JSON, and what becomes of numbers and nesting in a COCO file."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawshelf.errors import AnnotationError
from rawshelf.partimagenet.coco import Coco, read_coco
from rawshelf.partimagenet.strict import strict_loads

IMAGE = {"id": 7, "file_name": "n02422699_3673.JPEG", "width": 9, "height": 9}
SHAPE: dict[str, Any] = {
    "id": 1,
    "image_id": 7,
    "category_id": 0,
    "iscrowd": 0,
    "area": 4.0,
    "bbox": [1.0, 1.0, 4.0, 4.0],
    "segmentation": [[1.0, 1.0, 5.0, 1.0, 5.0, 5.0]],
}


def coco_text(shape: dict[str, Any], **more: Any) -> bytes:
    document = {"images": [IMAGE], "annotations": [shape], "categories": [], **more}
    return json.dumps(document).encode()


def read(text: bytes) -> Coco:
    return read_coco(memoryview(text), "train.json", "the archive")


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", "Expecting value"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'"\xff"', "utf-8"),
        (b'"\xed\xa0\x80"', "utf-8"),
        ("{}".encode("utf-16"), "utf-8"),
        (b"NaN", "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b"1e999", "1e999"),
        (b"-1e999", "-1e999"),
        (b"9" * 5_000, "digits"),
        (b'{"a": 1, "b": 2, "a": 1}', "'a' twice"),
        (b'{"x": {"\\u0061": 1, "a": 1}}', "'a' twice"),
        (b"{} {}", "Extra data"),
        (b"[1,]", "Expecting value"),
        (b"'a'", "Expecting value"),
        (b'"\n"', "control character"),
        (nested(65), "64 levels"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "64 levels"),
        (nested(100_000), "64 levels"),
        (b"[" * 100_000, "64 levels"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value,
)
def test_what_python_lets_through_is_refused(text: bytes, found: str) -> None:
    """One standard document, in UTF-8, or a ValueError that says what is wrong."""
    with pytest.raises(ValueError, match=found):
        strict_loads(text)


@pytest.mark.parametrize("text", [b"1", b'"\\ud800"', b" [] ", b"-0.0", b"1e308", nested(64)])
def test_what_the_standard_allows_is_read(text: bytes) -> None:
    """An escaped lone surrogate is JSON, if no text; 64 levels are not too deep."""
    assert json.loads(text) == strict_loads(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.booleans())
def test_values_are_read_as_they_are(value: Any, ascii_only: bool) -> None:
    """Whatever JSON can hold is read; infinity, which it cannot hold, is not."""
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    if _has_infinity(value):
        with pytest.raises(ValueError, match="Infinity"):
            strict_loads(text)
    else:
        assert value == strict_loads(text)


def _has_infinity(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_infinity, value.values()))
    if isinstance(value, list):
        return any(map(_has_infinity, value))
    return isinstance(value, float) and math.isinf(value)


NOTE = {"note": "leads to the slow way"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("area", 2**53 + 1),
        ("area", 2**70),
        ("area", -(10**400)),
        ("bbox", [2**63, 1, 4, 4]),
        ("segmentation", [[2**64, 1, 5, 1, 5, 5]]),
        ("iscrowd", 10**30),
    ],
)
def test_numbers_that_fit_no_column_are_kept(field: str, value: Any) -> None:
    """An integer that a float would change, or that is too large for one, stays in `raw`."""
    (row,) = read(coco_text(SHAPE | NOTE | {field: value})).annotations.to_pylist()

    assert {**NOTE, field: value} == json.loads(row["raw"])
    assert row[field] == ([] if field == "segmentation" else None)


@pytest.mark.parametrize("place", ["annotation", "polygon", "further key"])
@pytest.mark.parametrize("depth", [70, 960, 983, 100_000])
def test_deep_nesting_is_refused(place: str, depth: int) -> None:
    """However deep, wherever: an error that names the file, not one of the parser's own stack."""
    text = {
        "annotation": coco_text(SHAPE | {"note": "X"}),
        "polygon": coco_text(SHAPE | {"segmentation": "X"}),
        "further key": coco_text(SHAPE, info="X"),
    }[place]
    with pytest.raises(AnnotationError, match="64 levels") as caught:
        read(text.replace(b'"X"', nested(depth)))

    assert ("the archive", "train.json") == (caught.value.archive, caught.value.member)
    assert caught.value.expected
    assert caught.value.remedy
