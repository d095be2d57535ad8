"""``Table.label`` is shown wherever a person reads, and the id wherever a program does."""

from __future__ import annotations

import json

import pytest

from assignment_pipeline.cli.app import run

DAY = {
    "restaurant": {"id": "chez", "timezone": "Europe/Paris"},
    "tables": [
        {"id": "7f-01", "capacity": 2, "label": "Window 1"},
        {"id": "7f-02", "capacity": 4, "label": "Fireplace"},
        {"id": "T3", "capacity": 8},
    ],
    "bookings": [{"id": "b-1", "party_size": 4, "start_at": "2031-05-17T19:00+02:00"}],
}


@pytest.fixture
def day(tmp_path, capsys):
    """A database with a seated booking."""
    (tmp_path / "day.json").write_text(json.dumps(DAY))
    where = str(tmp_path / "day.db")
    assert run(["assign", str(tmp_path / "day.json"), "--db", where]) == 0
    return where, capsys.readouterr().out


def test_people_read_labels(day, capsys):
    """Commands name a table as people do, with the id that the next command takes."""
    where, _ = day
    own = ["--actor", "anna", "--db", where]
    span = ["--from", "2031-05-17T12:00+02:00", "--until", "2031-05-17T13:00+02:00", "--reason", "maintenance"]
    for command, said in (
        (["review", "pin", "b-1", *own], "stays at Fireplace (7f-02)."),
        (["service", "party-changed", "b-1", "3", *own], "is for 3, at Fireplace (7f-02)."),
        (["tables", "block", "chez", "7f-01", *span, *own], "Table 'Window 1 (7f-01)' is out of service"),
        (["tables", "block", "chez", "T3", *span, *own], "Table 'T3' is out of service"),
        (["tables", "list", "chez", "--db", where], "Window 1"),
    ):
        assert run(command) == 0
        assert said in capsys.readouterr().out


def test_programs_read_ids(day, capsys):
    """A JSON document holds ids, and nothing else."""
    where, _ = day
    assert run(["service", "party-changed", "b-1", "3", "--actor", "anna", "--db", where, "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["tables"] == ["7f-02"]
    assert "Fireplace" not in out
