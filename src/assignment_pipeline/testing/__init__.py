"""
What hosts test with: a clock to advance, contracts for their adapters, strategies for Hypothesis.

Comes with the extra ``testing``; nothing else of the library imports it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from assignment_pipeline.testing.clock import FakeClock

if TYPE_CHECKING:
    from assignment_pipeline.testing.contracts import (
        AssignmentStoreContract,
        AsyncHostContract,
        EventSinkContract,
        HostContract,
        LockManagerContract,
        MetricsStoreContract,
        RolloutStoreContract,
        ShadowStoreContract,
        SteeredStore,
        StoreHarness,
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


def __getattr__(name: str) -> Any:
    # The contracts need pytest; the clock, the checker and the simulator's own command do without.
    if name in __all__:
        return getattr(importlib.import_module("assignment_pipeline.testing.contracts"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
