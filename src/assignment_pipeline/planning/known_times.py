"""What is known for good of each arrival, for all the parties that somebody asks about at once."""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Iterable, Mapping, Sequence

import attrs

from assignment_pipeline.domain.availability import TAKEN, Slot, SlotStatus
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.policy import Reseat
from assignment_pipeline.domain.reasons import Reason
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import minute
from assignment_pipeline.planning.base import SeatingRequest
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings, Choice
from assignment_pipeline.planning.found_room import FoundRoom
from assignment_pipeline.planning.movable_parties import Span
from assignment_pipeline.planning.parties import Parties
from assignment_pipeline.planning.rooms import Places, Rooms, Where, rooms_of

MOST_ROWS = 4_000
"""How many rows of slots are kept for the same parties; then all are forgotten."""

MOST_KINDS = 32
"""For how many sets of parties a venue keeps them."""

_unchecked_slot = maker(Slot)

Left = tuple[int | None, int | None]
"""How many more guests and parties the caps let arrive, each None where there is no cap."""


class KnownTimes:
    """
    The arrivals at a venue that somebody has asked about, for the same parties.

    Args:
        venue: The restaurant.

        rooms: Where each of the parties could sit.
    """

    def __init__(self, venue: Venue, rooms: Sequence[Rooms]) -> None:
        self.rooms = tuple(rooms)
        self._venue = venue
        self._known: dict[dt.datetime, Arrival] = {}
        self._rows = 0

    def at(self, start: dt.datetime) -> Arrival:
        """The arrival."""
        known = self._known.get(start)
        if known is None:
            known = self._known[start] = Arrival(start, self._venue, self.rooms)
        return known

    def row(self, arrival: Arrival, busy: tuple[int, ...], left: Left | None) -> tuple[Slot, ...]:
        """
        What the arrival has where nobody moves.

        Args:
            arrival: The arrival.

            busy: For each span of the arrival, the tables that are taken then, as a mask.

            left: What the caps leave, or None where there are none.
        """
        row = arrival.rows.get((busy, left))
        if row is None:
            self._rows += 1
            if self._rows > MOST_ROWS:
                self._rows, self._known = 1, {}
            row = arrival.rows[busy, left] = arrival.row(busy, left)
        return row


@attrs.frozen(eq=False)
class Alike:
    """
    Parties of one arrival that may have the same tables for the same time, so that what one can have, all can.

    Attributes:
        places: Where they could sit.

        span: For when they block their tables.

        end: Which of the spans of the arrival that is.

        parties: Which they are, by their places among those asked for.

        choices: Where each of them could sit in an empty house.

        slots: Their slots, by what is free.
    """

    places: Places
    span: Span
    end: int
    parties: tuple[int, ...]
    choices: tuple[Choice, ...]
    slots: dict[tuple[int, Where], dict[int, Slot]] = attrs.field(init=False, factory=dict)


@attrs.define(eq=False, kw_only=True)
class Answer:
    """
    What was said of one arrival, with the room that others could make.

    Attributes:
        parties: For whom on the floor it is so.

        row: The slots where nobody moves; empty where it has to be looked at again even for the same.

        slots: The slots, with those that need moves.

        rooms: The room that there is for those who are alike; None where others can make none.

        found: The room that there is, for each span by where such parties could sit.

        tables: The tables that somebody gets in one of them, as a mask.
    """

    parties: Parties
    row: Sequence[Slot]
    slots: Sequence[Slot]
    rooms: Mapping[Alike, FoundRoom | None]
    found: Mapping[Span, Mapping[Choice, FoundRoom]]
    tables: int = attrs.field(init=False)

    @tables.default
    def _in_question(self) -> int:
        return functools.reduce(operator.or_, [room.tables for room in self.rooms.values() if room is not None], 0)


class Arrival:
    """
    One arrival, for several parties.

    Attributes:
        start: When it is.

        rooms: Where each of the parties could sit.

        first: The minute from which tables are blocked, counted from 1970.

        ends: The minutes up to which they are, ascending; with `first`, these are its spans.

        alike: The parties that may be had at all, as far as they are alike.

        minutes: For each party, how long it sits, in minutes.

        rows: Its slots, one for each party, by what they depend on.

        answer: What was said of it when it was last asked who could make room, or None.
    """

    __slots__ = (
        "_moved",
        "_never",
        "_suggests",
        "alike",
        "answer",
        "ends",
        "first",
        "minutes",
        "rooms",
        "rows",
        "start",
    )

    def __init__(self, start: dt.datetime, venue: Venue, rooms: tuple[Rooms, ...]) -> None:
        self.start, self.rooms = start, rooms
        until = venue.calendar.last_leaves(start)
        found = [each.never(start, until) for each in rooms]
        self._never = {party: never for party, (never, _) in enumerate(found) if never is not None}
        self.minutes = [minutes for _, minutes in found]
        policy, from_ = venue.policy, minute(start)
        self.first = from_ - policy.pre_buffer_minutes
        alike: dict[tuple[int, Places], list[int]] = {}
        for party, (each, minutes) in enumerate(zip(rooms, self.minutes, strict=True)):
            if party not in self._never:
                end = from_ + minutes + policy.post_buffer_minutes
                alike.setdefault((end, each.places), []).append(party)
        self.ends = sorted({end for end, _ in alike})
        self.alike = [
            Alike(
                where,
                (self.first, end),
                self.ends.index(end),
                tuple(them),
                tuple([rooms[party].choice for party in them]),
            )
            for (end, where), them in alike.items()
        ]
        self.rows: dict[tuple[tuple[int, ...], Left | None], tuple[Slot, ...]] = {}
        self.answer: Answer | None = None
        self._suggests = policy.reseat is Reseat.SUGGEST
        self._moved: dict[int, Slot] = {}

    def past(self) -> tuple[Slot, ...]:
        """The slots once it is too late for them."""
        reason = Reason.IN_PAST.value
        return tuple(
            Slot(self.start, rooms.party_size, SlotStatus.UNAVAILABLE, reason, 0, minutes)
            for rooms, minutes in zip(self.rooms, self.minutes, strict=True)
        )

    def with_moves(self, place: int) -> Slot:
        """The slot of one party that others could make room for, or are proposed to."""
        known = self._moved.get(place)
        if known is None:
            size, minutes = self.rooms[place].party_size, self.minutes[place]
            known = Slot(self.start, size, SlotStatus.WITH_MOVES, None, 1, minutes)
            if self._suggests:
                known = Slot(self.start, size, SlotStatus.REVIEW, TAKEN, 0, minutes)
            self._moved[place] = known
        return known

    def row(self, busy: tuple[int, ...], left: Left | None) -> tuple[Slot, ...]:
        """What `KnownTimes.row` keeps."""
        slots = self._never.copy()
        for alike in self.alike:
            free = alike.places.free(busy[alike.end])
            known = alike.slots.get(free)
            if known is None:
                known = alike.slots[free] = {party: self._slot(party, free) for party in alike.parties}
            slots |= known
        row = tuple([slots[party] for party in range(len(self.rooms))])
        return row if left is None else tuple([_within(slot, _at_most(left, slot.party_size)) for slot in row])

    def _slot(self, party: int, free: tuple[int, Where]) -> Slot:
        spots, (zones, places) = free
        return _unchecked_slot(
            start_at=self.start,
            party_size=self.rooms[party].party_size,
            status=SlotStatus.AVAILABLE if spots else SlotStatus.UNAVAILABLE,
            reason=None if spots else TAKEN,
            spots=spots,
            turn_minutes=self.minutes[party],
            zones=zones,
            seatings=places,
        )


def _within(slot: Slot, most: int | None) -> Slot:
    """The slot where at most so many parties of its size may arrive."""
    if most is None or slot.reason not in (None, TAKEN):
        return slot
    if most == 0:
        return attrs.evolve(
            slot, status=SlotStatus.UNAVAILABLE, reason=Reason.PACING.value, spots=0, zones=(), seatings=()
        )
    return attrs.evolve(slot, spots=most) if slot.spots > most else slot


def _at_most(left: Left, party_size: int) -> int | None:
    """How many parties of a size the caps let arrive."""
    covers, parties = left
    if covers is None:
        return parties
    fit = covers // party_size
    return fit if parties is None else min(fit, parties)


def known_times(seatings: CandidateSeatings, requests: Iterable[SeatingRequest]) -> KnownTimes:
    """What is known for parties like those."""
    rooms = tuple(rooms_of(seatings, request) for request in requests)
    known = seatings.times.get(rooms)
    if not isinstance(known, KnownTimes):
        if len(seatings.times) >= MOST_KINDS:
            seatings.times.clear()
        known = seatings.times[rooms] = KnownTimes(seatings.venue, rooms)
    return known
