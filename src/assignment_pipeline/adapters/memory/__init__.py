"""The ports in memory: what every other adapter is held to, and enough for a first try and for tests."""

from typing import TYPE_CHECKING

from assignment_pipeline.on_use import on_use

if TYPE_CHECKING:
    from assignment_pipeline.adapters.memory.host import MemoryHost
    from assignment_pipeline.adapters.memory.locks import MemoryLockManager
    from assignment_pipeline.adapters.memory.sink import MemorySink
    from assignment_pipeline.adapters.memory.store import MemoryStore
else:
    # The locks do without the store.
    __getattr__ = on_use(
        __name__,
        {
            "adapters.memory.host": "MemoryHost",
            "adapters.memory.locks": "MemoryLockManager",
            "adapters.memory.sink": "MemorySink",
            "adapters.memory.store": "MemoryStore",
        },
    )

__all__ = ["MemoryHost", "MemoryLockManager", "MemorySink", "MemoryStore"]
