"""Flags that were not read yet decide nothing: no planner runs, no booking is lost."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading

import attrs
import pytest

from assignment_pipeline import AsyncCoordinator, Coordinator, FixedFlags, LegacyResult, Mode, Outcome, Reason
from assignment_pipeline.errors import FlagsUnreadError, StoreUnavailableError
from assignment_pipeline.ports import FlagDecision

MINUTE = dt.timedelta(minutes=1)


class Late:
    """Flags that are read when the test says so."""

    read = False
    unread = True

    def resolve(self, restaurant_id):
        if not self.read:
            raise FlagsUnreadError("nobody has said so")
        return FixedFlags(Mode.ACTIVE).resolve(restaurant_id)


@pytest.fixture
def flags():
    return Late()


@pytest.fixture
def ran():
    """The bookings that legacy was called for."""
    return []


@pytest.fixture
def unread(house, flags, ran):
    """A coordinator of a process that has just begun."""

    def legacy(booking):
        ran.append(booking.id)
        return LegacyResult(["T1"])

    with Coordinator(house.store, flags=flags, legacy=legacy, sinks=(), clock=house.clock) as coordinator:
        yield coordinator


def test_calls_answer_retry_and_no_planner_runs(house, unread, ran):
    """Neither planner is asked, and nothing is written."""
    booking = house.booking("B1")
    result = unread.assign(booking)
    assert (result.outcome, result.reason, result.handled) == (Outcome.RETRY, Reason.FLAGS_UNREAD, True)
    assert result.retry_after == unread.settings.outage_retry
    assert unread.assign_id("B1", booking.restaurant_id).reason is Reason.FLAGS_UNREAD
    assert [each.reason for each in unread.assign_many([booking])] == [Reason.FLAGS_UNREAD]
    assert unread.reassign(booking).reason is Reason.FLAGS_UNREAD
    assert unread.observe(booking, LegacyResult(["T1"])) is False
    assert (ran, unread.record("B1")) == ([], None)


def test_enqueue_raises_as_where_the_store_is_away(house, unread):
    """None would say that legacy is in charge: the host's transaction must not be committed."""
    with pytest.raises(StoreUnavailableError, match="flags were not read"):
        unread.enqueue(house.booking("B1"))


def test_the_sweep_gives_back_what_it_cannot_decide(house, coordinator, unread, flags, ran):
    """No attempt and no delivery is used up, however often it happens; once the flags are read, all goes on."""
    coordinator.enqueue(house.booking("B1"))
    for _ in range(20):
        house.clock.advance(2 * MINUTE)
        unread.sweep()
    record = house.record("B1")
    assert (record.state, record.attempts, record.deliveries) == ("created", 0, 0)
    flags.read = True
    house.clock.advance(2 * MINUTE)
    unread.sweep()
    assert (house.record("B1").state, ran) == ("confirmed", [])


@pytest.mark.parametrize("lists_restaurants", [True, False])
def test_the_sweep_finds_the_others(house, unread, flags, lists_restaurants):
    """A restaurant whose flags are unread hides no other's forgotten bookings, and is no error of the sweep's."""
    if not lists_restaurants:
        known = house.store.waiting
        house.store.waiting = lambda: attrs.evolve(known(), restaurants=None)
    house.booking("B1")
    report = unread.sweep()
    assert (report.enqueued, report.errors) == ((), ())
    flags.read = True
    assert unread.sweep().enqueued == ("B1",)


def test_asyncio_waits_in_a_thread(house):
    """While one call waits for the first answer, the loop goes on."""
    asked, answer = threading.Event(), threading.Event()

    class Waiting:
        unread = True

        def resolve(self, restaurant_id):
            asked.set()
            assert answer.wait(10)
            return FixedFlags(Mode.ACTIVE).resolve(restaurant_id)

    async def main():
        async with AsyncCoordinator(house.store, flags=Waiting(), sinks=(), clock=house.clock) as coordinator:
            call = asyncio.create_task(coordinator.assign(house.booking("B1")))
            assert await asyncio.to_thread(asked.wait, 10)
            answer.set()
            return await call

    assert asyncio.run(main()).outcome is Outcome.CONFIRMED


def test_flags_of_the_hosts_own_need_not_know_of_it(house):
    """A resolver with nothing but `resolve` is asked at once, as ever."""

    class Own:
        def resolve(self, restaurant_id):
            return FlagDecision(mode=Mode.ACTIVE, max_parallel=3, reason="ours", source=restaurant_id)

    async def main():
        async with AsyncCoordinator(house.store, flags=Own(), sinks=(), clock=house.clock) as coordinator:
            return await coordinator.assign(house.booking("B1"))

    assert asyncio.run(main()).outcome is Outcome.CONFIRMED
