"""Interrupts that come at a bad moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

_STOPS = (signal.SIGINT, signal.SIGTERM)


class _Later:
    """Stands in for the handlers of interrupts, and may stay: one that does not wait, it hands on.

    An interrupt that reaches another thread runs its handler in this one at any step, whatever
    this thread blocks. So no step may count on the next one.
    """

    def __init__(self) -> None:
        """Begin with nothing that waits."""
        # None is a handler of a program around Python, which could not be put back.
        found = {stop: signal.getsignal(stop) for stop in _STOPS}
        self.handlers = {stop: is_ for stop, is_ in found.items() if is_ is not None}
        self.came = ExitStack()
        self.waits = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note an interrupt, or hand it on."""
        handler = self.handlers[signal.Signals(number)]
        if self.waits:
            self.came.callback(signal.raise_signal, number)
        elif callable(handler):
            handler(number, frame)
        else:
            signal.signal(number, handler)
            signal.raise_signal(number)

    def tell(self) -> None:
        """Put the handlers back, and give them what came: all of it, whatever the first raises."""
        with self.came:
            self.waits = False
            for stop, handler in self.handlers.items():
                signal.signal(stop, handler)


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
    later = _Later()
    for stop in later.handlers:
        signal.signal(stop, later)
    later.waits = True
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        later.tell()
