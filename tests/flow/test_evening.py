"""An evening, played by Hypothesis on each store: whatever the staff do in whatever order, nobody is seated twice."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from assignment_pipeline import (
    AssignmentPipelineError,
    Booking,
    Coordinator,
    FloorPlan,
    Mode,
    Move,
    Outcome,
    Table,
    TurnFrom,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.domain.allocation import OVERSTAY
from assignment_pipeline.lifecycle import WITH_TABLES
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.harnesses import MemoryHarness, SQLiteHarness

with contextlib.suppress(ImportError):
    import highspy  # noqa: F401 - a thread would load it meanwhile, and Hypothesis trips over half a numpy

MINUTE = dt.timedelta(minutes=1)
FLOOR = FloorPlan([Table("T1", 2), Table("T2", 4), Table("T3", 6)], [("T1", "T2")])
STAFF = {
    "seated", "left", "no_show", "extended", "party_changed", "reinstated", "rearranged", "laying_shortened"
}  # fmt: skip
"""The reasons of what only people do."""


class Evening(RuleBasedStateMachine):
    """
    Bookings, walk-ins and the acts of the staff, with a reading of the records of its own.

    Attributes:
        make: What makes a harness of a clock.

        closes: Whether a harness is closed after its evening.

        turn_from: The policy's.

        sat: For each time that a party sat: the table, the booking, since when, and until when; None until it leaves.
    """

    make = None
    closes = True
    turn_from = TurnFrom.ARRIVAL

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        self.harness = type(self).make(self.clock)
        policy = VenuePolicy(post_buffer_minutes=5, turn_from=self.turn_from, shortest_stay_minutes=20)
        self.harness.put_venue(Venue("r-1", "Europe/London", FLOOR, policy))
        self.coordinator = Coordinator(
            self.harness.store, flags=FixedFlags(Mode.ACTIVE), clock=self.clock, sinks=(), shadow=None
        )
        self.bookings = {}
        self.sat = []

    def teardown(self):
        if self.closes:
            self.harness.close()

    def now(self):
        return self.clock.now().replace(second=0, microsecond=0)

    def act(self, method, *args, **options):
        """Call it; what it refuses in a sentence of its own is an answer."""
        before = {record.booking_id: record for record in self.records()}
        try:
            result = getattr(self.coordinator, method)(*args, **options)
        except AssignmentPipelineError:
            assert {record.booking_id: record for record in self.records()} == before
            return None
        return result

    def records(self):
        return self.coordinator.store.records(RecordQuery(limit=1_000)).records

    # -- What happens ---------------------------------------------------------------------------------------------

    @rule(party=st.integers(1, 6), later=st.integers(0, 20), stay=st.sampled_from([None, 30, 60]))
    def book(self, party, later, stay):
        """A guest books: now, at the door, or for later."""
        start = self.now() + later * 10 * MINUTE
        end = start + stay * MINUTE if stay else None
        booking = Booking(f"b-{len(self.bookings)}", "r-1", party, start, end)
        self.bookings[booking.id] = booking
        self.harness.put_booking(booking)
        self.act("assign", booking)

    @rule(minutes=st.sampled_from([1, 5, 15, 40]), seconds=st.sampled_from([0, 31]))
    def time_passes(self, minutes, seconds):
        """With the sweep at work."""
        self.clock.advance(minutes * MINUTE + dt.timedelta(seconds=seconds))
        assert self.coordinator.sweep().errors == ()

    @rule(party=st.integers(1, 6), table=st.sampled_from([None, None, "T1", "T2", "T3"]), waives=st.booleans())
    def walk_in(self, party, table, waives):
        """A party at the door: at the best tables, or at one that a person chose; twice is once."""
        row = Booking(f"w-{len(self.bookings)}", "r-1", party, self.now())
        self.bookings[row.id] = row
        self.harness.put_booking(row)
        options = {"booking_id": row.id, "allow": ["laying_time"] if waives else []}
        if table is not None:
            options["tables"] = [table]
        offer = self.act("walk_in", "r-1", party, actor="ann", offer=True, **options)
        result = self.act("walk_in", "r-1", party, actor="ann", **options)
        assert (offer is None) == (result is None)
        if result is None or not result.tables:
            return
        assert (offer.tables, offer.until) == (result.tables, result.until)
        assert result.until >= self.now() + 20 * MINUTE
        again = self.act("walk_in", "r-1", party, actor="ann", **options)
        assert (again.outcome, again.tables, again.until) == (Outcome.NOOP, result.tables, result.until)
        self.sat += [[one, row.id, self.clock.now(), None] for one in result.tables]

    @precondition(lambda self: len(self.bookings) > 1)
    @rule(data=st.data(), waives=st.booleans())
    def change_tables(self, data, waives):
        """Two parties swap, those that sit among them: in one step, or not at all."""
        held = [record for record in self.records() if record.allocation is not None]
        if len(held) < 2:
            return
        one, other = data.draw(st.permutations(held).map(lambda found: found[:2]))
        moves = [Move(one.booking_id, one.tables, other.tables), Move(other.booking_id, other.tables, one.tables)]
        allow = ["size", *(["laying_time"] if waives else [])]
        results = self.act("rearrange", moves, actor="ann", allow=allow)
        if results is None or one.tables == other.tables:
            return
        for record, result in zip((one, other), results, strict=True):
            assert result.record.allocation.turn == record.allocation.turn
            if record.allocation.sits:
                for row in self.sat:
                    if row[1] == record.booking_id and row[3] is None:
                        row[3] = self.clock.now()
                self.sat += [[table, record.booking_id, self.clock.now(), None] for table in result.tables]

    @precondition(lambda self: self.bookings)
    @rule(data=st.data(), waives=st.booleans())
    def seat(self, data, waives):
        """A party sits down: early, in time or late."""
        name = data.draw(st.sampled_from(sorted(self.bookings)))
        result = self.act("seated", name, actor="ann", allow=["laying_time"] if waives else [])
        if result is None or result.outcome is not Outcome.CONFIRMED:
            return
        self.sat += [[table, name, self.clock.now(), None] for table in result.tables]

    @precondition(lambda self: self.bookings)
    @rule(data=st.data())
    def leave(self, data):
        """A party leaves: its time can be sold at once."""
        name = data.draw(st.sampled_from(sorted(self.bookings)))
        result = self.act("left", name, actor="ann")
        if result is None or result.outcome is not Outcome.CONFIRMED:
            return
        for row in self.sat:
            if row[1] == name and row[3] is None:
                row[3] = self.clock.now()
        held = result.record.allocation
        assert held.blocked.end <= max(self.now(), held.turn.start, held.blocked.start) + MINUTE

    @precondition(lambda self: self.bookings)
    @rule(data=st.data(), what=st.sampled_from(["no_show", "cancel", "reinstate", "extend", "party_changed", "move"]))
    def others(self, data, what):
        """A no-show, a cancellation and its undoing, a longer stay, another number, a move by hand."""
        name = data.draw(st.sampled_from(sorted(self.bookings)))
        if what == "cancel":
            self.act("cancel", name)
        elif what == "extend":
            self.extend(name, data.draw(st.sampled_from([15, 60])))
        elif what == "party_changed":
            self.act("party_changed", name, data.draw(st.integers(1, 6)), actor="ann")
        elif what == "move":
            self.move(name, data.draw(st.sampled_from(["T1", "T2", "T3"])))
        else:
            self.act(what, name, actor="ann")

    def extend(self, name, minutes):
        record = self.coordinator.record(name)
        if record is None or record.allocation is None:
            return
        was_gone = record.allocation.left_at is not None
        until = record.allocation.turn.end + minutes * MINUTE
        result = self.act("extend", name, until, actor="ann")
        if was_gone and result is not None and result.record.allocation.sits:
            self.sat += [[table, name, self.clock.now(), None] for table in result.tables]

    def move(self, name, table):
        record = self.coordinator.record(name)
        if record is None or record.booking is None or record.allocation is None:
            return
        allow = ["in_past", "size", "outside_service", "laying_time"]
        result = self.act("place", record.booking, [table], actor="ann", allow=allow)
        if result is None or not record.allocation.sits:
            return
        for row in self.sat:
            if row[1] == name and row[3] is None:
                row[3] = self.clock.now()
        self.sat += [[one, name, self.clock.now(), None] for one in result.tables]

    # -- What holds -----------------------------------------------------------------------------------------------

    @invariant()
    def no_two_parties_sat_at_one_table(self):
        """By what the staff were answered, at any moment of the evening."""
        for one, other in itertools.combinations(self.sat, 2):
            if one[0] == other[0] and one[1] != other[1]:
                ended = one[3] is not None and one[3] <= other[2]
                began = other[3] is not None and other[3] <= one[2]
                assert ended or began, (one, other)

    @invariant()
    def no_table_is_given_twice(self):
        """By the records: what is written of two bookings never overlaps."""
        seats = [
            (table, record.booking_id, record.allocation.blocked)
            for record in self.records()
            if record.allocation
            for table in record.tables
        ]
        for one, other in itertools.combinations(seats, 2):
            assert one[0] != other[0] or not one[2].overlaps(other[2]), (one, other)

    @invariant()
    def who_sits_has_tables(self):
        """Nothing but its own departure, or a move, takes them."""
        there = {(row[0], row[1]) for row in self.sat if row[3] is None}
        known = {
            (table, record.booking_id)
            for record in self.records()
            if record.allocation and record.allocation.sits
            for table in record.tables
        }
        assert there == known

    @invariant()
    def nobody_new_is_sent_to_them(self):
        """Planning finds the table taken from the arrival on, for a quarter of an hour past the turn."""
        now = self.now()
        soon = Booking("probe", "r-1", 1, now, now + OVERSTAY)
        plan = self.coordinator.preview(soon).plan
        taken = {row[0] for row in self.sat if row[3] is None}
        assert plan is None or not taken.intersection(plan.tables)

    @invariant()
    def every_history_says_who(self):
        """Versions have no gaps, and each act of the staff has its name."""
        for record in self.records():
            steps = self.coordinator.history(record.booking_id)
            assert [step.version for step in steps] == list(range(1, record.version + 1))
            for step in steps:
                if step.reason in STAFF:
                    assert step.actor == "ann"
            assert (record.allocation is not None) == (record.state in WITH_TABLES)


def play(make, examples, turn_from=TurnFrom.ARRIVAL, *, closes=True):
    """Play so many evenings on stores that *make* makes."""
    machine = type("Played", (Evening,), {"make": staticmethod(make), "turn_from": turn_from, "closes": closes})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    how = settings(max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(machine, settings=how)


@pytest.mark.parametrize("turn_from", TurnFrom)
def test_in_memory(turn_from):
    """Whatever turns count from."""
    play(MemoryHarness.new, 25, turn_from)


def test_in_sqlite():
    """In a file, with the same rules."""
    play(SQLiteHarness.new, 10)


def test_in_postgres(server):
    """On a server; each evening on empty tables."""

    def make(clock):
        server.reset()
        return server.harness(clock)

    play(make, 5, closes=False)
    server.reset()
