"""Proxies between the functions and the services. They cut, hold, refuse and truncate on request.

Each function has a proxy of its own for AWS, so that a fault is between one function and the services. The writer's
connections to the database pass through another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
import urllib.parse
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Callable

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
# Redelivery delays of minutes are shortened to this.
LONGEST_DELAY_S = 1
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Request:
    function: str
    method: str
    path: str
    # The operation of a JSON service, e.g. `AmazonSQS.SendMessageBatch`.
    target: str
    body: bytes

    @property
    def is_s3(self) -> bool:
        return not self.target and self.path != "/"


@dataclass
class Trap:
    """Calls `spring` at the `number`th request for which `matches` is true, before or after it is passed on. The answer
    never arrives."""

    matches: Callable[[Request], bool]
    number: int
    passed_on: bool
    spring: Callable[[], None]
    seen: int = 0

    def is_due(self, request: Request) -> bool:
        if not self.matches(request):
            return False
        self.seen += 1
        return self.seen == self.number


@dataclass
class WireFaults:
    """The faults in force. The chaos thread changes them while the proxies run."""

    silent_until: float = 0.0
    slow_down_until: float = 0.0
    # The numbers of requests of which the connection is cut, the answer is lost, or the body of a GET is truncated.
    cuts: int = 0
    lost_answers: int = 0
    truncations: int = 0
    traps: list[Trap] = field(default_factory=list)
    counter: int = 0

    def clear(self) -> None:
        self.silent_until = self.slow_down_until = 0.0
        self.cuts = self.lost_answers = self.truncations = 0
        self.traps.clear()


class Wire:
    """An event loop in a thread with all proxies."""

    def __init__(self, upstream: str, database_port: int, functions: tuple[str, ...]) -> None:
        self.faults = WireFaults()
        self.upstream = urllib.parse.urlsplit(upstream)
        self.database_port = database_port
        self.loop = asyncio.new_event_loop()
        self.database_connections: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self.database_silent_until = 0.0
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.ports = {function: self._listen(self._http(function)) for function in functions}
        self.writer_database_port = self._listen(self._database)

    def url(self, function: str) -> str:
        return f"http://127.0.0.1:{self.ports[function]}"

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def close(self) -> None:
        async def cancel_all() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.call(cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    def _listen(self, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> int:
        server = self.call(asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20))
        port: int = server.sockets[0].getsockname()[1]
        return port

    # ── the database ────────────────────────────────────────────────────────────────────────────────────────────────

    def cut_database(self) -> None:
        """Closes every connection to the database."""

        async def cut() -> None:
            for pair in list(self.database_connections):
                for writer in pair:
                    writer.transport.abort()

        self.call(cut())

    async def _database(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self.database_port)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, upstream)
        self.database_connections.add(pair)
        ends = ((reader, upstream), (upstream_reader, writer))
        pumps = [asyncio.ensure_future(self._pump(*one)) for one in ends]
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        self.database_connections.discard(pair)
        for end in pair:
            end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65536):
                was_silent = False
                while time.monotonic() < self.database_silent_until:
                    was_silent = True
                    await asyncio.sleep(0.05)
                if was_silent:
                    return
                writer.write(data)
                await writer.drain()

    # ── AWS ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _http(self, function: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # The function may be killed at any time.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._exchange(function, reader, writer):
                    pass
            writer.transport.abort()

        return serve

    async def _exchange(self, function: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Handles one request. Returns whether the connection may be used again."""
        head = await reader.readuntil(HEAD_END)
        first, headers = parse_head(head)
        method, path, _ = first.split(" ", 2)
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert "transfer-encoding" not in headers, f"{function}: a body without a length: {first}"
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(function, method, path, headers.get("x-amz-target", ""), body)
        faults = self.faults
        while time.monotonic() < faults.silent_until:
            await asyncio.sleep(0.05)
            if time.monotonic() >= faults.silent_until:
                return False
        trap = next((trap for trap in faults.traps if trap.is_due(request)), None)
        if trap and not trap.passed_on:
            await self.loop.run_in_executor(None, trap.spring)
            return False
        if faults.cuts > 0:
            faults.cuts -= 1
            return False
        if request.is_s3 and time.monotonic() < faults.slow_down_until:
            faults.counter += 1
            if faults.counter % 3:
                await respond(writer, "HTTP/1.1 503 Slow Down", [("Content-Type", "application/xml")], SLOW_DOWN)
                return True
        status, answer_headers, content = await self._pass_on(head, request)
        if trap:
            await self.loop.run_in_executor(None, trap.spring)
            return False
        if faults.lost_answers > 0 and method in ("PUT", "POST"):
            faults.lost_answers -= 1
            return False
        if faults.truncations > 0 and method == "GET" and len(content) > 10 and request.is_s3:
            faults.truncations -= 1
            await respond(writer, status, answer_headers, content, sent=len(content) // 2)
            return False
        await respond(writer, status, answer_headers, content, length=answer_length(method, answer_headers))
        return True

    async def _pass_on(self, head: bytes, request: Request) -> tuple[str, list[tuple[str, str]], bytes]:
        body = shorten_delays(request)
        lines = head[: -len(HEAD_END)].decode("latin-1").split("\r\n")
        kept = [
            line for line in lines[1:] if line.split(":")[0].lower() not in ("connection", "content-length", "expect")
        ]
        kept += ["Connection: close", f"Content-Length: {len(body)}"]
        reader, writer = await asyncio.open_connection(self.upstream.hostname, self.upstream.port, limit=2**20)
        try:
            writer.write(("\r\n".join([lines[0], *kept]) + "\r\n\r\n").encode("latin-1") + body)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        answer_head, _, content = answer.partition(HEAD_END)
        status, headers = answer_head.decode("latin-1").split("\r\n", 1)
        pairs = [
            (name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in headers.split("\r\n"))
        ]
        if any(name.lower() == "transfer-encoding" for name, _ in pairs):
            content = dechunked(content)
        return status, pairs, content


def parse_head(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head[: -len(HEAD_END)].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}


def answer_length(method: str, headers: list[tuple[str, str]]) -> str | None:
    """Returns the length in an answer to HEAD, which has no body."""
    if method != "HEAD":
        return None
    return next((value for name, value in headers if name.lower() == "content-length"), None)


def dechunked(content: bytes) -> bytes:
    whole = b""
    while content:
        size, _, rest = content.partition(b"\r\n")
        count = int(size.split(b";")[0], 16)
        whole += rest[:count]
        content = rest[count + 2 :] if count else b""
    return whole


async def respond(
    writer: asyncio.StreamWriter,
    status: str,
    headers: list[tuple[str, str]],
    content: bytes,
    *,
    length: str | None = None,
    sent: int | None = None,
) -> None:
    kept = [pair for pair in headers if pair[0].lower() not in ("connection", "content-length", "transfer-encoding")]
    kept.append(("Content-Length", length if length is not None else str(len(content))))
    lines = [status, *(f"{name}: {value}" for name, value in kept)]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + content[:sent])
    await writer.drain()


def shorten_delays(request: Request) -> bytes:
    """Returns the body with shorter redelivery delays, so that a run takes seconds instead of minutes."""
    if request.target not in ("AmazonSQS.ChangeMessageVisibility", "AmazonSQS.ChangeMessageVisibilityBatch"):
        return request.body
    parameters = json.loads(request.body)
    for entry in [parameters, *parameters.get("Entries", [])]:
        if "VisibilityTimeout" in entry:
            entry["VisibilityTimeout"] = min(entry["VisibilityTimeout"], LONGEST_DELAY_S)
    return json.dumps(parameters).encode()
