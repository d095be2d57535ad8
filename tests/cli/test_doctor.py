"""``doctor --app``: it goes by the application's flags, and says which restaurants it has looked at."""

from __future__ import annotations

import contextlib
import datetime as dt
import os

import pytest

from assignment_pipeline import Coordinator, FixedFlags, LegacyResult, Mode
from assignment_pipeline.adapters.sqlite import SQLiteStore
from assignment_pipeline.rollout.flags import StoreFlags
from assignment_pipeline.testing import FakeClock
from tests.contract.rows import HOUSE, RowHost, book
from tests.contract.test_hosts import SQLiteRig

DATABASE = "DOCTOR_DATABASE"


def _store():
    return SQLiteStore(os.environ[DATABASE], host=RowHost())


def shadowing():
    """An application whose planner names tables by what the guests see, and whose flags are its own."""
    return Coordinator(_store(), flags=FixedFlags(Mode.SHADOW), legacy=lambda booking: LegacyResult(["window seat"]))


class Raises:
    """Flags that cannot be asked."""

    def resolve(self, restaurant_id):
        raise RuntimeError(restaurant_id)


def raising():
    """An application whose flags raise."""
    return Coordinator(_store(), flags=Raises())


def following():
    """An application whose flags are the database's."""
    store = _store()
    return Coordinator(store, flags=StoreFlags(store))


@pytest.fixture
def backend(tmp_path, monkeypatch):
    """A host's tables with two bookings that wait."""
    rig = SQLiteRig(tmp_path / "backend.db")
    monkeypatch.setenv(DATABASE, str(tmp_path / "backend.db"))
    with contextlib.closing(rig):
        host = rig.host(RowHost)
        for number in range(2):
            book(host, rig.connection, f"b-{number}")
        yield rig


def doctor(cli, factory, *words):
    """What it says, by check."""
    found = cli("doctor", *words, "--json", "--app", f"tests.cli.test_doctor:{factory}").json["findings"]
    return {one["check"]: (one["health"], one["evidence"]) for one in found}


def test_a_shadow_by_flags_of_the_applications_own_is_looked_at(cli, backend):
    """Neither the environment nor the database knows of it; nor has any booking a record."""
    with shadowing() as coordinator:
        for number in range(2):
            coordinator.assign_id(f"b-{number}", HOUSE)
        coordinator.shadow.flush(10)
    found = doctor(cli, "shadowing")
    assert found["flags-agree"] == ("good", "the application's flags decide: 1 restaurant shadow by fixed")
    assert found["shadow"] == ("wrong", "2 of 2 answers of legacy's in a day could not be compared")
    assert found["flags-applied"][1].endswith("the application's flags: 1 restaurant shadow by fixed")


def behind():
    """An application whose store was given a clock that is behind."""
    clock = FakeClock(dt.datetime.now(dt.UTC) - dt.timedelta(hours=2))
    store = SQLiteStore(os.environ[DATABASE], host=RowHost(), clock=clock)
    return Coordinator(store, flags=FixedFlags(Mode.ACTIVE))


def test_a_store_with_another_time_is_named(cli, backend):
    """What it decides on goes by that time."""
    assert doctor(cli, "following")["clock"][0] == "good"
    health, evidence = doctor(cli, "behind")["clock"]
    assert (health, evidence.partition(":")[0]) == ("wrong", "this process is 2")


def test_a_restaurant_in_shadow_is_known_without_a_record(cli, backend):
    """Its events are there: the status counts it, and whoever names it is not told of a slip of the pen."""
    path = os.environ[DATABASE]
    entered = cli("rollout", "enter", "production-shadow", "--db", path, "--actor", "dana")
    assert entered.code == 0
    assert cli("rollout", "status", "--db", path, "--json").json["restaurants"]["shadow"] == 0
    earlier = FakeClock(dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10))
    store = SQLiteStore(path, host=RowHost(), clock=earlier)
    with Coordinator(
        store, flags=FixedFlags(Mode.SHADOW), legacy=lambda _: LegacyResult(["A1"]), clock=earlier
    ) as coordinator:
        coordinator.assign_id("b-0", HOUSE)
        coordinator.flush()
    assert store.restaurants() == ()
    store.close()
    assert cli("rollout", "status", "--db", path, "--json").json["restaurants"]["shadow"] == 1
    listed = cli("rollout", "list", "--never", f"{HOUSE},x", "--reason", "y", "--actor", "dana", "--db", path)
    assert listed.err.startswith("Not known here, and so listed for later only: x. ")
    assert cli("alerts", "check", "--restaurant", HOUSE, "--db", path).code == 0


def test_a_listed_restaurant_that_the_host_has_is_known(cli, backend):
    """Also before it has a record; a slip of the pen is not."""
    words = ("rollout", "list", "--never", "tasca,tascca", "--reason", "broken", "--actor", "dana")
    listed = cli(*words, "--app", "tests.cli.test_doctor:following")
    assert listed.err.startswith("Not known here, and so listed for later only: tascca. ")


def test_flags_that_raise_are_named(cli, backend):
    """With the restaurant, and not with what the error says."""
    backend.coordinator(backend.host(RowHost)).assign_id("b-0", HOUSE)
    expected = "the application's flags raised for tasca: RuntimeError"
    assert doctor(cli, "raising")["flags-agree"] == ("wrong", expected)


def test_settings_that_cannot_be_read_hide_no_other_finding(cli, backend):
    """Somebody has written them by hand; the host is looked at all the same."""
    backend.coordinator(backend.host(RowHost)).assign_id("b-0", HOUSE)
    entered = cli(
        "rollout", "enter", "production-100", "--actor", "ann", "--reason", "x", "--force", "--db", backend.path
    )
    assert entered.code == 0, entered
    backend.connection.execute('UPDATE assignment_rollout SET settings = \'{"enabled": "perhaps"}\'')
    found = doctor(cli, "following")
    assert found["flags-agree"] == ("wrong", "the settings in the database cannot be read")
    assert found["host-took"][1].startswith("records and host agree: 1 booking at 1 of 1 restaurants")


def test_without_the_tables_that_is_the_finding(cli, tmp_path, monkeypatch):
    """Nothing else of the store is asked."""
    (tmp_path / "empty.db").touch()
    monkeypatch.setenv(DATABASE, str(tmp_path / "empty.db"))
    found = doctor(cli, "following")
    assert found["schema"][0] == "wrong"
    assert "host-took" not in found


def test_where_no_restaurant_is_known_the_flags_were_not_asked(cli, backend):
    """That is said, and nothing is called well; a restaurant may be named."""
    health, evidence = doctor(cli, "shadowing")["shadow"]
    assert (health, evidence) == ("note", "no restaurant is known, so the application's flags were not asked for one")
    assert doctor(cli, "shadowing", "--restaurant", HOUSE)["flags-agree"][1].endswith("1 restaurant shadow by fixed")


def test_a_restaurant_that_is_none_is_refused_or_named(cli, backend):
    """By a database's list, and by the application's host."""
    refused = cli("doctor", "--restaurant", "tosca", "--db", os.environ[DATABASE])
    assert (refused.code, refused.complaint) == (
        2,
        "--restaurant: expected a restaurant that the database knows, got 'tosca'",
    )
    health, evidence = doctor(cli, "shadowing", "--restaurant", "tosca")["host-readable"]
    assert (health, "tosca" in evidence) == ("wrong", True)
