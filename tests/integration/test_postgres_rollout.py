"""A change of the rollout beside commits that are in flight, on PostgreSQL."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

psycopg = pytest.importorskip("psycopg")

from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, init, rollout  # noqa: E402
from assignment_pipeline.domain.rollout import RolloutRevision  # noqa: E402
from assignment_pipeline.errors import CommitUnknownError, StaleRolloutError  # noqa: E402
from assignment_pipeline.ports import LoadQuery, RecordQuery  # noqa: E402
from assignment_pipeline.testing.contracts.suite import StoreSuite  # noqa: E402
from assignment_pipeline.testing.store_harness import QUEUE, make_booking, make_change, make_venue  # noqa: E402


@pytest.fixture
def store(postgres_database):
    """A store in a schema of its own."""
    schema = f"rollout_{secrets.token_hex(4)}"
    init(postgres_database, standalone=True, schema=schema)
    host = StandaloneHost(schema=schema)
    with PostgresStore(postgres_database, host=host, schema=schema) as made:
        for restaurant_id in ("r-1", "r-2"):
            venue = make_venue(restaurant_id)
            made.write(lambda connection, venue=venue: host.put_venue(connection, venue))
        yield made


def change(store, booking_id, restaurant_id="r-1"):
    """A change that was planned under the generation in force."""
    booking = make_booking(booking_id, restaurant_id=restaurant_id)
    return make_change(booking, *QUEUE, preconditions=StoreSuite().assume(store, booking))


def test_it_waits_for_what_is_in_flight(store, postgres_database):
    """While a host's transaction has an older commit in it, others are refused, and the change does not return."""
    late, later = change(store, "b-1"), change(store, "b-2", "r-2")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgres_database) as connection:
        store.joined(connection).commit([late])
        revising = pool.submit(store.revise, RolloutRevision(generation=1, phase="rollback"))
        while store.rollout().generation == 0:
            time.sleep(0.01)
        with pytest.raises(StaleRolloutError):
            store.commit([later])
        assert not revising.done()
        connection.commit()
        assert revising.result(timeout=30) == store.rollout()
    assert [record.booking_id for record in store.records(RecordQuery()).records] == ["b-1"]


def test_it_does_not_wait_for_ever(store, postgres_database, monkeypatch):
    """Where a transaction does not end, that is said; the change is in force all the same, and can be asked again."""
    monkeypatch.setattr(rollout, "PATIENCE", 0.3)
    revision = RolloutRevision(generation=1, phase="rollback")
    with psycopg.connect(postgres_database) as connection:
        store.joined(connection).commit([change(store, "b-1")])
        with pytest.raises(CommitUnknownError, match="the change is in force"):
            store.revise(revision)
        assert store.rollout().phase == "rollback"
        connection.rollback()
    assert store.revise(revision) == store.rollout()
    assert len(store.revisions()) == 1


def test_others_get_through_while_it_waits(store, postgres_database, monkeypatch):
    """Commits that nothing gates go on while the change waits for one that was in flight."""
    monkeypatch.setattr(rollout, "PATIENCE", 2.0)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgres_database) as connection:
        store.joined(connection).commit([make_change(make_booking("b-1", restaurant_id="r-2"), *QUEUE)])
        revising = pool.submit(store.revise, RolloutRevision(generation=1))
        while store.rollout().generation == 0:
            time.sleep(0.01)
        store.commit([make_change(make_booking("b-2"), *QUEUE)])
        assert not revising.done()
        connection.rollback()
        revising.result(timeout=30)
    assert store.load(LoadQuery(restaurant_id="r-1")).generation == 1
