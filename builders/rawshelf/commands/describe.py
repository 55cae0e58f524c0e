"""What datasets there are, and what is known of one."""

from __future__ import annotations

import click

from rawshelf import catalog
from rawshelf.release import Dataset


@click.command("list")
def list_command() -> None:
    """List the datasets."""
    for name in catalog.names():
        release = catalog.find(name).release
        click.echo(f"{name:20}{release.title}: {release.summary}")


@click.command()
@click.argument("name")
def info(name: str) -> None:
    """Tell what a dataset holds, where to get it, and under which terms."""
    dataset = catalog.find(name)
    release = dataset.release
    click.echo(f"{release.title}: {release.summary}\n{release.homepage}\n{release.paper}\n")
    click.echo(f"Terms: {release.licence}\n\nFiles as published:")
    for archive in release.archives:
        size = "size not known" if archive.bytes is None else f"{archive.bytes:,} bytes"
        click.echo(f"  {archive.name}  {size} (stated by: {archive.bytes_by})")
        click.echo(f"    sha256 {archive.sha256 or 'not known'} (stated by: {archive.sha256_by})")
        for url in archive.urls:
            click.echo(f"    {url}")
    click.echo("\nPublished counts:")
    for claim in release.claims:
        click.echo(f"  {claim.config:16}{claim.split or 'all':12}{claim.rows:>10,}  {claim.source}")
    click.echo(f"\nOrders of rows: {', '.join(dataset.orders)}; the first is the default.")
    _echo_configs(dataset)
    details = dataset.tools().details
    if details is not None:
        click.echo("\n" + "\n".join(details()))


def _echo_configs(dataset: Dataset) -> None:
    for config in dataset.configs:
        click.echo(f"\nConfig {config.name}: {config.doc}")
        for column in config.columns:
            click.echo(f"  {column.name:22}{column.doc}")
