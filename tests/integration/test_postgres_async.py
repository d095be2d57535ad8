"""The store for asyncio: what the contracts, which call it from threads, do not show."""

from __future__ import annotations

import asyncio

import pytest

psycopg = pytest.importorskip("psycopg")

from assignment_pipeline.adapters.postgres import (  # noqa: E402
    AsyncPostgresLockManager,
    AsyncPostgresStore,
    AsyncStandaloneHost,
    init,
)
from assignment_pipeline.coordinator import AsyncCoordinator  # noqa: E402
from assignment_pipeline.domain.result import Mode  # noqa: E402
from assignment_pipeline.ports import RecordQuery  # noqa: E402
from assignment_pipeline.rollout.flags import FixedFlags  # noqa: E402
from assignment_pipeline.testing.contracts.harness import make_booking, make_venue  # noqa: E402

SCHEMA = "in_a_loop"


@pytest.fixture
def database(postgres_database):
    """The database, with an empty schema."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    init(postgres_database, standalone=True, schema=SCHEMA)
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
