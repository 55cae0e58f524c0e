"""Pictures of a conversion, in its card or as a page to browse."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from rawshelf.commands.progress import size
from rawshelf.preview.page import LARGEST, MOST_ROWS, ROWS, write_page
from rawshelf.preview.pictures import Wish
from rawshelf.preview.publication import preview

_SHEET_ROWS = 100  # more make no sheet to look at


@click.command("preview")
@click.argument("out")
@click.option(
    "--html",
    type=click.Path(dir_okay=False),
    help="Write one page to browse a sample of rows, at most "
    f"{LARGEST // 1_000_000} MB, to this file, and leave OUT as it is.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of rows.")
@click.option(
    "--rows",
    type=click.IntRange(1, MOST_ROWS),
    help=f"Rows on the contact sheet, at most {_SHEET_ROWS}, as many as suit the dataset if not "
    f"given; with --html rows on the page, {ROWS} if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was drawn as JSON.")
def preview_command(
    out: str, html: str | None, seed: int, rows: int | None, *, as_json: bool
) -> None:
    """Draw pictures of the conversion OUT into OUT/assets and put them into its card.

    With --html, write a page to browse instead: one file without any reference to the network.
    """
    if html is None:
        _pictures(out, Wish(seed, rows), as_json=as_json)
    else:
        _page(out, html, Wish(seed, rows), as_json=as_json)


def _pictures(out: str, wish: Wish, *, as_json: bool) -> None:
    if wish.rows is not None and wish.rows > _SHEET_ROWS:
        raise click.BadParameter(
            f"{wish.rows} is more than a contact sheet holds ({_SHEET_ROWS}).",
            param_hint="'--rows'",
        )
    found = preview(out, wish)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=1, ensure_ascii=False))
        return
    for asset in found.assets:
        click.echo(f"{asset['path']}  {asset['bytes'] / 1e3:,.0f} kB  {asset['title']}")
    for each in found.left_out:
        click.echo(f"left out: {each.picture}: {each.reason}")


def _page(out: str, html: str, wish: Wish, *, as_json: bool) -> None:
    page = write_page(out, html, wish)
    if as_json:
        click.echo(json.dumps(asdict(page), indent=1, ensure_ascii=False))
        return
    click.echo(f"{page.path}  {size(page.bytes)}  {page.rows:,} of {page.total:,} rows")
