"""Streaming conversions from a folder, by rawshelf's reader and by `datasets`.

What `datasets` streams is read to its end here: a process that has read a part of it may abort or
hang later (see tests/test_streaming_exit.py).
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import datasets
import fsspec
import pyarrow.parquet as pq
import pytest
from datasets.distributed import split_dataset_by_node

import rawshelf
from rawshelf import catalog
from rawshelf.errors import RawshelfError, SourceError, UsageError
from rawshelf.groups import GroupReader, Piece, pieces
from rawshelf.records import ShardRecord

Rows = list[dict[str, Any]]

CONFIGS = [(name, config.name) for name in catalog.names() for config in catalog.find(name).configs]
# Of each dataset, one split and a column whose values all differ.
SPLIT = {"spair71k": "test", "imagenet_sketch": "test", "partimagenet": "train"}
KEYED = {
    ("spair71k", "images"): "name",
    ("imagenet_sketch", "default"): "file_name",
    ("partimagenet", "seg"): "file_name",
}


def by_datasets(out: Path, config: str, split: str, columns: Sequence[str] | None = None) -> Any:
    options = {} if columns is None else {"columns": list(columns)}
    return datasets.load_dataset(str(out), config, split=split, streaming=True, **options)


def by_rawshelf(out: Path, config: str, split: str, columns: Sequence[str] | None = None) -> Any:
    return rawshelf.stream(str(out), config, split=split, columns=columns)


STREAMS = pytest.mark.parametrize("stream", [by_rawshelf, by_datasets])
KEYS = pytest.mark.parametrize(("place", "key"), KEYED.items(), ids=str)


def plain(dataset: Any) -> Rows:
    """Return all rows, images as bytes."""
    for name, feature in list(dataset.features.items()):
        if isinstance(feature, datasets.Image):
            dataset = dataset.cast_column(name, datasets.Image(decode=False))
    return list(dataset)


def keyed(
    stream: Callable[..., Any], sharded: dict[str, Path], place: tuple[str, str], key: str
) -> tuple[Any, list[Any]]:
    """Return a stream of one column, and all its values in order."""
    out, split = sharded[place[0]], SPLIT[place[0]]
    files = sorted((out / "data" / place[1]).glob(f"{split}-*"))
    values = [v for file in files for v in pq.read_table(file, columns=[key])[key].to_pylist()]
    return stream(out, place[1], split, [key]), values


@pytest.mark.parametrize(("name", "config"), CONFIGS)
def test_streams_give_the_rows_of_the_conversion(
    name: str, config: str, sharded: dict[str, Path]
) -> None:
    """Every config and split: types, order and content of the map-style dataset."""
    out = sharded[name]
    if not (out / "data" / config).exists():
        pytest.skip("the miniature is of the other of the two releases")
    for split, mapped in datasets.load_dataset(str(out), config).items():
        expected = plain(mapped)
        for stream in (by_rawshelf, by_datasets):
            streamed = stream(out, config, split)
            assert mapped.features == streamed.features
            assert expected == plain(streamed)


def test_all_splits_come_as_a_dict(sharded: dict[str, Path]) -> None:
    """The first config is the default, as it is in the card."""
    streams = rawshelf.stream(str(sharded["spair71k"]))

    assert ["train", "validation", "test"] == list(streams)
    assert "src_index" in streams["test"].features


@STREAMS
def test_only_the_wanted_columns_come(stream: Callable[..., Any], sharded: dict[str, Path]) -> None:
    """In the order of the conversion, with their types."""
    rows = stream(sharded["spair71k"], "images", "test", ["keypoints", "category"])

    assert ["category", "keypoints"] == list(rows.features)
    assert 18 == rows.features["category"].num_classes
    assert {"category", "keypoints"} == set(next(iter(rows)))


def test_images_are_decoded_when_a_row_is_taken(sharded: dict[str, Path]) -> None:
    """As `datasets` does it, for people and for frameworks."""
    rows = rawshelf.stream(str(sharded["spair71k"]), "images", split="test")

    row = next(iter(rows))
    array = next(iter(rows.with_format("numpy")))["image"]
    assert (row["width"], row["height"]) == row["image"].size
    assert (row["height"], row["width"], 3) == array.shape
    assert 3 == len(list(rows.map(lambda row: {"wide": row["width"] > 1}).skip(1).take(3)))


@KEYS
@STREAMS
@pytest.mark.parametrize("world", [2, 4, 8])
def test_readers_get_even_rows(
    world: int,
    stream: Callable[..., Any],
    place: tuple[str, str],
    key: str,
    sharded: dict[str, Path],
) -> None:
    """Each row comes to one reader, and readers differ by one row at most."""
    rows, expected = keyed(stream, sharded, place, key)

    parts = [
        [row[key] for row in split_dataset_by_node(rows, rank=rank, world_size=world)]
        for rank in range(world)
    ]

    assert sorted(expected) == sorted(value for part in parts for value in part)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@KEYS
def test_a_shuffle_gives_every_row_once(
    place: tuple[str, str], key: str, sharded: dict[str, Path]
) -> None:
    """In another order, and in the same again for the same seed."""
    rows, expected = keyed(by_rawshelf, sharded, place, key)
    first, again = ([row[key] for row in rows.shuffle(seed=3, buffer_size=4)] for _ in range(2))

    assert expected != first
    assert sorted(expected) == sorted(first)
    assert first == again


@KEYS
def test_a_stream_goes_on_where_it_was(
    place: tuple[str, str], key: str, sharded: dict[str, Path]
) -> None:
    """Twice in a row, whatever is left to read."""
    rows, expected = keyed(by_rawshelf, sharded, place, key)
    taken: list[Any] = []
    for count in (3, len(expected) // 2, len(expected)):
        for row in rows:
            taken.append(row[key])
            if len(taken) >= count:
                break
        state = rows.state_dict()
        rows, _ = keyed(by_rawshelf, sharded, place, key)
        rows.load_state_dict(state)

    assert expected == taken


def test_to_go_on_reads_no_earlier_row_group(
    sharded: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state in the last row group costs a few row groups, not the rows before.

    `datasets` keeps the state from before the two tables last taken. Those of a large row group
    have 2 MB each, here each row group is one.
    """
    open_stream = partial(keyed, by_rawshelf, sharded, ("spair71k", "images"), "name")
    rows, expected = open_stream()
    for count, _ in enumerate(rows, start=1):
        if count == len(expected) - 1:
            break
    state = rows.state_dict()
    read: list[Piece] = []

    def note(method: str) -> None:
        before = getattr(GroupReader, method)

        def noted(reader: GroupReader, piece: Piece) -> Iterator[Any]:
            read.append(piece)
            return cast("Iterator[Any]", before(reader, piece))

        monkeypatch.setattr(GroupReader, method, noted)

    note("rows")
    note("tables")

    rest, _ = open_stream()
    rest.load_state_dict(state)

    assert expected[-1:] == [row["name"] for row in rest]
    assert rest.num_shards == 32
    assert 1 <= len(read) <= 4


def record(*groups: int) -> ShardRecord:
    return ShardRecord("data/c/s-00000-of-00001.parquet", "c", "s", sum(groups), 9, "", groups)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([(5, 5), (5, 4)], [(0,), (1,), (0,), (1,)]),
        ([(5, 5), (10,)], [(0, 1), (0,)]),  # not equally many: readers would get uneven rows
        ([(9, 1), (5, 5)], [(0, 1), (0, 1)]),
    ],
)
def test_row_groups_are_shards_only_where_they_are_even(
    files: list[tuple[int, ...]], expected: list[tuple[int, ...]]
) -> None:
    """Whole files always are."""
    found = pieces([record(*groups) for groups in files])

    assert expected == [piece.groups for piece in found]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_gets_every_row_once(workers: int, sharded: dict[str, Path]) -> None:
    """In this process and in two others."""
    data = pytest.importorskip("torch.utils.data", reason="torch is not installed")
    rows, expected = keyed(by_rawshelf, sharded, ("spair71k", "images"), "name")

    loader = data.DataLoader(rows.with_format("torch"), batch_size=5, num_workers=workers)

    assert sorted(expected) == sorted(name for batch in loader for name in batch["name"])


def test_a_stream_can_be_pickled(sharded: dict[str, Path]) -> None:
    """Also after it was read from: what is open stays behind."""
    rows, expected = keyed(by_rawshelf, sharded, ("spair71k", "images"), "name")
    next(iter(rows))

    copy = pickle.loads(pickle.dumps(rows))  # noqa: S301 - ours

    assert expected == [row["name"] for row in copy]


def test_a_url_is_streamed_like_a_folder(sharded: dict[str, Path]) -> None:
    """Through fsspec: here the file system in memory, and this machine's."""
    out = sharded["partimagenet"]
    memory = fsspec.filesystem("memory")
    memory.put(str(out), "/streamed", recursive=True)
    expected = plain(by_rawshelf(out, "seg", "train"))

    for url in ("memory://streamed", f"file://{out}"):
        assert expected == plain(rawshelf.stream(url, "seg", split="train"))
    memory.rm("/streamed", recursive=True)


@pytest.mark.parametrize(
    ("options", "what", "named"),
    [
        ({"config": "pair"}, "no config", "pairs, images, pairs_flat"),
        ({"config": "images", "split": "val"}, "no split", "train, validation, test"),
        ({"config": "images", "columns": ["imag"]}, "no column", "image, segmentation"),
        ({"config": "images", "columns": []}, "No column", "image, segmentation"),
        ({"revision": "v1"}, "no such revision", "v1"),
        ({"source": "nobody knows"}, "no such folder", "user/name"),
        ({"source": "gopher://x/y"}, "cannot be read", "gopher"),
        ({"source": "memory://empty"}, "not a conversion", "manifest.json"),
    ],
)
def test_errors_name_what_there_is(
    options: dict[str, Any], what: str, named: str, sharded: dict[str, Path]
) -> None:
    """Nothing that a user can get wrong ends in a traceback of another library."""
    arguments = {"source": str(sharded["spair71k"]), **options}

    with pytest.raises(RawshelfError, match=what) as caught:
        rawshelf.stream(**arguments)

    assert named in str(caught.value)


@pytest.mark.fault(39)
def test_a_damaged_manifest_is_no_conversion(tmp_path: Path) -> None:
    """Nor is one of another format."""
    for text in ("{", '{"format": 99}', '{"format": 1, "dataset": "x", "files": [{}]}'):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(UsageError, match="not a conversion"):
            rawshelf.stream(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"PAR1", None], ids=["empty", "cut", "overwritten"])
@pytest.mark.parametrize("protocol", ["", "memory:/"])
@pytest.mark.fault(37)
def test_a_damaged_shard_is_named(
    protocol: str, content: bytes | None, sharded: dict[str, Path], tmp_path: Path
) -> None:
    """Whether it is noticed at the first row or later."""
    place = f"{protocol}{tmp_path}/out"
    filesystem, root = fsspec.url_to_fs(place)
    filesystem.put(str(sharded["spair71k"]), root, recursive=True)
    shard = sorted(filesystem.glob(f"{root}/data/images/test-*"))[1]
    wrong = bytes(filesystem.size(shard)) if content is None else content
    filesystem.pipe_file(shard, wrong)

    with pytest.raises(SourceError, match=Path(shard).name):
        list(rawshelf.stream(place, "images", split="test", columns=["name"]))
    filesystem.rm(root, recursive=True)
