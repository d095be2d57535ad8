"""The review queue, for the staff: the bookings for which the pipeline asks a person."""

from __future__ import annotations

import datetime as dt
import uuid
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from assignment_pipeline import AssignmentResult, Booking, BookingNotFoundError
from assignment_pipeline.planning.sentences import explain
from login import Staff, staff
from services import Services, Used

router = APIRouter(prefix="/review", tags=["review"], dependencies=[Depends(staff)])


class Waiting(BaseModel):
    """A booking that waits for a person."""

    booking_id: str
    restaurant_id: str
    reason: str | None
    party_size: int
    start_at: dt.datetime
    version: int


class Page(BaseModel):
    """Some of them; *next* is what `after` continues with."""

    waiting: list[Waiting]
    next: str | None


class Move(BaseModel):
    """Another booking that would have to make room."""

    booking_id: str
    tables: list[str]


class Suggestion(BaseModel):
    """What would do, if anything would."""

    sentence: str
    tables: list[str]
    moves: list[Move]
    nearest: list[dt.datetime]


class Placement(BaseModel):
    """Tables that a person has chosen; none for those that were suggested, with others making room."""

    version: int = Field(description="The version that the person saw: what has changed since is refused.")
    tables: list[str] = []
    allow: list[str] = Field(default=[], description="Rules to overrule, such as size.")


class Rejection(BaseModel):
    """Why not."""

    reason: str = Field(default="no_table", pattern="^[a-z_]+$")


class Done(BaseModel):
    """What came of it."""

    outcome: str
    tables: list[str]

    @classmethod
    def of(cls, result: AssignmentResult) -> Done:
        """What came of a call."""
        return cls(outcome=result.outcome, tables=list(result.tables))


@router.get("")
async def queue(used: Used, restaurant_id: uuid.UUID | None = None, after: str | None = None) -> Page:
    """Who waits, and why."""
    where = str(restaurant_id) if restaurant_id else None
    page = await used.coordinator.review_queue(where, after=after, limit=50)
    waiting = [
        Waiting(
            booking_id=record.booking_id,
            restaurant_id=record.restaurant_id,
            reason=record.reason,
            party_size=record.booking.party_size,
            start_at=record.booking.start_at,
            version=record.version,
        )
        for record in page.records
        if record.booking is not None
    ]
    return Page(waiting=waiting, next=page.next)


@router.get("/{booking_id}/suggestion")
async def suggest(booking_id: uuid.UUID, used: Used) -> Suggestion:
    """Free tables, others who make room, or other times: in a sentence, and as values."""
    booking, zone = await _booking(used, booking_id)
    decision = await used.coordinator.preview(booking)
    plan = decision.plan or decision.suggestion
    return Suggestion(
        sentence=explain(booking, decision, zone),
        tables=list(plan.tables) if plan else [],
        moves=[Move(booking_id=move.booking_id, tables=list(move.tables)) for move in (plan.moves if plan else ())],
        nearest=list(decision.nearest),
    )


@router.post("/{booking_id}/place")
async def place(booking_id: uuid.UUID, wanted: Placement, actor: Staff, used: Used) -> Done:
    """Give a booking the tables that a person chose, or those that would do. They are checked as any plan's are."""
    booking, _ = await _booking(used, booking_id)
    asked = {"actor": actor, "expect_version": wanted.version}
    if wanted.tables:
        return Done.of(await used.coordinator.place(booking, wanted.tables, allow=wanted.allow, **asked))
    decision = await used.coordinator.preview(booking)
    plan = decision.plan or decision.suggestion
    if plan is None:
        return Done(outcome="kept", tables=[])
    return Done.of(await used.coordinator.place(booking, plan.tables, moves=plan.moves, pin=False, **asked))


@router.post("/{booking_id}/reject")
async def reject(booking_id: uuid.UUID, why: Rejection, actor: Staff, used: Used) -> Done:
    """Turn a booking down, for good."""
    return Done.of(await used.coordinator.reject(str(booking_id), actor=actor, reason=why.reason))


async def _booking(used: Services, booking_id: uuid.UUID) -> tuple[Booking, ZoneInfo]:
    """A booking, and its restaurant's timezone."""
    async with used.pool.connection() as connection:
        booking = await used.host.booking(connection, str(booking_id))
        if booking is None:
            raise BookingNotFoundError(str(booking_id))
        venue = await used.host.venue(connection, booking.restaurant_id, None)
    assert venue is not None
    return booking, venue.zone
