"""Pictures of a conversion."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from rawshelf.preview.pictures import Wish
from rawshelf.preview.publication import preview


@click.command("preview")
@click.argument("out")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of rows.")
@click.option(
    "--rows",
    type=click.IntRange(1, 100),
    help="Rows on the contact sheet; as many as suit the dataset if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was drawn as JSON.")
def preview_command(out: str, seed: int, rows: int | None, *, as_json: bool) -> None:
    """Draw pictures of the conversion OUT into OUT/assets and put them into its card."""
    found = preview(out, Wish(seed, rows))
    if as_json:
        click.echo(json.dumps(asdict(found), indent=1, ensure_ascii=False))
        return
    for asset in found.assets:
        click.echo(f"{asset['path']}  {asset['bytes'] / 1e3:,.0f} kB  {asset['title']}")
    for each in found.left_out:
        click.echo(f"left out: {each.picture}: {each.reason}")
