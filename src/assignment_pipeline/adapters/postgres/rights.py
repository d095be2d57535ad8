"""The rights that a role of the server needs, as statements and as a check."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence

import attrs
from psycopg import sql

from assignment_pipeline.adapters.postgres.schema import FIND_FUNCTIONS, SCHEMA, checked, on_connection, place
from assignment_pipeline.adapters.postgres.work import Statement, Work, in_transaction
from assignment_pipeline.adapters.schema_parts import PIPELINE
from assignment_pipeline.errors import InvalidValueError


class Purpose(enum.StrEnum):
    """What a role is for."""

    WEB = "web"
    """An application that takes bookings: enqueues, assigns, cancels, and does what staff do."""

    WORKER = "worker"
    """A process that sweeps what is due, and works on shadow cases."""

    OPERATOR = "operator"
    """A person who steers the rollout, decides on reviews, and clears away old events."""

    READER = "reader"
    """A dashboard: it reads what happened, and neither bundles nor leases."""


_LETTERS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
_VIEW = frozenset({"SELECT"})

# For each table and view, in the order of `Purpose`. Events and history are only inserted.
TABLES = {
    "assignment_schema": ("S", "S", "S", "S"),
    "assignment_records": ("SIU", "SIU", "SIU", "S"),
    "record_documents": ("S", "S", "S", "S"),
    "booking_table_assignments": ("SID", "SID", "SID", "S"),
    "booking_assignment_state_history": ("SI", "SI", "SI", "S"),
    "assignment_stepless_changes": ("SI", "SI", "SI", "S"),
    "booking_assignment_attempts": ("SI", "SI", "SI", "S"),
    "observability_events": ("SI", "SI", "SID", "S"),
    "table_blocks": ("SID", "SID", "SID", "S"),
    "assignment_leases": ("SIUD", "SIUD", "SIUD", ""),
    "assignment_rollout": ("S", "S", "SU", "S"),
    "assignment_rollout_history": ("S", "S", "SI", "S"),
    "rollout_in_force": ("S", "S", "S", "S"),
    "assignment_shadow_bundles": ("SIUD", "SIUD", "SIUD", ""),
    "assignment_shadow_cases": ("SI", "SIUD", "SIUD", ""),
    # Of a standalone host; `bookings` may also be a view over the host's own table.
    "restaurants": ("SIU", "S", "SIU", "S"),
    "table_inventory": ("SID", "S", "SID", "S"),
    "table_adjacencies": ("SID", "S", "SID", "S"),
    "table_combinations": ("SID", "S", "SID", "S"),
    "bookings": ("SIU", "SIU", "SIU", "S"),
    "booking_documents": ("S", "S", "S", "S"),
    "venue_documents": ("S", "S", "S", "S"),
}

_WRITERS = (Purpose.WEB, Purpose.WORKER, Purpose.OPERATOR)

# Functions run with the rights of their caller, and call each other.
FUNCTIONS: Mapping[str, Sequence[Purpose]] = {
    **dict.fromkeys(("take_restaurants", "lock_restaurants", "guard", "begin_commit", "commit"), _WRITERS),
    **dict.fromkeys(("is_name", "enqueue"), _WRITERS),
    **dict.fromkeys(("blocked_span", "occupied", "wake", "tell", "block", "unblock", "acquire", "release"), _WRITERS),
    **dict.fromkeys(("load", "look", "page", "knows", "taken", "arrivals", "turn_minutes"), _WRITERS),
    **dict.fromkeys(("due", "put_back"), (Purpose.WORKER, Purpose.OPERATOR)),
    **dict.fromkeys(("revise", "await_commits"), (Purpose.OPERATOR,)),
    **dict.fromkeys(("as_uuid", "as_bigint", "time_bucket"), tuple(Purpose)),
}


def rights_of(table: str) -> frozenset[str]:
    """What any purpose takes of that table or view."""
    return frozenset(_LETTERS[letter] for letters in TABLES[table] for letter in letters)


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
            rights = frozenset(_LETTERS[letter] for letter in letters[column])
            tables[name] = rights & _VIEW if kinds[name] == "v" else rights
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
            by_rights.setdefault(", ".join(one for one in _LETTERS.values() if one in rights), []).append(name)
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
