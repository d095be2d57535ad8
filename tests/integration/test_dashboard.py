"""The dashboard for Grafana has what Grafana needs, and its queries find what a day has left in PostgreSQL."""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
import subprocess
import sys

import pytest

pytest.importorskip("grafana_foundation_sdk", reason="the extra grafana is not installed")
psycopg = pytest.importorskip("psycopg")
from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402
from grafana_foundation_sdk.cog.plugins import register_default_plugins  # noqa: E402
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel  # noqa: E402
from psycopg.rows import dict_row  # noqa: E402

from assignment_pipeline import (  # noqa: E402
    Booking,
    Coordinator,
    Event,
    FixedFlags,
    FloorPlan,
    LegacyResult,
    Mode,
    Table,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.adapters.memory import MemoryLockManager  # noqa: E402
from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, grants, init  # noqa: E402
from assignment_pipeline.clock import SystemClock  # noqa: E402
from assignment_pipeline.domain.metrics import PIPELINE, MetricsQuery  # noqa: E402
from assignment_pipeline.ports import Wanted  # noqa: E402
from assignment_pipeline.rollout import queries  # noqa: E402
from assignment_pipeline.rollout.exports.dashboard import PLUGIN, grafana  # noqa: E402
from assignment_pipeline.rollout.watching.rules import RULES  # noqa: E402
from assignment_pipeline.testing import FakeClock  # noqa: E402

SCHEMA = 'a "day"'
NOW = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
THEN = NOW - dt.timedelta(hours=3)
DINNER = NOW + dt.timedelta(days=1)

WINDOW = MetricsQuery(since=NOW - dt.timedelta(hours=24), until=NOW + dt.timedelta(minutes=1))

BOARD = json.loads(grafana())
PANELS = {panel["title"]: panel for panel in BOARD["panels"] if panel["type"] != "row"}


# -- What Grafana needs -------------------------------------------------------------------------------------------


def test_it_is_what_the_sdk_reads():
    """Grafana's own types read it, and write the same again."""
    register_default_plugins()
    read = Dashboard.from_json(BOARD)
    assert all(isinstance(panel, Panel) for panel in read.panels if panel.type_val != "row")
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == BOARD


def test_panels_have_ids_and_places_of_their_own():
    """No id comes twice, nothing lies over anything else or past the 24th column."""
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert sorted(ids) == list(range(1, len(ids) + 1))
    cells = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in cells
                cells.add((x, y))


def test_the_data_source_is_a_variable():
    """Every query goes to it, so that the dashboard works in any Grafana."""
    source, restaurant = BOARD["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", PLUGIN)
    assert restaurant["type"] == "query"
    for owner in (restaurant, *PANELS.values()):
        assert owner["datasource"] == {"type": PLUGIN, "uid": "${datasource}"}
    for panel in PANELS.values():
        (target,) = panel["targets"]
        assert target["datasource"] == {"type": PLUGIN, "uid": "${datasource}"}
        assert (target["refId"], target["rawQuery"], target["editorMode"]) == ("A", True, "code")
        assert target["format"] == ("time_series" if panel["type"] == "timeseries" else "table")
        assert panel["options"] is not None
        assert len(panel["description"]) > 20


@pytest.mark.parametrize(
    ("title", "steps"),
    [
        ("Booking confirmation rate", [(None, "red"), (90, "orange"), (95, "green")]),
        ("Coordinator error rate", [(None, "green"), (5, "red")]),
        ("Stuck bookings", [(None, "green"), (1, "red")]),
    ],
)
def test_alarms_are_drawn(title, steps):
    """Where an operator wants to be woken, the colour changes."""
    drawn = PANELS[title]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["value"], step["color"]) for step in drawn] == steps


def test_the_share_in_review_has_an_alarm():
    """It is one of the two numbers of its panel: in per cent, and red from a fifth of the bookings on."""
    (override,) = PANELS["Manual review queue"]["fieldConfig"]["overrides"]
    facts = {fact["id"]: fact["value"] for fact in override["properties"]}
    assert (override["matcher"], facts["unit"]) == ({"id": "byName", "options": "share"}, "percent")
    assert facts["thresholds"]["steps"][-1] == {"value": 20, "color": "red"}


# -- A day --------------------------------------------------------------------------------------------------------


def legacy(booking):
    if booking.party_size > 4:
        raise RuntimeError
    return LegacyResult(("L1",) if booking.party_size <= 2 else ())


def tell(store, kind, source, **context):
    event = Event(f"{kind}", THEN, source, kind, restaurant_id="r-1", booking_id="b-1", context=context)
    store.emit([event])


@pytest.fixture(scope="module")
def connection(postgres_database):
    """
    A day, three hours ago.

    Three bookings are confirmed, one of them as a pair of tables; one waits for tables and one for a person, one is
    cancelled; three go to legacy, which seats one, has nothing for another, and raises over the third.
    """
    init(postgres_database, standalone=True, schema=SCHEMA)
    clock, host = FakeClock(THEN), StandaloneHost(schema=SCHEMA)
    floor = FloorPlan([Table("T1", 4), Table("T2", 2), Table("T3", 2)], [("T2", "T3")])
    locks = MemoryLockManager(SystemClock())
    with PostgresStore(postgres_database, host=host, schema=SCHEMA, clock=clock) as store:
        store.write(
            lambda it: host.put_venue(it, Venue("r-1", "Europe/Paris", floor, VenuePolicy(reseat="off", max_overage=0)))
        )
        ours = {"sinks": (store,), "clock": clock, "locks": locks}
        with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), **ours) as coordinator:
            sizes = {"b-1": 4, "b-2": 4, "b-3": 4, "b-4": 9}
            results = [coordinator.assign(Booking(name, "r-1", size, DINNER)) for name, size in sizes.items()]
            assert [str(result.outcome) for result in results] == ["confirmed", "confirmed", "retry", "manual_review"]
            later = DINNER + dt.timedelta(hours=5)
            for name in ("b-5", "b-6"):
                assert coordinator.assign(Booking(name, "r-1", 2, later)).outcome == "confirmed"
            coordinator.cancel("b-6")
            held = locks.acquire([Wanted("booking:b-1")], ttl=dt.timedelta(minutes=1))
            assert coordinator.assign(Booking("b-1", "r-1", 4, DINNER)).reason == "lock_contention"
            locks.release(held)
        with Coordinator(store, flags=FixedFlags(Mode.OFF), legacy=legacy, **ours) as coordinator:
            for size in (2, 3):
                coordinator.assign(Booking(f"l-{size}", "r-1", size, DINNER))
            with pytest.raises(RuntimeError):
                coordinator.assign(Booking("l-5", "r-1", 5, DINNER))
        for verdict in ("match", "equivalent", "mismatch", "legacy_error"):
            tell(store, f"shadow.{verdict}", "assignment.shadow", mode="shadow")
        tell(store, "shadow.dropped", "assignment.shadow", mode="shadow", count=7)
        tell(store, "rollout.phase_changed", "assignment.rollout", phase="production-10")
    with psycopg.connect(postgres_database, row_factory=dict_row, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = on")
        yield connection


def as_grafana_does(text, restaurants="restaurant_id"):
    """The query, with what Grafana's data source for PostgreSQL puts into it."""
    start, end = WINDOW.since, WINDOW.until
    macros = {
        "__timeFrom": lambda _: f"'{start:%FT%TZ}'",
        "__timeTo": lambda _: f"'{end:%FT%TZ}'",
        "__unixEpochFrom": lambda _: f"{start.timestamp():.0f}",
        "__timeFilter": lambda column: f"{column} BETWEEN '{start:%FT%TZ}' AND '{end:%FT%TZ}'",
        "__timeGroupAlias": lambda column, _: f'floor(extract(epoch from {column})/300)*300 AS "time"',
    }
    text = (
        text.replace("${restaurant:sqlstring}", restaurants)
        .replace("$__interval_ms", "300000")
        .replace("$__interval", "5m")
    )
    filled = re.sub(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)", lambda found: macros[found[1]](*re.split(r",\s*", found[2])), text)
    assert not re.search(r"[${}]|%\(", filled)
    return filled


@pytest.fixture(scope="module")
def metrics(connection, postgres_database):
    """What the store counts."""
    with PostgresStore(postgres_database, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA) as store:
        return store.measure(WINDOW)


@pytest.fixture
def rows(connection):
    """What a panel finds."""
    board = json.loads(grafana(schema=SCHEMA))
    texts = {panel["title"]: panel["targets"][0]["rawSql"] for panel in board["panels"] if "targets" in panel}
    return lambda title, *where: connection.execute(as_grafana_does(texts[title], *where)).fetchall()


@pytest.mark.parametrize("title", PANELS)
def test_every_query_finds_rows(rows, title):
    """After a day, on the tables as they are; a line over time has its times, and values that are numbers."""
    found = rows(title)
    assert found
    if PANELS[title]["type"] == "timeseries":
        for row in found:
            values = [value for name, value in row.items() if name not in {"time", "metric"}]
            assert row["time"] % 300 == 0
            # An outcome is looked at five minutes later, and where there is none, fifteen.
            assert -300 < float(row["time"]) - THEN.timestamp() <= 900
            assert values
            assert all(value >= 0 for value in values)


@pytest.mark.parametrize(
    "title", sorted(set(PANELS) - {"Manual review queue", "Stuck bookings", "What the rollout did"})
)
def test_every_query_goes_by_the_restaurant(rows, title):
    """Of one that has nothing, there is nothing to show; of one that has all, it is all."""
    assert rows(title, "'r-2', 'r-3'") == []
    assert rows(title, "'r-2', 'r-1'") == rows(title)


def of(found, value, by="metric"):
    return {row[by]: float(row[value]) for row in reversed(found)}  # Of several times, the first.


def test_the_numbers_are_right(rows):
    """Counted by hand."""
    # Confirmed are b-1, b-2 and b-5, in review is b-4; b-3 waits, b-6 was cancelled. Legacy seats one of three.
    confirmed = rows("Booking confirmation rate")
    assert of(confirmed, "confirmed") == {"pipeline": 75, "legacy": pytest.approx(100 / 3)}
    assert (confirmed[-1]["metric"], confirmed[-1]["confirmed"]) == ("pipeline", 0)  # b-3, which has waited too long.
    assert of(rows("Manual review queue"), "share", "waiting") == {1: 20}
    errors = {"pipeline": 0, "shadow": 0, "legacy": pytest.approx(100 / 3)}
    assert of(rows("Coordinator error rate"), "errors") == errors
    verdicts = {"match": 1, "equivalent": 1, "mismatch": 1, "legacy_error": 1, "dropped": 7}
    assert of(rows("Shadow verdicts"), "bookings") == verdicts
    assert [float(row["agreement"]) for row in rows("Shadow agreement")] == [pytest.approx(200 / 3)]
    assert of(rows("Lock contention"), "calls") == {"lock_contention": 1}
    assert of(rows("Retries"), "retries") == {"no_fit": 1}
    assert rows("Stuck bookings") == [{"stuck": 1}]
    assert of(rows("Strategies"), "bookings", "strategy") == {"optimal_fit": 3, "adjacency": 1}
    assert rows("Why a person was asked") == [{"reason": "party_too_large", "bookings": 1}]
    (volume,) = rows("Bookings and events")
    assert (volume["bookings"], volume["with transitions"], volume["by legacy"]) == (9, 6, 3)
    assert [row["what"] for row in rows("What the rollout did")] == ["phase_changed"]
    owners = {(row["owner"], row["state"]): row["bookings"] for row in rows("Bookings by owner")}
    assert owners == {
        ("pipeline", "confirmed"): 3,
        ("pipeline", "assignment_pending"): 1,
        ("pipeline", "manual_review"): 1,
        ("pipeline", "cancelled"): 1,
    }
    assert {row["mode"] for row in rows("Outcomes by mode")} >= {"active", "off"}


def test_the_numbers_are_those_of_gates_and_alerts(rows, metrics):
    """What the store counts for them, the panels show."""
    shown = of(rows("Booking confirmation rate"), "confirmed")
    own = metrics.pipeline
    assert own.unsettled == 1  # Ten minutes later, in a row of its own.
    assert shown["pipeline"] == pytest.approx(100 * own.confirmed / (own.sample - own.unsettled))
    assert shown["legacy"] == pytest.approx(100 * metrics.legacy.confirmation_rate)
    (queue,) = rows("Manual review queue")
    assert queue["waiting"] == metrics.backlog.review
    assert float(queue["share"]) == pytest.approx(100 * metrics.pipeline.review_rate)
    errors = {
        owner.value: calls.error_rate for (owner, mode), calls in metrics.calls.items() if mode is not Mode.SHADOW
    }
    found = of(rows("Coordinator error rate"), "errors")
    assert {name: found[name] for name in errors} == pytest.approx({name: 100 * rate for name, rate in errors.items()})
    (latency,) = rows("Assignment latency")
    counted = metrics.latency[PIPELINE]
    assert (latency["p50"], latency["p95"], latency["p99"]) == (counted.p50, counted.p95, counted.p99)
    assert [float(row["agreement"]) for row in rows("Shadow agreement")] == [
        pytest.approx(100 * metrics.agreement.rate)
    ]
    assert of(rows("Strategies"), "bookings", "strategy") == dict(metrics.strategies)
    assert of(rows("Why a person was asked"), "bookings", "reason") == dict(metrics.reasons)
    assert rows("Stuck bookings") == [{"stuck": metrics.backlog.overdue}]


def test_the_restaurants_can_be_chosen(connection):
    """The variable's query finds them."""
    (_, restaurant) = json.loads(grafana(schema=SCHEMA))["templating"]["list"]
    assert connection.execute(as_grafana_does(restaurant["query"])).fetchall() == [{"restaurant_id": "r-1"}]


def test_the_documented_user_can_read(postgres_database, connection):
    """What the page has an operator grant is enough for every panel and every rule, and for nothing else."""
    role = f"grafana_{secrets.token_hex(4)}"
    quoted = SCHEMA.replace('"', '""')
    with psycopg.connect(postgres_database, autocommit=True) as granted:
        granted.execute(f"CREATE ROLE {role}")
        try:
            granted.execute(grants(postgres_database, role, "reader", schema=SCHEMA))
            granted.execute(f"SET ROLE {role}")
            for panel in json.loads(grafana(schema=SCHEMA))["panels"]:
                for target in panel.get("targets", ()):
                    assert granted.execute(as_grafana_does(target["rawSql"])).fetchall()
            for rule in RULES:
                granted.execute(queries.rule(rule.metric, over=rule.over, schema=SCHEMA))
            for statement in ("DELETE FROM {}.assignment_records", "SELECT FROM {}.assignment_shadow_bundles"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    granted.execute(statement.format(f'"{quoted}"'))
        finally:
            granted.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")


# -- The command --------------------------------------------------------------------------------------------------


def run(*arguments, before=""):
    program = f"import sys\n{before}\nfrom assignment_pipeline.cli import main\nsys.exit(main())"
    command = [sys.executable, "-c", program, "dashboard", "grafana", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_prints_it():
    """As the function makes it, by another name and over another schema."""
    done = run("--schema", "ours", "--title", "Tables", "--uid", "tables-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == grafana(schema="ours", title="Tables", uid="tables-1") + "\n"
    assert '\\"ours\\".observability_events' in done.stdout
    assert run().stdout == grafana() + "\n"


def test_a_missing_extra_is_one_line():
    """It says what to install."""
    done = run(before="sys.modules['grafana_foundation_sdk'] = None")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "grafana_foundation_sdk is not installed: pip install 'assignment-pipeline[grafana]'.\n"
