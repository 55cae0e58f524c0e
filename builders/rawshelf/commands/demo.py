"""The whole way, on miniature releases."""

from __future__ import annotations

import click

from rawshelf.demo import demo


@click.command("demo")
@click.argument("folder", default="rawshelf-demo")
def demo_command(folder: str) -> None:
    """Write miniature releases into FOLDER, convert them, load them."""
    demo(folder, click.echo)
