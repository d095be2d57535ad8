"""What the rollout is judged by, counted in Python: what others count in SQL is held to this."""

from __future__ import annotations

import collections
import datetime as dt
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assignment_pipeline.adapters.memory.told import ToldEvents
from assignment_pipeline.adapters.metrics import (
    ALARMS,
    book_of,
    by_restaurant_of,
    metrics_of,
    ran_of,
    seen_of,
    series_of,
    values,
)
from assignment_pipeline.domain.counts import OUTCOME_KINDS, Outcomes
from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.domain.metrics import (
    LATE,
    OUTCOMES,
    OVERDUE,
    SETTLING,
    STUCK,
    Group,
    Metrics,
    MetricsQuery,
    Seen,
    Series,
)
from assignment_pipeline.domain.reasons import NOT_ITS_FAULT, PLANNED, PROVED
from assignment_pipeline.domain.record import AssignmentRecord, Attempt, AttemptResult, Owner, StateChange
from assignment_pipeline.domain.result import Mode, Outcome, Reason
from assignment_pipeline.domain.shadow import UNREADABLE, Incomparable
from assignment_pipeline.lifecycle import SETTLED, WITH_TABLES, AssignmentState
from assignment_pipeline.ports import Clock, may_be_due

_LEGACY = {"succeeded": "confirmed", "exhausted": "review", "error": "failed"}
_SHADOW_ERRORS = frozenset(
    {EventType.SHADOW_PIPELINE_ERROR, EventType.SHADOW_BOTH_ERROR, EventType.SHADOW_TIMEOUT},
)
_NO_CALLS = frozenset({EventType.SHADOW_DROPPED, EventType.SHADOW_INCOMPARABLE})

Rows = list[tuple[Any, ...]]


class Measures:
    """The part of the store that is a `MetricsStore`."""

    clock: Clock
    _lock: threading.RLock
    _records: dict[str, AssignmentRecord]
    _created: Mapping[str, dt.datetime]
    _history: Mapping[str, list[StateChange]]
    _attempts: Mapping[str, list[Attempt]]
    _events: ToldEvents

    def now(self) -> dt.datetime:
        return self.clock.now()

    def measure(self, query: MetricsQuery) -> Metrics:
        with self._lock:
            now = self.clock.now()
            window = _Window(self, query, now, None)
            return metrics_of(window.rows(), query, now, _same)

    def series(self, query: MetricsQuery, width: dt.timedelta) -> Series:
        with self._lock:
            now = self.clock.now()
            window = _Window(self, query, now, width)
            return series_of({"outcomes": window.outcomes(), "calls": window.calls()}, query, now, width)

    def by_restaurant(self, query: MetricsQuery) -> dict[str, dict[Group, Outcomes]]:
        with self._lock:
            return by_restaurant_of(_Window(self, query, self.clock.now(), None, each=True).outcomes())

    def ran(self, query: MetricsQuery) -> dict[str, dict[Group, int]]:
        with self._lock:
            return ran_of(_Window(self, query, self.clock.now(), None).ran())

    def book(self, query: MetricsQuery, restaurants: Sequence[str]) -> dict[dt.date, tuple[int, int]]:
        with self._lock:
            return book_of(_Window(self, query, self.clock.now(), None).book(frozenset(restaurants)))

    def seen(self, query: MetricsQuery) -> tuple[Seen, ...]:
        with self._lock:
            return tuple(seen_of(_Window(self, query, self.clock.now(), None).seen(), _same))

    def events_of(self, query: MetricsQuery, types: Sequence[EventType]) -> tuple[Event, ...]:
        with self._lock:
            until, wanted = query.until or self.clock.now(), frozenset(types)
            found = (
                event
                for event in self._events.values()
                if event.type in wanted
                and query.since <= event.created_at < until
                and query.restaurant_id in (None, event.restaurant_id)
            )
            return tuple(sorted(found, key=lambda event: (event.created_at, event.id)))

    def alarms(self) -> tuple[Event, ...]:
        with self._lock:
            told = (event for event in self._events.values() if event.source is Source.ROLLOUT and event.type in ALARMS)
            return tuple(sorted(told, key=lambda event: (event.created_at, event.id), reverse=True)[:1000])


class _Window:
    """What a store has to say about a window."""

    def __init__(
        self,
        store: Measures,
        query: MetricsQuery,
        now: dt.datetime,
        width: dt.timedelta | None,
        *,
        each: bool = False,
    ) -> None:
        self._each = each
        self._store = store
        self._since, self._until = query.since, query.until or now
        self._restaurant = query.restaurant_id
        self._now = now
        given = values(query, now, dt.datetime.isoformat, width)
        self._start, self._width = given["start"], given["width"]

    def rows(self) -> dict[str, Rows]:
        """The rows of all queries, as SQL would find them."""
        attempts = self._attempts()
        successes = [row for _, row in attempts if row.result is AttemptResult.SUCCESS and row.strategy is not None]
        waiting = [record for record in self._store._records.values() if self._is_asked(record.restaurant_id)]  # noqa: SLF001 - a part of it
        unsettled = [
            (record.next_attempt_at, record.deliveries)
            for record in waiting
            if may_be_due(record) and record.next_attempt_at is not None
        ]
        reviews = [record for record in waiting if record.state is AssignmentState.MANUAL_REVIEW]
        overdue = [due for due, _ in unsettled if due < self._now - OVERDUE]
        stuck = sum(deliveries >= STUCK for _, deliveries in unsettled)
        return {
            "outcomes": self.outcomes(),
            "calls": self.calls(),
            "latency": self._latency(),
            "agreement": self._agreement(),
            "volume": self._volume(),
            "attempts": [(len(attempts), len({booking_id for booking_id, _ in attempts}))],
            "strategies": list(collections.Counter(row.strategy for row in successes).items()),
            "reasons": self._reasons(),
            "review": [(len(reviews), self._told_overdue(reviews))],
            "overdue": [(len(overdue), min(overdue, default=None), stuck)],
            "lost": [self._lost()],
        }

    def _told_overdue(self, reviews: Sequence[AssignmentRecord]) -> int:
        """How many of these have had the event that says that they wait for too long."""
        since = {record.booking_id: record.waiting_since for record in reviews if record.waiting_since is not None}
        told = {
            event.booking_id
            for event in self._store._events.values()  # noqa: SLF001 - a part of it
            if event.type is EventType.REVIEW_OVERDUE
            and event.booking_id in since
            and event.created_at >= since[event.booking_id]
        }
        return len(told)

    def _is_asked(self, restaurant_id: str | None) -> bool:
        return self._restaurant is None or restaurant_id == self._restaurant

    def _events(self, since: dt.datetime, until: dt.datetime) -> Iterator[Event]:
        for event in self._store._events.values():  # noqa: SLF001 - a part of it
            if since <= event.created_at < until and self._is_asked(event.restaurant_id):
                yield event

    def _bucket(self, moment: dt.datetime) -> int:
        bucket: int = (int(moment.timestamp() // 1) - self._start) // self._width
        return bucket

    # -- Outcomes -------------------------------------------------------------------------------------------------

    def outcomes(self) -> Rows:
        """See the query of that name."""
        legacy = self._answers()
        found: collections.Counter[tuple[Any, ...]] = collections.Counter()
        for booking_id, steps in self._store._history.items():  # noqa: SLF001 - a part of it
            record = self._store._records[booking_id]  # noqa: SLF001
            settled = [step for step in steps if step.to_state in OUTCOMES and _is_automatic(step)]
            if not settled or (record.owner is Owner.LEGACY and booking_id in legacy):
                continue
            settled_at = settled[0].created_at + SETTLING
            if self._since <= settled_at < self._until and self._is_asked(record.restaurant_id):
                last = [step for step in settled if step.created_at <= settled_at][-1]
                mode = "active" if record.owner is Owner.PIPELINE else None
                restaurant = self._restaurant_if_told_apart(record.restaurant_id)
                found[self._bucket(settled_at), record.owner.value, mode, restaurant, _outcome(last)] += 1
        for booking_id, answers in legacy.items():
            settled_at = answers[0].created_at + SETTLING
            if self._since <= settled_at < self._until and self._is_asked(answers[0].restaurant_id):
                last_answer = [answer for answer in answers if answer.created_at <= settled_at][-1]
                outcome = _LEGACY.get(str(last_answer.context.get("result")), "withdrawn")
                if any(
                    step.to_state is AssignmentState.CANCELLED and step.created_at <= settled_at
                    for step in self._store._history.get(booking_id, ())  # noqa: SLF001
                ):
                    outcome = "withdrawn"
                restaurant = self._restaurant_if_told_apart(answers[0].restaurant_id)
                found[self._bucket(settled_at), "legacy", last_answer.context.get("mode"), restaurant, outcome] += 1
        for restaurant_id, called_at in (*self._waiting(), *self._in_vain()):
            if self._since <= called_at + LATE < self._until:
                restaurant = self._restaurant_if_told_apart(restaurant_id)
                found[self._bucket(called_at + LATE), "pipeline", "active", restaurant, "unsettled"] += 1
        groups = dict.fromkeys(key[:4] for key in found)
        return [(*group[:3], *(found[(*group, outcome)] for outcome in OUTCOME_KINDS), group[3]) for group in groups]

    def _restaurant_if_told_apart(self, restaurant_id: str | None) -> str | None:
        return restaurant_id if self._each else None

    def _waiting(self) -> Iterator[tuple[str | None, dt.datetime]]:
        """Since when the records that have not settled have been there, and where."""
        for booking_id, record in self._store._records.items():  # noqa: SLF001 - a part of it
            steps = self._store._history.get(booking_id, ())  # noqa: SLF001
            waits = record.owner is Owner.PIPELINE and record.state not in SETTLED | WITH_TABLES
            if not waits or record.next_attempt_at is None or not self._is_asked(record.restaurant_id):
                continue
            if not any(step.to_state in OUTCOMES and _is_automatic(step) for step in steps):
                yield record.restaurant_id, self._store._created[booking_id]  # noqa: SLF001

    def _in_vain(self) -> Iterator[tuple[str | None, dt.datetime]]:
        """When those were first called for whose calls have all ended in `retry`, before anything was written."""
        ended: collections.defaultdict[str, list[Event]] = collections.defaultdict(list)
        for event in self._events(self._since - LATE, self._until):
            if event.source is not Source.COORDINATOR or event.type is EventType.LOCK_CONTENTION:
                continue
            if event.booking_id is not None and event.context.get("outcome") is not None:
                ended[event.booking_id].append(event)
        for booking_id, events in ended.items():
            again = [event.created_at for event in events if _is_again(event)]
            last = max(event.created_at for event in events)
            if again and max(again) == last and booking_id not in self._store._records:  # noqa: SLF001
                yield events[0].restaurant_id, min(again)

    def _answers(self) -> dict[str, list[Event]]:
        """Legacy's answers by booking, each booking's in order."""
        found: collections.defaultdict[str, list[Event]] = collections.defaultdict(list)
        told = (event for event in self._store._events.values() if event.type is EventType.LEGACY_SUMMARY)  # noqa: SLF001
        for event in sorted(told, key=lambda event: (event.created_at, event.id)):
            if event.booking_id is not None:
                found[event.booking_id].append(event)
        return found

    # -- Calls ----------------------------------------------------------------------------------------------------

    def calls(self) -> Rows:
        """See the query of that name."""
        found: collections.defaultdict[tuple[Any, ...], list[Event]] = collections.defaultdict(list)
        for event in self._events(self._since, self._until):
            owner = _caller(event)
            if event.booking_id is not None and owner is not None:
                found[self._bucket(event.created_at), owner, event.context.get("mode")].append(event)
        rows: Rows = []
        for group, events in found.items():
            calls, errors = [event for event in events if _is_call(event)], [event for event in events if _fails(event)]
            failing = {event.booking_id for event in errors}
            bookings = {event.booking_id for event in calls} | failing
            contended = sum(event.type is EventType.LOCK_CONTENTION for event in events)
            retries = sum(event.type is EventType.RETRY for event in events)
            rows.append((*group, len(bookings), len(failing), len(calls), len(errors), contended, retries))
        return rows

    def _latency(self) -> Rows:
        found: collections.defaultdict[tuple[Any, ...], list[Any]] = collections.defaultdict(list)
        for event in self._events(self._since, self._until):
            owner, duration = _caller(event), event.context.get("duration_ms")
            timed = event.source is not Source.COORDINATOR or event.context.get("outcome") in PLANNED
            if owner is not None and duration is not None and timed:
                found[owner, event.context.get("mode")].append(duration)
        return [
            (*group, len(took), *(_nearest(sorted(took), of) for of in (50, 95, 99))) for group, took in found.items()
        ]

    def _agreement(self) -> Rows:
        counts: collections.Counter[tuple[str, str]] = collections.Counter()
        better, unreadable, double_seated = counts.copy(), counts.copy(), counts.copy()
        for event in self._events(self._since, self._until):
            if event.source is Source.SHADOW:
                number = event.context.get("count", 1) if event.type is EventType.SHADOW_DROPPED else 1
                assert isinstance(number, int)  # noqa: S101 - that is how it is reported
                key = event.type.value, str(event.context.get("candidate", Owner.PIPELINE.value))
                counts[key] += number
                better[key] += event.type is EventType.SHADOW_MISMATCH and bool(event.context.get("better"))
                if event.type is EventType.SHADOW_INCOMPARABLE:
                    unreadable[key] += event.context.get("kind") in UNREADABLE
                    double_seated[key] += event.context.get("kind") == Incomparable.LEGACY_TABLES_TAKEN
        return [
            (key[0], number, better[key], unreadable[key], double_seated[key], key[1]) for key, number in counts.items()
        ]

    def _volume(self) -> Rows:
        asked: collections.defaultdict[Any, set[str]] = collections.defaultdict(set)
        told: collections.defaultdict[Any, set[str]] = collections.defaultdict(set)
        for event in self._events(self._since - SETTLING, self._until):
            mode = event.context.get("mode")
            if event.booking_id is None or mode not in (Mode.ACTIVE, Mode.SHADOW):
                continue
            if event.created_at < self._until - SETTLING and _asks(event):
                asked[mode].add(event.booking_id)
            if event.source is Source.STATE_MACHINE or (
                event.source is Source.SHADOW and event.type is not EventType.SHADOW_DROPPED and mode == Mode.SHADOW
            ):
                told[mode].add(event.booking_id)
        return [(mode, len(bookings), len(bookings & told[mode])) for mode, bookings in asked.items()]

    # -- Plannings, and what else there is ------------------------------------------------------------------------

    def _attempts(self) -> list[tuple[str, Attempt]]:
        return [
            (booking_id, row)
            for booking_id, rows in self._store._attempts.items()  # noqa: SLF001 - a part of it
            for row in rows
            if self._since <= row.created_at < self._until
            and self._is_asked(self._store._records[booking_id].restaurant_id)  # noqa: SLF001
        ]

    def _steps(self) -> Iterator[StateChange]:
        for booking_id, steps in self._store._history.items():  # noqa: SLF001 - a part of it
            if self._is_asked(self._store._records[booking_id].restaurant_id):  # noqa: SLF001
                yield from (
                    step for step in steps if step.to_state in OUTCOMES and self._since <= step.created_at < self._until
                )

    def _reasons(self) -> Rows:
        went = (step for step in self._steps() if step.to_state is AssignmentState.MANUAL_REVIEW and step.actor is None)
        return list(collections.Counter(step.reason for step in went if step.reason is not None).items())

    def _lost(self) -> tuple[int, int]:
        told = sum(
            event.source is Source.STATE_MACHINE
            and event.context.get("to") in OUTCOMES
            and event.context.get("mode") != Mode.SHADOW
            for event in self._events(self._since, self._until)
        )
        return sum(1 for _ in self._steps()), told

    def ran(self) -> Rows:
        """See the query of that name."""
        found: collections.defaultdict[tuple[str, str, str], set[str]] = collections.defaultdict(set)
        for event in self._events(self._since, self._until):
            is_legacy, mode = event.type is EventType.LEGACY_SUMMARY, event.context.get("mode")
            is_own = event.type is EventType.STATE_TRANSITION and (
                event.context.get("actor") is None and event.context.get("rehearsed") is None
            )
            if event.restaurant_id is None or event.booking_id is None or mode is None or not (is_legacy or is_own):
                continue
            owner = Owner.LEGACY if is_legacy else Owner.PIPELINE
            found[event.restaurant_id, owner.value, str(mode)].add(event.booking_id)
        return [(*key, len(bookings)) for key, bookings in found.items()]

    def book(self, restaurants: frozenset[str]) -> Rows:
        """See the query of that name."""
        found: collections.Counter[tuple[str, bool]] = collections.Counter()
        for record in self._store._records.values():  # noqa: SLF001 - a part of it
            seats = record.allocation
            if seats is None or record.restaurant_id not in restaurants:
                continue
            if self._since <= seats.turn.start < self._until:
                local = seats.turn.start + dt.timedelta(minutes=seats.utc_offset_minutes or 0)
                is_own = record.owner is Owner.PIPELINE and record.strategy != Owner.LEGACY.value
                found[(local - dt.timedelta(hours=5)).date().isoformat(), is_own] += 1
        days = {day for day, _ in found}
        return [(day, found[day, True], found[day, True] + found[day, False]) for day in days]

    def seen(self) -> Rows:
        """See the query of that name."""
        found: collections.defaultdict[tuple[Any, ...], list[dt.datetime]] = collections.defaultdict(list)
        for event in self._events(self._since, self._until):
            found[event.source.value, event.type.value, event.context.get("mode")].append(event.created_at)
        return [(*key, len(moments), max(moments)) for key, moments in found.items()]


def _is_automatic(step: StateChange) -> bool:
    return step.actor is None or step.to_state is AssignmentState.CANCELLED


def _outcome(step: StateChange) -> str:
    if step.to_state is AssignmentState.CANCELLED or step.reason in NOT_ITS_FAULT:
        return "withdrawn"
    if step.to_state is AssignmentState.ASSIGNED:
        return "confirmed"
    if step.to_state is AssignmentState.FAILED:
        return "failed"
    return "infeasible" if step.reason in PROVED else "review"


def _caller(event: Event) -> str | None:
    """Whose call an event is about: the pipeline's in earnest or in shadow, or legacy's."""
    mode = event.context.get("mode")
    if event.type is EventType.LEGACY_SUMMARY:
        return "legacy"
    ours = (event.source is Source.COORDINATOR and mode == Mode.ACTIVE) or (
        event.source is Source.SHADOW and mode == Mode.SHADOW
    )
    return "pipeline" if ours else None


def _is_call(event: Event) -> bool:
    if event.source is Source.COORDINATOR:
        return event.context.get("outcome") is not None
    return event.type not in _NO_CALLS


def _fails(event: Event) -> bool:
    if event.source is Source.COORDINATOR:
        return event.type is EventType.ERROR
    if event.source is Source.SHADOW:
        return event.type in _SHADOW_ERRORS
    return event.context.get("result") == "error"


def _is_again(event: Event) -> bool:
    return event.context.get("mode") == Mode.ACTIVE and event.context.get("outcome") == Outcome.RETRY


def _asks(event: Event) -> bool:
    """Whether it is about an assigned booking, which must have an event."""
    if event.context.get("mode") == Mode.ACTIVE:
        return event.source is Source.COORDINATOR and event.context.get("outcome") in PLANNED
    return event.type is EventType.LEGACY_SUMMARY and event.context.get("reason") != Reason.HANDED_OVER


def _nearest(ordered: Sequence[Any], of_a_hundred: int) -> Any:
    return ordered[(len(ordered) * of_a_hundred + 99) // 100 - 1]


def _same(moment: dt.datetime | None) -> dt.datetime | None:
    return moment
