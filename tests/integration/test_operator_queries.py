"""The queries of an operator, on SQLite and on PostgreSQL: each gives what a count of the same day in Python gives."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import json
import random
import sqlite3
from typing import Any

import attrs
import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, LegacyResult, Mode, Table, Venue, VenuePolicy
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.domain.counts import Calls
from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.domain.metrics import PIPELINE, MetricsQuery
from assignment_pipeline.rollout import queries
from assignment_pipeline.rollout.flags import FixedFlags

SCHEMA = "assignment_pipeline"

# As an operator's guide of the system before this one has them, written down again: PostgreSQL, names unqualified.
GUIDE = {
    "shadow-active": """
SELECT
  event_type,
  COUNT(*) as event_count,
  MIN(created_at) as first_seen,
  MAX(created_at) as last_seen
FROM observability_events
WHERE source = 'assignment.state_machine'
  AND created_at > NOW() - INTERVAL '1 hour'
GROUP BY event_type;
""",
    "confirmation-rate-hourly": """
SELECT
  DATE_TRUNC('hour', created_at) as hour,
  COUNT(*) FILTER (WHERE status = 'confirmed') as confirmed,
  COUNT(*) FILTER (WHERE assignment_state = 'manual_review') as manual_review,
  COUNT(*) as total,
  ROUND(100.0 * COUNT(*) FILTER (WHERE status = 'confirmed') / COUNT(*), 2) as confirmation_rate
FROM bookings
WHERE created_at > NOW() - INTERVAL '24 hours'
GROUP BY 1
ORDER BY 1 DESC;
""",
    "real-time": """
SELECT
  COUNT(*) FILTER (WHERE source = 'assignment.state_machine') as coordinator_events,
  COUNT(*) FILTER (WHERE event_type = 'auto_assign.summary') as legacy_events,
  COUNT(DISTINCT booking_id) as unique_bookings
FROM observability_events
WHERE created_at > NOW() - INTERVAL '1 hour';
""",
    "daily-summary": """
SELECT
  DATE(created_at) as date,
  COUNT(*) FILTER (WHERE status = 'confirmed') as confirmed,
  COUNT(*) FILTER (WHERE assignment_state = 'manual_review') as manual_review,
  COUNT(*) as total,
  ROUND(100.0 * COUNT(*) FILTER (WHERE status = 'confirmed') / COUNT(*), 2) as confirmation_rate
FROM bookings
WHERE created_at > NOW() - INTERVAL '7 days'
GROUP BY 1
ORDER BY 1 DESC;
""",
    "panel-confirmation-rate": """
SELECT
  time_bucket('5 minutes', created_at) as time,
  100.0 * COUNT(*) FILTER (WHERE status = 'confirmed') / COUNT(*) as confirmation_rate
FROM bookings
WHERE created_at > NOW() - INTERVAL '24 hours'
GROUP BY 1
ORDER BY 1;
""",
    "panel-review-queue": """
SELECT
  COUNT(*) as manual_review_count
FROM bookings
WHERE assignment_state = 'manual_review'
  AND created_at > NOW() - INTERVAL '24 hours';
""",
    "panel-error-rate": """
SELECT
  time_bucket('5 minutes', created_at) as time,
  COUNT(*) FILTER (WHERE event_type LIKE '%error%' OR event_type LIKE '%failure%') as errors,
  COUNT(*) as total
FROM observability_events
WHERE source LIKE 'assignment.%'
  AND created_at > NOW() - INTERVAL '24 hours'
GROUP BY 1
ORDER BY 1;
""",
    "last-events": """
SELECT * FROM observability_events WHERE created_at > NOW() - INTERVAL '1 hour' ORDER BY created_at DESC LIMIT 20;
""",
    "review-reasons": """
SELECT
  context->>'reason' as reason,
  COUNT(*) as count
FROM observability_events
WHERE source = 'assignment.state_machine'
  AND context->>'to' = 'manual_review'
  AND created_at > NOW() - INTERVAL '24 hours'
GROUP BY 1
ORDER BY 2 DESC;
""",
    "last-transitions": """
SELECT * FROM observability_events WHERE source = 'assignment.state_machine' ORDER BY created_at DESC LIMIT 10;
""",
}


@attrs.frozen
class Backdated:
    """The time, some hours ago."""

    ago: dt.timedelta

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) - self.ago

    def monotonic(self) -> float:
        return 0.0


def live(open_store: Any, write: Any) -> None:
    """A day and some: what came out well, what waits, what was cancelled, what legacy did, and some trouble."""
    rng = random.Random(5)
    floor, policy = FloorPlan([Table(f"T{number}", 4) for number in range(3)]), VenuePolicy(reseat="off")
    names = ("r-1", "r-2", "r-3")
    for part, hours in enumerate((70, 30, 20, 3, 0.4)):
        clock = Backdated(dt.timedelta(hours=hours))
        with open_store(clock) as store:
            for name in names:
                write(store, "put_venue", Venue(name, "Europe/Paris", floor, policy))
            active = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=())
            off = Coordinator(
                store,
                flags=FixedFlags(Mode.OFF),
                clock=clock,
                sinks=(store,),
                legacy=lambda _: LegacyResult(("T1",)) if rng.random() < 0.8 else LegacyResult(),
            )
            start = clock.now().replace(second=0, microsecond=0) + dt.timedelta(days=4)
            with active, off:
                for number in range(14):
                    size = rng.choice([2, 2, 2, 4, 9])
                    booking = Booking(f"b-{part}-{number}", rng.choice(names), size, start)
                    write(store, "put_booking", booking)
                    (off if number % 7 == 6 else active).assign(booking)
                    if number % 5 == 4:
                        active.cancel(booking.id)
                trouble = [
                    Event(
                        f"t-{part}-{number}",
                        clock.now(),
                        Source.COORDINATOR,
                        kind,
                        restaurant_id="r-1",
                        booking_id=f"b-{part}-{number}",
                        context={"outcome": "noop", "mode": "active"},
                    )
                    for number, kind in enumerate(
                        [EventType.ERROR, EventType.LOCK_CONTENTION, EventType.LOCK_CONTENTION]
                    )
                ]
                store.emit(trouble)


def rows_of(cursor: Any) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def moment(value: Any) -> dt.datetime:
    found = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


class Database:
    """Where the day was, and how to ask."""

    def __init__(self, dialect: str, run: Any, schema: str = SCHEMA) -> None:
        self.dialect, self.run, self.schema = dialect, run, schema
        self.prefix = f'"{schema}".' if dialect == "postgres" else ""

    def ask(self, name: str, booking: str | None = None) -> list[dict[str, Any]]:
        text = queries.operator(name, self.dialect, schema=self.schema)
        for placeholder in (":'booking'", ":booking"):
            text = text.replace(placeholder, f"'{booking}'")
        return self.run(text)

    def table(self, name: str) -> list[dict[str, Any]]:
        """Its rows, read without any condition; times and contexts as Python has them."""
        found = self.run(f"SELECT * FROM {self.prefix}{name}")
        for row in found:
            for key, value in row.items():
                if value is not None and key.endswith("_at"):
                    row[key] = moment(value)
                elif key == "context" and isinstance(value, str):
                    row[key] = json.loads(value)
        return found

    def recent(self, name: str, hours: float) -> list[dict[str, Any]]:
        since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)
        return [row for row in self.table(name) if row["created_at"] > since]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request, tmp_path_factory):
    """A day on a store of that kind."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("operator") / "bookings.db"
        init(path, standalone=True)

        def write(store, method, value):
            store.write(lambda connection: getattr(StandaloneHost(store._reads.clock), method)(connection, value))

        live(lambda clock: SQLiteStore(path, host=StandaloneHost(clock), clock=clock), write)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            yield Database(
                "sqlite",
                lambda text: (
                    rows_of(connection.execute(text)) if "DELETE" not in text else connection.execute(text).rowcount
                ),
            )
        return
    psycopg = pytest.importorskip("psycopg")
    from assignment_pipeline.adapters import postgres  # noqa: PLC0415 - its packages may be missing

    conninfo = request.getfixturevalue("postgres_database")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        postgres.init(conninfo, standalone=True)

        def put(store, method, value):
            host = postgres.StandaloneHost(store._work.reads.clock)
            store.write(lambda connection: getattr(host, method)(connection, value))

        live(lambda clock: postgres.PostgresStore(conninfo, host=postgres.StandaloneHost(clock), clock=clock), put)

        def run(text):
            cursor = connection.execute(text)
            return rows_of(cursor) if cursor.description else cursor.rowcount

        made = Database("postgres", run)
        made.conninfo = conninfo
        yield made


def five(at: dt.datetime) -> dt.datetime:
    return at.replace(minute=at.minute // 5 * 5, second=0, microsecond=0)


def hour(at: dt.datetime) -> dt.datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def day(at: dt.datetime) -> dt.datetime:
    return hour(at).replace(hour=0)


def as_moment(value: Any) -> dt.datetime:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    return moment(value)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the difference between databases: times in UTC, numbers as floats."""
    return {
        key: as_moment(value)
        if key in {"hour", "date", "time", "since", "first_seen", "last_seen", "created_at"}
        else float(value)
        if isinstance(value, int | float) or type(value).__name__ == "Decimal"
        else value
        for key, value in row.items()
    }


# -- Independent counts -------------------------------------------------------------------------------------------


def rates(rows, bucket, word, *, first="desc"):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[bucket(row["created_at"])].append(row)
    found = []
    for at in sorted(groups, reverse=first == "desc"):
        group = groups[at]
        confirmed = sum(row["status"] == "confirmed" for row in group)
        review = sum(row["assignment_state"] == "manual_review" for row in group)
        found.append(
            {
                word: at,
                "confirmed": confirmed,
                "manual_review": review,
                "total": len(group),
                "confirmation_rate": 100 * confirmed / len(group),
            }
        )
    return found


def close(actual, expected):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        assert shown(one) == {
            key: pytest.approx(value, abs=0.0051) if isinstance(value, float) else value
            for key, value in shown(other).items()
        }


@pytest.mark.parametrize(
    ("name", "bucket", "word", "hours"),
    [("confirmation-rate-hourly", hour, "hour", 24), ("daily-summary", day, "date", 168)],
)
def test_confirmation_rates(database, name, bucket, word, hours):
    """By the hour of a day, and by the day of a week."""
    expected = rates(database.recent("bookings", hours), bucket, word)
    assert len(expected) > 1
    assert sum(row["manual_review"] for row in expected) > 0
    close(database.ask(name), expected)


def test_the_confirmation_panel(database):
    """In stretches of five minutes."""
    expected = rates(database.recent("bookings", 24), five, "time", first="asc")
    close(
        database.ask("panel-confirmation-rate"),
        [{"time": row["time"], "confirmation_rate": row["confirmation_rate"]} for row in expected],
    )


def test_the_review_panel(database):
    """Those of a day."""
    expected = sum(row["assignment_state"] == "manual_review" for row in database.recent("bookings", 24))
    assert expected
    assert database.ask("panel-review-queue") == [{"manual_review_count": expected}]


def errors(rows, is_error, *, words):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[five(row["created_at"])].append(is_error(row))
    return [{"time": at, words[0]: sum(groups[at]), words[1]: len(groups[at])} for at in sorted(groups)]


def test_the_error_panel(database):
    """Errors among all events; and among calls."""
    events = database.recent("observability_events", 24)
    ours = [row for row in events if row["source"].startswith("assignment.")]
    expected = errors(
        ours, lambda row: "error" in row["event_type"] or "failure" in row["event_type"], words=("errors", "total")
    )
    assert sum(row["errors"] for row in expected) == 3
    close(database.ask("panel-error-rate"), expected)
    calls = [row for row in ours if row["source"] == "assignment.coordinator" and row["context"].get("outcome")]
    counted = errors(calls, lambda row: row["event_type"] == "coordinator.error", words=("errors", "calls"))
    for row in counted:
        row["percent_errors"] = 100 * row["errors"] / row["calls"]
    close(database.ask("calls-with-errors"), counted)


def test_who_is_at_work(database):
    """Of the last hour: transitions, legacy's answers, bookings."""
    events = database.recent("observability_events", 1)
    steps = [row for row in events if row["source"] == "assignment.state_machine"]
    legacy = sum(row["event_type"] == "auto_assign.summary" for row in events)
    assert steps
    assert legacy
    (found,) = database.ask("real-time")
    bookings = len({row["booking_id"] for row in events} - {None})
    assert found == {"coordinator_events": len(steps), "legacy_events": legacy, "unique_bookings": bookings}
    times = [row["created_at"] for row in steps]
    expected = {
        "event_type": "booking.assignment_state_transition",
        "event_count": len(steps),
        "first_seen": min(times),
        "last_seen": max(times),
    }
    close(database.ask("shadow-active"), [expected])


def test_why_bookings_went_to_a_person(database):
    """By reason; and who waits, the longest first."""
    went = [
        row["context"]["reason"]
        for row in database.recent("observability_events", 24)
        if row["source"] == "assignment.state_machine" and row["context"]["to"] == "manual_review"
    ]
    found = database.ask("review-reasons")
    assert {row["reason"]: row["count"] for row in found} == collections.Counter(went)
    assert [row["count"] for row in found] == sorted((row["count"] for row in found), reverse=True)
    waiting = {row["booking_id"] for row in database.table("assignment_records") if row["state"] == "manual_review"}
    queue = database.ask("review-queue")
    assert {row["booking_id"] for row in queue} == waiting
    assert [moment(row["since"]) for row in queue] == sorted(moment(row["since"]) for row in queue)


def test_outcomes_by_the_hour(database):
    """Of what guests have not cancelled."""
    rows = [row for row in database.recent("assignment_records", 24) if row["state"] != "cancelled"]
    groups = collections.defaultdict(list)
    for row in rows:
        groups[hour(row["created_at"])].append(row["state"])
    expected = [
        {
            "hour": at,
            "bookings": len(states),
            "confirmed": states.count("confirmed"),
            "in_review": states.count("manual_review"),
            "percent_confirmed": 100 * states.count("confirmed") / len(states),
        }
        for at, states in sorted(groups.items(), reverse=True)
    ]
    close(database.ask("outcomes-hourly"), expected)


def test_lock_contention(database):
    """Who was turned away, of a day."""
    turned = collections.Counter(
        row["booking_id"]
        for row in database.recent("observability_events", 24)
        if row["event_type"] == "coordinator.lock_contention"
    )
    assert {row["booking_id"]: row["turned_away"] for row in database.ask("lock-contention")} == turned
    assert len(turned) == 6


def test_a_bookings_way(database):
    """Its transitions and plannings, and the last of all events."""
    name = next(row["booking_id"] for row in database.table("assignment_records") if row["state"] == "confirmed")
    steps = [row for row in database.table("booking_assignment_state_history") if row["booking_id"] == name]
    assert [row["version"] for row in database.ask("transitions", name)] == sorted(row["version"] for row in steps)
    assert [row["result"] for row in database.ask("attempts", name)] == ["success"]
    events = database.table("observability_events")
    for query, number, rows in (
        ("last-events", 20, database.recent("observability_events", 1)),
        ("last-transitions", 10, [row for row in events if row["source"] == "assignment.state_machine"]),
    ):
        newest = sorted((row["created_at"] for row in rows), reverse=True)[:number]
        assert [moment(row["created_at"]) for row in database.ask(query)] == newest


def test_alarms_are_silent(database):
    """Nobody is double-seated; what is overdue is what an independent look finds."""
    assert database.ask("double-seated") == []
    since = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    due = [
        row["next_attempt_at"]
        for row in database.table("assignment_records")
        if row["next_attempt_at"] and row["next_attempt_at"] < since
    ]
    found = database.ask("overdue")
    assert [(row["overdue"], moment(row["since"])) for row in found] == ([(len(due), min(due))] if due else [])


@pytest.mark.parametrize("name", GUIDE)
def test_the_guides_own_words_give_the_same(database, name):
    """As they were written, with the schema in the search path."""
    if database.dialect != "postgres":
        pytest.skip("they are PostgreSQL's")
    database.run(f"SET search_path TO {SCHEMA}")
    try:
        found = database.run(GUIDE[name])
    finally:
        database.run("RESET search_path")
    ours = database.ask(name)
    assert found
    if name.startswith("last-"):
        assert [row["created_at"] for row in found] == [row["created_at"] for row in ours]
    else:
        close(found, ours)


def test_every_query_says_what_it_finds_in_both_dialects():
    """And has one of each."""
    for name in queries.names():
        said = {queries.says(queries.operator(name, dialect)) for dialect in queries.DIALECTS}
        assert len(said) == 1
        assert said.pop()
    assert set(GUIDE) <= set(queries.names())
    with pytest.raises(ValueError, match="expected one of"):
        queries.operator("x", "sqlite")
    with pytest.raises(ValueError, match="dialect"):
        queries.operator("overdue", "oracle")


@pytest.mark.parametrize("metric", ["confirmation_rate", "review_rate", "error_rate", "relative_confirmation"])
def test_the_rules_for_grafana_count_about_as_we_do(database, metric):
    """They look at first outcomes only: whoever cancels at once counts as seated. Errors are the same."""
    if database.dialect != "postgres":
        pytest.skip("they are PostgreSQL's")
    from assignment_pipeline.adapters import postgres  # noqa: PLC0415 - its packages may be missing

    (last,) = database.run("SELECT max(created_at) AS at FROM assignment_pipeline.booking_assignment_state_history")
    over = dt.timedelta(minutes=1440 if metric == "review_rate" else 10)
    minutes = 5 if metric == "error_rate" else 12
    moment = last["at"].astimezone(dt.UTC) + dt.timedelta(minutes=minutes)
    text = (
        queries.rule(metric, over=over).replace("now()", f"timestamptz '{moment.isoformat()}'").replace(">= 10", ">= 1")
    )
    (found,) = database.run(text)
    span = {"review_rate": 1440, "relative_confirmation": 60}.get(metric, 10)
    query = MetricsQuery(since=moment - dt.timedelta(minutes=span), until=moment)
    conninfo = database.conninfo
    with postgres.PostgresStore(conninfo, host=postgres.StandaloneHost()) as store:
        metrics = store.measure(query)
    expected = {
        "confirmation_rate": metrics.pipeline.confirmation_rate,
        "review_rate": metrics.pipeline.review_rate,
        "error_rate": metrics.calls.get(PIPELINE, Calls()).error_rate,
        "relative_confirmation": metrics.relative_confirmation,
    }[metric]
    assert expected is not None
    assert float(found["value"]) == pytest.approx(expected, abs=1e-9 if metric == "error_rate" else 0.2)


def test_zz_old_events_are_forgotten(database):
    """Those of more than ninety days, and no others; the last test, as it deletes."""
    number = len(database.table("observability_events"))
    old = "now() - interval '91 days'" if database.dialect == "postgres" else "datetime('now', '-91 days')"
    update = f"UPDATE {database.prefix}observability_events SET created_at = {old} WHERE id LIKE 't-0-%' RETURNING id"
    assert len(database.run(update)) == 3
    assert database.ask("forget-old-events") == 3
    assert len(database.table("observability_events")) == number - 3
