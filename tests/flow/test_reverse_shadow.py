"""The reverse shadow: where the pipeline is in charge, legacy says what it would have done, and does nothing."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from assignment_pipeline import (
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    LegacyResult,
    Mode,
    Table,
    Venue,
    VenuePolicy,
    Weights,
)
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.domain.metrics import MetricsQuery
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.rollout.control import PHASES, Answer, StoreGates
from assignment_pipeline.rollout.report.headlines import headlines
from assignment_pipeline.rollout.shadow import Shadow, rerun
from assignment_pipeline.testing import FakeClock

BEGIN = dt.datetime(2031, 5, 5, 8, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
FLOOR = FloorPlan([Table("T1", 2), Table("T2", 4), Table("T3", 4), Table("T4", 8)])
NO_WEIGHTS = VenuePolicy(weights=Weights(waste=0, join=0, scarcity=0, gap=0), reseat="off")
"""A pipeline to which all tables are the same, and that moves nobody."""


def smallest(booking, taken):
    """The smallest table that is free and large enough: a planner that plans, and writes nothing."""
    others = {row.table_id for row in taken if row.window.overlaps(Venue("r-1", "UTC", FLOOR).turn(booking))}
    fitting = [table for table in FLOOR.tables if table.capacity >= booking.party_size and table.id not in others]
    return LegacyResult((min(fitting, key=lambda table: table.capacity).id,) if fitting else ())


def last(booking, taken):
    """Another one: the largest table, whoever sits there."""
    return LegacyResult(("T4",))


def house(policy=None):
    """A store with a restaurant."""
    store = MemoryStore(MemoryHost(Venue("r-1", "UTC", FLOOR, policy or VenuePolicy())), clock=FakeClock(BEGIN))
    store.revise(RolloutRevision(generation=1, phase="production-100", actor="anna"))
    return store


def in_charge(store, dry_run, **settings):
    """The pipeline, with legacy as the candidate."""
    shadow = Shadow(reverse=dry_run, **settings)
    patient = Settings(max_retries=0, reseat_budget=dt.timedelta(seconds=5))  # On a busy machine, too.
    options = {"settings": patient, "shadow": shadow, "clock": store.clock}
    return Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), **options)


def at(name, size, hour=19, day=0):
    """A booking."""
    return Booking(name, "r-1", size, BEGIN.replace(hour=hour) + day * DAY)


def told(store):
    """The verdicts."""
    return [event for event in store.events if event.source == "assignment.shadow"]


def kept(store, names):
    """All that was written of bookings, but for what names a call."""
    records = store.records(RecordQuery(booking_ids=names)).records
    return [(each.state, each.tables, each.version, each.owner, each.strategy) for each in records]


@pytest.mark.parametrize("dry_run", [smallest, last, lambda *_: 1 / 0, lambda *_: "T4", None])
def test_whatever_legacy_answers_the_assignment_is_the_same(dry_run):
    """It seats nobody, moves nobody, and no error of its own is seen."""
    bookings = [at("b-1", 2), at("b-2", 4), at("b-3", 4), at("b-4", 4), at("b-5", 4), at("b-6", 12)]
    answers, rows = [], []
    for reverse in (dry_run, None):
        store = house()
        with in_charge(store, reverse) as coordinator:
            made = [coordinator.assign(booking) for booking in bookings]
            assert coordinator.shadow.flush(20)
        answers.append([(each.outcome, each.reason, each.tables, each.moved, each.handled) for each in made])
        rows.append(kept(store, tuple(booking.id for booking in bookings)))
        assert len(told(store)) == (0 if reverse is None else 6)
    assert answers[0] == answers[1]
    assert rows[0] == rows[1]


def test_what_a_sweep_has_seated_together_is_held_against_legacy():
    """As what came by a call is."""
    store = house()
    bookings = [at("b-1", 2), at("b-2", 4), at("b-3", 8)]
    with in_charge(store, smallest) as coordinator:
        for booking in bookings:
            store.host.put_booking(booking)
            coordinator.enqueue(booking)
        store.clock.advance(dt.timedelta(minutes=2))
        assert all(each.tables for each in coordinator.sweep().results)
        assert coordinator.shadow.flush(20)
    assert sorted(event.booking_id for event in told(store)) == ["b-1", "b-2", "b-3"]
    assert {event.context["candidate"] for event in told(store)} == {"legacy"}


def test_a_verdict_says_who_was_the_candidate():
    """It is told and kept as the other direction is, and counted apart from it."""
    store = house()
    with in_charge(store, last) as coordinator:
        coordinator.assign(at("b-1", 2))
        assert coordinator.shadow.flush(20)
        coordinator.assign(at("b-2", 8, hour=12))
        assert coordinator.shadow.flush(20)
    one, other = told(store)
    assert (one.type, other.type) == ("shadow.mismatch", "shadow.match")
    said = one.context
    assert (said["mode"], said["candidate"], said["tables"], said["legacy_tables"]) == (
        "active",
        "legacy",
        ("T1",),
        ("T4",),
    )
    assert (said["better"], said["cost_difference"] < 0, said["outcome"]) == (True, True, "confirmed")
    (bundle,) = store.bundles()
    assert (bundle.candidate, bundle.kind, bundle.legacy_tables) == (Owner.LEGACY, "tables", ())
    again = rerun(store.bundle(bundle.id).document)
    assert (again.before, again.trial.tables, again.case.legacy.tables) == ("mismatch", ("T1",), ("T4",))

    store.clock.advance(dt.timedelta(hours=1))
    found = store.measure(MetricsQuery(since=BEGIN))
    assert (found.reverse.mismatch, found.reverse.better, found.reverse.match) == (1, 1, 1)
    assert found.agreement.comparable == 0
    assert {mode: (volume.told, volume.bookings) for mode, volume in found.volume.items()} == {Mode.ACTIVE: (2, 2)}
    assert list(found.calls) == [(Owner.PIPELINE, Mode.ACTIVE)]
    assert any("Legacy in reverse shadow would have done otherwise for 1 of 2" in line for line in headlines(found))


def test_legacy_sees_the_floor_without_the_booking():
    """And the tables that others have, with those who have them."""
    seen, store = {}, house()

    def look(booking, taken):
        seen[booking.id] = {(row.table_id, row.booking_id) for row in taken}
        return LegacyResult()

    with in_charge(store, look) as coordinator:
        for name in ("b-1", "b-2"):
            coordinator.assign(at(name, 2))
            assert coordinator.shadow.flush(20)
    assert seen == {"b-1": set(), "b-2": {("T1", "b-1")}}


def test_a_legacy_planner_that_hangs_keeps_nobody_waiting():
    """The assignment is answered before; at the deadline, the case is given up."""
    store, asked, go_on = house(), threading.Event(), threading.Event()

    def hang(booking, taken):
        asked.set()
        go_on.wait(20)
        return LegacyResult()

    with in_charge(store, hang, deadline=dt.timedelta(milliseconds=50)) as coordinator:
        assert coordinator.assign(at("b-1", 2)).tables
        assert asked.wait(20)
        assert coordinator.assign(at("b-2", 2)).tables
        assert coordinator.shadow.flush(20)
        go_on.set()
    assert "shadow.timeout" in {event.type for event in told(store)}
    found = store.measure(MetricsQuery(since=BEGIN, until=store.clock.now() + DAY)).reverse
    assert found.timeout > 0
    assert found.comparable == found.match + found.equivalent + found.mismatch
    assert found.rate in (None, 1.0)  # What legacy did not say is no fault of the pipeline's.


def test_only_what_is_settled_is_handed_over():
    """Neither where legacy is in charge, nor what waits, nor what was settled before; one by one and by the day."""
    asked, store = [], house()

    def look(booking, taken):
        asked.append(booking.id)
        return LegacyResult()

    for mode in (Mode.OFF, Mode.SHADOW, Mode.ACTIVE):
        shadow = Shadow(reverse=look)
        with Coordinator(
            store, flags=FixedFlags(mode), legacy=lambda _: LegacyResult(), sinks=(), shadow=shadow, clock=store.clock
        ) as coordinator:
            coordinator.assign(at("b-1", 2))
            coordinator.assign_many([at("b-2", 2), at("b-3", 40)])
            coordinator.assign(at("b-1", 2))
            assert coordinator.shadow.flush(20)
        assert asked == (["b-1", "b-2", "b-3"] if mode is Mode.ACTIVE else [])


def test_a_worker_asks_legacy_in_a_process_of_its_own():
    """The one that takes bookings writes the case down; legacy is called where the worker has its dry run."""
    store = house()
    with in_charge(store, last, runs="worker") as taking:
        taking.assign(at("b-1", 2))
        assert taking.shadow.flush(20)
    assert told(store) == []
    with in_charge(store, last) as working:
        assert working.shadow.work() == 1
    assert [event.type for event in told(store)] == ["shadow.mismatch"]
    with in_charge(store, last, runs="worker") as taking:
        taking.assign(at("b-2", 2))
        assert taking.shadow.flush(20)
    with in_charge(store, None) as working:
        assert working.shadow.work() == 1
    assert (told(store)[1].type, told(store)[1].context["kind"]) == ("shadow.legacy_error", "no_dry_run")


def evenings(policy, number):
    """What the gate of production-100 says of so many evenings of the pipeline's, with legacy in reverse shadow."""
    store = house(policy)
    sizes = (2, 2, 4, 4, 6, 2, 8)
    with in_charge(store, smallest) as coordinator:
        for day in range(number):
            for place, size in enumerate(sizes):
                coordinator.assign(at(f"b-{day}-{place}", size, hour=18, day=day))
            assert coordinator.shadow.flush(60)
            store.clock.advance(DAY)
        found = coordinator.shadow.compare_days()
        assert coordinator.shadow.compare_days() == ()
    store.clock.advance(dt.timedelta(minutes=1))
    verdicts = StoreGates(store)(PHASES["production-100"], BEGIN, store.clock.now())
    return found, {verdict.metric: verdict for verdict in verdicts}


def test_a_whole_evening_is_compared_with_legacy_on_a_floor_of_its_own():
    """A pipeline that does not care for its tables fails where it is in charge, too: legacy would have seated more."""
    days, verdicts = evenings(NO_WEIGHTS, 30)
    assert len(days) == 30
    assert {day.candidate for day in days} == {Owner.LEGACY}
    assert all(day.bookings == 7 and day.legacy.covers > 0 for day in days)
    covers = verdicts["closed_loop_covers"]
    assert (covers.answer, covers.sample) == (Answer.FAIL, 30), covers


def test_the_phase_asks_for_a_control_only_where_there_is_one():
    """A pipeline that is as good is held until enough days say so; without a reverse shadow, nothing is asked."""
    _, verdicts = evenings(VenuePolicy(), 2)
    assert verdicts["closed_loop_covers"].answer is Answer.HOLD
    without = StoreGates(house())(PHASES["production-100"], BEGIN - DAY, BEGIN)
    assert not {"closed_loop_covers", "closed_loop_parties"} & {verdict.metric for verdict in without}


def test_a_day_that_legacy_could_not_answer_for_is_not_compared():
    """That it seats nobody then is not its planning."""
    store = house()
    with in_charge(store, lambda *_: 1 / 0) as coordinator:
        coordinator.assign(at("b-1", 2))
        assert coordinator.shadow.flush(20)
        store.clock.advance(2 * DAY)
        assert coordinator.shadow.compare_days() == ()


def test_a_dry_run_has_to_answer_at_once():
    """A thread calls it: nobody would await what a coroutine has to say."""

    async def plan(booking, taken):
        return LegacyResult()

    for wrong in (plan, "plan"):
        with pytest.raises(InvalidValueError, match="reverse"):
            Shadow(reverse=wrong)


def test_a_case_survives_the_store():
    """What the pipeline answered is read again as it was written."""
    store = house()
    with in_charge(store, last, runs="worker") as taking:
        taking.assign(at("b-1", 2))
        assert taking.shadow.flush(20)
    (stored,) = store.claim_cases(5, for_=DAY)
    answer = stored.document["pipeline"]
    assert answer == {**answer, "outcome": "confirmed", "tables": ["T1"], "strategy": "optimal_fit", "moved": []}
