"""Where the pipeline is switched off under bookings in flight: each goes to legacy, once, whatever crashes."""

from __future__ import annotations

import contextlib
import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    BookingNotFoundError,
    EnvFlags,
    LegacyResult,
    Mode,
    Outcome,
    Reason,
    Settings,
    StoreUnavailableError,
)
from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.adoption import LegacySeat
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import CommitUnknownError, SchemaMismatchError
from assignment_pipeline.rollout.flags import FixedFlags, StoreFlags

OFF = FixedFlags(Mode.OFF)
MINUTE = dt.timedelta(minutes=1)
TIMEOUT = Settings().handover_timeout
T1 = LegacyResult(("T1",))


class Legacy:
    """A planner that the pipeline replaces, and that counts its calls."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    def __call__(self, booking):
        self.calls.append(booking.id)
        answer = self.answers.pop(0)
        if callable(answer):
            return answer()
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def waiting(house, coordinator):
    """A booking that the pipeline has taken on and not seated, due."""
    booking = house.booking()
    coordinator.enqueue(booking)
    house.clock.advance(MINUTE)
    return booking


def steps(house, name="B1"):
    """The triggers and reasons of a booking's history."""
    return [(row.trigger.value, row.reason) for row in house.store.history(name)]


# -- In assign ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_it_is_written_before_legacy_is_called(house, waiting, mode):
    """Legacy meets a record that is its own, whose time to answer runs; its tables are a second commit."""
    seen = []

    def plan(booking):
        seen.append(house.record())
        return T1

    result = house.coordinator(flags=FixedFlags(mode), legacy=plan).assign(waiting)
    (handed,) = seen
    assert (handed.owner, handed.state) == (Owner.LEGACY, AssignmentState.ASSIGNMENT_IN_PROGRESS)
    assert handed.next_attempt_at == house.clock.now() + TIMEOUT
    assert (result.outcome, result.reason, result.legacy, result.tables) == (Outcome.CONFIRMED, None, T1, ("T1",))
    record = house.record()
    assert (record.owner, record.state, record.strategy) == (Owner.LEGACY, AssignmentState.CONFIRMED, "legacy")
    assert (record.tables, record.next_attempt_at) == (("T1",), None)
    assert steps(house) == [
        ("verify", None),
        ("enqueue", None),
        ("begin", "handed_over"),
        ("seat", None),
        ("confirm", None),
    ]
    assert "coordinator.handed_over" in house.told()
    moves = [event for event in house.store.events if event.source == "assignment.state_machine"]
    assert all(event.context.get("mode") != "shadow" for event in moves)  # Those are what a shadow would have done.
    assert house.host.booking(None, "B1").status == "confirmed"


def test_by_id_too(house, waiting):
    """The form for queues."""
    legacy = Legacy(T1)
    result = house.coordinator(flags=OFF, legacy=legacy).assign_id("B1", "R1")
    assert (result.outcome, legacy.calls) == (Outcome.CONFIRMED, ["B1"])


def test_legacy_is_given_what_was_written_down(house, waiting):
    """The host moves the booking to another time while it is handed over: its tables are for that time."""
    later, seen = attrs.evolve(waiting, start_at=waiting.start_at + 2 * TIMEOUT), []
    house.store.before["commit"] = [lambda: house.host.put_booking(later)]

    def plan(booking):
        seen.append((booking.start_at, booking.attributes))
        return T1

    passed = attrs.evolve(waiting, attributes={"vip": True})
    result = house.coordinator(flags=OFF, legacy=plan).assign(passed)
    record = house.record()
    assert (result.outcome, seen) == (Outcome.CONFIRMED, [(later.start_at, {"vip": True})])
    assert record.booking.start_at == record.allocation.turn.start == later.start_at


def test_its_tables_count_as_taken_and_are_not_moved(house, waiting, coordinator):
    """Once the pipeline is back, it plans around them."""
    house.coordinator(flags=OFF, legacy=Legacy(T1)).assign(waiting)
    tables = [coordinator.assign(house.booking(name, 2)).tables for name in ("B2", "B3", "B4")]
    assert tables == [("T2",), ("T3",), ()]
    assert house.record().tables == ("T1",)


def test_where_legacy_finds_nothing_a_person_is_asked(house, waiting):
    """It is not called again, by whoever asks."""
    legacy = Legacy(LegacyResult())
    off = house.coordinator(flags=OFF, legacy=legacy)
    result = off.assign(waiting)
    assert (result.outcome, result.reason) == (Outcome.MANUAL_REVIEW, Reason.LEGACY_EXHAUSTED)
    again = off.assign(waiting)
    assert (again.outcome, again.reason, again.handled) == (Outcome.NOOP, Reason.OWNED_BY_LEGACY, True)
    assert [record.booking_id for record in off.review_queue().records] == ["B1"]
    assert legacy.calls == ["B1"]


def test_what_legacy_raises_passes_through_and_a_person_is_asked(house, waiting):
    """The very exception."""
    boom = RuntimeError("legacy is down")
    with pytest.raises(RuntimeError) as caught:
        house.coordinator(flags=OFF, legacy=Legacy(boom)).assign(waiting)
    assert caught.value is boom
    assert (house.record().state, house.record().reason) == (AssignmentState.MANUAL_REVIEW, "legacy_error")


def test_without_a_planner_the_host_runs_its_own(house, waiting):
    """It is handed over all the same, and `adopt` tells what came of it."""
    off = house.coordinator(flags=OFF)
    result = off.assign(waiting)
    assert (result.reason, result.handled) == (Reason.HANDED_OVER, False)
    assert house.record().owner is Owner.LEGACY
    assert off.assign(waiting).handled  # Whoever asks next is not told to run it once more.
    assert off.adopt([LegacySeat(waiting, ("T2",))]).adopted == ("B1",)
    assert (house.record().state, house.record().tables) == (AssignmentState.CONFIRMED, ("T2",))


def test_legacy_is_not_called_before_it_is_sure_that_that_is_written(house, waiting):
    """Neither where the commit fails, nor where nobody knows whether it landed."""
    legacy = Legacy(T1)
    off = house.coordinator(flags=OFF, legacy=legacy)
    house.store.before["commit"] = [StoreUnavailableError("gone")]
    assert off.assign(waiting).reason is Reason.STORE_UNAVAILABLE
    house.store.behind["commit"] = [CommitUnknownError("lost")]
    house.store.before["knows"] = [StoreUnavailableError("gone")]
    assert off.assign(waiting).reason is Reason.COMMIT_UNKNOWN
    assert legacy.calls == []
    assert house.record().owner is Owner.LEGACY  # It had landed.
    assert off.assign(waiting).reason is Reason.OWNED_BY_LEGACY
    house.clock.advance(TIMEOUT)
    (result,) = off.sweep().results
    assert (result.outcome, result.reason, legacy.calls) == (Outcome.MANUAL_REVIEW, Reason.HANDOVER_TIMEOUT, [])


def test_a_lost_answer_that_is_found_again_goes_on(house, waiting):
    """The look-up says that the handover landed: legacy is called, once."""
    legacy = Legacy(T1)
    house.store.behind["commit"] = [CommitUnknownError("lost")]
    result = house.coordinator(flags=OFF, legacy=legacy).assign(waiting)
    assert (result.outcome, legacy.calls) == (Outcome.CONFIRMED, ["B1"])


def test_what_the_pipeline_has_seated_is_not_seated_again(house, coordinator):
    """Its tables stay given, and legacy is not called; for a change the host is told to see to it."""
    booking = house.booking()
    coordinator.assign(booking)
    off = house.coordinator(flags=OFF, legacy=Legacy())
    result = off.assign(booking)
    assert (result.outcome, result.reason, result.tables) == (Outcome.NOOP, Reason.TERMINAL_STATE, ("T1",))
    result = off.reassign(attrs.evolve(booking, party_size=4))
    assert (result.outcome, result.reason, result.handled) == (Outcome.NOOP, Reason.BOOKING_CHANGED, False)


def test_holds_drain(house):
    """What waits for a confirmation is confirmed, wherever the flags stand."""
    settings = Settings(confirmation="external")
    booking = house.booking()
    house.coordinator(settings=settings).assign(booking)
    off = house.coordinator(settings=settings, flags=OFF, legacy=Legacy())
    result = off.assign(booking)
    assert (result.outcome, result.tables) == (Outcome.ASSIGNED, ("T1",))
    assert off.confirm("B1").outcome is Outcome.CONFIRMED


def test_an_expired_hold_is_released_and_handed_over(house):
    """Where another would follow; else it fails, as ever."""
    settings = Settings(confirmation="external", max_holds=2)
    house.coordinator(settings=settings).assign(house.booking())
    house.clock.advance(settings.hold_ttl)
    legacy = Legacy(lambda: (seen.append(house.record()), LegacyResult(("T2",)))[1])
    seen = []
    (result,) = house.coordinator(settings=settings, flags=OFF, legacy=legacy).sweep().results
    assert (seen[0].owner, seen[0].tables, seen[0].holds) == (Owner.LEGACY, (), 1)
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T2",))


def test_what_the_host_has_cancelled_is_not_handed_over(house, waiting):
    """Nobody calls legacy for a guest who has cancelled."""
    house.host.put_booking(attrs.evolve(waiting, status="cancelled"))
    result = house.coordinator(flags=OFF, legacy=Legacy()).assign_id("B1", "R1")
    assert (result.outcome, result.reason) == (Outcome.NOOP, Reason.TERMINAL_STATE)
    assert house.record().state is AssignmentState.CANCELLED


def test_what_has_failed_with_us_is_legacys_as_ever(house, coordinator):
    """Whoever calls after a rollback has it tried by the planner that is in charge."""
    booking = house.booking(party_size=50)
    assert house.coordinator(settings=Settings(impossible="fail")).assign(booking).outcome is Outcome.FAILED
    result = house.coordinator(flags=OFF, legacy=Legacy(T1)).assign(booking)
    assert (result.reason, result.tables) == (Reason.PIPELINE_DISABLED, ("T1",))


@pytest.mark.parametrize(
    "ails", [StoreUnavailableError("gone"), SchemaMismatchError("db", "1", "none"), ZeroDivisionError()]
)
def test_whatever_ails_the_store_legacy_runs(house, ails):
    """Also where nobody can say whether it is in flight: no booking waits for a broken store."""
    house.store.before["records"] = [ails] * 9
    legacy = Legacy(T1)
    assert house.coordinator(flags=OFF, legacy=legacy).assign(house.booking()).tables == ("T1",)
    assert legacy.calls == ["B1"]


def test_where_the_pipeline_was_never_in_charge_the_store_is_not_asked(house):
    """Nothing of its can be in flight then: legacy runs as if there were nothing. Else it is looked at once."""
    rollout = MemoryStore(house.host)  # Apart, for the flags ask their store all the time.
    for settings in ({}, {"shadow": True}):
        if settings:
            rollout.revise(RolloutRevision(generation=1, settings=settings))
        flags = StoreFlags(rollout)
        flags.refresh_now()
        flags.close()  # Its thread asks, too.
        house.store.asked.clear()
        off = house.coordinator(flags=flags, legacy=Legacy(T1), shadow=None)
        assert off.assign(house.booking()).tables == ("T1",)
        assert house.store.asked == []
    house.coordinator(flags=EnvFlags({}), legacy=Legacy(T1)).assign(house.booking())
    assert house.store.asked == ["records", "booking"]


def test_while_the_circuit_is_open_the_store_is_not_even_asked(house):
    """A store that hangs costs legacy a few calls, not all."""
    house.store.before["records"] = [StoreUnavailableError("gone")] * 9
    off = house.coordinator(flags=OFF, legacy=Legacy(*[T1] * 9))
    for number in range(9):
        off.assign(house.booking(f"B{number}"))
    assert len(house.store.asked) == 5


class Moving:
    """Flags that move."""

    now = OFF

    def resolve(self, restaurant_id):
        return self.now.resolve(restaurant_id)


def test_the_rollout_may_move_meanwhile(house, waiting):
    """Where the pipeline is in charge again by the time of the commit, it is not handed over."""
    flags, legacy = Moving(), Legacy(T1)

    def moves():
        house.store.revise(RolloutRevision(generation=house.store.generation + 1))
        flags.now = FixedFlags(Mode.ACTIVE)

    house.store.before["commit"] = [moves]
    result = house.coordinator(flags=flags, legacy=legacy).assign(waiting)
    assert (result.outcome, result.mode, legacy.calls) == (Outcome.CONFIRMED, Mode.ACTIVE, [])
    assert house.record().owner is Owner.PIPELINE


# -- In the sweep -------------------------------------------------------------------------------------------------


def test_the_sweep_hands_over(house, waiting):
    """Whoever waits, once."""
    legacy = Legacy(T1)
    off = house.coordinator(flags=OFF, legacy=legacy)
    (result,) = off.sweep().results
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T1",))
    house.clock.advance(10 * TIMEOUT)
    assert off.sweep().results == ()
    assert legacy.calls == ["B1"]


def test_without_a_planner_the_sweep_asks_a_person(house, waiting):
    """Nobody waits for an answer that nobody will give."""
    (result,) = house.coordinator(flags=OFF).sweep().results
    assert (result.outcome, result.reason) == (Outcome.MANUAL_REVIEW, Reason.PIPELINE_DISABLED)
    assert house.record().owner is Owner.PIPELINE


def test_what_legacy_raises_is_in_the_report(house, waiting):
    """And the others are seen to."""
    house.coordinator().enqueue(house.booking("B2"))
    house.clock.advance(MINUTE)
    report = house.coordinator(flags=OFF, legacy=Legacy(ValueError("x"), T1)).sweep()
    assert report.errors == (("B1", "ValueError"),)
    assert [result.outcome for result in report.results] == [Outcome.CONFIRMED]


class KilledError(BaseException):
    """The worker is no more."""


@pytest.mark.parametrize("active_again", [False, True])
def test_a_worker_that_is_killed_at_legacy_ends_in_review(house, waiting, active_again):
    """There is one handover and one call, whichever way the flags stand when the time is over."""
    legacy = Legacy(KilledError())
    with pytest.raises(KilledError):
        house.coordinator(flags=OFF, legacy=legacy).assign(waiting)
    house.clock.advance(TIMEOUT - MINUTE)
    sweeper = house.coordinator(flags=FixedFlags(Mode.ACTIVE if active_again else Mode.OFF), legacy=legacy)
    assert sweeper.sweep().results == ()
    house.clock.advance(MINUTE)
    (result,) = sweeper.sweep().results
    assert (result.outcome, result.reason) == (Outcome.MANUAL_REVIEW, Reason.HANDOVER_TIMEOUT)
    assert sweeper.assign(waiting).reason is Reason.OWNED_BY_LEGACY
    assert legacy.calls == ["B1"]


def test_a_worker_killed_before_legacy_ends_in_review_too(house, waiting):
    """Nobody knows whether legacy was called, so nobody calls it."""

    def dies():
        raise KilledError

    legacy = Legacy()
    house.store.behind["commit"] = [dies]
    with pytest.raises(KilledError):
        house.coordinator(flags=OFF, legacy=legacy).assign(waiting)
    house.clock.advance(TIMEOUT)
    (result,) = house.coordinator(flags=OFF, legacy=legacy).sweep().results
    assert (result.reason, legacy.calls) == (Reason.HANDOVER_TIMEOUT, [])


def test_what_the_host_says_by_then_counts(house, waiting):
    """Legacy has seated it in the host's rows, and only the second commit is missing: no person is bothered."""
    with pytest.raises(KilledError):
        house.coordinator(flags=OFF, legacy=Legacy(KilledError())).assign(waiting)
    house.host.put_booking(attrs.evolve(waiting, status="confirmed"))
    house.clock.advance(TIMEOUT)
    (result,) = house.coordinator(flags=OFF).sweep().results
    assert (result.outcome, result.reason) == (Outcome.NOOP, Reason.TERMINAL_STATE)
    record = house.record()
    assert (record.owner, record.next_attempt_at) == (Owner.LEGACY, None)


def test_a_late_answer_ends_the_review(house, waiting):
    """A slow legacy was asked once, and what it did is so."""

    def slow():
        house.clock.advance(TIMEOUT)
        assert house.coordinator(flags=OFF).sweep().results[0].reason is Reason.HANDOVER_TIMEOUT
        return T1

    result = house.coordinator(flags=OFF, legacy=Legacy(slow)).assign(waiting)
    assert (result.outcome, house.record().tables) == (Outcome.CONFIRMED, ("T1",))


def test_an_answer_that_nobody_waits_for_any_more_is_told(house, waiting):
    """A person has decided meanwhile, and that stands."""

    def overtaken():
        house.coordinator(flags=OFF).place(waiting, ("T3",), actor="anna")
        return T1

    result = house.coordinator(flags=OFF, legacy=Legacy(overtaken)).assign(waiting)
    assert (result.outcome, result.reason, result.legacy) == (Outcome.NOOP, Reason.HANDED_OVER, T1)
    assert (house.record().owner, house.record().tables) == (Owner.PIPELINE, ("T3",))
    (told,) = [event for event in house.sink.events if event.context.get("reason") == "legacy_too_late"]
    assert told.severity == "error"


def test_an_answer_of_another_handover_does_not_count(house, waiting):
    """Taken over and handed over again, it is a new case."""

    def overtaken():
        house.clock.advance(house.coordinator().settings.handover_timeout)
        house.coordinator(legacy=None).takeover("B1", actor="anna")
        house.coordinator(flags=OFF).assign(waiting)
        return T1

    result = house.coordinator(flags=OFF, legacy=Legacy(overtaken)).assign(waiting)
    assert (result.reason, house.record().state) == (Reason.HANDED_OVER, AssignmentState.ASSIGNMENT_IN_PROGRESS)


def test_an_answer_that_cannot_be_written_reaches_the_caller(house, waiting):
    """The host is asked in time."""
    off = house.coordinator(flags=OFF, legacy=Legacy(T1))
    house.store.before["commit"] = [lambda: None, StoreUnavailableError("gone")]
    result = off.assign(waiting)
    assert (result.outcome, result.reason, result.tables) == (Outcome.NOOP, Reason.HANDED_OVER, ("T1",))
    assert house.record().state is AssignmentState.ASSIGNMENT_IN_PROGRESS


def test_an_answer_that_nobody_can_read_passes_through(house, waiting):
    """What came of it, the host says."""
    result = house.coordinator(flags=OFF, legacy=Legacy("T1")).assign(waiting)
    assert (result.reason, result.legacy) == (Reason.HANDED_OVER, "T1")
    assert house.record().state is AssignmentState.ASSIGNMENT_IN_PROGRESS


def test_tables_that_legacy_gave_away_twice_are_conflicted(house, waiting, coordinator):
    """They are taken for whoever comes later, though another has them."""
    coordinator.place(house.booking("B2"), ("T1",), actor="anna")
    house.coordinator(flags=OFF, legacy=Legacy(T1)).assign(waiting)
    record = house.record()
    assert (record.tables, record.allocation.conflicted, house.record("B2").tables) == (("T1",), True, ("T1",))
    coordinator.cancel("B2")
    assert coordinator.assign(house.booking("B3", 2)).tables == ("T2",)


def test_legacy_without_tables_to_tell(house, waiting):
    """It has seated the booking, and where is its own affair; so are tables that are not on the floor."""
    off = house.coordinator(flags=OFF, legacy=Legacy(LegacyResult((), "succeeded"), LegacyResult(("T99",))))
    result = off.assign(waiting)
    assert (result.outcome, house.record().allocation) == (Outcome.CONFIRMED, None)
    house.coordinator().enqueue(house.booking("B2"))
    house.clock.advance(MINUTE)
    (result,) = off.sweep().results
    assert (result.outcome, result.tables, house.record("B2").tables) == (Outcome.CONFIRMED, ("T99",), ())


# -- Drain --------------------------------------------------------------------------------------------------------

DRAIN = Settings(in_flight="drain")


def test_drained_the_pipeline_finishes_them(house, waiting):
    """By a call or by the sweep; new bookings are legacy's."""
    house.coordinator().enqueue(house.booking("B2"))
    house.clock.advance(MINUTE)
    legacy = Legacy(T1)
    off = house.coordinator(flags=OFF, settings=DRAIN, legacy=legacy)
    assert (off.assign(waiting).outcome, house.record().owner) == (Outcome.CONFIRMED, Owner.PIPELINE)
    (result,) = off.sweep().results
    assert (result.booking_id, result.outcome) == ("B2", Outcome.CONFIRMED)
    assert off.assign(house.booking("B3")).reason is Reason.PIPELINE_DISABLED
    assert legacy.calls == ["B3"]


def test_what_has_come_of_it_meanwhile_is_not_drained(house, waiting):
    """Only what waits is the pipeline's to finish: a change of what is in review by now is not."""
    off = house.coordinator(flags=OFF, settings=DRAIN)
    too_many = house.booking("B1", 50)
    house.store.behind["records"] = [lambda: house.coordinator().assign_id("B1", "R1")]
    result = off.reassign(attrs.evolve(too_many, party_size=2))
    assert (result.outcome, result.reason) == (Outcome.NOOP, Reason.BOOKING_CHANGED)
    assert house.record().state is AssignmentState.MANUAL_REVIEW


def test_drained_holds_end_as_ever(house):
    """The next attempt is the pipeline's."""
    settings = Settings(confirmation="external", max_holds=2, in_flight="drain")
    house.coordinator(settings=settings).assign(house.booking())
    house.clock.advance(settings.hold_ttl)
    off = house.coordinator(settings=settings, flags=OFF, legacy=Legacy())
    assert off.sweep().results[0].reason is Reason.HOLD_EXPIRED
    assert off.sweep().results[0].outcome is Outcome.ASSIGNED


# -- Takeover -----------------------------------------------------------------------------------------------------


def test_switching_on_again_takes_nothing_back(house, waiting, coordinator):
    """`takeover` does: the booking waits, due at once, and the pipeline seats it."""
    house.coordinator(flags=OFF, legacy=Legacy(LegacyResult())).assign(waiting)
    assert coordinator.sweep().results == ()
    result = coordinator.takeover("B1", actor="anna")
    assert (result.outcome, result.reason) == (Outcome.RETRY, Reason.TAKEN_OVER)
    assert house.store.history("B1")[-1].actor == "anna"
    (result,) = coordinator.sweep().results
    assert (result.outcome, house.record().owner) == (Outcome.CONFIRMED, Owner.PIPELINE)


def test_what_is_taken_back_has_all_its_attempts_before_it(house):
    """The retries from before legacy do not count: where nothing is free, nobody is asked before another try."""
    coordinator = house.coordinator(settings=Settings(max_retries=1))
    for number in range(3):
        coordinator.assign(house.booking(f"F{number}"))
    assert coordinator.assign(house.booking()).outcome is Outcome.RETRY
    house.clock.advance(MINUTE)
    house.coordinator(flags=OFF, legacy=Legacy(LegacyResult())).sweep()
    coordinator.takeover("B1", actor="anna")
    assert [result.outcome for result in coordinator.sweep().results] == [Outcome.RETRY]


def test_a_confirmed_one_keeps_its_tables(house, waiting, coordinator):
    """And is the pipeline's from then on: it can be pinned, and moved."""
    house.coordinator(flags=OFF, legacy=Legacy(T1)).assign(waiting)
    assert coordinator.pin("B1", actor="anna").reason is Reason.OWNED_BY_LEGACY
    result = coordinator.takeover("B1", actor="anna")
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T1",))
    assert coordinator.pin("B1", actor="anna").reason is Reason.PINNED


@pytest.mark.parametrize("answer", [LegacyResult((), "succeeded"), KilledError()])
def test_from_wherever_it_stands(house, waiting, coordinator, answer):
    """Where legacy has not told where it has seated the booking, or never answered: but not while it may be at it."""
    with contextlib.suppress(KilledError):
        house.coordinator(flags=OFF, legacy=Legacy(answer)).assign(waiting)
    if isinstance(answer, KilledError):
        early = coordinator.takeover("B1", actor="anna")
        wait = coordinator.settings.handover_timeout
        assert (early.outcome, early.reason, early.retry_after) == (Outcome.NOOP, Reason.HANDED_OVER, wait)
        house.clock.advance(wait)
    assert coordinator.takeover("B1", actor="anna").outcome is Outcome.RETRY
    assert house.record().state is AssignmentState.ASSIGNMENT_PENDING


def test_nothing_is_taken_over_in_vain(house, waiting, coordinator):
    """What is the pipeline's, what has ended, and what would be handed over again at once, stay as they are."""
    assert coordinator.takeover("B1", actor="anna").reason is Reason.TERMINAL_STATE
    off = house.coordinator(flags=OFF, legacy=Legacy(LegacyResult()))
    off.assign(waiting)
    assert off.takeover("B1", actor="anna").reason is Reason.PIPELINE_DISABLED
    coordinator.cancel("B1")
    assert coordinator.takeover("B1", actor="anna").reason is Reason.TERMINAL_STATE
    with pytest.raises(BookingNotFoundError):
        coordinator.takeover("B9", actor="anna")


def test_a_person_may_have_it_handed_over_once_more(house, waiting):
    """Requeued where the pipeline is off, it is a new handover: that is nobody's automatism."""
    legacy = Legacy(LegacyResult(), T1)
    off = house.coordinator(flags=OFF, legacy=legacy)
    off.assign(waiting)
    off.requeue("B1", actor="anna")
    (result,) = off.sweep().results
    assert (result.outcome, legacy.calls) == (Outcome.CONFIRMED, ["B1", "B1"])
    result = off.requeue("B1", actor="anna")
    assert (result.outcome, result.reason) == (Outcome.NOOP, Reason.OWNED_BY_LEGACY)


@pytest.mark.parametrize("when", ["load", "commit"])
def test_a_process_that_has_not_heard_of_a_rollback_takes_nothing_over(house, waiting, when):
    """Whether the rollback comes before the look or behind it: the booking stays legacy's, and the call is repeated."""

    class Behind(FixedFlags):
        def resolve(self, restaurant_id):
            return attrs.evolve(super().resolve(restaurant_id), generation=0)

    def roll_back():
        house.store.revise(RolloutRevision(generation=1, phase="rollback", settings={}))

    house.coordinator(flags=OFF, legacy=Legacy(LegacyResult())).assign(waiting)
    before = house.record()
    house.store.before[when] = [roll_back]
    result = house.coordinator(flags=Behind(Mode.ACTIVE)).takeover("B1", actor="anna")
    assert (result.outcome, result.reason) == (Outcome.RETRY, Reason.CONFLICT)
    assert house.record() == before


def test_what_the_host_has_deleted_is_not_handed_over(house, waiting):
    """Legacy is called for nobody who is gone: the booking's assignment ends, and the record says why."""
    legacy = Legacy(T1)
    house.host._bookings.pop("B1")
    house.clock.advance(dt.timedelta(hours=1))
    (result,) = house.coordinator(flags=OFF, legacy=legacy).sweep().results
    assert (result.reason, legacy.calls) == (Reason.BOOKING_GONE, [])
    assert house.record().state is AssignmentState.FAILED


def test_a_table_that_is_blocked_while_legacy_gives_it_away_is_conflicted(house, waiting, coordinator):
    """Legacy has seated the party there, and the block stands: it does not matter which came first."""

    def meanwhile():
        window = house.venue.blocked(house.venue.turn(waiting))
        coordinator.block("R1", "T1", window, actor="anna", reason="maintenance")
        return T1

    house.coordinator(flags=OFF, legacy=Legacy(meanwhile)).assign(waiting)
    assert (house.record().tables, house.record().allocation.conflicted) == (("T1",), True)
