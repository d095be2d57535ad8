"""
What each event carries: a row for each field of a context, and a row for each type of event.

These are the fields that a consumer of events may find. An event leaves out a field that has no value.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any

from assignment_pipeline.domain.events import Event, EventType

_E = EventType


class Kind(enum.Enum):
    """What a field of a context holds."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    FLAG = "true or false"
    TEXTS = "list of texts"

    def holds(self, value: Any) -> bool:
        """Whether *value* is of that kind."""
        if isinstance(value, bool):
            return self is Kind.FLAG
        if isinstance(value, str):
            return self is Kind.TEXT
        if isinstance(value, int):
            return self in {Kind.WHOLE, Kind.NUMBER}
        if isinstance(value, float):
            return self is Kind.NUMBER
        return self is Kind.TEXTS and isinstance(value, tuple | list) and all(isinstance(each, str) for each in value)


FIELDS: Mapping[str, tuple[Kind, str]] = {
    "accessible": (Kind.FLAG, "whether the booking needs an accessible table"),
    "actor": (Kind.TEXT, "who did it; left out for the pipeline"),
    "alert": (Kind.TEXT, "the name of the alert"),
    "answer": (Kind.TEXT, "what the gate says: `pass`, `hold`, `fail` or `unhealthy`"),
    "at": (Kind.TEXT, "the moment that the alert was last held against the numbers"),
    "attempts": (Kind.WHOLE, "plannings recorded for the booking so far"),
    "better": (Kind.FLAG, "of a mismatch: whether the pipeline did better"),
    "block": (Kind.TEXT, "the id of the block"),
    "bookings": (Kind.WHOLE, "bookings of the day that both planners were asked about"),
    "by": (Kind.TEXT, "the booking whose party sits at the tables"),
    "candidate": (Kind.TEXT, "`legacy` where the pipeline was in charge and legacy was asked what it would have done"),
    "change": (Kind.TEXT, "what the rollout did"),
    "cost_difference": (Kind.NUMBER, "the cost of the pipeline's tables less that of legacy's, in wasted seats"),
    "count": (Kind.WHOLE, "how many cases were dropped"),
    "covers": (Kind.WHOLE, "guests that the pipeline seated, or would have"),
    "date": (Kind.TEXT, "the service day: the local date on which its service began"),
    "direction": (Kind.TEXT, "on which side of the threshold the value has to be, or is bad"),
    "duration_ms": (Kind.NUMBER, "how long it took, in milliseconds"),
    "end_at": (Kind.TEXT, "when the block ends, or the party leaves"),
    "error": (Kind.TEXT, "the class of what was raised, or what was wrong"),
    "expected": (Kind.TEXT, "what the flag should hold"),
    "forced": (Kind.FLAG, "whether the rollout was moved past its gates"),
    "from": (Kind.TEXT, "the state or the phase before"),
    "generation": (Kind.WHOLE, "the number of the rollout's revision"),
    "high": (Kind.NUMBER, "the upper 95 % bound"),
    "kept": (Kind.FLAG, "whether a bundle was kept"),
    "kind": (Kind.TEXT, "what kind of mismatch it is, or why it could not be compared"),
    "left_at": (Kind.TEXT, "when the party left"),
    "legacy_broken": (Kind.TEXTS, "the rules that legacy's tables break"),
    "legacy_covers": (Kind.WHOLE, "guests that legacy seated"),
    "legacy_error": (Kind.TEXT, "the class of what legacy raised"),
    "legacy_ms": (Kind.NUMBER, "how long legacy took, in milliseconds"),
    "legacy_outcome": (Kind.TEXT, "how legacy came out"),
    "legacy_seated": (Kind.WHOLE, "parties that legacy seated"),
    "legacy_tables": (Kind.TEXTS, "the tables that legacy gave"),
    "low": (Kind.NUMBER, "the lower 95 % bound"),
    "metric": (Kind.TEXT, "what was measured"),
    "mode": (Kind.TEXT, "what the flags said: `off`, `shadow` or `active`"),
    "moves": (Kind.WHOLE, "how often the pipeline gave a party other tables, or would have, to make room"),
    "origin": (Kind.TEXTS, "the tables that were given up"),
    "outcome": (Kind.TEXT, "how the call came out"),
    "overruled": (Kind.TEXTS, "what a person has overruled: rules by name, or `pinned`, `sits`, `freeze` of a move"),
    "party_size": (Kind.WHOLE, "how many guests the booking is for"),
    "phase": (Kind.TEXT, "the phase of the rollout"),
    "place": (Kind.TEXT, "where the flag stands"),
    "reason": (Kind.TEXT, "why"),
    "rehearsed": (Kind.FLAG, "true where a shadow would have made the transition, and nothing happened"),
    "result": (Kind.TEXT, "how legacy came out: `succeeded`, `exhausted`, `error` or `unknown`"),
    "room_for": (Kind.TEXT, "the booking that room was made for"),
    "sample": (Kind.WHOLE, "of how many the value is"),
    "seated": (Kind.WHOLE, "parties that the pipeline seated, or would have"),
    "seated_at": (Kind.TEXT, "when the party sat down"),
    "seating": (Kind.TEXT, "where the party wants to sit: `any`, `indoor`, `outdoor` or `bar`"),
    "since": (Kind.TEXT, "since when it has been bad, or since when the booking waits"),
    "start_at": (Kind.TEXT, "when the block begins, or the party arrives"),
    "state": (Kind.TEXT, "how the alert stands"),
    "strategy": (Kind.TEXT, "what found the tables"),
    "table": (Kind.TEXT, "the table that is blocked"),
    "tables": (Kind.TEXTS, "the tables"),
    "threshold": (Kind.NUMBER, "what the value was compared with"),
    "to": (Kind.TEXT, "the state or the phase after"),
    "trigger": (Kind.TEXT, "what brought it about: `creation`, `sweep`, `queue`, `manual`, ..., or the transition's"),
    "until": (Kind.TEXT, "until when the party is expected to sit there"),
    "value": (Kind.NUMBER, "what was found"),
    "version": (Kind.WHOLE, "the version of the record after the transition"),
    "zone": (Kind.TEXT, "the zone that the booking wants"),
}
"""Every field of a context: what it holds, and what it says."""

_CALL = ("trigger", "mode", "actor")
_OUTCOME = (*_CALL, "outcome", "reason", "duration_ms", "strategy", "tables", "attempts", "overruled", "error")
_BLOCK = (*_CALL, "block", "table", "start_at", "end_at", "reason")
_VERDICT = (
    *("mode", "trigger", "kind", "cost_difference", "better", "legacy_broken", "duration_ms", "outcome", "reason"),
    *("tables", "strategy", "kept", "error", "legacy_outcome", "legacy_error", "legacy_tables", "legacy_ms"),
    *("candidate", "moves", "date", "party_size", "start_at", "end_at", "seating", "zone", "accessible"),
)
_MEASURED = ("metric", "value", "sample", "low", "high", "threshold", "direction")
_ALERT = ("alert", "state", "since", "at", *_MEASURED)
_CHANGE = ("change", "from", "to", "generation", "forced", "actor")

CARRIES: Mapping[EventType, tuple[str, ...]] = {
    _E.STATE_TRANSITION: ("from", "to", "version", "trigger", "reason", "mode", "actor", "rehearsed"),
    _E.START: _CALL,
    _E.NOOP: _OUTCOME,
    _E.LOCK_CONTENTION: _OUTCOME,
    _E.LOCK_UNAVAILABLE: (*_CALL, "error"),
    _E.CIRCUIT_OPEN: _OUTCOME,
    _E.CONFIRMED: _OUTCOME,
    _E.ASSIGNED: _OUTCOME,
    _E.RETRY: _OUTCOME,
    _E.MANUAL_REVIEW: _OUTCOME,
    _E.FAILED: _OUTCOME,
    _E.CANCELLED: _OUTCOME,
    _E.HOLD_LOST: _OUTCOME,
    _E.PINNED: _OUTCOME,
    _E.UNPINNED: _OUTCOME,
    _E.SEATED: (*_OUTCOME, "seated_at"),
    _E.LEFT: (*_OUTCOME, "seated_at", "left_at"),
    _E.NO_SHOW: _OUTCOME,
    _E.EXTENDED: _OUTCOME,
    _E.REINSTATED: _OUTCOME,
    _E.REARRANGED: _OUTCOME,
    _E.REVIEW_OVERDUE: (*_CALL, "reason", "since"),
    _E.TABLE_IN_USE: (*_OUTCOME, "by", "until"),
    _E.BLOCKED: _BLOCK,
    _E.UNBLOCKED: _BLOCK,
    _E.HANDED_OVER: _OUTCOME,
    _E.TAKEN_OVER: _OUTCOME,
    _E.ADOPTED: _OUTCOME,
    _E.ERROR: _OUTCOME,
    _E.HOST_FAULT: (*_CALL, "reason", "tables"),
    _E.RESEATED: (*_CALL, "reason", "room_for", "origin", "tables", "overruled"),
    _E.SHADOW_MATCH: _VERDICT,
    _E.SHADOW_EQUIVALENT: _VERDICT,
    _E.SHADOW_MISMATCH: _VERDICT,
    _E.SHADOW_LEGACY_ERROR: _VERDICT,
    _E.SHADOW_PIPELINE_ERROR: _VERDICT,
    _E.SHADOW_BOTH_ERROR: _VERDICT,
    _E.SHADOW_TIMEOUT: _VERDICT,
    _E.SHADOW_DROPPED: ("mode", "count", "candidate"),
    _E.SHADOW_INCOMPARABLE: _VERDICT,
    _E.PHASE_CHANGED: _CHANGE,
    _E.GATE: ("phase", "answer", *_MEASURED),
    _E.ALERT_FIRING: _ALERT,
    _E.ALERT_RESOLVED: _ALERT,
    _E.ROLLED_BACK: _CHANGE,
    _E.DAY_COMPARED: ("date", "bookings", "seated", "covers", "moves", "legacy_seated", "legacy_covers", "candidate"),
    _E.FLAG_ERROR: ("place", "expected", "generation"),
    _E.LEGACY_SUMMARY: ("result", "error", "reason", "duration_ms", "mode", "actor"),
}
"""The fields that events of each type may carry."""


def unexpected(event: Event) -> Iterator[str]:
    """What is in the context of *event* that the tables above do not say; None is no value."""
    allowed = CARRIES[event.type]
    for key, value in event.context.items():
        if key not in allowed:
            yield f"{event.type.value} carries {key}"
        elif value is not None and not FIELDS[key][0].holds(value):
            yield f"{event.type.value}: {key} is no {FIELDS[key][0].value}: {value!r}"
