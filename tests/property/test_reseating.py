"""Plans for which others move, against brute force on small floors."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import attrs
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from assignment_pipeline import Booking, FloorPlan, Occupied, Reason, Table, TimeWindow, Venue, VenuePolicy
from assignment_pipeline.domain.policy import Reseat
from assignment_pipeline.planning import displacing
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.planning.engine import TableEngine

EVENING = dt.datetime(2031, 5, 2, 17, tzinfo=dt.UTC)
QUARTER = dt.timedelta(minutes=15)
ZONES = st.sampled_from([None, None, None, "hall"])
PLENTY = Budget(dt.timedelta(minutes=1), dt.timedelta(minutes=2))
HURRY = Budget(dt.timedelta(seconds=1), dt.timedelta(seconds=1))


def engine(*strategies: Any) -> TableEngine:
    """One for which time stands still: what it finds depends on nothing else."""
    return TableEngine(strategies, monotonic=lambda: 0.0)


@attrs.frozen
class Evening:
    venue: Venue
    booking: Booking
    movable: dict[Booking, tuple[str, ...]] = attrs.field(hash=False)
    fixed: list[Occupied]

    @property
    def request(self) -> SeatingRequest:
        return SeatingRequest.at(self.venue, self.booking)

    @property
    def sitting(self) -> list[Sitting]:
        return [Sitting(SeatingRequest.at(self.venue, party), tables) for party, tables in self.movable.items()]

    @property
    def rows(self) -> list[Occupied]:
        return self.fixed + [
            Occupied(table_id=table, window=party.request.blocked, booking_id=party.request.booking.id, movable=True)
            for party in self.sitting
            for table in party.tables
        ]

    @property
    def floor(self) -> FloorSnapshot:
        return FloorSnapshot.of(self.venue, self.rows, sitting=self.sitting)

    def with_policy(self, **changes: Any) -> Evening:
        venue = Venue("R1", "UTC", self.venue.floor, attrs.evolve(self.venue.policy, **changes))
        return attrs.evolve(self, venue=venue)


def bookings(number: int) -> st.SearchStrategy[Booking]:
    return st.builds(
        Booking,
        st.just(f"B{number}"),
        st.just("R1"),
        st.sampled_from([1, 2, 2, 2, 3, 4, 4, 5]),
        st.integers(0, 8).map(lambda quarters: EVENING + quarters * QUARTER),
        zone=ZONES,
        accessible=st.sampled_from([False] * 4 + [True]),
    )


@st.composite
def evenings(draw: st.DrawFn) -> Evening:
    """A few tables and as many parties, of which most may be moved."""
    names = [f"T{number}" for number in range(draw(st.integers(2, 4)))]
    tables = [
        Table(name, draw(st.sampled_from([2, 2, 2, 4])), zone=draw(ZONES), accessible=draw(st.booleans()))
        for name in names
    ]
    pairs = draw(st.lists(st.sampled_from(list(itertools.combinations(names, 2))), max_size=4, unique=True))
    policy = VenuePolicy(max_tables=draw(st.integers(1, 3)), pre_buffer_minutes=draw(st.sampled_from([0, 0, 10])))
    venue = Venue("R1", "UTC", FloorPlan(tables, pairs), policy)
    booking = draw(bookings(0))
    if not places(venue, booking):
        booking = attrs.evolve(booking, party_size=1, zone=None, accessible=False)
    evening = Evening(venue, booking, {}, [])
    for number in range(1, draw(st.integers(3, 6))):
        party = draw(bookings(number))
        window = SeatingRequest.at(venue, party).blocked
        busy = {row.table_id for row in evening.rows if row.window.overlaps(window)}
        free = [seating for seating in places(venue, party) if not busy & set(seating)]
        if not free:
            continue
        chosen = draw(st.sampled_from(free))
        if draw(st.integers(0, 5)):
            evening.movable[party] = chosen
        else:
            evening.fixed.extend(Occupied(table_id=table, window=window, booking_id=party.id) for table in chosen)
    return evening


def places(venue: Venue, booking: Booking) -> list[tuple[str, ...]]:
    """Where a party may sit in an empty house."""
    return [seating.table_ids for seating in venue.candidates(booking.party_size) if seating.grants(booking)]


def fewest_moves(evening: Evening) -> int | None:
    """How many parties have to move for the booking at the least, found by trying everything; None if it is no use."""
    venue = evening.venue
    best: int | None = None

    def place(parties: list[Booking], taken: list[tuple[str, TimeWindow]], moves: int) -> None:
        nonlocal best
        if best is not None and moves >= best:
            return
        if not parties:
            best = moves
            return
        party, *others = parties
        window = SeatingRequest.at(venue, party).blocked
        busy = {table for table, span in taken if span.overlaps(window)}
        home = evening.movable.get(party)
        options = places(venue, party)
        if home is not None:
            options = [home, *(option for option in options if option != home)]
        for option in options:
            if not busy & set(option):
                moved = home is not None and option != home
                place(others, taken + [(table, window) for table in option], moves + moved)

    place([evening.booking, *evening.movable], [(row.table_id, row.window) for row in evening.fixed], 0)
    return best


def is_full(evening: Evening) -> bool:
    """Whether somebody would have to move: there are places for the party, and none is free."""
    busy = {row.table_id for row in evening.rows if row.window.overlaps(evening.request.blocked)}
    wanted = places(evening.venue, evening.booking)
    return bool(wanted) and all(busy & set(place) for place in wanted)


@st.composite
def chains(draw: st.DrawFn) -> Evening:
    """Each party sits at the only table that is large enough for the next one, and the smallest table is free."""
    moves = draw(st.integers(1, 3))
    floor = FloorPlan([Table(f"T{number}", 2 * number + 2) for number in range(moves + 1)])
    guests = [Booking(f"B{number}", "R1", 2 * number + 2, EVENING) for number in range(moves + 1)]
    there = {party: (f"T{number + 1}",) for number, party in enumerate(guests[:-1])}
    return Evening(Venue("R1", "UTC", floor, VenuePolicy(max_tables=1)), guests[-1], there, [])


FULL = evenings().filter(is_full) | chains()


@given(FULL)
def test_up_to_two_moves_are_always_found(evening):
    """No more of them than are needed; and where no arrangement exists, none is found."""
    fewest = fewest_moves(evening)
    event(f"moves needed: {fewest}")
    decision = engine().plan(evening.request, evening.floor, PLENTY)
    if fewest is None:
        assert decision.plan is None
        assert decision.refusal is not None
    elif fewest <= 2:
        assert len(decision.plan.moves) == fewest
    elif decision.plan is not None:
        assert len(decision.plan.moves) >= fewest
    if decision.refusal is Reason.INFEASIBLE:
        assert fewest is None


@given(FULL)
def test_a_plan_with_moves_could_be_carried_out(evening):
    """Nothing overlaps, everybody sits where they may and fit, and only those move that the floor names."""
    plan = engine().plan(evening.request, evening.floor, PLENTY).plan
    if plan is None:
        return
    assert (plan.strategy in ("reseating", "repack")) is bool(plan.moves)
    parties = {party.id: party for party in evening.movable}
    tables = {party.id: seating for party, seating in evening.movable.items()}
    for move in plan.moves:
        assert move.origin == tuple(sorted(tables[move.booking_id])) != move.tables
        tables[move.booking_id] = move.tables
        assert tuple(sorted(move.tables)) in [tuple(sorted(p)) for p in places(evening.venue, parties[move.booking_id])]
    assert len({move.booking_id for move in plan.moves}) == len(plan.moves)
    assert plan.tables in [tuple(sorted(place)) for place in places(evening.venue, evening.booking)]
    rows = [(row.table_id, row.window) for row in evening.fixed]
    seated = [*((parties[booking_id], names) for booking_id, names in tables.items()), (evening.booking, plan.tables)]
    for party, names in seated:
        window = SeatingRequest.at(evening.venue, party).blocked
        assert not [table for table, taken in rows if table in names and taken.overlaps(window)]
        rows += [(table, window) for table in names]
    assert sum(plan.parts.values()) == pytest.approx(plan.cost)
    assert ("moves" in plan.parts) is bool(plan.moves)


@given(FULL, st.randoms(use_true_random=False))
def test_the_same_question_has_the_same_answer(evening, chance):
    """In whatever order rows and parties come."""
    rows, sitting = evening.rows, evening.sitting
    chance.shuffle(rows)
    chance.shuffle(sitting)
    shuffled = FloorSnapshot.of(attrs.evolve(evening.venue), rows, sitting=sitting)
    assert engine().plan(evening.request, evening.floor) == engine().plan(evening.request, shuffled)


@given(FULL)
def test_the_policy_says_whether_a_person_is_asked(evening):
    """``suggest`` finds what ``auto`` does, and leaves it at that; ``off`` finds nothing."""
    auto = engine().plan(evening.request, evening.floor, PLENTY)
    asking, never = evening.with_policy(reseat=Reseat.SUGGEST), evening.with_policy(reseat=Reseat.OFF)
    suggested = engine().plan(asking.request, asking.floor, PLENTY)
    refused = engine().plan(never.request, never.floor, PLENTY)
    alone = engine().plan(never.request, FloorSnapshot.of(never.venue, never.rows))
    assert refused == alone
    if auto.plan is None or not auto.plan.moves:
        assert suggested == auto
        return
    assert suggested == attrs.evolve(refused, suggestion=auto.plan)
    assert (refused.plan, refused.refusal, refused.suggestion) == (None, Reason.NO_FIT, None)


@attrs.frozen
class Never:
    """Keeps everybody off some tables."""

    tables: frozenset[str]
    name: str = "never"

    def weigh(self, request, seating, floor):
        return None if self.tables & set(seating.table_ids) else 0.25


@given(FULL, st.sets(st.sampled_from(["T0", "T1", "T2"]), max_size=2))
def test_strategies_hold_for_whoever_moves(evening, forbidden):
    """Nobody is sent where a strategy would let nobody sit."""
    plan = engine(Never(frozenset(forbidden))).plan(evening.request, evening.floor, PLENTY).plan
    if plan is not None:
        assert not forbidden & set(plan.tables)
        assert all(not forbidden & set(move.tables) for move in plan.moves)
        assert plan.parts["never"] == 0.25


def swap(**policy: Any) -> Evening:
    """Two guests sit at the only table for four, and four come."""
    venue = Venue("R1", "UTC", FloorPlan([Table("T1", 4), Table("T2", 2)]), VenuePolicy(**policy))
    two, four = Booking("B1", "R1", 2, EVENING), Booking("B2", "R1", 4, EVENING)
    return Evening(venue, four, {two: ("T1",)}, [])


def chain() -> Evening:
    """As in `swap`; but they have to stay in the hall, where who has the table for two has to leave for the garden."""
    tables = [Table("T1", 4, zone="hall"), Table("T2", 2, zone="hall"), Table("T3", 2, zone="garden")]
    two, others = Booking("B1", "R1", 2, EVENING, zone="hall"), Booking("B3", "R1", 2, EVENING)
    four = Booking("B2", "R1", 4, EVENING)
    return Evening(Venue("R1", "UTC", FloorPlan(tables)), four, {two: ("T1",), others: ("T2",)}, [])


def test_two_guests_make_room_for_four():
    """The cost says what of it the moves are: ten for each, and what the new tables cost more than the old."""
    evening = swap()
    plan = engine().plan(evening.request, evening.floor).plan
    assert (plan.tables, plan.strategy) == (("T1",), "reseating")
    assert [(move.booking_id, move.origin, move.tables) for move in plan.moves] == [("B1", ("T1",), ("T2",))]
    assert plan.parts == {"waste": 0.0, "join": 0.0, "scarcity": 0.0, "gap": 0.0, "moves": 10.0 - 2.0}
    assert plan.cost == 8.0


def test_whom_the_floor_does_not_name_stays():
    """Nobody is moved who is not named, and without all of their names it is not certain that it would not help."""
    evening = swap()
    unnamed = FloorSnapshot.of(evening.venue, evening.rows)
    decision = engine().plan(evening.request, unnamed)
    assert (decision.plan, decision.refusal) == (None, Reason.NO_FIT)


@pytest.mark.parametrize("change", ["another table", "longer", "seated"])
def test_who_holds_anything_else_than_is_said_stays(change):
    """What is taken is the truth: a party whose rows are others is not moved on the strength of its name."""
    evening = swap()
    (row,) = evening.rows
    changed = {
        "another table": [row, attrs.evolve(row, table_id="T9")],
        "longer": [attrs.evolve(row, window=TimeWindow(row.window.start - QUARTER, row.window.end))],
        "seated": [attrs.evolve(row, movable=False)],
    }
    floor = FloorSnapshot.of(evening.venue, changed[change], sitting=evening.sitting)
    assert floor.sitting == ()
    assert engine().plan(evening.request, floor).plan is None


def test_that_no_moves_help_is_proved_where_nobody_has_anywhere_to_go():
    """Four guests at the only table for four cannot make room for four others."""
    evening = swap()
    full = attrs.evolve(evening, movable={attrs.evolve(evening.booking, id="B3"): ("T1",)})
    decision = engine().plan(full.request, full.floor)
    assert decision.refusal is Reason.INFEASIBLE
    assert decision.turned_away == {"size": 1, "taken": 1}
    assert decision.nearest


def test_nothing_is_looked_for_when_time_is_up():
    """The budget is the caller's."""
    evening, none = swap(), Budget(dt.timedelta(), dt.timedelta())
    assert engine().plan(evening.request, evening.floor, none).refusal is Reason.NO_FIT


def test_a_search_that_takes_too_long_is_given_up(monkeypatch):
    """By the clock that the engine was given, which here strikes at every look."""
    monkeypatch.setattr(displacing, "LOOKS", 0)  # The short search takes no clock.
    evening, seconds = chain(), itertools.count()
    hurried = TableEngine(monotonic=lambda: next(seconds))
    assert hurried.plan(evening.request, evening.floor, HURRY).refusal is Reason.NO_FIT
    assert hurried.plan(evening.request, evening.floor, PLENTY).plan is not None


def test_the_short_search_comes_where_time_is_up():
    """Two make room, one after the other, which takes a search."""
    evening, seconds = chain(), itertools.count()
    hurried = TableEngine(monotonic=lambda: next(seconds))
    assert len(hurried.plan(evening.request, evening.floor, HURRY).plan.moves) == 2


def test_what_takes_no_search_is_found_when_time_is_up():
    """All who are in the way can go to tables that are free."""
    evening, seconds = swap(), itertools.count()
    hurried = TableEngine(monotonic=lambda: next(seconds))
    assert [move.tables for move in hurried.plan(evening.request, evening.floor, HURRY).plan.moves] == [("T2",)]


def test_a_strategy_that_raises_for_whoever_moves_is_skipped():
    """Its fault is named, and the others are still asked."""

    class Broken:
        name = "broken"

        def weigh(self, request, seating, floor):
            if request.booking.id == "B1":
                raise ZeroDivisionError
            return 0.0

    evening = swap()
    decision = engine(Broken(), Never(frozenset())).plan(evening.request, evening.floor)
    assert decision.faults == ("broken",)
    assert decision.plan.moves
    assert "broken" not in decision.plan.parts


def crowded(size: int, tables: dict[str, int], sitting: dict[str, tuple[int, tuple[str, ...]]]) -> Evening:
    """A party of *size*, and the parties that sit at tables already. Y1, Y2 and Y3 may be joined."""
    joined = [pair for pair in (("Y1", "Y2"), ("Y2", "Y3")) if set(pair) <= tables.keys()]
    floor = FloorPlan([Table(name, seats) for name, seats in tables.items()], joined)
    movable = {Booking(name, "R1", guests, EVENING): seats for name, (guests, seats) in sitting.items()}
    venue = Venue("R1", "UTC", floor, VenuePolicy(max_tables=3))
    return Evening(venue, Booking("B0", "R1", size, EVENING), movable, [])


PAIRS = {"Y1": 2, "Y2": 2, "W1": 2, "W2": 2}
TRIPLES = {"X": 8, **PAIRS, "Y3": 2, "W3": 2}


@pytest.mark.parametrize(
    ("size", "tables", "sitting", "moves"),
    [
        (4, PAIRS, {"a": (2, ("Y1",)), "b": (2, ("Y2",))}, 2),
        (6, {"X": 6, "Y": 4, "Z": 2}, {"a": (4, ("X",)), "b": (2, ("Y",))}, 2),
        (7, TRIPLES, {"a": (5, ("X",)), **{f"b{n}": (2, (f"Y{n}",)) for n in (1, 2, 3)}}, 4),
    ],
    ids=["two at once", "one after the other", "three for one"],
)
def test_where_few_moves_do_not_help_more_are_tried(size, tables, sitting, moves):
    """A search that is cut off by the number of moves is no proof: it goes on with one more."""
    evening = crowded(size, tables, sitting)
    few = Budget(PLENTY.reseating, PLENTY.reseating)  # No time for what looks at everything.
    plan = engine().plan(evening.request, evening.floor, few).plan
    assert plan is not None
    assert (plan.strategy, len(plan.moves)) == ("reseating", moves)
