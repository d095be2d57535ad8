"""Make the tables and functions, update them, and check that they are there."""

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
from assignment_pipeline.adapters.schema_parts import PIPELINE, STANDALONE, Part
from assignment_pipeline.errors import (
    CommitUnknownError,
    MissingRightsError,
    SchemaMismatchError,
    StoreUnavailableError,
)

T = TypeVar("T")

SCHEMA = "assignment_pipeline"
"""The default schema, and its name in our SQL files."""

_SQL = importlib.resources.files(__package__) / "sql"
_FUNCTIONS = (
    "restaurant_locks",
    "commit",
    "claims",
    "blocks",
    "names",
    "enqueue",
    "reads",
    "leases",
    "rollout",
    "host_queries",
)

PARTS: Mapping[str, Part] = {
    PIPELINE: Part(_SQL / "schema.sql", [_SQL / "functions" / f"{name}.sql" for name in _FUNCTIONS]),
    STANDALONE: Part(_SQL / "standalone.sql", [_SQL / "functions" / "standalone.sql"]),
}
"""What the schema is made of. How to change it: see CONTRIBUTING.md."""

SCHEMA_VERSION = PARTS[PIPELINE].version
"""The version of the pipeline's own tables that this code works with."""

STANDALONE_VERSION = PARTS[STANDALONE].version
"""The same, of the tables of `StandaloneHost`."""

OLDEST_SERVER = 14
"""For multiranges and ``date_bin``."""

# An init waits for another one: "CREATE ... IF NOT EXISTS" fails if two sessions run it at the same time.
ONE_AT_A_TIME = "SELECT pg_catalog.pg_advisory_xact_lock(1634956137, 1885958246)"

# The schema for extensions, so that btree_gist survives a drop of our schema. Ours is the last resort: if the search
# path has no existing schema and there is no `public`. The extension is trusted, so it needs no superuser.
FIND_HOME = (
    "SELECT coalesce(pg_catalog.current_schema()::text, pg_catalog.to_regnamespace('public'::text)::text, %s::text)"
)

VERSIONS = f"{SCHEMA}.assignment_schema"

HAS_VERSIONS = "SELECT pg_catalog.to_regclass(%s::text) IS NOT NULL"

# Builds before the first release have no column for the time of a change. That column tells them apart.
FIND_VERSIONS = f"SELECT part, version, pg_catalog.to_jsonb(s) ? 'changed_at'::text FROM {VERSIONS} s"  # noqa: S608 - the name is ours

WRITE_VERSION = f"""
INSERT INTO {VERSIONS} (part, version, changed_at) VALUES (%s, %s, pg_catalog.now())
ON CONFLICT (part) DO UPDATE SET version = excluded.version, changed_at = excluded.changed_at
"""  # noqa: S608

FACTS = """
SELECT pg_catalog.current_setting('server_version_num'::text)::integer / 10000,
    pg_catalog.current_setting('server_encoding'::text)
"""

# A name without a schema finds only the server's own functions and types, for every role. Views and indexes keep the
# objects that they have found.
PIN = "SET LOCAL search_path = pg_catalog, pg_temp"

# By default, everybody may execute a new function.
FIND_FUNCTIONS = """
SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %s::text AND p.proname = ANY (%s::text[]) AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
)
"""

# What an extension has made under a name of ours stands in for it, as TimescaleDB's time_bucket does.
MISSING = """
SELECT name, false FROM pg_catalog.unnest(%s::text[]) AS name WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s::text AND c.relname = name
)
UNION ALL
SELECT name, true FROM pg_catalog.unnest(%s::text[]) AS name WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE p.proname = name AND (n.nspname = %s::text OR EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
    ))
)
"""

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
            was made by a newer version of this library, or by a build before the first release.
        StoreUnavailableError: The database cannot be reached or written.
    """
    work = _init(_parts(standalone=standalone), schema, place(conninfo, schema))
    on_connection(conninfo, in_transaction(work), as_owner=True)


def check(conninfo: str, *, standalone: bool = False, schema: str = SCHEMA, whole: bool = True) -> None:
    """
    Make sure that the tables are there and of the right version. Changes nothing.

    Args:
        conninfo: The database.

        standalone: Whether the tables of `StandaloneHost` are wanted too.

        schema: The schema that the tables are in.

        whole: Whether each table, view and function is looked for, and not the version alone.

    Raises:
        SchemaMismatchError: They are not.
        StoreUnavailableError: The database cannot be reached.
    """
    work = checked(_parts(standalone=standalone), schema, place(conninfo, schema), whole=whole)
    on_connection(conninfo, work)


def versions(conninfo: str, *, schema: str = SCHEMA) -> dict[str, int]:
    """
    The versions of the parts that are there, `PIPELINE` and `STANDALONE`. Changes nothing.

    Raises:
        SchemaMismatchError: They were made by a build before the first release.
        StoreUnavailableError: The database cannot be reached.
    """
    return on_connection(conninfo, _versions(schema, place(conninfo, schema)))


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


def checked(parts: Sequence[str], schema: str, where: str, *, whole: bool = False) -> Work[None]:
    """
    Make sure that the tables of those parts are there and of the right version.

    Args:
        parts: The parts.

        schema: The schema that the tables are in.

        where: What people call it.

        whole: Whether each table, view and function is looked for, and not the version alone.

    Raises:
        SchemaMismatchError: They are not.
    """
    found = yield from _versions(schema, where)
    for part in parts:
        wanted = PARTS[part].version
        if found.get(part) != wanted:
            raise SchemaMismatchError.of_version(where, part, wanted, found.get(part))
        missing = (yield from _missing(PARTS[part], schema)) if whole else ()
        if missing:
            raise SchemaMismatchError.of_missing(where, part, missing, holds_data=_has_table(PARTS[part], missing))


def _missing(part: Part, schema: str) -> Work[tuple[str, ...]]:
    """The tables, views and functions of a part that are not there, in their order; functions with brackets."""
    relations, functions = [*part.table_names, *part.view_names], list(dict.fromkeys(part.function_names))
    rows = yield Statement(MISSING, (relations, schema, functions, schema))
    missing = {f"{name}()" if is_function else name for name, is_function in rows}  # In no order, from PostgreSQL 18.
    return tuple(name for name in (*relations, *(f"{name}()" for name in functions)) if name in missing)


def _has_table(part: Part, missing: Sequence[str]) -> bool:
    return not set(part.table_names).isdisjoint(missing)


def _versions(schema: str, where: str) -> Work[dict[str, int]]:
    [(there,)] = yield Statement(HAS_VERSIONS, (named(VERSIONS, schema),))
    if not there:
        return {}
    found = dict[str, int]()
    for part, version, released in (yield Statement(named(FIND_VERSIONS, schema))):
        if not released:
            remedy = f"drop the schema {sql.Identifier(schema).as_string(None)} with all that is in it"
            raise SchemaMismatchError.of_unreleased(where, part, PARTS[part].version, remedy)
        found[part] = version
    return found


def _parts(*, standalone: bool) -> tuple[str, ...]:
    return (PIPELINE, STANDALONE) if standalone else (PIPELINE,)


def on_connection(conninfo: str, work: Work[T], *, as_owner: bool = False) -> T:
    """
    Do *work* on a connection of its own.

    Args:
        conninfo: The database.

        work: What to do.

        as_owner: Whether it makes tables, functions or views.

    Raises:
        MissingRightsError: The role may not do that.
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
    except MissingRightsError as error:
        if not as_owner:
            raise
        remedy = "run it as the role that owns the tables, with CREATE on the database"
        raise MissingRightsError(error.detail, remedy) from error.__cause__
    except CommitUnknownError as error:  # A retry finds out.
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
    yield Statement(PIN)
    found = yield from _versions(schema, where)
    for part in PARTS:
        if part not in parts and part not in found:
            continue  # What is there is brought up to date, whether or not it was named.
        yield from _bring_up_to_date(part, found.get(part), schema, where)


def _bring_up_to_date(name: str, found: int | None, schema: str, where: str) -> Work[None]:
    part = PARTS[name]
    if found is not None and found > part.version:
        raise SchemaMismatchError(where, f"version {part.version} of the {name} schema or older", f"version {found}")
    scripts = part.scripts(found)
    if found == part.version:
        missing = yield from _missing(part, schema)
        if _has_table(part, missing):
            raise SchemaMismatchError.of_missing(where, name, missing, holds_data=True)
        if not missing:
            return
        scripts = part.anew
    try:
        for script in scripts:
            yield Statement(named(script, schema))
    except psycopg.Error as error:
        if error.sqlstate not in _TAKEN_NAMES:
            raise
        detail = str(error).splitlines()[0]
        raise SchemaMismatchError(where, f"nothing but ours under our names ({name} schema)", detail) from error
    for (function,) in (yield Statement(FIND_FUNCTIONS, (schema, list(part.function_names)))):
        yield Statement(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    yield Statement(named(WRITE_VERSION, schema), (name, part.version))
