"""Faults that a hub is told to make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

from tests.hub.protocol import Reply, Request, json_reply

Cut = Literal["before", "upload", "after", "answer"]

# In the words of the Hub where a client looks at them or shows them to its user.
_MESSAGES = {
    409: "Another commit is being processed. Please retry.",
    412: "A commit has happened since. Please refresh and try again.",
    429: "You have reached the rate limit.",
}


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and with which request.

    The faults of one request add up: all delays, then all foreign commits, then the first cut or
    status. A request with a status, or one cut `before` or in its `upload`, changes nothing.

    Attributes:
        kind: Of endpoint, None for any.
        method: As in `PUT`, None for any.
        nth: The fault begins with the n-th request that matches, from 1, counted from injection.
        request: Instead of all three: the number of the request in the log, from 1.
        times: How many matching requests in a row have the fault.
        delay: Seconds before the request is handled.
        status: Answered instead of handling the request.
        headers: Of that answer.
        cut: Where the connection ends: `before` the request is handled, in the middle of the
            `upload` of its body, `after` it was handled with nothing answered, or in the middle
            of the body of the `answer`.
        foreign: Somebody else's commit to the main branch of the repository, just before the
            request is handled: new content of each path, None deletes it.
    """

    kind: str | None = None
    method: str | None = None
    nth: int = 1
    request: int | None = None
    times: int = 1
    delay: float = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: Cut | None = None
    foreign: Mapping[str, bytes | None] | None = None

    @classmethod
    def rate_limit(
        cls, kind: str | None = None, *, seconds: int = 0, nth: int = 1, times: int = 1
    ) -> Fault:
        """Return a 429 with the headers by which clients know how long to wait.

        Args:
            kind: Of endpoint.
            seconds: Until the limit is lifted; huggingface_hub 2.4 waits one second more.
            nth: See the class.
            times: See the class.
        """
        headers = {
            "RateLimit": f'"api";r=0;t={seconds}',
            "RateLimit-Policy": '"fixed window";"api";q=500;w=300',
            "Retry-After": str(seconds),
        }
        return cls(kind=kind, nth=nth, times=times, status=429, headers=headers)

    def reply(self) -> Reply | None:
        """Return what is answered instead of handling the request."""
        if self.status is None:
            return None
        message = _MESSAGES.get(self.status, "Internal Error - We are working hard to fix this.")
        headers = {"X-Error-Message": message, **self.headers}
        return json_reply({"error": message}, self.status, headers)

    def matches(self, request: Request) -> bool:
        """Return whether a request is one that the fault counts."""
        if self.request is not None:
            return request.number >= self.request
        return self.kind in {None, request.kind} and self.method in {None, request.method}


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: list[tuple[Fault, int]] = []
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        """Let a fault happen."""
        with self._lock:
            self._waiting.append((fault, 0))

    def pending(self) -> list[Fault]:
        """Return those that have not happened as often as they should."""
        with self._lock:
            return [fault for fault, _ in self._waiting]

    def due(self, request: Request) -> list[Fault]:
        """Return the faults of one request, and count it."""
        happening, waiting = [], []
        with self._lock:
            for fault, seen in self._waiting:
                count = seen + fault.matches(request)
                # A fault of one numbered request begins with the first that it counts.
                first = fault.nth if fault.request is None else 1
                if count > seen and count >= first:
                    happening.append(fault)
                if count < first + fault.times - 1:
                    waiting.append((fault, count))
            self._waiting = waiting
        return happening
