"""Pairs and layouts of SPair-71k that contradict each other are refused, set aside or listed."""

from __future__ import annotations

import json

import pytest

from rawshelf.errors import AnnotationError
from rawshelf.miniature import Members
from rawshelf.report import Quarantined
from tests.conftest import Convert
from tests.spair71k_files import FILES


def renumbered(release: dict[str, bytes]) -> Members:
    """Return the release with the numbers of its last pair one higher."""
    place = max(name for name in release if name.startswith("PairAnnotation/"))
    pair = json.loads(release[place])
    old = pair["filename"]
    pair["pair_id"] += 1
    pair["filename"] = f"{pair['pair_id']:06d}{old[6:]}"
    for name, content in release.items():
        if name == place:
            yield name.replace(old, pair["filename"]), json.dumps(pair).encode()
        else:
            yield name, content.replace(f"{old}\n".encode(), f"{pair['filename']}\n".encode())


def test_pair_ids_follow_the_count_of_the_release(converted: Convert) -> None:
    """A pair that is not numbered as the release counts is listed."""
    result = converted(renumbered(FILES))

    (found,) = result.report.differences
    assert ("pair_id", 1) == (found.field, int(found.found) - int(found.expected))


def without_last_pair(release: dict[str, bytes]) -> Members:
    """Return the release without its last pair, in the layouts too."""
    place = max(name for name in release if name.startswith("PairAnnotation/"))
    line = f"{json.loads(release[place])['filename']}\n".encode()
    for name, content in release.items():
        if name != place:
            yield name, content.replace(line, b"")


@pytest.mark.fault(12)
def test_absent_pair_is_listed(converted: Convert) -> None:
    """A pair that two images give and the release lacks is listed."""
    result = converted(without_last_pair(FILES))

    (found,) = result.report.differences
    assert ("absent", "present") == (found.found, found.expected)


def test_pair_beside_the_layout_is_set_aside(converted: Convert) -> None:
    """A pair that no layout lists is set aside, under the name of its file."""
    place = max(name for name in FILES if name.startswith("PairAnnotation/"))
    line = f"{json.loads(FILES[place])['filename']}\n".encode()
    stream = [
        (name, content.replace(line, b"") if name.startswith("Layout/") else content)
        for name, content in FILES.items()
    ]

    result = converted(stream)

    split = place.split("/")[1]
    reason = f"not listed in Layout/large/{split}.txt"
    assert [Quarantined(place, reason)] == result.report.quarantine


def test_line_of_the_small_layout_alone_is_listed(converted: Convert) -> None:
    """The small layout is a part of the large one."""
    stream = {**FILES, "Layout/small/val.txt": b"000001-a-b:cat\n"}

    result = converted(stream.items())

    (found,) = result.report.differences
    assert ("Layout/small/val.txt", "000001-a-b:cat") == (found.member, found.found)


@pytest.mark.parametrize(
    ("content", "found"), [(b"a-b:cat\n" * 2, "a-b:cat more than once"), (b"\xff\n", "ascii")]
)
def test_bad_layout_is_refused(content: bytes, found: str, converted: Convert) -> None:
    """A layout that repeats a line or is no text is refused."""
    with pytest.raises(AnnotationError, match=found) as caught:
        converted({**FILES, "Layout/large/trn.txt": content}.items())

    assert "Layout/large/trn.txt" == caught.value.member


@pytest.mark.fault(20)
def test_image_in_two_splits_is_refused(converted: Convert) -> None:
    """An image is of one split: pairs of two splits that name it are refused."""
    pair = max(name for name in FILES if name.startswith("PairAnnotation/trn/"))
    moved = {
        name.replace("/trn/", "/val/") if name == pair else name: content
        for name, content in FILES.items()
        if not name.startswith("Layout/")
    }

    with pytest.raises(AnnotationError, match="used by two splits"):
        converted(moved.items(), allow_missing=100)


@pytest.mark.fault(20)
def test_repeated_pair_id_is_refused(converted: Convert) -> None:
    """Within a split, no two pairs have one id."""
    first, second = [name for name in FILES if name.startswith("PairAnnotation/trn/")][:2]
    twin = json.loads(FILES[second])
    twin["pair_id"] = json.loads(FILES[first])["pair_id"]
    twin["filename"] = f"{twin['pair_id']:06d}{twin['filename'][6:]}"
    stream = {name: content for name, content in FILES.items() if name != second}
    stream[f"PairAnnotation/trn/{twin['filename']}.json"] = json.dumps(twin).encode()
    kept = [item for item in stream.items() if not item[0].startswith("Layout/")]

    with pytest.raises(AnnotationError) as caught:
        converted(kept, allow_missing=100)

    assert "pair_id" == caught.value.field
