"""What happens to interrupts while something must not be broken off."""

import os
import signal
from collections.abc import Iterator
from typing import NoReturn

import pytest

from rawshelf.interrupts import undisturbed

STOPS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):  # noqa: N818 - as KeyboardInterrupt
    """What the handler of these tests raises."""


def stop(number: int, _: object) -> NoReturn:
    raise Stopped(signal.Signals(number).name)


@pytest.fixture(autouse=True)
def _handled() -> Iterator[None]:
    before = {number: signal.signal(number, stop) for number in STOPS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def state() -> tuple[object, ...]:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return mask, *(signal.getsignal(number) for number in STOPS)


@pytest.mark.parametrize("number", STOPS)
def test_an_interrupt_waits(number: signal.Signals) -> None:
    """Until what is begun is ended; then it comes, and all is as before."""
    before, done = state(), list[int]()

    def interrupted() -> None:
        with undisturbed():
            os.kill(os.getpid(), number)
            done.append(1)

    with pytest.raises(Stopped, match=number.name):
        interrupted()

    assert [1] == done
    assert before == state()


def test_a_handler_from_outside_of_python_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python tells such a one as None, and could not put it back."""
    before = state()
    with monkeypatch.context() as patch:
        patch.setattr(signal, "getsignal", lambda _: None)
        with undisturbed():
            patch.undo()
            assert before[1:] == state()[1:]

    assert before == state()
