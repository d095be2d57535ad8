"""The candidate: the assign flow under a driver that has nothing to write with."""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event, Source
from assignment_pipeline.domain.reasons import Role, reasons_for
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.result import AssignmentResult, Mode, Outcome
from assignment_pipeline.domain.shadow import ShadowCase
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.driving import relay, run
from assignment_pipeline.flow.assigning.assign import assign
from assignment_pipeline.flow.assigning.decision_context import Target
from assignment_pipeline.flow.effects import (
    Begin,
    CheckCircuit,
    Commit,
    Draw,
    Effect,
    Emit,
    Evaluate,
    Flow,
    Hold,
    LoadContext,
    LookUpChange,
    MakePlan,
    Monotonic,
    Publish,
    ResolveFlags,
)
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.base import Engine
from assignment_pipeline.ports import AssignmentContext, FlagDecision, Leases, LoadQuery

T = TypeVar("T")

Load = Callable[[LoadQuery], AssignmentContext | None]

_SPENT = reasons_for(Role.NOTHING_DECIDED)
_FLAGS = FlagDecision(mode=Mode.ACTIVE, max_parallel=1, reason="shadow", source="shadow")
_NO_DRAW = 0.5

REHEARSED = "rehearsed"
"""What the context of an event has if nothing of it has happened."""


@attrs.frozen(kw_only=True, eq=False)
class Trial:
    """
    What the candidate did.

    Attributes:
        result: What it answered; None if it raised.

        error: The class of what it raised, or what is wrong with its plan; None if all is well.

        contexts: The floors that it looked at, in order, as they were loaded.

        changes: What it would have committed.

        events: What it would have told.

        took: How long it took.
    """

    result: AssignmentResult | None
    error: str | None
    contexts: tuple[AssignmentContext, ...]
    changes: tuple[AssignmentChange, ...]
    events: tuple[Event, ...]
    took: dt.timedelta

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it would have given the booking."""
        seated = self.result is not None and self.result.outcome in (Outcome.CONFIRMED, Outcome.ASSIGNED)
        return self.result.tables if self.result is not None and seated else ()

    @property
    def transitions(self) -> tuple[Event, ...]:
        """The events of its state machine."""
        return tuple(event for event in self.events if event.source is Source.STATE_MACHINE)


class Stage:
    """
    Answers a flow's effects as if the pipeline were in charge, and writes nothing: it has nothing to write with.

    Args:
        name: What ids begin with.

        booking: The booking as it was given; it counts as new, whatever has been written of it since.

        engine: The candidate's.

        now: The time, for what decides nothing.
    """

    def __init__(self, name: str, booking: Booking, engine: Engine, now: dt.datetime) -> None:
        self.contexts: list[AssignmentContext] = []
        self.changes: tuple[AssignmentChange, ...] = ()
        self.events: list[Event] = []
        self._booking = booking
        self._answers: dict[type[Effect[Any]], Callable[[Any], Any]] = {
            ResolveFlags: lambda _: _FLAGS,
            CheckCircuit: lambda _: dt.timedelta(),
            Commit: self._commit,
            LookUpChange: lambda _: False,
            MakePlan: lambda effect: effect.ask(engine),
            Evaluate: lambda effect: effect.ask(engine),
            Emit: lambda effect: self.events.extend(effect.events),
            Publish: lambda _: None,
            Monotonic: lambda _: time.monotonic(),
            Draw: lambda _: _NO_DRAW,
            Begin: lambda _: (f"{name}~", now, time.monotonic, False, True),
        }

    def __call__(self, effect: Effect[Any]) -> Any:
        """The answer; an effect that assigning has no need of is refused."""
        if isinstance(effect, Hold):
            return Leases(())
        answer = self._answers.get(type(effect))
        if answer is None:
            msg = f"the shadow cannot answer {type(effect).__name__}"
            raise TypeError(msg)
        return answer(effect)

    def loaded(self, context: AssignmentContext | None) -> AssignmentContext | None:
        """A floor that was read, as the candidate sees it."""
        if context is None:
            return None
        self.contexts.append(context)
        return rewound(context, self._booking)

    def _commit(self, effect: Commit) -> None:
        self.changes = effect.changes
        self.events.extend(event for change in effect.changes for event in change.events)


def rewound(context: AssignmentContext, booking: Booking) -> AssignmentContext:
    """The same floor, as it was before anything was written of *booking*."""
    return attrs.evolve(
        context,
        records={key: record for key, record in context.records.items() if key != booking.id},
        bookings={**context.bookings, booking.id: booking},
        taken=tuple(row for row in context.taken if row.booking_id != booking.id),
        arrivals=tuple(arrival for arrival in context.arrivals if arrival.booking_id != booking.id),
    )


def rehearsal(case: ShadowCase, engine: Engine, settings: Settings, now: dt.datetime) -> Flow[Trial]:
    """
    The assign flow with read effects only. What the candidate raises is in the trial.

    Args:
        case: What it is about.

        engine: The candidate's.

        settings: How the flow behaves.

        now: The time, for what decides nothing.
    """
    stage = Stage(case.id, case.booking, engine, now)
    began = time.monotonic()
    result, error = None, None
    try:
        result = yield from _played(assign(Target.of(case.booking), settings, trigger=case.trigger), stage)
        spent = result.reason is not None and result.reason in _SPENT
        error = str(result.reason) if spent else flaw(stage.changes, stage.contexts)
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever a candidate raises is its verdict
        error = type(raised).__name__
    return Trial(
        result=result,
        error=error,
        contexts=tuple(stage.contexts),
        changes=stage.changes,
        events=tuple(_as_shadow(event) for event in stage.events),
        took=dt.timedelta(seconds=time.monotonic() - began),
    )


def _played(flow: Flow[T], stage: Stage) -> Flow[T]:
    """*flow*, whose questions to the store are passed on, and all others answered on the stage."""

    def answering(effect: Effect[Any]) -> Flow[Any]:
        return stage.loaded((yield effect)) if isinstance(effect, LoadContext) else stage(effect)

    return relay(flow, answering, caught=(Exception, SystemExit))


class Reader:
    """A driver that can read."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def __call__(self, effect: Effect[Any]) -> Any:
        """The floor."""
        return effect.ask(self)

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        """Everything that planning for those bookings looks at, in one snapshot. See `AssignmentStore.load`."""
        return self._load(query)

    def release(self) -> None:
        """Nothing is held."""


def rehearse(case: ShadowCase, load: Load, engine: Engine, settings: Settings, now: dt.datetime) -> Trial:
    """`rehearsal`, driven to its end by *load*, which reads a floor."""
    return run(rehearsal(case, engine, settings, now), Reader(load))


def _as_shadow(event: Event) -> Event:
    # The mode alone does not tell: what is cancelled, say, where the flags say shadow is a transition in earnest.
    return attrs.evolve(event, context={**event.context, "mode": Mode.SHADOW.value, REHEARSED: True})


def flaw(changes: Sequence[AssignmentChange], contexts: Sequence[AssignmentContext]) -> str | None:
    """What no commit would have let through: tables that do not exist, or that two parties have at one time."""
    if not changes or not contexts:
        return None
    context = contexts[-1]
    known = context.venue.floor.positions
    after = {change.record.booking_id: change.record for change in changes}
    sits: defaultdict[str, list[TimeWindow]] = defaultdict(list)
    for row in context.taken:
        if row.booking_id not in after:
            sits[row.table_id].append(row.window)
    for record in after.values():
        if record.allocation is None:
            continue
        for table_id in record.allocation.tables:
            if table_id not in known:
                return "unknown_table"
            if any(window.overlaps(record.allocation.blocked) for window in sits[table_id]):
                return "overlap"
            sits[table_id].append(record.allocation.blocked)
    return None
