"""Calls in pools of `concurrent.futures`, asked for and waited for so that interrupts do no harm.

The locks of these pools are Python code: an interrupt in it leaves one locked, and a worker that
needs it waits for ever, as does whoever waits for that worker (seen with Python 3.11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from rawshelf.interrupts import undisturbed

Item = TypeVar("Item")
Result = TypeVar("Result")


def ask(
    executor: Executor, call: Callable[[], Result], finished: SimpleQueue[Future[Result]]
) -> Future[Result]:
    """Ask for a call; its future will be in the queue.

    Not `concurrent.futures.wait` or `as_completed`: interrupted, they may leave futures locked.
    """
    with undisturbed():
        future = executor.submit(call)
        future.add_done_callback(finished.put)
        return future


def cancel(futures: Iterable[Future[Result]]) -> None:
    """Cancel what has not begun."""
    with undisturbed():
        for future in futures:
            future.cancel()


def each(call: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield what a call returns for each item, in order, worked out by threads of their own.

    An error, or the end of the iterator, cancels what has not begun and waits for the rest.

    Raises:
        Exception: What the first failing call raised.
    """
    finished: SimpleQueue[Future[Result]] = SimpleQueue()
    futures: list[Future[Result]] = []
    with ThreadPoolExecutor(threads) as pool:
        try:
            with undisturbed():
                for item in items:
                    futures.append(pool.submit(call, item))
                    futures[-1].add_done_callback(finished.put)
            ended: set[Future[Result]] = set()
            for future in futures:
                while future not in ended:
                    ended.add(finished.get())
                ended.remove(future)
                yield future.result()
        finally:
            cancel(futures)
