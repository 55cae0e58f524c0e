"""Running shard tasks on any `concurrent.futures.Executor`: stopping, and losing workers."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
)
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess

import pyarrow as pa

from rawshelf.errors import OutputError
from rawshelf.output import Output
from rawshelf.parquet import ShardRecord, write_shard
from rawshelf.plan import ShardTask

_THREADS = 4
_ATTEMPTS = 3
_LISTED = 5


def threads() -> int:
    """Return how many threads to use in this process: one a core, few enough for memory."""
    return min(_THREADS, os.cpu_count() or 1)


def run_tasks(
    tasks: list[ShardTask],
    output: Output,
    finish: Callable[[ShardRecord], None],
    *,
    executor: Executor | None,
    workers: int,
) -> None:
    """Write shards; where a worker dies, write what it left with new workers.

    Args:
        tasks: What to write.
        output: Where to; its plan is withdrawn if not all tasks finish.
        finish: Called in this thread with each shard's record.
        executor: Runs the tasks; it is not closed. None for one of our own.
        workers: Processes of our own executor; 1 for threads.

    Raises:
        OutputError: If workers keep dying.
        RawshelfError: What a task raised.
    """
    waiting = {task.path: task for task in tasks}

    def done(record: ShardRecord) -> None:
        del waiting[record.path]
        finish(record)

    broken: BrokenExecutor | None = None
    before = set(active_children())
    for attempt in range(1 if executor else _ATTEMPTS):
        # Alone at last: a shard that needs too much memory then is the only one that does.
        processes = 1 if attempt == _ATTEMPTS - 1 else workers
        used = pool(executor, processes, own_process=workers > 1)
        with used as running, _withdrawn_on_error(output):
            try:
                _drain(running, list(waiting.values()), str(output.staged), done)
            except BrokenExecutor as error:
                broken = error
                _end(set(active_children()) - before)
        if not waiting:
            return
    raise _lost(list(waiting), output) from broken


def _drain(
    pool: Executor, tasks: list[ShardTask], folder: str, done: Callable[[ShardRecord], None]
) -> None:
    futures = [pool.submit(write_shard, task, folder) for task in tasks]
    try:
        for future in as_completed(futures):
            done(future.result())
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def _withdrawn_on_error(output: Output) -> Iterator[None]:
    """Let running tasks stop soon, or the end of their executor would wait for whole shards."""
    finished = False
    try:
        yield
        finished = True
    finally:
        if not finished:
            output.withdraw()


def pool(
    given: Executor | None, workers: int, *, own_process: bool | None = None
) -> AbstractContextManager[Executor]:
    """Return the executor to use, as a context.

    Args:
        given: Used as it is and left open, if not None.
        workers: Processes of our own executor.
        own_process: Whether to use processes; if None, where there is to be more than one worker.
    """
    if given is not None:
        return nullcontext(given)
    if own_process or (own_process is None and workers > 1):
        # Arrow and Pillow start threads, and a forked copy of those may hang.
        context = get_context("spawn")
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    return ThreadPoolExecutor(threads())


def _end(workers: Iterable[BaseProcess]) -> None:
    """End the workers of a broken pool of ours.

    One that was being started while the pool broke is overlooked by `ProcessPoolExecutor` (seen
    with Python 3.11), whose end then waits for it for ever.
    """
    for worker in workers:
        worker.terminate()


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it.

    A pool's worker that lost its parent would wait for its next task for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pa.set_memory_pool(pa.system_memory_pool())  # as the command line does
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _lost(paths: list[str], output: Output) -> OutputError:
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return OutputError(
        "Workers died again and again, as they do when memory runs out.",
        archive=str(output.root),
        member=paths[0],
        found=f"{len(paths)} shards not written: {', '.join(paths[:_LISTED])}{more}",
        remedy="Use fewer workers or a machine with more memory, then run the same command: it "
        "resumes.",
    )
