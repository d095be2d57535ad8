"""The assign flow over the reference adapters."""

from __future__ import annotations

import datetime as dt
import threading
import time

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    BookingNotFoundError,
    FloorPlan,
    LegacyResult,
    Mode,
    Occupied,
    Outcome,
    Reason,
    Settings,
    Table,
    TimeWindow,
    Venue,
    VenueNotFoundError,
    VenuePolicy,
    event_dispatcher,
)
from assignment_pipeline.adapters.memory import MemoryLockManager
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import (
    CommitUnknownError,
    LockManagerUnavailableError,
    SchemaMismatchError,
    StaleRecordError,
    StoreUnavailableError,
)
from assignment_pipeline.planning import costs
from assignment_pipeline.ports import Refused, Wanted
from assignment_pipeline.rollout.flags import FixedFlags

DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)


def fill(house, coordinator):
    """Take every table of the house, a day from now."""
    for name, size in (("F1", 2), ("F2", 2), ("F3", 4)):
        assert coordinator.assign(house.booking(name, size)).outcome is Outcome.CONFIRMED


def test_a_booking_gets_the_table_that_fits(house, coordinator):
    """Best fit, in one commit, with its whole way in the history."""
    result = coordinator.assign(house.booking(party_size=4))
    assert (result.outcome, result.reason, result.tables) == (Outcome.CONFIRMED, None, ("T3",))
    assert [str(change.trigger) for change in coordinator.history("B1")] == [
        "verify", "enqueue", "begin", "seat", "confirm",
    ]  # fmt: skip
    assert [change.version for change in coordinator.history("B1")] == [1, 2, 3, 4, 5]
    assert house.store.asked.count("commit") == 1
    assert house.host.booking(None, "B1").status == "confirmed"


def test_a_second_call_changes_nothing(house, coordinator):
    """What is settled is left alone, and its tables are told."""
    booking = house.booking()
    first = coordinator.assign(booking)
    again = coordinator.assign(booking)
    assert (again.outcome, again.reason, again.tables) == (Outcome.NOOP, Reason.TERMINAL_STATE, first.tables)
    assert house.record().version == 5


def test_a_changed_booking_is_pointed_out(house, coordinator):
    """Who assigns a settled booking that now asks for something else is told so."""
    coordinator.assign(house.booking(party_size=2))
    assert coordinator.assign(house.booking(party_size=4)).reason is Reason.BOOKING_CHANGED


def test_two_small_tables_are_joined(house, coordinator):
    """A party that no free table holds gets a combination."""
    coordinator.assign(house.booking("B0", 4))
    result = coordinator.assign(house.booking("B1", 4))
    assert result.tables == ("T1", "T2")
    assert result.record.strategy == "adjacency"


def test_no_fit_is_tried_again_and_then_a_persons(house):
    """The attempt and five retries, each later than the last, then review."""
    coordinator = house.coordinator()
    fill(house, coordinator)
    booking = house.booking("B1", 2)
    result = coordinator.assign(booking)
    attempts = 1
    while result.outcome is Outcome.RETRY:
        assert result.reason is Reason.NO_FIT
        assert dt.timedelta() <= result.retry_after <= min(30, 2 ** (attempts - 1)) * SECOND
        assert result.decision.turned_away == {"taken": 3}
        house.clock.advance(result.retry_after)
        result = coordinator.assign(booking)
        attempts += 1
    assert attempts == 6
    assert (result.outcome, result.reason, result.attempts) == (Outcome.MANUAL_REVIEW, Reason.NO_FIT, 6)
    assert [attempt.number for attempt in house.store.attempts("B1")] == [1, 2, 3, 4, 5, 6]


def test_an_automatic_call_waits_until_the_retry_is_due(house):
    """The database owns the schedule: a message that comes early does nothing."""
    coordinator = house.coordinator()
    fill(house, coordinator)
    booking = house.booking("B1", 2)
    result = coordinator.assign(booking)
    while not result.retry_after:
        result = coordinator.assign(booking)
    early = coordinator.assign(booking)
    assert (early.outcome, early.reason) == (Outcome.NOOP, Reason.NOT_DUE)
    assert dt.timedelta() < early.retry_after <= result.retry_after
    assert coordinator.assign(booking, trigger="manual").reason is Reason.NO_FIT


def test_close_to_the_arrival_a_person_is_asked_at_once(house):
    """Within the retry cutoff there is no time for another attempt."""
    coordinator = house.coordinator()
    soon = house.clock.now() + dt.timedelta(minutes=15)
    for name, size in (("F1", 2), ("F2", 2), ("F3", 4)):
        coordinator.assign(house.booking(name, size, start_at=soon))
    assert coordinator.assign(house.booking("B1", 2, start_at=soon)).outcome is Outcome.MANUAL_REVIEW


def test_a_proved_refusal_goes_to_a_person_at_once(house, coordinator):
    """Where what cannot be moved stands in the way, no retry would help."""
    booking = house.booking(party_size=4)
    window = house.venue.blocked(house.venue.turn(booking))
    for table in ("T1", "T3"):
        house.host.occupy("R1", Occupied(table_id=table, window=window, reason="legacy"))
    result = coordinator.assign(booking)
    assert (result.outcome, result.reason, result.attempts) == (Outcome.MANUAL_REVIEW, Reason.INFEASIBLE, 1)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"party_size": 9}, Reason.PARTY_TOO_LARGE),
        ({"zone": "attic"}, Reason.NO_SUCH_SEATING),
        ({"seating": "bar"}, Reason.NO_SUCH_SEATING),
        ({"accessible": True}, Reason.NO_SUCH_SEATING),
        ({"start_at": dt.datetime(2001, 1, 1, 19, tzinfo=dt.UTC)}, Reason.IN_PAST),
    ],
)
@pytest.mark.parametrize("impossible", ["review", "fail"])
def test_what_can_never_be_is_said_so(house, facts, reason, impossible):
    """A party that could not be seated in an empty house goes to a person, or fails, as configured."""
    coordinator = house.coordinator(settings=Settings(impossible=impossible))
    result = coordinator.assign(house.booking(**facts))
    assert result.outcome is (Outcome.MANUAL_REVIEW if impossible == "review" else Outcome.FAILED)
    assert result.reason is reason
    assert house.record().version == 1


@pytest.mark.parametrize("unused", [{"active": False}, {"offer": "staff"}], ids=str)
def test_no_party_is_too_large_where_no_table_is_given(house, unused):
    """Where all are out of use, or for the staff to give, size is not what is wrong."""
    tables = [attrs.evolve(table, **unused) for table in house.venue.floor.tables]
    house.host.put_venue(attrs.evolve(house.venue, floor=FloorPlan(tables)))
    assert house.coordinator().assign(house.booking(party_size=2)).reason is Reason.NO_SUCH_SEATING


@pytest.mark.parametrize("impossible", ["review", "fail"])
def test_large_parties_go_to_a_person_who_places_them(house, impossible):
    """Also where what can never be fails: the house wants to see them, and nothing is wrong with what a person does."""
    venue = attrs.evolve(house.venue, policy=VenuePolicy(review_from_party=4), version="reviews")
    house.host.put_venue(venue)
    coordinator = house.coordinator(settings=Settings(impossible=impossible))
    booking = house.booking(party_size=4)
    result = coordinator.assign(booking)
    assert (result.outcome, result.reason) == (Outcome.MANUAL_REVIEW, Reason.LARGE_PARTY)
    tables = result.decision.suggestion.tables
    placed = coordinator.place(booking, tables, actor="anna")
    assert (placed.outcome, placed.tables) == (Outcome.CONFIRMED, tables)
    assert coordinator.assign(house.booking("small", party_size=3)).outcome is Outcome.CONFIRMED


def test_off_runs_legacy_whatever_ails_the_store(house):
    """A broken store cannot break the off path, and what legacy did is in the result."""
    house.store.before = {name: [StoreUnavailableError("gone")] * 9 for name in ("load", "commit", "records")}
    legacy = []

    def plan(booking):
        legacy.append(booking.id)
        return LegacyResult(("T9",))

    coordinator = house.coordinator(flags=FixedFlags(Mode.OFF), legacy=plan)
    result = coordinator.assign(house.booking())
    assert (result.outcome, result.reason, result.tables) == (Outcome.NOOP, Reason.PIPELINE_DISABLED, ("T9",))
    assert result.legacy == LegacyResult(("T9",))
    assert result.handled
    assert legacy == ["B1"]
    assert house.store.asked == ["records"]
    assert house.told() == ["auto_assign.summary", "coordinator.error", "coordinator.noop"]


def test_off_without_legacy_hands_back(house):
    """The host is told to run its own legacy path."""
    result = house.coordinator(flags=FixedFlags(Mode.OFF)).assign(house.booking())
    assert (result.reason, result.handled) == (Reason.PIPELINE_DISABLED, False)


def test_what_legacy_raises_reaches_the_caller(house):
    """The very exception, and an event about it."""
    boom = RuntimeError("legacy is down")

    def plan(booking):
        raise boom

    coordinator = house.coordinator(flags=FixedFlags(Mode.OFF))
    with pytest.raises(RuntimeError) as caught:
        coordinator.assign(house.booking(), legacy=plan)
    assert caught.value is boom
    assert house.sink.events[0].context["result"] == "error"


def test_shadow_is_legacy_alone_and_says_so(house):
    """The pipeline writes no record; without a shadow to run, the reason does not pretend that there was one."""
    flags = FixedFlags(Mode.SHADOW)
    result = house.coordinator(flags=flags).assign(house.booking())
    assert (result.outcome, result.reason, result.handled) == (Outcome.NOOP, Reason.SHADOW, False)
    result = house.coordinator(flags=flags, shadow=None).assign(house.booking(), legacy=lambda _: LegacyResult(("T1",)))
    assert (result.outcome, result.reason, result.tables) == (Outcome.NOOP, Reason.SHADOW_UNAVAILABLE, ("T1",))
    assert house.record() is None


def test_by_id_the_host_is_asked(house, coordinator):
    """The form for queues; an id that nobody knows is a programming error."""
    house.booking("B1", 4)
    assert coordinator.assign_id("B1", "R1").tables == ("T3",)
    with pytest.raises(BookingNotFoundError):
        coordinator.assign_id("B2", "R1")
    with pytest.raises(VenueNotFoundError):
        coordinator.assign_id("B1", "R2")


def test_a_booking_that_the_host_has_settled_is_left_alone(house, coordinator):
    """Only what is pending gets tables."""
    result = coordinator.assign(house.booking(status="cancelled"))
    assert (result.outcome, result.reason) == (Outcome.NOOP, Reason.TERMINAL_STATE)
    assert house.record() is None


def test_a_booking_cancelled_at_the_host_alone_is_closed(house):
    """A host that forgot to tell does not leave the sweep with a booking for ever."""
    coordinator = house.coordinator()
    fill(house, coordinator)
    coordinator.assign(house.booking("B1", 2))
    booking = house.booking("B1", 2, status="cancelled")
    assert coordinator.assign(booking, trigger="manual").outcome is Outcome.NOOP
    assert house.record().state is AssignmentState.CANCELLED


def test_a_taken_table_is_planned_around(house, coordinator):
    """When somebody was faster, the next best tables are taken within the same call."""
    booking = house.booking(party_size=2)
    window = house.venue.blocked(house.venue.turn(booking))
    best = coordinator.preview(booking).plan.tables[0]
    faster = Occupied(table_id=best, window=window)
    house.store.before["commit"] = [lambda: house.host.occupy("R1", faster)]
    result = coordinator.assign(booking)
    assert result.outcome is Outcome.CONFIRMED
    assert result.tables != (best,)


def test_stale_views_are_loaded_again(house, coordinator):
    """A record that moved is read again; too much of that is a conflict, which uses up no attempt."""
    booking = house.booking()
    house.store.before["commit"] = [StaleRecordError("B1", "version")] * 2
    assert coordinator.assign(booking).outcome is Outcome.CONFIRMED
    other = house.booking("B2")
    house.store.before["commit"] = [StaleRecordError("B2", "version")] * 5
    result = coordinator.assign(other)
    assert (result.outcome, result.reason, result.retry_after) == (Outcome.RETRY, Reason.CONFLICT, 2 * SECOND)
    assert house.record("B2") is None


def test_the_host_wins_when_it_changes_the_booking_meanwhile(house, coordinator):
    """A party that grows between reading and committing is seated as it has become."""
    booking = house.booking(party_size=2)
    house.store.behind["load"] = [lambda: house.booking(party_size=4)]
    result = coordinator.assign(booking)
    assert result.tables == ("T3",)
    assert result.record.booking.party_size == 4


def test_a_lost_answer_is_looked_up(house, coordinator):
    """The commit landed and its answer was lost: the result is the same, and nothing is done twice."""
    house.store.behind["commit"] = [CommitUnknownError("cut")]
    assert coordinator.assign(house.booking()).outcome is Outcome.CONFIRMED
    assert house.record().version == 5


def test_a_lost_question_is_put_again(house, coordinator):
    """The commit did not land: it is done again."""
    house.store.before["commit"] = [CommitUnknownError("cut")]
    assert coordinator.assign(house.booking()).outcome is Outcome.CONFIRMED


def test_an_answer_that_cannot_be_looked_up_waits(house, coordinator):
    """Unreachable means retry; the next run reads what happened."""
    booking = house.booking()
    house.store.behind["commit"] = [CommitUnknownError("cut")]
    house.store.before["knows"] = [StoreUnavailableError("gone")]
    assert coordinator.assign(booking).reason is Reason.COMMIT_UNKNOWN
    assert coordinator.assign(booking).reason is Reason.TERMINAL_STATE


def test_an_outage_is_a_retry_and_opens_the_circuit(house, coordinator):
    """Five failures in a row, and the store is left alone for a second; then one call finds out how it is."""
    booking = house.booking()
    house.store.before["load"] = [StoreUnavailableError("gone")] * 6
    for _ in range(5):
        result = coordinator.assign(booking)
        assert (result.outcome, result.reason) == (Outcome.RETRY, Reason.STORE_UNAVAILABLE)
    asked = len(house.store.asked)
    result = coordinator.assign(booking)
    assert (result.reason, result.retry_after) == (Reason.CIRCUIT_OPEN, SECOND)
    assert len(house.store.asked) == asked
    house.clock.advance(SECOND)
    assert coordinator.assign(booking).reason is Reason.STORE_UNAVAILABLE
    assert coordinator.assign(booking).reason is Reason.CIRCUIT_OPEN
    house.clock.advance(SECOND)
    assert coordinator.assign(booking).outcome is Outcome.CONFIRMED


def test_a_rollout_that_moves_on_is_asked_again(house):
    """What was decided under an older generation is refused at its commit, and decided anew under the new one."""
    modes = [Mode.ACTIVE]

    class Flags:
        def resolve(self, restaurant_id):
            return FixedFlags(modes[-1]).resolve(restaurant_id)

    def move_on():
        house.store.revise(RolloutRevision(generation=1))
        modes.append(Mode.OFF)

    house.store.behind["load"] = [move_on]
    result = house.coordinator(flags=Flags()).assign(house.booking())
    assert result.reason is Reason.PIPELINE_DISABLED
    assert house.record() is None


def test_a_held_booking_is_somebody_elses(house):
    """Another worker is at it: nothing is done."""
    locks = MemoryLockManager(house.clock)
    locks.acquire([Wanted("booking:B1")], ttl=30 * SECOND)
    coordinator = house.coordinator(locks=locks)
    result = coordinator.assign(house.booking())
    assert (result.outcome, result.reason) == (Outcome.NOOP, Reason.LOCK_CONTENTION)
    assert house.told() == ["coordinator.lock_contention"]
    house.clock.advance(30 * SECOND)
    assert coordinator.assign(house.booking()).outcome is Outcome.CONFIRMED
    assert not isinstance(locks.acquire([Wanted("booking:B1")], ttl=SECOND), Refused)


def test_a_busy_restaurant_is_asked_again_later(house):
    """The restaurant's limit bounds what is done there at a time."""
    limiter = MemoryLockManager(house.clock)
    for _ in range(3):
        limiter.acquire([Wanted("restaurant:R1", slots=3)], ttl=30 * SECOND)
    result = house.coordinator(limiter=limiter).assign(house.booking())
    assert (result.outcome, result.reason, result.retry_after) == (Outcome.RETRY, Reason.RATE_LIMITED, 2 * SECOND)


def test_without_locks_it_goes_on(house):
    """A lock manager that is down costs an event, and nothing else."""

    class Down:
        def acquire(self, wanted, *, ttl):
            raise LockManagerUnavailableError("down")

        def release(self, leases):
            raise AssertionError

    assert house.coordinator(locks=Down()).assign(house.booking()).outcome is Outcome.CONFIRMED
    assert "coordinator.lock_unavailable" in house.told()


def test_a_release_that_fails_is_counted(house):
    """The result does not suffer."""

    class Sticky(MemoryLockManager):
        def release(self, leases):
            raise RuntimeError("sticky")

    coordinator = house.coordinator(locks=Sticky(house.clock))
    assert coordinator.assign(house.booking()).outcome is Outcome.CONFIRMED
    assert coordinator.lost_releases == 1


def test_a_strategy_that_raises_is_skipped_and_named(house):
    """The planning goes on without it, and an event says so."""

    class Broken:
        name = "broken"

        def weigh(self, request, seating, floor):
            raise ZeroDivisionError

    result = house.coordinator(strategies=(Broken(),)).assign(house.booking())
    assert result.outcome is Outcome.CONFIRMED
    assert result.decision.faults == ("broken",)
    faults = [event for event in house.sink.events if event.context.get("strategy") == "broken"]
    assert [event.type.value for event in faults] == ["coordinator.error"]


def test_a_sink_that_raises_costs_nothing(house):
    """What it was to be told is counted."""

    class Broken:
        inline = True

        def emit(self, events):
            raise RuntimeError("full")

    coordinator = house.coordinator(sinks=(Broken(), house.sink))
    assert coordinator.assign(house.booking()).outcome is Outcome.CONFIRMED
    assert coordinator.failed_events == len(house.sink.events)


def test_a_slow_sink_is_never_waited_for(house, monkeypatch):
    """It is fed behind a bounded queue; what does not fit is dropped and counted."""
    gate = threading.Event()
    told = []

    class Slow:
        def emit(self, events):
            gate.wait()
            told.extend(events)

    coordinator = house.coordinator(sinks=(Slow(),))
    monkeypatch.setattr("assignment_pipeline.event_dispatcher._CAPACITY", 1)
    for number in range(4):
        coordinator.assign(house.booking(f"B{number}", 2, start_at=house.clock.now() + number * DAY + DAY))
    assert coordinator.dropped_events > 0
    gate.set()
    assert coordinator.flush(10)
    assert told


def test_a_sink_that_never_comes_back_holds_up_nobody(house, monkeypatch, caplog):
    """Flushing and closing end, a log line names the sink, what it missed is counted, and the next calls work."""
    monkeypatch.setattr(event_dispatcher, "PATIENCE", 0.2)
    gate = threading.Event()

    class Lost:
        def emit(self, events):
            gate.wait(60)

    coordinator = house.coordinator(sinks=(Lost(), house.sink))
    for number in range(2):
        for name in ("first", "second"):
            later = house.clock.now() + (1 + number) * DAY
            assert coordinator.assign(house.booking(f"{name}-{number}", 2, start_at=later)).tables
        assert not coordinator.flush()
        coordinator.sweep()
        coordinator.close()
        assert "event sink Lost has not come back" in caplog.messages[-1]
    assert coordinator.dropped_events > 0
    gate.set()


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_a_strategy_that_proposes_without_end_is_skipped_and_named(house, monkeypatch, pause):
    """Whether it goes fast or slowly: the planning goes on without it, and an event says so."""
    monkeypatch.setattr(costs, "PROPOSING", 0.2)

    class Endless:
        name = "endless"

        def propose(self, request, floor):
            while True:
                time.sleep(pause)
                yield floor.seating("T1")

        def weigh(self, request, seating, floor):
            return 0.0

    coordinator = house.coordinator(strategies=(Endless(),))
    result = coordinator.assign(house.booking())
    assert result.outcome is Outcome.CONFIRMED
    assert result.decision.faults == ("endless",)
    faults = [event for event in house.sink.events if event.context.get("strategy") == "endless"]
    assert [event.type.value for event in faults] == ["coordinator.error"]
    assert coordinator.flush()
    coordinator.sweep()


def test_events_tell_the_whole_story_once(house, coordinator):
    """Start, every transition, the outcome: in the sink and with the commit, each once, without the guest's own."""
    coordinator.assign(house.booking(attributes={"name": "Guest 12"}))
    assert house.told() == [
        "coordinator.start", *["booking.assignment_state_transition"] * 5, "coordinator.confirmed",
    ]  # fmt: skip
    assert [event.id for event in house.sink.events] == [event.id for event in house.store.events]
    assert len({event.id for event in house.sink.events}) == 7
    assert "Guest" not in repr(house.sink.events)


def test_replay_makes_the_past_new(house):
    """For days gone by: no arrival is in the past, and no retry has to be waited for."""
    coordinator = house.coordinator(settings=Settings(replay=True))
    past = dt.datetime(2001, 1, 1, 19, tzinfo=dt.UTC)
    for name, size in (("F1", 2), ("F2", 2), ("F3", 4)):
        assert coordinator.assign(house.booking(name, size, start_at=past)).outcome is Outcome.CONFIRMED
    booking = house.booking("B1", 2, start_at=past)
    outcomes = [coordinator.assign(booking).outcome for _ in range(7)]
    assert outcomes == [*[Outcome.RETRY] * 5, Outcome.MANUAL_REVIEW, Outcome.NOOP]


def test_where_the_schema_does_not_fit_legacy_carries_on(house):
    """The pipeline disables itself and says so."""
    house.store.before["load"] = [SchemaMismatchError("day.db", "schema 2", "schema 1")]
    result = house.coordinator().assign(house.booking())
    assert (result.outcome, result.reason, result.handled) == (Outcome.NOOP, Reason.RUNTIME_DISABLED, False)
    mismatch = SchemaMismatchError("day.db", "schema 2", "schema 1")
    house.store.before = {name: [mismatch] * 9 for name in ("load", "records", "booking")}
    for coordinator in (house.coordinator(), house.coordinator(legacy=lambda booking: LegacyResult(("T9",)))):
        assert coordinator.assign_id("B1", "R1").reason is Reason.RUNTIME_DISABLED
        assert coordinator.enqueue(house.booking()) is None
        assert coordinator.cancel("B1").reason is Reason.RUNTIME_DISABLED


def test_buffers_keep_parties_apart(house):
    """The blocked window counts, not the turn alone."""
    policy = VenuePolicy(post_buffer_minutes=15, reseat="off")
    house.host.put_venue(Venue("R1", "Europe/London", FloorPlan((Table("T1", 2),)), policy))
    coordinator = house.coordinator()
    first = coordinator.assign(house.booking("B1")).record.allocation
    assert first.blocked == TimeWindow(first.turn.start, first.turn.end + dt.timedelta(minutes=15))
    assert coordinator.assign(house.booking("B2", start_at=first.turn.end)).outcome is Outcome.RETRY
    assert coordinator.assign(house.booking("B3", start_at=first.blocked.end)).outcome is Outcome.CONFIRMED
