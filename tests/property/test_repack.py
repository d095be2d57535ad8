"""The exact tiers, against every way to seat everybody on small floors."""

import datetime as dt
import itertools
import random
import subprocess
import sys

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assignment_pipeline import Booking, FloorPlan, Table, Venue
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.windows import MINUTE, TimeWindow
from assignment_pipeline.errors import MissingExtraError
from assignment_pipeline.planning import exact
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.planning.options import Option
from assignment_pipeline.planning.rearrange import rearrange
from assignment_pipeline.planning.repack import make_room

pytestmark = pytest.mark.skipif(not exact.available(), reason="highspy is not installed")

OPENING = dt.datetime(2031, 5, 2, 17, tzinfo=dt.UTC)
SECONDS = 20


def options_on(floor):
    """Where the tables and the guest allow a party to sit, as far as nobody is in the way who cannot be moved."""

    def options(request):
        booking = request.booking
        fixed = floor.held.busy(request.blocked)
        found = [
            Option(seating, seating.capacity - booking.party_size + 0.5 * (len(seating.tables) - 1))
            for seating in floor.venue.candidates(booking.party_size)
            if seating.grants(booking) and not seating.mask & fixed
        ]
        return sorted(found, key=lambda option: option.cost)

    return options


def rows_of(party, *, movable=True):
    request = party.request
    return [
        Occupied(table_id=table, window=request.blocked, booking_id=request.booking.id, movable=movable)
        for table in party.tables
    ]


def clash(one, other):
    """Whether two (request, tables) share a table at one time."""
    return one[0].blocked.overlaps(other[0].blocked) and not set(one[1]).isdisjoint(other[1])


@st.composite
def floors(draw, *, out_of_use=False):
    """A floor with parties at its tables, of which some may not be moved, and those who found no table there."""
    count = draw(st.integers(1, 4))
    tables = [
        Table(f"T{place}", draw(st.sampled_from([2, 4])), zone=draw(st.sampled_from("ab"))) for place in range(count)
    ]
    pairs = [pair for pair in itertools.pairwise(table.id for table in tables) if draw(st.booleans())]
    venue = Venue("r", "UTC", FloorPlan(tables, pairs))
    placed, fixed, waiting = [], [], []
    for number in range(draw(st.integers(1, 5))):
        start = OPENING + draw(st.integers(0, 5)) * dt.timedelta(minutes=30)
        booking = Booking(
            f"b{number}", "r", draw(st.integers(1, 6)), start, zone=draw(st.sampled_from([None, None, None, "a"]))
        )
        request = SeatingRequest.at(venue, booking)
        taken = [(party.request, party.tables) for party in placed + fixed]
        free = [
            seating.table_ids
            for seating in venue.candidates(booking.party_size)
            if seating.grants(booking) and not any(clash((request, seating.table_ids), other) for other in taken)
        ]
        if not free or draw(st.sampled_from([False, False, False, True])):
            waiting.append(request)
        else:
            party = Sitting(request, draw(st.sampled_from(free)))
            (fixed if draw(st.sampled_from([False, False, False, False, True])) else placed).append(party)
    if out_of_use and draw(st.booleans()):
        broken = attrs.evolve(draw(st.sampled_from(tables)), active=False)
        tables = [broken if table.id == broken.id else table for table in tables]
        venue = attrs.evolve(venue, floor=FloorPlan(tables, pairs), version="later")
    rows = [row for party in placed for row in rows_of(party)]
    rows += [row for party in fixed for row in rows_of(party, movable=False)]
    return FloorSnapshot.of(venue, rows, sitting=placed), waiting


def outcomes(floor, waiting, *, must=False):
    """Every way to seat everybody: for each the places, and for how many guests; None is no table, or staying."""
    options = options_on(floor)
    parties = [*floor.sitting, *waiting]
    choices = []
    for party in parties:
        if isinstance(party, Sitting):
            choices.append([party.tables, *(o.seating.table_ids for o in options(party.request))])
        else:
            choices.append([*([] if must else [()]), *(o.seating.table_ids for o in options(party))])
    requests = [party.request if isinstance(party, Sitting) else party for party in parties]
    for tables in itertools.product(*choices):
        if not any(clash(*pair) for pair in itertools.combinations(zip(requests, tables, strict=True), 2)):
            yield tables


def moves_in(floor, tables):
    return sum(set(party.tables) != set(now) for party, now in zip(floor.sitting, tables, strict=False))


@given(floors())
def test_room_is_made_wherever_it_can_be_with_the_fewest_moves(drawn):
    """An arrangement is found exactly if there is one; it moves as few as any, and what is proved is so."""
    floor, waiting = drawn
    for request in waiting[:1]:
        fewest = min((moves_in(floor, tables) for tables in outcomes(floor, [request], must=True)), default=None)
        found = make_room(request, floor, options_on(floor), SECONDS)
        assert found.proved
        assert (found.arrangement is None) == (fewest is None)
        if fewest is not None:
            assert len(found.arrangement.moves) == fewest
            check(floor, request, found.arrangement)


def check(floor, request, arrangement):
    """Nobody shares a table, everybody sits where they may, and only who may move does, once and to other tables."""
    moved = {party.request.booking.id: option for party, option in arrangement.moves}
    sitting = {party.request.booking.id: party for party in floor.sitting}
    assert len(moved) == len(arrangement.moves)
    assert moved.keys() <= sitting.keys()
    options = options_on(floor)
    for name, option in moved.items():
        assert set(option.seating.table_ids) != set(sitting[name].tables)
        assert option.seating in [other.seating for other in options(sitting[name].request)]
    assert arrangement.option.seating in [other.seating for other in options(request)]
    seats = [(request, arrangement.option.seating.table_ids)]
    for name, party in sitting.items():
        seats.append((party.request, moved[name].seating.table_ids if name in moved else party.tables))
    assert not any(clash(*pair) for pair in itertools.combinations(seats, 2))


@given(floors())
def test_who_is_not_named_stays_and_nothing_is_proved(drawn):
    """Where the floor does not say who sits at a movable row, it is as good as fixed, and no refusal is proved."""
    floor, waiting = drawn
    assume(floor.sitting)
    named = floor.sitting[:-1]
    partly = FloorSnapshot(floor.venue, floor.occupancy, named)
    for request in waiting[:1]:
        found = make_room(request, partly, options_on(partly), SECONDS)
        assert not found.proved
        if found.arrangement is not None:
            check(floor, request, found.arrangement)
            assert {party.request.booking.id for party, _ in found.arrangement.moves} <= {
                party.request.booking.id for party in named
            }


def stranded_in(floor, tables):
    """Guests of those who had good tables or now do, of those who had none, and the ids of who still has none."""
    active = {table.id for table in floor.venue.floor.tables if table.active}
    rehoused, stuck = 0, []
    for party, now in zip(floor.sitting, tables, strict=False):
        if not active.issuperset(party.tables):
            if active.issuperset(now):
                rehoused += party.request.booking.party_size
            else:
                stuck.append(party.request.booking.id)
    return rehoused, tuple(stuck)


@given(floors(out_of_use=True))
def test_a_day_is_planned_for_as_many_guests_as_any_plan_seats(drawn):
    """The stranded first, then covers, then waste and moves: as good as the best of all plans, and said truly."""
    floor, waiting = drawn
    seats = {table.id: table.capacity for table in floor.venue.floor.tables}
    active = {table.id for table in floor.venue.floor.tables if table.active}

    def worth(tables):
        late = tables[len(floor.sitting) :]
        covers = sum(request.booking.party_size for request, now in zip(waiting, late, strict=True) if now)
        requests = [*(party.request for party in floor.sitting), *waiting]
        waste = sum(
            sum(seats[table] for table in now) - request.booking.party_size
            for request, now in zip(requests, tables, strict=True)
            if now and active.issuperset(now)
        )
        return stranded_in(floor, tables)[0], covers, -waste - 2 * moves_in(floor, tables), waste

    best = max(worth(tables)[:2] for tables in outcomes(floor, waiting))
    found = rearrange(floor, waiting, options_on(floor), seconds=SECONDS)
    again = rearrange(attrs.evolve(floor, sitting=floor.sitting[::-1]), waiting[::-1], options_on(floor), seconds=20)
    assert found == again

    moved = {move.booking_id: move.tables for move in found.moves}
    seated = {name: plan.tables for name, plan in found.seated}
    tables = [
        *(moved.get(party.request.booking.id, party.tables) for party in floor.sitting),
        *(seated.get(request.booking.id, ()) for request in waiting),
    ]
    requests = [*(party.request for party in floor.sitting), *waiting]
    assert not any(clash(*pair) for pair in itertools.combinations(zip(requests, tables, strict=True), 2))
    reached = worth(tables)
    assert reached[:2] == best
    assert found.proved
    assert found.bound == found.covers_after
    assert found.gap == 0
    assert found.covers_after - found.covers_before == sum(best)
    assert found.waste_after == reached[3]
    assert sorted(found.stranded) == sorted(stranded_in(floor, tables)[1])
    assert {*found.left_out, *seated} == {request.booking.id for request in waiting}
    if not found.stranded:  # Which of two stays stranded is nobody's waste.
        assert reached[2] == max(w[2] for w in map(worth, outcomes(floor, waiting)) if w[:2] == best)
    stay = (*(party.tables for party in floor.sitting), *(() for _ in waiting))
    if reached[:3] == worth(stay)[:3]:
        assert found.moves == found.seated == ()


def party(floor_venue, name, size, tables):
    return Sitting(SeatingRequest.at(floor_venue, Booking(name, "r", size, OPENING)), tables)


def test_without_time_nothing_is_claimed_that_is_not_so():
    """A couple at the only table for four can make room; without time that is found or left open."""
    venue = Venue("r", "UTC", FloorPlan([Table("two", 2), Table("four", 4)]))
    sitting = [party(venue, "couple", 2, ("four",))]
    floor = FloorSnapshot.of(venue, [row for one in sitting for row in rows_of(one)], sitting=sitting)
    request = SeatingRequest.at(venue, Booking("family", "r", 4, OPENING))
    hasty = make_room(request, floor, options_on(floor), 0)
    assert hasty.arrangement is not None or not hasty.proved
    planned = rearrange(floor, [request], options_on(floor), seconds=0)
    assert planned.covers_after >= planned.covers_before == 2
    assert planned.bound >= 6


@pytest.mark.parametrize(("blocked_for", "movers"), [(60, ["early", "late"]), (300, None)])
def test_who_sits_at_another_time_makes_room_for_who_makes_room(blocked_for, movers):
    """The request's time touches only one party, whose other table is a later party's, who needs a third in turn."""
    tables = [Table("a", 2, zone="a"), Table("b", 2, accessible=True), Table("c", 2, accessible=True)]
    venue = Venue("r", "UTC", FloorPlan(tables))
    hour = dt.timedelta(hours=1)
    early = Sitting(SeatingRequest.at(venue, Booking("early", "r", 2, OPENING + hour)), ("a",))
    late = Sitting(SeatingRequest.at(venue, Booking("late", "r", 2, OPENING + 2 * hour, accessible=True)), ("b",))
    window = TimeWindow(OPENING + hour, OPENING + hour + blocked_for * MINUTE)
    rows = [*rows_of(early), *rows_of(late), Occupied(table_id="c", window=window, reason="maintenance")]
    floor = FloorSnapshot.of(venue, rows, sitting=[early, late])
    request = SeatingRequest.at(venue, Booking("new", "r", 2, OPENING, zone="a"))
    found = make_room(request, floor, options_on(floor), SECONDS)
    assert found.proved
    if movers is None:
        assert found.arrangement is None
    else:
        assert [party.request.booking.id for party, _ in found.arrangement.moves] == movers
        check(floor, request, found.arrangement)


def test_a_search_is_a_few_models_and_moves_count_in_each(monkeypatch):
    """A bound, an arrangement with the others where they are, one with everybody; and a cheaper one at the end."""
    models = []
    solve = exact.Model.solve

    def counted(model, *given, **options):
        models.append(any(model.costs))
        return solve(model, *given, **options)

    monkeypatch.setattr(exact.Model, "solve", counted)
    test_who_sits_at_another_time_makes_room_for_who_makes_room(60, ["early", "late"])
    assert models[:3] == [True] * 3
    assert len(models) == 4


def test_a_party_moves_only_if_that_saves_more_than_the_penalty():
    """Two empty seats are not worth a move that costs two; they are worth one that costs one."""
    venue = Venue("r", "UTC", FloorPlan([Table("two", 2), Table("four", 4)]))
    sitting = [party(venue, "couple", 2, ("four",))]
    floor = FloorSnapshot.of(venue, [row for one in sitting for row in rows_of(one)], sitting=sitting)
    assert rearrange(floor, [], options_on(floor), seconds=SECONDS).moves == ()
    [move] = rearrange(floor, [], options_on(floor), seconds=SECONDS, move_penalty=1).moves
    assert move.tables == ("two",)


def test_a_table_that_is_taken_for_good_strands_its_party():
    """A party whose table is blocked by somebody who cannot be moved gets another, or is named."""
    venue = Venue("r", "UTC", FloorPlan([Table("one", 2), Table("other", 2)]))
    sitting = [party(venue, "a", 2, ("one",)), party(venue, "b", 2, ("other",))]
    window = sitting[0].request.blocked
    rows = [row for one in sitting for row in rows_of(one)]
    rows.append(Occupied(table_id="one", window=window, reason="maintenance"))
    floor = FloorSnapshot.of(venue, rows, sitting=sitting)
    found = rearrange(floor, [], options_on(floor), seconds=SECONDS)
    assert (found.moves, found.stranded, found.covers_before, found.covers_after) == ((), ("a",), 2, 2)
    alone = FloorSnapshot.of(venue, [*rows[:1], rows[-1]], sitting=sitting[:1])
    [move] = rearrange(alone, [], options_on(alone), seconds=SECONDS).moves
    assert (move.booking_id, move.tables) == ("a", ("other",))


def test_a_host_that_runs_the_solver_with_more_threads_is_no_hindrance(capfd):
    """The number of threads belongs to the calling thread: the model is solved with the host's. Nothing is printed."""
    script = (
        "import highspy\n"
        "class Quiet(highspy.Highs):\n    def enableCallbacks(self):\n        self.silent()\n"
        "theirs = Quiet()\ntheirs.setOptionValue('threads', 2)\ntheirs.addVar(0, 1)\ntheirs.run()\n"
        "from assignment_pipeline.planning.exact import Model\n"
        "import datetime as dt\n"
        "from assignment_pipeline.domain.windows import TimeWindow\n"
        "start = dt.datetime(2031, 5, 2, 17, tzinfo=dt.UTC)\n"
        "model = Model()\n"
        "model.party(TimeWindow(start, start + dt.timedelta(hours=1)), [(1, 3), (2, 1)], seated=False)\n"
        "answer = model.solve(5)\n"
        "assert (answer.verdict.value, answer.cost) == ('best', 1), answer\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert capfd.readouterr() == ("", "")


def test_a_callback_of_the_hosts_that_raises_is_lost_and_does_us_no_harm():
    """HiGHS loses what a callback raises, and says `kError` alone; our search behind it on that thread is as always."""
    import highspy  # noqa: PLC0415 - an extra

    def fails(_event):
        called.append("once")
        raise RuntimeError("a guest's name")

    called, numbers = [], random.Random(1)
    theirs = highspy.Highs()
    theirs.silent()
    theirs.setOptionValue("threads", 1)
    parcels = [theirs.addBinary(obj=-numbers.randint(5, 40)) for _ in range(40)]
    for _ in range(25):
        theirs.addConstr(sum(numbers.randint(1, 20) * parcel for parcel in parcels) <= 80)
    theirs.cbMipInterrupt += fails
    assert (theirs.run().name, called) == ("kError", ["once"])
    model = exact.Model()
    start = dt.datetime(2031, 5, 2, 17, tzinfo=dt.UTC)
    model.party(TimeWindow(start, start + dt.timedelta(hours=1)), [(1, 3), (2, 1)], seated=False)
    answer = model.solve(SECONDS)
    assert (answer.verdict.value, answer.cost) == ("best", 1)
    ours = exact._solver()
    with pytest.raises(highspy.HighsStatusError):  # It has no callback that could lose anything.
        ours.cbMipInterrupt.subscribe(fails)


def test_without_the_extra_the_error_names_it(monkeypatch):
    """Whoever has not installed the solver is told how to."""
    monkeypatch.setitem(sys.modules, "highspy", None)
    with pytest.raises(MissingExtraError, match=r"assignment-pipeline\[optimize\]"):
        exact.Model().solve(1)
