"""What the engine remembers of searches in vain: it spares searches, and changes no answer."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from assignment_pipeline import Booking, FloorPlan, Occupied, Reason, Table, Venue
from assignment_pipeline.planning import tiers
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.planning.options import Arrangement, Option
from assignment_pipeline.planning.searches import LONG

EVENING = dt.datetime(2031, 5, 2, 17, tzinfo=dt.UTC)
QUARTER = dt.timedelta(minutes=15)
PLENTY = Budget(dt.timedelta(minutes=1), dt.timedelta(minutes=1))


class Evening:
    """A restaurant's evening: who sits where, as it fills."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.seated: dict[str, tuple[SeatingRequest, tuple[str, ...], bool]] = {}

    @property
    def floor(self) -> FloorSnapshot:
        parties = [(request, tables) for request, tables, pinned in self.seated.values() if not pinned]
        rows = [
            Occupied(table_id=table, window=request.blocked, booking_id=request.booking.id, movable=not pinned)
            for request, tables, pinned in self.seated.values()
            for table in tables
        ]
        return FloorSnapshot.of(self.venue, rows, sitting=[Sitting(request, tables) for request, tables in parties])

    def ask(self, engine: TableEngine, booking: Booking, budget: Budget = PLENTY) -> Any:
        return engine.plan(SeatingRequest.at(self.venue, booking), self.floor, budget)

    def seat(self, booking: Booking, plan: Any, *, pinned: bool = False) -> None:
        for move in plan.moves:
            request, _, was_pinned = self.seated[move.booking_id]
            self.seated[move.booking_id] = (request, move.tables, was_pinned)
        self.seated[booking.id] = (SeatingRequest.at(self.venue, booking), plan.tables, pinned)


def guest(number: int, size: int, quarters: int = 0, **wishes: Any) -> Booking:
    return Booking(f"B{number}", "R1", size, EVENING + quarters * QUARTER, **wishes)


@st.composite
def venues(draw: st.DrawFn) -> Venue:
    names = [f"T{number}" for number in range(draw(st.integers(2, 4)))]
    tables = [Table(name, draw(st.sampled_from([2, 2, 4])), accessible=draw(st.booleans())) for name in names]
    return Venue("R1", "UTC", FloorPlan(tables, adjacent=list(itertools.pairwise(names))))


WISHES = st.tuples(
    st.sampled_from([1, 2, 2, 3, 4, 5]),
    st.integers(0, 6),
    st.sampled_from([False, False, False, True]),
    st.sampled_from(["stay", "stay", "pin", "leave first"]),
)


@given(venues(), st.lists(WISHES, min_size=6, max_size=24))
def test_an_engine_that_remembers_answers_as_a_new_one(venue, wishes):
    """Parties come, are pinned and leave: who is seated where, and who is refused, is as with a new engine."""
    evening, engine = Evening(venue), TableEngine(monotonic=lambda: 0.0)
    for number, (size, quarters, accessible, act) in enumerate(wishes):
        if act == "leave first" and evening.seated:
            del evening.seated[min(evening.seated)]
        booking = guest(number, size, quarters, accessible=accessible)
        given, anew = evening.ask(engine, booking), evening.ask(TableEngine(monotonic=lambda: 0.0), booking)
        assert given.plan == anew.plan
        assert given.refusal == anew.refusal or {given.refusal, anew.refusal} == {Reason.NO_FIT, Reason.INFEASIBLE}
        event(f"refused {given.refusal}, {len(evening.seated)} sitting")
        if given.plan is not None:
            evening.seat(booking, given.plan, pinned=act == "pin")


def test_a_search_that_is_spared_proves_no_more_than_the_one_that_was_made():
    """One guest found no table, which nothing proved: three are refused for that, where a search has a proof."""
    tables = [Table("T0", 2), Table("T1", 2), Table("T2", 2), Table("T3", 4)]
    venue = Venue("R1", "UTC", FloorPlan(tables, adjacent=list(itertools.pairwise(["T0", "T1", "T2", "T3"]))))
    evening, engine = Evening(venue), TableEngine(monotonic=lambda: 0.0)
    for number, quarters in enumerate([0, 0, 0, 6, 6, 0]):
        booking = guest(number, 1, quarters)
        evening.seat(booking, evening.ask(engine, booking).plan, pinned=False)
    assert evening.ask(engine, guest(6, 1, 1)).refusal is Reason.NO_FIT
    assert evening.ask(engine, guest(7, 3, 0)).refusal is Reason.NO_FIT
    assert evening.ask(TableEngine(monotonic=lambda: 0.0), guest(7, 3, 0)).refusal is Reason.INFEASIBLE


@pytest.fixture
def searched(monkeypatch):
    """The sizes of the parties for which moves were looked for."""
    sizes = []
    search = tiers.reseating.make_room

    def counted(request, *rest):
        sizes.append(request.booking.party_size)
        return search(request, *rest)

    monkeypatch.setattr(tiers.reseating, "make_room", counted)
    return sizes


@pytest.fixture
def full():
    """Two tables for two, side by side, both taken at five."""
    tables = [Table("T1", 2), Table("T2", 2)]
    evening = Evening(Venue("R1", "UTC", FloorPlan(tables, adjacent=[("T1", "T2")])))
    for number in range(2):
        evening.seat(guest(number, 2), evening.ask(TableEngine(), guest(number, 2)).plan)
    return evening


def test_a_search_in_vain_is_made_once(full, searched):
    """It also answers for another party of the kind, a larger one and a longer stay; not for a shorter one."""
    engine = TableEngine()
    refusals = [full.ask(engine, guest(number, size)).refusal for number, size in enumerate([2, 2, 4], 10)]
    assert refusals == ["infeasible"] * 3
    assert searched == [2]
    longer = guest(20, 2, -1, end_at=EVENING + 10 * QUARTER)
    shorter = guest(21, 2, end_at=EVENING + QUARTER)
    assert full.ask(engine, longer).refusal == full.ask(engine, shorter).refusal == "infeasible"
    assert searched == [2, 2]


def test_a_party_that_leaves_has_it_made_again(full, searched):
    """What was found on a fuller floor says nothing of this one."""
    engine, late = TableEngine(), guest(2, 2, 6)
    full.seat(late, full.ask(engine, late).plan)
    whole = guest(10, 4, 5)
    assert full.ask(engine, whole).refusal == "infeasible"
    del full.seated["B0"]
    assert full.ask(engine, whole).refusal == "infeasible"
    assert searched == [4, 4]


def test_one_that_may_look_for_longer_looks_again(searched):
    """A search that ran out of its time says nothing to one with more of it."""
    # Seats enough, but those that are free are where nobody wants to sit.
    tables = [Table(f"T{number}", 2, zone="hall" if number < 6 else "garden") for number in range(8)]
    evening = Evening(Venue("R1", "UTC", FloorPlan(tables, adjacent=[("T0", "T1"), ("T2", "T3"), ("T4", "T5")])))
    for number in range(6):
        party = guest(number, 2, number % 3, zone="hall")
        evening.seat(party, evening.ask(TableEngine(), party).plan)
    looks = iter(range(100_000))
    engine = TableEngine(monotonic=lambda: next(looks) * 1e-3)
    short, long = Budget(dt.timedelta(milliseconds=2), dt.timedelta(milliseconds=2)), PLENTY
    assert evening.ask(engine, guest(10, 4), short).refusal == "no_fit"
    assert evening.ask(engine, guest(11, 4), short).refusal == "no_fit"
    assert len(searched) == 1
    assert evening.ask(engine, guest(12, 4), long).plan is None
    assert len(searched) == 2
    assert evening.ask(engine, guest(13, 4), short).plan is None
    assert len(searched) == 2


def test_long_searches_at_one_restaurant_leave_time_for_the_others():
    """Within a minute they take 30 seconds; from then on a search is as short as a call's."""
    venue = Venue("R1", "UTC", FloorPlan([Table("T1", 2)]))
    now = [0.0]
    searches = TableEngine(monotonic=lambda: now[0])._searches_of(venue)
    budget, few = Budget(dt.timedelta(milliseconds=25), dt.timedelta(seconds=5)), dt.timedelta(milliseconds=25)
    request = SeatingRequest.at(venue, guest(1, 2))
    shares = []
    for _ in range(8):
        share = searches.share(budget)
        shares.append(share.total)
        search = searches.of(request, FloorSnapshot.of(venue, ()), share.total)
        began, now[0] = now[0], now[0] + share.total.total_seconds()
        searches.remember(search, tiers.Room(), share, began)
    assert sum((share for share in shares if share > few), dt.timedelta()) == dt.timedelta(seconds=LONG)
    assert shares[-1] == few
    now[0] += 60
    assert searches.share(budget) == budget


def test_room_that_is_found_ends_what_was_remembered_against_it():
    """A search that ran out of its time says nothing once room was found for a party that needs as much."""
    venue = Venue("R1", "UTC", FloorPlan([Table("T1", 2)]))
    searches = TableEngine()._searches_of(venue)
    floor = FloorSnapshot.of(venue, ())
    short, long = (searches.of(SeatingRequest.at(venue, guest(1, size)), floor, PLENTY.total) for size in (1, 2))
    searches.remember(short, tiers.Room(), PLENTY, 0.0)
    assert searches.answer(long, floor) == tiers.Room()
    seating = venue.floor.seating(["T1"])
    searches.remember(long, tiers.Room(Arrangement(Option(seating, 0.0), ()), "repack"), PLENTY, 0.0)
    assert searches.answer(long, floor) is None
    assert searches.answer(short, floor) is None
