"""The closed loop: whole service days, as each planner has them, and the gate that counts them."""

from __future__ import annotations

import datetime as dt
import json
import random

import attrs
import pytest

from assignment_pipeline import (
    AsyncCoordinator,
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    LegacyResult,
    Mode,
    Table,
    Venue,
    VenueNotFoundError,
    VenuePolicy,
    Weights,
)
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.domain.days import MOST, ComparedDay, Side
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.metrics import MetricsQuery
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.rollout.control import PHASES, Answer, StoreGates, Verdict
from assignment_pipeline.rollout.control.gates import recompute
from assignment_pipeline.rollout.control.sequential import log_evidence_of_mean, mean_sequence
from assignment_pipeline.rollout.shadow.asked import asked_by
from assignment_pipeline.rollout.shadow.closed_loop import compared_day, keep_days, play
from assignment_pipeline.testing import FakeClock

BEGIN = dt.datetime(2031, 5, 5, 8, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
FLOOR = FloorPlan(
    [Table(f"T{number}", size) for number, size in enumerate((2, 2, 2, 2, 4, 4, 4, 6, 6, 8))],
    adjacent=[("T0", "T1"), ("T2", "T3"), ("T4", "T5")],
)
PATIENT = Settings(reseat_budget=dt.timedelta(seconds=5))
"""So that a busy machine finds the same moves."""

NO_WEIGHTS = VenuePolicy(weights=Weights(waste=0, join=0, scarcity=0, gap=0), reseat="off")
"""A pipeline to which all tables are the same, and that moves nobody."""


class OldPlanner:
    """Takes the smallest table that is free and large enough, and writes that to tables of its own."""

    def __init__(self, venue, host=None):
        self.venue = venue
        self.host = host or MemoryHost(venue)

    def __call__(self, booking):
        window = self.venue.blocked(self.venue.turn(booking))
        taken = {row.table_id for row in self.host.occupied(None, self.venue.id, window)}
        for table in sorted(FLOOR.tables, key=lambda table: table.capacity):
            if table.capacity >= booking.party_size and table.id not in taken:
                self.host.occupy(self.venue.id, Occupied(table_id=table.id, window=window, booking_id=booking.id))
                return LegacyResult((table.id,))
        return LegacyResult()


def evening(venue, chance, bookings=26, day=0):
    """A busy one."""
    found = []
    for number in range(bookings):
        start_at = (BEGIN + day * DAY).replace(hour=18) + dt.timedelta(minutes=15 * chance.randrange(14))
        size = chance.choice((2, 2, 2, 2, 3, 4, 4, 5, 6, 8))
        found.append(Booking(f"b-{day}-{number}", venue.id, size, start_at))
    return found


def played(policy, evenings=40):
    """What the gate of production-shadow says of so many evenings."""
    venue, chance, engine = Venue("r-0", "UTC", FLOOR, policy), random.Random(1), TableEngine()
    days = []
    for number in range(evenings):
        bookings, floor = evening(venue, chance), OldPlanner(venue)
        by_legacy = frozenset(each.id for each in bookings if floor(each).tables)
        seated, moves = play(venue, bookings, engine, PATIENT)
        theirs = {"by_legacy": by_legacy, "broken": frozenset()}
        date = BEGIN.date() + number * DAY
        days.append(compared_day("r-0", date, bookings, **theirs, seated=seated, moves=moves))
    store = MemoryStore(MemoryHost(venue), clock=FakeClock(BEGIN))
    keep_days(store, days, 0)
    store.clock.advance(DAY)
    verdicts = StoreGates(store)(PHASES["production-shadow"], BEGIN, store.clock.now())
    return {verdict.metric: verdict for verdict in verdicts}


def test_a_planner_that_cares_for_nothing_fails():
    """With all weights at zero it agrees with itself, and seats fewer guests."""
    covers = played(NO_WEIGHTS)["closed_loop_covers"]
    assert covers.answer is Answer.FAIL
    assert covers.value < -0.05
    assert covers.high < -0.01
    assert recompute(covers, 20) is Answer.FAIL
    assert recompute(Verdict.read(json.loads(json.dumps(covers.document()))), 20) is Answer.FAIL


def test_the_pipeline_passes():
    """It seats as many as the planner that it is to replace, and more."""
    found = played(VenuePolicy())
    assert {found[name].answer for name in ("closed_loop_covers", "closed_loop_parties")} == {Answer.PASS}
    assert found["closed_loop_covers"].value > 0
    assert "legacy_agreement" not in found


def test_a_day_without_tables_for_anybody_says_nothing():
    """Neither for the pipeline nor against it."""
    day = ComparedDay(restaurant_id="r-0", date=BEGIN.date(), bookings=1, legacy=Side(), pipeline=Side())
    assert (day.covers, day.parties) == (None, None)
    full = attrs.evolve(day, legacy=Side(seated=4, covers=9), pipeline=Side(seated=3, covers=9))
    assert (full.covers, full.parties) == (0, -25)
    assert attrs.evolve(day, pipeline=Side(seated=1, covers=2)).covers == MOST


def test_a_rule_that_legacy_broke_counts_for_nobody():
    """Where the pipeline found no tables without doing so; else it counts for both."""
    bookings = [Booking(name, "r-0", size, BEGIN) for name, size in (("fair", 2), ("both", 4), ("unfair", 8))]
    everybody = frozenset({"fair", "both", "unfair"})
    day = compared_day(
        "r-0",
        BEGIN.date(),
        bookings,
        by_legacy=everybody,
        broken=frozenset({"both", "unfair"}),
        seated=frozenset({"fair", "both"}),
        moves=1,
    )
    assert day.legacy == Side(seated=2, covers=6)
    assert day.pipeline == Side(seated=2, covers=6, moves=1)


def test_the_evidence_is_what_bets_have_made():
    """One difference at a time, as many times as there are days with it."""
    once = log_evidence_of_mean({5: 1}, 0.0, above=True)
    assert 0 < once < log_evidence_of_mean({5: 2}, 0.0, above=True)
    assert log_evidence_of_mean({5: 1, -5: 1}, 0.0, above=True) < 0
    assert log_evidence_of_mean({-MOST: 1}, 0.0, above=True) < log_evidence_of_mean({-MOST: 1}, 0.0, above=False)
    assert mean_sequence({}, 0.05) == (-0.25, 0.25)
    low, high = mean_sequence({-2: 30, 2: 30}, 0.05)
    assert low < 0 < high
    assert high - low < 0.08


# -- In a shadow --------------------------------------------------------------------------------------------------


@pytest.fixture
def town():
    """A restaurant in shadow, with its store and its clock."""
    venue, clock = Venue("r-0", "UTC", FLOOR, VenuePolicy()), FakeClock(BEGIN)
    host = MemoryHost(venue)
    store = MemoryStore(host, clock=clock)
    flags = FixedFlags(Mode.SHADOW)
    with Coordinator(store, flags=flags, legacy=OldPlanner(venue, host), clock=clock, sinks=()) as coordinator:
        yield coordinator


def take(coordinator, *bookings, known=True):
    """They book; legacy seats them, and the shadow looks."""
    for each in bookings:
        if known:
            coordinator.store.host.put_booking(each)
        coordinator.assign(each)
    assert coordinator.shadow.flush(20)


def test_a_day_that_is_over_is_compared_once(town):
    """From the first booking on that the shadow saw; what was seated before stays where it is."""
    venue, store = town.store.host.venue(None, "r-0", None), town.store
    before = venue.blocked(venue.turn(Booking("old", "r-0", 8, BEGIN.replace(hour=19))))
    store.host.occupy("r-0", Occupied(table_id="T9", window=before, booking_id="old"))
    large = [Booking(f"large-{number}", "r-0", 6, BEGIN.replace(hour=19)) for number in range(4)]
    gone = Booking("gone", "r-0", 2, BEGIN.replace(hour=19))
    take(town, *large, gone, Booking("later", "r-0", 2, BEGIN.replace(hour=19) + DAY))
    store.host.put_booking(attrs.evolve(gone, status="cancelled"))
    assert town.shadow.compare_days() == ()
    store.clock.advance(DAY)
    [day] = town.shadow.compare_days()
    assert (day.restaurant_id, day.date, day.bookings) == ("r-0", BEGIN.date(), 4)
    assert day.legacy == Side(seated=2, covers=12)
    assert day.pipeline == Side(seated=3, covers=18)  # at joined tables
    assert town.shadow.compare_days() == ()
    store.clock.advance(DAY)
    assert [each.date for each in town.shadow.compare_days()] == [BEGIN.date() + DAY]
    store.clock.advance(DAY)
    found = StoreGates(store)(PHASES["production-shadow"], BEGIN, store.clock.now())
    covers = next(verdict for verdict in found if verdict.metric == "closed_loop_covers")
    assert (covers.sample, covers.answer) == (2, Answer.HOLD)
    assert covers.missing.startswith("18 more of 20 service days")


def test_a_gate_says_where_days_come_from(town):
    """As long as there are none."""
    found = StoreGates(town.store)(PHASES["production-shadow"], BEGIN, BEGIN + DAY)
    assert found[0].missing.startswith("no service day was compared yet: `worker`")


def test_nothing_is_written_of_a_day_but_its_numbers(town):
    """The closed loop has nothing to write with, and its event names no booking."""
    take(town, *[Booking(f"b-{number}", "r-0", 2, BEGIN.replace(hour=19)) for number in range(3)])
    town.store.clock.advance(DAY)
    told = set(town.store.events)
    [_] = town.shadow.compare_days()
    [event] = set(town.store.events) - told
    assert (event.type, event.booking_id) == ("rollout.day_compared", None)
    assert town.record("b-0") is None


def test_an_async_store_is_read_too(town):
    """By the thread of the shadow, on an event loop of its own."""

    class Async:
        """The same store, answering later."""

        def __init__(self, store):
            self._store = store

        def apart(self):
            return self

        def __getattr__(self, name):
            found = getattr(self._store, name)
            if name not in {"load", "booking", "commit"}:
                return found

            async def later(*given):
                return found(*given)

            return later

    take(town, Booking("b-0", "r-0", 2, BEGIN.replace(hour=19)))
    town.store.clock.advance(DAY)
    asynchronous = AsyncCoordinator(Async(town.store), flags=FixedFlags(Mode.SHADOW), clock=town.store.clock, sinks=())
    [day] = asynchronous.shadow.compare_days()
    assert day.bookings == 1
    assert len(town.store.events_of(MetricsQuery(since=BEGIN, until=BEGIN + 2 * DAY), ("rollout.day_compared",))) == 1


def test_a_booking_that_the_host_does_not_know_is_played_as_it_was_given(town):
    """All that planning looks at is in the verdict: where the party wants to sit, and until when."""
    start_at = BEGIN.replace(hour=19)
    wishes = {"seating": "bar", "zone": "terrace", "accessible": True}
    take(
        town,
        Booking("plain", "r-0", 2, start_at),
        Booking("fussy", "r-0", 2, start_at, start_at + DAY / 24, **wishes),
        known=False,
    )
    verdicts = {event.booking_id: event for event in town.store.events if event.source == "assignment.shadow"}
    assert asked_by(verdicts["fussy"]) == Booking("fussy", "r-0", 2, start_at, start_at + DAY / 24, **wishes)
    town.store.clock.advance(DAY)
    [day] = town.shadow.compare_days()
    assert (day.bookings, day.legacy.seated, day.pipeline.seated) == (2, 1, 1)


def test_what_cannot_be_read_keeps_no_other_day_from_being_compared(town, caplog):
    """A restaurant that closed down is left out, and one whose host raises is named; a row may make no sense."""
    store, host = town.store, town.store.host
    for name in ("r-1", "r-2"):
        host.put_venue(Venue(name, "UTC", FLOOR, VenuePolicy()))
    take(town, *[Booking(f"b-{name}", name, 2, BEGIN.replace(hour=19)) for name in ("r-0", "r-1", "r-2")])
    store.clock.advance(DAY)

    class Changed(type(host)):
        def venue(self, connection, restaurant_id, known_version):
            if restaurant_id == "r-1":
                raise VenueNotFoundError(restaurant_id)
            return super().venue(connection, restaurant_id, known_version)

        def occupied(self, connection, restaurant_id, window):
            if restaurant_id == "r-2":
                raise RuntimeError("Mrs Canary")
            return super().occupied(connection, restaurant_id, window)

        def booking(self, connection, booking_id):
            if booking_id == "b-r-0":
                raise ValueError("Mrs Canary")
            return super().booking(connection, booking_id)

    host.__class__ = Changed
    [day] = town.shadow.compare_days()
    assert (day.restaurant_id, day.bookings) == ("r-0", 1)
    [said] = [one.getMessage() for one in caplog.records if one.getMessage().startswith("not compared")]
    assert "r-2" in said
    assert "Canary" not in said


class Strict:
    """A strategy that forbids every table."""

    name = "strict"

    def weigh(self, request, seating, floor):
        return None


def test_a_strategy_is_no_rule_of_the_restaurant(town):
    """What forbids every table seats nobody: that counts against the pipeline, and not for it."""
    take(town, *[Booking(f"b-{number}", "r-0", 2, BEGIN.replace(hour=19)) for number in range(3)])
    town.store.clock.advance(DAY)
    strict = {"flags": FixedFlags(Mode.SHADOW), "clock": town.store.clock, "sinks": (), "strategies": [Strict()]}
    [day] = Coordinator(town.store, **strict).shadow.compare_days()
    assert (day.legacy.seated, day.pipeline.seated, day.covers) == (3, 0, -MOST)
