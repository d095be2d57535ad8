"""Whether others could make room, for many times and parties on one floor."""

from __future__ import annotations

import functools
from collections.abc import Callable

import attrs

from assignment_pipeline.planning import tiers
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings
from assignment_pipeline.planning.movable_parties import MovableParties, Span
from assignment_pipeline.planning.offers import Offers
from assignment_pipeline.planning.rooms import Rooms
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

    def make_room(self, rooms: Rooms, span: Span, request: Callable[[], SeatingRequest]) -> bool:
        """
        Whether they could for one party.

        Args:
            rooms: Where it could sit.

            span: When it blocks its tables, in minutes since 1970.

            request: Makes its request, where it comes to a search.
        """
        if self._vacating.makes_room(rooms.choice.single, rooms.joined, span):
            return True
        if not rooms.choice.fits(self._floor.held.taken(*span)) or self._monotonic() >= self._ends:
            return False
        floor, known, options = self._floor, self._searches, self._offers
        search = attrs.evolve(self._anything, choice=rooms.choice, span=span)
        room = known.answer(search, floor)
        if room is None:
            began = self._monotonic()
            budget = known.share(self._budget)
            room = tiers.make_room(
                request(), floor, options, budget, began=began, monotonic=self._monotonic, movable=self._movable
            )
            known.remember(search, room, budget, began)
        return room.arrangement is not None
