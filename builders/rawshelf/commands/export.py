"""A conversion in another format."""

from __future__ import annotations

import click

from rawshelf import catalog


@click.command("export")
@click.argument("kind", metavar="FORMAT")
@click.argument("out")
@click.argument("target")
def export_command(kind: str, out: str, target: str) -> None:
    """Write the conversion OUT into the folder TARGET in another FORMAT, such as coco."""
    writers = {
        name: write
        for each in catalog.names()
        for name, write in catalog.find(each).tools().exports.items()
    }
    if kind not in writers:
        raise catalog.unknown("format", kind, tuple(writers))
    for path in writers[kind](out, target):
        click.echo(path)
