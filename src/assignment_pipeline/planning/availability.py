"""Which of many times can be had, by the same rules as one booking is planned, in one pass over a floor."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from assignment_pipeline.domain.availability import TAKEN, Slot, SlotStatus, code_of
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied, Seating
from assignment_pipeline.domain.pacing import ArrivingParty
from assignment_pipeline.domain.policy import Reseat
from assignment_pipeline.domain.result import Decision, Reason
from assignment_pipeline.domain.rows import RowOfSeats
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import MINUTE, TimeWindow, minute
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings, Choice
from assignment_pipeline.planning.question import why_never

MOST_SPOTS = 100
MOST_STEPS = 2_000
"""Steps for which the most parties that fit at once are searched; then what was found counts."""

MOST_KNOWN = 5_000
"""Answers that are kept for one kind of party."""

_A, _M, _R, _U = SlotStatus.AVAILABLE, SlotStatus.WITH_MOVES, SlotStatus.REVIEW, SlotStatus.UNAVAILABLE

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
    """

    starts: tuple[dt.datetime, ...]
    bookings: tuple[Booking, ...]
    not_before: dt.datetime | None
    budget: Budget
    total: dt.timedelta


def survey(
    asked: TimesAsked,
    floor: FloorSnapshot,
    plan: Planner,
    seatings: CandidateSeatings | None,
    monotonic: Callable[[], float],
) -> tuple[Slot, ...]:
    """
    What can be had of the times asked for.

    Args:
        asked: The times, and the parties.

        floor: Who sits where, and who of them may be moved.

        plan: Plans one party.

        seatings: What is known of the venue; None where strategies have a say, so that each time is planned by itself.

        monotonic: The clock that the total is measured with, in seconds.
    """
    looking = _Survey(asked, floor, plan, monotonic)
    if seatings is None:
        return tuple(looking.planned(start, booking) for start in asked.starts for booking in asked.bookings)
    if not floor.venue.floor.holds and asked.starts:
        anywhen = TimeWindow(asked.starts[0], asked.starts[0] + MINUTE)
        requests = (SeatingRequest(booking=booking, turn=anywhen, blocked=anywhen) for booking in asked.bookings)
        rooms = [(request.booking, rooms_of(seatings, request)) for request in requests]
        return tuple(looking.found(start, booking, known) for start in asked.starts for booking, known in rooms)
    return tuple(
        looking.found(start, booking, rooms_of(seatings, looking.request(start, booking)))
        for start in asked.starts
        for booking in asked.bookings
    )


class _Survey:
    def __init__(self, asked: TimesAsked, floor: FloorSnapshot, plan: Planner, monotonic: Callable[[], float]) -> None:
        self._asked = asked
        self._floor = floor
        self._plan = plan
        self._monotonic = monotonic
        self._ends = monotonic() + asked.total.total_seconds()
        policy = floor.venue.policy
        self._before, self._behind = policy.pre_buffer_minutes, policy.post_buffer_minutes
        self._may_move = policy.reseat is not Reseat.OFF and bool(floor.sitting)
        self._busy: dict[tuple[dt.datetime, int], int] = {}
        self._moves: dict[tuple[int, dt.datetime], tuple[SlotStatus, str | None]] = {}

    def found(self, start: dt.datetime, booking: Booking, rooms: Rooms) -> Slot:
        """What an arrival has for a party, by bits."""
        never, minutes = rooms.known.get(start) or rooms.learn(start)
        not_before = self._asked.not_before
        if not_before is not None and start < not_before:
            return Slot(start, rooms.party_size, _U, Reason.IN_PAST.value, 0, minutes)
        if never is not None:
            return never
        pace = self._floor.pace
        most = None if pace is None else pace.spots(start, booking.party_size, booking.channel)
        if most == 0:
            return Slot(start, rooms.party_size, _U, Reason.PACING.value, 0, minutes)
        span = (start, minutes)
        busy = self._busy.get(span)
        if busy is None:
            first = minute(start)
            taken = self._floor.occupancy.taken(first - self._before, first + minutes + self._behind)
            busy = self._busy[span] = taken
        slot = rooms.slot(start, minutes, busy)
        if most is not None and slot.spots > most:
            return attrs.evolve(slot, spots=most)
        if slot.spots or not self._may_move:
            return slot
        place = (id(rooms), start)
        moved = self._moves.get(place)
        if moved is None:
            moved = self._moves[place] = self._with_moves(start, booking)
        return Slot(start, rooms.party_size, moved[0], moved[1], int(moved[0] is _M), minutes)

    def planned(self, start: dt.datetime, booking: Booking) -> Slot:
        """What an arrival has for a party, as the engine plans it."""
        request = self.request(start, booking)
        size, minutes = booking.party_size, request.turn.duration // MINUTE
        decision = self._decide(request)
        if decision.plan is None:
            status, reason = _refused(decision)
            return Slot(start, size, status, reason, 0, minutes)
        if decision.plan.moves:
            return Slot(start, size, _M, None, 1, minutes)
        seatings = list(self._one_after_another(request, decision))
        zones, places = _where(seatings)
        return Slot(start, size, _A, None, len(seatings), minutes, zones, places)

    def _with_moves(self, start: dt.datetime, booking: Booking) -> tuple[SlotStatus, str | None]:
        decision = self._decide(self.request(start, booking))
        return (_M, None) if decision.plan is not None else _refused(decision)

    def _decide(self, request: SeatingRequest) -> Decision:
        left = self._ends - self._monotonic()
        if left > 0:
            return self._plan(request, self._floor, self._asked.budget)
        fixed = attrs.evolve(self._floor, sitting=())
        return self._plan(request, fixed, self._asked.budget)

    def request(self, start: dt.datetime, booking: Booking) -> SeatingRequest:
        return SeatingRequest.at(self._floor.venue, attrs.evolve(booking, start_at=start), self._asked.not_before)

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


class Rooms:
    """
    What is known for good of where one kind of party could sit: by arrival, and by which tables are taken.

    Attributes:
        party_size: Its guests.

        known: By arrival, the slot if it is never to be had, and how long the party sits, in minutes.
    """

    __slots__ = ("_choice", "_found", "_parts", "_places", "_rows", "_venue", "_zones", "known", "party_size")

    def __init__(self, venue: Venue, choice: Choice, party_size: int) -> None:
        self.party_size, self._choice, self._venue = party_size, choice, venue
        self.known: dict[dt.datetime, tuple[Slot | None, int]] = {}
        self._found: dict[tuple[dt.datetime, int], Slot] = {}
        # A table that does alone never seats fewer than a combination with it would.
        joined = [
            candidate.seating
            for candidate in choice.candidates
            if not candidate.mask & choice.single and candidate.seating.row is None
        ]
        self._rows = _rows_of(choice) if party_size > 1 else ()
        self._parts = tuple(_Part(part) for part in _in_parts(joined))
        zones: dict[str, int] = {}
        places: dict[str, int] = {}
        for candidate in choice.candidates:
            seating = candidate.seating
            if len(seating.tables) == 1:
                if seating.zone is not None:
                    zones[seating.zone] = zones.get(seating.zone, 0) | seating.mask
                if seating.seating is not None:
                    places[seating.seating.value] = places.get(seating.seating.value, 0) | seating.mask
        self._zones, self._places = tuple(zones.items()), tuple(places.items())

    def learn(self, start: dt.datetime) -> tuple[Slot | None, int]:
        """Add an arrival to those that are known."""
        if len(self.known) > MOST_KNOWN:
            self.known.clear()
        calendar, size = self._venue.calendar, self.party_size
        stay, until = calendar.stay(size, start), calendar.last_leaves(start)
        reason = until if isinstance(until, Reason) else None
        if isinstance(until, dt.datetime) and start + stay > until:
            reason = Reason.OUTSIDE_SERVICE
        reason = reason or why_never(self._venue, size, self._choice)
        never, minutes = None, stay // MINUTE
        if reason is not None:
            never = Slot(start, size, _R if reason is Reason.LARGE_PARTY else _U, code_of(reason), 0, minutes)
        found = self.known[start] = (never, minutes)
        return found

    def slot(self, start: dt.datetime, minutes: int, busy: int) -> Slot:
        """What the arrival has where those tables are taken, and nobody moves."""
        key = (start, busy & self._choice.wanted)
        found = self._found.get(key)
        if found is None:
            if len(self._found) > MOST_KNOWN:
                self._found.clear()
            found = self._found[key] = self._slot(start, minutes, busy)
        return found

    def _slot(self, start: dt.datetime, minutes: int, busy: int) -> Slot:
        free = self._choice.single & ~busy
        spots = free.bit_count()
        zones = {zone for zone, mask in self._zones if mask & free}
        places = {place for place, mask in self._places if mask & free}
        for part in self._parts:
            most, in_zones, at_places = part.at(busy)
            spots += most
            zones.update(in_zones)
            places.update(at_places)
        for row, seating, outside in self._rows:
            fit = row.parties(busy | outside, self.party_size)
            if fit:
                spots += fit
                in_zones, at_places = _where([seating])
                zones.update(in_zones)
                places.update(at_places)
        if not spots:
            return Slot(start, self.party_size, _U, TAKEN, 0, minutes)
        return Slot(start, self.party_size, _A, None, spots, minutes, tuple(sorted(zones)), tuple(sorted(places)))


def _rows_of(choice: Choice) -> tuple[tuple[RowOfSeats, Seating, int], ...]:
    """The counters and communal tables among the candidates, with a place there, and the seats that do not do."""
    found: dict[RowOfSeats, tuple[Seating, int]] = {}
    for candidate in choice.candidates:
        row = candidate.seating.row
        if row is not None:
            _, mask = found.get(row, (candidate.seating, 0))
            found[row] = (candidate.seating, mask | candidate.mask)
    return tuple((row, seating, row.mask & ~mask) for row, (seating, mask) in found.items())


class _Part:
    """Combinations that share tables with each other, and with no others."""

    __slots__ = ("_found", "_mask", "_seatings")

    def __init__(self, seatings: Sequence[Seating]) -> None:
        self._seatings = seatings
        self._mask = 0
        for seating in seatings:
            self._mask |= seating.mask
        self._found: dict[int, tuple[int, tuple[str, ...], tuple[str, ...]]] = {}

    def at(self, busy: int) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
        """How many can be had at once, in which zones, and where."""
        key = busy & self._mask
        found = self._found.get(key)
        if found is None:
            if len(self._found) > MOST_KNOWN:
                self._found.clear()
            free = [seating for seating in self._seatings if not seating.mask & busy]
            found = self._found[key] = (_most_apart([seating.mask for seating in free]), *_where(free))
        return found


def _in_parts(seatings: Iterable[Seating]) -> list[list[Seating]]:
    parts: list[tuple[int, list[Seating]]] = []
    for seating in seatings:
        mask, members, apart = seating.mask, [seating], []
        for part in parts:
            if part[0] & mask:
                mask |= part[0]
                members += part[1]
            else:
                apart.append(part)
        parts = [*apart, (mask, members)]
    return [members for _, members in parts]


def rooms_of(seatings: CandidateSeatings, request: SeatingRequest) -> Rooms:
    """What is known for good of where such a party could sit."""
    choice = seatings.choice(request)
    rooms = choice.rooms
    if not isinstance(rooms, Rooms):
        rooms = choice.rooms = Rooms(seatings.venue, choice, request.booking.party_size)
    return rooms


def _where(seatings: Sequence[Seating]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    zones = {seating.zone for seating in seatings}
    places = {seating.seating.value for seating in seatings if seating.seating is not None}
    return tuple(sorted(zone for zone in zones if zone is not None)), tuple(sorted(places))


def _most_apart(masks: Sequence[int]) -> int:
    """How many of the sets can be had at once; the most there are, as far as the steps reach."""
    steps = MOST_STEPS
    known: dict[tuple[int, ...], int] = {}

    def most(left: tuple[int, ...]) -> int:
        nonlocal steps
        if len(left) <= 1:
            return len(left)
        if left in known:
            return known[left]
        steps -= 1
        first = min(mask & -mask for mask in left)
        having = [mask for mask in left if mask & first]
        best = 0
        for mask in having if steps > 0 else having[:1]:
            best = max(best, 1 + most(tuple(other for other in left if not other & mask)))
        if steps > 0:
            best = max(best, most(tuple(mask for mask in left if not mask & first)))
        known[left] = best
        return best

    # Small sets first, so that what is found early is much; a set that holds another is never needed.
    return most(tuple(sorted(set(masks), key=int.bit_count)))
