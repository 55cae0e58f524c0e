"""The local Hub under the unmodified `datasets` and `huggingface_hub`."""

import json
import random
from collections.abc import Iterator
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.hub import Commit, Hub, Request
from tests.hub.client import run

# Pushes four times. Each call of whoami ends a step in the log of the hub.
PUSH = """
import datasets, huggingface_hub
import numpy as np
from PIL import Image

features = datasets.Features({
    "image": datasets.Image(),
    "label": datasets.ClassLabel(names=["cat", "dog"]),
    "keypoints": {
        "id": datasets.Sequence(datasets.ClassLabel(names=["eye", "tail"])),
        "x": datasets.Sequence(datasets.Value("float32")),
    },
})

def rows(count, shade):
    images = [Image.fromarray(np.full((6, 4, 3), shade + row, "uint8")) for row in range(count)]
    points = [{"id": [0, 1], "x": [0.5, row]} for row in range(count)]
    table = {"image": images, "label": [row % 2 for row in range(count)], "keypoints": points}
    return datasets.Dataset.from_dict(table, features=features)

def push(shade, shards):
    splits = datasets.DatasetDict(train=rows(6, shade), test=rows(2, 100))
    splits.push_to_hub("me/animals", num_shards={"train": shards, "test": 1})
    huggingface_hub.whoami()

push(0, 3)
push(0, 3)
push(50, 3)
push(50, 2)
"""

# Does everything that a reader does, and prints what came of it.
READ = """
import json
import datasets, huggingface_hub, numpy as np

def kind(call):
    try:
        call()
    except Exception as error:
        return [type(error).__name__, str(error).splitlines()[0]]

# First, for `datasets` 3 is content with what it has loaded before.
errors = {
    "repository": kind(lambda: datasets.load_dataset("me/missing")),
    "config": kind(lambda: datasets.load_dataset("me/animals", "missing")),
    "revision": kind(lambda: datasets.load_dataset("me/animals", revision="missing")),
}
mapped = datasets.load_dataset("me/animals")
streamed = datasets.load_dataset("me/animals", split="train", streaming=True)
rows = [(np.asarray(row["image"]).tolist(), row["label"], row["keypoints"]) for row in streamed]
other = [
    (np.asarray(row["image"]).tolist(), row["label"], row["keypoints"]) for row in mapped["train"]
]
folder = huggingface_hub.snapshot_download("me/animals", repo_type="dataset")
files = huggingface_hub.HfFileSystem()
path = "datasets/me/animals/data/test-00000-of-00001.parquet"
with files.open(path, block_size=16) as file:
    file.seek(100)
    part = file.read(8)
with open(f"{folder}/data/test-00000-of-00001.parquet", "rb") as file:
    whole = file.read()
print(json.dumps({
    "rows": {split: len(mapped[split]) for split in mapped},
    "names": mapped["train"].features["label"].names,
    "same": rows == other,
    "shade": rows[5][0][0][0][0],
    "keypoints": rows[5][2],
    "card": huggingface_hub.DatasetCard.load("me/animals").data.to_dict()["configs"],
    "found": sorted(files.find("datasets/me/animals")),
    "ranged": part == whole[100:108],
    "errors": errors,
}))
"""

XET = """
import sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("me/xet", repo_type="dataset")
api.upload_file(
    path_or_fileobj=sys.argv[1], path_in_repo="a.parquet", repo_id="me/xet", repo_type="dataset"
)
"""

SHARDS = "data/train-0000{}-of-0000{}.parquet"


class Pushed(NamedTuple):
    """A repository that was pushed to four times."""

    hub: Hub
    steps: list[list[Request]]
    commits: list[Commit]


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    with Hub() as hub:
        token = hub.user("me")
        done = run(hub, PUSH, tmp_path_factory.mktemp("home"), token=token)
        assert done.returncode == 0, done.stderr
        groups = groupby(hub.requests, lambda request: request.kind == "whoami")
        steps = [list(requests) for ends, requests in groups if not ends]
        yield Pushed(hub, steps, hub.commits("me/animals"))


@pytest.fixture(scope="module")
def read(pushed: Pushed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    pushed.hub.reset_requests()
    # Without torch, which `datasets` 5 imports for every stream.
    done = run(pushed.hub, READ, tmp_path_factory.mktemp("home"), USE_TORCH="0")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def count(requests: list[Request], kind: str) -> int:
    return sum(request.kind == kind and request.status == 200 for request in requests)


def test_a_push_uploads_each_shard_and_makes_one_commit(pushed: Pushed) -> None:
    first = pushed.steps[0]
    assert (count(first, "create"), count(first, "lfs-put"), count(first, "commit")) == (1, 4, 1)
    assert pushed.commits[1].title == "Upload dataset"
    assert {SHARDS.format(shard, 3) for shard in range(3)} < set(pushed.commits[1].tree)
    assert "README.md" in pushed.commits[1].tree


def test_the_same_push_again_uploads_nothing(pushed: Pushed) -> None:
    second = pushed.steps[1]
    assert (count(second, "lfs-put"), count(second, "commit")) == (0, 0)
    assert count(second, "preupload") > 0


def test_a_push_of_other_rows_uploads_what_differs(pushed: Pushed) -> None:
    third = pushed.steps[2]
    assert (count(third, "lfs-put"), count(third, "commit")) == (3, 1)
    assert {SHARDS.format(shard, 3) for shard in range(3)} <= set(pushed.commits[2].paths)
    assert "data/test-00000-of-00001.parquet" not in pushed.commits[2].paths


def test_a_push_of_fewer_shards_deletes_the_old_ones(pushed: Pushed) -> None:
    left = {path for path in pushed.hub.files("me/animals") if "train" in path}
    assert left == {SHARDS.format(shard, 2) for shard in range(2)}
    assert [commit.parent for commit in pushed.commits[1:]] == [
        commit.id for commit in pushed.commits[:-1]
    ]


def test_the_pushes_keep_the_invariant(pushed: Pushed) -> None:
    assert pushed.hub.violations == []


def test_load_dataset_maps_and_streams_what_was_pushed(read: dict[str, Any]) -> None:
    assert read["rows"] == {"train": 6, "test": 2}
    assert read["names"] == ["cat", "dog"]
    assert read["same"]
    assert read["shade"] == 55
    assert read["keypoints"] == {"id": [0, 1], "x": [0.5, 5.0]}


def test_the_card_loads(read: dict[str, Any]) -> None:
    assert [split["split"] for split in read["card"][0]["data_files"]] == ["train", "test"]


def test_the_file_system_lists_and_reads_ranges(pushed: Pushed, read: dict[str, Any]) -> None:
    expected = [f"datasets/me/animals/{path}" for path in sorted(pushed.hub.files("me/animals"))]
    assert read["found"] == expected
    assert read["ranged"]
    partial = [request for request in pushed.hub.requests if request.status == 206]
    assert any(request.range == "bytes=100-123" and request.sent == 24 for request in partial)


@pytest.mark.parametrize(
    ("missing", "error", "message"),
    [
        ("repository", "DatasetNotFoundError", "doesn't exist on the Hub"),
        ("config", "ValueError", "BuilderConfig 'missing' not found"),
        ("revision", "DatasetNotFoundError", "Revision 'missing' doesn't exist"),
    ],
)
def test_what_is_missing_is_named(
    read: dict[str, Any], missing: str, error: str, message: str
) -> None:
    kind, text = read["errors"][missing]
    assert kind == error
    assert message in text


def test_a_client_process_reaches_nothing_else(pushed: Pushed, tmp_path: Path) -> None:
    script = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    assert "must not use the network" in run(pushed.hub, script, tmp_path).stderr


def test_the_xet_client_uploads(tmp_path: Path) -> None:
    if "hf-xet" not in {
        item.metadata["Name"].replace("_", "-") for item in metadata.distributions()
    }:
        pytest.skip("hf_xet is not installed")
    if int(metadata.version("hf-xet").split(".")[1]) < 8:
        pytest.skip("local:// storage is known from hf_xet 1.8 on")
    storage, source = tmp_path / "storage", tmp_path / "a.parquet"
    storage.mkdir()
    source.write_bytes(random.Random(0).randbytes(300_000))
    with Hub(xet=storage) as hub:
        token = hub.user("me")
        done = run(hub, XET, tmp_path, str(source), token=token, HF_HUB_DISABLE_XET="0")
        assert done.returncode == 0, done.stderr
        assert count(hub.requests, "xet-token") == 1
        assert count(hub.requests, "lfs-put") == 0
        entry = hub.commits("me/xet")[-1].tree["a.parquet"]
        assert (entry.size, entry.lfs) == (300_000, True)
        with pytest.raises(LookupError, match=r"a\.parquet"):
            hub.files("me/xet")
    assert sum(file.stat().st_size for file in storage.rglob("default.*")) > 300_000
