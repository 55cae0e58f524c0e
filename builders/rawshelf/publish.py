"""Pushing a conversion to the Hub: every file and the card in one commit, or nothing.

Contents are sent first, shard by shard, where no reader sees them. Then one commit adds, changes
and deletes; it names the commit that was read before, so that it fails if anybody else was faster.
Whatever then goes wrong, the repository is read again before anything is tried again: a commit
whose answer was lost is found done, a foreign one is taken into account.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from rawshelf.builds import Build, open_build, read_build
from rawshelf.errors import HubError, UsageError, VerificationError
from rawshelf.manifests import MANIFEST
from rawshelf.output import CARD
from rawshelf.parts import Advance, silent
from rawshelf.proposal import (
    ADD,
    CHANGE,
    DELETE,
    Change,
    LocalFile,
    Proposal,
    changes,
    is_restricted,
    local_files,
    refuse_edited_card,
    refuse_foreign,
    refuse_too_many,
    refuse_unfit,
    refuse_visibility,
)
from rawshelf.remote import MAIN, Commit, Remote, State
from rawshelf.retry import Retry
from rawshelf.verify import verify_commit, verify_folder

Confirm = Callable[[Proposal], bool]


@dataclass(frozen=True)
class PushOptions:
    """How to push.

    Attributes:
        public: Who sees the repository: everybody, or (False) some; None creates a private one
            and accepts an existing one, unless that would show what should be private.
        revision: Branch to commit to, created if absent; the main one if None.
        pull_request: Open a pull request instead.
        dry_run: Ask only, change nothing.
        allow_quarantined: Push although rows were set aside.
        allow_incomplete: Push although files of the release were missing.
        overwrite_card: Replace a card that was edited on the Hub.
    """

    public: bool | None = None
    revision: str | None = None
    pull_request: bool = False
    dry_run: bool = False
    allow_quarantined: bool = False
    allow_incomplete: bool = False
    overwrite_card: bool = False


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        proposal: What was to change.
        commit: The commit that holds the conversion; None after a dry run.
        url: Where to see it.
        changed: Whether this push made that commit.
    """

    proposal: Proposal
    commit: str | None
    url: str
    changed: bool

    def to_json(self) -> dict[str, object]:
        """Return the result as plain JSON values."""
        made = {"commit": self.commit, "url": self.url, "changed": self.changed}
        return {**self.proposal.to_json(), **made}


def push(
    out: str,
    repository: str,
    options: PushOptions | None = None,
    *,
    confirm: Confirm,
    api: HfApi | None = None,
    retry: Retry | None = None,
    advance: Advance = silent,
) -> Pushed:
    """Publish a conversion as a dataset repository.

    Args:
        out: Folder of the conversion.
        repository: As ``user/name``; created if absent.
        options: How to push.
        confirm: Shown what would change, under which terms and for whom to see; False ends it.
        api: The client; one with the library's own configuration if None.
        retry: How often to ask again.
        advance: Told of the bytes that are hashed, and sent.

    Raises:
        MissingError: If there is no finished conversion.
        OutputError: If its manifest is of another version.
        VerificationError: If its files are not what the manifest says, or rows are missing.
        UsageError: If options contradict, or it is not confirmed.
        HubError: If the Hub refuses or cannot be reached, or holds what must not be replaced.
    """
    options = options or PushOptions()
    _refuse_options(options)
    remote = Remote(repository, api=api, retry=retry)
    verify_folder(out, advance).require()
    build = open_build(out)
    refuse_unfit(
        build,
        allow_quarantined=options.allow_quarantined,
        allow_incomplete=options.allow_incomplete,
    )
    refuse_too_many(build)
    run = _Push(remote, build, local_files(build, out), options, remote.account(), advance)
    return run.run(confirm)


def _refuse_options(options: PushOptions) -> None:
    if options.pull_request and options.revision is not None:
        raise UsageError(
            "A pull request is made to the main branch.",
            field="revision",
            found=options.revision,
            remedy="Leave out --revision or --pull-request.",
        )


@dataclass(frozen=True)
class _Target:
    """Where a commit goes.

    Attributes:
        state: What is there.
        revision: Branch or reference.
        propose: Whether the commit is to open a pull request.
        url: Of the pull request that is open already, if there is one.
    """

    state: State
    revision: str
    propose: bool
    url: str | None = None


@dataclass(frozen=True)
class _Push:
    """One push.

    Attributes:
        remote: Where to.
        build: What.
        files: Its files.
        options: How.
        author: Whose token it is.
        advance: Told of the bytes that are sent.
        additions: By path, what a commit adds; each remembers whether its content was sent.
    """

    remote: Remote
    build: Build
    files: dict[str, LocalFile]
    options: PushOptions
    author: str
    advance: Advance
    additions: dict[str, CommitOperationAdd] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """First line of the commit, title of a pull request: names the build."""
        return f"Publish {self.build.release.title}, build {self.build.sha256[:12]}"

    def run(self, confirm: Confirm) -> Pushed:
        """Ask, publish, and check what is there then."""
        found = self.remote.state()
        restricted = is_restricted(self.build)
        refuse_visibility(self.remote.url, found, public=self.options.public, hide=restricted)
        private = not self.options.public if found is None else found.private
        target = self._target(found or State("", private, {}))
        earlier = self._earlier(target.state)
        proposal = Proposal(
            url=self.remote.url,
            target="pull request" if self.options.pull_request else target.revision,
            exists=found is not None,
            private=private,
            release=self.build.release,
            restricted=restricted,
            changes=self._changes(target.state, earlier),
        )
        if not proposal.work:
            url = target.url or self.remote.url
            return Pushed(proposal, target.state.commit, url, changed=False)
        if self.options.dry_run:
            return Pushed(proposal, None, self.remote.url, changed=False)
        if not confirm(proposal):
            raise UsageError("Not confirmed; nothing was changed.", remedy="Confirm to push.")
        if found is None:
            self.remote.create(private=private)
        if self.options.revision is not None:
            self.remote.branch(self.options.revision)
        made = self.remote.publish(lambda: self._attempt(earlier, private=private))
        verify_commit(self.remote, made.oid, self.build).require()
        return Pushed(proposal, made.oid, made.url, changed=True)

    def _target(self, main: State) -> _Target:
        """Return where to commit, given the main branch."""
        name = self.options.revision
        if name is not None:
            # A new branch begins with what the main one holds.
            return _Target(self.remote.state(name) or main, name, propose=False)
        if not self.options.pull_request:
            return _Target(main, MAIN, propose=False)
        opened = self.remote.pull_request(self.title, self.author) if main.commit else None
        if opened is None:
            return _Target(main, MAIN, propose=True)
        reference, url = opened
        return _Target(self.remote.state(reference) or main, reference, propose=False, url=url)

    def _earlier(self, state: State) -> Build | None:
        """Return the build that the repository holds."""
        if MANIFEST not in state.files:
            return None
        return read_build(self.remote.read(MANIFEST, state.commit), self.remote.url)

    def _changes(self, state: State, earlier: Build | None) -> tuple[Change, ...]:
        """Return what becomes of each file, unless that must not be.

        Raises:
            HubError: If it must not.
        """
        refuse_foreign(self.remote.url, self.files, state, earlier, self.build)
        found = changes(self.files, state, earlier)
        if Change(CARD, CHANGE, self.files[CARD].bytes) in found:
            self._refuse_edited_card(state, earlier)
        return found

    def _refuse_edited_card(self, state: State, earlier: Build | None) -> None:
        if not self.options.overwrite_card:
            card = self.remote.read(CARD, state.commit)
            refuse_edited_card(self.remote.url, hashlib.sha256(card).hexdigest(), earlier)

    def _attempt(self, earlier: Build | None, *, private: bool) -> Commit:
        """Read, send what is missing, commit."""
        main = self.remote.state()
        if main is None or main.private != private:
            raise self._interfered("The repository is not there, or others see it now.")
        target = self._target(main)
        standing = self._earlier(target.state)
        found = self._changes(target.state, standing)
        work = [change for change in found if change.action in (ADD, CHANGE, DELETE)]
        if not work:
            return Commit(target.state.commit, target.url or self.remote.url)
        if _name(standing) != _name(earlier):
            raise self._interfered("Another build was pushed meanwhile.")
        self._send(work, target)
        made = self.remote.commit(
            [
                CommitOperationDelete(change.path)
                if change.action == DELETE
                else self._addition(change.path)
                for change in work
            ],
            self.title,
            parent=target.state.commit,
            revision=target.revision,
            propose=target.propose,
        )
        return made._replace(url=target.url or made.url)

    def _send(self, work: list[Change], target: _Target) -> None:
        """Send contents, shard by shard; the commit itself takes card and manifest along."""
        shards = [c for c in work if c.action != DELETE and c.path not in (CARD, MANIFEST)]
        total, done = sum(change.bytes for change in shards), 0
        for change in shards:
            addition = self._addition(change.path)
            self.remote.upload(addition, target.revision, propose=target.propose)
            self._refuse_changed(addition)
            done += change.bytes
            self.advance("sending", done, total)

    def _addition(self, path: str) -> CommitOperationAdd:
        """Return what adds a file to a commit; it remembers that the content was sent."""
        if path not in self.additions:
            self.additions[path] = CommitOperationAdd(path, self.files[path].content)
        return self.additions[path]

    def _refuse_changed(self, addition: CommitOperationAdd) -> None:
        """Refuse a shard that is not, by now, what was verified."""
        expected = self.files[addition.path_in_repo].sha256
        found = addition.upload_info.sha256.hex()
        if found != expected:
            raise VerificationError(
                "The conversion changed while it was pushed; nothing was committed.",
                archive=self.build.place,
                member=addition.path_in_repo,
                field="sha256",
                found=found,
                expected=expected,
                remedy="Leave the folder alone while it is pushed, and verify it.",
            )

    def _interfered(self, what: str) -> HubError:
        return HubError(
            f"{what} Nothing was committed.",
            archive=self.remote.url,
            remedy="Look at the repository; run the same command again to replace what it holds.",
        )


def _name(build: Build | None) -> str | None:
    return None if build is None else build.sha256
