"""Behind pgbouncer in transaction mode; the contracts run there, too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

psycopg = pytest.importorskip("psycopg")

from assignment_pipeline.adapters.postgres import (  # noqa: E402
    PostgresLockManager,
    PostgresStore,
    StandaloneHost,
    check,
    init,
)
from assignment_pipeline.coordinator import Coordinator  # noqa: E402
from assignment_pipeline.domain.result import Mode  # noqa: E402
from assignment_pipeline.rollout.flags import FixedFlags  # noqa: E402
from assignment_pipeline.testing.store_harness import HOUR, make_booking, make_venue  # noqa: E402

SCHEMA = "bounced"


def test_sessions_are_shared(pgbouncer_database):
    """It is what it says: what is prepared, or set, in one transaction is not there in the next."""
    with (
        psycopg.connect(pgbouncer_database, autocommit=True, prepare_threshold=None) as one,
        psycopg.connect(pgbouncer_database, autocommit=True, prepare_threshold=None) as other,
    ):
        session = "SELECT pg_backend_pid()"
        (before,) = one.execute(session).fetchone()
        with other.transaction():
            assert other.execute(session).fetchone() == (before,)
            assert one.execute(session).fetchone() != (before,)


def test_workers_share_a_few_sessions(pgbouncer_database):
    """The tables are made, locks taken and bookings assigned, by more workers than the server has sessions for."""
    init(pgbouncer_database, standalone=True, schema=SCHEMA)
    check(pgbouncer_database, standalone=True, schema=SCHEMA)
    host = StandaloneHost(schema=SCHEMA)
    with (
        PostgresStore(pgbouncer_database, host=host, schema=SCHEMA) as store,
        PostgresLockManager(pgbouncer_database, schema=SCHEMA) as locks,
        Coordinator(
            store, locks=locks, limiter=locks, flags=FixedFlags(Mode.ACTIVE, max_parallel=20), sinks=()
        ) as coordinator,
    ):
        store.write(lambda connection: host.put_venue(connection, make_venue()))
        bookings = [make_booking(f"b-{n}", at=make_booking().start_at + n // 4 * 9 * HOUR) for n in range(80)]
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(coordinator.assign, bookings))
        while waiting := [one for one, result in zip(bookings, results, strict=True) if result.outcome == "retry"]:
            bookings, results = waiting, [coordinator.assign(one, trigger="manual") for one in waiting]
        assert {result.outcome for result in results} == {"confirmed"}
