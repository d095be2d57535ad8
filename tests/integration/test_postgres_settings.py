"""Databases with settings of their own, which every session has from its beginning."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack

import attrs
import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg.conninfo import conninfo_to_dict  # noqa: E402

from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, init  # noqa: E402
from assignment_pipeline.coordinator import Coordinator  # noqa: E402
from assignment_pipeline.domain.events import Event, EventType, Source  # noqa: E402
from assignment_pipeline.domain.metrics import MetricsQuery  # noqa: E402
from assignment_pipeline.domain.result import Mode  # noqa: E402
from assignment_pipeline.rollout.flags import FixedFlags  # noqa: E402
from assignment_pipeline.testing import FakeClock  # noqa: E402
from assignment_pipeline.testing.contracts.shadow import LONG_AGO, MINUTE, bundle_at, case_at  # noqa: E402
from assignment_pipeline.testing.store_harness import DINNER, HOUR, make_booking, make_venue  # noqa: E402
from tests.servers.pgbouncer import pooled  # noqa: E402
from tests.servers.postgres import database  # noqa: E402

STYLES = ("German", "SQL, DMY", "Postgres, MDY")


@pytest.fixture(params=STYLES)
def styled(request, postgres_database):
    """A database that writes times in another way, and in an offset that is no whole hour."""
    with database(postgres_database) as made:
        name = conninfo_to_dict(made)["dbname"]
        with psycopg.connect(made, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} SET datestyle = '{request.param}'")
            connection.execute(f"ALTER DATABASE {name} SET timezone = 'America/St_Johns'")
        init(made, standalone=True)
        yield made


@pytest.fixture(params=["direct", "pgbouncer"])
def where(request, styled):
    """The same, and through pgbouncer."""
    with ExitStack() as stack:
        try:
            yield styled if request.param == "direct" else stack.enter_context(pooled(styled))
        except LookupError as error:
            pytest.skip(str(error))


def test_however_the_database_writes_times(where):
    """Bookings, metrics, alarms and shadow runs have the times that they had, and a joined connection has them, too."""
    clock, host = FakeClock(DINNER - HOUR), StandaloneHost()
    alarm = Event("e-1", clock.now(), Source.ROLLOUT, EventType.ALERT_FIRING, context={"alert": "x"})
    bundle, case = bundle_at(7), case_at(7)
    with (
        PostgresStore(where, host=host, clock=clock) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE)) as coordinator,
        psycopg.connect(where, prepare_threshold=None) as connection,
    ):
        store.write(lambda each: host.put_venue(each, make_venue()))
        seated = make_booking("b-2")
        assert coordinator.assign(seated).outcome == "confirmed"
        joined = coordinator.joined(connection)
        joined.enqueue(make_booking("b-1"))
        assert joined.cancel(seated.id, seated.restaurant_id).outcome == "cancelled"
        connection.commit()
        due = coordinator.record("b-1").next_attempt_at
        clock.advance(2 * HOUR)
        store.emit([alarm])
        query = MetricsQuery(since=DINNER - 2 * HOUR)
        assert store.now() == clock.now()
        assert store.measure(query).backlog.overdue_since == due
        assert {seen.last for seen in store.seen(query)} == {DINNER - HOUR}
        assert store.alarms() == (alarm,)
        store.keep_bundle(bundle, most=9, since=LONG_AGO)
        assert store.bundle(bundle.id) == bundle
        assert store.bundles() == (attrs.evolve(bundle, document={}),)
        assert store.put_cases([case], most=9) == 0
        assert store.claim_cases(9, for_=MINUTE) == (attrs.evolve(case, deliveries=1),)
    with PostgresStore(where, host=host) as store:
        assert abs(store.now() - dt.datetime.now(dt.UTC)) < HOUR
