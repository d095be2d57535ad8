"""An evening in the tables of a store, to be broken by hand."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import sqlite3

import attrs
import pytest

from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.rollout.flags import FixedFlags

place = pytest.importorskip("tests.torture.place", exc_type=ImportError)
town = pytest.importorskip("tests.torture.town")

TOMORROW = dt.datetime.now(dt.UTC).replace(hour=18, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def an_evening(at):
    """
    Of everything there is something.

    Two tables confirmed (``b-1``, and ``b-2`` with three joined ones), a pending booking (``b-3``), one in review
    (``b-4``), a cancelled one (``b-5``), one whose table is blocked later (``b-6``), and one that the staff seated.
    """
    at.prepare()
    host = at.host()
    with at.open_store("evening") as store, Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        [venue] = town.venues(1)
        venue = attrs.evolve(venue, policy=attrs.evolve(venue.policy, pacing=()))  # All come at once.
        store.write(lambda connection: host.put_venue(connection, venue))
        parties = enumerate((2, 13, 3, 30, 4, 6), start=1)
        bookings = [Booking(f"b-{n}", "r-1", party, TOMORROW, seating="indoor") for n, party in parties]
        for booking in bookings:
            store.write(lambda connection, booking=booking: host.put_booking(connection, booking))
        coordinator.enqueue(bookings[2])
        for booking in (*bookings[:2], *bookings[3:]):
            coordinator.assign(booking)
        coordinator.cancel("b-5", "r-1")
        table = coordinator.record("b-6").tables[0]
        window = TimeWindow(TOMORROW + HOUR, TOMORROW + 9 * HOUR)
        coordinator.block("r-1", table, window, actor="anna", reason="maintenance")
        far = TOMORROW + 30 * HOUR
        seat = (venue.id, "T1", far, far + HOUR, None)
        insert = "INSERT INTO torture_seats VALUES (%s, %s, %s, %s, %s)"
        store.write(lambda connection: at.ask(connection, insert, *seat))
    return at


@pytest.fixture(scope="session")
def sqlite_evening(tmp_path_factory):
    path = tmp_path_factory.mktemp("evening") / "evening.db"
    return an_evening(place.Place(store="sqlite", at=str(path), staff=True))


@pytest.fixture(scope="session")
def postgres_evening(postgres_database):
    """Made from within the tests' database, and so gone before that is."""
    postgres = pytest.importorskip("tests.servers.postgres", exc_type=ImportError)
    with postgres.database(postgres_database) as own:
        yield an_evening(place.Place(store="postgres", at=own, staff=True))


@pytest.fixture
def own_redis():
    """A Redis for one test, which may do with it what it likes."""
    redis = pytest.importorskip("tests.servers.redis", exc_type=ImportError)
    try:
        server = redis.OwnServer()
    except LookupError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def evening(request):
    """The evening, to be copied."""
    return request.getfixturevalue(f"{request.param}_evening")


@pytest.fixture
def copied(evening, tmp_path):
    """The evening in a file or a transaction of its own, and a way to run statements there."""
    if not evening.is_postgres:
        path = shutil.copy(evening.at, tmp_path / "evening.db")
        with contextlib.closing(sqlite3.connect(path)) as database:

            def run(statement):
                database.executescript(statement.replace("assignment_pipeline.", ""))

            yield str(path), run
        return
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(evening.at) as database:
        yield database, database.execute
        database.rollback()


@pytest.fixture
def copied_place(evening, tmp_path):
    """A place, and a way to run statements there that others see."""
    at = evening
    if not evening.is_postgres:
        at = attrs.evolve(evening, at=str(shutil.copy(evening.at, tmp_path / "place.db")))
    with at.open_store("torture-test") as store:
        yield at, lambda statement: store.write(lambda connection: at.ask(connection, statement))
