"""Taking over what legacy has already seated, so that the pipeline plans around it."""

from __future__ import annotations

from collections.abc import Iterable

from assignment_pipeline.domain.adoption import AdoptReport, LegacySeat
from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import CANCELLED
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, CommitPreconditions, Owner
from assignment_pipeline.domain.result import Outcome, Reason
from assignment_pipeline.errors import (
    OtherRestaurantError,
    TableConflictError,
    TableNotFoundError,
    VenueNotFoundError,
)
from assignment_pipeline.flow.assigning.seating import TO_BEGIN
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Apart, Flow, LoadContext
from assignment_pipeline.flow.landing import as_recorded, change, land, preconditions, until_landed
from assignment_pipeline.flow.legacy.outcome import LEGACY, seats_of
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import FINAL, WITH_TABLES, AssignmentState, Trigger
from assignment_pipeline.ports import LoadQuery
from assignment_pipeline.ports.fitting import require_kind

_T = Trigger
ADOPT = "adopt"
"""The trigger of the call."""

ADOPTED, CONFLICTED, KNOWN = "adopted", "conflicted", "known"

_WAYS: dict[AssignmentState, tuple[Trigger, ...]] = {
    **{state: (*begin, _T.SEAT, _T.CONFIRM) for state, begin in TO_BEGIN.items() if state not in WITH_TABLES},
    AssignmentState.MANUAL_REVIEW: (_T.SEAT, _T.CONFIRM),
    AssignmentState.ASSIGNED: (_T.CONFIRM,),
    AssignmentState.CONFIRMED: (_T.MOVE,),
}


def adopt(seats: Iterable[LegacySeat], settings: Settings) -> Flow[AdoptReport]:
    """
    Record what legacy has seated: confirmed, owned by legacy, and taken for every plan.

    Idempotent: where it was done before, nothing is written, and where legacy has moved a booking since, it moves here.

    Raises:
        StoreUnavailableError, CommitUnknownError: The store could not do it, or does not say; what was adopted before
            that stays so. Do it again.
    """
    found: dict[str, list[str]] = {ADOPTED: [], CONFLICTED: [], KNOWN: []}
    refused: list[tuple[str, str]] = []
    for seat in seats:
        require_kind("seats", seat, LegacySeat)
        said = yield from Apart(_adopt(seat, settings))
        if said not in found:
            refused.append((seat.booking.id, said))
            continue
        found[said].append(seat.booking.id)
        if said == CONFLICTED:
            found[ADOPTED].append(seat.booking.id)
    return AdoptReport(tuple(found[ADOPTED]), tuple(found[CONFLICTED]), tuple(found[KNOWN]), tuple(refused))


def _adopt(seat: LegacySeat, settings: Settings) -> Flow[str]:
    """Take over one: which list of the report it belongs into, or why it was refused."""
    booking, conflicted = seat.booking, False
    call = yield from Call.begin((booking.id, booking.restaurant_id), ADOPT, actor=LEGACY)  # Not our own doing.

    def attempt() -> Flow[str | None]:
        try:
            context = yield from LoadContext(LoadQuery(restaurant_id=booking.restaurant_id, bookings=(booking,)))
        except VenueNotFoundError as error:
            return str(error)
        assert context is not None  # noqa: S101 - only of bookings by their ids is it not known whether they are there
        call.now = context.now
        record, venue = context.records.get(booking.id), context.venue
        at_host = context.bookings.get(booking.id)
        if at_host is not None and at_host.restaurant_id != venue.id:
            return str(OtherRestaurantError(booking.id, venue.id, at_host.restaurant_id))
        unknown = [name for name in seat.tables if name not in venue.floor.positions]
        if unknown:
            return str(TableNotFoundError(venue.id, unknown[0]))
        tables = seats_of(venue, booking, seat.tables, conflicted=conflicted)
        said = _settled(seat, record, tables)
        if said is not None:
            return said
        made = _change(call, seat, record, tables, preconditions(context, booking.id))
        if not (yield from land(made)):
            return None
        return CONFLICTED if conflicted else ADOPTED

    def seated_there_all_the_same(_: TableConflictError) -> None:
        nonlocal conflicted
        conflicted = True

    said = yield from until_landed(settings.tries, attempt, seated_there_all_the_same)
    return said or "others were faster, every time"


def _settled(seat: LegacySeat, record: AssignmentRecord | None, tables: Allocation | None) -> str | None:
    """What is to be said of it where nothing is to be written."""
    if seat.booking.status == CANCELLED:
        return "it is cancelled"
    if record is None:
        return None
    if record.state in FINAL:
        return f"it is {record.state} here, for good"
    if record.state not in WITH_TABLES or record.allocation is None or tables is None:
        return None
    if record.owner is Owner.PIPELINE:
        return f"the pipeline has seated it at {', '.join(record.tables)}"
    same = (record.tables, record.allocation.turn) == (tables.tables, tables.turn)
    return KNOWN if same and record.state is AssignmentState.CONFIRMED else None


def _change(
    call: Call, seat: LegacySeat, record: AssignmentRecord | None, tables: Allocation | None, on: CommitPreconditions
) -> AssignmentChange:
    took = call.elapsed()
    return change(
        call,
        record,
        _WAYS.get(record.state if record else AssignmentState.CREATED, ()),
        Outcome.CONFIRMED,
        Reason.ADOPTED,
        took=took,
        preconditions=on,
        restaurant_id=seat.booking.restaurant_id,
        owner=Owner.LEGACY,
        booking=as_recorded(seat.booking),
        allocation=tables,
        strategy=LEGACY,
        pinned=seat.pinned,
        next_attempt_at=None,
        deliveries=0,
        reason=None,
    )
