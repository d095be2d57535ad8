"""The solver is loaded where nobody waits for it."""

import subprocess
import sys

import pytest

from assignment_pipeline.planning import exact

pytestmark = pytest.mark.skipif(not exact.available(), reason="highspy is not installed")

BEHIND = """
import sys
from assignment_pipeline.planning import exact
assert not exact.is_at_hand(0.05)
assert exact.is_at_hand(exact.LOADING)
exact._loading[0].join()
assert "highspy" in sys.modules and exact.is_at_hand(0.05)
"""

CALL = """
import datetime as dt, sys
from assignment_pipeline import *
floor = FloorPlan([Table("T1", 2), Table("T2", 4)])
coordinator = Coordinator.in_memory(Venue("r", "UTC", floor), sinks=())
start = dt.datetime(2031, 5, 2, 19, tzinfo=dt.UTC)
assert coordinator.place(Booking("b-0", "r", 2, start), ["T2"], actor="ann", pin=False).tables == ("T2",)
in_time = dt.timedelta(seconds=30)
assert coordinator.assign(Booking("b-1", "r", 4, start), deadline=in_time).moved == ("b-0",)
assert "highspy" not in sys.modules
"""

FORKED = """
import os, sys, time
from assignment_pipeline.planning import exact
at_once = exact.load
def slowly():
    time.sleep(exact.LOADING * 1.5)
    at_once()
exact.load = slowly
exact.is_at_hand(0.05)
child = os.fork()
if not child:
    os._exit("highspy" not in sys.modules)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("program", [BEHIND, CALL, FORKED], ids=["behind", "call", "forked"])
def test_in_a_process_of_its_own(program):
    """Who has little time does without, and a thread begins; few moves need no solver; a fork waits for the thread."""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)
