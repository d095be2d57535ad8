"""The command line as a process: terminals, pipes, signals and what is not installed."""

from __future__ import annotations

import contextlib
import os
import re
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
    document = made_up(8, 60, 250)
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
