"""The store for asyncio: what the contracts, which call it from threads, do not show."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import subprocess
import sys

import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg.conninfo import conninfo_to_dict  # noqa: E402

from assignment_pipeline.adapters.postgres import (  # noqa: E402
    AsyncPostgresLockManager,
    AsyncPostgresStore,
    AsyncStandaloneHost,
    PostgresStore,
    StandaloneHost,
)
from assignment_pipeline.coordinator import AsyncCoordinator  # noqa: E402
from assignment_pipeline.domain.result import Mode  # noqa: E402
from assignment_pipeline.domain.rollout import RolloutRevision  # noqa: E402
from assignment_pipeline.errors import TableConflictError  # noqa: E402
from assignment_pipeline.ports import LoadQuery, RecordQuery  # noqa: E402
from assignment_pipeline.rollout.flags import FixedFlags, StoreFlags  # noqa: E402
from assignment_pipeline.testing.contracts.sinks import event  # noqa: E402
from assignment_pipeline.testing.store_harness import (  # noqa: E402
    CONFIRM,
    DINNER,
    QUEUE,
    make_block,
    make_booking,
    make_change,
    make_venue,
)
from tests.servers.postgres_harness import fresh  # noqa: E402

SCHEMA = "in_a_loop"
DAY = dt.timedelta(days=1)


@pytest.fixture
def database(postgres_database):
    """The database, with an empty schema."""
    fresh(postgres_database, SCHEMA, standalone=True)
    return postgres_database


def test_a_coordinator_over_it(database):
    """Many bookings at once get different tables; what no commit carries is told, too; another loop may go on."""
    host = AsyncStandaloneHost(schema=SCHEMA)
    store = AsyncPostgresStore(database, host=host, schema=SCHEMA)
    seen = []

    async def evening():
        await store.write(lambda connection: host.put_venue(connection, make_venue()))
        locks = AsyncPostgresLockManager(database, schema=SCHEMA)
        async with (
            locks,
            AsyncCoordinator(store, locks=locks, flags=FixedFlags(Mode.ACTIVE, max_parallel=20)) as coordinator,
        ):
            bookings = [make_booking(f"b-{number}") for number in range(4)]
            results = await asyncio.gather(*map(coordinator.assign, bookings))
            again = await coordinator.assign(bookings[0])
            assert again.reason == "terminal_state"
            await asyncio.to_thread(coordinator.flush)
            return results

    async def morning():
        seen.extend((await store.records(RecordQuery())).records)
        await store.close()

    results = asyncio.run(evening())
    assert sorted(result.tables for result in results) == [("T1",), ("T2",), ("T3",), ("T4",)]
    asyncio.run(morning())
    assert [record.booking_id for record in seen] == ["b-0", "b-1", "b-2", "b-3"]
    with psycopg.connect(database) as connection:
        statement = f"SELECT count(*) FROM {SCHEMA}.observability_events WHERE event_type = 'coordinator.noop'"
        assert connection.execute(statement).fetchone() == (1,)


def test_loops_come_and_go(database):
    """A loop ends with the store open, as often as one likes; a process of its own, as it would hang."""
    run = [sys.executable, "-c", LOOPS, database]
    assert subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout == "30\n"


LOOPS = f"""
import asyncio, sys
from assignment_pipeline.adapters.postgres import AsyncPostgresStore, AsyncStandaloneHost
from assignment_pipeline.testing.store_harness import QUEUE, make_booking, make_change

async def look():
    return await store.knows(make_change(make_booking(), *QUEUE))

store = AsyncPostgresStore(sys.argv[1], host=AsyncStandaloneHost(schema="{SCHEMA}"), schema="{SCHEMA}")
print([asyncio.run(look()) for _ in range(30)].count(False))
"""


def test_host_code_must_not_swallow_an_error(database):
    """As with threads: the COMMIT would be answered, and nothing would have landed."""

    async def swallow(connection, _):
        with contextlib.suppress(psycopg.Error):
            await connection.execute("SELECT 1 / 0")

    async def seat():
        host = AsyncStandaloneHost(schema=SCHEMA)
        store = AsyncPostgresStore(database, host=host, schema=SCHEMA, on_commit=swallow)
        async with store:
            with pytest.raises(RuntimeError, match="must not go on after an error"):
                await store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
            return (await store.records(RecordQuery())).records

    assert asyncio.run(seat()) == ()


def test_host_code_may_be_coroutines(database):
    """What runs inside a commit is awaited, on its connection."""
    host = AsyncStandaloneHost(schema=SCHEMA)
    seen = []

    async def on_commit(connection, changes):
        cursor = await connection.execute(f"SELECT state FROM {SCHEMA}.assignment_records")
        seen.append(await cursor.fetchall())

    async def evening():
        async with AsyncPostgresStore(database, host=host, schema=SCHEMA, on_commit=on_commit) as store:
            await store.write(lambda connection: host.put_venue(connection, make_venue()))
            coordinator = AsyncCoordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=())
            return await coordinator.assign(make_booking())

    assert asyncio.run(evening()).outcome == "confirmed"
    assert seen == [[("confirmed",)]]


# -- Inside a transaction of the host's ---------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def in_psycopg(database):
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection, connection.transaction():
        yield connection


@contextlib.asynccontextmanager
async def in_sqlalchemy(database):
    asyncio_ = pytest.importorskip("sqlalchemy.ext.asyncio")
    engine = asyncio_.create_async_engine("postgresql+psycopg://", connect_args=conninfo_to_dict(database))
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


@contextlib.asynccontextmanager
async def in_a_session(database):
    asyncio_ = pytest.importorskip("sqlalchemy.ext.asyncio")
    engine = asyncio_.create_async_engine("postgresql+psycopg://", connect_args=conninfo_to_dict(database))
    try:
        async with asyncio_.AsyncSession(engine) as session, session.begin():
            yield session
    finally:
        await engine.dispose()


@pytest.mark.parametrize("transaction", [in_psycopg, in_sqlalchemy, in_a_session])
def test_what_is_joined_lands_with_the_host(database, transaction):
    """A booking that is enqueued, or cancelled, inside is so when the host commits, and not when it rolls back."""
    host = AsyncStandaloneHost(schema=SCHEMA)

    async def evening():
        async with (
            AsyncPostgresStore(database, host=host, schema=SCHEMA) as store,
            AsyncCoordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
        ):
            await store.write(lambda connection: host.put_venue(connection, make_venue()))
            with contextlib.suppress(ZeroDivisionError):
                async with transaction(database) as connection:
                    await coordinator.joined(connection).enqueue(make_booking())
                    raise ZeroDivisionError
            assert await coordinator.record("b-1") is None
            async with transaction(database) as connection:
                record = await coordinator.joined(connection).enqueue(make_booking())
                assert record.state == "created"
                assert await coordinator.record("b-1") is None
            assert (await coordinator.assign(make_booking())).outcome == "confirmed"
            async with transaction(database) as connection:
                joined = coordinator.joined(connection)
                assert (await joined.cancel("b-1")).outcome == "cancelled"
            return (await store.booking("b-1")).status

    assert asyncio.run(evening()) == "cancelled"


def test_every_question_can_be_asked_inside(database):
    """It answers as the store does; what is refused leaves the transaction as it was."""
    host = AsyncStandaloneHost(schema=SCHEMA)

    async def evening():
        async with (
            AsyncPostgresStore(database, host=host, schema=SCHEMA) as store,
            await psycopg.AsyncConnection.connect(database) as connection,
        ):
            await store.put_venue(make_venue())
            await store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
            joined = store.joined(connection)
            await joined.check_schema()
            change = make_change(make_booking("b-2"), *QUEUE, next_attempt_at=DINNER)
            await joined.commit([change])
            with pytest.raises(TableConflictError):
                await joined.commit([make_change(make_booking("b-3"), *CONFIRM, tables=("T1",))])
            context = await joined.load(LoadQuery(restaurant_id="r-1", booking_ids=("b-1", "b-2")))
            assert set(context.records) == {"b-1", "b-2"}
            assert await joined.knows(change)
            assert [step.version for step in await joined.history("b-2")] == [1, 2]
            assert await joined.booking("b-2") == make_booking("b-2")
            assert await joined.unassigned(DINNER, 10) == ()
            assert await joined.due(10) == ()
            block = make_block("k-1", "T3")
            assert await joined.block([block], ()) == ()
            assert await joined.blocked("r-1", DINNER - DAY) == (block,)
            assert await joined.unblock([block], ())
            await joined.emit([event("e-1")])
            await connection.commit()
            return [record.booking_id for record in (await store.records(RecordQuery())).records]

    assert asyncio.run(evening()) == ["b-1", "b-2"]


def test_what_cannot_be_joined_is_refused(database):
    """A connection that would land by itself, one that is none, and a store without connections for asyncio."""
    store = AsyncPostgresStore(database, host=AsyncStandaloneHost(schema=SCHEMA), schema=SCHEMA)

    async def evening():
        async with store, await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
            with pytest.raises(ValueError, match="transaction open"):
                await store.joined(connection).records(RecordQuery())
            with (
                psycopg.connect(database) as other,
                pytest.raises(TypeError, match=r"AsyncConnection, .* got Connection"),
            ):
                await store.joined(other).records(RecordQuery())

    asyncio.run(evening())
    with (
        PostgresStore(database, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA) as threaded,
        psycopg.connect(database) as connection,
        pytest.raises(TypeError, match="a store for asyncio, such as AsyncPostgresStore, got PostgresStore"),
    ):
        AsyncCoordinator(threaded, flags=FixedFlags(Mode.ACTIVE)).joined(connection)
    with pytest.raises(TypeError, match="a store with connections"):
        AsyncCoordinator.in_memory(make_venue()).joined(None)


@pytest.mark.parametrize("settings", [{}, {"shadow": True}, {"enabled": True}])
def test_flags_follow_the_rollout_in_it(database, settings):
    """Whatever the rollout says, from its first row on: the flags' thread asks without the event loop."""

    async def main():
        async with AsyncPostgresStore(database, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA) as store:
            await asyncio.to_thread(store.revise, RolloutRevision(generation=1, settings=settings))
            flags = StoreFlags(store)
            try:
                return await asyncio.to_thread(flags.resolve, "r-1")
            finally:
                await asyncio.to_thread(flags.close)

    decision = asyncio.run(main())
    mode = Mode.ACTIVE if "enabled" in settings else Mode.SHADOW if "shadow" in settings else Mode.OFF
    assert (decision.mode, decision.generation, decision.fresh) == (mode, 1, mode is not Mode.ACTIVE)
