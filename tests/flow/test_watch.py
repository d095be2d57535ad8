"""A day on the real flow, watched: what fails leads back, and what is only busy does not."""

from __future__ import annotations

import datetime as dt
import random

import attrs
import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, LegacyResult, Table, Venue, VenuePolicy
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.domain.events import EventType
from assignment_pipeline.domain.metrics import MetricsQuery
from assignment_pipeline.errors import MissingRightsError, StoreUnavailableError, TableConflictError
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.rollout.control import PHASES, Answer, Rollout, StoreGates
from assignment_pipeline.rollout.flags.document import read_settings
from assignment_pipeline.rollout.watching import Alerts, AlertState, Demote, Watcher
from assignment_pipeline.rollout.watching.rules import RULES
from assignment_pipeline.testing import FakeClock
from tests.flow.direct_flags import DirectFlags

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
RESTAURANTS = tuple(f"r-{number:02}" for number in range(40))


class Refusing:
    """A strategy that forbids every table: a candidate with a bug."""

    name = "refusing"

    def weigh(self, *_):
        return None


class Once:
    """Ends a loop after its first look."""

    seen = False

    def __bool__(self):
        return self.seen

    def wait(self, _):
        self.seen = True


class Town:
    """Forty restaurants, a legacy planner, a pipeline, and somebody who watches."""

    def __init__(self, *, engine=None, demote=Demote.STEP, tables=12, reseat="off"):
        self.random = random.Random(7)
        self.clock = FakeClock()
        floor = FloorPlan([Table(f"T{number}", 4) for number in range(tables)])
        policy = VenuePolicy(reseat=reseat)
        self.host = MemoryHost(*[Venue(name, "Europe/London", floor, policy) for name in RESTAURANTS])
        self.store = MemoryStore(self.host, clock=self.clock)
        self.rollout = Rollout(
            self.store, gates=StoreGates(self.store, salt="watched"), salt="watched", clock=self.clock
        )
        self.watcher = Watcher(self.store, self.rollout, demote=demote)
        self.tables = tables
        self.seats = {}
        self.coordinator = Coordinator(
            self.store,
            flags=DirectFlags(self.store, salt="watched"),
            clock=self.clock,
            engine=engine or TableEngine(),
            legacy=self.legacy,
            sinks=(self.store,),
        )
        self.looks = []
        self.number = 0

    def legacy(self, booking):
        """The first table that is free; now and then it finds none although there is one."""
        stay = dt.timedelta(minutes=105 if booking.party_size > 2 else 90)
        for table in range(self.tables if self.random.random() < 0.97 else 0):
            sits = self.seats.setdefault((booking.restaurant_id, table), [])
            if all(abs(start - booking.start_at) >= stay for start in sits):
                sits.append(booking.start_at)
                self.host.put_booking(attrs.evolve(booking, status="confirmed"))
                return LegacyResult((f"T{table}",))
        self.host.put_booking(attrs.evolve(booking, status="cancelled"))
        return LegacyResult()

    def enter(self, phase):
        self.rollout.enter(phase, actor="anna", reason="a test", force=True)

    def book(self, *, size=2, at=None):
        self.number += 1
        start = at or self.clock.now().replace(second=0, microsecond=0) + dt.timedelta(days=1 + self.number % 20)
        booking = Booking(f"b-{self.number}", self.random.choice(RESTAURANTS), size, start)
        self.host.put_booking(booking)
        self.coordinator.assign(booking)
        return booking

    def go_on(self, hours, *, each_minute=4, size=lambda: 2, at=None, cancels=0.0):
        """That long, or until it is led back; a sweep and a look every five minutes."""
        for minute in range(int(hours * 60)):
            for _ in range(each_minute):
                booking = self.book(size=size(), at=at and at())
                if self.random.random() < cancels:
                    self.coordinator.cancel(booking.id, booking.restaurant_id)
            self.clock.advance(MINUTE)
            if minute % 5 == 0:
                self.coordinator.sweep()
                self.looks.append(self.watcher.look())
                if self.looks[-1].demoted is not None:
                    return

    def told(self, kind):
        return [event for event in self.store.events if event.type is kind]


def test_a_good_tenth_stays():
    """Nothing rings, the gates hold until their time and then pass, and nothing goes on by itself."""
    town = Town()
    town.enter("production-10")
    town.go_on(1, each_minute=45)
    assert town.rollout.status().revision.phase == "production-10"
    assert town.told(EventType.ALERT_FIRING) == []
    early = {verdict.metric: verdict for verdict in town.rollout.status().verdicts}
    assert early["confirmation_rate"].answer is Answer.HOLD
    assert early["confirmation_rate"].value > 0.95
    assert early["confirmation_rate"].sample >= 200
    assert early["confirmation_rate"].passes_at == town.rollout.status().since + 24 * HOUR
    town.clock.advance(23 * HOUR)
    late = {verdict.metric: verdict for verdict in town.rollout.status().verdicts}
    assert late["confirmation_rate"].answer is Answer.PASS
    assert late["relative_confirmation"].answer is Answer.PASS


def test_a_tenth_that_fails_whole_is_led_back():
    """Within an hour; over all bookings, nine of ten are well."""
    town = Town(tables=3, engine=TableEngine(strategies=(Refusing(),)))
    town.enter("production-10")
    began = town.clock.now()
    town.go_on(2)
    status = town.rollout.status()
    assert status.revision.phase != "production-10"
    assert not read_settings(status.revision.settings).enabled
    assert status.revision.actor == "rollout watch"
    (demoted,) = [look for look in town.looks if look.demoted is not None]
    assert demoted.at - began < HOUR
    assert status.revision.evidence["alerts"][0]["sample"] > 0
    assert town.told(EventType.ALERT_FIRING)


def test_a_tenth_that_proves_everything_impossible_is_led_back():
    """It has no rates, for what is proved counts in none; but legacy seats nearly all who ask."""
    town = Town(tables=1, reseat="auto")
    town.tables = 1_000
    town.enter("production-10")
    evening = town.clock.now().replace(minute=0, second=0, microsecond=0) + 30 * HOUR
    town.go_on(2, each_minute=6, at=lambda: evening)
    status = town.rollout.status()
    assert status.revision.reason.startswith("far_worse_than_legacy: firing")
    assert status.revision.phase == "production-shadow"


def test_a_tenth_that_leaves_a_quarter_to_people_is_led_back():
    """Where nothing was proved: the confirmation rate says so."""
    town = Town()
    town.enter("production-10")
    # Parties that no table here can take: left to a person, by a rule.
    town.go_on(3, size=lambda: town.random.choice([2, 2, 2, 9]))
    status = town.rollout.status()
    assert "_rate_" in status.revision.reason
    assert status.revision.phase == "production-shadow"


def test_a_store_that_fails_is_led_back(monkeypatch):
    """Bookings that meet an error settle nowhere; they are counted as such."""
    town = Town()
    town.enter("production-10")
    town.go_on(1)
    commit = town.store.commit

    def fails(changes):
        if any(change.preconditions is not None for change in changes):
            raise StoreUnavailableError("the disk is full")
        commit(changes)

    monkeypatch.setattr(town.store, "commit", fails)
    town.go_on(1)
    status = town.rollout.status()
    assert "error_rate_high" in status.revision.reason
    assert status.revision.phase == "production-shadow"


def test_a_tenth_whose_every_commit_conflicts_is_led_back(monkeypatch):
    """Calls that all end in `retry` write nothing, and none of them is an error: that they never settle is counted."""
    town = Town()
    town.enter("production-10")
    town.go_on(1)
    commit = town.store.commit

    def conflicts(changes):
        if any(change.record.tables and change.record.owner == "pipeline" for change in changes):
            raise TableConflictError(("T0",))
        commit(changes)

    monkeypatch.setattr(town.store, "commit", conflicts)
    town.go_on(2)
    status = town.rollout.status()
    assert "confirmation_rate_low" in status.revision.reason
    assert status.revision.phase == "production-shadow"


def test_bookings_that_nobody_sweeps_are_no_success():
    """Half of them wait for a sweep that is dead: it rings, and no gate passes on the other half."""
    town = Town(demote=Demote.NO)
    town.enter("production-100")
    for minute in range(60):
        for _ in range(4):
            town.book()
            town.number += 1
            start = town.clock.now().replace(second=0, microsecond=0) + dt.timedelta(days=1)
            booking = Booking(f"b-{town.number}", RESTAURANTS[minute % 40], 2, start)
            town.host.put_booking(booking)
            town.coordinator.enqueue(booking)
        town.clock.advance(MINUTE)
    look = town.watcher.look()
    assert "confirmation_rate_low" in {alert.rule.name for alert in look.firing}
    town.clock.advance(7 * 24 * HOUR)
    verdicts = {verdict.metric: verdict for verdict in town.rollout.status().verdicts}
    assert verdicts["confirmation_rate"].answer is Answer.FAIL
    assert verdicts["confirmation_rate"].value == pytest.approx(0.5)
    town.coordinator.sweep(limit=1_000)
    mended = {verdict.metric: verdict for verdict in town.rollout.status().verdicts}
    assert mended["confirmation_rate"].value == 1


def test_a_full_saturday_stays():
    """Restaurants that are full prove it, many guests cancel, legacy turns as many away: nothing rings."""
    town = Town(tables=3, reseat="auto")
    town.enter("production-50")
    evening = town.clock.now().replace(minute=0, second=0, microsecond=0) + 30 * HOUR
    town.go_on(2, each_minute=4, at=lambda: evening + town.random.randrange(0, 9) * 15 * MINUTE, cancels=0.15)
    outcomes = town.looks[-1]
    day = town.store.measure(MetricsQuery(since=town.clock.now() - 24 * HOUR))
    assert day.pipeline.infeasible > 100
    assert day.pipeline.withdrawn > 30
    assert [alert.state for alert in outcomes.alerts] == [AlertState.INACTIVE] * 4
    assert town.told(EventType.ALERT_FIRING) == []
    assert town.rollout.status().revision.phase == "production-50"


def test_a_watcher_that_starts_anew_says_nothing_twice():
    """It knows what was told, and tells of the end of it."""
    town = Town(tables=3, engine=TableEngine(strategies=(Refusing(),)), demote=Demote.NO)
    town.enter("production-10")
    for _ in range(8):
        town.go_on(0.1)
        town.watcher = Watcher(town.store, town.rollout, demote=Demote.NO)
    firing = town.told(EventType.ALERT_FIRING)
    assert len(firing) == len({event.context["alert"] for event in firing}) > 0
    town.watcher = Watcher(town.store, town.rollout, demote=Demote.OFF)
    look = town.watcher.look()
    assert look.demoted.phase == "rollback"
    assert town.watcher.look().demoted is None
    town.go_on(0.5)
    resolved = town.told(EventType.ALERT_RESOLVED)
    assert {event.context["alert"] for event in resolved} == {event.context["alert"] for event in firing}
    assert len(resolved) == len(firing)
    assert len(town.told(EventType.ROLLED_BACK)) == 1


def test_a_rollback_that_fails_is_told_with_its_alert(monkeypatch):
    """Who reads it has to know which alert fires, and that nobody has rolled back; so has the next look."""
    town = Town(tables=3, engine=TableEngine(strategies=(Refusing(),)), demote=Demote.NO)
    town.enter("production-10")
    town.go_on(1)
    watcher = Watcher(town.store, town.rollout)

    def refuses(*_):
        raise MissingRightsError("permission denied for function revise")

    monkeypatch.setattr(town.store, "revise", refuses)
    monkeypatch.setattr(town.store, "emit", refuses)
    for _ in range(2):
        look = watcher.look()
        assert look.demoted is None
        assert look.why.startswith("confirmation_rate_low: firing")
        assert look.why.endswith("; nothing was changed")
        assert isinstance(look.error, MissingRightsError)
    complaints = []
    watcher.run(MINUTE, Once(), lambda _: None, complaints.append)
    assert list(map(type, complaints)) == [MissingRightsError]
    monkeypatch.undo()
    assert watcher.look().demoted.phase == "production-shadow"


def test_nothing_is_led_back_from_where_nothing_depends_on_it():
    """Nor from shadow, nor before the first phase; and no data leads nowhere."""
    town = Town()
    assert (town.watcher.look().phase, town.watcher.look().demoted) == (None, None)
    town.enter("production-10")
    town.clock.advance(100 * HOUR)
    look = town.watcher.look()
    assert (look.firing, look.demoted) == ((), None)
    measured = [criterion.metric for criterion in PHASES["production-10"].criteria if not criterion.optional]
    answers = {verdict.metric: verdict.answer for verdict in town.rollout.status().verdicts}
    assert {answers[metric] for metric in measured} == {Answer.HOLD}


def test_alerts_of_a_restaurant_are_its_own():
    """One that fails among others that do well."""
    town = Town()
    town.enter("production-100")
    town.go_on(1, each_minute=8)
    bad = RESTAURANTS[0]
    start = town.clock.now().replace(second=0, microsecond=0) + dt.timedelta(days=2)
    for minute in range(40):
        booking = Booking(f"x-{minute}", bad, 9, start)
        town.host.put_booking(booking)
        town.coordinator.assign(booking)
        town.clock.advance(MINUTE)
    town.clock.advance(10 * MINUTE)
    own = Alerts(town.store, restaurant_id=bad).check(town.store.now())
    other = Alerts(town.store, restaurant_id=RESTAURANTS[1]).check(town.store.now())
    assert own[0].state is AlertState.FIRING
    assert other[0].state is AlertState.INACTIVE


def test_a_phase_is_not_judged_by_what_was_assigned_before_it():
    """What was called for before it began settles within it, and counts for nobody: neither a gate nor an alert."""
    town = Town()
    town.enter("production-50")
    for _ in range(60):
        town.book()
    town.clock.advance(3 * MINUTE)
    town.enter("production-100")
    since = town.rollout.status().revision.created_at
    town.clock.advance(HOUR)
    now = town.store.now()
    window = town.store.measure(MetricsQuery(since=since, until=now))
    assert window.pipeline.sample > 20
    measured = StoreGates(town.store).measure(since, now)
    assert (measured.pipeline.sample, measured.volume) == (0, {})
    assert [alert.sample for alert in Alerts(town.store).check(now, since)] == [0] * len(RULES)


def test_a_gate_compares_and_remembers_nothing_that_was_assigned_before_its_phase():
    """Neither both planners beside each other, nor the worst that a phase has been at."""
    town = Town()
    town.enter("production-10")
    for _ in range(200):
        town.book(size=50)
    town.clock.advance(3 * MINUTE)
    town.enter("production-50")
    town.clock.advance(HOUR)
    standing = town.rollout.status()
    window = town.store.measure(MetricsQuery(since=standing.since, until=standing.now))
    assert min(window.pipeline.sample, window.legacy.sample) > 10
    found = {verdict.metric: verdict for verdict in standing.verdicts}
    for metric in ("confirmation_rate", "review_rate", "relative_confirmation"):
        assert (found[metric].answer, found[metric].sample) == (Answer.HOLD, 0)
        assert not any(found[metric].numbers.get(name) for name in ("whole", "other_whole", "worst_whole"))


class Alarming(Alerts):
    """Alerts of which one fires; *meanwhile* happens while they are looked at."""

    def __init__(self, store, meanwhile=lambda: None):
        super().__init__(store)
        self._meanwhile = meanwhile

    def check(self, now, since=None):
        first, *others = super().check(now, since)
        self._meanwhile()
        return (attrs.evolve(first, state=AlertState.FIRING, since=now, value=0.5, sample=100), *others)


@pytest.mark.parametrize(("demote", "phase"), [("step", "production-10"), ("off", "rollback"), ("no", "production-50")])
def test_how_far_it_leads_back(demote, phase):
    """One phase, or off everywhere, or not at all."""
    town = Town()
    town.enter("production-50")
    look = Watcher(town.store, town.rollout, alerts=Alarming(town.store), demote=demote).look()
    assert look.firing
    assert town.rollout.status().revision.phase == phase


@pytest.mark.parametrize("phase", ["local", "staging-shadow", "production-shadow"])
@pytest.mark.parametrize("demote", [Demote.STEP, Demote.OFF])
def test_an_alert_leads_nowhere_from_where_the_pipeline_is_not_in_charge(phase, demote):
    """It is told; the phase stays."""
    town = Town()
    town.enter(phase)
    enabled = PHASES[phase].settings.enabled
    look = Watcher(town.store, town.rollout, alerts=Alarming(town.store), demote=demote).look()
    assert look.firing
    assert (look.demoted is None, look.phase) == (not enabled, phase)
    if not enabled:
        assert look.why == "there is nothing to roll back"
        assert town.rollout.status().revision.phase == phase


def test_a_rollback_that_somebody_was_faster_with_ends_in_off():
    """One phase back would lead up by then: the watcher switches everything off, and does not fail."""
    town = Town()
    town.enter("production-100")

    def anna():
        town.rollout.rollback("production-10", actor="anna", reason="two parties at one table")

    look = Watcher(town.store, town.rollout, alerts=Alarming(town.store, anna)).look()
    assert (look.phase, look.demoted.phase) == ("production-100", "rollback")
    assert town.rollout.status().revision.phase == "rollback"
