"""The tables and functions, in numbered migrations, and the check that they are there."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from assignment_pipeline.adapters.postgres.failures import AgainError, place_of, translate
from assignment_pipeline.adapters.postgres.line import options
from assignment_pipeline.adapters.postgres.work import Statement, Work, in_transaction, run
from assignment_pipeline.domain.reasons import in_sql
from assignment_pipeline.errors import CommitUnknownError, SchemaMismatchError, StoreUnavailableError

T = TypeVar("T")

PIPELINE = "pipeline"
STANDALONE = "standalone"

SCHEMA = "assignment_pipeline"
"""The schema that everything is in unless told otherwise, and its name in our own SQL."""

MIGRATIONS: Mapping[str, Sequence[Sequence[str]]] = {
    PIPELINE: (
        ("pipeline_1", "pipeline_1_commit", "pipeline_1_reads", "pipeline_1_locks"),
        ("pipeline_rollout",),
        ("pipeline_shadow",),
        ("pipeline_enqueue", "pipeline_keys", "pipeline_look"),
        ("pipeline_handover", "pipeline_handover_commit"),
        ("pipeline_metrics",),
        ("pipeline_leases", "pipeline_checks"),
        ("pipeline_guard",),
        ("pipeline_claims",),
        ("pipeline_unfinished",),
    ),
    STANDALONE: (("standalone_1",), ("standalone_waiting",), ("standalone_label",)),
}
"""The files that bring each part from one version to the next: the first make version 1. Never edited once released."""

SCHEMA_VERSION = len(MIGRATIONS[PIPELINE])
"""The version of the pipeline's own tables that this code works with."""

STANDALONE_VERSION = len(MIGRATIONS[STANDALONE])
"""The same, of the tables of `StandaloneHost`."""

OLDEST_SERVER = 14
"""For multiranges and ``date_bin``."""

# Whoever initialises waits for whoever does: "CREATE ... IF NOT EXISTS" alone is no protection from others that do.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(1634956137, 1885958246)"

# Where the database installs extensions, so that btree_gist outlives our schema: that is the last resort, where the
# search path names none that is there, and there is none called public. Trusted: it needs no superuser.
FIND_HOME = "SELECT coalesce(current_schema()::text, to_regnamespace('public')::text, %s)"

PREPARE = f"CREATE TABLE IF NOT EXISTS {SCHEMA}.assignment_schema (part text PRIMARY KEY, version integer NOT NULL)"

FIND_VERSIONS = f"SELECT part, version FROM {SCHEMA}.assignment_schema"  # noqa: S608 - the name is ours

WRITE_VERSION = f"""
INSERT INTO {SCHEMA}.assignment_schema (part, version) VALUES (%s, %s)
ON CONFLICT (part) DO UPDATE SET version = excluded.version
"""  # noqa: S608

FACTS = "SELECT current_setting('server_version_num')::integer / 10000, current_setting('server_encoding')"

_TAKEN_NAMES = frozenset({"42P07", "42723", "42710"})  # Tables, functions, other things.


def init(conninfo: str, *, standalone: bool = False, schema: str = SCHEMA) -> None:
    """
    Create or update the tables. Idempotent, and safe to run from several processes at once.

    All of it happens in one transaction, or none. It needs the right to create a schema, and the extension
    ``btree_gist``, which comes with PostgreSQL.

    Args:
        conninfo: The database, as a URL or in libpq's ``key=value`` form. It may be the host's own.

        standalone: Whether the tables of `StandaloneHost` are wanted too. Where they are there, they are brought up to
            date anyhow.

        schema: The schema for all of it.

    Raises:
        SchemaMismatchError: The server is too old, the schema holds things of the same names that are not ours, or
            was made by a newer version of this library.
        StoreUnavailableError: The database cannot be reached or written.
    """
    on_connection(conninfo, in_transaction(_init(_parts(standalone=standalone), schema, place(conninfo, schema))))


def check(conninfo: str, *, standalone: bool = False, schema: str = SCHEMA) -> None:
    """
    Make sure that the tables are there and of the right version. Changes nothing.

    Raises:
        SchemaMismatchError: They are not.
        StoreUnavailableError: The database cannot be reached.
    """
    on_connection(conninfo, checked(_parts(standalone=standalone), schema, place(conninfo, schema)))


def versions(conninfo: str, *, schema: str = SCHEMA) -> dict[str, int]:
    """
    The versions of the parts that are there, `PIPELINE` and `STANDALONE`. Changes nothing.

    Raises:
        StoreUnavailableError: The database cannot be reached.
    """
    return on_connection(conninfo, _versions(schema))


def place(conninfo: str, schema: str) -> str:
    """
    What people call that schema there, without a password.

    Raises:
        ValueError: See `place_of`.
    """
    found = place_of(conninfo)
    return found if schema == SCHEMA else f"{found}?schema={schema}"


@functools.cache
def named(text: str, schema: str) -> str:
    """*text* with the names of *schema* instead of `SCHEMA`."""
    if schema == SCHEMA:
        return text
    quoted = sql.Identifier(schema).as_string(None)
    return text.replace(f"{SCHEMA}.", f"{quoted}.")


def checked(parts: Sequence[str], schema: str, where: str) -> Work[None]:
    """
    Make sure that the tables of those parts are there and of the right version.

    Raises:
        SchemaMismatchError: They are not.
    """
    found = yield from _versions(schema)
    for part in parts:
        wanted = len(MIGRATIONS[part])
        if found.get(part) != wanted:
            raise SchemaMismatchError.of_version(where, part, wanted, found.get(part))


def _versions(schema: str) -> Work[dict[str, int]]:
    try:
        return dict((yield Statement(named(FIND_VERSIONS, schema))))
    except SchemaMismatchError:
        return {}


def _parts(*, standalone: bool) -> tuple[str, ...]:
    return (PIPELINE, STANDALONE) if standalone else (PIPELINE,)


def on_connection(conninfo: str, work: Work[T]) -> T:
    """
    Do *work* on a connection of its own.

    Raises:
        StoreUnavailableError: The database cannot be reached or written.
    """
    where = place_of(conninfo)
    try:
        connection: psycopg.Connection[Any] = psycopg.connect(conninfo, **options(conninfo))
    except psycopg.Error as error:
        raise translate(error, where, closed=False, commits=False) from error
    try:
        return run(work, connection, where)
    except AgainError as again:
        raise again.error from again.__cause__
    except CommitUnknownError as error:  # Whoever tries again finds out.
        raise StoreUnavailableError(error.detail) from error
    finally:
        connection.close()


def _init(parts: Sequence[str], schema: str, where: str) -> Work[None]:
    [(server, encoding)] = yield Statement(FACTS)
    if server < OLDEST_SERVER:
        raise SchemaMismatchError(where, f"PostgreSQL {OLDEST_SERVER} or newer", f"PostgreSQL {server}")
    if encoding != "UTF8":
        raise SchemaMismatchError(where, "a database in UTF8", f"one in {encoding}")
    yield Statement(ONE_AT_A_TIME)
    yield Statement(f"CREATE SCHEMA IF NOT EXISTS {sql.Identifier(schema).as_string(None)}")
    [(home,)] = yield Statement(FIND_HOME, (schema,))
    yield Statement(f"CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA {sql.Identifier(home).as_string(None)}")
    yield Statement(named(PREPARE, schema))
    found = dict((yield Statement(named(FIND_VERSIONS, schema))))
    for part in MIGRATIONS:
        if part not in parts and part not in found:
            continue  # What is there is brought up to date, whether or not it was named.
        yield from _migrate(part, found.get(part, 0), schema, where)


def _migrate(part: str, found: int, schema: str, where: str) -> Work[None]:
    migrations = MIGRATIONS[part]
    if found > len(migrations):
        raise SchemaMismatchError(where, f"version {len(migrations)} of the {part} schema or older", f"version {found}")
    try:
        for files in migrations[found:]:
            for name in files:
                yield Statement(named(_text(name), schema))
    except psycopg.Error as error:
        if error.sqlstate not in _TAKEN_NAMES:
            raise
        detail = str(error).splitlines()[0]
        raise SchemaMismatchError(where, f"nothing but ours under our names ({part} schema)", detail) from error
    if found < len(migrations):
        yield Statement(named(WRITE_VERSION, schema), (part, len(migrations)))


def _text(name: str) -> str:
    return in_sql((importlib.resources.files(__package__) / "sql" / f"{name}.sql").read_text("utf-8"))
