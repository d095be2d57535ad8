"""A whole day planned anew: shown, done in one commit, and never at the expense of who may not be moved."""

from __future__ import annotations

import asyncio
import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    Arrivals,
    AssignmentState,
    AsyncCoordinator,
    FixedFlags,
    Mode,
    Outcome,
    PacingRule,
    Reason,
    ServicePeriod,
    Settings,
    TableConflictError,
    Venue,
    VenueNotFoundError,
    VenuePolicy,
)
from assignment_pipeline.domain.periods import SpecialDay
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import CommitUnknownError, StoreUnavailableError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.testing import FakeClock

pytest.importorskip("highspy", reason="the extra optimize is not installed")

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def day(house):
    """The day on which the house's bookings are."""
    return house.venue.service_date(house.clock.now() + dt.timedelta(days=1))


@pytest.fixture
def coordinator(house):
    """One that gives up at once, so that what finds no tables waits for a person."""
    return house.coordinator(settings=Settings(max_retries=0))


@pytest.fixture
def crowded(house, coordinator):
    """Two at the table for four, four who wait for it, and a table for two that has come free."""
    house.venue = attrs.evolve(house.venue, policy=attrs.evolve(house.venue.policy, reseat="off"), version="v2")
    house.host.put_venue(house.venue)
    for name in ("F1", "F2", "F3"):
        coordinator.assign(house.booking(name, 2))
    assert coordinator.assign(house.booking("B1", 4)).outcome is Outcome.MANUAL_REVIEW
    coordinator.cancel(next(name for name in ("F1", "F2") if house.record(name).tables == ("T1",)))
    return house


def out_of_use(house, table_id):
    """The same restaurant, with a table out of use."""
    tables = [attrs.evolve(table, active=table.active and table.id != table_id) for table in house.venue.floor.tables]
    house.venue = attrs.evolve(
        house.venue, floor=attrs.evolve(house.venue.floor, tables=tables), version=f"{house.venue.version}-{table_id}"
    )
    house.host.put_venue(house.venue)


def test_a_better_day_is_shown(crowded, coordinator, day):
    """Who would move and who would be seated, with the numbers; nothing is written."""
    crowded.store.asked.clear()
    found = coordinator.reoptimize("R1", day)
    assert [(move.booking_id, move.origin, move.tables) for move in found.diff.moves] == [("F3", ("T3",), ("T1",))]
    assert [(name, plan.tables) for name, plan in found.diff.seated] == [("B1", ("T3",))]
    assert (found.diff.covers_before, found.diff.covers_after, found.diff.bound) == (4, 8, 8)
    assert (found.diff.gap, found.diff.proved, found.applied) == (0, True, False)
    assert set(crowded.store.asked) == {"load"}


def test_it_is_done_in_one_commit(crowded, coordinator, day):
    """With a row of history each, and events that say why."""
    crowded.store.asked.clear()
    assert coordinator.reoptimize("R1", day, apply=True, actor="ann").applied
    assert crowded.store.asked == ["load", "load", "commit"]
    assert crowded.record("B1").tables == ("T3",)
    assert crowded.record("B1").state is AssignmentState.CONFIRMED
    assert crowded.record("F3").tables == ("T1",)
    moved, seated = crowded.store.history("F3")[-1], crowded.store.history("B1")[-1]
    assert (moved.trigger, moved.reason, moved.actor) == (Trigger.MOVE, "reoptimize", "ann")
    assert (seated.trigger, seated.actor) == (Trigger.CONFIRM, "ann")
    assert crowded.store.attempts("B1")[-1].strategy == "repack"
    assert crowded.told().count("booking.reseated") == 1
    again = coordinator.reoptimize("R1", day, apply=True, actor="ann")
    assert (again.diff.is_empty, again.applied) == (True, False)


def test_what_it_writes_is_of_the_stores_time(crowded, day):
    """Whatever the clock of this process says; and its events say what the flags said."""
    behind = FakeClock(crowded.clock.now() - dt.timedelta(hours=5))
    assert crowded.coordinator(clock=behind).reoptimize("R1", day, apply=True).applied
    assert {crowded.store.history(name)[-1].created_at for name in ("F3", "B1")} == {crowded.clock.now()}
    (moved,) = [event for event in crowded.sink.events if event.type == "booking.reseated"]
    assert moved.context["mode"] is Mode.ACTIVE


def test_a_good_day_is_left_alone(house, coordinator, day):
    """A room is not shuffled for nothing."""
    for name, size in (("B1", 2), ("B2", 4)):
        coordinator.assign(house.booking(name, size))
    house.store.asked.clear()
    found = coordinator.reoptimize("R1", day, apply=True, actor="ann")
    assert found.diff.is_empty
    assert "commit" not in house.store.asked
    assert found.diff.covers_after == found.diff.covers_before == 6


def test_who_stood_on_a_table_out_of_use_is_seated_elsewhere(house, coordinator, day):
    """Be it taken off the floor, or blocked for a while."""
    coordinator.assign(house.booking("B1", 2))
    coordinator.assign(house.booking("B2", 2))
    out_of_use(house, *house.record("B1").tables)
    found = coordinator.reoptimize("R1", day, apply=True, actor="ann")
    assert [move.booking_id for move in found.diff.moves] == ["B1"]
    assert found.stranded == ()
    assert house.record("B1").tables == ("T3",)
    turn = house.record("B2").allocation.turn
    coordinator.block("R1", house.record("B2").tables[0], turn, actor="ann", reason="maintenance")
    assert coordinator.reoptimize("R1", day).stranded == ("B2",)


@pytest.mark.parametrize(
    ("change", "helps"),
    [
        ({"capacity": 1, "max_party_size": 1}, True),
        ({"zone": "patio"}, True),
        ({"seating": "outdoor"}, True),
        ({"accessible": False}, False),  # Nobody asked for it.
    ],
)
def test_who_no_longer_suits_its_table_is_seated_elsewhere(house, coordinator, day, change, helps):
    """Be the table too small by now, or in another zone than was asked for. Who suits it stays."""
    tables = [attrs.evolve(table, zone="hall", accessible=True) for table in house.venue.floor.tables]
    put_tables(house, tables)
    coordinator.assign(house.booking("B1", 2, zone="hall", seating="indoor", accessible=False))
    (had,) = house.record("B1").tables
    put_tables(house, [attrs.evolve(table, **change) if table.id == had else table for table in tables])
    assert bool(coordinator.audit("R1").findings) == helps
    found = coordinator.reoptimize("R1", day, apply=True, actor="ann")
    assert [move.booking_id for move in found.diff.moves] == (["B1"] if helps else [])
    assert found.stranded == ()
    assert coordinator.audit("R1").findings == ()


def test_whose_hour_is_gone_stays_and_is_named(house, coordinator, day):
    """No other table gives it another time: it is not moved in vain."""
    coordinator.assign(house.booking("B1", 2))
    closed = attrs.evolve(house.venue.policy, special_days=[SpecialDay(date=day, closed=True)])
    house.host.put_venue(attrs.evolve(house.venue, policy=closed, version="closed"))
    found = coordinator.reoptimize("R1", day, apply=True, actor="ann")
    assert (found.diff.moves, found.stranded, found.applied) == ((), ("B1",), False)


def with_policy(house, **policy):
    house.venue = Venue("R1", "Europe/London", house.venue.floor, VenuePolicy(reseat="off", **policy))
    house.host.put_venue(house.venue)


def hours(house, first, last, **facts):
    """A period from so many minutes from now on, up to so many."""
    local = [(house.clock.now() + minutes * MINUTE).astimezone(house.venue.zone).time() for minutes in (first, last)]
    start, end = (time.replace(second=0, microsecond=0) for time in local)
    return [ServicePeriod("now", start, end, **facts)]


@pytest.mark.parametrize("how", ["before the doors", "between arrivals", "beyond a cap", "past closing"])
def test_who_was_let_in_by_a_person_is_not_stranded(house, coordinator, how):
    """Nor one that stays past closing: the person decided on its time. A table that breaks a rule is another matter."""
    allow = []
    if how == "before the doors":
        with_policy(house, service_periods=hours(house, 60, 240))
        allow = ["outside_service"]
    elif how == "between arrivals":
        with_policy(house, service_periods=hours(house, -7, 240, arrivals=Arrivals(every=30)))
    elif how == "beyond a cap":
        with_policy(house, pacing=[PacingRule(minutes=60, parties=1)])
        coordinator.walk_in("R1", 2, actor="ann")
        allow = ["pacing"]
    else:
        with_policy(house, service_periods=hours(house, -60, 120))
    result = coordinator.walk_in("R1", 2, actor="ann", allow=allow)
    assert result.outcome is Outcome.CONFIRMED
    if how == "past closing":
        coordinator.extend(result.booking_id, result.until + 60 * MINUTE, actor="ann")
    today = house.venue.service_date(house.clock.now())
    assert coordinator.reoptimize("R1", today).stranded == ()
    out_of_use(house, result.tables[0])
    assert coordinator.reoptimize("R1", today).stranded == (result.booking_id,)


def put_tables(house, tables):
    """The same restaurant, with these tables."""
    floor = attrs.evolve(house.venue.floor, tables=tables)
    house.venue = attrs.evolve(house.venue, floor=floor, version=f"{house.venue.version}+")
    house.host.put_venue(house.venue)


def test_who_may_not_be_moved_stays_and_is_named(house, coordinator, day):
    """Pinned, although the table is gone."""
    coordinator.assign(house.booking("B1", 2))
    coordinator.pin("B1", actor="ann")
    out_of_use(house, *house.record("B1").tables)
    found = coordinator.reoptimize("R1", day, apply=True, actor="ann")
    assert (found.diff.moves, found.stranded, found.applied) == ((), ("B1",), False)


def test_who_arrives_soon_stays(crowded, coordinator, day):
    """Half an hour before."""
    crowded.clock.advance(crowded.record("F3").allocation.turn.start - crowded.clock.now() - 30 * MINUTE)
    assert coordinator.reoptimize("R1", day).diff.is_empty


def test_who_wants_no_tables_any_more_gets_none(crowded, coordinator, day):
    """By the host's word."""
    crowded.host.put_booking(attrs.evolve(crowded.host.booking(None, "B1"), status="cancelled"))
    assert coordinator.reoptimize("R1", day).diff.seated == ()


@pytest.mark.parametrize("why", ["its time is over", "a person decides on such parties", "closed then", "elsewhere"])
def test_who_could_not_be_seated_as_it_asked_gets_no_tables(crowded, coordinator, day, why):
    """Though tables are free: what `assign` would refuse, no new plan of the day allows."""
    booking, policy = crowded.host.booking(None, "B1"), crowded.venue.policy
    if why == "its time is over":
        crowded.clock.advance(booking.start_at - crowded.clock.now() + MINUTE)
        day = crowded.venue.service_date(booking.start_at)
    elif why == "elsewhere":
        crowded.host.put_venue(attrs.evolve(crowded.venue, id="R2"))
        crowded.host.put_booking(attrs.evolve(booking, restaurant_id="R2"))
    else:
        closed = {"special_days": (SpecialDay(date=day, closed=True),)}
        rule = closed if why == "closed then" else {"review_from_party": 4}
        crowded.host.put_venue(attrs.evolve(crowded.venue, policy=attrs.evolve(policy, **rule), version="v3"))
    for name in ("F1", "F2", "F3"):
        coordinator.cancel(name)
    assert coordinator.reoptimize("R1", day).diff.seated == ()


def test_other_days_are_other_days(crowded, coordinator, day):
    """Nothing of them is looked at."""
    found = coordinator.reoptimize("R1", day + dt.timedelta(days=1))
    assert (found.diff.is_empty, found.diff.covers_before) == (True, 0)


@pytest.mark.parametrize("meanwhile", ["cancelled", "taken"])
def test_others_who_are_faster_are_respected(crowded, coordinator, day, meanwhile):
    """The day is planned again."""
    other = crowded.coordinator()
    walk_in = crowded.booking("W1", 2)

    def happen():
        if meanwhile == "cancelled":
            other.cancel("B1")
        else:
            other.place(walk_in, ["T1"], actor="bob")

    crowded.store.before["commit"] = [happen]
    found = coordinator.reoptimize("R1", day, apply=True, actor="ann")
    assert not found.applied
    assert found.diff.is_empty
    assert crowded.record("F3").tables == ("T3",)


def test_it_gives_up_where_others_are_faster_every_time(crowded, coordinator, day):
    """And says so."""
    crowded.store.before["commit"] = [TableConflictError(("T1",))] * 5
    found = coordinator.reoptimize("R1", day, apply=True, actor="ann")
    assert (found.applied, found.reason) == (False, Reason.CONFLICT)


def test_what_goes_wrong_is_raised(crowded, coordinator, day):
    """A person asked, and wants to know; a lost answer is looked up."""
    crowded.store.behind["commit"] = [CommitUnknownError("sent, and no answer")]
    assert coordinator.reoptimize("R1", day, apply=True, actor="ann").applied
    crowded.store.before["load"] = [StoreUnavailableError("gone")]
    with pytest.raises(StoreUnavailableError):
        coordinator.reoptimize("R1", day)
    with pytest.raises(VenueNotFoundError):
        coordinator.reoptimize("R9", day)


def test_held_tables_stay_held(house, day):
    """Where the host confirms, who is seated waits for that."""
    coordinator = house.coordinator(settings=Settings(confirmation="external", max_retries=0))
    house.venue = attrs.evolve(house.venue, policy=attrs.evolve(house.venue.policy, reseat="off"), version="v2")
    house.host.put_venue(house.venue)
    for name in ("F1", "F2", "F3"):
        coordinator.assign(house.booking(name, 2))
    coordinator.assign(house.booking("B1", 4))
    coordinator.cancel("F1")
    assert coordinator.reoptimize("R1", day, apply=True, actor="ann").applied
    assert house.record("B1").state is AssignmentState.ASSIGNED
    assert house.record("B1").next_attempt_at is not None
    assert house.record("F3").state is AssignmentState.ASSIGNED


def test_asyncio_hosts_have_it_too(crowded, day):
    """The same flow."""
    coordinator = AsyncCoordinator(crowded.store, **crowded.options)
    assert asyncio.run(coordinator.reoptimize("R1", day, apply=True, actor="ann")).applied


def test_no_day_lands_that_was_planned_before_a_rollback(crowded, day):
    """Not even one that a person asked for: the flags are read again, and nothing was changed."""
    flags = Moving()
    coordinator = crowded.coordinator(flags=flags)
    crowded.store.before["commit"] = [lambda: flags.move_to(crowded.store, Mode.OFF)]
    found = coordinator.reoptimize("R1", day, apply=True, actor="ann")
    assert (found.applied, found.reason) == (False, Reason.PIPELINE_DISABLED)
    assert crowded.record("F3").tables == ("T3",)


def test_moves_alone_are_held_up_by_a_rollback_too(house, day):
    """A day on which nobody new is seated is fenced like any other."""
    flags = Moving()
    coordinator = house.coordinator(flags=flags)
    coordinator.assign(house.booking("B1", 2))
    before = house.record("B1").tables
    out_of_use(house, *before)
    house.store.before["commit"] = [lambda: flags.move_to(house.store, Mode.OFF)]
    found = coordinator.reoptimize("R1", day, apply=True, actor="ann")
    assert ([move.booking_id for move in found.diff.moves], found.diff.seated) == (["B1"], ())
    assert (found.applied, found.reason) == (False, Reason.PIPELINE_DISABLED)
    assert (house.record("B1").tables, flags.doubted) == (before, [0])


def test_who_has_not_heard_of_a_rollback_applies_nothing(crowded, day):
    """As long as the flags are those of before, it is not done."""
    flags = Moving()
    crowded.store.revise(RolloutRevision(generation=1, phase="rollback", settings={}))
    found = crowded.coordinator(flags=flags).reoptimize("R1", day, apply=True, actor="ann")
    assert (found.applied, found.reason) == (False, Reason.CONFLICT)
    assert flags.doubted == [0] * Settings().tries


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_where_the_pipeline_is_not_in_charge_it_is_only_shown(crowded, day, mode):
    """What could be is answered, and stays so."""
    found = crowded.coordinator(flags=FixedFlags(mode)).reoptimize("R1", day, apply=True, actor="ann")
    assert (found.applied, found.reason, found.diff.is_empty) == (False, Reason.PIPELINE_DISABLED, False)
    assert crowded.record("F3").tables == ("T3",)


class Moving:
    """Flags of the store's rollout, which the test moves."""

    def __init__(self):
        self.mode, self.generation, self.doubted = Mode.ACTIVE, 0, []

    def move_to(self, store, mode):
        self.mode, self.generation = mode, self.generation + 1
        store.revise(RolloutRevision(generation=self.generation, phase="rollback", settings={}))

    def resolve(self, restaurant_id):
        found = FixedFlags(self.mode).resolve(restaurant_id)
        return attrs.evolve(found, generation=self.generation)

    def stale(self, generation):
        self.doubted.append(generation)
