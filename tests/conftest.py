"""Settings of the whole suite."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import settings

settings.register_profile("default", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=2_000, deadline=None)


@pytest.fixture(scope="session")
def postgres_database():
    """A database on a real PostgreSQL server, gone when the tests are over."""
    postgres = pytest.importorskip("tests.servers.postgres", exc_type=ImportError)
    with ExitStack() as stack:
        try:
            at = stack.enter_context(postgres.server())
        except LookupError as error:
            pytest.skip(str(error))
        yield stack.enter_context(postgres.database(at))


@pytest.fixture(scope="session")
def redis_url():
    """A Redis server, which others may use, too."""
    servers = pytest.importorskip("tests.servers.redis", exc_type=ImportError)
    with ExitStack() as stack:
        try:
            yield stack.enter_context(servers.server())
        except LookupError as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def pgbouncer_database(postgres_database):
    """The same database through a real pgbouncer in transaction mode, with fewer sessions than clients."""
    pgbouncer = pytest.importorskip("tests.servers.pgbouncer", exc_type=ImportError)
    with ExitStack() as stack:
        try:
            yield stack.enter_context(pgbouncer.pooled(postgres_database))
        except LookupError as error:
            pytest.skip(str(error))
