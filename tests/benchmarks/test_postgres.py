"""The benchmarks on PostgreSQL run, and say what they say of real work."""

from __future__ import annotations

import re
import sys

import pytest

pytest.importorskip("psycopg")

from benchmarks import postgres, scale


def told(module, monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
    module.main()
    return capsys.readouterr().out


def test_the_floor_writes_what_the_pipeline_does(postgres_database, monkeypatch, capsys):
    """Both land, at workers of their own, and everybody is seated."""
    out = told(
        postgres, monkeypatch, capsys, "--db", postgres_database, "--workers", 2, "--rounds", 2, "--seconds", 0.05
    )
    workers, floor, _, pipeline, _, ratio, *_, seated = out.splitlines()[-1].split()
    assert workers == "2"
    assert int(floor) > 0
    assert int(pipeline) > 0
    assert ratio.endswith("%")
    assert seated == "100.0%"


def test_of_those_who_fight_one_wins(postgres_database, monkeypatch, capsys):
    """And nobody is caught in a deadlock."""
    out = told(postgres, monkeypatch, capsys, "--db", postgres_database, "--fight", 2, "--fighters", 3)
    told_of = re.search(r"2 times: 2 confirmed, (\d+) manual_review(?:, (\d+) retry)?; 0 deadlocks", out)
    assert told_of
    assert sum(map(int, filter(None, told_of.groups()))) == 4  # A busy machine may leave one to the sweep.


def test_it_grows_as_it_says(postgres_database, monkeypatch, capsys):
    """Three sizes, with the bookings that there are to be, and no table that is read whole."""
    size = ("--restaurants", 100, "--bookings", 2_000, "--assignments", 10)
    out = told(scale, monkeypatch, capsys, "--db", postgres_database, *size)
    rows = [line.split()[:2] for line in out.splitlines()[1:4]]
    assert rows == [["1", "20"], ["10", "200"], ["100", "2,000"]]
    assert "booking_table_assignments_span" in out
    assert "Seq Scan" not in out
