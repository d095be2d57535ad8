"""What both coordinators are wired of: ports, and what their flows share within a process."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from assignment_pipeline.adapters.memory import MemoryLockManager
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.flow.effects import Port
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.handlers import USE_ASYNC, Process, Wiring, is_async
from assignment_pipeline.on_use import module_on_use
from assignment_pipeline.planning.base import Engine, Strategy
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.ports import (
    AssignmentStore,
    AsyncAssignmentStore,
    AsyncLegacyPlanner,
    AsyncLockManager,
    Clock,
    EventSink,
    FlagResolver,
    LegacyPlanner,
    LockManager,
    Observer,
)
from assignment_pipeline.ports.fitting import require, require_kind
from assignment_pipeline.rollout.shadow.settings import Shadow

if TYPE_CHECKING:
    from assignment_pipeline.adapters import logging
    from assignment_pipeline.flow.sweeping import unassigned
    from assignment_pipeline.rollout import flags as flagging
    from assignment_pipeline.rollout.flags import environment
    from assignment_pipeline.rollout.shadow import runner as shadows
else:
    logging = module_on_use("adapters.logging")
    unassigned = module_on_use("flow.sweeping.unassigned")
    flagging = module_on_use("rollout.flags")
    environment = module_on_use("rollout.flags.environment")
    shadows = module_on_use("rollout.shadow.runner")

Store = TypeVar("Store", bound="AnyStore")
Locks = TypeVar("Locks", bound="AnyLocks")
Legacy = TypeVar("Legacy", bound="AnyLegacy")

AnyStore = AssignmentStore | AsyncAssignmentStore
AnyLocks = LockManager | AsyncLockManager
AnyLegacy = LegacyPlanner | AsyncLegacyPlanner

_OFF = (
    "{}: no flags were given and the environment sets none. The pipeline is off everywhere: bookings get no tables."
    " Pass flags=FixedFlags(Mode.ACTIVE), or set FEATURE_ASSIGNMENT_PIPELINE_V3=true in the environment."
)
_AT_ONCE = "It is asked in the caller's path: it answers from what it has at hand."


class BaseCoordinator(Generic[Store, Locks, Legacy]):
    """
    The ports of a coordinator, and its own counters.

    Attributes:
        store: The pipeline's records.

        settings: How the flows behave.

        engine: What finds tables.

        shadow: What runs beside legacy, with its counts; None where there is none.
    """

    _awaits: ClassVar[bool]

    def __init__(
        self,
        store: Store,
        *,
        flags: FlagResolver | None = None,
        locks: Locks | None = None,
        limiter: Locks | None = None,
        legacy: Legacy | None = None,
        sinks: Sequence[EventSink] | None = None,
        strategies: Sequence[Strategy] = (),
        engine: Engine | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
        shadow: Shadow | str | None = "thread",
        observer: Observer | None = None,
    ) -> None:
        clock = clock or SystemClock()
        is_off = flags is None and legacy is None and environment.is_unset()
        flags = environment.EnvFlags() if flags is None else flags
        given = {"locks": locks, "limiter": limiter}
        self._require(store, flags, {name: one for name, one in given.items() if one is not None}, legacy)
        require("clock", clock, ("now", "monotonic"), "a Clock, such as SystemClock()", sync=_AT_ONCE)
        if engine is not None:
            require("engine", engine, ("plan",), "an Engine, such as TableEngine()", sync=_AT_ONCE)
        if settings is not None:
            require_kind("settings", settings, Settings)
        for sink in sinks or ():
            require("sinks", sink, ("emit",), "EventSinks, such as LoggingSink()", sync="A thread calls it.")
        if is_off:
            warnings.warn(_OFF.format(type(self).__name__), stacklevel=3)
        self.store: Store = store
        self.settings = settings or Settings()
        self.engine: Engine = TableEngine(strategies) if engine is None else engine
        self._process = Process(
            clock,
            (logging.LoggingSink(),) if sinks is None else sinks,
            store,
            observer=observer,
            show_errors=self.settings.show_errors,
        )
        own = MemoryLockManager(clock)
        ports = {
            Port.STORE: store,
            Port.LOCKS: own if locks is None else locks,
            Port.LIMITER: own if limiter is None else limiter,
            Port.LEGACY: legacy,
            Port.ENGINE: self.engine,
            Port.FLAGS: flags,
            Port.PROCESS: self._process,
        }
        self._process.one_manager = locks is None and limiter is None and observer is None
        self._wiring = Wiring(self._process, ports)
        self.shadow = self._shadow_runner(shadow)
        self._process.shadow = self.shadow
        self._process.reverses = self.shadow is not None and self.shadow.settings.reverse is not None

    def _require(self, store: Any, flags: Any, locks: Mapping[str, Any], legacy: Any) -> None:
        """Refuse ports that could not answer, or whose answers nobody would await."""
        sync = None if self._awaits else USE_ASYNC
        require("store", store, ("load", "commit"), "an AssignmentStore, such as SQLiteStore", sync=sync)
        require("flags", flags, ("resolve",), "a FlagResolver, such as FixedFlags(Mode.ACTIVE)", sync=_AT_ONCE)
        for name, manager in locks.items():
            require(name, manager, ("acquire", "release"), "a LockManager, such as RedisLockManager", sync=sync)
        if legacy is not None:
            require("legacy", legacy, ("__call__",), "a function of a Booking that answers a LegacyResult", sync=sync)

    def _shadow_runner(self, wanted: Shadow | str | None) -> shadows.ShadowRunner | None:
        shadow = Shadow.of(wanted)
        if shadow is None or (is_async(self.store) and not hasattr(self.store, "apart")):
            return None  # A loop's connections are of no use to a thread.
        return shadows.ShadowRunner(
            shadow,
            self.store,
            self.engine,
            self.settings,
            now=self._process.now,
            new_id=self._process.new_id,
            publish=self._process.dispatcher.publish,
        )

    @classmethod
    def in_memory(cls, *venues: Venue, **options: Any) -> Self:
        """A coordinator over the reference adapters, for a first try and for tests; in charge everywhere."""
        from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore  # noqa: PLC0415 - few processes use it

        options.setdefault("flags", flagging.FixedFlags(Mode.ACTIVE))
        clock = options.get("clock") or SystemClock()
        store: Any = MemoryStore(MemoryHost(*venues), clock=clock)
        return cls(store, **options)

    @functools.cached_property
    def _sweeps(self) -> unassigned.SweepMemory:
        return unassigned.SweepMemory()

    @property
    def flags(self) -> FlagResolver:
        """Where the pipeline is in charge."""
        flags: FlagResolver = self._wiring.ports[Port.FLAGS]
        return flags

    def _wired_to(self, legacy: LegacyPlanner | AsyncLegacyPlanner) -> Wiring:
        """The same ports with another legacy planner, for one call."""
        self._require(self.store, self.flags, {}, legacy)
        return self._wiring.with_port(Port.LEGACY, legacy)

    def _joined(self, connection: Any) -> Wiring:
        join = getattr(self.store, "joined", None)
        if join is None:
            msg = f"joined: expected a store with connections, such as SQLiteStore, got {type(self.store).__name__}"
            raise TypeError(msg)
        return self._wiring.with_port(Port.STORE, join(connection), publishes=False)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the sinks have every event, at most *timeout* seconds, or 10 if None; whether they have."""
        return self._process.flush(timeout)

    @property
    def dropped_events(self) -> int:
        """Events that a sink was not given, because it was too slow, or did not come back before closing."""
        return self._process.dispatcher.dropped

    @property
    def failed_events(self) -> int:
        """Events on which a sink raised."""
        return self._process.dispatcher.failed

    @property
    def lost_releases(self) -> int:
        """Locks that could not be let go of, and ended by themselves."""
        return self._process.lost_releases
