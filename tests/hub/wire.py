"""HTTP/1.1: bodies in and out, kept connections, and the faults on the way."""

from __future__ import annotations

import socket
import struct
import time
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.hub import routing
from tests.hub.faults import Fault, Faults
from tests.hub.protocol import Call, Log, Refusal, Reply, Request
from tests.hub.service import Service

_CHUNK = 1 << 16


class Server(ThreadingHTTPServer):
    """Serves one hub.

    Attributes:
        service: Must be set before the first request.
        log: Of all requests.
        faults: To be made.
        foreign: Makes somebody else's commit: repository and changes.
        crashes: Tracebacks of errors of this server, none of which should happen.
    """

    # All connections are ended and all threads joined when the server closes.
    daemon_threads = False
    request_queue_size = 64
    service: Service
    foreign: Callable[[str, Fault], None]

    def __init__(self) -> None:
        """Listen on a free port of this machine."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.log = Log()
        self.faults = Faults()
        self.crashes: list[str] = []
        self._connections: set[socket.socket] = set()

    def opened(self, connection: socket.socket) -> None:
        """Note a connection."""
        self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def server_close(self) -> None:
        """End the connections that clients keep open, and wait for the threads."""
        for connection in tuple(self._connections):
            _shut(connection)
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Note what happened, on no one's screen."""
        self.crashes.append(traceback.format_exc())


class _CutError(Exception):
    """The connection is to end here."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    # Head and body leave in two writes; without this the second waits for an acknowledgement.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        try:
            super().finish()
        except ConnectionError:
            self.close_connection = True

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing; the log of the hub holds it."""

    def _exchange(self) -> None:
        url = urlsplit(self.path)
        route = routing.find(self.command, url.path)
        entry = self.server.log.entry(
            self.command, route.kind, self.path, self.headers.get("Range")
        )
        with entry as request:
            try:
                self._answer(route, url.query, request, self.server.faults.due(request))
            except _CutError:
                self.close_connection = True
                _shut(self.connection)
            except ConnectionError:
                self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _exchange  # noqa: N815

    def _answer(
        self, route: routing.Route, query: str, request: Request, faults: list[Fault]
    ) -> None:
        if delay := sum(fault.delay for fault in faults):
            time.sleep(delay)
        cut = next((fault.cut for fault in faults if fault.cut is not None), None)
        body = self._body(request, half=cut == "upload")
        if cut == "upload":
            _reset_at_close(self.connection)
        if cut in {"before", "upload"}:
            raise _CutError
        for fault in faults:
            if fault.foreign is not None:
                self.server.foreign(route.place["repo"], fault)
        reply = next((reply for fault in faults if (reply := fault.reply())), None)
        if reply is None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = self._handled(route, Call(self.command, route.place, query, headers, body))
        if cut == "after":
            raise _CutError
        self._send(reply, request, half=cut == "answer")

    def _handled(self, route: routing.Route, call: Call) -> Reply:
        service = self.server.service
        try:
            with service.lock:
                return route.endpoint(service, call)
        except Refusal as refusal:
            return refusal.reply()
        except Exception:  # noqa: BLE001 - whatever it is, it is an error of this hub
            self.server.crashes.append(traceback.format_exc())
            return Reply(500, b"The hub of the tests has crashed")

    def _body(self, request: Request, *, half: bool) -> bytes:
        """Return the body, read whole so that the next request begins after it."""
        parts: list[bytes] = []
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self._read(size // 2 if half else size, request))
                if half:
                    return b"".join(parts)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        elif size := int(self.headers.get("Content-Length") or 0):
            parts.append(self._read(size // 2 if half else size, request))
        return b"".join(parts)

    def _read(self, size: int, request: Request) -> bytes:
        content = self.rfile.read(size)
        request.received += len(content)
        if len(content) < size:
            raise ConnectionResetError
        return content

    def _send(self, reply: Reply, request: Request, *, half: bool) -> None:
        request.status = reply.status
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        body = memoryview(reply.body)[: len(reply.body) // 2 if half else None]
        for begin in range(0, len(body), _CHUNK):
            part = body[begin : begin + _CHUNK]
            self.wfile.write(part)
            request.sent += len(part)
        if half:
            raise _CutError


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _reset_at_close(connection: socket.socket) -> None:
    """Let the client see the end at once, not only when its buffers are full."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
