"""What the coordinator answers."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping

import attrs

from assignment_pipeline.domain.checks import as_dict, as_tuple, each, enum_fields, identifier, sorted_ids
from assignment_pipeline.domain.reasons import IMPOSSIBLE, WAITS_FOR_TABLES, Outcome, Reason
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.plain import Printed

__all__ = [
    "IMPOSSIBLE",
    "WAITS_FOR_TABLES",
    "AssignmentResult",
    "Decision",
    "LegacyOutcome",
    "LegacyResult",
    "Mode",
    "Move",
    "Outcome",
    "Plan",
    "Reason",
]


class Mode(enum.StrEnum):
    """What the flags have the pipeline do at a restaurant."""

    OFF = "off"
    SHADOW = "shadow"
    ACTIVE = "active"


@attrs.frozen(repr=False)
class Move(Printed):
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


@attrs.frozen(repr=False, weakref_slot=False)
class Plan(Printed):
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


@attrs.frozen(kw_only=True, repr=False, weakref_slot=False)
class Decision(Printed):
    """
    What the engine thought.

    Attributes:
        plan: The best plan, or None.

        refusal: Why there is none: `infeasible`, `no_fit`, or the rule by which there never can be one.

        suggestion: A plan that a person has to agree to, where the policy says so: for its moves, or for a large party.

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


@attrs.frozen(field_transformer=enum_fields, repr=False)
class LegacyResult(Printed):
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


@attrs.frozen(kw_only=True, repr=False, weakref_slot=False)
class AssignmentResult(Printed):
    """
    What came of a call.

    Attributes:
        booking_id: The booking.

        outcome: How it came out.

        reason: Why, or None where there is nothing to say.

        mode: What the flags said; None where they do not matter.

        record: The record as it stands, or None if there is none.

        tables: The booking's tables, from either planner.

        moved: Other bookings that were reseated to make room.

        displaced: Other bookings that are in the way of what was asked for.

        until: The end of the party's turn at its tables, or of the turn that is offered; None without tables.

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
    until: dt.datetime | None = None
    retry_after: dt.timedelta | None = None
    legacy: LegacyResult | None = None
    decision: Decision | None = None
    attempts: int = 0
    duration: dt.timedelta = dt.timedelta()
    elsewhere: str | None = None
    handled: bool = True
