"""The engine against brute force on small floors, and what no plan may ever do."""

from __future__ import annotations

import collections
import datetime as dt
import functools
import itertools
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline import (
    Booking,
    CommunalTable,
    Counter,
    FloorPlan,
    Group,
    Occupied,
    Reason,
    Table,
    TimeWindow,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.domain.combination import Combination
from assignment_pipeline.domain.policy import AdjacencyMode, Arrivals, ServicePeriod, TurnBand, Weights
from assignment_pipeline.domain.result import IMPOSSIBLE
from assignment_pipeline.domain.windows import minute
from assignment_pipeline.planning.base import FloorSnapshot, Occupancy, Rule, SeatingRequest
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.planning.strategies import ZoneBalance, ZonePreference

EVENING = dt.datetime(2031, 5, 2, 17, 0, tzinfo=dt.UTC)
MINUTES = st.integers(0, 40).map(lambda slots: dt.timedelta(minutes=15 * slots))
ZONES = st.sampled_from([None, "hall", "garden"])


@st.composite
def floors(draw: st.DrawFn, rows: Any = None) -> FloorPlan:
    names = [f"T{number}" for number in range(draw(st.integers(1, 6)))]
    tables = []
    for name in names:
        capacity = draw(st.integers(1, 8))
        least = draw(st.integers(1, capacity))
        tables.append(
            Table(
                name,
                capacity,
                min_party_size=least,
                max_party_size=draw(st.integers(least, capacity + 2)),
                zone=draw(ZONES),
                seating=draw(st.sampled_from(["indoor", "outdoor"])),
                accessible=draw(st.booleans()),
                active=draw(st.integers(0, 5)) > 0,
                priority=draw(st.integers(0, 2)),
                offer=draw(st.sampled_from(["always"] * 5 + ["on_request", "last", "staff"])),
            )
        )
    row = draw(st.sampled_from([None, None, Counter]) if rows is None else st.just(rows))
    if row is not None:
        tables.append(row("R", draw(st.integers(1, 4)), zone=draw(ZONES)))
    pairs = list(itertools.combinations(names, 2))
    if not pairs:
        return FloorPlan(tables)
    adjacent = draw(st.lists(st.sampled_from(pairs), max_size=8, unique=True))
    sets = st.sets(st.sampled_from(names), min_size=2).map(lambda members: tuple(sorted(members)))
    named = [draw(combinations(members)) for members in draw(st.lists(sets, max_size=2, unique=True))]
    groups = [Group(f"G{number}", some) for number, some in enumerate(draw(st.lists(sets, max_size=1)))]
    apart = [
        pair
        for pair in draw(st.lists(st.sampled_from(pairs), max_size=1))
        if not any({*pair} <= {*one.tables} for one in named)
    ]
    return FloorPlan(tables, adjacent, named, groups=groups, never_joined=apart)


@st.composite
def combinations(draw: st.DrawFn, members: tuple[str, ...]) -> Combination:
    capacity = draw(st.integers(1, 14))
    least = draw(st.none() | st.integers(1, capacity))
    most = draw(st.integers(least or 1, capacity))
    return Combination("+".join(members), members, capacity, min_party_size=least, max_party_size=most)


POLICIES = st.builds(
    VenuePolicy,
    service_periods=st.sampled_from(
        [
            (),
            (ServicePeriod("dinner", dt.time(17), dt.time(1)),),
            (
                ServicePeriod("early", dt.time(16), dt.time(20), arrivals=Arrivals(every=30), end_rule="arrive_by"),
                ServicePeriod("late", dt.time(20), dt.time(1), turn_bands=(TurnBand(4, 75), TurnBand(20, 180))),
            ),
            (ServicePeriod("dinner", dt.time(17), dt.time(23), arrivals=(dt.time(18), dt.time(21)), turn="to_end"),),
        ]
    ),
    pre_buffer_minutes=st.sampled_from([0, 10]),
    post_buffer_minutes=st.sampled_from([0, 15]),
    max_tables=st.integers(1, 4),
    max_overage=st.none() | st.integers(0, 4),
    adjacency=st.sampled_from(AdjacencyMode),
)
BOOKINGS = st.builds(
    Booking,
    st.uuids().map(str),
    st.just("R1"),
    st.integers(1, 14),
    MINUTES.map(lambda by: EVENING + by),
    seating=st.sampled_from(["any", "indoor", "outdoor"]),
    zone=ZONES,
    accessible=st.integers(0, 4).map(lambda draw: draw == 0),
)


@st.composite
def evenings(draw: st.DrawFn, rows: Any = None) -> tuple[Venue, Booking, list[Occupied]]:
    venue = Venue("R1", "UTC", draw(floors(rows)), draw(POLICIES))
    taken = []
    for table in venue.floor.tables:
        for number in range(draw(st.integers(0, 2))):
            start = EVENING + draw(MINUTES)
            window = TimeWindow(start, start + dt.timedelta(minutes=15 * draw(st.integers(1, 10))))
            movable = draw(st.booleans())
            taken.append(Occupied(table_id=table.id, window=window, booking_id=f"X{number}", movable=movable))
    return venue, draw(BOOKINGS), taken


@st.composite
def full_evenings(draw: st.DrawFn) -> tuple[Venue, Booking, list[Occupied]]:
    """Nothing but other parties is in the way: who may move, and when they leave, is what decides."""
    tables = [Table(f"T{number}", draw(st.integers(2, 6))) for number in range(draw(st.integers(1, 4)))]
    venue = Venue("R1", "UTC", FloorPlan(tables), VenuePolicy(post_buffer_minutes=draw(st.sampled_from([0, 15]))))
    at = EVENING + dt.timedelta(hours=3)
    taken = []
    for table in tables:
        begins = at - dt.timedelta(minutes=15 * draw(st.integers(0, 8)))
        ends = at + dt.timedelta(minutes=15 * draw(st.integers(0, 8)))
        if begins < ends:
            window, movable = TimeWindow(begins, ends), draw(st.booleans())
            taken.append(Occupied(table_id=table.id, window=window, booking_id=f"X{table.id}", movable=movable))
    return venue, Booking("B1", "R1", draw(st.integers(1, 4)), at), taken


def free(venue: Venue, request: SeatingRequest, taken: list[Occupied]) -> dict[frozenset[str], Any]:
    """Every seating that could be had, found the slow way, with its tables."""
    found = {}
    active = [table for table in venue.floor.tables if table.active]
    busy = {row.table_id for row in taken if row.window.overlaps(request.blocked)}
    for size in range(1, len(active) + 1):
        for tables in itertools.combinations(active, size):
            names = frozenset(table.id for table in tables)
            if not names & busy and suits(venue, request.booking, tables):
                found[names] = tables
    return found


def suits(venue: Venue, booking: Booking, tables: tuple[Table, ...]) -> bool:
    """Whether the tables may be joined, hold the party with none to spare, and are where it wants to sit."""
    size, combination = booking.party_size, named(venue, tables)
    if size > most(venue, tables):
        return False
    if len(tables) == 1 and size < tables[0].min_party_size:
        return False
    if len(tables) > 1:
        capacity = combination.capacity if combination else sum(table.capacity for table in tables)
        overage = venue.policy.max_overage
        if overage is not None and capacity - size > overage:
            return False
        if combination and combination.min_party_size is not None:
            if size < combination.min_party_size:
                return False
        else:
            fewer = (part for count in range(1, len(tables)) for part in itertools.combinations(tables, count))
            if any(size <= most(venue, part) for part in fewer):
                return False
    asks = booking.seating != "any" or booking.zone is not None
    kept = ("staff",) if asks else ("staff", "on_request")
    return (
        not any(offer_of(venue, table) in kept for table in tables)
        and all(booking.seating in ("any", table.seating) for table in tables)
        and all(booking.zone in (None, table.zone) for table in tables)
        and (not booking.accessible or any(table.accessible for table in tables))
    )


def offer_of(venue: Venue, table: Table) -> str:
    """To whom the table is given, by what it says, or else by what its zone does."""
    said = [zone.offer for zone in venue.floor.zones if zone.name == table.zone]
    return table.offer or (said[0] if said else "always")


def named(venue: Venue, tables: tuple[Table, ...]) -> Combination | None:
    """What the floor says of joining just these tables."""
    ids = sorted(table.id for table in tables)
    return next((one for one in venue.floor.combinations if [*one.tables] == ids), None)


def most(venue: Venue, tables: tuple[Table, ...]) -> int:
    """The largest party that sits at the tables, none where they may not be joined."""
    if combination := named(venue, tables):
        return combination.max_party_size
    if len(tables) == 1:
        return tables[0].max_party_size
    if any(table.row for table in tables):
        return len(tables) if side_by_side(venue, tables) else 0
    if len(tables) > venue.policy.max_tables or not joined(venue, tables):
        return 0
    return sum(table.capacity for table in tables)


def side_by_side(venue: Venue, tables: tuple[Table, ...]) -> bool:
    """Whether they are seats of one communal table, or seats of one counter with none in between."""
    if len({(table.counter, table.communal) for table in tables}) > 1:
        return False
    counter = [table.id for table in venue.floor.tables if table.counter == tables[0].counter]
    places = sorted(counter.index(table.id) for table in tables)
    return tables[0].communal is not None or places == [*range(places[0], places[-1] + 1)]


def joined(venue: Venue, tables: tuple[Table, ...]) -> bool:
    """Whether the tables may stand together, by the definition of each mode."""
    names = {table.id for table in tables}
    if any(pair <= names for pair in venue.floor.never_joined):
        return False
    pairs = {*venue.floor.adjacent} | {
        frozenset(pair) for group in venue.floor.groups for pair in itertools.combinations(group.tables, 2)
    }
    near = {name: {other for other in names if {name, other} in pairs} for name in names}
    if venue.policy.adjacency is AdjacencyMode.PAIRWISE:
        return all(near[name] == names - {name} for name in names)
    if venue.policy.adjacency is AdjacencyMode.NEIGHBOURS:
        return any(near[name] == names - {name} for name in names)
    reached = {min(names)}
    while new := set().union(*(near[name] for name in reached)) - reached:
        reached |= new
    return reached == names


@given(evenings(CommunalTable))
def test_any_seats_of_a_communal_table_do(evening):
    """A party is refused only where brute force finds no seats either, and gets some that brute force finds."""
    venue, booking, taken = evening
    engine, request = TableEngine(), SeatingRequest.at(venue, booking)
    decision = engine.plan(request, FloorSnapshot.of(venue, taken))
    possible = free(venue, request, taken) if venue.refusal(request.turn) is None else {}
    assert (decision.plan is None) == (not possible)
    if decision.plan is not None:
        assert frozenset(decision.plan.tables) in possible
        cost = engine.evaluate(request, decision.plan.tables, FloorSnapshot.of(venue, taken)).plan.cost
        assert cost == decision.plan.cost


@given(evenings())
def test_the_plan_is_the_cheapest_there_is(evening):
    """Found where brute force finds one, and no dearer than any other; refused only where there is none."""
    venue, booking, taken = evening
    engine, request = TableEngine(), SeatingRequest.at(venue, booking)
    floor = FloorSnapshot.of(venue, taken)
    decision = engine.plan(request, floor)
    possible = free(venue, request, taken) if venue.refusal(request.turn) is None else {}
    if decision.plan is None:
        assert not possible
        assert decision.refusal is not None
        return
    assert frozenset(decision.plan.tables) in possible
    costs = {}
    for names in possible:
        evaluation = engine.evaluate(request, sorted(names), floor)
        assert evaluation.broken == ()
        costs[names] = evaluation.plan.cost
    assert decision.plan.cost == min(costs.values()) == costs[frozenset(decision.plan.tables)]
    assert sum(decision.plan.parts.values()) == pytest.approx(decision.plan.cost)
    assert [plan.cost for plan in decision.runners_up] == sorted(costs.values())[1:4]


@given(evenings() | full_evenings())
def test_refusals_are_typed_by_what_is_true(evening):
    """Impossible even in an empty house; infeasible even if every booking that can move did; else no fit."""
    venue, booking, taken = evening
    request = SeatingRequest.at(venue, booking)
    refusal = TableEngine().plan(request, FloorSnapshot.of(venue, taken)).refusal
    empty = free(venue, request, []) if venue.refusal(request.turn) is None else {}
    fixed = free(venue, request, [row for row in taken if not row.movable]) if empty else {}
    if refusal is None:
        return
    if not empty:
        assert refusal in IMPOSSIBLE
    elif not fixed:
        assert refusal is Reason.INFEASIBLE
    else:
        assert refusal is Reason.NO_FIT


@given(evenings() | full_evenings())
def test_the_nearest_times_would_fit(evening):
    """Each of them gets a plan, and they come by their distance."""
    venue, booking, taken = evening
    engine, floor = TableEngine(), FloorSnapshot.of(venue, taken)
    decision = engine.plan(SeatingRequest.at(venue, booking), floor)
    distances = [abs(time - booking.start_at) for time in decision.nearest]
    assert distances == sorted(distances)
    assert all(dt.timedelta() < distance <= venue.policy.reach for distance in distances)
    for time in decision.nearest:
        end = None if booking.end_at is None else booking.end_at + (time - booking.start_at)
        moved = attrs.evolve(booking, start_at=time, end_at=end)
        assert engine.plan(SeatingRequest.at(venue, moved), floor).plan is not None


@given(evenings())
def test_the_same_question_has_the_same_answer(evening):
    """In whatever order the rows come, and from whichever engine."""
    venue, booking, taken = evening
    request = SeatingRequest.at(venue, booking)
    one = TableEngine().plan(request, FloorSnapshot.of(venue, taken))
    other = TableEngine().plan(request, FloorSnapshot.of(attrs.evolve(venue), taken[::-1]))
    assert one == other


@given(evenings())
def test_no_table_is_turned_away_twice(evening):
    """Each counts for one rule at most; on a refusal, each counts for one."""
    venue, booking, taken = evening
    decision = TableEngine().plan(SeatingRequest.at(venue, booking), FloorSnapshot.of(venue, taken))
    total = sum(decision.turned_away.values())
    assert total <= len(venue.floor.tables)
    if decision.refusal in (Reason.NO_FIT, Reason.INFEASIBLE):
        assert total == len(venue.floor.tables)


def test_a_table_out_of_use_is_turned_away_for_that():
    """It counts for that rule alone, however large it is, and whether the party is seated or refused."""
    small, idle = Table("T1", 2), Table("T2", 4, active=False)
    assert ask(TableEngine(), TWO, small, idle).turned_away == {"inactive": 1}
    venue = Venue("R1", "UTC", FloorPlan([small, idle]))
    request = SeatingRequest.at(venue, TWO)
    taken = [Occupied(table_id="T1", window=request.turn)]
    refused = TableEngine().plan(request, FloorSnapshot.of(venue, taken))
    assert refused.turned_away == {"inactive": 1, "taken": 1}


def ask(engine: TableEngine, booking: Booking, *tables: Table, pairs: Any = (), **policy: Any) -> Any:
    venue = Venue("R1", "UTC", FloorPlan(tables, pairs), VenuePolicy(**policy))
    return engine.plan(SeatingRequest.at(venue, booking), FloorSnapshot.of(venue, ()))


TWO = Booking("B1", "R1", 2, EVENING)


def test_a_gap_too_short_to_sell_is_avoided():
    """Of two tables of one size, the one that leaves no unsellable hour."""
    venue = Venue("R1", "UTC", FloorPlan((Table("T1", 2, priority=1), Table("T2", 2))))
    before = TimeWindow(EVENING - dt.timedelta(hours=3), EVENING - dt.timedelta(hours=1))
    floor = FloorSnapshot.of(venue, [Occupied(table_id="T1", window=before)])
    plan = TableEngine().plan(SeatingRequest.at(venue, TWO), floor).plan
    assert plan.tables == ("T2",)
    worse = TableEngine().evaluate(SeatingRequest.at(venue, TWO), ["T1"], floor).plan
    assert worse.parts["gap"] == pytest.approx(0.1 * 2 * (12 - 4))


def test_a_party_that_follows_at_once_costs_least():
    """Rather than break into a table's free evening; an hour and a half, which sells, is as good as that."""
    venue = Venue("R1", "UTC", FloorPlan((Table("T1", 2), Table("T2", 2, priority=1), Table("T3", 2, priority=1))))
    ends = {"T1": EVENING, "T3": EVENING - dt.timedelta(minutes=90)}
    hour = dt.timedelta(hours=1)
    rows = [Occupied(table_id=table, window=TimeWindow(end - hour, end)) for table, end in ends.items()]
    decision = TableEngine().plan(SeatingRequest.at(venue, TWO), FloorSnapshot.of(venue, rows))
    plans = [decision.plan, *decision.runners_up]
    costs = {plan.tables[0]: plan.parts["gap"] for plan in plans}
    assert costs == {"T1": pytest.approx(-0.1 * 2 * 4), "T2": 0.0, "T3": 0.0}
    assert decision.plan.tables == ("T1",)


def test_a_gap_is_measured_to_whoever_comes_next():
    """However long before anyone else on the floor the party sits; what is longer than it matters is left out."""
    window = TimeWindow(EVENING + dt.timedelta(hours=3), EVENING + dt.timedelta(hours=5))
    occupancy = Occupancy({"T1": 1}, [Occupied(table_id="T1", window=window)])
    evening = minute(EVENING)
    for minutes in (30, 90, 179, 180):
        assert occupancy.around(evening, evening + minutes, 500) == (0, [], [(180 - minutes, 1)])
        assert occupancy.around(evening, evening + minutes, 180 - minutes) == (0, [], [])
    assert occupancy.around(evening + 340, evening + 400, 500) == (0, [(40, 1)], [])


@given(evenings(), MINUTES, st.integers(1, 240))
def test_the_timeline_says_what_the_rows_do(evening, late, stay):
    """Which tables are taken, which for good, and since when and until when the others are free."""
    venue, _, taken = evening
    positions, occupancy = venue.floor.positions, Occupancy(venue.floor.bits, taken)
    window = TimeWindow(EVENING + late, EVENING + late + dt.timedelta(minutes=stay))
    over = [row for row in taken if row.window.overlaps(window)]
    assert occupancy.busy(window) == sum({1 << positions[row.table_id] for row in over})
    assert occupancy.immovable(window) == sum({1 << positions[row.table_id] for row in over if not row.movable})
    ended, begin = collections.defaultdict(list), collections.defaultdict(list)
    for row in taken:
        if row.table_id not in {other.table_id for other in over}:
            (ended if row.window.end <= window.start else begin)[row.table_id].append(row.window)
    free = {
        table_id: (
            min((window.start - span.end for span in ended[table_id]), default=None),
            min((span.start - window.end for span in begin[table_id]), default=None),
        )
        for table_id in positions
        if table_id not in {row.table_id for row in over}
    }
    busy, before, after = occupancy.around(minute(window.start), minute(window.end), 10_000)
    assert busy == occupancy.busy(window)
    for table_id, spans in free.items():
        for side, span in zip((before, after), spans, strict=True):
            found = [minutes for minutes, tables in side if tables >> positions[table_id] & 1][:1]
            assert found == ([] if span is None else [span // dt.timedelta(minutes=1)])


@given(evenings(), MINUTES, st.integers(0, 12))
def test_rows_may_be_taken_one_after_the_other(evening, late, first):
    """All the same as together, and what they joined stays as it was."""
    venue, _, taken = evening
    before = Occupancy(venue.floor.bits, tuple(taken[:first]))
    spans = dict(before.spans)
    joined = functools.reduce(lambda known, row: known.joined_by([row]), taken[first:], before)
    together = Occupancy(venue.floor.bits, tuple(taken))
    window = TimeWindow(EVENING + late, EVENING + late + dt.timedelta(minutes=30))
    assert (joined.rows, joined.spans) == (together.rows, together.spans)
    assert joined.immovable(window) == together.immovable(window)
    assert joined.taken(*window.minutes) == together.taken(*window.minutes)
    assert before.spans == spans


def test_priority_decides_between_equals_and_then_the_bookings_id():
    """The operator's word first; after that, different bookings reach for different tables."""
    preferred = ask(TableEngine(), TWO, Table("T1", 2), Table("T2", 2, priority=1))
    assert preferred.plan.tables == ("T2",)
    twins = [Table(f"T{number}", 2) for number in range(6)]
    chosen = {ask(TableEngine(), attrs.evolve(TWO, id=f"B{n}"), *twins).plan.tables for n in range(40)}
    assert len(chosen) == len(twins)


def test_the_priority_of_a_named_combination_is_its_own_and_its_tables():
    """Among equals, the one that the operator wants joined is joined."""
    tables = [Table(f"T{number}", 2) for number in range(4)]
    for wanted in (("T0", "T1"), ("T2", "T3")):
        combinations = [
            Combination("left", ("T0", "T1"), 4, priority=2 * (wanted[0] == "T0")),
            Combination("right", ("T2", "T3"), 4, priority=2 * (wanted[0] == "T2")),
        ]
        venue = Venue("R1", "UTC", FloorPlan(tables, combinations=combinations))
        for number in range(5):
            booking = attrs.evolve(TWO, id=f"B{number}", party_size=4)
            decision = TableEngine().plan(SeatingRequest.at(venue, booking), FloorSnapshot.of(venue, ()))
            assert (decision.plan.tables, decision.plan.strategy) == (wanted, "adjacency")


def test_a_person_gets_what_the_floor_names():
    """Its tables are joinable as they are, for as many as it seats and not for fewer."""
    tables = [Table(f"T{number}", 2) for number in range(4)]
    long_table = Combination("long table", ("T0", "T1", "T2", "T3"), 10, min_party_size=6)
    venue = Venue("R1", "UTC", FloorPlan(tables, combinations=[long_table]), VenuePolicy(max_tables=2))
    broken = {}
    for size in (5, 6, 10, 11):
        request = SeatingRequest.at(venue, attrs.evolve(TWO, party_size=size))
        found = TableEngine().evaluate(request, long_table.tables, FloorSnapshot.of(venue, ()))
        assert found.plan.parts["waste"] == max(10 - size, 0)
        broken[size] = found.broken
    assert broken == {5: (Rule.SIZE,), 6: (), 10: (), 11: (Rule.SIZE,)}


def test_weights_are_the_policys():
    """Each term counts as much as the policy says."""
    decision = ask(TableEngine(), TWO, Table("T1", 4), weights=Weights(waste=3.0))
    assert decision.plan.parts["waste"] == 6.0


@attrs.frozen
class Regulars:
    """The window for regulars."""

    name: str = "regulars"

    def weigh(self, request, seating, floor):
        at_window = any("window" in table.tags for table in seating.tables)
        return -3.0 if request.booking.attributes.get("regular") and at_window else 0.0


def test_a_strategy_has_its_say():
    """Its part is in the cost, also where it makes a dearer table the cheapest."""
    regular = attrs.evolve(TWO, attributes={"regular": True})
    tables = (Table("T1", 2), Table("T2", 4, tags={"window"}))
    assert ask(TableEngine([Regulars()]), TWO, *tables).plan.tables == ("T1",)
    plan = ask(TableEngine([Regulars()]), regular, *tables).plan
    assert (plan.tables, plan.parts["regulars"]) == (("T2",), -3.0)


def test_a_strategy_may_forbid_and_propose():
    """None takes a seating out; a proposal brings one in, and is named when it wins."""

    class Spacious:
        name = "spacious"

        def weigh(self, request, seating, floor):
            return None if seating.capacity < 6 else 0.0

        def propose(self, request, floor):
            return [seating for seating in [floor.seating("T1", "T2"), floor.seating("T9")] if seating]

    decision = ask(TableEngine([Spacious()]), TWO, Table("T1", 2), Table("T2", 4), pairs=[("T1", "T2")])
    assert (decision.plan.tables, decision.plan.strategy) == (("T1", "T2"), "spacious")
    refused = ask(TableEngine([Spacious()]), TWO, Table("T1", 2), Table("T2", 4))
    assert (refused.refusal, refused.turned_away) == (Reason.NO_FIT, {"forbidden": 2})


def test_a_proposal_with_a_table_that_is_out_of_use_is_passed_over():
    """Alone or joined, and named by the floor or not: nobody is sent to a table that is not there."""

    class Stubborn:
        name = "stubborn"

        def weigh(self, request, seating, floor):
            return 0.0

        def propose(self, request, floor):
            plan = floor.venue.floor
            seatings = map(plan.seating, [("T1", "T2"), ("T2",), ("T2", "T3")])
            return [seating for seating in seatings if seating is not None]

    tables = (Table("T1", 2), Table("T2", 4, active=False), Table("T3", 2))
    named = Combination("both", ("T2", "T3"), 6, min_party_size=2)
    venue = Venue("R1", "UTC", FloorPlan(tables, [("T1", "T2")], [named]))
    four = attrs.evolve(TWO, party_size=4)
    assert venue.floor.seating(("T1", "T2")) is not None
    decision = TableEngine([Stubborn()]).plan(SeatingRequest.at(venue, four), FloorSnapshot.of(venue, []))
    assert (decision.plan, decision.faults) == (None, ())


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), "cheap", ZeroDivisionError()])
def test_a_strategy_that_answers_nonsense_is_skipped(answer):
    """As if it were not there, and named."""

    class Broken:
        name = "broken"

        def weigh(self, request, seating, floor):
            if isinstance(answer, Exception):
                raise answer
            return answer

    decision = ask(TableEngine([Broken(), Regulars()]), TWO, Table("T1", 2))
    assert decision.plan.tables == ("T1",)
    assert decision.faults == ("broken",)
    assert set(decision.plan.parts) == {"waste", "join", "scarcity", "gap", "regulars"}


def test_zones_can_be_preferred_and_balanced():
    """The strategies that come with the engine."""
    tables = (Table("T1", 2, zone="hall"), Table("T2", 2, zone="garden"), Table("T3", 2, zone="hall"))
    assert ask(TableEngine([ZonePreference({"hall": 1.0})]), TWO, *tables).plan.tables == ("T2",)
    venue = Venue("R1", "UTC", FloorPlan(tables))
    window = TimeWindow(EVENING, EVENING + dt.timedelta(hours=2))
    floor = FloorSnapshot.of(venue, [Occupied(table_id="T1", window=window)])
    plan = TableEngine([ZoneBalance()]).plan(SeatingRequest.at(venue, TWO), floor).plan
    assert plan.tables == ("T2",)


def test_evaluation_names_every_rule_that_is_broken():
    """For a person who chose the tables."""
    floor = FloorPlan((Table("T1", 2, zone="hall"), Table("T2", 2, active=False)))
    venue = Venue("R1", "UTC", floor, VenuePolicy(service_periods=[ServicePeriod("lunch", dt.time(11), dt.time(14))]))
    booking = attrs.evolve(TWO, party_size=9, zone="garden", seating="bar", accessible=True)
    window = TimeWindow(EVENING, EVENING + dt.timedelta(hours=2))
    snapshot = FloorSnapshot.of(venue, [Occupied(table_id="T1", window=window)])
    request = SeatingRequest.at(venue, booking, EVENING + dt.timedelta(minutes=1))
    evaluation = TableEngine().evaluate(request, ["T1", "T2"], snapshot)
    elsewhere = {Rule.UNKNOWN_TABLE, Rule.FORBIDDEN, Rule.PARTNER_TAKEN, Rule.NOT_AN_ARRIVAL, Rule.OFFER, Rule.PACING}
    of_audits = {Rule.TIMEZONE, Rule.LAYING_TIME}  # And of the turn between two parties.
    assert set(evaluation.broken) == set(Rule) - elsewhere - of_audits
    assert TableEngine().evaluate(request, ["T9"], snapshot).broken == (Rule.UNKNOWN_TABLE,)


def test_a_table_for_four_takes_six_where_the_house_says_so():
    """It wastes no seat then, and counts as four where it is joined."""
    floor = FloorPlan([Table("T1", 4, max_party_size=6), Table("T2", 4)], [("T1", "T2")])
    venue = Venue("v", "UTC", floor)
    start = dt.datetime(2031, 5, 2, 19, tzinfo=dt.UTC)

    def plan(size):
        request = SeatingRequest.at(venue, Booking(f"b-{size}", "v", size, start))
        return TableEngine().plan(request, FloorSnapshot.of(venue, [])).plan

    assert (plan(6).tables, plan(6).parts["waste"]) == (("T1",), 0)
    assert (plan(8).tables, plan(8).parts["waste"]) == (("T1", "T2"), 0)
    assert plan(9) is None
    evaluation = TableEngine().evaluate(
        SeatingRequest.at(venue, Booking("b", "v", 6, start)), ["T1"], FloorSnapshot.of(venue, [])
    )
    assert evaluation.broken == ()
