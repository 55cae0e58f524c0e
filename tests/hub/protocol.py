"""What passes between the wire and the endpoints: calls, replies, refusals and the log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition
from typing import Any
from urllib.parse import parse_qs

# Longest wait for the ends of requests that a client has given up.
_SETTLE_SECONDS = 30


@dataclass(frozen=True)
class Call:
    """A request that was read whole.

    Attributes:
        method: As in `GET`.
        place: The named parts of the path, unquoted: `repo`, `revision`, `path`, `oid`.
        query: The part after the question mark, undecoded.
        headers: By lower-case name.
        body: All of it, without transfer encoding.
    """

    method: str
    place: Mapping[str, str]
    query: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body.

        Raises:
            Refusal: If it is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Refusal(400, f"Not JSON: {error}") from error

    def option(self, name: str) -> str | None:
        """Return the last value of a query parameter."""
        return parse_qs(self.query).get(name, [None])[-1]

    def flag(self, name: str) -> bool:
        """Return whether a query parameter is set."""
        return (self.option(name) or "").lower() in {"1", "true"}


@dataclass(frozen=True)
class Reply:
    """What is answered; of a reply to HEAD the wire sends the length of the body only."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a reply that holds JSON."""
    return Reply(
        status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})}
    )


class Refusal(Exception):  # noqa: N818 - the Hub refuses; nothing has gone wrong in it
    """A request that the Hub answers with an error.

    Args:
        status: HTTP status, 4xx.
        message: In a sentence, sent in the body and in `X-Error-Message`.
        code: `X-Error-Code`, by which clients choose the class of their exception.
        headers: Further headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep what is answered."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}

    def reply(self) -> Reply:
        """Return the answer."""
        headers = {"X-Error-Message": str(self), **self.headers}
        if self.code is not None:
            headers["X-Error-Code"] = self.code
        return json_reply({"error": str(self)}, self.status, headers)


@dataclass
class Request:
    """A line of the log.

    Attributes:
        number: From 1, since the start or the last reset.
        method: As in `GET`.
        kind: Of the endpoint, see `tests.hub.routing`; `unknown` where there is none.
        path: With the query, as it was sent.
        range: The header `Range`.
        status: What was answered; None while it is not, and where the connection was cut before.
        received: Bytes of the body that were read.
        sent: Bytes of the body that were sent.
    """

    number: int
    method: str
    kind: str
    path: str
    range: str | None
    status: int | None = None
    received: int = 0
    sent: int = 0


class Log:
    """All requests in the order in which they came."""

    def __init__(self) -> None:
        """Begin empty."""
        self._requests: list[Request] = []
        self._open = 0
        self._settled = Condition()

    @contextmanager
    def entry(self, method: str, kind: str, path: str, range_: str | None) -> Iterator[Request]:
        """Note a request, which lasts as long as the context."""
        with self._settled:
            request = Request(len(self._requests) + 1, method, kind, path, range_)
            self._requests.append(request)
            self._open += 1
        try:
            yield request
        finally:
            with self._settled:
                self._open -= 1
                self._settled.notify_all()

    def settled(self) -> list[Request]:
        """Return the requests once none is under way.

        A client has its answer a moment before the server has written down that it was sent.
        """
        with self._settled:
            self._settled.wait_for(lambda: self._open == 0, _SETTLE_SECONDS)
            return list(self._requests)

    def reset(self) -> None:
        """Forget all requests."""
        with self._settled:
            self._settled.wait_for(lambda: self._open == 0, _SETTLE_SECONDS)
            self._requests.clear()
