"""``bookings`` for people and dashboards, where the host keeps them: a view over its table and our records."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import psycopg
from psycopg import sql

from assignment_pipeline.adapters.columns import BOOKING, POSTGRES_TYPES
from assignment_pipeline.adapters.postgres.schema import SCHEMA, checked, on_connection, place
from assignment_pipeline.adapters.postgres.work import Statement, Work, in_transaction
from assignment_pipeline.adapters.schema_parts import PIPELINE
from assignment_pipeline.domain.booking import CANCELLED, CONFIRMED, FAILED, PENDING
from assignment_pipeline.errors import InvalidValueError, SchemaMismatchError

# Without a status, every booking of the host would seem to wait. So this column is required, although it has a default.
_HAS_DEFAULT = [column for column in BOOKING if column.default is not attrs.NOTHING and column.name != "status"]

REQUIRED = (*(column.stored for column in BOOKING if column not in _HAS_DEFAULT), "created_at")
OPTIONAL = {
    column.stored: f"{sql.Literal(column.default).as_string(None)}::{POSTGRES_TYPES[column.kind]}"
    for column in _HAS_DEFAULT
}
"""The value of a column that the host does not have."""

INVOKER_SINCE = 15
"""The first server whose views may read with the rights of their reader."""

STATUSES = (PENDING, CONFIRMED, CANCELLED, FAILED)
"""The words for a guest's status that the operators' queries count."""

COLUMNS = """
SELECT a.attname, pg_catalog.format_type(a.atttypid, NULL), a.attcollation::regcollation::text, n.nspname, c.relname,
    c.relrowsecurity, pg_catalog.current_setting('server_version_num'::text)::integer / 10000
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attrelid = pg_catalog.to_regclass(%s::text) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""

# The join compares the keys twice: the host's key as text with ours, and our text as a key of the host's type with the
# host's. So PostgreSQL can use the index of either side. With one comparison, one of the two indexes would be useless.
VIEW = """CREATE VIEW {schema}.bookings{options} AS
SELECT
    {columns},
    h.{id}::text AS booking_id,
    r.state AS assignment_state,
    r.version AS assignment_state_version,
    r.strategy AS assignment_strategy
FROM {table} h
LEFT JOIN {schema}.assignment_records r
    ON r.booking_id OPERATOR(pg_catalog.=) h.{id}::text COLLATE "C" AND h.{id} OPERATOR(pg_catalog.=) {key};"""

_TEXT = frozenset({"text", "character varying"})
_KEYS = {"uuid": "as_uuid", "bigint": "as_bigint", "integer": "as_bigint"}


def bookings_view(
    conninfo: str,
    table: str,
    columns: Mapping[str, str] | None = None,
    *,
    statuses: Mapping[str, str] | None = None,
    schema: str = SCHEMA,
    apply: bool = False,
) -> str:
    """
    The statement that makes ``bookings`` a view over the table in which a host keeps its own.

    It has the columns of the standalone table, so that the same queries do for both. ``id`` has the host's type, and
    is found by the host's index; ``booking_id`` is the same as text, to join with what the pipeline writes.

    Where the host's table has row-level security, each reader of the view finds the rows that the policies show to that
    reader, and needs the right to read the table.

    Args:
        conninfo: The host's database.

        table: The host's table, such as ``public.reservations``, as SQL would have it.

        columns: What the host calls its columns, by our names; those that are missing are called as here.

        statuses: What the host's words in ``status`` mean, each one of `STATUSES`. Other words stay as they are, and
            the rates that operators read do not count them as confirmed.

        schema: The pipeline's schema.

        apply: Whether to make it, too; an earlier one is replaced.

    Raises:
        ValueError: The table is not there, or has no such column, or another kind of key; or a word means none of
            `STATUSES`.
        SchemaMismatchError: The table has row-level security, and the server is older than PostgreSQL 15, where a view
            bypasses it; or it is to be made, and the pipeline's tables are not there, or the host is a standalone
            one: it has a table.
        StoreUnavailableError: The database cannot be reached or written.
    """
    where = place(conninfo, schema)
    names = _Names(columns or {}, statuses or {})
    return on_connection(conninfo, in_transaction(_make(table, names, schema, where, apply=apply)), as_owner=True)


@attrs.frozen
class _Names:
    """What the host calls things: its columns by our names, and what its words for a status mean."""

    columns: Mapping[str, str]
    statuses: Mapping[str, str]


def _make(table: str, names: _Names, schema: str, where: str, *, apply: bool) -> Work[str]:
    if apply:
        yield from checked((PIPELINE,), schema, where)
    try:
        rows = yield Statement(COLUMNS, (table,))
    except psycopg.Error as error:
        if error.sqlstate != "42602":  # No name at all.
            raise
        rows = ()
    if not rows:
        raise InvalidValueError("the host's bookings", "a table or view", f"{table!r}, which is none")
    found = {name: (kind, collation) for name, kind, collation, *_ in rows}
    secured, server = rows[0][5:]
    if secured and server < INVOKER_SINCE:
        expected = f"PostgreSQL {INVOKER_SINCE} for a view over a table with row-level security, which it would bypass"
        raise SchemaMismatchError(where, expected, f"PostgreSQL {server}")
    options = " WITH (security_invoker = true)" if secured else ""
    text = _statement(sql.Identifier(*rows[0][3:5]).as_string(None), names, found, schema, options)
    if apply:
        view = f"{sql.Identifier(schema).as_string(None)}.bookings"
        try:
            yield Statement(f"DROP VIEW IF EXISTS {view}")
        except psycopg.Error as error:
            if error.sqlstate not in {"42809", "2BP01"}:  # It is a table; or others depend on it.
                raise
            detail = str(error).splitlines()[0]
            raise SchemaMismatchError(where, "no bookings, or a view that nothing depends on", detail) from error
        yield Statement(text)
    return text


def _statement(table: str, names: _Names, found: Mapping[str, tuple[str, str]], schema: str, options: str) -> str:
    columns = names.columns
    wrong = sorted({*names.statuses.values()} - {*STATUSES})
    if wrong:
        raise InvalidValueError("status", f"{', '.join(STATUSES)}", f"{', '.join(wrong)}")
    unknown = sorted(set(columns) - {*REQUIRED, *OPTIONAL})
    if unknown:
        raise InvalidValueError("columns", f"{', '.join((*REQUIRED, *OPTIONAL))}", f"{', '.join(unknown)}")
    called = {name: columns.get(name, name) for name in (*REQUIRED, *OPTIONAL)}
    for name in (*REQUIRED, *columns):
        if called[name] not in found:
            raise InvalidValueError(name, f"a column of {table}, one of {', '.join(found)}", f"{called[name]!r}")
    kind, collation = found[called["id"]]
    record_key = "r.booking_id"
    if kind in _TEXT:
        key = f"{record_key} COLLATE {collation}"
    elif kind in _KEYS:
        key = f"{{schema}}.{_KEYS[kind]}({record_key})"
    else:
        raise InvalidValueError("id", "a column of type text, uuid, bigint or integer", f"{kind}")
    quoted = sql.Identifier(schema).as_string(None)
    shown = [
        f"h.{sql.Identifier(column).as_string(None)} AS {name}" if column in found else f"{OPTIONAL[name]} AS {name}"
        for name, column in called.items()
    ]
    shown = [_in_our_words(line, names.statuses) if line.endswith(" AS status") else line for line in shown]
    return VIEW.format(
        schema=quoted,
        options=options,
        columns=",\n    ".join(shown),
        table=table,
        id=sql.Identifier(called["id"]).as_string(None),
        key=key.format(schema=quoted),
    )


def _in_our_words(column: str, statuses: Mapping[str, str]) -> str:
    """The column ``status`` with the host's words replaced."""
    if not statuses:
        return column
    word = f"{column.removesuffix(' AS status')}::text"
    cases = "\n        ".join(f"WHEN {_quoted(theirs)} THEN {_quoted(ours)}" for theirs, ours in statuses.items())
    return f"CASE {word}\n        {cases}\n        ELSE {word}\n    END AS status"


def _quoted(text: str) -> str:
    return sql.Literal(text).as_string(None)
