"""The columns that values are declared to have, and those that each database has."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3

import pytest

from assignment_pipeline.adapters import sqlite
from assignment_pipeline.adapters.columns import (
    ATTEMPT,
    BLOCK,
    BOOKING,
    BUNDLE,
    CASE,
    EVENT,
    HISTORY,
    RECORD,
    SEAT,
    Kind,
)

TABLES = {
    "assignment_records": RECORD,
    "booking_table_assignments": SEAT,
    "booking_assignment_state_history": HISTORY,
    "booking_assignment_attempts": ATTEMPT,
    "table_blocks": BLOCK,
    "observability_events": EVENT,
    "assignment_shadow_bundles": BUNDLE,
    "assignment_shadow_cases": CASE,
    "bookings": BOOKING,
}
BESIDES = {
    "assignment_records": {"start_at", "created_at", "updated_at"},
    "booking_table_assignments": set(),
    "booking_assignment_state_history": {"booking_id", "restaurant_id", "change_id"},
    "booking_assignment_attempts": {"booking_id", "restaurant_id"},
    "table_blocks": {"created_at"},
    "observability_events": {"position"},
    "assignment_shadow_bundles": set(),
    "assignment_shadow_cases": {"claimed_until"},
    "bookings": {"assignment_state", "assignment_state_version", "assignment_strategy", "created_at"},
}
"""Columns that are no fields of the value."""

SQLITE = dict.fromkeys(Kind, "TEXT") | {Kind.NUMBER: "INTEGER", Kind.FLAG: "INTEGER", Kind.MEASURE: "REAL"}
POSTGRES = dict.fromkeys(Kind, "text") | {
    Kind.NUMBER: "bigint",
    Kind.MEASURE: "double precision",
    Kind.FLAG: "boolean",
    Kind.MOMENT: "timestamp with time zone",
    Kind.BOOKING: "jsonb",
    Kind.TEXTS: "jsonb",
    Kind.DOCUMENT: "jsonb",
}


def declared(table, types):
    if table in {"bookings", "assignment_shadow_cases"}:
        types = types | {Kind.NUMBER: types[Kind.NUMBER].replace("bigint", "integer")}
    return {(column.stored, types[column.kind], column.optional) for column in TABLES[table]}


@pytest.mark.parametrize("table", TABLES)
def test_sqlite_has_them(tmp_path, table):
    """Each declared column is there, with the type of its kind, and no other."""
    sqlite.init(tmp_path / "x.db", standalone=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        rows = connection.execute('SELECT name, type, NOT "notnull" FROM pragma_table_info(?)', (table,)).fetchall()
    assert {(name, kind, bool(null)) for name, kind, null in rows if name not in BESIDES[table]} == declared(
        table, SQLITE
    )


@pytest.mark.parametrize("table", TABLES)
def test_postgres_has_them(postgres_database, table):
    """The same there."""
    psycopg = pytest.importorskip("psycopg")
    from assignment_pipeline.adapters import postgres  # noqa: PLC0415 - it needs psycopg

    schema = f"columns_{secrets.token_hex(4)}"
    postgres.init(postgres_database, schema=schema, standalone=True)
    statement = """
    SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns
    WHERE table_schema = %s AND table_name = %s
    """
    with psycopg.connect(postgres_database) as connection:
        rows = connection.execute(statement, (schema, table)).fetchall()
    assert {row for row in rows if row[0] not in BESIDES[table]} == declared(table, POSTGRES)
