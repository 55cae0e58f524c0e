"""Work that must be done before tables can be planned, in parts that survive a kill."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import TypeVar

import pyarrow as pa

from rawshelf.engines import Engine
from rawshelf.files import publish

Item = TypeVar("Item")
Advance = Callable[[str, int, int], None]


def silent(_: str, __: int, ___: int) -> None:
    """Show no progress."""


class Parts:
    """Runs a function over items, one Arrow IPC file each, and keeps the files that are done."""

    def __init__(
        self, folder: str | None = None, engine: Engine | None = None, advance: Advance = silent
    ) -> None:
        """Choose where and how.

        Args:
            folder: Keeps finished parts; must be used for one state of one input only. None keeps
                nothing.
            engine: Runs the items; threads of this process if None.
            advance: Called after each part with the name of the work, parts done, parts in all.
        """
        self._folder = folder
        self._engine = engine or Engine()
        self._advance = advance

    def run(
        self, function: Callable[[Item, str], None], items: Sequence[Item], name: str
    ) -> list[pa.Table]:
        """Return one table per item, in order.

        Args:
            function: Writes the table of one item to a path, as an Arrow IPC file; picklable.
            items: Picklable; paths and ranges, never bytes.
            name: Names the parts' files and the progress.

        Raises:
            RawshelfError: Whatever the function raises.
        """
        if self._folder is not None:
            return self._run(function, items, os.path.join(self._folder, name))
        with tempfile.TemporaryDirectory() as folder:
            return self._run(function, items, os.path.join(folder, name))

    def _run(
        self, function: Callable[[Item, str], None], items: Sequence[Item], prefix: str
    ) -> list[pa.Table]:
        os.makedirs(os.path.dirname(prefix), exist_ok=True)
        paths = [f"{prefix}-{number:05d}.arrow" for number in range(len(items))]
        waiting = [number for number, path in enumerate(paths) if not os.path.exists(path)]
        name = os.path.basename(prefix)
        calls = {
            f"{name}, part {number + 1} of {len(paths)}": partial(
                _write, function, items[number], paths[number]
            )
            for number in waiting
        }
        finished = count(len(paths) - len(waiting) + 1)
        self._engine.run(calls, lambda *_: self._advance(name, next(finished), len(paths)))
        return [_open(path) for path in paths]


def _write(function: Callable[[Item, str], None], item: Item, path: str) -> None:
    with publish(path) as temporary:
        function(item, temporary)


def _open(path: str) -> pa.Table:
    """Open a part; its columns are views of the mapped file, which may be gone by then."""
    with pa.memory_map(path) as file:
        return pa.ipc.open_file(file).read_all()
