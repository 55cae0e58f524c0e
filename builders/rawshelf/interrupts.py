"""Interrupts that come at a bad moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    handlers = {
        stop: signal.signal(stop, lambda number, _: came.append(number))
        for stop in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for stop, handler in handlers.items():
            signal.signal(stop, handler)
        for number in came:
            signal.raise_signal(number)
