"""What is due and needs no more than free tables is seated together: one commit, each booking guarded as if alone."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import AssignmentState, Booking, Coordinator, FloorPlan, Mode, Table, Venue, VenuePolicy
from assignment_pipeline.adapters.memory import MemoryHost, MemorySink
from assignment_pipeline.errors import CommitUnknownError
from assignment_pipeline.flow.effects import Port
from assignment_pipeline.ports import Wanted
from assignment_pipeline.rollout.flags import FixedFlags
from tests.flow.conftest import LossyStore

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
PARTIES = (2, 3, 2, 4, 1, 2)


def town_like(house):
    """Three restaurants with four tables each, at the time of *house*."""
    floor = FloorPlan([Table("T1", 2), Table("T2", 2), Table("T3", 4), Table("T4", 4)], [("T1", "T2")])
    venues = [Venue(f"R{number}", "Europe/London", floor, VenuePolicy(reseat="off")) for number in (1, 2, 3)]
    store, sink = LossyStore(MemoryHost(*venues), clock=house.clock), MemorySink()
    return attrs.evolve(house, host=store.host, store=store, sink=sink, options={**house.options, "sinks": (sink,)})


@pytest.fixture
def town(house):
    """One of those."""
    return town_like(house)


def enqueue(town, *, days=1):
    """Two bookings at each restaurant, due now."""
    coordinator = town.coordinator()
    start = town.clock.now().replace(hour=18, minute=0, second=0, microsecond=0)
    for number, size in enumerate(PARTIES):
        booking = Booking(f"B{number}", f"R{1 + number % 3}", size, start + (1 + number // 3 % days) * DAY)
        town.host.put_booking(booking)
        coordinator.enqueue(booking)
    town.clock.advance(MINUTE)
    town.store.asked.clear()
    return [f"B{number}" for number in range(len(PARTIES))]


def seatings(town):
    """What is kept of each booking."""
    records = {name: town.record(name) for name in (f"B{number}" for number in range(len(PARTIES)))}
    return {
        name: (record.state, record.tables, record.version, record.attempts, record.deliveries, record.next_attempt_at)
        for name, record in records.items()
    }


@pytest.mark.parametrize(("days", "loads"), [(1, 3), (2, 6)])
def test_one_commit_for_all(town, days, loads):
    """And one snapshot for each evening of a restaurant, as the store's calls are counted."""
    names = enqueue(town, days=days)
    report = town.coordinator().sweep()
    assert sorted(result.booking_id for result in report.results) == names
    assert {result.outcome for result in report.results} == {"confirmed"}
    assert report.errors == ()
    assert (town.store.asked.count("commit"), town.store.asked.count("load")) == (1, loads)


def test_it_comes_to_the_same_as_one_by_one(house, town):
    """The same tables, transitions, attempts and events."""
    alone = town_like(house)
    for each in (town, alone):
        enqueue(each)
        each.sink.events.clear()
    town.coordinator().sweep()
    for _ in PARTIES:
        alone.coordinator().sweep(limit=1)
    assert (town.store.asked.count("commit"), alone.store.asked.count("commit")) == (1, len(PARTIES))
    assert seatings(town) == seatings(alone)
    assert sorted(town.told()) == sorted(alone.told())


def test_who_finds_no_table_is_taken_up_alone(town):
    """And those behind it, at its restaurant and that evening: nobody who has waited less is seated first."""
    names = enqueue(town)
    coordinator = town.coordinator()
    for number in range(4):
        start = town.host.booking(None, "B0").start_at
        assert coordinator.assign(Booking(f"X{number}", "R1", 2, start)).outcome == "confirmed"
    town.store.asked.clear()
    results = coordinator.sweep().results
    assert sorted(result.booking_id for result in results) == names
    assert {result.booking_id for result in results if result.outcome == "confirmed"} == {"B1", "B2", "B4", "B5"}
    assert town.store.asked.count("commit") == 1 + 2


def test_who_was_faster_costs_nobody_its_tables(town):
    """A table that is taken between the look and the commit: nothing of that lands, and each is seated alone."""
    names = enqueue(town)
    other = town.coordinator()
    start = town.host.booking(None, "B0").start_at

    def take():
        assert other.assign(Booking("faster", "R1", 2, start)).outcome == "confirmed"

    town.store.before["commit"] = [take]
    results = town.coordinator().sweep().results
    assert {result.booking_id: result.outcome for result in results} == dict.fromkeys(names, "confirmed")
    tables = [set(town.record(name).tables) for name in ("B0", "B3", "faster")]
    assert sum(map(len, tables)) == len(set.union(*tables))


def test_a_lost_answer_is_looked_up(town):
    """All has landed, or nothing: it is found out with one question, and told once."""
    names = enqueue(town)
    town.store.behind["commit"] = [CommitUnknownError("cut")]
    results = town.coordinator().sweep().results
    assert {result.booking_id: result.outcome for result in results} == dict.fromkeys(names, "confirmed")
    assert (town.store.asked.count("commit"), town.store.asked.count("knows")) == (1, 1)
    assert town.told().count("coordinator.confirmed") == len(names)


def test_a_booking_that_somebody_cancels_meanwhile_stays_cancelled(town):
    """The commit compares each booking's version: the others are seated alone."""
    names = enqueue(town)
    other = town.coordinator()
    town.store.before["commit"] = [lambda: other.cancel("B1")]
    town.coordinator().sweep()
    states = {name: town.record(name).state for name in names}
    assert states == dict.fromkeys(names, AssignmentState.CONFIRMED) | {"B1": AssignmentState.CANCELLED}


def test_only_the_pipelines_restaurants(town):
    """Where it is off, the booking is taken up alone, and handed to a person."""
    names = enqueue(town)

    class Partly:
        def resolve(self, restaurant_id):
            return FixedFlags(Mode.OFF if restaurant_id == "R2" else Mode.ACTIVE).resolve(restaurant_id)

    Coordinator(town.store, **{**town.options, "flags": Partly()}).sweep()
    states = {name: town.record(name).state for name in names}
    assert {name for name, state in states.items() if state is AssignmentState.CONFIRMED} == {"B0", "B2", "B3", "B5"}


def test_a_restaurant_with_enough_to_do_keeps_nobody_else_waiting(town):
    """Its bookings are put back; those of the others are seated together."""
    names = enqueue(town)
    coordinator = town.coordinator(flags=FixedFlags(Mode.ACTIVE, max_parallel=1))
    slots = coordinator._wiring.ports[Port.LIMITER]
    slots.acquire([Wanted("restaurant:R2", 1)], ttl=MINUTE)
    results = coordinator.sweep().results
    told = {result.booking_id: (result.outcome, result.reason) for result in results}
    assert told == dict.fromkeys(names, ("confirmed", None)) | dict.fromkeys(("B1", "B4"), ("retry", "rate_limited"))
    assert town.store.asked.count("commit") == 1
