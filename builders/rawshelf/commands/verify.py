"""Claimed against observed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from huggingface_hub.utils.tqdm import disable_progress_bars
from tqdm import tqdm

from rawshelf.commands import checks
from rawshelf.commands.progress import bytes_bar, size
from rawshelf.errors import OutputError, UsageError
from rawshelf.files import publish
from rawshelf.memory import settle
from rawshelf.remote import Remote
from rawshelf.report import printable
from rawshelf.verification import Verification, verify_release
from rawshelf.verify import Verdict, verify_folder, verify_hub


@click.command("verify")
@click.argument("targets", metavar="OUT | NAME RAW", nargs=-1)
@click.option("--hub", metavar="USER/REPO", help="Verify this repository; against OUT if given.")
@click.option("--revision", help="Branch, reference or commit of the repository.")
@click.option(
    "--content", is_flag=True, help="Of OUT: hash what it says, whatever version wrote it."
)
@click.option("--deep", is_flag=True, help="Of RAW: decode every image.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Of RAW: processes that look at images; 1 uses threads instead.",
)
@click.option(
    "--json",
    "json_file",
    metavar="[FILE]",
    is_flag=False,
    flag_value="-",
    help="Write the findings as JSON to this file too; alone or as - to standard output instead.",
)
@click.pass_context
def verify_command(
    context: click.Context,
    targets: tuple[str, ...],
    *,
    hub: str | None,
    revision: str | None,
    content: bool,
    deep: bool,
    workers: int,
    json_file: str | None,
) -> None:
    """Compare every file of the conversion OUT with its manifest.

    With --hub, compare a published repository with the manifest in it, or with that of OUT, which
    is compared too. With NAME RAW, compare what is claimed about the raw release RAW of the dataset
    NAME (in its paper and README, and in rawshelf's own tables) with what is there.

    Exit code 1 tells of a difference, 3 that RAW cannot be read to its end; the findings until
    there are printed.
    """
    if len(targets) == len(("NAME", "RAW")) and hub is None and revision is None and not content:
        release = _release(*targets, deep=deep, workers=workers)
        _write(json_file, release.to_json(), checks.lines(release))
        context.exit(release.exit_code)
    _refuse_options(deep=deep, workers=workers > 1)
    verdicts = list(_verdicts(_only(targets), hub, revision, content=content))
    values = [verdict.to_json() for verdict in verdicts]
    _write(json_file, values, (line for verdict in verdicts for line in _lines(verdict)))
    context.exit(0 if all(verdict.agrees for verdict in verdicts) else 1)


def _write(json_file: str | None, values: object, lines: Iterable[str]) -> None:
    """Print lines, or JSON in their place; or write the JSON to a file beside."""
    text = json.dumps(printable(values), ensure_ascii=False)
    if json_file == "-":
        click.echo(text)
        return
    click.echo(printable("\n".join(lines)))
    if json_file is not None:
        _write_file(json_file, f"{text}\n")


def _write_file(path: str, text: str) -> None:
    try:
        with publish(os.path.abspath(path)) as temporary:
            Path(temporary).write_text(text, "utf-8")
    except OSError as error:
        raise OutputError(
            "The findings cannot be written.",
            archive=path,
            found=error.strerror or str(error),
            remedy="Name a file in a folder that can be written.",
        ) from error


def _release(name: str, raw: str, *, deep: bool, workers: int) -> Verification:
    settle()
    with tqdm(unit=" parts", disable=None, leave=False) as bar:

        def advance(work: str, done: int, count: int) -> None:
            bar.set_description_str(f"{work}: part {done} of {count}")

        return verify_release(name, raw, deep=deep, workers=workers, advance=advance)


def _refuse_options(**given: bool) -> None:
    names = ", ".join(f"--{name}" for name, each in given.items() if each)
    if names:
        raise UsageError(
            "Only a raw release is verified in this way.",
            found=names,
            expected="OUT or --hub without these options",
            remedy="Name dataset and release: rawshelf verify NAME RAW.",
        )


def _only(targets: tuple[str, ...]) -> str | None:
    if len(targets) > 1:
        raise UsageError(
            "One conversion or one release is verified at a time.",
            found=" ".join(targets),
            expected="OUT, or NAME RAW",
            remedy="Name one folder, or a dataset and its release.",
        )
    return targets[0] if targets else None


def _verdicts(
    out: str | None, hub: str | None, revision: str | None, *, content: bool
) -> Iterator[Verdict]:
    if out is None and hub is None:
        raise UsageError(
            "Nothing to verify.", remedy="Name a conversion's folder, or --hub USER/REPO."
        )
    if content and out is None:
        raise UsageError(
            "The content of a conversion is hashed where its files are.",
            found="--content",
            remedy="Name the conversion's folder too: rawshelf verify OUT --content.",
        )
    if hub is None and revision is not None:
        raise UsageError("A folder has no revisions.", remedy="Add --hub USER/REPO.")
    if out is not None:
        with bytes_bar() as bar:
            yield verify_folder(out, bar.advance, content=content)
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
    for place, digest in verdict.content.items():
        yield f"  content {place}: {digest}"
    wrong = len({found.path for found in verdict.differences})
    yield "  all agree" if verdict.agrees else f"  {wrong:,} files differ from the manifest"
