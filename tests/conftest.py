"""What all tests share: isolated caches, no network, one miniature release and its conversion."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

# `datasets` and `huggingface_hub` read these when they are imported, which is before any fixture.
_HOME = tempfile.TemporaryDirectory(prefix="rawshelf-tests-")
os.environ.update(
    HF_HOME=_HOME.name,
    HF_DATASETS_CACHE=f"{_HOME.name}/datasets",
    HF_MODULES_CACHE=f"{_HOME.name}/modules",
    HF_HUB_CACHE=f"{_HOME.name}/hub",
    HF_DATASETS_OFFLINE="1",
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_UPDATE_DOWNLOAD_COUNTS="0",
)
for _name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
    os.environ.pop(_name, None)

# A shell has its background jobs ignore Ctrl-C, and all that these start.
signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest  # noqa: E402 - the environment comes first
from hypothesis import settings  # noqa: E402

from rawshelf import catalog  # noqa: E402
from rawshelf.convert import Options, Result, convert  # noqa: E402
from rawshelf.demo import write_release  # noqa: E402
from rawshelf.miniature import Members, pack_folder, pack_tar  # noqa: E402
from rawshelf.partimagenet import miniature as parts_miniature  # noqa: E402
from rawshelf.preview.page import write_page  # noqa: E402
from rawshelf.spair71k import miniature  # noqa: E402
from tests import browser as browsers  # noqa: E402
from tests.fakes.partimagenet import FEW  # noqa: E402
from tests.fakes.spair71k import real_test_split  # noqa: E402
from tests.faults import COLLECTED, rows_of  # noqa: E402
from tests.repositories import convert_parts, convert_sketch, finely_cut  # noqa: E402

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_ROOT = Path(__file__).resolve().parent.parent
_LOCAL = ("127.0.0.1", "::1", "localhost")

Convert = Callable[..., Result]


class Conversion(NamedTuple):
    """A finished conversion of the miniature release, to be read and not changed.

    Attributes:
        raw: The archive.
        out: The dataset repository.
        result: What `convert` returned.
    """

    raw: Path
    out: Path
    result: Result


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for as many trials as a release deserves."""
    parser.addoption("--full-trials", action="store_true", help="Many trials of every fault.")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Remember which faults are tested, before any test is left out."""
    config.stash[COLLECTED] = [(item, rows_of(item)) for item in items]


def pytest_configure() -> None:
    """Keep progress bars of `datasets` out of the captured output, in child processes too."""
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"


def pytest_unconfigure() -> None:
    """Remove the caches."""
    _HOME.cleanup()


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Let connections reach this machine only."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    patch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))
    yield
    patch.undo()


def _guarded(real: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and address[0] not in _LOCAL:
            msg = f"Tests must not use the network: {address}"
            raise RuntimeError(msg)
        return real(self, address)

    return guarded


def _guarded_lookup(real: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in (None, *_LOCAL):
            msg = f"Tests must not use the network: {host}"
            raise RuntimeError(msg)
        return real(host, *args, **kwargs)

    return guarded


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """Return the checkout."""
    return _ROOT


@pytest.fixture(scope="session")
def real() -> Path:
    """Return the folder with samples of the real releases, which lies beside the checkout."""
    folder = _ROOT.parent / "shared" / "real"
    if not folder.is_dir():
        pytest.skip("the samples of the real releases are not beside the checkout")
    return folder


@pytest.fixture(scope="session")
def real_test_tar(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a release of the real test split of SPair-71k, packed as published."""
    raw = tmp_path_factory.mktemp("real") / "SPair-71k.tar.gz"
    return pack_tar(real_test_split(real / "spair71k"), raw, wrapper="SPair-71k")


@pytest.fixture(scope="session")
def miniature_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a miniature SPair-71k release, packed as published."""
    return pack_tar(miniature.members(), tmp_path_factory.mktemp("raw") / "SPair-71k.tar.gz")


@pytest.fixture(scope="session")
def miniature_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same release, unpacked."""
    return pack_folder(miniature.members(), tmp_path_factory.mktemp("raw") / "SPair-71k")


@pytest.fixture(scope="session")
def conversion(miniature_tar: Path, tmp_path_factory: pytest.TempPathFactory) -> Conversion:
    """Return the miniature release, converted with all its configs."""
    out = tmp_path_factory.mktemp("converted") / "out"
    return Conversion(
        miniature_tar, out, convert("spair71k", str(miniature_tar), str(out), Options())
    )


@pytest.fixture
def finished(conversion: Conversion, tmp_path: Path) -> Path:
    """Return a copy of the conversion, to be changed."""
    return Path(shutil.copytree(conversion.out, tmp_path / "out"))


@pytest.fixture
def converted(tmp_path: Path) -> Convert:
    def run(stream: Members, **options: Any) -> Result:
        raw = pack_tar(stream, tmp_path / "SPair-71k.tar.gz", wrapper="SPair-71k")
        return convert("spair71k", str(raw), str(tmp_path / "out"), Options(**options))

    return run


@pytest.fixture(scope="session")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return conversions of all datasets' miniatures, cut as if they were large."""
    root = tmp_path_factory.mktemp("sharded")
    with finely_cut():
        for name in catalog.names():
            raw = write_release(catalog.find(name), root / name)
            convert(name, str(raw), str(root / name / "out"), Options())
    return {name: root / name / "out" for name in catalog.names()}


@pytest.fixture(scope="session")
def repositories(
    conversion: Conversion, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Return a conversion of every dataset with all its configs, to be read and not changed."""
    return {
        "spair71k": conversion.out,
        "imagenet_sketch": convert_sketch(tmp_path_factory.mktemp("sketch")),
        "partimagenet": convert_parts(tmp_path_factory.mktemp("parts")),
    }


@pytest.fixture(scope="session")
def few_seg() -> dict[str, bytes]:
    """Return a small Seg release, by member."""
    return dict(parts_miniature.members(wnids=FEW, side=64))


@pytest.fixture(scope="session")
def few_ood() -> dict[str, bytes]:
    """Return a small OOD release, by member."""
    return dict(parts_miniature.ood_members(wnids=FEW, side=64))


@pytest.fixture(scope="session")
def pages(repositories: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the page of each dataset, NAME.html, to be read only."""
    folder = tmp_path_factory.mktemp("pages")
    for name, out in repositories.items():
        write_page(str(out), str(folder / f"{name}.html"))
    return folder


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browsers.Browser]:
    """Return a browser; each test opens what it needs."""
    if browsers.PROGRAM is None:
        pytest.skip("chromium is not installed")
    with browsers.chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found
