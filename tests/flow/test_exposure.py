"""What ran where, against what the flags said; and a cohort that is changed in mid-phase."""

import datetime as dt
import itertools

import pytest

from assignment_pipeline import (
    Booking,
    Coordinator,
    FloorPlan,
    LegacyResult,
    LegacySeat,
    ServicePeriod,
    Settings,
    SpecialDay,
    Table,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import RolloutRefusedError
from assignment_pipeline.rollout.control import PHASES, Answer, Rollout, StoreGates, Verdict
from assignment_pipeline.rollout.control.exposure import EXPOSURE
from assignment_pipeline.rollout.control.gates import recompute
from assignment_pipeline.rollout.control.phases import OWN_DAYS
from assignment_pipeline.rollout.control.sample_ratio import SAMPLE_RATIO
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.rollout.flags.settings import DEFAULT_SALT
from assignment_pipeline.rollout.shadow import Shadow
from assignment_pipeline.rollout.watching import Watcher
from assignment_pipeline.testing import FakeClock
from tests.flow.direct_flags import DirectFlags

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
RESTAURANTS = [f"r-{number}" for number in range(20)]
SETTLED = dt.timedelta(minutes=7)
DAY_IS_OVER = dt.timedelta(hours=29)


class Town:
    """Twenty restaurants, whose workers follow the rollout or do not."""

    def __init__(self, *, flags=None, **settings):
        self.clock = FakeClock()
        floor = FloorPlan([Table(f"T{number}", 4) for number in range(40)])
        self.host = MemoryHost(*[Venue(name, "Europe/London", floor) for name in RESTAURANTS])
        self.store = MemoryStore(self.host, clock=self.clock)
        self.rollout = Rollout(self.store, gates=StoreGates(self.store), clock=self.clock)
        self.coordinator = Coordinator(
            self.store,
            flags=flags or DirectFlags(self.store),
            clock=self.clock,
            legacy=lambda _: LegacyResult(("T1",)),
            sinks=(self.store,),
            shadow=Shadow(sample=0),  # Its threads would go on with the cases behind the test.
            **settings,
        )
        self.number = 0

    def enter(self, phase):
        self.rollout.enter(phase, actor="anna", reason="a test", force=True)
        self.clock.advance(2 * MINUTE)

    def book(self, restaurant_id, *, days=1):
        self.number += 1
        start = self.clock.now().replace(second=0, microsecond=0) + dt.timedelta(days=days, hours=self.number % 5)
        booking = Booking(f"b-{self.number}", restaurant_id, 2, start)
        self.host.put_booking(booking)
        return self.coordinator.assign(booking)

    def a_round(self):
        for name in RESTAURANTS:
            self.book(name)
        self.clock.advance(MINUTE)

    def verdicts(self):
        return {verdict.metric: verdict for verdict in self.rollout.status().verdicts}

    @staticmethod
    def mode_in(phase, restaurant_id):
        return PHASES[phase].settings.explain(restaurant_id, source="", salt=DEFAULT_SALT).mode

    def mode(self, restaurant_id):
        return DirectFlags(self.store).resolve(restaurant_id).mode


@pytest.mark.parametrize("phase", ["production-shadow", "production-10", "production-50", "production-100"])
def test_what_the_flags_said_ran(phase):
    """Every booking of each restaurant, and nothing is unhealthy."""
    town = Town()
    town.enter(phase)
    town.a_round()
    found = town.verdicts()[EXPOSURE]
    assert (found.answer, found.value, found.sample) == (Answer.PASS, 0.0, 20)
    assert town.rollout.status().unhealthy == ()


def test_workers_that_do_not_follow_are_found():
    """Each restaurant with what it should be and what ran; whatever the rates say, it may not go on."""
    town = Town(flags=FixedFlags(Mode.ACTIVE))
    town.enter("production-10")
    town.a_round()
    found = town.verdicts()[EXPOSURE]
    elsewhere = [name for name in RESTAURANTS if town.mode(name) is not Mode.ACTIVE]
    assert found.numbers == {"elsewhere": len(elsewhere), "bookings": 20}
    assert found.answer is Answer.UNHEALTHY
    first = min(elsewhere)
    assert found.missing.startswith(f"{first} is off, and pipeline answered for 1 booking as if it were active; ")
    assert recompute(Verdict.read(found.document()), 0) is Answer.UNHEALTHY
    with pytest.raises(RolloutRefusedError, match="exposure says unhealthy"):
        town.rollout.advance(actor="anna")
    look = Watcher(town.store, town.rollout).look()
    assert look.unhealthy == found.missing
    assert look.demoted is None  # Those who do not listen would not hear of that either.


def test_a_shadow_that_never_ran_is_found():
    """Where the flags said shadow, and the worker's said off."""
    town = Town(flags=FixedFlags(Mode.OFF))
    town.enter("production-shadow")
    town.a_round()
    found = town.verdicts()[EXPOSURE]
    assert found.numbers == {"elsewhere": 20, "bookings": 20}
    assert "r-0 is shadow, and legacy answered for 1 booking as if it were off" in found.missing


def test_what_ran_before_a_change_was_right_then():
    """Each booking is held against the flags of its own time; and what is drained after a rollback may end."""
    town = Town(settings=Settings(in_flight="drain"))
    town.enter("production-100")
    town.a_round()
    waiting = Booking("b-late", "r-3", 2, town.clock.now().replace(second=0, microsecond=0) + dt.timedelta(days=2))
    town.host.put_booking(waiting)
    town.coordinator.enqueue(waiting)
    town.enter("production-10")
    town.clock.advance(2 * MINUTE)
    assert [each.booking_id for each in town.coordinator.sweep().results] == ["b-late"]
    town.a_round()
    found = town.verdicts()[EXPOSURE]
    assert (found.answer, found.sample) == (Answer.PASS, 21)
    assert Watcher(town.store, town.rollout).look().unhealthy is None


def test_legacy_that_reports_nothing_is_unhealthy():
    """Where it is to be compared, and enough of the pipeline's are there; with fewer it only holds."""
    town = Town()
    town.enter("production-50")
    active = [name for name in RESTAURANTS if town.mode(name) is Mode.ACTIVE]
    for _ in range(2):
        for name in active:
            town.book(name)
    town.clock.advance(SETTLED)
    assert town.verdicts()["relative_confirmation"].answer is Answer.HOLD
    for day in range(5):
        for name in active:
            town.book(name, days=2 + day)
    town.clock.advance(SETTLED)
    found = town.verdicts()["relative_confirmation"]
    assert found.answer is Answer.UNHEALTHY
    assert (
        found.missing
        == f"legacy reported no outcome to compare with, beside {found.numbers['whole']} of the pipeline's"
    )
    assert recompute(found, 200) is Answer.UNHEALTHY


def test_a_cohort_that_is_changed_in_mid_phase_is_told_and_split():
    """What came of each; who was on both sides is in no comparison."""
    town = Town()
    town.enter("production-50")
    town.a_round()
    town.clock.advance(SETTLED)
    assert town.rollout.status().parts == ()
    stranger = next(name for name in RESTAURANTS if town.mode(name) is Mode.OFF)
    active = sum(town.mode(name) is Mode.ACTIVE for name in RESTAURANTS)
    town.rollout.list_restaurants(actor="bob", reason="they asked", always=[stranger])
    town.clock.advance(2 * MINUTE)
    town.a_round()
    town.clock.advance(SETTLED)
    town.rollout.list_restaurants(actor="bob", reason="they left", always=[])
    town.clock.advance(2 * MINUTE)
    town.a_round()
    town.clock.advance(SETTLED)
    standing = town.rollout.status()
    assert [part.stretch.revision.actor for part in standing.parts] == ["anna", "bob", "bob"]
    assert [part.outcomes.confirmed for part in standing.parts] == [active, active + 1, active]
    assert standing.attempt == 1
    found = town.verdicts()
    assert found[EXPOSURE].answer is Answer.PASS
    numbers = found["relative_confirmation"].numbers
    assert (numbers["restaurants"], numbers["other_restaurants"]) == (active, 20 - active - 1)


def test_phases_without_criteria_have_no_such_verdict():
    """There is nothing to go on to that would rest on it."""
    assert PHASES["local"].criteria == ()
    town = Town(flags=FixedFlags(Mode.OFF))
    town.enter("local")
    town.a_round()
    assert EXPOSURE not in town.verdicts()


def test_a_service_day_has_to_be_the_pipelines_before_legacy_may_go():
    """A day of which less than four fifths are the pipeline's does not count: it plans around what legacy seated."""
    town = Town()
    name = next(name for name in RESTAURANTS if town.mode_in("production-10", name) is Mode.ACTIVE)
    noon = town.clock.now().replace(hour=12, minute=0)
    town.clock.advance(noon - town.clock.now() if noon > town.clock.now() else dt.timedelta())

    def evening(days, number):
        return [
            Booking(f"d{days}-{each}", name, 2, noon + dt.timedelta(days=days, hours=each % 5))
            for each in range(number)
        ]

    tomorrow = evening(1, 10)
    for number, booking in enumerate(tomorrow[:3]):
        town.host.put_booking(booking)
        town.coordinator.adopt([LegacySeat(booking, (f"T{number}",))])
    town.enter("production-10")
    for booking in (*tomorrow[3:], *evening(2, 5)):
        town.host.put_booking(booking)
        town.coordinator.assign(booking)
    town.clock.advance(dt.timedelta(days=1))
    town.clock.advance(DAY_IS_OVER)
    found = town.verdicts()[OWN_DAYS]
    assert (found.answer, found.value) == (Answer.HOLD, 0.0)
    day = tomorrow[0].start_at.date()
    assert found.missing == f"1 more of 1 service days: 7 of 10 bookings of {day} are the pipeline's"
    town.clock.advance(dt.timedelta(days=1))
    found = town.verdicts()[OWN_DAYS]
    assert (found.answer, found.value) == (Answer.PASS, 1.0)
    for verdict in (found, Verdict.read(found.document())):
        assert recompute(verdict, 0) is Answer.PASS
    day = max(found.numbers["days"])
    seven = dt.datetime.fromisoformat(f"{day}T19:00+00:00")
    for number in range(3):  # Legacy's, of the same evening, that nobody has adopted; one has two tables.
        window = TimeWindow(seven, seven + 2 * HOUR)
        for table in ("T38", "T39") if number else ("T37",):
            town.host.occupy(name, Occupied(table_id=table, window=window, booking_id=f"l-{number}"))
    found = town.verdicts()[OWN_DAYS]
    assert (found.answer, found.numbers["days"][day]) == (Answer.HOLD, [5, 8])


@pytest.mark.parametrize("closed", [False, True])
def test_a_side_that_is_not_reported_any_more_is_found(closed):
    """Most of legacy's restaurants fall silent when the phase begins: it is no fault only of those that are closed."""
    town = Town()
    town.enter("production-shadow")
    for _ in range(12):
        town.a_round()
    town.clock.advance(SETTLED)
    town.enter("production-50")
    told = [name for name in RESTAURANTS if town.mode(name) is Mode.ACTIVE]
    told += [name for name in RESTAURANTS if name not in told][:1]
    for day in range(24):
        for name in told:
            town.book(name, days=2 + day)
    town.clock.advance(SETTLED)
    silent = [name for name in sorted(RESTAURANTS) if name not in told]
    if closed:
        today = town.clock.now().date()
        days = SpecialDay(from_=today - dt.timedelta(days=2), until=today + dt.timedelta(days=2), closed=True)
        policy = VenuePolicy(service_periods=[ServicePeriod("day", dt.time(8), dt.time(23))], special_days=[days])
        for name in silent:
            town.host.put_venue(Venue(name, "Europe/London", FloorPlan([Table("T0", 4)]), policy))
    found = town.verdicts()[SAMPLE_RATIO]
    assert town.verdicts()[EXPOSURE].answer is Answer.PASS
    assert recompute(Verdict.read(found.document()), 0) is found.answer
    if closed:
        assert found.answer is Answer.PASS
    else:
        assert found.answer is Answer.UNHEALTHY
        assert f"though open: {', '.join(silent[:5])} and others" in found.missing


def test_what_a_restaurant_was_like_before_is_no_merit_of_the_pipelines():
    """The weeks before it was in charge explain some of the difference, and the verdict says how much."""
    town = Town()
    refused = itertools.cycle([True, False, False])

    def legacy(booking):
        worse = int(booking.restaurant_id[2:]) % 2 and next(refused)
        return LegacyResult(() if worse else ("T1",))

    town.enter("production-shadow")
    for _ in range(2):
        for _ in range(20):
            for name in RESTAURANTS:
                town.number += 1
                start = town.clock.now().replace(second=0, microsecond=0) + dt.timedelta(days=1)
                town.coordinator.assign(Booking(f"p-{town.number}", name, 2, start), legacy=legacy)
        town.clock.advance(dt.timedelta(days=14) - HOUR)
    town.clock.advance(HOUR)
    town.enter("production-50")
    town.a_round()
    town.clock.advance(SETTLED)
    found = town.verdicts()["relative_confirmation"]
    own = [name for name in RESTAURANTS if town.mode(name) is Mode.ACTIVE]
    worse = sum(int(name[2:]) % 2 for name in own)
    expected = (len(own) - 2 * worse) / 6  # A third of the bookings is refused at every other restaurant.
    assert found.numbers["explained"] == pytest.approx(expected, abs=0.5)
    assert recompute(Verdict.read(found.document()), 200) is found.answer
