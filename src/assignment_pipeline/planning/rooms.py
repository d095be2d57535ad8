"""Where each kind of party could sit, by which tables are taken: what `survey` keeps of a venue."""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Iterable, Sequence

from assignment_pipeline.domain.availability import Slot, SlotStatus, code_of
from assignment_pipeline.domain.floor import Seating
from assignment_pipeline.domain.result import Reason
from assignment_pipeline.domain.rows import RowOfSeats
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import MINUTE
from assignment_pipeline.planning.base import SeatingRequest
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings, Choice
from assignment_pipeline.planning.movable_parties import bits

MOST_STEPS = 2_000
"""Steps for which the most parties that fit at once are searched; then what was found counts."""

GROUP = 4
"""So many parts of a floor are looked up at once."""

MOST_KNOWN = 5_000
"""Answers that are kept for one kind of party."""

Where = tuple[tuple[str, ...], tuple[str, ...]]
"""Zones, and where these places are: ``indoor``, ``outdoor``, ``bar``; both sorted."""


class Rooms:
    """
    What is known for good of where one kind of party could sit.

    Attributes:
        party_size: Its guests.

        choice: Where it could sit in an empty house.

        places: What is free for it by which tables are taken: the same for all kinds that may sit at the same places.
    """

    __slots__ = ("_stay", "_venue", "choice", "party_size", "places")

    def __init__(self, venue: Venue, choice: Choice, party_size: int, places: Places) -> None:
        self.party_size, self.choice, self.places, self._venue = party_size, choice, places, venue
        self._stay = None if venue.policy.turns_vary else venue.policy.turn(party_size)

    def never(self, start: dt.datetime, until: Reason | dt.datetime | None) -> tuple[Slot | None, int]:
        """
        Whether an arrival is never to be had, and how long the party sits then, in minutes.

        Args:
            start: The arrival.

            until: Until when who arrives then may sit, as `Calendar.last_leaves` says it.
        """
        size, stay = self.party_size, self._stay or self._venue.calendar.stay(self.party_size, start)
        reason = until if isinstance(until, Reason) else None
        if isinstance(until, dt.datetime) and start + stay > until:
            reason = Reason.OUTSIDE_SERVICE
        reason = reason or self.choice.never
        minutes = stay // MINUTE
        if reason is None:
            return None, minutes
        status = SlotStatus.REVIEW if reason is Reason.LARGE_PARTY else SlotStatus.UNAVAILABLE
        return Slot(start, size, status, code_of(reason), 0, minutes), minutes


class Places:
    """
    Where parties of one size could sit, or of several sizes that may sit at the same places.

    Args:
        choice: Where one of them could sit in an empty house.
    """

    __slots__ = ("_found", "_named", "_names", "_parts", "_rows", "_single", "_size", "_wanted")

    def __init__(self, choice: Choice) -> None:
        self._wanted, self._size = choice.wanted, choice.size
        self._found: dict[int, tuple[int, Where]] = {}
        # Each zone, and each of indoor, outdoor and bar, is a bit.
        places = {where([candidate.seating]) for candidate in choice.candidates}
        self._names = sorted({(kind, name) for place in places for kind in (0, 1) for name in place[kind]})
        self._named: dict[int, Where] = {}
        single: dict[int, int] = {}
        for candidate in choice.candidates:
            if not candidate.mask & (candidate.mask - 1):
                for bit in bits(self._bits([candidate.seating])):
                    single[1 << bit] = single.get(1 << bit, 0) | candidate.mask
        self._single = choice.single, tuple(single.items())
        # A table that does alone never seats fewer than a combination with it would.
        joined = [
            candidate.seating
            for candidate in choice.candidates
            if not candidate.mask & choice.single and candidate.seating.row is None
        ]
        parts = ([(each.mask, self._bits([each])) for each in part] for part in _in_parts(joined))
        self._parts = _grouped([_Part(part) for part in parts])
        rows = _rows_of(choice) if choice.size > 1 else ()
        self._rows = tuple((row, self._bits([seating]), outside) for row, seating, outside in rows)

    def _bits(self, seatings: Sequence[Seating]) -> int:
        found = where(seatings)
        return sum(1 << bit for bit, (kind, name) in enumerate(self._names) if name in found[kind])

    def free(self, busy: int) -> tuple[int, Where]:
        """How many parties fit at once where those tables are taken and nobody moves, and where."""
        key = busy & self._wanted
        found = self._found.get(key)
        if found is None:
            if len(self._found) > MOST_KNOWN:
                self._found.clear()
            found = self._found[key] = self._free(busy)
        return found

    def _free(self, busy: int) -> tuple[int, Where]:
        alone, single = self._single
        free = alone & ~busy
        spots, there = free.bit_count(), 0
        for bit, mask in single:
            if mask & free:
                there |= bit
        in_parts, where_of_parts = _sum_of(self._parts, busy)
        spots, there = spots + in_parts, there | where_of_parts
        for row, in_row, outside in self._rows:
            fit = row.parties(busy | outside, self._size)
            if fit:
                spots += fit
                there |= in_row
        named = self._named.get(there)
        if named is None:
            names = [self._names[bit] for bit in bits(there)]
            zones, places = (tuple(name for kind, name in names if kind == wanted) for wanted in (0, 1))
            named = self._named[there] = (zones, places)
        return spots, named


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
    """
    Combinations that share tables with each other, and with no others.

    Attributes:
        mask: All their tables.

        found: By which of these are taken, how many combinations can be had at once, and the bits of where.
    """

    __slots__ = ("_places", "found", "mask")

    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        self._places = places
        self.mask = functools.reduce(operator.or_, (mask for mask, _ in places))
        self.found: dict[int, tuple[int, int]] = {}

    def at(self, busy: int) -> tuple[int, int]:
        """What there is where those tables are taken."""
        key = busy & self.mask
        found = self.found.get(key)
        if found is None:
            if len(self.found) > MOST_KNOWN:
                self.found.clear()
            found = self.found[key] = self._at(busy)
        return found

    def _at(self, busy: int) -> tuple[int, int]:
        free = [(mask, there) for mask, there in self._places if not mask & busy]
        there = functools.reduce(operator.or_, (each for _, each in free), 0)
        return _most_apart([mask for mask, _ in free]), there


class _Group(_Part):
    """Parts that are looked up at once: where one party came, only one group is to be looked at anew."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[_Part]) -> None:
        super().__init__([(part.mask, 0) for part in parts])
        self._parts = parts

    def _at(self, busy: int) -> tuple[int, int]:
        return _sum_of(self._parts, busy)


def _sum_of(parts: Iterable[_Part], busy: int) -> tuple[int, int]:
    spots = there = 0
    for part in parts:
        most, in_part = part.found.get(busy & part.mask) or part.at(busy)
        spots += most
        there |= in_part
    return spots, there


def _grouped(parts: Sequence[_Part]) -> Sequence[_Part]:
    while len(parts) > GROUP:
        parts = [_Group(parts[first : first + GROUP]) for first in range(0, len(parts), GROUP)]
    return parts


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
        # How many of them fit at a counter or a communal table depends on their size.
        key = choice.places, choice.size if choice.has_rows else None
        places = seatings.places.get(key)
        if not isinstance(places, Places):
            places = seatings.places[key] = Places(choice)
        rooms = choice.rooms = Rooms(seatings.venue, choice, request.booking.party_size, places)
    return rooms


def where(seatings: Sequence[Seating]) -> Where:
    """The zones of those places, and where they are."""
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
