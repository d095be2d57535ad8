"""Tables, and which of them can be joined."""

from __future__ import annotations

import bisect
import collections
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import attrs

from assignment_pipeline.domain.booking import MAX_PARTY, Booking, SeatingPreference
from assignment_pipeline.domain.checks import (
    as_frozenset,
    as_tuple,
    each,
    enum_fields,
    flag,
    identifier,
    kind,
    optional_identifier,
    whole,
    word_of,
)
from assignment_pipeline.domain.combination import PRIORITY, Combination, Group
from assignment_pipeline.domain.policy import AdjacencyMode
from assignment_pipeline.domain.rows import MOST_SEATS, RowOfSeats
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.domain.zones import HOLD, TableOffer, Terms, Zone
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.plain import Printed

MAX_COMBINATIONS = 100_000
MAX_NAMED = 1_000
_LONGEST_ROW = 190


def _offer(value: Any) -> TableOffer | None:
    return None if value is None else word_of("offer", TableOffer, value)


@attrs.frozen(field_transformer=enum_fields, repr=False)
class Table(Printed):
    """
    A table on the floor.

    Attributes:
        id: What programs call it: the key of its row, say.

        capacity: Its seats, from 1 to 500.

        label: What people call it, and what they are shown; the id unless told otherwise.

        min_party_size: The smallest party that may sit at it alone.

        max_party_size: The largest party that may sit at it alone; the capacity unless told otherwise. It may be more:
            a table for four that takes six has no empty seat then, and counts as four where it is joined.

        zone: The part of the restaurant it stands in, or None.

        seating: Indoors, outdoors or at the bar.

        accessible: Whether a wheelchair gets to it.

        active: Whether it is in use.

        priority: Decides between tables of equal cost: the higher goes first.

        offer: To whom it is given without a person; None leaves that to its zone, and is everybody where the zone does
            not say. People place parties there whatever it says.

        held_until_minutes: Minutes before a party's arrival from which it is given to everybody, whatever `offer` says,
            from 0 to 86,400. None means never, or leaves it to the zone where `offer` does as well. It says nothing
            of a table that is given to everybody anyway.

        tags: Anything that the host's strategies want to know about it, as texts of at most 200 characters.

        counter: The counter that it is a seat of, or None. Its seats are side by side in the floor's order.

        communal: The communal table that it is a seat of, or None.
    """

    id: str = attrs.field(validator=identifier)
    capacity: int = attrs.field(validator=whole(1, MAX_PARTY))
    label: str = attrs.field(kw_only=True, validator=identifier)
    min_party_size: int = attrs.field(default=1, kw_only=True)
    max_party_size: int = attrs.field(kw_only=True)
    zone: str | None = attrs.field(default=None, validator=optional_identifier, kw_only=True)
    seating: SeatingPreference = attrs.field(
        default=SeatingPreference.INDOOR, converter=SeatingPreference, kw_only=True
    )
    accessible: bool = attrs.field(default=False, validator=flag, kw_only=True)
    active: bool = attrs.field(default=True, validator=flag, kw_only=True)
    priority: int = attrs.field(default=0, validator=PRIORITY, kw_only=True)
    offer: TableOffer | None = attrs.field(default=None, converter=_offer, kw_only=True)
    held_until_minutes: int | None = attrs.field(default=None, validator=HOLD, kw_only=True)
    tags: frozenset[str] = attrs.field(
        factory=frozenset, converter=as_frozenset, validator=each(identifier), kw_only=True
    )
    counter: str | None = attrs.field(default=None, validator=optional_identifier, kw_only=True)
    communal: str | None = attrs.field(default=None, validator=optional_identifier, kw_only=True)

    @label.default
    def _called_by_its_id(self) -> str:
        return self.id

    @max_party_size.default
    def _fits_its_seats(self) -> int:
        return self.capacity

    @min_party_size.validator
    def _min_fits(self, attribute: Any, value: Any) -> None:
        whole(1, self.capacity)(self, attribute, value)

    @max_party_size.validator
    def _max_fits(self, attribute: Any, value: Any) -> None:
        whole(self.min_party_size, MAX_PARTY)(self, attribute, value)

    @seating.validator
    def _stands_somewhere(self, attribute: Any, value: SeatingPreference) -> None:
        if value is SeatingPreference.ANY:
            raise InvalidValueError(attribute.name, "indoor, outdoor or bar", repr(value.value))

    @communal.validator
    def _is_one_seat(self, attribute: Any, value: str | None) -> None:
        optional_identifier(self, attribute, value)
        if value is not None and self.counter is not None:
            raise InvalidValueError(attribute.name, "none at a seat of a counter", repr(value))
        if self.row is not None and self.max_party_size != 1:
            name = "capacity" if self.capacity != 1 else "max_party_size"
            raise InvalidValueError(name, f"1 at a seat of {self.row!r}", f"{getattr(self, name)}")

    @property
    def row(self) -> str | None:
        """The counter or the communal table that it is a seat of, or None."""
        return self.counter if self.counter is not None else self.communal


def _row_id(instance: object, attribute: Any, value: Any) -> None:
    """What `identifier` takes, with room for a seat's number."""
    identifier(instance, attribute, value)
    if len(value) > _LONGEST_ROW:
        raise InvalidValueError(attribute.name, f"at most {_LONGEST_ROW} characters", f"{len(value)}")


@attrs.frozen(kw_only=True, field_transformer=enum_fields, repr=False)
class _Row(Printed):
    """Seats that parties share: what `Table` says, for all of them."""

    zone: str | None = None
    seating: SeatingPreference = attrs.field(default=SeatingPreference.INDOOR, converter=SeatingPreference)
    accessible: bool = False
    active: bool = True
    priority: int = 0
    offer: TableOffer | None = None
    held_until_minutes: int | None = None
    tags: frozenset[str] = attrs.field(factory=frozenset, converter=as_frozenset)

    @property
    def stools(self) -> tuple[Table, ...]:
        """Its seats, as the tables of a floor."""
        facts = attrs.asdict(self, recurse=False)
        name, seats = facts.pop("id"), facts.pop("seats")
        kind_of = "communal" if isinstance(self, CommunalTable) else "counter"
        return tuple(Table(f"{name}-{number}", 1, **facts, **{kind_of: name}) for number in range(1, seats + 1))


@attrs.frozen(repr=False)
class Counter(_Row):
    """
    A counter: a row of seats at which parties sit side by side, each of any size.

    A floor has it as its seats, ``B-1`` to ``B-12``: tables for one guest each. A party gets as many as it has guests,
    next to each other, and beside others so that no single seat is left between two parties where that can be avoided.
    What is said of it holds for each of its seats; see `Table`.

    Attributes:
        id: What the restaurant calls it.

        seats: How many seats it has, from 1 to 60.
    """

    id: str = attrs.field(validator=_row_id)
    seats: int = attrs.field(validator=whole(1, MOST_SEATS))


@attrs.frozen(repr=False)
class CommunalTable(_Row):
    """
    A communal table: several parties sit at it at once, on any of its seats. See `Counter`.

    Attributes:
        id: What the restaurant calls it.

        seats: How many seats it has, from 1 to 60.
    """

    id: str = attrs.field(validator=_row_id)
    seats: int = attrs.field(validator=whole(1, MOST_SEATS))


@attrs.frozen(eq=False, repr=False)
class Seating(Printed):
    """
    One table, or some joined ones, as a place for a party. Made by a `FloorPlan`, and compared by identity.

    Attributes:
        tables: The tables, in the floor's order.

        mask: The same as bits, by position on the floor.

        capacity: Seats in all.

        min_party: The smallest party it is for: a smaller one could do without one of the tables.

        max_party: The largest party it takes.

        zone: The zone that all its tables share, or None.

        seating: Where all its tables stand, or None when they differ.

        accessible: Whether one of its tables is accessible.

        combination: What the floor says of joining just these tables, if it does.

        terms: To whom those of its tables are given without a person that are not given to everybody.

        row: The counter or communal table whose seats they are, or None.
    """

    tables: tuple[Table, ...]
    mask: int
    capacity: int
    min_party: int
    max_party: int
    zone: str | None
    seating: SeatingPreference | None
    accessible: bool
    combination: Combination | None = None
    terms: tuple[Terms, ...] = ()
    row: RowOfSeats | None = None

    @property
    def table_ids(self) -> tuple[str, ...]:
        """The ids of the tables, in the floor's order."""
        return tuple([table.id for table in self.tables])

    def empty_seats(self, party_size: int) -> int:
        """The seats that a party leaves empty."""
        return max(self.capacity - party_size, 0)

    @property
    def priority(self) -> int:
        """The operator's priority, summed over the tables, and that of joining them."""
        own = self.combination.priority if self.combination else 0
        return own + sum([table.priority for table in self.tables])

    def is_last(self, ahead: int | None = None) -> bool:
        """Whether one of its tables is given only when nothing else will do, so many minutes before the arrival."""
        return bool(self.terms) and any(terms.at(ahead) is TableOffer.LAST for terms in self.terms)

    def offered_to(self, booking: Booking, ahead: int | None = None) -> bool:
        """Whether the booking is given all its tables without a person, so many minutes before its arrival."""
        return not self.terms or all(is_offered(terms, booking, ahead) for terms in self.terms)

    def grants(self, booking: Booking) -> bool:
        """Whether it is where the booking wants to sit."""
        return (
            (booking.zone is None or booking.zone == self.zone)
            and (booking.seating is SeatingPreference.ANY or booking.seating is self.seating)
            and (not booking.accessible or self.accessible)
        )


def is_offered(terms: Terms, booking: Booking, ahead: int | None = None) -> bool:
    """Whether the booking is given a table without a person, so many minutes before its arrival."""
    offer = terms.at(ahead)
    if offer is TableOffer.ON_REQUEST:
        return booking.zone is not None or booking.seating is not SeatingPreference.ANY
    return offer is not TableOffer.STAFF


@attrs.frozen(kw_only=True, repr=False, weakref_slot=False)
class Occupied(Printed):
    """
    A table that is taken for a while.

    Attributes:
        table_id: The table.

        window: For how long others are kept away.

        booking_id: Who sits there, or None.

        reason: Why it is taken where that is not a booking, such as ``maintenance``.

        movable: Whether the booking could be given other tables. Never so for what the host reports.

        sits: Whether its party sits there now, so that the window's end is only expected.
    """

    table_id: str = attrs.field(validator=identifier)
    window: TimeWindow = attrs.field(validator=kind(TimeWindow))
    booking_id: str | None = attrs.field(default=None, validator=optional_identifier)
    reason: str | None = attrs.field(default=None, validator=kind(str, optional=True))
    movable: bool = attrs.field(default=False, validator=flag)
    sits: bool = attrs.field(default=False, validator=flag)


def _terms(table: Table, zone: Terms) -> Terms:
    if table.offer is not None:
        return Terms(table.offer, table.held_until_minutes)
    return zone if table.held_until_minutes is None else Terms(zone.offer, table.held_until_minutes)


def _bits(mask: int) -> list[int]:
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return found


def _pairs(pairs: Iterable[Iterable[str]]) -> frozenset[frozenset[str]]:
    return frozenset(map(frozenset, pairs))


def _seat_by_seat(tables: Any) -> tuple[Any, ...]:
    """Tables, with the seats of each counter and communal table in its place."""
    return tuple(one for table in as_tuple(tables) for one in (table.stools if isinstance(table, _Row) else (table,)))


@attrs.frozen(repr=False)
class FloorPlan(Printed):
    """
    The tables of a restaurant and which of them stand side by side.

    Attributes:
        tables: All its tables, each id once. A `Counter` or a `CommunalTable` among them stands for its seats.

        adjacent: Pairs of ids of tables that can be joined.

        combinations: Those that the restaurant has named, each id and each set of tables once; 1,000 at most.

        zones: What holds for the tables of a zone that do not say otherwise, each zone once.

        groups: Tables that can be joined, each with each other, beside those that are adjacent; each name once, and no
            table's id.

        never_joined: Pairs that are never joined, not even side by side: names of groups, or ids of tables.
    """

    tables: tuple[Table, ...] = attrs.field(converter=_seat_by_seat, validator=each(kind(Table)))
    adjacent: frozenset[frozenset[str]] = attrs.field(default=frozenset(), converter=_pairs)
    combinations: tuple[Combination, ...] = attrs.field(
        default=(), converter=as_tuple, validator=each(kind(Combination))
    )
    zones: tuple[Zone, ...] = attrs.field(default=(), converter=as_tuple, validator=each(kind(Zone)), kw_only=True)
    groups: tuple[Group, ...] = attrs.field(default=(), converter=as_tuple, validator=each(kind(Group)), kw_only=True)
    never_joined: frozenset[frozenset[str]] = attrs.field(default=frozenset(), converter=_pairs, kw_only=True)

    @tables.validator
    def _are_distinct(self, attribute: Any, tables: tuple[Table, ...]) -> None:
        counts = collections.Counter(table.id for table in tables)
        repeated = [table_id for table_id, count in counts.items() if count > 1]
        if repeated or not tables:
            got = f"{repeated[0]!r} twice" if repeated else "none"
            raise InvalidValueError(attribute.name, "one table or more, each id once", f"{got}")

    @tables.validator
    def _rows_are_either(self, attribute: Any, tables: tuple[Table, ...]) -> None:
        counters = {table.counter for table in tables} - {None}
        for table in tables:
            if table.communal in counters:
                expected = "one counter or communal table of each name"
                raise InvalidValueError(attribute.name, expected, f"{table.communal!r} as both")

    def _no_seats(self, table_ids: Iterable[str], name: str) -> None:
        """Refuse seats of a counter or a communal table: only they themselves are joined, and by their own rule."""
        rows = {table.id: table.row for table in self.tables if table.row is not None}
        for table_id in sorted(table_ids):
            if table_id in rows:
                raise InvalidValueError(
                    name, "tables that are no seats of a row", f"{table_id!r} of {rows[table_id]!r}"
                )

    @adjacent.validator
    def _are_known_pairs(self, attribute: Any, adjacent: frozenset[frozenset[str]]) -> None:
        known = {table.id for table in self.tables}
        self._no_seats((name for pair in adjacent for name in pair), attribute.name)
        for pair in adjacent:
            if len(pair) != 2 or not pair <= known:  # noqa: PLR2004 - a pair is two
                raise InvalidValueError(
                    f"{attribute.name}", "pairs of two different tables of the floor", f"{sorted(pair)!r}"
                )

    @combinations.validator
    def _are_of_this_floor(self, attribute: Any, combinations: tuple[Combination, ...]) -> None:
        if len(combinations) > MAX_NAMED:
            raise InvalidValueError(
                attribute.name, f"at most {MAX_NAMED:,} named combinations", f"{len(combinations):,}"
            )
        known = {table.id for table in self.tables}
        ids: set[str] = set()
        sets: dict[tuple[str, ...], str] = {}
        for combination in combinations:
            unknown = sorted({*combination.tables} - known)
            if unknown:
                got = f"{unknown[0]!r} in {combination.id!r}"
                raise InvalidValueError(attribute.name, "tables of the floor", f"{got}")
            self._no_seats(combination.tables, attribute.name)
            if combination.id in ids:
                raise InvalidValueError(attribute.name, "each id once", f"{combination.id!r} twice")
            if combination.tables in sets:
                got = f"{sets[combination.tables]!r} and {combination.id!r}"
                raise InvalidValueError(attribute.name, "each set of tables once", f"it as {got}")
            ids.add(combination.id)
            sets[combination.tables] = combination.id

    @zones.validator
    def _are_zones_of_tables(self, attribute: Any, zones: tuple[Zone, ...]) -> None:
        known = {table.zone for table in self.tables}
        names: set[str] = set()
        for zone in zones:
            if zone.name not in known:
                raise InvalidValueError(attribute.name, "zones of the floor's tables", repr(zone.name))
            if zone.name in names:
                raise InvalidValueError(attribute.name, "each zone once", f"{zone.name!r} twice")
            names.add(zone.name)

    @groups.validator
    def _are_groups_of_tables(self, attribute: Any, groups: tuple[Group, ...]) -> None:
        names = {table.id for table in self.tables}
        known = frozenset(names)
        for group in groups:
            unknown = sorted({*group.tables} - known)
            if unknown:
                raise InvalidValueError(attribute.name, "tables of the floor", f"{unknown[0]!r} in {group.name!r}")
            self._no_seats(group.tables, attribute.name)
            if group.name in names:
                expected = "each name once, and none that is a table's id"
                raise InvalidValueError(attribute.name, expected, repr(group.name))
            names.add(group.name)

    @never_joined.validator
    def _are_pairs_apart(self, attribute: Any, pairs: frozenset[frozenset[str]]) -> None:
        members = self._members
        for pair in sorted(map(sorted, pairs)):
            if len(pair) != 2 or not members.keys() >= set(pair):  # noqa: PLR2004 - a pair is two
                expected = "pairs of two groups or tables of the floor"
                raise InvalidValueError(attribute.name, expected, f"{pair!r}")
            one, other = (members[name] for name in pair)
            shared = sorted({*one} & {*other})
            if shared:
                expected = "groups that share no table"
                raise InvalidValueError(attribute.name, expected, f"{shared[0]!r} in {pair[0]!r} and {pair[1]!r}")
            for combination in self.combinations:
                if {*one} & {*combination.tables} and {*other} & {*combination.tables}:
                    expected = "pairs that no combination joins"
                    raise InvalidValueError(attribute.name, expected, f"{pair!r} beside {combination.id!r}")

    @property
    def _members(self) -> dict[str, tuple[str, ...]]:
        """The tables that a name in `never_joined` stands for."""
        found = {table.id: (table.id,) for table in self.tables}
        return found | {group.name: group.tables for group in self.groups}

    @cached_property
    def rows(self) -> tuple[RowOfSeats, ...]:
        """Its counters and communal tables."""
        found: dict[tuple[str, bool], list[int]] = {}
        for position, table in enumerate(self.tables):
            if table.row is not None:
                found.setdefault((table.row, table.communal is not None), []).append(1 << position)
        active = sum(1 << position for position, table in enumerate(self.tables) if table.active)
        return tuple(
            RowOfSeats(name, tuple(bits), active & sum(bits), any_seats) for (name, any_seats), bits in found.items()
        )

    @cached_property
    def has_any_seats(self) -> bool:
        """Whether it has a communal table: then not every place at which a party could sit is a seating."""
        return any(row.any_seats for row in self.rows)

    def row_of(self, mask: int) -> RowOfSeats | None:
        """The counter or communal table all of whose seats those are, or None."""
        for row in self.rows:
            if mask & row.mask and not mask & ~row.mask:
                return row
        return None

    @cached_property
    def _apart(self) -> tuple[tuple[int, int], ...]:
        """The pairs that are never joined, as masks."""
        members = self._members
        pairs = (tuple(self._mask(members[name]) for name in pair) for pair in map(sorted, self.never_joined))
        return tuple((one, other) for one, other in pairs)

    @cached_property
    def terms(self) -> tuple[Terms, ...]:
        """To whom each table is given without a person."""
        zones = {zone.name: Terms(zone.offer, zone.held_until_minutes) for zone in self.zones}
        return tuple(_terms(table, zones.get(table.zone or "", Terms())) for table in self.tables)

    @cached_property
    def _limits(self) -> dict[int, Terms]:
        """The terms of the tables that are not given to everybody, by their positions."""
        return {place: terms for place, terms in enumerate(self.terms) if terms.offer is not TableOffer.ALWAYS}

    def _terms_of(self, members: Iterable[int]) -> tuple[Terms, ...]:
        limits = self._limits
        return tuple([limits[place] for place in members if place in limits]) if limits else ()

    @cached_property
    def holds(self) -> tuple[int, ...]:
        """The minutes before an arrival at which tables that are held back are released, ascending, each once."""
        held = (terms.held_until_minutes for terms in self.terms if terms.offer is not TableOffer.ALWAYS)
        return tuple(sorted({minutes for minutes in held if minutes is not None}))

    def releases(self, ahead: int | None) -> int:
        """How many of the hold-backs have ended so many minutes before an arrival; none where that is not known."""
        return 0 if ahead is None or not self.holds else len(self.holds) - bisect.bisect_left(self.holds, ahead)

    def next_release(self, ahead: int | None) -> int | None:
        """How many minutes before the arrival the next hold-back ends, or None where none is left."""
        left = len(self.holds) - self.releases(ahead)
        return self.holds[left - 1] if left else None

    def last_release(self, ahead: int | None) -> int | None:
        """How many minutes before the arrival the last hold-back ended, or None where none has."""
        ended = self.releases(ahead)
        return self.holds[len(self.holds) - ended] if ended else None

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each table stands in `tables`, and so which bit of a mask it is."""
        return {table.id: position for position, table in enumerate(self.tables)}

    @cached_property
    def bits(self) -> dict[str, int]:
        """Each table as a mask."""
        return {table_id: 1 << position for table_id, position in self.positions.items()}

    @cached_property
    def named(self) -> dict[int, Combination]:
        """The combinations that the restaurant has named, by their tables as a mask."""
        return {self._mask(combination.tables): combination for combination in self.combinations}

    def _mask(self, table_ids: Iterable[str]) -> int:
        return sum(self.bits[table_id] for table_id in table_ids)

    @cached_property
    def neighbours(self) -> tuple[int, ...]:
        """The tables that each table can be joined with side by side, as a mask."""
        masks = [0] * len(self.tables)
        for group in (*self.adjacent, *(group.tables for group in self.groups)):
            together = self._mask(group)
            for position in _bits(together):
                masks[position] |= together & ~(1 << position)
        for one, other in self._apart:
            for position in _bits(one):
                masks[position] &= ~other
            for position in _bits(other):
                masks[position] &= ~one
        return tuple(masks)

    def joinable(self, mask: int, mode: AdjacencyMode) -> bool:
        """Whether the tables in *mask* may be joined under *mode*; a single table may."""
        row = self.row_of(mask)
        if row is not None:
            return row.holds(mask)
        if self._apart and any(mask & one and mask & other for one, other in self._apart):
            return False
        if mode is AdjacencyMode.CONNECTED:
            return self._is_connected(mask)
        members = _bits(mask)
        around = [self.neighbours[position] & mask for position in members]
        others = [mask & ~(1 << position) for position in members]
        if mode is AdjacencyMode.PAIRWISE:
            return around == others
        return any(near == rest for near, rest in zip(around, others, strict=True))

    def _is_connected(self, mask: int) -> bool:
        """Whether each of these tables can be reached from each other through neighbours among them."""
        reached, fresh = 0, mask & -mask
        while fresh:
            reached |= fresh
            near = 0
            for position in _bits(fresh):
                near |= self.neighbours[position]
            fresh = near & mask & ~reached
        return reached == mask

    def seatings(self, max_tables: int, mode: AdjacencyMode) -> tuple[Seating, ...]:
        """
        Every active table, every set of up to *max_tables* of them that may be joined, and those named, by capacity.

        At a counter or a communal table, that is every two seats or more that are side by side.

        Raises:
            ValueError: There are more than 100,000.
        """
        singles = [1 << position for position, table in enumerate(self.tables) if table.active]
        found = [self._single(mask.bit_length() - 1) for mask in singles]
        found += self._combined(found, max_tables, mode)
        found += [self._joined(run, run.bit_count()) for row in self.rows for run in row.runs()]
        found = self._with_named(found, sum(singles))
        return tuple(sorted(found, key=lambda seating: (seating.capacity, len(seating.tables), seating.mask)))

    def _combined(self, singles: Iterable[Seating], max_tables: int, mode: AdjacencyMode) -> list[Seating]:
        """Every set of two tables or more, up to *max_tables*, that may be joined."""
        largest: dict[int, int] = {}
        found: list[Seating] = []
        level = [seating.mask for seating in singles if seating.row is None]
        active = sum(level)
        for seating in singles:
            largest[seating.mask] = seating.max_party
        for _ in range(max_tables - 1):
            grown: dict[int, None] = {}
            for mask in level:
                near = 0
                for position in _bits(mask):
                    near |= self.neighbours[position]
                for position in _bits(near & active & ~mask):
                    joined = mask | 1 << position
                    if joined not in grown and self.joinable(joined, mode):
                        grown[joined] = None
                if len(self.tables) + len(found) + len(grown) > MAX_COMBINATIONS:
                    expected = f"a floor with at most {MAX_COMBINATIONS:,} combinations"
                    raise InvalidValueError("max_tables", expected, f"more with up to {max_tables} tables each")
            for mask in grown:
                # Taking one table away at a time reaches every smaller set that may be joined.
                fewer = max([largest.get(mask & ~(1 << position), 0) for position in _bits(mask)])
                seating = self._joined(mask, 1 + fewer)
                largest[mask] = max(fewer, seating.max_party)  # It may take fewer than a table of its own.
                if seating.min_party <= seating.max_party or seating.combination:
                    found.append(seating)
            level = list(grown)
        return found

    def _with_named(self, found: list[Seating], active: int) -> list[Seating]:
        """Those that were *found* and those named, each for the parties that fewer of its tables would not do for."""
        named = [self._joined(mask, 1) for mask in self.named if not mask & ~active]
        if not named:
            return found
        rest = [seating for seating in found if seating.combination is None]
        all_of_them = [
            *(_no_table_to_spare(seating, named) for seating in rest),
            *(_no_table_to_spare(seating, (*rest, *named)) for seating in named),
        ]
        return [seating for seating in all_of_them if seating.min_party <= seating.max_party]

    def _single(self, position: int) -> Seating:
        table = self.tables[position]
        return Seating(
            tables=(table,),
            mask=1 << position,
            capacity=table.capacity,
            min_party=table.min_party_size,
            max_party=table.max_party_size,
            zone=table.zone,
            seating=table.seating,
            accessible=table.accessible,
            terms=self._terms_of([position]),
            row=self.row_of(1 << position),
        )

    def _joined(self, mask: int, min_party: int) -> Seating:
        members = _bits(mask)
        tables = tuple([self.tables[position] for position in members])
        combination = self.named.get(mask)
        capacity = combination.capacity if combination else sum([table.capacity for table in tables])
        zones = {table.zone for table in tables}
        places = {table.seating for table in tables}
        return Seating(
            tables=tables,
            mask=mask,
            capacity=capacity,
            min_party=min_party,
            max_party=combination.max_party_size if combination else capacity,
            zone=zones.pop() if len(zones) == 1 else None,
            seating=places.pop() if len(places) == 1 else None,
            accessible=any(table.accessible for table in tables),
            combination=combination,
            terms=self._terms_of(members),
            row=self.row_of(mask),
        )

    def at(self, mask: int) -> Seating:
        """These tables as one seating, for any party."""
        return self._joined(mask, 1)

    def seating(self, table_ids: tuple[str, ...]) -> Seating | None:
        """
        Those tables as one place, or None if one is unknown or named twice.

        It is for any party up to their seats; a single table is for those up to its largest party, if that is more.
        """
        if not table_ids or len(set(table_ids)) != len(table_ids) or not self.positions.keys() >= set(table_ids):
            return None
        place = self._joined(self._mask(table_ids), 1)
        if len(place.tables) == 1 and place.tables[0].max_party_size > place.capacity:
            return attrs.evolve(place, max_party=place.tables[0].max_party_size)
        return place


def _no_table_to_spare(seating: Seating, others: Iterable[Seating]) -> Seating:
    """The same for the parties that none of *others* would do for with some of its tables, unless the floor says."""
    combination = seating.combination
    if combination and combination.min_party_size is not None:
        return attrs.evolve(seating, min_party=combination.min_party_size)
    mask = seating.mask
    parts = (other.max_party for other in others if other.mask != mask and not other.mask & ~mask)
    smallest = 1 + max(parts, default=0)
    return seating if smallest <= seating.min_party else attrs.evolve(seating, min_party=smallest)
