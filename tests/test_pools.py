"""Threads that work for the main thread, also when that is interrupted anywhere."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import NoReturn

import pyarrow as pa
import pytest

from rawshelf.documents import Documents
from rawshelf.pools import cancel, each


class Stopped(Exception):  # noqa: N818 - as KeyboardInterrupt
    """What the handler of these tests raises."""


@pytest.fixture(autouse=True)
def _handled() -> Iterator[None]:
    def stop(*_: object) -> NoReturn:
        raise Stopped

    before = signal.signal(signal.SIGINT, stop)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_lock(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    """Interrupt the main thread when it has just taken a lock of Python's own for so many times.

    Returns:
        Holds one entry for each time, filled as the test goes on.
    """
    enter, taken = threading.Condition.__enter__, list[int]()
    main = threading.get_ident()  # not `current_thread`, which takes such locks itself

    def entered(condition: threading.Condition) -> bool:
        found = enter(condition)
        if threading.get_ident() == main:
            taken.append(1)
            if len(taken) == number:
                signal.raise_signal(signal.SIGINT)
        return found

    monkeypatch.setattr(threading.Condition, "__enter__", entered)
    return taken


def test_results_come_in_order() -> None:
    """Whichever ends first."""
    second = threading.Event()

    def call(number: int) -> int:
        if number == 0:
            second.wait()
        if number == 1:
            second.set()
        return -number

    assert [0, -1, -2] == list(each(call, range(3), 2))


def test_an_error_cancels_what_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised where its result would have come."""
    begun, cancelled = list[int](), threading.Event()

    def call(number: int) -> int:
        begun.append(number)
        if number:
            cancelled.wait()
        return 1 // number

    def cancel_and_tell(futures: list[Future[int]]) -> None:
        cancel(futures)
        cancelled.set()

    monkeypatch.setattr("rawshelf.pools.cancel", cancel_and_tell)
    with pytest.raises(ZeroDivisionError):
        list(each(call, range(1000), 1))

    assert begun in ([0], [0, 1])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", range(1, 41))
def test_an_interrupt_locks_no_thread_up(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Threads end, with the interrupt told, or without it where none was left to interrupt."""
    before = {*threading.enumerate()}
    taken = interrupt_lock(monkeypatch, number)
    try:
        found = list(each(abs, range(8), 2))
    except Stopped:
        found = []
    monkeypatch.undo()

    assert [] == found if len(taken) >= number else list(range(8)) == found
    assert before == {*threading.enumerate()}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", range(1, 21))
def test_an_interrupt_leaves_no_parser(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Of documents, which one thread reads while others come."""
    before = {*threading.enumerate()}
    monkeypatch.setattr("rawshelf.documents._BATCH_BYTES", 1)
    taken = interrupt_lock(monkeypatch, number)
    documents = Documents(pa.schema([("a", pa.int64())]), "release")
    try:
        for place in range(8):
            documents.add(f"{place}.json", memoryview(b'{"a": 1}'))
        rows = documents.table().num_rows
    except Stopped:
        rows = 0
    monkeypatch.undo()
    for thread in {*threading.enumerate()} - before:
        thread.join()

    assert rows == (0 if len(taken) >= number else 8)
