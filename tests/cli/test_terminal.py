"""The command line as a process: terminals, pipes, signals and what is not installed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

ESCAPE = "\x1b"


def test_output_fits_80_columns_without_colour(shell):
    """Piped, there is no escape sequence and no wide line."""
    ended = shell("demo", "--bookings", 50)
    assert (ended.code, ended.err) == (0, "")
    assert ESCAPE not in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_a_wide_terminal_is_used(cli, monkeypatch):
    """The scale follows the width."""
    monkeypatch.setenv("COLUMNS", "160")
    ended = cli("demo", "--bookings", 30)
    assert 120 < max(map(len, ended.out.splitlines())) <= 160


def test_no_color_is_respected(cli, monkeypatch):
    """Even where colours are forced; without it, they are there."""
    colour = re.compile(ESCAPE + r"\[[0-9;]*[34][0-9][;m]")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colour.search(cli("demo", "--bookings", 30).out)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = cli("demo", "--bookings", 30).out
    assert not colour.search(plain)
    assert "├" in plain


def test_ascii_is_enough(shell):
    """A terminal that knows nothing else gets boxes that it can show."""
    ended = shell("demo", "--bookings", 30, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert ended.code == 0
    assert ended.out.isascii()
    assert "[" in ended.out
    assert "?" not in ended.out


@pytest.mark.parametrize("arguments", [["demo"], ["diagram"], ["assign", "--help"]], ids=" ".join)
def test_a_reader_that_leaves_is_no_error(start, arguments):
    """Quietly, as other tools do."""
    process = start(*arguments)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


def test_a_full_disk_is_one_line(env, tmp_path):
    """Where the output cannot be written."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full")
    with full.open("w") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "assignment_pipeline", "diagram"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=env,
            cwd=tmp_path,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.decode() == "assignment-pipeline: [Errno 28] No space left on device\n"


def until_some_are_seated(db):
    """Wait until the run is in the middle of its day."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as at,
        ):
            if at.execute("SELECT count(*) FROM assignment_records").fetchone()[0] > 5:
                return
        time.sleep(0.01)
    pytest.fail("nobody was seated")


def test_control_c_ends_it_without_a_traceback(start, cli, made_up, day_file, problems, tmp_path):
    """With 130, and the day can go on later; it waits for the file when the interrupt comes, so that it cannot end."""
    document = made_up(8, 60, 150)
    path, db = day_file(document), tmp_path / "day.sqlite3"
    process = start("assign", path, "--db", db, "--json")
    until_some_are_seated(db)
    with contextlib.closing(sqlite3.connect(db, isolation_level=None, timeout=60)) as other:
        other.execute("BEGIN IMMEDIATE")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err.strip()) == (130, b"", b"")
    ended = cli("assign", path, "--db", db, "--json")
    assert (ended.code, problems(document, ended.json)) == (0, [])


@pytest.mark.parametrize("becomes", ["gone", "another"])
def test_a_database_that_goes_away_ends_it_in_one_line(start, made_up, day_file, tmp_path, becomes):
    """In place of trying each booking again for a minute; a file in its place that is no database of ours as well."""
    path, db = day_file(made_up(8, 60, 400)), tmp_path / "day.sqlite3"
    process = start("assign", path, "--db", db, "--json")
    until_some_are_seated(db)
    if becomes == "gone":
        db.rename(tmp_path / "away.sqlite3")
    else:
        (tmp_path / "other").write_bytes(b"restaurant,table\n" * 100)
        (tmp_path / "other").replace(db)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count(b"\n")) == (2, b"", 1)
    assert (b"deleted or moved away" if becomes == "gone" else b"expected a SQLite database") in err


def test_a_process_that_ignores_interrupts_stays_so(start, day_file, small, tmp_path):
    """As after nohup, or behind a shell's &: who started it meant it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start("assign", day_file(small), "--db", tmp_path / "day.sqlite3", "--json", inherits_signals=True)
    finally:
        signal.signal(signal.SIGINT, before)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith(b"{")


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_what_is_not_installed_is_named(env, tmp_path, package):
    """One line with the extra that brings it."""
    script = f"import sys; sys.modules[{package!r}] = None; from assignment_pipeline.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=env, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.decode() == f"{package} is not installed: pip install 'assignment-pipeline[cli]'.\n"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
def test_a_terminal_gets_a_progress_bar_that_goes_away(env, small, day_file, tmp_path):
    """On stderr, so that what is piped from stdout stays clean."""
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "assignment_pipeline", "assign", day_file(small), "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=env | {"TERM": "xterm"},
        cwd=tmp_path,
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert done.stdout.startswith(b"{")
    assert "Seating" in shown
    assert f"{ESCAPE}[2K" in shown


# -- What a terminal would obey ---------------------------------------------------------------------------------------

NASTY = "\x1b]0;owned\x07\x1b[2J\x9b1A\u202e\r"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

TAMPERED = [
    ("UPDATE assignment_records SET reason = ?", []),
    ("UPDATE assignment_records SET strategy = ?, reason = 'no_fit'", []),
    ("UPDATE booking_assignment_state_history SET reason = ?", []),
    ("UPDATE booking_assignment_state_history SET actor = ?", []),
    ("UPDATE bookings SET zone = ?", []),
    ("UPDATE bookings SET status = ?", []),
    ("UPDATE table_inventory SET label = ?", []),
    ("UPDATE table_inventory SET capacity = ?", []),
    ("UPDATE table_blocks SET reason = ?", []),
    ("UPDATE table_blocks SET actor = ?", []),
    ("UPDATE assignment_rollout_history SET reason = ?", []),
    ("UPDATE assignment_rollout SET phase = ?", []),
    ("UPDATE observability_events SET context = json_set(context, '$.outcome', ?, '$.reason', ?)", [NASTY]),
    ("UPDATE observability_events SET event_type = ?", []),
    ("UPDATE restaurants SET timezone = ?", []),
    ("UPDATE assignment_schema SET version = ?", []),
]

READ = [
    ("review", "list"), ("review", "suggest", "cat"), ("tables", "list", "corner"), ("rollout", "status"),
    ("rollout", "history"), ("rollout", "check"), ("doctor",), ("metrics",), ("metrics", "--prometheus"),
    ("alerts", "check"), ("shadow", "list"), ("flags", "explain", "corner"), ("sweep",), ("db", "check"),
]  # fmt: skip


@pytest.fixture(scope="module")
def evening(run_once, small_once, tmp_path_factory):
    """A database with a day in it, a review, a block and a rollout."""
    folder = tmp_path_factory.mktemp("tampered")
    day, file = folder / "day.json", folder / "day.db"
    day.write_text(json.dumps(small_once))
    assert run_once("assign", day, "--db", file).code == 0
    when = ("--from", "2031-05-18T12:00+02:00", "--until", "2031-05-18T13:00+02:00")
    done = run_once("tables", "block", "corner", "G1", *when, "--actor", "ann", "--reason", "leak", "--db", file)
    assert done.code == 0
    assert run_once("rollout", "enter", "local", "--actor", "ann", "--db", file).code == 0
    return file


@pytest.mark.parametrize(("statement", "more"), TAMPERED, ids=[statement[7:55] for statement, _ in TAMPERED])
def test_what_others_wrote_moves_no_cursor(cli, evening, tmp_path, statement, more):
    """Whatever stands in a database: nothing that a terminal obeys is printed, and what cannot be read is one line."""
    file = Path(shutil.copy(evening, tmp_path / "day.db"))
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement, [NASTY, *more])
    for words in READ:
        ended = cli(*words, "--db", file)
        assert not OBEYED.search(ended.out + ended.err), words
        assert ended.code in {0, 1, 2}, words
        assert ended.err.count("\n") <= 1, words


def test_an_actor_is_a_name(cli, evening):
    """Who acts is printable text of bounded length: it stands in the history, and is shown wherever that is read."""
    for actor in ("", "  ", NASTY, "a" * 201):
        for words in (
            ("review", "requeue", "cat"),
            ("rollout", "enter", "local"),
            ("tables", "unblock", "corner", "x"),
        ):
            ended = cli(*words, "--actor", actor, "--db", evening)
            assert ended.code == 2
            assert ended.complaint.startswith("--actor: expected the name of who does it, a text of at most 200")


APPLICATION = """
import colorsys
from assignment_pipeline import Coordinator, Mode, FixedFlags
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore

def coordinator():
    import tables_of_ours, bdb
    assert "python" in bdb.__file__ and "python" in colorsys.__file__, (bdb, colorsys)
    return Coordinator(MemoryStore(MemoryHost()), flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None)
"""


def test_a_file_beside_the_application_takes_no_modules_place(tmp_path):
    """What --app adds to the path comes last: a stray file there is not imported for a module of Python."""
    for name in ("bdb", "colorsys"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')")
    (tmp_path / "tables_of_ours.py").write_text("")
    (tmp_path / "reservations_of_ours.py").write_text(APPLICATION)
    command = [sys.executable, "-P", "-m", "assignment_pipeline", "review", "list"]
    command += ["--app", "reservations_of_ours:coordinator"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
