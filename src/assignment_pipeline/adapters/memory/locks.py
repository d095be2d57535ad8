"""Locks between the threads of one process."""

from __future__ import annotations

import datetime as dt
import os
import platform
import threading
from collections.abc import Sequence

from assignment_pipeline import processes
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.ports import (
    Clock,
    Lease,
    Leases,
    Refused,
    Wanted,
)


class MemoryLockManager(processes.Watched):
    """
    A `LockManager` for the threads of one process.

    Args:
        clock: What leases expire by; this machine's unless told otherwise.

        owner: Who its leases say they belong to; host and process unless told otherwise.
    """

    def __init__(self, clock: Clock | None = None, owner: str | None = None) -> None:
        self.clock = clock or SystemClock()
        self.owner = owner or f"{platform.node()}:{os.getpid()}"
        self.reset_in_child()
        processes.watch(self)

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: what the parent's threads hold, they hold in the parent."""
        self._lock = threading.RLock()  # So that a thread that is interrupted inside can go on.
        self._held: dict[str, list[Lease]] = {}

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        with self._lock:
            now = self.clock.now()
            held = {want.key: [one for one in self._held.get(want.key, ()) if one.expires_at > now] for want in wanted}
            leases = []
            for want in wanted:
                if len(held[want.key]) >= want.slots:
                    return Refused(want.key)
                lease = Lease(want.key, self.owner, os.urandom(16).hex(), now + ttl)
                held[want.key].append(lease)
                leases.append(lease)
            self._held |= held
            return Leases(tuple(leases))

    def release(self, leases: Leases) -> None:
        nonces = {lease.nonce for lease in leases.leases}
        with self._lock:
            for key in {lease.key for lease in leases.leases}:
                left = [lease for lease in self._held.pop(key, ()) if lease.nonce not in nonces]
                if left:
                    self._held[key] = left
