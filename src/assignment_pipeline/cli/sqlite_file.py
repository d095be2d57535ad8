"""A SQLite file, for commands."""

from __future__ import annotations

import contextlib
import os
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from assignment_pipeline.adapters import sqlite
from assignment_pipeline.cli.absent_host import AbsentHost
from assignment_pipeline.cli.database import OwnHost, OwnStore, SteeredStore
from assignment_pipeline.cli.failures import readable, refuse, refuse_schema
from assignment_pipeline.errors import SchemaMismatchError

READING_PATIENCE_MS = 10_000


@attrs.frozen
class SQLiteFile:
    """
    A SQLite file.

    Attributes:
        path: Where it is, or is to be.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def versions(self) -> tuple[int, int]:
        return sqlite.SCHEMA_VERSION, sqlite.STANDALONE_VERSION

    def init(self, *, standalone: bool) -> None:
        require_sqlite(self.path, may_be_missing=True)
        try:
            sqlite.init(self.path, standalone=standalone)
        except SchemaMismatchError as error:
            refuse_schema(self, error)

    def check(self, *, standalone: bool, whole: bool = True) -> None:
        require_sqlite(self.path)
        with readable(self):
            sqlite.check(self.path, standalone=standalone, whole=whole)

    def openings(self) -> tuple[tuple[str, str, str], ...]:
        """See `Database.openings`: a file of bookings is its owner's alone."""
        require_sqlite(self.path)
        files = [path for path in (self.path, *map(Path, (f"{self.path}-wal", f"{self.path}-shm"))) if path.exists()]
        return tuple(
            (
                "file-mode",
                f"others may {'write' if mode & 0o022 else 'read'} {file}",
                f"chmod 600 {shlex.quote(str(file))}",
            )
            for file in files
            if (mode := file.stat().st_mode) & 0o077
        )

    def prepare(self) -> None:
        tables = require_sqlite(self.path, may_be_missing=True)
        if tables and not {"assignment_schema", "restaurants"} <= tables:
            refuse(str(self), "a database of this command, or no file yet", "a database that is not ours")
        self.init(standalone=True)

    def host(self) -> OwnHost:
        return sqlite.StandaloneHost()

    @contextlib.contextmanager
    def open(self, *, synchronous: str = "FULL") -> Iterator[OwnStore]:
        host = sqlite.StandaloneHost()
        with readable(self), sqlite.SQLiteStore(self.path, host=host, synchronous=synchronous) as store:
            yield store

    @contextlib.contextmanager
    def steer(self, *, standalone: bool) -> Iterator[SteeredStore]:
        host: Any = sqlite.StandaloneHost() if standalone else AbsentHost()
        with readable(self), sqlite.SQLiteStore(self.path, host=host) as store:
            yield store


def require_sqlite(db: Path, *, may_be_missing: bool = False) -> frozenset[str]:
    """
    Make sure that a path is that of a SQLite database, without changing anything.

    Returns:
        The names of its tables.

    Raises:
        BadInputError: It is not.
    """
    try:
        there = db.exists()
    except OSError as error:
        refuse(str(db), "a SQLite database", f"one that cannot be reached ({error.strerror})")
    if not there:
        folder = db.absolute().parent
        if may_be_missing and folder.is_dir():
            if not os.access(folder, os.W_OK):
                refuse(str(db), "a folder that can be written to", "one that cannot")
            return frozenset()
        got = (
            "nothing there: `assignment-pipeline db init` makes one"
            if db.absolute().parent.is_dir()
            else f"no folder {db.absolute().parent}"
        )
        refuse(str(db), "a SQLite database", got)
    if not db.is_file():
        refuse(str(db), "a SQLite database", "a directory" if db.is_dir() else "no regular file")
    # Before it is opened, which leaves files beside it. The bits, because the superuser may write regardless.
    if not db.stat().st_mode & 0o222 or not os.access(db, os.W_OK) or not os.access(db.absolute().parent, os.W_OK):
        refuse(str(db), "a SQLite database that can be written to, in a folder that can", "a read-only one")
    try:
        # For writing: the next process to open the file undoes what a killed process left half done.
        with contextlib.closing(sqlite3.connect(f"{db.resolve().as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {READING_PATIENCE_MS}")
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except sqlite3.OperationalError as error:
        refuse(str(db), "a SQLite database", f"one that cannot be read ({error})")
    except sqlite3.DatabaseError as error:
        refuse(str(db), "a SQLite database", f"another kind of file ({error})")
    return frozenset(name for (name,) in rows)
