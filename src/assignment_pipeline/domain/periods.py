"""When a restaurant serves, and by which rules: service periods, their arrivals and turns, and special days."""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import attrs

from assignment_pipeline.domain.booking import MAX_PARTY
from assignment_pipeline.domain.checks import (
    as_tuple,
    each,
    enum_fields,
    flag,
    identifier,
    kind,
    optional_identifier,
    whole,
    word_of,
)
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.plain import Printed

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

DAY = dt.timedelta(days=1)
DAY_MINUTES = 24 * 60

_CLOCK_CHANGE = 120
"""Minutes by which a change of the clock may lengthen a night, with room to spare."""


class EndRule(enum.StrEnum):
    """What the end of a service period bounds."""

    LEAVE_BY = "leave_by"
    """The turn ends inside the period."""

    ARRIVE_BY = "arrive_by"
    """The party arrives inside the period, and may stay on."""


class PeriodTurn(enum.StrEnum):
    """How long parties sit, where no number of minutes says so."""

    TO_END = "to_end"
    """Until the period ends, by the clock on the wall."""


def minute_of_day(time: dt.time) -> int:
    """The minutes since midnight on the clock."""
    return time.hour * 60 + time.minute


def wall_time(_: object, attribute: Any, value: Any) -> None:
    """A local time of day without seconds."""
    if not isinstance(value, dt.time) or value.tzinfo is not None or value.second or value.microsecond:
        raise InvalidValueError(attribute.name, "a local time of day in whole minutes", repr(value))


def _date(_: object, attribute: Any, value: Any) -> None:
    if value is not None and (not isinstance(value, dt.date) or isinstance(value, dt.datetime)):
        raise InvalidValueError(attribute.name, "a date", repr(value))


def _weekdays(_: object, attribute: Any, value: tuple[str, ...]) -> None:
    unknown = [day for day in value if day not in WEEKDAYS]
    if unknown or not value or len(set(value)) != len(value):
        raise InvalidValueError(attribute.name, f"days among {', '.join(WEEKDAYS)}, each once", f"{list(value)!r}")


@attrs.frozen(repr=False)
class TurnBand(Printed):
    """
    How long parties up to a size sit.

    Attributes:
        up_to: The largest party of the band.

        minutes: How long it sits, in minutes, from 15 to 1,440.
    """

    up_to: int = attrs.field(validator=whole(1, MAX_PARTY))
    minutes: int = attrs.field(validator=whole(15, DAY_MINUTES))


def ever_larger(_: object, attribute: Any, bands: tuple[TurnBand, ...]) -> None:
    """Turn bands for ever larger parties, one at least."""
    each(kind(TurnBand))(_, attribute, bands)
    sizes = [band.up_to for band in bands]
    if not bands or sizes != sorted(set(sizes)):
        raise InvalidValueError(attribute.name, "bands for ever larger parties", repr(sizes))


def minutes_of(bands: tuple[TurnBand, ...], party_size: int) -> int:
    """How long a party of that size sits, in minutes; one beyond the last band sits as long as it."""
    for band in bands:
        if party_size <= band.up_to:
            return band.minutes
    return bands[-1].minutes


@attrs.frozen(kw_only=True, repr=False)
class Arrivals(Printed):
    """
    Arrivals at regular times of the clock.

    Attributes:
        every: Minutes between two, from 1 to 1,440.

        first: The first; None means the start of the period.

        last: The latest that there may be; None means the end of the period, at which nobody arrives any more.
    """

    every: int = attrs.field(validator=whole(1, DAY_MINUTES))
    first: dt.time | None = attrs.field(default=None, validator=attrs.validators.optional(wall_time))
    last: dt.time | None = attrs.field(default=None, validator=attrs.validators.optional(wall_time))


def _arrivals(value: Any) -> Any:
    return value if value is None or isinstance(value, Arrivals) else as_tuple(value)


def _optional_tuple(value: Any) -> Any:
    return None if value is None else as_tuple(value)


def _turn(value: Any) -> PeriodTurn | None:
    return None if value is None else word_of("turn", PeriodTurn, value)


@attrs.frozen(field_transformer=enum_fields, repr=False)
class ServicePeriod(Printed):
    """
    When a restaurant serves, and by which rules.

    Attributes:
        name: What the restaurant calls it, such as ``dinner``.

        start: Local time of day at which it opens.

        end: Local time of day at which it closes; not after *start* means on the next day.

        days: The days on which it opens, from ``mon`` to ``sun``.

        valid_from: The first date on which it opens; None means always so far.

        valid_until: The last date on which it opens; None means for good.

        arrivals: The local times at which parties arrive, as a rule or one by one; None means any minute.

        end_rule: Whether parties leave by the end, or arrive by it.

        turn_bands: How long parties sit that did not say; None leaves that to the policy.

        turn: ``to_end`` if they sit until the period ends; None leaves that to the turn bands.
    """

    name: str = attrs.field(validator=identifier)
    start: dt.time = attrs.field(validator=wall_time)
    end: dt.time = attrs.field(validator=wall_time)
    days: tuple[str, ...] = attrs.field(default=WEEKDAYS, converter=as_tuple, validator=_weekdays)
    valid_from: dt.date | None = attrs.field(default=None, validator=_date, kw_only=True)
    valid_until: dt.date | None = attrs.field(default=None, validator=_date, kw_only=True)
    arrivals: Arrivals | tuple[dt.time, ...] | None = attrs.field(default=None, converter=_arrivals, kw_only=True)
    end_rule: EndRule = attrs.field(default=EndRule.LEAVE_BY, converter=EndRule, kw_only=True)
    turn_bands: tuple[TurnBand, ...] | None = attrs.field(
        default=None, converter=_optional_tuple, validator=attrs.validators.optional(ever_larger), kw_only=True
    )
    turn: PeriodTurn | None = attrs.field(default=None, converter=_turn, kw_only=True)

    @valid_until.validator
    def _is_not_before(self, attribute: Any, value: dt.date | None) -> None:
        if value is not None and self.valid_from is not None and value < self.valid_from:
            raise InvalidValueError(attribute.name, f"a date not before valid_from, {self.valid_from}", f"{value}")

    @arrivals.validator
    def _are_inside(self, attribute: Any, value: Any) -> None:
        times: tuple[Any, ...] = value or ()
        if isinstance(value, Arrivals):
            times = tuple(time for time in (value.first, value.last) if time is not None)
        elif value is not None and (not value or len(set(value)) != len(value)):
            raise InvalidValueError(attribute.name, "one local time or more, each once", _listed(value))
        for time in times:
            wall_time(self, attribute, time)
            if self.minute_of(time) >= self.minutes:
                inside = f"times from {self.start:%H:%M} on and before {self.end:%H:%M}"
                raise InvalidValueError(attribute.name, inside, f"{time:%H:%M}")
        if isinstance(value, Arrivals) and self._ends_before_it_begins(value):
            expected = f"a last one not before the first, {value.first:%H:%M}"
            raise InvalidValueError(attribute.name, expected, f"{value.last:%H:%M}")

    def _ends_before_it_begins(self, rule: Arrivals) -> bool:
        first, last = rule.first, rule.last
        return first is not None and last is not None and self.minute_of(last) < self.minute_of(first)

    @turn.validator
    def _is_the_only_one(self, attribute: Any, value: PeriodTurn | None) -> None:
        if value is not None and self.turn_bands is not None:
            raise InvalidValueError(attribute.name, "turn_bands or turn, not both", "both")

    @property
    def past_midnight(self) -> bool:
        """Whether it closes on the day after it opened."""
        return self.end <= self.start

    @cached_property
    def minutes(self) -> int:
        """How long it lasts by the clock, in minutes."""
        return (minute_of_day(self.end) - minute_of_day(self.start) - 1) % DAY_MINUTES + 1

    def minute_of(self, time: dt.time) -> int:
        """How long after its start the clock shows *time* first, in minutes."""
        return (minute_of_day(time) - minute_of_day(self.start)) % DAY_MINUTES

    @cached_property
    def arrival_times(self) -> tuple[dt.time, ...] | None:
        """The local times at which parties arrive, in order; None where they may at any minute."""
        rule = self.arrivals
        if rule is None:
            return None
        if not isinstance(rule, Arrivals):
            return tuple(sorted(rule, key=self.minute_of))
        first = 0 if rule.first is None else self.minute_of(rule.first)
        behind = self.minutes if rule.last is None else self.minute_of(rule.last) + 1
        midnight, opens = dt.datetime(2000, 1, 1), minute_of_day(self.start)  # noqa: DTZ001 - a clock, of no day
        return tuple(
            (midnight + dt.timedelta(minutes=(opens + minute) % DAY_MINUTES)).time()
            for minute in range(first, behind, rule.every)
        )

    @cached_property
    def arrives_at(self) -> frozenset[dt.time] | None:
        """The same, to look one up."""
        return None if self.arrival_times is None else frozenset(self.arrival_times)

    @property
    def longest_turn(self) -> int:
        """The longest stay that its own rules give, in minutes; 0 where it has none."""
        if self.turn is PeriodTurn.TO_END:
            return min(self.minutes + _CLOCK_CHANGE, DAY_MINUTES)
        return max((band.minutes for band in self.turn_bands or ()), default=0)

    @property
    def longest(self) -> int:
        """How long it lasts at most, in minutes, also in a night in which an hour comes twice."""
        return self.minutes + _CLOCK_CHANGE

    def opens_on(self, date: dt.date) -> bool:
        """Whether it opens on that date, by its days and its validity."""
        return (
            WEEKDAYS[date.weekday()] in self.days
            and (self.valid_from is None or self.valid_from <= date)
            and (self.valid_until is None or date <= self.valid_until)
        )


def _listed(times: Iterable[Any]) -> str:
    return repr([f"{time:%H:%M}" if isinstance(time, dt.time) else time for time in times])


def shared_day(one: ServicePeriod, other: ServicePeriod) -> dt.date | None:
    """A date on which *one* opens and shares time with *other*, by the clock; None if there is none."""
    for later in (-1, 0, 1):
        begins = minute_of_day(other.start) - minute_of_day(one.start) + later * DAY_MINUTES
        if begins < one.minutes and begins + other.minutes > 0:
            day = _both_open(one, other, later * DAY)
            if day is not None:
                return day
    return None


def _both_open(one: ServicePeriod, other: ServicePeriod, later: dt.timedelta) -> dt.date | None:
    """A date on which *one* opens, and *other* does so much *later*."""
    froms = [one.valid_from, None if other.valid_from is None else other.valid_from - later]
    untils = [one.valid_until, None if other.valid_until is None else other.valid_until - later]
    first = max((date for date in froms if date is not None), default=None)
    last = min((date for date in untils if date is not None), default=None)
    if first is None:
        first = dt.date(2001, 1, 1) if last is None else last - 6 * DAY
    for days in range(7):
        date = first + days * DAY
        if (last is None or date <= last) and one.opens_on(date) and other.opens_on(date + later):
            return date
    return None


def apart(_: object, attribute: Any, periods: tuple[ServicePeriod, ...]) -> None:
    """Service periods that share no time on any day."""
    each(kind(ServicePeriod))(_, attribute, periods)
    for place, one in enumerate(periods):
        for other in periods[:place]:
            day = shared_day(other, one)
            if day is not None:
                both = f"{other.name} {_span(other)} and {one.name} {_span(one)} on {WEEKDAYS[day.weekday()]}"
                raise InvalidValueError(attribute.name, "periods that do not overlap on a day", both)


def _span(period: ServicePeriod) -> str:
    return f"{period.start:%H:%M}-{period.end:%H:%M}"


@attrs.frozen(kw_only=True, repr=False)
class SpecialDay(Printed):
    """
    A date, or several in a row, on which other hours hold than in the week. They replace the week's periods.

    A period counts to the date on which it starts: one of the evening before that ends past midnight stays as it is.

    Attributes:
        date: The date; or else *from_* and *until*.

        from_: The first of several dates.

        until: The last of them.

        closed: Whether the restaurant stays closed; or else *service_periods*.

        service_periods: When it serves in place of the week's periods, without days and validity of their own.

        note: Why, for people.
    """

    date: dt.date | None = attrs.field(default=None, validator=_date)
    from_: dt.date | None = attrs.field(default=None, validator=_date)
    until: dt.date | None = attrs.field(default=None, validator=_date)
    closed: bool = attrs.field(default=False, validator=flag)
    service_periods: tuple[ServicePeriod, ...] = attrs.field(
        default=(), converter=as_tuple, validator=each(kind(ServicePeriod))
    )
    note: str | None = attrs.field(default=None, validator=optional_identifier)

    @until.validator
    def _are_dates(self, attribute: Any, until: dt.date | None) -> None:
        if self.date is not None:
            if self.from_ is not None or until is not None:
                raise InvalidValueError("date", "a date, or from and until, not both", "both")
        elif self.from_ is None and until is None:
            raise InvalidValueError("date", "a date, or from and until", "neither")
        elif self.from_ is None:
            raise InvalidValueError("from_", "a date beside until", "none")
        elif until is None:
            raise InvalidValueError(attribute.name, "a date beside from", "none")
        elif until < self.from_:
            raise InvalidValueError(attribute.name, f"a date not before from, {self.from_}", f"{until}")

    @service_periods.validator
    def _say_when(self, attribute: Any, periods: tuple[ServicePeriod, ...]) -> None:
        if self.closed and periods:
            raise InvalidValueError(attribute.name, "none on a day that is closed", f"{len(periods)}")
        if not self.closed and not periods:
            raise InvalidValueError("closed", "true, or service_periods in its place", "neither")
        for period in periods:
            if period.days != WEEKDAYS or period.valid_from is not None or period.valid_until is not None:
                raise InvalidValueError(attribute.name, "periods without days and validity", f"those of {period.name}")
        apart(
            self,
            attribute,
            tuple(attrs.evolve(period, valid_from=self.first, valid_until=self.last) for period in periods),
        )

    @property
    def first(self) -> dt.date:
        """Its first date."""
        first = self.date or self.from_
        assert first is not None  # noqa: S101 - one of them is given
        return first

    @property
    def last(self) -> dt.date:
        """Its last date."""
        return self.until or self.first

    def covers(self, date: dt.date) -> bool:
        """Whether it is about that date."""
        return self.first <= date <= self.last


def hours_on(
    date: dt.date, periods: Iterable[ServicePeriod], special_days: Iterable[SpecialDay]
) -> tuple[ServicePeriod, ...]:
    """The service periods that start on a date: those of its special day, or else those of the week."""
    for day in special_days:
        if day.covers(date):
            return day.service_periods
    return tuple(period for period in periods if period.opens_on(date))


def into_the_day_after(periods: Sequence[ServicePeriod], special_days: Sequence[SpecialDay]) -> str | None:
    """A night that lasts into a period of the day after, where one of the two is a special day; else None."""
    before = {day.first - DAY for day in special_days if day.first > dt.date.min}
    for date in sorted(before | {day.last for day in special_days if day.last < dt.date.max}):
        for late in hours_on(date, periods, special_days):
            for early in hours_on(date + DAY, periods, special_days):
                if minute_of_day(late.start) + late.minutes > DAY_MINUTES + minute_of_day(early.start):
                    return f"{late.name} {_span(late)} on {date} and {early.name} {_span(early)}"
    return None


def each_date_once(_: object, attribute: Any, days: tuple[SpecialDay, ...]) -> None:
    """Special days that have no date in common."""
    each(kind(SpecialDay))(_, attribute, days)
    ordered = sorted(days, key=lambda day: day.first)
    for before, after in itertools.pairwise(ordered):
        if after.first <= before.last:
            raise InvalidValueError(attribute.name, "each date in one entry", f"{after.first} in two")
