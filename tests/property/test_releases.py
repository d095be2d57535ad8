"""Tables that are released as the clock goes on: parties that could be moved get them too, against brute force."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment_pipeline import (
    Booking,
    Coordinator,
    FloorPlan,
    ServicePeriod,
    SlotStatus,
    Table,
    TimeWindow,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.testing import FakeClock

MINUTE, HALF_HOUR = dt.timedelta(minutes=1), dt.timedelta(minutes=30)
NOON = dt.datetime(2031, 5, 3, 12, tzinfo=dt.UTC)
SEVEN = NOON + dt.timedelta(hours=7)
PATIENT = Settings(reseat_budget=dt.timedelta(seconds=5), call_budget=dt.timedelta(seconds=5))
SIZES = range(1, 5)


@st.composite
def floors(draw: st.DrawFn) -> FloorPlan:
    tables = []
    for number in range(draw(st.integers(2, 4))):
        offer = draw(st.sampled_from(["always", "always", "staff", "on_request", "last"]))
        held = None if offer == "always" else draw(st.sampled_from([None, 60, 120, 150]))
        size = draw(st.sampled_from([2, 2, 3, 4]))
        tables.append(Table(f"T{number}", size, offer=offer, held_until_minutes=held))
    adjacent = [("T0", "T1")] if draw(st.booleans()) else []
    return FloorPlan(tables, adjacent)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["assign", "assign", "assign", "cancel", "wait", "wait"]),
        st.integers(1, 4),
        st.integers(0, 3),
    ),
    min_size=4,
    max_size=12,
)


class Room:
    """An evening at a small restaurant, and what could be had of it if everything was tried."""

    def __init__(self, floor: FloorPlan) -> None:
        evening = ServicePeriod(
            "dinner", dt.time(18), dt.time(23), arrivals=[dt.time(19), dt.time(19, 30), dt.time(20), dt.time(20, 30)]
        )
        self.venue = Venue("r", "UTC", floor, VenuePolicy(service_periods=[evening]))
        self.clock = FakeClock(NOON)
        engine = TableEngine(monotonic=lambda: 0.0)
        self.coordinator = Coordinator.in_memory(
            self.venue, clock=self.clock, engine=engine, settings=PATIENT, sinks=()
        )

    def guests(self, name: str, size: int, place: int) -> Booking:
        return Booking(name, "r", size, SEVEN + place * HALF_HOUR)

    def options(self, booking: Booking) -> list[tuple[str, ...]]:
        """Where the party could sit in an empty house, as late as it is now."""
        ahead = (booking.start_at - self.clock.now()) // MINUTE

        def is_given(table: Table) -> bool:
            held = table.held_until_minutes
            return table.offer in (None, "always", "last") or (held is not None and ahead <= held)

        found = self.venue.candidates(booking.party_size)
        return [seating.table_ids for seating in found if all(map(is_given, seating.tables))]

    def has_room(self, booking: Booking) -> bool:
        """Whether there is some way to seat everybody, and that party."""
        taken: list[tuple[str, TimeWindow]] = []
        parties = [(self.options(booking), self.venue.blocked(self.venue.turn(booking)))]
        for record in self.coordinator.store.records(RecordQuery(limit=100)).records:
            if record.allocation is None:
                continue
            window = record.allocation.blocked
            if record.movable and record.allocation.turn.start > self.clock.now() + self.venue.policy.freeze:
                parties.append(([record.tables, *self.options(record.booking)], window))
            else:
                taken += [(table, window) for table in record.tables]

        def seated(left: list[tuple[list[tuple[str, ...]], TimeWindow]], taken: list[tuple[str, TimeWindow]]) -> bool:
            if not left:
                return True
            (options, window), *others = left
            busy = {table for table, when in taken if when.overlaps(window)}
            return any(
                not busy.intersection(tables) and seated(others, taken + [(table, window) for table in tables])
                for tables in options
            )

        return seated(parties, taken)

    def check(self) -> None:
        """Whatever the engine remembers of earlier looks, it finds room where there is some, and nowhere else."""
        for slot in self.coordinator.availability("r", SEVEN.date(), SIZES).slots:
            if slot.start_at < self.clock.now():
                continue
            booking = Booking("probe", "r", slot.party_size, slot.start_at)
            has_room = self.has_room(booking)
            is_said = slot.status in (SlotStatus.AVAILABLE, SlotStatus.WITH_MOVES)
            assert is_said == has_room, slot
            decision = self.coordinator.preview(booking)
            assert (decision.plan is not None) == has_room, booking


@settings(max_examples=30)
@given(floor=floors(), acts=ACTS)
def test_a_party_that_makes_room_gets_what_is_released_by_now(floor, acts):
    """Proofs, rooms and parties that are known from before a release are those of the floor as it is now."""
    room = Room(floor)
    room.clock.advance(5 * HALF_HOUR)
    seated: list[str] = []
    for number, (act, size, place) in enumerate(acts):
        if act == "assign":
            booking = room.guests(f"b{number}", size, place)
            if booking.start_at >= room.clock.now() and room.coordinator.assign(booking).tables:
                seated.append(booking.id)
        elif act == "cancel" and seated:
            room.coordinator.cancel(seated.pop(0))
        elif act == "wait":
            room.clock.advance((1 + place) * 20 * MINUTE)
        room.check()


KEPT = FloorPlan([Table("T0", 4), Table("W", 2, offer="staff", held_until_minutes=120)])


def test_a_proof_ends_where_a_table_is_released():
    """There was no room for four until the couple at their table could have the staff's."""
    room = Room(KEPT)
    couple, four = room.guests("couple", 2, 1), room.guests("four", 4, 0)
    assert room.coordinator.assign(couple).tables == ("T0",)
    assert room.coordinator.assign(four).reason == "infeasible"
    room.clock.advance(couple.start_at - 120 * MINUTE - room.clock.now() - MINUTE)
    assert room.coordinator.sweep().results[0].tables == ()  # Released to the four, and of no use to them.
    assert room.coordinator.preview(four).refusal == "infeasible"
    room.clock.advance(MINUTE)
    (result,) = room.coordinator.sweep().results
    assert (result.booking_id, result.tables, result.moved) == ("four", ("T0",), ("couple",))
    assert room.coordinator.record("couple").tables == ("W",)


def test_the_sweep_waits_for_no_release_that_comes_too_late():
    """A party that arrives within the policy's freeze is not moved, whatever is released to it."""
    room = Room(FloorPlan([Table("T0", 4), Table("W", 2, offer="staff", held_until_minutes=30)]))
    room.coordinator.assign(room.guests("couple", 2, 1))
    room.coordinator.assign(room.guests("four", 4, 0))
    room.coordinator.sweep()
    due = room.coordinator.record("four").next_attempt_at
    room.clock.advance(due - room.clock.now())
    room.coordinator.sweep()
    assert due == SEVEN - HALF_HOUR
    assert room.coordinator.record("four").next_attempt_at is None


def test_a_day_is_planned_with_the_tables_that_are_released():
    """Who has lost a table is not stranded where the engine would give it another one."""
    pytest.importorskip("highspy")
    room = Room(KEPT)
    assert room.coordinator.assign(room.guests("couple", 2, 0)).tables == ("T0",)
    window = TimeWindow(SEVEN, SEVEN + 4 * HALF_HOUR)
    room.coordinator.block("r", "T0", window, actor="ann", reason="leak")
    assert room.coordinator.reoptimize("r", SEVEN.date()).stranded == ("couple",)
    room.clock.advance(SEVEN - 120 * MINUTE - room.clock.now())
    found = room.coordinator.reoptimize("r", SEVEN.date())
    assert (found.stranded, [move.tables for move in found.diff.moves]) == ((), [("W",)])
