"""Each act from the pages on each database, with both kinds of coordinator."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from assignment_pipeline import AsyncCoordinator, Coordinator, Settings
from assignment_pipeline.adapters import sqlite
from assignment_pipeline.console import EVERYWHERE, Staff, console
from assignment_pipeline.console.acts import ACTS
from assignment_pipeline.console.ways import Suggested
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing import FakeClock
from tests.console.house import EVENING, Browser, booking, venue

PLAN = Suggested(tables=["T4"], allow=["zone"])
EARLIER = EVENING.replace(hour=18, minute=0)
LATER = EVENING.replace(hour=19, minute=15)


@pytest.fixture(params=["sqlite", "postgres", "postgres with asyncio"])
def database(request, tmp_path):
    """A store of that kind, one for who looks on, and the way to write to its host."""
    clock = FakeClock(EVENING)
    if request.param == "sqlite":
        path = tmp_path / "day.sqlite3"
        sqlite.init(path, standalone=True)
        host = sqlite.StandaloneHost()
        store = sqlite.SQLiteStore(path, host=host, clock=clock)
        with store:
            yield store, store, host, clock
        return
    conninfo = request.getfixturevalue("postgres_database")
    from assignment_pipeline.adapters import postgres  # noqa: PLC0415 - its packages may be missing

    schema = f"console_{secrets.token_hex(4)}"
    postgres.init(conninfo, standalone=True, schema=schema)
    host = postgres.StandaloneHost(schema=schema)
    with postgres.PostgresStore(conninfo, host=host, schema=schema, clock=clock) as store:
        if request.param == "postgres":
            yield store, store, host, clock
        else:
            other = postgres.AsyncStandaloneHost(schema=schema)
            yield postgres.AsyncPostgresStore(conninfo, host=other, schema=schema, clock=clock), store, host, clock


SAT_AND_LEFT = [
    ("swap", "a", {"other": "b"}, lambda record: record.tables == ("T2",)),
    ("seated", "a", {}, lambda record: record.allocation.sits),
    ("extend", "a", {"until": "21:30"}, lambda record: record.allocation.turn.end == EVENING.replace(hour=19)),
    ("party_changed", "a", {"guests": "1"}, lambda record: record.booking.party_size == 1),
    ("left", "a", {}, lambda record: record.allocation.left_at is not None),
    ("no_show", "b", {}, lambda record: record.state == "cancelled"),
    ("reinstate", "b", {}, lambda record: record.state == "confirmed"),
    ("pin", "b", {}, lambda record: record.pinned),
    ("unpin", "b", {}, lambda record: not record.pinned),
    ("place", "b", {"tables": "T4"}, lambda record: record.tables == ("T4",)),
    ("place", "moved", {"tables": "T3"}, lambda record: record.allocation.turn.start == LATER),
    ("cancel", "b", {}, lambda record: record.state == "cancelled"),
]
REVIEWED = [
    ("requeue", "large", {}, lambda record: record.state == "assignment_pending"),
    ("reject", "huge", {"reason": "no_table"}, lambda record: record.state == "failed"),
    ("suggested", "wish", {"plan": PLAN.written()}, lambda record: record.tables == ("T4",)),
    ("retime", "other", {"start": EARLIER.isoformat()}, lambda record: record.booking.start_at == EARLIER),
    ("confirm", "held", {}, lambda record: record.state == "confirmed"),
]
PAGES = ("floor", "floor?party=2", "moment", "service", "queue", "booking?id=a", "rollout", "./")


def test_each_act_works(database):
    """Shown, done, and as it should be after; then every page answers."""
    used, store, host, clock = database
    facts = {"flags": FixedFlags(Mode.ACTIVE), "sinks": (), "clock": clock}
    store.write(lambda connection: host.put_venue(connection, venue()))

    def put(key, *values, settings=None, **more):
        made = booking(key, *values, **more)
        store.write(lambda connection: host.put_booking(connection, made))
        with Coordinator(store, **facts, settings=settings or Settings()) as assigning:
            return assigning.assign(made)

    with asyncio.Runner() as runner:
        is_async = used is not store
        coordinator = (AsyncCoordinator if is_async else Coordinator)(used, **facts)
        app = console(coordinator, staff=lambda _: Staff("anna", restaurants=EVERYWHERE))
        browser = Browser(app, run=runner.run)
        done = []

        def do(act, **asked):
            shown = browser.get("/act", params={"do": act, **asked})
            assert shown.status == 200, shown.text
            after = browser.post(shown.fields())
            assert (after.status, "Done." in after.text) == (200, True), after.text
            done.append(act)

        def holds_for(key, holds):
            record = record_of(store, key)
            assert store.booking(key).same_request(record.booking)  # The host's row has followed.
            return holds(record)

        put("a", 2, 17, 30)
        put("b", 2, 17, 30)
        put("moved", 2, 19, zone="Roof")
        later = booking("moved", 2, 19, 15)
        store.write(lambda connection: host.put_booking(connection, later))  # The guest has called again.
        for act, key, asked, holds in SAT_AND_LEFT:
            do(act, id=key, **asked)
            assert holds_for(key, holds), act
        put("large", 30, 19)
        put("huge", 40, 19)
        put("wish", 2, 19, zone="Roof")
        put("other", 2, 19)
        put("held", 2, 19, settings=Settings(confirmation="external"))
        for act, key, asked, holds in REVIEWED:
            do(act, id=key, **asked)
            assert holds_for(key, holds), act
        do("walk_in", restaurant="corner", guests="1")
        assert sum(party.presence == "sits" for party in Coordinator(store, **facts).floor("corner").parties) == 1
        do("block", restaurant="corner", tables="T3", **{"from": "20:00", "to": "20:30"}, reason="leak")
        (block,) = Coordinator(store, **facts).blocks("corner")
        do("unblock", restaurant="corner", block=block.id)
        assert set(done) == set(ACTS)
        for page in PAGES:
            mark = "&" if "?" in page else "?"
            assert browser.get(f"/{page}{mark}restaurant=corner").status == 200, page
        if is_async:
            runner.run(coordinator.close())
            runner.run(used.close())


def record_of(store, key):
    """The record of a booking."""
    (found,) = store.records(RecordQuery(booking_ids=(key,))).records
    return found
