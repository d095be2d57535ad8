"""Counters and communal tables: parties share them, and no seat is left alone where that can be avoided."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from assignment_pipeline import (
    Booking,
    CommunalTable,
    Coordinator,
    Counter,
    FloorPlan,
    Outcome,
    PlacementRefusedError,
    Table,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.testing import FakeClock

HOUR = dt.timedelta(hours=1)
QUARTER = dt.timedelta(minutes=15)
COUNTER = Counter("B", 12, seating="bar", zone="bar")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def start(clock):
    return clock.now().replace(second=0, microsecond=0) + dt.timedelta(days=1)


@pytest.fixture
def opened(clock):
    """Opens a house with these tables."""

    def make(*tables, **policy):
        venue = Venue("r-1", "UTC", FloorPlan(tables), VenuePolicy(**policy))
        return Coordinator.in_memory(venue, clock=clock, sinks=())

    return make


def seats(result):
    """The numbers of its seats, in order."""
    return sorted(int(name.rpartition("-")[2]) for name in result.tables)


def spots(coordinator, start, *sizes):
    """How many parties of each size can still come then."""
    found = coordinator.availability("r-1", start.date(), sizes).slots
    return [slot.spots for slot in found if slot.start_at == start]


def test_parties_share_a_counter_side_by_side(opened, start):
    """Each has as many seats as guests, with none in between; so do twelve, whatever the policy says of joining."""
    coordinator = opened(COUNTER, max_tables=1)
    assert spots(coordinator, start, 1, 2, 3, 5, 12, 13) == [12, 6, 4, 2, 1, 0]
    taken = []
    for number, size in enumerate((3, 2, 4, 1, 2)):
        result = coordinator.assign(Booking(f"b-{number}", "r-1", size, start))
        assert result.outcome is Outcome.CONFIRMED
        mine = seats(result)
        assert mine == [*range(mine[0], mine[0] + size)]
        taken += mine
    assert sorted(taken) == [*range(1, 13)]
    assert spots(coordinator, start, 1, 2) == [0, 0]
    assert coordinator.assign(Booking("all", "r-1", 12, start + 4 * HOUR)).outcome is Outcome.CONFIRMED
    assert coordinator.preview(Booking("more", "r-1", 13, start)).refusal == "party_too_large"


def test_no_seat_is_left_alone_where_that_can_be_avoided(opened, start):
    """Three come between two couples that are four seats apart: beside one of them no other couple is lost."""
    coordinator = opened(Counter("B", 8), reseat="off")
    coordinator.place(Booking("a", "r-1", 2, start), ["B-1", "B-2"], actor="anna")
    coordinator.place(Booking("b", "r-1", 2, start), ["B-7", "B-8"], actor="anna")
    single = coordinator.assign(Booking("c", "r-1", 1, start))
    assert seats(single) in ([3], [6])
    plan = single.decision.plan
    assert (plan.parts["join"], plan.parts["orphan"]) == (0.0, 0.1)
    couple = coordinator.assign(Booking("d", "r-1", 2, start))
    assert couple.outcome is Outcome.CONFIRMED
    assert couple.decision.plan.parts["orphan"] == 1.1  # One of three seats has to be left.


def lost_couples(coordinator, start, seed):
    """How many couples are refused in an evening though two seats are free for their time."""
    chance, held, lost = random.Random(seed), [], 0
    for number in range(34):
        size, arrival = chance.choices([1, 2, 3, 4], [20, 60, 12, 8])[0], start + chance.randrange(11) * QUARTER
        result = coordinator.assign(Booking(f"b-{seed}-{number}", "r-1", size, arrival))
        if result.tables:
            held.append(result.record.allocation)
        elif size == 2:
            turn = Venue("r-1", "UTC", FloorPlan([Table("T", 2)])).turn(Booking("x", "r-1", 2, arrival))
            busy = {name for one in held for name in one.tables if one.blocked.overlaps(turn)}
            lost += len(busy) <= 14
    return lost


def test_few_couples_are_lost_to_a_seat_here_and_a_seat_there(opened, start):
    """On sixteen seats, in ten full evenings in which nobody moves: not one evening in three has such a couple."""
    evenings = [lost_couples(opened(Counter("B", 16), reseat="off"), start, seed) for seed in range(10)]
    assert sum(1 for lost in evenings if lost) <= 3


def test_others_move_along_the_counter(opened, start):
    """A party that finds single seats only has another one move up."""
    coordinator = opened(Counter("B", 5))
    coordinator.place(Booking("a", "r-1", 1, start), ["B-2"], actor="anna", pin=False)
    coordinator.place(Booking("b", "r-1", 1, start), ["B-4"], actor="anna", pin=False)
    assert spots(coordinator, start, 3) == [1]
    result = coordinator.assign(Booking("c", "r-1", 3, start))
    assert len(result.moved) == 1
    assert len(seats(result)) == 3


def test_any_seats_of_a_communal_table_do(opened, start):
    """It is full when its seats are, however they are spread."""
    coordinator = opened(CommunalTable("C", 6), reseat="off")
    for name in ("C-2", "C-4", "C-6"):
        coordinator.place(Booking(name, "r-1", 1, start), [name], actor="anna")
    assert spots(coordinator, start, 1, 2, 3, 4) == [3, 1, 1, 0]
    assert seats(coordinator.assign(Booking("three", "r-1", 3, start))) == [1, 3, 5]
    refused = coordinator.preview(Booking("more", "r-1", 1, start))
    assert refused.plan is None
    assert refused.turned_away == {"taken": 6}
    assert start not in refused.nearest
    assert coordinator.preview(Booking("more", "r-1", 6, start)).nearest


def test_nothing_is_proved_where_not_all_seats_were_looked_at(opened, start):
    """At a communal table a refusal that took no other look is no proof, and the sweep tries again."""
    coordinator = opened(CommunalTable("C", 4))
    for name in ("C-1", "C-2"):
        coordinator.place(Booking(name, "r-1", 1, start), [name], actor="anna", pin=False)
    assert coordinator.assign(Booking("b", "r-1", 3, start)).reason == "no_fit"


def test_people_may_part_a_party_and_say_so(opened, start):
    """Seats with others in between are not joined at a counter, and are at a communal table."""
    coordinator = opened(COUNTER, CommunalTable("C", 6), Table("T1", 2))
    for tables in (["B-1", "B-3"], ["B-1", "C-1"], ["B-1", "T1"]):
        with pytest.raises(PlacementRefusedError, match="not_joinable"):
            coordinator.place(Booking("b-1", "r-1", 2, start), tables, actor="anna")
    placed = coordinator.place(Booking("b-1", "r-1", 2, start), ["B-1", "B-3"], actor="anna", allow=["not_joinable"])
    assert placed.tables == ("B-1", "B-3")
    assert coordinator.place(Booking("b-2", "r-1", 2, start), ["C-1", "C-5"], actor="anna").tables == ("C-1", "C-5")


def test_a_seat_out_of_use_parts_the_counter(opened, start):
    """Nobody sits on both sides of it; at a communal table it is only one seat less."""
    tables = [Table(f"B-{number}", 1, counter="B", active=number != 3, communal=None) for number in range(1, 6)]
    shared = [Table(f"C-{number}", 1, communal="C", active=number != 2) for number in range(1, 4)]
    assert spots(opened(*tables), start, 2, 3, 4) == [2, 0, 0]
    assert spots(opened(*shared), start, 2, 3) == [1, 0]
