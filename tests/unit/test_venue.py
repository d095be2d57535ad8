"""When a restaurant serves: past midnight, and on the nights when the clock changes."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import FloorPlan, Table
from assignment_pipeline.domain.policy import ServicePeriod, TurnBand, VenuePolicy
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.testing.strategies import bookings, instants, venues, windows

LONDON, NEW_YORK = "Europe/London", "America/New_York"
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


def utc(text: str) -> dt.datetime:
    """A moment such as ``2031-03-29 18:00``, in UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def span(start: str, end: str) -> TimeWindow:
    """From and to such moments."""
    return TimeWindow(utc(start), utc(end))


def clock(text: str) -> dt.time:
    """A time of day such as ``18:00``."""
    return dt.time.fromisoformat(text)


def restaurant(timezone: str, *periods: tuple[str, str], days: str = "mon tue wed thu fri sat sun", **policy) -> Venue:
    """A restaurant that serves in those periods."""
    service = [ServicePeriod(f"{start}-{end}", clock(start), clock(end), days.split()) for start, end in periods]
    return Venue("r-1", timezone, FloorPlan([Table("T1", 4)]), VenuePolicy(service_periods=service, **policy))


def served(venue: Venue, day: str) -> list[TimeWindow]:
    """When it serves in the 24 hours from noon UTC of a day."""
    noon = utc(f"{day} 12:00")
    return list(venue.services(TimeWindow(noon, noon + 24 * HOUR)))


@pytest.mark.parametrize(
    ("timezone", "day", "period", "expected"),
    [
        # Plain days, in winter and in summer time.
        (LONDON, "2031-01-10", ("18:00", "23:00"), ("2031-01-10 18:00", "2031-01-10 23:00")),
        (LONDON, "2031-07-10", ("18:00", "23:00"), ("2031-07-10 17:00", "2031-07-10 22:00")),
        (NEW_YORK, "2031-07-10", ("18:00", "23:00"), ("2031-07-10 22:00", "2031-07-11 03:00")),
        # Past midnight, and around the clock.
        (LONDON, "2031-01-10", ("18:00", "02:00"), ("2031-01-10 18:00", "2031-01-11 02:00")),
        (LONDON, "2031-01-10", ("18:00", "00:00"), ("2031-01-10 18:00", "2031-01-11 00:00")),
        # London, 30 March: at 01:00 it becomes 02:00.
        (LONDON, "2031-03-29", ("18:00", "00:30"), ("2031-03-29 18:00", "2031-03-30 00:30")),
        (LONDON, "2031-03-29", ("18:00", "03:00"), ("2031-03-29 18:00", "2031-03-30 02:00")),
        (LONDON, "2031-03-29", ("18:00", "01:30"), ("2031-03-29 18:00", "2031-03-30 01:30")),
        (LONDON, "2031-03-30", ("18:00", "23:00"), ("2031-03-30 17:00", "2031-03-30 22:00")),
        # London, 26 October: at 02:00 it becomes 01:00.
        (LONDON, "2031-10-25", ("18:00", "00:30"), ("2031-10-25 17:00", "2031-10-25 23:30")),
        (LONDON, "2031-10-25", ("18:00", "01:30"), ("2031-10-25 17:00", "2031-10-26 01:30")),
        (LONDON, "2031-10-25", ("18:00", "02:00"), ("2031-10-25 17:00", "2031-10-26 02:00")),
        (LONDON, "2031-10-26", ("18:00", "23:00"), ("2031-10-26 18:00", "2031-10-26 23:00")),
        # New York, 9 March: at 02:00 it becomes 03:00.
        (NEW_YORK, "2031-03-08", ("18:00", "01:30"), ("2031-03-08 23:00", "2031-03-09 06:30")),
        (NEW_YORK, "2031-03-08", ("18:00", "02:30"), ("2031-03-08 23:00", "2031-03-09 07:30")),
        (NEW_YORK, "2031-03-08", ("18:00", "03:30"), ("2031-03-08 23:00", "2031-03-09 07:30")),
        # New York, 2 November: at 02:00 it becomes 01:00.
        (NEW_YORK, "2031-11-01", ("18:00", "01:30"), ("2031-11-01 22:00", "2031-11-02 06:30")),
        (NEW_YORK, "2031-11-01", ("18:00", "02:30"), ("2031-11-01 22:00", "2031-11-02 07:30")),
    ],
)
def test_a_service_lasts_as_long_as_its_clock_says(timezone, day, period, expected):
    """A period opens and closes by the restaurant's own clock, also in the night in which that changes."""
    assert served(restaurant(timezone, period), day) == [span(*expected)]


@pytest.mark.parametrize(
    ("timezone", "day", "period", "expected"),
    [
        # What opens at a time that is skipped opens that much later; what opens at one that comes twice, at the first.
        (LONDON, "2031-03-29", ("01:30", "04:00"), ("2031-03-30 01:30", "2031-03-30 03:00")),
        (LONDON, "2031-10-25", ("01:30", "04:00"), ("2031-10-26 00:30", "2031-10-26 04:00")),
        (NEW_YORK, "2031-03-08", ("02:30", "05:00"), ("2031-03-09 07:30", "2031-03-09 09:00")),
        (NEW_YORK, "2031-11-01", ("01:30", "05:00"), ("2031-11-02 05:30", "2031-11-02 10:00")),
    ],
)
def test_a_service_may_open_while_the_clock_changes(timezone, day, period, expected):
    """An opening time that is skipped or repeated is one moment all the same."""
    assert served(restaurant(timezone, period), day) == [span(*expected)]


def test_a_service_that_the_clock_skips_is_none():
    """Where both of a period's times are skipped and meet, it does not open that night."""
    venue = restaurant(LONDON, ("01:00", "02:00"))
    assert served(venue, "2031-03-29") == []
    assert served(venue, "2031-03-28") == [span("2031-03-29 01:00", "2031-03-29 02:00")]
    assert served(venue, "2031-10-25") == [span("2031-10-26 00:00", "2031-10-26 02:00")]


def test_a_party_sits_through_the_change_of_the_clock():
    """A turn is as long as it is, however often the clock shows the same hour meanwhile."""
    venue = restaurant(LONDON, ("18:00", "03:00"))
    late = Booking("b-1", "r-1", 2, utc("2031-10-26 00:30"))  # 01:30, for the first time.
    assert venue.turn(late) == span("2031-10-26 00:30", "2031-10-26 02:00")
    assert venue.serves(venue.turn(late))
    assert venue.serves(span("2031-10-26 02:00", "2031-10-26 03:00"))
    assert not venue.serves(span("2031-10-26 02:00", "2031-10-26 03:01"))
    # The same wall times in spring leave an hour less.
    assert venue.serves(span("2031-03-30 00:30", "2031-03-30 02:00"))
    assert not venue.serves(span("2031-03-30 00:30", "2031-03-30 02:01"))


def test_days_are_those_on_which_a_service_begins():
    """A period of Saturday that ends on Sunday is Saturday's."""
    venue = restaurant(LONDON, ("20:00", "02:00"), days="sat")
    assert venue.serves(span("2031-01-12 01:00", "2031-01-12 02:00"))  # Sunday, one in the morning.
    assert not venue.serves(span("2031-01-11 01:00", "2031-01-11 02:00"))  # Saturday, one in the morning.
    assert not venue.serves(span("2031-01-12 21:00", "2031-01-12 22:00"))


def test_periods_that_touch_are_one():
    """A party may sit from one period into the next where there is no break."""
    touching = restaurant("UTC", ("12:00", "15:00"), ("15:00", "18:00"))
    assert served(touching, "2031-01-10") == [span("2031-01-10 12:00", "2031-01-10 18:00")]
    assert touching.serves(span("2031-01-10 14:00", "2031-01-10 16:00"))
    apart = restaurant("UTC", ("12:00", "15:00"), ("15:01", "18:00"))
    assert len(served(apart, "2031-01-10")) == 2
    assert not apart.serves(span("2031-01-10 14:00", "2031-01-10 16:00"))


def test_around_the_clock_is_without_a_break():
    """A period that closes when it opens serves all day, on every day, over every change of the clock."""
    venue = restaurant(LONDON, ("06:00", "06:00"))
    assert venue.serves(span("2031-03-29 05:00", "2031-03-31 23:00"))
    assert venue.serves(span("2031-10-25 00:00", "2031-10-27 00:00"))


def test_without_periods_it_always_serves():
    """A restaurant that names no periods turns nobody away for the time."""
    venue = restaurant(LONDON)
    assert venue.serves(span("2031-01-10 03:00", "2031-01-11 03:00"))
    assert venue.services(span("2031-01-10 03:00", "2031-01-11 03:00")) == ()


@pytest.mark.parametrize(
    ("moment", "date"),
    [
        ("2031-07-11 00:30", "2031-07-10"),  # 01:30 in London, still the evening before.
        ("2031-07-11 00:59", "2031-07-10"),
        ("2031-07-11 01:00", "2031-07-11"),  # Closed since 02:00: the calendar's day.
        ("2031-07-11 16:59", "2031-07-11"),
        ("2031-07-11 17:00", "2031-07-11"),
        ("2031-07-10 23:30", "2031-07-10"),  # 00:30 in London.
        ("2031-10-26 01:30", "2031-10-25"),  # 01:30 for the second time.
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_began(moment, date):
    """An instant counts to the day of its service, and to the local calendar outside of all."""
    venue = restaurant(LONDON, ("18:00", "02:00"))
    assert venue.service_date(utc(moment)) == dt.date.fromisoformat(date)


def test_a_service_date_is_asked_for_any_instant():
    """Seconds and other offsets are no matter."""
    venue = restaurant(LONDON, ("18:00", "02:00"))
    moment = utc("2031-07-11 00:59").replace(second=59, microsecond=999_999)
    assert venue.service_date(moment.astimezone(dt.timezone(5 * HOUR))) == dt.date(2031, 7, 10)


@given(venue=venues(), window=windows(dt.timedelta(hours=60)))
def test_services_are_in_order_and_apart(venue, window):
    """What is served in a window overlaps it, comes in order, and has a break between each two."""
    found = venue.services(window)
    assert all(one.overlaps(window) for one in found)
    assert all(one.end < other.start for one, other in itertools.pairwise(found))


@given(venue=venues(), window=windows(), by=st.integers(0, 48))
def test_services_do_not_depend_on_how_they_are_asked_for(venue, window, by):
    """A wider question gives the same services, and maybe more; the edges of the question cut none off."""
    wide = venue.services(window.widened(by * HOUR, by * HOUR))
    for one in venue.services(window):
        assert any(other.covers(one) for other in wide)
        if one.duration < 12 * HOUR:  # Longer ones may be chains of days, of which a wider question sees more.
            assert one in wide


@given(venue=venues(), instant=instants())
def test_a_service_has_the_date_of_its_day(venue, instant):
    """The service date is the local date or the one before: of a period that is open then, if there is one."""
    local = instant.astimezone(venue.zone).date()
    date = venue.service_date(instant)
    assert date in (local, local - dt.timedelta(days=1))
    minute = TimeWindow(instant, instant + MINUTE)
    if not venue.services(minute):
        assert date == local


@given(venue=venues(), booking=bookings())
def test_buffers_lie_around_the_turn(venue, booking):
    """A party sits as long as it said or as the rules have it, its table is blocked for the buffers, too."""
    turn = venue.turn(booking)
    assert turn.start == booking.start_at
    if booking.end_at or not venue.policy.turns_vary:
        assert turn.end == (booking.end_at or turn.start + venue.policy.turn(booking.party_size))
    blocked = venue.blocked(turn)
    assert turn.start - blocked.start == venue.policy.pre_buffer
    assert blocked.end - turn.end == venue.policy.post_buffer


@given(venue=venues(), booking=bookings())
def test_planning_looks_at_all_nearby_times(venue, booking):
    """Whatever is blocked next to the turn at any nearby time lies in the planning window."""
    seen = venue.planning_window(booking)
    longest = venue.policy.pre_buffer + venue.policy.longest_turn + venue.policy.post_buffer
    for turn in (venue.turn(booking), *venue.offers(booking)):
        assert seen.covers(venue.blocked(turn).widened(longest, longest))
    assert venue.wanted(booking).covers(venue.blocked(venue.turn(booking)))


def test_turns_go_by_the_size_of_the_party():
    """A band reaches up to its size; beyond the last, parties sit as long as it."""
    policy = VenuePolicy(turn_bands=(TurnBand(2, 60), TurnBand(4, 90)))
    assert [policy.turn(size) // MINUTE for size in (1, 2, 3, 4, 5, 500)] == [60, 60, 90, 90, 90, 90]
    assert [VenuePolicy().turn(size) // MINUTE for size in (2, 3, 4, 5, 6, 7)] == [90, 105, 105, 120, 120, 150]
    assert policy.longest_turn == 90 * MINUTE


def test_service_periods_past_midnight():
    """A period that does not close after it opens on the clock closes on the next day."""
    assert ServicePeriod("late", dt.time(18), dt.time(2)).past_midnight
    assert ServicePeriod("all day", dt.time(6), dt.time(6)).past_midnight
    assert not ServicePeriod("lunch", dt.time(12), dt.time(15)).past_midnight
