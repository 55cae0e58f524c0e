"""What refuses a conversion: too little, too much, or not as it was."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rawshelf.errors import AnnotationError, MissingError, OutputError, SourceError
from rawshelf.output import Output
from rawshelf.plan import ShardTask
from rawshelf.report import Report
from rawshelf.sources import Source

_REMEDY_SPACE = "Free space or choose another disk, then run the same command: it resumes."
_REMEDY_READ = "Check the path, and that you may read it; then run the same command: it resumes."


@contextmanager
def explained(out: str) -> Iterator[None]:
    """Turn what the operating system refuses while a conversion runs into an error of ours.

    Raises:
        OutputError, SourceError: In place of an `OSError`, by the place that it names.
    """
    try:
        yield
    except OSError as error:
        raise _explain(error, out) from error


@contextmanager
def explained_aside(folder: str) -> Iterator[None]:
    """Turn what the operating system refuses while a release is looked at into an error of ours.

    Args:
        folder: Of temporary files, which is all that is written.

    Raises:
        OutputError: If they cannot be written.
        SourceError: If the release cannot be read.
    """
    try:
        yield
    except OSError as error:
        place, found = str(error.filename or folder), error.strerror or str(error)
        if _is_in(place, folder):
            raise OutputError(
                "A temporary file cannot be written.",
                archive=folder,
                found=f"{found}; {_free(folder)}",
                remedy="Free space, or name another folder for temporary files: TMPDIR=FOLDER.",
            ) from error
        raise SourceError(
            "The release cannot be read.",
            archive=place,
            found=found,
            remedy="Check the path, and that you may read it.",
        ) from error


def refuse_empty(found: Sequence[object], source: Source) -> None:
    """Refuse a release without rows."""
    if not found:
        raise MissingError(
            "The release gives no rows at all.",
            archive=source.url,
            found="no row in any config or split",
            remedy="Check that this is the release of the dataset that you named.",
        )


def refuse_quarantine(report: Report, source: Source) -> None:
    """Refuse rows set aside."""
    if report.quarantine:
        first = report.quarantine[0]
        raise AnnotationError(
            "Rows would have to be set aside, and --strict forbids that.",
            archive=source.url,
            member=first.member,
            found=f"{len(report.quarantine)} rows; the first: {first.reason}",
            expected="no row set aside",
            remedy="Restore the files from the published release, or convert without --strict.",
        )


def changed(source: Source) -> SourceError:
    """Build the error for a release that is not as it was."""
    return SourceError(
        "The release changed while it was read.",
        archive=source.url,
        found="other sizes or modification times than at the start",
        remedy="Leave the release unchanged while it is read, and run the command again.",
    )


def refuse_full(tasks: list[ShardTask], output: Output) -> None:
    """Refuse an output without space for the shards."""
    needed, free = sum(task.size for task in tasks), shutil.disk_usage(output.work).free
    if needed > free:
        raise OutputError(
            "There is not enough space for the output.",
            archive=str(output.root),
            found=f"{free:,} bytes free",
            expected=f"about {needed:,} bytes",
            remedy=_REMEDY_SPACE,
        )


def _explain(error: OSError, out: str) -> OutputError | SourceError:
    root = os.path.abspath(out)
    place = str(error.filename) if error.filename else root
    found = error.strerror or str(error)
    # A folder above the output can be at fault too: one of that name may be a file.
    if not _is_in(place, root) and not _is_in(root, place):
        return SourceError(
            "The release cannot be read.", archive=place, found=found, remedy=_REMEDY_READ
        )
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return OutputError(
        "The output cannot be written.",
        archive=out,
        member=os.path.relpath(place, root) if place != root else None,
        found=f"{found}; {_free(root)}" if full else found,
        remedy=_REMEDY_SPACE if full else "Check that the folder can be written.",
    )


def _is_in(place: str, folder: str) -> bool:
    """Tell whether a place is a folder or within it; a release often has the output's name."""
    folder = os.path.abspath(folder)
    return os.path.commonpath([folder, os.path.abspath(place)]) == folder


def _free(root: str) -> str:
    while not os.path.exists(root):
        root = os.path.dirname(root)
    return f"{shutil.disk_usage(root).free:,} bytes free"
