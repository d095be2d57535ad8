"""
The adapters for PostgreSQL 14 or newer: store, lock manager and a host of its own, for threads and for asyncio.

Come with the extra ``postgres``. Everything works behind pgbouncer in transaction mode: nothing is kept in a session.
"""

from assignment_pipeline.errors import MissingExtraError

try:
    import orjson  # noqa: F401 - whether they are there
    import psycopg  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtraError("postgres", error.name or "psycopg") from None

from assignment_pipeline.adapters.postgres.aio import AsyncPostgresStore
from assignment_pipeline.adapters.postgres.bookings import bookings_view
from assignment_pipeline.adapters.postgres.host import AsyncStandaloneHost, StandaloneHost
from assignment_pipeline.adapters.postgres.joined import AsyncJoinedStore, JoinedStore
from assignment_pipeline.adapters.postgres.locks import AsyncPostgresLockManager, PostgresLockManager
from assignment_pipeline.adapters.postgres.purposes import Purpose
from assignment_pipeline.adapters.postgres.rights import check_grants, grants
from assignment_pipeline.adapters.postgres.schema import (
    SCHEMA,
    SCHEMA_VERSION,
    STANDALONE_VERSION,
    check,
    init,
    place,
    versions,
)
from assignment_pipeline.adapters.postgres.security import Opening, examine_security
from assignment_pipeline.adapters.postgres.store import PostgresStore
from assignment_pipeline.adapters.schema_parts import PIPELINE, STANDALONE

__all__ = [
    "PIPELINE",
    "SCHEMA",
    "SCHEMA_VERSION",
    "STANDALONE",
    "STANDALONE_VERSION",
    "AsyncJoinedStore",
    "AsyncPostgresLockManager",
    "AsyncPostgresStore",
    "AsyncStandaloneHost",
    "JoinedStore",
    "Opening",
    "PostgresLockManager",
    "PostgresStore",
    "Purpose",
    "StandaloneHost",
    "bookings_view",
    "check",
    "check_grants",
    "examine_security",
    "grants",
    "init",
    "place",
    "versions",
]
