"""
What hosts test with: a clock to advance, contracts for their adapters, strategies for Hypothesis.

Comes with the extra ``testing``; nothing else of the library imports it.
"""

from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts import (
    AssignmentStoreContract,
    EventSinkContract,
    LockManagerContract,
    MetricsStoreContract,
    RolloutStoreContract,
    ShadowStoreContract,
    StoreHarness,
)

__all__ = [
    "AssignmentStoreContract",
    "EventSinkContract",
    "FakeClock",
    "LockManagerContract",
    "MetricsStoreContract",
    "RolloutStoreContract",
    "ShadowStoreContract",
    "StoreHarness",
]
