"""A dataset repository on the Hub: what it holds, and the few requests that change it.

All requests go through the client's public methods. Each is attempted several times; what remains
becomes a `HubError` that says what to do and holds no token.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import (
    GatedRepoError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from rawshelf import published
from rawshelf.errors import HubError, UsageError
from rawshelf.retry import RAISED, Retry, status_of

Result = TypeVar("Result")

MAIN = "main"
_DATASET = "dataset"
# At most 96 characters each, as the client checks too.
_NAME = re.compile(r"[A-Za-z0-9_-][\w.-]{0,95}/[A-Za-z0-9_-][\w.-]{0,95}", re.ASCII)
# Somebody else is writing, or wrote since we read: read again before trying again.
_CONFLICTS = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})
# User access tokens, headers that carry one, and the signed part of storage URLs.
_SECRETS = re.compile(r"hf_\w+|(?<=Bearer )\S+|(?<=\?)X-\S+")
_REMEDY_LOGIN = (
    "Make a token that may write to this repository at https://huggingface.co/settings/tokens and "
    "log in with it: hf auth login."
)
_REMEDY_RESUME = "Run the same command again: it goes on where this one stopped."


class RemoteFile(NamedTuple):
    """One file of a repository.

    Attributes:
        bytes: Its size.
        oid: Its git blob id: of its content, or of the LFS pointer.
        sha256: Hash of its content, known of LFS files only.
    """

    bytes: int
    oid: str
    sha256: str | None


@dataclass(frozen=True)
class State:
    """What a repository holds at one moment.

    Attributes:
        commit: The commit that was read.
        private: Whether only some see it.
        files: All files, by path.
    """

    commit: str
    private: bool
    files: Mapping[str, RemoteFile]


class Commit(NamedTuple):
    """A commit that was made.

    Attributes:
        oid: Its id.
        url: Where to see it: the pull request, if it opened one.
    """

    oid: str
    url: str


class Remote:
    """One dataset repository.

    Attributes:
        name: As ``user/name``.
        url: Where people see it.
    """

    def __init__(self, name: str, *, api: HfApi | None = None, retry: Retry | None = None) -> None:
        """Name the repository; nothing is asked yet.

        Args:
            name: As ``user/name``.
            api: The client; one with the library's own configuration if None.
            retry: How often to ask again.

        Raises:
            UsageError: If this is not a name of a repository.
        """
        _refuse_name(name)
        self.name = name
        self._api = api or HfApi()
        self._retry = retry or Retry()
        self.url = f"{self._api.endpoint}/datasets/{name}"

    def account(self) -> str:
        """Return whose token is in use.

        Raises:
            HubError: If there is none, or it is not valid, or may only read.
        """
        found = self.call("ask who is logged in", self._api.whoami)
        token = found.get("auth", {}).get("accessToken", {})
        if token.get("role") == "read":
            raise self._error("The token may only read.", "a token of role read", _REMEDY_LOGIN)
        return str(found["name"])

    def state(self, revision: str | None = None) -> State | None:
        """Return what the repository holds, or None if it, or the revision, does not exist.

        Args:
            revision: Branch, reference or commit; the main branch if None.
        """
        try:
            info = self._retry.call(
                lambda: self._api.dataset_info(
                    self.name, revision=revision, timeout=published.ANSWER_SECONDS
                )
            )
        except GatedRepoError as error:
            raise self._explain("read the repository", error) from None
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return None
        except RAISED as error:
            raise self._explain("read the repository", error) from None
        return State(str(info.sha), bool(info.private), self.files(str(info.sha)))

    def files(self, commit: str) -> dict[str, RemoteFile]:
        """Return all files of a commit, by path."""

        def tree() -> list[Any]:
            return list(
                self._api.list_repo_tree(
                    self.name, recursive=True, revision=commit, repo_type=_DATASET
                )
            )

        return {
            entry.path: RemoteFile(
                entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None
            )
            for entry in self.call("list the files", tree)
            if isinstance(entry, RepoFile)
        }

    def read(self, path: str, commit: str) -> bytes:
        """Return the content of a small file."""

        def download() -> bytes:
            # Not into the client's cache, which is the user's; nothing is left of this.
            with tempfile.TemporaryDirectory() as folder:
                found = self._api.hf_hub_download(
                    self.name, path, repo_type=_DATASET, revision=commit, local_dir=folder
                )
                return Path(found).read_bytes()

        return self.call(f"read {path}", download)

    def create(self, *, private: bool) -> None:
        """Create the repository, unless it exists."""
        try:
            self._retry.call(
                lambda: self._api.create_repo(self.name, repo_type=_DATASET, private=private)
            )
        except RAISED as error:
            # Also the answer to a second attempt when that to the first was lost. Not `exist_ok`:
            # with it the client stumbles over a conflict of another kind (a KeyError).
            if status_of(error) != HTTPStatus.CONFLICT:
                raise self._explain("create the repository", error) from None

    def branch(self, name: str) -> None:
        """Create a branch that begins at the main one, unless it exists."""
        self.call(
            f"create the branch {name}",
            lambda: self._api.create_branch(
                self.name, branch=name, repo_type=_DATASET, exist_ok=True
            ),
        )

    def pull_request(self, title: str, author: str) -> tuple[str, str] | None:
        """Return reference and URL of an open pull request of this title, if there is one."""

        def search() -> list[Any]:
            return list(
                self._api.get_repo_discussions(
                    self.name,
                    repo_type=_DATASET,
                    discussion_type="pull_request",
                    discussion_status="open",
                )
            )

        for found in self.call("list the pull requests", search):
            if (found.title, found.author) == (title, author):
                return str(found.git_reference), str(found.url)
        return None

    def upload(self, operation: CommitOperationAdd, revision: str, *, propose: bool) -> None:
        """Send one file's content, unless the Hub has it. No reader sees it before a commit."""
        self.call(
            f"send {operation.path_in_repo}",
            lambda: self._api.preupload_lfs_files(
                self.name,
                [operation],
                repo_type=_DATASET,
                revision=revision,
                create_pr=propose,
            ),
        )

    def commit(
        self,
        operations: Sequence[CommitOperationAdd | CommitOperationDelete],
        title: str,
        *,
        parent: str,
        revision: str,
        propose: bool,
    ) -> Commit:
        """Make one commit; try once. Only `publish` may raise what this raises.

        Args:
            operations: What changes.
            title: The commit's first line.
            parent: The commit that it must follow.
            revision: The branch.
            propose: Open a pull request with it instead.

        Raises:
            Exception: One of `rawshelf.retry.RAISED`.
        """
        made = self._api.create_commit(
            self.name,
            operations,
            commit_message=title,
            repo_type=_DATASET,
            revision=revision,
            parent_commit=parent,
            create_pr=propose,
        )
        return Commit(str(made.oid), str(made.pr_url if propose else made.commit_url))

    def publish(self, attempt: Callable[[], Result]) -> Result:
        """Repeat what reads the repository, and then commits to it, until that goes through.

        A commit that another one came before, or whose answer was lost, is never sent again as it
        stands: the attempt reads first.
        """
        try:
            return self._retry.call(attempt, _CONFLICTS)
        except RAISED as error:
            raise self._explain("commit", error) from None

    def call(self, what: str, action: Callable[[], Result]) -> Result:
        """Return what a request returns, trying again while that may help.

        Raises:
            HubError: If it does not.
        """
        try:
            return self._retry.call(action)
        except RAISED as error:
            raise self._explain(what, error) from None

    def _explain(self, what: str, error: Exception) -> HubError:
        # A failed upload says which file only; why, says its cause.
        cause = error.__cause__ if isinstance(error, RuntimeError) else None
        text = " ".join(f"{type(cause or error).__name__}: {cause or error}".split())
        for secret in (self._api.token, get_token()):
            if isinstance(secret, str) and secret:
                text = text.replace(secret, "***")
        happened, remedy = _reason(what, error)
        return self._error(happened, _SECRETS.sub("***", text), remedy)

    def _error(self, what: str, found: str, remedy: str) -> HubError:
        return HubError(what, archive=self.url, found=found, remedy=remedy)


def _reason(what: str, error: Exception) -> tuple[str, str]:
    """Say why a request failed for good, and what the user can do."""
    status = status_of(error) or 0
    if isinstance(error, LocalTokenNotFoundError):
        return "Nobody is logged in to the Hub.", _REMEDY_LOGIN
    if isinstance(error, GatedRepoError):
        return "The repository is gated.", "Ask for access on its page, or choose one of your own."
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        return f"The Hub does not let this token {what}.", _REMEDY_LOGIN
    if status in _CONFLICTS:
        return "Others kept changing the repository; nothing was committed.", _REMEDY_RESUME
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.TOO_MANY_REQUESTS:
        return f"The Hub refuses to {what}.", f"Mend what the answer names. {_REMEDY_RESUME}"
    return f"The Hub could not be made to {what}.", _REMEDY_RESUME


def _refuse_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            "This is not the name of a repository.",
            found=name,
            expected="USER/REPO, of letters, digits, '-', '_' and '.'",
            remedy="Name it as in the address https://huggingface.co/datasets/USER/REPO.",
        )
