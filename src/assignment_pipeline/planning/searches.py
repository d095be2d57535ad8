"""Searches for room that found none, so that the next party of the kind need not be looked for as long."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Callable

import attrs

from assignment_pipeline.domain.windows import minute
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings, Choice
from assignment_pipeline.planning.tiers import Room

MOST = 128
"""How many searches are remembered for a venue: the last."""

LONG = 30.0
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

        parties: Those that could move: who, what each asked for and when.

        fixed: The rows of the others.

        budget: For how long it looks in all.

        proved: Whether it is certain that there is no room.
    """

    choice: Choice
    span: tuple[int, int]
    parties: frozenset[object]
    fixed: frozenset[object]
    budget: dt.timedelta
    proved: bool = False

    def is_within(self, other: Search) -> bool:
        """Whether *other* wants tables for the same time or longer, on the same floor or a fuller one."""
        return other.span[0] <= self.span[0] and self.span[1] <= other.span[1] and self.is_on(other)

    def is_on(self, other: Search) -> bool:
        """Whether *other* is on the same floor or a fuller one."""
        return self.parties <= other.parties and self.fixed <= other.fixed


class Searches:
    """
    The searches at one version of a venue that found no room. They save a search; the commit checks as ever.

    Where no room was found for a party, there is none for a party that needs the same tables or more, for the same
    time or longer, on a floor with the same parties or more: if that one could sit, so could the first.

    Args:
        seatings: What is known of the venue.

        monotonic: The clock that they are measured with, in seconds.
    """

    def __init__(self, seatings: CandidateSeatings, monotonic: Callable[[], float]) -> None:
        self._seatings = seatings
        self._monotonic = monotonic
        self._long: collections.deque[tuple[float, float]] = collections.deque(
            maxlen=MOST
        )  # When they ended, and took.
        self._known: collections.deque[Search] = collections.deque(maxlen=MOST)
        self._needs: dict[tuple[Choice, Choice], bool] = {}

    def of(self, request: SeatingRequest, floor: FloorSnapshot, budget: dt.timedelta) -> Search:
        """The search for that party, to be begun or spared."""
        seatings, positions = self._seatings, floor.venue.floor.positions
        moving = {party.request.booking.id for party in floor.sitting}
        parties = []
        for party in floor.sitting:
            wish, blocked = party.request.booking, party.request.blocked
            home = sum(1 << positions[table] for table in party.tables if table in positions)
            # Who has tables that the engine would not give keeps them, or moves to others: so they count.
            own = home if home not in seatings.choice(party.request).places else 0
            key = (wish.id, wish.party_size, wish.seating, wish.zone, wish.accessible, blocked.start, blocked.end, own)
            parties.append(key)
        fixed = (
            (row.table_id, row.window.start, row.window.end)
            for row in floor.occupancy.rows
            if not (row.movable and row.booking_id in moving)
        )
        blocked = request.blocked
        span = (minute(blocked.start), minute(blocked.end))
        return Search(seatings.choice(request), span, frozenset(parties), frozenset(fixed), budget)

    def answer(self, search: Search, floor: FloorSnapshot) -> Room | None:
        """What an earlier search says of *search*; None if it has to be made."""
        found = None
        for known in reversed(list(self._known)):  # Another thread may add one meanwhile.
            if self._tells_of(known, search):
                if known.proved and floor.complete:
                    return Room(proved=True)
                if search.budget <= known.budget:
                    found = Room()
        return found

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
        if room.plan is None:
            self._known.append(attrs.evolve(search, budget=budget.total, proved=room.proved))
        else:  # Those that ran out of their time would have found room, too.
            kept = (known for known in list(self._known) if known.proved or not self._tells_of(known, search))
            self._known = collections.deque(kept, maxlen=MOST)

    def _tells_of(self, known: Search, search: Search) -> bool:
        return known.is_within(search) and self._needs_as_much(known.choice, search.choice)

    def _needs_as_much(self, one: Choice, other: Choice) -> bool:
        """Whether each place for the *other* kind of party has the tables of a place for the *one*."""
        if one is other:
            return True
        known = self._needs.get((one, other))
        if known is None:
            known = all(mask & one.single or any(mask & small == small for small in one.masks) for mask in other.masks)
            self._needs[one, other] = known
        return known
