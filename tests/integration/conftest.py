"""What the tests of the embedded store share, and those of the rollout in processes of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import ExitStack

import pytest

from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.rollout.control.phases import PHASES
from assignment_pipeline.rollout.flags.document import settings_document
from assignment_pipeline.testing.store_harness import make_venue

PRELUDE = """
import datetime as dt, os, signal, sqlite3, sys, threading, time
from assignment_pipeline.adapters.sqlite import SQLiteLockManager, SQLiteStore, StandaloneHost
from assignment_pipeline.ports import Leases, LoadQuery, RecordQuery, Wanted
from assignment_pipeline.testing.store_harness import CONFIRM, make_booking, make_change

path = sys.argv[1]
DAY = dt.timedelta(days=1)

def at(day):
    return make_booking().start_at + day * DAY

def confirm(store, booking_id, day, table="T1"):
    booking = make_booking(booking_id, at=at(day))
    store.commit([make_change(booking, *CONFIRM, tables=(table,))])

"""


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A standalone database with one restaurant."""
    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    init(path, standalone=True)
    host = StandaloneHost()
    with SQLiteStore(path, host=host) as store:
        store.write(lambda connection: host.put_venue(connection, make_venue()))
    return path


@pytest.fixture
def path(empty_database, tmp_path):
    """A database of the test's own."""
    return shutil.copy(empty_database, tmp_path / "assignments.db")


@pytest.fixture(params=["sqlite", "postgres"])
def in_charge(request, tmp_path):
    """An empty database in which the pipeline is in charge: its kind, address, schema, host and store."""
    if request.param == "sqlite":
        database = tmp_path / "service.db"
        init(database, standalone=True)
        host, where, schema = StandaloneHost(), str(database), "-"
        store = SQLiteStore(database, host=host)
    else:
        where = request.getfixturevalue("postgres_database")
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415 - its packages may be missing
        from tests.servers.postgres_harness import fresh  # noqa: PLC0415

        schema = "in_charge"
        fresh(where, schema, standalone=True)
        host = postgres.StandaloneHost(schema=schema)
        store = postgres.PostgresStore(where, host=host, schema=schema)
    with store:
        phase = PHASES["production-100"]
        settings = settings_document(phase.settings)
        store.revise(RolloutRevision(generation=1, phase=phase.name, settings=settings, actor="test"))
        yield request.param, where, schema, host, store


@pytest.fixture
def opened(path):
    """Opens stores on the database; they are closed when the test ends."""
    with ExitStack() as stack:
        yield lambda host=None, **how: stack.enter_context(SQLiteStore(path, host=host or StandaloneHost(), **how))


@pytest.fixture
def store(opened):
    """A store."""
    return opened()


@pytest.fixture
def python(path):
    """Starts Python on a script that knows the database; what is still running is killed when the test ends."""
    started = []

    def start(script, *arguments):
        command = [sys.executable, "-c", PRELUDE + script, str(path), *map(str, arguments)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def views_can_heed_policies(postgres_database):
    """Skips on servers before PostgreSQL 15: there, views bypass policies, and everybody may create in `public`."""
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres_database) as connection:
        if connection.info.server_version < 150000:
            pytest.skip("the server is older than PostgreSQL 15")
