"""Settings of the whole suite."""

from __future__ import annotations

import functools
import itertools
import sqlite3
import sys
from contextlib import ExitStack

import attrs
import pytest

from assignment_pipeline.domain import made as making

MAKER = making.maker


def checked_maker(kind):
    """A `maker` whose first values, and each 25th, are held against what the constructor makes of the same fields."""
    make, count, fields = MAKER(kind), itertools.count(), attrs.fields(kind)
    taken = {field.alias for field in fields if field.init}  # The rest is derived: that is held, too.

    @functools.wraps(make)
    def checked(**facts):
        value, number = make(**facts), next(count)
        if number > 500 and number % 25:  # The checks take longer than most of what is tested.
            return value
        built = kind(**{name: given for name, given in facts.items() if name in taken})
        for field in fields:
            given, kept = getattr(value, field.name), getattr(built, field.name)
            if given is not kept:
                said = f"{kind.__name__}.{field.name}: {given!r} is kept as {kept!r}"
                assert (type(given), repr(given)) == (type(kept), repr(kept)), said
        return value

    return checked


making.maker = checked_maker  # Before any module has imported it: the whole suite holds it to that.


@pytest.fixture
def as_shipped(monkeypatch):
    """The library without the checks above, for tests that count what it does."""
    for name, module in list(sys.modules.items()):
        for attribute, value in list(vars(module).items()) if name.startswith("assignment_pipeline") else ():
            if getattr(value, "__name__", "") == "make" and hasattr(value, "__wrapped__"):
                monkeypatch.setattr(module, attribute, value.__wrapped__)


@pytest.fixture
def sqlite_statements(monkeypatch):
    """What SQLite is asked, as it happens: a row that is written with others counts by itself."""
    statements = []
    connect = sqlite3.connect

    def traced(*given, **options):
        connection = connect(*given, **options)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    return statements


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
