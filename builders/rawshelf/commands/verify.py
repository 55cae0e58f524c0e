"""Claimed against observed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
from huggingface_hub.utils.tqdm import disable_progress_bars

from rawshelf.commands.progress import bytes_bar, size
from rawshelf.errors import UsageError
from rawshelf.remote import Remote
from rawshelf.verify import Verdict, verify_folder, verify_hub


@click.command("verify")
@click.argument("targets", metavar="[OUT]", nargs=-1)
@click.option("--hub", metavar="USER/REPO", help="Verify this repository; against OUT if given.")
@click.option("--revision", help="Branch, reference or commit of the repository.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def verify_command(
    context: click.Context,
    targets: tuple[str, ...],
    *,
    hub: str | None,
    revision: str | None,
    as_json: bool,
) -> None:
    """Compare every file of the conversion OUT with its manifest.

    With --hub, compare a published repository with the manifest in it, or with that of OUT, which
    is compared too. Exit code 1 tells of a difference.
    """
    verdicts = list(_verdicts(_only(targets), hub, revision))
    if as_json:
        click.echo(json.dumps([verdict.to_json() for verdict in verdicts], ensure_ascii=False))
    else:
        click.echo("\n".join(line for verdict in verdicts for line in _lines(verdict)))
    context.exit(0 if all(verdict.agrees for verdict in verdicts) else 1)


def _only(targets: tuple[str, ...]) -> str | None:
    if len(targets) > 1:
        raise UsageError(
            "One conversion is verified at a time.",
            found=" ".join(targets),
            remedy="Name one folder.",
        )
    return targets[0] if targets else None


def _verdicts(out: str | None, hub: str | None, revision: str | None) -> Iterator[Verdict]:
    if out is None and hub is None:
        raise UsageError(
            "Nothing to verify.", remedy="Name a conversion's folder, or --hub USER/REPO."
        )
    if hub is None and revision is not None:
        raise UsageError("A folder has no revisions.", remedy="Add --hub USER/REPO.")
    if out is not None:
        with bytes_bar() as bar:
            yield verify_folder(out, bar.advance)
    if hub is not None:
        disable_progress_bars()
        yield verify_hub(Remote(hub), revision, out)


def _lines(verdict: Verdict) -> Iterator[str]:
    """Yield a verdict for people: a line that sums up, then one for each difference and note."""
    summary = f"{verdict.files:,} files, {verdict.rows:,} rows, {size(verdict.bytes)}"
    yield f"{verdict.place}: {verdict.dataset}, build {verdict.build[:12]}: {summary}"
    for found in verdict.differences:
        yield f"  DIFFERS {found.path}: {found.what}"
        yield f"    found    {found.found}"
        yield f"    expected {found.expected}"
    for note in verdict.notes:
        yield f"  note: {note}"
    wrong = len({found.path for found in verdict.differences})
    yield "  all agree" if verdict.agrees else f"  {wrong:,} files differ from the manifest"
