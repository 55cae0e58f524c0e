"""The errors a user can meet: message, exit code, and the way through a worker's pickle."""

from __future__ import annotations

import inspect
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from rawshelf import errors
from rawshelf.errors import (
    AnnotationError,
    HubError,
    LabelError,
    MissingError,
    OutputError,
    PredictionError,
    RawshelfError,
    SourceError,
    TruncatedError,
    UsageError,
    VerificationError,
    WorkerError,
)

EXIT_CODES = {
    RawshelfError: 1,
    VerificationError: 1,
    UsageError: 2,
    SourceError: 3,
    TruncatedError: 3,
    AnnotationError: 4,
    LabelError: 4,
    MissingError: 5,
    OutputError: 6,
    HubError: 7,
    WorkerError: 8,
    PredictionError: 9,
}
PARTS = {
    "archive": "a.tar.gz",
    "member": "b.json",
    "field": "kps/3",
    "found": [1, 2],
    "expected": "a point",
    "remedy": "Restore it.",
}
MESSAGE = """It is wrong.
  archive: a.tar.gz
  member: b.json
  field: kps/3
  found: [1, 2]
  expected: a point
  remedy: Restore it."""

every_error = pytest.mark.parametrize("kind", EXIT_CODES)


def raise_error(kind: type[RawshelfError]) -> None:
    """Raise, within a worker."""
    raise kind("It is wrong.", **PARTS)  # type: ignore[arg-type]


def test_every_error_has_an_exit_code() -> None:
    """The table of exit codes covers every error class of the module."""
    kinds = {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, RawshelfError)
    }

    assert set(EXIT_CODES) == kinds
    assert EXIT_CODES == {kind: kind.exit_code for kind in kinds}


@every_error
def test_message_has_all_parts(kind: type[RawshelfError]) -> None:
    """The message says what, where, found, expected and what to do, one part a line."""
    with pytest.raises(kind) as caught:
        raise_error(kind)

    assert MESSAGE == str(caught.value)


@every_error
def test_error_survives_pickling(kind: type[RawshelfError]) -> None:
    """An error is the same behind a pickle."""
    with pytest.raises(kind) as caught:
        raise_error(kind)

    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made one line above

    assert kind is type(again)
    assert MESSAGE == str(again)
    assert caught.value._parts() == again._parts()


def test_error_comes_out_of_a_process() -> None:
    """An error that a worker process raises arrives as it was raised."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(raise_error, MissingError).exception()

    assert isinstance(found, MissingError)
    assert MESSAGE == str(found)


def test_absent_parts_have_no_line() -> None:
    """A message has lines only for what is known."""
    assert "What.\n  remedy: Do." == str(RawshelfError("What.", remedy="Do."))


def test_found_zero_is_shown() -> None:
    """A value that is false is a value."""
    assert "  found: 0\n" in str(RawshelfError("What.", found=0, remedy="Do."))


def test_long_values_are_cut() -> None:
    """A long value is cut, and its length is said."""
    message = str(RawshelfError("What.", found="x" * 1000, remedy="Do."))

    assert f"  found: {'x' * 300}... (1000 characters)\n" in message


def test_message_can_always_be_printed() -> None:
    """A name that is no text is escaped."""
    message = str(RawshelfError("What.", member="a\udcffb", remedy="Do."))

    assert "  member: a\\udcffb\n" in message
    assert message.encode("utf-8")


def test_label_error_is_a_key_error() -> None:
    """An unknown label can be caught as the lookup that it is."""
    with pytest.raises(KeyError):
        raise_error(LabelError)
