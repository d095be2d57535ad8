"""The rights that a role of the server needs, as statements and as a check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs
from psycopg import sql

from assignment_pipeline.adapters.postgres.purposes import FUNCTIONS, LETTERS, TABLES, VIEW, Purpose
from assignment_pipeline.adapters.postgres.schema import FIND_FUNCTIONS, SCHEMA, checked, on_connection, place
from assignment_pipeline.adapters.postgres.work import Statement, Work, in_transaction
from assignment_pipeline.adapters.schema_parts import PIPELINE
from assignment_pipeline.errors import InvalidValueError


def rights_of(table: str) -> frozenset[str]:
    """What any purpose takes of that table or view."""
    return frozenset(LETTERS[letter] for letters in TABLES[table] for letter in letters)


FIND_RELATIONS = """
SELECT c.relname, c.relkind::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s::text AND c.relname = ANY (%s::text[]) AND c.relkind = ANY ('{r,v}'::"char"[])
"""

FIND_ROLE = "SELECT oid, rolsuper FROM pg_catalog.pg_roles WHERE rolname = %s::text"

# Rights that are granted to the role, to a role that it is a member of, or to everybody.
HELD = """
SELECT c.relname::text, r.name FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN pg_catalog.unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS r(name)
WHERE n.nspname = %s::text AND c.relname = ANY (%s::text[])
    AND pg_catalog.has_table_privilege(%s::oid, c.oid, r.name)
UNION ALL
SELECT n.nspname::text, r.name FROM pg_catalog.pg_namespace n
CROSS JOIN pg_catalog.unnest('{USAGE,CREATE}'::text[]) AS r(name)
WHERE n.nspname = %s::text AND pg_catalog.has_schema_privilege(%s::oid, n.oid, r.name)
UNION ALL
SELECT f.name, 'EXECUTE' FROM pg_catalog.unnest(%s::text[]) AS f(name)
WHERE pg_catalog.has_function_privilege(%s::oid, f.name::pg_catalog.regprocedure::oid, 'EXECUTE'::text)
"""

OWNS = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
    WHERE n.nspname = %s::text AND c.relname = 'assignment_records'
        AND pg_catalog.pg_has_role(%s::oid, c.relowner, 'USAGE'::text)
)
"""


def grants(conninfo: str, role: str, purpose: Purpose | str, *, schema: str = SCHEMA) -> str:
    """
    The statements that give *role* what its purpose takes, and take back what is more. Changes nothing.

    Args:
        conninfo: The database.

        role: The role's name. It may be yet to be made.

        purpose: What it is for.

        schema: The schema that the tables are in.

    Raises:
        SchemaMismatchError: The tables are not there.
        StoreUnavailableError: The database cannot be reached.
    """
    wanted = Purpose(purpose)
    return on_connection(conninfo, in_transaction(_statements(role, wanted, schema, place(conninfo, schema))))


def check_grants(conninfo: str, role: str, purpose: Purpose | str, *, schema: str = SCHEMA) -> tuple[str, ...]:
    """
    What *role* lacks for its purpose, and what it may do beyond that, in a sentence each. Changes nothing.

    Args:
        conninfo: The database.

        role: The role's name.

        purpose: What it is for.

        schema: The schema that the tables are in.

    Raises:
        InvalidValueError: The server has no such role.
        SchemaMismatchError: The tables are not there.
        StoreUnavailableError: The database cannot be reached.
    """
    wanted = Purpose(purpose)
    return on_connection(conninfo, in_transaction(_checked(role, wanted, schema, place(conninfo, schema))))


@attrs.frozen
class _Wanted:
    """
    What a purpose takes.

    Attributes:
        tables: The rights on each table and view that is there.

        functions: The functions, by signature, and whether each is to be executed.
    """

    tables: Mapping[str, frozenset[str]]
    functions: Mapping[str, bool]


def _wanted(purpose: Purpose, schema: str, where: str) -> Work[_Wanted]:
    yield from checked((PIPELINE,), schema, where)
    column = list(Purpose).index(purpose)
    kinds = dict((yield Statement(FIND_RELATIONS, (schema, list(TABLES)))))
    tables = {}
    for name, letters in TABLES.items():
        if name in kinds:
            rights = frozenset(LETTERS[letter] for letter in letters[column])
            tables[name] = rights & VIEW if kinds[name] == "v" else rights
    functions = {}
    for name, purposes in FUNCTIONS.items():
        for (signature,) in (yield Statement(FIND_FUNCTIONS, (schema, [name]))):
            functions[signature] = purpose in purposes
    return _Wanted(tables, functions)


def _statements(role: str, purpose: Purpose, schema: str, where: str) -> Work[str]:
    wanted = yield from _wanted(purpose, schema, where)
    quoted, to = sql.Identifier(schema).as_string(None), sql.Identifier(role).as_string(None)

    def tables(names: Sequence[str]) -> str:
        return ",\n    ".join(f"{quoted}.{name}" for name in names)

    by_rights: dict[str, list[str]] = {}
    for name, rights in wanted.tables.items():
        if rights:
            by_rights.setdefault(", ".join(one for one in LETTERS.values() if one in rights), []).append(name)
    called = [signature for signature, wants in wanted.functions.items() if wants]
    lines = [
        f"-- What the purpose {purpose} takes, and no more. Run it as the owner of the tables; again after `db init`.",
        "BEGIN;",
        f"REVOKE ALL ON\n    {tables(list(wanted.tables))}\nFROM {to};",
        f"REVOKE ALL ON FUNCTION\n    {_list(list(wanted.functions))}\nFROM {to};",
        f"GRANT USAGE ON SCHEMA {quoted} TO {to};",
        *(f"GRANT {rights} ON\n    {tables(names)}\nTO {to};" for rights, names in by_rights.items()),
        f"GRANT EXECUTE ON FUNCTION\n    {_list(called)}\nTO {to};",
        "COMMIT;",
    ]
    return "\n".join(lines)


def _list(signatures: Sequence[str]) -> str:
    return ",\n    ".join(signatures)


def _checked(role: str, purpose: Purpose, schema: str, where: str) -> Work[tuple[str, ...]]:
    wanted = yield from _wanted(purpose, schema, where)
    rows = yield Statement(FIND_ROLE, (role,))
    if not rows:
        raise InvalidValueError("role", "a role of the server", repr(role))
    [(oid, superuser)] = rows
    if superuser:
        return (f"{role} is a superuser: no grant binds it",)
    [(owns,)] = yield Statement(OWNS, (schema, oid))
    if owns:
        return (f"{role} owns the tables, or is a member of who does: it may do all with them",)
    names, signatures = list(wanted.tables), list(wanted.functions)
    held = set((yield Statement(HELD, (schema, names, oid, schema, oid, signatures, oid))))
    needed = {(name, right) for name, rights in wanted.tables.items() for right in rights}
    needed |= {(schema, "USAGE")} | {(signature, "EXECUTE") for signature, wants in wanted.functions.items() if wants}
    return (
        *(f"{role} lacks {right} on {names}" for right, names in _by_right(needed - held)),
        *(f"{role} has {right} on {names}, which no {purpose} needs" for right, names in _by_right(held - needed)),
    )


def _by_right(pairs: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Each right, with what it is on."""
    for right in sorted({right for _, right in pairs}):
        yield right, ", ".join(sorted(name for name, held in pairs if held == right))
