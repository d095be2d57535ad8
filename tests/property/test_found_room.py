"""Room that was found serves smaller parties, later arrivals, and who plans without time to search."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Outcome, ServicePeriod, Table, Venue, VenuePolicy
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning import displacing
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.testing import FakeClock

DATE = FakeClock().now().date() + dt.timedelta(days=3)
SEVEN = dt.datetime.combine(DATE, dt.time(19), dt.UTC)
QUARTER = dt.timedelta(minutes=15)


class Host:
    """A restaurant in which four have to make room for six, and a couple for the four; with a clock that may rush."""

    def __init__(self, monkeypatch, *more):
        self._monkeypatch = monkeypatch
        self.tick = 0.0
        self._ticks = itertools.count()
        arrivals = [(SEVEN + number * QUARTER).time() for number in range(3)]
        policy = VenuePolicy(service_periods=[ServicePeriod("dinner", dt.time(19), dt.time(23), arrivals=arrivals)])
        floor = FloorPlan(
            [
                Table("one", 1, zone="bar", accessible=True),
                Table("two", 2, zone="bar"),
                Table("four", 4),
                Table("six", 6),
                *more,
            ]
        )
        self.coordinator = Coordinator.in_memory(
            Venue("r-1", "UTC", floor, policy),
            clock=FakeClock(),
            engine=TableEngine(monotonic=self.monotonic),
            sinks=(),
        )
        self.coordinator.place(Booking("couple", "r-1", 2, SEVEN), ["four"], actor="anna", pin=False)
        self.coordinator.place(Booking("four", "r-1", 4, SEVEN), ["six"], actor="anna", pin=False)

    def hurry(self, *, again=0):
        """From now on, no search gets its time, and the short one no looks, or so many *again*."""
        self.tick = 1.0
        self._monkeypatch.setattr(displacing, "LOOKS", 0)
        self._monkeypatch.setattr(displacing, "LOOKS_AGAIN", again)

    def sits(self, name, table, **wishes):
        """A guest alone, who may be moved."""
        self.coordinator.place(Booking(name, "r-1", 1, SEVEN, **wishes), [table], actor="anna", pin=False)

    def monotonic(self):
        return next(self._ticks) * self.tick

    def says(self, *sizes):
        return [slot.status.value for slot in self.coordinator.availability("r-1", DATE, sizes).slots]

    def assign(self, size, start=SEVEN):
        return self.coordinator.assign(Booking("new", "r-1", size, start))


@pytest.fixture
def host(monkeypatch):
    return Host(monkeypatch)


def test_without_time_nobody_finds_it(host):
    """The room takes a search, so that a clock that rushes leaves none."""
    host.hurry()
    assert host.says(6) == ["unavailable"] * 3
    assert host.assign(6).outcome is not Outcome.CONFIRMED


def test_what_was_not_reached_is_looked_at_again(host, monkeypatch):
    """What a call had no time for counts as taken there, and not for the next one."""
    with monkeypatch.context() as patch:
        patch.setattr(displacing, "LOOKS", 0)
        patch.setattr(host, "tick", 60.0)  # A minute from one look at the clock to the next: no search begins.
        assert host.says(6) == ["unavailable"] * 3
    assert host.says(6) == ["with_moves"] * 3


def test_what_others_found_meanwhile_does_not_count(host):
    """Who asks for more sizes finds other room for six while a party is in the way of the first, until it leaves."""
    assert host.says(6) == ["with_moves"] * 3
    host.coordinator.place(Booking("single", "r-1", 1, SEVEN), ["two"], actor="anna", pin=False)
    assert host.says(6, 5) == ["with_moves"] * 6
    host.coordinator.cancel("single")
    host.hurry()
    assert host.says(6) == ["with_moves"] * 3
    assert host.assign(6).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize(("size", "start"), [(6, SEVEN), (5, SEVEN), (6, SEVEN + QUARTER), (5, SEVEN + 2 * QUARTER)])
def test_what_was_found_is_there_without_a_search(host, size, start):
    """For the same party, for a smaller one, and for those that arrive later; `assign` gives what is said."""
    assert host.says(6) == ["with_moves"] * 3
    host.hurry()
    assert host.says(size) == ["with_moves"] * 3
    result = host.assign(size, start)
    assert (result.outcome, result.tables, set(result.moved)) == (Outcome.CONFIRMED, ("six",), {"couple", "four"})


@pytest.mark.parametrize("act", ["pin", "move", "take"])
def test_it_is_gone_once_one_of_them_no_longer_does(host, act):
    """A party that must stay, sits elsewhere, or would find another where it was to go."""
    assert host.says(6) == ["with_moves"] * 3
    host.hurry()
    coordinator = host.coordinator
    if act == "pin":
        coordinator.pin("four", actor="anna")
    elif act == "move":
        coordinator.place(Booking("couple", "r-1", 2, SEVEN), ["two"], actor="anna", pin=False)
        assert host.says(6) == ["with_moves"] * 3  # The four go to the table that the couple left: no search.
        coordinator.place(Booking("single", "r-1", 1, SEVEN), ["four"], actor="anna")
    else:
        coordinator.place(Booking("single", "r-1", 1, SEVEN), ["two"], actor="anna")
    assert host.says(6) == ["unavailable"] * 3
    assert host.assign(6).outcome is not Outcome.CONFIRMED


def test_who_comes_into_its_way_makes_room_too(host):
    """A party that took one of the tables goes to a free one itself: that takes no search."""
    assert host.says(6) == ["with_moves"] * 3
    host.hurry()
    host.coordinator.place(Booking("single", "r-1", 1, SEVEN), ["two"], actor="anna", pin=False)
    assert host.says(6) == ["with_moves"] * 3
    result = host.assign(6)
    assert (result.outcome, set(result.moved)) == (Outcome.CONFIRMED, {"couple", "four", "single"})


def test_one_party_makes_room_for_who_came_into_its_way(monkeypatch):
    """Who took one of the tables can only go where another sits, who can go elsewhere: that takes no search."""
    host = Host(monkeypatch, Table("stool", 1))
    host.sits("other", "one")
    assert host.says(6) == ["with_moves"] * 3
    host.hurry(again=0)
    host.sits("single", "two", zone="bar")
    assert host.says(6) == ["with_moves"] * 3
    assert set(host.assign(6).moved) == {"couple", "four", "single", "other"}


@pytest.mark.parametrize(("looks", "said"), [(displacing.LOOKS_AGAIN, "with_moves"), (0, "unavailable")])
def test_a_few_looks_find_who_makes_room_for_those(monkeypatch, looks, said):
    """The other can only go where a third one sits, who can go elsewhere."""
    host = Host(monkeypatch, Table("stool", 1, accessible=True), Table("spare", 1))
    host.sits("other", "one", accessible=True)
    host.sits("third", "stool")
    assert host.says(6) == ["with_moves"] * 3
    host.hurry(again=looks)
    host.sits("single", "two", zone="bar")
    assert host.says(6) == [said] * 3
    assert set(host.assign(6).moved) == ({"couple", "four", "single", "other", "third"} if looks else set())


def test_seven_may_make_room_without_the_solver():
    """Each has a table that is one seat too large, and the only free one is the smallest: all have to move."""
    budget = dt.timedelta(seconds=1)  # As much for a few moves as in all: none of it is the solver's.
    policy = VenuePolicy(service_periods=[ServicePeriod("dinner", dt.time(19), dt.time(23), arrivals=[SEVEN.time()])])
    venue = Venue("r-1", "UTC", FloorPlan([Table(f"T{seats}", seats) for seats in range(2, 10)]), policy)
    settings = Settings(reseat_budget=budget, call_budget=budget)
    coordinator = Coordinator.in_memory(venue, clock=FakeClock(), settings=settings, sinks=())
    for size in range(2, 9):
        coordinator.place(Booking(f"b-{size}", "r-1", size, SEVEN), [f"T{size + 1}"], actor="anna", pin=False)
    assert [slot.status.value for slot in coordinator.availability("r-1", DATE, [9]).slots] == ["with_moves"]
    result = coordinator.assign(Booking("new", "r-1", 9, SEVEN))
    assert (result.outcome, result.tables, len(result.moved)) == (Outcome.CONFIRMED, ("T9",), 7)
