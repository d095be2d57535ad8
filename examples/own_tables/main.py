"""
An application with tables of its own: the library reads them through a `Host`, and keeps only its records beside them.

It shows the one path for a new reservation: *enqueue inside, assign after*. The application inserts its row and
enqueues it in one transaction, commits, and then has it assigned. It shows that seats of the old planner are left
alone, that the tables' names arrive in the application's own row in the pipeline's commit, that a transaction which is
rolled back leaves nothing, and that the sweep finds what nobody assigned.

    python examples/own_tables/main.py
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from assignment_pipeline import AssignmentRecord, Coordinator, Mode, Outcome, Settings
from assignment_pipeline.adapters.sqlite import SQLiteStore, init
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.rollout.flags import FixedFlags
from host import ReservationHost

HERE = Path(__file__).parent
TIMEZONE = "Europe/Lisbon"

ORPHAN_AFTER = dt.timedelta(seconds=0.2)
"""When the sweep takes up what nobody assigned: a minute, unless it is told otherwise."""


class Application:
    """The application: its database, and what its web handlers do."""

    def __init__(self, path: Path, coordinator: Coordinator, host: ReservationHost) -> None:
        self.path = path
        self.coordinator = coordinator
        self.host = host

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction of the application's own."""
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def reserve(self, guest: str, covers: int, on_date: str, at_time: str, *, paid: bool = True) -> str:
        """Take a reservation; it and the note that it wants a table land together, or neither does."""
        new = uuid.uuid4()
        with self.transaction() as connection:
            connection.execute(
                """
                INSERT INTO reservations (id, house, guest, covers, on_date, at_time, timezone)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
                (new.bytes, "tasca", guest, covers, on_date, at_time, TIMEZONE),
            )
            booking = self.host.booking(connection, str(new))
            assert booking is not None
            self.coordinator.joined(connection).enqueue(booking)
            if not paid:
                raise PaymentError(str(new))
        return str(new)

    def cancel(self, reservation_id: str) -> None:
        """Cancel a reservation, and free its tables, in one transaction of the application's."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE reservations SET status = 'cancelled' WHERE id = ?", (uuid.UUID(reservation_id).bytes,)
            )
            self.coordinator.joined(connection).cancel(reservation_id, "tasca")

    def row(self, reservation_id: str) -> tuple[str, str | None] | None:
        """What the application's own table says: status and tables."""
        with self.transaction() as connection:
            query = "SELECT status, sits_at FROM reservations WHERE id = ?"
            found: tuple[str, str | None] | None
            found = connection.execute(query, (uuid.UUID(reservation_id).bytes,)).fetchone()
            return found

    def record(self, reservation_id: str) -> AssignmentRecord | None:
        """What the pipeline's says."""
        page = self.coordinator.store.records(RecordQuery(booking_ids=(reservation_id,)))
        return page.records[0] if page.records else None


class PaymentError(Exception):
    """Something goes wrong between the insert and the commit."""


def make_database(path: Path, date: str) -> None:
    """The application's schema and data, and then, in the same file, the pipeline's tables."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript((HERE / "schema.sql").read_text(encoding="utf-8"))
        connection.execute("INSERT INTO houses (slug, timezone) VALUES ('tasca', ?)", (TIMEZONE,))
        connection.executemany(
            "INSERT INTO dining_tables (house, label, seats, room, next_to) VALUES ('tasca', ?, ?, ?, ?)",
            [("A1", 2, "front", "A2"), ("A2", 2, "front", None), ("B1", 4, "back", None), ("B2", 4, "back", None)],
        )
        connection.execute(
            "INSERT INTO legacy_seats VALUES (?, 'tasca', 'B1', ?, '19:30', 120)", (uuid.uuid4().bytes, date)
        )
        connection.commit()
    init(path)


def main() -> None:
    """An evening at the tasca."""
    date = (dt.datetime.now(ZoneInfo(TIMEZONE)).date() + dt.timedelta(days=1)).isoformat()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tasca.db")
        make_database(path, date)
        host = ReservationHost()
        with (
            SQLiteStore(path, host=host) as store,
            Coordinator(
                store,
                # Left out, it is EnvFlags(): the environment says where the pipeline is in charge.
                flags=FixedFlags(Mode.ACTIVE),
                settings=Settings(orphan_after=ORPHAN_AFTER),
            ) as coordinator,
        ):
            show(Application(path, coordinator, host), date)


def show(application: Application, date: str) -> None:
    """What a guest, the old planner and a crash each do to it."""
    coordinator = application.coordinator

    anna = application.reserve("Anna", 4, date, "20:00")
    record = application.record(anna)
    assert record is not None
    print(f"Anna's reservation is in, and {record.state} for the pipeline: {application.row(anna)}")
    assert application.row(anna) == ("open", None)

    result = coordinator.assign_id(anna, "tasca")
    print(f"Assigned after the commit: {result.outcome} at {', '.join(result.tables)}. B1 is the old planner's.")
    print(f"  and the reservation says {application.row(anna)}")
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("B2",))
    assert application.row(anna) == ("booked", "B2")

    ben = application.reserve("Ben", 4, date, "20:00")
    result = coordinator.assign_id(ben, "tasca")
    print(f"Ben's party of four gets what is left, joined: {application.row(ben)}")
    assert application.row(ben) == ("booked", "A1, A2")

    try:
        application.reserve("Carla", 2, date, "20:00", paid=False)
    except PaymentError as error:
        gone = str(error)
    print(f"Carla's payment has failed: row {application.row(gone)}, record {application.record(gone)}")
    assert application.row(gone) is None
    assert application.record(gone) is None

    application.cancel(anna)
    print(f"Anna has cancelled, in one transaction with her row: {application.row(anna)}")
    assert application.row(anna) == ("cancelled", None)

    dora = application.reserve("Dora", 3, date, "20:30")
    time.sleep(2 * ORPHAN_AFTER.total_seconds())  # As if the process had died here, before it came to assign_id.
    report = coordinator.sweep()
    print(f"Nobody assigned Dora, so the sweep did: {application.row(dora)}")
    assert [one.booking_id for one in report.results] == [dora]
    assert application.row(dora) == ("booked", "B2")


if __name__ == "__main__":
    main()
