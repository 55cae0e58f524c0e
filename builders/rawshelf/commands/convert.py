"""From a raw release to a dataset repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click
from tqdm import tqdm

from rawshelf.cluster import dask_executor
from rawshelf.convert import Options, Result, Total, Watch, convert
from rawshelf.errors import UsageError
from rawshelf.memory import settle
from rawshelf.records import ShardRecord
from rawshelf.shares import Share, convert_share, finish_shares


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
@click.option("--dask", metavar="ADDRESS", help="Scheduler of a Dask cluster to run shards on.")
@click.option("--array-count", type=click.IntRange(min=1), help="Members of an array of processes.")
@click.option(
    "--array-index", type=click.IntRange(min=0), help="Which of them this is: write its shards."
)
@click.option("--array-finish", is_flag=True, help="Publish what all members have written.")
@click.option(
    "--allow-missing",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Convert a release that lacks up to N files; list them.",
)
@click.option(
    "--accept-unknown-release",
    "accept_unknown",
    is_flag=True,
    help="Convert an archive of the published size with other bytes; say so.",
)
@click.option("--strict", is_flag=True, help="Refuse instead of setting rows aside.")
@click.option("--order", default="", help="Order of rows; see `rawshelf info NAME`.")
@click.option("--overwrite", is_flag=True, help="Replace another conversion in OUT.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest, or a member's shards.")
def convert_command(
    name: str,
    raw: str,
    out: str,
    configs: tuple[str, ...],
    workers: int,
    *,
    dask: str | None,
    array_count: int | None,
    array_index: int | None,
    array_finish: bool,
    allow_missing: int,
    accept_unknown: bool,
    strict: bool,
    order: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Convert a raw release RAW into a dataset repository OUT.

    RAW is a folder, tar, tar.gz or zip: a path or an fsspec URL. Run the same command again to
    resume an interrupted conversion.

    Several machines that share a file system can work on one OUT: through Dask, or as an array of
    processes, each with its index, and one with --array-finish after them.
    """
    _check_array(array_count, array_index, finish=array_finish)
    settle()
    options = Options(
        configs,
        workers=workers,
        allow_missing=allow_missing,
        accept_unknown=accept_unknown,
        strict=strict,
        order=order,
        overwrite=overwrite,
    )
    place = (name, raw, out)
    with nullcontext() if dask is None else dask_executor(dask) as executor, _bar() as watch:
        if array_count and array_index is not None:
            share = Share(array_index, array_count)
            records = convert_share(*place, share, options, executor=executor, **watch._asdict())
            _show_share(records, as_json=as_json)
            return
        if array_count:
            result = finish_shares(*place, array_count, options, progress=watch.progress)
        else:
            result = convert(*place, options, executor=executor, **watch._asdict())
    _show(result, out, as_json=as_json)


def _check_array(count: int | None, index: int | None, *, finish: bool) -> None:
    if (count is not None) + (index is not None or finish) == 1 or (index is not None and finish):
        raise UsageError(
            "The options of an array do not go together.",
            field="--array-count, --array-index, --array-finish",
            expected="--array-count with one of the others",
            remedy="Give each member its --array-index and all the same --array-count; then run "
            "one command with --array-finish and that count.",
        )


@contextmanager
def _bar() -> Iterator[Watch]:
    with tqdm(unit=" rows", disable=None, desc="shards") as bar:

        def progress(record: ShardRecord, total: Total) -> None:
            bar.set_description_str("shards", refresh=False)
            bar.total = total.rows
            bar.update(record.rows)
            bar.set_postfix_str(f"{record.path}, {record.bytes / 1e6:,.1f} MB", refresh=False)

        def advance(work: str, done: int, count: int) -> None:
            bar.set_description_str(f"{work}: part {done} of {count}")

        yield Watch(progress, advance)


def _show_share(records: list[ShardRecord], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([record.to_json() for record in records], ensure_ascii=False))
        return
    _show_records(records)
    click.echo("This share is done; publish with --array-finish when all members are.")


def _show(result: Result, out: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result.manifest, indent=1, ensure_ascii=False))
        return
    _show_records(result.records)
    if result.kept:
        click.echo(f"{result.kept} shards were finished by an earlier run.")
    for line in result.report.lines():
        click.echo(f"note: {line} (see {out}/manifest.json)")
    click.echo(f'Load it: load_dataset("{out}", "{result.records[0].config}")')


def _show_records(records: list[ShardRecord]) -> None:
    for record in records:
        click.echo(f"{record.path}  {record.rows:,} rows  {record.bytes / 1e6:,.1f} MB")
