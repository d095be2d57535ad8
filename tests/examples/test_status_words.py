"""The hosts that the documentation shows have a word for each state: who loses the tables waits, and is seated."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import re
import sqlite3
import uuid
from pathlib import Path

import attrs
import pytest

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.adapters.sqlite import SQLiteStore, init
from assignment_pipeline.rollout.flags import FixedFlags

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/bring-your-own-store.md"
EXAMPLES = ("celery", "django/reservations", "fastapi", "own_tables")
AT = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(hour=19, minute=0, second=0, microsecond=0)


class Backend:
    """A host's coordinator, and its rows: *execute* runs SQL on its tables, with text or numbers in it."""

    def __init__(self, store, host, execute, book, row):
        self.coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE))
        self.host, self.execute, self._book, self._row = host, execute, book, row

    def book(self, covers):
        """Take a reservation and have it assigned: its id."""
        (booking_id,) = self.execute(self._book.format(covers=covers, key=uuid.uuid4(), at=AT))[0]
        self.coordinator.assign_id(booking_id, "tasca")
        return booking_id

    def row(self, booking_id):
        """Status, party and tables of its row."""
        return self.execute(self._row.format(id=booking_id))[0]


@pytest.fixture
def page():
    """The page's own blocks: tables, host, coordinator."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[:3]:
        exec(block, names)  # noqa: S102 - the documentation's code is what is tested
    names["coordinator"].close()
    with names["store"] as store, contextlib.closing(sqlite3.connect(names["path"], isolation_level=None)) as made:
        made.execute("DELETE FROM legacy_seats")
        yield Backend(
            store,
            (names["host"], made),
            lambda statement: made.execute(statement).fetchall(),
            "INSERT INTO reservations (house, covers, arrives_at) VALUES"
            " ('tasca', {covers}, '{at:%Y-%m-%dT%H:%M+00:00}') RETURNING CAST(id AS TEXT)",
            "SELECT state, covers, sits_at FROM reservations WHERE id = {id}",
        )
    names["folder"].cleanup()


def example(name):
    """The host of an example."""
    spec = importlib.util.spec_from_file_location(f"{name}_host", ROOT / "examples" / name / "host.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ReservationHost()


@pytest.fixture
def own_tables(tmp_path):
    """The example with own tables, in SQLite."""
    path, host = tmp_path / "tasca.db", example("own_tables")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as made:
        made.executescript((ROOT / "examples/own_tables/schema.sql").read_text(encoding="utf-8"))
        made.execute("INSERT INTO houses (slug, timezone) VALUES ('tasca', 'Europe/Lisbon')")
        made.execute("INSERT INTO dining_tables (house, label, seats) VALUES ('tasca', 'A1', 2), ('tasca', 'B1', 4)")
        made.execute("INSERT INTO dining_tables (house, label, seats) VALUES ('tasca', 'B2', 4)")
        made.create_function("text_of", 1, lambda key: str(uuid.UUID(bytes=key)))
        made.create_function("key_of", 1, lambda text: uuid.UUID(text).bytes)
        init(path)
        with SQLiteStore(path, host=host) as store:
            yield Backend(
                store,
                (host, made),
                lambda statement: made.execute(statement).fetchall(),
                "INSERT INTO reservations (id, house, guest, covers, on_date, at_time, timezone) VALUES"
                " (key_of('{key}'), 'tasca', 'Guest 12', {covers}, '{at:%Y-%m-%d}', '{at:%H:%M}', 'UTC')"
                " RETURNING text_of(id)",
                "SELECT status, covers, sits_at FROM reservations WHERE text_of(id) = '{id}'",
            )


@pytest.fixture
def celery(postgres_database):
    """The example with Celery, in PostgreSQL."""
    psycopg = pytest.importorskip("psycopg")
    postgres = pytest.importorskip("tests.servers.postgres", exc_type=ImportError)
    adapter = pytest.importorskip("assignment_pipeline.adapters.postgres", exc_type=ImportError)
    host = example("celery")
    with postgres.database(postgres_database) as at, psycopg.connect(at, autocommit=True) as made:
        made.execute((ROOT / "examples/celery/schema.sql").read_text(encoding="utf-8"))
        made.execute("UPDATE dining_tables SET seats = CASE label WHEN 'T1' THEN 2 ELSE 4 END")
        adapter.init(at)
        with adapter.PostgresStore(at, host=host) as store:
            yield Backend(
                store,
                (host, made),
                lambda statement: made.execute(statement).fetchall(),
                "INSERT INTO reservations (id, house, guest, covers, starts_at) VALUES"
                " ('{key}', 'tasca', 'Guest 12', {covers}, '{at}') RETURNING id::text",
                "SELECT status, covers, sits_at FROM reservations WHERE id = '{id}'",
            )


@pytest.fixture(params=["page", "own_tables", "celery"])
def backend(request):
    """Each of them: a table for two and two for four."""
    found = request.getfixturevalue(request.param)
    yield found
    found.coordinator.close()


def test_who_is_requeued_waits_in_the_row_and_is_seated_again(backend):
    """The row says that it is open until then."""
    one = backend.book(4)
    assert backend.row(one)[:2] == ("booked", 4)
    backend.coordinator.requeue(one, actor="ana")
    assert backend.row(one) == ("open", 4, None)
    host, connection = backend.host
    assert host.booking(connection, one).is_pending
    assert [result.booking_id for result in backend.coordinator.sweep().results] == [one]
    assert backend.row(one)[:2] == ("booked", 4)


def test_who_changes_without_keeping_the_tables_waits_and_gets_what_comes_free(backend):
    """For the party that was asked for, not for the one before."""
    small, *large = [backend.book(covers) for covers in (2, 4, 4)]
    assert [backend.row(one)[0] for one in (small, *large)] == ["booked"] * 3
    host, connection = backend.host
    wanted = attrs.evolve(host.booking(connection, small), party_size=4)
    assert backend.coordinator.reassign(wanted, keep=False).tables == ()
    assert backend.row(small) == ("open", 4, None)
    backend.coordinator.cancel(large[0])
    assert backend.row(large[0])[::2] == ("cancelled", None)
    backend.coordinator.sweep()
    assert backend.row(small)[:2] == ("booked", 4)
    assert backend.row(small)[2] is not None


def test_who_is_turned_down_is_declined(backend):
    """For good: the row says so, and nothing finds it again."""
    one = backend.book(30)
    assert backend.row(one) == ("open", 30, None)
    backend.coordinator.reject(one, actor="ana", reason="no_table")
    assert backend.row(one) == ("declined", 30, None)
    assert backend.coordinator.sweep().results == ()


def test_the_tables_of_a_row_that_was_deleted_come_free(backend):
    """With a cancellation, which finds no row to write to."""
    one, _, _ = (backend.book(covers) for covers in (4, 4, 2))
    tables = backend.coordinator.record(one).tables
    backend.execute("DELETE FROM reservations WHERE covers = 4 RETURNING 1")
    assert backend.coordinator.cancel(one, "tasca").outcome == "cancelled"
    assert backend.coordinator.record(backend.book(4)).tables == tables  # The other ghost still has its own.


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_says_each_state_in_its_own_words(example):
    """By a `StatusMap`, in both directions, and by nothing else."""
    code = (ROOT / "examples" / example / "host.py").read_text(encoding="utf-8")
    assert "WORDS = StatusMap(" in code
    assert "WORDS.word(record)" in code
    assert "status=WORDS.status(status)" in code
    assert "coalesce(" not in code.lower()
