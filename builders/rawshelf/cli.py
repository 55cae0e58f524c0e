"""The command line. Output is for people; ``--json`` gives the same for programs."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from types import FrameType

import click
import pyarrow as pa
from tqdm import tqdm

from rawshelf import catalog, errors
from rawshelf.convert import Options, Total, convert
from rawshelf.demo import demo
from rawshelf.parquet import ShardRecord
from rawshelf.release import Dataset, Job
from rawshelf.sources import Source

_INTERRUPTED, _TERMINATED = 130, 143
_EXIT_CODES = "\b\n" + "\n".join(
    line for line in (errors.__doc__ or "").splitlines() if line[:1].isdigit()
)


@click.group(epilog=f"Exit codes:\n\n{_EXIT_CODES}")
@click.version_option(package_name="rawshelf")
def cli() -> None:
    """Turn raw public releases of vision datasets into verified, Arrow-backed datasets."""


@cli.command("list")
def list_command() -> None:
    """List the datasets."""
    for name in catalog.names():
        release = catalog.find(name).release
        click.echo(f"{name:20}{release.title}: {release.summary}")


@cli.command()
@click.argument("name")
def info(name: str) -> None:
    """Tell what a dataset holds, where to get it, and under which terms."""
    dataset = catalog.find(name)
    release = dataset.release
    click.echo(f"{release.title}: {release.summary}\n{release.homepage}\n{release.paper}\n")
    click.echo(f"Terms: {release.licence}\n\nFiles as published:")
    for archive in release.archives:
        size = "size not known" if archive.bytes is None else f"{archive.bytes:,} bytes"
        click.echo(f"  {archive.name}  {size}")
        click.echo(f"    sha256 {archive.sha256 or 'not known'} ({archive.source})")
        for url in archive.urls:
            click.echo(f"    {url}")
    click.echo("\nPublished counts:")
    for claim in release.claims:
        click.echo(f"  {claim.config:16}{claim.split or 'all':12}{claim.rows:>10,}  {claim.source}")
    click.echo(f"\nOrders of rows: {', '.join(dataset.orders)}; the first is the default.")
    _echo_configs(dataset)
    if dataset.details is not None:
        click.echo("\n" + "\n".join(dataset.details()))


@cli.command("inspect")
@click.argument("name")
@click.argument("raw")
@click.option("--json", "as_json", is_flag=True, help="Print plain JSON on one line.")
def inspect_command(name: str, raw: str, *, as_json: bool) -> None:
    """Look at a raw release RAW without converting it; answer what nobody has confirmed."""
    dataset = catalog.find(name)
    if dataset.inspect is None:
        raise errors.UsageError(
            "Nothing is left to find out about this release.",
            field="dataset",
            found=name,
            remedy=f"Convert it: rawshelf convert {name} {raw} OUT.",
        )
    with tempfile.TemporaryDirectory() as folder:
        found = dataset.inspect(Job(Source(raw), (), folder))
    click.echo(json.dumps(found, indent=None if as_json else 1, ensure_ascii=False))


@cli.command("export")
@click.argument("kind", metavar="FORMAT")
@click.argument("out")
@click.argument("target")
def export_command(kind: str, out: str, target: str) -> None:
    """Write the conversion OUT into the folder TARGET in another FORMAT, such as coco."""
    writers = {
        name: write
        for each in catalog.names()
        for name, write in catalog.find(each).exports.items()
    }
    if kind not in writers:
        raise catalog.unknown("format", kind, tuple(writers))
    for path in writers[kind](out, target):
        click.echo(path)


def _echo_configs(dataset: Dataset) -> None:
    for config in dataset.configs:
        click.echo(f"\nConfig {config.name}: {config.doc}")
        for column in config.columns:
            click.echo(f"  {column.name:22}{column.doc}")


@cli.command("convert")
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


@cli.command("demo")
@click.argument("folder", default="rawshelf-demo")
def demo_command(folder: str) -> None:
    """Write miniature releases into FOLDER, convert them, load them."""
    demo(folder, click.echo)


class _Terminated(SystemExit):
    """SIGTERM, on its way through the clean-up of whatever runs."""


def main() -> None:
    """Run the command line; errors become messages and exit codes."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        status = cli.main(standalone_mode=False)
    except errors.RawshelfError as error:
        click.echo(f"rawshelf: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("rawshelf: interrupted; run the same command to resume", err=True)
        sys.exit(_INTERRUPTED)
    except _Terminated:
        click.echo("rawshelf: terminated; run the same command to resume", err=True)
        raise
    # What is done is done: a signal during the interpreter's own end must not tell otherwise.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(status if isinstance(status, int) else 0)


def _terminate(_: int, __: FrameType | None) -> None:
    raise _Terminated(_TERMINATED)
