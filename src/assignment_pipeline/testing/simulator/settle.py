"""The end of a run: faults stop, the sweep goes on, and everything has to come to rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import IMPOSSIBLE, WAITS_FOR_TABLES, Mode, Reason
from assignment_pipeline.flow.legacy.outcome import is_handed_over
from assignment_pipeline.flow.sweeping.floor_watch import NOT_ALLOWED
from assignment_pipeline.flow.sweeping.sweep import SweepReport, sweep
from assignment_pipeline.lifecycle import SETTLED, AssignmentState
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.pace import Pace
from assignment_pipeline.ports import LoadQuery
from assignment_pipeline.testing.simulator.happenings import ALLOWS_MORE
from assignment_pipeline.testing.simulator.invariants import BrokenError
from assignment_pipeline.testing.simulator.scenario import ALL_AT_ONCE, ELSEWHERE
from assignment_pipeline.testing.simulator.simulation import Simulation

MOST_STEPS = 20_000
MOST_SWEEPS = 80
SECOND = dt.timedelta(seconds=1)
EVERYBODY = 10_000


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
    modes = world.rollout.modes.items()
    off = [name for name, mode in modes if mode is not Mode.ACTIVE and name != ELSEWHERE]
    if off and world.choices.pick(2):
        # Holds end while the pipeline is off, and what waits is handed over.
        for _ in range(2):
            _sweep(world)
            world.clock.advance(world.settings.hold_ttl + SECOND)
    for restaurant_id in off if "bump_generation" not in world.harness.cannot else ():
        world.move_rollout(restaurant_id, Mode.ACTIVE)
    world.clock.advance(world.settings.lock_ttl + SECOND)
    world.renew()
    _come_to_rest(world)
    if world.aside or world.ledger.spoiled:
        _set_right(world)
        _come_to_rest(world)
    if any(_wait_for_tables(world)):
        world.happen(world.choices.of([kind for kind in ALLOWS_MORE if world.can(kind)]))
        _come_to_rest(world)


def _set_right(world: Simulation) -> None:
    """Have every row say what it said."""
    for booking_id in sorted(world.ledger.spoiled):
        world.mend(booking_id)
        world.note("the host", f"the row of {booking_id} makes sense again")
    for booking_id in sorted(world.aside):
        world.bring_back(booking_id)
        world.note("the host", f"{booking_id} is as it was")


def _come_to_rest(world: Simulation) -> None:
    for _ in range(MOST_SWEEPS * (1 if world.page == ALL_AT_ONCE else 3)):
        before = _forgotten(world)
        _sweep(world)
        if world.lists and before and before <= _forgotten(world):
            _broken("a sweep finds the forgotten", "A sweep finds some of those that nobody enqueued.", iter(before))
        due = _next(world)
        if due is None:
            break
        world.clock.advance(max(due - world.clock.now(), dt.timedelta()) + SECOND)
    else:
        _broken("it comes to rest", "Within some sweeps nothing is due any more.", _open(world))
    _broken("nobody is forgotten", "In the end every pending booking has a record.", iter(_forgotten(world)))
    _broken("everyone is seen to", "In the end every booking is settled.", _unsettled(world))
    _broken("no review outlives its cause", "Nobody is in review for what has ended.", _held_up(world))
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
    flow = sweep(world.settings, world.page, legacy=world.has_legacy, memory=world.sweeps)
    world.workers[0].begin("sweep", flow, done)
    _finish(world)
    _broken("sweeps go well", "A sweep during which nothing goes wrong meets no error.", iter(errors))


def _next(world: Simulation) -> dt.datetime | None:
    """When the next booking is due, or None if none ever is."""
    now = world.clock.now()
    if _forgotten(world):
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
        booking = world.ledger.booking(record.booking_id)
        # While a row makes no sense, nobody knows whether the host has settled it: that is seen once it is mended.
        is_open = booking.is_pending if booking else record.booking_id not in world.ledger.spoiled
        if record.state not in SETTLED and is_open:
            yield f"{record.booking_id} is {record.state}"


def _forgotten(world: Simulation) -> set[str]:
    """The pending bookings that nobody enqueued, where the pipeline is in charge."""
    found = world.harness.store.unassigned(world.clock.now(), EVERYBODY)
    return {booking.id for booking in found if booking.restaurant_id != ELSEWHERE}


def _held_up(world: Simulation) -> Iterator[str]:
    for record in _pipelines(world):
        booking = world.ledger.booking(record.booking_id)
        over = record.reason in (Reason.BOOKING_UNREADABLE, Reason.PIPELINE_DISABLED)
        if record.state is not AssignmentState.MANUAL_REVIEW or not over or booking is None or not booking.is_pending:
            continue
        if booking.start_at > world.clock.now():  # Else a person decides: no sweep seats anybody any more.
            yield f"{record.booking_id} is in review, {record.reason}"


def _wait_for_tables(world: Simulation) -> Iterator[tuple[AssignmentRecord, Booking]]:
    for record in _pipelines(world):
        waits = record.state is AssignmentState.MANUAL_REVIEW and record.reason in WAITS_FOR_TABLES | NOT_ALLOWED
        booking = world.ledger.booking(record.booking_id) if waits else None
        if booking is not None and booking.is_pending:  # Whom the host does not know wants no tables.
            yield record, booking


def _waiting(world: Simulation) -> Iterator[str]:
    """Those for whom the engine finds tables after all, or whom the restaurant allows, though they wait for that."""
    for record, booking in _wait_for_tables(world):
        query = LoadQuery(restaurant_id=record.restaurant_id, bookings=(booking,))
        context = world.harness.store.load(query)
        assert context is not None
        if booking.start_at <= context.now:
            continue  # A person decides: no sweep seats anybody any more.
        this_minute = context.now.replace(second=0, microsecond=0)
        request = SeatingRequest.at(context.venue, booking, this_minute)
        pace = Pace(context.venue.calendar, context.arrivals)
        floor = FloorSnapshot.of(context.venue, context.taken, without={booking.id}, pace=pace)
        decision = world.engine.plan(request, floor)
        if decision.plan is not None:
            yield f"{record.booking_id} is in review, {record.reason}, and {', '.join(decision.plan.tables)} would do"
        elif record.reason in NOT_ALLOWED and decision.refusal not in IMPOSSIBLE:
            yield f"{record.booking_id} is in review, {record.reason}, and the restaurant allows it"


def _broken(name: str, sentence: str, details: Iterator[str]) -> None:
    found = tuple(details)[:5]
    if found:
        raise BrokenError(name.replace(" ", "_"), sentence, found)
