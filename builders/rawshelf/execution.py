"""Running shard tasks on an engine; what is finished is told shard by shard."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rawshelf.engines import Engine
from rawshelf.output import Output
from rawshelf.parquet import write_shard
from rawshelf.plan import ShardTask
from rawshelf.records import ShardRecord


def run_tasks(
    tasks: list[ShardTask], output: Output, finish: Callable[[ShardRecord], None], engine: Engine
) -> None:
    """Write shards.

    Args:
        tasks: What to write.
        output: Where to; its plan is withdrawn if not all tasks finish.
        finish: Called in this thread with each shard's record.
        engine: Runs the tasks.

    Raises:
        WorkerError: If shards were lost with the workers that wrote them; all others are finished.
        RawshelfError: What a task raised.
    """
    folder = str(output.staged)
    calls = {task.path: partial(write_shard, task, folder) for task in tasks}
    engine.run(calls, lambda _, record: finish(record), output.withdraw)
