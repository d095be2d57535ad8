"""Where prices prove that there is no room, no arrangement is one: by brute force, on small floors."""

from __future__ import annotations

import datetime as dt
import random

from assignment_pipeline import Booking, FloorPlan, Table, Venue
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings
from assignment_pipeline.planning.movable_parties import MovableParties, span_of
from assignment_pipeline.planning.offers import Offers
from assignment_pipeline.planning.seat_count import SeatCount
from assignment_pipeline.planning.table_prices import TablePrices
from assignment_pipeline.ports import Occupied

SEVEN = dt.datetime(2031, 6, 6, 19, tzinfo=dt.UTC)


def evening(draw: random.Random) -> tuple[FloorSnapshot, SeatingRequest, CandidateSeatings]:
    """Six tables in two rows that join, as full as they get, and one party more."""
    tables = [Table(f"T{number}", draw.choice((2, 2, 4, 6))) for number in range(6)]
    venue = Venue("r-1", "UTC", FloorPlan(tables, [("T0", "T1"), ("T1", "T2"), ("T3", "T4"), ("T4", "T5")]))
    sitting, busy = [], 0
    for number in range(6):
        request = SeatingRequest.at(venue, Booking(f"b-{number}", "r-1", draw.choice((1, 2, 3, 5)), SEVEN))
        free = [place for place in venue.candidates(request.booking.party_size) if not place.mask & busy]
        if free:
            place = draw.choice(free)
            busy |= place.mask
            sitting.append(Sitting(request, place.table_ids))
    rows = [
        Occupied(table_id=table, window=party.request.blocked, booking_id=party.request.booking.id, movable=True)
        for party in sitting
        for table in party.tables
    ]
    request = SeatingRequest.at(venue, Booking("new", "r-1", draw.choice((1, 2, 3, 5, 7)), SEVEN))
    return FloorSnapshot.of(venue, rows, sitting=sitting), request, CandidateSeatings(venue)


def fit(places: list[list[int]], busy: int = 0) -> bool:
    """Whether each of the parties can have one of its places."""
    if not places:
        return True
    return any(not mask & busy and fit(places[1:], busy | mask) for mask in places[0])


def test_nothing_is_priced_where_all_can_sit(monkeypatch):
    """A place for each is found in a few steps: then no prices prove anything."""
    draw, priced, full = random.Random(8), list[bool](), 0
    monkeypatch.setattr(TablePrices, "_are_too_dear", lambda *_: bool(priced.append(True)))
    for _ in range(300):
        floor, request, seatings = evening(draw)
        movable = MovableParties(floor, Offers(seatings, floor, ()))
        choice = seatings.choice(request)
        others = [[*movable.kind_for(party.request).masks, floor.home(party)] for party in movable.parties]
        full += bool(choice.option_masks) and not fit([*others, choice.option_masks])
        TablePrices(floor, movable).prove_no_room(choice, span_of(request)[0])
    assert len(priced) == full > 10


def test_what_prices_prove_is_so_and_seats_do_not_say_all_of_it():
    """No proof is wrong, and some evenings are full though there are seats enough."""
    draw, more = random.Random(7), 0
    for _ in range(600):
        floor, request, seatings = evening(draw)
        movable = MovableParties(floor, Offers(seatings, floor, ()))
        choice, span = seatings.choice(request), span_of(request)
        if TablePrices(floor, movable).prove_no_room(choice, span[0]):
            others = [[*movable.kind_for(party.request).masks, floor.home(party)] for party in movable.parties]
            assert not fit([*others, choice.option_masks])
            more += not SeatCount(floor, movable).are_too_few(movable.kind_for(request), span)
    assert more > 10
