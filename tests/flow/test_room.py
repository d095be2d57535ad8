"""Where nothing is free, others make room: in one commit, each with its own guard, and never who may not be moved."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    AsyncCoordinator,
    Booking,
    BookingNotFoundError,
    Coordinator,
    Outcome,
    PlacementRefusedError,
    Reason,
    Settings,
    StaleRecordError,
    TableConflictError,
    VenuePolicy,
)
from assignment_pipeline.domain.policy import Reseat
from assignment_pipeline.domain.result import Move
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import CommitUnknownError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.planning.engine import TableEngine

SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def house(house):
    """One where others are moved to make room."""
    with_policy(house)
    return house


@pytest.fixture
def full(house, coordinator):
    """Two have the table for four to themselves, since the tables for two were taken then; one of these is free now."""
    crowd(house, coordinator)
    return house


def crowd(house, coordinator, **facts):
    for name in ("F1", "F2", "F3"):
        coordinator.assign(house.booking(name, 2, **facts))
    assert house.record("F3").tables == ("T3",)
    coordinator.cancel(next(name for name in ("F1", "F2") if house.record(name).tables == ("T1",)))


def with_policy(house, **facts):
    """The same restaurant, with another policy."""
    house.venue = attrs.evolve(house.venue, policy=VenuePolicy(**facts), version="changed")
    house.host.put_venue(house.venue)


def test_a_party_is_moved_to_make_room(full, coordinator):
    """Both are confirmed, by one commit."""
    full.store.asked.clear()
    result = coordinator.assign(full.booking("B1", 4))
    assert (result.outcome, result.tables, result.moved) == (Outcome.CONFIRMED, ("T3",), ("F3",))
    assert result.record.strategy == "reseating"
    assert result.decision.plan.moves == (Move("F3", ("T3",), ("T1",)),)
    assert full.store.asked == ["load", "load", "commit"]
    assert full.record("F3").tables == ("T1",)
    assert full.record("F3").state is AssignmentState.CONFIRMED
    assert full.record("F3").strategy == "reseating"


def test_a_move_can_be_traced(full, coordinator):
    """History, events and the attempt say who was moved, where to and for whom."""
    before = full.record("F3")
    coordinator.assign(full.booking("B1", 4))
    assert full.record("F3").version == before.version + 1
    step = full.store.history("F3")[-1]
    assert (step.trigger, step.reason, step.tables) == (Trigger.MOVE, "made_room", ("T1",))
    (event,) = (event for event in full.sink.events if event.type == "booking.reseated")
    assert event.booking_id == "F3"
    assert {key: event.context[key] for key in ("origin", "tables", "room_for", "reason")} == {
        "origin": ("T3",),
        "tables": ("T1",),
        "room_for": "B1",
        "reason": "made_room",
    }
    assert full.store.attempts("B1")[-1].metadata["moves"] == "F3: T3 > T1"
    assert len({event.id for event in full.sink.events}) == len(full.sink.events)


def test_a_preview_shows_moves_and_makes_none(full, coordinator):
    """It is for looking."""
    assert coordinator.preview(full.booking("B1", 4)).plan.moves == (Move("F3", ("T3",), ("T1",)),)
    assert full.record("F3").tables == ("T3",)


def test_nobody_moves_where_the_policy_says_off(house, coordinator):
    """Nor is anybody looked up."""
    with_policy(house, reseat="off")
    crowd(house, coordinator)
    house.store.asked.clear()
    assert coordinator.assign(house.booking("B1", 4)).reason is Reason.NO_FIT
    assert house.store.asked == ["load", "commit"]


def test_a_person_applies_what_is_suggested(house, coordinator):
    """The plan is in the decision, at once, and is applied as it was seen."""
    with_policy(house, reseat=Reseat.SUGGEST)
    crowd(house, coordinator)
    booking = house.booking("B1", 4)
    result = coordinator.assign(booking)
    assert (result.outcome, result.reason, result.moved) == (Outcome.MANUAL_REVIEW, Reason.NO_FIT, ())
    assert house.record("F3").tables == ("T3",)
    assert house.store.attempts("B1")[-1].metadata["moves"] == "F3: T3 > T1"
    plan = result.decision.suggestion
    placed = coordinator.place(booking, plan.tables, actor="ann", moves=plan.moves)
    assert (placed.outcome, placed.tables, placed.moved) == (Outcome.CONFIRMED, ("T3",), ("F3",))
    assert house.record("F3").tables == ("T1",)
    assert house.store.history("F3")[-1].actor == "ann"


@pytest.mark.parametrize("moved_on", ["cancelled", "moved", "cancelled at the host"])
def test_a_stale_suggestion_is_refused(full, coordinator, moved_on):
    """Whoever is to move is where the person saw it, or nothing happens."""
    booking = full.booking("B1", 4)
    plan = coordinator.preview(booking).plan
    if moved_on == "cancelled":
        coordinator.cancel("F3")
    elif moved_on == "moved":
        coordinator.place(full.host.booking(None, "F3"), ["T1"], actor="ann")
    else:
        full.host.put_booking(attrs.evolve(full.host.booking(None, "F3"), status="cancelled"))
    before = full.record("F3")
    with pytest.raises(StaleRecordError):
        coordinator.place(booking, plan.tables, actor="ann", moves=plan.moves)
    assert full.record("F3") == before
    assert full.record("B1") is None


def test_moves_of_a_person_are_checked_like_plans(full, coordinator):
    """Nobody is put where it does not fit, on somebody else's table, on one of the others', or twice."""
    booking, taken = full.booking("B1", 4), full.record("F2").tables or full.record("F1").tables
    for tables, error in ((("T9",), PlacementRefusedError), (taken, TableConflictError), (("T3",), TableConflictError)):
        with pytest.raises(error):
            coordinator.place(booking, ["T3"], actor="ann", moves=[Move("F3", ("T3",), tables)])
    move = Move("F3", ("T3",), ("T1",))
    for moves in ([move, move], [Move("B1", ("T1",), ("T3",))]):
        with pytest.raises(ValueError, match=r"^moves: expected"):
            coordinator.place(booking, ["T3"], actor="ann", moves=moves)
    with pytest.raises(BookingNotFoundError, match="F9"):
        coordinator.place(booking, ["T3"], actor="ann", moves=[Move("F9", ("T3",), ("T1",))])
    assert full.record("B1") is None


def test_who_arrives_soon_is_not_moved(house, coordinator):
    """From half an hour before its arrival, by the policy's ``freeze_minutes``; nor is anybody looked up."""
    now = house.clock.now().replace(second=0, microsecond=0)
    crowd(house, coordinator, start_at=now + 60 * MINUTE)
    house.clock.advance(30 * MINUTE)
    house.store.asked.clear()
    assert coordinator.assign(house.booking("B1", 4, start_at=now + 90 * MINUTE)).reason is Reason.NO_FIT
    assert house.store.asked == ["load", "commit"]
    with_policy(house, freeze_minutes=29)
    assert coordinator.assign(house.booking("B2", 4, start_at=now + 90 * MINUTE)).moved == ("F3",)


@pytest.mark.parametrize("facts", [{"status": "cancelled"}, {"party_size": 4}])
def test_whose_booking_has_changed_at_the_host_is_not_moved(full, coordinator, facts):
    """The host is about to tell: what it was seated as counts no more."""
    full.host.put_booking(attrs.evolve(full.host.booking(None, "F3"), **facts))
    assert coordinator.assign(full.booking("B1", 4)).reason is Reason.NO_FIT
    assert full.record("F3").tables == ("T3",)


def test_whose_status_alone_has_changed_is_moved(full, coordinator):
    """A host that notes the confirmation changes nothing."""
    full.host.put_booking(attrs.evolve(full.host.booking(None, "F3"), status="confirmed"))
    assert coordinator.assign(full.booking("B1", 4)).moved == ("F3",)


def test_a_hold_that_moves_ends_when_it_did(house):
    """Nothing but the tables is new to it."""
    coordinator = house.coordinator(settings=Settings(confirmation="external"))
    crowd(house, coordinator)
    expires = house.record("F3").next_attempt_at
    assert coordinator.assign(house.booking("B1", 4)).outcome is Outcome.ASSIGNED
    assert house.record("F3").state is AssignmentState.ASSIGNED
    assert house.record("F3").next_attempt_at == expires
    assert coordinator.confirm("F3").tables == ("T1",)


@pytest.mark.parametrize("meanwhile", ["cancel", "reassign", "load", "the host's row"])
def test_whoever_moves_first_wins(full, coordinator, meanwhile):
    """A party that others see to while room is made with it: the view is taken again."""
    other = full.coordinator()
    party = attrs.evolve(full.host.booking(None, "F3"), party_size=4)

    def happen():
        if meanwhile == "cancel":
            other.cancel("F3")
        else:
            full.host.put_booking(party)
            if meanwhile != "the host's row":
                other.reassign(party)

    if meanwhile == "load":
        full.store.behind["load"] = [happen]
    else:
        full.store.before["commit"] = [happen]
    result = coordinator.assign(full.booking("B1", 4))
    if meanwhile == "cancel":
        assert (result.outcome, result.moved) == (Outcome.CONFIRMED, ())
    else:
        assert result.reason in (Reason.INFEASIBLE, Reason.NO_FIT)
        assert full.record("F3").tables == ("T3",)


def test_a_lost_answer_of_a_commit_with_moves_is_found(full, coordinator):
    """Whether it landed is looked up once for all of it, and what it told is published then."""
    full.store.behind["commit"] = [CommitUnknownError("sent, and no answer")]
    assert coordinator.assign(full.booking("B1", 4)).moved == ("F3",)
    assert full.told().count("booking.reseated") == 1


def test_no_time_to_look_means_that_nobody_moves(full, coordinator):
    """The deadline bounds the call's search."""
    assert coordinator.assign(full.booking("B1", 4), deadline=dt.timedelta()).reason is Reason.NO_FIT
    assert coordinator.assign(full.booking("B2", 4), deadline=SECOND).moved == ("F3",)


def test_one_of_many_makes_others_move(full, coordinator):
    """What needs room is seen to alone, after the rest of its day."""
    first, second = coordinator.assign_many([full.booking("B1", 4), full.booking("B2", 2)])
    assert second.tables == ("T1",)
    assert first.reason is Reason.INFEASIBLE
    coordinator.cancel("B2")
    assert coordinator.assign_many([full.booking("B3", 4)])[0].moved == ("F3",)


def test_a_party_that_grows_makes_others_move(full, coordinator):
    """Even to the table that it leaves itself."""
    small = full.booking("B1", 2)
    assert coordinator.assign(small).tables == ("T1",)
    result = coordinator.reassign(full.booking("B1", 4))
    assert (result.outcome, result.tables, result.moved) == (Outcome.CONFIRMED, ("T3",), ("F3",))


def test_a_review_that_waits_for_tables_makes_others_move(house):
    """Freed tables may do by a detour."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    for name in ("F1", "F2", "F3"):
        coordinator.assign(house.booking(name, 2))
    assert coordinator.assign(house.booking("B1", 4)).outcome is Outcome.MANUAL_REVIEW
    coordinator.cancel("F1")
    (result,) = coordinator.sweep().results
    assert (result.outcome, result.tables, result.moved) == (Outcome.CONFIRMED, ("T3",), ("F3",))


def test_tables_given_up_by_a_move_wake_who_waits(house):
    """As any freed table does."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    crowd(house, coordinator)
    with_policy(house, reseat="off")
    assert coordinator.assign(house.booking("B1", 4)).outcome is Outcome.MANUAL_REVIEW
    coordinator.place(house.host.booking(None, "F3"), ["T1"], actor="ann")
    assert [result.booking_id for result in coordinator.sweep().results] == ["B1"]


async def moved_by(coordinator: AsyncCoordinator, booking: Booking) -> tuple[str, ...]:
    return (await coordinator.assign(booking)).moved


def test_asyncio_hosts_go_on_while_room_is_looked_for(full):
    """What may take long is thought about in another thread."""
    threads = []

    class Thinker(TableEngine):
        def plan(self, request, floor, *rest):
            threads.append(threading.get_ident())
            return super().plan(request, floor, *rest)

    coordinator = AsyncCoordinator(full.store, engine=Thinker(), **full.options)
    assert asyncio.run(moved_by(coordinator, full.booking("B1", 4))) == ("F3",)
    at_once, at_leisure = threads
    assert at_once == threading.get_ident() != at_leisure


def test_a_coordinator_in_memory_makes_room(full):
    """It is on unless the policy says otherwise."""
    coordinator = Coordinator.in_memory(full.venue, clock=full.clock)
    parties = [full.booking(f"P{number}", 2) for number in range(3)]
    at = {coordinator.assign(booking).tables: booking for booking in parties}
    coordinator.cancel(at["T1",].id)
    assert coordinator.assign(full.booking("B1", 4)).moved == (at["T3",].id,)


def test_what_was_read_under_two_rollouts_is_planned_again(full, coordinator):
    """Where the rollout moves on between the two looks, nothing of either is sent."""

    def move_on():
        full.store.revise(RolloutRevision(generation=1, phase="production-100", settings={}))

    full.store.behind["load"] = [move_on]
    full.store.asked.clear()
    assert coordinator.assign(full.booking("B1", 4)).moved == ("F3",)
    assert full.store.asked.count("commit") == 1
