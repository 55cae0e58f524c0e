"""What happens to interrupts while something must not be broken off."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

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
            signal.raise_signal(number)
            done.append(1)

    with pytest.raises(Stopped, match=number.name):
        interrupted()

    assert [1] == done
    assert before == state()


def steps_of(step: int, number: signal.Signals) -> int:
    """Interrupt another thread before one step of setting or putting back; count the steps."""
    steps: list[str] = []
    with ThreadPoolExecutor(1) as other, pytest.MonkeyPatch.context() as patch:
        other.submit(int).result()

        def stepping(name: str) -> None:
            was = getattr(signal, name)

            def call(*given: Any) -> Any:
                steps.append(name)
                if len(steps) == step:
                    other.submit(signal.raise_signal, number).result()
                return was(*given)

            patch.setattr(signal, name, call)

        stepping("signal")
        stepping("pthread_sigmask")
        with undisturbed():
            if step == 0:
                other.submit(signal.raise_signal, number).result()
    return len(steps)


@pytest.mark.parametrize("number", STOPS)
def test_an_interrupt_may_come_to_another_thread_at_any_step(number: signal.Signals) -> None:
    """No mask keeps it from there. None is lost, and none stays blocked or without its handler."""
    mask = state()[0]
    for step in range(steps_of(-1, number) + 1):
        with pytest.raises(Stopped, match=number.name):
            steps_of(step, number)
        assert mask == state()[0]
        for again in STOPS:
            with pytest.raises(Stopped, match=again.name):
                signal.raise_signal(again)


def test_both_interrupts_are_told() -> None:
    """Whatever the first handler raises."""
    told: list[int] = []

    def tell(number: int, _: object) -> NoReturn:
        told.append(number)
        raise Stopped

    def interrupted() -> None:
        with undisturbed():
            for number in STOPS:
                signal.raise_signal(number)

    for number in STOPS:
        signal.signal(number, tell)
    with pytest.raises(Stopped):
        interrupted()

    assert set(STOPS) == set(told)


def test_what_is_not_handled_stays_so() -> None:
    """Neither the default nor that a signal is ignored is anything to call."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with undisturbed():
        signal.raise_signal(signal.SIGINT)

    assert signal.SIG_IGN == signal.getsignal(signal.SIGINT)


def test_a_handler_from_outside_of_python_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python tells such a one as None, and could not put it back."""
    before = state()
    with monkeypatch.context() as patch:
        patch.setattr(signal, "getsignal", lambda _: None)
        with undisturbed():
            patch.undo()
            assert before[1:] == state()[1:]

    assert before == state()
