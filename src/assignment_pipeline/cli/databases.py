"""The databases that ``--db`` names: a SQLite file, or one in PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sqlite3
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn, Protocol

import attrs

from assignment_pipeline.adapters import sqlite
from assignment_pipeline.adapters.sqlite.naming import is_file_name
from assignment_pipeline.cli.absent_host import AbsentHost
from assignment_pipeline.cli.failures import BadInputError, is_of_input, raised, refuse
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import AssignmentPipelineError, InvalidValueError, SchemaMismatchError
from assignment_pipeline.ports import AssignmentStore, RolloutStore

READING_PATIENCE_MS = 10_000

_POSTGRES_URL = re.compile(r"postgres(ql)?://", re.IGNORECASE)
_POSTGRES_WORDS = re.compile(r"\s*[A-Za-z_]+\s*=")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z+]*(?=://)|file|(?=:memory:)):")
_EXPECTED = "the path of a SQLite file, or a PostgreSQL address, postgresql://..."
_UNSEEN = "something else, which is not shown: it may hold a password"


class OwnStore(AssignmentStore, Protocol):
    """A store whose host keeps its bookings in the same database."""

    def write(self, work: Callable[[Any], Any]) -> Any:
        """Run *work* in a transaction of its own."""
        ...


class SteeredStore(AssignmentStore, RolloutStore, Protocol):
    """A store with the rollout that gates its commits."""


class OwnHost(Protocol):
    """That host."""

    def booking(self, connection: Any, booking_id: str) -> Booking | None: ...

    def put_booking(self, connection: Any, booking: Booking) -> None:
        """Have a booking, or change it."""
        ...

    def put_venue(self, connection: Any, venue: Venue) -> None:
        """Have a restaurant, or change it."""
        ...


class Database(Protocol):
    """A database; its text is what people call it, and has no password."""

    @property
    def versions(self) -> tuple[int, int]:
        """The versions that this library works with: of the pipeline's tables, and of a standalone host's."""
        ...

    def init(self, *, standalone: bool) -> None:
        """
        Make the tables, or bring them up to date.

        Raises:
            BadInputError: There is something else in their place.
        """
        ...

    def check(self, *, standalone: bool) -> None:
        """
        Make sure that the tables are there and of this version.

        Raises:
            SchemaMismatchError: They are not.
            BadInputError: There is no such database.
        """
        ...

    def openings(self) -> tuple[tuple[str, str, str], ...]:
        """
        What is open in it that others share: the check, what was found, and what to do.

        Raises:
            BadInputError: Our tables are not there.
        """
        ...

    def prepare(self) -> None:
        """
        Have a database of our own: make it if there is none, and bring it up to date.

        Raises:
            BadInputError: There is something else in its place.
        """
        ...

    def host(self) -> OwnHost:
        """The host that keeps its bookings there."""
        ...

    def open(self, *, synchronous: str = "FULL") -> AbstractContextManager[OwnStore]:
        """The store on it; *synchronous* is for a SQLite file that goes soon."""
        ...

    def steer(self, *, standalone: bool) -> AbstractContextManager[SteeredStore]:
        """The store on it, for its rollout; *standalone* says whether restaurants and bookings are kept there too."""
        ...


def database(given: str) -> Database:
    """
    The database that ``--db`` names. Nothing is opened.

    A file whose name looks like an address is named with its folder: ``./a=b.db``.

    Raises:
        BadInputError: It is neither of the two kinds.
        MissingExtraError: It is in PostgreSQL, and the driver is not installed.
    """
    if _POSTGRES_URL.match(given) or _POSTGRES_WORDS.match(given):
        return PostgresDatabase.of(given)
    if not is_file_name(given):
        known = _SCHEME.match(given)
        refuse("--db", _EXPECTED, f"an address, {known[1]}:..." if known else _UNSEEN if given else "nothing")
    return SQLiteFile(Path(given))


def keeps_bookings(db: Database) -> bool:
    """
    Whether restaurants and bookings are kept in the database too, and not by an application.

    Raises:
        BadInputError: Our tables are not there, or of another version.
    """
    try:
        db.check(standalone=True)
    except SchemaMismatchError as error:
        try:
            db.check(standalone=False)
        except SchemaMismatchError as pipeline:
            _refused(db, pipeline)
        if error.found != "none":
            _refused(db, error)
        return False
    return True


def of_rollout(db: Database) -> AbstractContextManager[SteeredStore]:
    """
    The store on a database, for its rollout: also where an application keeps restaurants and bookings.

    Raises:
        BadInputError: Our tables are not there, or of another version.
    """
    return db.steer(standalone=keeps_bookings(db))


def _refused(name: object, error: SchemaMismatchError) -> NoReturn:
    refuse(str(name), error.expected, f"{error.found}: {error.remedy}" if error.remedy else error.found)


_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_DRIVERS = frozenset({"sqlite3", "psycopg"})
"""What reading raises where somebody else has written: text in place of a number, a view in place of a table."""


@contextlib.contextmanager
def _readable(db: object) -> Iterator[None]:
    """
    For the length of the block, what a database holds is bad input where it is not what this version writes.

    Raises:
        BadInputError: It is not.
    """
    try:
        yield
    except AssignmentPipelineError:
        raise
    except Exception as error:
        is_of_driver = type(error).__module__.partition(".")[0] in _DRIVERS
        if is_of_input(error) or not (is_of_driver or isinstance(error, _UNREADABLE)):
            raise
        got = f"something else: it cannot be read ({raised(error)}; --traceback shows where)"
        raise BadInputError(str(db), "data as this version writes it", got) from error


# -- SQLite -------------------------------------------------------------------------------------------------------


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
            _refused(self, error)

    def check(self, *, standalone: bool) -> None:
        require_sqlite(self.path)
        with _readable(self):
            sqlite.check(self.path, standalone=standalone)

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
        with _readable(self), sqlite.SQLiteStore(self.path, host=host, synchronous=synchronous) as store:
            yield store

    @contextlib.contextmanager
    def steer(self, *, standalone: bool) -> Iterator[SteeredStore]:
        host: Any = sqlite.StandaloneHost() if standalone else AbsentHost()
        with _readable(self), sqlite.SQLiteStore(self.path, host=host) as store:
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


# -- PostgreSQL ---------------------------------------------------------------------------------------------------


@attrs.frozen
class PostgresDatabase:
    """
    A schema in PostgreSQL.

    Attributes:
        conninfo: The database, as libpq takes it.

        place: The same for people, without a password.

        schema: The schema that everything is in.
    """

    conninfo: str = attrs.field(repr=False)
    place: str
    schema: str

    @classmethod
    def of(cls, given: str) -> PostgresDatabase:
        """
        The database that *given* names, in libpq's words, and with ``?schema=`` in an address.

        Raises:
            BadInputError: It names none.
            MissingExtraError: The driver is not installed.
        """
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415 - it is an extra

        conninfo, named = _without_schema(given)
        schema = named or postgres.SCHEMA
        try:
            place = postgres.place(conninfo, schema)
        except InvalidValueError as error:
            refuse("--db", error.expected, error.got)
        return cls(conninfo, place, schema)

    def __str__(self) -> str:
        return self.place

    @property
    def versions(self) -> tuple[int, int]:
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        return postgres.SCHEMA_VERSION, postgres.STANDALONE_VERSION

    def init(self, *, standalone: bool) -> None:
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        try:
            postgres.init(self.conninfo, standalone=standalone, schema=self.schema)
        except SchemaMismatchError as error:
            _refused(self, error)

    def check(self, *, standalone: bool) -> None:
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        postgres.check(self.conninfo, standalone=standalone, schema=self.schema)

    def bookings_view(self, table: str, columns: Mapping[str, str], statuses: Mapping[str, str], *, apply: bool) -> str:
        """
        The SQL of the view ``bookings`` over that table, and whether to run it.

        Raises:
            BadInputError: There is no such table, column or status, or something else has that name.
        """
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        try:
            return postgres.bookings_view(
                self.conninfo, table, columns, statuses=statuses, schema=self.schema, apply=apply
            )
        except SchemaMismatchError as error:
            _refused(self, error)
        except InvalidValueError as error:
            refuse(f"--host-bookings, {error.field}", error.expected, error.got)

    def openings(self) -> tuple[tuple[str, str, str], ...]:
        """See `Database.openings`."""
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        try:
            found = postgres.examine_security(self.conninfo, schema=self.schema)
        except SchemaMismatchError as error:
            _refused(self, error)
        return tuple((one.check, one.evidence, one.fix) for one in found)

    def grants(self, role: str, purpose: str) -> str:
        """
        The statements that give *role* what that purpose takes.

        Raises:
            BadInputError: Our tables are not there.
        """
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        if not role.strip():
            refuse("--role", "the name of a role", repr(role))
        try:
            return postgres.grants(self.conninfo, role, purpose, schema=self.schema)
        except SchemaMismatchError as error:
            _refused(self, error)

    def check_grants(self, role: str, purpose: str) -> tuple[str, ...]:
        """
        What *role* lacks for that purpose, and what it may do beyond it.

        Raises:
            BadInputError: Our tables, or the role, are not there.
        """
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        try:
            return postgres.check_grants(self.conninfo, role, purpose, schema=self.schema)
        except SchemaMismatchError as error:
            _refused(self, error)
        except InvalidValueError as error:
            refuse("--role", error.expected, error.got)

    def prepare(self) -> None:
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        try:
            found = postgres.versions(self.conninfo, schema=self.schema)
        except SchemaMismatchError as error:
            _refused(self, error)
        if postgres.PIPELINE in found and postgres.STANDALONE not in found:
            refuse(str(self), "a database of this command, or a schema of its own", "the schema of an application")
        self.init(standalone=True)

    def host(self) -> OwnHost:
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        return postgres.StandaloneHost(schema=self.schema)

    @contextlib.contextmanager
    def open(self, *, synchronous: str = "FULL") -> Iterator[OwnStore]:  # noqa: ARG002 - it stays
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        host = postgres.StandaloneHost(schema=self.schema)
        with _readable(self), postgres.PostgresStore(self.conninfo, host=host, schema=self.schema) as store:
            yield store

    @contextlib.contextmanager
    def steer(self, *, standalone: bool) -> Iterator[SteeredStore]:
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        host: Any = postgres.StandaloneHost(schema=self.schema) if standalone else AbsentHost()
        store = postgres.PostgresStore(self.conninfo, host=host, schema=self.schema, pool_size=2)
        with _readable(self), store:
            yield store


def _without_schema(given: str) -> tuple[str, str | None]:
    """The driver takes no word that it does not know, such as ``schema``."""
    if not _POSTGRES_URL.match(given) or "?" not in given:
        return given, None
    address, _, query = given.partition("?")
    words = urllib.parse.parse_qsl(query, keep_blank_values=True)
    schemas = [value for key, value in words if key == "schema" and value]
    kept = [word for word in words if word[0] != "schema"]
    rest = urllib.parse.urlencode(kept, quote_via=urllib.parse.quote)
    return (f"{address}?{rest}" if rest else address), (schemas[-1] if schemas else None)
