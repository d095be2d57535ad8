"""What an operator asks the database, in SQLite's words for dates, against an independent count of the same evening."""

from __future__ import annotations

import collections
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOUR_AGO, DAY_AGO, WEEK_AGO = (f"datetime('now', '-{span}')" for span in ("1 hour", "24 hours", "7 days"))
FIVE_MINUTES = "datetime(unixepoch(created_at) / 300 * 300, 'unixepoch')"


@pytest.fixture(scope="module")
def evening(run_once: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """The demo's database, and then a connection to it."""
    path = tmp_path_factory.mktemp("evening") / "demo.db"
    assert run_once("demo", "--db", path, "--seed", "7").code == 0
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def bookings(evening: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every booking, as the host's table and the pipeline's own have it, put together by hand."""
    states = dict(evening.execute("SELECT booking_id, state FROM assignment_records"))
    rows = evening.execute("SELECT id, status FROM bookings").fetchall()
    return [{"id": booking_id, "status": status, "state": states[booking_id]} for booking_id, status in rows]


@pytest.fixture(scope="module")
def events(evening: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every event, its context read."""
    rows = evening.execute("SELECT source, event_type, booking_id, context FROM observability_events")
    names = ("source", "type", "booking_id", "context")
    return [dict(zip(names, (*row[:3], json.loads(row[3])), strict=True)) for row in rows]


def test_the_tables_agree(evening, bookings):
    """The state that the bookings table shows is the record's, and the version is the history's last."""
    shown = dict(evening.execute("SELECT id, assignment_state FROM bookings"))
    assert shown == {booking["id"]: booking["state"] for booking in bookings}
    versions = dict(evening.execute("SELECT id, assignment_state_version FROM bookings"))
    history = dict(
        evening.execute("SELECT booking_id, max(version) FROM booking_assignment_state_history GROUP BY booking_id")
    )
    assert versions == history
    seated = {booking["id"] for booking in bookings if booking["state"] == "confirmed"}
    assert seated == {row[0] for row in evening.execute("SELECT DISTINCT booking_id FROM booking_table_assignments")}
    assert seated
    assert len(seated) < len(bookings)


def test_the_last_events_of_a_source(evening):
    """Newest first, all of that source."""
    rows = evening.execute(
        "SELECT source, created_at FROM observability_events"
        " WHERE source = 'assignment.state_machine' ORDER BY created_at DESC LIMIT 10"
    ).fetchall()
    assert [row[0] for row in rows] == ["assignment.state_machine"] * 10
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)


def test_transitions_by_type(evening, events):
    """Every transition of the last hour is one event."""
    ((kind, count, first, last),) = evening.execute(
        "SELECT event_type, COUNT(*) AS event_count, MIN(created_at) AS first_seen, MAX(created_at) AS last_seen"
        f" FROM observability_events WHERE source = 'assignment.state_machine' AND created_at > {HOUR_AGO}"
        " GROUP BY event_type"
    ).fetchall()
    (steps,) = evening.execute("SELECT count(*) FROM booking_assignment_state_history").fetchone()
    assert kind == "booking.assignment_state_transition"
    assert count == steps == sum(event["source"] == "assignment.state_machine" for event in events)
    assert first <= last


@pytest.mark.parametrize(
    ("bucket", "since"),
    [("strftime('%Y-%m-%d %H:00', created_at)", DAY_AGO), ("date(created_at)", WEEK_AGO)],
    ids=["by the hour", "by the day"],
)
def test_the_confirmation_rate(evening, bookings, bucket, since):
    """Confirmed, in review, in all, and the rate: they add up to what is there."""
    rows = evening.execute(
        f"SELECT {bucket} AS bucket, COUNT(*) FILTER (WHERE status = 'confirmed') AS confirmed,"
        " COUNT(*) FILTER (WHERE assignment_state = 'manual_review') AS manual_review, COUNT(*) AS total,"
        " ROUND(100.0 * COUNT(*) FILTER (WHERE status = 'confirmed') / COUNT(*), 2) AS confirmation_rate"
        f" FROM bookings WHERE created_at > {since} GROUP BY 1 ORDER BY 1 DESC"
    ).fetchall()
    confirmed = sum(booking["state"] == "confirmed" for booking in bookings)
    review = sum(booking["state"] == "manual_review" for booking in bookings)
    assert [sum(column) for column in list(zip(*rows, strict=True))[1:4]] == [confirmed, review, len(bookings)]
    assert all(row[4] == pytest.approx(100 * row[1] / row[3], abs=0.01) for row in rows)


def test_who_is_at_work(evening, bookings, events):
    """The pipeline's events, legacy's, and how many bookings they are about."""
    ours, legacy, unique = evening.execute(
        "SELECT COUNT(*) FILTER (WHERE source = 'assignment.state_machine') AS coordinator_events,"
        " COUNT(*) FILTER (WHERE event_type = 'auto_assign.summary') AS legacy_events,"
        f" COUNT(DISTINCT booking_id) AS unique_bookings FROM observability_events WHERE created_at > {HOUR_AGO}"
    ).fetchone()
    assert ours == sum(event["source"] == "assignment.state_machine" for event in events)
    assert (legacy, unique) == (0, len(bookings))


def test_the_confirmation_panel(evening, bookings):
    """In buckets of five minutes; here all of it is one bucket, or two where the clock turned."""
    rows = evening.execute(
        f"SELECT {FIVE_MINUTES} AS time,"
        " 100.0 * COUNT(*) FILTER (WHERE status = 'confirmed') / COUNT(*) AS confirmation_rate"
        f" FROM bookings WHERE created_at > {DAY_AGO} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    rate = 100 * sum(booking["status"] == "confirmed" for booking in bookings) / len(bookings)
    assert len(rows) in (1, 2)
    assert min(row[1] for row in rows) <= rate + 1e-9
    assert max(row[1] for row in rows) >= rate - 1e-9


def test_the_review_panel(evening, bookings):
    """The bookings that wait for a person."""
    (count,) = evening.execute(
        "SELECT COUNT(*) AS manual_review_count FROM bookings"
        f" WHERE assignment_state = 'manual_review' AND created_at > {DAY_AGO}"
    ).fetchone()
    assert count == sum(booking["state"] == "manual_review" for booking in bookings) > 0


def test_the_error_panel(evening, events):
    """On a good evening there is none, among all that was told."""
    rows = evening.execute(
        f"SELECT {FIVE_MINUTES} AS time,"
        " COUNT(*) FILTER (WHERE event_type LIKE '%error%' OR event_type LIKE '%failure%') AS errors,"
        " COUNT(*) AS total FROM observability_events"
        f" WHERE source LIKE 'assignment.%' AND created_at > {DAY_AGO} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert (sum(row[1] for row in rows), sum(row[2] for row in rows)) == (0, len(events))


def test_why_bookings_went_to_a_person(evening, events):
    """The reasons of the transitions into review, the commonest first."""
    rows = evening.execute(
        "SELECT context->>'reason' AS reason, COUNT(*) AS count FROM observability_events"
        " WHERE source = 'assignment.state_machine' AND context->>'to' = 'manual_review'"
        f" AND created_at > {DAY_AGO} GROUP BY 1 ORDER BY 2 DESC"
    ).fetchall()
    counted = collections.Counter(
        event["context"]["reason"]
        for event in events
        if event["source"] == "assignment.state_machine" and event["context"]["to"] == "manual_review"
    )
    assert dict(rows) == counted
    assert [row[1] for row in rows] == sorted(counted.values(), reverse=True)
    assert None not in counted


def test_the_newest_events_of_all(evening):
    """For a look at what goes on."""
    rows = evening.execute(
        f"SELECT * FROM observability_events WHERE created_at > {HOUR_AGO} ORDER BY created_at DESC LIMIT 20"
    ).fetchall()
    assert len(rows) == 20


def test_a_log_file_has_one_line_an_event(tmp_path: Path) -> None:
    """Searching it for a source finds what the database holds of it."""
    program = tmp_path / "service.py"
    program.write_text(
        """
import datetime, logging, sys
from assignment_pipeline import Booking, Coordinator, FloorPlan, Mode, Table, Venue
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.rollout.flags import FixedFlags

logging.basicConfig(filename="dev.log", level=logging.INFO)
init("day.db", standalone=True)
host = StandaloneHost()
tomorrow = datetime.datetime.now(datetime.UTC).replace(second=0, microsecond=0) + datetime.timedelta(days=1)
with SQLiteStore("day.db", host=host) as store, Coordinator(store, flags=FixedFlags(Mode.ACTIVE)) as coordinator:
    venue = Venue("R1", "Europe/London", FloorPlan([Table("T1", 2)]))
    store.write(lambda connection: host.put_venue(connection, venue))
    for number, size in enumerate([2, 2, 9]):
        coordinator.assign(Booking(f"B{number}", "R1", size, tomorrow))
    coordinator.assign(Booking("B0", "R1", 2, tomorrow))
    coordinator.cancel("B0")
""",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, program], cwd=tmp_path, check=True, timeout=60)
    lines = (tmp_path / "dev.log").read_text(encoding="utf-8").splitlines()
    connection = sqlite3.connect(tmp_path / "day.db")
    told = dict(connection.execute("SELECT source, count(*) FROM observability_events GROUP BY source"))
    connection.close()
    assert set(told) == {"assignment.coordinator", "assignment.state_machine"}
    for source, count in told.items():
        found = [line for line in lines if source in line]
        assert len(found) == count
        assert all("booking=B" in line and "restaurant=R1" in line for line in found)
