"""Each check of the doctor's, both ways."""

import datetime as dt

import attrs
import pytest

from assignment_pipeline import Booking, Coordinator, FixedFlags, FloorPlan, Table, Venue
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.domain.counts import Agreement, Backlog, Calls, Outcomes
from assignment_pipeline.domain.metrics import PIPELINE, Metrics, Seen
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import SchemaMismatchError, StoreUnavailableError
from assignment_pipeline.ports import FlagDecision
from assignment_pipeline.rollout.control import PHASES
from assignment_pipeline.rollout.doctor import AppFlags, Health, examine, examine_clock
from assignment_pipeline.rollout.doctor.checks import check_facts
from assignment_pipeline.rollout.doctor.facts import Facts
from assignment_pipeline.rollout.flags.document import settings_document
from assignment_pipeline.rollout.flags.environment import VARIABLES
from assignment_pipeline.testing import FakeClock

NOW = dt.datetime(2031, 5, 1, 20, tzinfo=dt.UTC)
FLAG = VARIABLES["enabled"].name
SHADOW, PERCENT = VARIABLES["shadow"].name, VARIABLES["percent"].name


def revision(phase):
    settings = settings_document(PHASES[phase].settings)
    return RolloutRevision(generation=3, phase=phase, settings=settings, created_at=NOW - dt.timedelta(days=1))


def seen(source, mode, count=5):
    return Seen(source=source, type="x", mode=mode, count=count, last=NOW)


def check(name, *, day=None, **fields):
    """What one check says."""
    metrics = Metrics(since=NOW - dt.timedelta(days=1), until=NOW, **(day or {}))
    base = {"now": NOW, "hour": metrics, "day": metrics, "seen": (), "revision": RolloutRevision(), "environ": {}}
    (found,) = [finding for finding in check_facts(Facts(**{**base, **fields})) if finding.check == name]
    assert (found.health is Health.WRONG) <= bool(found.cause and found.fix)
    return found


def environment(environ):
    """What the check of the environment says, on an empty store."""
    store = MemoryStore(MemoryHost(Venue("r-1", "UTC", FloorPlan([Table("T1", 2)]))), clock=FakeClock())
    (found,) = [finding for finding in examine(store, environ) if finding.check == "environment"]
    return found


@pytest.mark.parametrize(
    ("environ", "health", "says"),
    [
        ({}, Health.GOOD, "can be read"),
        ({FLAG: "true", PERCENT: "10"}, Health.GOOD, "can be read"),
        ({FLAG: "true"}, Health.NOTE, "100 %"),
        ({FLAG: "ture"}, Health.WRONG, FLAG),
        ({FLAG: "true", PERCENT: "150"}, Health.WRONG, PERCENT),
        ({f"{FLAG}_PERCENTAGE": "10"}, Health.WRONG, f"meant: {PERCENT}?"),
        ({f"{FLAG}_ZZZ_UNLIKE_ANY": "1"}, Health.WRONG, "nothing reads"),
    ],
)
def test_the_environment(environ, health, says):
    """Unknown and unreadable variables; and a row for 10 % that has no percentage."""
    found = environment(environ)
    assert found.health is health
    assert says in found.evidence


@pytest.mark.parametrize(
    ("phase", "environ", "health"),
    [
        (None, {FLAG: "true"}, Health.GOOD),
        ("production-10", {}, Health.GOOD),
        ("production-10", {FLAG: "true", PERCENT: "10"}, Health.GOOD),
        ("production-10", {FLAG: "true"}, Health.WRONG),  # 100 % in the one, 10 % in the other.
        ("production-10", {FLAG: "false", SHADOW: "false"}, Health.WRONG),
        ("production-10", {FLAG: "false", SHADOW: "true"}, Health.WRONG),
        ("rollback", {FLAG: "false", SHADOW: "false"}, Health.GOOD),
        ("production-10", {FLAG: "ture"}, Health.NOTE),
    ],
)
def test_environment_against_database(phase, environ, health):
    """They agree, or one of them is silent."""
    stored = RolloutRevision() if phase is None else revision(phase)
    assert check("flags-agree", revision=stored, environ=environ).health is health


def app_flags(mode, source):
    """What an application's flags say of a restaurant."""
    decision = FlagDecision(mode=Mode(mode), max_parallel=3, reason="x", source=source)
    return AppFlags({"r-1": decision})


@pytest.mark.parametrize(
    ("phase", "flags", "health", "says"),
    [
        (None, app_flags("active", "fixed"), Health.GOOD, "flags decide: 1 restaurant active by fixed"),
        ("production-100", app_flags("active", "fixed"), Health.NOTE, "in phase production-100, and they do not go by"),
        ("production-100", app_flags("active", "store"), Health.GOOD, "the environment says nothing"),
        ("production-100", app_flags("off", "store"), Health.NOTE, "1 restaurant off by store"),
    ],
)
def test_an_applications_flags_are_asked(phase, flags, health, says):
    """What it goes by decides, whatever the database and the environment say."""
    stored = RolloutRevision() if phase is None else revision(phase)
    found = check("flags-agree", revision=stored, flags=flags)
    assert (found.health, says in found.evidence) == (health, True), found


def test_a_shadow_by_an_applications_flags_is_looked_at():
    """Nothing that is read here says that there is one."""
    assert (
        check("shadow", flags=app_flags("shadow", "fixed"), seen=[seen("auto_assign", "shadow")]).health is Health.WRONG
    )
    assert (
        check("shadow", flags=app_flags("off", "fixed")).evidence
        == "no shadow is switched on: 1 restaurant off by fixed"
    )
    assert check("shadow", flags=AppFlags()).health is Health.NOTE


def test_settings_that_cannot_be_read():
    """Somebody has written them by hand."""
    broken = attrs.evolve(revision("production-10"), settings={"enabled": "perhaps"})
    assert check("flags-agree", revision=broken).health is Health.WRONG


@pytest.mark.parametrize(
    ("phase", "modes", "health"),
    [
        ("production-100", {"active": 5}, Health.GOOD),
        ("production-100", {"active": 5, "off": 1}, Health.WRONG),
        ("production-10", {"active": 5, "off": 40}, Health.GOOD),
        ("production-shadow", {"shadow": 5}, Health.GOOD),
        ("production-shadow", {"shadow": 5, "active": 1}, Health.WRONG),
        ("rollback", {"active": 1}, Health.WRONG),
        ("rollback", {"off": 1}, Health.GOOD),
        ("rollback", {}, Health.NOTE),
    ],
)
def test_flags_that_were_not_applied(phase, modes, health):
    """Workers do what the flags say, or something else."""
    events = [seen("assignment.coordinator", mode, count) for mode, count in modes.items()]
    assert check("flags-applied", revision=revision(phase), seen=events).health is health


@pytest.mark.parametrize(
    ("environ", "health"), [({}, Health.NOTE), ({FLAG: "false"}, Health.WRONG), ({FLAG: "true"}, Health.GOOD)]
)
def test_flags_that_are_not_set_here_are_not_held_against_anybody(environ, health):
    """After a day of `demo`, or in another shell than the workers', nothing is known of their flags."""
    events = [seen("assignment.coordinator", "active", 5)]
    assert check("flags-applied", revision=RolloutRevision(), environ=environ, seen=events).health is health


@pytest.mark.parametrize(
    ("phase", "events", "health", "says"),
    [
        ("production-10", [], Health.GOOD, "no shadow"),
        ("production-shadow", [("auto_assign", "shadow"), ("assignment.shadow", "shadow")], Health.GOOD, "5 events"),
        ("production-shadow", [("auto_assign", "shadow")], Health.WRONG, "none of the shadow's own"),
        ("production-shadow", [("auto_assign", "off")], Health.WRONG, "none of them in mode shadow"),
        ("production-shadow", [], Health.NOTE, "no event in the last hour"),
    ],
)
def test_a_shadow_that_shows_nothing(phase, events, health, says):
    """Not wired, not reached by the flags, or nobody booked."""
    found = check("shadow", revision=revision(phase), seen=[seen(*event) for event in events])
    assert (found.health, says in found.evidence) == (health, True)


@pytest.mark.parametrize(
    ("review", "confirmed", "health"), [(20, 180, Health.GOOD), (21, 179, Health.WRONG), (9, 0, Health.GOOD)]
)
def test_many_reviews(review, confirmed, health):
    """More than a tenth, of ten and more; with the reasons, and what helps against each."""
    day = {
        "outcomes": {PIPELINE: Outcomes(confirmed=confirmed, review=review)},
        "reasons": {"no_fit": review - 1, "party_too_large": 1},
    }
    found = check("reviews", day=day)
    assert found.health is health
    if health is Health.WRONG:
        assert f"no_fit {review - 1}, party_too_large 1" in found.evidence
        assert "larger combinations" in found.fix


@pytest.mark.parametrize(
    ("contended", "calls", "health"), [(10, 200, Health.GOOD), (11, 200, Health.WRONG), (9, 9, Health.GOOD)]
)
def test_contention(contended, calls, health):
    """More than one call in twenty, ten times and more."""
    day = {"calls": {PIPELINE: Calls(bookings=calls, calls=calls, contended=contended)}}
    assert check("contention", day=day).health is health


def test_a_sweep_that_stands_still():
    """What is overdue is claimed within seconds, if anything sweeps."""
    overdue = Backlog(overdue=3, overdue_since=NOW - dt.timedelta(minutes=42))
    found = check("sweep", day={"backlog": overdue})
    assert (found.health, "42 minutes" in found.evidence) == (Health.WRONG, True)
    assert check("sweep").health is Health.GOOD


def test_reviews_that_nobody_looks_at():
    """For longer than the host's setting."""
    found = check("queue", day={"backlog": Backlog(review=5, review_overdue=2)})
    assert (found.health, "2 of 5" in found.evidence) == (Health.WRONG, True)
    assert check("queue").health is Health.GOOD


def test_stuck_bookings():
    """Handed out over and over."""
    assert check("stuck", day={"backlog": Backlog(stuck=1)}).health is Health.WRONG
    some = check("stuck", day={"backlog": Backlog(stuck=3)}, handed_out=["b-1", "b-2"])
    assert some.evidence.endswith("nothing came of it: b-1, b-2, and 1 more")
    assert "who waits goes to a person" in some.fix


def test_stuck_bookings_are_found_in_the_store():
    """One that is handed out three times, and no other."""
    clock = FakeClock()
    store = MemoryStore(MemoryHost(Venue("r-1", "UTC", FloorPlan([Table("T1", 2)]))), clock=clock)
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE)) as coordinator:
        for number, ahead in ((1, 2), (2, 3)):
            coordinator.enqueue(Booking(f"b-{number}", "r-1", 2, clock.now() + dt.timedelta(days=ahead)))
        coordinator.assign_id("b-2", "r-1")
        for _ in range(3):
            clock.advance(dt.timedelta(hours=1))
            store.due(10)
        (found,) = [finding for finding in examine(store, {}) if finding.check == "stuck"]
    assert found.evidence.endswith("nothing came of it: b-1")
    assert check("stuck").health is Health.GOOD


def test_unsettled_bookings():
    """Those that wait and wait, whatever the reason."""
    found = check("unsettled", day={"outcomes": {PIPELINE: Outcomes(confirmed=90, unsettled=2)}})
    assert (found.health, "2 bookings" in found.evidence) == (Health.WRONG, True)
    assert check("unsettled").health is Health.GOOD


@pytest.mark.parametrize(
    "fields",
    [{"day": {"lost": 2}}, {"day": {"agreement": Agreement(dropped=2)}}, {"dropped": {"sinks that were slow": 2}}],
)
def test_lost_events(fields):
    """By the store, by the shadow's queue, by sinks."""
    found = check("events", **fields)
    assert (found.health, "2" in found.evidence) == (Health.WRONG, True)
    assert check("events", dropped={"the store": 0}).health is Health.GOOD


@pytest.mark.parametrize(
    "error", [SchemaMismatchError("x.db", "version 3", "version 2"), StoreUnavailableError("no route to host")]
)
def test_a_database_that_does_not_fit(error):
    """That is said first, and nothing else of it is asked."""

    class Broken:
        def check_schema(self):
            raise error

    first, *others = examine(Broken(), {FLAG: "ture"})
    assert (first.check, first.health) == ("schema", Health.WRONG)
    assert str(error) in first.evidence
    assert [finding.check for finding in others] == ["environment"]


def test_a_new_store_is_healthy():
    """Nothing has happened, and nothing is wrong."""
    store = MemoryStore(MemoryHost(), clock=FakeClock())
    findings = examine(store, {})
    assert [finding for finding in findings if finding.health is Health.WRONG] == []
    assert [finding.check for finding in findings] == [
        "schema",
        "environment",
        "flags-agree",
        "flags-applied",
        "shadow",
        "reviews",
        "contention",
        "sweep",
        "queue",
        "stuck",
        "unsettled",
        "events",
    ]


@pytest.mark.parametrize(
    ("minutes", "says"),
    [(24 * 60, "in the last hour"), (61, "in the last hour"), (5, "from 19:56 UTC on, a minute after the last change")],
)
def test_of_which_time_events_are_is_said(minutes, says):
    """An hour at most: after a quiet night, nobody is to think that nothing has come for days."""
    changed = attrs.evolve(revision("production-shadow"), created_at=NOW - dt.timedelta(minutes=minutes))
    assert check("flags-applied", revision=changed).evidence == f"events of calls {says}: none"
    assert check("shadow", revision=changed).evidence == f"no event {says}"


@pytest.mark.parametrize(
    ("seconds", "health", "says"),
    [
        (0, Health.GOOD, "0 seconds apart"),
        (-60, Health.GOOD, "60 seconds apart"),
        (61, Health.WRONG, "0:01:01 ahead of the store: 2031-05-01 20:01:01 UTC here, 2031-05-01 20:00:00 there"),
        (-3 * 86400, Health.WRONG, "3 days, 0:00:00 behind the store: 2031-04-28 20:00:00 UTC here"),
    ],
)
def test_clocks_that_differ_by_more_than_a_minute_are_named(seconds, health, says):
    """With both times, and by how much."""
    found = examine_clock(NOW, NOW + dt.timedelta(seconds=seconds))
    assert found.health is health
    assert says in found.evidence
