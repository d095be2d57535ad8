"""One suite a port: subclass it in a test module, give it its fixtures, and it is your adapter's test suite."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING

from assignment_pipeline.errors import MissingExtraError
from assignment_pipeline.on_use import on_use

try:
    import pytest
except ModuleNotFoundError:
    raise MissingExtraError("testing", "pytest") from None

if TYPE_CHECKING:
    from assignment_pipeline.testing.contracts.audit import AuditStoreContract
    from assignment_pipeline.testing.contracts.host import AsyncHostContract, HostContract
    from assignment_pipeline.testing.contracts.locks import LockManagerContract
    from assignment_pipeline.testing.contracts.metrics import MetricsStoreContract
    from assignment_pipeline.testing.contracts.rollout import RolloutStoreContract, SteeredStore
    from assignment_pipeline.testing.contracts.shadow import ShadowStoreContract
    from assignment_pipeline.testing.contracts.sinks import EventSinkContract
    from assignment_pipeline.testing.contracts.store import AssignmentStoreContract
    from assignment_pipeline.testing.store_harness import StoreHarness

# Asserts of imported modules say what they compared only when pytest rewrites them, and it must know them before.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))

__getattr__ = on_use(
    __name__,
    {
        "testing.contracts.audit": "AuditStoreContract",
        "testing.contracts.host": "AsyncHostContract HostContract",
        "testing.contracts.locks": "LockManagerContract",
        "testing.contracts.metrics": "MetricsStoreContract",
        "testing.contracts.rollout": "RolloutStoreContract SteeredStore",
        "testing.contracts.shadow": "ShadowStoreContract",
        "testing.contracts.sinks": "EventSinkContract",
        "testing.contracts.store": "AssignmentStoreContract",
        "testing.store_harness": "StoreHarness",
    },
)

__all__ = [
    "AssignmentStoreContract",
    "AsyncHostContract",
    "AuditStoreContract",
    "EventSinkContract",
    "HostContract",
    "LockManagerContract",
    "MetricsStoreContract",
    "RolloutStoreContract",
    "ShadowStoreContract",
    "SteeredStore",
    "StoreHarness",
]
