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
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeVar

from rawshelf.engines import refuse_other_tools, tools
from rawshelf.errors import UsageError, WorkerError

if TYPE_CHECKING:
    import distributed
    from distributed import Client

Result = TypeVar("Result")

_CONNECT_SECONDS = 10
_WORKER_SECONDS = 60
_ANSWER_SECONDS = 60
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
        # Both are touched in the loop's thread alone.
        self._calls: set[asyncio.Task[Any] | None] = set()
        self._fetches: set[asyncio.Task[Any]] = set()
        self._loop = client.sync(_running_loop)
        self._in_loop(self._watch())

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._client.status != "running":
            raise _gone(self._address)
        # With pure=True two conversions of one output would share results, and errors.
        asked = self._client.submit(call, *args, **kwargs, pure=False, retries=_RETRIES)
        return self._in_loop(self._outcome(asked))

    def _in_loop(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _outcome(self, asked: distributed.Future[Any]) -> Any:
        # A task of its own, which nothing cancels: others may share it, once it fetches a result.
        fetch = asyncio.ensure_future(_result(asked))
        self._fetches.add(fetch)
        fetch.add_done_callback(self._forget)
        call = asyncio.current_task()
        self._calls.add(call)
        try:
            return await asyncio.shield(fetch)
        except asyncio.CancelledError:
            asked.release()
            raise
        except Exception as error:
            connected = self._client.status == "running"
            if asked.status == "error" or (connected and not isinstance(error, _CONNECTION_ERRORS)):
                raise
            raise BrokenExecutor(str(error)) from error
        finally:
            self._calls.discard(call)

    def _forget(self, fetch: asyncio.Task[Any]) -> None:
        self._fetches.discard(fetch)
        if not fetch.cancelled():
            fetch.exception()  # looked at, or asyncio logs those that nobody waits for any more

    async def _watch(self) -> None:
        """End all calls when the connection is gone: Dask has given them up, or should have."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._client.status != "running":
                for call in filter(None, set(self._calls)):
                    call.cancel()


async def _result(asked: distributed.Future[Any]) -> Any:
    return await asked


def _gone(address: str, error: OSError | None = None) -> WorkerError:
    return WorkerError(
        "The Dask scheduler is gone.",
        archive=address,
        found=None if error is None else str(error),
        remedy="Start it and its workers again, then run the same command: it resumes.",
    )


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
                Client.start(self, **settings, callback_timeout=2 * _CONNECT_SECONDS)
            except BaseException:
                Client.close(self)
                raise

    made: Callable[..., Client] = Closing
    return made(**place, timeout=_CONNECT_SECONDS)


def _wait_for_worker(client: Client, address: str) -> None:
    wait: Any = client.wait_for_workers  # awaitable in the client's own loop

    async def arrival() -> bool:
        try:
            await wait(1, timeout=_WORKER_SECONDS)
        except TimeoutError:
            return False
        return True

    if not _answer(client, address, arrival):
        raise WorkerError(
            "The Dask cluster has no workers.",
            archive=address,
            found=f"none within {_WORKER_SECONDS} seconds",
            remedy=f"Start some: dask worker {address} --nthreads 1.",
        )


def _answer(client: Client, address: str, question: Callable[[], Awaitable[Result]]) -> Result:
    """Return what a cluster answers: Dask itself would wait for ever for one that is frozen."""
    seconds = _WORKER_SECONDS + _ANSWER_SECONDS
    try:
        found: Result = client.sync(question, callback_timeout=seconds)
    except TimeoutError as error:
        raise WorkerError(
            "The Dask cluster does not answer.",
            archive=address,
            found=f"nothing within {seconds} seconds",
            remedy="Look at the logs of its scheduler and workers, and restart them.",
        ) from error
    except OSError as error:
        raise _gone(address, error) from error
    return found


def _versions() -> dict[str, str]:
    """Return what must be the same on all machines: also what unpickles tasks."""
    major, minor, _ = platform.python_version_tuple()
    return tools() | {"python": f"{major}.{minor}", "distributed": metadata.version("distributed")}


def _refuse_other_versions(client: Client, address: str) -> None:
    """Ask all machines. Workers that come later are asked by the engine, task by task."""
    expected = _versions()

    async def versions() -> dict[str, Any]:
        found: dict[str, Any] = await client.run(_versions, on_error="return")
        try:
            return {"the scheduler": await client.run_on_scheduler(_versions), **found}
        except (ImportError, RuntimeError, TypeError) as error:
            return {"the scheduler": error, **found}

    for machine, found in _answer(client, address, versions).items():
        if isinstance(found, OSError):
            continue  # a worker that left while it was asked, as where clusters shrink and grow
        if not isinstance(found, Mapping):
            raise WorkerError(
                "A machine of the Dask cluster cannot run rawshelf.",
                archive=address,
                member=machine,
                found=f"{type(found).__name__}: {found}",
                remedy=_REMEDY_INSTALL,
            )
        refuse_other_tools(found, expected, machine)
