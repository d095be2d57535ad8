"""What `availability` keeps between calls: it is bounded, threads share it, and it changes no answer."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, ServicePeriod, Table, Venue, VenuePolicy
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning import known_times, searches
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.testing import FakeClock

DATE = FakeClock().now().date() + dt.timedelta(days=3)
EVENING = dt.datetime.combine(DATE, dt.time(18), dt.UTC)
SIZES = (1, 2, 4, 5, 6)


def house() -> Coordinator:
    tables = [Table(f"T{number}", 2 + number % 3) for number in range(6)]
    floor = FloorPlan(tables, [("T0", "T1"), ("T2", "T3"), ("T4", "T5")])
    policy = VenuePolicy(service_periods=[ServicePeriod("dinner", dt.time(18), dt.time(22))])
    # Steps end a search, not time: a slow machine finds as much.
    settings = Settings(reseat_budget=dt.timedelta(seconds=1), call_budget=dt.timedelta(seconds=1))
    engine = TableEngine(monotonic=lambda: 0.0)
    venue = Venue("r-1", "UTC", floor, policy)
    return Coordinator.in_memory(venue, clock=FakeClock(), settings=settings, engine=engine, sinks=())


def book(coordinator: Coordinator, number: int) -> None:
    start = EVENING + number % 9 * dt.timedelta(minutes=15)
    coordinator.assign(Booking(f"b-{number}", "r-1", 1 + number % 4, start))


def answers(coordinator: Coordinator) -> list[object]:
    """What is said of the evening as it fills, empties and fills again, and of the days behind it."""
    found: list[object] = []
    for number in range(15):
        book(coordinator, number)
        if number % 5 == 4:
            coordinator.cancel(f"b-{number - 2}")
        found += coordinator.availability("r-1", DATE, SIZES, until=DATE + dt.timedelta(days=number % 3)).slots
    return found


def test_what_is_forgotten_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With next to no memory, the answers are the same."""
    usual = answers(house())
    monkeypatch.setattr(known_times, "MOST_ROWS", 3)
    monkeypatch.setattr(known_times, "MOST_KINDS", 1)
    monkeypatch.setattr(searches, "MOST", 2)
    monkeypatch.setattr(searches, "MOST_FLOORS", 1)
    assert answers(house()) == usual


def test_threads_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several threads ask one coordinator while it forgets all the time: each is answered as one thread is."""
    monkeypatch.setattr(known_times, "MOST_ROWS", 3)
    monkeypatch.setattr(searches, "MOST", 2)
    monkeypatch.setattr(searches, "MOST_FLOORS", 1)
    coordinator = house()
    for number in range(12):
        book(coordinator, number)
    alone = coordinator.availability("r-1", DATE, SIZES).slots
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(coordinator.availability, "r-1", DATE, SIZES) for _ in range(12)]
        assert [each.result().slots == alone for each in asked] == [True] * 12
