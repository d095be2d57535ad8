"""The embedded adapters: store, lock manager and a host of its own, in one SQLite file."""

from assignment_pipeline.adapters.sqlite.host import StandaloneHost
from assignment_pipeline.adapters.sqlite.joined import JoinedStore
from assignment_pipeline.adapters.sqlite.locks import SQLiteLockManager
from assignment_pipeline.adapters.sqlite.schema import SCHEMA_VERSION, STANDALONE_VERSION, check, init
from assignment_pipeline.adapters.sqlite.store import SQLiteStore

__all__ = [
    "SCHEMA_VERSION",
    "STANDALONE_VERSION",
    "JoinedStore",
    "SQLiteLockManager",
    "SQLiteStore",
    "StandaloneHost",
    "check",
    "init",
]
