"""Running calls in threads, processes or any given `concurrent.futures.Executor`.

What is done is told call by call, so that it can be kept; a worker that dies costs its call only,
and a call that kills every worker is named while the others are done.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from queue import SimpleQueue
from typing import Any, TypeVar

import pyarrow as pa

from rawshelf.code import code_fingerprint
from rawshelf.errors import WorkerError
from rawshelf.memory import settle
from rawshelf.pools import ask, cancel
from rawshelf.startup import leave_pandas_out

Result = TypeVar("Result")
Call = Callable[[], Result]
Done = Callable[[str, Result], None]

_THREADS = 4
_ALONE = 2  # times that a call may kill a worker of its own, after one that it may have shared
_HOPELESS = 3  # calls lost with none done: then it is not the calls that kill the workers
_LISTED = 5
_REMEDY_LOST = (
    "Use fewer workers or machines with more memory, then run the same command: it resumes."
)


def threads() -> int:
    """Return how many threads to use in this process: one a core, few enough for memory."""
    return min(_THREADS, os.cpu_count() or 1)


def tools() -> dict[str, str]:
    """Return the versions on which the bytes of a shard depend."""
    libraries = ("pyarrow", "pillow")
    return {"rawshelf": code_fingerprint()} | {name: metadata.version(name) for name in libraries}


def refuse_other_tools(found: Mapping[str, str], expected: Mapping[str, str], where: str) -> None:
    """Refuse versions that would give other bytes.

    Raises:
        WorkerError: If any differs.
    """
    for name, version in expected.items():
        if found.get(name) != version:
            raise WorkerError(
                "Machines that work on one conversion have different versions.",
                archive=where,
                field="code of rawshelf" if name == "rawshelf" else name,
                found=found.get(name),
                expected=version,
                remedy="Install the same environment everywhere, restart the workers, then run "
                "the same command: it resumes.",
            )


@dataclass(frozen=True)
class _Terms:
    """What must hold on a machine before it may work.

    Attributes:
        tools: Versions, see `tools`.
        paths: What it must see.
    """

    tools: Mapping[str, str]
    paths: tuple[str, ...]


def _on_terms(terms: _Terms, call: Call[Result]) -> Result:
    host = platform.node()
    refuse_other_tools(tools(), terms.tools, host)
    for path in terms.paths:
        if not os.path.exists(path):
            raise WorkerError(
                "A worker does not see a file or folder that it needs.",
                archive=host,
                member=path,
                expected="the same absolute path on all machines",
                remedy="Put release and output on a file system that all machines share, then run "
                "the same command: it resumes.",
            )
    return call()


def _nothing() -> None:
    """Do nothing: a look at the terms is all that is wanted."""


def _lost_errors() -> tuple[type[BaseException], ...]:
    """Return what executors raise for a call whose worker is gone.

    Dask has an error of its own; if it was not imported, nothing raises that.
    """
    killed = getattr(sys.modules.get("distributed"), "KilledWorker", None)
    more = [killed] if isinstance(killed, type) and issubclass(killed, Exception) else []
    return (BrokenExecutor, CancelledError, *more)


@dataclass(frozen=True)
class Engine:
    """Where calls run.

    Attributes:
        executor: Runs them if given; it is left open. Calls may then run on other machines, so
            each first checks that its machine has our versions and sees our paths.
        workers: Processes of our own if none is given; 1 for threads of this process.
        paths: What a machine must see to work for a given executor.
        place: Names the work in errors: the output.
    """

    executor: Executor | None = None
    workers: int = 1
    paths: tuple[str, ...] = ()
    place: str | None = None
    _terms: _Terms = field(init=False)

    def __post_init__(self) -> None:
        """Say once what must hold elsewhere."""
        object.__setattr__(self, "_terms", _Terms(tools(), self.paths))

    def probe(self) -> None:
        """Let a given executor show that it can work at all, before long work is prepared for it.

        Raises:
            WorkerError: If it cannot.
        """
        if self.executor is not None:
            # Why a worker died is told where there is a shard to name.
            look = {"": partial(_on_terms, self._terms, _nothing)}
            _on_executor(self.executor, look, lambda *_: None, _nothing)

    def run(
        self,
        calls: Mapping[str, Call[Result]],
        done: Done[Result],
        stop: Callable[[], None] = _nothing,
    ) -> None:
        """Run calls, in any order.

        Args:
            calls: By name; picklable and idempotent, because a call may run more than once.
            done: Called in this thread with each name and result.
            stop: Called on any error before running calls are waited for.

        Raises:
            WorkerError: If calls were lost with their workers; all others are done then.
            RawshelfError: What a call raised; others may not be done then.
        """
        if self.executor is not None:
            asked = {name: partial(_on_terms, self._terms, call) for name, call in calls.items()}
            lost = _on_executor(self.executor, asked, done, stop)
            lost = _lost_alone(self.executor, asked, lost, done, stop)
        elif self.workers > 1:
            lost = _on_processes(calls, self.workers, done, stop)
        else:
            with ThreadPoolExecutor(threads()) as pool:
                lost = _on_executor(pool, calls, done, stop)
        if lost:
            raise self._lost([name for name in calls if name in lost])

    def _lost(self, names: list[str]) -> WorkerError:
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        return WorkerError(
            "Workers died again and again, as they do when memory runs out.",
            archive=self.place,
            member=names[0],
            found=f"{len(names)} not done: {', '.join(names[:_LISTED])}{more}",
            remedy=_REMEDY_LOST,
        )


def _on_executor(
    executor: Executor,
    calls: Mapping[str, Call[Result]],
    done: Done[Result],
    stop: Callable[[], None],
) -> set[str]:
    """Return the names of the calls that were lost with their workers."""
    futures: dict[Future[Result], str] = {}
    finished: SimpleQueue[Future[Result]] = SimpleQueue()
    lost: set[str] = set()
    with _stopped_on_error(stop), _importable():
        try:
            for name, call in calls.items():
                try:
                    futures[ask(executor, call, finished)] = name
                except BrokenExecutor:
                    lost.add(name)
            for _ in range(len(futures)):
                future = finished.get()
                try:
                    result = future.result()
                except _lost_errors():
                    lost.add(futures[future])
                else:
                    done(futures[future], result)
        finally:
            cancel(futures)
    return lost


def _lost_alone(
    executor: Executor,
    calls: Mapping[str, Call[Result]],
    lost: set[str],
    done: Done[Result],
    stop: Callable[[], None],
) -> set[str]:
    """Return which of the lost calls are lost again when each runs alone.

    A cluster blames a worker's death on all calls that it had been given, not only on that which
    killed it.
    """
    waiting = [name for name in calls if name in lost]
    again: set[str] = set()
    for place, name in enumerate(waiting, 1):
        again |= _on_executor(executor, {name: calls[name]}, done, stop)
        if place == len(again) == _HOPELESS:
            return lost
    return again


def _on_processes(
    calls: Mapping[str, Call[Result]],
    workers: int,
    done: Done[Result],
    stop: Callable[[], None],
) -> set[str]:
    """Return the names of the calls that killed a worker that they had for themselves."""
    waiting = deque(calls.items())
    lost: set[str] = set()
    while waiting:
        # When a process dies, its pool is gone and does not tell whose call it was.
        for suspect in _until_broken(waiting, workers, done, stop):
            for _ in range(_ALONE):
                if not _until_broken(deque([suspect]), 1, done, stop):
                    break
            else:
                lost.add(suspect[0])
        if len(lost) >= _HOPELESS and len(lost) + len(waiting) == len(calls):
            return set(calls)
    return lost


def _until_broken(
    waiting: deque[tuple[str, Call[Result]]],
    workers: int,
    done: Done[Result],
    stop: Callable[[], None],
) -> list[tuple[str, Call[Result]]]:
    """Run calls from a queue in a pool of processes; return those that ran when the pool broke."""
    running: dict[Future[Result], tuple[str, Call[Result]]] = {}
    finished: SimpleQueue[Future[Result]] = SimpleQueue()
    context = _Context()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    with pool, _stopped_on_error(stop):
        try:
            while waiting or running:
                # No more than there are workers: few are suspected when one dies, and an
                # interrupted run waits for few.
                while waiting and len(running) < workers:
                    with _told_as_broken():
                        future = ask(pool, waiting[0][1], finished)
                    running[future] = waiting.popleft()
                future = finished.get()
                result = future.result()
                done(running.pop(future)[0], result)
        except BrokenExecutor:
            context.end()
            # Where none ran, the first does not even start: that is no better.
            return list(running.values()) or [waiting.popleft()]
    return []


@contextmanager
def _stopped_on_error(stop: Callable[[], None]) -> Iterator[None]:
    """Let running calls stop soon, or the end of their executor would wait for all of them."""
    finished = False
    try:
        yield
        finished = True
    finally:
        if not finished:
            stop()


@contextmanager
def _importable() -> Iterator[None]:
    """Tell what an import that fails elsewhere means; here everything is imported already."""
    try:
        yield
    except ImportError as error:
        raise WorkerError(
            "A worker lacks a package.",
            found=str(error),
            remedy="Install the same environment, rawshelf included, wherever workers run, then "
            "run the same command: it resumes.",
        ) from error


class _Context(SpawnContext):
    """Starts the workers of one pool, and knows them: the program may have other children.

    Not by fork: Arrow and Pillow start threads, and a forked copy of those may hang.
    """

    def __init__(self) -> None:
        self._started: list[SpawnProcess] = []

    def Process(self, *given: Any, **named: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802 - what a pool calls
        process = SpawnProcess(*given, **named)
        self._started.append(process)
        return process

    def end(self) -> None:
        """End the workers of a broken pool.

        One that was being started while the pool broke is overlooked by `ProcessPoolExecutor`
        (seen with Python 3.11), whose end then waits for it for ever.
        """
        for process in self._started:
            if process.is_alive():
                process.terminate()


@contextmanager
def _told_as_broken() -> Iterator[None]:
    """A pool that breaks while it is given a call may already have closed its pipes (seen)."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # the system's own: no process can be started
            raise
        raise BrokenExecutor(str(error)) from error


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it.

    A pool's worker that lost its parent would wait for its next task for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_pandas_out(pa)
    settle()
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
