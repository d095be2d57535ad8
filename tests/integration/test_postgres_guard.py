"""A host that gives tables away beside the pipeline, behind the guard: nobody is seated twice between the two."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

psycopg = pytest.importorskip("psycopg")

from assignment_pipeline import AsyncCoordinator, Booking, Coordinator, FixedFlags, Mode, Occupied, TimeWindow  # noqa: E402
from assignment_pipeline.adapters.postgres import AsyncPostgresStore, PostgresStore  # noqa: E402
from assignment_pipeline.domain.rollout import RolloutRevision  # noqa: E402
from assignment_pipeline.errors import StoreUnavailableError  # noqa: E402
from assignment_pipeline.testing.store_harness import make_venue  # noqa: E402
from tests.servers.postgres_harness import fresh  # noqa: E402

SCHEMA = "guarded"
START = (dt.datetime.now(dt.UTC) + dt.timedelta(days=3)).replace(hour=9, minute=0, second=0, microsecond=0)
TURN = dt.timedelta(hours=2)
BY_SQL = f"SELECT {SCHEMA}.guard('r-1')"
TAKEN = f"""
SELECT table_id FROM {SCHEMA}.booking_table_assignments
WHERE restaurant_id = 'r-1' AND table_id = 'T1' AND start_at < %s AND end_at > %s
"""
TWICE = f"""
SELECT a.booking_id FROM {SCHEMA}.booking_table_assignments a
JOIN {SCHEMA}.staff s ON s.table_id = a.table_id AND s.start_at < a.end_at AND s.end_at > a.start_at
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


class Host:
    """Whose staff write into a table of its own."""

    reached = None  # An event to be set by the next commit, which then waits for the other.
    goes_on = None

    def booking(self, connection, booking_id):
        return None

    def venue(self, connection, restaurant_id, known_version):
        venue = make_venue(tables=1)
        return None if venue.version == known_version else venue

    def occupied(self, connection, restaurant_id, window):
        rows = connection.execute(
            f"SELECT * FROM {SCHEMA}.staff WHERE start_at < %s AND end_at > %s", (window.end, window.start)
        )
        return [Occupied(table_id=table, window=TimeWindow(start, end)) for table, start, end in rows.fetchall()]

    def unassigned(self, connection, since, limit):
        return []

    def on_commit(self, connection, changes):
        reached, self.reached = self.reached, None
        if reached is not None:
            reached.set()
            assert self.goes_on.wait(20)


@pytest.fixture
def database(postgres_database):
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        fresh(postgres_database, SCHEMA)
        connection.execute(f"DROP TABLE IF EXISTS {SCHEMA}.staff")
        connection.execute(f"CREATE TABLE {SCHEMA}.staff (table_id text, start_at timestamptz, end_at timestamptz)")
    return postgres_database


@pytest.fixture
def host():
    return Host()


@pytest.fixture
def store(database, host):
    with PostgresStore(database, host=host, schema=SCHEMA) as store:
        yield store


@pytest.fixture
def coordinator(store):
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None) as coordinator:
        yield coordinator


def guard_by_sql(database, coordinator):
    """Any driver can call the function."""

    def guarded(connection):
        connection.execute(BY_SQL)

    return guarded


def guard_by_joining(database, coordinator):
    """The coordinator of the host's program does, on the host's connection."""
    return lambda connection: coordinator.joined(connection).guard("r-1")


GUARDS = [guard_by_sql, guard_by_joining]


def staff_seat(connection, guard, start_at):
    """What the page tells the staff's tool to do: guard, look, write, and whether the table was free."""
    guard(connection)
    if connection.execute(TAKEN, (start_at + TURN, start_at)).fetchone():
        return False
    connection.execute(f"INSERT INTO {SCHEMA}.staff VALUES ('T1', %s, %s)", (start_at, start_at + TURN))
    return True


def twice(database):
    with psycopg.connect(database) as connection:
        return connection.execute(TWICE).fetchall()


def until_somebody_waits(database):
    with psycopg.connect(database, autocommit=True) as connection:
        deadline = time.monotonic() + 15
        while not connection.execute(WAITING).fetchone()[0]:
            assert time.monotonic() < deadline, "nobody waits for the lock"
            time.sleep(0.01)


@pytest.mark.parametrize("spelling", GUARDS)
def test_a_commit_waits_for_the_staff(database, coordinator, spelling):
    """The staff have looked and not committed yet: the pipeline finds the table taken."""
    guard = spelling(database, coordinator)
    with ThreadPoolExecutor(1) as other, psycopg.connect(database) as staff:
        assert staff_seat(staff, guard, START)
        answer = other.submit(coordinator.assign, Booking("b-1", "r-1", 2, START))
        until_somebody_waits(database)
        staff.commit()
        assert answer.result().tables == ()
    assert twice(database) == []


@pytest.mark.parametrize("spelling", GUARDS)
def test_the_staff_wait_for_a_commit(database, host, coordinator, spelling):
    """The pipeline is about to commit: the staff's look, behind the guard, finds what it has given."""
    guard = spelling(database, coordinator)
    host.reached, host.goes_on = reached, _ = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as others, psycopg.connect(database) as staff:
        answer = others.submit(coordinator.assign, Booking("b-1", "r-1", 2, START))
        assert reached.wait(20)
        seated = others.submit(staff_seat, staff, guard, START)
        until_somebody_waits(database)
        host.goes_on.set()
        assert answer.result().tables == ("T1",)
        assert not seated.result()
    assert twice(database) == []


@pytest.mark.parametrize("spelling", GUARDS)
def test_a_race_seats_nobody_twice(database, coordinator, spelling):
    """Both reach for the same table at the same time, again and again: each time one of them gets it."""
    guard = spelling(database, coordinator)
    slots = [START + 2 * TURN * number for number in range(60)]  # With room for buffers between them.
    gate = threading.Barrier(2)

    def seat_all():
        taken = []
        with psycopg.connect(database) as staff:
            for slot in slots:
                gate.wait(20)
                taken.append(staff_seat(staff, guard, slot))
                staff.commit()
        return taken

    with ThreadPoolExecutor(1) as other:
        staff = other.submit(seat_all)
        ours = []
        for number, slot in enumerate(slots):
            gate.wait(20)
            ours.append(bool(coordinator.assign(Booking(f"b-{number}", "r-1", 2, slot, slot + TURN)).tables))
        theirs = staff.result()
    assert twice(database) == []
    assert [one + other for one, other in zip(ours, theirs, strict=True)] == [1] * len(slots)


def test_without_the_guard_both_get_it(database, coordinator):
    """What the guard is for: at READ COMMITTED a look in the same transaction is not enough."""
    with psycopg.connect(database) as staff:
        assert staff_seat(staff, lambda _: None, START)
        assert coordinator.assign(Booking("b-1", "r-1", 2, START)).tables == ("T1",)
    assert twice(database) == [("b-1",)]


def test_the_guard_of_asyncio(database):
    """An `AsyncCoordinator` takes it on an `AsyncConnection`, and the store's commits wait."""

    async def main():
        store = AsyncPostgresStore(database, host=AsyncHost(), schema=SCHEMA)
        async with (
            await psycopg.AsyncConnection.connect(database) as staff,
            AsyncCoordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None) as coordinator,
        ):
            await coordinator.joined(staff).guard("r-1", "r-2")
            await staff.execute(f"INSERT INTO {SCHEMA}.staff VALUES ('T1', %s, %s)", (START, START + TURN))
            answer = asyncio.ensure_future(coordinator.assign(Booking("b-1", "r-1", 2, START)))
            await asyncio.to_thread(until_somebody_waits, database)
            await staff.commit()
            assert (await answer).tables == ()
        await store.close()

    asyncio.run(main())


class AsyncHost(Host):
    async def occupied(self, connection, restaurant_id, window):
        rows = await connection.execute(f"SELECT * FROM {SCHEMA}.staff")
        return [Occupied(table_id=table, window=TimeWindow(start, end)) for table, start, end in await rows.fetchall()]


def test_several_restaurants_are_locked_in_one_order(database, coordinator):
    """Two callers that name them in other orders do not wait for each other for ever."""
    gate = threading.Barrier(2)

    def take(*ids):
        with psycopg.connect(database) as connection:
            for _ in range(30):
                gate.wait(20)
                coordinator.joined(connection).guard(*ids)
                connection.rollback()
        return True

    with ThreadPoolExecutor(2) as both:
        assert all(both.map(lambda ids: take(*ids), [("r-1", "r-2", "r-3"), ("r-3", "r-1", "r-2")]))


def test_a_rollback_of_the_rollout_does_not_wait_for_the_staff(database, store, coordinator):
    """Only commits of the pipeline are waited for."""
    with psycopg.connect(database) as staff:
        coordinator.joined(staff).guard("r-1")
        store.revise(RolloutRevision(generation=1, phase="rollback", settings={}, actor="anna"))


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_snapshot_of_the_past_is_refused(database, coordinator, level):
    """There, what is looked at may be older than the lock; the sentence says which level is expected."""
    with psycopg.connect(database) as staff:
        staff.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        with pytest.raises(psycopg.DatabaseError, match=f"expected a transaction at READ COMMITTED, got {level}"):
            staff.execute(BY_SQL)
        staff.rollback()
        staff.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        with pytest.raises(ValueError, match="READ COMMITTED"):
            coordinator.joined(staff).guard("r-1")


def test_a_guard_without_a_transaction_is_refused(database, coordinator):
    """The lock would end with the statement."""
    with psycopg.connect(database, autocommit=True) as staff:
        with pytest.raises(psycopg.DatabaseError, match="send BEGIN before it"):
            staff.execute(BY_SQL)
        with pytest.raises(ValueError, match="transaction open"):
            coordinator.joined(staff).guard("r-1")
        staff.execute(f"DO $$ BEGIN PERFORM {SCHEMA}.guard('r-1'); END $$")  # Here it ends with the block.
        staff.execute(f"BEGIN; {BY_SQL}; COMMIT")


@pytest.mark.parametrize("ids", [(), ("",), (7,)])
def test_what_is_no_restaurant_is_refused(database, coordinator, ids):
    """The message names the argument."""
    with psycopg.connect(database) as staff, pytest.raises((ValueError, TypeError), match="restaurant_ids"):
        coordinator.joined(staff).guard(*ids)


@pytest.mark.parametrize("ids", ["VARIADIC '{}'", "NULL"])
def test_nothing_to_guard_is_refused(database, ids):
    """A NULL that came from the caller's own query would guard nothing."""
    with psycopg.connect(database) as staff, pytest.raises(psycopg.DatabaseError, match="ids of restaurants"):
        staff.execute(f"SELECT {SCHEMA}.guard({ids})")


def test_who_waits_too_long_learns_for_whom(database, coordinator):
    """The sentence names the lock, who holds it, and what to do; the host's transaction is as it was."""
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        coordinator.joined(first).guard("r-1")
        second.execute("CREATE TEMPORARY TABLE mine (id text)")
        second.execute(f"ALTER FUNCTION {SCHEMA}.guard(text[]) SET lock_timeout = '50ms'")
        with pytest.raises(StoreUnavailableError) as caught:
            coordinator.joined(second).guard("r-1")
        said = (
            f"commit lock of restaurant 'r-1', which another transaction holds (session {first.info.backend_pid}, idle"
        )
        assert said in str(caught.value)
        assert "commit it or roll it back" in str(caught.value)
        second.execute("INSERT INTO mine VALUES ('b-1')")
        second.rollback()


def test_a_transaction_left_alone_with_the_lock_ends(database, coordinator):
    """The server ends it in time; a bound of the session's own stays."""
    bound = "SHOW idle_in_transaction_session_timeout"
    with psycopg.connect(database) as staff:
        coordinator.joined(staff).guard("r-1")
        assert staff.execute(bound).fetchone() == ("30s",)
        staff.rollback()
        assert staff.execute(bound).fetchone() == ("0",)
        staff.execute("SET LOCAL idle_in_transaction_session_timeout = '5min'")
        coordinator.joined(staff).guard("r-1")
        assert staff.execute(bound).fetchone() == ("5min",)
