"""What every store promises to threads: of those that want the same thing, one gets it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from assignment_pipeline.errors import AssignmentPipelineError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import AssignmentStore
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite
from assignment_pipeline.testing.store_harness import CONFIRM, QUEUE, make_booking, make_change

THREADS = 8


def race(work: Callable[[int], object]) -> Counter[str]:
    """Run *work* in all threads at the same moment; how often it went through, and which errors it raised."""
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> str:
        barrier.wait()
        try:
            work(number)
        except AssignmentPipelineError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(THREADS) as pool:
        return Counter(pool.map(run, range(THREADS)))


class Threads(StoreSuite):
    """Races."""

    def test_one_thread_gets_the_table(self, store: AssignmentStore) -> None:
        """Of bookings that are seated at one table at the same moment, one is; the others are told of the conflict."""
        changes = [make_change(make_booking(f"b-{n}"), *CONFIRM, tables=("T1",)) for n in range(THREADS)]
        outcome = race(lambda number: store.commit([changes[number]]))
        assert outcome == {"done": 1, "TableConflictError": THREADS - 1}
        assert len(self.taken(store)) == 1

    def test_one_thread_writes_the_record(self, store: AssignmentStore) -> None:
        """Of changes to one record at the same moment, one lands; the others are told that theirs is stale."""
        record = self.commit(store, make_booking(), *QUEUE)
        changes = [make_change(make_booking(), Trigger.BEGIN, before=record) for _ in range(THREADS)]
        outcome = race(lambda number: store.commit([changes[number]]))
        assert outcome == {"done": 1, "StaleRecordError": THREADS - 1}
        assert [step.version for step in store.history("b-1")] == [1, 2, 3]

    def test_one_thread_makes_the_record(self, store: AssignmentStore) -> None:
        """Of new records of one booking at the same moment, one lands."""
        changes = [make_change(make_booking(), *QUEUE) for _ in range(THREADS)]
        outcome = race(lambda number: store.commit([changes[number]]))
        assert outcome == {"done": 1, "StaleRecordError": THREADS - 1}

    def test_sweepers_share_the_work(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Sweepers that claim at the same moment never get the same booking, and together get all."""
        ids = [f"b-{number:02}" for number in range(3 * THREADS)]
        for booking_id in ids:
            self.commit(store, make_booking(booking_id), *QUEUE, next_attempt_at=clock.now())
        claimed: list[str] = []
        outcome = race(lambda _: claimed.extend(due.booking_id for due in store.due(3)))
        assert outcome == {"done": THREADS}
        assert sorted(claimed) == ids
