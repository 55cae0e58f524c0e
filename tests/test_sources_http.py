import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rawshelf.convert import Options, convert
from rawshelf.errors import SourceError
from rawshelf.miniature import pack_tar, pack_zip
from rawshelf.sources import Source
from rawshelf.spair71k.miniature import members
from tests.outputs import content

pytest.importorskip("aiohttp", reason="the extra http is not installed")

FEW = {"trn": 2, "val": 2, "test": 2}
CATEGORIES = ("aeroplane", "cat")


class Files(BaseHTTPRequestHandler):
    """Serves files of one folder, whole or by range."""

    folder: Path

    def do_HEAD(self) -> None:
        """Answer with the headers alone."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Answer with the file, or the range that is asked for."""
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        stop = int(wanted[2]) + 1 if wanted and wanted[2] else len(data)
        piece = data[start:stop]
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(piece)))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{start + len(piece) - 1}/{len(data)}")
        self.end_headers()
        if body:
            self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Serve a folder on this machine; give its URL."""
    handler = type("Served", (Files,), {"folder": tmp_path})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("name", "pack"), [("raw.tar.gz", pack_tar), ("raw.zip", pack_zip)])
def test_a_release_behind_http(
    name: str,
    pack: Callable[..., Path],
    served: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A release at an http URL converts to the bytes that the same file gives on disk."""
    raw = pack(members(images_per_split=FEW, categories=CATEGORIES), tmp_path / name)
    out = tmp_path_factory.mktemp("out")
    convert("spair71k", str(raw), str(out / "local"), Options())
    convert("spair71k", f"{served}/{name}", str(out / "remote"), Options())

    assert content(out / "local") == content(out / "remote")


def test_nothing_behind_http(served: str) -> None:
    """What the server does not have is told as such."""
    with pytest.raises(SourceError) as caught:
        Source(f"{served}/nothing.tar.gz")

    assert f"{served}/nothing.tar.gz" == caught.value.archive
