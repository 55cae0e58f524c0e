"""From a raw release to a dataset repository on disk: plan, write shards, publish.

The core takes any `concurrent.futures.Executor`. What is finished is decided by the shards'
records on disk, never by a future: a killed run resumes, a lost worker costs its shard only.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rawshelf import catalog
from rawshelf.cards import render
from rawshelf.code import code_fingerprint
from rawshelf.errors import (
    AnnotationError,
    MissingError,
    OutputError,
    SourceError,
)
from rawshelf.execution import pool, run_tasks, threads
from rawshelf.manifest import build, card_record, describe_aside, report_of
from rawshelf.output import CARD, Output
from rawshelf.parquet import ShardRecord
from rawshelf.parts import Advance, Parts, silent
from rawshelf.plan import ShardTask, plan
from rawshelf.release import Dataset, Job
from rawshelf.report import Report
from rawshelf.sources import Source

_REMEDY_SPACE = "Free space or choose another disk, then run the same command: it resumes."
_REMEDY_READ = "Check the path, and that you may read it; then run the same command: it resumes."


class Total(NamedTuple):
    """What a conversion has to write, for those that show progress.

    Attributes:
        shards: Number of files.
        rows: Number of rows in them.
    """

    shards: int
    rows: int


Progress = Callable[[ShardRecord, Total], None]


class Watch(NamedTuple):
    """Those who are told how far a conversion is: per shard, and per part of earlier work."""

    progress: Progress
    advance: Advance


@dataclass(frozen=True)
class Options:
    """How to convert.

    Attributes:
        configs: Names of the wanted configs; empty for all.
        workers: Processes; 1 stays in this process and uses threads.
        allow_missing: Whether files that the release must hold may be absent.
        strict: Refuse instead of setting rows aside.
        order: In which order rows come, one of the dataset's; its default if empty.
        overwrite: Whether another conversion in the output may be replaced.
    """

    configs: tuple[str, ...] = ()
    workers: int = 1
    allow_missing: bool = False
    strict: bool = False
    order: str = ""
    overwrite: bool = False


@dataclass(frozen=True)
class Result:
    """What a conversion did.

    Attributes:
        manifest: The manifest, as written.
        report: What was noticed.
        records: All shards.
        kept: How many of them an interrupted run had finished.
    """

    manifest: dict[str, Any]
    report: Report
    records: list[ShardRecord]
    kept: int


def convert(
    name: str,
    raw: str,
    out: str,
    options: Options | None = None,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    advance: Advance | None = None,
) -> Result:
    """Convert a raw release into a dataset repository.

    Args:
        name: Dataset name, see `rawshelf.catalog.names`.
        raw: Path or fsspec URL of the release: folder, tar, tar.gz or zip.
        out: Output folder, new or empty, or one that an interrupted run left.
        options: How to convert.
        executor: Runs the shard tasks in place of the workers that `options` asks for.
        progress: Called after each shard, those of an earlier run included.
        advance: Called after each part of the work that goes before, see `rawshelf.parts.Parts`.

    Raises:
        RawshelfError: If the input is damaged, incomplete or wrong, or the output cannot be
            written. Nothing is published then.
    """
    options = options or Options()
    dataset = catalog.find(name)
    options = replace(options, order=catalog.wanted_order(dataset, options.order))
    configs = wanted_configs(dataset, options.configs)
    source = Source(raw)
    state = source.fingerprint()
    run = _Run(dataset, source, state, Output(out, _run_key(name, state, options)), options)
    try:
        with run.output.opened():
            found = run.standing()
            if found is not None:
                configs = wanted_configs(dataset, [*configs, *_configs_of(found.records)])
                if set(configs) == set(_configs_of(found.records)) and run.intact(found):
                    return run.confirm(found)
            known = {} if found is None else {record.path: record for record in found.records}
            watch = Watch(progress or _silent, advance or silent)
            return run.convert(configs, known, executor, watch)
    except OSError as error:
        raise _explain(error, out) from error


@dataclass(frozen=True)
class _Run:
    """One conversion.

    Attributes:
        dataset: What is converted.
        source: The release.
        state: Its fingerprint before anything was read.
        output: Where to.
        options: How.
    """

    dataset: Dataset
    source: Source
    state: str
    output: Output
    options: Options

    def standing(self) -> Result | None:
        """Return the same conversion, of these or other configs, if it stands here already.

        Raises:
            OutputError: If another conversion stands here and may not be replaced.
        """
        manifest = self.output.manifest()
        if manifest is None:
            return None
        records = self.output.records_of(manifest)
        difference = self._difference(manifest)
        if difference is None:
            return Result(manifest, report_of(manifest, self.output), records, len(records))
        if not self.options.overwrite:
            raise self.output.refuse_other(*difference)
        return None

    def _difference(self, manifest: Mapping[str, Any]) -> tuple[str, str] | None:
        """Say in what a standing conversion differs, if it does: found, expected."""
        ours = (
            ("dataset", self.dataset.release.name, manifest.get("dataset")),
            ("options", _kept_options(self.options), manifest.get("options")),
            ("code", code_fingerprint(), (manifest.get("tools") or {}).get("code")),
        )
        for what, expected, found in ours:
            if found != expected:
                return f"{what} {found}", f"{what} {expected}"
        # Reads all of the input: only where everything else is the same.
        if manifest.get("input") == self.source.describe():
            return None
        return "a conversion of another release or another state of it", self.source.url

    def intact(self, found: Result) -> bool:
        """Tell whether all shards that stand here are what the manifest says."""
        with ThreadPoolExecutor(threads()) as readers:
            return all(readers.map(self.output.intact, found.records))

    def confirm(self, found: Result) -> Result:
        """Return a conversion that stands here; finish what was left of its publication."""
        self._refuse_if_strict(found.report)
        if self.output.unfinished or not (self.output.root / CARD).exists():
            self._publish(found)
        return found

    def convert(
        self,
        configs: tuple[str, ...],
        known: Mapping[str, ShardRecord],
        executor: Executor | None,
        watch: Watch,
    ) -> Result:
        """Write the shards that are not there yet, and publish all of them."""
        self.output.prepare()
        folder = str(self.output.plan)
        workers = self.options.workers
        job = Job(
            self.source,
            configs,
            folder,
            allow_missing=self.options.allow_missing,
            order=self.options.order,
            parts=Parts(self.output.parts, lambda: pool(executor, workers), watch.advance),
        )
        described = describe_aside(self.source.url)
        tasks = plan(job, self.dataset)
        _refuse_empty(tasks, self.source)
        self._refuse_if_strict(job.report)
        records, kept = self._shards(tasks, known, executor, watch.progress)
        job.report.add_quarantine(row for record in records for row in record.set_aside)
        self._refuse_if_strict(job.report)
        records = [record for record in records if record.rows]  # some readers fail on empty files
        _refuse_empty(records, self.source)
        description = described()
        if self.source.fingerprint() != self.state:
            raise _changed(self.source)
        manifest = build(
            self.dataset,
            records,
            job.report,
            options=_kept_options(self.options),
            description=description,
        )
        manifest = self.output.with_assets(manifest)
        manifest["card"] = card_record(render(self.dataset, manifest))
        result = Result(manifest, job.report, records, kept)
        self._publish(result)
        return result

    def _shards(
        self,
        tasks: list[ShardTask],
        known: Mapping[str, ShardRecord],
        executor: Executor | None,
        progress: Progress,
    ) -> tuple[list[ShardRecord], int]:
        """Return the records of all tasks, and how many were finished before."""
        done: dict[str, ShardRecord] = {}
        for task in tasks:
            record = self.output.finished(task) or known.get(task.path)
            if record is not None and self.output.intact(record):
                done[task.path] = record
        waiting = [task for task in tasks if task.path not in done]
        kept = len(done)
        _refuse_full(waiting, self.output)
        total = Total(len(tasks), sum(task.stop - task.start for task in tasks))
        for record in done.values():
            progress(record, total)

        def finish(record: ShardRecord) -> None:
            self.output.record(record)
            done[record.path] = record
            progress(record, total)

        workers = self.options.workers
        run_tasks(waiting, self.output, finish, executor=executor, workers=workers)
        return [done[task.path] for task in tasks], kept

    def _refuse_if_strict(self, report: Report) -> None:
        if self.options.strict:
            _refuse_quarantine(report, self.source)

    def _publish(self, result: Result) -> None:
        card = render(self.dataset, result.manifest)
        self.output.publish(result.records, result.manifest, card)


def _silent(_: ShardRecord, __: Total) -> None:
    """Show no progress."""


def _kept_options(options: Options) -> dict[str, object]:
    """Return the options on which the result depends."""
    return {"allow_missing": options.allow_missing, "order": options.order}


def _configs_of(records: Iterable[ShardRecord]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(record.config for record in records))


def wanted_configs(dataset: Dataset, configs: Sequence[str]) -> tuple[str, ...]:
    """Return the wanted config names in the dataset's order; all for none.

    Raises:
        UsageError: If a name is not one of the dataset's configs.
    """
    known = tuple(config.name for config in dataset.configs)
    for config in configs:
        if config not in known:
            raise catalog.unknown("config", config, known)
    return tuple(config for config in known if config in configs or not configs)


def _run_key(name: str, state: str, options: Options) -> str:
    """Return what a run depends on, as a short hash: state of the input, code and options.

    It is known before the input is read, and keys what an interrupted run left. What is finished
    has `rawshelf.manifest.conversion_key`.
    """
    parts = (name, state, code_fingerprint(), json.dumps(_kept_options(options)))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _refuse_empty(found: Sequence[object], source: Source) -> None:
    if not found:
        raise MissingError(
            "The release gives no rows at all.",
            archive=source.url,
            found="no row in any config or split",
            remedy="Check that this is the release of the dataset that you named.",
        )


def _refuse_quarantine(report: Report, source: Source) -> None:
    if report.quarantine:
        first = report.quarantine[0]
        raise AnnotationError(
            "Rows would have to be set aside, and --strict forbids that.",
            archive=source.url,
            member=first.member,
            found=f"{len(report.quarantine)} rows; the first: {first.reason}",
            expected="no row set aside",
            remedy="Restore the files from the published release, or convert without --strict.",
        )


def _changed(source: Source) -> SourceError:
    return SourceError(
        "The release changed while it was read.",
        archive=source.url,
        found="other sizes or modification times than at the start",
        remedy="Leave the release unchanged while it is read, and run the command again.",
    )


def _refuse_full(tasks: list[ShardTask], output: Output) -> None:
    needed, free = sum(task.size for task in tasks), shutil.disk_usage(output.work).free
    if needed > free:
        raise OutputError(
            "There is not enough space for the output.",
            archive=str(output.root),
            found=f"{free:,} bytes free",
            expected=f"about {needed:,} bytes",
            remedy=_REMEDY_SPACE,
        )


def _explain(error: OSError, out: str) -> OutputError | SourceError:
    root = os.path.abspath(out)
    place = str(error.filename) if error.filename else root
    found = error.strerror or str(error)
    # A folder above the output can be at fault too: one of that name may be a file.
    if not os.path.abspath(place).startswith(root) and not root.startswith(place):
        return SourceError(
            "The release cannot be read.", archive=place, found=found, remedy=_REMEDY_READ
        )
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return OutputError(
        "The output cannot be written.",
        archive=out,
        member=os.path.relpath(place, root) if place != root else None,
        found=f"{found}; {_free(root)}" if full else found,
        remedy=_REMEDY_SPACE if full else "Check that the folder can be written.",
    )


def _free(root: str) -> str:
    while not os.path.exists(root):
        root = os.path.dirname(root)
    return f"{shutil.disk_usage(root).free:,} bytes free"
