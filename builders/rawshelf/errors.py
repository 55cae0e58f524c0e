"""The errors a user can meet, each with its exit code and its remedy.

Exit codes of the command line (also printed by ``rawshelf --help``):

====  ==========================================================================
code  meaning
====  ==========================================================================
0     done, nothing contradicts
1     a check found a difference between what is claimed and what is there
2     the command line is wrong (click)
3     the release cannot be read safely: unknown container, damaged, hostile
4     the release is read, but what an annotation says is wrong
5     files that the release must hold are missing
6     the output cannot be written: foreign files, no space, no permission
7     the Hub refuses, or cannot be reached
8     workers cannot do their work: unreachable, of other versions, lost; shares missing
9     predictions do not fit what they are evaluated on
130   interrupted (Ctrl-C); 143 when terminated. Run the same command to resume
====  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

_LONGEST_VALUE = 300
_MOST_NAMES = 1_000


class RawshelfError(Exception):
    """Root of all errors that rawshelf raises for what a user can mend.

    The message is composed from the parts, in this order: what happened, where (archive,
    member, field), what was found and what was expected, and what to do next.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        archive: str | None = None,
        member: str | None = None,
        field: str | None = None,
        found: object = None,
        expected: object = None,
        remedy: str,
    ) -> None:
        """Compose the message.

        Args:
            what: One sentence, what went wrong.
            archive: The release, archive or folder that was read.
            member: The file within it.
            field: The field within the file, as a path such as ``kps/3``.
            found: What was there.
            expected: What would have been right.
            remedy: One sentence, what the user can do.
        """
        self.what = what
        self.archive = archive
        self.member = member
        self.field = field
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(what, archive, member, field, found, expected, remedy)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword arguments when an executor pickles the error."""
        return (_rebuild, (type(self), self._parts()))

    def _parts(self) -> dict[str, object]:
        names = ("what", "archive", "member", "field", "found", "expected", "remedy")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        """Give the whole message, one part a line."""
        return "\n".join([self.what, *self._lines(), f"  remedy: {self.remedy}"])

    def _lines(self) -> Iterator[str]:
        for name in ("archive", "member", "field", "found", "expected"):
            value = getattr(self, name)
            if value is not None:
                yield f"  {name}: {_shorten(str(value))}"


def _rebuild(kind: type[RawshelfError], parts: dict[str, object]) -> RawshelfError:
    what = str(parts.pop("what"))
    return kind(what, **parts)  # type: ignore[arg-type]


def _shorten(text: str) -> str:
    # A lone surrogate, of a damaged name or text, can be printed nowhere.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= _LONGEST_VALUE:
        return text
    return f"{text[:_LONGEST_VALUE]}... ({len(text)} characters)"


class VerificationError(RawshelfError):
    """A check found a difference between what is claimed and what is there."""


class UsageError(RawshelfError):
    """An argument names something that does not exist: a dataset, a config, a split."""

    exit_code = 2


class SourceError(RawshelfError):
    """The release cannot be read safely: unknown container, damaged or hostile archive."""

    exit_code = 3


class TruncatedError(SourceError):
    """The archive ends before all of it was read: cut short, or damaged."""


class AnnotationError(RawshelfError):
    """A file of the release was read, but what it says is not right."""

    exit_code = 4


class LabelError(AnnotationError, KeyError):
    """A class name or id that the label space does not have."""

    __str__ = RawshelfError.__str__


class MissingError(RawshelfError):
    """Files that the release must hold are not there."""

    exit_code = 5

    def __init__(self, what: str, *, missing: Sequence[str] = (), **parts: Any) -> None:
        """Compose the message.

        Args:
            what: One sentence, what went wrong.
            missing: The names of all these files; the message has one a line.
            **parts: As of every error.
        """
        self.missing = tuple(missing)
        super().__init__(what, **parts)

    def _parts(self) -> dict[str, object]:
        return {**super()._parts(), "missing": self.missing}

    def _lines(self) -> Iterator[str]:
        yield from super()._lines()
        for name in self.missing[:_MOST_NAMES]:
            yield f"  missing: {_shorten(name)}"
        if len(self.missing) > _MOST_NAMES:
            yield f"  missing: and {len(self.missing) - _MOST_NAMES:,} more"


class OutputError(RawshelfError):
    """The output cannot be written, or holds what rawshelf did not write."""

    exit_code = 6


class HubError(RawshelfError):
    """The Hub refuses, or cannot be reached, or holds what must not be replaced unasked."""

    exit_code = 7


class WorkerError(RawshelfError):
    """Workers cannot do what they should: unreachable, different, dead, or not yet done."""

    exit_code = 8


class PredictionError(RawshelfError):
    """Predictions cannot be read, or do not fit what they are evaluated on."""

    exit_code = 9
