"""A worker that is killed while it hands a booking over: in a process of its own, for good."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest

from assignment_pipeline import (
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    Mode,
    Outcome,
    Reason,
    Settings,
    Table,
    Venue,
)
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init

TOMORROW = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) + dt.timedelta(days=1)
BOOKING = Booking("B1", "R1", 2, TOMORROW)
SOON = Settings(handover_timeout=dt.timedelta(milliseconds=1))

WORKER = """
import datetime as dt, os, signal, sys
from assignment_pipeline import Coordinator, FixedFlags, LegacyResult, Mode, Settings
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost

path, log, moment = sys.argv[1:]

def legacy(booking):
    if moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    with open(log, "a") as file:
        file.write(booking.id)
    os.kill(os.getpid(), signal.SIGKILL)

with SQLiteStore(path, host=StandaloneHost()) as store:
    soon = Settings(handover_timeout=dt.timedelta(milliseconds=1))
    Coordinator(store, flags=FixedFlags(Mode.OFF), legacy=legacy, settings=soon, sinks=()).assign_id("B1", "R1")
"""


@pytest.mark.parametrize(("moment", "calls"), [("before", ""), ("behind", "B1")])
def test_a_killed_worker_leaves_a_case_for_a_person(tmp_path, moment, calls):
    """Whether it died before legacy did anything or right after, legacy is not called by anybody else."""
    path, log = tmp_path / "day.db", tmp_path / "calls"
    log.touch()
    init(path, standalone=True)
    host = StandaloneHost()
    with SQLiteStore(path, host=host) as store:
        store.write(lambda connection: host.put_venue(connection, Venue("R1", "UTC", FloorPlan([Table("T1", 2)]))))
        store.write(lambda connection: host.put_booking(connection, BOOKING))
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()).enqueue(BOOKING)
        ended = subprocess.run([sys.executable, "-c", WORKER, path, log, moment], check=False)
        assert ended.returncode == -9

        def legacy(_):
            pytest.fail("legacy was called once more")

        off = Coordinator(store, flags=FixedFlags(Mode.OFF), legacy=legacy, settings=SOON, sinks=())
        assert off.assign_id("B1", "R1").reason is Reason.OWNED_BY_LEGACY
        (result,) = off.sweep().results
        assert (result.outcome, result.reason) == (Outcome.MANUAL_REVIEW, Reason.HANDOVER_TIMEOUT)
        assert off.assign_id("B1", "R1").reason is Reason.OWNED_BY_LEGACY
    assert log.read_text() == calls
