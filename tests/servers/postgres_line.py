"""A line to a PostgreSQL server that tests listen on, and cut where they want."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Self

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo


class PostgresLine:
    """
    Stands between clients and the server. What it makes of what they say is for those that derive from it.

    Attributes:
        server: The server's host and port.

        conninfo: The database, by way of this line.
    """

    def __init__(self, conninfo: str) -> None:
        facts = conninfo_to_dict(conninfo)
        self.server = (str(facts["host"]), int(facts.get("port") or 5432))
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.conninfo = make_conninfo(conninfo, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
        threading.Thread(target=self._listen, daemon=True).start()

    @classmethod
    @contextlib.contextmanager
    def before(cls, conninfo: str) -> Iterator[Self]:
        """One in front of the server; skips the test where that is not reached by TCP on this machine."""
        if not str(conninfo_to_dict(conninfo).get("host", "")).startswith(("127.", "localhost")):
            pytest.skip("the server is not reached by TCP on this machine")
        line = cls(conninfo)
        try:
            yield line
        finally:
            line._listener.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self.server) as server:
            self.passes_on(client, server)

    def passes_on(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what the two say, until one of them hangs up or the line is cut."""
        raise NotImplementedError
