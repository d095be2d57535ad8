"""The combinations of a floor, against all its sets of tables."""

from __future__ import annotations

import itertools
import re

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.domain.booking import SeatingPreference
from assignment_pipeline.domain.combination import Combination
from assignment_pipeline.domain.floor import MAX_COMBINATIONS, FloorPlan, Table
from assignment_pipeline.domain.policy import AdjacencyMode, VenuePolicy
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.testing.strategies import bookings, floors, venues

MODES = st.sampled_from(AdjacencyMode)
SIZES = st.integers(1, 5)


def joined(floor: FloorPlan, ids: tuple[str, ...], mode: AdjacencyMode) -> bool:
    """Whether those tables may be joined, by the definition of the mode."""

    def adjacent(one: str, other: str) -> bool:
        return frozenset((one, other)) in floor.adjacent or any({one, other} <= {*some.tables} for some in floor.groups)

    if any(pair <= {*ids} for pair in floor.never_joined):
        return False

    if mode is AdjacencyMode.PAIRWISE:
        return all(adjacent(*pair) for pair in itertools.combinations(ids, 2))
    if mode is AdjacencyMode.NEIGHBOURS:
        return any(all(adjacent(hub, other) for other in ids if other != hub) for hub in ids)
    reached = {ids[0]}
    for _ in ids:
        reached |= {other for one in reached for other in ids if adjacent(one, other)}
    return reached == set(ids)


def all_joined(floor: FloorPlan, max_tables: int, mode: AdjacencyMode) -> set[tuple[str, ...]]:
    """Every set of active tables that may be joined, single ones included."""
    ids = [table.id for table in floor.tables if table.active]
    sets = itertools.chain.from_iterable(itertools.combinations(ids, size) for size in range(1, max_tables + 1))
    return {one for one in sets if joined(floor, one, mode)}


@given(floor=floors(named=0), max_tables=SIZES, mode=MODES)
def test_the_seatings_are_the_sets_that_may_be_joined(floor, max_tables, mode):
    """Every set of active tables that may be joined is there once, no other is, and they come by capacity."""
    found = floor.seatings(max_tables, mode)
    expected, known = set(all_joined(floor, max_tables, mode)), {one.table_ids: one for one in found}
    assert len(known) == len(found)
    assert known.keys() <= expected
    for needless in expected - known.keys():  # One of its tables takes as many alone as all of them have seats.
        seats = floor.seating(needless).capacity
        assert any(set(ids) < set(needless) and one.max_party >= seats for ids, one in known.items())
    assert [one.capacity for one in found] == sorted(one.capacity for one in found)


@given(floor=floors(), max_tables=SIZES, mode=MODES)
def test_named_combinations_are_seatings_too(floor, max_tables, mode):
    """Whatever the mode and the limit say, unless a table is out of use, or all their parties need fewer tables."""
    found = {one.table_ids: one for one in floor.seatings(max_tables, mode)}
    active = {table.id for table in floor.tables if table.active}
    named = {one.tables: one for one in floor.combinations if active.issuperset(one.tables)}
    assert set(found) <= {*all_joined(floor, max_tables, mode), *named}
    for missing in {*all_joined(floor, max_tables, mode), *named} - set(found):
        most = named[missing].max_party_size if missing in named else floor.seating(missing).capacity
        assert any(set(ids) < set(missing) and other.max_party >= most for ids, other in found.items())
    for ids, seating in found.items():
        assert seating.combination == named.get(ids)
        if seating.combination:
            assert (seating.capacity, seating.max_party) == (named[ids].capacity, named[ids].max_party_size)


def test_a_combination_that_takes_fewer_than_its_tables_hides_nobody():
    """Named for a single guest, two tables for two leave each of them for two; three are for whoever needs three."""
    tables = [Table("T1", 2), Table("T2", 2), Table("T3", 2)]
    floor = FloorPlan(tables, [("T1", "T2"), ("T2", "T3")], combinations=[Combination("C1", ("T1", "T2"), capacity=1)])
    found = {seating.table_ids: seating.min_party for seating in floor.seatings(3, AdjacencyMode.CONNECTED)}
    assert found["T1", "T2", "T3"] == 5
    assert ("T1", "T2") not in found


@given(floor=floors(), max_tables=SIZES, mode=MODES)
def test_a_combination_has_no_table_to_spare(floor, max_tables, mode):
    """A party that a combination is for would not fit if any of the tables were left out, unless the floor says so."""
    by_ids = {one.table_ids: one for one in floor.seatings(max_tables, mode)}
    for ids, seating in by_ids.items():
        if len(ids) == 1:
            continue
        if seating.combination and seating.combination.min_party_size is not None:
            assert seating.min_party == seating.combination.min_party_size
            continue
        fewer = [
            by_ids[part] for size in range(1, len(ids)) for part in itertools.combinations(ids, size) if part in by_ids
        ]
        most = max(one.max_party for one in fewer)
        assert seating.min_party == most + 1
        if seating.combination is None:
            assert seating.max_party == seating.capacity == sum(table.capacity for table in seating.tables)


@given(floor=floors(), max_tables=SIZES, mode=MODES)
def test_a_combination_is_what_its_tables_are(floor, max_tables, mode):
    """Place, zone, access and priority follow from the tables, and the mask from their positions."""
    for seating in floor.seatings(max_tables, mode):
        tables = seating.tables
        assert seating.mask == sum(1 << floor.tables.index(table) for table in tables)
        assert list(tables) == sorted(tables, key=floor.tables.index)
        zones, places = {table.zone for table in tables}, {table.seating for table in tables}
        assert seating.zone == (tables[0].zone if len(zones) == 1 else None)
        assert seating.seating == (tables[0].seating if len(places) == 1 else None)
        assert seating.accessible == any(table.accessible for table in tables)
        own = seating.combination.priority if seating.combination else 0
        assert seating.priority == own + sum(table.priority for table in tables)


@given(floor=floors())
def test_a_table_alone_keeps_its_own_limits(floor):
    """The limits of a single table are its own, whatever it can be joined with."""
    alone = [one for one in floor.seatings(1, AdjacencyMode.CONNECTED) if one.combination is None]
    for seating in alone:
        (table,) = seating.tables
        assert (seating.min_party, seating.max_party) == (table.min_party_size, table.max_party_size)


@given(venue=venues(), party_size=st.integers(1, 30))
def test_candidates_take_the_party(venue, party_size):
    """A venue's candidates for a party are the seatings that take it, combinations within the overage."""
    overage = venue.policy.max_overage
    expected = [
        one
        for one in venue.floor.seatings(venue.policy.max_tables, venue.policy.adjacency)
        if one.min_party <= party_size <= one.max_party
        and (len(one.tables) == 1 or overage is None or one.capacity <= party_size + overage)
    ]
    assert [one.mask for one in venue.candidates(party_size)] == [one.mask for one in expected]


@given(venue=venues())
def test_demand_counts_combinations(venue):
    """A table is needed by each combination that it is part of; the seats of a row by none."""
    needed = [one for one in venue.seatings if len(one.tables) > 1 and one.row is None]
    for table, demand in zip(venue.floor.tables, venue.demand, strict=True):
        assert demand == sum(table in one.tables for one in needed)


@given(floor=floors(min_tables=2), booking=bookings(), data=st.data())
def test_wishes_hold_for_every_table(floor, booking, data):
    """Place and zone must be every table's, access one table's."""
    ids = data.draw(st.sets(st.sampled_from([table.id for table in floor.tables]), min_size=1))
    seating = floor.seating(tuple(ids))
    assert seating is not None
    tables = [table for table in floor.tables if table.id in ids]
    assert seating.grants(booking) == (
        all(booking.zone in (None, table.zone) for table in tables)
        and all(booking.seating in (SeatingPreference.ANY, table.seating) for table in tables)
        and (not booking.accessible or any(table.accessible for table in tables))
    )


@given(floor=floors(), data=st.data())
def test_any_tables_are_a_seating_for_a_person(floor, data):
    """A person may name any tables of the floor, each once, joined or not, in use or not."""
    ids = data.draw(st.lists(st.sampled_from([*(table.id for table in floor.tables), "T99"]), max_size=4))
    seating = floor.seating(tuple(ids))
    if not ids or "T99" in ids or len(set(ids)) < len(ids):
        assert seating is None
    else:
        assert seating is not None
        assert set(seating.table_ids) == set(ids)
        named = {one.tables: one for one in floor.combinations}.get(tuple(sorted(ids)))
        expected = named.max_party_size if named else sum(table.capacity for table in seating.tables)
        if len(seating.tables) == 1:
            expected = max(expected, seating.tables[0].max_party_size)
        assert (seating.min_party, seating.max_party) == (1, expected)


def row(count: int, **fields) -> FloorPlan:
    """Tables of two in a row."""
    tables = [Table(f"T{number}", 2, **fields) for number in range(count)]
    return FloorPlan(tables, [(f"T{number}", f"T{number + 1}") for number in range(count - 1)])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(AdjacencyMode.CONNECTED, 4), (AdjacencyMode.NEIGHBOURS, 3), (AdjacencyMode.PAIRWISE, 2)],
)
def test_modes_differ_in_a_row(mode, expected):
    """In a row of four, the modes join four, three and two tables at most."""
    assert max(len(one.tables) for one in row(4).seatings(4, mode)) == expected


def test_a_table_out_of_use_parts_the_row():
    """A table that is not in use is neither seated nor joined across."""
    floor = row(3)
    closed = attrs.evolve(floor.tables[1], active=False)
    parted = FloorPlan([floor.tables[0], closed, floor.tables[2]], floor.adjacent)
    assert [one.table_ids for one in parted.seatings(3, AdjacencyMode.CONNECTED)] == [("T0",), ("T2",)]


def test_a_cap_on_single_tables_leaves_room_for_combinations():
    """A four that seats at most three alone is joined from the fourth guest on."""
    floor = FloorPlan([Table("T1", 4, max_party_size=3), Table("T2", 2)], [("T1", "T2")])
    (pair,) = [one for one in floor.seatings(2, AdjacencyMode.CONNECTED) if len(one.tables) == 2]
    assert (pair.min_party, pair.max_party) == (4, 6)


def test_too_many_combinations_are_an_error():
    """A floor on which everything is joined with everything says so, and what to turn down."""
    tables = [Table(f"T{number}", 2) for number in range(60)]
    floor = FloorPlan(tables, itertools.combinations([table.id for table in tables], 2))
    with pytest.raises(ValueError, match=r"^max_tables: expected .* 100,000 combinations, got more"):
        floor.seatings(8, AdjacencyMode.CONNECTED)
    assert len(floor.seatings(2, AdjacencyMode.CONNECTED)) < MAX_COMBINATIONS


def test_a_venue_counts_its_seatings_once():
    """What is computed of a floor is kept."""
    venue = Venue("r-1", "UTC", row(5), VenuePolicy(max_tables=2))
    assert venue.seatings is venue.seatings
    assert venue.candidates(4) is venue.candidates(4)
    assert {one.mask for one in venue.seatings} == set(venue.seatings_by_mask)


def named_row(count: int, *combinations: Combination) -> FloorPlan:
    """Tables of two in a row, with combinations that the floor names."""
    return attrs.evolve(row(count), combinations=combinations)


def test_four_twos_make_a_ten():
    """A named combination has its own capacity, need not be adjacent, and may be larger than the policy allows."""
    apart = attrs.evolve(named_row(4, Combination("long table", ("T0", "T1", "T2", "T3"), 10)), adjacent=())
    venue = Venue("r-1", "UTC", apart, VenuePolicy(max_tables=1))
    assert [one.table_ids for one in venue.candidates(10)] == [("T0", "T1", "T2", "T3")]
    assert [one.table_ids for one in venue.candidates(3)] == [("T0", "T1", "T2", "T3")]
    assert [len(one.table_ids) for one in venue.candidates(2)] == [1] * 4
    assert venue.candidates(11) == ()
    assert venue.demand == (1, 1, 1, 1)


def test_a_named_combination_stands_for_the_computed_one():
    """Of one set of tables there is one seating, and larger sets are for the parties that it does not take."""
    venue = Venue("r-1", "UTC", named_row(3, Combination("corner", ("T1", "T0"), 5)))
    corner, row_of_three = venue.seatings_by_mask[0b011], venue.seatings_by_mask[0b111]
    assert (corner.capacity, corner.min_party, corner.max_party) == (5, 3, 5)
    assert (row_of_three.min_party, row_of_three.max_party) == (6, 6)
    assert [one.table_ids for one in venue.candidates(4)] == [("T1", "T2"), ("T0", "T1")]


def test_fewer_seats_than_the_tables_have():
    """Joined round a pillar, two twos may seat three; then three tables in a row are for four and more."""
    venue = Venue(
        "r-1", "UTC", named_row(3, Combination("pillar", ("T0", "T1"), 3), Combination("end", ("T1", "T2"), 3))
    )
    assert [one.table_ids for one in venue.candidates(4)] == [("T0", "T1", "T2")]


def test_the_overage_bounds_a_named_combination_too():
    """Its empty seats are no better than others."""
    floor = named_row(4, Combination("long table", ("T0", "T1", "T2", "T3"), 10, min_party_size=5))
    venue = Venue("r-1", "UTC", floor, VenuePolicy(max_tables=1, max_overage=3))
    assert [len(venue.candidates(size)) for size in (4, 6, 7, 10)] == [0, 0, 1, 1]


def test_a_named_combination_with_a_table_out_of_use_is_not_offered():
    """It comes back with the table."""
    floor = named_row(2, Combination("pair", ("T0", "T1"), 5))
    closed = attrs.evolve(floor, tables=(floor.tables[0], attrs.evolve(floor.tables[1], active=False)))
    assert Venue("r-1", "UTC", closed).candidates(5) == ()
    assert len(Venue("r-1", "UTC", floor).candidates(5)) == 1


@pytest.mark.parametrize(
    ("combinations", "complaint"),
    [
        ([("a", ("T0", "T9"))], "combinations: expected tables of the floor, got 'T9' in 'a'"),
        ([("a", ("T0", "T1")), ("a", ("T1", "T2"))], "combinations: expected each id once, got 'a' twice"),
        (
            [("a", ("T0", "T1")), ("b", ("T1", "T0"))],
            "combinations: expected each set of tables once, got it as 'a' and 'b'",
        ),
    ],
)
def test_combinations_are_of_the_floor(combinations, complaint):
    """Known tables, each id once, each set of tables once; one line says what is wrong."""
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        named_row(3, *[Combination(name, tables, 5) for name, tables in combinations])


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"tables": ("T0",)}, "tables: expected two tables or more, each once, got ['T0']"),
        ({"tables": ("T0", "T0")}, "tables: expected two tables or more, each once, got ['T0', 'T0']"),
        ({"capacity": 0}, "capacity: expected a whole number from 1 to 500, got 0"),
        ({"min_party_size": 6}, "min_party_size: expected a whole number from 1 to 5, got 6"),
        ({"min_party_size": 3, "max_party_size": 2}, "max_party_size: expected a whole number from 3 to 5, got 2"),
        ({"priority": 1.5}, "priority: expected a whole number from -1000000 to 1000000, got 1.5"),
        ({"id": ""}, "id: expected a non-empty text of at most 200 printable characters, got ''"),
    ],
)
def test_a_combination_makes_sense(fields, complaint):
    """Two tables or more, and parties that it can seat."""
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}$"):
        Combination(**{"id": "a", "tables": ("T0", "T1"), "capacity": 5, **fields})


def test_a_named_combination_makes_another_venue():
    """What is planned on a floor with it is not committed on one without."""
    plain, named = row(2), named_row(2, Combination("pair", ("T0", "T1"), 5))
    assert Venue("r-1", "UTC", plain).version != Venue("r-1", "UTC", named).version


def test_named_combinations_are_bounded():
    """A floor, which may come from a file, names a thousand at most: each is held against all others."""
    tables = [Table(f"T{number}", 2) for number in range(50)]
    sets = itertools.islice(itertools.combinations([table.id for table in tables], 3), 1_001)
    named = [Combination(f"C{number}", ids, capacity=6) for number, ids in enumerate(sets)]
    assert len(FloorPlan(tables, combinations=named[:1_000]).combinations) == 1_000
    with pytest.raises(ValueError, match="combinations: expected at most 1,000 named combinations, got 1,001"):
        FloorPlan(tables, combinations=named)
