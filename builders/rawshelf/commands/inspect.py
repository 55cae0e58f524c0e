"""A look at a raw release."""

from __future__ import annotations

import json
import tempfile

import click

from rawshelf import catalog, errors
from rawshelf.refusals import explained_aside
from rawshelf.release import Job
from rawshelf.report import printable
from rawshelf.sources import Source


@click.command("inspect")
@click.argument("name")
@click.argument("raw")
@click.option("--json", "as_json", is_flag=True, help="Print plain JSON on one line.")
def inspect_command(name: str, raw: str, *, as_json: bool) -> None:
    """Look at a raw release RAW without converting it; answer what nobody has confirmed."""
    inspect = catalog.find(name).tools().inspect
    if inspect is None:
        raise errors.UsageError(
            "Nothing is left to find out about this release.",
            field="dataset",
            found=name,
            remedy=f"Convert it: rawshelf convert {name} {raw} OUT.",
        )
    with tempfile.TemporaryDirectory() as folder, explained_aside(folder):
        found = inspect(Job(Source(raw), (), folder))
    click.echo(json.dumps(printable(found), indent=None if as_json else 1, ensure_ascii=False))
