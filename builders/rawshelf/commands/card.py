"""Cards of dataset repositories: checks, and a description for other tools."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from rawshelf.croissant import describe_folder
from rawshelf.errors import OutputError
from rawshelf.files import publish
from rawshelf.lint import lint

_CONTRADICTED = 1


@click.group("card")
def card_group() -> None:
    """Check the card of a dataset repository, or describe the repository to other tools."""


@card_group.command("lint")
@click.argument("folder", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print a list of findings.")
def lint_command(folder: str, *, as_json: bool) -> int:
    """Check the dataset repository in the folder DIR, a conversion or anybody's, offline.

    Looks at the card's front matter and text, at the footers of Parquet files, and at the manifest
    where there is one. Hashes are not compared. The exit code is 1 if there is an error, 0 if
    there are only warnings, or nothing.
    """
    findings = lint(folder)
    errors = sum(finding.severity == "error" for finding in findings)
    if as_json:
        found = [finding.to_json() for finding in findings]
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        for finding in findings:
            click.echo(str(finding))
        click.echo(f"{folder}: {errors} errors, {len(findings) - errors} warnings")
    return _CONTRADICTED if errors else 0


@card_group.command("croissant")
@click.argument("folder", metavar="DIR")
@click.option("--output", metavar="F", help="Write to this file instead of printing.")
def croissant_command(folder: str, output: str | None) -> None:
    """Describe the conversion in the folder DIR in the Croissant format of MLCommons.

    Paths in the description are relative to DIR: put it there, as croissant.json.
    """
    text = json.dumps(describe_folder(folder), indent=1, ensure_ascii=False)
    if output is None:
        click.echo(text)
        return
    try:
        with publish(os.path.abspath(output)) as temporary:
            Path(temporary).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            "The description cannot be written.",
            member=output,
            found=error.strerror,
            remedy="Name a file in a folder that exists and that you may write to.",
        ) from error
    click.echo(output)
