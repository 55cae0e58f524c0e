"""A conversion by an array of processes that know of each other by the output alone.

Each member has a number and writes every n-th shard; none is in charge. Whoever comes first reads
the release and leaves the plan in the output, the others wait for it. Members write shards and
records of their own shards, nothing else; one last run puts everything together and publishes.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from rawshelf.convert import Conversion, Options, Progress, Result, Watch
from rawshelf.errors import UsageError, WorkerError
from rawshelf.output import Output
from rawshelf.parts import Advance
from rawshelf.plan import Plan
from rawshelf.records import ShardRecord
from rawshelf.refusals import explained

_LISTED = 5


@dataclass(frozen=True)
class Share:
    """Which member of an array a process is.

    Attributes:
        index: Its number, from 0.
        count: Number of members. All members should say the same; where they do not, some shards
            are written twice or left to the last run, and none comes out wrong.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        """Refuse a number that is none of the members'.

        Raises:
            UsageError: If so.
        """
        if not 0 <= self.index < self.count:
            raise UsageError(
                "The array has no such member.",
                field="array index",
                found=self.index,
                expected=f"0 to {self.count - 1}",
                remedy="Count members from 0, as sbatch --array=0-15 does for 16 of them.",
            )


def convert_share(
    name: str,
    raw: str,
    out: str,
    share: Share,
    options: Options | None = None,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    advance: Advance | None = None,
) -> list[ShardRecord]:
    """Write a member's shards of a conversion; `finish_shares` publishes them.

    May be run again at any time, also while it runs already: shards that are finished are kept.

    Args:
        name: Dataset name, see `rawshelf.catalog.names`.
        raw: Path or fsspec URL of the release, the same for all members.
        out: Output folder on a file system that all members share.
        share: Which member this is.
        options: How to convert; the same for all members but for ``workers``.
        executor: As for `rawshelf.convert.convert`.
        progress: As for `rawshelf.convert.convert`.
        advance: As for `rawshelf.convert.convert`.

    Returns:
        The records of this member's shards.

    Raises:
        RawshelfError: If the input is damaged, incomplete or wrong, or the output cannot be
            written.
    """
    run = Conversion.begin(name, raw, out, options, executor, Watch.of(progress, advance))
    with explained(out):
        while True:
            found = run.standing()
            run = run.beside(found)
            if run.shared() is not None:
                records = _write(run, share, found)
                if records is not None:
                    return records
            complete = _prepare(run, share)
            if complete is not None:
                return complete


def _write(run: Conversion, share: Share, found: Result | None) -> list[ShardRecord] | None:
    """Write the shards of a member, beside others; None where their plan is gone again."""
    with run.output.joined():
        plan = run.shared()
        if plan is None:
            return None
        run.output.take_part()
        known = {} if found is None else {record.path: record for record in found.records}
        records, _ = run.shards(plan.tasks[share.index :: share.count], known)
        run.refuse_if_changed()
        return records


def _prepare(run: Conversion, share: Share) -> list[ShardRecord] | None:
    """See to a plan; return the member's records if all is published already."""
    with run.output.opened():
        found = run.standing()
        if found is not None and run.beside(found).is_held_by(found):
            return found.records[share.index :: share.count]
        run = run.beside(found)
        if run.shared() is None:
            run.output.take_part()
            run.output.share(run.plan_name, run.plan())
        return None


def finish_shares(
    name: str,
    raw: str,
    out: str,
    count: int,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
) -> Result:
    """Publish what the members of an array wrote, after all of them have ended.

    `rawshelf.convert.convert` does so too, and writes what is missing itself.

    Args:
        name: As for the members.
        raw: As for the members.
        out: As for the members.
        count: Number of members, to name those whose shards are missing.
        options: As for the members.
        progress: As for `rawshelf.convert.convert`.

    Raises:
        WorkerError: If shards are missing.
        RawshelfError: As `rawshelf.convert.convert`.
    """
    run = Conversion.begin(name, raw, out, options, None, Watch.of(progress, None))
    with explained(out), run.output.opened():
        found = run.standing()
        run = run.beside(found)
        if found is None or not run.is_held_by(found):
            known = set() if found is None else {record.path for record in found.records}
            _refuse_missing(run.shared(), run.output, known, count)
        return run.finish(found)


def _refuse_missing(plan: Plan | None, output: Output, known: set[str], count: int) -> None:
    if plan is None:
        raise WorkerError(
            "No member of the array has written anything.",
            archive=str(output.root),
            expected=f"the shards of {count} members",
            remedy="Run the members first: --array-index 0 to "
            f"{count - 1} with --array-count {count}, and with the same release and options.",
        )
    missing = {
        place: task.path
        for place, task in enumerate(plan.tasks)
        if task.path not in known and output.recorded(task.path) is None
    }
    if missing:
        members = sorted({place % count for place in missing})
        paths = list(missing.values())
        more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
        raise WorkerError(
            "Members of the array have not written their shards.",
            archive=str(output.root),
            member=paths[0],
            field=f"array index {', '.join(map(str, members))}",
            found=f"{len(paths)} shards missing: {', '.join(paths[:_LISTED])}{more}",
            expected=f"{len(plan.tasks)} shards",
            remedy="Run those members again, or finish with `rawshelf convert` without the array "
            "options, which writes what is missing itself.",
        )
