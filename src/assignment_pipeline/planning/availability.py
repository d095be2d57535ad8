"""Which of many times can be had, by the same rules as one booking is planned, in one pass over a floor."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from functools import partial

import attrs

from assignment_pipeline.domain.availability import TAKEN, Slot, SlotStatus, code_of
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied, Seating
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.pacing import ArrivingParty
from assignment_pipeline.domain.result import Decision, Reason
from assignment_pipeline.domain.windows import MINUTE, TimeWindow, minute
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings
from assignment_pipeline.planning.known_times import KnownTimes, known_times
from assignment_pipeline.planning.moves_asked import Moves
from assignment_pipeline.planning.rooms import where
from assignment_pipeline.planning.searches import Searches

MOST_SPOTS = 100
"""So many parties are planned one after another at most, to count how many fit."""

_A, _M, _R, _U = SlotStatus.AVAILABLE, SlotStatus.WITH_MOVES, SlotStatus.REVIEW, SlotStatus.UNAVAILABLE

_unchecked_request = maker(SeatingRequest)

Planner = Callable[[SeatingRequest, FloorSnapshot, Budget], Decision]


@attrs.frozen(kw_only=True, eq=False)
class TimesAsked:
    """
    Which times somebody wants to know about.

    Attributes:
        starts: The arrivals, in order.

        bookings: A party of each size, with its wishes; when it starts does not matter.

        not_before: The earliest time at which a party can still be seated, or None where the clock does not count.

        budget: For how long moves may be looked for, for each arrival and size.

        total: The same for all of them together. What is not reached by then counts as taken.

        slots: What they have where nobody moves. With these, only what is taken is looked at, for who could move.
    """

    starts: tuple[dt.datetime, ...]
    bookings: tuple[Booking, ...]
    not_before: dt.datetime | None
    budget: Budget
    total: dt.timedelta
    slots: tuple[Slot, ...] = ()


def survey(
    asked: TimesAsked,
    floor: FloorSnapshot,
    plan: Planner,
    *,
    monotonic: Callable[[], float],
    seatings: CandidateSeatings | None = None,
    searches: Searches | None = None,
) -> tuple[Slot, ...]:
    """
    What can be had of the times asked for.

    Args:
        asked: The times, and the parties.

        floor: Who sits where, and who of them may be moved.

        plan: Plans one party.

        monotonic: The clock that the total is measured with, in seconds.

        seatings: What is known of the venue; None where strategies have a say, so that each time is planned by itself.

        searches: The searches for room at the venue that found none; None where `seatings` is.
    """
    ends = monotonic() + asked.total.total_seconds()
    if seatings is None or searches is None:
        return tuple(_Planning(asked, floor, plan, ends, monotonic).slots())
    looking = _Looking(asked, floor, seatings)
    if not asked.slots:
        return tuple(itertools.chain.from_iterable(map(looking.at, asked.starts)))
    if not floor.sitting:
        return asked.slots
    return looking.with_moves(Moves(floor, seatings, searches, asked.budget, ends=ends, monotonic=monotonic))


class _Looking:
    """All parties at once, arrival by arrival, by bits."""

    def __init__(self, asked: TimesAsked, floor: FloorSnapshot, seatings: CandidateSeatings) -> None:
        self._asked = asked
        self._floor = floor
        self._seatings = seatings
        self._known: dict[int, KnownTimes] = {}
        self._holds = bool(floor.venue.floor.holds)

    def at(self, start: dt.datetime) -> tuple[Slot, ...]:
        """The slots of an arrival, one for each party."""
        known, not_before, pace = self._known_at(start), self._asked.not_before, self._floor.pace
        arrival = known.at(start)
        if not_before is not None and start < not_before:
            return arrival.past()
        busy = self._floor.occupancy.taken_up_to(arrival.first, arrival.ends)
        left = None if pace is None else pace.left(start, self._asked.bookings[0].channel)
        return known.row(arrival, busy, left)

    def with_moves(self, moves: Moves) -> tuple[Slot, ...]:
        """The slots asked about, and for which of those that are taken others could make room."""
        asked, found = self._asked, list[Slot]()
        parties = len(asked.bookings)
        for number, start in enumerate(asked.starts):
            row = asked.slots[number * parties : (number + 1) * parties]
            request = partial(_request_at, asked, self._floor, start)
            found += moves.slots(self._known_at(start).at(start), row, request, partial(self.at, start))
        return tuple(found)

    def _known_at(self, start: dt.datetime) -> KnownTimes:
        """What is known of the arrivals for which the same tables are held back."""
        not_before, released = self._asked.not_before, 0
        if self._holds and not_before is not None:
            released = self._floor.venue.floor.releases(minute(start) - minute(not_before))
        known = self._known.get(released)
        if known is None:
            window = TimeWindow(start, start + MINUTE)
            requests = (
                _unchecked_request(booking=booking, turn=window, blocked=window, not_before=not_before)
                for booking in self._asked.bookings
            )
            known = self._known[released] = known_times(self._seatings, requests)
        return known


def _request_at(asked: TimesAsked, floor: FloorSnapshot, start: dt.datetime, place: int) -> SeatingRequest:
    return _request(asked, floor, start, asked.bookings[place])


def _request(asked: TimesAsked, floor: FloorSnapshot, start: dt.datetime, booking: Booking) -> SeatingRequest:
    return SeatingRequest.at(floor.venue, attrs.evolve(booking, start_at=start), asked.not_before)


class _Planning:
    """Each party by itself, as the engine plans it: for strategies, which may say another thing each time."""

    def __init__(
        self, asked: TimesAsked, floor: FloorSnapshot, plan: Planner, ends: float, monotonic: Callable[[], float]
    ) -> None:
        self._asked = asked
        self._floor = floor
        self._plan = plan
        self._ends = ends
        self._monotonic = monotonic

    def slots(self) -> Iterator[Slot]:
        """What each arrival has for each party."""
        asked = itertools.product(self._asked.starts, self._asked.bookings)
        for (start, booking), known in itertools.zip_longest(asked, self._asked.slots):
            yield self._slot(start, booking) if known is None or known.reason == TAKEN else known

    def _slot(self, start: dt.datetime, booking: Booking) -> Slot:
        request = _request(self._asked, self._floor, start, booking)
        size, minutes = booking.party_size, request.turn.duration // MINUTE
        decision = self._decide(request)
        if decision.plan is None:
            status, reason = _refused(decision)
            return Slot(start, size, status, reason, 0, minutes)
        if decision.plan.moves:
            return Slot(start, size, _M, None, 1, minutes)
        seatings = list(self._one_after_another(request, decision))
        zones, places = where(seatings)
        return Slot(start, size, _A, None, len(seatings), minutes, zones, places)

    def _decide(self, request: SeatingRequest) -> Decision:
        floor = self._floor if self._monotonic() < self._ends else attrs.evolve(self._floor, sitting=())
        return self._plan(request, floor, self._asked.budget)

    def _one_after_another(self, request: SeatingRequest, decision: Decision) -> Iterator[Seating]:
        """The tables of one party after another of the kind, until there are none without moves."""
        floor, party = attrs.evolve(self._floor, sitting=()), request.booking
        pace = floor.pace
        for number in range(MOST_SPOTS):
            plan = decision.plan
            seating = None if plan is None else floor.seating(*plan.tables)
            if plan is None or seating is None:
                return
            yield seating
            taken = [Occupied(table_id=table_id, window=request.blocked) for table_id in plan.tables]
            if pace is not None:
                pace = pace.with_arrival(
                    ArrivingParty(f"{party.id} {number}", request.turn.start, party.party_size, party.channel)
                )
            floor = FloorSnapshot.of(floor.venue, (*floor.occupancy.rows, *taken), pace=pace)
            decision = self._plan(request, floor, self._asked.budget)


def _refused(decision: Decision) -> tuple[SlotStatus, str | None]:
    reason = decision.refusal or Reason.NO_FIT
    for_people = reason is Reason.LARGE_PARTY or decision.suggestion is not None
    return (_R if for_people else _U), code_of(reason)
