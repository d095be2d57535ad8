"""The parties that may be moved, as bits: who sits at which tables, and who would have to leave for whom."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.options import Option, Options

Span = tuple[int, int]
"""The first minute, and the first past it, counted from 1970."""


class Kind:
    """
    Where one kind of party could sit, the cheapest first.

    Attributes:
        options: The places.

        masks: The tables of each.

        of: The place of given tables.

        single: The tables that are places by themselves, as a mask.

        joined: The others, as masks.
    """

    def __init__(self, options: Sequence[Option], at_table: Sequence[int]) -> None:
        self.options = options
        self.masks = [option.seating.mask for option in options]
        self._at_table = at_table
        self.of = {option.seating.mask: option for option in options}
        self.joined = [mask for mask in self.masks if mask & (mask - 1)]
        self.single = sum(mask for mask in self.masks if not mask & (mask - 1))

    @functools.cached_property
    def owners(self) -> list[int]:
        """For each place, the parties that have some of its tables at any time, as bits."""
        owners = [0] * len(self.masks)
        for place, mask in enumerate(self.masks):
            for table in bits(mask):
                owners[place] |= self._at_table[table]
        return owners

    @functools.cached_property
    def at(self) -> dict[int, list[int]]:
        """For each table, the places that it is part of."""
        at: dict[int, list[int]] = {}
        for place, mask in enumerate(self.masks):
            for table in bits(mask):
                at.setdefault(table, []).append(place)
        return at


class PartyPlaces:
    """
    Where one kind of party could sit at one time.

    Attributes:
        kind: Which.

        sitters: For each place, the parties that have some of its tables then, as bits.

        counts: How many those are.

        order: The places, those first where the fewest would have to leave.

        free: How many of them nobody has.
    """

    __slots__ = ("counts", "free", "kind", "order", "sitters")

    def __init__(self, kind: Kind, meeting: int) -> None:
        self.kind = kind
        self.sitters = [owners & meeting for owners in kind.owners]
        self.counts = [who.bit_count() for who in self.sitters]
        self.order = sorted(range(len(self.counts)), key=self.counts.__getitem__)
        self.free = self.counts.count(0)


class MovableParties:
    """
    The parties of a floor that may be moved.

    Args:
        floor: The floor.

        options: Where they may sit.

    Attributes:
        parties: Who they are, by the ids of their bookings; the position of each is its bit.

        homes: The tables that each has, as masks.

        spans: When each blocks them.
    """

    def __init__(self, floor: FloorSnapshot, options: Options) -> None:
        self.parties = sorted(floor.sitting, key=lambda party: party.request.booking.id)
        self.homes = [floor.home(party) for party in self.parties]
        self.spans = [span_of(party.request) for party in self.parties]
        self._options = options
        self._at = [0] * len(floor.venue.floor.tables)
        self._together: dict[Span, int] = {}
        for party, (home, span) in enumerate(zip(self.homes, self.spans, strict=True)):
            self._together[span] = self._together.get(span, 0) | 1 << party
            for table in bits(home):
                self._at[table] |= 1 << party
        self._meeting: dict[Span, int] = {}
        self._kinds: dict[int, Kind] = {}
        self._known: dict[tuple[int, Span], PartyPlaces] = {}
        self._places: list[PartyPlaces | None] = [None] * len(self.parties)

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        """The bit of each party, by the id of its booking."""
        return {party.request.booking.id: number for number, party in enumerate(self.parties)}

    def places(self, party: int) -> PartyPlaces:
        """Where that one could sit."""
        known = self._places[party]
        if known is None:
            known = self._places[party] = self.places_for(self.parties[party].request)
        return known

    def places_for(self, request: SeatingRequest) -> PartyPlaces:
        """Where any party could sit."""
        kind, span = self.kind_for(request), span_of(request)
        known = self._known.get((id(kind), span))
        if known is None:
            known = self._known[id(kind), span] = PartyPlaces(kind, self.meeting(span))
        return known

    def kind_for(self, request: SeatingRequest) -> Kind:
        """What kind of party it is."""
        options = self._options(request)
        # Parties of one kind share their options: `Options` hands out the same sequence, and it is kept alive here.
        kind = self._kinds.get(id(options))
        if kind is None:
            kind = self._kinds[id(options)] = Kind(options, self._at)
        return kind

    def owners(self, mask: int) -> int:
        """Those who have some of these tables at any time."""
        found = 0
        for table in bits(mask):
            found |= self._at[table]
        return found

    def meeting(self, span: Span) -> int:
        """Those who sit at some minute of it."""
        known = self._meeting.get(span)
        if known is None:
            start, end = span
            known = 0
            for (begins, ends), who in self._together.items():
                if begins < end and start < ends:
                    known |= who
            self._meeting[span] = known
        return known


def span_of(request: SeatingRequest) -> Span:
    """For when a party blocks its tables."""
    return request.blocked.minutes


def bits(mask: int) -> Iterator[int]:
    """The positions of the bits that are set."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
