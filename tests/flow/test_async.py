"""The same flows under asyncio: over async ports, or sync ones in worker threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from assignment_pipeline import AsyncCoordinator, LegacyResult, Mode, Outcome, Reason
from assignment_pipeline.adapters.memory import MemoryLockManager
from assignment_pipeline.flow.effects import Port
from assignment_pipeline.ports import Leases, Refused, Wanted
from assignment_pipeline.rollout.flags import FixedFlags


class AsyncStore:
    """An async store: the memory store, with a pause before each answer."""

    def __init__(self, store):
        self.store = store

    async def load(self, query):
        await asyncio.sleep(0)
        return self.store.load(query)

    async def commit(self, changes):
        await asyncio.sleep(0)
        self.store.commit(changes)

    async def records(self, query):
        await asyncio.sleep(0)
        return self.store.records(query)

    async def booking(self, booking_id):
        return self.store.booking(booking_id)

    async def history(self, booking_id):
        return self.store.history(booking_id)

    async def block(self, block, events):
        return self.store.block(block, events)

    async def unblock(self, block, events):
        return self.store.unblock(block, events)

    async def blocked(self, restaurant_id, since):
        return self.store.blocked(restaurant_id, since)

    async def due(self, limit, order):
        return self.store.due(limit, order)

    async def put_back(self, claims, after):
        return self.store.put_back(claims, after)

    async def waiting(self):
        return self.store.waiting()

    async def unassigned(self, since, limit, restaurants=None):
        return self.store.unassigned(since, limit, restaurants)


class AsyncLocks:
    """An async lock manager over the reference."""

    def __init__(self, locks):
        self.locks = locks

    async def acquire(self, wanted, *, ttl):
        await asyncio.sleep(0)
        return self.locks.acquire(wanted, ttl=ttl)

    async def release(self, leases):
        await asyncio.sleep(0)
        self.locks.release(leases)


@pytest.fixture(params=["sync ports", "async ports"])
def locks(request, house):
    return MemoryLockManager(house.clock)


@pytest.fixture
def coordinator(request, house, locks):
    if "async" in request.node.callspec.params["locks"]:
        return AsyncCoordinator(AsyncStore(house.store), **house.options, locks=AsyncLocks(locks))
    return AsyncCoordinator(house.store, **house.options, locks=locks)


def test_every_action_works(house, coordinator):
    """One after the other, as the sync coordinator does them."""

    async def day():
        async with coordinator:
            result = await coordinator.assign(house.booking("B1", 4))
            assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T3",))
            assert (await coordinator.preview(house.booking("B2", 4))).plan.tables == ("T1", "T2")
            assert (await coordinator.enqueue(house.booking("B2", 2))) is not None
            assert (await coordinator.assign_id("B2", "R1")).outcome is Outcome.CONFIRMED
            assert (await coordinator.confirm("B2")).outcome is Outcome.CONFIRMED
            assert (await coordinator.reassign(house.booking("B1", 3))).outcome is Outcome.CONFIRMED
            assert (await coordinator.cancel("B2")).outcome is Outcome.CANCELLED
            assert (await coordinator.assign(house.booking("B3", 9))).reason is Reason.PARTY_TOO_LARGE
            assert len((await coordinator.review_queue("R1")).records) == 1
            assert (await coordinator.requeue("B3", actor="anna")).outcome is Outcome.RETRY
            assert len((await coordinator.sweep()).results) == 1
            assert (await coordinator.reject("B3", actor="anna", reason="full")).outcome is Outcome.FAILED
            assert (await coordinator.place(house.booking("B4"), ["T1"], actor="anna")).tables == ("T1",)
            assert len(await coordinator.assign_many([house.booking("B5"), house.booking("B6")])) == 2
            assert len(await coordinator.history("B4")) == 5

    asyncio.run(day())


def test_people_and_the_service(house, coordinator):
    """What people do from the evening's plan to its end."""

    async def evening():
        async with coordinator:
            held = (await coordinator.place(house.booking("B1"), ["T1"], actor="anna", pin=False)).record.allocation
            assert (await coordinator.pin("B1", actor="anna")).record.pinned
            assert not (await coordinator.unpin("B1", actor="anna")).record.pinned
            blocked = await coordinator.block("R1", "T1", held.blocked, actor="anna", reason="leak")
            assert blocked.bookings == ("B1",)
            assert await coordinator.blocks("R1") == (blocked.block,)
            assert await coordinator.unblock("R1", blocked.block.id, actor="anna") == blocked.block
            house.clock.advance(held.turn.start - house.clock.now() + held.turn.duration / 2)
            assert (await coordinator.seated("B1", actor="ben")).record.pinned
            until = held.turn.end + held.turn.duration
            assert (await coordinator.extend("B1", until, actor="ben")).reason is Reason.EXTENDED
            assert (await coordinator.left("B1", actor="ben")).reason is Reason.LEFT
            await coordinator.place(house.booking("B2", start_at=held.turn.end), ["T2"], actor="anna")
            house.clock.advance(held.turn.duration)
            assert (await coordinator.no_show("B2", actor="ben")).outcome is Outcome.CANCELLED

    asyncio.run(evening())


def test_many_tasks_seat_nobody_twice(house, coordinator):
    """However they interleave."""

    async def rush():
        bookings = [house.booking(f"B{number}", 2) for number in range(12)]
        return await asyncio.gather(*(coordinator.assign(booking) for booking in bookings))

    results = asyncio.run(rush())
    tables = [table for result in results for table in result.tables]
    assert len(tables) == len(set(tables)) <= 3


def test_a_cancelled_task_lets_go_of_its_lock(house, locks):
    """After the commit in flight has answered: the lock is free, and what was committed is told."""
    started, gate = threading.Event(), threading.Event()

    def slow():
        started.set()
        assert gate.wait(10)

    house.store.before["commit"] = [slow]
    coordinator = AsyncCoordinator(house.store, **house.options, locks=locks)

    async def cancel():
        task = asyncio.create_task(coordinator.assign(house.booking()))
        assert await asyncio.to_thread(started.wait, 10)
        task.cancel()
        await asyncio.sleep(0.01)
        assert isinstance(locks.acquire([Wanted("booking:B1")], ttl=house.store_ttl), Refused)
        task.cancel()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    house.store_ttl = coordinator.settings.lock_ttl
    asyncio.run(cancel())
    assert isinstance(locks.acquire([Wanted("booking:B1")], ttl=house.store_ttl), Leases)
    assert house.record().tables
    assert "coordinator.confirmed" in house.told()


def test_what_answers_from_memory_is_asked_at_once(monkeypatch, house):
    """Without a thread, a task or a turn of the loop; its locks are free afterwards, and what fails is a retry."""
    coordinator = AsyncCoordinator.in_memory(house.host.venue(None, "R1", None), sinks=())
    monkeypatch.setattr(asyncio, "to_thread", None)
    monkeypatch.setattr(asyncio, "ensure_future", None)

    async def evening():
        answer = coordinator.assign(house.booking())
        with pytest.raises(StopIteration) as stop:
            answer.send(None)
        assert stop.value.value.outcome is Outcome.CONFIRMED
        assert (await coordinator.cancel("B1")).outcome is Outcome.CANCELLED
        coordinator.store.clock = None
        return await coordinator.assign(house.booking("B2"))

    with pytest.raises(AttributeError):
        asyncio.run(evening())
    locks = coordinator._wiring.ports[Port.LOCKS]
    assert isinstance(locks.acquire([Wanted("booking:B2")], ttl=coordinator.settings.lock_ttl), Leases)


def test_the_loop_is_not_blocked_by_sync_ports(house):
    """A store that waits does so in a thread of its own."""
    gate = threading.Event()
    house.store.before["load"] = [lambda: gate.wait(10)]
    coordinator = AsyncCoordinator(house.store, **house.options)

    async def both():
        task = asyncio.create_task(coordinator.assign(house.booking()))
        for _ in range(5):
            await asyncio.sleep(0.001)
        assert not task.done()
        gate.set()
        return await task

    assert asyncio.run(both()).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_legacy_may_be_either(house, kind):
    """What it answers or raises passes through."""

    def plan(booking):
        return LegacyResult(("T7",))

    async def aplan(booking):
        await asyncio.sleep(0)
        if booking.party_size == 4:
            raise RuntimeError("legacy is down")
        return LegacyResult(("T7",))

    options = {**house.options, "flags": FixedFlags(Mode.OFF)}
    coordinator = AsyncCoordinator(house.store, **options, legacy=plan if kind == "sync" else aplan)
    assert asyncio.run(coordinator.assign(house.booking())).tables == ("T7",)
    if kind == "async":
        with pytest.raises(RuntimeError, match="legacy is down"):
            asyncio.run(coordinator.assign(house.booking("B2", 4)))
