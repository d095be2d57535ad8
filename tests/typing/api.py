"""The public API as a host uses it. Nobody runs this file: mypy reads it, and fails where a type has been lost."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Sequence
from typing import assert_type

from openfeature.client import OpenFeatureClient

from assignment_pipeline import (
    AssignmentRecord,
    AssignmentResult,
    AssignmentState,
    AsyncCoordinator,
    Booking,
    Coordinator,
    Decision,
    EnvFlags,
    Event,
    LegacyResult,
    Occupied,
    Settings,
    StatusMap,
    SweepReport,
    TimeWindow,
    Trigger,
    Venue,
    step,
)
from assignment_pipeline.adapters.celery import Tasks, register
from assignment_pipeline.adapters.memory import MemoryHost, MemoryLockManager, MemoryStore
from assignment_pipeline.adapters.openfeature import AssignmentPipelineProvider, OpenFeatureFlags
from assignment_pipeline.adapters.opentelemetry import OpenTelemetry
from assignment_pipeline.adapters.redis import AsyncRedisLockManager, RedisLockManager
from assignment_pipeline.adapters.sqlite import SQLiteLockManager, SQLiteStore, StandaloneHost
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.domain.shadow import ShadowBundle
from assignment_pipeline.planning.base import FloorSnapshot, Seating, SeatingRequest
from assignment_pipeline.ports import (
    AssignmentStore,
    AsyncAssignmentStore,
    AsyncLockManager,
    EventSink,
    FlagResolver,
    Host,
    LockManager,
    Observer,
    RecordPage,
    RolloutStore,
    ShadowStore,
)
from assignment_pipeline.rollout.control import Rollout, Verdict
from assignment_pipeline.rollout.flags import LayeredFlags, StoreFlags
from assignment_pipeline.rollout.shadow import Shadow


class OwnHost:
    """A host is whatever has these methods."""

    def booking(self, connection: sqlite3.Connection, booking_id: str) -> Booking | None:
        return None

    def venue(self, connection: sqlite3.Connection, restaurant_id: str, known_version: str | None) -> Venue | None:
        return None

    def occupied(self, connection: sqlite3.Connection, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        return ()

    def unassigned(self, connection: sqlite3.Connection, since: dt.datetime, limit: int) -> Iterable[Booking]:
        return ()


class Regulars:
    """A strategy is whatever has a name and weighs."""

    name = "regulars"

    def weigh(self, request: SeatingRequest, seating: Seating, floor: FloorSnapshot) -> float | None:
        return -1.0 if request.booking.attributes.get("regular") else 0.0


class Sink:
    """A sink is whatever takes events."""

    def emit(self, events: Sequence[Event]) -> None:
        return None


def legacy(booking: Booking) -> LegacyResult:
    return LegacyResult(("T1",))


def adapters(path: str, venue: Venue, flags: FlagResolver) -> None:
    hosts: list[Host] = [OwnHost(), MemoryHost(venue), StandaloneHost()]
    stores: list[AssignmentStore] = [SQLiteStore(path, host=hosts[0]), MemoryStore(hosts[1], clock=SystemClock())]
    locks: list[LockManager] = [SQLiteLockManager(path), MemoryLockManager(SystemClock())]
    sinks: list[EventSink] = [Sink()]
    shadows: list[ShadowStore] = [SQLiteStore(path, host=hosts[0]), MemoryStore(hosts[1])]
    assert_type(shadows[0].bundle("b-1"), ShadowBundle | None)
    Coordinator(stores[0], shadow=Shadow(runs="worker", ignore=lambda bundle: bundle["kind"] == "tables"))
    Coordinator(stores[0], shadow="thread")
    Coordinator(
        stores[0], flags=flags, locks=locks[0], legacy=legacy, sinks=sinks, strategies=[Regulars()], settings=Settings()
    )


def extras(store: AssignmentStore, locks: AsyncLockManager) -> None:
    shared: LockManager = RedisLockManager("redis://localhost", pool_size=4)
    locks = AsyncRedisLockManager("redis://localhost")
    observer: Observer = OpenTelemetry()
    AsyncCoordinator(store, locks=locks, limiter=shared, observer=observer)
    assert_type(register(None, lambda: Coordinator(store, locks=shared)), Tasks)


def calls(coordinator: Coordinator, booking: Booking) -> None:
    assert_type(coordinator.assign(booking, legacy=legacy), AssignmentResult)
    assert_type(coordinator.assign_many([booking]), tuple[AssignmentResult, ...])
    assert_type(coordinator.preview(booking), Decision)
    assert_type(coordinator.enqueue(booking), AssignmentRecord | None)
    assert_type(coordinator.record("b-1"), AssignmentRecord | None)
    assert_type(coordinator.review_queue("r-1"), RecordPage)
    assert_type(coordinator.sweep(), SweepReport)
    assert_type(coordinator.pin("b-1", actor="anna"), AssignmentResult)
    assert_type(coordinator.observe(booking, LegacyResult()), bool)
    assert_type(coordinator.blocks("r-1"), tuple[TableBlock, ...])
    assert_type(step(AssignmentState.CREATED, Trigger.VERIFY), AssignmentState)


async def acalls(coordinator: AsyncCoordinator, booking: Booking) -> None:
    assert_type(await coordinator.assign(booking, legacy=legacy), AssignmentResult)
    assert_type(await coordinator.place(booking, ["T1"], actor="anna"), AssignmentResult)
    assert_type((await coordinator.walk_in("corner", 2, actor="anna")).until, dt.datetime | None)
    assert_type(await coordinator.sweep(limit=5), SweepReport)
    assert_type(await coordinator.left("b-1", actor="anna"), AssignmentResult)


def rollout(store: AssignmentStore, path: str, client: OpenFeatureClient) -> None:
    steering: list[RolloutStore] = [MemoryStore(MemoryHost()), SQLiteStore(path, host=StandaloneHost())]
    layered = LayeredFlags(EnvFlags(), StoreFlags(steering[0]))
    resolvers: list[FlagResolver] = [EnvFlags(), layered, OpenFeatureFlags(client)]
    Coordinator(store, flags=resolvers[1])
    AssignmentPipelineProvider(layered)
    control = Rollout(steering[1], environment=layered.environment)
    assert_type(control.status().verdicts, tuple[Verdict, ...])
    assert_type(control.advance(actor="dana"), RolloutRevision)


async def awaited_planner(booking: Booking) -> LegacyResult:
    """A planner for asyncio."""
    return LegacyResult([booking.id])


def what_does_not_fit(store: AsyncAssignmentStore, fitting: AssignmentStore, locks: AsyncRedisLockManager) -> None:
    """Sync and async are told apart: an ignore that is not needed is an error."""
    Coordinator(store)  # type: ignore[arg-type]
    Coordinator(fitting, legacy=awaited_planner)  # type: ignore[arg-type]
    Coordinator(fitting, locks=locks)  # type: ignore[arg-type]
    AsyncCoordinator(store, legacy=awaited_planner, locks=locks)


def words() -> None:
    """A host says what each state is called."""
    made = StatusMap(waiting="w", review="w", held="w", confirmed="c", failed="f", cancelled="x")
    assert_type(made.word(AssignmentState.CONFIRMED), str)
    StatusMap(waiting="w", review="w", held="w", confirmed="c", failed="f")  # type: ignore[call-arg]
