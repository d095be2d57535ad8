"""From ``--db`` or ``--app`` to a coordinator."""

from __future__ import annotations

import contextlib
import importlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, check, init
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.errors import SchemaMismatchError
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.rollout.flags import FixedFlags

T = TypeVar("T")

APP_VARIABLE = "ASSIGNMENT_PIPELINE_APP"
READING_PATIENCE_MS = 10_000

AppOption = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:FACTORY",
        envvar=APP_VARIABLE,
        help="What makes the host's Coordinator, such as backend.tables:coordinator.",
    ),
]
DbOption = Annotated[
    Path | None,
    typer.Option("--db", metavar="PATH", help="A SQLite database that the assign command has made."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@contextlib.contextmanager
def opened(app: str | None, db: Path | None) -> Iterator[Coordinator]:
    """
    The coordinator that the options name, for the length of the block.

    Raises:
        BadInputError: They name none.
    """
    if db is not None:
        require_ours(db)
        with standalone(db) as (coordinator, _):
            yield coordinator
    elif app is not None:
        with from_app(app) as coordinator:
            yield coordinator
    else:
        refuse("--db or --app", "one of them", "none")


# -- A database of our own ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def standalone(
    db: Path, settings: Settings | None = None, *, synchronous: str = "FULL"
) -> Iterator[tuple[Coordinator, SQLiteStore]]:
    """
    A coordinator on a database of our own that is there already, and its store.

    Its locks are this process's own: they save work, the commit guards the truth, and they do not outlive a run
    that was killed.
    """
    with (
        SQLiteStore(db, host=StandaloneHost(), synchronous=synchronous) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), settings=settings, sinks=()) as coordinator,
    ):
        yield coordinator, store


def prepare(db: Path) -> None:
    """
    Make a database of our own, or bring it up to date.

    Raises:
        BadInputError: There is something else in its place.
    """
    tables = require_sqlite(db, may_be_missing=True)
    if tables and not {"assignment_schema", "restaurants"} <= tables:
        refuse(str(db), "a database of this command, or no file yet", "a database that is not ours")
    try:
        init(db, standalone=True)
    except SchemaMismatchError as error:
        refuse(str(db), error.expected, error.found)


def require_ours(db: Path) -> None:
    """
    Make sure that a database of our own is there.

    Raises:
        BadInputError: It is not.
    """
    require_sqlite(db)
    try:
        check(db, standalone=True)
    except SchemaMismatchError as error:
        refuse(str(db), error.expected, error.found)


def require_sqlite(db: Path, *, may_be_missing: bool = False) -> frozenset[str]:
    """
    Make sure that a path is that of a SQLite database, without changing anything.

    Returns:
        The names of its tables.

    Raises:
        BadInputError: It is not.
    """
    scheme, colon, rest = str(db).partition(":")
    if colon and (scheme in {"", "file"} or rest.startswith("/")):
        refuse("--db", "the path of a SQLite file", f"an address, {scheme}:...")  # It may hold a password.
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
        got = "nothing there" if db.absolute().parent.is_dir() else f"no folder {db.absolute().parent}"
        refuse(str(db), "a SQLite database", got)
    if not db.is_file():
        refuse(str(db), "a SQLite database", "a directory" if db.is_dir() else "no regular file")
    # Before it is opened, which leaves files beside it. The bits, because the superuser may write regardless.
    if not db.stat().st_mode & 0o222 or not os.access(db, os.W_OK) or not os.access(db.absolute().parent, os.W_OK):
        refuse(str(db), "a SQLite database that can be written to, in a folder that can", "a read-only one")
    try:
        # For writing: what a process that was killed left half done is undone by whoever opens the file next.
        with contextlib.closing(sqlite3.connect(f"{db.resolve().as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {READING_PATIENCE_MS}")
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except sqlite3.OperationalError as error:
        refuse(str(db), "a SQLite database", f"one that cannot be read ({error})")
    except sqlite3.DatabaseError as error:
        refuse(str(db), "a SQLite database", f"another kind of file ({error})")
    return frozenset(name for (name,) in rows)


# -- The host's own wiring ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def from_app(spec: str) -> Iterator[Coordinator]:
    """The coordinator that *spec*, ``package.module:factory``, makes or is."""
    coordinator = _load(spec)
    if callable(coordinator) and not isinstance(coordinator, Coordinator):
        try:
            coordinator = coordinator()
        except Exception as error:  # noqa: BLE001 - a host's code may raise anything
            refuse(f"--app {spec}", "a factory that returns", _named(error))
    if not isinstance(coordinator, Coordinator):
        got = f"a {type(coordinator).__name__}"
        refuse(f"--app {spec}", "a Coordinator, or what returns one", got)
    with coordinator:
        yield coordinator


def _load(spec: str) -> Any:
    module_name, _, path = spec.partition(":")
    if not module_name or not path:
        refuse("--app", "package.module:factory", repr(spec))
    # As other tools that import what they are told: from where one stands.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
    except Exception as error:  # noqa: BLE001 - importing a host's code may raise anything
        refuse(f"--app {spec}", "something to import", _named(error))
    return found


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
