"""Which times can still be had, for booking forms, and in the form in which feeds want it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from assignment_pipeline import SlotStatus
from services import Used

router = APIRouter(prefix="/availability", tags=["availability"])

WIX = {
    SlotStatus.AVAILABLE: "AVAILABLE",
    SlotStatus.WITH_MOVES: "AVAILABLE",
    SlotStatus.REVIEW: "AVAILABLE",  # With manualApproval.
    SlotStatus.UNAVAILABLE: "UNAVAILABLE",
}
"""What a time slot is called there."""


@router.get("")
async def availability(
    used: Used,
    restaurant_id: uuid.UUID,
    date: dt.date,
    party_size: Annotated[list[Annotated[int, Query(ge=1, le=500)]], Query(min_length=1, max_length=20)],
    form: Literal["slots", "google", "wix"] = "slots",
) -> dict[str, Any]:
    """Each arrival and size of party. At this moment, the pipeline would confirm what is free."""
    found = await used.coordinator.availability(str(restaurant_id), date, party_size)
    if form == "google":
        return {"slot_time": [_google(slot) for slot in found.slots]}
    if form == "wix":
        return {"timeSlots": [_wix(slot) for slot in found.slots]}
    return {"timezone": found.timezone, "slots": [_plain(slot) for slot in found.slots]}


@router.get("/month")
async def month(used: Used, restaurant_id: uuid.UUID, date: dt.date, party_size: int) -> dict[str, str]:
    """Which days of the month of *date* have anything for a party."""
    found = await used.coordinator.availability_month(str(restaurant_id), date, [party_size])
    return {day.date.isoformat(): day.status.value for day in found.days}


def _plain(slot: Any) -> dict[str, Any]:
    return {
        "start_at": slot.start_at.isoformat(),
        "party_size": slot.party_size,
        "status": slot.status.value,
        "reason": slot.reason,
        "spots": slot.spots,
        "turn_minutes": slot.turn_minutes,
    }


def _google(slot: Any) -> dict[str, Any]:
    """A slot as the Actions Center's availability feed has it: spots by party size, seconds since 1970."""
    bookable = slot.status in (SlotStatus.AVAILABLE, SlotStatus.WITH_MOVES)
    return {
        "start_sec": int(slot.start_at.timestamp()),
        "duration_sec": 60 * slot.turn_minutes,
        "spots_total": max(slot.spots, 1),
        "spots_open": slot.spots if bookable else 0,
        "resources": {"party_size": slot.party_size},
    }


def _wix(slot: Any) -> dict[str, Any]:
    """A time slot as Wix Table Reservations has it."""
    return {
        "startDate": slot.start_at.isoformat().replace("+00:00", "Z"),
        "duration": slot.turn_minutes,
        "status": WIX[slot.status],
        "manualApproval": slot.status is SlotStatus.REVIEW,
    }
