"""The queries in the documentation run, and find what they say."""

import contextlib
import datetime as dt
import re
import sqlite3
from pathlib import Path

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Mode, Table, Venue, VenuePolicy
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.rollout.flags import FixedFlags

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = {
    (page.stem, block.partition("\n")[0]): block
    for page in sorted(DOCS.rglob("*.md"))
    for block in re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
}
QUERIES = {title: block for (page, title), block in BLOCKS.items() if page == "operate"}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An evening: two confirmed, one that waits for tables, one for a person, one cancelled."""
    path = tmp_path_factory.mktemp("queries") / "bookings.db"
    init(path, standalone=True)
    host = StandaloneHost()
    floor, policy = FloorPlan([Table("T1", 4), Table("T2", 4)]), VenuePolicy(reseat="off")
    venue = Venue("chez-nous", "Europe/Paris", floor, policy)
    start_at = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(second=0, microsecond=0)
    with (
        SQLiteStore(path, host=host) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        store.write(lambda connection: host.put_venue(connection, venue))
        for name, size in {"b-0": 2, "b-1": 4, "b-2": 4, "b-3": 4, "b-4": 9}.items():
            coordinator.assign(Booking(name, "chez-nous", size, start_at))
            if name == "b-0":
                coordinator.cancel(name)
    return path


@pytest.fixture
def rows(database):
    """What a block finds."""

    def find(block):
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(block)]

    return find


@pytest.mark.parametrize("block", BLOCKS.values(), ids=[f"{page}: {title}" for page, title in BLOCKS])
def test_every_query_runs(rows, block):
    """On the tables as they are."""
    rows(block)


def test_rates_are_of_what_was_not_cancelled(rows):
    """Two of four are confirmed, one is in review; the guests' view counts all five."""
    for title, total in (("-- confirmation rate", 4), ("-- confirmation rate, guests", 5)):
        found = rows(QUERIES[title])  # Two rows, should the evening have fallen on the turn of an hour or a day.
        assert [sum(row[name] for row in found) for name in ("confirmed", "in_review", "bookings")] == [2, 1, total]
        for row in found:
            assert row["percent_confirmed"] == round(100 * row["confirmed"] / row["bookings"], 2)


def test_what_waits_for_a_person_is_found(rows):
    """With why."""
    (waiting,) = rows(QUERIES["-- review queue"])
    assert (waiting["booking_id"], waiting["reason"], waiting["attempts"]) == ("b-4", "party_too_large", 1)
    assert rows(QUERIES["-- reasons for review"]) == [{"reason": "party_too_large", "bookings": 1}]


def test_calls_are_counted_and_errors_among_them(rows):
    """Five were assigned, one cancelled, none failed."""
    found = rows(QUERIES["-- error rate"])
    assert sum(row["calls"] for row in found) == 6
    assert sum(row["errors"] for row in found) == 0


def test_a_bookings_way_is_found(rows):
    """Its transitions and its attempt."""
    assert [row["to_state"] for row in rows(QUERIES["-- transitions"])][-1] == "confirmed"
    assert [row["result"] for row in rows(QUERIES["-- attempts"])] == ["success"]
    assert len(rows(QUERIES["-- last events"])) == 20


@pytest.mark.parametrize("title", ["-- overdue", "-- double-seated"])
def test_alarms_are_silent(rows, title):
    """Where all is well."""
    assert rows(QUERIES[title]) == []


def test_alarms_ring(database, rows):
    """Where it is not: a sweep that stands still, and two parties that something else has put at one table."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "UPDATE assignment_records SET next_attempt_at = datetime('now', '-1 hour') WHERE booking_id = 'b-3'"
        )
        connection.execute(
            "INSERT INTO booking_table_assignments SELECT 'b-9', table_id, restaurant_id, start_at, end_at,"
            " turn_start_at, turn_end_at, movable, conflicted FROM booking_table_assignments WHERE booking_id = 'b-1'"
        )
        connection.commit()
    (overdue,) = rows(QUERIES["-- overdue"])
    assert overdue["overdue"] == 1
    assert len(rows(QUERIES["-- double-seated"])) == 1
