"""Making the tables, bringing them up to date, and the check that they are there."""

from __future__ import annotations

import datetime as dt
import importlib.resources
import os
import sqlite3
from collections.abc import Iterator, Mapping

from assignment_pipeline.adapters.schema_parts import PIPELINE, STANDALONE, Part
from assignment_pipeline.adapters.sqlite.opening import connect, cursor_of, ensure_wal, locate, translated
from assignment_pipeline.errors import SchemaMismatchError

_SQL = importlib.resources.files(__package__) / "sql"

PARTS: Mapping[str, Part] = {
    PIPELINE: Part(_SQL / "schema.sql"),
    STANDALONE: Part(_SQL / "standalone.sql"),
}
"""What the schema is made of. How to change it: see CONTRIBUTING.md."""

SCHEMA_VERSION = PARTS[PIPELINE].version
"""The version of the pipeline's own tables that this code works with."""

STANDALONE_VERSION = PARTS[STANDALONE].version
"""The version of the tables of `StandaloneHost`."""

WRITE_VERSION = """
INSERT INTO assignment_schema (part, version, changed_at) VALUES (?, ?, datetime('now'))
ON CONFLICT (part) DO UPDATE SET version = excluded.version, changed_at = excluded.changed_at
"""

PAGE = 2048
"""
Bytes of a page in a file that we make. An assignment changes some twenty pages, of one row or two each, and a commit
writes them whole: with SQLite's own 4096, it takes a tenth longer. A file that is there keeps the size that it has.
"""

_BUSY = dt.timedelta(seconds=30)


def init(path: str | os.PathLike[str], *, standalone: bool = False) -> None:
    """
    Create or update the tables. Idempotent, and safe to run from several processes at once.

    All of it happens in one transaction, or none. Then the file is switched to the WAL journal.

    Args:
        path: The database file; made if it is missing. It may be the host's own.

        standalone: Whether the tables of `StandaloneHost` are wanted too.

    Raises:
        SchemaMismatchError: The file is no SQLite database, holds tables of the same names that are not
            ours, or was made by a newer version of this library, or by a build before the first release.
        StoreUnavailableError: It cannot be opened or written.
    """
    where = locate(path)
    with translated(where):
        connection = connect(where, busy_timeout=_BUSY, create=True)
        try:
            connection.execute(f"PRAGMA page_size = {PAGE}")
            connection.execute("BEGIN IMMEDIATE")
            for part in PARTS:
                # What is there is brought up to date, whether or not it was named.
                if part in _parts(standalone=standalone) or _version(connection, where, part) is not None:
                    _bring_up_to_date(connection, where, part)
            connection.execute("COMMIT")
            ensure_wal(connection, where, patience=_BUSY)
        finally:
            connection.close()


def check(path: str | os.PathLike[str], *, standalone: bool = False, whole: bool = True) -> None:
    """
    Make sure that the tables are there and of the right version. Changes nothing.

    Args:
        path: The database file.

        standalone: Whether the tables of `StandaloneHost` are wanted too.

        whole: Whether each table is looked for, and not the version alone.

    Raises:
        SchemaMismatchError: They are not.
        StoreUnavailableError: The file cannot be opened.
    """
    where = locate(path)
    with translated(where):
        connection = connect(where, busy_timeout=_BUSY)
        try:
            for part in _parts(standalone=standalone):
                check_part(connection, where, part, whole=whole)
        finally:
            connection.close()


def check_part(connection: sqlite3.Connection, where: str, part: str = PIPELINE, *, whole: bool = False) -> None:
    """
    Make sure that one part's tables are there and of the right version.

    Args:
        connection: The database.

        where: What people call it.

        part: The part.

        whole: Whether each table is looked for, and not the version alone.

    Raises:
        SchemaMismatchError: They are not.
    """
    found = _version(connection, where, part)
    wanted = PARTS[part].version
    if found != wanted:
        raise SchemaMismatchError.of_version(where, part, wanted, found)
    missing = _missing(connection, PARTS[part]) if whole else ()
    if missing:
        raise SchemaMismatchError.of_missing(where, part, missing, holds_data=True)


def _missing(connection: sqlite3.Connection, part: Part) -> tuple[str, ...]:
    """The tables of a part that are not there."""
    rows = cursor_of(connection).execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    there = {name for (name,) in rows}
    return tuple(name for name in part.table_names if name not in there)


def _parts(*, standalone: bool) -> tuple[str, ...]:
    return (PIPELINE, STANDALONE) if standalone else (PIPELINE,)


def _version(connection: sqlite3.Connection, where: str, part: str) -> int | None:
    rows = cursor_of(connection)
    columns = rows.execute("SELECT name FROM pragma_table_info('assignment_schema')").fetchall()
    if not columns:
        return None
    if ("changed_at",) not in columns:  # Builds before the first release kept no time of a change.
        remedy = "delete the file or, where an application keeps tables in it too, drop the pipeline's"
        raise SchemaMismatchError.of_unreleased(where, part, PARTS[part].version, remedy)
    row = rows.execute("SELECT version FROM assignment_schema WHERE part = ?", (part,)).fetchone()
    return int(row[0]) if row else None


def _bring_up_to_date(connection: sqlite3.Connection, where: str, name: str) -> None:
    part, found = PARTS[name], _version(connection, where, name)
    if found is not None and found > part.version:
        raise SchemaMismatchError(where, f"version {part.version} of the {name} schema or older", f"version {found}")
    if found == part.version:
        missing = _missing(connection, part)
        if missing:
            raise SchemaMismatchError.of_missing(where, name, missing, holds_data=True)
        return
    try:
        for script in part.scripts(found):
            for statement in statements(script):
                connection.execute(statement)
    except sqlite3.OperationalError as error:
        if "already exists" not in str(error):
            raise
        raise SchemaMismatchError(where, f"no tables but ours under our names ({name} schema)", str(error)) from error
    connection.execute(WRITE_VERSION, (name, part.version))


def statements(script: str) -> Iterator[str]:
    """The statements of *script*, one by one: ``executescript`` would commit what came before it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
