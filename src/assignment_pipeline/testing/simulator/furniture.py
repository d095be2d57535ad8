"""What must hold of tables that nobody chose by hand, read from the floor by itself: not as the planner reads it."""

from __future__ import annotations

from collections.abc import Iterator

from assignment_pipeline.domain.booking import SeatingPreference
from assignment_pipeline.domain.floor import FloorPlan, Table
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.windows import MINUTE, minute_of
from assignment_pipeline.domain.zones import TableOffer
from assignment_pipeline.flow.legacy.outcome import LEGACY
from assignment_pipeline.planning.engine import MANUAL
from assignment_pipeline.testing.simulator.ledger import Ledger


def _given(ledger: Ledger) -> Iterator[tuple[AssignmentRecord, FloorPlan, list[Table]]]:
    """The records that the planner has just given tables, with these."""
    for booking_id in ledger.changed:
        record, before = ledger.records.get(booking_id), ledger.before.get(booking_id)
        if record is None or record.allocation is None or record.strategy in (MANUAL, LEGACY):
            continue
        if before is not None and before.tables == record.tables and before.restaurant_id == record.restaurant_id:
            continue
        floor = ledger.venues[record.restaurant_id].floor
        tables = [table for table in floor.tables if table.id in record.tables]
        if len(tables) == len(record.tables):  # Else one is gone: `the_tables_fit` says so.
            yield record, floor, tables


def a_party_has_the_seats_of_one_row(ledger: Ledger) -> Iterator[str]:
    """A party at a counter or a communal table has a seat there for each guest, and at a counter side by side."""
    for record, floor, tables in _given(ledger):
        rows = {(table.counter, table.communal) for table in tables}
        if rows == {(None, None)} or record.booking is None:
            continue
        who = f"{record.booking_id}, a party of {record.booking.party_size}, at {', '.join(record.tables)}"
        if len(rows) > 1 or len(tables) != record.booking.party_size:
            yield f"{who}: not a seat of one row for each"
            continue
        seats = [table.id for table in floor.tables if (table.counter, table.communal) in rows]
        places = sorted(seats.index(table.id) for table in tables)
        if tables[0].counter is not None and places != list(range(places[0], places[0] + len(places))):
            yield f"{who}: not side by side"


def never_joined_is_never_joined(ledger: Ledger) -> Iterator[str]:
    """No party has two tables that the restaurant says are never joined, directly or through their groups."""
    for record, floor, _ in _given(ledger):
        members = {table.id: {table.id} for table in floor.tables}
        members |= {group.name: {*group.tables} for group in floor.groups}
        for one, other in map(sorted, floor.never_joined):
            if members[one] & {*record.tables} and members[other] & {*record.tables}:
                yield f"{record.booking_id} has {', '.join(record.tables)}, and {one} never joins {other}"


def held_tables_are_given_by_people(ledger: Ledger) -> Iterator[str]:
    """What is kept for staff is given by people, and what is given on request to who asks for it, until released."""
    for record, floor, tables in _given(ledger):
        booking = record.booking
        if booking is None or record.allocation is None:
            continue
        ahead = (record.allocation.turn.start - minute_of(ledger.clock.now())) // MINUTE
        asks = booking.zone is not None or booking.seating is not SeatingPreference.ANY
        for table in tables:
            offer, held = _offered(floor, table)
            is_kept = offer is TableOffer.STAFF or (offer is TableOffer.ON_REQUEST and not asks)
            if is_kept and (held is None or ahead > held):
                yield f"{record.booking_id} has {table.id}, {offer}, {ahead} minutes ahead"


def _offered(floor: FloorPlan, table: Table) -> tuple[TableOffer, int | None]:
    """To whom a table is given, and until how many minutes before an arrival; its zone says it where it does not."""
    zone = next((zone for zone in floor.zones if zone.name == table.zone), None)
    if table.offer is not None or zone is None:
        return table.offer or TableOffer.ALWAYS, table.held_until_minutes
    return zone.offer, zone.held_until_minutes if table.held_until_minutes is None else table.held_until_minutes
