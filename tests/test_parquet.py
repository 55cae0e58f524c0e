import os
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rawshelf import catalog, cutting, plan, shards
from rawshelf.features import IMAGE_TYPE, schema
from rawshelf.files import file_sha256
from rawshelf.miniature import pack_tar
from rawshelf.parquet import leaves, write_shard
from rawshelf.plan import ShardTask
from rawshelf.plan import plan as make_plan
from rawshelf.records import ShardRecord
from rawshelf.release import Job
from rawshelf.shards import _equal_to
from rawshelf.sources import Source
from rawshelf.spair71k import miniature


def planned(raw: Path, folder: Path, config: str) -> list[ShardTask]:
    folder.mkdir(exist_ok=True)
    return make_plan(Job(Source(str(raw)), (config,), str(folder)), catalog.find("spair71k"))


def test_leaves_are_named_as_the_writer_names_them(tmp_path: Path) -> None:
    """Compression and dictionaries are chosen by these names; a wrong one is ignored."""
    for config in catalog.find("spair71k").configs:
        plain = schema(config.columns)
        pq.write_table(plain.empty_table(), tmp_path / "empty.parquet")
        columns = pq.read_metadata(tmp_path / "empty.parquet").schema
        expected = [columns.column(index).path for index in range(len(columns))]

        assert expected == leaves(plain)


def test_a_record_tells_the_file(miniature_tar: Path, tmp_path: Path) -> None:
    """Rows, size and hash are those of the file that stands there."""
    (task, *_) = planned(miniature_tar, tmp_path / "plan", "images")

    record = write_shard(task, str(tmp_path / "out"))

    path = tmp_path / "out" / task.path
    assert (record.sha256, record.bytes) == file_sha256(str(path))
    assert record.rows == pq.read_metadata(path).num_rows == task.stop - task.start
    assert record == ShardRecord.from_json(record.to_json())


@pytest.mark.parametrize("config", ["pairs", "images", "pairs_flat"])
def test_a_shard_has_the_same_bytes_every_time(
    config: str, miniature_tar: Path, tmp_path: Path
) -> None:
    """Many writers at once, in a process whose memory is full of other things."""
    (task, *_) = planned(miniature_tar, tmp_path / "plan", config)
    roots = [str(tmp_path / str(number)) for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        hashes = {record.sha256 for record in pool.map(write_shard, [task] * 12, roots)}

    assert 1 == len(hashes)


def test_a_shard_that_cannot_be_written_leaves_nothing(
    miniature_tar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the middle removes the temporary file."""
    (task, *_) = planned(miniature_tar, tmp_path / "plan", "images")

    def failing(*_: object) -> Any:
        yield next(shards.read_groups(task))
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("rawshelf.parquet.read_groups", failing)
    with pytest.raises(OSError, match="Input/output error"):
        write_shard(task, str(tmp_path / "out"))

    assert [] == [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_row_groups_keep_within_the_limit(
    miniature_tar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups end by bytes; with a smaller limit there are more of them."""
    monkeypatch.setattr(cutting, "GROUP_MEAN", 60_000)
    monkeypatch.setattr(plan, "GROUP_TARGET", 60_000)
    for module in (cutting, plan):
        monkeypatch.setattr(module, "GROUP_LIMIT", 90_000)
    for config in ("images", "pairs_flat"):
        (task, *_) = planned(miniature_tar, tmp_path / config, config)
        write_shard(task, str(tmp_path / "out"))
        metadata = pq.read_metadata(tmp_path / "out" / task.path)
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        blobs = [
            sum(
                group.column(index).total_compressed_size
                for index in range(group.num_columns)
                if group.column(index).path_in_schema.endswith(".bytes")
            )
            for group in groups
        ]

        assert len(groups) > 3
        assert max(blobs) < 90_000 + 2_000


def test_groups_of_pairs_end_where_the_category_changes(
    miniature_tar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A category's images are then stored in few groups."""
    monkeypatch.setattr(plan, "GROUP_TARGET", 1)
    (task, *_) = planned(miniature_tar, tmp_path / "plan", "pairs_flat")
    groups = [group for group, _ in shards.read_groups(task)]

    assert 18 == len(groups)
    assert all(1 == len(set(group["category"].to_pylist())) for group in groups)


def test_equal_images_are_one_value() -> None:
    """Equal content counts, not equal size."""
    images = [b"abc", b"xyz", b"abc", b"longer", b"xyz"]

    firsts, same = _equal_to([memoryview(image) for image in images])

    assert [0, 1, 3] == firsts
    assert [0, 1, 0, 2, 1] == same.tolist()


def test_a_photograph_under_two_names_is_stored_once(tmp_path: Path) -> None:
    """A repeated value in a dictionary would put it, and stray memory, into the file twice."""
    members = dict(miniature.members(categories=("cat",)))
    sizes: dict[tuple[int, int], str] = {}
    repeated = 0
    for name in sorted(name for name in members if name.endswith(".jpg")):
        first = sizes.setdefault(PIL.Image.open(BytesIO(members[name])).size, name)
        repeated += first != name
        members[name] = members[first]
    raw = pack_tar(members.items(), tmp_path / "raw.tar.gz")

    assert repeated
    for task in planned(raw, tmp_path / "plan", "pairs_flat"):
        write_shard(task, str(tmp_path / "out"))
        group = pq.read_metadata(tmp_path / "out" / task.path).row_group(0)
        for index in range(4 * 2):
            assert "RLE_DICTIONARY" in group.column(index).encodings


def test_files_are_readable_as_the_umask_says(miniature_tar: Path, tmp_path: Path) -> None:
    """Published files get the usual permissions, not those of temporary files."""
    (task, *_) = planned(miniature_tar, tmp_path / "plan", "pairs")
    before = os.umask(0o022)
    try:
        write_shard(task, str(tmp_path / "out"))
    finally:
        os.umask(before)

    assert 0o644 == (tmp_path / "out" / task.path).stat().st_mode & 0o777


def test_null_images_stay_null() -> None:
    """A pair whose image was set aside has no image, in both kinds of columns."""
    struct = pa.StructArray.from_arrays(
        [
            pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int32()), pa.array([b"x"])),
            pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int32()), pa.array(["a.jpg"])),
        ],
        ["bytes", "path"],
        mask=pa.array([False, True]),
    )

    plain = shards._plain(pa.chunked_array([struct]), IMAGE_TYPE)

    assert [{"bytes": b"x", "path": "a.jpg"}, None] == plain.to_pylist()
