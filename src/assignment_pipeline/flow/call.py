"""One call of the coordinator: what it is about, what it tells, and how it answers."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from assignment_pipeline.domain.checks import require_actor, require_short, to_utc
from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.reasons import FACTS
from assignment_pipeline.domain.record import AssignmentRecord, StateChange
from assignment_pipeline.domain.result import AssignmentResult, Mode, Outcome, Reason
from assignment_pipeline.errors import LockManagerUnavailableError
from assignment_pipeline.flow.effects import Begin, Emit, Flow, Hold, TakeSlot
from assignment_pipeline.ports import Refused
from assignment_pipeline.redaction import redacted

_TOLD = {
    Outcome.CONFIRMED: (EventType.CONFIRMED, Severity.INFO),
    Outcome.ASSIGNED: (EventType.ASSIGNED, Severity.INFO),
    Outcome.RETRY: (EventType.RETRY, Severity.INFO),
    Outcome.MANUAL_REVIEW: (EventType.MANUAL_REVIEW, Severity.WARNING),
    Outcome.FAILED: (EventType.FAILED, Severity.WARNING),
    Outcome.CANCELLED: (EventType.CANCELLED, Severity.INFO),
    Outcome.HOLD_LOST: (EventType.HOLD_LOST, Severity.WARNING),
}


_NOT_YET = dt.datetime.min.replace(tzinfo=dt.UTC)
_unchecked_event = maker(Event)
_unchecked_result = maker(AssignmentResult)

Telling = Callable[[], Event]
"""What makes an event once somebody wants to read it: most of an assignment's are only ever counted, or written."""

SWEEP = "sweep"
"""The trigger of calls about what the sweep has claimed."""


class Call:
    """
    What one call gathers while it runs.

    Attributes:
        id: Names the call; the ids of its changes and events begin with it.

        booking_id: The booking it is about; empty where it is about none.

        restaurant_id: The restaurant.

        trigger: What brought it about: ``creation``, ``sweep``, ``queue``, ``manual``, ...

        actor: Who did it, or None for the pipeline.

        mode: What the flags said, once they were asked.

        now: The time of its events: the store's once something was loaded, and this machine's until then.

        is_held_against_legacy: Whether there is a shadow that asks legacy what it would have done.

        has_one_manager: Whether one lock manager bounds how much is done at a time, and keeps workers apart.

        legacy_raised: What legacy has raised, which goes through whatever it is.

        noted: Events that wait for a commit to carry them, or for the call to end without one.
    """

    def __init__(self, booking_id: str, restaurant_id: str, trigger: str, actor: str | None) -> None:
        self.id = ""
        self.booking_id = booking_id
        self.restaurant_id = restaurant_id
        self.trigger = trigger
        self.actor = actor
        self.mode: Mode | None = None
        self.now = _NOT_YET
        self.is_held_against_legacy = False
        self.has_one_manager = False
        self._monotonic = time.monotonic
        self._started = 0.0
        self.legacy_raised: Exception | None = None
        self.noted: list[Telling] = []
        self._changes = 0
        self._events = 0
        self._others = 0

    @classmethod
    def begin(cls, ids: tuple[str, str], trigger: str, *, actor: str | None = None) -> Flow[Call]:
        """A call about a booking of a restaurant, by their ids."""
        require_short("booking_id", ids[0])
        require_short("restaurant_id", ids[1])
        if actor is not None:
            require_actor(actor)
        call = cls(*ids, trigger, actor)
        call.id, now, call._monotonic, call.is_held_against_legacy, call.has_one_manager = yield from Begin()
        call._started = call._monotonic()
        call.now = to_utc(now)
        return call

    @classmethod
    def by_person(cls, ids: tuple[str, str], trigger: str, *, actor: str) -> Flow[Call]:
        """The same, of a person, who has a name."""
        require_actor(actor)
        return (yield from cls.begin(ids, trigger, actor=actor))

    @property
    def is_sweep(self) -> bool:
        """Whether the sweep has brought it about, so that nobody waits for its answer."""
        return self.trigger == SWEEP

    def about(self, record: AssignmentRecord) -> Call:
        """The same call, for what it does to another booking."""
        self._others += 1
        other = Call(record.booking_id, record.restaurant_id, self.trigger, self.actor)
        other.id, other.mode, other.now = f"{self.id}/{self._others}", self.mode, self.now
        return other

    def is_refused(self, hold: Hold) -> Flow[bool]:
        """Whether somebody else has it; where the lock manager does not answer, it is done without."""
        try:
            return isinstance((yield from hold), Refused)
        except LockManagerUnavailableError as error:
            self.note(EventType.LOCK_UNAVAILABLE, Severity.WARNING, error=redacted(error))
            return False

    def refused(self, slot: TakeSlot, hold: Hold) -> Flow[Hold | None]:
        """The first of the two that somebody else has, or None; where one manager has both, it is asked once."""
        if self.has_one_manager:
            answer = yield from TakeSlot((*slot.wanted, *hold.wanted), hold.ttl)
            if not isinstance(answer, Refused):
                return None
            return slot if answer.key == slot.wanted[0].key else hold
        for each in (slot, hold):
            if (yield from self.is_refused(each)):
                return each
        return None

    def elapsed(self) -> dt.timedelta:
        """How long the call has taken so far."""
        return dt.timedelta(seconds=self._monotonic() - self._started)

    def change_id(self) -> str:
        """An id for another change."""
        self._changes += 1
        return f"{self.id}.{self._changes}"

    def event(self, source: Source, kind: EventType, severity: Severity = Severity.INFO, **context: Any) -> Event:
        """Something that happened, for a commit to carry."""
        return self._telling(source, kind, severity, context)()

    def _telling(self, source: Source, kind: EventType, severity: Severity, context: dict[str, Any]) -> Telling:
        self._events += 1
        context["mode"] = self.mode
        return partial(self._event, self._events, self.now, (source, kind, severity), context)

    def _event(
        self, number: int, now: dt.datetime, what: tuple[Source, EventType, Severity], facts: dict[str, Any]
    ) -> Event:
        source, kind, severity = what
        context = {key: fact for key, fact in facts.items() if fact is not None}
        if self.actor is not None and kind is not EventType.ERROR:  # An error is nobody's act: see SECURITY.md.
            context["actor"] = self.actor
        return _unchecked_event(
            id=f"{self.id}:{number}",
            created_at=now,
            source=source,
            type=kind,
            severity=severity,
            restaurant_id=self.restaurant_id or None,
            booking_id=self.booking_id or None,
            context=context,
        )

    def let_through(self, error: Exception) -> None:
        """Raise *error* again if it is legacy's own, whatever it looks like: legacy is not called once more for it."""
        if error is self.legacy_raised:
            raise error

    def note(self, kind: EventType, severity: Severity = Severity.INFO, **context: Any) -> None:
        """Take down what the coordinator did."""
        self.noted.append(self._telling(Source.COORDINATOR, kind, severity, {"trigger": self.trigger, **context}))

    def outcome(self, outcome: Outcome, reason: str | None, took: dt.timedelta, **context: Any) -> Telling:
        """How the call came out."""
        kind, severity = _TOLD.get(outcome, (EventType.NOOP, Severity.INFO))
        why = FACTS.get(reason)
        if why is not None and why.event is not None:
            kind, severity = why.event, why.severity
        duration_ms = round(took.total_seconds() * 1000, 3)
        context |= {"outcome": outcome, "reason": reason, "duration_ms": duration_ms, "trigger": self.trigger}
        return self._telling(Source.COORDINATOR, kind, severity, context)

    def transitions(self, steps: Sequence[StateChange]) -> Callable[[], list[Event]]:
        """The transitions of a change."""
        first, self._events = self._events + 1, self._events + len(steps)
        # With the mode shadow come the transitions that a shadow would have made. These have come about.
        mode = None if self.mode is Mode.SHADOW else self.mode
        return partial(self._transitions, first, mode, steps)

    def _transitions(self, first: int, mode: Mode | None, steps: Sequence[StateChange]) -> list[Event]:
        what = Source.STATE_MACHINE, EventType.STATE_TRANSITION, Severity.INFO
        told = []
        for number, step in enumerate(steps, first):
            facts: dict[str, Any] = {"trigger": step.trigger, "reason": step.reason, "from": step.from_state}
            facts |= {"to": step.to_state, "version": step.version, "mode": mode}
            told.append(self._event(number, step.created_at, what, facts))
        return told

    def answer(
        self,
        outcome: Outcome,
        reason: Reason | None = None,
        *,
        record: AssignmentRecord | None = None,
        error: Exception | None = None,
        **facts: Any,
    ) -> Flow[AssignmentResult]:
        """Tell what no commit has carried, among it the *error* that is to blame, and answer."""
        took = self.elapsed()
        ended = self.outcome(outcome, reason, took, error=redacted(error) if error else None)
        events = tuple([tell() for tell in (*self.noted, ended)])
        self.noted.clear()
        yield from Emit(events)
        return self.result(outcome, reason, took, record=record, **facts)

    def result(
        self,
        outcome: Outcome,
        reason: Reason | None,
        took: dt.timedelta,
        *,
        record: AssignmentRecord | None = None,
        **facts: Any,
    ) -> AssignmentResult:
        """The answer to the call."""
        facts.setdefault("tables", record.tables if record else ())
        facts.setdefault("attempts", record.attempts if record else 0)
        facts.setdefault("until", record.allocation.turn.end if record and record.allocation else None)
        return _unchecked_result(
            booking_id=self.booking_id,
            outcome=outcome,
            reason=reason,
            mode=self.mode,
            record=record,
            duration=took,
            **facts,
        )
