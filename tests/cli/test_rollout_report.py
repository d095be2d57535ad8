"""``rollout report``, ``rollout archive``, and what ``rollout status`` ends with."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Mode, Table, Venue
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.metrics import PIPELINE, MetricsQuery
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.rollout.control import Rollout
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.rollout.report import find
from assignment_pipeline.testing import FakeClock

NASTY = "<script>alert('late')</script>"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A database in its last phase for eight days, with some bookings and a change by somebody nasty."""
    path = tmp_path_factory.mktemp("report") / "bookings.db"
    init(path, standalone=True)
    clock = FakeClock(dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) - dt.timedelta(days=8))
    host = StandaloneHost(clock)
    with (
        SQLiteStore(path, host=host, clock=clock) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), clock=clock) as coordinator,
    ):
        store.write(lambda connection: host.put_venue(connection, Venue("r-1", "UTC", FloorPlan([Table("T1", 4)]))))
        for generation, phase in enumerate(("production-50", "production-100"), 1):
            store.revise(RolloutRevision(generation=generation, phase=phase, actor=NASTY, reason=NASTY, forced=True))
            clock.advance(dt.timedelta(minutes=10))
        for number, size in enumerate((2, 4, 9)):
            clock.advance(dt.timedelta(hours=1))
            start_at = clock.now() + dt.timedelta(days=1, hours=3 * number)
            coordinator.assign(Booking(f"b-{number}", "r-1", size, start_at))
    return path


class Page(HTMLParser):
    """What a browser would fetch, and what it would run."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.run, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.run += [tag] if tag == "script" else []
        self.run += [name for name, _ in attrs if name.startswith("on")]
        self.fetched += [value for name, value in attrs if name in {"src", "href"} and not value.startswith("#")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_report_is_one_page_that_needs_nothing_else(cli, path, tmp_path):
    """Nothing is fetched, nothing is run, whatever somebody gave as a reason; all of the rollout is on it."""
    file = tmp_path / "report.html"
    ended = cli("rollout", "report", "--html", file, "--db", path, "--window", "10d")
    assert (ended.code, ended.out) == (0, f"{file}: the report.\n")
    text = file.read_text(encoding="utf-8")
    page = Page(text)
    assert (page.fetched, page.run) == ([], [])
    assert "@import" not in text
    assert "url(http" not in text
    said = " ".join(page.text)
    assert NASTY in said
    for expected in (
        "production-50",
        "Gates",
        "too large for any table",
        "FORCED",
        "Before the old planner goes",
        "PASS",
    ):
        assert expected in said, expected
    charts, courses = re.findall("<svg(?! class)", text), re.findall('<svg class="sequence"', text)
    assert (len(charts), len(courses)) == (2, 3)  # The other criteria have nothing to tell of.


def test_the_report_counts_what_the_metrics_count():
    """At one moment, tables and charts alike: an outcome that settles in a minute is in none of them."""
    clock = FakeClock(dt.datetime(2031, 5, 1, 12, 7, 0, 5, tzinfo=dt.UTC))
    evening, host = dt.datetime(2031, 5, 2, 19, tzinfo=dt.UTC), MemoryHost()
    host.put_venue(Venue("r-1", "UTC", FloorPlan([Table("T1", 4)])))
    store = MemoryStore(host, clock=clock)
    rollout = Rollout.of(store, FixedFlags(Mode.ACTIVE))
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), clock=clock) as coordinator:
        for number in range(3):
            coordinator.assign(Booking(f"b-{number}", "r-1", 2, evening + dt.timedelta(days=number)))
            clock.advance(dt.timedelta(minutes=3))
    window = dt.timedelta(minutes=7)
    found = find(rollout, store, window)
    counted = store.measure(MetricsQuery(since=store.now() - window))
    assert counted.pipeline.confirmed == 2
    assert found.metrics == counted
    assert sum((bucket.outcomes.get(PIPELINE, Outcomes()) for bucket in found.series), Outcomes()) == counted.pipeline


def test_a_report_on_nothing_says_so(cli, tmp_path):
    """An empty database has a page, too."""
    init(tmp_path / "empty.db", standalone=True)
    assert cli("rollout", "report", "--html", tmp_path / "page.html", "--db", tmp_path / "empty.db").code == 0
    said = (tmp_path / "page.html").read_text(encoding="utf-8")
    for expected in ("The rollout has not begun", "Nothing was settled in this time", "All is quiet"):
        assert expected in said


@pytest.mark.skipif(sys.platform == "win32", reason="no file modes")
def test_what_is_written_is_its_owners_alone(cli, path, tmp_path):
    """A new file that names people can be read by nobody else, whatever the umask; another one keeps its mode."""
    shared = tmp_path / "shared.json"
    shared.touch(0o644)
    shared.chmod(0o644)
    before = os.umask(0)
    try:
        assert cli("rollout", "archive", tmp_path / "new.json", "--db", path).code == 0
        assert cli("rollout", "archive", shared, "--db", path).code == 0
        assert cli("rollout", "report", "--html", tmp_path / "new.html", "--db", path).code == 0
    finally:
        os.umask(before)
    modes = [file.stat().st_mode & 0o777 for file in (tmp_path / "new.json", tmp_path / "new.html", shared)]
    assert modes == [0o600, 0o600, 0o644]
    assert json.loads(shared.read_text(encoding="utf-8"))


def test_the_archive_has_the_numbers(cli, path, tmp_path):
    """As JSON: the changes, the verdicts, what was counted, and what is left to do."""
    file = tmp_path / "archive.json"
    assert cli("rollout", "archive", file, "--db", path, "--window", "10d").code == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert [change["phase"] for change in found["history"]] == ["production-100", "production-50"]
    assert found["history"][0]["actor"] == NASTY
    assert {verdict["metric"] for verdict in found["verdicts"]} >= {"confirmation_rate", "time_in_phase"}
    (outcomes,) = found["outcomes"]
    assert (outcomes["owner"], outcomes["confirmed"], outcomes["review"]) == ("pipeline", 2, 1)
    assert len(found["cleanup"]) == 10


@pytest.mark.parametrize("command", [("report", "--html"), ("archive",)])
def test_a_place_that_cannot_be_written_is_refused_at_once(cli, path, tmp_path, command):
    """Before anything is read."""
    for place, got in ((tmp_path, "a directory"), (tmp_path / "none" / "file", "no folder")):
        ended = cli("rollout", *command, place, "--db", path)
        assert ended.code == 2
        assert got in ended.complaint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("command", [("report", "--html"), ("archive",)])
def test_a_disk_that_is_full_is_told_of(cli, path, command):
    """In one line, with the place and what is wrong with it."""
    ended = cli("rollout", *command, "/dev/full", "--db", path)
    assert ended.code == 2
    assert "expected a file that can be written, got /dev/full: No space left on device" in ended.complaint


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_without_the_extra_it_says_which(cli, path, tmp_path, monkeypatch, package):
    """In one line, and nothing is written."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    ended = cli("rollout", "report", "--html", tmp_path / "page.html", "--db", path, "--window", "10d")
    assert ended.code == 2
    assert "assignment-pipeline[report]" in ended.complaint
    assert not (tmp_path / "page.html").exists()


def test_status_ends_with_what_is_left_to_do(cli, path):
    """After a week in the last phase; the numbers tick what they prove."""
    out = cli("rollout", "status", "--db", path).out
    assert "Before the old planner goes:" in out
    assert "[x] The pipeline has been in charge everywhere for 7 days" in out
    assert "[ ] What the last phase asks for holds" in out
    assert "[ ] Look back on it with the team" in out
    assert len(cli("rollout", "status", "--db", path, "--json").json["cleanup"]) == 10
