"""The host of the documentation has a word for every state: who loses the tables waits, and is seated again."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import sqlite3
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/bring-your-own-store.md"
EXAMPLES = ("celery", "django/reservations", "fastapi", "own_tables")


class Page:
    """A backend made of the page's first blocks: tables, host, coordinator."""

    def __init__(self):
        blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        self.names = {}
        for block in blocks[:3]:
            exec(block, self.names)  # noqa: S102 - the documentation's code is what is tested
        self.coordinator = self.names["coordinator"]

    def execute(self, statement, *values):
        with contextlib.closing(sqlite3.connect(self.names["path"], isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()

    def book(self, number, covers):
        arrival = f"{self.names['tomorrow']}T19:00+00:00"
        columns = "(id, house, covers, arrives_at)"
        self.execute(f"INSERT INTO reservations {columns} VALUES (?, 'tasca', ?, ?)", number, covers, arrival)
        return self.coordinator.assign_id(str(number), "tasca")

    def row(self, number):
        ((state, table),) = self.execute("SELECT state, sits_at FROM reservations WHERE id = ?", number)
        return state, table

    def booking(self, number):
        with contextlib.closing(sqlite3.connect(self.names["path"])) as connection:
            return self.names["host"].booking(connection, str(number))


@pytest.fixture
def page():
    made = Page()
    yield made
    made.coordinator.close()
    made.names["store"].close()
    made.names["folder"].cleanup()


def test_who_is_requeued_waits_and_is_seated(page):
    """The row says so all the time."""
    assert page.book(1, 4).tables == ("B2",)
    assert page.row(1) == ("booked", "B2")
    page.coordinator.requeue("1", actor="anna")
    assert page.row(1) == ("open", None)
    page.coordinator.sweep()
    assert page.row(1) == ("booked", "B2")


def test_who_gives_tables_up_waits_and_gets_what_comes_free(page):
    """A larger party waits for the larger table; the row keeps what it asks for."""
    page.book(1, 2)
    page.book(2, 4)
    larger = attrs.evolve(page.booking(1), party_size=4)
    assert page.coordinator.reassign(larger, keep=False).outcome == "manual_review"
    assert page.row(1) == ("open", None)
    page.coordinator.cancel("2")
    assert page.row(2) == ("cancelled", None)
    page.coordinator.sweep()
    assert page.row(1) == ("booked", "B2")
    assert page.booking(1).party_size == 4


def test_who_is_turned_down_is_told_so(page):
    """For good, with the word for it."""
    page.book(1, 4)
    page.coordinator.requeue("1", actor="anna")
    page.execute("INSERT INTO legacy_seats SELECT 'tasca', 'B2', ?, ?, NULL", *over_the_evening(page))
    page.coordinator.sweep()
    assert page.row(1) == ("open", None)
    page.coordinator.reject("1", actor="anna", reason="no_table")
    assert page.row(1) == ("declined", None)


def over_the_evening(page):
    day = page.names["tomorrow"]
    return f"{day}T17:00+00:00", f"{day + dt.timedelta(days=1)}T00:00+00:00"


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_says_each_state_in_its_own_words(example):
    """By a `StatusMap`, in both directions, and by nothing else."""
    code = (ROOT / "examples" / example / "host.py").read_text(encoding="utf-8")
    assert "WORDS = StatusMap(" in code
    assert "WORDS.word(record)" in code
    assert "status=WORDS.status(status)" in code
    assert "coalesce(" not in code.lower()
