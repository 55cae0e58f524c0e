"""What the tests of a push share: miniature builds, and what a repository should hold."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from huggingface_hub import HfApi

from rawshelf import catalog
from rawshelf.convert import Options, convert
from rawshelf.miniature import pack_tar, pack_zip
from rawshelf.proposal import Proposal
from rawshelf.publish import Pushed, PushOptions, push
from rawshelf.retry import Retry
from tests.hub import Hub
from tests.hub.client import online

__all__ = ["READS", "REPO", "Desk", "agree", "build", "copied", "desk", "local", "written"]

REPO = "me/data"
# What a client asks without changing anything.
READS = frozenset({"whoami", "info", "tree", "resolve", "discussions"})


def build(name: str, folder: Path, *configs: str, order: str = "") -> Path:
    """Return the folder of a converted miniature release."""
    release = catalog.find(name).release
    members = import_module(f"rawshelf.{name}.miniature").members()
    pack = pack_zip if release.archives[0].name.endswith(".zip") else pack_tar
    raw = folder / release.archives[0].name
    if not raw.exists():
        pack(members, raw)
    out = folder / "-".join(("out", *configs, order))
    convert(name, str(raw), str(out), Options(configs, order=order))
    return out


def local(out: Path) -> dict[str, bytes]:
    """Return what a push of a folder should give: all of its files."""
    paths = (path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


def agree(_: Proposal) -> bool:
    """Confirm whatever is proposed."""
    return True


class Desk:
    """Somebody who pushes to a hub of this machine, from this process.

    Attributes:
        hub: The hub.
        token: Of the user `me`.
        waits: Seconds that were asked for between attempts; nobody really waits.
    """

    def __init__(self, hub: Hub) -> None:
        """Sign in."""
        self.hub = hub
        self.token = hub.user("me")
        self.waits: list[float] = []

    def api(self, token: str | None = None) -> HfApi:
        """Return a client."""
        return HfApi(endpoint=self.hub.url, token=token or self.token)

    @property
    def retry(self) -> Retry:
        """Attempts without pauses."""
        return Retry(sleep=self.waits.append)

    def push(
        self, out: Path, options: PushOptions | None = None, *, token: str | None = None
    ) -> Pushed:
        """Push to the repository of all tests."""
        api = self.api(token)
        return push(str(out), REPO, options, confirm=agree, api=api, retry=self.retry)

    def holds(self, out: Path, revision: str = "main") -> set[str]:
        """Check that all files of a build are there as they are, and return the others."""
        expected = local(out)
        found = self.hub.files(REPO, revision)

        assert expected == {path: found[path] for path in expected if path in found}
        assert [] == self.hub.violations
        return set(found) - set(expected) - {".gitattributes"}


@contextmanager
def desk() -> Iterator[Desk]:
    """Open a hub, and sign in."""
    with Hub() as hub, online(hub):
        yield Desk(hub)


def written(hub: Hub) -> list[str]:
    """Return the kinds of all requests since the last reset that may change anything."""
    return [request.kind for request in hub.requests if request.kind not in READS]


def copied(out: Path, folder: Path) -> Path:
    """Return a copy of a build, to be damaged."""
    return Path(shutil.copytree(out, folder / "copy"))
