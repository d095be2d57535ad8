"""What can go wrong, each with its own name and rate: another way for an effect to be answered."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from assignment_pipeline.errors import (
    CommitUnknownError,
    FlagsUnreadError,
    InvalidValueError,
    LockManagerUnavailableError,
    StaleRecordError,
    StaleRolloutError,
    StoreUnavailableError,
    TableConflictError,
)
from assignment_pipeline.flow.effects import (
    BlockTables,
    ClaimDue,
    Commit,
    Effect,
    Emit,
    FindBooking,
    FindUnassigned,
    FindWaiting,
    Hold,
    InCharge,
    LoadContext,
    LoadContexts,
    LookUpChange,
    Publish,
    PutBack,
    ReadBlocks,
    ReadRecords,
    ResolveFlags,
    RunLegacy,
    TakeSlot,
    UnblockTables,
)
from assignment_pipeline.ports import Lease, Leases, Refused
from assignment_pipeline.testing.simulator.choices import CERTAIN
from assignment_pipeline.testing.simulator.world import FleetMember, World

READS = (
    LoadContext,
    LoadContexts,
    ReadBlocks,
    ReadRecords,
    FindBooking,
    FindUnassigned,
    FindWaiting,
    ClaimDue,
    LookUpChange,
)
SHARED = (
    ResolveFlags,
    InCharge,
    Hold,
    TakeSlot,
    *READS,
    PutBack,
    Commit,
    BlockTables,
    UnblockTables,
    RunLegacy,
    Emit,
    Publish,
)
"""The effects that anybody else could notice: all others are answered at once, since their order does not matter."""

SLOW = dt.timedelta(seconds=8)
NAP = dt.timedelta(seconds=5)


class DiedError(BaseException):
    """The worker is no more."""


class LegacyDownError(Exception):
    """The legacy planner does not work."""


@attrs.frozen
class Blow:
    """
    An effect that a fault strikes.

    Attributes:
        world: Where it happens.

        worker: Whom it happens to.

        effect: What was asked.

        ask: Carries it out, as if nothing had happened.
    """

    world: World
    worker: FleetMember
    effect: Any
    ask: Callable[[], Any]


@attrs.frozen
class Fault:
    """
    One thing that can go wrong.

    Attributes:
        name: What ``--faults`` calls it.

        rate: How likely it is each time that it could be, from 0 to 1; 0 where it comes about among the happenings.

        effects: The effects that it can strike; none where it strikes elsewhere.

        does: Answers the effect in its stead.

        fits: Whether it makes sense for an effect.
    """

    name: str
    rate: float = 0
    effects: tuple[type[Effect[Any]], ...] = ()
    does: Callable[[Blow], Any] = lambda blow: blow.ask()
    fits: Callable[[World, Any], bool] = lambda _world, _effect: True

    @property
    def chance(self) -> int:
        """The rate, as `Choices.weigh` takes it."""
        return round(self.rate * CERTAIN)


def _raise(error: Callable[[Blow], BaseException]) -> Callable[[Blow], Any]:
    def does(blow: Blow) -> Any:
        raise error(blow)

    return does


def _then_raise(error: Callable[[Blow], BaseException]) -> Callable[[Blow], Any]:
    def does(blow: Blow) -> Any:
        blow.ask()
        raise error(blow)

    return does


def _died(_: Blow) -> BaseException:
    return DiedError()


def _unavailable(_: Blow) -> BaseException:
    return StoreUnavailableError("simulated")


def _unknown(_: Blow) -> BaseException:
    return CommitUnknownError("simulated")


def _die_after(blow: Blow) -> Any:
    blow.ask()
    _lose_what_it_claims(blow)
    raise DiedError


def _lose_what_it_claims(blow: Blow) -> None:
    """Note that what a claim handed out is put back by nobody: its worker never got to know of it."""
    if isinstance(blow.effect, ClaimDue):
        blow.worker.lose_claims(due.booking_id for due in blow.world.store.handed_out)


def _pause(blow: Blow) -> Any:
    try:
        return blow.ask()
    finally:
        nap = blow.world.choices.of((1, 2, 14))
        blow.worker.lose_claims()
        _lose_what_it_claims(blow)
        blow.worker.wakes_at = blow.world.clock.now() + blow.world.settings.lock_ttl + nap * NAP


def _slow(blow: Blow) -> Any:
    blow.world.clock.advance(SLOW)
    return blow.ask()


def _legacy_slow(blow: Blow) -> Any:
    """More of these than one fit into the time of a claim."""
    blow.world.clock.advance(3 * SLOW)
    return blow.ask()


def _conflict(blow: Blow) -> BaseException:
    tables = {name for change in blow.effect.changes for name in change.record.tables}
    return TableConflictError(tuple(sorted(tables)))


def _is_stepless(_: World, effect: Commit) -> bool:
    """Whether the versions of the records stay as they are: where nothing else has moved, only ids tell it apart."""
    return not any(change.steps or change.expected_version is None for change in effect.changes)


def _takes_tables(world: World, effect: Commit) -> bool:
    """Whether the commit is for tables that its bookings do not have already: no store finds others contested."""
    for change in effect.changes:
        before = world.store.record(change.record.booking_id)
        if (before.version if before else None) != change.expected_version:
            return False  # That comes first.
        if change.record.taking(before):
            return True
    return False


def _stale(blow: Blow) -> BaseException:
    return StaleRecordError(blow.effect.changes[0].record.booking_id, "version")


def _twice(blow: Blow) -> Any:
    """What is sent once more arrives at once, or whenever it does; either way it is to be refused."""
    blow.ask()
    if blow.world.choices.pick(2):
        blow.world.store.send(blow.effect.changes)
        return
    with contextlib.suppress(StaleRecordError, StaleRolloutError):
        blow.ask()


def _late(blow: Blow) -> Any:
    blow.world.store.send(blow.effect.changes)
    raise CommitUnknownError("simulated, and it is still in flight")


def _die_in_flight(blow: Blow) -> Any:
    blow.world.store.send(blow.effect.changes)
    raise DiedError


def _grant_anyway(blow: Blow) -> Any:
    answer = blow.ask()
    if not isinstance(answer, Refused):
        return answer
    until = blow.world.clock.now() + blow.effect.ttl
    return Leases(tuple(Lease(want.key, "a liar", "forged", until) for want in blow.effect.wanted))


def _lose_lease(blow: Blow) -> Any:
    answer = blow.ask()
    if isinstance(answer, Leases):
        blow.world.locks.lose(answer)
    return answer


_COMMIT, _LOCKS = (Commit,), (Hold, TakeSlot)

ALL: tuple[Fault, ...] = (
    Fault("dies-before", 0.012, SHARED, _raise(_died)),
    Fault("dies-after", 0.012, SHARED, _die_after),
    Fault("pauses", 0.03, SHARED, _pause),
    Fault("commit-answer-lost", 0.06, _COMMIT, _then_raise(_unknown)),
    Fault("commit-lands-late", 0.06, _COMMIT, _late),
    Fault("commit-vanishes", 0.02, _COMMIT, _raise(_unknown)),
    Fault("commit-fails", 0.03, _COMMIT, _raise(_unavailable)),
    Fault("commit-conflicts", 0.03, _COMMIT, _raise(_conflict), _takes_tables),
    Fault("commit-stale", 0.02, _COMMIT, _raise(_stale)),
    Fault("commit-sent-twice", 0.03, _COMMIT, _twice),
    Fault("stepless-sent-twice", 0.4, _COMMIT, _twice, _is_stepless),
    Fault("dies-in-flight", 0.02, _COMMIT, _die_in_flight),
    Fault("look-up-fails", 0.2, (LookUpChange,), _raise(_unavailable)),
    Fault("read-fails", 0.01, READS, _raise(_unavailable)),
    Fault("read-slow", 0.01, READS, _slow),
    Fault("claim-answer-lost", 0.1, (ClaimDue,), _then_raise(_unavailable)),
    Fault("put-back-fails", 0.3, (PutBack,), _raise(_unavailable)),
    Fault("lock-granted-twice", 0.2, _LOCKS, _grant_anyway, lambda world, effect: world.locks.would_refuse(effect)),
    Fault("lease-lost", 0.03, _LOCKS, _lose_lease),
    Fault("locks-down", 0.02, _LOCKS, _raise(lambda _: LockManagerUnavailableError("simulated"))),
    Fault("release-fails", 0.05),
    Fault(
        "flags-stale",
        0.15,
        (ResolveFlags,),
        lambda blow: blow.world.rollout.before(blow.effect.restaurant_id),
        lambda world, effect: world.rollout.has_moved(effect.restaurant_id),
    ),
    Fault("flags-unread", 0.03, (ResolveFlags,), _raise(lambda _: FlagsUnreadError("simulated"))),
    Fault("flags-flip"),
    Fault("store-down"),
    Fault("legacy-double-books", 0.2),
    Fault("legacy-raises", 0.3, (RunLegacy,), _raise(lambda _: LegacyDownError("simulated"))),
    Fault("legacy-slow", 0.3, (RunLegacy,), _legacy_slow),
    Fault("sink-raises", 0.03),
    Fault("clock-off", 0.15),
    Fault("message-twice", 0.08),
    Fault("message-never", 0.08),
)
"""Every fault there is. The rates are such that most runs see some, and most flows still get somewhere."""

OUTAGE = Fault("store-down", 0, does=_raise(_unavailable))
"""How every question to the store is answered while it is down."""

BY_NAME = {fault.name: fault for fault in ALL}


def select(names: str | Iterable[str]) -> tuple[Fault, ...]:
    """
    The faults that ``all``, ``none`` or some names mean.

    Raises:
        ValueError: There is no fault of such a name.
    """
    if names == "all":
        return ALL
    if names == "none":
        return ()
    wanted = [name.strip() for name in (names.split(",") if isinstance(names, str) else names)]
    unknown = [name for name in wanted if name not in BY_NAME]
    if unknown:
        raise InvalidValueError("", f"all, none, or faults among {', '.join(BY_NAME)}", f"{unknown[0]!r}")
    return tuple(fault for fault in ALL if fault.name in wanted)
