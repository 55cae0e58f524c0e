"""What tests let the processes of a pool do.

Apart from the tests, because each process imports this module and all that it imports.
"""

import os
import signal
from pathlib import Path

from rawshelf.errors import SourceError

__all__ = ["deadly", "once", "refused", "written"]


def written(folder: Path, number: int) -> int:
    """Leave a trace of each attempt; number 3 kills the process."""
    with (folder / str(number)).open("a") as file:
        file.write("x")
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def once(folder: Path, number: int) -> int:
    """Kill the process where it is the first attempt at any number."""
    try:
        (folder / "died").touch(exist_ok=False)
    except FileExistsError:
        return number
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def deadly(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def refused() -> None:
    raise SourceError("no", remedy="none")
