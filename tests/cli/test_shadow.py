"""``shadow``, ``replay`` and ``backtest``."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3
import subprocess
import sys

import attrs
import pytest

from assignment_pipeline import Booking, Coordinator, FixedFlags, LegacyResult, Mode
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost
from assignment_pipeline.domain.events import EventType
from assignment_pipeline.domain.metrics import MetricsQuery
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.rollout.shadow import Shadow
from assignment_pipeline.testing.store_harness import make_change


@pytest.fixture
def day(cli, small, tmp_path):
    """A database with the small day in it, none of which is assigned."""
    db = tmp_path / "day.sqlite3"
    small["bookings"] = [dict(small["bookings"][0], status="cancelled")]
    file = tmp_path / "day.json"
    file.write_text(json.dumps(small))
    assert cli("assign", file, "--db", db).code == 0
    return db


def booking(name="zoe", party_size=2, hour=19):
    return Booking(name, "corner", party_size, dt.datetime(2031, 5, 17, hour, tzinfo=dt.UTC))


def observed(db, *told, shadow="thread"):
    """Have the shadow see what legacy did."""
    with SQLiteStore(db, host=StandaloneHost()) as store:
        with Coordinator(store, flags=FixedFlags(Mode.SHADOW), sinks=(), shadow=shadow) as coordinator:
            for one, legacy in told:
                assert coordinator.observe(one, legacy)
            assert coordinator.shadow.flush(20)
        return [bundle.id for bundle in store.bundles()]


@pytest.fixture
def bundle(day):
    """The id of a bundle: legacy found nothing, and the pipeline does."""
    [found] = observed(day, (booking(), LegacyResult()))
    return found


def test_bundles_are_listed(cli, day, bundle):
    """For people and for programs; of one restaurant, of one verdict."""
    listed = cli("shadow", "list", "--db", day)
    assert listed.code == 0
    assert "mismatch" in listed.out
    assert "only the pipeline finds" in listed.out
    assert bundle[:10] in listed.out
    assert max(map(len, listed.out.splitlines())) <= 80
    [entry] = cli("shadow", "list", "--db", day, "--json").json["bundles"]
    assert (entry["id"], entry["booking_id"], entry["kind"]) == (bundle, "zoe", "pipeline_only")
    assert cli("shadow", "list", "--db", day, "--restaurant", "corner", "--json").json["bundles"] == [entry]
    assert cli("shadow", "list", "--db", day, "--verdict", "both_error").out == "No shadow run has left a bundle.\n"
    wrong = cli("shadow", "list", "--db", day, "--verdict", "match")
    assert (wrong.code, wrong.complaint[:11]) == (2, "--verdict: ")


def test_a_bundle_is_shown(cli, day, bundle):
    """What each of the two made of it; or that there is none."""
    shown = cli("shadow", "show", bundle[:10], "--db", day)
    assert shown.code == 0
    assert "Pipeline" in shown.out
    assert "zoe at corner, a party of 2" in shown.out
    assert "2031-05-17 21:00" in shown.out
    assert cli("shadow", "show", bundle, "--db", day, "--json").json["verdict"] == "mismatch"
    missing = cli("shadow", "show", "nobody", "--db", day)
    told = "BUNDLE: expected the id of a bundle that is kept: `shadow list` has them, got 'nobody'"
    assert (missing.code, missing.complaint) == (2, told)


def test_a_bundle_is_run_again(cli, day, bundle, tmp_path):
    """From the database or from a file; the exit code says whether it still differs."""
    again = cli("replay", bundle, "--db", day)
    assert again.code == 1
    assert "mismatch: only the pipeline finds tables" in again.out
    found = cli("shadow", "show", bundle, "--db", day, "--json").json
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(found))
    answer = cli("replay", file, "--json")
    assert answer.code == 1
    assert answer.json["pipeline"] == found["candidate"]["tables"]
    found["case"]["legacy"] = {"tables": found["candidate"]["tables"], "outcome": "succeeded"}
    file.write_text(json.dumps(found))
    assert cli("replay", file).code == 0
    assert cli("replay", file, "--json").json["agrees"] is True


@pytest.mark.parametrize("agrees", [False, True])
def test_a_bundle_becomes_a_test(cli, shell, day, bundle, tmp_path, agrees):
    """That stands by itself, and fails for as long as the two differ."""
    found = cli("shadow", "show", bundle, "--db", day, "--json").json
    if agrees:
        found["case"]["legacy"] = {"tables": found["candidate"]["tables"], "outcome": "succeeded"}
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(found))
    printed = cli("replay", file, "--as-test")
    assert printed.code == 0
    test = tmp_path / "test_zoe.py"
    test.write_text(printed.out)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == (0 if agrees else 1), done.stdout + done.stderr
    assert ("1 passed" if agrees else "mismatch: legacy") in done.stdout


APP = """
from assignment_pipeline import Booking, Coordinator, FixedFlags, Mode
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost

class Never:
    name = "never"
    def weigh(self, request, seating, floor):
        return None

def coordinator():
    store = SQLiteStore({db!r}, host=StandaloneHost())
    return Coordinator(store, flags=FixedFlags(Mode.SHADOW), sinks=(), strategies=[Never()])
"""


def test_the_hosts_strategies_have_their_say(cli, day, bundle, tmp_path, monkeypatch):
    """With --app, what is run again is the host's own candidate; in a test, too."""
    (tmp_path / "hosts_own.py").write_text(APP.format(db=str(day)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    answer = cli("replay", bundle, "--app", "hosts_own:coordinator", "--json")
    assert (answer.code, answer.json["pipeline"], answer.json["agrees"]) == (0, [], True)
    printed = cli("replay", bundle, "--app", "hosts_own:coordinator", "--as-test").out
    assert "import hosts_own\n" in printed
    assert "engine=hosts_own.coordinator().engine" in printed
    compile(printed, "test_it.py", "exec")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "expected a bundle, as shadow show --json prints it, got []"),
        ("{}", "expected a bundle of format 1, with case, settings, contexts, got another object"),
        ('{"format": 1, "case": {}, "settings": {}, "contexts": []}', "expected a bundle with its floor"),
        ('{"format": 1, "case": {}, "settings": {}, "contexts": [{}]}', "expected "),
    ],
)
def test_what_is_no_bundle_is_refused(cli, tmp_path, text, complaint):
    """In one line that names the file."""
    file = tmp_path / "bundle.json"
    file.write_text(text)
    refused = cli("replay", file)
    assert refused.code == 2
    assert refused.complaint.startswith(f"{file}: ")
    assert complaint in refused.complaint


def changed(found, path, value):
    """The bundle with another value in that place; None takes the place away."""
    document = json.loads(json.dumps(found))
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["verdict"], None),
        (["kind"], {"a": 1}),
        (["legacy_cost"], "a lot"),
        (["case"], "garden"),
        (["case", "legacy"], "garden"),
        (["case", "booking", "start_at"], "at eight"),
        (["case", "booking", "restaurant_id"], []),
        (["candidate", "plan"], ["T1"]),
    ],
)
def test_a_bundle_that_somebody_else_has_changed_is_refused(cli, day, bundle, path, value):
    """In one line that names it. The list does not read it, and legacy has answered nothing that can be told."""
    found = cli("shadow", "show", bundle, "--db", day, "--json").json
    written(day, changed(found, path, value))
    shown = cli("shadow", "show", bundle, "--db", day)
    assert (shown.code, shown.complaint) == (
        2,
        f"{bundle}: expected a bundle as it was kept, got one that cannot be read",
    )
    assert cli("shadow", "list", "--db", day).code == 0
    with SQLiteStore(day, host=StandaloneHost()) as store:
        assert store.bundle(bundle).legacy_tables == ()


@pytest.mark.parametrize("text", ["", "no JSON", "null", "[" * 100_000, "1" * 5_000])
def test_a_bundle_that_is_no_document_is_refused(cli, day, bundle, text):
    """The same for what is no JSON object at all."""
    written(day, text)
    for command in ("shadow show", "replay"):
        refused = cli(*command.split(), bundle, "--db", day)
        assert refused.code == 2
        assert refused.complaint.startswith(f"{bundle}: expected a bundle ")


def test_a_span_that_is_too_long_is_no_bundle(cli, day, bundle, tmp_path):
    """Settings that Python's time spans cannot hold are refused as other wrong ones are."""
    found = cli("shadow", "show", bundle, "--db", day, "--json").json
    file = tmp_path / "bundle.json"
    file.write_text(changed(found, ["settings", "backoff"], 1e308))
    refused = cli("replay", file)
    assert refused.code == 2
    assert "expected a bundle as it was kept" in refused.complaint


def written(db, text):
    """Put that in the place of each bundle's document."""
    with contextlib.closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE assignment_shadow_bundles SET document = ?", (text,))


def test_a_worker_sees_to_what_waits(cli, day):
    """Once each; what came out is a bundle as ever."""
    assert observed(day, (booking(), LegacyResult()), (booking("bob"), LegacyResult()), shadow="worker") == []
    worked = cli("shadow", "work", "--once", "--db", day)
    assert (worked.code, worked.out) == (0, "2 cases: 2 mismatch.\n")
    assert cli("shadow", "work", "--once", "--db", day).out == "0 cases.\n"
    assert len(cli("shadow", "list", "--db", day, "--json").json["bundles"]) == 2


# -- Backtest -----------------------------------------------------------------------------------------------------


@pytest.fixture
def past(small):
    """Two days on which legacy did well, badly and not at all."""
    start = "2031-05-{}T19:00+02:00"
    legacy = [("ada", 2, 17, ["G1"]), ("bob", 4, 17, ["W1", "W2"]), ("cat", 2, 17, []), ("dan", 2, 18, ["W2"])]
    small["tables"][2] = {"id": "G1", "capacity": 4}
    small["bookings"] = [
        {"id": name, "party_size": size, "start_at": start.format(date), "legacy": {"tables": tables}}
        for name, size, date, tables in legacy
    ]
    small["bookings"].append({"id": "eve", "party_size": 2, "start_at": start.format(17), "status": "cancelled"})
    return small


def write(tmp_path, past):
    file = tmp_path / "past.json"
    file.write_text(json.dumps(past))
    return file


def test_past_days_are_held_against_legacy(cli, tmp_path, past):
    """Agreement on legacy's floor, and guests on the pipeline's own; a day each, and in all."""
    answer = cli("backtest", write(tmp_path, past), "--json")
    assert answer.code == 0
    first, second = answer.json["days"]
    assert (first["date"], second["date"]) == ("2031-05-17", "2031-05-18")
    assert (first["bookings"], first["compared"], first["agreement"]) == (3, 3, 0.666667)
    assert first["legacy"] == {"seated": 2, "covers": 6}
    assert first["pipeline"] == {"seated": 3, "covers": 8, "moves": 0}
    assert first["cost_difference"] < 0
    assert answer.json["verdicts"]["match"] + answer.json["verdicts"]["equivalent"] == 3
    assert answer.json["bookings"] == 4
    table = cli("backtest", write(tmp_path, past)).out
    assert "3 (+1)" in table
    assert "Booking by booking" in table


@pytest.mark.parametrize(
    ("legacy", "place", "complaint"),
    [
        (None, "legacy", "expected what the legacy planner did, an object with its tables, got nothing"),
        ([], "legacy", "expected an object"),
        ({}, "legacy.tables", "expected a list of tables; an empty one where it found none, got nothing"),
        ({"tables": "G1"}, "legacy.tables", "expected a list of tables"),
        ({"tables": ["X"]}, "legacy.tables[0]", 'expected the id of a table, got "X"'),
        ({"tables": ["G1", "G1"]}, "legacy.tables[1]", 'expected each table once, got "G1" again'),
        ({"tables": ["G1"], "outcome": "exhausted"}, "legacy.outcome", "expected succeeded, with 1 tables"),
        ({"tables": [], "outcome": "succeeded"}, "legacy.outcome", "expected exhausted, with no tables"),
        ({"tables": [], "cost": 2}, "legacy.cost", "expected a key among tables, outcome, got an unknown one"),
    ],
)
def test_what_legacy_did_is_read_strictly(cli, tmp_path, past, legacy, place, complaint):
    """One line names the file, the place and what was expected there."""
    past["bookings"][1]["legacy"] = legacy
    if legacy is None:
        del past["bookings"][1]["legacy"]
    file = write(tmp_path, past)
    refused = cli("backtest", file)
    assert refused.code == 2
    assert refused.complaint.startswith(f"{file}: bookings[1].{place}: ")
    assert complaint in refused.complaint


def test_a_files_restaurant_is_the_one_that_is_named(cli, tmp_path, past):
    """Or none is; another one is refused."""
    file = write(tmp_path, past)
    assert cli("backtest", file, "--restaurant", "corner").out == cli("backtest", file).out
    wrong = cli("backtest", file, "--restaurant", "nope")
    assert (wrong.code, wrong.complaint) == (2, "--restaurant: expected the one of the file, corner, got 'nope'")


def test_legacys_answers_are_for_backtests_only(cli, tmp_path, past):
    """Assigning a day takes no such key."""
    refused = cli("assign", write(tmp_path, past))
    assert refused.code == 2
    assert "bookings[0].legacy: expected a key among" in refused.complaint


def test_a_databases_history_is_held_against_legacy(cli, day):
    """The bookings that legacy owns there, in the order in which it was asked; or that there are none."""
    none = cli("backtest", "--db", day)
    assert (none.code, none.complaint) == (1, "The database has no booking that the legacy planner has answered for.")
    with SQLiteStore(day, host=StandaloneHost()) as store:
        steps = (Trigger.VERIFY, Trigger.ENQUEUE, Trigger.BEGIN, Trigger.SEAT, Trigger.CONFIRM)
        for name, tables in (("zoe", ("G1",)), ("bob", ("W1",))):
            made = make_change(booking(name), *steps, tables=tables, owner="legacy", strategy="legacy")
            assert made.record.state is AssignmentState.CONFIRMED
            store.commit([attrs.evolve(made, preconditions=None)])
    answer = cli("backtest", "--db", day, "--json").json
    assert (answer["bookings"], answer["legacy"]) == (2, {"seated": 2, "covers": 4})
    assert cli("backtest", "--db", day, "--restaurant", "corner", "--json").json == answer


def test_a_restaurant_that_closed_down_hides_no_other_from_a_backtest(cli, day):
    """It is left out, and named; who asks for it alone is told that it is not there."""
    with SQLiteStore(day, host=StandaloneHost()) as store:
        steps = (Trigger.VERIFY, Trigger.ENQUEUE, Trigger.BEGIN, Trigger.SEAT, Trigger.CONFIRM)
        for name, place in (("zoe", "corner"), ("bob", "harbour")):
            asked = attrs.evolve(booking(name), restaurant_id=place)
            made = make_change(asked, *steps, tables=("G1",), owner="legacy", strategy="legacy")
            store.commit([attrs.evolve(made, preconditions=None)])
    answer = cli("backtest", "--db", day, "--json")
    assert (answer.code, answer.json["bookings"]) == (0, 1)
    assert answer.err == "Left out, as the host has no venue for them any more: harbour.\n"
    refused = cli("backtest", "--db", day, "--restaurant", "harbour")
    assert (refused.code, refused.complaint) == (2, "The host has no venue for restaurant 'harbour'.")


def test_past_days_count_for_the_gates(cli, day, tmp_path, past):
    """Where they are to: of a database with what legacy did there, once for each revision of the rollout."""
    with SQLiteStore(day, host=StandaloneHost()) as store:
        steps = (Trigger.VERIFY, Trigger.ENQUEUE, Trigger.BEGIN, Trigger.SEAT, Trigger.CONFIRM)
        made = make_change(booking(), *steps, tables=("G1",), owner="legacy", strategy="legacy")
        store.commit([attrs.evolve(made, preconditions=None)])
    assert cli("rollout", "enter", "production-shadow", "--db", day, "--actor", "dana").code == 0
    for _ in range(2):
        assert cli("backtest", "--db", day, "--record").code == 0
    held = cli("rollout", "check", "--db", day, "--json").json["verdicts"]
    covers = next(verdict for verdict in held if verdict["metric"] == "closed_loop_covers")
    assert (covers["sample"], covers["value"]) == (1, 0.0)
    refused = cli("backtest", write(tmp_path, past), "--record")
    assert (refused.code, refused.complaint[:10]) == (2, "--record: ")


def test_the_days_of_a_shadow_are_compared(cli, day):
    """Those that are over, by the command and by a worker; then there are none."""
    assert cli("shadow", "days", "--db", day).out.startswith("No service day is over")
    over = Booking("amy", "corner", 2, dt.datetime(2021, 5, 17, 19, tzinfo=dt.UTC))
    with (
        SQLiteStore(day, host=StandaloneHost()) as store,
        Coordinator(store, flags=FixedFlags(Mode.SHADOW), sinks=()) as coordinator,
    ):
        assert coordinator.observe(over, LegacyResult(("G1",)))
        assert coordinator.shadow.flush(20)
    shown = cli("shadow", "days", "--db", day)
    assert shown.code == 0
    assert "2021-05-17" in shown.out
    assert cli("shadow", "days", "--db", day, "--json").json == {"days": []}
    with SQLiteStore(day, host=StandaloneHost()) as store:
        [event] = store.events_of(MetricsQuery(since=over.start_at), [EventType.DAY_COMPARED])
        assert event.restaurant_id == "corner"
        store.write(lambda connection: connection.execute("DELETE FROM observability_events WHERE id = ?", [event.id]))
    assert cli("worker", "--once", "--db", day).code == 0
    with SQLiteStore(day, host=StandaloneHost()) as store:
        assert len(store.events_of(MetricsQuery(since=over.start_at), [EventType.DAY_COMPARED])) == 1


def test_the_file_and_the_database_are_not_both(cli, day, tmp_path):
    """Nor none of them."""
    past = {}
    assert cli("backtest", write(tmp_path, past), "--db", day).code == 2
    assert cli("backtest").code == 2


# -- Hooks --------------------------------------------------------------------------------------------------------


def boom(_):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("hooks", "kept", "verdict", "faults"),
    [
        ({"clean": lambda found: {**found, "case": {"id": "gone"}}}, [{"id": "gone"}], "mismatch", 0),
        ({"clean": lambda _: None}, [], "mismatch", 0),
        ({"clean": boom}, [], "mismatch", 1),
        ({"ignore": lambda found: found["kind"] == "pipeline_only"}, [], "incomparable", 0),
        ({"ignore": lambda _: False, "keep": 0}, [], "mismatch", 0),
        ({"sample": 0.0}, [], None, 0),
    ],
)
def test_hooks_have_their_say(day, hooks, kept, verdict, faults):
    """What they raise is counted; what could not be cleaned is not kept."""
    with SQLiteStore(day, host=StandaloneHost()) as store:
        with Coordinator(store, flags=FixedFlags(Mode.SHADOW), sinks=(), shadow=Shadow(**hooks)) as coordinator:
            coordinator.observe(booking(), LegacyResult())
            assert coordinator.shadow.flush(20)
            counts = coordinator.shadow.counts
        assert [store.bundle(one.id).document["case"] for one in store.bundles()] == kept
    assert dict(counts.verdicts) == ({verdict: 1} if verdict else {})
    assert (counts.hook_faults, counts.lost) == (faults, 0)


def test_an_ignore_hook_that_raises_has_ignored_nothing(day):
    """The difference counts, and is kept."""
    assert len(observed(day, (booking(), LegacyResult()), shadow=Shadow(ignore=boom))) == 1


@pytest.mark.parametrize("word", ["processes", 7, True])
def test_an_unknown_kind_of_shadow_is_refused(word):
    """At once, with what is known."""
    with pytest.raises(ValueError, match="shadow: expected thread, worker, None or a Shadow, got"):
        Shadow.of(word)
