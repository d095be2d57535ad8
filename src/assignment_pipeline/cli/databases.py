"""The database that ``--db`` names: which kind it is, and whose bookings it keeps."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path

from assignment_pipeline.adapters.sqlite.naming import is_file_name
from assignment_pipeline.cli.database import Database, SteeredStore
from assignment_pipeline.cli.failures import refuse, refuse_schema
from assignment_pipeline.cli.postgres_database import PostgresDatabase, is_address
from assignment_pipeline.cli.sqlite_file import SQLiteFile
from assignment_pipeline.errors import SchemaMismatchError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z+]*(?=://)|file|(?=:memory:)):")
_EXPECTED = "the path of a SQLite file, or a PostgreSQL address, postgresql://..."
_UNSEEN = "something else, which is not shown: it may hold a password"


def database(given: str) -> Database:
    """
    The database that ``--db`` names. Nothing is opened.

    A file whose name looks like an address is named with its folder: ``./a=b.db``.

    Raises:
        BadInputError: It is neither of the two kinds.
        MissingExtraError: It is in PostgreSQL, and the driver is not installed.
    """
    if is_address(given):
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
        db.check(standalone=True, whole=False)  # What is gone of it stops no rollback.
    except SchemaMismatchError as error:
        try:
            db.check(standalone=False, whole=False)
        except SchemaMismatchError as pipeline:
            refuse_schema(db, pipeline)
        if error.found != "none":
            refuse_schema(db, error)
        return False
    return True


def of_rollout(db: Database) -> AbstractContextManager[SteeredStore]:
    """
    The store on a database, for its rollout: also where an application keeps restaurants and bookings.

    Raises:
        BadInputError: Our tables are not there, or of another version.
    """
    return db.steer(standalone=keeps_bookings(db))
