"""The hub as tests see it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

from tests.hub.accounts import Account
from tests.hub.faults import Fault
from tests.hub.protocol import Request
from tests.hub.service import Service
from tests.hub.store import LFS_SUFFIXES, Commit, Entry
from tests.hub.wire import Server

# Holds a sitecustomize by which a Python process reaches this machine only.
_GUARD = Path(__file__).parent / "guard"


class Hub:
    """A Hub on this machine that unmodified clients accept.

    As on the Hub, a new repository holds one commit with `.gitattributes`. Only dataset
    repositories exist.

    Args:
        page_size: Entries in one page of a listing; the Hub gives 1000.
        xet: A folder in which the Xet client may store what it uploads. The hub then takes
            commits of such files, but cannot give their bytes back.
    """

    def __init__(self, *, page_size: int = 1000, xet: Path | None = None) -> None:
        """Listen on a free port; requests are answered inside of the context."""
        self._server = Server()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._service = Service(self.url, page_size, xet)
        self._server.service = self._service
        self._server.foreign = self._foreign
        # The default poll of half a second is what closing would take.
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="hub")

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all connections.

        Raises:
            RuntimeError: If an endpoint of the hub itself has crashed.
        """
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if self._server.crashes and error is None:
            raise RuntimeError("\n".join(self._server.crashes))

    def user(self, name: str, *, write: bool = True, organisations: tuple[str, ...] = ()) -> str:
        """Return a new token of a user.

        Args:
            name: The namespace of the user.
            write: Whether the token may change anything.
            organisations: Namespaces of which the user is a member.
        """
        with self._service.lock:
            return self._service.accounts.add(Account(name, write, organisations))

    def create(self, repo_id: str, *, private: bool = False, gated: bool = False) -> None:
        """Create a dataset repository."""
        with self._service.lock:
            self._service.store.create(repo_id, private=private, gated=gated)

    def grant(self, repo_id: str, user: str) -> None:
        """Let a user read the files of a gated repository."""
        with self._service.lock:
            self._service.store.repositories[repo_id].granted.add(user)

    def exists(self, repo_id: str) -> bool:
        """Return whether there is such a repository."""
        with self._service.lock:
            return repo_id in self._service.store.repositories

    def private(self, repo_id: str) -> bool:
        """Return whether only its owners see a repository."""
        with self._service.lock:
            return self._service.store.repositories[repo_id].private

    def files(self, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        """Return the content of all files of a revision.

        Raises:
            LookupError: If the bytes of one are in the Xet storage only.
        """
        with self._service.lock:
            found = {}
            for path, entry in self._at(repo_id, revision).tree.items():
                content = self._service.store.read(entry)
                if content is None:
                    raise LookupError(path)
                found[path] = content
            return found

    def commits(self, repo_id: str, revision: str = "main") -> list[Commit]:
        """Return the history of a revision, newest last."""
        with self._service.lock:
            repository = self._service.store.repositories[repo_id]
            return list(repository.log(self._at(repo_id, revision)))[::-1]

    def commit(
        self,
        repo_id: str,
        changes: Mapping[str, bytes | None],
        title: str = "Somebody else's commit",
        branch: str = "main",
    ) -> Commit:
        """Make a commit on the side of the server.

        Args:
            repo_id: Of the repository.
            changes: The new content of each path, None deletes it.
            title: Of the commit.
            branch: Which must exist.
        """
        with self._service.lock:
            repository = self._service.store.repositories[repo_id]
            entries: dict[str, Entry | None] = {}
            for path, content in changes.items():
                entries[path] = None
                if content is not None:
                    lfs = path.endswith(LFS_SUFFIXES)
                    entry = self._service.store.add(content, lfs=lfs)
                    repository.objects |= {entry.sha256} if lfs else set()
                    entries[path] = entry
            return self._service.commit(repository, entries, branch=branch, title=title)

    @property
    def requests(self) -> list[Request]:
        """All requests since the start or the last reset, once none is under way."""
        return self._server.log.settled()

    def reset_requests(self) -> None:
        """Forget all requests; the next has the number 1."""
        self._server.log.reset()

    def inject(self, *faults: Fault) -> None:
        """Let faults happen."""
        for fault in faults:
            self._server.faults.add(fault)

    @property
    def pending(self) -> list[Fault]:
        """The faults that have not happened as often as they should."""
        return self._server.faults.pending()

    @property
    def violations(self) -> list[str]:
        """What was wrong with the main branch of any repository after any commit."""
        with self._service.lock:
            return list(self._service.violations)

    def environment(self, home: Path, token: str | None = None) -> dict[str, str]:
        """Return the environment of a process that has this hub for the Hub.

        Everything else of the network is out of its reach, as far as it is Python's.

        Args:
            home: Folder for all caches; one for each process that must not see what others saw.
            token: Of the user who is signed in.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        path = os.pathsep.join(filter(None, (str(_GUARD), kept.get("PYTHONPATH"))))
        return {
            **kept,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            **({} if token is None else {"HF_TOKEN": token}),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "NO_PROXY": "*",
            "no_proxy": "*",
            "PYTHONPATH": path,
        }

    def _foreign(self, repo_id: str, fault: Fault) -> None:
        self.commit(repo_id, fault.foreign or {})

    def _at(self, repo_id: str, revision: str) -> Commit:
        return self._service.at(self._service.store.repositories[repo_id], revision)
