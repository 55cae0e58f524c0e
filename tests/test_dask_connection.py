import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from rawshelf import cluster as connections
from rawshelf.cluster import dask_executor
from rawshelf.engines import Engine
from rawshelf.errors import UsageError, WorkerError
from tests.dask_clusters import Cluster, cluster

distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")

# What a fetch of results waits for when many are on the way; see `distributed.Client`.
FETCHES = 5


def told(address: str) -> WorkerError:
    with pytest.raises(WorkerError) as caught, dask_executor(address):
        pass

    assert 8 == caught.value.exit_code
    return caught.value


def when_workers_are_there(
    monkeypatch: pytest.MonkeyPatch, found: Cluster, number: signal.Signals
) -> None:
    """Send the scheduler a signal once the client has seen a worker."""
    wait = connections._wait_for_worker

    def then_signal(*arguments: object) -> None:
        wait(*arguments)  # type: ignore[arg-type]
        os.killpg(found.scheduler.pid, number)

    monkeypatch.setattr(connections, "_wait_for_worker", then_signal)


def test_no_scheduler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to start one."""
    monkeypatch.setattr(connections, "_CONNECT_SECONDS", 1)

    assert "dask scheduler" in str(told("tcp://127.0.0.1:1").remedy)


def test_what_accepts_and_never_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the port of something else does: a run does not wait for ever."""
    monkeypatch.setattr(connections, "_CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = told(f"tcp://127.0.0.1:{silent.getsockname()[1]}")

    assert "There is no Dask scheduler" in str(error)


def test_a_cluster_without_workers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run does not wait for ever before it has begun."""
    monkeypatch.setattr(connections, "_WORKER_SECONDS", 0.5)
    with cluster(tmp_path / "cluster", count=0) as found:
        error = told(found.address)

    assert "no workers" in str(error)


@pytest.mark.parametrize("address", ["nonsense://x:1", "tcp://127.0.0.1:port", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    """As a usage error; no client is left open, for the garbage collector to close anywhere."""
    before = {*threading.enumerate()}
    with pytest.raises(UsageError, match="address"), dask_executor(address):
        pass

    assert "IO loop" not in {thread.name for thread in {*threading.enumerate()} - before}


@pytest.mark.fault(24)
def test_a_scheduler_that_dies_before_the_work_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is asked for its versions."""
    with cluster(tmp_path / "cluster", "--no-nanny") as found:
        when_workers_are_there(monkeypatch, found, signal.SIGKILL)

        assert "scheduler is gone" in str(told(found.address))


@pytest.mark.fault(24)
def test_a_scheduler_that_is_frozen_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask itself waits for ever then."""
    monkeypatch.setattr(connections, "_ANSWER_SECONDS", -58.0)
    with cluster(tmp_path / "cluster", "--no-nanny") as found:
        when_workers_are_there(monkeypatch, found, signal.SIGSTOP)

        assert "does not answer" in str(told(found.address))


@pytest.mark.fault(24)
def test_a_worker_that_leaves_at_the_start_is_passed_over(tmp_path: Path) -> None:
    """As where clusters shrink and grow: the others do the work."""
    with cluster(tmp_path / "cluster", "--no-nanny") as found:
        with distributed.Client(found.address, set_as_default=False) as client:
            client.wait_for_workers(2)
        leaving = found.workers[0]
        os.killpg(leaving.pid, signal.SIGSTOP)  # it is still known, and asked
        timer = threading.Timer(2, os.killpg, (leaving.pid, signal.SIGKILL))
        timer.start()
        with dask_executor(found.address) as executor:
            assert 4 == executor.submit(sum, (2, 2)).result()
        timer.join()


@pytest.mark.fault(24)
def test_a_cancelled_call_does_no_harm_to_others(tmp_path: Path) -> None:
    """Also while its result waits for others on their way, as after an error in a large run."""
    with (
        cluster(tmp_path / "cluster", "--no-nanny") as found,
        dask_executor(found.address) as executor,
    ):
        client = executor._client  # type: ignore[attr-defined]

        async def hold() -> None:
            for _ in range(FETCHES):
                await client._gather_semaphore.acquire()

        async def release() -> None:
            for _ in range(FETCHES):
                client._gather_semaphore.release()

        client.sync(hold)
        cancelled = executor.submit(sum, (1, 1))
        while not client._gather_keys:
            assert not cancelled.done()
        cancelled.cancel()
        client.sync(release)
        sums: dict[str, int] = {}
        Engine(executor).run({"a": lambda: 3, "b": lambda: 4}, sums.__setitem__)

    assert {"a": 3, "b": 4} == sums
