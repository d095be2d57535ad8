"""What a verdict of the shadow says of its booking: all that planning needs, and nothing about the guest."""

from __future__ import annotations

import datetime as dt
from typing import Any

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event


def asked_in(booking: Booking) -> dict[str, Any]:
    """What planning needs to know of a booking, as a verdict's event carries it: nothing about the guest."""
    facts = {
        "party_size": booking.party_size,
        "start_at": booking.start_at.isoformat(),
        "end_at": booking.end_at.isoformat() if booking.end_at else None,
        "seating": booking.seating.value,
        "zone": booking.zone,
        "accessible": booking.accessible,
    }
    return {name: value for name, value in facts.items() if value is not None}


def asked_by(event: Event) -> Booking:
    """The booking of a verdict's event, without its attributes."""
    facts: Any = event.context
    return Booking(
        event.booking_id or "",
        event.restaurant_id or "",
        facts["party_size"],
        dt.datetime.fromisoformat(facts["start_at"]),
        dt.datetime.fromisoformat(facts["end_at"]) if "end_at" in facts else None,
        seating=facts["seating"],
        zone=facts.get("zone"),
        accessible=facts["accessible"],
    )
