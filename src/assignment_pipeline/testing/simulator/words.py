"""The trace, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner, StateChange
from assignment_pipeline.domain.result import Decision, LegacyResult
from assignment_pipeline.flow.effects import (
    Apart,
    Begin,
    BlockTables,
    CheckCircuit,
    ClaimDue,
    Commit,
    DoubtFlags,
    Draw,
    Effect,
    Emit,
    Evaluate,
    FindBooking,
    FindUnassigned,
    FindWaiting,
    Hold,
    InCharge,
    LoadContext,
    LoadContexts,
    LookUpChange,
    MakePlan,
    Monotonic,
    NewId,
    Now,
    Publish,
    PutBack,
    ReadBlocks,
    ReadRecords,
    ResolveFlags,
    RunLegacy,
    TakeSlot,
    UnblockTables,
)
from assignment_pipeline.planning.base import Evaluation
from assignment_pipeline.ports import AssignmentContext, Due, FlagDecision, Leases, RecordPage, Refused
from assignment_pipeline.testing.simulator.scenario import Scenario


def scenario(drawn: Scenario) -> list[str]:
    """What the run begins with."""
    lines = []
    for venue in drawn.venues:
        tables = ", ".join(
            f"{table.id} ({table.capacity}{f', {table.offer}' if table.offer else ''}"
            f"{'' if table.active else ', out of use'})"
            for table in venue.floor.tables
        )
        pairs = ", ".join("+".join(sorted(pair)) for pair in sorted(venue.floor.adjacent, key=sorted))
        lines.append(f"{venue.id}: {tables}{f'; joinable {pairs}' if pairs else ''}")
    for booking in drawn.bookings:
        known = ", unknown to the host" if booking.id in drawn.walk_ins else ""
        known += ", legacy's" if booking.id in drawn.legacys else ""
        known += ", enqueued" if booking.id in drawn.enqueued else ""
        lines.append(f"{booking.id}: {booking.party_size} at {booking.restaurant_id}, {booking.start_at:%H:%M}{known}")
    settings = drawn.settings
    lines.append(
        f"{settings.confirmation} confirmation, impossible is {settings.impossible}, {settings.max_retries} retries,"
        f" {settings.max_holds} holds, {settings.tries} tries, {settings.in_flight} where it is off;"
        f" {drawn.max_parallel} at a time;"
        f" flags {'without' if drawn.blind else 'with'} a generation; {'a' if drawn.legacy else 'no'} legacy planner"
    )
    return lines


def changes(made: Sequence[AssignmentChange]) -> str:
    """What a commit writes."""
    return "; ".join(map(_change, made))


def _change(made: AssignmentChange) -> str:
    record = made.record
    way = " > ".join([made.steps[0].from_state, *(step.to_state for step in made.steps)]) if made.steps else "no step"
    at = f" at {', '.join(record.tables)}" if record.tables else ""
    due = f", due {record.next_attempt_at:%H:%M:%S}" if record.next_attempt_at else ""
    legacys = ", legacy's" if record.owner is Owner.LEGACY else ""
    return f"{record.booking_id} {way}{at}{due}{legacys} (v{record.version}, {made.id})"


def is_telling(asked: Effect[Any]) -> bool:
    """Whether an effect is worth a line: what only the worker itself notices is not."""
    return not isinstance(asked, Begin | CheckCircuit | Draw | Monotonic | NewId | Now)


def effect(asked: Effect[Any]) -> str:
    """What a worker asks for."""
    phrase = _ASKED.get(type(asked))
    return phrase(asked) if phrase else type(asked).__name__


_ASKED: dict[type[Effect[Any]], Callable[[Any], str]] = {
    Apart: lambda _: "begins a part",
    BlockTables: lambda asked: f"blocks {', '.join(one.table_id for one in asked.blocks)}",
    ClaimDue: lambda _: "claims what is due",
    Commit: lambda asked: f"commits {changes(asked.changes)}",
    DoubtFlags: lambda asked: f"says that the flags of generation {asked.generation} are out of date",
    Emit: lambda asked: f"tells {', '.join(event.type for event in asked.events)}",
    Evaluate: lambda asked: f"weighs {', '.join(asked.table_ids)} for {asked.request.booking.id}",
    FindBooking: lambda asked: f"asks the host for {asked.booking_id}",
    FindWaiting: lambda _: "asks where bookings wait that nobody enqueued",
    InCharge: lambda asked: f"asks where of {', '.join(asked.restaurants)} the pipeline is in charge",
    FindUnassigned: lambda _: "asks for bookings that nobody enqueued",
    Hold: lambda asked: f"asks for the lock {', '.join(want.key for want in asked.wanted)}",
    LoadContext: lambda asked: f"reads {', '.join(asked.query.ids)} and the floor of {asked.query.restaurant_id}",
    LoadContexts: lambda asked: (
        f"reads {', '.join(key for query in asked.queries for key in query.ids)} and the floors they are about"
    ),
    LookUpChange: lambda asked: f"looks whether {asked.change.id} has landed",
    MakePlan: lambda asked: f"plans for {asked.request.booking.id}",
    PutBack: lambda asked: f"puts back {', '.join(due.booking_id for due in asked.claims)}",
    Publish: lambda asked: f"tells the sinks {', '.join(event.type for event in asked.events)}",
    ReadBlocks: lambda asked: f"asks what is blocked at {asked.restaurant_id}",
    ReadRecords: lambda asked: f"reads the record of {', '.join(asked.query.booking_ids)}",
    ResolveFlags: lambda asked: f"asks for the flags of {asked.restaurant_id}",
    RunLegacy: lambda asked: f"runs legacy for {asked.booking.id}",
    TakeSlot: lambda asked: f"asks for a slot of {', '.join(want.key for want in asked.wanted)}",
    UnblockTables: lambda asked: f"puts {', '.join(one.table_id for one in asked.blocks)} back into service",
}


def answer(given: Any) -> str:
    """What it is told."""
    phrase = next((phrase for kind, phrase in _TOLD.items() if isinstance(given, kind)), None)
    said = phrase(given) if phrase else "" if given is None else type(given).__name__
    return f" -> {said}" if said else ""


def _records(records: Iterable[AssignmentRecord]) -> str:
    found = sorted(records, key=lambda record: record.booking_id)
    return ", ".join(f"{record.booking_id} {record.state} v{record.version}" for record in found) or "no record"


def _context(found: AssignmentContext) -> str:
    return f"{_records(found.records.values())}, {len(found.taken)} taken, generation {found.generation}"


def _name(found: Due | Booking | TableBlock | StateChange | AssignmentContext | str | None) -> str:
    if isinstance(found, AssignmentContext):
        return _context(found)
    if isinstance(found, Due):
        return f"{found.booking_id}, delivery {found.deliveries}"
    if isinstance(found, StateChange):
        return f"v{found.version} {found.trigger}"
    return found.id if isinstance(found, Booking | TableBlock) else str(found)


_TOLD: dict[type[Any], Callable[[Any], str]] = {
    AssignmentContext: _context,
    RecordPage: lambda given: _records(given.records),
    FlagDecision: lambda given: f"{given.mode}, generation {given.generation}",
    Decision: lambda given: ", ".join(given.plan.tables) if given.plan else str(given.refusal),
    Evaluation: lambda given: ", ".join(given.broken) or "they would do",
    Leases: lambda _: "granted",
    Refused: lambda _: "refused",
    LegacyResult: lambda given: ", ".join(given.tables) or "no tables",
    Booking: lambda given: given.status,
    tuple: lambda given: ", ".join(map(_name, given)) or "none",
    bool: str,
    str: str,
}
