"""A legacy planner whose answers cannot be compared: everybody who looks is told."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest

from assignment_pipeline import Booking, Coordinator, FixedFlags, FloorPlan, LegacyResult, Mode, Settings, Table, Venue
from assignment_pipeline.adapters import sqlite

DINNER = dt.datetime(2031, 5, 17, 17, tzinfo=dt.UTC)
VENUE = Venue("corner", "Europe/Berlin", FloorPlan([Table(f"T{number}", 2) for number in range(1, 9)]))
BOOKINGS = [Booking(f"b-{number}", "corner", 2, DINNER) for number in range(5)]
BY = ("--actor", "ann", "--reason", "a test", "--force")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path, cli):
    """A database with a restaurant, and its store."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            where, host = str(tmp_path / "day.sqlite3"), sqlite.StandaloneHost()
            store = sqlite.SQLiteStore(where, host=host)
        else:
            postgres = pytest.importorskip("assignment_pipeline.adapters.postgres", exc_type=ImportError)
            servers = pytest.importorskip("tests.servers.postgres", exc_type=ImportError)
            where = stack.enter_context(servers.database(request.getfixturevalue("postgres_database")))
            host = postgres.StandaloneHost()
            store = postgres.PostgresStore(where, host=host)
        assert cli("db", "init", "--db", where).code == 0
        assert cli("rollout", "enter", "production-shadow", "--db", where, *BY).code == 0
        stack.enter_context(store)
        store.write(lambda connection: host.put_venue(connection, VENUE))
        for booking in BOOKINGS:
            store.write(lambda connection, booking=booking: host.put_booking(connection, booking))
        yield where, store


def shadowed(store, legacy):
    """Have every booking go to *legacy*, with the shadow beside it."""
    flags = FixedFlags(Mode.SHADOW)
    settings = Settings(replay=True)
    with Coordinator(store, flags=flags, settings=settings, sinks=(), legacy=legacy) as coordinator:
        for booking in BOOKINGS:
            coordinator.assign(booking)
    getattr(store, "flush", lambda: None)()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (["T1"], "unreadable_answer"),
        (None, "unreadable_answer"),
        (LegacyResult(("table one",)), "unknown_tables"),
    ],
    ids=["a list", "nothing", "no tables"],
)
def test_answers_that_cannot_be_read_are_loud(cli, place, answer, kind):
    """In status, check, list and doctor; a gate holds for them, and three are kept to look at."""
    where, store = place
    shadowed(store, lambda _: answer)
    for command in ("rollout status", "rollout check", "shadow list"):
        ended = cli(*command.split(), "--db", where)
        assert "could not read 5 of 5 answers of your planner: expected a LegacyResult" in ended.out.replace("\n", " ")
        assert cli(*command.split(), "--json", "--db", where).json["shadow"]["unreadable"] == 5
    checked = cli("rollout", "check", "--json", "--db", where)
    assert checked.code == 1
    held = {each["metric"]: each for each in checked.json["verdicts"]}["event_volume"]
    assert held["answer"] == "hold"
    assert "5 of 5 answers of legacy's could not be compared" in held["missing"]
    kept = cli("shadow", "list", "--json", "--verdict", "incomparable", "--db", where).json["bundles"]
    assert [bundle["kind"] for bundle in kept] == [kind] * 3
    assert cli("shadow", "show", kept[0]["id"], "--db", where).code == 0
    findings = cli("doctor", "--json", "--db", where).json["findings"]
    [shadow] = [finding for finding in findings if finding["check"] == "shadow"]
    assert (shadow["health"], "5 of 5 answers" in shadow["evidence"]) == ("wrong", True)


def test_legacy_is_told_at_its_first_answer_what_was_expected(place):
    """In the event of its call."""
    _, store = place
    told = []

    class Sink:
        inline = True

        def emit(self, events):
            told.extend(events)

    with Coordinator(store, flags=FixedFlags(Mode.OFF), sinks=(Sink(),), legacy=lambda _: ["T1"]) as coordinator:
        coordinator.assign(BOOKINGS[0])
    with Coordinator(store, flags=FixedFlags(Mode.SHADOW), sinks=(Sink(),), shadow=None) as coordinator:
        coordinator.observe(BOOKINGS[0], ["T1"])
    events = [event for event in told if event.type == "auto_assign.summary"]
    assert len(events) == 2
    for event in events:
        assert event.context["error"] == "expected a LegacyResult, got list"
        assert event.severity == "warning"


def test_tables_that_legacy_gave_away_twice_are_a_headline(cli, place, tmp_path):
    """Counted, each kept as a bundle, and told by status, report and list."""
    pytest.importorskip("jinja2")
    where, store = place
    flags = FixedFlags(Mode.ACTIVE)
    with Coordinator(store, flags=flags, settings=Settings(replay=True), sinks=()) as coordinator:
        taken = coordinator.assign(BOOKINGS[0]).tables
    twice = BOOKINGS[1:]
    with Coordinator(
        store,
        flags=FixedFlags(Mode.SHADOW),
        settings=Settings(replay=True),
        sinks=(),
        legacy=lambda _: LegacyResult(taken),
    ) as coordinator:
        for booking in twice:
            coordinator.assign(booking)
            coordinator.shadow.flush()
    getattr(store, "flush", lambda: None)()
    said = f"Your planner gave tables away twice, {len(twice)} times."
    for command in ("rollout status", "shadow list"):
        assert said in cli(*command.split(), "--db", where).out
    listed = cli("shadow", "list", "--json", "--db", where).json
    assert [bundle["kind"] for bundle in listed["bundles"]] == ["legacy_tables_taken"] * len(twice)
    assert cli("rollout", "report", "--html", tmp_path / "report.html", "--db", where).code == 0
    assert said in (tmp_path / "report.html").read_text(encoding="utf-8")
