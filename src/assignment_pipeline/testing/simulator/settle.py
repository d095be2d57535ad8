"""The end of a run: faults stop, the sweep goes on, and everything has to come to rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import WAITS_FOR_TABLES, Mode
from assignment_pipeline.flow.legacy.outcome import is_handed_over
from assignment_pipeline.flow.sweeping.sweep import SweepReport, sweep
from assignment_pipeline.lifecycle import SETTLED, AssignmentState
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest
from assignment_pipeline.ports import LoadQuery
from assignment_pipeline.testing.simulator.happenings import ALLOWS_MORE
from assignment_pipeline.testing.simulator.invariants import BrokenError
from assignment_pipeline.testing.simulator.simulation import Simulation

MOST_STEPS = 20_000
MOST_SWEEPS = 80
SECOND = dt.timedelta(seconds=1)
ALL_AT_ONCE = 100


def settle(world: Simulation) -> None:
    """
    Have all go well from now on, and let every booking come to rest, also once a restaurant allows more.

    Raises:
        BrokenError: One does not, or an invariant does not hold on the way.
    """
    world.stop_faults()
    world.note("from here on", "nothing goes wrong any more")
    for restaurant_id in list(world.staff.looked):
        world.note("the staff", world.staff.commit(restaurant_id))
        world.look()
    while world.store.in_flight:
        world.note("the store", world.store.land(0))
        world.look()
    _finish(world)
    for restaurant_id, mode in list(world.rollout.modes.items()):
        if mode is not Mode.ACTIVE and "bump_generation" not in world.harness.cannot:
            world.move_rollout(restaurant_id, Mode.ACTIVE)
    world.clock.advance(world.settings.lock_ttl + SECOND)
    world.renew()
    _come_to_rest(world)
    if any(_wait_for_tables(world)):
        world.happen(world.choices.of([kind for kind in ALLOWS_MORE if world.can(kind)]))
        _come_to_rest(world)


def _come_to_rest(world: Simulation) -> None:
    for _ in range(MOST_SWEEPS):
        _sweep(world)
        due = _next(world)
        if due is None:
            break
        world.clock.advance(max(due - world.clock.now(), dt.timedelta()) + SECOND)
    else:
        _broken("it comes to rest", "Within some sweeps nothing is due any more.", _open(world))
    _broken("everyone is seen to", "In the end every booking is settled.", _unsettled(world))
    _broken(
        "nobody waits beside a free table", "In the end nobody waits for tables while some would do.", _waiting(world)
    )


def _finish(world: Simulation) -> None:
    """Have every worker end what it is about."""
    for _ in range(MOST_STEPS):
        busy = [worker for worker in world.workers if worker.busy]
        if not busy:
            return
        world.step(busy[0])
    _broken("flows end", "Every flow ends.", iter([worker.job for worker in world.workers if worker.busy]))


def _sweep(world: Simulation) -> None:
    reports: list[SweepReport] = []
    errors: list[str] = []

    def done(answer: SweepReport, error: Exception | None) -> None:
        if error is not None:
            errors.append(repr(error))
        else:
            reports.append(answer)
            errors.extend(f"{name}: {said}" for name, said in answer.errors)

    world.note("worker 1", "sweeps")
    flow = sweep(world.settings, ALL_AT_ONCE, legacy=world.has_legacy, memory=world.sweeps)
    world.workers[0].begin("sweep", flow, done)
    _finish(world)
    _broken("sweeps go well", "A sweep during which nothing goes wrong meets no error.", iter(errors))


def _next(world: Simulation) -> dt.datetime | None:
    """When the next booking is due, or None if none ever is."""
    now = world.clock.now()
    if world.harness.store.unassigned(now, ALL_AT_ONCE):
        return now
    times = [record.next_attempt_at for record in _pipelines(world) if record.next_attempt_at is not None]
    return min(times, default=None)


def _pipelines(world: Simulation) -> list[AssignmentRecord]:
    """The records that the pipeline has to see to: its own, and those that legacy was handed and has not answered."""
    records = world.ledger.records.values()
    return [record for record in records if record.owner is Owner.PIPELINE or is_handed_over(record)]


def _open(world: Simulation) -> Iterator[str]:
    for record in _pipelines(world):
        if record.next_attempt_at is not None:
            yield f"{record.booking_id} is {record.state}, due at {record.next_attempt_at}"


def _unsettled(world: Simulation) -> Iterator[str]:
    for record in _pipelines(world):
        booking = world.harness.store.booking(record.booking_id)
        if record.state not in SETTLED and (booking is None or booking.is_pending):
            yield f"{record.booking_id} is {record.state}"


def _wait_for_tables(world: Simulation) -> Iterator[tuple[AssignmentRecord, Booking]]:
    for record in _pipelines(world):
        waits = record.state is AssignmentState.MANUAL_REVIEW and record.reason in WAITS_FOR_TABLES
        booking = world.harness.store.booking(record.booking_id) if waits else None
        if booking is not None and booking.is_pending:  # Whom the host does not know wants no tables.
            yield record, booking


def _waiting(world: Simulation) -> Iterator[str]:
    """Those for whom the engine finds tables after all, though they wait for want of any."""
    for record, booking in _wait_for_tables(world):
        query = LoadQuery(restaurant_id=record.restaurant_id, bookings=(booking,))
        context = world.harness.store.load(query)
        assert context is not None
        this_minute = context.now.replace(second=0, microsecond=0)
        request = SeatingRequest.at(context.venue, booking, this_minute)
        floor = FloorSnapshot.of(context.venue, context.taken, without={booking.id})
        plan = world.engine.plan(request, floor).plan
        if plan is not None:
            yield f"{record.booking_id} is in review, {record.reason}, and {', '.join(plan.tables)} would do"


def _broken(name: str, sentence: str, details: Iterator[str]) -> None:
    found = tuple(details)[:5]
    if found:
        raise BrokenError(name.replace(" ", "_"), sentence, found)
