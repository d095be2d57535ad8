"""Bookings that were confirmed before the host's row was there to take it: looked at again, and told once more."""

from __future__ import annotations

import attrs

from assignment_pipeline.domain.booking import CANCELLED
from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord
from assignment_pipeline.domain.result import Outcome, Reason
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.landing import ToCommit, change, no_longer_due, preconditions
from assignment_pipeline.lifecycle import AssignmentState

NOT_TAKEN = "not_taken"
"""The host's row does not say that its booking is confirmed, although it was told."""

HOST_SETTLED = "host_settled"
"""The host's row says that its booking does not wait, while its record does."""


def host_fault(context: DecisionContext, reason: str) -> Event:
    """The event of something that the host's row does not agree with."""
    return context.call.event(Source.COORDINATOR, EventType.HOST_FAULT, Severity.WARNING, reason=reason)


def disagreement(context: DecisionContext) -> tuple[Event, ...]:
    """The event for a record that waits while the host's row says that its booking does not, and is not cancelled."""
    at_host = context.at_host
    settled = at_host is not None and not at_host.is_pending and at_host.status != CANCELLED
    return (host_fault(context, HOST_SETTLED),) if settled else ()


def due_until_row(context: DecisionContext, made: AssignmentChange) -> AssignmentChange:
    """
    The change, due for another look where it confirms a booking whose row is not there yet.

    ``on_commit`` changes no row then: the host has not committed it, and it would say for ever that it waits.
    """
    record = made.record
    if record.state is not AssignmentState.CONFIRMED or not context.awaits_row:
        return made
    return attrs.evolve(made, record=attrs.evolve(record, next_attempt_at=context.now + context.settings.orphan_after))


def look_again(context: DecisionContext, record: AssignmentRecord) -> ToCommit:
    """What becomes of a settled record that was due: the host is told once more where its row still waits."""
    at_host = context.at_host
    if (
        record.state is not AssignmentState.CONFIRMED
        or not context.loaded.follows
        or (at_host is not None and not at_host.is_pending)
    ):
        return _settled(no_longer_due(context.call, record))
    if record.deliveries >= context.settings.max_deliveries:
        event = host_fault(context, NOT_TAKEN)
        return _settled(change(context.call, record, told=(event,), next_attempt_at=None, deliveries=0))
    due = context.now + context.settings.orphan_after
    again = change(
        context.call, record, preconditions=preconditions(context.loaded, record.booking_id), next_attempt_at=due
    )
    return _settled(attrs.evolve(again, repeats=at_host is not None))


def _settled(made: AssignmentChange) -> ToCommit:
    return ToCommit(change=made, outcome=Outcome.NOOP, reason=Reason.TERMINAL_STATE)
