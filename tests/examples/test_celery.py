"""The example with Celery, as its reader would run it: a database, a broker, a worker with beat, and a site."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("celery")
servers = pytest.importorskip("tests.servers.redis", exc_type=ImportError)

PROJECT = Path(__file__).parents[2] / "examples/celery"
TOMORROW = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def environment(postgres_database: str, tmp_path: Path) -> Any:
    """A database and a broker that are the example's own."""
    from tests.servers.postgres import database  # noqa: PLC0415 - its packages may be missing

    with contextlib.ExitStack() as stack:
        try:
            broker = stack.enter_context(servers.OwnServer())
        except LookupError as error:
            pytest.skip(f"no broker: {error}")
        url = stack.enter_context(database(postgres_database))
        yield {**os.environ, "DATABASE_URL": url, "BROKER_URL": broker.url, "PYTHONDONTWRITEBYTECODE": "1"}


def run(environment: dict[str, str], *arguments: str, program: tuple[str, ...] = ("reservations.py",)) -> Any:
    command = [sys.executable, "-W", "error", *program, *arguments]
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def site(environment: dict[str, str], *arguments: str) -> str:
    done = run(environment, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def reserved(environment: dict[str, str], *asked: tuple[str, str, str]) -> Any:
    """How several reservations for tomorrow end, made in one process: each would take a second to begin."""
    script = "import sys, reservations; print([reservations.main(*line.split()) for line in sys.argv[1:]])"
    lines = (f"reserve {house} {guest} {covers} {TOMORROW.isoformat()}" for house, guest, covers in asked)
    return run(environment, *lines, program=("-c", script))


def waits_for_all_but_dora(database: str) -> None:
    """Returns when three reservations have their tables, or after a while."""
    psycopg = pytest.importorskip("psycopg")
    end = time.monotonic() + 40
    with psycopg.connect(database, autocommit=True) as connection:
        booked = "SELECT count(*) FROM reservations WHERE status = 'booked'"
        while connection.execute(booked).fetchone() != (3,) and time.monotonic() < end:
            time.sleep(0.05)


def test_reservations_get_their_tables(environment: dict[str, str], tmp_path: Path) -> None:
    """Those taken before the worker has started, and those after; who does not fit is not seated."""
    site(environment, "init")
    site(environment, "init")
    site(environment, "reserve", "tasca", "Anna", "4", TOMORROW.isoformat())
    wrong = {("nowhere", "4"): "there is no house 'nowhere'", ("tasca", "0"): "party_size: expected "}
    refused = reserved(environment, *((house, "Eve", covers) for house, covers in wrong))
    assert (refused.stdout, refused.stderr.count("\n")) == ("[2, 2]\n", 2)
    for line, said in zip(refused.stderr.splitlines(), wrong.values(), strict=True):
        assert line.startswith(f"reservations.py: {said}")
    command = [sys.executable, "-m", "celery", "-A", "tasca", "worker", "--beat", "-c", "2", "-l", "INFO"]
    command += ["--queues", "assignment.0,assignment.1", "--schedule", str(tmp_path / "beat")]
    with (tmp_path / "log").open("w") as log:
        worker = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        late = reserved(environment, ("tasca", "Ben", "6"), ("bodega", "Carla", "2"), ("bodega", "Dora", "12"))
        assert late.stdout.endswith("[0, 0, 0]\n"), late.stderr
        waits_for_all_but_dora(environment["DATABASE_URL"])
        expected = [
            "bodega Carla 2 booked T1",
            "bodega Dora 12 open -",
            "tasca Anna 4 booked T2",
            "tasca Ben 6 booked T3",
        ]
        assert site(environment, "list").splitlines() == expected, (tmp_path / "log").read_text()
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert not list(PROJECT.glob("celerybeat*"))


def without(missing: Any, *arguments: str) -> Any:
    """How a line of the site's Python ends, where some of the environment is missing, and no server listens."""
    pytest.importorskip("psycopg")
    given = {**os.environ, "DATABASE_URL": "postgresql://127.0.0.1:1/x", "BROKER_URL": "redis://127.0.0.1:1"}
    for name in missing:
        del given[name]
    command = [sys.executable, "-B", "-W", "error", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=given, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (("DATABASE_URL",), "expected DATABASE_URL in the environment"),
        (("DATABASE_URL", "BROKER_URL"), "expected DATABASE_URL and BROKER_URL in the environment"),
    ],
)
def test_what_is_missing_in_the_environment_is_one_line(missing: Any, said: str) -> None:
    """Nothing is asked of a server for it."""
    done = without(missing, "reservations.py", "list")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr


def test_a_wrong_command_line_is_one_line() -> None:
    """Likewise; all of them in one process, for each would take a second to begin."""
    lines = ["", "cancel", "reserve tasca Anna", "reserve tasca Anna four 2031-05-02T20:00+01:00"]
    lines += ["reserve tasca Anna 4 tomorrow", "reserve tasca Anna 4 2031-05-02T20:00"]
    script = "import sys, reservations; print([reservations.main(*line.split()) for line in sys.argv[1:]])"
    done = without((), "-c", script, *lines)
    assert done.stdout == "[2, 2, 2, 2, 2, 2]\n"
    usage, wrong = "usage: reservations.py", "reservations.py: expected COVERS and TIME such as"
    said = done.stderr.splitlines()
    assert [line.startswith(start) for line, start in zip(said, [usage] * 3 + [wrong] * 3, strict=True)] == [True] * 6
