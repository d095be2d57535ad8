"""What workers are given to do: a name in plain words, and the flow that it begins. A flow added later is a line."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from assignment_pipeline.domain.adoption import LegacySeat
from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import LegacyResult, Move
from assignment_pipeline.domain.shadow import ShadowCase
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.driving import relay
from assignment_pipeline.errors import (
    BlockNotFoundError,
    BookingNotFoundError,
    BookingOverError,
    BookingUnreadableError,
    CommitUnknownError,
    HostContradictionError,
    IllegalTransitionError,
    NoTablesError,
    NotBegunError,
    OtherRestaurantError,
    PartySitsError,
    PlacementRefusedError,
    StaleRecordError,
    StoreUnavailableError,
    TableConflictError,
)
from assignment_pipeline.flow.assigning import assign, assign_many, enqueue, reassign, reoptimize
from assignment_pipeline.flow.assigning.decision_context import Target
from assignment_pipeline.flow.effects import Effect, Emit, Flow, LoadContext, Port
from assignment_pipeline.flow.legacy import adopt, takeover
from assignment_pipeline.flow.staff import (
    arrivals,
    blocks,
    confirm_and_cancel,
    holds,
    party,
    rearrange,
    reinstate,
    review,
    service,
    walk_in,
)
from assignment_pipeline.flow.sweeping import sweep
from assignment_pipeline.lifecycle import FINAL, WITH_TABLES, AssignmentState
from assignment_pipeline.planning.base import Rule
from assignment_pipeline.planning.exact import available
from assignment_pipeline.rollout.shadow.candidate import rehearsal
from assignment_pipeline.rollout.shadow.inspection import verdict_event
from assignment_pipeline.rollout.shadow.judging import judge
from assignment_pipeline.rollout.shadow.reverse import dry_rehearsal
from assignment_pipeline.testing.simulator.faults import LegacyDownError
from assignment_pipeline.testing.simulator.scenario import DINNER
from assignment_pipeline.testing.simulator.world import World

T = TypeVar("T")

STAFF = "staff"
STAYS = (dt.timedelta(minutes=30), dt.timedelta(hours=2), dt.timedelta())


@attrs.frozen
class Job:
    """
    Something that workers are given to do.

    Attributes:
        name: What the trace calls it.

        weight: How often it comes, against the others.

        begin: The flow, for a booking as the host has it; those that are not about one pass it over.

        raises: What it may raise; anything else is a bug.

        suits: The states of bookings that it is about, rather than any.

        owners: Who answers for bookings that it is about, rather than any.
    """

    name: str
    weight: int
    begin: Callable[[World, Booking], Flow[Any]]
    raises: tuple[type[Exception], ...] = ()
    suits: frozenset[AssignmentState] = frozenset()
    owners: frozenset[Owner] = frozenset()

    def is_about(self, record: AssignmentRecord) -> bool:
        """Whether the booking of a record is one that it is about."""
        return record.state in (self.suits or (record.state,)) and record.owner in (self.owners or (record.owner,))


def _assign(world: World, booking: Booking) -> Flow[Any]:
    return assign.assign(Target.of(booking), world.settings, legacy=world.has_legacy)


def _assign_id(world: World, booking: Booking) -> Flow[Any]:
    target = Target(booking.id, booking.restaurant_id)
    return assign.assign(target, world.settings, trigger="queue", legacy=world.has_legacy)


def _assign_elsewhere(world: World, booking: Booking) -> Flow[Any]:
    """A message, or a caller, that names another restaurant than the host's."""
    other = world.choices.of(tuple(world.ledger.venues))
    target = Target(booking.id, other)
    if world.choices.pick(2):
        target = Target.of(attrs.evolve(booking, restaurant_id=other))
    return assign.assign(target, world.settings, trigger="queue", legacy=world.has_legacy)


def _assign_now(world: World, booking: Booking) -> Flow[Any]:
    return assign.assign(Target.of(booking), world.settings, trigger=assign.MANUAL, legacy=world.has_legacy)


def _assign_many(world: World, booking: Booking) -> Flow[Any]:
    others = [world.any_booking() for _ in range(1 + world.choices.pick(4))]
    wanted = {found.id: found for found in (booking, *others)}
    return assign_many.assign_many(tuple(wanted.values()), world.settings, legacy=world.has_legacy)


def _reassign(world: World, booking: Booking) -> Flow[Any]:
    keep = not world.choices.pick(2)
    change: dict[str, Any] = world.choices.of(({}, {}, {"party_size": 4}, {"start_at": DINNER}, {"party_size": 2}))
    if change and booking.status != CANCELLED:
        booking = attrs.evolve(booking, **change)
        world.put_booking(booking)
    return reassign.reassign(Target.of(booking), world.settings, keep=keep, legacy=world.has_legacy)


def _cancel(world: World, booking: Booking) -> Flow[Any]:
    restaurant_id = world.choices.of((booking.restaurant_id, None))
    return confirm_and_cancel.cancel(booking.id, restaurant_id, world.settings)


def _cancel_unknown(world: World, booking: Booking) -> Flow[Any]:
    restaurant_id = world.choices.of((booking.restaurant_id, None))
    return confirm_and_cancel.cancel(f"X{world.choices.pick(3)}", restaurant_id, world.settings)


def _place(world: World, booking: Booking) -> Flow[Any]:
    floor = world.venue_of(booking).floor
    tables = tuple(dict.fromkeys(world.choices.of(floor.tables).id for _ in range(1 + world.choices.of((0, 0, 1)))))
    allow = tuple(rule.value for rule in Rule if rule not in rearrange.NEVER_ALLOWED) if world.choices.pick(2) else ()
    pin = not world.choices.pick(2)
    before = _who_leaves_first(world, booking) if allow else None
    if before is not None:
        return _undone(world, booking, before, allow)
    wanted = review.Placement.of(tables, expect_version=None, allow=allow, moves=(), pin=pin)
    return review.place(booking, wanted, world.settings, actor=STAFF)


def _who_leaves_first(world: World, booking: Booking) -> AssignmentRecord | None:
    """Another party whose tables are laid behind it, if *booking* may as well come when that one leaves."""
    if booking.is_pending and booking.id not in world.walk_ins and booking.id not in world.aside:
        for record in map(world.store.record, world.bookings):
            held = record.allocation if record is not None and record.restaurant_id == booking.restaurant_id else None
            if record is not None and record.booking_id != booking.id and held and held.blocked.end > held.turn.end:
                return record
    return None


def _undone(world: World, booking: Booking, before: AssignmentRecord, allow: tuple[str, ...]) -> Flow[Any]:
    """A person seats a party right behind another one, cancels the wrong one of the two, and puts it back."""
    assert before.allocation is not None
    booking = attrs.evolve(booking, start_at=before.allocation.turn.end, end_at=None)
    world.put_booking(booking)
    wanted = review.Placement.of(before.tables, expect_version=None, allow=allow, moves=(), pin=False)
    yield from review.place(booking, wanted, world.settings, actor=STAFF)
    with contextlib.suppress(*_UNKNOWN, BookingOverError):
        yield from confirm_and_cancel.cancel(before.booking_id, None, world.settings, actor=STAFF)
        yield from reinstate.reinstate(before.booking_id, world.settings, actor=STAFF)


def _rearrange(world: World, booking: Booking) -> Flow[Any]:
    """Two parties of a restaurant swap, or one moves."""
    held = [
        record
        for record in map(world.store.record, world.bookings)
        if record is not None and record.allocation and record.restaurant_id == booking.restaurant_id
    ]
    if len(held) < 2:
        table = world.choices.of(world.venue_of(booking).floor.tables)
        moves: tuple[Move, ...] = (Move(booking.id, ["none"], [table.id]),)
    else:
        first = world.choices.of(held)
        second = world.choices.of([one for one in held if one is not first])
        moves = (
            Move(first.booking_id, first.tables, second.tables),
            Move(second.booking_id, second.tables, first.tables),
        )
    allow = [rule.value for rule in Rule if rule not in rearrange.NEVER_ALLOWED]
    wanted = rearrange.Wanted.of(moves, allow=allow, pin=not world.choices.pick(2), restaurant_id=None)
    return rearrange.rearrange(wanted, world.settings, actor=STAFF)


def _walk_in(world: World, booking: Booking) -> Flow[Any]:
    """A party at the door: with a row at the host, as most hosts have one, or with an id that is asked for twice."""
    tables = (world.choices.of(world.venue_of(booking).floor.tables).id,) if world.choices.pick(2) else ()
    allow = [Rule.OUTSIDE_SERVICE.value, Rule.PACING.value, Rule.LAYING_TIME.value][: world.choices.pick(4)]
    door = walk_in.AtDoor.of(
        booking.restaurant_id,
        1 + world.choices.pick(4),
        booking_id=booking.id if world.choices.pick(3) else f"W{world.choices.pick(3)}",
        tables=tables,
        moves=(),
        until=None,
        allow=allow,
        offer=not world.choices.pick(4),
        seating="any",
        zone=None,
        accessible=False,
        channel=None,
    )
    return walk_in.walk_in(door, world.settings, actor=STAFF)


def _seat(world: World, booking: Booking) -> Flow[Any]:
    allow = [Rule.LAYING_TIME.value] if world.choices.pick(2) else []
    return arrivals.seated(booking.id, world.settings, actor=STAFF, allow=allow)


def _extend(world: World, booking: Booking) -> Flow[Any]:
    until = world.venue_of(booking).turn(booking).end + world.choices.of(STAYS)
    return service.extend(booking.id, until, world.settings, actor=STAFF)


def _reoptimize(world: World, booking: Booking) -> Flow[Any]:
    day = world.venue_of(booking).service_date(booking.start_at)
    apply = not world.choices.pick(2)
    return reoptimize.reoptimize(booking.restaurant_id, day, world.settings, apply=apply, actor=STAFF)


def _shadow(world: World, booking: Booking) -> Flow[Any]:
    """The candidate beside everybody else, legacy where it can be: it may read, and what it would have done is told."""
    now = world.clock.now()
    if world.offered:
        return (yield from _reverse(world, world.offered.popleft(), now))
    case = ShadowCase(id=world.new_id(), captured_at=now, booking=booking, legacy=LegacyResult())
    flow = rehearsal(case, world.ports[Port.ENGINE], world.settings, now)
    trial = yield from _reading(world, flow)
    verdict = judge(case, trial, world.ports[Port.ENGINE], world.settings).verdict
    yield from Emit((*trial.transitions, verdict_event(case, verdict, now)))
    return None


def _reverse(world: World, case: ShadowCase, now: dt.datetime) -> Flow[Any]:
    """Legacy would have seated every party at the first table: that seats nobody."""
    assert case.pipeline is not None
    first = world.venue_of(case.booking).floor.tables[0]
    flow = dry_rehearsal(case, case.pipeline, lambda *_: LegacyResult((first.id,)))
    asked, trial = yield from _reading(world, flow)
    verdict = judge(asked, trial, world.ports[Port.ENGINE], world.settings).verdict
    yield from Emit((verdict_event(asked, verdict, now),))


def _reading(world: World, flow: Flow[T]) -> Flow[T]:
    def answering(effect: Effect[Any]) -> Flow[Any]:
        if not isinstance(effect, LoadContext):
            world.offend("a shadow did more than read", type(effect).__name__)
        return (yield effect)

    return relay(flow, answering)


def _sweep(world: World, _: Booking) -> Flow[Any]:
    limit = world.choices.of((100, 100, 1, 2))
    return sweep.sweep(world.settings, limit, legacy=world.has_legacy, memory=world.sweeps)


def _adopt(world: World, booking: Booking) -> Flow[Any]:
    """Tell of what legacy has seated, whether or not the table was free."""
    record = world.store.record(booking.id)
    if booking.is_pending and (record is None or not record.allocation):
        booking = attrs.evolve(booking, status="confirmed")
        world.put_booking(booking)
    table = world.choices.of(world.venue_of(booking).floor.tables)
    return adopt.adopt((LegacySeat(booking, (table.id,)),), world.settings)


def _block(world: World, booking: Booking) -> Flow[Any]:
    venue = world.venue_of(booking)
    hours = world.choices.of((1, 4))
    window = TimeWindow(DINNER, DINNER + dt.timedelta(hours=hours))
    table = world.choices.of(venue.floor.tables)
    closes_room = hours > 1 and table.zone is not None
    name, zone = (None, table.zone) if closes_room else (table.id, None)
    return blocks.block(venue.id, name, window, zone=zone, actor=STAFF, reason="maintenance")


def _unblock(world: World, booking: Booking) -> Flow[Any]:
    known = sorted(block.id for block in world.ledger.blocks if block.restaurant_id == booking.restaurant_id)
    name = world.choices.of((*known, "none"))
    zones = sorted({table.zone for table in world.venue_of(booking).floor.tables if table.zone is not None})
    if name == "none" and zones:
        return blocks.unblock(booking.restaurant_id, None, zone=zones[0], window=None, actor=STAFF)
    return blocks.unblock(booking.restaurant_id, name, zone=None, window=None, actor=STAFF)


_STORE = (StoreUnavailableError, CommitUnknownError)
_UNKNOWN = (BookingNotFoundError, BookingUnreadableError)
"""What calls of people raise for a booking without a record: it is looked for at the host."""

_PERSON = (*_UNKNOWN, IllegalTransitionError, PartySitsError)

_SEATED_ONLY = (*_UNKNOWN, NoTablesError)
_SERVICE = (*_SEATED_ONLY, IllegalTransitionError, NotBegunError, PartySitsError)

_PLACE = (
    IllegalTransitionError,
    OtherRestaurantError,
    PlacementRefusedError,
    StaleRecordError,
    TableConflictError,
)

_PREVIEW = (OtherRestaurantError, StoreUnavailableError)

_HELD = frozenset({AssignmentState.ASSIGNED})
_REVIEW = frozenset({AssignmentState.MANUAL_REVIEW})

JOBS: tuple[Job, ...] = (
    Job("assign", 14, _assign, (LegacyDownError,)),
    Job("sweep", 8, _sweep, (StoreUnavailableError,)),
    Job("enqueue", 5, lambda world, booking: enqueue.enqueue(booking, world.settings), (OtherRestaurantError, *_STORE)),
    Job("assign by id", 3, _assign_id, (LegacyDownError, BookingNotFoundError)),
    Job("assign elsewhere", 1, _assign_elsewhere, (LegacyDownError, BookingNotFoundError)),
    Job("assign at once", 2, _assign_now, (LegacyDownError,)),
    Job("assign many", 4, _assign_many, (LegacyDownError,)),
    Job(
        "confirm",
        4,
        lambda world, booking: holds.confirm(booking.id, world.settings),
        _UNKNOWN,
        _HELD,
    ),
    Job("reassign", 4, _reassign, (LegacyDownError, HostContradictionError), WITH_TABLES | _REVIEW),
    Job("cancel", 3, _cancel, (OtherRestaurantError,), WITH_TABLES),
    Job("cancel an unknown booking", 1, _cancel_unknown, (OtherRestaurantError,)),
    Job(
        "requeue",
        3,
        lambda world, booking: review.requeue(booking.id, world.settings, actor=STAFF),
        (*_PERSON, HostContradictionError),
        _REVIEW | {AssignmentState.CONFIRMED},
    ),
    Job(
        "reject",
        2,
        lambda world, booking: review.reject(booking.id, world.settings, actor=STAFF, reason="guest_withdrew"),
        _PERSON,
        _REVIEW,
    ),
    Job("place", 4, _place, _PLACE),
    Job("rearrange", 2, _rearrange, (*_PLACE, *_SEATED_ONLY), WITH_TABLES),
    Job(
        "pin", 1, lambda world, booking: review.pin(booking.id, world.settings, actor=STAFF), _SEATED_ONLY, WITH_TABLES
    ),
    Job(
        "unpin",
        1,
        lambda world, booking: review.unpin(booking.id, world.settings, actor=STAFF),
        _SEATED_ONLY,
        WITH_TABLES,
    ),
    Job(
        "seat",
        1,
        _seat,
        _SERVICE,
        WITH_TABLES,
    ),
    Job("walk in", 2, _walk_in, _PLACE),
    Job(
        "see off",
        1,
        lambda world, booking: service.left(booking.id, world.settings, actor=STAFF),
        _SERVICE,
        WITH_TABLES,
    ),
    Job(
        "miss",
        1,
        lambda world, booking: service.no_show(booking.id, world.settings, actor=STAFF),
        _SERVICE,
        WITH_TABLES,
    ),
    Job(
        "undo",
        4,
        lambda world, booking: reinstate.reinstate(booking.id, world.settings, actor=STAFF),
        (*_UNKNOWN, BookingOverError),
        FINAL,
    ),
    Job("hold longer", 1, lambda world, booking: holds.extend_hold(booking.id, None, world.settings), _UNKNOWN),
    Job(
        "count",
        1,
        lambda world, booking: party.party_changed(booking.id, 1 + world.choices.pick(4), world.settings, actor=STAFF),
        _SEATED_ONLY,
        WITH_TABLES,
    ),
    Job("stay longer", 2, _extend, (*_SERVICE, ValueError), WITH_TABLES),
    Job(
        "take over",
        3,
        lambda world, booking: takeover.takeover(booking.id, world.settings, actor=STAFF),
        (*_UNKNOWN, TableConflictError),
        owners=frozenset({Owner.LEGACY}),
    ),
    Job("adopt", 3, _adopt, _STORE),
    Job("block", 1, _block, _STORE),
    Job("unblock", 1, _unblock, (BlockNotFoundError, *_STORE)),
    *((Job("reoptimize", 2, _reoptimize, _STORE),) if available() else ()),
    Job("shadow", 2, _shadow),
    Job("preview", 1, lambda world, booking: enqueue.preview(booking, world.settings), _PREVIEW),
    Job("look up", 1, lambda _, booking: enqueue.look_up(booking.id), (StoreUnavailableError,)),
)
"""Every job there is; the first is the plainest."""

BY_NAME = {job.name: job for job in JOBS}
