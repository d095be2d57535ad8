"""What is counted in SQL is what is counted in Python, whatever has happened."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.metrics import LATE, SETTLING, MetricsQuery
from assignment_pipeline.domain.record import AttemptResult, Owner
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.clock import START
from assignment_pipeline.testing.harnesses import MemoryHarness, SQLiteHarness
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    QUEUE,
    REVIEW,
    make_booking,
    make_change,
    make_venue,
)

MINUTE = dt.timedelta(minutes=1)
BOOKINGS = tuple(f"b-{number}" for number in range(6))
RESTAURANT = {name: "r-1" if number % 3 else "r-2" for number, name in enumerate(BOOKINGS)}
SOURCES = {
    **dict.fromkeys((kind for kind in EventType if kind.startswith("coordinator.")), Source.COORDINATOR),
    **dict.fromkeys((kind for kind in EventType if kind.startswith("shadow.")), Source.SHADOW),
    **dict.fromkeys((kind for kind in EventType if kind.startswith("rollout.")), Source.ROLLOUT),
    EventType.STATE_TRANSITION: Source.STATE_MACHINE,
    EventType.LEGACY_SUMMARY: Source.LEGACY,
}
WAYS = (
    QUEUE,
    CONFIRM,
    CONFIRM[:-1],
    REVIEW,
    (Trigger.BEGIN, Trigger.ESCALATE),
    (Trigger.BEGIN, Trigger.SEAT, Trigger.CONFIRM),
    (Trigger.REQUEUE,),
    (Trigger.REQUEUE, Trigger.BEGIN, Trigger.SEAT),
    (Trigger.RETRY,),
    (Trigger.CONFIRM,),
    (Trigger.FAIL,),
    (Trigger.CANCEL,),
)

contexts = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["active", "active", "shadow", "off"]),
        "outcome": st.sampled_from(["confirmed", "retry", "noop", "failed"]),
        "result": st.sampled_from(["succeeded", "exhausted", "error", "unknown"]),
        "to": st.sampled_from(["assigned", "confirmed", "manual_review"]),
        "duration_ms": st.sampled_from([0.25, 1.5, 3, 40]),
        "count": st.integers(1, 5),
    },
)
gaps = st.sampled_from([0, 0, 1, 60, 299, 300, 301, 600]).map(lambda seconds: dt.timedelta(seconds=seconds)) | (
    st.integers(1, 2).map(lambda number: dt.timedelta(microseconds=number))
)
tellings = st.tuples(
    st.just("tell"),
    gaps,
    st.sampled_from([None, *BOOKINGS]),
    st.sampled_from(sorted(SOURCES)) | st.just(EventType.LEGACY_SUMMARY),
    contexts,
)
changes = st.tuples(
    st.just("change"),
    gaps,
    st.sampled_from(BOOKINGS),
    st.sampled_from(WAYS),
    st.fixed_dictionaries(
        {
            "reason": st.sampled_from([None, "infeasible", "pacing", "no_fit", "hold_expired"]),
            "actor": st.sampled_from([None, None, None, "anna"]),
            "owner": st.sampled_from([Owner.PIPELINE] * 3 + [Owner.LEGACY]),
            "next_attempt_at": st.sampled_from([None, START, START + 10 * MINUTE]),
            "deliveries": st.sampled_from([0, 0, 2, 3]),
            "attempt": st.sampled_from([None, *AttemptResult]),
        }
    ),
)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def subject(request: pytest.FixtureRequest) -> Iterator[Callable[[FakeClock], Any]]:
    """Makes a harness around an empty store."""
    if request.param == "postgres":
        database = request.getfixturevalue("postgres_database")
        from tests.servers.postgres_harness import PostgresBackend  # noqa: PLC0415 - its packages may be missing

        backend = PostgresBackend(database)
        yield backend.again
        backend.close()
        return
    made = []

    def make(clock: FakeClock) -> SQLiteHarness:
        while made:
            made.pop().close()
        made.append(SQLiteHarness.new(clock))
        return made[-1]

    yield make
    made.pop().close()


def happen(stores: list[Any], clock: FakeClock, number: int, act: tuple[Any, ...]) -> None:
    """One thing, in every store."""
    what, gap, booking_id, *rest = act
    clock.advance(gap)
    if what == "tell":
        kind, context = rest
        event = Event(
            f"e-{number % 7}-{number}",
            clock.now(),
            SOURCES[kind],
            kind,
            severity=Severity.INFO,
            restaurant_id=RESTAURANT.get(booking_id),
            booking_id=booking_id,
            context=context,
        )
        for store in stores:
            store.emit([event])
        return
    way, fields = rest
    [*before] = stores[0].records(RecordQuery(booking_ids=(booking_id,))).records
    booking = make_booking(
        booking_id, restaurant_id=RESTAURANT[booking_id], at=DINNER + 5 * int(booking_id[2:]) * 60 * MINUTE
    )
    tables = ("T1",) if Trigger.SEAT in way else ()
    try:
        change = make_change(
            booking,
            *way,
            before=before[0] if before else None,
            tables=tables,
            now=clock.now(),
            change_id=f"c-{number}",
            **fields,
        )
    except Exception:  # noqa: BLE001 - not everything can happen next
        return
    for store in stores:
        store.commit([change])


MICROSECOND = dt.timedelta(microseconds=1)
MODES = ("active", "shadow", "off", None)
SAID = (
    {},
    {"result": "error"},
    {"result": "exhausted", "reason": "handed_over"},
    {"outcome": "confirmed", "duration_ms": 1.5, "to": "assigned", "better": True},
    {"outcome": "retry", "duration_ms": 3, "result": "succeeded", "count": 3},
)


def test_every_event_counts_alike_at_the_edges_of_a_window(subject: Callable[[FakeClock], Any]) -> None:
    """
    A window begins with its first instant and ends before its last: `[since, until)`, to the microsecond.

    Each kind of event, whatever it says, is emitted a microsecond before an instant, at it, and a microsecond after
    it, each of a booking of its own. Windows begin and end around that instant, and as much later as outcomes settle.
    """
    clock = FakeClock()
    reference, other = MemoryHarness.new(clock), subject(clock)
    clock.advance(MINUTE - MICROSECOND)
    for place in range(3):
        told = []
        for number, (kind, mode, said) in enumerate(itertools.product(sorted(SOURCES), MODES, SAID)):
            context = {"mode": mode, **said} if mode else said
            facts = {"restaurant_id": f"r-{kind}", "booking_id": f"b-{place}-{number}", "context": context}
            told.append(Event(f"e-{place}-{number}", clock.now(), SOURCES[kind], kind, severity=Severity.INFO, **facts))
        for store in (reference.store, other.store):
            store.emit(told)
        clock.advance(MICROSECOND)
    other.events()  # Whatever waits to be written is.
    clock.advance(2 * LATE)
    instant = START + MINUTE
    edges = [instant - MICROSECOND, instant, instant + MICROSECOND]
    windows = [*itertools.combinations(edges, 2), (instant, instant), (START, instant), (instant, instant + MINUTE)]
    later = {kind: [dt.timedelta(0)] for kind in sorted(SOURCES)}
    for kind in (EventType.LEGACY_SUMMARY, EventType.RETRY):  # What outcomes are made of.
        later[kind] += [SETTLING, LATE]
    shifted = [(kind, shift) for kind, shifts in later.items() for shift in shifts]
    for (kind, shift), (since, until) in itertools.product(shifted, windows):
        query = MetricsQuery(since=since + shift, until=until + shift, restaurant_id=f"r-{kind}")
        expected, actual = (attrs.asdict(store.measure(query)) for store in (reference.store, other.store))
        assert expected == actual, (kind, shift, since, until)
        assert reference.store.seen(query) == other.store.seen(query)


@settings(max_examples=40)
@given(acts=st.lists(st.one_of(tellings, changes), min_size=8, max_size=40), data=st.data())
def test_the_numbers_are_the_same(subject: Callable[[FakeClock], Any], acts: list[Any], data: st.DataObject) -> None:
    """Over any window, of one restaurant or of all, whole or in stretches."""
    clock = FakeClock()
    reference, other = MemoryHarness.new(clock), subject(clock)
    stores = [reference.store, other.store]
    for harness in (reference, other):
        for name in ("r-1", "r-2"):
            harness.put_venue(make_venue(name))
    for number, act in enumerate(acts):
        happen(stores, clock, number, act)
    other.events()  # Whatever waits to be written is.
    clock.advance(data.draw(gaps))
    span = clock.now() - START
    edges = [dt.timedelta(0), MINUTE, 5 * MINUTE, span, span / 2, span / 2 - 5 * MINUTE]
    offsets = st.sampled_from([*edges, *(edge + beside * MICROSECOND for edge in edges for beside in (-1, 1))])
    since = START + data.draw(offsets) - data.draw(st.sampled_from([dt.timedelta(0), 10 * MINUTE]))
    until = data.draw(st.one_of(st.none(), offsets.map(lambda offset: START + offset)))
    query = MetricsQuery(since=since, until=until, restaurant_id=data.draw(st.sampled_from([None, "r-1", "r-2"])))
    expected, actual = (store.measure(query) for store in stores)
    assert attrs.asdict(expected) == attrs.asdict(actual)
    expected_seen, actual_seen = (store.seen(query) for store in stores)
    assert expected_seen == actual_seen
    assert stores[0].alarms() == stores[1].alarms()
    expected_told, actual_told = (store.events_of(query, tuple(EventType)) for store in stores)
    assert expected_told == actual_told
    whole = MetricsQuery(since=query.since.replace(microsecond=0), until=until, restaurant_id=query.restaurant_id)
    width = data.draw(st.sampled_from([MINUTE, 5 * MINUTE]))
    expected_places, actual_places = (store.by_restaurant(whole) for store in stores)
    assert expected_places == actual_places
    expected_ran, actual_ran = (store.ran(query) for store in stores)
    assert expected_ran == actual_ran
    expected_book, actual_book = (
        store.book(attrs.evolve(query, until=START + dt.timedelta(days=30)), ("r-1", "r-2")) for store in stores
    )
    assert expected_book == actual_book
    expected_series, actual_series = (store.series(whole, width) for store in stores)
    assert [(b.start, b.outcomes, b.calls) for b in expected_series] == [
        (b.start, b.outcomes, b.calls) for b in actual_series
    ]
