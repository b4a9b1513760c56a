"""Operations: one small HTTP port at which machines ask how the engine is.

    /livez            the process answers
    /readyz           every check, 503 when one fails; `?verbose` names those that hold, too
    /metrics          the counters, as Prometheus reads them
    /status           which rules judge, and how the last reload went, as JSON
    POST /reload      load the rules anew; the answer comes when they judge, or are refused
    POST /acts        an operator's act on a warning, as JSON; the answer comes when it is durable

Nothing else can be changed here and no other body is read. Both want the header `X-Tocsin`, which
no page in a browser can send here without being asked first. Few requests are served at once, each
in its own thread, so that a scrape never waits for the flow nor the flow for a scrape.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from engine.errors import UnreachableError
from engine.meters import render

if TYPE_CHECKING:
    from engine.meters import Meters
    from engine.status import Reception

# A check returns an empty text when all is well, else the reason in one sentence.
Checks = Mapping[str, Callable[[], str]]

AT_ONCE_MAX: Final = 16
PATIENCE_S: Final = 5.0
POLL_S: Final = 0.1
ACT_BYTES_MAX: Final = 8192
WISH: Final = "X-Tocsin"
PATHS: Final = "/livez, /readyz?verbose, /metrics, /status; POST /reload, /acts\n"
TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Operations:
    """The port; it is bound when this is made, and served between `start` and `stop`."""

    def __init__(
        self, address: str, meters: Meters, checks: Checks, reception: Reception | None = None
    ) -> None:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        try:
            self._server = _Server(host, int(port), meters, checks, reception)
        except OSError as error:
            text = f"cannot serve http on {address}: {error.strerror}"
            raise UnreachableError(text) from error
        bound = self._server.server_address
        self.address = f"{address.rpartition(':')[0]}:{bound[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="operations", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End, and give the port back."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """A threaded server that refuses the seventeenth request instead of growing."""

    daemon_threads = True
    request_queue_size = AT_ONCE_MAX

    def __init__(
        self, host: str, port: int, meters: Meters, checks: Checks, reception: Reception | None
    ) -> None:
        self.meters = meters
        self.reception = reception
        self.checks = checks
        self._places = threading.Semaphore(AT_ONCE_MAX)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Request)

    def server_bind(self) -> None:
        """Bind without asking the name service who we are, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: object, client_address: object) -> None:
        """Serve one request, or close it when too many are being served."""
        assert isinstance(request, socket.socket)
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Serve in a thread, and give the place back."""
        try:
            assert isinstance(request, socket.socket)
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is no event."""


class _Request(BaseHTTPRequestHandler):
    """One request. Names in this class are the library's."""

    server: _Server
    timeout = PATIENCE_S
    server_version = "tocsin"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer the four paths; all others do not exist."""
        if self._has_body():
            return
        url = urlsplit(self.path)
        if url.path == "/livez":
            self._answer(HTTPStatus.OK, "ok\n")
        elif url.path == "/readyz":
            is_verbose = "verbose" in parse_qs(url.query, keep_blank_values=True)
            self._answer(*readiness(self.server.checks, is_verbose=is_verbose))
        elif url.path == "/metrics":
            self._answer(HTTPStatus.OK, render(self.server.meters).decode(), METRICS)
        elif url.path == "/status" and self.server.reception is not None:
            self._answer(*self.server.reception.status(), JSON)
        else:
            self._answer(HTTPStatus.NOT_FOUND, PATHS)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Reload, or act; nothing else can be asked for."""
        path, reception = urlsplit(self.path).path, self.server.reception
        if path != "/acts" and self._has_body():
            return
        if path not in ("/acts", "/reload") or reception is None:
            self._answer(HTTPStatus.NOT_FOUND, PATHS)
        elif WISH not in self.headers:
            self._answer(HTTPStatus.FORBIDDEN, f"it is asked for with the header {WISH}\n")
        elif path == "/reload":
            self._answer(*reception.reload(), JSON)
        elif (body := self._body()) is not None:
            self._answer(*reception.act(body), JSON)

    def _body(self) -> bytes | None:
        """The body of an act; None after an answer that refuses it."""
        text = self.headers.get("Content-Length", "").strip()
        if not text.isascii() or not text.isdecimal() or "Transfer-Encoding" in self.headers:
            self._answer(HTTPStatus.LENGTH_REQUIRED, "an act says how long it is\n")
            return None
        if len(text) > 6 or int(text) > ACT_BYTES_MAX:
            text = f"an act has at most {ACT_BYTES_MAX} bytes\n"
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
            return None
        return self.rfile.read(int(text))

    def _has_body(self) -> bool:
        """Refuse what brings a body."""
        size = self.headers.get("Content-Length", "0").strip()
        if size == "0" and "Transfer-Encoding" not in self.headers:
            return False
        self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no body is read here\n")
        return True

    def log_message(self, *_: object) -> None:
        """A scrape each second is not worth a line."""

    def _answer(self, status: HTTPStatus, text: str, kind: str = TEXT) -> None:
        column = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(column)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(column)


def readiness(checks: Checks, *, is_verbose: bool) -> tuple[HTTPStatus, str]:
    """Run all checks; every one that fails is named, with its reason."""
    lines, is_ready = [], True
    for name, check in checks.items():
        try:
            reason = check()
        except Exception as error:  # a check that fails to run has failed
            reason = f"the check itself failed: {type(error).__name__}: {error}"
        is_ready = is_ready and not reason
        if reason or is_verbose:
            lines.append(f"[{'-' if reason else '+'}] {name}: {reason or 'ok'}\n")
    lines.append("ready\n" if is_ready else "not ready\n")
    return HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE, "".join(lines)
