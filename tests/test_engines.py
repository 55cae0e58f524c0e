import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest

from rawshelf.convert import convert
from rawshelf.engines import Engine, refuse_other_tools, tools
from rawshelf.errors import SourceError, WorkerError
from tests.conftest import Conversion
from tests.worker_calls import deadly, once, refused, written


class Elsewhere(Executor):
    """Runs a call at once, on a machine where things are otherwise."""

    def __init__(self, change: Callable[[], object]) -> None:
        """Take what is done before each call."""
        self._change = change

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it."""
        future: Future[Any] = Future()
        try:
            self._change()
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


@pytest.mark.fault(24)
def test_a_call_that_kills_its_workers_is_named_and_the_others_are_done(tmp_path: Path) -> None:
    """Each is told once; the deadly one was tried in company and alone."""
    calls = {str(number): partial(written, tmp_path, number) for number in range(6)}
    found: dict[str, int] = {}
    with pytest.raises(WorkerError) as caught:
        Engine(workers=2, place="out").run(calls, found.__setitem__)

    assert "3" == caught.value.member
    assert "out" == caught.value.archive
    assert {str(number): number for number in (0, 1, 2, 4, 5)} == found
    assert "xxx" == (tmp_path / "3").read_text()


@pytest.mark.fault(24)
def test_a_worker_that_dies_once_costs_nothing(tmp_path: Path) -> None:
    """What ran when the pool broke runs again."""
    calls = {str(number): partial(once, tmp_path, number) for number in range(3)}
    found: dict[str, int] = {}
    Engine(workers=2).run(calls, found.__setitem__)

    assert {"0": 0, "1": 1, "2": 2} == found


@pytest.mark.fault(24)
def test_a_call_blamed_for_another_is_done_after_all() -> None:
    """A cluster takes all calls that a worker had been given for suspects when it dies."""
    attempts: list[int] = []

    def attempt(number: int) -> int:
        attempts.append(number)
        if number == 3 or (number == 2 and attempts.count(2) == 1):
            raise BrokenExecutor
        return number

    done: dict[str, int] = {}
    calls = {str(number): partial(attempt, number) for number in range(5)}
    with pytest.raises(WorkerError) as caught:
        Engine(Elsewhere(lambda: None)).run(calls, done.__setitem__)

    assert caught.value.member == "3"
    assert caught.value.found == "1 not done: 3"
    assert done == {"0": 0, "1": 1, "2": 2, "4": 4}
    assert attempts == [0, 1, 2, 3, 4, 2, 3]


@pytest.mark.fault(24)
def test_calls_that_all_die_are_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be done, not every call is tried."""
    monkeypatch.setattr("rawshelf.engines._ALONE", 1)
    monkeypatch.setattr("rawshelf.engines._HOPELESS", 2)
    calls = {str(number): partial(deadly, number) for number in range(20)}
    with pytest.raises(WorkerError, match="20 not done") as caught:
        Engine(workers=2).run(calls, lambda *_: None)

    assert "0" == caught.value.member


def test_a_broken_pool_ends_no_process_of_others() -> None:
    """Such as that which the program starts in another thread meanwhile."""
    others: list[SpawnProcess] = []

    def start_another(*_: object) -> None:
        if not others:
            others.append(SpawnProcess(target=time.sleep, args=(600,)))
            others[0].start()

    calls = {"first": partial(int, 0), "deadly": partial(deadly, 1)}
    with pytest.raises(WorkerError):
        Engine(workers=2).run(calls, start_another)

    assert others[0].is_alive()
    others[0].kill()
    others[0].join()


def test_a_pool_that_breaks_while_it_is_asked_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its pipes are closed then, which is no failure of the output."""
    submit = ProcessPoolExecutor.submit
    broken: list[str] = []

    def breaking(pool: ProcessPoolExecutor, *call: Any) -> Future[Any]:
        if not broken:
            broken.append("once")
            raise OSError("handle is closed")
        return submit(pool, *call)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", breaking)
    done: dict[str, int] = {}
    Engine(workers=2).run({str(n): partial(int, n) for n in range(3)}, done.__setitem__)

    assert done == {"0": 0, "1": 1, "2": 2}


def test_a_signal_waits_until_a_worker_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose start is broken off would end in a traceback."""
    at: list[str] = []

    def submit(*_: object) -> Future[int]:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        at.append("started")
        raise BrokenExecutor

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.submit", submit)
    monkeypatch.setattr("rawshelf.engines._ALONE", 1)
    before = signal.signal(signal.SIGTERM, lambda *_: at.append("told"))
    try:
        with pytest.raises(KeyboardInterrupt):
            Engine(workers=2).run({"a": partial(int, 1)}, lambda *_: None)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert at[0] == "started"
    assert "told" in at[1:]


@pytest.mark.parametrize("engine", [Engine(), Engine(workers=2), Engine(ThreadPoolExecutor(1))])
def test_an_error_of_a_call_stops_all(engine: Engine) -> None:
    """It comes as it is, after those that run were told to stop."""
    told: list[str] = []
    with pytest.raises(SourceError):
        engine.run({"a": refused}, lambda *_: None, lambda: told.append("stop"))

    assert ["stop"] == told


def test_a_machine_that_does_not_see_the_output_is_told(
    conversion: Conversion, tmp_path: Path
) -> None:
    """Before the release is read."""
    out = tmp_path / "out"
    executor = Elsewhere(lambda: (out / ".rawshelf/shards").rename(tmp_path / "away"))
    with pytest.raises(WorkerError, match="does not see") as caught:
        convert("spair71k", str(conversion.raw), str(out), executor=executor)

    assert str(caught.value.member).startswith(str(out))
    assert not out.exists()


def test_a_machine_that_does_not_see_the_release_is_told(
    conversion: Conversion, tmp_path: Path
) -> None:
    """With the path that it should see."""
    raw = tmp_path / "raw.tar.gz"
    raw.write_bytes(conversion.raw.read_bytes())
    executor = Elsewhere(lambda: raw.unlink(missing_ok=True))
    with pytest.raises(WorkerError, match="does not see") as caught:
        convert("spair71k", str(raw), str(tmp_path / "out"), executor=executor)

    assert str(raw) == caught.value.member


def test_a_machine_without_rawshelf_is_told(conversion: Conversion, tmp_path: Path) -> None:
    """What an engine raises for an import that fails elsewhere becomes an error with a remedy."""

    def absent() -> None:
        raise ModuleNotFoundError("No module named 'rawshelf'")

    with pytest.raises(WorkerError, match="lacks a package"):
        convert("spair71k", str(conversion.raw), str(tmp_path / "out"), executor=Elsewhere(absent))


@pytest.mark.parametrize("name", ["rawshelf", "pyarrow", "pillow"])
@pytest.mark.fault(32)
def test_other_versions_are_refused(name: str) -> None:
    """All on which bytes depend."""
    with pytest.raises(WorkerError, match="different versions"):
        refuse_other_tools({**tools(), name: "0"}, tools(), "host")


class Busy(Executor):
    """Runs nothing; while the last of two calls is asked for, the lock of a future is busy."""

    def __init__(self) -> None:
        """Begin without any."""
        self.futures: list[Future[Any]] = []

    def submit(self, call: Any, /, *_: Any, **__: Any) -> Future[Any]:  # noqa: ARG002
        """Return a future; interrupt the main thread when there are two."""
        self.futures.append(Future())
        if len(self.futures) > 1:
            held = threading.Event()
            # What waits for several takes their locks in this order.
            last = max(self.futures, key=id)
            threading.Thread(target=self._interrupt, args=(last, held)).start()
            held.wait()
        return self.futures[-1]

    def _interrupt(self, future: Future[Any], held: threading.Event) -> None:
        with future._condition:
            held.set()
            time.sleep(0.2)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
            time.sleep(0.2)


@pytest.mark.fault(23)
def test_a_signal_leaves_no_future_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the worker that has its result would wait for ever, and we for the worker."""
    monkeypatch.setattr("rawshelf.engines.tools", dict)
    executor = Busy()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            Engine(executor).run({"a": print, "b": print}, lambda *_: None)
    finally:
        signal.signal(signal.SIGTERM, before)

    with ThreadPoolExecutor(1) as other:
        for future in executor.futures:
            assert other.submit(future._condition.acquire, timeout=1).result()
