"""What a sweep tells of a record once, however often it meets it."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import attrs

from assignment_pipeline.domain.events import EventType, Severity, Source
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.flow.call import SWEEP, Call
from assignment_pipeline.flow.effects import Emit, Flow

_MOST_KNOWN = 10_000


def tell_once(
    kind: EventType, what: str, record: AssignmentRecord, now: dt.datetime, told: set[str], **facts: Any
) -> Flow[None]:
    """
    Tell something of a record, once in each of its versions. Other processes tell it with the same id.

    Args:
        kind: The type of the event.

        what: What it tells, as a part of the id.

        record: The record.

        now: The store's time.

        told: The ids of what was told. The flow adds to it.

        facts: The details.
    """
    name = hashlib.blake2b(f"{what} {record.version} {record.booking_id}".encode(), digest_size=16).hexdigest()
    if name in told:
        return
    call = yield from Call.begin((record.booking_id, record.restaurant_id), SWEEP)
    call.now = now
    event = call.event(Source.COORDINATOR, kind, Severity.WARNING, trigger=call.trigger, **facts)
    yield from Emit((attrs.evolve(event, id=name),))
    if len(told) >= _MOST_KNOWN:
        told.clear()
    told.add(name)
