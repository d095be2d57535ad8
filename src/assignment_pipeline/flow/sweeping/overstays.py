"""Parties that stay too long: each booking that will not find its tables free is named once."""

from __future__ import annotations

import attrs

from assignment_pipeline.domain import room
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.room import TableInUse
from assignment_pipeline.errors import StoreUnavailableError
from assignment_pipeline.flow.call import SWEEP, Call
from assignment_pipeline.flow.effects import Emit, Flow
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.arrivals import told_of
from assignment_pipeline.flow.staff.room import Room, look, who_sits
from assignment_pipeline.redaction import named


def name_overstays(told: set[str], settings: Settings, errors: list[tuple[str, str]]) -> Flow[None]:
    """
    Tell of each booking whose tables a party sits at that is not expected to have left by then.

    An event has the same id in every process, so that a store keeps one.

    Args:
        told: The ids of those that this process has reported. The flow updates it.

        settings: How the flows behave.

        errors: What was raised, by booking.
    """
    try:
        places = sorted({record.restaurant_id for record in (yield from who_sits())})
    except StoreUnavailableError:
        return  # The rest of the sweep says so.
    known: set[str] = set()
    for restaurant_id in places:
        try:
            here = yield from look(restaurant_id)
            found: list[Event] = []
            for conflict in room.conflicts(here.loaded.venue, here.records, here.now):
                found += [(yield from _event(here, conflict))]
        except Exception as error:  # noqa: BLE001 - one restaurant must not keep the sweep from the others
            errors.append(("", named(error, show=settings.show_errors)))
            continue
        known |= {event.id for event in found}
        yield from Emit(tuple(event for event in found if event.id not in told))
    told.clear()
    told |= known


def _event(here: Room, conflict: TableInUse) -> Flow[Event]:
    sitting = here.loaded.records[conflict.sitting]
    call = yield from Call.begin((conflict.booking_id, conflict.restaurant_id), SWEEP)
    call.now = here.now
    event = told_of(call, conflict.booking_id, sitting, until=conflict.until)
    versions = f"{sitting.version}:{here.loaded.records[conflict.booking_id].version}"
    return attrs.evolve(event, id=f"in-use:{conflict.sitting}:{conflict.booking_id}:{versions}")
