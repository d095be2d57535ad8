"""Laying time is no guest: a person may shorten it by name, and two turns still never overlap; on every store."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    Booking,
    Coordinator,
    FloorPlan,
    Mode,
    Move,
    Occupied,
    Outcome,
    PlacementRefusedError,
    Reason,
    Settings,
    Table,
    TableConflictError,
    TimeWindow,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.domain.allocation import OVERSTAY
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.rollout.flags import FixedFlags

MINUTE = dt.timedelta(minutes=1)
BY = {"actor": "ann", "pin": False}
LAYING = ["laying_time"]


class Bistro:
    """Three tables, a quarter of an hour to lay each behind a party and ten minutes ahead of one, on a store."""

    def __init__(self, harness, clock, **settings):
        self.harness, self.clock = harness, clock
        floor = FloorPlan([Table(f"T{number}", 4) for number in (1, 2, 3)])
        policy = VenuePolicy(pre_buffer_minutes=10, post_buffer_minutes=15, reseat="off")
        harness.put_venue(Venue("bistro", "Europe/London", floor, policy))
        wiring = {"flags": FixedFlags(Mode.ACTIVE), "clock": clock, "sinks": (), "shadow": None}
        self.coordinator = Coordinator(harness.store, **wiring, settings=Settings(**settings))
        self.start = clock.now().replace(second=0, microsecond=0) + dt.timedelta(hours=2)
        self.bookings = {}

    def at(self, minutes):
        return self.start + minutes * MINUTE

    def booking(self, key, minutes, stay=60):
        booking = Booking(key, "bistro", 2, self.at(minutes), self.at(minutes + stay))
        self.harness.put_booking(booking)
        self.bookings[key] = booking
        return booking

    def placed(self, key, table, minutes, stay=60, **options):
        return self.coordinator.place(self.booking(key, minutes, stay), [table], **{**BY, **options})

    def kept(self, key):
        """From when to when its tables are kept, in minutes of the evening."""
        blocked = self.coordinator.record(key).allocation.blocked
        return (blocked.start - self.start) // MINUTE, (blocked.end - self.start) // MINUTE

    def go_to(self, minutes):
        self.clock.advance(self.at(minutes) - self.clock.now())

    def records(self):
        return self.coordinator.store.records(RecordQuery(limit=100)).records


@pytest.fixture
def bistro(harness, clock):
    made = Bistro(harness, clock)
    made.placed("early", "T1", 0)
    assert made.kept("early") == (-10, 75)
    return made


@pytest.mark.parametrize(
    ("minutes", "early", "late"),
    [
        (80, (-10, 75), (75, 155)),  # Only its own time to be laid is shorter.
        (75, (-10, 75), (75, 150)),
        (65, (-10, 65), (65, 140)),  # That of the party before is shorter, too.
        (60, (-10, 60), (60, 135)),  # One turn ends, and the next begins.
    ],
)
def test_a_person_shortens_it_by_name(bistro, minutes, early, late):
    """Without that, the refusal names the rule. With it, both windows are stored, and the history says who."""
    before = bistro.records()
    with pytest.raises(PlacementRefusedError) as caught:
        bistro.placed("late", "T1", minutes)
    assert caught.value.rules == ("laying_time",)
    assert bistro.records() == before
    result = bistro.placed("late", "T1", minutes, allow=LAYING)
    assert (result.outcome, result.moved) == (Outcome.CONFIRMED, ())
    assert (bistro.kept("early"), bistro.kept("late")) == (early, late)
    trail = bistro.coordinator.show("late")
    assert trail.attempts[-1].metadata["overruled"] == "laying_time"
    last = bistro.coordinator.history("early")[-1]
    shortened = early != (-10, 75)
    assert (last.reason == "laying_shortened", last.actor) == (shortened, "ann")
    assert last.tables == ("T1",)


def test_it_is_shortened_behind_a_party_as_well(bistro):
    """The one that is placed comes first."""
    bistro.placed("first", "T1", -65, allow=LAYING)
    assert (bistro.kept("first"), bistro.kept("early")) == ((-75, -5), (-5, 75))


def test_two_turns_never_overlap(bistro):
    """By a minute is too much, whatever is allowed."""
    before = bistro.records()
    with pytest.raises(TableConflictError):
        bistro.placed("late", "T1", 59, allow=LAYING)
    with pytest.raises(InvalidValueError):
        bistro.placed("late", "T1", 59, allow=["taken"])
    assert bistro.records() == before


def test_who_sits_on_is_no_laying_time(bistro):
    """Past its turn, a party that has not left is there: for a quarter of an hour, whatever is allowed."""
    bistro.go_to(0)
    bistro.coordinator.seated("early", actor="ann")
    bistro.go_to(62)
    with pytest.raises(TableConflictError):
        bistro.placed("late", "T1", 65, allow=LAYING)
    bistro.placed("later", "T1", 62 + OVERSTAY // MINUTE, allow=LAYING)


def test_what_the_host_has_given_away_is_taken(bistro):
    """Nobody knows how much of that is laying time."""
    window = TimeWindow(bistro.at(50), bistro.at(75))
    bistro.harness.occupy("bistro", Occupied(table_id="T2", window=window))
    with pytest.raises(TableConflictError):
        bistro.placed("late", "T2", 70, allow=LAYING)


def test_one_who_makes_room_may_need_it(bistro):
    """`place` with moves: the party that moves sits closer to another one."""
    bistro.placed("there", "T2", 70)
    bistro.placed("mover", "T3", 0)
    booking = bistro.booking("new", 0)
    moves = [Move("mover", ["T3"], ["T2"])]
    with pytest.raises(PlacementRefusedError) as caught:
        bistro.coordinator.place(booking, ["T3"], **BY, moves=moves)
    assert (caught.value.booking_id, caught.value.rules) == ("mover", ("laying_time",))
    bistro.coordinator.place(booking, ["T3"], **BY, moves=moves, allow=LAYING)
    assert bistro.coordinator.record("mover").tables == ("T2",)
    assert (bistro.kept("mover"), bistro.kept("there")) == ((-10, 60), (60, 145))


def test_a_rearrangement_shortens_it(bistro):
    """Between those who move, and of those who do not."""
    bistro.placed("there", "T2", 70)
    bistro.placed("other", "T3", -70)
    moves = [Move("early", ["T1"], ["T2"]), Move("other", ["T3"], ["T2"])]
    before = bistro.records()
    with pytest.raises(PlacementRefusedError):
        bistro.coordinator.rearrange(moves, actor="ann")
    assert bistro.records() == before
    results = bistro.coordinator.rearrange(moves, actor="ann", allow=LAYING)
    assert [result.tables for result in results] == [("T2",), ("T2",)]
    assert [bistro.kept(key) for key in ("other", "early", "there")] == [(-80, -10), (-10, 60), (60, 145)]
    assert bistro.coordinator.history("there")[-1].actor == "ann"


def test_who_comes_late_keeps_the_table_up_to_the_next_turn(bistro):
    """`seated` gives it the laying time of the next booking by name, and not without."""
    bistro.placed("late", "T1", 100)
    assert bistro.kept("late") == (90, 175)
    bistro.go_to(45)
    results = {}
    with pytest.raises(InvalidValueError, match="laying_time"):
        bistro.coordinator.seated("early", actor="ann", allow=["size"])
    results["short"] = bistro.coordinator.seated("early", actor="ann")
    assert (results["short"].until - bistro.start) // MINUTE == 90
    assert bistro.kept("early") == (-10, 90)


def test_who_comes_late_may_shorten_it(bistro):
    """The next booking's window is stored as it is, and its history says who."""
    bistro.placed("late", "T1", 100)
    bistro.go_to(45)
    result = bistro.coordinator.seated("early", actor="ann", allow=LAYING)
    assert (result.until - bistro.start) // MINUTE == 100
    assert (bistro.kept("early"), bistro.kept("late")) == ((-10, 100), (100, 175))
    assert bistro.coordinator.history("late")[-1].reason == "laying_shortened"
    assert result.displaced == ("late",)


def test_a_walk_in_may_shorten_it(bistro):
    """At a table that a person chose."""
    now = bistro.clock.now()
    until = bistro.start
    with pytest.raises(PlacementRefusedError):
        bistro.coordinator.walk_in("bistro", 2, actor="ann", booking_id="door", tables=["T1"], until=until)
    bistro.harness.put_booking(Booking("door", "bistro", 2, now.replace(second=0, microsecond=0)))
    wanted = {"booking_id": "door", "tables": ["T1"], "until": until, "allow": LAYING}
    result = bistro.coordinator.walk_in("bistro", 2, actor="ann", **wanted)
    assert result.until == until > now
    assert bistro.kept("early") == (0, 75)


def test_who_is_put_back_has_no_more_of_it_than_before(bistro):
    """A person has shortened it once: neither a cancellation nor its undoing asks for the rest again."""
    bistro.placed("late", "T1", 65, allow=LAYING)
    for key, kept in (("early", (-10, 65)), ("late", (65, 140))):
        bistro.coordinator.cancel(key, actor="ann")
        back = bistro.coordinator.reinstate(key, actor="ben")
        assert (back.outcome, back.tables, bistro.kept(key)) == (Outcome.CONFIRMED, ("T1",), kept)
        step = bistro.coordinator.history(key)[-1]
        assert (step.blocked, step.actor) == (bistro.coordinator.record(key).allocation.blocked, "ben")


def test_who_is_put_back_has_all_of_it_where_nobody_needs_it(bistro):
    """The party for which it was shortened has gone meanwhile."""
    bistro.placed("late", "T1", 65, allow=LAYING)
    bistro.coordinator.cancel("early", actor="ann")
    bistro.coordinator.cancel("late", actor="ann")
    assert bistro.coordinator.reinstate("early", actor="ben").tables == ("T1",)
    assert bistro.kept("early") == (-10, 75)


def test_another_turn_asks_for_all_of_it(bistro):
    """Who was put off by five minutes while it had ended has shortened nothing."""
    bistro.placed("late", "T1", 65, allow=LAYING)
    bistro.coordinator.cancel("early", actor="ann")
    bistro.harness.put_booking(attrs.evolve(bistro.bookings["early"], start_at=bistro.at(5), end_at=bistro.at(65)))
    back = bistro.coordinator.reinstate("early", actor="ben")
    assert back.outcome is Outcome.CONFIRMED
    assert back.tables in {("T2",), ("T3",)}
    assert bistro.kept("early") == (-5, 80)


def test_a_late_payment_gets_a_table_that_is_laid_in_less_time(harness, clock):
    """Its hold has expired; nobody else has the table."""
    bistro = Bistro(harness, clock, confirmation="external")
    held = bistro.coordinator.assign(bistro.booking("held", 0))
    assert held.outcome is Outcome.ASSIGNED
    bistro.placed("late", held.tables[0], 65, allow=LAYING)
    clock.advance(4 * MINUTE)
    bistro.coordinator.sweep()
    assert bistro.coordinator.confirm("held").tables == held.tables
    assert bistro.kept("held") == (-10, 65)


def test_who_changes_stays_at_a_table_that_is_laid_in_less_time(bistro):
    """Three instead of two, at the same time; by the guest or by a person."""
    bistro.placed("late", "T1", 65, allow=LAYING)
    three = attrs.evolve(bistro.bookings["early"], party_size=3)
    bistro.harness.put_booking(three)
    result = bistro.coordinator.reassign(three)
    assert (result.outcome, result.tables, bistro.kept("early")) == (Outcome.CONFIRMED, ("T1",), (-10, 65))
    assert bistro.coordinator.place(three, ["T1"], actor="ann").outcome is Outcome.CONFIRMED
    assert (bistro.kept("early"), bistro.coordinator.record("early").pinned) == ((-10, 65), True)


def test_who_stays_longer_is_told_that_only_laying_time_is_in_the_way(bistro):
    """And who is next; nothing is written. A turn in the way is no laying time."""
    bistro.placed("late", "T1", 100)
    bistro.go_to(0)
    bistro.coordinator.seated("early", actor="ann")
    before = bistro.records()
    kept = bistro.coordinator.extend("early", bistro.at(80), actor="ann")
    assert (kept.outcome, kept.reason, kept.displaced) == (Outcome.KEPT, Reason.LAYING_TIME, ("late",))
    turn = bistro.coordinator.extend("early", bistro.at(101), actor="ann", allow=LAYING)
    assert (turn.outcome, turn.reason, turn.displaced) == (Outcome.KEPT, Reason.NO_FIT, ("late",))
    with pytest.raises(InvalidValueError, match="laying_time"):
        bistro.coordinator.extend("early", bistro.at(80), actor="ann", allow=["size"])
    assert bistro.records() == before


@pytest.mark.parametrize(("until", "early", "late"), [(80, (-10, 90), (90, 175)), (95, (-10, 95), (95, 175))])
def test_who_stays_longer_may_shorten_it(bistro, until, early, late):
    """Its own first, and then that of the party that is next; the history of each says who."""
    bistro.placed("late", "T1", 100)
    result = bistro.coordinator.extend("early", bistro.at(until), actor="ann", allow=LAYING)
    assert (result.outcome, result.reason) == (Outcome.CONFIRMED, Reason.EXTENDED)
    assert (bistro.kept("early"), bistro.kept("late")) == (early, late)
    told = [step.reason for step in bistro.coordinator.history("late") if step.actor == "ann"]
    assert ("laying_shortened" in told) is (late != (90, 175))


PLACES = {
    "place": lambda bistro: bistro.coordinator.place(bistro.bookings["late"], ["T2"], **BY),
    "rearrange": lambda bistro: bistro.coordinator.rearrange([Move("mover", ["T3"], ["T2"])], actor="ann"),
}


@pytest.mark.parametrize("act", sorted(PLACES))
def test_a_refused_commit_names_the_rule_as_well(bistro, act):
    """Somebody was faster with the table between the decision and its commit: it is still laying time."""
    bistro.booking("late", 70)
    bistro.placed("mover", "T3", 70)
    store = bistro.coordinator.store
    sound = store.commit

    def faster(changes):
        store.commit = sound
        bistro.placed("first", "T2", 0)
        return sound(changes)

    store.commit = faster
    with pytest.raises(PlacementRefusedError) as caught:
        PLACES[act](bistro)
    assert caught.value.rules == ("laying_time",)


def test_who_sits_now_and_is_to_come_at_another_time_is_measured_by_that_time(bistro):
    """Its present stay says nothing of who is there later: a turn in the way is no laying time."""
    bistro.placed("early", "T1", 0)
    bistro.go_to(0)
    bistro.coordinator.seated("early", actor="ann")
    bistro.placed("later", "T2", 180)
    again = bistro.booking("early", 180)
    for allow in ((), LAYING):
        with pytest.raises(TableConflictError):
            bistro.coordinator.place(again, ["T2"], **BY, allow=allow)
    assert bistro.coordinator.record("early").tables == ("T1",)
