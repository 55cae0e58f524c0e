"""Ranges of a remote file for a reader that wants a file: few requests, and few bytes at first.

A row group is read through one window per span of it. A window opens small, because a reader may
want one row only, and doubles with each request, until one request takes a whole row group.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

FIRST_WINDOW = 1 << 20
LARGEST_WINDOW = 64 << 20
_GAP = 1 << 16  # unwanted bytes that cost less than a further request

Span = tuple[int, int]


class Window:
    """How much a request takes; shared by all row groups that one reader takes in turn.

    Attributes:
        size: Bytes.
    """

    def __init__(self) -> None:
        """Begin small."""
        self.size = FIRST_WINDOW

    def take(self) -> int:
        """Return the size for a request; the next is twice as large."""
        size = self.size
        self.size = min(2 * size, LARGEST_WINDOW)
        return size


def spans(chunks: Iterable[Span], window: int) -> list[Span]:
    """Join column chunks into spans that are worth a window of their own.

    Args:
        chunks: First byte, and byte behind the last, of each; they do not overlap.
        window: What one request takes. A chunk larger than that stays alone, smaller neighbours
            are joined up to it.
    """
    joined: list[Span] = []
    for start, stop in sorted(chunks):
        if joined and start - joined[-1][1] <= _GAP and stop - joined[-1][0] <= window:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


class RangeFile:
    """The spans of one row group, as a file that pyarrow reads.

    Attributes:
        closed: Always False: the handle belongs to who opened it.
    """

    closed = False

    def __init__(
        self, handle: IO[bytes], size: int, wanted: Iterable[Span], window: Window
    ) -> None:
        """Fetch nothing yet.

        Args:
            handle: The remote file, opened without any cache.
            size: Of the whole file.
            wanted: See `spans`. Nothing else is read.
            window: What requests take.
        """
        self._handle = handle
        self._size = size
        self._spans = {span: (span[0], b"") for span in wanted}
        self._window = window
        self._position = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to an offset from the start, from here (1), or from the end (2)."""
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def close(self) -> None:
        """Let go of nothing."""

    def read(self, length: int = -1) -> bytes:
        """Return bytes from the position on, fewer only at the end of a span."""
        start = self._position
        span = next(s for s in self._spans if s[0] <= start < s[1])
        stop = span[1] if length < 0 else min(start + length, span[1])
        at, held = self._spans[span]
        if not at <= start <= at + len(held):
            at, held = start, b""
        if stop > at + len(held):
            kept = held[start - at :]
            at, begin = start, start + len(kept)
            held = kept + self._fetch(begin, min(max(stop, begin + self._window.take()), span[1]))
            self._spans[span] = at, held
        self._position = stop
        return held[start - at : stop - at]

    def _fetch(self, start: int, stop: int) -> bytes:
        self._handle.seek(start)
        data = self._handle.read(stop - start)
        if len(data) != stop - start:
            msg = f"{len(data)} bytes instead of {stop - start} from byte {start} on"
            raise OSError(msg)
        return data
