"""Events: what happened, for sinks."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping

import attrs

from assignment_pipeline.domain.checks import as_dict, aware, enum_fields, identifier, to_utc
from assignment_pipeline.plain import Printed

Scalar = str | int | float | bool | None
"""What a context holds: no guest's name, address, notes or attributes."""


class Source(enum.StrEnum):
    """Which part of the pipeline tells of it."""

    STATE_MACHINE = "assignment.state_machine"
    COORDINATOR = "assignment.coordinator"
    SHADOW = "assignment.shadow"
    ROLLOUT = "assignment.rollout"
    LEGACY = "auto_assign"


class EventType(enum.StrEnum):
    """What happened."""

    STATE_TRANSITION = "booking.assignment_state_transition"

    START = "coordinator.start"
    NOOP = "coordinator.noop"
    LOCK_CONTENTION = "coordinator.lock_contention"
    LOCK_UNAVAILABLE = "coordinator.lock_unavailable"
    CIRCUIT_OPEN = "coordinator.circuit_open"
    CONFIRMED = "coordinator.confirmed"
    ASSIGNED = "coordinator.assigned"
    RETRY = "coordinator.retry"
    MANUAL_REVIEW = "coordinator.manual_review"
    FAILED = "coordinator.failed"
    CANCELLED = "coordinator.cancelled"
    HOLD_LOST = "coordinator.hold_lost"
    PINNED = "coordinator.pinned"
    UNPINNED = "coordinator.unpinned"
    SEATED = "coordinator.seated"
    LEFT = "coordinator.left"
    NO_SHOW = "coordinator.no_show"
    EXTENDED = "coordinator.extended"
    REINSTATED = "coordinator.reinstated"
    REARRANGED = "coordinator.rearranged"
    REVIEW_OVERDUE = "coordinator.review_overdue"
    TABLE_IN_USE = "coordinator.table_in_use"
    BLOCKED = "coordinator.blocked"
    UNBLOCKED = "coordinator.unblocked"
    HANDED_OVER = "coordinator.handed_over"
    TAKEN_OVER = "coordinator.taken_over"
    ADOPTED = "coordinator.adopted"
    ERROR = "coordinator.error"
    HOST_FAULT = "coordinator.host_fault"

    RESEATED = "booking.reseated"

    SHADOW_MATCH = "shadow.match"
    SHADOW_EQUIVALENT = "shadow.equivalent"
    SHADOW_MISMATCH = "shadow.mismatch"
    SHADOW_LEGACY_ERROR = "shadow.legacy_error"
    SHADOW_PIPELINE_ERROR = "shadow.pipeline_error"
    SHADOW_BOTH_ERROR = "shadow.both_error"
    SHADOW_TIMEOUT = "shadow.timeout"
    SHADOW_DROPPED = "shadow.dropped"
    SHADOW_INCOMPARABLE = "shadow.incomparable"

    PHASE_CHANGED = "rollout.phase_changed"
    GATE = "rollout.gate"
    ALERT_FIRING = "rollout.alert_firing"
    ALERT_RESOLVED = "rollout.alert_resolved"
    ROLLED_BACK = "rollout.rolled_back"
    DAY_COMPARED = "rollout.day_compared"
    FLAG_ERROR = "rollout.flag_error"

    LEGACY_SUMMARY = "auto_assign.summary"


class Severity(enum.StrEnum):
    """How much an operator should care."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@attrs.frozen(field_transformer=enum_fields, repr=False, weakref_slot=False)
class Event(Printed):
    """
    One thing that happened.

    Attributes:
        id: Its id, unique.

        created_at: When, by the store's clock where there was one.

        source: Which part of the pipeline tells of it.

        type: What happened.

        severity: How much an operator should care.

        restaurant_id: Whose restaurant it concerns, or None.

        booking_id: Which booking it concerns, or None.

        context: The details, flat.
    """

    id: str = attrs.field(validator=identifier)
    created_at: dt.datetime = attrs.field(converter=to_utc, validator=aware)
    source: Source = attrs.field(converter=Source)
    type: EventType = attrs.field(converter=EventType)
    severity: Severity = attrs.field(default=Severity.INFO, converter=Severity, kw_only=True)
    restaurant_id: str | None = attrs.field(default=None, kw_only=True)
    booking_id: str | None = attrs.field(default=None, kw_only=True)
    context: Mapping[str, Scalar | tuple[str, ...]] = attrs.field(
        factory=dict, converter=as_dict, kw_only=True, hash=False
    )
