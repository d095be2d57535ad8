"""All the tables of a store, as they are at one moment."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import sqlite3
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

Row = dict[str, Any]

SCHEMA = "assignment_pipeline"

_URL = re.compile(r"postgres(ql)?://", re.IGNORECASE)
_TAKEN = ("restaurant_id", "table_id", "start_at", "end_at", "booking_id")
_TIMES = ("start_at", "end_at", "turn_start_at", "turn_end_at", "next_attempt_at", "created_at")
_DOCUMENTS = ("booking", "context", "policy", "floor", "tables")

# What is looked at of each table. {0} stands for the schema, with its dot; {1} for the column that events are in the
# order of, which is the order of the commits as far as one restaurant goes.
_OURS = {
    "records": "SELECT booking_id, restaurant_id, owner, state, version, strategy, attempts, next_attempt_at, booking"
    " FROM {0}assignment_records",
    "seats": "SELECT booking_id, table_id, restaurant_id, start_at, end_at, turn_start_at, turn_end_at, seated_at,"
    " conflicted FROM {0}booking_table_assignments",
    "history": 'SELECT booking_id, version, restaurant_id, change_id, from_state, to_state, "trigger", actor, tables,'
    " created_at FROM {0}booking_assignment_state_history ORDER BY booking_id, version",
    "attempts": "SELECT booking_id, attempt_no, result FROM {0}booking_assignment_attempts"
    " ORDER BY booking_id, attempt_no",
    "events": "SELECT id, event_type, restaurant_id, booking_id, context FROM {0}observability_events"
    " WHERE event_type IN ('booking.assignment_state_transition', 'coordinator.blocked') ORDER BY {1}",
    "blocks": "SELECT id, restaurant_id, table_id, start_at, end_at, created_at FROM {0}table_blocks",
}
_HOSTS = {
    "bookings": "SELECT id, restaurant_id, party_size, start_at, status, assignment_state, assignment_state_version"
    " FROM {0}bookings",
}
_FLOORS = {
    "restaurants": "SELECT id, timezone, policy, floor FROM {0}restaurants",
    "inventory": "SELECT restaurant_id, id, capacity, min_party_size, max_party_size, zone, seating, accessible,"
    " counter, communal FROM {0}table_inventory ORDER BY restaurant_id, position",
    "adjacencies": "SELECT restaurant_id, table_a, table_b FROM {0}table_adjacencies",
    "combinations": "SELECT restaurant_id, id, tables, capacity, max_party_size FROM {0}table_combinations",
}


@attrs.frozen(kw_only=True)
class Tables:
    """
    The rows of each table, as mappings; times are aware, and documents are read.

    Attributes:
        records: ``assignment_records``.

        seats: ``booking_table_assignments``.

        history: ``booking_assignment_state_history``, by booking and version.

        attempts: ``booking_assignment_attempts``, by booking and number.

        events: The transitions and blocks of ``observability_events``, in the order in which they were committed.

        blocks: ``table_blocks``.

        taken: What the host has seated without us: ``restaurant_id``, ``table_id``, ``start_at``, ``end_at`` and
            ``booking_id``.

        bookings: ``bookings``; None where it is not there.

        restaurants: ``restaurants``; None where the host keeps floors of its own, as for what follows.

        inventory: ``table_inventory``.

        adjacencies: ``table_adjacencies``.

        combinations: ``table_combinations``.
    """

    records: list[Row] = attrs.Factory(list)
    seats: list[Row] = attrs.Factory(list)
    history: list[Row] = attrs.Factory(list)
    attempts: list[Row] = attrs.Factory(list)
    events: list[Row] = attrs.Factory(list)
    blocks: list[Row] = attrs.Factory(list)
    taken: list[Row] = attrs.Factory(list)
    bookings: list[Row] | None = None
    restaurants: list[Row] | None = None
    inventory: list[Row] | None = None
    adjacencies: list[Row] | None = None
    combinations: list[Row] | None = None


def read(place: Any, *, schema: str | None = None, taken: str | None = None) -> Tables:
    """
    The tables in *place*, in one snapshot; nothing is written.

    Args:
        place: A database of PostgreSQL, as a URL or in libpq's ``key=value`` form, or a connection of psycopg in a
            transaction; or a file of SQLite.

        schema: The schema that they are in, in PostgreSQL; ``assignment_pipeline``, unless ``?schema=`` behind the
            address or this says another.

        taken: A query for what the host has seated without us: ``restaurant_id``, ``table_id``, ``start_at``,
            ``end_at``, ``booking_id``.

    Raises:
        LookupError: There are no tables of ours.
        ValueError: The place cannot be read, or the query is none for that.
    """
    text, order = str(place), "position"
    if hasattr(place, "execute"):
        name = "the database"
        schema = schema or SCHEMA
        snapshot = _connected(place, schema)
    elif _URL.match(text) or ("=" in text and "://" not in text and not Path(text).exists()):
        conninfo, schema = _without_schema(text, schema)
        name = _named(conninfo)
        snapshot = _postgres(conninfo, schema)
    else:
        name, order = text, "rowid"
        if schema is not None:
            msg = f"schema: expected with the address of a PostgreSQL database only, got {schema!r} with another place"
            raise ValueError(msg)
        snapshot = _sqlite(text)
    here = "" if schema is None else f"{_quoted(schema)}."
    with snapshot as (ask, names):
        missing = {"assignment_records", "observability_events"} - names
        if missing:
            msg = f"{name}: expected the tables of a store, found no {', '.join(sorted(missing))}"
            raise LookupError(msg)
        wanted = dict(_OURS)
        wanted |= _HOSTS if "bookings" in names else {}
        wanted |= _FLOORS if {"restaurants", "table_inventory"} <= names else {}
        rows = {name: ask(query.format(here, order)) for name, query in wanted.items()}
        rows["taken"] = [] if taken is None else _taken(ask, taken)
    return Tables(**rows)


def _taken(ask: Ask, query: str) -> list[Row]:
    """
    What the host's query finds.

    Raises:
        ValueError: It fails, writes, or finds something else.
    """
    try:
        rows = ask(query, *_TAKEN)
    except Exception as error:
        got = str(error).strip().splitlines() or [type(error).__name__]
        raise _not_taken(got[0]) from error
    for row in rows:
        for name in ("start_at", "end_at"):
            if not isinstance(row[name], dt.datetime) or row[name].tzinfo is None:
                raise _not_taken(f"{row[name]!r} as {name}")
    return rows


def _not_taken(got: str) -> ValueError:
    names = f"{', '.join(_TAKEN[:-1])} and {_TAKEN[-1]}"
    return ValueError(f"taken: expected a query for {names}, the times with an offset, got {got}")


Ask = Callable[..., list[Row]]
"""The rows of a query, and the columns that it must have."""


def _without_schema(text: str, schema: str | None) -> tuple[str, str]:
    """
    What the driver takes of an address, and the schema.

    Raises:
        ValueError: Two schemas are named.
    """
    address, _, query = text.partition("?")
    words = urllib.parse.parse_qsl(query, keep_blank_values=True)
    named = {value for key, value in words if key == "schema" and value} if _URL.match(text) else set()
    wanted = named | ({schema} if schema else set())
    if len(wanted) > 1:
        msg = f"schema: expected one, got {' and '.join(map(repr, sorted(wanted)))}"
        raise ValueError(msg)
    if named:
        kept = urllib.parse.urlencode([word for word in words if word[0] != "schema"], quote_via=urllib.parse.quote)
        text = f"{address}?{kept}" if kept else address
    return text, wanted.pop() if wanted else SCHEMA


def _quoted(schema: str) -> str:
    return '"' + schema.replace('"', '""') + '"'


def _driver() -> Any:
    try:
        import psycopg  # noqa: PLC0415 - who looks into a file does not need it
    except ModuleNotFoundError:
        msg = "psycopg is not installed: pip install 'assignment-pipeline[postgres]'."
        raise LookupError(msg) from None
    return psycopg


def _named(conninfo: str) -> str:
    """
    What people call that database, without a password.

    Raises:
        ValueError: It is none.
    """
    psycopg = _driver()
    try:
        facts = psycopg.conninfo.conninfo_to_dict(conninfo)
    except psycopg.Error:
        msg = "expected the address of a PostgreSQL database, postgresql://... or key=value as libpq takes them"
        raise ValueError(msg) from None  # The driver's own message may hold part of a password.
    return f"{facts.get('host') or 'localhost'}/{facts.get('dbname') or ''}"


@contextlib.contextmanager
def _postgres(conninfo: str, schema: str) -> Iterator[tuple[Ask, set[str]]]:
    psycopg = _driver()
    try:
        with psycopg.connect(conninfo) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with _connected(connection, schema) as snapshot:
                yield snapshot
    except psycopg.Error as error:  # It is away, or goes away meanwhile; or the tables are others.
        msg = str(error).strip().splitlines()[0]
        raise ValueError(msg) from error


@contextlib.contextmanager
def _connected(connection: Any, schema: str) -> Iterator[tuple[Ask, set[str]]]:
    statement = (
        "SELECT relname FROM pg_catalog.pg_class"
        " WHERE relnamespace = pg_catalog.to_regnamespace(%s::text) AND relkind IN ('r', 'v')"
    )
    names = {name for (name,) in connection.execute(statement, (_quoted(schema),))}
    # With parameters, if none: then it can be but one statement, which cannot end the transaction first.
    yield (lambda query, *needed: _rows(connection.execute(query.replace("%", "%%"), ()), needed)), names


@contextlib.contextmanager
def _sqlite(path: str) -> Iterator[tuple[Ask, set[str]]]:
    if "://" in path:
        msg = f"expected a file of SQLite or postgresql://..., got an address, {path.partition(':')[0]}:..."
        raise ValueError(msg)
    if not Path(path).is_file():
        place = "what is not shown, for it may hold a password" if set(path) & set(":@=") else path
        msg = f"{place}: expected a file of SQLite or the address of a PostgreSQL database, found nothing"
        raise ValueError(msg)
    try:
        with contextlib.closing(sqlite3.connect(Path(path).resolve().as_uri() + "?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
            yield (lambda query, *needed: _rows(connection.execute(query), needed)), names
    except sqlite3.Error as error:
        msg = f"{path}: {error}"
        raise ValueError(msg) from None


def _rows(cursor: Any, needed: Sequence[str]) -> list[Row]:
    names = [column[0] for column in cursor.description or ()]
    missing = [name for name in needed if name not in names]
    if missing:
        msg = f"no {', '.join(missing)}"
        raise LookupError(msg)
    return [_read(names, values) for values in cursor]


def _read(names: Sequence[str], values: Sequence[Any]) -> Row:
    row = dict(zip(names, values, strict=True))
    for name in _TIMES:
        if isinstance(row.get(name), str):
            row[name] = moment_of(row[name])
    for name in _DOCUMENTS:
        if isinstance(row.get(name), str):
            row[name] = json.loads(row[name])
    return row


def moment_of(text: str) -> dt.datetime:
    """The time that *text* says; in UTC, where it does not say in what."""
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
