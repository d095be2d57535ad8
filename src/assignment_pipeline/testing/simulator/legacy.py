"""The planner being replaced, which seats in the host's rows."""

from __future__ import annotations

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.result import LegacyResult
from assignment_pipeline.testing.simulator.world import World


def plan(world: World, booking: Booking) -> LegacyResult:
    """The first table that is large enough and free, in a transaction of the host's; now and then, whoever has it."""
    at_host = world.ledger.booking(booking.id)
    record = world.store.record(booking.id)
    venue = world.venue_of(booking)
    unable = "occupy" in world.harness.cannot
    if unable or at_host is None or not at_host.is_pending or (record is not None and record.allocation):
        return LegacyResult()
    turn = venue.turn(booking)
    able = [table for table in venue.floor.tables if table.active and table.capacity >= booking.party_size]
    if able and world.strikes("legacy-double-books"):
        world.put_booking(attrs.evolve(at_host, status="confirmed"))
        return LegacyResult((world.choices.of(able).id,))
    for table in able:
        seat = Occupied(table_id=table.id, window=turn, booking_id=booking.id)
        if world.is_free(venue.id, seat):
            world.take(venue.id, seat)
            world.put_booking(attrs.evolve(at_host, status="confirmed"))
            return LegacyResult((table.id,))
    return LegacyResult()
