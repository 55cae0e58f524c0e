"""Streaming conversions from a Hub repository, by unmodified clients."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rawshelf import catalog
from tests.hub import Hub
from tests.hub.client import run
from tests.test_streaming import CONFIGS, SPLIT, by_rawshelf, plain
from tests.test_streaming_exit import LIGHT

# Prints for each config the hash of all rows as rawshelf and as datasets stream them.
ROWS = """
import hashlib, json, sys
import datasets
import rawshelf
from tests.test_streaming import plain

def digest(rows):
    return hashlib.sha256(repr(plain(rows)).encode()).hexdigest()

repo, split, *configs = sys.argv[1:]
print(json.dumps({config: [
    digest(rawshelf.stream(repo, config, split=split)),
    digest(datasets.load_dataset(repo, config, split=split, streaming=True)),
    digest(datasets.load_dataset(repo, config, split=split)),
] for config in configs}))
"""

FIRST = """
import json, sys
import rawshelf
options = json.loads(sys.argv[1])
rows = rawshelf.stream("me/images", "images", split="test", **options)
first = next(iter(rows))
print(json.dumps({name: str(value) for name, value in first.items()}))
"""

ERROR = """
import json, sys
import rawshelf.errors
messages = []
for options in json.loads(sys.argv[1]):
    try:
        rawshelf.stream(**options)
    except rawshelf.errors.UsageError as error:
        messages.append(str(error))
print(json.dumps(messages))
"""


def content(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def hub(sharded: dict[str, Path]) -> Iterator[Hub]:
    with Hub() as server:
        for name, out in sharded.items():
            server.create(f"me/{name}")
            server.commit(f"me/{name}", content(out))
        yield server


@pytest.mark.parametrize("name", catalog.names())
def test_streams_give_the_rows_of_the_repository(
    name: str, hub: Hub, sharded: dict[str, Path], tmp_path: Path
) -> None:
    """All configs: streamed by rawshelf, streamed by `datasets`, and map-style."""
    present = {path.name for path in (sharded[name] / "data").iterdir()}
    configs = [config for owner, config in CONFIGS if owner == name and config in present]

    done = run(hub, ROWS, tmp_path, f"me/{name}", SPLIT[name], *configs, **LIGHT)

    assert 0 == done.returncode, done.stderr
    for config, hashes in json.loads(done.stdout.splitlines()[-1]).items():
        assert 1 == len(set(hashes)), config


def fetched(hub: Hub, tmp_path: Path, **options: Any) -> tuple[dict[str, str], int, set[str]]:
    """Stream one row; return it, the bytes sent for it, and the shards they came from."""
    hub.reset_requests()
    done = run(hub, FIRST, tmp_path, json.dumps(options), **LIGHT)
    assert 0 == done.returncode, done.stderr
    sent = [r for r in hub.requests if r.method == "GET" and ".parquet" in r.path]
    return json.loads(done.stdout), sum(r.sent for r in sent), {r.path for r in sent}


def test_a_first_row_fetches_one_shard_and_one_column(
    hub: Hub, conversion: Any, tmp_path: Path
) -> None:
    """Bytes as the server counts them: no other shard, and no other column's data."""
    hub.create("me/images")
    hub.commit("me/images", content(conversion.out))
    (shard,) = (conversion.out / "data" / "images").glob("test-*")
    footer = pq.read_metadata(shard)
    images = sum(
        footer.row_group(0).column(index).total_compressed_size
        for index in range(footer.num_columns)
        if footer.row_group(0).column(index).path_in_schema.endswith(".bytes")
    )

    row, sent, shards = fetched(hub, tmp_path, columns=["name"])
    _, all_sent, _ = fetched(hub, tmp_path)

    assert {"name"} == set(row)
    assert 1 == len(shards)
    assert all_sent - sent > 0.9 * images


def test_a_revision_stays_what_it_was(hub: Hub, sharded: dict[str, Path], tmp_path: Path) -> None:
    """A commit by its id, after another has taken its place."""
    hub.create("me/moved")
    first = hub.commit("me/moved", content(sharded["spair71k"]))
    hub.commit("me/moved", {"manifest.json": b'{"files": []}'})
    script = FIRST.replace("me/images", "me/moved")

    done = run(
        hub, script, tmp_path, json.dumps({"revision": first.id, "columns": ["name"]}), **LIGHT
    )

    expected = plain(by_rawshelf(sharded["spair71k"], "images", "test", ["name"]))[0]
    assert expected == json.loads(done.stdout), done.stderr


WRONG = [
    ({"source": "me/nothing"}, "gated"),
    ({"source": "me/secret"}, "private"),
    ({"source": "me/spair71k", "revision": "v9"}, "v9"),
    ({"source": "me/other"}, "not a conversion"),
    ({"source": "me/spair71k", "config": "pears"}, "Did you mean pairs?"),
]


def test_errors_say_what_to_do(hub: Hub, tmp_path: Path) -> None:
    """Repositories that are not there, not shown, or not ours."""
    for repository in ("me/secret", "me/other"):
        hub.create(repository, private=repository == "me/secret")
        hub.commit(repository, {"data/train-00000-of-00001.parquet": b"PAR1"})

    done = run(hub, ERROR, tmp_path, json.dumps([options for options, _ in WRONG]))

    assert 0 == done.returncode, done.stderr
    for (options, named), message in zip(WRONG, json.loads(done.stdout), strict=True):
        assert named in message, options
