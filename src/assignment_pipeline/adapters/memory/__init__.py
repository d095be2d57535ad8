"""The ports in memory: what every other adapter is held to, and enough for a first try and for tests."""

from assignment_pipeline.adapters.memory.host import MemoryHost
from assignment_pipeline.adapters.memory.locks import MemoryLockManager
from assignment_pipeline.adapters.memory.sink import MemorySink
from assignment_pipeline.adapters.memory.store import MemoryStore

__all__ = ["MemoryHost", "MemoryLockManager", "MemorySink", "MemoryStore"]
