"""``rollout watch``, ``alerts``, ``metrics``, ``sql`` and ``doctor``, on a database with something in it."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Mode, Table, Venue, VenuePolicy
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.cli.app import run
from assignment_pipeline.rollout import queries
from assignment_pipeline.rollout.control import PHASES, Rollout
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.rollout.watching.rules import RULES


class Earlier:
    """The time, so many minutes ago."""

    def __init__(self, minutes):
        self.ago = dt.timedelta(minutes=minutes)

    def now(self):
        return dt.datetime.now(dt.UTC) - self.ago

    def monotonic(self):
        return 0.0


def live(path, size, *, phase="production-10"):
    """Thirty bookings of that size, half an hour ago, in a phase that began before."""
    init(path, standalone=True)
    with SQLiteStore(path, host=StandaloneHost(), clock=Earlier(60)) as store:
        rollout = Rollout(store, clock=Earlier(60))
        rollout.enter(phase, actor="anna", reason="a test", force=True)
        rollout.list_restaurants(actor="anna", reason="a test", always=["r-1"])
    clock = Earlier(30)
    host = StandaloneHost(clock)
    floor = FloorPlan([Table(f"T{number}", 4) for number in range(30)])
    with SQLiteStore(path, host=host, clock=clock) as store:
        venue = Venue("r-1", "Europe/Paris", floor, VenuePolicy(reseat="off"))
        store.write(lambda connection: host.put_venue(connection, venue))
        start = clock.now().replace(second=0, microsecond=0) + dt.timedelta(days=1)
        with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=()) as coordinator:
            for number in range(30):
                coordinator.assign(Booking(f"b-{number}", "r-1", size, start))
    return str(path)


@pytest.fixture
def well(tmp_path):
    return live(tmp_path / "well.db", 2)


@pytest.fixture
def ill(tmp_path):
    return live(tmp_path / "ill.db", 9)


@pytest.fixture
def said(capsys):
    """What a command prints, and how it exits."""

    def call(*arguments):
        capsys.readouterr()
        code = run(arguments)
        return code, capsys.readouterr().out

    return call


def test_alerts_check(well, ill, said):
    """0 where none fires, 1 where one does; by restaurant, too."""
    code, out = said("alerts", "check", "--db", well)
    assert code == 0
    assert out.count("inactive") == 4
    code, out = said("alerts", "check", "--db", ill, "--json")
    alerts = {alert["alert"]: alert for alert in json.loads(out)["alerts"]}
    assert code == 1
    assert alerts["confirmation_rate_low"]["state"] == "firing"
    assert (alerts["confirmation_rate_low"]["value"], alerts["confirmation_rate_low"]["sample"]) == (0.0, 30)
    host = StandaloneHost()
    with SQLiteStore(ill, host=host) as store:
        quiet = Venue("r-2", "Europe/Paris", FloorPlan([Table("T1", 4)]))
        store.write(lambda connection: host.put_venue(connection, quiet))
    assert said("alerts", "check", "--db", ill, "--restaurant", "r-2")[0] == 0


LED_BACK = [("step", "production-shadow"), ("off", "rollback"), ("no", "production-10")]


@pytest.mark.parametrize(("demote", "phase"), LED_BACK)
def test_a_look_leads_back(ill, said, demote, phase):
    """As far as it is told to; the revision says why, with the numbers."""
    code, out = said("rollout", "watch", "--once", "--demote", demote, "--db", ill, "--json")
    assert code == 1
    look = json.loads(out)
    assert look["demoted_to"] == (None if demote == "no" else phase)
    with SQLiteStore(ill, host=StandaloneHost()) as store:
        revision = store.rollout()
    assert revision.phase == phase
    if demote != "no":
        assert revision.actor == "rollout watch"
        assert "confirmation_rate_low" in revision.reason
        assert revision.evidence["alerts"][0]["sample"] == 30


def test_a_look_at_what_is_well_changes_nothing(well, said):
    """It goes back nowhere, and on to nowhere."""
    code, out = said("rollout", "watch", "--once", "--db", well)
    assert (code, "Rolled back" in out) == (0, False)
    with SQLiteStore(well, host=StandaloneHost()) as store:
        assert store.rollout().phase == "production-10"


def test_bookings_that_went_another_way_are_told(well, said):
    """By a look, which exits with 1 and leads nowhere, and to Prometheus, whose rule is on that number."""
    with SQLiteStore(well, host=StandaloneHost(), clock=Earlier(40)) as store:
        Rollout(store, clock=Earlier(40)).list_restaurants(actor="anna", reason="a test", always=[])
    code, out = said("rollout", "watch", "--once", "--db", well)
    assert (code, "Rolled back" in out) == (1, False)
    assert "UNHEALTHY: r-1 is off, and pipeline answered for 30 bookings as if it were active" in out
    assert json.loads(said("rollout", "watch", "--once", "--db", well, "--json")[1])["unhealthy"].startswith(
        "r-1 is off"
    )
    assert "assignment_pipeline_exposure_elsewhere 30\n" in said("metrics", "--db", well, "--prometheus")[1]
    assert "assignment_pipeline_exposure_elsewhere > 0" in said("alerts", "prometheus")[1]
    status = json.loads(said("rollout", "status", "--db", well, "--json")[1])
    assert status["unhealthy"][0].startswith("exposure: r-1 is off")
    assert len(status["cohorts"]) == 2
    assert "UNHEALTHY" in said("rollout", "status", "--db", well)[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_watcher_ends_when_it_is_told_to(ill, number):
    """At once, without a trace; what it has led back stays so."""
    command = [sys.executable, "-m", "assignment_pipeline", "rollout", "watch", "--db", ill, "--interval", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(6)]
        began = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert time.monotonic() - began < 10
    assert any("Rolled back to production-shadow" in line for line in lines)


def test_metrics(well, said):
    """For people, for programs and for Prometheus."""
    code, out = said("metrics", "--db", well)
    assert code == 0
    assert "pipeline, active: 100.0% confirmed and 0.0% in review of 30" in out
    found = json.loads(said("metrics", "--db", well, "--over", "2h", "--json")[1])
    (group,) = found["groups"]
    assert (group["owner"], group["mode"], group["outcomes"]["confirmed"]) == ("pipeline", "active", 30)
    text = said("metrics", "--db", well, "--prometheus")[1]
    assert 'assignment_pipeline_confirmation_rate{owner="pipeline",mode="active"} 1\n' in text
    assert "error_rate" in text
    assert "assignment_pipeline_exposure_elsewhere 0\n" in text
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ", "assignment_pipeline_"))
    assert run(["metrics", "--db", well, "--over", "soon"]) == 2


def test_each_rule_has_its_own_window(well, said):
    """Whatever --over says: what a day's rule compares is of a day, and every name in a rule is written."""
    text = said("metrics", "--db", well, "--prometheus", "--over", "1m")[1]
    assert 'assignment_pipeline_review_rate_24h{owner="pipeline",mode="active"} 0\n' in text
    assert 'assignment_pipeline_sample_24h{owner="pipeline",mode="active"} 30\n' in text
    assert 'assignment_pipeline_sample{owner="pipeline",mode="active"} 30' not in text
    written = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    typed = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    assert written == typed
    whole = said("metrics", "--db", well, "--prometheus", "--over", "24h")[1]
    names = set(re.findall(r"assignment_pipeline_\w+", said("alerts", "prometheus")[1]))
    silent = names - set(re.findall(r"^(assignment_pipeline_\w+)", whole, re.MULTILINE))
    assert all("10m" in name for name in silent)  # Nothing came in the last ten minutes: no data is not 0.
    assert "assignment_pipeline_measured_at" in written


def test_what_the_watcher_finds_is_a_number_for_prometheus(well, ill, said):
    """One for each alert, and a rule that rings on it: what no rule can work out has been worked out."""
    for db, firing in ((well, 0), (ill, 1)):
        text = said("metrics", "--db", db, "--prometheus")[1]
        assert f'assignment_pipeline_alert_firing{{alert="confirmation_rate_low"}} {firing}\n' in text
        assert text.count("assignment_pipeline_alert_firing{") == len(RULES)
    rules = {rule["alert"]: rule for rule in json.loads(said("alerts", "prometheus")[1])["groups"][0]["rules"]}
    assert rules["AlertFiring"]["expr"] == "assignment_pipeline_alert_firing == 1"


def test_the_file_is_replaced_in_one_step(well, ill, said, tmp_path):
    """A reader finds the old numbers or the new ones; a run that fails leaves the old ones, and nothing beside them."""
    file = tmp_path / "assignment.prom"
    assert said("metrics", "--db", well, "--prometheus", "--out", str(file)) == (0, "")
    before = file.read_text()
    assert 'assignment_pipeline_sample{owner="pipeline",mode="active"} 30\n' in before
    opened = file.open()
    assert said("metrics", "--db", str(tmp_path / "none.db"), "--prometheus", "--out", str(file))[0] == 2
    assert file.read_text() == before
    assert said("metrics", "--db", ill, "--prometheus", "--out", str(file))[0] == 0
    assert opened.read() == before  # What was being read goes on being it.
    opened.close()
    assert file.read_text() != before
    assert [path.name for path in tmp_path.iterdir() if "prom" in path.name] == ["assignment.prom"]
    assert said("metrics", "--db", well, "--prometheus", "--out", str(tmp_path / "no" / "x.prom"))[0] == 2
    assert said("metrics", "--db", well, "--out", str(file))[0] == 2


RULE_TEST = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'assignment_pipeline_confirmation_rate_10m{owner="pipeline",mode="active"}', values: '0.8x30'}
      - {series: 'assignment_pipeline_sample_10m{owner="pipeline",mode="active"}', values: '50x30'}
      - {series: 'assignment_pipeline_review_rate_24h{owner="pipeline",mode="active"}', values: '0.5x30'}
      - {series: 'assignment_pipeline_sample_24h{owner="pipeline",mode="active"}', values: '9x30'}
      - {series: 'assignment_pipeline_measured_at', values: '0+60x10 600x20'}
      - {series: 'assignment_pipeline_review_overdue', values: '0x15 3x15'}
    alert_rule_test:
      - {eval_time: 9m, alertname: ConfirmationRateLow, exp_alerts: []}
      - {eval_time: 11m, alertname: ReviewRateHigh, exp_alerts: []}
      - {eval_time: 24m, alertname: NumbersMissing, exp_alerts: []}
      - {eval_time: 14m, alertname: ReviewsOverdue, exp_alerts: []}
      - eval_time: 17m
        alertname: ReviewsOverdue
        exp_alerts:
          - exp_labels: {severity: warning}
            exp_annotations:
              summary: Bookings have waited for a person for too long.
              value: "3"
      - eval_time: 11m
        alertname: ConfirmationRateLow
        exp_alerts:
          - exp_labels: {severity: critical, owner: pipeline, mode: active}
            exp_annotations:
              summary: Fewer than 90 % of the pipeline's assignments are confirmed.
              value: "0.8"
      - eval_time: 32m
        alertname: NumbersMissing
        exp_alerts:
          - exp_labels: {severity: critical}
            exp_annotations:
              summary: 'The numbers are missing or old: no other alert of the pipeline can fire.'
  - interval: 1m
    input_series: []
    alert_rule_test:
      - eval_time: 6m
        alertname: NumbersMissing
        exp_alerts:
          - exp_labels: {severity: critical}
            exp_annotations:
              summary: 'The numbers are missing or old: no other alert of the pipeline can fire.'
"""


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_them(well, said, tmp_path):
    """Its own tool finds nothing wrong with the rules and the numbers, and the rules ring when they should."""

    def promtool(*arguments, **options):
        command = [shutil.which("promtool"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, **options)
        assert (done.returncode, "FAILED" in done.stdout) == (0, False), done.stdout + done.stderr

    (tmp_path / "rules.yml").write_text(said("alerts", "prometheus")[1])
    (tmp_path / "test.yml").write_text(RULE_TEST)
    promtool("check", "rules", "rules.yml")
    promtool("test", "rules", "test.yml")
    promtool("check", "metrics", input=said("metrics", "--db", well, "--prometheus")[1])


def test_sql(said):
    """Each query by its name; the list says what each finds."""
    code, out = said("sql", "--list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(queries.names())
    for dialect in queries.DIALECTS:
        code, out = said("sql", "review-queue", "--dialect", dialect)
        assert (code, out) == (0, queries.operator("review-queue", dialect))
    assert '"other".assignment_records' in said("sql", "overdue", "--schema", "other")[1]
    assert json.loads(said("sql", "overdue", "--json")[1])["name"] == "overdue"
    for wrong in (["sql"], ["sql", "x"], ["sql", "overdue", "--dialect", "oracle"]):
        assert said(*wrong)[0] == 2


@pytest.mark.parametrize("span", ["24x", "0h", "-1h", "999999d", "99999999999d"])
def test_a_span_that_is_none(well, said, span):
    """Nor is one that no calendar has."""
    assert said("metrics", "--over", span, "--db", str(well))[0] == 2


def test_doctor(well, ill, said, monkeypatch, tmp_path):
    """0 where all is well, 1 where something is wrong, with what to do."""
    code, out = said("doctor", "--db", well)
    assert (code, "WRONG" in out) == (0, False)
    code, out = said("doctor", "--db", ill)
    assert code == 1
    assert "WRONG reviews: 30 of 30 assignments of 24 hours were left to a person (100.0%): party_too_large 30" in out
    monkeypatch.setenv("FEATURE_ASSIGNMENT_PIPELINE_V3_PERCENTAGE", "10")
    code, out = said("doctor", "--db", well, "--json")
    wrong = [finding["check"] for finding in json.loads(out)["findings"] if finding["health"] == "wrong"]
    assert (code, wrong) == (1, ["environment"])
    assert said("doctor")[0] == 2


def test_a_file_that_others_may_read(well, said):
    """A file of bookings is made for its owner alone; where others may read it, the doctor says so."""
    assert said("doctor", "--security", "--db", well) == (0, "ok    security: nothing is open to others\n")
    Path(well).chmod(0o644)
    expected = f"WRONG file-mode: others may read {well}; do: chmod 600 {well}\n"
    assert said("doctor", "--security", "--db", well) == (1, expected)


def test_doctor_of_a_database_that_was_not_brought_up_to_date(well, said):
    """That is what is wrong, and nothing else is asked of it."""
    import sqlite3  # noqa: PLC0415

    connection = sqlite3.connect(well)
    connection.execute("UPDATE assignment_schema SET version = 0 WHERE part = 'pipeline'")
    connection.commit()
    connection.close()
    code, out = said("doctor", "--db", well, "--json")
    first = json.loads(out)["findings"][0]
    assert (code, first["check"], first["health"]) == (1, "schema", "wrong")
    assert "db init" in first["fix"]


def test_gates_are_measured(well, said):
    """`rollout status` has the numbers."""
    code, out = said("rollout", "status", "--db", well, "--json")
    assert code == 0
    assert json.loads(out)["phase"] in PHASES or json.loads(out)
    assert '"confirmation_rate"' in out
    assert said("rollout", "check", "--db", well)[0] == 1


def test_options_that_lead_nowhere_are_refused(well, said):
    """Instead of one of two outputs, or of rules that no Grafana could run."""
    assert said("metrics", "--prometheus", "--json", "--db", well)[0] == 2
    assert said("alerts", "grafana", "--datasource", " ")[0] == 2


def test_rules_for_others(said):
    """Files as Prometheus and Grafana take them: JSON, which is YAML."""
    (group,) = json.loads(said("alerts", "prometheus")[1])["groups"]
    assert [set(rule) for rule in group["rules"]] == [{"alert", "expr", "for", "labels", "annotations"}] * 8
    first = group["rules"][0]
    assert first["expr"] == (
        'assignment_pipeline_confirmation_rate_10m{owner="pipeline",mode="active"} < 0.9'
        ' and assignment_pipeline_sample_10m{owner="pipeline",mode="active"} >= 10'
    )
    assert first["for"] == "10m"
    document = json.loads(said("alerts", "grafana", "--schema", "other", "--datasource", "pg")[1])
    assert document["apiVersion"] == 1
    for rule in document["groups"][0]["rules"]:
        query, condition = rule["data"]
        assert len(rule["uid"]) <= 40
        assert (query["refId"], query["datasourceUid"], condition["datasourceUid"]) == ("A", "pg", "__expr__")
        assert '"other".' in query["model"]["rawSql"]
        assert rule["condition"] == condition["refId"]
        assert rule["for"].endswith("m")
    reviews = document["groups"][0]["rules"][-1]
    assert "event_type = 'coordinator.review_overdue'" in reviews["data"][0]["model"]["rawSql"]
    assert reviews["data"][1]["model"]["conditions"] == [{"evaluator": {"type": "gt", "params": [0]}}]
