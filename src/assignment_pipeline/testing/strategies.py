"""Hypothesis strategies for the values of the domain: all valid, and spread over what tends to go wrong."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from typing import Any

import attrs

from assignment_pipeline.errors import MissingExtraError

try:
    from hypothesis import strategies as st
except ModuleNotFoundError:
    raise MissingExtraError("testing", "hypothesis") from None

from assignment_pipeline.domain.booking import Booking, SeatingPreference
from assignment_pipeline.domain.combination import Combination, Group
from assignment_pipeline.domain.floor import CommunalTable, Counter, FloorPlan, Table
from assignment_pipeline.domain.pacing import PacingRule
from assignment_pipeline.domain.periods import into_the_day_after, shared_day
from assignment_pipeline.domain.policy import (
    WEEKDAYS,
    AdjacencyMode,
    Arrivals,
    EndRule,
    PeriodTurn,
    ServicePeriod,
    SpecialDay,
    TurnBand,
    VenuePolicy,
    Weights,
)
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.domain.zones import TableOffer, Zone

MINUTE = dt.timedelta(minutes=1)
_DAY = dt.timedelta(days=1)

TIMEZONES = ("Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca", "UTC")
"""Some change the clock, one of them by half an hour, one of them for Ramadan; one is off the full hour."""

NIGHTS = (
    dt.datetime(2031, 3, 9, 7, tzinfo=dt.UTC),  # New York springs forward.
    dt.datetime(2031, 3, 30, 1, tzinfo=dt.UTC),  # London does.
    dt.datetime(2031, 4, 5, 15, tzinfo=dt.UTC),  # Lord Howe falls back, by half an hour.
    dt.datetime(2031, 10, 26, 1, tzinfo=dt.UTC),  # London falls back.
    dt.datetime(2031, 11, 2, 6, tzinfo=dt.UTC),  # New York does.
    dt.datetime(2031, 12, 31, 23, 30, tzinfo=dt.UTC),
    dt.datetime(2032, 2, 29, 19, tzinfo=dt.UTC),
)
"""When the clock changes, the year ends, and it is the 29th of February."""

SEATINGS = tuple(place for place in SeatingPreference if place is not SeatingPreference.ANY)
ZONES = ("window", "terrace", "Galerie Süd")
TAGS = ("quiet", "high chair", "view")


def identifiers() -> st.SearchStrategy[str]:
    """Ids as hosts have them: short ones that meet again, and any printable text."""
    text = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)
    return st.one_of(st.from_regex(r"[a-z]-[0-9]{1,2}", fullmatch=True), text.filter(str.isprintable))


def instants() -> st.SearchStrategy[dt.datetime]:
    """Whole minutes in UTC, most on the quarter hour, many around a change of the clock."""
    near = st.builds(
        lambda night, quarters, minutes: night + 15 * quarters * MINUTE + minutes * MINUTE,
        st.sampled_from(NIGHTS),
        st.integers(-4 * 12, 4 * 12),
        st.sampled_from([0, 0, 0, 1, 7, 14]),
    )
    anywhere = st.datetimes(dt.datetime(2031, 1, 1), dt.datetime(2032, 12, 31))  # noqa: DTZ001 - a zone is added
    return st.one_of(near, anywhere.map(lambda time: time.replace(second=0, microsecond=0, tzinfo=dt.UTC)))


def windows(longest: dt.timedelta = dt.timedelta(hours=6)) -> st.SearchStrategy[TimeWindow]:
    """Windows of a minute and more."""
    lengths = st.one_of(st.sampled_from([1, 15, 90]), st.integers(1, longest // MINUTE))
    lengths = lengths.filter(lambda minutes: minutes * MINUTE <= longest)
    return st.builds(lambda start, minutes: TimeWindow(start, start + minutes * MINUTE), instants(), lengths)


@st.composite
def tables(draw: st.DrawFn, table_id: str | None = None) -> Table:
    """Tables from one seat to ten; some with limits of their own, some accessible, few out of use."""
    capacity = draw(st.one_of(st.sampled_from([2, 2, 4, 4, 6]), st.integers(1, 10)))
    smallest = draw(st.sampled_from([1, 1, max(1, capacity - 1)]))
    name = draw(identifiers()) if table_id is None else table_id
    return Table(
        name,
        capacity,
        label=draw(st.sampled_from([name, "By the window"])),
        min_party_size=smallest,
        max_party_size=draw(st.sampled_from([capacity, max(smallest, capacity - 1), capacity + 2])),
        zone=draw(st.sampled_from([None, *ZONES])),
        seating=draw(st.sampled_from(SEATINGS)),
        accessible=draw(st.booleans()),
        active=draw(st.sampled_from([True] * 7 + [False])),
        priority=draw(st.integers(-2, 2)),
        offer=draw(st.sampled_from([None] * 5 + list(TableOffer))),
        held_until_minutes=draw(st.sampled_from([None, None, 0, 60, 1440])),
        tags=draw(st.frozensets(st.sampled_from(TAGS))),
    )


@st.composite
def combinations(draw: st.DrawFn, combination_id: str, table_ids: tuple[str, ...]) -> Combination:
    """Named combinations of those tables, some with limits of their own."""
    capacity = draw(st.integers(1, 12))
    smallest = draw(st.sampled_from([None, None, 1, capacity]))
    return Combination(
        combination_id,
        table_ids,
        capacity,
        min_party_size=smallest,
        max_party_size=draw(st.integers(smallest or 1, capacity)),
        priority=draw(st.integers(-2, 2)),
    )


@st.composite
def floors(
    draw: st.DrawFn, min_tables: int = 1, max_tables: int = 7, *, named: int = 2, rows: bool = False
) -> FloorPlan:
    """
    Floors on which any tables may stand side by side: from none to all of them.

    Args:
        min_tables: Tables at least.

        max_tables: Tables at most.

        named: Named combinations at most.

        rows: Whether there may be a counter or a communal table, of four seats at most, beside the tables.
    """
    ids = [f"T{number}" for number in range(1, draw(st.integers(min_tables, max_tables)) + 1)]
    pairs = list(itertools.combinations(ids, 2))
    adjacent = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2 * len(ids)) if pairs else st.just([]))
    members = st.lists(st.sampled_from(ids), min_size=2, unique=True).map(lambda some: tuple(sorted(some)))
    sets = draw(st.lists(members, unique=True, max_size=named)) if pairs and named else []
    joined = [draw(combinations(f"C{number}", some)) for number, some in enumerate(sets, 1)]
    placed = [draw(tables(table_id)) for table_id in ids]
    named_sets = [set(one.tables) for one in joined]
    grouped = draw(st.lists(members, max_size=2)) if pairs else []
    apart = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=1)) if pairs else []
    return FloorPlan(
        (*placed, *(draw(seats()) if rows else ())),
        adjacent,
        joined,
        zones=draw(zones(placed)),
        groups=[Group(f"G{number}", some) for number, some in enumerate(grouped)],
        never_joined=[pair for pair in apart if not any(set(pair) <= one for one in named_sets)],
    )


@st.composite
def seats(draw: st.DrawFn) -> tuple[Table, ...]:
    """The seats of a counter or a communal table, four at most, or none."""
    kind = draw(st.sampled_from([None, None, None, Counter, CommunalTable]))
    if kind is None:
        return ()
    row = kind("R", draw(st.integers(1, 4)), zone=draw(st.sampled_from([None, *ZONES])))
    in_use = st.sampled_from([True] * 5 + [False])
    return tuple(attrs.evolve(seat, active=draw(in_use), accessible=draw(st.booleans())) for seat in row.stools)


def zones(placed: Sequence[Table]) -> st.SearchStrategy[list[Zone]]:
    """Zones of those tables, some held back from bookings."""
    names = sorted({table.zone for table in placed if table.zone is not None})
    offers = st.tuples(st.sampled_from(TableOffer), st.sampled_from([None, 0, 120]))
    if not names:
        return st.just([])
    made = st.lists(st.tuples(st.sampled_from(names), offers), unique_by=lambda one: one[0], max_size=2)
    return made.map(lambda found: [Zone(name, offer=offer, held_until_minutes=held) for name, (offer, held) in found])


def wall_times() -> st.SearchStrategy[dt.time]:
    """Local times of day in whole minutes, many in the hours that a change of the clock skips or repeats."""
    odd = st.sampled_from([dt.time(0), dt.time(1), dt.time(1, 30), dt.time(2), dt.time(2, 30), dt.time(23, 59)])
    quarters = st.builds(dt.time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
    return st.one_of(odd, quarters)


@st.composite
def service_periods(draw: st.DrawFn) -> ServicePeriod:
    """Service periods by all sorts of rules, many of which end past midnight, some not open daily."""
    days = draw(
        st.one_of(
            st.just(WEEKDAYS),
            st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True),
        )
    )
    name = draw(st.sampled_from(["lunch", "dinner", "late"]))
    plain = ServicePeriod(name, draw(wall_times()), draw(wall_times()), days)
    rules = draw(st.sampled_from(["none", "none", "arrivals", "end", "turns", "dates", "all"]))
    if rules in ("arrivals", "all"):
        minutes = st.integers(0, min(plain.minutes - 1, 600)).map(lambda minute: minute // 5 * 5)
        times = st.lists(minutes, min_size=1, max_size=4, unique=True)
        chosen = [_later(plain.start, minute) for minute in sorted(draw(times))]
        rule = Arrivals(every=draw(st.sampled_from([10, 15, 30, 45])), first=chosen[0], last=chosen[-1])
        plain = attrs.evolve(plain, arrivals=draw(st.sampled_from([rule, tuple(chosen)])))
    if rules in ("end", "all"):
        plain = attrs.evolve(plain, end_rule=EndRule.ARRIVE_BY)
    if rules in ("turns", "all"):
        own = st.just({"turn": PeriodTurn.TO_END}) | turn_bands().map(lambda bands: {"turn_bands": bands})
        plain = attrs.evolve(plain, **draw(own))
    if rules in ("dates", "all"):
        first = draw(dates())
        plain = attrs.evolve(plain, valid_from=first, valid_until=first + draw(st.integers(0, 400)) * _DAY)
    return plain


def dates() -> st.SearchStrategy[dt.date]:
    """Dates of the years in which `instants` lie, many beside a change of the clock."""
    return instants().map(lambda instant: instant.date())


def _later(time: dt.time, minutes: int) -> dt.time:
    return (dt.datetime.combine(dt.date(2000, 1, 1), time) + minutes * MINUTE).time()


def _kept_apart(periods: list[ServicePeriod]) -> tuple[ServicePeriod, ...]:
    """Those of the periods that share no time with one before them."""
    kept: list[ServicePeriod] = []
    for period in periods:
        if all(shared_day(other, period) is None for other in kept):
            kept.append(period)
    return tuple(kept)


@st.composite
def special_days(draw: st.DrawFn) -> SpecialDay:
    """Special days: closed, or with hours of their own; one date, or several."""
    first = draw(dates())
    last = first + draw(st.sampled_from([0, 0, 1, 13])) * _DAY
    day, from_, until = (first, None, None) if first == last else (None, first, last)
    if draw(st.booleans()):
        return SpecialDay(date=day, from_=from_, until=until, closed=True)
    own = attrs.evolve(draw(service_periods()), days=WEEKDAYS, valid_from=None, valid_until=None)
    return SpecialDay(date=day, from_=from_, until=until, service_periods=[own])


@st.composite
def _hours(draw: st.DrawFn) -> dict[str, Any]:
    """The service periods and special days of a policy. None lasts into another one."""
    periods = draw(st.one_of(st.just(()), st.lists(service_periods(), max_size=3).map(_kept_apart)))
    days = draw(st.one_of(st.just(()), st.just(()), special_days().map(lambda day: (day,))))
    return {"service_periods": periods, "special_days": () if into_the_day_after(periods, days) else days}


@st.composite
def turn_bands(draw: st.DrawFn) -> tuple[TurnBand, ...]:
    """One to four bands for ever larger parties."""
    sizes = sorted(draw(st.sets(st.integers(1, 12), min_size=1, max_size=4)))
    return tuple(TurnBand(size, draw(st.sampled_from([15, 60, 90, 105, 120, 150]))) for size in sizes)


def weights() -> st.SearchStrategy[Weights]:
    """The default weights, and others that may be zero."""
    weight = st.sampled_from([0, 0.03, 0.5, 1, 10])
    return st.one_of(st.just(Weights()), st.builds(Weights, waste=weight, join=weight, scarcity=weight, gap=weight))


def pacing_rules() -> st.SearchStrategy[PacingRule]:
    """Caps on the arrivals of a slot, of all bookings or of a channel."""
    limits = st.sampled_from([(4, None), (20, 6), (None, 1), (None, 3)])
    minutes, channels = st.sampled_from([15, 15, 30, 45, 120, 1440]), st.sampled_from([None, None, "online"])
    return st.builds(
        lambda minutes, limit, channel: PacingRule(minutes=minutes, covers=limit[0], parties=limit[1], channel=channel),
        minutes,
        limits,
        channels,
    )


def policies() -> st.SearchStrategy[VenuePolicy]:
    """Policies with and without service periods, buffers, and limits to combinations."""
    buffers = st.sampled_from([0, 0, 5, 15, 60])
    return st.builds(
        lambda hours, **rules: VenuePolicy(**hours, **rules),
        hours=_hours(),
        pacing=st.one_of(st.just(()), st.just(()), st.lists(pacing_rules(), max_size=2).map(tuple)),
        turn_bands=turn_bands(),
        pre_buffer_minutes=buffers,
        post_buffer_minutes=buffers,
        max_tables=st.integers(1, 4),
        max_overage=st.one_of(st.none(), st.integers(0, 4)),
        adjacency=st.sampled_from(AdjacencyMode),
        retry_cutoff_minutes=st.sampled_from([0, 15, 60]),
        review_from_party=st.sampled_from([None, None, None, 6, 12]),
        offer_within_minutes=st.sampled_from([0, 60, 120, 120, 200]),
        weights=weights(),
    )


def venues(
    floor: st.SearchStrategy[FloorPlan] | None = None, policy: st.SearchStrategy[VenuePolicy] | None = None
) -> st.SearchStrategy[Venue]:
    """
    Restaurants.

    Args:
        floor: Which floors they have; any of `floors` unless told otherwise.

        policy: Which policies they have; any of `policies` unless told otherwise.
    """
    return st.builds(
        Venue,
        identifiers(),
        st.sampled_from(TIMEZONES),
        floors(rows=True) if floor is None else floor,
        policies() if policy is None else policy,
    )


@st.composite
def bookings(
    draw: st.DrawFn, *, restaurant_id: str | None = None, start_at: st.SearchStrategy[dt.datetime] | None = None
) -> Booking:
    """
    Pending bookings: most of a few guests who do not say how long they stay nor where they want to sit.

    Args:
        restaurant_id: The restaurant that they are for; any unless told otherwise.

        start_at: When the parties arrive; any of `instants` unless told otherwise.
    """
    start = draw(instants() if start_at is None else start_at)
    stay = draw(st.one_of(st.none(), st.sampled_from([15, 60, 90, 24 * 60]), st.integers(1, 300)))
    return Booking(
        draw(identifiers()),
        draw(identifiers()) if restaurant_id is None else restaurant_id,
        draw(st.one_of(st.sampled_from([1, 2, 2, 2, 4, 4, 6]), st.integers(1, 30))),
        start,
        stay and start + stay * MINUTE,
        seating=draw(st.sampled_from([SeatingPreference.ANY] * 4 + list(SEATINGS))),
        zone=draw(st.sampled_from([None] * 4 + list(ZONES))),
        accessible=draw(st.sampled_from([False] * 3 + [True])),
        channel=draw(st.sampled_from([None] * 3 + ["online"])),
    )
