"""
Many bookings at a time with asyncio.

It shows `asyncio.gather` over bookings of several restaurants, what a restaurant's limit (`max_parallel`) does to more
than that many at once and how to come back after `retry_after`, and that a task which is cancelled in the middle lets
go of its lock.

    python examples/async_use.py
"""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections import Counter
from zoneinfo import ZoneInfo

from assignment_pipeline import (
    AssignmentResult,
    AsyncCoordinator,
    Booking,
    FloorPlan,
    Mode,
    Outcome,
    Reason,
    Settings,
    Table,
    Venue,
)
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.ports import AssignmentContext, LoadQuery
from assignment_pipeline.rollout.flags import FixedFlags

PARIS = ZoneInfo("Europe/Paris")
BUSY = (Reason.RATE_LIMITED, Reason.CONFLICT)


class SlowStore(MemoryStore):
    """A store that is as far away as a database. It is a sync one: the coordinator calls it in worker threads."""

    seconds = 0.05
    asked = threading.Event()

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        """Everything that planning for those bookings looks at, in one snapshot. See `AssignmentStore.load`."""
        self.asked.set()
        time.sleep(self.seconds)
        return super().load(query)


def tomorrow_at(hour: int) -> dt.datetime:
    """That hour tomorrow, as clocks in Paris show it."""
    date = dt.datetime.now(PARIS).date() + dt.timedelta(days=1)
    return dt.datetime.combine(date, dt.time(hour), PARIS)


async def assign(coordinator: AsyncCoordinator, booking: Booking) -> AssignmentResult:
    """Assign a booking, and come back where its restaurant had its hands full."""
    while True:
        result = await coordinator.assign(booking)
        if result.reason not in BUSY or result.retry_after is None:
            return result
        await asyncio.sleep(result.retry_after.total_seconds())


async def main() -> None:
    """Forty bookings, five restaurants, and one impatient guest."""
    floor = FloorPlan([Table(f"T{number}", 4) for number in range(1, 9)])
    venues = [Venue(f"house-{number}", "Europe/Paris", floor) for number in range(1, 6)]
    bookings = [
        Booking(f"{venue.id}/{number}", venue.id, 4, tomorrow_at(20)) for venue in venues for number in range(1, 9)
    ]
    store = SlowStore(MemoryHost(*venues), clock=SystemClock())
    flags = FixedFlags(Mode.ACTIVE, max_parallel=4)
    # Two seconds by default. Shorter, because nobody wants to wait for an example.
    settings = Settings(rate_retry=dt.timedelta(seconds=0.1))
    async with AsyncCoordinator(store, flags=flags, settings=settings, sinks=()) as coordinator:
        at_once = await asyncio.gather(*(coordinator.assign(booking) for booking in bookings))
        print("All at once:", dict(Counter(str(result.reason or result.outcome) for result in at_once)))
        assert any(result.reason is Reason.RATE_LIMITED for result in at_once)

        results = await asyncio.gather(*(assign(coordinator, booking) for booking in bookings))
        tables = {(record.restaurant_id, record.tables) for result in results if (record := result.record)}
        print(f"Coming back when told to: {len(tables)} bookings at {len(tables)} tables")
        assert len(tables) == len(bookings)

        store.asked.clear()
        store.seconds = 0.5
        late = Booking("late", "house-1", 2, tomorrow_at(22))
        task = asyncio.create_task(coordinator.assign(late))
        await asyncio.to_thread(store.asked.wait)  # It has the lock by then.
        assert (await coordinator.assign(late)).reason is Reason.LOCK_CONTENTION
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            print("The task was cancelled in the middle")
        result = await coordinator.assign(late)
        print(f"The next one finds no lock in its way: {result.outcome} at {' + '.join(result.tables)}")
        assert result.outcome is Outcome.CONFIRMED


if __name__ == "__main__":
    asyncio.run(main())
