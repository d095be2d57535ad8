"""The host's restaurant decides, whatever a call names: no planner works for a booking at another one."""

from __future__ import annotations

import contextlib
import datetime as dt
import inspect

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    Coordinator,
    FixedFlags,
    LegacyResult,
    Mode,
    Outcome,
    Reason,
    Settings,
    StoreUnavailableError,
)
from assignment_pipeline.errors import IllegalTransitionError, NoTablesError, NotBegunError, OtherRestaurantError
from assignment_pipeline.ports import FlagDecision
from assignment_pipeline.testing.store_harness import make_change

MODES = list(Mode)
DAY = dt.timedelta(days=1)


class ByRestaurant:
    """In charge of R1, where the booking is; at R2, as the test says."""

    def __init__(self, mode, *, fresh=False):
        self.mode, self.fresh = mode, fresh

    def resolve(self, restaurant_id):
        mode = Mode.ACTIVE if restaurant_id == "R1" else self.mode
        return FlagDecision(mode=mode, max_parallel=3, reason="listed", source="test", fresh=self.fresh)


@pytest.fixture
def ran():
    """The bookings that legacy was called for."""
    return []


@pytest.fixture
def booking(house):
    """The host's."""
    house.host.put_venue(attrs.evolve(house.venue, id="R2"))
    return house.booking("B1")


@pytest.fixture
def named_wrongly(booking):
    """The same, as a caller has it who mixed up two restaurants."""
    return attrs.evolve(booking, restaurant_id="R2")


@pytest.fixture
def of_mode(house, ran):
    """A coordinator where R2 is in that mode."""

    def legacy(booking):
        ran.append(booking.id)
        return LegacyResult(["T1"])

    return lambda mode, **facts: house.coordinator(flags=ByRestaurant(mode, **facts), legacy=legacy)


@pytest.mark.parametrize("mode", MODES)
def test_no_planner_works_for_it_there(house, of_mode, named_wrongly, ran, mode):
    """Whichever way it is called for, and whatever the pipeline does there; the answer names both."""
    coordinator = of_mode(mode)
    results = [
        coordinator.assign(named_wrongly),
        coordinator.assign_id("B1", "R2"),
        coordinator.reassign(named_wrongly),
        *coordinator.assign_many([named_wrongly]),
    ]
    for result in results:
        assert (result.outcome, result.reason, result.handled) == (Outcome.NOOP, Reason.OTHER_RESTAURANT, True)
        assert (result.elsewhere, result.tables) == ("R1", ())
    assert (ran, house.record()) == ([], None)
    assert coordinator.assign_id("B1", "R1").outcome is Outcome.CONFIRMED
    assert coordinator.assign(named_wrongly).elsewhere == "R1"


@pytest.mark.parametrize("call", ["enqueue", "preview", "place"])
def test_what_has_no_answer_raises(of_mode, named_wrongly, call):
    """With a sentence that names both."""
    coordinator = of_mode(Mode.ACTIVE)
    rest = {"place": (["T1"],)}.get(call, ())
    facts = {"place": {"actor": "ann"}}.get(call, {})
    with pytest.raises(OtherRestaurantError, match="at restaurant 'R1'; the call named 'R2'"):
        getattr(coordinator, call)(named_wrongly, *rest, **facts)


def test_a_broken_store_breaks_no_off_path(house, of_mode, named_wrongly, ran):
    """Where the host cannot be asked, legacy runs as it always did."""
    house.store.before["booking"] = [StoreUnavailableError("gone")]
    assert of_mode(Mode.OFF).assign(named_wrongly).reason is Reason.PIPELINE_DISABLED
    assert ran == ["B1"]


def test_where_the_pipeline_was_never_in_charge_the_host_is_not_asked(house, of_mode, named_wrongly, ran):
    """No other planner could be at work on it."""
    house.store.asked.clear()
    assert of_mode(Mode.OFF, fresh=True).assign(named_wrongly).reason is Reason.PIPELINE_DISABLED
    assert (ran, house.store.asked) == (["B1"], [])


def test_a_booking_that_the_host_does_not_know_is_where_the_call_says(house):
    """There is nobody else to ask."""
    unknown = attrs.evolve(house.booking("B2"), id="B9")
    assert house.coordinator(flags=FixedFlags(Mode.ACTIVE)).assign(unknown).outcome is Outcome.CONFIRMED


def test_a_hold_keeps_its_tables_where_the_host_moves_the_booking(house, booking):
    """What is seated is no other restaurant's to seat: its hold stays as it is until somebody ends it."""
    coordinator = house.coordinator(settings=Settings(confirmation="external"))
    assert coordinator.assign(booking).outcome is Outcome.ASSIGNED
    before = house.record()
    house.host.put_booking(attrs.evolve(booking, restaurant_id="R2"))
    assert coordinator.assign_id("B1", "R1").reason is Reason.OTHER_RESTAURANT
    assert house.record() == before


@pytest.mark.parametrize("mode", MODES)
def test_a_hold_whose_booking_went_elsewhere_ends(house, of_mode, booking, ran, mode):
    """Nobody confirms it: its tables come free, it is not claimed for ever, and nobody is asked to seat it there."""
    holding = house.coordinator(settings=Settings(confirmation="external"))
    assert holding.assign(booking).outcome is Outcome.ASSIGNED
    house.host.put_booking(attrs.evolve(booking, restaurant_id="R2"))
    house.clock.advance(dt.timedelta(minutes=3))
    coordinator = house.coordinator(flags=FixedFlags(mode), legacy=ran.append, settings=Settings(max_holds=2))
    (result,) = coordinator.sweep().results
    assert (result.reason, result.tables, ran) == (Reason.HOLD_EXPIRED, (), [])
    house.clock.advance(dt.timedelta(minutes=1))
    coordinator.sweep()
    assert house.record().restaurant_id == "R2"


def test_a_review_whose_booking_went_elsewhere_follows_it(house, booking):
    """It waits for tables; freed ones make it due, and the sweep looks where the booking is now. Nobody has crashed."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    for name in ("F1", "F2", "F3"):
        coordinator.assign(house.booking(name))
    assert coordinator.assign(booking).outcome is Outcome.MANUAL_REVIEW
    house.host.put_booking(attrs.evolve(booking, restaurant_id="R2"))
    coordinator.cancel("F1")
    for _ in range(3):
        coordinator.sweep()
        house.clock.advance(dt.timedelta(minutes=1))
    record = house.record("B1")
    assert (record.state, record.restaurant_id, record.deliveries) == (AssignmentState.CONFIRMED, "R2", 0)


def test_a_claim_of_what_has_tables_elsewhere_ends(house, coordinator, booking):
    """The sweep has come for a settled record at R1, and the host has moved the booking: no claim is left."""
    house.coordinator().assign(booking)
    house.store.commit([make_change(booking, before=house.record("B1"), next_attempt_at=house.clock.now())])
    house.host.put_booking(attrs.evolve(booking, restaurant_id="R2"))
    coordinator.sweep()
    assert (house.record("B1").next_attempt_at, house.record("B1").deliveries) == (None, 0)


CALLS = {
    "cancel": lambda one, **of: one.cancel("B1", **of),
    "confirm": lambda one, **of: one.confirm("B1", **of),
    "extend": lambda one, **of: one.extend("B1", one.record("B1").allocation.turn.end + DAY / 24, actor="ann", **of),
    "extend_hold": lambda one, **of: one.extend_hold("B1", **of),
    "history": lambda one, **of: one.history("B1", **of),
    "left": lambda one, **of: one.left("B1", actor="ann", **of),
    "no_show": lambda one, **of: one.no_show("B1", actor="ann", **of),
    "party_changed": lambda one, **of: one.party_changed("B1", 1, actor="ann", **of),
    "pin": lambda one, **of: one.pin("B1", actor="ann", **of),
    "record": lambda one, **of: one.record("B1", **of),
    "reinstate": lambda one, **of: one.reinstate("B1", "ann", **of),
    "reject": lambda one, **of: one.reject("B1", actor="ann", reason="no_table", **of),
    "requeue": lambda one, **of: one.requeue("B1", actor="ann", **of),
    "seated": lambda one, **of: one.seated("B1", actor="ann", **of),
    "show": lambda one, **of: one.show("B1", **of),
    "takeover": lambda one, **of: one.takeover("B1", actor="ann", **of),
    "unpin": lambda one, **of: one.unpin("B1", actor="ann", **of),
}


def methods_by_id():
    """The coordinator's methods that take a booking's id."""
    for name in dir(Coordinator):
        if not name.startswith("_") and callable(getattr(Coordinator, name)):
            first = list(inspect.signature(getattr(Coordinator, name)).parameters)[1:2]
            if first == ["booking_id"]:
                yield name


def test_every_call_by_id_is_tried_here():
    """`assign_id` has the restaurant beside the booking: the host's decides there."""
    assert set(methods_by_id()) - {"assign_id"} == set(CALLS)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_call_by_id_refuses_a_booking_of_another_restaurant(house, coordinator, name):
    """Where one is named; nothing is written. Without one, or with the booking's own, it is done."""
    coordinator.assign(house.booking())
    before = house.record()
    with pytest.raises(OtherRestaurantError) as caught:
        CALLS[name](coordinator, restaurant_id="R2")
    assert (caught.value.booking_id, len(str(caught.value).splitlines())) == ("B1", 1)
    assert house.record() == before
    for named in ({"restaurant_id": "R1"}, {}):
        with contextlib.suppress(IllegalTransitionError, NotBegunError, NoTablesError):
            CALLS[name](coordinator, **named)


def test_a_booking_that_has_moved_is_cancelled_by_its_new_restaurant(house, coordinator):
    """The host's restaurant counts, too: nobody else's."""
    coordinator.assign(house.booking())
    house.host.put_booking(attrs.evolve(house.host.booking(None, "B1"), restaurant_id="R2"))
    with pytest.raises(OtherRestaurantError):
        coordinator.cancel("B1", "R3")
    assert coordinator.cancel("B1", "R2").outcome is Outcome.CANCELLED


def test_a_booking_without_a_record_is_cancelled_by_its_own_restaurant(house, coordinator):
    """By the host; one that nobody knows, by any."""
    house.booking()
    with pytest.raises(OtherRestaurantError):
        coordinator.cancel("B1", "R2")
    assert house.record() is None
    assert coordinator.cancel("B1", "R1").record.restaurant_id == "R1"
    assert coordinator.cancel("X1", "R2").record.restaurant_id == "R2"
