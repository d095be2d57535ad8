"""A server that is away, and back: how soon it is used, how little it is asked meanwhile, and that nothing hangs."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: E402

from assignment_pipeline import AsyncCoordinator, Coordinator, FixedFlags, Mode  # noqa: E402
from assignment_pipeline.adapters.postgres import (  # noqa: E402
    AsyncPostgresStore,
    AsyncStandaloneHost,
    PostgresStore,
    StandaloneHost,
    init,
    line,
    pools,
    slots,
)
from assignment_pipeline.adapters.postgres.pools import RETRY, SIZE  # noqa: E402
from assignment_pipeline.errors import CommitUnknownError, StoreUnavailableError  # noqa: E402
from assignment_pipeline.ports import RecordQuery  # noqa: E402
from assignment_pipeline.testing.store_harness import CONFIRM, HOUR, make_booking, make_change, make_venue  # noqa: E402
from tests.servers.line import Line, Way  # noqa: E402

SCHEMA = "outages"
CALLERS = 12
AWAY = 2.5
"""Seconds. A pool that waits twice as long after each attempt, and a circuit that stays open, are far behind then."""

SOON = 6.0
"""Seconds after which the server is used again for certain, on a machine that is busy with other things, too."""


@pytest.fixture(scope="module")
def database(postgres_database):
    """The database, with a restaurant in a schema of its own."""
    if not conninfo_to_dict(postgres_database).get("host", "").startswith(("127.", "localhost")):
        pytest.skip("the server is not reached by TCP on this machine")
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    init(postgres_database, standalone=True, schema=SCHEMA)
    host = StandaloneHost(schema=SCHEMA)
    with PostgresStore(postgres_database, host=host, schema=SCHEMA) as store:
        store.write(lambda connection: host.put_venue(connection, make_venue()))
    return postgres_database


@pytest.fixture
def wire(database):
    """A line to the server."""
    facts = conninfo_to_dict(database)
    with Line((facts["host"], int(facts.get("port") or 5432))) as wire:
        yield wire


@pytest.fixture
def through(database, wire):
    """The database's address, over the line."""
    return make_conninfo(database, host="127.0.0.1", port=wire.port, sslmode="disable", gssencmode="disable")


class Clock:
    """Bookings at times of their own, and when an assignment first came to something again."""

    def __init__(self, kind):
        self.kind, self.count, self.away, self.back = kind, 0, True, None
        self.answers = []

    def booking(self):
        self.count += 1
        return make_booking(f"{self.kind}-{self.count}", at=make_booking().start_at + 3 * self.count * HOUR)

    def note(self, result):
        self.answers.append(result.outcome)
        if result.outcome == "confirmed" and not self.away and self.back is None:
            self.back = time.monotonic()


@pytest.mark.parametrize("way", [Way.REFUSED, Way.SWALLOWED])
def test_it_is_used_as_soon_as_it_is_back(wire, through, way):
    """Many threads ask all the time; the server hears of few of them, and serves them all once it is there again."""
    clock = Clock(f"sync-{way}")
    patience = dt.timedelta(seconds=0.5)
    store = PostgresStore(through, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA, patience=patience)
    with store, Coordinator(store, flags=FixedFlags(Mode.ACTIVE, max_parallel=20), sinks=(), shadow=None) as worker:
        assert worker.assign(clock.booking()).outcome == "confirmed"

        def ask():
            while clock.back is None and time.monotonic() < ends:
                clock.note(worker.assign(clock.booking()))
                time.sleep(0.02)

        attempts, ends = wire.attempts, time.monotonic() + AWAY + 30
        wire.turn(way)
        with ThreadPoolExecutor(CALLERS) as callers, pytest.MonkeyPatch.context() as patch:
            patch.setattr(line.Connection, "silence", 1.0)
            asking = [callers.submit(ask) for _ in range(CALLERS)]
            time.sleep(AWAY)
            tried = wire.attempts - attempts
            returned = time.monotonic()
            clock.away = False
            wire.turn(Way.OPEN)
            for one in asking:
                one.result()
    assert set(clock.answers) <= {"confirmed", "retry"}
    assert clock.back is not None
    assert clock.back - returned < SOON
    assert tried <= SIZE + AWAY / (0.5 * RETRY)  # All may try at first; then one at a time does, with pauses.


def test_it_is_used_as_soon_as_it_is_back_in_asyncio(wire, through):
    """The same, in an event loop."""
    clock = Clock("async")

    async def main():
        host = AsyncStandaloneHost(schema=SCHEMA)
        patience = dt.timedelta(seconds=0.5)
        store = AsyncPostgresStore(through, host=host, schema=SCHEMA, patience=patience)
        flags = FixedFlags(Mode.ACTIVE, max_parallel=20)
        async with store, AsyncCoordinator(store, flags=flags, sinks=(), shadow=None) as worker:
            assert (await worker.assign(clock.booking())).outcome == "confirmed"

            async def ask():
                while clock.back is None and time.monotonic() < ends:
                    clock.note(await worker.assign(clock.booking()))
                    await asyncio.sleep(0.02)

            attempts, ends = wire.attempts, time.monotonic() + AWAY + 30
            wire.turn(Way.REFUSED)
            asking = [asyncio.ensure_future(ask()) for _ in range(CALLERS)]
            await asyncio.sleep(AWAY)
            tried = wire.attempts - attempts
            returned = time.monotonic()
            clock.away = False
            wire.turn(Way.OPEN)
            await asyncio.gather(*asking)
            return tried, returned

    tried, returned = asyncio.run(main())
    assert set(clock.answers) <= {"confirmed", "retry"}
    assert clock.back - returned < SOON
    assert tried <= 2 * (SIZE + AWAY / (0.5 * RETRY))  # The sinks' thread has a connection of its own.


def test_a_short_outage_is_waited_for(wire, through):
    """A call that began meanwhile waits as long as it has patience, and then nobody notices."""
    with (
        PostgresStore(through, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA) as store,
        ThreadPoolExecutor(4) as pool,
    ):
        store.records(RecordQuery())
        wire.turn(Way.REFUSED)
        answers = [pool.submit(store.records, RecordQuery()) for _ in range(4)]
        time.sleep(0.6)
        wire.turn(Way.OPEN)
        for answer in answers:
            answer.result(20)


def test_what_is_swallowed_ends(wire, through, monkeypatch):
    """A statement that nobody answers: a read is unavailable, a commit unknown; neither is asked again and again."""
    monkeypatch.setattr(line.Connection, "silence", 0.5)
    store = PostgresStore(through, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA, patience=dt.timedelta(seconds=5))
    with store, ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: store.records(RecordQuery()), range(12)))
        attempts = wire.attempts
        wire.turn(Way.SWALLOWED)
        with pytest.raises(StoreUnavailableError, match="has not answered"):
            store.records(RecordQuery())
        assert wire.attempts == attempts
        wire.turn(Way.OPEN)
        store.records(RecordQuery())
        wire.turn(Way.SWALLOWED)
        change = make_change(
            make_booking("swallowed", at=make_booking().start_at - 90 * HOUR), *CONFIRM, tables=("T1",)
        )
        with pytest.raises(CommitUnknownError, match="has not answered"):
            store.commit([change])
        wire.turn(Way.OPEN)
        assert not store.knows(change)


def test_what_is_swallowed_ends_in_asyncio(wire, through, monkeypatch):
    """The same, in an event loop."""
    monkeypatch.setattr(line.AsyncConnection, "silence", 0.5)

    async def main():
        host = AsyncStandaloneHost(schema=SCHEMA)
        async with AsyncPostgresStore(through, host=host, schema=SCHEMA) as store:
            await store.records(RecordQuery())
            wire.turn(Way.SWALLOWED)
            with pytest.raises(StoreUnavailableError, match="has not answered"):
                await store.records(RecordQuery())
            wire.turn(Way.OPEN)
            await store.records(RecordQuery())

    asyncio.run(main())


@pytest.fixture
def patient(through, monkeypatch):
    """An address whose tries to connect take a minute, where nobody answers; the next begins after half a second."""
    monkeypatch.setattr(pools, "TRIES", 120)
    return make_conninfo(through, connect_timeout=60)


def test_a_try_that_the_line_has_swallowed_is_not_waited_for(wire, patient):
    """The line is mended in the middle of a try: another has begun beside it, and comes through."""
    with (
        PostgresStore(patient, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA) as store,
        ThreadPoolExecutor(1) as pool,
    ):
        store.records(RecordQuery())
        wire.turn(Way.REFUSED)
        attempts = wire.attempts
        wire.turn(Way.SWALLOWED)
        answer = pool.submit(store.records, RecordQuery())
        _until(lambda: wire.attempts > attempts)
        wire.turn(Way.OPEN)
        answer.result(30)


def test_a_try_that_the_line_has_swallowed_is_not_waited_for_in_asyncio(wire, patient):
    """The same, in an event loop; the try that came to nothing is ended."""

    async def main():
        host = AsyncStandaloneHost(schema=SCHEMA)
        async with AsyncPostgresStore(patient, host=host, schema=SCHEMA) as store:
            await store.records(RecordQuery())
            wire.turn(Way.REFUSED)
            attempts = wire.attempts
            wire.turn(Way.SWALLOWED)
            answer = asyncio.ensure_future(store.records(RecordQuery()))
            await asyncio.to_thread(_until, lambda: wire.attempts > attempts)
            wire.turn(Way.OPEN)
            await asyncio.wait_for(answer, 30)
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


@pytest.mark.parametrize(("is_away", "tries"), [(True, 2), (False, 1)])
def test_beside_a_silent_try_another_begins_while_the_server_is_away(database, monkeypatch, is_away, tries):
    """Else a slow try is all there is. What a try opens after another was faster is closed."""
    monkeypatch.setattr(pools, "TRIES", 60)
    connect, late, opened = line.Connection.connect, threading.Event(), []

    def slow_at_first(*args, **options):
        opened.append(None)
        number = len(opened)
        if number == 1:
            late.wait(0.5 if not is_away else 30)
        opened[number - 1] = connect(*args, **options)
        return opened[number - 1]

    with PostgresStore(database, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA) as store:
        if is_away:
            store._pool._slots.lost()
        monkeypatch.setattr(line.Connection, "connect", slow_at_first)
        store.records(RecordQuery())
        late.set()
        assert len(opened) == tries
        _until(lambda: all(opened))
        _until(lambda: sum(not one.closed for one in opened) == 1)


def test_a_caller_whose_patience_is_over_ends_its_tries(wire, through):
    """Nothing is left behind on the loop."""

    async def main():
        host = AsyncStandaloneHost(schema=SCHEMA)
        patience = dt.timedelta(seconds=0.2)
        async with AsyncPostgresStore(through, host=host, schema=SCHEMA, patience=patience) as store:
            await store.records(RecordQuery())
            wire.turn(Way.REFUSED)
            wire.turn(Way.SWALLOWED)
            with pytest.raises(StoreUnavailableError):
                await store.records(RecordQuery())
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_caller_that_leaves_as_it_is_served_hands_its_turn_on():
    """While the server is away, one caller tries. One that lost patience at that moment would keep all others out."""
    queue = slots.Slots(2)
    queue.lost()
    first, second = queue.join(), queue.join()
    assert (first.done(), second.done()) == (True, False)
    queue.leave(first)
    assert second.done()


def test_where_one_line_is_lost_the_others_are_not_tried(wire, through, monkeypatch):
    """After the first that is swallowed, calls do not wait on its neighbours in turn."""
    monkeypatch.setattr(line.Connection, "silence", 0.5)
    with (
        PostgresStore(through, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA) as store,
        ThreadPoolExecutor(6) as pool,
    ):
        with psycopg.connect(through) as holder:
            holder.execute(f"LOCK TABLE {SCHEMA}.assignment_records")
            asked = [pool.submit(store.records, RecordQuery()) for _ in range(6)]
            _until(lambda: wire.attempts == 7)
            time.sleep(0.1)
            holder.rollback()
        for one in asked:
            one.result(20)
        assert wire.attempts == 7
        wire.turn(Way.SWALLOWED)
        with pytest.raises(StoreUnavailableError):
            store.records(RecordQuery())
        assert store._pool._slots.drain() == []
        wire.turn(Way.REFUSED)  # What was open is gone for good, as behind a firewall that has forgotten it.
        wire.turn(Way.OPEN)
        for _ in range(3):
            store.records(RecordQuery())
        assert wire.attempts == 8


def test_connections_that_ended_while_idle_are_not_used(database, wire, through):
    """A commit finds out before it is sent: its caller is not left without knowing whether it has landed."""
    with PostgresStore(through, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA, pool_size=1) as store:
        store.records(RecordQuery())
        for number in range(3):
            wire.turn(Way.REFUSED)
            wire.turn(Way.OPEN)
            at = make_booking().start_at - (100 + 3 * number) * HOUR
            store.commit([make_change(make_booking(f"idle-{number}", at=at), *CONFIRM, tables=("T1",))])


def test_what_the_address_says_of_the_line_stays():
    """Time-outs are set where neither the address nor the environment says otherwise."""
    assert line.options("host=db")["connect_timeout"] == 3
    said = line.options("postgresql://db/x?connect_timeout=30&tcp_user_timeout=0")
    assert not {"connect_timeout", "tcp_user_timeout"} & set(said)
    assert (line.connect_timeout("host=db"), line.connect_timeout("postgresql://db/x?connect_timeout=30")) == (3, 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGCONNECT_TIMEOUT", "30")
        assert "connect_timeout" not in line.options("host=db")
        assert line.connect_timeout("host=db") == 30


def test_the_reason_is_told():
    """Who cannot connect learns why."""
    store = PostgresStore("host=127.0.0.1 port=9", host=StandaloneHost(), patience=dt.timedelta(seconds=0.1))
    with store, pytest.raises(StoreUnavailableError, match="connection failed"):
        store.records(RecordQuery())


def _until(holds):
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
