"""The parties that may be moved, as bits: who sits at which tables, and who would have to leave for whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assignment_pipeline.domain.windows import minute
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

        owners: The parties that have some of them at any time, as bits.

        at: For each table, the places that it is part of.

        prices: What each place costs, by its tables.
    """

    __slots__ = ("at", "masks", "options", "owners", "prices")

    def __init__(self, options: Sequence[Option], owners: Sequence[int]) -> None:
        self.options = options
        self.masks = [option.seating.mask for option in options]
        self.owners = [0] * len(options)
        self.at: dict[int, list[int]] = {}
        for place, mask in enumerate(self.masks):
            for table in bits(mask):
                self.owners[place] |= owners[table]
                self.at.setdefault(table, []).append(place)
        self.prices = {option.seating.mask: option.cost for option in options}


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
        positions = floor.venue.floor.positions
        self.parties = sorted(floor.sitting, key=lambda party: party.request.booking.id)
        self.homes = [
            sum(1 << positions[table] for table in party.tables if table in positions) for party in self.parties
        ]
        self.spans = [span_of(party.request) for party in self.parties]
        self._options = options
        self._at = [0] * len(positions)
        self._together: dict[Span, int] = {}
        for party, (home, span) in enumerate(zip(self.homes, self.spans, strict=True)):
            self._together[span] = self._together.get(span, 0) | 1 << party
            for table in bits(home):
                self._at[table] |= 1 << party
        self._meeting: dict[Span, int] = {}
        self._kinds: dict[int, Kind] = {}
        self._known: dict[tuple[int, Span], PartyPlaces] = {}
        self._places: list[PartyPlaces | None] = [None] * len(self.parties)

    def places(self, party: int) -> PartyPlaces:
        """Where that one could sit."""
        known = self._places[party]
        if known is None:
            known = self._places[party] = self.places_for(self.parties[party].request)
        return known

    def places_for(self, request: SeatingRequest) -> PartyPlaces:
        """Where any party could sit."""
        options, span = self._options(request), span_of(request)
        # Parties of one kind share their options: `Options` hands out the same sequence, and it is kept alive here.
        known = self._known.get((id(options), span))
        if known is None:
            kind = self._kinds.get(id(options))
            if kind is None:
                kind = self._kinds[id(options)] = Kind(options, self._at)
            known = self._known[id(options), span] = PartyPlaces(kind, self.meeting(span))
        return known

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
    return minute(request.blocked.start), minute(request.blocked.end)


def bits(mask: int) -> Iterator[int]:
    """The positions of the bits that are set."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
