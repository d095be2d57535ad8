"""Whether tables may be given to a party, found without the engine: from the floor, the policy and the clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping

from assignment_pipeline import Booking, SeatingPreference, Table, Venue
from assignment_pipeline.domain.policy import AdjacencyMode


class ImpossiblePlanError(Exception):
    """A planner answered what cannot be."""


def window(venue: Venue, booking: Booking) -> tuple[dt.datetime, dt.datetime]:
    """From when to when the party keeps its tables from others."""
    policy = venue.policy
    end = booking.end_at or booking.start_at + policy.turn(booking.party_size)
    return booking.start_at - policy.pre_buffer, end + policy.post_buffer


def check(
    venue: Venue, bookings: Mapping[str, Booking], seated: Mapping[str, tuple[str, ...]], changed: Iterable[str]
) -> None:
    """
    See that who sits where could be, as far as it has *changed*.

    Args:
        venue: The restaurant.

        bookings: Every booking, by its id.

        seated: The tables of those that sit.

        changed: The ids of those whose tables are new.

    Raises:
        ImpossiblePlanError: It could not.
    """
    for booking_id in changed:
        booking, names = bookings[booking_id], seated[booking_id]
        faults = [*_unsuitable(venue, booking, names), *_clashes(venue, bookings, seated, booking_id)]
        if faults:
            raise ImpossiblePlanError(f"{booking_id} at {'+'.join(names)}: {', '.join(faults)}")


def _clashes(
    venue: Venue, bookings: Mapping[str, Booking], seated: Mapping[str, tuple[str, ...]], booking_id: str
) -> Iterator[str]:
    start, end = window(venue, bookings[booking_id])
    mine = set(seated[booking_id])
    for other, tables in seated.items():
        if other != booking_id and not mine.isdisjoint(tables):
            begins, ends = window(venue, bookings[other])
            if start < ends and begins < end:
                yield f"taken by {other}"


def _unsuitable(venue: Venue, booking: Booking, names: tuple[str, ...]) -> Iterator[str]:
    known = {table.id: table for table in venue.floor.tables}
    if not names or len(set(names)) < len(names) or not known.keys() >= set(names):
        yield "no tables of this floor"
        return
    tables = [known[name] for name in names]
    if not all(table.active for table in tables):
        yield "not in use"
    if len(tables) > venue.policy.max_tables or not joinable(venue, set(names)):
        yield "not joinable"
    if not _takes(venue, tables, booking.party_size):
        yield f"not for a party of {booking.party_size}"
    if any(booking.zone not in (None, table.zone) for table in tables):
        yield "not in its zone"
    if any(booking.seating not in (SeatingPreference.ANY, table.seating) for table in tables):
        yield "not where it wants to sit"
    if booking.accessible and not any(table.accessible for table in tables):
        yield "not accessible"


def _takes(venue: Venue, tables: list[Table], size: int) -> bool:
    """Whether the tables hold the party, and it needs each of them."""
    if len(tables) == 1:
        return tables[0].min_party_size <= size <= tables[0].max_party_size
    spare = sum(table.capacity for table in tables) - size
    overage = venue.policy.max_overage
    if spare < 0 or (overage is not None and spare > overage):
        return False
    for left_out in tables:
        rest = [table for table in tables if table is not left_out]
        holds = rest[0].max_party_size if len(rest) == 1 else sum(table.capacity for table in rest)
        if holds >= size and joinable(venue, {table.id for table in rest}):
            return False
    return True


def joinable(venue: Venue, names: set[str]) -> bool:
    """Whether the tables may stand together, by the policy's mode."""
    near = {name: {other for other in names if frozenset((name, other)) in venue.floor.adjacent} for name in names}
    if venue.policy.adjacency is AdjacencyMode.PAIRWISE:
        return all(near[name] == names - {name} for name in names)
    if venue.policy.adjacency is AdjacencyMode.NEIGHBOURS:
        return any(near[name] == names - {name} for name in names)
    reached, new = set[str](), {min(names)}
    while new:
        reached |= new
        new = set().union(*(near[name] for name in new)) - reached
    return reached == names
