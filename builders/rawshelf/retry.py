"""Asking a server again: when, how often, and after how long.

`huggingface_hub` raises errors of `requests` up to 0.36, of `httpx` or its successor since. All of
them have a `response` where there was one, and all derive from what its own error derives from.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

Result = TypeVar("Result")

# Of the HTTP library in use, its root included: failures without an answer derive from that alone.
_TRANSPORT = tuple(
    kind
    for kind in HfHubHTTPError.__mro__
    if issubclass(kind, Exception) and kind.__module__ != Exception.__module__
)
# What the client lets out. A failed upload is a RuntimeError around the real one, errors of Xet are
# RuntimeErrors too; a card or an object that is refused, and broken JSON, are ValueErrors.
RAISED: tuple[type[Exception], ...] = (*_TRANSPORT, OSError, RuntimeError, ValueError)

_TEMPORARY = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_SHORT = (*_TRANSPORT, ConnectionError, TimeoutError, RuntimeError, json.JSONDecodeError)
_LONGEST_PAUSE = 30.0  # seconds between two attempts, unless the server asks for more
_LONGEST_ASKED = 310.0  # the Hub counts requests in windows of 300 s; longer is no passing state
# RateLimit: "api";r=0;t=55 says that nothing is left for 55 s (IETF draft, sent by the Hub).
_LIMIT = re.compile(r"\br=0\b.*\bt=(\d+)")


class Retry:
    """Attempts a request several times, with growing random pauses.

    Attributes:
        attempts: How many in all.
    """

    def __init__(
        self,
        attempts: int = 6,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Choose how often to try, and how to wait.

        Args:
            attempts: How many attempts in all.
            sleep: Waits so many seconds.
            jitter: Gives numbers between 0 and 1; each scales a pause to half of it or more.
        """
        self.attempts = attempts
        self._sleep = sleep
        self._jitter = jitter

    def call(self, action: Callable[[], Result], also: frozenset[int] = frozenset()) -> Result:
        """Return what an action returns, as soon as it does.

        Args:
            action: What to attempt; it must bear to be repeated.
            also: Further HTTP statuses after which to try again.

        Raises:
            Exception: One of `RAISED`, that of the last attempt, or one that will not pass.
        """
        for attempt in range(1, self.attempts):
            try:
                return action()
            except RAISED as error:
                pause = self._pause(error, attempt)
                if not _passes(error, also) or pause > _LONGEST_ASKED:
                    raise
                self._sleep(pause)
        return action()

    def _pause(self, error: BaseException, attempt: int) -> float:
        """Return seconds: what the server asks for, or twice as long after each attempt."""
        longest = min(2.0 ** (attempt - 1), _LONGEST_PAUSE)
        return max(_asked(error), longest * (1 + self._jitter()) / 2)


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an error goes back to, or None if there was no answer."""
    response = _response(error)
    return None if response is None else int(response.status_code)


def _passes(error: BaseException, also: frozenset[int]) -> bool:
    status = status_of(error)
    if status is not None:
        return status in _TEMPORARY or status in also
    chain = list(_chain(error))
    if any(isinstance(each, OfflineModeIsEnabled) for each in chain):
        return False
    return any(isinstance(each, _SHORT) for each in chain)


def _asked(error: BaseException) -> float:
    """Return the seconds that the server asks to wait, 0 if it does not."""
    response = _response(error)
    if response is None:
        return 0.0
    limit = _LIMIT.search(response.headers.get("RateLimit", ""))
    after = response.headers.get("Retry-After", "")
    if after.isdigit():
        return float(after)
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
    return float(limit[1]) + 1 if limit else 0.0


def _response(error: BaseException) -> Any:
    found = (getattr(each, "response", None) for each in _chain(error))
    # Compared with None: a response of `requests` is false when it tells of an error.
    return next((each for each in found if each is not None), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
