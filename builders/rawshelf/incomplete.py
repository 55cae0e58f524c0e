"""What a release lacks or has otherwise: files that it must hold, its archive's end or bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rawshelf.errors import MissingError, SourceError, TruncatedError
from rawshelf.release import Archive, Job, Release
from rawshelf.sources import FOLDER, Source

REMEDY_MISSING = (
    "Restore them from the published release, or pass --allow-missing N to convert what is there; "
    "the manifest then lists what is absent. `rawshelf verify NAME RAW --json` lists all too."
)


def settle_missing(job: Job, missing: Sequence[str], expected: str) -> None:
    """Put what a release lacks into the report, or refuse it.

    Args:
        job: Says how many files may be missing.
        missing: Names of the files, sorted.
        expected: What must be there.

    Raises:
        MissingError: If more is missing than may be; it names all of it.
    """
    if len(missing) > job.allow_missing:
        allowed = f"; at most {job.allow_missing} may be missing" if job.allow_missing else ""
        raise MissingError(
            "The release is incomplete.",
            archive=job.source.url,
            member=missing[0],
            found=f"{len(missing)} files missing",
            expected=f"{expected}{allowed}",
            missing=missing,
            remedy=REMEDY_MISSING,
        )
    job.report.missing += missing


@contextmanager
def told_if_cut(source: Source, release: Release) -> Iterator[None]:
    """Tell how much of a published archive is there where its reading ends too early.

    Raises:
        TruncatedError: In place of one that does not say how large the archive should be.
    """
    try:
        yield
    except TruncatedError as error:
        archive = _named(source, release)
        size = archive and source.size()
        if archive is None or archive.bytes is None or not size or size >= archive.bytes:
            raise
        raise TruncatedError(
            f"The archive is incomplete: got {size:,} of {archive.bytes:,} bytes.",
            archive=error.archive,
            member=error.member,
            found=f"{size:,} bytes; {error.what}",
            expected=f"{archive.bytes:,} bytes, says {archive.bytes_by}",
            remedy=f"Resume the download: curl -L -C - -o {archive.name} {archive.urls[0]}",
        ) from error


def _named(source: Source, release: Release) -> Archive | None:
    """Return the published archive of the same file name: others may be packed anew."""
    name = os.path.basename(source.url)
    return next((each for each in release.archives if each.name == name), None)


def damage_of(description: Mapping[str, object], release: Release) -> Archive | None:
    """Return the published archive that has an input's size and another sha256, if one has.

    What is packed anew never has the very size; what was damaged on its way has.

    Args:
        description: What identifies the input, see `rawshelf.sources.Source.describe`.
        release: The facts about the release.
    """
    if description["kind"] == FOLDER:
        return None
    same = [each for each in release.archives if each.bytes == description["bytes"]]
    known = all(each.sha256 not in (None, description["sha256"]) for each in same)
    return same[0] if same and known else None


def settle_damage(
    source: Source, description: Mapping[str, object], release: Release, *, accept: bool
) -> list[str]:
    """Refuse an archive as large as published that has other bytes, or return a note of it.

    Args:
        source: The release.
        description: What identifies it, see `rawshelf.sources.Source.describe`.
        release: The facts about the release.
        accept: Whether to go on with such an archive.

    Returns:
        What the manifest should say of it; empty for a sound archive.

    Raises:
        SourceError: If it is one and may not be accepted.
    """
    archive = damage_of(description, release)
    if archive is None:
        return []
    found, expected = f"sha256 {description['sha256']}", f"{archive.sha256} ({archive.sha256_by})"
    if not accept:
        raise SourceError(
            "The archive is as large as the published one, but has other bytes.",
            archive=source.url,
            field="sha256",
            found=found,
            expected=expected,
            remedy="Fetch it again: it was damaged or changed. To convert it nevertheless, pass "
            "--accept-unknown-release; the manifest then says so.",
        )
    return [f"accepted as an unknown release: {found} in place of {expected}"]
