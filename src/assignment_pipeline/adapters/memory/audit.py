"""What people look at, in memory: all that is kept of a booking, and where parties were."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping

from assignment_pipeline.adapters.memory.told import ToldEvents
from assignment_pipeline.domain.record import AssignmentRecord, Attempt, StateChange
from assignment_pipeline.domain.trail import BookingTrail, Whereabouts
from assignment_pipeline.errors import BookingUnreadableError
from assignment_pipeline.ports import MOST_EVENTS, NEAR, CheckedHost, Clock


class Audits:
    """The part of the store that is an `AuditStore`."""

    clock: Clock
    _asked: CheckedHost
    _lock: threading.RLock
    _records: Mapping[str, AssignmentRecord]
    _history: Mapping[str, list[StateChange]]
    _restaurants: Mapping[str, list[str]]
    _attempts: Mapping[str, list[Attempt]]
    _events: ToldEvents

    def trail(self, booking_id: str) -> BookingTrail:
        with self._lock:
            try:
                booking = self._asked.booking(None, booking_id)
            except BookingUnreadableError:
                booking = None
            events = [event for event in self._events.values() if event.booking_id == booking_id]
            return BookingTrail(
                now=self.clock.now(),
                record=self._records.get(booking_id),
                booking=booking,
                history=self._history.get(booking_id, ()),
                attempts=self._attempts.get(booking_id, ()),
                events=events[-MOST_EVENTS:],
            )

    def whereabouts(self, restaurant_id: str, at: dt.datetime) -> tuple[Whereabouts, ...]:
        with self._lock:
            found = []
            for booking_id in sorted(self._history):
                steps = zip(self._history[booking_id], self._restaurants[booking_id], strict=True)
                before = [(step, place) for step, place in steps if step.created_at <= at]
                last, place = before[-1] if before else (None, None)
                if last is None or last.turn_start_at is None or last.turn is None:
                    continue
                is_near = at - NEAR[0] < last.turn_start_at < at + NEAR[1]
                if is_near and place == restaurant_id:
                    booking = self._records[booking_id].booking
                    found.append(Whereabouts(booking_id=booking_id, step=last, booking=booking))
            return tuple(found)
