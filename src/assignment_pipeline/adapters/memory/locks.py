"""Locks between the threads of one process."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import platform
import threading
from collections.abc import Sequence

from assignment_pipeline import processes
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.made import maker
from assignment_pipeline.ports import (
    Clock,
    Lease,
    Leases,
    Refused,
    Wanted,
)

_unchecked_lease, _unchecked_leases = maker(Lease), maker(Leases)


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

    @property
    def answers_at_once(self) -> bool:
        """Whether no call of it waits for anything, so that an event loop need not leave it to a thread."""
        return type(self) is MemoryLockManager  # What derives from it may wait.

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: what the parent's threads hold, they hold in the parent."""
        self._lock = threading.RLock()  # So that a thread that is interrupted inside can go on.
        self._held: dict[str, list[Lease]] = {}
        self._secret, self._numbers = os.urandom(16).hex(), itertools.count()

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        with self._lock:
            now = self.clock.now()
            held: dict[str, list[Lease]] = {}
            leases = []
            for want in wanted:
                there = held.get(want.key)
                if there is None:
                    there = self._held.get(want.key, [])
                    there = held[want.key] = [one for one in there if one.expires_at > now] if there else []
                if len(there) >= want.slots:
                    return Refused(want.key)
                nonce = f"{self._secret}.{next(self._numbers)}"
                lease = _unchecked_lease(key=want.key, owner=self.owner, nonce=nonce, expires_at=now + ttl)
                there.append(lease)
                leases.append(lease)
            self._held |= held
            return _unchecked_leases(leases=tuple(leases))

    def release(self, leases: Leases) -> None:
        with self._lock:
            for lease in leases.leases:
                left = [one for one in self._held.pop(lease.key, ()) if one.nonce != lease.nonce]
                if left:
                    self._held[lease.key] = left
