"""A coordinator survives a fork: the child waits for nothing that only the parent's threads could let go of."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import datetime as dt, os, threading
from assignment_pipeline import Booking, Coordinator, FloorPlan, Table, Venue
from assignment_pipeline.adapters.memory import MemoryLockManager
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.ports import Leases, Wanted

told = []

class Sink:
    def emit(self, events):
        told.extend(events)

locks = MemoryLockManager(SystemClock())
coordinator = Coordinator.in_memory(
    Venue("R1", "UTC", FloorPlan([Table("T1", 2), Table("T2", 2)])), locks=locks, sinks=[Sink()]
)
tomorrow = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) + dt.timedelta(days=1)
assert coordinator.assign(Booking("B1", "R1", 2, tomorrow)).tables
assert coordinator.flush(10)
assert isinstance(locks.acquire([Wanted("booking:B2")], ttl=dt.timedelta(minutes=1)), Leases)
for watched in (locks, coordinator._process.circuit, coordinator._process.dispatcher):
    other = threading.Thread(target=watched._lock.acquire)  # Another thread has it at that moment.
    other.start()
    other.join()
child = os.fork()
if child == 0:
    told.clear()
    done = coordinator.assign(Booking("B2", "R1", 2, tomorrow))
    os._exit(0 if done.outcome == "confirmed" and coordinator.flush(10) and told else 1)
watchdog = threading.Timer(20, os.kill, (child, 9))
watchdog.start()
_, status = os.waitpid(child, 0)
watchdog.cancel()
assert status == 0, status
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_begins_afresh():
    """Locks held, leases taken and threads running at the fork stay the parent's."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
