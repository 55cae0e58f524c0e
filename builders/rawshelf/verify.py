"""A manifest's claims against what is there: in a folder, or on the Hub."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rawshelf.builds import Build, open_build, read_build
from rawshelf.digests import content_digests
from rawshelf.engines import threads
from rawshelf.errors import HubError, VerificationError
from rawshelf.files import file_sha256
from rawshelf.manifests import MANIFEST
from rawshelf.output import CARD, WORK
from rawshelf.parts import Advance, silent
from rawshelf.pools import each
from rawshelf.records import ShardRecord
from rawshelf.remote import Remote, RemoteFile

_NONE = "no such file"


@dataclass(frozen=True)
class Finding:
    """One difference.

    Attributes:
        path: The file, relative to the root.
        what: In what it differs: ``presence``, ``bytes``, ``sha256``, ``rows`` or ``content``.
        found: What is there.
        expected: What the manifest says.
    """

    path: str
    what: str
    found: str
    expected: str


@dataclass
class Verdict:
    """What a verification found.

    Attributes:
        place: What was verified.
        dataset: Name of the dataset.
        build: Hash of the manifest that was believed.
        files: How many shards it names.
        bytes: Their size.
        rows: Their rows.
        differences: Where it is wrong; none if all agrees.
        notes: What is there beside.
        content: Hash of what each ``config/split`` says, see `rawshelf.digests`; only if wanted.
    """

    place: str
    dataset: str
    build: str
    files: int
    bytes: int
    rows: int
    differences: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    content: dict[str, str] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether there is no difference."""
        return not self.differences

    def to_json(self) -> dict[str, object]:
        """Return the verdict as plain JSON values."""
        return {**asdict(self), "agrees": self.agrees}

    def require(self) -> None:
        """Raise the first difference, if there is one.

        Raises:
            VerificationError: If anything differs.
        """
        if self.differences:
            first = self.differences[0]
            raise VerificationError(
                f"{len(self.differences)} differences from the manifest; the first:",
                archive=self.place,
                member=first.path,
                field=first.what,
                found=first.found,
                expected=first.expected,
                remedy="List all with rawshelf verify. Restore the files, or convert again.",
            )


def verify_folder(out: str, advance: Advance = silent, *, content: bool = False) -> Verdict:
    """Compare every file of a conversion with its manifest.

    Args:
        out: The folder.
        advance: Told of the bytes that are hashed.
        content: Whether to hash what the files say too, if all agree.

    Raises:
        MissingError: If there is no manifest.
        OutputError: If the manifest is not one that this version reads.
    """
    build = open_build(out)
    verdict = _verdict(build)
    done = 0

    def check(record: ShardRecord) -> tuple[ShardRecord, list[Finding]]:
        return record, list(_differences(Path(out), record))

    for record, found in each(check, build.records, threads()):
        verdict.differences += found
        done += record.bytes
        advance("hashing", done, build.bytes)
    for path, (size, sha256) in build.assets.items():
        verdict.differences += _hashed(Path(out), path, size, sha256)
    _look_beside(Path(out), build, verdict)
    if content and verdict.agrees:
        verdict.content = content_digests(out, build)
    return verdict


def verify_hub(remote: Remote, revision: str | None = None, out: str | None = None) -> Verdict:
    """Compare every file of a repository with the manifest in it, or with that of a conversion.

    Args:
        remote: The repository.
        revision: Branch, reference or commit; the main branch if None.
        out: Folder of the conversion that it should hold; None believes the repository's manifest.

    Raises:
        HubError: If there is no such repository or revision, or no manifest in it.
        MissingError: If there is no manifest in `out`.
        OutputError: If a manifest is not one that this version reads.
    """
    state = remote.state(revision)
    if state is None or MANIFEST not in state.files:
        raise HubError(
            "There is no published conversion.",
            archive=remote.url,
            member=MANIFEST,
            found="no such repository, revision or file",
            remedy="Check name and revision, and that your token may read it.",
        )
    if out is None:
        build = read_build(remote.read(MANIFEST, state.commit), remote.url)
    else:
        build = open_build(out)
    return verify_commit(remote, state.commit, build, state.files)


def verify_commit(
    remote: Remote, commit: str, build: Build, files: Mapping[str, RemoteFile] | None = None
) -> Verdict:
    """Compare every file of a commit with a build.

    Args:
        remote: The repository.
        commit: The commit.
        build: What it should hold.
        files: The commit's files, if they are known.
    """
    files = remote.files(commit) if files is None else files
    verdict = _verdict(build, place=remote.url)

    def digest(path: str) -> str:
        known = files[path].sha256
        return known or hashlib.sha256(remote.read(path, commit)).hexdigest()

    expected = build.files | {MANIFEST: (len(build.text), build.sha256)}
    for path, (size, sha256) in expected.items():
        if path not in files:
            verdict.differences.append(Finding(path, "presence", _NONE, "a file"))
        else:
            verdict.differences += _compared(path, files[path].bytes, size, digest(path), sha256)
    _note_beside(set(files) - set(expected), build, verdict)
    if CARD in files:
        _note_card(digest(CARD), build, verdict)
    return verdict


def _verdict(build: Build, place: str | None = None) -> Verdict:
    return Verdict(
        place=place or build.place,
        dataset=str(build.manifest.get("dataset")),
        build=build.sha256,
        files=len(build.records),
        bytes=build.bytes,
        rows=sum(record.rows for record in build.records),
    )


def _differences(root: Path, record: ShardRecord) -> Iterator[Finding]:
    yield from _hashed(root, record.path, record.bytes, record.sha256)
    path = root / record.path
    try:
        rows = pq.read_metadata(path).num_rows if path.is_file() else record.rows
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        yield Finding(record.path, "content", reason, "a Parquet file that can be read")
        return
    if rows != record.rows:
        yield Finding(record.path, "rows", f"{rows:,}", f"{record.rows:,}")


def _hashed(root: Path, path: str, size: int, sha256: str) -> Iterator[Finding]:
    """Compare a file's size and hash."""
    if not (root / path).is_file():
        yield Finding(path, "presence", _NONE, "a file")
        return
    try:
        digest, found = file_sha256(str(root / path))
    except OSError as error:
        yield Finding(path, "content", error.strerror or str(error), "a file that can be read")
        return
    yield from _compared(path, found, size, digest, sha256)


def _compared(
    path: str, size: int, expected_size: int, digest: str, expected: str
) -> Iterator[Finding]:
    if size != expected_size:
        yield Finding(path, "bytes", f"{size:,}", f"{expected_size:,}")
    if digest != expected:
        yield Finding(path, "sha256", digest, expected)


def _look_beside(root: Path, build: Build, verdict: Verdict) -> None:
    """Tell of what a folder holds beside the shards."""
    _note_beside(set(_visible(root)) - {*build.files, MANIFEST}, build, verdict)
    if (root / CARD).is_file():
        _note_card(file_sha256(str(root / CARD))[0], build, verdict)
    if (root / WORK).exists():
        verdict.notes.append(f"{WORK} holds what an unfinished conversion left")


def _visible(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        for name in sorted(names):
            if name[0] != ".":
                yield (Path(folder) / name).relative_to(root).as_posix()


def _note_beside(paths: set[str], build: Build, verdict: Verdict) -> None:
    """Sort files that the manifest does not name: those that readers would read are wrong."""
    if CARD not in paths:
        verdict.differences.append(Finding(CARD, "presence", _NONE, "the card"))
    for path in sorted(paths - {CARD}):
        if build.globs(path):
            what = "a file that the card's patterns read"
            verdict.differences.append(Finding(path, "presence", what, _NONE))
        elif not path.startswith("."):
            verdict.notes.append(f"{path} is not part of the conversion")


def _note_card(digest: str, build: Build, verdict: Verdict) -> None:
    if digest != build.card_sha256:
        verdict.notes.append(f"{CARD} was edited since the conversion")
