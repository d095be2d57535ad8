"""The tables, in numbered migrations, and the check that they are there."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Mapping, Sequence

from assignment_pipeline.adapters.sqlite import metrics, shadow
from assignment_pipeline.adapters.sqlite.opening import connect, cursor_of, ensure_wal, locate, translated
from assignment_pipeline.adapters.sqlite.reads import UNFINISHED
from assignment_pipeline.errors import SchemaMismatchError

PIPELINE = "pipeline"
STANDALONE = "standalone"

# What a booking blocks is at most a turn of 24 hours between two buffers of 6, so that the span index
# is entered at most 36 hours before a window. Blocks by the staff may last for months: theirs is by their end.
_PIPELINE_1 = (
    """
    CREATE TABLE assignment_records (
        booking_id TEXT PRIMARY KEY NOT NULL,
        restaurant_id TEXT NOT NULL,
        owner TEXT NOT NULL,
        state TEXT NOT NULL,
        version INTEGER NOT NULL,
        strategy TEXT,
        attempts INTEGER NOT NULL,
        retries INTEGER NOT NULL,
        deliveries INTEGER NOT NULL,
        holds INTEGER NOT NULL,
        next_attempt_at TEXT,
        pinned INTEGER NOT NULL,
        reason TEXT,
        booking TEXT,  -- as the pipeline last dealt with it: JSON
        start_at TEXT,  -- when that booking starts
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    )
    """,
    """
    CREATE INDEX assignment_records_due ON assignment_records (next_attempt_at, booking_id)
    WHERE owner = 'pipeline' AND next_attempt_at IS NOT NULL
    """,
    """
    CREATE INDEX assignment_records_waiting ON assignment_records (restaurant_id, start_at)
    WHERE owner = 'pipeline' AND state IN ('assignment_pending', 'manual_review')
    """,
    "CREATE INDEX assignment_records_queue ON assignment_records (restaurant_id, state, booking_id)",
    """
    CREATE TABLE booking_table_assignments (
        booking_id TEXT NOT NULL,
        table_id TEXT NOT NULL,
        restaurant_id TEXT NOT NULL,
        start_at TEXT NOT NULL,  -- the blocked window
        end_at TEXT NOT NULL,
        turn_start_at TEXT NOT NULL,
        turn_end_at TEXT NOT NULL,
        movable INTEGER NOT NULL,  -- owned by the pipeline and not pinned, as the record says
        PRIMARY KEY (booking_id, table_id),
        CHECK (end_at > start_at)
    ) WITHOUT ROWID
    """,
    """
    CREATE INDEX booking_table_assignments_span
    ON booking_table_assignments (restaurant_id, start_at, end_at, table_id, booking_id, movable)
    """,
    """
    CREATE TABLE booking_assignment_state_history (
        booking_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        restaurant_id TEXT NOT NULL,
        change_id TEXT NOT NULL,
        from_state TEXT NOT NULL,
        to_state TEXT NOT NULL,
        "trigger" TEXT NOT NULL,
        reason TEXT,
        actor TEXT,
        tables TEXT NOT NULL,  -- JSON
        created_at TEXT NOT NULL,
        PRIMARY KEY (booking_id, version)
    ) WITHOUT ROWID
    """,
    """
    CREATE INDEX booking_assignment_state_history_change
    ON booking_assignment_state_history (change_id)
    """,
    # Changes without a transition leave no history row to be known by.
    """
    CREATE TABLE assignment_stepless_changes (
        change_id TEXT PRIMARY KEY NOT NULL,
        booking_id TEXT NOT NULL,
        created_at TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE booking_assignment_attempts (
        booking_id TEXT NOT NULL,
        attempt_no INTEGER NOT NULL,
        restaurant_id TEXT NOT NULL,
        strategy TEXT,
        result TEXT NOT NULL,
        reason TEXT,
        metadata TEXT NOT NULL,  -- JSON
        created_at TEXT NOT NULL
    )
    """,
    """
    CREATE INDEX booking_assignment_attempts_booking
    ON booking_assignment_attempts (booking_id, attempt_no)
    """,
    """
    CREATE TABLE observability_events (
        id TEXT PRIMARY KEY NOT NULL,
        created_at TEXT NOT NULL,
        source TEXT NOT NULL,
        event_type TEXT NOT NULL,
        severity TEXT NOT NULL,
        restaurant_id TEXT,
        booking_id TEXT,
        context TEXT NOT NULL  -- JSON
    )
    """,
    "CREATE INDEX observability_events_created ON observability_events (created_at)",
    """
    CREATE TABLE table_blocks (
        id TEXT PRIMARY KEY NOT NULL,
        restaurant_id TEXT NOT NULL,
        table_id TEXT NOT NULL,
        start_at TEXT NOT NULL,
        end_at TEXT NOT NULL,
        reason TEXT,
        actor TEXT,
        created_at TEXT NOT NULL,
        CHECK (end_at > start_at)
    )
    """,
    "CREATE INDEX table_blocks_span ON table_blocks (restaurant_id, end_at)",
    """
    CREATE TABLE assignment_leases (
        "key" TEXT NOT NULL,
        slot INTEGER NOT NULL,
        owner TEXT NOT NULL,
        nonce TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        PRIMARY KEY ("key", slot)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE assignment_rollout (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        generation INTEGER NOT NULL,
        settings TEXT NOT NULL,  -- JSON
        updated_at TEXT
    )
    """,
    "INSERT INTO assignment_rollout (id, generation, settings) VALUES (1, 0, '{}')",
    """
    CREATE TABLE assignment_rollout_history (
        generation INTEGER PRIMARY KEY,
        settings TEXT NOT NULL,  -- JSON
        actor TEXT,
        reason TEXT,
        evidence TEXT,  -- JSON: the numbers it was decided on
        created_at TEXT NOT NULL
    )
    """,
)

_PIPELINE_ROLLOUT = (
    "ALTER TABLE assignment_rollout ADD COLUMN phase TEXT",
    "ALTER TABLE assignment_rollout_history ADD COLUMN phase TEXT",
    # Whether it went past a gate that had not passed.
    "ALTER TABLE assignment_rollout_history ADD COLUMN forced INTEGER NOT NULL DEFAULT 0",
)

# Tables that legacy gave away twice are taken all the same; and what it was handed and has not answered is due.
_PIPELINE_HANDOVER = (
    "ALTER TABLE booking_table_assignments ADD COLUMN conflicted INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX assignment_records_due",
    """
    CREATE INDEX assignment_records_due ON assignment_records (next_attempt_at, booking_id)
    WHERE (owner = 'pipeline' OR state = 'assignment_in_progress') AND next_attempt_at IS NOT NULL
    """,
)

_STANDALONE_1 = (
    """
    CREATE TABLE restaurants (
        id TEXT PRIMARY KEY NOT NULL,
        timezone TEXT NOT NULL,
        policy TEXT NOT NULL,  -- JSON
        version TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE table_inventory (
        restaurant_id TEXT NOT NULL,
        id TEXT NOT NULL,
        position INTEGER NOT NULL,  -- the floor's order
        capacity INTEGER NOT NULL,
        min_party_size INTEGER NOT NULL,
        max_party_size INTEGER NOT NULL,
        zone TEXT,
        seating TEXT NOT NULL,
        accessible INTEGER NOT NULL,
        active INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        tags TEXT NOT NULL,  -- JSON
        PRIMARY KEY (restaurant_id, id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE table_adjacencies (
        restaurant_id TEXT NOT NULL,
        table_a TEXT NOT NULL,
        table_b TEXT NOT NULL,
        PRIMARY KEY (restaurant_id, table_a, table_b)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE bookings (
        id TEXT PRIMARY KEY NOT NULL,
        restaurant_id TEXT NOT NULL,
        party_size INTEGER NOT NULL,
        start_at TEXT NOT NULL,
        end_at TEXT,
        seating_preference TEXT NOT NULL DEFAULT 'any',
        zone TEXT,
        accessible INTEGER NOT NULL DEFAULT 0,
        status TEXT NOT NULL DEFAULT 'pending',
        assignment_state TEXT,  -- none until the pipeline has a record of it
        assignment_state_version INTEGER,
        assignment_strategy TEXT,
        created_at TEXT NOT NULL
    )
    """,
    """
    CREATE INDEX bookings_unassigned ON bookings (start_at, id)
    WHERE status = 'pending' AND assignment_state IS NULL
    """,
    "CREATE INDEX bookings_created ON bookings (created_at)",
)

_STANDALONE_2 = (
    """
    CREATE TABLE table_combinations (
        restaurant_id TEXT NOT NULL,
        id TEXT NOT NULL,
        position INTEGER NOT NULL,  -- the floor's order
        tables TEXT NOT NULL,  -- JSON
        capacity INTEGER NOT NULL,
        min_party_size INTEGER,
        max_party_size INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        PRIMARY KEY (restaurant_id, id)
    ) WITHOUT ROWID
    """,
)

_PIPELINE_UNFINISHED = (
    f"CREATE INDEX assignment_records_unfinished ON assignment_records (booking_id) WHERE {UNFINISHED}",
)

# Claims that ended without an answer: few, and looked at by every sweep.
_PIPELINE_CLAIMS = (
    """
    CREATE INDEX assignment_records_claimed ON assignment_records (next_attempt_at)
    WHERE deliveries > 0 AND next_attempt_at IS NOT NULL
    """,
)

# The bookings that nobody enqueued, by restaurant: the sweep looks for those of the restaurants in charge.
_STANDALONE_WAITING = (
    """
    CREATE INDEX bookings_waiting ON bookings (restaurant_id, start_at, id)
    WHERE status = 'pending' AND assignment_state IS NULL
    """,
)

# Null where a table was put before it could have one: it is called by its id.
_STANDALONE_LABEL = ("ALTER TABLE table_inventory ADD COLUMN label TEXT",)

MIGRATIONS: Mapping[str, Sequence[Sequence[str]]] = {
    PIPELINE: (
        _PIPELINE_1,
        _PIPELINE_ROLLOUT,
        shadow.MIGRATION,
        _PIPELINE_HANDOVER,
        metrics.MIGRATION,
        _PIPELINE_CLAIMS,
        _PIPELINE_UNFINISHED,
    ),
    STANDALONE: (_STANDALONE_1, _STANDALONE_2, _STANDALONE_WAITING, _STANDALONE_LABEL),
}
"""What brings each part from one version to the next: the first makes version 1. Never edited once released."""

SCHEMA_VERSION = len(MIGRATIONS[PIPELINE])
"""The version of the pipeline's own tables that this code works with."""

STANDALONE_VERSION = len(MIGRATIONS[STANDALONE])
"""The version of the tables of `StandaloneHost`."""

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
            ours, or was made by a newer version of this library.
        StoreUnavailableError: It cannot be opened or written.
    """
    where = locate(path)
    with translated(where):
        connection = connect(where, busy_timeout=_BUSY, create=True)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for part in MIGRATIONS:
                # What is there is brought up to date, whether or not it was named.
                if part in _parts(standalone=standalone) or _version(connection, part) is not None:
                    _migrate(connection, where, part)
            connection.execute("COMMIT")
            ensure_wal(connection, where, patience=_BUSY)
        finally:
            connection.close()


def check(path: str | os.PathLike[str], *, standalone: bool = False) -> None:
    """
    Make sure that the tables are there and of the right version. Changes nothing.

    Raises:
        SchemaMismatchError: They are not.
        StoreUnavailableError: The file cannot be opened.
    """
    where = locate(path)
    with translated(where):
        connection = connect(where, busy_timeout=_BUSY)
        try:
            for part in _parts(standalone=standalone):
                check_part(connection, where, part)
        finally:
            connection.close()


def check_part(connection: sqlite3.Connection, where: str, part: str = PIPELINE) -> None:
    """
    Make sure that one part's tables are there and of the right version.

    Raises:
        SchemaMismatchError: They are not.
    """
    found = _version(connection, part)
    wanted = len(MIGRATIONS[part])
    if found != wanted:
        raise SchemaMismatchError.of_version(where, part, wanted, found)


def _parts(*, standalone: bool) -> tuple[str, ...]:
    return (PIPELINE, STANDALONE) if standalone else (PIPELINE,)


def _version(connection: sqlite3.Connection, part: str) -> int | None:
    rows = cursor_of(connection)
    if rows.execute("SELECT 1 FROM sqlite_master WHERE name = 'assignment_schema'").fetchone() is None:
        return None
    row = rows.execute("SELECT version FROM assignment_schema WHERE part = ?", (part,)).fetchone()
    return int(row[0]) if row else None


def _migrate(connection: sqlite3.Connection, where: str, part: str) -> None:
    found = _version(connection, part) or 0
    migrations = MIGRATIONS[part]
    if found > len(migrations):
        raise SchemaMismatchError(where, f"version {len(migrations)} of the {part} schema or older", f"version {found}")
    if found == len(migrations):
        return
    try:
        for statements in migrations[found:]:
            for statement in statements:
                connection.execute(statement)
    except sqlite3.OperationalError as error:
        if "already exists" not in str(error):
            raise
        raise SchemaMismatchError(where, f"no tables but ours under our names ({part} schema)", str(error)) from error
    connection.execute(
        """
        CREATE TABLE IF NOT EXISTS assignment_schema (
            part TEXT PRIMARY KEY NOT NULL,
            version INTEGER NOT NULL
        ) WITHOUT ROWID
        """
    )
    connection.execute(
        """
        INSERT INTO assignment_schema (part, version) VALUES (?, ?)
        ON CONFLICT (part) DO UPDATE SET version = excluded.version
        """,
        (part, len(migrations)),
    )
