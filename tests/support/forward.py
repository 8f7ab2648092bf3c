"""The local stack's ports, on an address that containers reach: it listens on 127.0.0.1, which is theirs, not ours."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping

LOCAL = "127.0.0.1"


@contextlib.contextmanager
def forwarded(address: str, ports: set[int]) -> Iterator[None]:
    """Gives each port of 127.0.0.1 to `address` as well, under the same number."""
    with contextlib.ExitStack() as listening:
        for port in ports:
            listener = listening.enter_context(socket.create_server((address, port)))
            threading.Thread(target=accept, args=(listener, port), daemon=True).start()
        yield


def accept(listener: socket.socket, port: int) -> None:
    # The listener is closed when the stack is no longer needed.
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection((LOCAL, port))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=pump, args=(source, sink), daemon=True).start()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def ports_of(variables: Mapping[str, str]) -> set[int]:
    """The ports of 127.0.0.1 in a function's variables; the database's stands in one of its own."""
    urls = (re.match(rf"https?://{re.escape(LOCAL)}:(\d+)", value) for value in variables.values())
    database = {int(variables["PENSTOCK_DATABASE_PORT"])} if "PENSTOCK_DATABASE_PORT" in variables else set()
    return {int(url[1]) for url in urls if url} | database


def moved(variables: Mapping[str, str], address: str) -> dict[str, str]:
    """The same variables, at another address than 127.0.0.1."""
    return {name: value.replace(LOCAL, address) for name, value in variables.items()}
