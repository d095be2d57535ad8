"""Redis keeps the promises of lock managers: by a clock of the test's and by its own."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import pytest

from assignment_pipeline.ports import LockManager
from assignment_pipeline.testing import FakeClock, LockManagerContract


class TestRedisLocks(LockManagerContract):
    """By a clock that the test sets."""

    @pytest.fixture
    def locks(self, redis_backend: Any, clock: FakeClock) -> LockManager:
        """A fresh lock manager."""
        return redis_backend.locks(clock)


class TestRedisLocksByItsOwnClock(LockManagerContract):
    """By the server's, with short leases."""

    ttl = dt.timedelta(seconds=0.15)

    @pytest.fixture
    def locks(self, redis_backend: Any) -> LockManager:
        """A fresh lock manager."""
        return redis_backend.locks()

    @pytest.fixture
    def elapse(self) -> Callable[[dt.timedelta], None]:
        """Waits."""
        return lambda span: time.sleep(span.total_seconds() + 0.005)
