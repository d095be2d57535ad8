"""Workers that no lock keeps from each other."""

from __future__ import annotations

import secrets

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.ports import Lease, Leases
from assignment_pipeline.rollout.flags import FixedFlags


class Generous:
    """A lock manager that grants everything."""

    def acquire(self, wanted, *, ttl):
        end = SystemClock().now() + ttl
        return Leases(tuple(Lease(each.key, "anyone", secrets.token_hex(4), end) for each in wanted))

    def release(self, leases):
        pass


def unlocked(store):
    """A coordinator that gets every lock."""
    flags = FixedFlags(Mode.ACTIVE, max_parallel=20)
    return Coordinator(store, flags=flags, locks=Generous(), limiter=Generous(), sinks=())
