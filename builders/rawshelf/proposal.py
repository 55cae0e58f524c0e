"""What a push would change in a repository, and when it must not."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rawshelf.builds import Build
from rawshelf.errors import HubError, UsageError, VerificationError
from rawshelf.manifests import MANIFEST
from rawshelf.output import CARD
from rawshelf.release import Release
from rawshelf.remote import RemoteFile, State

ADD, CHANGE, KEEP, DELETE = "add", "change", "keep", "delete"

# Stated for `create_commit` by the documentation of huggingface_hub 0.36 and 2.4.
_MOST_FILES = 25_000


@dataclass(frozen=True)
class LocalFile:
    """One file to publish.

    Attributes:
        content: The file, or its bytes, where they must not change before they are sent.
        bytes: Its size.
        sha256: Its hash.
    """

    content: Path | bytes
    bytes: int
    sha256: str

    def equals(self, there: RemoteFile) -> bool:
        """Tell whether a file of the repository has the same content."""
        if self.bytes != there.bytes:
            return False
        if there.sha256 is not None:
            return self.sha256 == there.sha256
        return self._git_oid() == there.oid

    def _git_oid(self) -> str:
        """Return the id that git gives the content; only small files are not in LFS."""
        data = self.content if isinstance(self.content, bytes) else self.content.read_bytes()
        digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
        digest.update(data)
        return digest.hexdigest()


class Change(NamedTuple):
    """What becomes of one file.

    Attributes:
        path: Relative to the root.
        action: ``add``, ``change``, ``keep`` or ``delete``.
        bytes: Its size, after the push if it is there then.
    """

    path: str
    action: str
    bytes: int


@dataclass(frozen=True)
class Proposal:
    """What a push would do.

    Attributes:
        url: Of the repository.
        target: Branch, or ``pull request``.
        exists: Whether the repository does.
        private: Whether only some see it, now or once it is created.
        release: What was converted.
        restricted: Whether it holds images that nobody has licensed for redistribution.
        changes: What becomes of each file, those that others put there left out.
    """

    url: str
    target: str
    exists: bool
    private: bool
    release: Release
    restricted: bool
    changes: tuple[Change, ...]

    @property
    def work(self) -> tuple[Change, ...]:
        """The changes that are any."""
        return tuple(change for change in self.changes if change.action != KEEP)

    @property
    def counts(self) -> dict[str, int]:
        """How many files are added, changed, kept and deleted."""
        found = Counter(change.action for change in self.changes)
        return {action: found[action] for action in (ADD, CHANGE, KEEP, DELETE)}

    @property
    def bytes(self) -> int:
        """Size of what is added and changed: at most so much is sent."""
        return sum(change.bytes for change in self.changes if change.action in (ADD, CHANGE))

    def to_json(self) -> dict[str, object]:
        """Return the proposal as plain JSON values."""
        return {
            "repository": self.url,
            "target": self.target,
            "exists": self.exists,
            "private": self.private,
            "dataset": self.release.name,
            "terms": self.release.licence,
            "restricted": self.restricted,
            "counts": self.counts,
            "bytes": self.bytes,
            "changes": [change._asdict() for change in self.changes],
        }


def local_files(build: Build, out: str) -> dict[str, LocalFile]:
    """Return what is to be published, by path: shards, pictures, card and manifest."""
    root = Path(out)
    files = {
        path: LocalFile(root / path, size, sha256) for path, (size, sha256) in build.files.items()
    }
    files[CARD] = _held((root / CARD).read_bytes())
    files[MANIFEST] = _held(build.text)
    return files


def _held(content: bytes) -> LocalFile:
    return LocalFile(content, len(content), hashlib.sha256(content).hexdigest())


def changes(
    local: Mapping[str, LocalFile], state: State, earlier: Build | None
) -> tuple[Change, ...]:
    """Return what becomes of each file.

    Args:
        local: What is to be published.
        state: What the repository holds.
        earlier: The build that it holds. Only what this one lists is ever deleted.
    """
    found = [
        Change(path, _action(file, state.files.get(path)), file.bytes)
        for path, file in local.items()
    ]
    stale = set(earlier.files) - set(local) if earlier else set()
    found += [
        Change(path, DELETE, state.files[path].bytes) for path in stale if path in state.files
    ]
    return tuple(sorted(found))


def _action(file: LocalFile, there: RemoteFile | None) -> str:
    if there is None:
        return ADD
    return KEEP if file.equals(there) else CHANGE


def is_restricted(build: Build) -> bool:
    """Tell whether a build holds images that nobody has licensed for redistribution."""
    return build.release.private and not build.configs <= set(build.release.shareable)


def refuse_unfit(build: Build, *, allow_quarantined: bool, allow_incomplete: bool) -> None:
    """Refuse a build that does not hold every row of its release.

    Raises:
        VerificationError: If rows were set aside, or files of the release missing.
    """
    report = build.manifest.get("report") or {}
    gaps = (
        ("quarantine", "Rows were set aside.", "--allow-quarantined", allow_quarantined),
        ("missing", "Files of the release were missing.", "--allow-incomplete", allow_incomplete),
    )
    for field, what, option, allowed in gaps:
        if report.get(field) and not allowed:
            raise VerificationError(
                f"{what} A published copy should have every row.",
                archive=build.place,
                member=MANIFEST,
                field=f"report/{field}",
                found=f"{len(report[field])}; the first: {report[field][0]}",
                expected="none",
                remedy=f"Convert the whole release, or pass {option}: the card states the number.",
            )


def refuse_too_many(build: Build) -> None:
    """Refuse what does not fit into one commit, before anything is sent.

    Raises:
        UsageError: If there are too many files.
    """
    if len(build.files) > _MOST_FILES:
        raise UsageError(
            "One commit does not hold so many files, and two would show a half-made dataset.",
            archive=build.place,
            found=f"{len(build.files):,} files",
            expected=f"at most {_MOST_FILES:,}",
            remedy="Push configs as repositories of their own: rawshelf convert --config.",
        )


def refuse_visibility(url: str, state: State | None, *, public: bool | None, hide: bool) -> None:
    """Refuse to go against what the user asked for: who sees a repository is never changed.

    Args:
        url: Of the repository.
        state: What it is, None if it does not exist.
        public: What the user asked for, None for nothing.
        hide: Whether the content should be private unless the user asks otherwise.

    Raises:
        HubError: If the repository is not as private, or as public, as it should be.
    """
    if state is None:
        return
    wanted = not public if public is not None else (state.private or hide)
    if wanted != state.private:
        names = {True: "private", False: "public"}
        raise HubError(
            f"The repository is {names[state.private]}; who sees it is not changed by a push.",
            archive=url,
            found=names[state.private],
            expected=names[wanted],
            remedy=f"Change it at {url}/settings, choose another repository, or say that you mean "
            f"it: --{names[state.private]}.",
        )


def refuse_foreign(
    url: str, local: Mapping[str, LocalFile], state: State, earlier: Build | None, build: Build
) -> None:
    """Refuse a repository with another dataset, or with files that the card would read.

    Raises:
        HubError: If there are any.
    """
    dataset = build.manifest["dataset"]
    if earlier is not None and earlier.manifest.get("dataset") != dataset:
        raise HubError(
            "The repository holds another dataset.",
            archive=url,
            member=MANIFEST,
            found=earlier.manifest.get("dataset"),
            expected=dataset,
            remedy="Choose another repository.",
        )
    ours = set(local) | set(earlier.files if earlier else ())
    foreign = sorted(path for path in set(state.files) - ours if build.globs(path))
    if foreign:
        raise HubError(
            "The repository holds files that rawshelf did not put there and the card would read.",
            archive=url,
            member=foreign[0],
            found=f"{len(foreign)} such files",
            remedy="Delete them on the Hub, or choose another repository.",
        )


def refuse_edited_card(url: str, found: str, earlier: Build | None) -> None:
    """Refuse to overwrite a card that is not as a conversion wrote it.

    Args:
        url: Of the repository.
        found: Hash of the card there.
        earlier: The build there.

    Raises:
        HubError: If somebody edited or wrote it.
    """
    expected = earlier.card_sha256 if earlier else None
    if found != expected:
        raise HubError(
            "The card on the Hub is not as a conversion wrote it; a push would lose its text.",
            archive=url,
            member=CARD,
            found=found,
            expected=expected or "no card",
            remedy="Keep its text and pass --overwrite-card, or put it into the README.md that you "
            "push.",
        )
