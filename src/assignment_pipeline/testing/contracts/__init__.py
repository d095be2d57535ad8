"""One suite a port: subclass it in a test module, give it its fixtures, and it is your adapter's test suite."""

from assignment_pipeline.errors import MissingExtraError

try:
    import pytest
except ModuleNotFoundError:
    raise MissingExtraError("testing", "pytest") from None

# Asserts of imported modules say what they compared only when pytest rewrites them, and it must do so first.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{part}"
        for part in (
            "audit",
            "blocks",
            "guards",
            "harness",
            "host",
            "legacys",
            "locks",
            "metrics",
            "reads",
            "records",
            "rollout",
            "shadow",
            "sinks",
            "sweep",
            "threads",
        )
    )
)

from assignment_pipeline.testing.contracts.audit import AuditStoreContract  # noqa: E402 - behind the rewriting
from assignment_pipeline.testing.contracts.harness import StoreHarness  # noqa: E402
from assignment_pipeline.testing.contracts.host import AsyncHostContract, HostContract  # noqa: E402
from assignment_pipeline.testing.contracts.locks import LockManagerContract  # noqa: E402
from assignment_pipeline.testing.contracts.metrics import MetricsStoreContract  # noqa: E402
from assignment_pipeline.testing.contracts.rollout import RolloutStoreContract, SteeredStore  # noqa: E402
from assignment_pipeline.testing.contracts.shadow import ShadowStoreContract  # noqa: E402
from assignment_pipeline.testing.contracts.sinks import EventSinkContract  # noqa: E402
from assignment_pipeline.testing.contracts.store import AssignmentStoreContract  # noqa: E402

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
