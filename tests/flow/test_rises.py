"""A planner that fills the room badly proves the rest impossible: each restaurant's own past shows it."""

import datetime as dt
import json

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, LegacyResult, Table, Venue
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.metrics import PIPELINE
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.rollout.control import Answer, Rollout, StoreGates, Verdict
from assignment_pipeline.rollout.control.gates import recompute
from assignment_pipeline.rollout.control.store_gates import rises_of
from assignment_pipeline.testing import FakeClock
from tests.flow.direct_flags import DirectFlags

LEGACY = (Owner.LEGACY, Mode.SHADOW)
DAY, MINUTE = dt.timedelta(days=1), dt.timedelta(minutes=1)
RESTAURANTS = [f"r-{number}" for number in range(8)]


def test_whole_days_in_a_row_until_there_are_enough():
    """Against the restaurant's own share, by a quarter at most; who has no past is left aside."""
    past = {
        "a": {LEGACY: Outcomes(confirmed=18, review=2)},
        "b": {LEGACY: Outcomes(confirmed=50, review=50)},
        "new": {LEGACY: Outcomes(confirmed=5)},
    }

    def day(**counts):
        return {
            name: {PIPELINE: Outcomes(confirmed=asked - proved, infeasible=proved)}
            for name, (asked, proved) in counts.items()
        }

    days = [day(a=(10, 1), b=(30, 3), new=(50, 50)), day(a=(9, 3)), day(a=(1, 1), stranger=(30, 0)), day(a=(20, 20))]
    assert list(rises_of(past, days)) == [-25, 15, 25]


@pytest.mark.parametrize(("tables", "answer"), [(30, Answer.PASS), (4, Answer.FAIL)])
def test_the_last_phase_asks_for_it(tables, answer):
    """Legacy, which gave tables away twice, refused nobody; a pipeline that proves most of it impossible fails."""
    clock = FakeClock()
    floor = FloorPlan([Table(f"T{number}", 2) for number in range(tables)])
    host = MemoryHost(*[Venue(name, "Europe/London", floor) for name in RESTAURANTS])
    store = MemoryStore(host, clock=clock)
    rollout = Rollout(store, gates=StoreGates(store), clock=clock)
    coordinator = Coordinator(
        store, flags=DirectFlags(store), clock=clock, legacy=lambda _: LegacyResult(("T1",)), sinks=(store,)
    )
    number = 0

    def a_day():
        nonlocal number
        for name in RESTAURANTS:
            for _ in range(20):
                number += 1
                start = clock.now().replace(second=0, microsecond=0) + DAY
                booking = Booking(f"b-{number}", name, 2, start)
                host.put_booking(booking)
                coordinator.assign(booking)
        clock.advance(DAY)

    rollout.enter("production-shadow", actor="anna", force=True, reason="a test")
    clock.advance(2 * MINUTE)
    for _ in range(2):
        a_day()
    for phase in ("production-50", "production-100"):
        rollout.enter(phase, actor="anna", force=True, reason="a test")
        clock.advance(2 * MINUTE)
    for _ in range(8):
        a_day()
    found = {verdict.metric: verdict for verdict in rollout.status().verdicts}["infeasible_rise"]
    assert found.answer is answer
    assert found.value == 0.0 if answer is Answer.PASS else found.value > 0.1  # No machine is too slow for that.
    assert found.sample == 8 * len(RESTAURANTS)
    assert recompute(Verdict.read(json.loads(json.dumps(found.document()))), 20) is answer


def test_without_a_past_it_holds():
    """Nothing is promised for what nobody knows."""
    clock = FakeClock()
    store = MemoryStore(MemoryHost(), clock=clock)
    rollout = Rollout(store, gates=StoreGates(store), clock=clock)
    rollout.enter("production-100", actor="anna", force=True, reason="a test")
    clock.advance(30 * DAY)
    found = {verdict.metric: verdict for verdict in rollout.status().verdicts}["infeasible_rise"]
    assert found.answer is Answer.HOLD
    assert found.missing == "no restaurant has twenty bookings yet, or none has a past with as many"
