"""Every adapter keeps the promises of its port."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from assignment_pipeline.adapters.memory import MemorySink
from assignment_pipeline.domain.events import Event
from assignment_pipeline.ports import AssignmentStore, EventSink
from assignment_pipeline.testing import (
    AssignmentStoreContract,
    AuditStoreContract,
    EventSinkContract,
    LockManagerContract,
    MetricsStoreContract,
    RolloutStoreContract,
    ShadowStoreContract,
    StoreHarness,
)


class TestStores(AssignmentStoreContract):
    """Each store."""


class TestAudits(AuditStoreContract):
    """Each store, as people look at it."""


class TestLocks(LockManagerContract):
    """Each lock manager."""


COUNTING = ["memory", "sqlite", "postgres", "postgres-alone", "postgres-async", "postgres-async-alone"]


@pytest.mark.parametrize("backend", COUNTING, indirect=True)
class TestRollouts(RolloutStoreContract):
    """Each store keeps the rollout; pgbouncer changes nothing about that."""


@pytest.mark.parametrize("backend", COUNTING, indirect=True)
class TestMetrics(MetricsStoreContract):
    """Each store counts, likewise."""


class TestMemorySink(EventSinkContract):
    """The sink that only keeps."""

    @pytest.fixture
    def sink(self) -> MemorySink:
        """A fresh one."""
        return MemorySink()

    @pytest.fixture
    def recorded(self, sink: MemorySink) -> Callable[[], Sequence[Event]]:
        """What has arrived."""
        return lambda: sink.events


class TestStoresAsSinks(EventSinkContract):
    """Each store is told of what no commit carries, too."""

    once = True

    @pytest.fixture
    def sink(self, store: AssignmentStore) -> EventSink:
        """A fresh store."""
        assert isinstance(store, EventSink)
        return store

    @pytest.fixture
    def recorded(self, harness: StoreHarness) -> Callable[[], Sequence[Event]]:
        """What has arrived."""
        return harness.events


class TestShadows(ShadowStoreContract):
    """Each store keeps what shadow runs leave."""

    @pytest.fixture
    def recorded(self, harness: StoreHarness) -> Callable[[], Sequence[Event]]:
        """What it was told of."""
        return harness.events
