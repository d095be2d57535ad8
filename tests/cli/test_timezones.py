"""``doctor`` and time zone databases of several releases: the system's, the package's and the server's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zoneinfo
from pathlib import Path

import pytest

from assignment_pipeline import FloorPlan, Table, Venue
from assignment_pipeline.adapters import sqlite


@pytest.fixture
def other_clock(tmp_path):
    """A system's database in which Paris keeps the time of Kolkata, as a release may have another rule."""
    known = next(Path(folder, "Asia/Kolkata") for folder in zoneinfo.TZPATH if Path(folder, "Asia/Kolkata").exists())
    (tmp_path / "zones" / "Europe").mkdir(parents=True)
    shutil.copy(known, tmp_path / "zones/Europe/Paris")
    return str(tmp_path / "zones")


def examined(database, path):
    """What the doctor says of time zones, in a process that reads its zones there."""
    command = [sys.executable, "-m", "assignment_pipeline", "doctor", "--db", str(database)]
    environment = {**os.environ, "PYTHONTZPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    lines = done.stdout.splitlines()
    place = next(number for number, line in enumerate(lines) if " timezones: " in line)
    return done.returncode, lines[place], lines[place + 1 : place + 3]


def put_venue(adapter, store, host):
    venue = Venue("r-1", "Europe/Paris", FloorPlan([Table("T1", 4)]))
    store.write(lambda connection: host.put_venue(connection, venue))


def test_the_system_wins_over_the_package(tmp_path, other_clock):
    """Where the system's database has another rule than the package, the doctor names zone, day and both offsets."""
    file = tmp_path / "day.db"
    sqlite.init(file, standalone=True)
    host = sqlite.StandaloneHost()
    with sqlite.SQLiteStore(file, host=host) as store:
        put_venue(sqlite, store, host)
    code, line, (likely, fix) = examined(file, other_clock)
    assert code == 1
    assert line.startswith("WRONG timezones: Europe/Paris on 2")
    assert "UTC+5.5 here, UTC+" in line
    assert line.endswith("for the package tzdata")
    assert "PYTHONTZPATH" in fix
    assert "the system's time zone database" in likely
    code, line, _ = examined(file, "")  # The package alone.
    assert (code, line[:17]) == (0, "ok    timezones: ")


def test_the_server_has_a_clock_of_its_own(postgres_database, other_clock):
    """The database server's rules are compared, too."""
    postgres = pytest.importorskip("assignment_pipeline.adapters.postgres")
    schema = "clocks"
    postgres.init(postgres_database, standalone=True, schema=schema)
    host = postgres.StandaloneHost(schema=schema)
    with postgres.PostgresStore(postgres_database, host=host, schema=schema) as store:
        put_venue(postgres, store, host)
        moments = [store.now()]
        assert set(store.offsets(["Europe/Paris", "Nowhere/Else"], moments)) == {"Europe/Paris"}
        assert store.offsets([], moments) == {}
    facts = dict(word.split("=", 1) for word in postgres_database.split())
    login = f"{facts['user']}:{facts.get('password', '')}@{facts['host']}:{facts.get('port', 5432)}"
    address = f"postgresql://{login}/{facts['dbname']}?schema={schema}"
    code, line, _ = examined(address, other_clock)
    assert code == 1
    assert "UTC+5.5 here, UTC+" in line
    assert line.endswith("for the database server")
    assert examined(address, "")[1].startswith("ok    timezones: 1 time zone")
