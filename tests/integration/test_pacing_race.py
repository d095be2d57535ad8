"""Caps are truth and locks are not: eight processes want one slot, and none of them is kept out by a lock."""

from __future__ import annotations

import datetime as dt
import multiprocessing

import pytest

from assignment_pipeline import Booking, FloorPlan, Outcome, PacingRule, Table, Venue, VenuePolicy
from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost
from assignment_pipeline.adapters.postgres import init as init_postgres
from assignment_pipeline.adapters.sqlite import SQLiteStore, init
from assignment_pipeline.adapters.sqlite import StandaloneHost as FileHost
from assignment_pipeline.ports import RecordQuery
from tests.integration.unlocked import unlocked

SCHEMA = "pacing_race"
PROCESSES = 8
COVERS, ONLINE = 24, 5
EVENING = dt.datetime(2031, 5, 2, 18, 0, tzinfo=dt.UTC)
RULES = [PacingRule(minutes=15, covers=COVERS), PacingRule(minutes=15, parties=ONLINE, channel="online")]
VENUE = Venue("R1", "UTC", FloorPlan([Table(f"T{n}", 4) for n in range(40)]), VenuePolicy(pacing=RULES, reseat="off"))
BOOKINGS = [
    Booking(
        f"B{n:02}",
        "R1",
        1 + n % 4,
        EVENING + dt.timedelta(minutes=n % 15),
        channel="online" if n % 2 else None,
    )
    for n in range(32)
]


def opened(kind, place):
    if kind == "sqlite":
        return SQLiteStore(place, host=FileHost())
    return PostgresStore(place, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA)


def hurry(kind, place, seed, begin):
    """Assign every booking, in an order of one's own."""
    with opened(kind, place) as store:
        worker = unlocked(store)
        begin.wait(60)
        for step in range(len(BOOKINGS)):
            booking = BOOKINGS[(step * 7 + seed * 5) % len(BOOKINGS)]
            while worker.assign(booking, trigger="manual").outcome is Outcome.RETRY:
                pass


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    if request.param == "sqlite":
        where = tmp_path / "day.db"
        init(where, standalone=True)
    else:
        where = request.getfixturevalue("postgres_database")
        init_postgres(where, schema=SCHEMA, standalone=True)
    host = FileHost() if request.param == "sqlite" else StandaloneHost(schema=SCHEMA)
    with opened(request.param, where) as store:
        store.write(lambda connection: host.put_venue(connection, VENUE))
        store.write(lambda connection: [host.put_booking(connection, booking) for booking in BOOKINGS])
    return request.param, where


def test_eight_processes_never_pass_a_cap(place):
    """Not by a guest; the slot is as full as the parties allow, and who was refused was so for the caps."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # What all of them import is imported once.
    begin = context.Barrier(PROCESSES)
    workers = [context.Process(target=hurry, args=(*place, seed, begin)) for seed in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(110)
        assert worker.exitcode == 0
    with opened(*place) as store:
        records = store.records(RecordQuery(limit=1_000)).records
    assert len(records) == len(BOOKINGS)
    seated = [record.booking for record in records if record.allocation]
    covers = sum(booking.party_size for booking in seated)
    online = sum(booking.channel == "online" for booking in seated)
    assert (covers <= COVERS, online <= ONLINE) == (True, True), (covers, online)
    refused = [record for record in records if not record.allocation]
    assert {record.reason for record in refused} == {"pacing"}
    assert all(
        covers + record.booking.party_size > COVERS or (record.booking.channel == "online" and online == ONLINE)
        for record in refused
    )
