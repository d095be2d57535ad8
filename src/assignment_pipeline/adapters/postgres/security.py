"""What is open in a database that others share: who may read, rewrite or trick what the pipeline keeps there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from psycopg import sql

from assignment_pipeline.adapters.postgres.bookings import INVOKER_SINCE
from assignment_pipeline.adapters.postgres.purposes import TABLES
from assignment_pipeline.adapters.postgres.rights import rights_of
from assignment_pipeline.adapters.postgres.schema import PARTS, PIN, SCHEMA, checked, on_connection, place
from assignment_pipeline.adapters.postgres.work import Statement, Work, in_transaction
from assignment_pipeline.adapters.schema_parts import PIPELINE

PINNED = "search_path=pg_catalog, pg_temp"

# By Supabase's own names, and PostgREST's: whoever has the address of the API is one of them.
API_ROLES = ("anon", "authenticated")


@attrs.frozen(kw_only=True)
class Opening:
    """
    One thing that is open.

    Attributes:
        check: What was looked at.

        evidence: What was found, in one line.

        fix: What to do, in one line.
    """

    check: str
    evidence: str
    fix: str


def examine_security(conninfo: str, *, schema: str = SCHEMA) -> tuple[Opening, ...]:
    """
    What is open in the database that others share. Changes nothing; any role may ask.

    Args:
        conninfo: The database.

        schema: The schema that the tables are in.

    Raises:
        SchemaMismatchError: The tables are not there.
        StoreUnavailableError: The database cannot be reached.
    """
    return on_connection(conninfo, in_transaction(_examine(schema, place(conninfo, schema))))


def _examine(schema: str, where: str) -> Work[tuple[Opening, ...]]:
    yield Statement(PIN)
    yield from checked((PIPELINE,), schema, where)
    found: list[Opening] = []
    for statement, judge in _CHECKS:
        found += judge((yield Statement(statement, {"schema": schema, **_GIVEN})), _quoted(schema))
    return tuple(found)


_GIVEN = {
    "tables": list(TABLES),
    "functions": [name for part in PARTS.values() for name in part.function_names],
    "api": list(API_ROLES),
    "pinned": PINNED,
}

_NAMED = 3

Rows = list[tuple[Any, ...]]


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)


def _some(names: Sequence[str]) -> str:
    """The first few, for a line that a person reads; what to do names all of them."""
    if len(names) <= _NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"


# -- What comes to everything that is made ----------------------------------------------------------------------------

# Those of the schema itself, and those for every schema of the role that makes our tables.
DEFAULTS = """
SELECT pg_get_userbyid(d.defaclrole), d.defaclnamespace = 0, d.defaclobjtype::text,
    CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END,
    string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)
FROM pg_default_acl d CROSS JOIN aclexplode(d.defaclacl) a
JOIN pg_namespace n ON n.nspname = %(schema)s::text
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'assignment_records'
WHERE (d.defaclnamespace = n.oid OR (d.defaclnamespace = 0 AND d.defaclrole = c.relowner))
    AND d.defaclobjtype = ANY ('{r,f}'::"char"[]) AND a.grantee <> d.defaclrole
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
_KINDS = {"r": "TABLES", "f": "FUNCTIONS"}


def _defaults(rows: Rows, schema: str) -> Iterator[Opening]:
    for owner, everywhere, kind, grantee, rights in rows:
        inside = "" if everywhere else f" IN SCHEMA {schema}"
        what, who = _KINDS[kind], grantee if grantee == "PUBLIC" else _quoted(grantee)
        yield Opening(
            check="default-grants",
            evidence=f"{grantee} gets {rights} on each {what.lower()[:-1]} that {owner} makes from now on"
            f"{' in any schema' if everywhere else ' in this schema'}",
            fix=f"ALTER DEFAULT PRIVILEGES FOR ROLE {_quoted(owner)}{inside} REVOKE ALL ON {what} FROM {who}",
        )


# -- Tables -----------------------------------------------------------------------------------------------------------

HELD = """
SELECT c.relname::text, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END, a.privilege_type
FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s::text)
    AND c.relname = ANY (%(tables)s::text[]) AND c.relkind = ANY ('{r,v}'::"char"[]) AND a.grantee <> c.relowner
ORDER BY 2, 3, 1
"""


def _held(rows: Rows, schema: str) -> Iterator[Opening]:
    """Rights that no purpose takes; none at all are for everybody, or for whoever reaches an API."""
    beyond: dict[tuple[str, str], list[str]] = {}
    for table, grantee, right in rows:
        if grantee in {"PUBLIC", *API_ROLES} or right not in rights_of(table):
            beyond.setdefault((grantee, table), []).append(right)
    alike: dict[tuple[str, str], list[str]] = {}
    for (grantee, table), rights in beyond.items():
        alike.setdefault((grantee, ", ".join(sorted(rights))), []).append(table)
    for (grantee, some), tables in alike.items():
        names = ", ".join(f"{schema}.{table}" for table in tables)
        yield Opening(
            check="grants",
            evidence=f"{grantee} has {some} on {_some(tables)}",
            fix=f"REVOKE {some} ON {names} FROM {grantee if grantee == 'PUBLIC' else _quoted(grantee)}",
        )


# Where row-level security is on, a role that does not own the table finds no row unless a policy says so.
SECURED = """
SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s::text)
    AND c.relname = ANY (%(tables)s::text[]) AND c.relkind = 'r'::"char" AND c.relrowsecurity ORDER BY 1
"""


def _secured(rows: Rows, schema: str) -> Iterator[Opening]:
    if rows:
        yield Opening(
            check="row-security",
            evidence=f"row-level security is on for {', '.join(name for (name,) in rows)}: a worker finds "
            "only the rows that a policy shows it, and would not know of the others",
            fix="; ".join(f"ALTER TABLE {schema}.{name} DISABLE ROW LEVEL SECURITY" for (name,) in rows),
        )


# -- The schema -------------------------------------------------------------------------------------------------------

MAKERS = """
SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END
FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) a
WHERE n.nspname = %(schema)s::text AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner ORDER BY 1
"""


def _makers(rows: Rows, schema: str) -> Iterator[Opening]:
    for (grantee,) in rows:
        yield Opening(
            check="schema-create",
            evidence=f"{grantee} may make tables and functions in the schema",
            fix=f"REVOKE CREATE ON SCHEMA {schema} FROM {grantee if grantee == 'PUBLIC' else _quoted(grantee)}",
        )


# PostgREST serves the schemas that its role's setting names. Supabase serves `public` where the setting is not there.
SERVED = """
SELECT DISTINCT btrim(name) FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS config
CROSS JOIN regexp_split_to_table(substr(config, length('pgrst.db_schemas=') + 1), ',') AS name
WHERE config LIKE 'pgrst.db\\_schemas=%%' AND btrim(name) = %(schema)s::text
UNION
SELECT 'public' WHERE %(schema)s::text = 'public' AND EXISTS (
    SELECT FROM pg_roles WHERE rolname = ANY (%(api)s::text[])
)
"""


def _served(rows: Rows, schema: str) -> Iterator[Opening]:
    if rows:
        yield Opening(
            check="exposed-schema",
            evidence=f"the schema {schema} is one that the API serves to everybody who has its address",
            fix="take it off the API's exposed schemas, or keep the tables in a schema of their own: "
            "`db init --db ...?schema=assignment_pipeline`",
        )


# -- Functions --------------------------------------------------------------------------------------------------------

EXECUTED = """
SELECT g.name, array_agg(p.oid::regprocedure::text ORDER BY p.proname)
FROM pg_proc p CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f'::"char", p.proowner))) a
CROSS JOIN LATERAL (SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END) AS g(name)
WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s::text)
    AND p.proname = ANY (%(functions)s::text[]) AND (a.grantee = 0 OR g.name = ANY (%(api)s::text[]))
GROUP BY 1 ORDER BY 1
"""


def _executed(rows: Rows, schema: str) -> Iterator[Opening]:  # noqa: ARG001 - each judge is given both
    for grantee, functions in rows:
        called = [name.partition("(")[0].rpartition(".")[2] for name in functions]
        who = grantee if grantee == "PUBLIC" else _quoted(grantee)
        yield Opening(
            check="public-execute",
            evidence=f"{grantee} may execute {_some(called)}",
            fix=f"REVOKE EXECUTE ON FUNCTION {', '.join(functions)} FROM {who}",
        )


# Whoever's they are: others in this schema are called from it, too. One of an extension is the extension's matter.
UNPINNED = """
SELECT p.oid::regprocedure::text FROM pg_proc p
WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s::text)
    AND (p.proname = ANY (%(functions)s::text[]) OR p.prosecdef)
    AND NOT EXISTS (
        SELECT FROM unnest(p.proconfig) AS config WHERE config = %(pinned)s::text
            OR (config LIKE 'search\\_path=%%' AND p.proname <> ALL (%(functions)s::text[]))
    )
    AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY 1
"""


def _unpinned(rows: Rows, schema: str) -> Iterator[Opening]:
    if rows:
        yield Opening(
            check="search-path",
            evidence="the caller's search path decides what these call: "
            f"{', '.join(name.removeprefix(f'{schema}.') for (name,) in rows)}",
            fix="; ".join(f"ALTER FUNCTION {name} SET search_path = pg_catalog, pg_temp" for (name,) in rows),
        )


# -- The view over the host's bookings --------------------------------------------------------------------------------

# All tables below the view, by whatever other views; what is read with the rights of the reader is no way around.
BYPASSED = """
WITH RECURSIVE below (oid) AS (
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s::text)
        AND c.relname = 'bookings' AND c.relkind = 'v'::"char"
        AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
        AND NOT coalesce('security_invoker=on' = ANY (c.reloptions), false)
    UNION
    SELECT d.refobjid FROM below
    JOIN pg_rewrite r ON r.ev_class = below.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
)
SELECT c.oid::regclass::text, current_setting('server_version_num')::integer / 10000
FROM below JOIN pg_class c ON c.oid = below.oid WHERE c.relrowsecurity ORDER BY 1
"""


def _bypassed(rows: Rows, schema: str) -> Iterator[Opening]:
    if rows:
        fix = f"ALTER VIEW {schema}.bookings SET (security_invoker = true), and grant its readers what they may read"
        if rows[0][1] < INVOKER_SINCE:
            fix = f"DROP VIEW {schema}.bookings: PostgreSQL {INVOKER_SINCE} can make one that keeps to the policies"
        yield Opening(
            check="bookings-view",
            evidence=f"the view bookings shows all rows of {', '.join(name for name, _ in rows)} to each of its "
            "readers, past the row-level security of that table",
            fix=fix,
        )


_CHECKS = (
    (DEFAULTS, _defaults),
    (HELD, _held),
    (SECURED, _secured),
    (MAKERS, _makers),
    (SERVED, _served),
    (EXECUTED, _executed),
    (UNPINNED, _unpinned),
    (BYPASSED, _bypassed),
)
