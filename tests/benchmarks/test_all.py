"""The table and the curves of what one assignment costs, and a day planned anew by two solvers."""

from __future__ import annotations

import sys

import pytest

from benchmarks import all as table
from benchmarks import anytime, curves


def test_builds_stand_beside_each_other(monkeypatch, capsys, tmp_path):
    """Medians over the rounds, the ratio of two builds, the ratios within one, and a dash for what was not measured."""
    asked = []

    def probed(source, module, probe):
        asked.append((source, probe))
        slow = source != table.HERE
        if probe == "sqlite":
            return {"bare": 0.2, "sqlite": 1.0 + slow, "one_by_one": 6.0, "assign_many": 1.0 + slow}
        return {"gap": 0.5} if probe == "reoptimize" else {}

    monkeypatch.setattr(table, "probed", probed)
    monkeypatch.setattr(sys, "argv", ["all", "--quick", "--beside", str(tmp_path / "then" / "src")])
    table.main()
    lines = {line[:50].strip(): line[50:].split() for line in capsys.readouterr().out.splitlines()}
    assert lines["assign on SQLite, synchronous=FULL"] == ["1.00", "ms", "2.00", "ms", "2.00"]
    assert lines["assign_many, times the rate of single calls"] == ["6.00", "x", "3.00", "x"]
    assert lines["a day of 60 tables anew in 1 s: from the bound"] == ["0.50", "%", "-", "%"]
    assert lines["... all due, in one sweep"] == ["-", "s", "-", "s"]
    counts = {probe: sum(1 for _, name in asked if name == probe) for probe in ("sqlite", "workers", "reoptimize")}
    assert counts == {"sqlite": 6, "workers": 2, "reoptimize": 1}


def test_both_solvers_are_given_the_same_day():
    """Where there is room for all, both prove it."""
    pytest.importorskip("ortools")
    pytest.importorskip("highspy")
    found = {point.solver: (point.covers, point.bound) for point in anytime.points((8,), (1.0,))}
    assert len(found) == 2
    assert found["HiGHS"] == found["CP-SAT"]
    assert found["HiGHS"][0] == found["HiGHS"][1]


def test_curves_are_printed_and_drawn(monkeypatch, capsys, tmp_path):
    """Each store has a line in each panel; a booking is changed six hundred times."""
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(curves, "CURVES", dict.fromkeys(curves.CURVES, lambda _: {1: 2.0, 10: 3.0}))
    monkeypatch.setattr(sys, "argv", ["curves", "--stores", "memory", "--picture", str(tmp_path / "curves.svg")])
    curves.main()
    assert capsys.readouterr().out.count("memory") == len(curves.CURVES) == 4
    assert (tmp_path / "curves.svg").read_text().startswith("<?xml")
    found = curves.over_history(curves.memory)
    assert [*found] == [40, 100, 200, 400, 600]
    assert all(found.values())
