"""What both coordinators are wired of: ports, and what their flows share within a process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from assignment_pipeline.adapters.logging import LoggingSink
from assignment_pipeline.adapters.memory import MemoryHost, MemoryLockManager, MemoryStore
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.flow.effects import Port
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.handlers import Process, Wiring, is_async
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
from assignment_pipeline.rollout.flags import EnvFlags, FixedFlags
from assignment_pipeline.rollout.shadow import Shadow, ShadowRunner


class Wired:
    """
    The ports of a coordinator, and what it can tell of its own doings.

    Attributes:
        store: The pipeline's records.

        settings: How the flows behave.

        engine: What finds tables.

        shadow: What runs beside legacy, with its counts; None where there is none.
    """

    def __init__(
        self,
        store: AssignmentStore | AsyncAssignmentStore,
        *,
        flags: FlagResolver | None = None,
        locks: LockManager | AsyncLockManager | None = None,
        limiter: LockManager | AsyncLockManager | None = None,
        legacy: LegacyPlanner | AsyncLegacyPlanner | None = None,
        sinks: Sequence[EventSink] | None = None,
        strategies: Sequence[Strategy] = (),
        engine: Engine | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
        shadow: Shadow | str | None = "thread",
        observer: Observer | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.store = store
        self.settings = settings or Settings()
        self.engine: Engine = TableEngine(strategies) if engine is None else engine
        self._legacy = legacy
        self._process = Process(
            clock,
            (LoggingSink(),) if sinks is None else sinks,
            store,
            observer=observer,
            show_errors=self.settings.show_errors,
        )
        self._ports: dict[Port, Any] = {
            Port.STORE: store,
            Port.LOCKS: MemoryLockManager(clock) if locks is None else locks,
            Port.LIMITER: MemoryLockManager(clock) if limiter is None else limiter,
            Port.LEGACY: legacy,
            Port.ENGINE: self.engine,
            Port.FLAGS: EnvFlags() if flags is None else flags,
        }
        self.shadow = self._cast(Shadow.of(shadow))
        self._process.shadow = self.shadow

    def _cast(self, shadow: Shadow | None) -> ShadowRunner | None:
        if shadow is None or (is_async(self.store) and not hasattr(self.store, "apart")):
            return None  # A loop's connections are of no use to a thread.
        return ShadowRunner(
            shadow,
            self.store,
            self.engine,
            self.settings,
            now=self._process.now,
            new_id=self._process.new_id,
            publish=self._process.outbox.publish,
        )

    @classmethod
    def in_memory(cls, *venues: Venue, **options: Any) -> Self:
        """A coordinator over the reference adapters, for a first try and for tests; in charge everywhere."""
        options.setdefault("flags", FixedFlags(Mode.ACTIVE))
        clock = options.get("clock") or SystemClock()
        return cls(MemoryStore(MemoryHost(*venues), clock=clock), **options)

    @property
    def flags(self) -> FlagResolver:
        """Where the pipeline is in charge."""
        flags: FlagResolver = self._ports[Port.FLAGS]
        return flags

    def _wiring(self, legacy: LegacyPlanner | AsyncLegacyPlanner | None = None) -> Wiring:
        ports = self._ports if legacy is None else {**self._ports, Port.LEGACY: legacy}
        return Wiring(self._process, ports)

    def _joined(self, connection: Any) -> Wiring:
        join = getattr(self.store, "joined", None)
        if join is None:
            msg = f"joined: expected a store with connections, such as SQLiteStore, got {type(self.store).__name__}"
            raise TypeError(msg)
        return Wiring(self._process, {**self._ports, Port.STORE: join(connection)}, publishes=False)

    def _has_legacy(self, legacy: LegacyPlanner | AsyncLegacyPlanner | None = None) -> bool:
        return legacy is not None or self._legacy is not None

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the sinks have every event, at most *timeout* seconds; whether they have."""
        return self._process.flush(timeout)

    @property
    def dropped_events(self) -> int:
        """Events that no sink was given, because it was too slow."""
        return self._process.outbox.dropped

    @property
    def failed_events(self) -> int:
        """Events on which a sink raised."""
        return self._process.outbox.failed

    @property
    def lost_releases(self) -> int:
        """Locks that could not be let go of, and ended by themselves."""
        return self._process.lost_releases
