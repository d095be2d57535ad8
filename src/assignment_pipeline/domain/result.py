"""What the coordinator answers."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping

import attrs

from assignment_pipeline.domain.checks import as_dict, as_tuple, each, identifier, sorted_ids
from assignment_pipeline.domain.record import AssignmentRecord


class Mode(enum.StrEnum):
    """What the flags have the pipeline do at a restaurant."""

    OFF = "off"
    SHADOW = "shadow"
    ACTIVE = "active"


class Outcome(enum.StrEnum):
    """How a call came out."""

    CONFIRMED = "confirmed"
    ASSIGNED = "assigned"
    RETRY = "retry"
    MANUAL_REVIEW = "manual_review"
    FAILED = "failed"
    NOOP = "noop"

    CANCELLED = "cancelled"
    """`cancel` did what it was asked for."""

    KEPT = "kept"
    """`reassign` found nothing, or `extend` found others in the way: the booking was left as it was."""

    HOLD_LOST = "hold_lost"
    """`confirm` came when the tables were gone."""


class Reason(enum.StrEnum):
    """Why a call came out as it did."""

    PIPELINE_DISABLED = "pipeline_disabled"
    SHADOW = "shadow"
    SHADOW_UNAVAILABLE = "shadow_unavailable"
    RUNTIME_DISABLED = "runtime_disabled"

    CIRCUIT_OPEN = "circuit_open"
    RATE_LIMITED = "rate_limited"
    LOCK_CONTENTION = "lock_contention"
    STORE_UNAVAILABLE = "store_unavailable"
    FLAGS_UNREAD = "flags_unread"
    COMMIT_UNKNOWN = "commit_unknown"
    CONFLICT = "conflict"

    TERMINAL_STATE = "terminal_state"
    OWNED_BY_LEGACY = "owned_by_legacy"
    NOT_DUE = "not_due"
    BOOKING_CHANGED = "booking_changed"
    OTHER_RESTAURANT = "other_restaurant"

    PARTY_TOO_LARGE = "party_too_large"
    PARTY_TOO_SMALL = "party_too_small"
    NO_SUCH_SEATING = "no_such_seating"
    OUTSIDE_SERVICE = "outside_service"
    IN_PAST = "in_past"

    NO_FIT = "no_fit"
    INFEASIBLE = "infeasible"
    CRASH_LOOP = "crash_loop"
    HOLD_EXPIRED = "hold_expired"
    BOOKING_GONE = "booking_gone"
    BOOKING_UNREADABLE = "booking_unreadable"
    TIME_PASSED = "time_passed"

    BY_REQUEST = "by_request"
    PINNED = "pinned"
    UNPINNED = "unpinned"
    SEATED = "seated"
    LEFT = "left"
    NO_SHOW = "no_show"
    EXTENDED = "extended"

    HANDED_OVER = "handed_over"
    TAKEN_OVER = "taken_over"
    ADOPTED = "adopted"
    LEGACY_EXHAUSTED = "legacy_exhausted"
    LEGACY_ERROR = "legacy_error"
    HANDOVER_TIMEOUT = "handover_timeout"


IMPOSSIBLE = frozenset(
    {
        Reason.PARTY_TOO_LARGE,
        Reason.PARTY_TOO_SMALL,
        Reason.NO_SUCH_SEATING,
        Reason.OUTSIDE_SERVICE,
        Reason.IN_PAST,
    }
)
"""The reasons for which a party could never be seated as it asked."""

WAITS_FOR_TABLES = frozenset({Reason.NO_FIT, Reason.INFEASIBLE})
"""The reasons that freed tables may do away with."""


@attrs.frozen
class Move:
    """
    Other tables for a booking that has some already, at the same time.

    Attributes:
        booking_id: The booking.

        origin: The ids of the tables that it gives up, sorted.

        tables: Those that it gets instead, sorted.
    """

    booking_id: str = attrs.field(validator=identifier)
    origin: tuple[str, ...] = attrs.field(converter=sorted_ids, validator=each(identifier))
    tables: tuple[str, ...] = attrs.field(converter=sorted_ids, validator=each(identifier))


@attrs.frozen
class Plan:
    """
    Tables for a booking, and what they cost.

    Attributes:
        tables: Their ids, sorted.

        cost: In wasted seats; lower is better.

        parts: What the cost is made of, by the name of the term or strategy. They add up to it.

        strategy: What found it: ``optimal_fit``, ``adjacency``, ``reseating``, ``repack``, ``manual`` or a host
            strategy's name.

        moves: The bookings that have to make room first. All of them happen in one commit, in no order.
    """

    tables: tuple[str, ...] = attrs.field(converter=sorted_ids)
    cost: float
    parts: Mapping[str, float] = attrs.field(converter=as_dict, hash=False)
    strategy: str
    moves: tuple[Move, ...] = attrs.field(default=(), converter=as_tuple)


@attrs.frozen(kw_only=True)
class Decision:
    """
    What the engine thought.

    Attributes:
        plan: The best plan, or None.

        refusal: Why there is none: `infeasible`, `no_fit`, or the rule by which there never can be one.

        suggestion: A plan with moves that a person has to agree to, where the policy says so.

        runners_up: The next best plans, best first, at most three.

        turned_away: How many tables each rule turned away.

        nearest: The nearest times at which it would fit, nearest first; looked for only when there is no plan.

        faults: The strategies that raised, and were skipped.
    """

    plan: Plan | None = None
    refusal: Reason | None = None
    suggestion: Plan | None = None
    runners_up: tuple[Plan, ...] = ()
    turned_away: Mapping[str, int] = attrs.field(factory=dict, converter=as_dict, hash=False)
    nearest: tuple[dt.datetime, ...] = ()
    faults: tuple[str, ...] = ()


class LegacyOutcome(enum.StrEnum):
    """How the legacy planner came out."""

    SUCCEEDED = "succeeded"
    EXHAUSTED = "exhausted"


@attrs.frozen
class LegacyResult:
    """
    What the legacy planner answered.

    Attributes:
        tables: The tables it seated the booking at; none if it did not.

        outcome: Whether it seated the booking; by default, whether there are tables.
    """

    tables: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, validator=each(identifier))
    outcome: LegacyOutcome = attrs.field(converter=LegacyOutcome)

    @outcome.default
    def _seated(self) -> LegacyOutcome:
        return LegacyOutcome.SUCCEEDED if self.tables else LegacyOutcome.EXHAUSTED


@attrs.frozen(kw_only=True)
class AssignmentResult:
    """
    What came of a call.

    Attributes:
        booking_id: The booking.

        outcome: How it came out.

        reason: Why, or None where there is nothing to say.

        mode: What the flags said; None where they do not matter.

        record: The record as it stands, or None if there is none.

        tables: The booking's tables, whoever seated it.

        moved: Other bookings that were reseated to make room.

        displaced: Other bookings that are in the way of what was asked for.

        retry_after: When to ask again, for the outcome ``retry``.

        legacy: What the legacy planner answered, if it was run.

        decision: What the engine thought, if it was asked.

        attempts: Plannings recorded for the booking so far.

        duration: How long the call took.

        elsewhere: The restaurant that the booking is of, by the host, where the call named another one. Then neither
            planner has done anything.

        handled: False means that the host is to run its own legacy path.
    """

    booking_id: str
    outcome: Outcome
    reason: Reason | None = None
    mode: Mode | None = None
    record: AssignmentRecord | None = None
    tables: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    displaced: tuple[str, ...] = ()
    retry_after: dt.timedelta | None = None
    legacy: LegacyResult | None = None
    decision: Decision | None = None
    attempts: int = 0
    duration: dt.timedelta = dt.timedelta()
    elsewhere: str | None = None
    handled: bool = True
