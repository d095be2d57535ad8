"""A process that ends without `close`: no event is lost, and nothing is printed."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import asyncio, datetime as dt, sys
from assignment_pipeline import *
{imports}

AT = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(second=0, microsecond=0)
VENUE = Venue("v", "UTC", FloorPlan([Table("T1", 4)]))
BOOKING = Booking("b", "v", 2, AT)
{body}
"""

SQLITE = """
init({where!r}, standalone=True)
host = StandaloneHost()
store = SQLiteStore({where!r}, host=host)
store.write(lambda connection: host.put_venue(connection, VENUE))
coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE))
for _ in range(5):
    coordinator.assign(BOOKING)
"""

POSTGRES = """
init({where!r}, standalone=True, schema="unclosed")
host = StandaloneHost(schema="unclosed")
store = PostgresStore({where!r}, host=host, schema="unclosed")
store.write(lambda connection: host.put_venue(connection, VENUE))
coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE))
for _ in range(5):
    coordinator.assign(BOOKING)
"""

ASYNC = """
init({where!r}, standalone=True, schema="unclosed")

async def main():
    host = AsyncStandaloneHost(schema="unclosed")
    store = AsyncPostgresStore({where!r}, host=host, schema="unclosed")
    await store.write(lambda connection: host.put_venue(connection, VENUE))
    coordinator = AsyncCoordinator(store, flags=FixedFlags(Mode.ACTIVE))
    for _ in range(5):
        await coordinator.assign(BOOKING)

asyncio.run(main())
"""

FORMS = {
    "sqlite": ("from assignment_pipeline.adapters.sqlite import *", SQLITE),
    "postgres": ("from assignment_pipeline.adapters.postgres import *", POSTGRES),
    "async postgres": ("from assignment_pipeline.adapters.postgres import *", ASYNC),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_process_that_forgets_to_close_loses_nothing(form, tmp_path, request):
    """All five calls are in the store, and nobody reads a traceback."""
    where = str(tmp_path / "day.db") if form == "sqlite" else request.getfixturevalue("postgres_database")
    if form != "sqlite":
        import psycopg  # noqa: PLC0415

        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS unclosed CASCADE")
    imports, body = FORMS[form]
    program = PROGRAM.format(imports=imports, body=textwrap.dedent(body).format(where=where))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert _told(form, where) == ["coordinator.confirmed", *["coordinator.noop"] * 4]


def _told(form, where):
    text = "SELECT event_type FROM {}observability_events WHERE event_type IN "
    text += "('coordinator.confirmed', 'coordinator.noop')"
    if form == "sqlite":
        import sqlite3  # noqa: PLC0415

        connection = sqlite3.connect(where)
        found = connection.execute(text.format("")).fetchall()
        connection.close()
    else:
        import psycopg  # noqa: PLC0415

        with psycopg.connect(where) as connection:
            found = connection.execute(text.format("unclosed.")).fetchall()
            connection.execute("DROP SCHEMA unclosed CASCADE")
    return sorted(kind for (kind,) in found)
