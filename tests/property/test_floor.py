"""The combinations of a floor, against all its sets of tables."""

from __future__ import annotations

import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.domain.booking import SeatingPreference
from assignment_pipeline.domain.floor import MAX_COMBINATIONS, FloorPlan, Table
from assignment_pipeline.domain.policy import AdjacencyMode, VenuePolicy
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.testing.strategies import bookings, floors, venues

MODES = st.sampled_from(AdjacencyMode)
SIZES = st.integers(1, 5)


def joined(floor: FloorPlan, ids: tuple[str, ...], mode: AdjacencyMode) -> bool:
    """Whether those tables may be joined, by the definition of the mode."""

    def adjacent(one: str, other: str) -> bool:
        return frozenset((one, other)) in floor.adjacent

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


@given(floor=floors(), max_tables=SIZES, mode=MODES)
def test_the_seatings_are_the_sets_that_may_be_joined(floor, max_tables, mode):
    """Every set of active tables that may be joined is there once, no other is, and they come by capacity."""
    found = floor.seatings(max_tables, mode)
    assert sorted(one.table_ids for one in found) == sorted(all_joined(floor, max_tables, mode))
    assert [one.capacity for one in found] == sorted(one.capacity for one in found)


@given(floor=floors(), max_tables=SIZES, mode=MODES)
def test_a_combination_has_no_table_to_spare(floor, max_tables, mode):
    """A party that a combination is for would not fit if any of the tables were left out."""
    by_ids = {one.table_ids: one for one in floor.seatings(max_tables, mode)}
    for ids, seating in by_ids.items():
        if len(ids) == 1:
            continue
        fewer = [
            by_ids[part] for size in range(1, len(ids)) for part in itertools.combinations(ids, size) if part in by_ids
        ]
        most = max(one.max_party for one in fewer)
        assert seating.min_party == most + 1
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
        assert seating.priority == sum(table.priority for table in tables)


@given(floor=floors())
def test_a_table_alone_keeps_its_own_limits(floor):
    """The limits of a single table are its own, whatever it can be joined with."""
    for seating in floor.seatings(1, AdjacencyMode.CONNECTED):
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
    """A table is needed by each combination that it is part of."""
    needed = [one for one in venue.seatings if len(one.tables) > 1]
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
        assert (seating.min_party, seating.max_party) == (1, seating.capacity)


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
