"""From a raw release to a dataset repository on disk: plan, write shards, publish.

The core takes any `concurrent.futures.Executor`. What is finished is decided by the shards'
records on disk, never by a future: a killed run resumes, a lost worker costs its shard only.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from rawshelf import catalog
from rawshelf.cards import render
from rawshelf.code import code_fingerprint
from rawshelf.engines import Engine, refuse_other_tools, threads, tools
from rawshelf.execution import run_tasks
from rawshelf.incomplete import settle_damage
from rawshelf.manifest import build, card_record, describe_aside, report_of
from rawshelf.output import CARD, Output
from rawshelf.parts import Advance, Parts, silent
from rawshelf.plan import Plan, ShardTask, plan
from rawshelf.pools import each
from rawshelf.records import ShardRecord
from rawshelf.refusals import changed, explained, refuse_empty, refuse_full, refuse_quarantine
from rawshelf.release import Dataset, Job
from rawshelf.report import Report
from rawshelf.sources import Source


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

    @classmethod
    def of(cls, progress: Progress | None, advance: Advance | None) -> Self:
        """Return those that there are."""
        return cls(progress or _silent, advance or silent)


@dataclass(frozen=True)
class Options:
    """How to convert.

    Attributes:
        configs: Names of the wanted configs; empty for all.
        workers: Processes; 1 stays in this process and uses threads.
        allow_missing: How many files that the release must hold may be absent.
        accept_unknown: Whether an archive of the published size may have other bytes.
        strict: Refuse instead of setting rows aside.
        order: In which order rows come, one of the dataset's; its default if empty.
        overwrite: Whether another conversion in the output may be replaced.
    """

    configs: tuple[str, ...] = ()
    workers: int = 1
    allow_missing: int = 0
    accept_unknown: bool = False
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
        executor: Runs the shard tasks in place of the workers that `options` asks for. For Dask
            take `rawshelf.cluster.dask_executor`: calls of Dask's own may never end.
        progress: Called after each shard, those of an earlier run included.
        advance: Called after each part of the work that goes before, see `rawshelf.parts.Parts`.

    Raises:
        RawshelfError: If the input is damaged, incomplete or wrong, or the output cannot be
            written. Nothing is published then.
    """
    run = Conversion.begin(name, raw, out, options, executor, Watch.of(progress, advance))
    with explained(out), run.output.opened():
        return run.finish(run.standing())


@dataclass(frozen=True)
class Conversion:
    """One conversion.

    Attributes:
        dataset: What is converted.
        source: The release.
        state: Its fingerprint before anything was read.
        output: Where to.
        options: How, the order of rows filled in.
        configs: Names of the configs to publish, in the dataset's order.
        engine: Runs the work.
        watch: Who is told how far it is.
    """

    dataset: Dataset
    source: Source
    state: str
    output: Output
    options: Options
    configs: tuple[str, ...]
    engine: Engine
    watch: Watch

    @classmethod
    def begin(
        cls,
        name: str,
        raw: str,
        out: str,
        options: Options | None,
        executor: Executor | None,
        watch: Watch,
    ) -> Self:
        """Look at the release; nothing is written yet.

        Raises:
            RawshelfError: If names are unknown or the release cannot be read.
        """
        options = options or Options()
        dataset = catalog.find(name)
        options = replace(options, order=catalog.wanted_order(dataset, options.order))
        configs = catalog.wanted_configs(dataset, options.configs)
        source = Source(raw)
        state = source.fingerprint()
        output = Output(out, _run_key(name, state, options))
        paths = (str(output.staged), *source.paths)
        engine = Engine(executor, options.workers, paths, str(output.root))
        return cls(dataset, source, state, output, options, configs, engine, watch)

    def finish(self, found: Result | None) -> Result:
        """Write and publish what is not published yet, given what stands here."""
        run = self.beside(found)
        if found is None:
            return run.write({})
        if run.is_held_by(found) and run.intact(found):
            return run.confirm(found)
        return run.write({record.path: record for record in found.records})

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

    def is_held_by(self, found: Result) -> bool:
        """Tell whether the configs of this conversion stand here, but for what no release gives."""
        held = {*_configs_of(found.records), *found.report.left_out}
        return held.issuperset(self.configs)

    def beside(self, found: Result | None) -> Self:
        """Return the conversion of these configs and of those that stand here already."""
        if found is None:
            return self
        configs = [*self.configs, *_configs_of(found.records)]
        return replace(self, configs=catalog.wanted_configs(self.dataset, configs))

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
        return all(each(self.output.intact, found.records, threads()))

    def confirm(self, found: Result) -> Result:
        """Return a conversion that stands here; finish what was left of its publication."""
        self.refuse_if_strict(found.report)
        if self.output.unfinished or not (self.output.root / CARD).exists():
            self._publish(found)
        return found

    def write(self, known: Mapping[str, ShardRecord]) -> Result:
        """Write the shards that are not there yet, and publish all of them."""
        shared = self.shared()
        self.output.prepare(keep=None if shared is None else Path(shared.folder))
        self.engine.probe()
        described = describe_aside(self.source.url)
        made = shared or self.plan()
        report = made.report
        records, kept = self.shards(made.tasks, known)
        report.add_quarantine(row for record in records for row in record.set_aside)
        self.refuse_if_strict(report)
        records = [record for record in records if record.rows]  # some readers fail on empty files
        refuse_empty(records, self.source)
        description = described()
        self.refuse_if_changed()
        accept, release = self.options.accept_unknown, self.dataset.release
        report.notes += settle_damage(self.source, description, release, accept=accept)
        manifest = build(
            self.dataset,
            records,
            report,
            options=_kept_options(self.options),
            description=description,
        )
        manifest = self.output.with_assets(manifest)
        manifest["card"] = card_record(render(self.dataset, manifest))
        result = Result(manifest, report, records, kept)
        self._publish(result)
        return result

    @property
    def plan_name(self) -> str:
        """What tells the plan of this conversion from that of other configs."""
        return "+".join(self.configs)

    def shared(self) -> Plan | None:
        """Return the plan that another run of this conversion left to all.

        Raises:
            WorkerError: If that run had other versions.
        """
        plan = self.output.shared(self.plan_name)
        if plan is not None:
            refuse_other_tools(tools(), plan.tools, platform.node())
        return plan

    def plan(self) -> Plan:
        """Read the release.

        Raises:
            RawshelfError: If it is damaged, incomplete or wrong.
        """
        folder = str(self.output.plan)
        job = Job(
            self.source,
            self.configs,
            folder,
            allow_missing=self.options.allow_missing,
            order=self.options.order,
            parts=Parts(self.output.parts, self.engine, self.watch.advance),
        )
        tasks = plan(job, self.dataset)
        refuse_empty(tasks, self.source)
        self.refuse_if_strict(job.report)
        return Plan(folder, tasks, job.report, tools())

    def shards(
        self, tasks: list[ShardTask], known: Mapping[str, ShardRecord]
    ) -> tuple[list[ShardRecord], int]:
        """Return the records of all tasks, and how many were finished before."""
        done = self._finished(tasks, known)
        lease = str(self.output.plan)
        waiting = [replace(task, lease=lease) for task in tasks if task.path not in done]
        kept = len(done)
        refuse_full(waiting, self.output)
        total = Total(len(tasks), sum(task.stop - task.start for task in tasks))
        for record in done.values():
            self.watch.progress(record, total)

        def finish(record: ShardRecord) -> None:
            self.output.record(record)
            done[record.path] = record
            self.watch.progress(record, total)

        run_tasks(waiting, self.output, finish, self.engine)
        return [done[task.path] for task in tasks], kept

    def _finished(
        self, tasks: list[ShardTask], known: Mapping[str, ShardRecord]
    ) -> dict[str, ShardRecord]:
        def find(task: ShardTask) -> ShardRecord | None:
            found = (self.output.recorded(task.path), known.get(task.path))
            return next((each for each in found if each and self.output.intact(each)), None)

        return {record.path: record for record in each(find, tasks, threads()) if record}

    def refuse_if_strict(self, report: Report) -> None:
        """Refuse rows set aside, if the options do.

        Raises:
            AnnotationError: If so.
        """
        if self.options.strict:
            refuse_quarantine(report, self.source)

    def refuse_if_changed(self) -> None:
        """Refuse a release that is not as it was at the start.

        Raises:
            SourceError: If so.
        """
        if self.source.fingerprint() != self.state:
            raise changed(self.source)

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


def _run_key(name: str, state: str, options: Options) -> str:
    """Return what a run depends on, as a short hash: state of the input, code and options.

    It is known before the input is read, and keys what an interrupted run left. What is finished
    has `rawshelf.manifest.conversion_key`.
    """
    parts = (name, state, code_fingerprint(), json.dumps(_kept_options(options)))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
