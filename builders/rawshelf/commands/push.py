"""From a conversion to a repository on the Hub."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import click
from huggingface_hub.utils.tqdm import disable_progress_bars

from rawshelf.commands.progress import bytes_bar, size
from rawshelf.errors import UsageError
from rawshelf.proposal import DELETE, Proposal
from rawshelf.publish import Pushed, PushOptions, push


@click.command("push")
@click.argument("out")
@click.argument("repository", metavar="USER/REPO")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option(
    "--private/--public",
    "private",
    default=None,
    help="Who sees it. New repositories are private unless you say otherwise.",
)
@click.option("--have-rights", is_flag=True, help="You have settled the right to make it public.")
@click.option("--revision", help="Commit to this branch; created if absent.")
@click.option("--pull-request", is_flag=True, help="Open a pull request instead.")
@click.option("--overwrite-card", is_flag=True, help="Replace a card that was edited on the Hub.")
@click.option("--allow-quarantined", is_flag=True, help="Push although rows were set aside.")
@click.option("--allow-incomplete", is_flag=True, help="Push although files were missing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def push_command(
    out: str,
    repository: str,
    *,
    dry_run: bool,
    private: bool | None,
    have_rights: bool,
    revision: str | None,
    pull_request: bool,
    overwrite_card: bool,
    allow_quarantined: bool,
    allow_incomplete: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Publish the conversion OUT as the dataset repository USER/REPO.

    Everything appears in one commit. Run the same command again to resume an interrupted push:
    what the Hub has is not sent again. Log in first: hf auth login.
    """
    options = PushOptions(
        public=None if private is None else not private,
        revision=revision,
        pull_request=pull_request,
        dry_run=dry_run,
        allow_quarantined=allow_quarantined,
        allow_incomplete=allow_incomplete,
        overwrite_card=overwrite_card,
    )
    disable_progress_bars()  # the client's own, one for each file
    with bytes_bar() as bar:

        def confirm(proposal: Proposal) -> bool:
            bar.clear()
            click.echo("\n".join(_lines(proposal)), err=True)  # the result alone goes to stdout
            return _confirmed(proposal, yes=yes, have_rights=have_rights)

        done = push(out, repository, options, confirm=confirm, advance=bar.advance)
    if as_json:
        click.echo(json.dumps(done.to_json(), ensure_ascii=False))
        return
    _tell(done)


def _lines(proposal: Proposal) -> Iterator[str]:
    """Yield place, terms and changes for people."""
    seen = "private" if proposal.private else "PUBLIC"
    state = "exists" if proposal.exists else "new"
    yield f"{proposal.release.title} -> {proposal.url} ({proposal.target}; {state}, {seen})"
    yield f"Terms: {proposal.release.licence}"
    for change in proposal.work:
        yield f"  {change.action:8}{change.path}  {size(change.bytes)}"
    counts = ", ".join(f"{action} {count:,}" for action, count in proposal.counts.items())
    yield f"Files: {counts}; {size(proposal.bytes)} to send at most."
    if proposal.counts[DELETE]:
        yield "Deleted are only files that an earlier push put there."


def _confirmed(proposal: Proposal, *, yes: bool, have_rights: bool) -> bool:
    """Ask, or take the options for the answer.

    Raises:
        UsageError: If nobody is there to answer.
    """
    risky = proposal.restricted and not proposal.private
    if yes and (have_rights or not risky):
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "Nobody is there to confirm the push; nothing was changed.",
            found="no terminal",
            expected="--yes --have-rights" if risky else "--yes",
            remedy="Read the terms above, then pass what is expected.",
        )
    if risky and not have_rights:
        return click.confirm(
            "Everybody will see images that nobody has licensed for redistribution. Do you have "
            "the right to publish them?",
            err=True,
        )
    return click.confirm("Push?", err=True)


def _tell(done: Pushed) -> None:
    if done.commit is None:
        click.echo("\n".join([*_lines(done.proposal), "Dry run: nothing was changed."]))
    elif done.changed:
        click.echo(f"Published, and every file checked: {done.url}")
    else:
        click.echo(f"Nothing to do: {done.url} holds this conversion (commit {done.commit}).")
