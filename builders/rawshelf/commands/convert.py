"""From a raw release to a dataset repository."""

from __future__ import annotations

import json

import click
import pyarrow as pa
from tqdm import tqdm

from rawshelf.convert import Options, Total, convert
from rawshelf.parquet import ShardRecord


@click.command("convert")
@click.argument("name")
@click.argument("raw")
@click.argument("out")
@click.option("--config", "configs", multiple=True, help="Only this config; may be repeated.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes; 1 uses threads instead.",
)
@click.option("--allow-missing", is_flag=True, help="Convert an incomplete release; list gaps.")
@click.option("--strict", is_flag=True, help="Refuse instead of setting rows aside.")
@click.option("--order", default="", help="Order of rows; see `rawshelf info NAME`.")
@click.option("--overwrite", is_flag=True, help="Replace another conversion in OUT.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest.")
def convert_command(
    name: str,
    raw: str,
    out: str,
    configs: tuple[str, ...],
    workers: int,
    *,
    allow_missing: bool,
    strict: bool,
    order: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Convert a raw release RAW into a dataset repository OUT.

    RAW is a folder, tar, tar.gz or zip: a path or an fsspec URL. Run the same command again to
    resume an interrupted conversion.
    """
    # Arrow's own pool keeps what is freed: it takes half as much memory again (measured).
    pa.set_memory_pool(pa.system_memory_pool())
    options = Options(
        configs,
        workers=workers,
        allow_missing=allow_missing,
        strict=strict,
        order=order,
        overwrite=overwrite,
    )
    with tqdm(unit=" rows", disable=None, desc="shards") as bar:

        def advance(record: ShardRecord, total: Total) -> None:
            bar.set_description_str("shards", refresh=False)
            bar.total = total.rows
            bar.update(record.rows)
            bar.set_postfix_str(f"{record.path}, {record.bytes / 1e6:,.1f} MB", refresh=False)

        def prepare(work: str, done: int, count: int) -> None:
            bar.set_description_str(f"{work}: part {done} of {count}")

        result = convert(name, raw, out, options, progress=advance, advance=prepare)
    if as_json:
        click.echo(json.dumps(result.manifest, indent=1, ensure_ascii=False))
        return
    for record in result.records:
        click.echo(f"{record.path}  {record.rows:,} rows  {record.bytes / 1e6:,.1f} MB")
    if result.kept:
        click.echo(f"{result.kept} shards were finished by an earlier run.")
    for line in result.report.lines():
        click.echo(f"note: {line} (see {out}/manifest.json)")
    click.echo(f'Load it: load_dataset("{out}", "{result.records[0].config}")')
