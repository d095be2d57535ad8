"""A real pgbouncer in front of a server, in transaction mode, to test on."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.servers.loopback import free_port

SESSIONS = 2
"""Sessions with the server, however many clients there are: each transaction gets whichever is free."""

PATIENCE = 10.0

_CONFIG = """
[databases]
* = {server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
server_reset_query_always = 0
"""


@contextlib.contextmanager
def pooled(conninfo: str) -> Iterator[str]:
    """
    The same database through a pgbouncer of one's own, for the block.

    Raises:
        LookupError: It is not installed, or cannot be started.
    """
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        msg = "no pgbouncer: install it, such as with apt-get install pgbouncer"
        raise LookupError(msg)
    facts = conninfo_to_dict(conninfo)
    if str(facts.get("host", "")).startswith("/"):
        msg = "no pgbouncer: the server is reached by a socket only"
        raise LookupError(msg)
    port = free_port()
    server = {key: facts[key] for key in ("host", "port", "user", "password") if key in facts}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "pgbouncer.ini")
        words = " ".join(f"{key}={value}" for key, value in server.items())
        config.write_text(_CONFIG.format(server=words, port=port, sessions=SESSIONS), encoding="utf-8")
        Path(folder).chmod(0o755)
        process = subprocess.Popen([program, "-q", *_as_somebody(), str(config)], stderr=subprocess.PIPE, text=True)
        through = make_conninfo(conninfo, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
        try:
            _wait_for(process, through)
            yield through
        finally:
            process.terminate()
            process.communicate()


def _as_somebody() -> list[str]:
    """It refuses to run as the superuser, and becomes somebody else if told whom."""
    if os.geteuid() != 0:
        return []
    known = {entry.pw_name for entry in pwd.getpwall()}
    return ["-u", "postgres" if "postgres" in known else "nobody"]


def _wait_for(process: subprocess.Popen[str], conninfo: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(conninfo).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                process.terminate()
                msg = f"no pgbouncer: {process.communicate()[1] or error}"
                raise LookupError(msg) from None
            time.sleep(0.02)
        else:
            return
