"""One target under the fuzzer, in a process of its own.

libFuzzer ends a process with the first exception. Here the search goes on: each place in the code
that lets something else than a refusal pass is noted once, with the smallest input found for it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["rawshelf", "zipfile"]):
    from tests.fuzz.menders import MENDERS
    from tests.fuzz.seeds import SEEDS
    from tests.fuzz.targets import attempt

_HANG = 10  # seconds of processor time, which a busy machine does not lengthen
_STANDSTILL = 100  # seconds of the clock
_MEMORY = 1 << 30  # bytes that one input may take beyond what the process has
_LONGEST = 1 << 15  # bytes of an input
_MINIMISING = 8  # seconds
_MENDED = 3  # every third mutant


class Notes:
    """What was found, a folder of its own for each kind."""

    def __init__(self, target: str, folder: Path) -> None:
        """Remember where finds go."""
        self._target = target
        self._folder = folder
        self._known: set[str] = set()

    def run(self, data: bytes) -> None:
        """Hand an input to the target; note what should not have come of it."""
        fault = self._fault(data)
        if fault is not None and fault[0] not in self._known:
            self._known.add(fault[0])
            self._write(fault[0], fault[1], data)
            small = self._minimised(data, fault[0])
            self._write(fault[0], fault[1], small)

    def _fault(self, data: bytes) -> tuple[str, str] | None:
        """Return a name for the place that failed, and the traceback."""
        start = time.process_time()
        try:
            attempt(self._target, data)
        except Exception as error:  # noqa: BLE001 - anything is a find
            frames = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in frames if "rawshelf/" in frame.filename] or list(frames)
            place = f"{Path(ours[-1].filename).stem}-{ours[-1].lineno}"
            return f"{type(error).__name__}-{place}", traceback.format_exc()
        spent = time.process_time() - start
        return ("hang", f"{spent:.0f} seconds\n") if spent > _HANG else None

    def _write(self, name: str, story: str, data: bytes) -> None:
        (self._folder / f"{name}.bin").write_bytes(data)
        (self._folder / f"{name}.txt").write_text(story, "utf-8", "backslashreplace")

    def _minimised(self, data: bytes, name: str) -> bytes:
        """Cut pieces out, ever smaller ones, as long as the same place fails."""
        end = time.monotonic() + _MINIMISING
        size = len(data) // 2
        while size and time.monotonic() < end:
            start = 0
            while start < len(data) and time.monotonic() < end:
                shorter = data[:start] + data[start + size :]
                fault = self._fault(shorter)
                if fault is not None and fault[0] == name:
                    data = shorter
                else:
                    start += size
            size //= 2
        return data


def _mutator(mend: Callable[[bytes], bytes] | None) -> Callable[[bytes, int, int], bytes]:
    """Return a mutator which mends sums in some mutants, so that what is behind them is reached."""

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        mutant = atheris.Mutate(data, most)
        if mend is None or seed % _MENDED:
            return bytes(mutant[:most])
        with contextlib.suppress(Exception):
            mutant = mend(mutant)
        return bytes(mutant[:most])

    return mutate


def _bound_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    """Search, until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=SEEDS)
    parser.add_argument("seconds", type=int)
    parser.add_argument("corpus", type=Path, help="inputs worth keeping; seeds are put there")
    parser.add_argument("finds", type=Path)
    arguments = parser.parse_args()
    for seed in SEEDS[arguments.target]():
        (arguments.corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    notes = Notes(arguments.target, arguments.finds)
    options = [
        f"-max_total_time={arguments.seconds}",
        f"-timeout={_STANDSTILL}",
        f"-max_len={_LONGEST}",
        f"-artifact_prefix={arguments.finds}/",
        "-rss_limit_mb=0",
        "-print_final_stats=1",
    ]
    mend = MENDERS.get(arguments.target)
    atheris.Setup(
        [sys.argv[0], *options, str(arguments.corpus)], notes.run, custom_mutator=_mutator(mend)
    )
    _bound_memory()
    atheris.Fuzz()


if __name__ == "__main__":
    main()
