"""Flags that move while flows run, and locks that are watched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import attrs

from assignment_pipeline.adapters.memory import MemoryLockManager
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.flow.effects import Hold
from assignment_pipeline.ports import FlagDecision, Lease, Leases, Refused, Wanted
from assignment_pipeline.testing.clock import FakeClock


class Rollout:
    """
    A `FlagResolver` over a rollout that moves.

    Args:
        restaurants: Where the pipeline is in charge at first.

        generation: The store's, to begin with.

        max_parallel: Assignments at one time at a restaurant, at most.

        blind: Whether its answers leave the generation out, as those of the environment do.
    """

    def __init__(self, restaurants: Sequence[str], generation: int, max_parallel: int, *, blind: bool) -> None:
        self.generation = generation
        self.modes = dict.fromkeys(restaurants, Mode.ACTIVE)
        self._before: dict[str, FlagDecision] = {}
        self._max_parallel = max_parallel
        self._blind = blind

    def resolve(self, restaurant_id: str) -> FlagDecision:
        return FlagDecision(
            mode=self.modes[restaurant_id],
            max_parallel=self._max_parallel,
            reason="simulated",
            source="simulator",
            generation=None if self._blind else self.generation,
        )

    def move(self, restaurant_id: str, mode: Mode) -> None:
        """Have the pipeline do something else at a restaurant, from the next generation on."""
        self._before = {name: self.resolve(name) for name in self.modes}
        self.modes[restaurant_id] = mode
        self.generation += 1

    def has_moved(self, restaurant_id: str) -> bool:
        """Whether there is something before."""
        return restaurant_id in self._before

    def before(self, restaurant_id: str) -> FlagDecision:
        """What it said before it last moved."""
        return self._before[restaurant_id]


class WatchedLocks:
    """
    A `LockManager` that notices when it is not one.

    Args:
        clock: What leases expire by.

        offend: Told where more hold a lock than may.
    """

    def __init__(self, clock: FakeClock, offend: Callable[[str, str], None]) -> None:
        self._offend = offend
        self._clock = clock
        self._locks = MemoryLockManager(clock, owner="simulated")
        self._held: dict[str, list[Lease]] = {}

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        answer = self._locks.acquire(wanted, ttl=ttl)
        if isinstance(answer, Leases):
            for want, lease in zip(wanted, answer.leases, strict=True):
                if len(self._holders(want.key)) >= want.slots:
                    self._offend("two hold one lock", f"{want.key}, which {want.slots} may")
                self._held.setdefault(want.key, []).append(lease)
        return answer

    def release(self, leases: Leases) -> None:
        nonces = {lease.nonce for lease in leases.leases}
        for lease in leases.leases:
            self._held[lease.key] = [held for held in self._held.get(lease.key, ()) if held.nonce not in nonces]
        self._locks.release(leases)

    lose = release
    """What a lock server does that forgets: those who hold them do not hear of it."""

    def would_refuse(self, hold: Hold) -> bool:
        """Whether somebody is in the way."""
        return any(len(self._holders(want.key)) >= want.slots for want in hold.wanted)

    def _holders(self, key: str) -> list[Lease]:
        now = self._clock.now()
        self._held[key] = [lease for lease in self._held.get(key, ()) if lease.expires_at > now]
        return self._held[key]


@attrs.define
class WorkerClock:
    """A worker's own clock, which may be off; seconds go by for all of them alike."""

    clock: FakeClock
    offset: dt.timedelta

    def now(self) -> dt.datetime:
        return self.clock.now() + self.offset

    def monotonic(self) -> float:
        return self.clock.monotonic()
