"""The proof by counting that nobody can make room: it says so only where trying everything finds none."""

from __future__ import annotations

import datetime as dt

from hypothesis import event, given

from assignment_pipeline import Booking, FloorPlan, Occupied, Table, Venue
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.planning.movable_parties import MovableParties
from assignment_pipeline.planning.offers import Offers
from assignment_pipeline.planning.seat_count import SeatCount
from tests.property.test_reseating import evenings, fewest_moves

SIX = dt.datetime(2031, 5, 2, 18, tzinfo=dt.UTC)


def are_too_few(request, floor):
    movable = MovableParties(floor, Offers(CandidateSeatings(floor.venue), floor, ()))
    return SeatCount(floor, movable).are_too_few(movable.kind_for(request), request.blocked.minutes)


@given(evenings())
def test_too_few_seats_are_too_few(evening):
    """Where it says so, no arrangement of all parties has a place for one more."""
    said = are_too_few(evening.request, evening.floor)
    event(f"too few: {said}")
    if said:
        assert fewest_moves(evening) is None


def full_house(*tables, shared=False, empty=()):
    """A couple at each table, all at six, or two of them at the first; and nobody at those that are empty."""
    venue = Venue("r-1", "UTC", FloorPlan([*tables, *empty]))
    sitting = [
        Sitting(SeatingRequest.at(venue, Booking(f"b-{number}", "r-1", 2, SIX)), (table.id,))
        for number, table in enumerate([tables[0], *tables[:-1]] if shared else tables)
    ]
    rows = [
        Occupied(
            table_id=party.tables[0], window=party.request.blocked, booking_id=party.request.booking.id, movable=True
        )
        for party in sitting
    ]
    return FloorSnapshot.of(venue, rows, sitting=sitting)


def request(floor, size=2):
    return SeatingRequest.at(floor.venue, Booking("new", "r-1", size, SIX))


def test_each_party_takes_the_seats_of_its_smallest_place():
    """Three couples at tables for two leave none; of three at tables for four, each might do with less."""
    twos, fours = (full_house(*(Table(f"T{number}", seats) for number in range(3))) for seats in (2, 4))
    mixed = full_house(Table("T0", 2), Table("T1", 4), Table("T2", 4))
    assert are_too_few(request(twos), twos)
    assert are_too_few(request(fours), fours)
    assert not are_too_few(request(mixed), mixed)


def test_a_table_out_of_use_has_no_seats_but_for_who_sits_there():
    """Nobody may go to it, and who is there may stay."""
    out = Table("out", 2, active=False)
    empty = full_house(Table("T0", 2), empty=[out])
    assert are_too_few(request(empty), empty)
    kept = full_house(Table("T0", 4), out)
    assert are_too_few(request(kept), kept)
    free = full_house(out, empty=[Table("T0", 2)])
    assert not are_too_few(request(free), free)


def test_two_parties_that_people_sat_down_together_prove_nothing():
    """They may stay, so that the seats say nothing."""
    floor = full_house(Table("T0", 2), Table("T1", 2), shared=True)
    assert not are_too_few(request(floor), floor)


def test_what_is_counted_is_proved_without_time_to_search():
    """The engine says that it is certain, where a search has no time at all."""
    tables = [Table(f"T{number}", 2) for number in range(4)]
    floor = full_house(*tables)
    engine = TableEngine(monotonic=lambda: 0.0)
    none = Budget(dt.timedelta(0), dt.timedelta(0))
    assert engine.plan(request(floor), floor, none).refusal == "infeasible"
