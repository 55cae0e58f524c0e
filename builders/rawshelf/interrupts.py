"""Interrupts that come at a bad moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STOPS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let interrupts wait until what is begun can be ended.

    A worker half started would end in a traceback; a lock half taken would never be let go, a
    thread that nobody knows never be stopped.

    A worker inherits that Ctrl-C is blocked, which the terminal sends to it as well as to us.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted
        return
    came: list[int] = []
    handlers = {}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        for stop in _STOPS:
            # None is a handler of a program around Python, which could not be put back.
            if (handler := signal.getsignal(stop)) is not None:
                handlers[stop] = handler
                signal.signal(stop, lambda number, _: came.append(number))
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked | {signal.SIGINT})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        for stop, handler in handlers.items():
            signal.signal(stop, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number in came:
            signal.raise_signal(number)
