"""Forwards the ports of the local stack, which listens on 127.0.0.1, from an address that containers can reach."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping

LOCAL = "127.0.0.1"


@contextlib.contextmanager
def forwarded(address: str, ports: set[int]) -> Iterator[None]:
    """Forwards each port of `address` to the same port of 127.0.0.1."""
    with contextlib.ExitStack() as listening:
        for port in ports:
            listener = listening.enter_context(socket.create_server((address, port)))
            threading.Thread(target=accept, args=(listener, port), daemon=True).start()
        yield


def accept(listener: socket.socket, port: int) -> None:
    # `accept` fails when the listener is closed at the end.
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
    """Returns the ports of 127.0.0.1 in a function's variables. The database's port is a variable of its own."""
    urls = (re.match(rf"https?://{re.escape(LOCAL)}:(\d+)", value) for value in variables.values())
    database = {int(variables["PENSTOCK_DATABASE_PORT"])} if "PENSTOCK_DATABASE_PORT" in variables else set()
    return {int(url[1]) for url in urls if url} | database


def moved(variables: Mapping[str, str], address: str) -> dict[str, str]:
    """Returns the variables with another address in place of 127.0.0.1."""
    return {name: value.replace(LOCAL, address) for name, value in variables.items()}
