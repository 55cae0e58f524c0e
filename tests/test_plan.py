import pickle
from pathlib import Path

import pyarrow as pa
import pytest

from rawshelf import catalog
from rawshelf.errors import OutputError
from rawshelf.plan import ShardTask, load_table, plan
from rawshelf.release import Job
from rawshelf.shards import read_groups
from rawshelf.sources import Source


def tasks_of(raw: Path, folder: Path, *configs: str) -> list[ShardTask]:
    folder.mkdir()
    return plan(Job(Source(str(raw)), configs, str(folder)), catalog.find("spair71k"))


def test_tasks_are_small_and_can_be_pickled(miniature_tar: Path, tmp_path: Path) -> None:
    """A task carries paths and ranges, never bytes."""
    tasks = tasks_of(miniature_tar, tmp_path / "plan", "pairs", "images", "pairs_flat")

    assert 9 == len(tasks)
    assert all(task == pickle.loads(pickle.dumps(task)) for task in tasks)  # noqa: S301 - ours
    assert max(len(pickle.dumps(task)) for task in tasks) < 1_000


def test_photographs_are_kept_only_where_they_are_shown(
    miniature_tar: Path, tmp_path: Path
) -> None:
    """Pairs show no pixels: the photographs of a compressed tar are not written for them."""
    tasks_of(miniature_tar, tmp_path / "pairs", "pairs")
    tasks_of(miniature_tar, tmp_path / "both", "pairs", "images")

    assert not (tmp_path / "pairs" / "spool").exists()
    assert (tmp_path / "both" / "spool").stat().st_size


def test_planned_tables_hold_indices_in_place_of_images(
    miniature_tar: Path, tmp_path: Path
) -> None:
    """The planned table of images names rows of the list of blobs."""
    (task, *_) = tasks_of(miniature_tar, tmp_path / "plan", "images")

    table = load_table(task.table)
    blobs = load_table(task.blobs)

    assert pa.int32() == table.schema.field("image").type
    names = blobs["name"].take(table["image"].combine_chunks()).to_pylist()
    assert table["file_name"].to_pylist() == names


def test_a_task_stops_when_its_plan_is_withdrawn(miniature_tar: Path, tmp_path: Path) -> None:
    """Tasks of a conversion that was given up end at their next row group."""
    (task, *_) = tasks_of(miniature_tar, tmp_path / "plan", "images")
    Path(task.table).unlink()

    with pytest.raises(OutputError, match="removed while it was in use"):
        list(read_groups(task))
