"""The state of a hub, and what all endpoints ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import RLock

from tests.hub.accounts import (
    Account,
    Accounts,
    check_signed_in,
    check_visible,
    check_writable,
)
from tests.hub.invariants import violations
from tests.hub.protocol import Call, Refusal
from tests.hub.store import Commit, Entry, Repository, Store


class XetStorage:
    """The folder in which the Xet client keeps chunks when it is given a `local://` address."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, which must exist."""
        self.folder = folder

    def holds(self, sha256: str) -> bool:
        """Return whether a file with this hash was uploaded.

        Shards of the Xet protocol carry the sha256 of each file as four little-endian words.
        """
        words = bytes.fromhex(sha256)
        stored = b"".join(words[at : at + 8][::-1] for at in range(0, 32, 8))
        return any(stored in shard.read_bytes() for shard in self.folder.rglob("shards/*.mdb"))


class Service:
    """Repositories, accounts and what went wrong.

    Attributes:
        url: Where the hub is.
        page_size: Entries in one page of a listing.
        lock: Held by whoever looks at or changes the state.
        store: The repositories.
        accounts: The tokens.
        xet: Where the Xet client uploads to, None if it is not to be used.
        violations: See `tests.hub.invariants`, each with repository and commit.
    """

    def __init__(self, url: str, page_size: int, xet: Path | None) -> None:
        """Begin with nothing."""
        self.url = url
        self.page_size = page_size
        self.lock = RLock()
        self.store = Store()
        self.accounts = Accounts()
        self.xet = None if xet is None else XetStorage(xet)
        self.violations: list[str] = []

    def account(self, call: Call) -> Account | None:
        """Return who calls, None if nobody in particular."""
        return self.accounts.identify(call.headers.get("authorization"))

    def repository(self, call: Call) -> tuple[Repository, Account | None]:
        """Return the repository of a call that the caller may see."""
        account = self.account(call)
        return check_visible(self.store.repositories.get(call.place["repo"]), account), account

    def writable(self, call: Call) -> Repository:
        """Return the repository of a call that the caller may change."""
        repository, account = self.repository(call)
        check_writable(repository.owner, account)
        return repository

    def proposable(self, call: Call) -> Repository:
        """Return the same; for a pull request it is enough to see the repository."""
        if not call.flag("create_pr"):
            return self.writable(call)
        repository, account = self.repository(call)
        check_writable(check_signed_in(account).name, account)
        return repository

    def at(self, repository: Repository, revision: str) -> Commit:
        """Return the commit of a revision."""
        commit = repository.find(revision)
        if commit is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def commit_of(self, call: Call) -> tuple[Repository, Commit]:
        """Return repository and commit of a call, the head of main where none is named."""
        repository, _ = self.repository(call)
        return repository, self.at(repository, call.place.get("revision") or "main")

    def commit(
        self,
        repository: Repository,
        changes: Mapping[str, Entry | None],
        *,
        branch: str,
        title: str,
        description: str = "",
        author: str = "hub",
    ) -> Commit:
        """Make a commit and check what main then holds."""
        made = repository.commit(branch, changes, title, description, author)
        if branch == "main":
            self.violations += [
                f"{repository.id}@{made.id[:7]} ({title}): {found}"
                for found in violations(made.tree, self.store.read)
            ]
        return made
