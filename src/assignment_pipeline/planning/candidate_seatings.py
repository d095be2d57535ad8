"""What is computed once a venue: where each kind of party could sit, the cheapest first."""

from __future__ import annotations

import collections
import functools
import hashlib
from collections.abc import Iterable, Iterator, Sequence

import attrs

from assignment_pipeline.domain.booking import SeatingPreference
from assignment_pipeline.domain.floor import Seating, is_offered
from assignment_pipeline.domain.reasons import Reason
from assignment_pipeline.domain.rows import RowOfSeats
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.planning.base import FloorSnapshot, Rule, SeatingRequest, Strategy
from assignment_pipeline.planning.costs import lasting_parts, least_gap, places, proposals, sale_minutes
from assignment_pipeline.planning.options import Option

OPTIMAL_FIT = "optimal_fit"
ADJACENCY = "adjacency"

_KNOWN_VENUES = 1_024


@attrs.frozen(eq=False, kw_only=True, repr=False)
class Candidate(Option):
    """
    A seating with the part of its cost that does not depend on the time.

    Attributes:
        bound: What it costs at least, with the best of neighbours.

        mask: Its tables.

        tables: Their ids.

        priority: The operator's.

        parts: What the cost is made of.

        places: Its tables, as the cost of gaps wants them.

        strategy: What a plan with it is called.

        salt: A number that decides between equals.
    """

    bound: float
    mask: int
    tables: tuple[str, ...]
    priority: int
    parts: dict[str, float]
    places: tuple[tuple[int, int, int], ...]
    strategy: str
    salt: int

    @classmethod
    def of(cls, request: SeatingRequest, venue: Venue, seating: Seating, strategy: str | None = None) -> Candidate:
        """The seating, for a party of that size, so long before its arrival."""
        parts = lasting_parts(venue, seating, request.booking.party_size, request.ahead)
        cost, table_ids = round(sum(parts.values()), 9), seating.table_ids  # What differs by less costs the same.
        return cls(
            seating=seating,
            cost=cost,
            bound=round(cost + least_gap(venue, seating), 9),
            mask=seating.mask,
            tables=tuple(sorted(table_ids)),
            priority=seating.priority,
            parts=parts,
            places=places(venue, seating),
            strategy=strategy or (OPTIMAL_FIT if len(seating.tables) == 1 or seating.row else ADJACENCY),
            salt=digest(",".join(table_ids)),
        )


class Choice:
    """
    Where one kind of party could sit in an empty house.

    Attributes:
        candidates: By their bounds; those that a strategy proposed come last.

        options: The same, the cheapest first.

        option_masks: The tables of these.

        masks: The tables of the candidates.

        places: The same, to look one up.

        single: The tables that are candidates by themselves.

        joined: The masks of those of several tables.

        wanted: All tables of theirs.

        shared: For each communal table, the seats that such a party may have, as a mask.

        size: How many it needs of these.

        grows: Whether there are none for now, and some once tables that are held back are released.

        nowhere: Why nobody could sit at them, or None if there are any.

        never: Why such a party is seated at no time without a person, or None if it may be.

        has_rows: Whether some are seats at a counter or a communal table.

        rooms: What `survey` has learned of it, or None.
    """

    __slots__ = (
        "candidates",
        "grows",
        "has_rows",
        "joined",
        "masks",
        "never",
        "nowhere",
        "option_masks",
        "options",
        "places",
        "rooms",
        "shared",
        "single",
        "size",
        "wanted",
    )

    def __init__(self, venue: Venue, candidates: Sequence[Candidate], size: int, *, grows: bool = False) -> None:
        self.candidates = tuple(candidates)
        self.size = size
        self.grows = grows
        self.nowhere = None if candidates or grows else _why_nowhere(venue, size)
        self.never = Reason.LARGE_PARTY if venue.policy.needs_review(size) else self.nowhere
        shared: dict[RowOfSeats, int] = {}
        for candidate in candidates:
            row = candidate.seating.row
            if row is not None and row.any_seats:
                shared[row] = shared.get(row, 0) | candidate.mask
        self.shared = tuple(shared.values())
        self.has_rows = any(candidate.seating.row for candidate in candidates)
        self.rooms: object = None
        self.options = sorted(candidates, key=lambda candidate: candidate.cost)
        self.option_masks = [candidate.mask for candidate in self.options]
        self.masks = [candidate.mask for candidate in candidates]
        self.places = frozenset(self.masks)
        self.single = self.wanted = 0
        self.joined: list[int] = []
        for mask in self.masks:
            self.wanted |= mask
            if not mask & (mask - 1):
                self.single |= mask
            else:
                self.joined.append(mask)

    def __bool__(self) -> bool:
        return bool(self.candidates)

    def fits(self, busy: int) -> bool:
        """Whether one of them is free."""
        if self.single & ~busy or any(not mask & busy for mask in self.masks):
            return True
        return any((seats & ~busy).bit_count() >= self.size for seats in self.shared)

    def scattered(self, busy: int) -> Iterator[int]:
        """Seats at communal tables where enough are free and no two or more are side by side, as masks."""
        for seats in self.shared:
            free = seats & ~busy
            if free.bit_count() >= self.size and not any(mask & seats and not mask & busy for mask in self.masks):
                yield free

    def reachable(self, busy: int, wanted: int) -> int:
        """The tables of those that are free, as far as that matters to *wanted*, as a mask."""
        found = self.single & ~busy
        if wanted & ~found:
            for mask in self.joined:
                if not mask & busy:
                    found |= mask
            for seats in self.shared:
                if (seats & ~busy).bit_count() >= self.size:
                    found |= seats & ~busy
        return found


class CandidateSeatings:
    """
    What is known of a venue.

    Attributes:
        venue: The restaurant.

        times: What `survey` has learned of its arrivals, by the parties that were asked for.

        places: What it has learned of where they could sit, by their places.

        searches: What the engine has learned of room there by moving others, or None.
    """

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.times: dict[object, object] = {}
        self.places: dict[object, object] = {}
        self.searches: object = None
        self._choices: dict[tuple[object, ...], Choice] = {}
        self._wishes: dict[tuple[object, ...], tuple[tuple[str, int], ...]] = {}

    def wishes(self, request: SeatingRequest) -> tuple[tuple[str, int], ...]:
        """The tables that each wish of the guest's leaves, as masks, by the name of the rule; those in use first."""
        booking, floor = request.booking, self.venue.floor
        key = (booking.zone, booking.seating, floor.holds and floor.releases(request.ahead))
        known = self._wishes.get(key)
        if known is None:
            offered = {terms: is_offered(terms, booking, request.ahead) for terms in set(floor.terms)}
            seating = self.everything
            if booking.seating is not SeatingPreference.ANY:
                seating = _mask(table.seating is booking.seating for table in floor.tables)
            zone = self.everything
            if booking.zone is not None:
                zone = _mask(table.zone == booking.zone for table in floor.tables)
            known = self._wishes[key] = (
                (Rule.INACTIVE.value, _mask(table.active for table in floor.tables)),
                (Rule.SEATING.value, seating),
                (Rule.ZONE.value, zone),
                (Rule.OFFER.value, _mask(map(offered.__getitem__, floor.terms))),
            )
        return known

    @functools.cached_property
    def accessible(self) -> int:
        """The accessible tables, as a mask."""
        return _mask(table.accessible for table in self.venue.floor.tables)

    @functools.cached_property
    def reach(self) -> int:
        """The minutes for which the largest table has to be free to be sold to as many guests."""
        capacities = {table.capacity for table in self.venue.floor.tables}
        return max(sale_minutes(self.venue.policy, capacity) for capacity in capacities)

    @functools.cached_property
    def everything(self) -> int:
        """All tables, as a mask."""
        return (1 << len(self.venue.floor.tables)) - 1

    def choice(self, request: SeatingRequest) -> Choice:
        """Where a party like that could sit, for all that the floor and its policy say."""
        booking, floor = request.booking, self.venue.floor
        released = floor.holds and floor.releases(request.ahead)
        key = (booking.party_size, booking.zone, booking.seating, booking.accessible, released)
        known = self._choices.get(key)
        if known is None:
            ahead = request.ahead
            granted = [seating for seating in self.venue.candidates(booking.party_size) if seating.grants(booking)]
            fitting = [seating for seating in granted if seating.offered_to(booking, ahead)]
            grows = any(seating.offered_to(booking, 0) for seating in granted) and not fitting
            found = (Candidate.of(request, self.venue, seating) for seating in fitting)
            by_bound = sorted(found, key=lambda candidate: candidate.bound)
            known = Choice(self.venue, by_bound, booking.party_size, grows=grows)
            self._choices[key] = known
        return known

    def gather(self, request: SeatingRequest, floor: FloorSnapshot, strategies: Iterable[Strategy]) -> Choice:
        """
        The same, with what strategies propose.

        Raises:
            StrategyFaultError: A strategy raised, or proposed what is no seating.
        """
        booking = request.booking
        choice = self.choice(request)
        if not strategies:
            return choice
        known = set(choice.masks)
        proposed = []
        for strategy, seating in proposals(request, floor, strategies):
            usable = (
                seating.mask not in known
                and max(seating.capacity, seating.max_party) >= booking.party_size
                and seating.grants(booking)
                and seating.offered_to(booking, request.ahead)
                and all(table.active for table in seating.tables)
                and joinable(self.venue, seating)
            )
            if usable:
                known.add(seating.mask)
                proposed.append(Candidate.of(request, self.venue, seating, strategy.name))
        if not proposed:
            return choice
        return Choice(self.venue, (*choice.candidates, *proposed), choice.size, grows=choice.grows)


class RememberedVenues:
    """One for each venue that was planned at lately."""

    def __init__(self) -> None:
        self._known: collections.OrderedDict[int, CandidateSeatings] = collections.OrderedDict()

    def of(self, venue: Venue) -> CandidateSeatings:
        """What is known of *venue*."""
        # By identity: the store hands out the same venue until its version changes, and hashing a floor is slow.
        seatings = self._known.get(id(venue))
        if seatings is None or seatings.venue is not venue:
            seatings = self._known[id(venue)] = CandidateSeatings(venue)
            while len(self._known) > _KNOWN_VENUES:
                self._known.popitem(last=False)
        return seatings


def digest(text: str) -> int:
    """A number that depends on all of *text*, the same everywhere."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def joinable(venue: Venue, seating: Seating) -> bool:
    """Whether the floor names them together, the policy lets them stand together, or they do for a party of a row."""
    if seating.combination is not None:
        return True
    if seating.row is not None:
        return seating.row.holds(seating.mask)
    return len(seating.tables) <= venue.policy.max_tables and venue.floor.joinable(seating.mask, venue.policy.adjacency)


def _why_nowhere(venue: Venue, party_size: int) -> Reason:
    """Why no table would do for a party of that size, where none does."""
    if venue.candidates(party_size) or not venue.seatings:  # Not any: each table is out of use, or the staff's to give.
        return Reason.NO_SUCH_SEATING
    largest = max(seating.max_party for seating in venue.seatings)
    return Reason.PARTY_TOO_LARGE if party_size > largest else Reason.PARTY_TOO_SMALL


def _mask(flags: Iterable[bool]) -> int:
    return sum([1 << position for position, flag in enumerate(flags) if flag])
