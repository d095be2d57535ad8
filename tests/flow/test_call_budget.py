"""How long a call looks for moves, and what is left to the sweep."""

import datetime as dt
import itertools
import random

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Settings, Table, Venue
from assignment_pipeline.planning import exact, repack
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.testing import FakeClock

pytestmark = pytest.mark.skipif(not exact.available(), reason="highspy is not installed")

OPENING = dt.datetime(2031, 5, 2, 17, tzinfo=dt.UTC)
NO_TIME = Settings(call_budget=dt.timedelta(milliseconds=1))


def restaurant(tables):
    """A floor with rows of four tables that join, from a seed."""
    drawn = random.Random(tables)
    names = [f"T{number:03}" for number in range(tables)]
    floor = FloorPlan(
        [Table(name, drawn.choice([2, 2, 4, 4, 6])) for name in names],
        adjacent=[pair for number, pair in enumerate(itertools.pairwise(names)) if number % 4 != 3],
    )
    return Venue("chez-nous", "Europe/Paris", floor)


def guests(number):
    """An evening's bookings, from a seed."""
    drawn = random.Random(number)
    for guest in range(number):
        arrival = OPENING + dt.timedelta(minutes=15 * drawn.randrange(20))
        yield Booking(f"b-{guest}", "chez-nous", drawn.choice([1, 2, 2, 2, 3, 4, 4, 5, 6, 8]), arrival)


class Ticking:
    """The time of the planning: only a look at it takes some, so that a busy machine changes nothing."""

    def __init__(self):
        self.looks = 0

    def monotonic(self):
        self.looks += 1
        return self.looks * 20e-6


@pytest.fixture
def clock():
    """The time of the coordinator."""
    return FakeClock()


@pytest.fixture
def solved(monkeypatch):
    """The seconds that the solver was given, one number for each time. In truth it may take as long as it needs."""
    given = []
    exact.load()
    solve = exact.Model.solve

    def recorded(model, seconds, **options):
        given.append(seconds)
        return solve(model, 60.0, **options)

    monkeypatch.setattr(exact.Model, "solve", recorded)
    return given


@pytest.fixture
def coordinated(clock, monkeypatch):
    """Makes a coordinator for a restaurant with so many tables."""
    ticking = Ticking()
    monkeypatch.setattr(repack, "time", ticking)

    def make(tables, **options):
        engine = TableEngine(monotonic=ticking.monotonic)
        return Coordinator.in_memory(restaurant(tables), clock=clock, engine=engine, sinks=(), **options)

    return make


def test_a_call_leaves_the_long_search_to_the_sweep(coordinated, solved, clock):
    """Without time for it a call proves nothing and waits; the sweep then finds moves, or proves that none exist."""
    coordinator = coordinated(15, settings=NO_TIME)
    results = [coordinator.assign(booking) for booking in guests(60)]
    assert not solved
    waiting = {result.booking_id for result in results if (result.outcome, result.reason) == ("retry", "no_fit")}
    assert waiting

    swept = {}
    for _ in range(len(waiting)):  # A sweep gives back what it does not come to in its time.
        clock.advance(dt.timedelta(minutes=1))
        swept |= {result.booking_id: result for result in coordinator.sweep().results}

    assert waiting <= set(swept)
    assert 4 < max(solved) <= NO_TIME.repack_budget.total_seconds()
    found = {coordinator.record(name).strategy for name, result in swept.items() if result.outcome == "confirmed"}
    assert found
    assert found <= {"reseating", "repack"}
    assert any(result.reason == "infeasible" for result in swept.values())


def test_on_a_small_floor_a_call_proves_by_itself(coordinated, solved):
    """Where the proof is expected in time, the guest gets the answer at once."""
    coordinator = coordinated(8)
    results = [coordinator.assign(booking) for booking in guests(32)]
    assert any(result.reason == "infeasible" for result in results)
    assert 0.02 < max(solved) <= Settings().call_budget.total_seconds()


def test_on_a_large_floor_a_call_does_not_begin(coordinated, solved):
    """What is not expected to end in time is not begun, however large the floor."""
    coordinator = coordinated(60)
    results = [coordinator.assign(booking) for booking in guests(240)]
    assert any((result.outcome, result.reason) == ("retry", "no_fit") for result in results)
    assert not solved


def test_who_gives_a_deadline_gets_that_long(coordinated, solved):
    """A deadline of the caller's replaces the settings', in a call too."""
    coordinator = coordinated(15, settings=NO_TIME)
    for booking in guests(60):
        coordinator.assign(booking, deadline=dt.timedelta(seconds=3))
    assert 1 < max(solved) <= 3


def test_the_size_decides():
    """Twice as many parties or seatings take twice as long."""
    venue = restaurant(8)

    class Floor:
        sitting = (None,) * 10

    Floor.venue = venue
    once = repack.least_seconds(Floor)
    Floor.sitting *= 2
    assert repack.least_seconds(Floor) == pytest.approx(2 * once)
