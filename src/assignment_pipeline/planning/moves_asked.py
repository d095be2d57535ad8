"""Whether others could make room, for many times and parties on one floor."""

from __future__ import annotations

import functools
from collections.abc import Callable

import attrs

from assignment_pipeline.planning import tiers
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings, Choice
from assignment_pipeline.planning.found_room import FoundRoom, Seats, as_found
from assignment_pipeline.planning.movable_parties import MovableParties, Span
from assignment_pipeline.planning.offers import Offers
from assignment_pipeline.planning.searches import Search, Searches
from assignment_pipeline.planning.vacating import Vacating


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

    @functools.cached_property
    def _anything(self) -> Search:
        """A search on this floor."""
        return self._searches.of(self._floor.sitting[0].request, self._floor, self._budget.total)

    @functools.cached_property
    def _offers(self) -> Offers:
        return Offers(self._seatings, self._floor, ())

    @functools.cached_property
    def _movable(self) -> MovableParties:
        return MovableParties(self._floor, self._offers)

    @functools.cached_property
    def _vacating(self) -> Vacating:
        return Vacating(self._floor, self._movable)

    @functools.cached_property
    def _seats(self) -> Seats:
        return Seats(self._floor, self._seatings)

    def make_room(self, choice: Choice, span: Span, request: Callable[[], SeatingRequest]) -> bool:
        """
        Whether they could for one party.

        Args:
            choice: Where it could sit.

            span: When it blocks its tables, in minutes since 1970.

            request: Makes its request, where it comes to a search.
        """
        known = self._searches
        if known.found.on(self._seats, choice, span) is not None:
            return True
        search = attrs.evolve(self._anything, choice=choice, span=span)
        found = self._cleared(choice, span)
        if found is None and not self._is_in_vain(search):
            found = self._searched(search, request())
        if found is not None:
            known.found.remember(choice, span, found)
        return found is not None

    def _cleared(self, choice: Choice, span: Span) -> FoundRoom | None:
        """Room without a search."""
        found = self._vacating.room(choice.masks, span)
        if found is None:
            return None
        place, moves = found
        return as_found(self._seats, place, ((self._movable.parties[party], to) for party, to in moves))

    def _is_in_vain(self, search: Search) -> bool:
        """Whether there is no use in a search, or no time for it."""
        if not search.choice.fits(self._floor.held.taken(*search.span)) or self._searches.is_in_vain(search):
            return True
        return self._monotonic() >= self._ends

    def _searched(self, search: Search, request: SeatingRequest) -> FoundRoom | None:
        """Room by a search, which is remembered if it finds none."""
        known, began = self._searches, self._monotonic()
        budget = known.share(self._budget)
        room = tiers.make_room(
            request,
            self._floor,
            self._offers,
            budget,
            began=began,
            monotonic=self._monotonic,
            movable=self._movable,
        )
        known.remember(search, room, budget, began)
        if room.arrangement is None:
            return None
        moves = ((party, option.seating.mask) for party, option in room.arrangement.moves)
        return as_found(self._seats, room.arrangement.option.seating.mask, moves, room.strategy)
