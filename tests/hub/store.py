"""Repositories, their commits and the bytes behind them, all in memory."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

# The beginning of the file that the Hub commits to every new dataset repository; the suffixes
# of its full list that the clients of these tests can meet.
LFS_SUFFIXES = (".7z", ".arrow", ".gz", ".jpeg", ".jpg", ".parquet", ".png", ".tar", ".tgz", ".zip")
_GITATTRIBUTES = "".join(
    f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES
)
_COMMIT_ID = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True)
class Entry:
    """A file of a tree, without its bytes.

    Attributes:
        sha256: Of the content.
        size: Of the content, in bytes.
        oid: What git stores under this path: the hash of the blob, for LFS that of the pointer.
        lfs: Whether git holds a pointer only.
    """

    sha256: str
    size: int
    oid: str
    lfs: bool


@dataclass(frozen=True)
class Commit:
    """One commit.

    Attributes:
        id: 40 hexadecimal digits, never used twice.
        title: First line of the message.
        description: The rest of it.
        parent: Commit id, None for the first.
        paths: What was added, changed or deleted.
        author: Name of an account.
        date: When it was made.
        tree: All files after the commit.
    """

    id: str
    title: str
    description: str
    parent: str | None
    paths: tuple[str, ...]
    author: str
    date: datetime
    tree: Mapping[str, Entry] = field(repr=False)


@dataclass
class Repository:
    """A dataset repository.

    Attributes:
        id: As in `owner/name`.
        private: Whether only its owners see it.
        gated: Whether its files are only for those on the list.
        granted: The accounts on that list.
        branches: Head of each branch and each pull request (`refs/pr/1`).
        tags: Commit of each tag.
        history: All commits.
        objects: sha256 of each LFS object that was uploaded here.
    """

    id: str
    private: bool = False
    gated: bool = False
    granted: set[str] = field(default_factory=set)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    history: dict[str, Commit] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)

    @property
    def owner(self) -> str:
        """Name of the user or the organisation."""
        return self.id.partition("/")[0]

    def find(self, revision: str) -> Commit | None:
        """Return the commit that a branch, a tag or a commit id (also abbreviated) names."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        if head := self.branches.get(name) or self.tags.get(name):
            return self.history[head]
        if _COMMIT_ID.fullmatch(name):
            return next((self.history[key] for key in self.history if key.startswith(name)), None)
        return None

    def log(self, commit: Commit) -> Iterator[Commit]:
        """Yield a commit and its ancestors, newest first."""
        step: Commit | None = commit
        while step is not None:
            yield step
            step = None if step.parent is None else self.history[step.parent]

    def commit(
        self,
        branch: str,
        changes: Mapping[str, Entry | None],
        title: str,
        description: str = "",
        author: str = "hub",
    ) -> Commit:
        """Append a commit to a branch and return it.

        Args:
            branch: Which must exist, unless the repository has no commit yet.
            changes: The new entry of each path, None where it goes.
            title: First line of the message.
            description: The rest of it.
            author: Name of an account.
        """
        parent = self.branches.get(branch)
        old = self.history[parent].tree if parent is not None else {}
        tree = dict(old)
        for path, entry in changes.items():
            if entry is None:
                tree.pop(path, None)
            else:
                tree[path] = entry
        made = Commit(
            id=secrets.token_hex(20),
            title=title,
            description=description,
            parent=parent,
            paths=tuple(path for path in changes if tree.get(path) != old.get(path)),
            author=author,
            date=datetime.now(UTC),
            tree=dict(sorted(tree.items())),
        )
        self.history[made.id] = made
        self.branches[branch] = made.id
        return made


class Store:
    """All repositories of one hub, over one content-addressed set of blobs."""

    def __init__(self) -> None:
        """Begin empty."""
        self.repositories: dict[str, Repository] = {}
        self._blobs: dict[str, bytes] = {}

    def create(self, repo_id: str, *, private: bool = False, gated: bool = False) -> Repository:
        """Create a repository with the first commit that the Hub makes by itself."""
        made = Repository(repo_id, private=private, gated=gated)
        entry = self.add(_GITATTRIBUTES.encode(), lfs=False)
        made.commit("main", {".gitattributes": entry}, "initial commit")
        self.repositories[repo_id] = made
        return made

    def add(self, content: bytes, *, lfs: bool) -> Entry:
        """Keep bytes and return their entry."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._blobs[sha256] = content
        return (
            lfs_entry(sha256, len(content))
            if lfs
            else Entry(sha256, len(content), git_blob(content), lfs=False)
        )

    def read(self, entry: Entry) -> bytes | None:
        """Return the bytes of a file, None where only the Xet storage holds them."""
        return self._blobs.get(entry.sha256)

    def size(self, sha256: str) -> int | None:
        """Return the size of a blob in bytes, None if it is not here."""
        content = self._blobs.get(sha256)
        return None if content is None else len(content)


def pointer(sha256: str, size: int) -> bytes:
    """Return the text that git holds in place of an LFS object.

    The format is that of the git-lfs specification, version 1.
    """
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    )


def git_blob(content: bytes) -> str:
    """Return the hash under which git stores bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def lfs_entry(sha256: str, size: int) -> Entry:
    """Return the entry of an LFS object."""
    return Entry(sha256, size, git_blob(pointer(sha256, size)), lfs=True)
