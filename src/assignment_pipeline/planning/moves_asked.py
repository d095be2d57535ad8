"""Whether others could make room, for many times and parties on one floor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial

import attrs

from assignment_pipeline.domain.availability import TAKEN, Slot
from assignment_pipeline.planning import tiers
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings, Choice
from assignment_pipeline.planning.displacing import Displacing
from assignment_pipeline.planning.found_room import FoundRoom, Rest, Seats, as_found
from assignment_pipeline.planning.known_times import Alike, Answer, Arrival
from assignment_pipeline.planning.movable_parties import MovableParties, Span
from assignment_pipeline.planning.offers import Offers
from assignment_pipeline.planning.parties import Changes, Parties
from assignment_pipeline.planning.searches import Search, Searches
from assignment_pipeline.planning.seat_count import SeatCount
from assignment_pipeline.planning.table_prices import TablePrices
from assignment_pipeline.planning.vacating import Vacating

MOST_MINUTES = 2
"""At how many minutes of a turn it is tried to prove that there is no room: those with the fewest seats left."""


class Moves:
    """
    Whether others could make room, as `plan` would find.

    Args:
        floor: Who sits where, and who of them may be moved.

        seatings: What is known of the venue.

        searches: The searches there that found no room.

        budget: For how long to look for each party.

        ends: When to stop looking, by the clock.

        monotonic: The clock, in seconds.
    """

    def __init__(
        self,
        floor: FloorSnapshot,
        seatings: CandidateSeatings,
        searches: Searches,
        budget: Budget,
        *,
        ends: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._floor = floor
        self._seatings = seatings
        self._searches = searches
        self._budget = budget
        self._ends = ends
        self._monotonic = monotonic
        self._instead: dict[FoundRoom | None, FoundRoom] = {}
        self._since: dict[Parties, Changes] = {}

    def slots(
        self,
        arrival: Arrival,
        row: Sequence[Slot],
        request: Callable[[int], SeatingRequest],
        now: Callable[[], Sequence[Slot]],
    ) -> Sequence[Slot]:
        """
        The slots of an arrival, with those for which others could make room.

        Args:
            arrival: The arrival.

            row: Its slots where nobody moves: it is asked about those that are taken.

            request: Makes the request of one party, by its place in the row, where it comes to a search.

            now: Makes the row of this floor, where a table has come free since the other was made.
        """
        before = arrival.answer
        if before is not None and before.row == row and self._is_still_so(before):
            before.parties = self._parties
            self._searches.found.remember(before.found)  # Others may have remembered another room meanwhile.
            return before.slots
        answer = arrival.answer = self._answer(arrival, row, request, now)
        return answer.slots

    def _answer(
        self,
        arrival: Arrival,
        row: Sequence[Slot],
        request: Callable[[int], SeatingRequest],
        now: Callable[[], Sequence[Slot]],
    ) -> Answer:
        before = arrival.answer
        known = {} if before is None else before.rooms
        changes = None if before is None else self._changes(before)
        slots, is_whole = list(row), True
        rooms: dict[Alike, FoundRoom | None] = {}
        found: dict[Span, dict[Choice, FoundRoom]] = {}
        for alike in arrival.alike:
            if row[alike.parties[0]].spots:  # What one can have, all can.
                continue
            parties = [party for party in alike.parties if row[party].reason == TAKEN]
            if not parties:
                continue
            choice, span, last = arrival.rooms[parties[0]].choice, alike.span, known.get(alike)
            is_known = alike in known and (changes is None or changes.spare(last, span))
            room = last if is_known else self._in_place_of(last, choice, span)
            if room is None and not is_known:
                search = Search(choice, span, self._parties, self._budget.total)
                room = self._room(search, last, partial(request, parties[0]))
                is_known = room is not None or self._is_in_vain(search)
            if room is not None:
                same = dict.fromkeys(alike.choices, room)
                found.setdefault(span, {}).update(same)
                self._searches.found.remember({span: same})
                for party in parties:
                    slots[party] = arrival.with_moves(party) if room.moves else now()[party]
            if room is not None or is_known:
                rooms[alike] = room
            is_whole = is_whole and (is_known if room is None else bool(room.moves))
        return Answer(parties=self._parties, row=row if is_whole else (), slots=slots, rooms=rooms, found=found)

    def _changes(self, answer: Answer) -> Changes | None:
        """What has changed since an answer; None if nothing has."""
        before = answer.parties
        if before is self._parties:
            return None
        known = self._since.get(before)
        if known is None:
            known = self._since[before] = self._parties.since(before)
        return known

    def _is_still_so(self, answer: Answer) -> bool:
        """Whether all that was said is so on this floor, too."""
        changes = self._changes(answer)
        if changes is None or not (changes.left or changes.frees or changes.tables & answer.tables):
            return True
        return all(changes.spare(room, alike.span) for alike, room in answer.rooms.items())

    def _in_place_of(self, before: FoundRoom | None, choice: Choice, span: Span) -> FoundRoom | None:
        """What was found on this floor where that room was known before, if it does here, too."""
        room = self._instead.get(before)
        if room is None or room.place not in choice.places or not self._seats.has(room, span):
            return None
        return room

    def _room(
        self, search: Search, before: FoundRoom | None, request: Callable[[], SeatingRequest]
    ) -> FoundRoom | None:
        """Room for one party, from what is known, such as there was *before*, or by a search."""
        choice, span = search.choice, search.span
        found = self._searches.found.on(self._seats, choice, span)
        if found is None and not self._is_in_vain(search):
            mended = map(self._seats.mended, self._rests(before, choice, span))
            found = next(filter(None, mended), None) or self._cleared(choice, span)
            found = found or self._searched(search, before, request())
        if found is not None and before is not None:
            self._instead[before] = found
        return found

    def _cleared(self, choice: Choice, span: Span) -> FoundRoom | None:
        """Room without a search."""
        found = self._vacating.room(choice.masks, span)
        if found is None:
            return None
        place, moves = found
        return as_found(self._seats, place, ((self._movable.parties[party], to) for party, to in moves))

    def _displaced(self, rest: Rest) -> FoundRoom | None:
        """What is left of room that was found, where others make room for who has lost a place."""
        kept = {mover.booking_id: place for mover, place in rest.places.items()}
        lost = [mover.booking_id for mover in rest.lost]
        moves = self._displacing.again(rest.found.place, rest.span, kept, lost)
        return None if moves is None else rest.room(self._seats.movers(moves))

    def _rests(self, before: FoundRoom | None, choice: Choice, span: Span) -> Iterator[Rest]:
        """What is left of the room that there was *before*, and of what was last found for such a party."""
        for room in dict.fromkeys((before, self._searches.found.last(choice))):
            if room is not None and room.place in choice.places:
                rest = self._seats.rest(room, span)
                if rest is not None:
                    yield rest

    def _is_in_vain(self, search: Search) -> bool:
        """Whether there is no use in a search."""
        return not search.choice.fits(self._floor.held.taken(*search.span)) or self._searches.is_in_vain(search)

    def _searched(self, search: Search, before: FoundRoom | None, request: SeatingRequest) -> FoundRoom | None:
        """Room by a search, which begins with what is left of other room, and is remembered if it finds none."""
        known, began = self._searches, self._monotonic()
        budget, full = known.share(self._budget), tiers.Room(proved=self._floor.complete)
        if self._seat_count.are_too_few(self._movable.kind_for(request), search.span):
            known.remember(search, full, budget, began)
            return None
        rests = self._rests(before, search.choice, search.span)
        found = next(filter(None, map(self._displaced, rests)), None)
        if found is not None:
            return found
        room = tiers.Room(self._displacing.room(request))
        if room.arrangement is None:
            minute = self._full_minute(search)
            if minute is not None:  # Who would be there then needs no search either.
                known.remember(attrs.evolve(search, span=minute), full, budget, began)
                return None
            if began >= self._ends:
                return None
            room = tiers.make_room(
                request,
                self._floor,
                self._offers,
                budget,
                began=began,
                monotonic=self._monotonic,
                movable=self._movable,
                seat_count=self._seat_count,
                displacing=self._displacing,
            )
        known.remember(search, room, budget, began)
        if room.arrangement is None:
            return None
        moves = ((party, option.seating.mask) for party, option in room.arrangement.moves)
        return as_found(self._seats, room.arrangement.option.seating.mask, moves, room.strategy)

    def _full_minute(self, search: Search) -> Span | None:
        """A minute at which it is proved that there is no room; None if none of the fullest is one."""
        for time in self._seat_count.tightest(search.span)[:MOST_MINUTES]:
            if self._prices.prove_no_room(search.choice, time):
                return time, time + 1
        return None

    @cached_property
    def _parties(self) -> Parties:
        return self._searches.who_is_on(self._floor)

    @cached_property
    def _offers(self) -> Offers:
        return Offers(self._seatings, self._floor, ())

    @cached_property
    def _movable(self) -> MovableParties:
        return MovableParties(self._floor, self._offers)

    @cached_property
    def _vacating(self) -> Vacating:
        return Vacating(self._floor, self._movable)

    @cached_property
    def _displacing(self) -> Displacing:
        return Displacing(self._movable)

    @cached_property
    def _seat_count(self) -> SeatCount:
        return SeatCount(self._floor, self._movable)

    @cached_property
    def _prices(self) -> TablePrices:
        return TablePrices(self._floor, self._movable)

    @cached_property
    def _seats(self) -> Seats:
        return Seats(self._floor, self._seatings)
