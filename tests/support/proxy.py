"""A proxy between the functions and the services, which can hold a request while a test kills the function."""

from __future__ import annotations

import contextlib
import http.client
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable

Matches = Callable[["Call"], bool]
HOLD_AT_MOST_S = 60


@dataclass(frozen=True)
class Call:
    """One HTTP request of a function."""

    method: str
    path: str
    target: str
    body: bytes


@dataclass
class Hold:
    """Holds matching requests until it is lifted. `passed_on` is whether the service receives them first."""

    matches: Matches
    passed_on: bool
    reached: threading.Event = field(default_factory=threading.Event)
    lifted: threading.Event = field(default_factory=threading.Event)


class Proxy:
    """Forwards requests to `upstream`, except those that are held."""

    def __init__(self) -> None:
        self.upstream = ""
        self._hold: Hold | None = None
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy.handle(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

            def log_message(self, format: str, *args: object) -> None:
                """Logs nothing. The logs of the functions are sufficient."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[Proxy]:
        proxy = cls()
        thread = threading.Thread(target=proxy._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy._server.shutdown()
            proxy._server.server_close()

    @contextlib.contextmanager
    def hold(self, matches: Matches, *, passed_on: bool) -> Iterator[Hold]:
        """Holds matching requests until the end of the block."""
        hold = self._hold = Hold(matches, passed_on)
        try:
            yield hold
        finally:
            self._hold = None
            hold.lifted.set()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        call = Call(request.command, request.path, request.headers.get("X-Amz-Target") or "", body)
        hold = self._hold if self._hold and self._hold.matches(call) else None
        if hold and not hold.passed_on:
            hold.reached.set()
            hold.lifted.wait(HOLD_AT_MOST_S)
            # The sender was killed meanwhile. The service never receives the request.
            request.close_connection = True
            return
        status, headers, content = self._pass_on(request, body)
        if hold:
            hold.reached.set()
            hold.lifted.wait(HOLD_AT_MOST_S)
        # The sender may have been killed meanwhile.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            answer(request, status, headers, content)

    def _pass_on(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = urllib.parse.urlsplit(self.upstream)
        connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=60)
        try:
            connection.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in ("connection", "host"):
                    connection.putheader(name, value)
            connection.putheader("Host", upstream.netloc)
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()


def answer(request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
    request.send_response_only(status)
    length = None
    for name, value in headers:
        if name.lower() == "content-length":
            length = value
        elif name.lower() not in ("connection", "transfer-encoding"):
            request.send_header(name, value)
    # The response to a HEAD request has the length of a body that it does not contain.
    request.send_header("Content-Length", length if length is not None and not content else str(len(content)))
    request.end_headers()
    request.wfile.write(content)
    request.wfile.flush()
