"""Measuring one process and all that it starts: time, memory, and what it left on disk."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

POLL = 0.03  # seconds between two looks at the memory
_TICKS = os.sysconf("SC_CLK_TCK")
_PROCESS = Path("/proc")
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD of linux/sched.h


@dataclass(frozen=True)
class Spent:
    """What a process took.

    Attributes:
        seconds: Wall time from its start to its end, start of Python and imports included.
        cpu: Seconds of processor time, of all its processes.
        anonymous_mb: Peak of the anonymous memory (`RssAnon`) of all its processes, in 10^6
            bytes. Pages that forked processes share count once for each of them.
        output_bytes: Size of all files below the output folder.
        others: Share of the machine's processors that other processes took meanwhile, 0 to 1.
        told: What the process itself measured, in place of or beside the above.
    """

    seconds: float
    cpu: float
    anonymous_mb: float
    output_bytes: int
    others: float
    told: Mapping[str, float] = field(default_factory=dict)

    def value(self, quantity: str) -> float:
        """Return a quantity by name; what the process told about itself goes first."""
        return self.told[quantity] if quantity in self.told else float(getattr(self, quantity))


class FailedError(RuntimeError):
    """A measured process ended with an error."""


def measure(command: Sequence[str], out: Path, environment: Mapping[str, str]) -> Spent:
    """Run a command to its end.

    Args:
        command: Program and arguments. A last line of standard output that is a JSON object is
            what it tells about itself.
        out: The folder or file that it writes.
        environment: Of the process.

    Raises:
        FailedError: If it does not end with 0.
    """
    busy, own = busy_seconds(), time.process_time()
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        peak = Peak(process.pid)
        said = _Drain(process)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        anonymous = peak.stop()
        output, errors = said.text()
    if process.returncode:
        raise FailedError(f"{' '.join(command)} ended with {process.returncode}:\n{errors}")
    cpu = usage.ru_utime + usage.ru_stime
    elsewhere = busy_seconds() - busy - cpu - (time.process_time() - own)
    others = min(max(elsewhere / seconds / (os.cpu_count() or 1), 0), 1)
    return Spent(seconds, cpu, anonymous / 1e6, size_of(out), others, _told(output))


class _Drain:
    """Reads both streams of a process while it runs, so that it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._parts = [b"", b""]
        self._threads = [
            threading.Thread(target=self._read, args=(number, stream))
            for number, stream in enumerate((process.stdout, process.stderr))
            if stream is not None
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, number: int, stream: IO[bytes]) -> None:
        self._parts[number] = stream.read()

    def text(self) -> tuple[str, str]:
        """Wait for the ends of both; return them."""
        for thread in self._threads:
            thread.join()
        return self._parts[0].decode(errors="replace"), self._parts[1].decode(errors="replace")


class Peak:
    """Follows the anonymous memory of a process and its descendants in a thread of its own."""

    def __init__(self, pid: int) -> None:
        """Begin."""
        self._pid = pid
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        while not self._over.wait(POLL):
            self._peak = max(self._peak, sum(map(anonymous_bytes, family(self._pid))))

    def stop(self) -> int:
        """End; return the peak in bytes."""
        self._over.set()
        self._thread.join()
        return self._peak


def family(pid: int) -> list[int]:
    """Return a process and all its descendants, as far as they live."""
    found = [pid]
    for known in found:
        # Each thread lists the children that it started itself.
        for listed in _PROCESS.glob(f"{known}/task/*/children"):
            with contextlib.suppress(OSError):
                found += map(int, listed.read_text().split())
    return found


def anonymous_bytes(pid: int) -> int:
    """Return the anonymous memory of a process, 0 if it is gone."""
    try:
        status = (_PROCESS / str(pid) / "status").read_text()
    except OSError:
        return 0
    return sum(int(x.split()[1]) for x in status.splitlines() if x.startswith("RssAnon")) * 1024


def busy_seconds() -> float:
    """Return the processor seconds that all programs of the machine have used so far.

    What the machine's host took away counts; kernel threads do not: they write out what the
    measured programs wrote. Fields as proc(5) has them: user, nice, system, ..., steal.
    """
    numbers = [int(n) for n in (_PROCESS / "stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(numbers[:3]) + numbers[7] - _kernel_ticks()) / _TICKS


def _kernel_ticks() -> int:
    """Return the ticks of all kernel threads: fields 14 and 15 of proc(5), where 9 says so."""
    ticks = 0
    for entry in _PROCESS.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[6]) & _KERNEL_THREAD:
                    ticks += int(fields[11]) + int(fields[12])
    return ticks


def size_of(place: Path) -> int:
    """Return the size of a file, or of all files below a folder; 0 if there is none."""
    if place.is_file():
        return place.stat().st_size
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def _told(output: str) -> dict[str, float]:
    lines = output.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        return {}
    told: dict[str, float] = json.loads(lines[-1])
    return told


def call(function: Callable[..., object], *arguments: object) -> list[str]:
    """Return the command that calls a module's function in a fresh Python, see `compete`."""
    where = f"{function.__module__}:{function.__name__}"
    return [sys.executable, "-m", "tests.bench.compete", where, *map(str, arguments)]
