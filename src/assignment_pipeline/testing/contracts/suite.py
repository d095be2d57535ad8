"""What the parts of the contracts share."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord, CommitPreconditions
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import AssignmentStore, LoadQuery, RecordQuery
from assignment_pipeline.testing.store_harness import (
    DINNER,
    Ability,
    StoreHarness,
    make_booking,
    make_change,
    make_venue,
)


def need(harness: StoreHarness, *abilities: Ability) -> None:
    """Skip the test if the harness cannot do all of *abilities*."""
    for ability in abilities:
        if ability in harness.cannot:
            pytest.skip(f"cannot {ability}: {harness.cannot[ability]}")


class StoreSuite:
    """What the parts of the store's contract share."""

    @pytest.fixture(autouse=True)
    def _restaurant(self, harness: StoreHarness) -> None:
        harness.put_venue(make_venue())

    def record(self, store: AssignmentStore, booking_id: str = "b-1") -> AssignmentRecord | None:
        """The booking's record, if there is one."""
        page = store.records(RecordQuery(booking_ids=(booking_id,)))
        return page.records[0] if page.records else None

    def commit(self, store: AssignmentStore, of: Booking, /, *triggers: Trigger, **how: Any) -> AssignmentRecord:
        """Commit what `make_change` makes of the record as it stands; its record."""
        change = make_change(of, *triggers, before=self.record(store, of.id), **how)
        store.commit([change])
        return change.record

    def assume(self, store: AssignmentStore, booking: Booking, **fields: Any) -> CommitPreconditions:
        """What a plan made now takes for granted."""
        context = store.load(LoadQuery(restaurant_id=booking.restaurant_id, bookings=(booking,)))
        assert context is not None
        record = context.records.get(booking.id)
        found = CommitPreconditions(
            booking=context.bookings.get(booking.id),
            venue_version=context.venue.version,
            next_attempt_at=record.next_attempt_at if record else None,
            pinned=record.pinned if record else False,
            generation=context.generation,
        )
        return attrs.evolve(found, **fields)

    def taken(self, store: AssignmentStore, *, at: dt.datetime = DINNER) -> set[tuple[str, str | None]]:
        """The tables taken around a time at the restaurant, and by whom."""
        context = store.load(LoadQuery(restaurant_id="r-1", bookings=(make_booking("anyone", at=at),)))
        assert context is not None
        return {(taken.table_id, taken.booking_id) for taken in context.taken}
