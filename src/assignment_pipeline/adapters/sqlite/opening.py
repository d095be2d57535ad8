"""Opening the database file, and what SQLite's errors mean."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import pathlib
import sqlite3
import stat
import time
from collections.abc import Iterator
from typing import Any

from assignment_pipeline.adapters.sqlite.files import Files
from assignment_pipeline.adapters.sqlite.last_look import LastLook
from assignment_pipeline.adapters.sqlite.naming import is_address
from assignment_pipeline.domain.checks import named
from assignment_pipeline.errors import InvalidValueError, SchemaMismatchError, StoreUnavailableError

OLDEST_SQLITE = (3, 35, 0)
"""For ``RETURNING``."""

CACHED_STATEMENTS = 256
WAL_PAUSE = 0.01

# SQLite changes it for a connection with each commit of another one, of this process or not. What is written on the
# connection itself does not change it.
DATA_VERSION = "PRAGMA data_version"

_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_INTERRUPT,
    }
)
_MISSING = ("no such table", "no such column", "has no column")


class HookError(Exception):
    """Carries what the host's ``on_commit`` raised past the translation of our own errors."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def primary_code(error: BaseException) -> int | None:
    """SQLite's primary result code; None where the error did not come from SQLite itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def translate(error: BaseException, where: str) -> BaseException:
    """
    What callers see of an error that our own work in *where* met.

    Everything that is not about the file's state is a programming error, and comes back as it is.
    """
    if isinstance(error, HookError):
        return error.error
    if not isinstance(error, sqlite3.Error):
        return error
    code = primary_code(error)
    translated_error: BaseException = error
    if code == sqlite3.SQLITE_NOTADB:
        translated_error = SchemaMismatchError(where, "a SQLite database", "another kind of file")
    elif code == sqlite3.SQLITE_ERROR and any(text in str(error) for text in _MISSING):
        translated_error = SchemaMismatchError(where, "all tables and columns of the schema", str(error))
    elif code in _UNAVAILABLE:
        translated_error = StoreUnavailableError(f"{where}: {error}")
    if translated_error is not error:
        translated_error.__cause__ = error
    return translated_error


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise what SQLite raises in the block as errors of this library."""
    try:
        yield
    except (sqlite3.Error, HookError) as error:
        found = translate(error, where)
        if found is error:
            raise
        raise found  # noqa: B904 - translate has set the cause


def locate(path: str | os.PathLike[str]) -> str:
    """
    The one absolute name of the database file, with links resolved.

    Raises:
        ValueError: It is not the name of a file.
    """
    given: Any = path
    if not isinstance(given, str | os.PathLike):
        msg = f"path: expected the name of a file, got {named(type(given))}"
        raise TypeError(msg)
    name = os.fspath(path)
    if not name or name == ":memory:" or name.startswith("file:"):
        raise InvalidValueError("path", "the name of a file", repr(name))
    if is_address(os.fsdecode(name)):
        raise InvalidValueError(
            "path", "the name of a file", "the address of a database, not shown: it may hold a password"
        )
    return os.path.realpath(name)


class FileConnection(sqlite3.Connection):
    """
    A connection to the database file.

    Attributes:
        files: The files that it works on, where a lender has looked.

        last_look: What is known of a restaurant since the last look, or None: see there for how long.
    """

    files: Files
    last_look: LastLook | None = None

    def known_at(self, version: int) -> LastLook | None:
        """What is known of a restaurant in a transaction with this `data_version`, if anything is."""
        return self.last_look if self.last_look is not None and self.last_look.version == version else None

    def is_closed(self) -> bool:
        """Whether it has been closed."""
        try:
            self.in_transaction  # noqa: B018 - it is asked for the error
        except sqlite3.ProgrammingError:
            return True
        return False


def connect(where: str, *, busy_timeout: dt.timedelta, create: bool = False) -> FileConnection:
    """
    A connection in autocommit mode, for any one thread at a time.

    Raises:
        StoreUnavailableError: The file cannot be opened for writing.
        SchemaMismatchError: There is no file, and none was to be made.
    """
    _check_library()
    _check_file(where, create=create)
    return sqlite3.connect(
        f"{pathlib.Path(where).as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        timeout=busy_timeout.total_seconds(),
        isolation_level=None,
        check_same_thread=False,
        cached_statements=CACHED_STATEMENTS,
        factory=FileConnection,
    )


def ensure_wal(connection: sqlite3.Connection, where: str, *, patience: dt.timedelta) -> None:
    """
    Switch the file to the WAL journal unless it has it.

    SQLite's busy timeout does not cover this switch: it is tried again until *patience* ends.

    Raises:
        StoreUnavailableError: Others had the file open all the time.
    """
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        else:
            if mode == "wal":
                return
            if time.monotonic() > deadline:
                msg = f"{where}: the journal stayed in mode {mode!r} where WAL is needed"
                raise StoreUnavailableError(msg)
        time.sleep(WAL_PAUSE)


def cursor_of(connection: sqlite3.Connection) -> sqlite3.Cursor:
    """A cursor that hands out plain tuples, whatever the host has told its connection to do."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor


def data_version(connection: sqlite3.Connection) -> int:
    """What stays the same, in its snapshots, as long as nobody commits on another connection."""
    version: int = cursor_of(connection).execute(DATA_VERSION).fetchone()[0]
    return version


def roll_back(connection: FileConnection) -> None:
    """Undo the transaction that is open on *connection*, if one is; what was known in it is forgotten."""
    connection.last_look = None
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _check_library() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        msg = f"SQLite {needed} or newer is needed, this Python has {sqlite3.sqlite_version}"
        raise StoreUnavailableError(msg)


def _make_private(where: str) -> None:
    """Make the file so that its owner alone may read the bookings; what SQLite keeps beside it gets the same mode."""
    with contextlib.suppress(OSError):  # Somebody else was faster; or SQLite meets the same, and says so.
        os.close(os.open(where, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _check_file(where: str, *, create: bool) -> None:
    """Refuse what SQLite would report vaguely, or only at the first write."""
    path = pathlib.Path(where)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        folder = path.parent
        if not folder.is_dir():
            msg = f"{where} cannot be opened, there is no folder {folder}"
            raise StoreUnavailableError(msg) from None
        if not create:
            remedy = "make it with `assignment-pipeline db init`"
            raise SchemaMismatchError(where, "a database that was initialised", "no such file", remedy) from None
        _make_private(where)
        return
    except OSError as error:
        msg = f"{where} cannot be opened, {error.strerror}"
        raise StoreUnavailableError(msg) from error
    if stat.S_ISDIR(mode):
        msg = f"{where} cannot be opened, it is a directory"
        raise StoreUnavailableError(msg)
    if not stat.S_ISREG(mode):
        msg = f"{where} cannot be opened, it is not a regular file"
        raise StoreUnavailableError(msg)
    # Root may write to anything, but a file without write bits is meant to stay as it is.
    if not mode & 0o222 or not os.access(where, os.W_OK):
        msg = f"{where} cannot be opened for writing, it is read-only"
        raise StoreUnavailableError(msg)
