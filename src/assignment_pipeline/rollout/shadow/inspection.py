"""From a case to its verdict, its events and its bundle, over a store apart."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.days import ComparedDay
from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.shadow import (
    KEPT_VERDICTS,
    UNREADABLE,
    Incomparable,
    ShadowBundle,
    ShadowCase,
    ShadowVerdict,
)
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.base import Engine
from assignment_pipeline.ports import AssignmentContext, EventSink, LoadQuery, ShadowStore
from assignment_pipeline.rollout.shadow.asked import asked_in
from assignment_pipeline.rollout.shadow.bundles import bundle_document, bundle_of, fitted
from assignment_pipeline.rollout.shadow.candidate import Trial, rehearse
from assignment_pipeline.rollout.shadow.judging import Judgement, judge
from assignment_pipeline.rollout.shadow.reverse import ask_legacy
from assignment_pipeline.rollout.shadow.settings import Shadow

MOST_TABLES = 20
IGNORED = "ignored"

MOST_ALIKE = 3
"""Bundles that are kept of legacy's answers that cannot be read, of each kind."""

_LOOKED_THROUGH = 1_000

_ERRORS = frozenset({ShadowVerdict.PIPELINE_ERROR, ShadowVerdict.BOTH_ERROR, ShadowVerdict.LEGACY_ERROR})


def _of(candidate: Owner) -> dict[str, str]:
    """What all events of a direction carry: the flags' mode, and who was the candidate where that is legacy."""
    if candidate is Owner.PIPELINE:
        return {"mode": Mode.SHADOW.value}
    return {"mode": Mode.ACTIVE.value, "candidate": candidate.value}


def verdict_event(
    case: ShadowCase, verdict: ShadowVerdict, created_at: dt.datetime, *, number: int = 1, **context: Any
) -> Event:
    """How a case came out."""
    severity = Severity.ERROR if verdict in _ERRORS else Severity.INFO
    loud = context.get("kind") in frozenset(Incomparable)
    if loud or verdict in (ShadowVerdict.MISMATCH, ShadowVerdict.TIMEOUT, ShadowVerdict.DROPPED):
        severity = Severity.WARNING
    facts = {
        **_of(case.candidate),
        "trigger": case.trigger,
        "legacy_outcome": case.legacy.outcome.value if case.legacy else None,
        "legacy_error": case.error,
        "legacy_tables": case.legacy.tables[:MOST_TABLES] if case.legacy and case.legacy.tables else None,
        "legacy_ms": case.legacy_ms,
        **context,
    }
    return Event(
        id=f"{case.id}~verdict" if number == 1 else f"{case.id}~verdict{number}",
        created_at=created_at,
        source=Source.SHADOW,
        type=EventType(f"shadow.{verdict.value}"),
        severity=severity,
        restaurant_id=case.booking.restaurant_id,
        booking_id=case.booking.id,
        context={key: value for key, value in facts.items() if value is not None},
    )


class Reading:
    """All that a candidate has of a store: a way to load. For an async store, on an event loop of its own."""

    __slots__ = ("_load", "_loop")

    def __init__(self, store: Any) -> None:
        self._load: Callable[[LoadQuery], Any] = store.load
        self._loop: asyncio.Runner | None = None

    def __call__(self, query: LoadQuery) -> AssignmentContext | None:
        """What the store has."""
        found: AssignmentContext | None = self.answered(self._load(query))
        return found

    def answered(self, answer: Any) -> Any:
        """The answer of a store, sync or async."""
        return self.awaited(answer) if inspect.isawaitable(answer) else answer

    def awaited(self, answer: Any) -> Any:
        """The answer of a coroutine."""
        if self._loop is None:
            self._loop = asyncio.Runner()

        async def wait() -> Any:
            return await answer

        return self._loop.run(wait())

    def close(self) -> None:
        """End the event loop, if there is one."""
        if self._loop is not None:
            self._loop.close()


@attrs.frozen(kw_only=True, eq=False)
class Inspected:
    """
    What came of a case.

    Attributes:
        judgement: How it came out.

        events: What is told: the candidate's transitions, and the verdict.

        bundle: What is kept, or None.

        faults: Hooks that raised.
    """

    judgement: Judgement
    events: tuple[Event, ...]
    bundle: ShadowBundle | None
    faults: int = 0


class Inspector:
    """
    Looks at cases, one after another, over a store of its own.

    Args:
        store: The store; closed with `close` where it is apart from the caller's.

        engine: The candidate's engine.

        settings: How the flow behaves.

        shadow: How the shadow does.

        now: This machine's time.

        owned: Whether *store* is nobody else's.
    """

    def __init__(
        self,
        store: Any,
        engine: Engine,
        settings: Settings,
        shadow: Shadow,
        now: Callable[[], dt.datetime],
        *,
        owned: bool,
    ) -> None:
        self._store = store
        self._reading = Reading(store)
        self._engine = engine
        half = shadow.deadline / 2
        self._settings = attrs.evolve(
            settings,
            reseat_budget=min(settings.reseat_budget, half),
            repack_budget=min(settings.repack_budget, half),
        )
        self._shadow = shadow
        self._now = now
        self._owned = owned
        self._alike: dict[str, int] = {}

    @property
    def keeps(self) -> ShadowStore | None:
        """Where bundles and cases are kept, if the store can."""
        return self._store if isinstance(self._store, ShadowStore) else None

    def close(self) -> None:
        """Let go of the store's connections."""
        if self._owned:
            closed = getattr(self._store, "close", lambda: None)()
            if inspect.isawaitable(closed):
                self._reading.awaited(closed)
        self._reading.close()

    def inspect(self, case: ShadowCase, later: Sequence[str]) -> Inspected:
        """
        Run the candidate, and hold it against the planner in charge.

        Args:
            case: The case.

            later: Bookings of the restaurant for which that planner has answered since, as far as this process knows.
        """
        if case.pipeline is None:
            trial = rehearse(case, self._reading, self._engine, self._settings, self._now())
        else:
            case, trial = ask_legacy(case, case.pipeline, self._reading, self._shadow.reverse)
        judgement = judge(case, trial, self._engine, self._settings, {*later, *self._since(case)})
        faults = 0
        found: Mapping[str, Any] | None = None
        if self._is_kept(judgement):
            found = bundle_document(case, trial, judgement, self._settings)
            judgement, found, faults = self._through_hooks(judgement, found)
        events = (*trial.transitions, self._event(case, trial, judgement, kept=found is not None))
        bundle = bundle_of(case, judgement, found) if found is not None else None
        return Inspected(judgement=judgement, events=events, bundle=bundle, faults=faults)

    def _is_kept(self, judgement: Judgement) -> bool:
        """Whether there is a bundle: of what cannot be read a few, for they are alike; of all else each."""
        if judgement.verdict is not ShadowVerdict.INCOMPARABLE:
            return judgement.verdict in KEPT_VERDICTS
        if judgement.kind not in UNREADABLE:
            return judgement.kind == Incomparable.LEGACY_TABLES_TAKEN
        keeps = self.keeps
        if keeps is None or self._alike.get(judgement.kind, 0) >= MOST_ALIKE:
            return False
        found = keeps.bundles(verdict=ShadowVerdict.INCOMPARABLE, limit=_LOOKED_THROUGH)
        alike = sum(bundle.kind == judgement.kind for bundle in found)
        self._alike[judgement.kind] = alike + 1
        return alike < MOST_ALIKE

    def _since(self, case: ShadowCase) -> frozenset[str]:
        keeps = self.keeps
        if keeps is None or case.candidate is not Owner.PIPELINE:
            return frozenset()  # What the pipeline has seated since is told by no planner's answer.
        return keeps.answered_since(case.booking.restaurant_id, case.captured_at)

    def _through_hooks(
        self, judgement: Judgement, found: Mapping[str, Any]
    ) -> tuple[Judgement, Mapping[str, Any] | None, int]:
        faults = 0
        if self._shadow.ignore is not None:
            try:
                ignored = bool(self._shadow.ignore(found))
            except Exception:  # noqa: BLE001 - a hook that raises has ignored nothing
                ignored, faults = False, 1
            if ignored:
                return attrs.evolve(judgement, verdict=ShadowVerdict.INCOMPARABLE, kind=IGNORED), None, faults
        if not self._shadow.keep:
            return judgement, None, faults
        kept: Mapping[str, Any] | None = found
        if self._shadow.clean is not None:
            try:
                kept = self._shadow.clean(found)
                kept = dict(kept) if kept is not None else None
            except Exception:  # noqa: BLE001 - what could not be cleaned is not kept
                kept, faults = None, faults + 1
        return judgement, fitted(kept, self._shadow.keep_bytes) if kept is not None else None, faults

    def _event(self, case: ShadowCase, trial: Trial, judgement: Judgement, *, kept: bool) -> Event:
        result = trial.result
        plan = result.decision.plan if result and result.decision else None
        return verdict_event(
            case,
            judgement.verdict,
            self._now(),
            kind=judgement.kind,
            cost_difference=judgement.cost_difference,
            better=judgement.better,
            legacy_broken=judgement.legacy_broken or None,
            duration_ms=round(trial.took.total_seconds() * 1000, 3),
            outcome=result.outcome.value if result else None,
            reason=result.reason.value if result and result.reason else None,
            tables=tuple(map(str, trial.tables[:MOST_TABLES])) or None,
            strategy=str(plan.strategy)[:200] if plan else case.pipeline.strategy if case.pipeline else None,
            moves=len(case.pipeline.moved) if case.pipeline else None,
            date=_service_date(case, trial),
            **asked_in(case.booking),
            kept=kept,
        )

    def compare_days(self, since: dt.datetime) -> tuple[ComparedDay, ...]:
        """Compare the service days that are over, and keep them; those that had not been compared yet."""
        # An application that only takes bookings counts nothing, and needs nothing of this.
        from assignment_pipeline.rollout.shadow.closed_loop import ShadowDays  # noqa: PLC0415

        if not hasattr(self._store, "events_of"):
            msg = f"store: expected one that counts (MetricsStore), got a {type(self._store).__name__}"
            raise TypeError(msg)
        answered, dry_run = self._reading.answered, self._shadow.reverse
        days = ShadowDays(self._store, self._engine, self._settings, read=answered, dry_run=dry_run)
        found = days.compare(since)
        days.keep(found)
        return found

    def tell(self, events: Sequence[Event], bundle: ShadowBundle | None = None) -> None:
        """Write events and a bundle down, where the store can."""
        if isinstance(self._store, EventSink):
            self._store.emit(events)
        keeps = self.keeps
        if bundle is not None and keeps is not None:
            keeps.keep_bundle(bundle, most=self._shadow.keep, since=self._now() - self._shadow.keep_for)


def _service_date(case: ShadowCase, trial: Trial) -> str | None:
    """The day that the booking belongs to; None where no floor was read."""
    if not trial.contexts:
        return None
    venue = trial.contexts[-1].venue
    return venue.service_date(venue.turn(case.booking).start).isoformat()


def per_restaurant(counts: Mapping[tuple[str, Owner], int], now: dt.datetime, new_id: Callable[[], str]) -> list[Event]:
    """Events for dropped cases: one for each restaurant and candidate, with their number."""
    numbers = itertools.count(1)
    call = new_id()
    return [
        Event(
            id=f"{call}~dropped{next(numbers)}",
            created_at=now,
            source=Source.SHADOW,
            type=EventType.SHADOW_DROPPED,
            severity=Severity.WARNING,
            restaurant_id=restaurant_id,
            context={**_of(candidate), "count": count},
        )
        for (restaurant_id, candidate), count in counts.items()
    ]
