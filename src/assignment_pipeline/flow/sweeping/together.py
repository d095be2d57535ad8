"""What is due, several bookings at a time: one snapshot, and one commit for all that are seated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

from assignment_pipeline.domain.events import EventType
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Mode
from assignment_pipeline.errors import FlagsUnreadError
from assignment_pipeline.flow.assigning.assign import held_against_legacy
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.seating import find_tables, seat
from assignment_pipeline.flow.assigning.together import Together
from assignment_pipeline.flow.call import SWEEP, Call
from assignment_pipeline.flow.effects import (
    CheckCircuit,
    Flow,
    Hold,
    LoadContexts,
    Monotonic,
    ReadRecords,
    ResolveFlags,
    TakeSlot,
)
from assignment_pipeline.flow.landing import ToCommit, land, landed
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import UNSETTLED, AssignmentState
from assignment_pipeline.ports import AssignmentContext, Due, FlagDecision, LoadQuery, RecordQuery, Refused, waits

MOST = 50
"""Claims that are taken up together: others at their restaurants wait for the commit, some twenty milliseconds."""

PATIENCE = 1.0
"""Seconds after which what has been planned is committed, and the rest is left."""

MORNING = dt.timedelta(hours=9)
"""After midnight in UTC: what starts within a day from then on is loaded together. Few restaurants divide there."""

TO_BE_SEATED = UNSETTLED - {AssignmentState.ASSIGNMENT_IN_PROGRESS}
"""Where assignments stand that nothing has come of. Those in progress were handed over."""


def take_up_together(claims: Sequence[Due], settings: Settings) -> Flow[dict[str, AssignmentResult]]:
    """
    Seat what can be seated at free tables, each booking guarded as if it came alone, with one commit for all.

    Those of a restaurant are seated in their order, up to the first for which there is no free table.

    Returns:
        The answers, by booking. What is missing has to be taken up alone: it needs more than a free table, is not what
        it was when it was claimed, the pipeline is not in charge, somebody is at work, or others were faster.
    """
    try:
        return (yield from _seated(claims, settings))
    except Exception:  # noqa: BLE001 - whatever it is, each booking meets it alone, where it is told
        return {}


def _seated(claims: Sequence[Due], settings: Settings) -> Flow[dict[str, AssignmentResult]]:
    if (yield from CheckCircuit()):
        return {}
    page = yield from ReadRecords(RecordQuery(booking_ids=tuple(due.booking_id for due in claims), limit=len(claims)))
    records = {record.booking_id: record for record in page.records}
    plain = [due for due in claims if _is_plain(due, records.get(due.booking_id), settings)]
    flags = yield from _flags({due.restaurant_id: None for due in plain})
    fit = yield from _admitted([due for due in plain if due.restaurant_id in flags], settings, flags)
    if len(fit) < 2:  # noqa: PLR2004 - one alone is taken up alone
        return {}
    until = (yield from Monotonic()) + PATIENCE
    writes: dict[str, tuple[Call, ToCommit]] = {}
    evenings = list(_evenings(fit, records))
    contexts = yield from LoadContexts(tuple(map(_query, evenings)))
    for evening, loaded in zip(evenings, contexts, strict=True):
        if writes and (yield from Monotonic()) > until:
            break
        if loaded is not None:
            writes |= yield from _planned(evening, loaded, settings, flags[evening[0].restaurant_id], until)
    changes = [decided.change for _, decided in writes.values()]
    if not changes or not (yield from land(*changes)):
        return {}
    answers = {}
    for booking_id, (call, decided) in writes.items():
        answers[booking_id] = answer = landed(call, decided)
        yield from held_against_legacy(call, None, answer)
    return answers


def _is_plain(due: Due, record: AssignmentRecord | None, settings: Settings) -> bool:
    """Whether all that may come of a claim is that its booking gets tables, or goes on waiting."""
    if record is None or record.booking is None or record.allocation is not None:
        return False
    wants = waits(record) or (record.owner is Owner.PIPELINE and record.state in TO_BE_SEATED)
    is_here = record.restaurant_id == due.restaurant_id
    return wants and is_here and due.holds(record) and due.deliveries <= settings.max_deliveries


def _flags(restaurants: Iterable[str]) -> Flow[dict[str, FlagDecision]]:
    """What the flags say of the restaurants that the pipeline is in charge of."""
    flags: dict[str, FlagDecision] = {}
    for restaurant_id in restaurants:
        try:
            found = yield from ResolveFlags(restaurant_id)
        except FlagsUnreadError:
            continue
        if found.mode is Mode.ACTIVE:
            flags[restaurant_id] = found
    return flags


def _admitted(claims: Sequence[Due], settings: Settings, flags: Mapping[str, FlagDecision]) -> Flow[list[Due]]:
    """The claims at restaurants that have a place, where nobody is at work on any of the bookings; else none."""
    full: set[str] = set()
    for name in dict.fromkeys(due.restaurant_id for due in claims):
        if isinstance((yield from TakeSlot.at(name, flags[name].max_parallel, settings.lock_ttl)), Refused):
            full.add(name)
    fit = [due for due in claims if due.restaurant_id not in full]
    if not fit or isinstance((yield from Hold.of((due.booking_id for due in fit), settings.lock_ttl)), Refused):
        return []
    return fit


def _evenings(claims: Iterable[Due], records: Mapping[str, AssignmentRecord]) -> Iterator[list[Due]]:
    """The claims by restaurant and time, each group in its order."""
    groups: dict[tuple[str, dt.date], list[Due]] = {}
    for due in claims:
        booking = records[due.booking_id].booking
        assert booking is not None  # noqa: S101 - see `_is_plain`
        groups.setdefault((due.restaurant_id, (booking.start_at - MORNING).date()), []).append(due)
    yield from groups.values()


def _query(evening: Sequence[Due]) -> LoadQuery:
    return LoadQuery(restaurant_id=evening[0].restaurant_id, booking_ids=tuple(due.booking_id for due in evening))


def _planned(
    claims: Sequence[Due], loaded: AssignmentContext, settings: Settings, flags: FlagDecision, until: float
) -> Flow[dict[str, tuple[Call, ToCommit]]]:
    """What is written of the claims of one evening, up to the first for which there is no free table."""
    if flags.generation not in (None, loaded.generation):
        return {}
    together = Together(loaded)
    for due in claims:
        call = yield from Call.begin((due.booking_id, due.restaurant_id), SWEEP)
        call.mode, call.now = flags.mode, loaded.now
        call.note(EventType.START)
        context = DecisionContext(
            call=call,
            settings=settings,
            loaded=together.loaded,
            booking=loaded.bookings.get(due.booking_id),
            generation=loaded.generation,
            occupancy=together.occupancy,
        )
        if context.booking is None or not _may_be_seated(context, due, settings):
            continue
        request = context.request(context.booking)
        _, decision = yield from find_tables(context, request)
        if decision.plan is None:
            break
        together.add(call, (yield from seat(context, request, decision)))
        if (yield from Monotonic()) > until:
            break
    return together.writes


def _may_be_seated(context: DecisionContext, due: Due, settings: Settings) -> bool:
    booking = context.booking
    is_here = booking is not None and booking.restaurant_id == due.restaurant_id
    return is_here and context.is_wanted and _is_plain(due, context.record, settings)
