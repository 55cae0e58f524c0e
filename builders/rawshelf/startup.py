"""What only a process of rawshelf's own may do, and must do before it imports anything large."""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder
from types import ModuleType

from rawshelf.hooks import after_import
from rawshelf.interrupts import undisturbed


def prepare() -> None:
    """Prepare this process, and those that it starts."""
    # A spawned worker would import an `array.py` of the working folder in place of Python's own.
    os.environ["PYTHONSAFEPATH"] = "1"
    # Arrow's own pool keeps what is freed, 10 MB a thread. It is chosen when pyarrow is imported;
    # `rawshelf.memory.settle` comes after that, and reaches no writer of Parquet.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    after_import("pyarrow", leave_pandas_out)


def leave_pandas_out(arrow: ModuleType) -> None:
    """Keep pyarrow from importing pandas, which it does before it makes the first array.

    It wants to know the values of pandas, of which there are none here (measured: 25 MB and 0.4 s
    of a processor). Other importers of pandas find it, but pyarrow will convert nothing to it.
    Versions as old as 17 look again with each array, and find it. They drop whatever is raised
    meanwhile, an interrupt too (seen): there the import is over before one can come.

    Args:
        arrow: `pyarrow`.
    """
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NoPandas)
        try:
            arrow.array([])
        finally:
            sys.meta_path.remove(_NoPandas)
        with undisturbed():
            arrow.array([])


class _NoPandas(MetaPathFinder):
    """Says that there is no pandas."""

    @classmethod
    def find_spec(cls, name: str, *_: object) -> None:
        """Find nothing; let others look for what is not pandas."""
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
