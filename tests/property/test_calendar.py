"""Which local times are open: the calendar against a reading of its rules minute by minute, on a clock on the wall."""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import FloorPlan, Occupied, Table
from assignment_pipeline.domain.periods import into_the_day_after, shared_day
from assignment_pipeline.domain.policy import (
    WEEKDAYS,
    Arrivals,
    EndRule,
    PeriodTurn,
    ServicePeriod,
    SpecialDay,
    TurnBand,
    VenuePolicy,
)
from assignment_pipeline.domain.reasons import Reason
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.testing.strategies import service_periods, special_days

MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)

NIGHTS = {
    "Europe/London": ("2031-03-30 01:00", "2031-10-26 01:00"),
    "America/New_York": ("2031-03-09 07:00", "2031-11-02 06:00"),
    "Australia/Lord_Howe": ("2031-04-05 15:00", "2031-10-04 15:30"),
    "Africa/Casablanca": ("2031-01-05 02:00", "2031-02-02 02:00"),  # About Ramadan: an hour back, and forth again.
}


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@functools.lru_cache(maxsize=16)
def clock_on_the_wall(timezone: str, night: str) -> dict[dt.datetime, list[dt.datetime]]:
    """What the clock shows in the days around a night, and when."""
    zone, middle = zoneinfo.ZoneInfo(timezone), utc(night)
    shown: dict[dt.datetime, list[dt.datetime]] = {}
    for minute in range(-6 * 1440, 6 * 1440):
        instant = middle + minute * MINUTE
        shown.setdefault(instant.astimezone(zone).replace(tzinfo=None, fold=0), []).append(instant)
    return shown


def shows(clock, date, time, which):
    """When the clock shows a time, first or last; what it skips counts as that much later than the last it showed."""
    wanted, later = dt.datetime.combine(date, time), 0
    while wanted not in clock:
        wanted, later = wanted - MINUTE, later + 1
    return clock[wanted][which] + later * MINUTE


def periods_on(policy, date):
    """The periods that start on a date."""
    for special in policy.special_days:
        if (special.date or special.from_) <= date <= (special.date or special.until):
            return special.service_periods
    if policy.special_days and not policy.service_periods:
        return [ServicePeriod("open", dt.time(), dt.time())]
    return [
        period
        for period in policy.service_periods
        if WEEKDAYS[date.weekday()] in period.days
        and (period.valid_from or date) <= date <= (period.valid_until or date)
    ]


def spans_around(venue, clock, date):
    """When the periods of a few days open and close."""
    for day in (date + days * DAY for days in (-2, -1, 0, 1, 2)):
        for period in periods_on(venue.policy, day):
            closing = day + DAY if period.end <= period.start else day
            opens, closes = shows(clock, day, period.start, 0), shows(clock, closing, period.end, -1)
            if opens < closes:
                yield opens, closes, period


def reading(venue, clock, start, party_size):
    """What the rules say of an arrival: why it is refused, and until when the party sits."""
    policy, local = venue.policy, start.astimezone(venue.zone)
    if not policy.service_periods and not policy.special_days:
        return None, start + policy.turn(party_size)
    spans = list(spans_around(venue, clock, local.date()))
    here = sorted((span for span in spans if span[0] <= start < span[1]), key=lambda span: span[0])
    if not here:
        return Reason.OUTSIDE_SERVICE, None
    taking = [span for span in here if arrives(span[2], local.strftime("%H:%M"))]
    _, closes, period = (taking or here)[0]
    bands = period.turn_bands or policy.turn_bands
    minutes = next((band.minutes for band in bands if party_size <= band.up_to), bands[-1].minutes)
    leaves = min(closes, start + DAY) if period.turn == "to_end" else start + minutes * MINUTE
    if not taking:
        return Reason.NOT_AN_ARRIVAL, leaves
    if any(span[2].end_rule == "arrive_by" for span in taking):
        return None, leaves
    instant = start
    while instant < leaves:
        reach = [closes for opens, closes, _ in spans if opens <= instant < closes]
        if not reach:
            return Reason.OUTSIDE_SERVICE, leaves
        instant = max(reach)
    return None, leaves


def arrives(period, shown):
    """Whether parties arrive in the period when the clock shows that."""
    if period.arrivals is None:
        return True
    if not isinstance(period.arrivals, Arrivals):
        return shown in [f"{time:%H:%M}" for time in period.arrivals]
    first, last = period.arrivals.first or period.start, period.arrivals.last
    minute = first.hour * 60 + first.minute
    end = last or period.end
    length = (end.hour * 60 + end.minute - minute) % 1440
    if last is None and length == 0:
        length = 1440
    times = [minute + step for step in range(0, length + (last is not None), period.arrivals.every)]
    return shown in [f"{time // 60 % 24:02}:{time % 60:02}" for time in times]


@st.composite
def restaurants(draw):
    timezone = draw(st.sampled_from(sorted(NIGHTS)))
    night = draw(st.sampled_from(NIGHTS[timezone]))
    periods = []
    for period in draw(st.lists(service_periods(), max_size=3)):
        if all(shared_day(other, period) is None for other in periods):
            periods.append(period)
    date = utc(night).astimezone(zoneinfo.ZoneInfo(timezone)).date() + draw(st.integers(-1, 1)) * DAY
    days = [attrs.evolve(draw(special_days()), date=date, from_=None, until=None)] if draw(st.booleans()) else []
    if into_the_day_after(periods, days):
        days = []
    bands = [TurnBand(2, draw(st.sampled_from([60, 90]))), TurnBand(8, 120)]
    policy = VenuePolicy(service_periods=periods, special_days=days, turn_bands=bands)
    return Venue("r-1", timezone, FloorPlan([Table("T1", 4)]), policy), night


@settings(max_examples=100)  # Of 260 arrivals each.
@given(restaurants(), st.integers(1, 6), st.integers(0, 14))
def test_the_open_times_are_those_that_the_rules_say(restaurant, party_size, odd):
    """Around both changes of the clock, an arrival is taken or refused as the clock on the wall has it."""
    venue, night = restaurant
    clock = clock_on_the_wall(venue.timezone, night)
    for quarter in range(-130, 130):
        start = utc(night) + (15 * quarter + (odd if quarter % 7 == 0 else 0)) * MINUTE
        refusal, leaves = reading(venue, clock, start, party_size)
        turn = venue.turn(Booking("b-1", "r-1", party_size, start))
        local = start.astimezone(venue.zone)
        assert venue.refusal(turn) is refusal, local
        assert leaves is None or turn.end == leaves, local


@settings(max_examples=100)
@given(restaurants(), st.integers(1, 4), st.integers(-100, 100))
def test_every_offer_may_be_taken(restaurant, party_size, quarter):
    """What is offered in place of a time is at another, by the rules, and the party would sit as long as it says."""
    venue, night = restaurant
    booking = Booking("b-1", "r-1", party_size, utc(night) + 15 * quarter * MINUTE)
    offers = list(venue.offers(booking))
    assert booking.start_at not in [turn.start for turn in offers]
    distances = [abs(turn.start - booking.start_at) for turn in offers]
    assert distances == sorted(distances)
    for turn in offers:
        assert venue.refusal(turn) is None
        assert venue.turn(attrs.evolve(booking, start_at=turn.start)) == turn


def restaurant(*periods: ServicePeriod, timezone: str = "Europe/London", **policy) -> Venue:
    return Venue("r-1", timezone, FloorPlan([Table("T1", 4)]), VenuePolicy(service_periods=periods, **policy))


def decision(venue: Venue, moment: str, *, taken=(), party_size=2):
    """What the engine says of a local time."""
    start = dt.datetime.fromisoformat(moment).replace(tzinfo=venue.zone)
    request = SeatingRequest.at(venue, Booking("b-1", "r-1", party_size, start))
    return TableEngine().plan(request, FloorSnapshot.of(venue, taken))


def shown(venue: Venue, moments) -> list[str]:
    return [f"{moment.astimezone(venue.zone):%d %H:%M}" for moment in moments]


SITTINGS = ServicePeriod(
    "dinner", dt.time(18), dt.time(23), arrivals=[dt.time(18), dt.time(20, 30)], turn=PeriodTurn.TO_END
)


def test_a_full_sitting_offers_the_other():
    """Other times are the period's own arrivals, however far they lie: of two, the other is the one offer."""
    apart = attrs.evolve(SITTINGS, turn=None, turn_bands=[TurnBand(8, 135)])
    venue = restaurant(apart)
    first = SeatingRequest.at(venue, Booking("x", "r-1", 2, dt.datetime(2031, 3, 8, 18, tzinfo=venue.zone)))
    full = decision(venue, "2031-03-08T18:00", taken=[Occupied(table_id="T1", window=first.blocked)])
    assert full.refusal in (Reason.NO_FIT, Reason.INFEASIBLE)
    assert shown(venue, full.nearest) == ["08 20:30"]


def test_a_time_that_is_no_arrival_is_refused_with_the_nearest_that_are():
    """The restaurant serves at seven, but nobody arrives then."""
    refused = decision(restaurant(SITTINGS), "2031-03-08T19:00")
    assert refused.refusal is Reason.NOT_AN_ARRIVAL
    assert refused.turned_away == {"not_an_arrival": 1}
    assert shown(restaurant(SITTINGS), refused.nearest) == ["08 18:00", "08 20:30"]


def test_offers_of_other_periods_end_with_the_reach():
    """Lunch is not offered to who comes for dinner, unless the policy's reach leads there."""
    lunch = ServicePeriod("lunch", dt.time(12), dt.time(17), arrivals=Arrivals(every=60, last=dt.time(15)))
    near, far = restaurant(lunch, SITTINGS), restaurant(lunch, SITTINGS, offer_within_minutes=300)
    assert shown(near, decision(near, "2031-03-08T18:30").nearest) == ["08 18:00", "08 20:30"]
    assert shown(far, decision(far, "2031-03-08T18:30").nearest)[:3] == ["08 18:00", "08 20:30", "08 15:00"]


@pytest.mark.parametrize(
    ("date", "opens", "minutes"),
    [("2031-03-29", "23:00", 180), ("2031-10-25", "23:00", 300), ("2031-05-03", "23:00", 240)],
)
def test_who_sits_to_the_end_goes_by_the_clock(date, opens, minutes):
    """Until three o'clock is an hour less in spring, and one more in autumn."""
    venue = restaurant(ServicePeriod("night", dt.time(22), dt.time(3), turn="to_end"))
    start = dt.datetime.fromisoformat(f"{date}T{opens}").replace(tzinfo=venue.zone)
    assert venue.turn(Booking("b-1", "r-1", 2, start)).duration == minutes * MINUTE


def test_a_special_day_takes_the_place_of_the_weeks_hours():
    """Closed, or open at other times; the evening before runs on past midnight."""
    gala = ServicePeriod("gala", dt.time(19), dt.time(2), arrivals=[dt.time(19)], turn="to_end")
    venue = restaurant(
        ServicePeriod("dinner", dt.time(18), dt.time(1)),
        special_days=[
            SpecialDay(date=dt.date(2031, 12, 25), closed=True, note="Christmas"),
            SpecialDay(from_=dt.date(2031, 7, 1), until=dt.date(2031, 7, 14), closed=True),
            SpecialDay(date=dt.date(2031, 12, 31), service_periods=[gala]),
        ],
    )
    told = {
        "2031-12-24T23:30": None,  # Until one in the morning of the 25th.
        "2031-12-25T20:00": Reason.OUTSIDE_SERVICE,
        "2031-12-26T20:00": None,
        "2031-06-30T20:00": None,
        "2031-07-01T20:00": Reason.OUTSIDE_SERVICE,
        "2031-07-14T20:00": Reason.OUTSIDE_SERVICE,
        "2031-07-15T20:00": None,
        "2031-12-31T18:00": Reason.OUTSIDE_SERVICE,
        "2031-12-31T19:00": None,
        "2031-12-31T20:00": Reason.NOT_AN_ARRIVAL,
    }
    assert {moment: decision(venue, moment).refusal for moment in told} == told


def test_a_closed_day_of_who_is_open_always():
    """Without service periods, all other dates are open from midnight to midnight and on."""
    venue = restaurant(special_days=[SpecialDay(date=dt.date(2031, 5, 4), closed=True)])
    assert decision(venue, "2031-05-02T23:30").refusal is None
    assert decision(venue, "2031-05-03T23:30").refusal is Reason.OUTSIDE_SERVICE
    assert decision(venue, "2031-05-04T12:00").refusal is Reason.OUTSIDE_SERVICE
    assert decision(venue, "2031-05-05T00:00").refusal is None


def test_who_arrives_in_time_may_stay():
    """With ``arrive_by``, the end bounds the arrival, and nobody arrives at the end itself."""
    venue = restaurant(ServicePeriod("dinner", dt.time(17), dt.time(22), end_rule=EndRule.ARRIVE_BY))
    refusals = [decision(venue, f"2031-05-04T{time}").refusal for time in ("16:59", "17:00", "21:59", "22:00")]
    assert refusals == [Reason.OUTSIDE_SERVICE, None, None, Reason.OUTSIDE_SERVICE]


def test_a_person_decides_on_large_parties():
    """They are refused with what is free for them, on open days; others are seated."""
    venue = Venue("r-1", "UTC", FloorPlan([Table("T1", 12)]), VenuePolicy(review_from_party=9))
    large = decision(venue, "2031-05-04T20:00", party_size=9)
    assert (large.plan, large.refusal, large.suggestion.tables) == (None, Reason.LARGE_PARTY, ("T1",))
    assert decision(venue, "2031-05-04T20:00", party_size=8).plan.tables == ("T1",)
    assert decision(venue, "2031-05-04T20:00", party_size=13).refusal is Reason.LARGE_PARTY
    closed = attrs.evolve(venue.policy, special_days=[SpecialDay(date=dt.date(2031, 5, 4), closed=True)])
    shut = attrs.evolve(venue, policy=closed, version="2")
    assert decision(shut, "2031-05-04T20:00", party_size=9).refusal is Reason.OUTSIDE_SERVICE
