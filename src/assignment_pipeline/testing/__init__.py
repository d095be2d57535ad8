"""
What hosts test with: a clock to advance, contracts for their adapters, strategies for Hypothesis.

Comes with the extra ``testing``; nothing else of the library imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assignment_pipeline.on_use import on_use
from assignment_pipeline.testing.clock import FakeClock

if TYPE_CHECKING:
    from assignment_pipeline.testing.contracts import (
        AssignmentStoreContract,
        AsyncHostContract,
        AuditStoreContract,
        EventSinkContract,
        HostContract,
        LockManagerContract,
        MetricsStoreContract,
        RolloutStoreContract,
        ShadowStoreContract,
        SteeredStore,
    )
    from assignment_pipeline.testing.store_harness import StoreHarness

# The contracts need pytest; nothing else does.
__getattr__ = on_use(
    __name__,
    {
        "testing.contracts": "AssignmentStoreContract AsyncHostContract AuditStoreContract EventSinkContract "
        "HostContract LockManagerContract MetricsStoreContract RolloutStoreContract ShadowStoreContract SteeredStore",
        "testing.store_harness": "StoreHarness",
    },
)

__all__ = [
    "AssignmentStoreContract",
    "AsyncHostContract",
    "AuditStoreContract",
    "EventSinkContract",
    "FakeClock",
    "HostContract",
    "LockManagerContract",
    "MetricsStoreContract",
    "RolloutStoreContract",
    "ShadowStoreContract",
    "SteeredStore",
    "StoreHarness",
]
