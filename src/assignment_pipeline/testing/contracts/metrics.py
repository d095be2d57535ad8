"""What every store that counts promises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from assignment_pipeline.domain.counts import Calls, Latency, Outcomes, Volume
from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.metrics import PIPELINE, SETTLING, MetricsQuery
from assignment_pipeline.domain.record import AttemptResult, Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.testing.clock import START, FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOLD,
    MINUTE,
    QUEUE,
    REVIEW,
    StoreHarness,
    make_booking,
)

SETTLED = 6 * MINUTE
LEGACY_OFF = (Owner.LEGACY, Mode.OFF)
HOUR_BEFORE = START - dt.timedelta(hours=1)


def told(
    event_id: str,
    kind: EventType,
    source: Source = Source.COORDINATOR,
    *,
    at: dt.datetime = START,
    booking: str | None = "b-1",
    restaurant: str | None = "r-1",
    **context: Any,
) -> Event:
    """An event about a booking of the restaurant, with that context."""
    severity = Severity.ERROR if kind is EventType.ERROR else Severity.INFO
    return Event(
        event_id, at, source, kind, severity=severity, restaurant_id=restaurant, booking_id=booking, context=context
    )


def answered(event_id: str, result: str, *, mode: str = "off", **fields: Any) -> Event:
    """What legacy's planner said."""
    return told(event_id, EventType.LEGACY_SUMMARY, Source.LEGACY, result=result, mode=mode, **fields)


class MetricsStoreContract(StoreSuite):
    """
    The suite for a `MetricsStore` that is an `AssignmentStore` and an `EventSink` as well.

    Give it the fixtures of `AssignmentStoreContract`.
    """

    def told(self, harness: StoreHarness, store: Any, *events: Event) -> None:
        """Have the store know of *events*."""
        store.emit(events)
        harness.events()  # Whatever waits to be written is.

    def outcomes(self, store: Any, since: dt.datetime = HOUR_BEFORE, **query: Any) -> dict[Any, Outcomes]:
        """How assignments came out."""
        return dict(store.measure(MetricsQuery(since=since, **query)).outcomes)

    # -- Outcomes -------------------------------------------------------------------------------------------------

    def test_nothing_is_counted_where_nothing_was(self, store: Any, clock: FakeClock) -> None:
        """An empty store has no rates at all; none is not the same as 0."""
        found = store.measure(MetricsQuery(since=HOUR_BEFORE))
        assert store.now() == clock.now()
        assert (found.until, found.outcomes, found.calls, found.latency, found.volume) == (clock.now(), {}, {}, {}, {})
        assert (found.pipeline.confirmation_rate, found.agreement.rate, found.attempts_per_booking) == (None,) * 3
        assert (found.attempts, found.backlog.review, found.backlog.overdue, found.lost) == (0, 0, 0, 0)

    def test_outcomes_are_told_apart(self, store: Any, clock: FakeClock) -> None:
        """Seated, left to a person, failed, proved (the house's cap is a proof too), withdrawn: each booking once."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("b-2"), *HOLD, tables=("T2",))
        self.commit(store, make_booking("b-3"), *REVIEW, reason="no_fit")
        self.commit(store, make_booking("b-4"), *REVIEW, reason="infeasible")
        self.commit(store, make_booking("b-5"), Trigger.FAIL, reason="in_past")
        self.commit(store, make_booking("b-6"), Trigger.CANCEL)
        self.commit(store, make_booking("b-7"), Trigger.FAIL, reason="hold_expired")
        self.commit(store, make_booking("b-8"), *QUEUE)
        self.commit(store, make_booking("b-9"), *REVIEW, reason="pacing")
        clock.advance(SETTLED)
        expected = Outcomes(confirmed=2, review=1, failed=1, infeasible=2, withdrawn=2)
        assert self.outcomes(store) == {PIPELINE: expected}
        assert (expected.sample, expected.confirmation_rate, expected.asked) == (4, 0.5, 6)

    def test_an_outcome_counts_once_it_has_stood_for_five_minutes(self, store: Any, clock: FakeClock) -> None:
        """Not a moment before; and in the window that it does so in."""
        self.commit(store, make_booking(), *CONFIRM, tables=("T1",))
        clock.advance(5 * MINUTE)
        assert self.outcomes(store) == {}
        settled = clock.now()
        clock.advance(dt.timedelta(microseconds=1))
        assert self.outcomes(store) == self.outcomes(store, since=settled) == {PIPELINE: Outcomes(confirmed=1)}
        clock.advance(MINUTE)
        assert self.outcomes(store, since=settled + dt.timedelta(microseconds=1)) == {}
        assert self.outcomes(store, until=settled) == {}

    @pytest.mark.parametrize(("minutes", "expected"), [(5, "confirmed"), (6, "review")])
    def test_what_mends_itself_in_time_counts_as_mended(
        self, store: Any, clock: FakeClock, minutes: int, expected: str
    ) -> None:
        """A review that tables come free for within five minutes is none; one that lasts is one for good."""
        self.commit(store, make_booking(), *REVIEW, reason="no_fit")
        clock.advance(minutes * MINUTE)
        seats = (Trigger.REQUEUE, Trigger.BEGIN, Trigger.SEAT, Trigger.CONFIRM)
        self.commit(store, make_booking(), *seats, tables=("T1",), reason=None, now=clock.now())
        clock.advance(SETTLED)
        assert self.outcomes(store) == {PIPELINE: Outcomes(**{expected: 1})}

    def test_what_people_do_is_not_the_pipelines(self, store: Any, clock: FakeClock) -> None:
        """Neither a review that somebody resolves at once nor a walk-in is an assignment that came out well."""
        self.commit(store, make_booking("b-1"), *REVIEW, reason="no_fit")
        self.commit(
            store, make_booking("b-1"), Trigger.SEAT, Trigger.CONFIRM, tables=("T1",), reason=None, actor="anna"
        )
        self.commit(store, make_booking("b-2"), *CONFIRM, tables=("T2",), actor="anna")
        clock.advance(SETTLED)
        assert self.outcomes(store) == {PIPELINE: Outcomes(review=1)}

    def test_a_later_cancellation_takes_nothing_back(self, store: Any, clock: FakeClock) -> None:
        """A guest who was seated and changes their mind was seated; one who does so at once counts for nothing."""
        for name, table in (("b-1", "T1"), ("b-2", "T2")):
            self.commit(store, make_booking(name), *CONFIRM, tables=(table,))
        clock.advance(MINUTE)
        self.commit(store, make_booking("b-1"), Trigger.CANCEL, now=clock.now(), actor="guest")
        clock.advance(SETTLED)
        self.commit(store, make_booking("b-2"), Trigger.CANCEL, now=clock.now())
        clock.advance(SETTLED)
        assert self.outcomes(store) == {PIPELINE: Outcomes(confirmed=1, withdrawn=1)}

    def test_legacys_outcomes_are_what_it_answers(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """By mode; the last answer within five minutes, and an answer that could not be read counts for nothing."""
        self.told(
            harness,
            store,
            answered("e-1", "exhausted", booking="b-1"),
            answered("e-2", "succeeded", booking="b-1", at=START + 5 * MINUTE),
            answered("e-3", "exhausted", booking="b-2"),
            answered("e-4", "succeeded", booking="b-2", at=START + SETTLED),
            answered("e-5", "error", booking="b-3"),
            answered("e-6", "unknown", booking="b-4"),
            answered("e-7", "succeeded", booking="b-5", mode="shadow"),
            answered("e-8", "succeeded", booking="b-6"),
        )
        self.commit(store, make_booking("b-6"), Trigger.CANCEL)
        clock.advance(2 * SETTLED)
        off = Outcomes(confirmed=1, review=1, failed=1, withdrawn=2)
        shadow = Outcomes(confirmed=1)
        found = self.outcomes(store)
        assert found[LEGACY_OFF] == off
        assert found[Owner.LEGACY, Mode.SHADOW] == shadow
        assert store.measure(MetricsQuery(since=HOUR_BEFORE)).legacy == off + shadow

    def test_records_of_legacys_count_where_it_told_nothing(
        self, store: Any, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """And once where it did."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",), owner=Owner.LEGACY)
        self.commit(store, make_booking("b-2"), *CONFIRM, tables=("T2",), owner=Owner.LEGACY)
        self.told(harness, store, answered("e-1", "succeeded", booking="b-2"))
        clock.advance(SETTLED)
        assert self.outcomes(store) == {(Owner.LEGACY, None): Outcomes(confirmed=1), LEGACY_OFF: Outcomes(confirmed=1)}

    def test_what_never_settles_counts_as_such(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """Fifteen minutes after it was first called for, whether anything was written or not; until it settles."""
        begin = (*QUEUE, Trigger.BEGIN)
        self.commit(store, make_booking("b-1"), next_attempt_at=START)
        self.commit(store, make_booking("b-2"), *begin, next_attempt_at=START)
        self.commit(store, make_booking("b-3"), *QUEUE, next_attempt_at=START, owner=Owner.LEGACY)
        self.commit(store, make_booking("b-4"), *REVIEW, reason="no_fit", next_attempt_at=START)
        again: dict[str, Any] = {"mode": "active", "outcome": "retry"}
        later = START + 2 * MINUTE
        self.told(
            harness,
            store,
            told("e-1", EventType.RETRY, booking="b-5", reason="conflict", **again),
            told("e-2", EventType.RETRY, booking="b-5", reason="conflict", at=later, **again),
            told("e-3", EventType.LOCK_CONTENTION, booking="b-5", mode="active", outcome="noop", at=3 * MINUTE + START),
            told("e-4", EventType.RETRY, booking="b-6", reason="conflict", **again),
            told("e-5", EventType.NOOP, booking="b-6", mode="off", outcome="noop", at=later),
            told("e-6", EventType.RETRY, booking="b-2", reason="conflict", **again),
            told("e-7", EventType.RETRY, booking="b-7", restaurant="r-2", mode="active", outcome="retry"),
        )
        clock.advance(15 * MINUTE)
        assert self.outcomes(store) == {PIPELINE: Outcomes(review=1)}
        clock.advance(dt.timedelta(microseconds=1))
        waiting = Outcomes(review=1, unsettled=4)
        assert self.outcomes(store) == {PIPELINE: waiting}
        assert (waiting.sample, waiting.confirmation_rate) == (5, 0.0)
        assert self.outcomes(store, restaurant_id="r-2") == {PIPELINE: Outcomes(unsettled=1)}
        assert self.outcomes(store, since=clock.now()) == {}
        [bucket] = store.series(MetricsQuery(since=START + 15 * MINUTE, until=clock.now()), MINUTE)
        assert bucket.outcomes == {PIPELINE: Outcomes(unsettled=4)}
        seats = (Trigger.SEAT, Trigger.CONFIRM)
        self.commit(store, make_booking("b-2"), *seats, tables=("T1",), next_attempt_at=None, now=clock.now())
        clock.advance(SETTLED)
        assert self.outcomes(store) == {PIPELINE: Outcomes(confirmed=1, review=1, unsettled=3)}

    def test_a_restaurant_can_be_looked_at_alone(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """Its numbers, and nobody else's."""
        self.told(
            harness,
            store,
            answered("e-1", "succeeded", booking="b-1"),
            answered("e-2", "error", booking="b-2", restaurant="r-2"),
        )
        clock.advance(SETTLED)
        assert self.outcomes(store, restaurant_id="r-2") == {LEGACY_OFF: Outcomes(failed=1)}
        assert self.outcomes(store) == {LEGACY_OFF: Outcomes(confirmed=1, failed=1)}

    # -- Calls ----------------------------------------------------------------------------------------------------

    def test_calls_and_their_errors(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """By booking; what has no outcome is no call, but may be an error."""
        active: dict[str, Any] = {"mode": "active"}
        self.told(
            harness,
            store,
            told("e-1", EventType.START, **active),
            told("e-2", EventType.CONFIRMED, outcome="confirmed", duration_ms=3.5, **active),
            told("e-3", EventType.ERROR, outcome="retry", booking="b-2", duration_ms=1, **active),
            told("e-4", EventType.ERROR, outcome="retry", booking="b-2", duration_ms=2, **active),
            told("e-5", EventType.ERROR, booking="b-3", reason="strategy_fault", **active),
            told("e-6", EventType.LOCK_CONTENTION, outcome="noop", booking="b-4", duration_ms=9, **active),
            told("e-7", EventType.RETRY, outcome="retry", booking="b-5", duration_ms=4, **active),
            told("e-8", EventType.CANCELLED, outcome="cancelled", booking="b-6"),
            told("e-9", EventType.NOOP, outcome="noop", booking="b-7", mode="off"),
            answered("e-10", "error", booking="b-7", duration_ms=0.25),
        )
        clock.advance(MINUTE)
        found = store.measure(MetricsQuery(since=START))
        assert found.calls == {
            PIPELINE: Calls(bookings=5, failing=2, calls=5, errors=3, contended=1, retries=1),
            LEGACY_OFF: Calls(bookings=1, failing=1, calls=1, errors=1),
        }
        assert found.latency == {
            PIPELINE: Latency(calls=4, p50=2, p95=4, p99=4),
            LEGACY_OFF: Latency(calls=1, p50=0.25, p95=0.25, p99=0.25),
        }

    def test_percentiles_are_durations_of_calls(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """The smallest that so many of a hundred do not exceed."""
        facts: dict[str, Any] = {"mode": "active", "outcome": "confirmed"}
        times = [*range(1, 201)]
        self.told(
            harness,
            store,
            *(told(f"e-{ms}", EventType.CONFIRMED, booking=f"b-{ms}", duration_ms=ms, **facts) for ms in times),
        )
        clock.advance(MINUTE)
        assert store.measure(MetricsQuery(since=START)).latency[PIPELINE] == Latency(
            calls=200, p50=100, p95=190, p99=198
        )

    # -- Shadow ---------------------------------------------------------------------------------------------------

    def test_agreement_is_of_what_can_be_compared(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """Whoever does better agrees; errors and silence do not; legacy's errors and a changed floor say nothing."""
        kinds = [EventType.SHADOW_MATCH] * 5 + [
            EventType.SHADOW_EQUIVALENT,
            EventType.SHADOW_MISMATCH,
            EventType.SHADOW_LEGACY_ERROR,
            EventType.SHADOW_PIPELINE_ERROR,
            EventType.SHADOW_BOTH_ERROR,
            EventType.SHADOW_TIMEOUT,
            EventType.SHADOW_INCOMPARABLE,
        ]
        events = [
            told(f"e-{number}", kind, Source.SHADOW, booking=f"b-{number}", mode="shadow")
            for number, kind in enumerate(kinds)
        ]
        dropped = told("e-dropped", EventType.SHADOW_DROPPED, Source.SHADOW, booking=None, mode="shadow", count=7)
        better, worse = (
            told(
                f"e-{word}", EventType.SHADOW_MISMATCH, Source.SHADOW, booking=f"b-{word}", mode="shadow", better=which
            )
            for word, which in (("better", True), ("worse", False))
        )
        because = ("unreadable_answer", "unknown_tables", "legacy_tables_taken", "floor_changed")
        others = [
            told(f"e-{why}", EventType.SHADOW_INCOMPARABLE, Source.SHADOW, booking="b-11", mode="shadow")
            for why in because
        ]
        others = [attrs.evolve(event, context={**event.context, "kind": event.id[2:]}) for event in others]
        self.told(harness, store, *events, dropped, better, worse, *others)
        clock.advance(MINUTE)
        found = store.measure(MetricsQuery(since=START))
        agreement = found.agreement
        assert (agreement.agreeing, agreement.comparable, agreement.errors, agreement.dropped) == (7, 11, 3, 7)
        assert (agreement.mismatch, agreement.better, agreement.rate) == (3, 1, 7 / 11)
        assert (agreement.incomparable, agreement.unreadable, agreement.double_seated) == (5, 2, 1)
        assert found.calls == {(Owner.PIPELINE, Mode.SHADOW): Calls(bookings=13, failing=3, calls=13, errors=3)}

    def test_where_legacy_was_the_candidate_it_counts_apart(
        self, store: Any, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """A reverse shadow agrees by its own; it is no call, and no event that a booking of the pipeline's needs."""
        kinds = (EventType.SHADOW_MATCH, EventType.SHADOW_MISMATCH, EventType.SHADOW_TIMEOUT, EventType.SHADOW_DROPPED)
        answered = told(
            "e-answer", EventType.CONFIRMED, Source.COORDINATOR, booking="b-0", mode="active", outcome="confirmed"
        )
        verdicts = [
            told(f"e-{kind.value}", kind, Source.SHADOW, booking="b-0", mode="active", candidate="legacy", better=True)
            for kind in kinds
        ]
        other = told("e-match", EventType.SHADOW_MATCH, Source.SHADOW, booking="b-1", mode="shadow")
        self.told(harness, store, answered, *verdicts, other)
        clock.advance(2 * SETTLING)
        found = store.measure(MetricsQuery(since=START))
        reverse = found.reverse
        assert (reverse.match, reverse.mismatch, reverse.better, reverse.timeout, reverse.dropped) == (1, 1, 1, 1, 1)
        assert (found.agreement.match, found.agreement.comparable) == (1, 1)
        assert found.volume[Mode.ACTIVE] == Volume(bookings=1, told=0)
        assert found.calls[Owner.PIPELINE, Mode.ACTIVE].bookings == 1

    def test_every_booking_is_told_of_or_not(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """In shadow by a transition or a verdict, within five minutes; what was assigned just now is not asked for."""
        step: dict[str, Any] = {"to": "confirmed"}
        self.told(
            harness,
            store,
            answered("e-1", "succeeded", booking="b-1", mode="shadow"),
            answered("e-2", "succeeded", booking="b-2", mode="shadow"),
            answered("e-3", "succeeded", booking="b-3", mode="shadow"),
            answered("e-4", "succeeded", booking="b-4", mode="shadow", at=START + 2 * MINUTE),
            answered("e-5", "succeeded", booking="b-5", mode="off"),
            answered("e-11", "succeeded", booking="b-8", mode="shadow", reason="handed_over"),
            told("e-6", EventType.STATE_TRANSITION, Source.STATE_MACHINE, booking="b-1", mode="shadow", **step),
            told("e-7", EventType.SHADOW_MATCH, Source.SHADOW, booking="b-2", mode="shadow", at=START + MINUTE),
            told("e-8", EventType.SHADOW_DROPPED, Source.SHADOW, booking="b-3", mode="shadow", count=1),
            told("e-9", EventType.CONFIRMED, booking="b-6", mode="active", outcome="confirmed"),
            told("e-10", EventType.NOOP, booking="b-7", mode="active", outcome="noop"),
        )
        clock.advance(SETTLED)
        assert store.measure(MetricsQuery(since=START)).volume == {
            Mode.SHADOW: Volume(bookings=3, told=2),
            Mode.ACTIVE: Volume(bookings=1, told=0),
        }

    # -- The rest -------------------------------------------------------------------------------------------------

    def test_plannings_strategies_and_reasons(self, store: Any, clock: FakeClock) -> None:
        """As the rows of attempts and of the history have them."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",), attempt=AttemptResult.SUCCESS)
        self.commit(store, make_booking("b-2"), *QUEUE, attempt=AttemptResult.FAILURE)
        escalate = (Trigger.BEGIN, Trigger.ESCALATE)
        self.commit(store, make_booking("b-2"), *escalate, attempt=AttemptResult.FAILURE, reason="no_fit")
        clock.advance(MINUTE)
        found = store.measure(MetricsQuery(since=START))
        assert (found.attempts, found.attempted, found.attempts_per_booking) == (3, 2, 1.5)
        assert found.strategies == {"x": 1}
        assert found.reasons == {"no_fit": 1}
        assert found.backlog.review == 1
        assert found.lost == 2  # Of two outcomes the history knows, and nobody has told.

    def test_reviews_that_are_overdue(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """Those of which the sweep has told since they began to wait, and that are still open."""
        escalate = (*QUEUE, Trigger.BEGIN, Trigger.ESCALATE)
        for number, late in ((1, 0), (2, 2), (3, 0)):
            since = START + late * MINUTE
            self.commit(store, make_booking(f"b-{number}"), *escalate, reason="no_fit", waiting_since=since)
        self.commit(store, make_booking("b-4"), *QUEUE, next_attempt_at=START, waiting_since=START)
        overdue, at = EventType.REVIEW_OVERDUE, START + MINUTE
        names = {"e-1": "b-1", "e-2": "b-1", "e-3": "b-2", "e-4": "b-4"}
        events = [told(event_id, overdue, at=at, booking=booking_id) for event_id, booking_id in names.items()]
        self.told(harness, store, *events, told("e-5", EventType.NOOP, at=at, booking="b-3"))
        clock.advance(3 * MINUTE)
        backlog = store.measure(MetricsQuery(since=START)).backlog
        assert (backlog.review, backlog.review_overdue) == (3, 1)

    def test_what_is_overdue(self, store: Any, clock: FakeClock) -> None:
        """For more than five minutes, and pipeline's."""
        self.commit(store, make_booking("b-1"), *QUEUE, next_attempt_at=START)
        self.commit(store, make_booking("b-2"), *QUEUE, next_attempt_at=START + MINUTE, deliveries=3)
        clock.advance(SETTLED)
        backlog = store.measure(MetricsQuery(since=START)).backlog
        assert (backlog.overdue, backlog.overdue_since, backlog.stuck) == (1, START, 1)

    def test_outcomes_are_told_apart_by_restaurant(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """Each restaurant's are those that a look at it alone finds; one without any is left out."""
        self.told(
            harness,
            store,
            answered("e-1", "succeeded"),
            answered("e-2", "succeeded", booking="b-2", restaurant="r-2"),
            answered("e-3", "exhausted", booking="b-3", restaurant="r-2"),
        )
        clock.advance(SETTLED)
        assert store.by_restaurant(MetricsQuery(since=START)) == {
            "r-1": {LEGACY_OFF: Outcomes(confirmed=1)},
            "r-2": {LEGACY_OFF: Outcomes(confirmed=1, review=1)},
        }
        assert store.by_restaurant(MetricsQuery(since=START, restaurant_id="r-2")).keys() == {"r-2"}
        assert store.by_restaurant(MetricsQuery(since=clock.now())) == {}

    def test_what_ran_is_told_apart_by_restaurant_and_flags(
        self, store: Any, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """Each booking once for each planner; not what people did, a shadow rehearsed, or nothing is known of."""
        step, machine = EventType.STATE_TRANSITION, Source.STATE_MACHINE
        self.told(
            harness,
            store,
            told("e-1", step, machine, version=2, mode="active"),
            told("e-2", step, machine, version=2, mode="active"),
            told("e-3", step, machine, booking="b-2", version=2, mode="shadow", rehearsed=True),
            told("e-4", step, machine, booking="b-3", version=2, mode="off", actor="anna"),
            told("e-5", step, machine, booking="b-4", version=2),
            answered("e-6", "succeeded", booking="b-5", restaurant="r-2"),
            answered("e-7", "error", booking="b-6", restaurant="r-2", mode="shadow"),
        )
        clock.advance(MINUTE)
        assert store.ran(MetricsQuery(since=START)) == {
            "r-1": {(Owner.PIPELINE, Mode.ACTIVE): 1},
            "r-2": {LEGACY_OFF: 1, (Owner.LEGACY, Mode.SHADOW): 1},
        }
        assert store.ran(MetricsQuery(since=START, restaurant_id="r-2")).keys() == {"r-2"}
        assert store.ran(MetricsQuery(since=clock.now())) == {}

    def test_who_seated_a_service_day(self, store: Any) -> None:
        """By the day on which its service began, at the restaurants that are named; legacy's are not our own."""
        late = DINNER.replace(hour=1) + dt.timedelta(days=1)  # Past midnight, and still that evening.
        legacy = {"owner": Owner.LEGACY, "strategy": Owner.LEGACY.value}
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("b-2", at=late), *CONFIRM, tables=("T1",), **legacy)
        self.commit(store, make_booking("b-3", at=DINNER + dt.timedelta(days=1)), *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("b-4"), *REVIEW, reason="no_fit")
        days = MetricsQuery(since=DINNER, until=DINNER + dt.timedelta(days=3))
        one, other = DINNER.date(), DINNER.date() + dt.timedelta(days=1)
        assert store.book(days, ("r-1",)) == {one: (1, 2), other: (1, 1)}
        assert store.book(days, ("r-2",)) == {}
        assert store.book(days, ()) == {}
        assert store.book(MetricsQuery(since=late, until=late + MINUTE), ("r-2", "r-1")) == {one: (0, 1)}

    def test_a_series_is_the_window_in_stretches(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """All of them, also where nothing was; together they are the whole."""
        self.told(
            harness,
            store,
            answered("e-1", "succeeded", booking="b-1"),
            answered("e-2", "error", booking="b-2", at=START + 12 * MINUTE),
        )
        clock.advance(21 * MINUTE)
        series = store.series(MetricsQuery(since=START), 5 * MINUTE)
        assert [bucket.start for bucket in series] == [START + number * 5 * MINUTE for number in range(5)]
        assert [bucket.outcomes.get(LEGACY_OFF) for bucket in series] == [
            None,
            Outcomes(confirmed=1),
            None,
            Outcomes(failed=1),
            None,
        ]
        assert [LEGACY_OFF in bucket.calls for bucket in series] == [True, False, True, False, False]
        assert store.series(MetricsQuery(since=clock.now()), MINUTE) == ()

    @pytest.mark.parametrize("width", [dt.timedelta(), dt.timedelta(seconds=1.5), -MINUTE])
    def test_stretches_are_whole_seconds(self, store: Any, width: dt.timedelta) -> None:
        """So that they begin where one says, in every database."""
        with pytest.raises(ValueError, match="whole seconds"):
            store.series(MetricsQuery(since=START - MINUTE), width)
        with pytest.raises(ValueError, match="whole seconds"):
            store.series(MetricsQuery(since=START - dt.timedelta(microseconds=1)), MINUTE)

    def test_what_was_told_of_at_all(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """By source, type and mode, with when that was last."""
        later = START + MINUTE
        self.told(
            harness, store, answered("e-1", "error"), answered("e-2", "error", at=later), told("e-3", EventType.NOOP)
        )
        clock.advance(2 * MINUTE)
        found = store.seen(MetricsQuery(since=START))
        facts = [(seen.source, seen.type, seen.mode, seen.count, seen.last) for seen in found]
        assert facts == [
            ("assignment.coordinator", "coordinator.noop", None, 1, START),
            ("auto_assign", "auto_assign.summary", "off", 2, later),
        ]

    def test_what_was_told_is_found_oldest_first(self, store: Any, harness: StoreHarness, clock: FakeClock) -> None:
        """Of the types that are asked for, in the window, with what each carries."""
        self.told(
            harness,
            store,
            told("e-1", EventType.DAY_COMPARED, Source.ROLLOUT, booking=None, at=START + MINUTE, covers=12),
            told("e-2", EventType.SHADOW_MATCH, Source.SHADOW, booking="b-2", date="2031-05-01"),
            told("e-3", EventType.GATE, Source.ROLLOUT, booking=None),
        )
        clock.advance(2 * MINUTE)
        kinds = (EventType.DAY_COMPARED, EventType.SHADOW_MATCH)
        found = store.events_of(MetricsQuery(since=START), kinds)
        assert [(event.id, event.source, event.booking_id) for event in found] == [
            ("e-2", Source.SHADOW, "b-2"),
            ("e-1", Source.ROLLOUT, None),
        ]
        assert found[1].context == {"covers": 12}
        assert store.events_of(MetricsQuery(since=START, until=START + MINUTE), kinds) == found[:1]
        assert store.events_of(MetricsQuery(since=START, restaurant_id="r-2"), kinds) == ()

    def test_alarms_are_found_newest_first(self, store: Any, harness: StoreHarness) -> None:
        """Whatever else the rollout told of."""
        firing: Sequence[Event] = [
            told("e-1", EventType.ALERT_FIRING, Source.ROLLOUT, booking=None, alert="x"),
            told("e-2", EventType.ALERT_RESOLVED, Source.ROLLOUT, booking=None, alert="x", at=START + MINUTE),
            told("e-3", EventType.GATE, Source.ROLLOUT, booking=None),
        ]
        self.told(harness, store, *firing)
        found = store.alarms()
        assert [(event.id, event.type, event.restaurant_id) for event in found] == [
            ("e-2", EventType.ALERT_RESOLVED, "r-1"),
            ("e-1", EventType.ALERT_FIRING, "r-1"),
        ]
        assert found[0].context == {"alert": "x"}
        assert found[0].created_at == START + MINUTE
