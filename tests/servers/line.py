"""A line to a server that can be cut, or swallow what is sent over it, while others count who tries to get through."""

from __future__ import annotations

import contextlib
import enum
import selectors
import socket
import struct
import threading
from typing import Self


class Way(enum.StrEnum):
    """What becomes of what is sent."""

    OPEN = "open"
    """It arrives."""

    REFUSED = "refused"
    """Connections are reset, those that are open and those that come, as where the server's process is gone."""

    SWALLOWED = "swallowed"
    """It is taken, and never arrives; nobody is told, as where a firewall drops packets or the server stands still."""


class Line:
    """
    A TCP proxy in front of a server. Use it as a context manager.

    Args:
        server: The server's host and port.

    Attributes:
        port: Where it listens, on 127.0.0.1.

        attempts: How many connections were opened to it.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._way = Way.OPEN
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._clients: set[socket.socket] = set()
        self.port: int = self._listener.getsockname()[1]
        self.attempts = 0
        threading.Thread(target=self._listen, name="line", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.turn(Way.REFUSED)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def turn(self, way: Way) -> None:
        """From now on, have that become of what is sent."""
        self._way = way
        if way is Way.REFUSED:
            for client in list(self._clients):
                _reset(client)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.attempts += 1
                threading.Thread(target=self._serve, args=(client,), name="line", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._clients.add(client)
        with contextlib.suppress(OSError), client:
            if self._way is Way.REFUSED:
                _reset(client)
                return
            with socket.create_connection(self._server) as server, selectors.DefaultSelector() as both:
                both.register(client, selectors.EVENT_READ, server)
                both.register(server, selectors.EVENT_READ, client)
                while True:
                    for key, _ in both.select():
                        source, target = key.fileobj, key.data
                        heard = source.recv(1 << 16) if isinstance(source, socket.socket) else b""
                        if not heard:
                            return
                        if self._way is Way.OPEN:
                            target.sendall(heard)
        self._clients.discard(client)


def _reset(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RDWR)
