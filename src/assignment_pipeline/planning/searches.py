"""Searches for room that found none, so that the next party of the kind need not be looked for as long."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Callable, Iterator

import attrs

from assignment_pipeline.domain.windows import minute
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings, Choice
from assignment_pipeline.planning.found_room import FoundRooms
from assignment_pipeline.planning.movable_parties import Span
from assignment_pipeline.planning.parties import Parties
from assignment_pipeline.planning.tiers import Room

MOST = 1_024
"""How many searches are remembered for a venue: the last."""

MOST_FLOORS = 64
"""Of how many floors it is remembered that they are the same."""

LONG = 15.0
"""
Seconds in a minute for long searches at one venue.

A sweep that meets a hundred bookings at a full restaurant has others to see to. Bookings that come after that time are
looked at for as long as a call looks.
"""

A_MINUTE = 60.0


@attrs.frozen(eq=False)
class Search:
    """
    A search that found no room, or one that is about to begin.

    Attributes:
        choice: Where the party could sit if nobody did.

        span: For when it blocks its tables, in minutes since 1970.

        parties: Who is on the floor.

        budget: For how long it looks in all.

        proved: Whether it is certain that there is no room.
    """

    choice: Choice
    span: Span
    parties: Parties
    budget: dt.timedelta
    proved: bool = False

    def is_within(self, other: Search) -> bool:
        """Whether *other* wants tables for the same time or longer, on the same floor or a fuller one."""
        return _covers(other.span, self.span) and self.parties.are_among(other.parties)


def _covers(span: Span, other: Span) -> bool:
    return span[0] <= other[0] and other[1] <= span[1]


class Searches:
    """
    The searches at one version of a venue that found no room. They save a search; the commit checks as ever.

    Where no room was found for a party, there is none for a party that needs the same tables or more, for the same
    time or longer, on a floor with the same parties or more: if that one could sit, so could the first.

    Args:
        seatings: What is known of the venue.

        monotonic: The clock that they are measured with, in seconds.

    Attributes:
        found: The room that others found.
    """

    def __init__(self, seatings: CandidateSeatings, monotonic: Callable[[], float]) -> None:
        self._seatings = seatings
        self._monotonic = monotonic
        # When they ended, and took.
        self._long: collections.deque[tuple[float, float]] = collections.deque(maxlen=MOST)
        self._known: dict[Span, dict[Choice, Search]] = {}
        self._floors: dict[frozenset[str], Parties] = {}
        self._needs: dict[tuple[Choice, Choice], bool] = {}
        self.found = FoundRooms(seatings)

    def of(self, request: SeatingRequest, floor: FloorSnapshot, budget: dt.timedelta) -> Search:
        """The search for that party, to be begun or spared."""
        span = (minute(request.blocked.start), minute(request.blocked.end))
        return Search(self._seatings.choice(request), span, self.who_is_on(floor), budget)

    def who_is_on(self, floor: FloorSnapshot) -> Parties:
        """Who is there; the same answer for the same parties at the same tables."""
        found = Parties(floor, self._seatings)
        who = frozenset(found.movable)
        known = self._floors.get(who)
        if known is not None and found.are(known):
            return known
        for oldest in list(self._floors)[: max(len(self._floors) - MOST_FLOORS, 0)]:
            self._floors.pop(oldest, None)
        self._floors[who] = found
        return found

    def answer(self, search: Search, floor: FloorSnapshot) -> Room | None:
        """What an earlier search says of *search*; None if it has to be made."""
        found = None
        for known in self._telling_of(search):
            if known.proved and floor.complete:
                return Room(proved=True)
            if search.budget <= known.budget:
                found = Room()
        return found

    def is_in_vain(self, search: Search) -> bool:
        """Whether an earlier search says so."""
        return any(known.proved or search.budget <= known.budget for known in self._telling_of(search))

    def share(self, budget: Budget) -> Budget:
        """What is left of *budget* where long searches have taken their share of the last minute at this venue."""
        now = self._monotonic()
        left = LONG - sum(took for ended, took in list(self._long) if now - ended < A_MINUTE)
        least = min(budget.reseating, budget.total)
        return Budget(budget.reseating, max(min(budget.total, dt.timedelta(seconds=left)), least))

    def remember(self, search: Search, room: Room, budget: Budget, began: float) -> None:
        """Keep what came of *search*, which had *budget* and *began* at that time of the clock."""
        now = self._monotonic()
        if budget.total > budget.reseating:
            self._long.append((now, now - began))
        if room.arrangement is None:
            for span in list(self._known):  # Here as elsewhere, another thread may add one meanwhile, or forget one.
                if sum(map(len, list(self._known.values()))) < MOST:
                    break
                self._known.pop(span, None)
            kept = attrs.evolve(search, budget=budget.total, proved=room.proved)
            self._known.setdefault(search.span, {})[search.choice] = kept
        else:  # Those that ran out of their time would have found room, too.
            for known in [known for known in self._telling_of(search) if not known.proved]:
                self._known.get(known.span, {}).pop(known.choice, None)

    def _telling_of(self, search: Search) -> Iterator[Search]:
        """The searches in which no room could have been found if there is none for *search*; the likeliest first."""
        same = self._known.get(search.span, {}).get(search.choice)
        if same is not None and same.is_within(search):
            yield same
        for span, known in list(self._known.items()):
            if _covers(search.span, span):
                for other in list(known.values()):
                    if self._needs_as_much(other.choice, search.choice) and other.is_within(search):
                        yield other

    def _needs_as_much(self, one: Choice, other: Choice) -> bool:
        """Whether each place for the *other* kind of party has the tables of a place for the *one*."""
        if one is other:
            return True
        known = self._needs.get((one, other))
        if known is None:
            known = all(mask & one.single or any(mask & small == small for small in one.masks) for mask in other.masks)
            self._needs[one, other] = known
        return known
