"""Running the command line: within this process, or as users do."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import runpy
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from assignment_pipeline.cli.app import run

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"

SMALL = {
    "restaurant": {"id": "corner", "timezone": "Europe/Berlin"},
    "policy": {"post_buffer_minutes": 15, "max_tables": 2, "reseat": "off"},
    "tables": [
        {"id": "W1", "capacity": 2, "zone": "Window", "accessible": True},
        {"id": "W2", "capacity": 2, "zone": "Window"},
        {"id": "G1", "capacity": 4, "seating": "outdoor", "min_party_size": 2, "max_party_size": 3},
    ],
    "adjacent": [["W1", "W2"]],
    "bookings": [
        {"id": "ada", "party_size": 2, "start_at": "2031-05-17T19:00+02:00"},
        {"id": "bob", "party_size": 4, "start_at": "2031-05-17T21:00+02:00", "seating_preference": "indoor"},
        {"id": "cat", "party_size": 30, "start_at": "2031-05-17T19:00+02:00"},
        {"id": "dan", "party_size": 2, "start_at": "2031-05-17T17:00Z", "end_at": "2031-05-17T18:00Z"},
        {"id": "eve", "party_size": 2, "start_at": "2031-05-17T19:00+02:00", "status": "cancelled"},
    ],
}


class Ended(NamedTuple):
    """How a command ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """What it wrote, as the one JSON value that it is."""
        return json.loads(self.out)

    @property
    def complaint(self):
        """The one line that it wrote instead of anything else."""
        assert not self.out
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        assert "Traceback" not in self.err
        return self.err.rstrip("\n")


def environment(**changes):
    """The environment for a command: this one, without what would change how it looks."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("FEATURE_", "ASSIGNMENT_")) and key not in {"NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS"}
    }
    given = {"PYTHONPATH": str(SOURCE), "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **changes}
    return kept | {key: value for key, value in given.items() if value is not None}


def command(*arguments):
    """The command line that runs a command."""
    return [sys.executable, "-m", "assignment_pipeline", *map(str, arguments)]


@pytest.fixture
def env():
    """The environment for commands in processes of their own."""
    return environment()


@pytest.fixture
def cli(monkeypatch):
    """Runs a command within this process: fast."""
    monkeypatch.setenv("COLUMNS", "80")
    return in_process


def in_process(*arguments):
    """How a command ends, run within this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Ended(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


@pytest.fixture
def shell(tmp_path):
    """Runs a command in a process of its own, as users do."""

    def spawn(*arguments, **changes):
        done = subprocess.run(
            command(*arguments), env=environment(**changes), capture_output=True, cwd=tmp_path, timeout=60, check=False
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    return spawn


@contextlib.contextmanager
def interruptible():
    """
    Processes that start in the block can be interrupted.

    Shells start what they put into the background with SIGINT ignored, which every process below inherits. Tests that
    run there sent interrupts that nobody got.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def start(tmp_path):
    """Starts a command in a process of its own, and does not wait for it."""
    started = []

    def spawn(*arguments, inherits_signals=False, **changes):
        with contextlib.nullcontext() if inherits_signals else interruptible():
            process = subprocess.Popen(
                command(*arguments),
                env=environment(**changes),
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        started.append(process)
        return process

    yield spawn
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def small():
    """A small day, to be changed at will."""
    return copy.deepcopy(SMALL)


@pytest.fixture
def day_file(tmp_path):
    """Writes a day's file: a document, or whatever text or bytes there are to be in it."""

    def write(content, name="day.json"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def assigned_once(tmp_path_factory):
    """The database of the small day, to be copied."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "day.json").write_text(json.dumps(SMALL), encoding="utf-8")
    assert in_process("assign", folder / "day.json", "--db", folder / "day.sqlite3").code == 0
    return folder / "day.sqlite3"


@pytest.fixture
def db(assigned_once, tmp_path):
    """The database of the small day: ada and dan at the window from seven on, bob at both its tables from nine on."""
    return shutil.copy(assigned_once, tmp_path / "day.sqlite3")


@pytest.fixture(scope="session")
def problems():
    """What an independent look finds wrong with a result."""
    return runpy.run_path(str(HERE / "checker.py"))["problems"]


@pytest.fixture(scope="session")
def made_up():
    """Makes up a day's document."""
    return runpy.run_path(str(HERE / "days.py"))["made_up"]


@pytest.fixture(scope="session")
def dump():
    """Everything that a database holds."""

    def read(path):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return list(connection.iterdump())

    return read


@pytest.fixture(scope="session")
def small_once():
    """The small day, not to be changed: for property tests."""
    return SMALL


@pytest.fixture(scope="session")
def run_once():
    """Runs a command within this process: for property tests."""
    return in_process
