"""How long a call looks for moves, and what is left to the sweep."""

import datetime as dt
import itertools
import random

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Settings, Table, Venue
from assignment_pipeline.planning import exact, repack
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


@pytest.fixture
def solved(monkeypatch):
    """How often the solver was asked, and for how many seconds each time."""
    asked = []
    solve = exact.Model.solve

    def counted(model, seconds, **options):
        asked.append(seconds)
        return solve(model, seconds, **options)

    monkeypatch.setattr(exact.Model, "solve", counted)
    return asked


def test_a_call_leaves_the_long_search_to_the_sweep(solved):
    """Without time for it a call proves nothing and waits; the sweep then finds moves, or proves that none exist."""
    clock = FakeClock()
    coordinator = Coordinator.in_memory(restaurant(15), clock=clock, settings=NO_TIME, sinks=())
    results = [coordinator.assign(booking) for booking in guests(60)]
    assert not solved
    waiting = {result.booking_id for result in results if (result.outcome, result.reason) == ("retry", "no_fit")}
    assert waiting

    swept = {}
    for _ in range(len(waiting)):  # A sweep gives back what it does not come to in its time.
        clock.advance(dt.timedelta(minutes=1))
        swept |= {result.booking_id: result for result in coordinator.sweep().results}

    assert waiting <= set(swept)
    assert max(solved) > 1
    found = {coordinator.record(name).strategy for name, result in swept.items() if result.outcome == "confirmed"}
    assert found
    assert found <= {"reseating", "repack"}
    assert any(result.reason == "infeasible" for result in swept.values())


def test_on_a_small_floor_a_call_proves_by_itself(solved):
    """Where the proof is expected in time, the guest gets the answer at once."""
    coordinator = Coordinator.in_memory(restaurant(8), clock=FakeClock(), sinks=())
    results = [coordinator.assign(booking) for booking in guests(32)]
    assert any(result.reason == "infeasible" for result in results)
    assert max(solved) <= NO_TIME.repack_budget.total_seconds() / 10


def test_on_a_large_floor_a_call_does_not_begin(solved):
    """What is not expected to end in time is not begun, however large the floor."""
    coordinator = Coordinator.in_memory(restaurant(60), clock=FakeClock(), sinks=())
    results = [coordinator.assign(booking) for booking in guests(240)]
    assert any((result.outcome, result.reason) == ("retry", "no_fit") for result in results)
    assert not solved


def test_who_gives_a_deadline_gets_that_long(solved):
    """A deadline of the caller's replaces the settings', in a call too."""
    coordinator = Coordinator.in_memory(restaurant(15), clock=FakeClock(), settings=NO_TIME, sinks=())
    for booking in guests(60):
        coordinator.assign(booking, deadline=dt.timedelta(seconds=3))
    assert max(solved) > 1


def test_the_size_decides():
    """Twice as many parties or seatings take twice as long."""
    venue = restaurant(8)

    class Floor:
        sitting = (None,) * 10

    Floor.venue = venue
    once = repack.least_seconds(Floor)
    Floor.sitting *= 2
    assert repack.least_seconds(Floor) == pytest.approx(2 * once)
