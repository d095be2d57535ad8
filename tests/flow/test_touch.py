"""With `Settings(takeover="on_touch")`, who asks for something about a booking from before has the pipeline answer."""

from __future__ import annotations

import asyncio
import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    AsyncCoordinator,
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    Mode,
    Outcome,
    Reason,
    Settings,
    Table,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.domain.adoption import LegacySeat
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import NoRecordError
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.harnesses import MemoryHarness

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ON_TOUCH = Settings(takeover="on_touch")

ACTS = {"seated": {}, "left": {}, "no_show": {}, "pin": {}, "unpin": {}, "extend": {"until": None}}


@attrs.define(slots=False)
class Before:
    """A restaurant in which legacy has seated B1 at T1 before the pipeline was in charge."""

    harness: object
    clock: FakeClock
    booking: Booking
    row: Occupied

    def coordinator(self, mode=Mode.ACTIVE, **options):
        options = {"settings": ON_TOUCH, **options}
        return Coordinator(self.harness.store, flags=FixedFlags(mode), clock=self.clock, sinks=(), **options)

    def record(self):
        page = self.harness.store.records(RecordQuery(booking_ids=("B1",)))
        return page.records[0] if page.records else None

    def act(self, coordinator, name):
        facts = {"until": self.booking.start_at + 3 * HOUR} if name == "extend" else {}
        return getattr(coordinator, name)("B1", actor="anna", **facts)


@pytest.fixture
def before(harness, clock):
    floor = FloorPlan((Table("T1", 2), Table("T2", 2), Table("T3", 4)))
    harness.put_venue(Venue("R1", "Europe/London", floor, VenuePolicy(reseat="off")))
    start = clock.now().replace(second=0, microsecond=0)
    booking = Booking("B1", "R1", 2, start, end_at=start + 2 * HOUR, status="confirmed")
    harness.put_booking(booking)
    row = Occupied(table_id="T1", window=TimeWindow(start, start + 2 * HOUR), booking_id="B1")
    harness.occupy("R1", row)
    return Before(harness, clock, booking, row)


@pytest.mark.parametrize("adopted", [False, True])
@pytest.mark.parametrize("act", sorted(ACTS))
def test_it_is_taken_over_and_then_it_is_done(before, act, adopted):
    """At the tables that the host shows, or at those that were adopted."""
    with before.coordinator() as coordinator:
        if adopted:
            assert coordinator.adopt([LegacySeat(before.booking, ("T1",))]).adopted == ("B1",)
        before.clock.advance(HOUR)
        result = before.act(coordinator, act)
        assert result.outcome is (
            Outcome.CANCELLED if act == "no_show" else Outcome.NOOP if act == "unpin" else Outcome.CONFIRMED
        )
        assert before.record().owner is Owner.PIPELINE
        assert before.record().tables == (() if act == "no_show" else ("T1",))
        assert "taken_over" in {step.reason for step in coordinator.history("B1")}


def test_a_change_moves_it(before):
    """The pipeline makes the change, which was the host's to make; a second finds it the pipeline's already."""
    larger = attrs.evolve(before.booking, party_size=4)
    before.harness.put_booking(larger)
    with before.coordinator() as coordinator:
        result = coordinator.reassign(larger)
        assert (result.outcome, result.tables, result.handled) == (Outcome.CONFIRMED, ("T3",), True)
        assert coordinator.reassign(larger).outcome is Outcome.NOOP
    assert (before.record().state, before.record().owner) == (AssignmentState.CONFIRMED, Owner.PIPELINE)


def test_without_the_setting_all_is_as_it_was(before):
    """A change is the host's to make, and a person is told what to do."""
    with before.coordinator(settings=Settings()) as coordinator:
        assert coordinator.reassign(before.booking).handled is False
        with pytest.raises(NoRecordError):
            coordinator.seated("B1", actor="anna")
    assert before.record() is None


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_where_the_pipeline_is_not_in_charge_it_takes_nothing_over(before, mode):
    """Nothing is written there."""
    with before.coordinator(mode) as coordinator, pytest.raises(NoRecordError):
        coordinator.seated("B1", actor="anna")
    assert before.record() is None


@pytest.mark.parametrize("shown", ["nothing", "an unknown table", "a table that another has"])
def test_what_cannot_be_taken_over_is_left_as_it_was(before, shown):
    """Where the host shows no tables of the floor, or somebody sits there, nothing is half-written."""
    before.harness.vacate("R1", before.row)
    with before.coordinator() as coordinator:
        if shown == "an unknown table":
            before.harness.occupy("R1", attrs.evolve(before.row, table_id="T9"))
        if shown == "a table that another has":
            other = attrs.evolve(before.booking, id="B2", status="pending")
            before.harness.put_booking(other)
            assert coordinator.assign(other).outcome is Outcome.CONFIRMED
            (taken,) = before.harness.store.records(RecordQuery(booking_ids=("B2",))).records[0].tables
            before.harness.occupy("R1", attrs.evolve(before.row, table_id=taken))
        assert coordinator.reassign(before.booking).handled is False
        with pytest.raises(NoRecordError):
            coordinator.seated("B1", actor="anna")
    assert before.record() is None


def test_asyncio_hosts_have_it_too():
    """The same flow, awaited; and `Reason.TAKEN_OVER` is in the history."""
    clock = FakeClock()
    harness = MemoryHarness.new(clock)
    start = clock.now().replace(second=0, microsecond=0)
    harness.put_venue(Venue("R1", "UTC", FloorPlan((Table("T1", 2),))))
    harness.put_booking(Booking("B1", "R1", 2, start, end_at=start + HOUR, status="confirmed"))
    harness.occupy("R1", Occupied(table_id="T1", window=TimeWindow(start, start + HOUR), booking_id="B1"))

    async def evening():
        flags = FixedFlags(Mode.ACTIVE)
        async with AsyncCoordinator(
            harness.store, flags=flags, clock=clock, sinks=(), settings=ON_TOUCH
        ) as coordinator:
            result = await coordinator.seated("B1", actor="anna")
            assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T1",))
            return [step.reason for step in await coordinator.history("B1")]

    assert Reason.TAKEN_OVER in asyncio.run(evening())


@pytest.mark.parametrize("settings", [Settings(), ON_TOUCH])
def test_a_cancel_takes_nothing_over(before, settings):
    """The host hears of the end alone; the table is free once it no longer shows it, and the sweep seats who waits."""
    large = attrs.evolve(before.booking, party_size=4, status="pending")
    seat = attrs.evolve(before.row, table_id="T3")
    before.harness.vacate("R1", before.row)
    before.harness.occupy("R1", seat)
    waiting = attrs.evolve(large, id="B2", start_at=large.start_at + HOUR, end_at=large.end_at + HOUR)
    before.harness.put_booking(waiting)
    with before.coordinator(settings=settings) as coordinator:
        assert coordinator.assign(waiting).outcome is Outcome.MANUAL_REVIEW
        result = coordinator.cancel("B1")
        assert (result.outcome, result.handled) == (Outcome.CANCELLED, True)
        assert "taken_over" not in {step.reason for step in coordinator.history("B1")}
        assert {step.to_state for step in coordinator.history("B1")} == {AssignmentState.CANCELLED}
        before.harness.vacate("R1", seat)
        before.clock.advance(dt.timedelta(minutes=2))
        (seated,) = coordinator.sweep().results
        assert (seated.booking_id, seated.tables) == ("B2", ("T3",))
