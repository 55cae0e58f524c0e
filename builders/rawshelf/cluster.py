"""Shard tasks on a Dask cluster. Needs the extra ``dask``; nothing else imports it.

What `Engine` demands of any executor makes this safe: tasks may run twice, because a shard appears
whole under its name and is the same each time; records on disk, not futures, say what is finished.
Dask in turn runs a task anew when its worker dies, also one whose result was with that worker.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import warnings
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from rawshelf.engines import refuse_other_tools, tools
from rawshelf.errors import UsageError, WorkerError

if TYPE_CHECKING:
    import distributed
    from distributed import Client

_CONNECT_SECONDS = 10
_WORKER_SECONDS = 60
_LOOK_SECONDS = 1.0
_CONNECTION_ERRORS = (OSError, CancelledError)
# A shared file system may fail for a moment. What is wrong with the data is told all the same.
_RETRIES = 2
_REMEDY_INSTALL = (
    "Install the same environment, rawshelf included, for the scheduler and all workers, restart "
    "them, then run the same command: it resumes."
)


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


class _Cluster(Executor):
    """A Dask client as an executor whose every call ends, also when the scheduler is gone.

    Dask's own leaves a future pending for ever when its result is on the way while the connection
    breaks (seen), and when the client takes the call while it closes. Here such calls are lost, as
    those are that were waiting.
    """

    def __init__(self, client: Client, address: str) -> None:
        self._client, self._address = client, address
        self._calls: WeakSet[Future[Any]] = WeakSet()
        self._loop = client.sync(_running_loop)
        self._in_loop(self._watch())

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._client.status != "running":
            raise WorkerError(
                "The Dask scheduler is gone.",
                archive=self._address,
                remedy="Start it and its workers again, then run the same command: it resumes.",
            )
        # With pure=True two conversions of one output would share results, and errors.
        asked = self._client.submit(call, *args, **kwargs, pure=False, retries=_RETRIES)
        future = self._in_loop(self._outcome(asked))
        self._calls.add(future)
        return future

    def _in_loop(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _outcome(self, asked: distributed.Future[Any]) -> Any:
        try:
            return await asked
        except Exception as error:
            connected = self._client.status == "running"
            if asked.status == "error" or (connected and not isinstance(error, _CONNECTION_ERRORS)):
                raise
            raise BrokenExecutor(str(error)) from error

    async def _watch(self) -> None:
        """End all calls when the connection is gone: Dask has given them up, or should have."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._client.status != "running":
                for future in list(self._calls):
                    future.cancel()


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Connect to a Dask cluster and lend it as an executor for `rawshelf.convert.convert`.

    Args:
        address: The scheduler's, such as ``tcp://10.0.0.1:8786``, or the path of its scheduler
            file.

    Raises:
        UsageError: If the extra ``dask`` is not installed, or the address is none.
        WorkerError: If there is no scheduler or worker, or one has other versions than we have.
    """
    try:
        import distributed  # noqa: F401, PLC0415 - optional, and slow to import
    except ImportError as error:
        raise UsageError(
            "Dask is not installed.",
            field="--dask",
            found=str(error),
            expected="rawshelf with its extra `dask`",
            remedy="Install it: pip install 'rawshelf[dask]', here and wherever workers run.",
        ) from error
    with _untold(), _client(address) as client:
        _wait_for_worker(client, address)
        _refuse_other_versions(client, address)
        yield _Cluster(client, address)


@contextmanager
def _untold() -> Iterator[None]:
    """Keep back what Dask's client logs as errors, with tracebacks: it is raised, with a remedy."""

    def passes(record: logging.LogRecord) -> bool:
        return record.levelno < logging.ERROR

    logger = logging.getLogger("distributed.client")
    logger.addFilter(passes)
    try:
        yield
    finally:
        logger.removeFilter(passes)


def _client(address: str) -> Client:
    from distributed.versions import VersionMismatchWarning  # noqa: PLC0415 - see `dask_executor`

    place = {"scheduler_file" if os.path.isfile(address) else "address": address}
    with warnings.catch_warnings():
        # What matters of it is refused, with a remedy.
        warnings.simplefilter("ignore", VersionMismatchWarning)
        try:
            return _connected(place)
        except OSError as error:
            raise WorkerError(
                "There is no Dask scheduler at this address.",
                archive=address,
                found=str(error),
                remedy="Start one (`dask scheduler`), and give the address that it prints.",
            ) from error
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(
                "This is no address of a Dask scheduler.",
                field="--dask",
                found=f"{address}: {error}",
                expected="such as tcp://10.0.0.1:8786, or the path of a scheduler file",
                remedy="Give the address that `dask scheduler` prints.",
            ) from error


def _connected(place: Mapping[str, str]) -> Client:
    """Return a client that has found its scheduler, or leave none open.

    Dask leaves one open whose address it cannot read; the garbage collector then closes it, in any
    thread: also in that which a second client waits for, and the two block each other (seen).
    """
    from distributed import Client  # noqa: PLC0415 - see `dask_executor`

    class Closing(Client):
        def start(self, **settings: Any) -> None:
            try:
                Client.start(self, **settings)
            except BaseException:
                Client.close(self)
                raise

    made: Callable[..., Client] = Closing
    return made(**place, timeout=_CONNECT_SECONDS)


def _wait_for_worker(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except TimeoutError as error:
        raise WorkerError(
            "The Dask cluster has no workers.",
            archive=address,
            found=f"none within {_WORKER_SECONDS} seconds",
            remedy=f"Start some: dask worker {address} --nthreads 1.",
        ) from error


def _versions() -> dict[str, str]:
    """Return what must be the same on all machines: also what unpickles tasks."""
    major, minor, _ = platform.python_version_tuple()
    return tools() | {"python": f"{major}.{minor}", "distributed": metadata.version("distributed")}


def _refuse_other_versions(client: Client, address: str) -> None:
    """Ask all machines. Workers that come later are asked by the engine, task by task."""
    expected = _versions()
    try:
        found: dict[str, Any] = {"the scheduler": client.run_on_scheduler(_versions)}
    except (ImportError, RuntimeError, TypeError) as error:
        found = {"the scheduler": error}
    found |= client.run(_versions, on_error="return")
    for machine, versions in found.items():
        if not isinstance(versions, Mapping):
            raise WorkerError(
                "A machine of the Dask cluster cannot run rawshelf.",
                archive=address,
                member=machine,
                found=f"{type(versions).__name__}: {versions}",
                remedy=_REMEDY_INSTALL,
            )
        refuse_other_tools(versions, expected, machine)
