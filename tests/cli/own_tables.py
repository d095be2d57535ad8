"""An application with a table of its own, on SQLite or PostgreSQL, for threads and for asyncio: for ``--app``."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import sqlite3

from assignment_pipeline import AsyncCoordinator, Booking, Coordinator, FloorPlan, Mode, Settings, Table, Venue
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.rollout.flags import FixedFlags

WHERE = "OWN_TABLES_AT"
CORNER = Venue(
    "corner",
    "Europe/Berlin",
    FloorPlan([Table("T1", 2), Table("T2", 2), Table("T3", 4), Table("T4", 4)], adjacent=[("T1", "T2")]),
)
WORDS = {"confirmed": "confirmed", "cancelled": "cancelled", "failed": "cancelled"}
SQL = {
    "make": "CREATE TABLE reservations (id text, restaurant_id text, party_size int, start_at text, status text)",
    "add": "INSERT INTO reservations VALUES (%s, %s, %s, %s, %s)",
    "booking": "SELECT * FROM reservations WHERE id = %s",
    "pending": "SELECT * FROM reservations WHERE status = 'pending' AND start_at > %s ORDER BY start_at LIMIT %s",
    "says": "UPDATE reservations SET status = %s WHERE id = %s",
}


def is_postgres():
    """Whether the application's table is in PostgreSQL."""
    return "dbname=" in os.environ[WHERE]


def sql(name):
    """A statement, as the driver takes it."""
    return SQL[name] if is_postgres() else SQL[name].replace("%s", "?")


def read(row):
    """A row as a booking."""
    booking_id, restaurant_id, party_size, start_at, status = row
    start = dt.datetime.fromisoformat(start_at)
    return Booking(booking_id, restaurant_id, party_size, start, status=status)


class House:
    """The application's side, for threads."""

    def venue(self, _, restaurant_id, known_version):
        if restaurant_id != CORNER.id:
            raise VenueNotFoundError(restaurant_id)
        return None if known_version == CORNER.version else CORNER

    def booking(self, connection, booking_id):
        row = connection.execute(sql("booking"), (booking_id,)).fetchone()
        return None if row is None else read(row)

    def occupied(self, connection, restaurant_id, window):
        return ()

    def unassigned(self, connection, since, limit):
        return [read(row) for row in connection.execute(sql("pending"), (since.isoformat(), limit)).fetchall()]

    def on_commit(self, connection, changes):
        for change in changes:
            connection.execute(sql("says"), (WORDS.get(change.record.state, "pending"), change.record.booking_id))


class AsyncHouse(House):
    """The same, for asyncio."""

    async def venue(self, connection, restaurant_id, known_version):
        return House.venue(self, connection, restaurant_id, known_version)

    async def booking(self, connection, booking_id):
        row = await (await connection.execute(sql("booking"), (booking_id,))).fetchone()
        return None if row is None else read(row)

    async def occupied(self, connection, restaurant_id, window):
        return ()

    async def unassigned(self, connection, since, limit):
        found = await connection.execute(sql("pending"), (since.isoformat(), limit))
        return [read(row) for row in await found.fetchall()]

    async def on_commit(self, connection, changes):
        for change in changes:
            await connection.execute(sql("says"), (WORDS.get(change.record.state, "pending"), change.record.booking_id))


def make(bookings):
    """Make the table, with rows of *bookings*."""
    rows = [
        (booking.id, booking.restaurant_id, booking.party_size, booking.start_at.isoformat(), booking.status)
        for booking in bookings
    ]
    if is_postgres():
        import psycopg  # noqa: PLC0415 - an extra

        opened = psycopg.connect(os.environ[WHERE])
    else:
        opened = sqlite3.connect(os.environ[WHERE])
    with contextlib.closing(opened) as connection, connection:
        cursor = connection.cursor()
        cursor.execute(SQL["make"])
        cursor.executemany(sql("add"), rows)


def store(host=None):
    """The store for threads."""
    host = host or House()
    if not is_postgres():
        from assignment_pipeline.adapters.sqlite import SQLiteStore  # noqa: PLC0415

        return SQLiteStore(os.environ[WHERE], host=host)
    from assignment_pipeline.adapters.postgres import PostgresStore  # noqa: PLC0415

    return PostgresStore(os.environ[WHERE], host=host)


@contextlib.contextmanager
def sync():
    """A coordinator for threads, whose store the application closes."""
    with store() as ours:
        yield Coordinator(ours, flags=FixedFlags(Mode.ACTIVE), settings=Settings(replay=True), sinks=())


def asynchronous():
    """One for asyncio; who asks for it closes its store."""
    if not is_postgres():
        ours = store()
    else:
        from assignment_pipeline.adapters.postgres import AsyncPostgresStore  # noqa: PLC0415

        ours = AsyncPostgresStore(os.environ[WHERE], host=AsyncHouse())
    return AsyncCoordinator(ours, flags=FixedFlags(Mode.ACTIVE), settings=Settings(replay=True), sinks=())


async def made_in_the_loop():
    """The same, as a coroutine."""
    return asynchronous()


def made_on_the_loop():
    """The same, of things that an event loop has to run for."""
    asyncio.get_running_loop()
    return asynchronous()


@contextlib.asynccontextmanager
async def held():
    """The same, as a context manager: closed here."""
    coordinator = asynchronous()
    async with coordinator:
        yield coordinator
    if is_postgres():
        await coordinator.store.close()


CANARY = "Rosalind Canary"
"""A guest, of whom an error of the application's tells."""


class Careless(House):
    """Each of its methods fails, and says about whom."""

    def venue(self, connection, restaurant_id, known_version):
        self.fail(connection)

    def booking(self, connection, booking_id):
        self.fail(connection)

    def unassigned(self, connection, since, limit):
        return [BOOKING]

    def on_commit(self, connection, changes):
        self.fail(connection)

    def fail(self, connection):
        if not is_postgres():
            raise ValueError(f"{CANARY}\nis no number")
        facts = f"ERRCODE = '23505', DETAIL = 'Key (guest)=({CANARY}) already exists.'"
        connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'once more: {CANARY}' USING {facts}; END $$")


class CarelessInCommits(House):
    """Only a commit fails."""

    on_commit = Careless.on_commit
    fail = Careless.fail


BOOKING = Booking("new", "corner", 2, dt.datetime(2031, 5, 17, 17, tzinfo=dt.UTC))


@contextlib.contextmanager
def careless(host=Careless):
    """A coordinator on such a host."""
    with store(host()) as ours:
        yield Coordinator(ours, flags=FixedFlags(Mode.ACTIVE), settings=Settings(replay=True), sinks=())


def careless_in_commits():
    """The other one."""
    return careless(CarelessInCommits)


def careless_factory():
    """Not even a coordinator."""
    raise ValueError(CANARY)
