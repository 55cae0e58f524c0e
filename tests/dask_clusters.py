"""A Dask cluster on this machine: processes of their own, which speak TCP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple


class Cluster(NamedTuple):
    """A scheduler and its workers, each a process of its own.

    Attributes:
        address: The scheduler's.
        scheduler: Its process.
        workers: Their processes.
    """

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


def module(name: str, *arguments: str, folder: Path, **settings: str) -> subprocess.Popen[bytes]:
    """Start one of Dask's programs, as its documentation does, without the working folder."""
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", f"distributed.cli.{name}", *arguments, "--no-dashboard"],
            cwd=folder,
            env={**os.environ, **settings},
            stderr=log,
            start_new_session=True,
        )


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a process and those that it started at the end."""
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # as after a test that kills it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def cluster(
    folder: Path, *options: str, count: int = 2, preload: str = "", **settings: str
) -> Iterator[Cluster]:
    """Run a scheduler and workers that speak TCP on this machine."""
    folder.mkdir(exist_ok=True)
    (folder / "preload.py").write_text(preload)
    # A wrong name in the working folder: `python -P` does not let it stand for Python's own.
    (folder / "array.py").write_text("raise ImportError('this is not the module array')\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ("--host", "127.0.0.1", "--port", str(port))
    worker = (address, "--nthreads", "1", "--host", "127.0.0.1", *options)
    if preload:
        worker = (*worker, "--preload", str(folder / "preload.py"))
    with ExitStack() as stack:
        server = stack.enter_context(running(module("dask_scheduler", *scheduler, folder=folder)))
        workers = [
            stack.enter_context(running(module("dask_worker", *worker, folder=folder, **settings)))
            for _ in range(count)
        ]
        wait_for(port)
        yield Cluster(address, server, workers)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
