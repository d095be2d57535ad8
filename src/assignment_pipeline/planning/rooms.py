"""Where each kind of party could sit, by which tables are taken: what `survey` keeps of a venue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from assignment_pipeline.domain.availability import TAKEN, Slot, SlotStatus, code_of
from assignment_pipeline.domain.floor import Seating
from assignment_pipeline.domain.result import Reason
from assignment_pipeline.domain.rows import RowOfSeats
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import MINUTE
from assignment_pipeline.planning.base import SeatingRequest
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings, Choice

MOST_STEPS = 2_000
"""Steps for which the most parties that fit at once are searched; then what was found counts."""

MOST_KNOWN = 5_000
"""Answers that are kept for one kind of party."""


class Rooms:
    """
    What is known for good of where one kind of party could sit: by arrival, and by which tables are taken.

    Attributes:
        party_size: Its guests.

        choice: Where it could sit in an empty house.

        joined: The places of several tables among these, as masks.
    """

    __slots__ = ("_found", "_parts", "_places", "_rows", "_venue", "_zones", "choice", "joined", "party_size")

    def __init__(self, venue: Venue, choice: Choice, party_size: int) -> None:
        self.party_size, self.choice, self._venue = party_size, choice, venue
        self._found: dict[tuple[dt.datetime, int], Slot] = {}
        # A table that does alone never seats fewer than a combination with it would.
        joined = [
            candidate.seating
            for candidate in choice.candidates
            if not candidate.mask & choice.single and candidate.seating.row is None
        ]
        self._rows = _rows_of(choice) if party_size > 1 else ()
        self._parts = tuple(_Part(part) for part in _in_parts(joined))
        self.joined = dict.fromkeys(mask for mask in choice.masks if mask & (mask - 1))
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

    def never(self, start: dt.datetime) -> tuple[Slot | None, int]:
        """Whether an arrival is never to be had, and how long the party sits then, in minutes."""
        calendar, size = self._venue.calendar, self.party_size
        stay, until = calendar.stay(size, start), calendar.last_leaves(start)
        reason = until if isinstance(until, Reason) else None
        if isinstance(until, dt.datetime) and start + stay > until:
            reason = Reason.OUTSIDE_SERVICE
        reason = reason or self.choice.never
        minutes = stay // MINUTE
        if reason is None:
            return None, minutes
        status = SlotStatus.REVIEW if reason is Reason.LARGE_PARTY else SlotStatus.UNAVAILABLE
        return Slot(start, size, status, code_of(reason), 0, minutes), minutes

    def slot(self, start: dt.datetime, minutes: int, busy: int) -> Slot:
        """What the arrival has where those tables are taken, and nobody moves."""
        key = (start, busy & self.choice.wanted)
        found = self._found.get(key)
        if found is None:
            if len(self._found) > MOST_KNOWN:
                self._found.clear()
            found = self._found[key] = self._slot(start, minutes, busy)
        return found

    def _slot(self, start: dt.datetime, minutes: int, busy: int) -> Slot:
        free = self.choice.single & ~busy
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
                in_zones, at_places = where([seating])
                zones.update(in_zones)
                places.update(at_places)
        if not spots:
            return Slot(start, self.party_size, SlotStatus.UNAVAILABLE, TAKEN, 0, minutes)
        return Slot(
            start,
            self.party_size,
            SlotStatus.AVAILABLE,
            None,
            spots,
            minutes,
            tuple(sorted(zones)),
            tuple(sorted(places)),
        )


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
            found = self._found[key] = (_most_apart([seating.mask for seating in free]), *where(free))
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


def where(seatings: Sequence[Seating]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The zones of those places, and where they are; both sorted."""
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
