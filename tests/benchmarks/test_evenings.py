"""The benchmark itself: evenings are as they say, bounds are bounds, and no impossible plan is counted."""

from __future__ import annotations

import collections
import itertools

import attrs
import pytest

from assignment_pipeline import Booking, Venue
from assignment_pipeline.domain.result import Decision, Move, Plan
from benchmarks.evenings import checks, page
from benchmarks.evenings.generator import MIXES, OPENING, QUARTER, Size, evening
from benchmarks.evenings.measure import ALL, Outcome
from benchmarks.evenings.replay import CONTENDERS, Contender, replay
from benchmarks.evenings.summary import Estimate, markdown, plain, summarise

SMALL = Size(20, 40)


def test_a_seed_draws_the_same_evening_again():
    """And another seed another one."""
    one, again, other = evening(SMALL, 7), evening(SMALL, 7), evening(SMALL, 8)
    assert (one.bookings, one.venue.version) == (again.bookings, again.venue.version)
    assert one.bookings != other.bookings


@pytest.mark.parametrize("mix", MIXES)
def test_an_evening_is_drawn_as_its_mix_says(mix):
    """Tables by their shares exactly; parties, wishes and accessible tables near theirs."""
    recipe, drawn = MIXES[mix], evening(Size(200, 8_000), 1, mix)
    seats = collections.Counter(table.capacity for table in drawn.venue.floor.tables)
    assert seats == {capacity: round(200 * share) for capacity, share in recipe.tables.items()}
    sizes = collections.Counter(booking.party_size for booking in drawn.bookings)
    total = sum(recipe.parties.values())
    for size, weight in recipe.parties.items():
        assert sizes[size] / 8_000 == pytest.approx(weight / total, abs=0.02)
    assert sum(booking.zone is not None for booking in drawn.bookings) / 8_000 == pytest.approx(
        recipe.zone_requests, abs=0.02
    )
    assert sum(booking.accessible for booking in drawn.bookings) / 8_000 == pytest.approx(
        recipe.accessible_requests, abs=0.01
    )
    assert sum(table.accessible for table in drawn.venue.floor.tables) == 40


def test_parties_come_in_the_evening_and_mostly_at_its_peak():
    """In quarters of an hour from 17:00 to 21:45; larger parties ask earlier."""
    bookings = evening(Size(200, 8_000), 1).bookings
    quarters = collections.Counter((booking.start_at - OPENING) // QUARTER for booking in bookings)
    assert set(quarters) == set(range(20))
    assert {quarter for quarter, _ in quarters.most_common(5)} == {8, 9, 10, 11, 12}
    places = collections.defaultdict(list)
    for place, booking in enumerate(bookings):
        places[booking.party_size].append(place)
    means = [sum(found) / len(found) for _, found in sorted(places.items()) if len(found) > 100]
    assert means == sorted(means, reverse=True)


def test_neighbours_in_a_row_may_be_joined():
    """Within their zone, and no further than the row."""
    floor = evening(Size(60, 1), 1, "fours").venue.floor
    zones = collections.defaultdict(list)
    for table in floor.tables:
        zones[table.zone].append(table.id)
    assert [len(tables) for tables in zones.values()] == [10] * 6
    rows = [row for tables in zones.values() for row in (tables[:4], tables[4:8], tables[8:])]
    assert floor.adjacent == {frozenset(pair) for row in rows for pair in itertools.pairwise(row)}


@pytest.mark.parametrize("name", [name for name, contender in CONTENDERS.items() if contender.budget is None])
def test_a_replay_asks_everybody_once(name):
    """Who is not seated was refused, and the covers are those of who was."""
    drawn = evening(SMALL, 3)
    done = replay(drawn, CONTENDERS[name])
    assert sorted([*done.seated, *done.refused]) == [booking.id for booking in drawn.bookings]
    assert done.covers == sum(booking.party_size for booking in drawn.bookings if booking.id in done.seated)
    assert len(done.planning) == len(done.snapshots) == 40
    checks.check(drawn.venue, {booking.id: booking for booking in drawn.bookings}, done.seated, done.seated)


class Always:
    """A planner that always has the same answer."""

    def __init__(self, plan):
        self.decision = Decision(plan=plan)

    def plan(self, _request, _floor):
        return self.decision


def first_booking(**changes):
    """An evening with its first booking only, changed."""
    drawn = evening(SMALL, 3)
    return attrs.evolve(drawn, bookings=(attrs.evolve(drawn.bookings[0], **changes),))


def tables_of(drawn, capacity):
    return [table for table in drawn.venue.floor.tables if table.capacity == capacity]


def test_a_planner_that_seats_two_parties_at_once_is_caught():
    """However often it says that the table is free."""
    drawn = first_booking(party_size=2, zone=None, accessible=False)
    [booking] = drawn.bookings
    drawn = attrs.evolve(drawn, bookings=(booking, attrs.evolve(booking, id="b-2")))
    table = tables_of(drawn, 2)[0].id
    planner = Contender("always", "always", lambda: Always(Plan((table,), 0, {}, "x")))
    with pytest.raises(checks.ImpossiblePlanError, match=f"b-2 at {table}: taken by {booking.id}"):
        replay(drawn, planner)


def test_a_move_of_nobody_is_caught():
    """Only who sits there can be moved."""
    drawn = first_booking(party_size=2, zone=None, accessible=False)
    plan = Plan(("T001",), 0, {}, "x", (Move("b-9", ("T002",), ("T003",)),))
    with pytest.raises(checks.ImpossiblePlanError, match="b-9 does not sit at T002"):
        replay(drawn, Contender("always", "always", lambda: Always(plan)))


def test_silence_is_caught():
    """A decision is a plan or a refusal."""
    with pytest.raises(checks.ImpossiblePlanError, match="neither a plan nor a refusal"):
        replay(evening(SMALL, 3), Contender("silent", "silent", lambda: Always(None)))


@pytest.mark.parametrize(
    ("changes", "names", "fault"),
    [
        ({"party_size": 3}, lambda drawn: [tables_of(drawn, 2)[0].id], "not for a party of 3"),
        ({"party_size": 3}, lambda drawn: [tables_of(drawn, 6)[0].id], "not for a party of 3"),
        ({"party_size": 2}, lambda drawn: [table.id for table in drawn.venue.floor.tables[:2]], "not for a party"),
        ({"party_size": 6}, lambda drawn: ["T001", "T003"], "not joinable"),
        ({"party_size": 2, "zone": "zone-2"}, lambda drawn: ["T001"], "not in its zone"),
        ({"party_size": 2, "seating": "bar"}, lambda drawn: ["T001"], "not where it wants to sit"),
        (
            {"party_size": 2, "accessible": True},
            lambda drawn: [next(table.id for table in drawn.venue.floor.tables if not table.accessible)],
            "not accessible",
        ),
        ({"party_size": 2}, lambda _: ["T999"], "no tables of this floor"),
    ],
)
def test_tables_that_do_not_suit_are_caught(changes, names, fault):
    """Each kind of fault by its name."""
    drawn = first_booking(**{"zone": None, "accessible": False} | changes)
    plan = Plan(names(drawn), 0, {}, "x")
    with pytest.raises(checks.ImpossiblePlanError, match=fault):
        replay(drawn, Contender("always", "always", lambda: Always(plan)))


def brute_force(venue: Venue, bookings: tuple[Booking, ...]) -> int:
    """The most covers, by trying every seating of every booking."""

    def best(place, taken):
        if place == len(bookings):
            return 0
        booking = bookings[place]
        start, end = checks.window(venue, booking)
        found = best(place + 1, taken)
        for seating in venue.candidates(booking.party_size):
            free = all(not seating.mask & mask or end <= begins or ends <= start for mask, begins, ends in taken)
            if free and seating.grants(booking):
                rest = best(place + 1, [*taken, (seating.mask, start, end)])
                found = max(found, booking.party_size + rest)
        return found

    return best(0, [])


class TestBound:
    @pytest.fixture(autouse=True)
    def solvers(self):
        for name in ("highspy", "ortools"):
            pytest.importorskip(name, reason=f"{name} is not installed (extra bench)")

    @pytest.mark.parametrize("seed", range(6))
    def test_it_is_what_brute_force_finds(self, seed):
        """On floors of three tables, where that can be tried, and so are the questions whether all could sit."""
        from benchmarks.evenings.bound import bound, could_seat  # noqa: PLC0415

        drawn = evening(Size(3, 7), seed, "families")
        limit = bound(drawn)
        assert limit.is_closed
        assert limit.covers == brute_force(drawn.venue, drawn.bookings)
        for count in range(1, 8):
            some = drawn.bookings[:count]
            everybody = sum(booking.party_size for booking in some)
            assert could_seat(drawn.venue, some) is (brute_force(drawn.venue, some) == everybody)

    @pytest.mark.parametrize("mix", ["standard", "groups"])
    def test_nobody_gets_past_it(self, mix):
        """Not over all requests; and the set that reaches it could really sit as it says."""
        from benchmarks.evenings.bound import bound  # noqa: PLC0415

        drawn = evening(SMALL, 5, mix)
        limit = bound(drawn)
        for name in ("first-fit", "best-fit", "tier-1"):
            assert replay(drawn, CONTENDERS[name]).covers <= limit.covers
        bookings = {booking.id: booking for booking in drawn.bookings}
        checks.check(drawn.venue, bookings, limit.seated, limit.seated)
        assert sum(bookings[booking_id].party_size for booking_id in limit.seated) == limit.found <= limit.covers

    def test_it_is_kept(self, tmp_path):
        """A bound that is known is not computed again, and is found for the same evening only."""
        from benchmarks.evenings.bound import bound  # noqa: PLC0415

        first = bound(evening(SMALL, 5), cache=tmp_path)
        [kept] = tmp_path.iterdir()
        kept.write_text(
            kept.read_text()
            .replace(f'"found": {first.found}', '"found": 1')
            .replace(f'"covers": {first.covers}', '"covers": 1')
        )
        assert bound(evening(SMALL, 5), cache=tmp_path).covers == 1
        assert bound(evening(SMALL, 6), cache=tmp_path).covers > 1


def outcome(contender, seed, covers):
    return Outcome(
        mix="standard", size="20x40", seed=seed, requests=ALL, contender=contender, covers=covers, most=100,
        closed=True, refused=4, avoidable=1, unsure=0, saved=2, moves=3, planning=(0.001,) * 99 + (0.009,),
        snapshots=(0.001,),
    )  # fmt: skip


def test_differences_are_taken_evening_by_evening():
    """Two planners whose shares scatter alike differ by what they differ in each evening."""
    covers = {1: 60, 2: 80, 3: 97}
    found = [outcome("best-fit", seed, count) for seed, count in covers.items()]
    found += [outcome("tier-1", seed, count + 2) for seed, count in covers.items()]
    base, ours = summarise(found)
    assert base.lead is None
    assert ours.lead.mean == pytest.approx(0.02)
    assert ours.lead.margin == pytest.approx(0, abs=1e-9)
    assert ours.share.margin > 0.3
    assert (ours.moves_per_saved, ours.p50, ours.p99, ours.avoidable) == (1.5, 0.001, 0.001, 3)
    assert "3 of 12" in plain([ours])
    assert "| +2.0 ± 0.0 |" in markdown([ours])


def test_an_interval_is_students():
    """Of 1, 2, 3: the mean 2, and 4.303 times the deviation 1 over the root of 3."""
    assert Estimate.of([1, 2, 3]) == Estimate(2, pytest.approx(2.4843, abs=1e-3))


def test_the_page_is_rewritten_between_its_markers(tmp_path):
    """Twice is as good as once, and nothing else changes; a page without markers is left alone."""
    path = tmp_path / "page.md"
    path.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    lines = summarise([outcome("best-fit", 1, 60)])
    page.rewrite(path, lines)
    once = path.read_text()
    assert once == f"before\n{page.BEGIN}\n\n{markdown(lines)}\n\n{page.END}\nafter\n"
    page.rewrite(path, lines)
    assert path.read_text() == once
    path.write_text("nothing to see")
    with pytest.raises(ValueError, match="each once"):
        page.rewrite(path, lines)
    assert path.read_text() == "nothing to see"
