"""What ships for hosts' tests: the clock, the strategies, and how the contracts are used."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.booking import SeatingPreference
from assignment_pipeline.domain.policy import VenuePolicy
from assignment_pipeline.testing import FakeClock, StoreHarness, strategies
from assignment_pipeline.testing.contracts.suite import need

SECOND = dt.timedelta(seconds=1)


# -- Clocks -------------------------------------------------------------------------------------------------------


def test_a_fake_clock_stands_still():
    """Time goes when it is told to, and by as much."""
    clock = FakeClock()
    before, start = clock.now(), clock.monotonic()
    assert clock.now() == before
    clock.advance(90 * SECOND)
    assert clock.now() - before == 90 * SECOND
    assert clock.monotonic() - start == 90
    clock.advance(dt.timedelta())
    assert clock.now().tzinfo is dt.UTC


def test_a_fake_clock_never_goes_back():
    """A negative span is refused."""
    with pytest.raises(ValueError, match="by: expected a span of time that is not negative"):
        FakeClock().advance(-SECOND)


def test_a_fake_clock_starts_where_it_is_told_to():
    """A start with any offset is shown in UTC."""
    start = dt.datetime(2031, 7, 1, 20, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert FakeClock(start).now() == start
    assert FakeClock(start).now().tzinfo is dt.UTC


def test_threads_share_a_fake_clock():
    """No advance is lost."""
    clock = FakeClock()
    before = clock.now()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: clock.advance(SECOND), range(400)))
    assert clock.now() - before == 400 * SECOND


def test_the_system_clock_is_the_machines():
    """It is aware, in UTC, and its monotonic side does not go back."""
    clock = SystemClock()
    before = dt.datetime.now(dt.UTC)
    assert clock.now() >= before
    assert clock.now().tzinfo is dt.UTC
    assert clock.monotonic() <= clock.monotonic()


# -- Contracts ----------------------------------------------------------------------------------------------------


def test_what_a_harness_cannot_do_is_skipped_with_its_reason():
    """A host that lacks an ability says why, and its report shows it."""

    class Harness(StoreHarness):
        cannot: ClassVar = {"hook": "our store calls nobody"}

    need(Harness(), "occupy", "events")
    with pytest.raises(pytest.skip.Exception, match="cannot hook: our store calls nobody"):
        need(Harness(), "occupy", "hook")


@pytest.mark.parametrize("package", ["pytest", "hypothesis"])
def test_a_missing_package_is_named(package):
    """Without the extra, the error says what to install."""
    imports = {
        "pytest": "from assignment_pipeline.testing import LockManagerContract",
        "hypothesis": "import assignment_pipeline.testing.strategies",
    }
    script = f"""
import sys
sys.modules[{package!r}] = None
try:
    {imports[package]}
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    expected = f"MissingExtraError {package} is not installed: pip install 'assignment-pipeline[testing]'."
    assert done.stdout.strip() == expected


def test_the_library_does_without():
    """Nothing of the library imports what its tests need."""
    script = """
import sys
sys.modules["pytest"] = sys.modules["hypothesis"] = None
import assignment_pipeline, assignment_pipeline.adapters.memory, assignment_pipeline.adapters.sqlite
"""
    subprocess.run([sys.executable, "-c", script], check=True)


# -- Strategies ---------------------------------------------------------------------------------------------------

SPREAD = {
    "a joinable pair": (strategies.floors(), lambda floor: floor.adjacent),
    "a table out of use": (strategies.floors(), lambda floor: not all(table.active for table in floor.tables)),
    "one table": (strategies.floors(), lambda floor: len(floor.tables) == 1),
    "a capped table": (strategies.tables(), lambda table: table.max_party_size < table.capacity),
    "a table that takes more": (strategies.tables(), lambda table: table.max_party_size > table.capacity),
    "a combination": (strategies.venues(), lambda venue: any(len(one.tables) > 2 for one in venue.seatings)),
    "past midnight": (strategies.policies(), lambda policy: any(one.past_midnight for one in policy.service_periods)),
    "always open": (strategies.policies(), lambda policy: not policy.service_periods),
    "buffers": (strategies.policies(), lambda policy: policy.pre_buffer_minutes and policy.post_buffer_minutes),
    "a limit on waste": (strategies.policies(), lambda policy: policy.max_overage is not None),
    "some days": (strategies.service_periods(), lambda period: len(period.days) < 7),
    "arrivals": (strategies.service_periods(), lambda period: period.arrivals is not None),
    "a turn of its own": (strategies.policies(), lambda policy: policy.turns_vary),
    "a closed day": (strategies.policies(), lambda policy: any(day.closed for day in policy.special_days)),
    "other hours": (strategies.policies(), lambda policy: any(day.service_periods for day in policy.special_days)),
    "a zone": (strategies.bookings(), lambda booking: booking.zone),
    "a place": (strategies.bookings(), lambda booking: booking.seating is not SeatingPreference.ANY),
    "access": (strategies.bookings(), lambda booking: booking.accessible),
    "an end": (strategies.bookings(), lambda booking: booking.end_at),
    "no end": (strategies.bookings(), lambda booking: booking.end_at is None),
    "a large party": (strategies.bookings(), lambda booking: booking.party_size > 10),
    "London's spring": (strategies.instants(), lambda time: (time.month, time.day, time.hour) == (3, 30, 1)),
    "another script": (strategies.identifiers(), lambda text: not text.isascii()),
}


@pytest.mark.parametrize("case", SPREAD)
def test_strategies_reach_what_matters(case):
    """What tends to go wrong is among what is generated."""
    generating = settings(phases=[Phase.generate], max_examples=1_000, database=None)
    assert find(*SPREAD[case], settings=generating)


@given(booking=strategies.bookings(restaurant_id="r-1", start_at=st.just(FakeClock().now())))
def test_bookings_can_be_tied_down(booking):
    """A restaurant and a time may be given."""
    assert (booking.restaurant_id, booking.start_at) == ("r-1", FakeClock().now())
    assert booking.is_pending


@given(venue=strategies.venues(strategies.floors(max_tables=1), st.just(VenuePolicy(max_tables=1))))
def test_venues_can_be_tied_down(venue):
    """A floor and a policy may be given."""
    assert len(venue.seatings) <= 1


@given(floor=strategies.floors(min_tables=3, max_tables=4))
def test_floors_have_as_many_tables_as_were_asked_for(floor):
    """The number of tables can be bounded."""
    assert 3 <= len(floor.tables) <= 4


@given(window=strategies.windows(dt.timedelta(minutes=30)))
def test_windows_are_no_longer_than_asked_for(window):
    """The length of a window can be bounded."""
    assert window.duration <= dt.timedelta(minutes=30)
