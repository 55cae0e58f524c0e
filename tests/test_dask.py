import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rawshelf.cluster import dask_executor
from rawshelf.convert import convert
from rawshelf.errors import RawshelfError, WorkerError
from tests.conftest import Conversion
from tests.dask_clusters import Cluster, cluster
from tests.outputs import content

pytest.importorskip("distributed", reason="the extra `dask` is not installed")

# Run by a worker at its start: a shard of `images` kills it, or the first of all shards does, once.
POISON = """
import os, signal
import rawshelf.parquet
def write_shard(task, root, write=rawshelf.parquet.write_shard):
    if task.path.startswith("data/images/test-"):
        os.kill(os.getpid(), signal.SIGKILL)
    return write(task, root)
rawshelf.parquet.write_shard = write_shard
"""
MORTAL = """
import os, signal
import rawshelf.shards
def die_once(task, refuse=rawshelf.shards.refuse_withdrawn):
    try:
        open(os.environ["DIED"], "x").close()
    except FileExistsError:
        return refuse(task)
    os.kill(os.getpid(), signal.SIGKILL)
rawshelf.shards.refuse_withdrawn = die_once
"""
# The first shard is written at once, the second when the first is recorded, all others never.
HELD = """
import os, pathlib, time
import rawshelf.parquet
out = pathlib.Path(os.environ["OUT"])
def is_first(name):
    try:
        open(f"{out}.{name}", "x").close()
    except FileExistsError:
        return False
    return True
def held(task, root, write=rawshelf.parquet.write_shard):
    if not is_first("first"):
        while not any(out.glob(".rawshelf/records/*/data/*/*.json")):
            time.sleep(0.01)
        if not is_first("second"):
            time.sleep(3600)
    return write(task, root)
if rawshelf.parquet.write_shard.__name__ != "held":  # a worker runs this twice
    rawshelf.parquet.write_shard = held
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a cluster without tricks."""
    with cluster(tmp_path_factory.mktemp("cluster") / "plain", "--no-nanny") as found:
        yield found


def on_dask(address: str, conversion: Conversion, out: Path) -> int:
    """Convert; return how many shards were kept."""
    with dask_executor(address) as executor:
        return convert("spair71k", str(conversion.raw), str(out), executor=executor).kept


def failure(address: str, conversion: Conversion, out: Path) -> RawshelfError:
    with pytest.raises(WorkerError) as caught:
        on_dask(address, conversion, out)

    assert 8 == caught.value.exit_code
    return caught.value


@pytest.mark.fault(31)
def test_a_cluster_gives_the_same_bytes(
    plain: Cluster, conversion: Conversion, tmp_path: Path
) -> None:
    """From the command line; again in the same place with --overwrite, too."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "rawshelf", "convert", "spair71k", str(conversion.raw)]
    done = subprocess.run(
        [*command, str(out), "--dask", plain.address, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert 9 == len(json.loads(done.stdout)["files"])
    assert content(conversion.out) == content(out)


@pytest.mark.fault(24)
def test_results_of_an_earlier_run_are_not_taken(
    plain: Cluster, conversion: Conversion, tmp_path: Path
) -> None:
    """An executor that shares results of equal calls, as Dask's own default, does no harm."""
    from distributed import Client  # noqa: PLC0415 - may be absent

    out = tmp_path / "out"
    with Client(plain.address) as client:
        for _ in range(2):
            shutil.rmtree(out, ignore_errors=True)
            executor = client.get_executor()
            convert("spair71k", str(conversion.raw), str(out), executor=executor)

            assert content(conversion.out) == content(out)


def test_a_scheduler_file_is_an_address(plain: Cluster, tmp_path: Path) -> None:
    """As jobs on a shared file system find each other."""
    place = tmp_path / "scheduler.json"
    place.write_text(json.dumps({"address": plain.address}))

    with dask_executor(str(place)) as executor:
        assert 4 == executor.submit(sum, (2, 2)).result()


@pytest.mark.fault(24)
def test_a_worker_that_is_killed_costs_no_shard(conversion: Conversion, tmp_path: Path) -> None:
    """Another takes over what it was at, while the run goes on."""
    place = tmp_path / "cluster"
    died = str(tmp_path / "died")
    with cluster(place, "--no-nanny", preload=MORTAL, DIED=died) as found:
        on_dask(found.address, conversion, tmp_path / "out")

        assert [-signal.SIGKILL, None] == sorted(
            (worker.poll() for worker in found.workers), key=str
        )
    assert content(conversion.out) == content(tmp_path / "out")


@pytest.mark.fault(24)
def test_a_shard_that_kills_its_workers_is_named(conversion: Conversion, tmp_path: Path) -> None:
    """All others arrive and are kept; a run that can write it then finishes."""
    out = tmp_path / "out"
    with cluster(tmp_path / "cluster", preload=POISON) as found:
        error = failure(found.address, conversion, out)

    assert error.member is not None
    assert error.member.startswith("data/images/test-")
    assert 8 == len(list(out.glob(".rawshelf/records/*/data/*/*.json")))
    assert 8 == convert("spair71k", str(conversion.raw), str(out)).kept
    assert content(conversion.out) == content(out)


def test_workers_with_another_rawshelf_are_refused(
    conversion: Conversion, tmp_path: Path, repository_root: Path
) -> None:
    """A line of code that differs may be a byte that differs."""
    other = Path(shutil.copytree(repository_root / "builders", tmp_path / "other", symlinks=True))
    with (other / "rawshelf/code.py").open("a") as file:
        file.write("# another version\n")
    settings = {"PYTHONPATH": str(other)}
    with cluster(tmp_path / "cluster", "--no-nanny", count=1, **settings) as found:
        error = failure(found.address, conversion, tmp_path / "out")

    assert "code of rawshelf" == error.field
    assert not (tmp_path / "out").exists()


def test_workers_without_rawshelf_are_refused(conversion: Conversion, tmp_path: Path) -> None:
    """The message says which machine lacks what."""
    (tmp_path / "absent").mkdir()
    absent = "raise ModuleNotFoundError(\"No module named 'rawshelf'\")\n"
    (tmp_path / "absent/rawshelf.py").write_text(absent)
    settings = {"PYTHONPATH": str(tmp_path / "absent")}
    with cluster(tmp_path / "cluster", "--no-nanny", count=1, **settings) as found:
        error = failure(found.address, conversion, tmp_path / "out")

    assert "No module named 'rawshelf'" in str(error.found)
    assert "127.0.0.1" in str(error.member)
    assert not (tmp_path / "out").exists()


def test_an_absent_extra_is_named(conversion: Conversion, tmp_path: Path) -> None:
    """Without Dask the option says what to install."""
    code = (
        "import sys; sys.modules['distributed'] = None; from rawshelf.cli import main; "
        "sys.argv[0] = 'rawshelf'; main()"
    )
    arguments = ["convert", "spair71k", str(conversion.raw), str(tmp_path / "out"), "--dask", "x"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )

    assert 2 == done.returncode
    assert "rawshelf[dask]" in done.stderr


@pytest.mark.fault(24)
@pytest.mark.parametrize("moment", ["told", "fetched", "unnoticed"])
def test_a_scheduler_that_dies_is_told(
    conversion: Conversion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    moment: str,
) -> None:
    """In the middle of a run; what is finished is kept, and no traceback is logged.

    Also while a result is on its way, and when Dask's client does not give up its calls.
    """
    from distributed import Client  # noqa: PLC0415 - may be absent

    raw, out = str(conversion.raw), tmp_path / "out"
    fetch = Client._gather_remote

    async def fetch_late(*arguments: Any) -> Any:
        if any(out.glob(".rawshelf/records/*/data/*/*.json")):
            die()
        return await fetch(*arguments)

    async def stall(_: Client) -> None:
        await asyncio.Event().wait()

    with cluster(tmp_path / "cluster", "--no-nanny", preload=HELD, OUT=str(out)) as found:

        def kill(*_: object) -> None:
            os.killpg(found.scheduler.pid, signal.SIGKILL)
            found.scheduler.wait()

        die = once(kill)
        if moment == "fetched":
            monkeypatch.setattr(Client, "_gather_remote", fetch_late)
        elif moment == "unnoticed":
            monkeypatch.setattr(Client, "_reconnect", stall)
        progress = None if moment == "fetched" else die
        with (
            dask_executor(found.address) as executor,
            pytest.raises(WorkerError, match="scheduler is gone") as caught,
        ):
            convert("spair71k", raw, str(out), executor=executor, progress=progress)

    assert 8 == caught.value.exit_code
    assert not [record for record in caplog.records if record.exc_info]
    assert convert("spair71k", raw, str(out)).kept >= 1
    assert content(conversion.out) == content(out)


def once(call: Callable[..., None]) -> Callable[..., None]:
    """Return a function that does something the first time."""
    left = [call]
    return lambda *given: left.pop()(*given) if left else None
