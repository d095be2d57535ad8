"""What a restaurant allows, and what it prefers."""

from __future__ import annotations

import datetime as dt
import enum
from functools import cached_property
from typing import Any

import attrs

from assignment_pipeline.domain.booking import MAX_PARTY
from assignment_pipeline.domain.checks import as_tuple, each, enum_fields, kind, number, whole
from assignment_pipeline.domain.pacing import PacingRule
from assignment_pipeline.domain.periods import (
    DAY_MINUTES,
    WEEKDAYS,
    Arrivals,
    EndRule,
    PeriodTurn,
    ServicePeriod,
    SpecialDay,
    TurnBand,
    apart,
    each_date_once,
    ever_larger,
    into_the_day_after,
    minutes_of,
)
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.plain import Printed

__all__ = [
    "DEFAULT_TURNS",
    "WEEKDAYS",
    "AdjacencyMode",
    "Arrivals",
    "EndRule",
    "PeriodTurn",
    "Reseat",
    "ServicePeriod",
    "SpecialDay",
    "TurnBand",
    "TurnFrom",
    "VenuePolicy",
    "Weights",
]


class AdjacencyMode(enum.StrEnum):
    """Which sets of tables may be joined."""

    CONNECTED = "connected"
    """Each can be reached from each other through adjacent tables of the set."""

    NEIGHBOURS = "neighbours"
    """One of them is adjacent to all the others."""

    PAIRWISE = "pairwise"
    """Each is adjacent to each other."""


class Reseat(enum.StrEnum):
    """Whether a booking may be given tables by moving others."""

    AUTO = "auto"
    """Yes: the moves are committed with it."""

    SUGGEST = "suggest"
    """A person decides: what would do is in the decision."""

    OFF = "off"
    """No."""


class TurnFrom(enum.StrEnum):
    """From when on the turn of a party counts that has sat down."""

    ARRIVAL = "arrival"
    """From its arrival: who comes late stays as much longer, who comes early leaves as much earlier."""

    BOOKING = "booking"
    """From the time that it has booked: the table is wanted back then, whenever the party came."""


DEFAULT_TURNS = (TurnBand(2, 90), TurnBand(4, 105), TurnBand(6, 120), TurnBand(MAX_PARTY, 150))


@attrs.frozen(kw_only=True, repr=False)
class Weights(Printed):
    """
    What the engine's cost is made of, each in wasted seats.

    Attributes:
        waste: For every seat that stays empty.

        join: For every table beyond the first.

        scarcity: For every combination that needs the table; at most 20 count.

        gap: For every seat and 5-minute slot beyond four that is left in a gap too short to sell.
    """

    waste: float = attrs.field(default=1.0, validator=number(0, 1000))
    join: float = attrs.field(default=1.0, validator=number(0, 1000))
    scarcity: float = attrs.field(default=0.1, validator=number(0, 1000))
    gap: float = attrs.field(default=0.1, validator=number(0, 1000))


@attrs.frozen(kw_only=True, field_transformer=enum_fields, repr=False)
class VenuePolicy(Printed):
    """
    What a restaurant allows and prefers. The default allows all that the tables do, with three tables a combination.

    Attributes:
        service_periods: When it serves in the week, no two at the same time; none means always.

        special_days: The dates on which other hours hold; each date in one of them. No night lasts into the periods of
            the day after.

        pacing: How many may arrive at a time; every rule holds by itself.

        turn_bands: How long parties sit that did not say, and whose period does not say either; parties beyond the last
            band sit as long as it.

        turn_from: From when on the turn of a party counts that has sat down: until then its tables are kept for it.

        offer_within_minutes: How far from the time that was asked for others are offered, in minutes, from 0 to 1,440.
            Where a period names its arrivals, all of them are offered to who asked for a time within it.

        pre_buffer_minutes: Minutes for which a table is blocked before a party, from 0 to 360.

        post_buffer_minutes: Minutes for which it is blocked after one, from 0 to 360.

        max_tables: Tables in a combination at most, from 1 to 8.

        max_overage: Empty seats at a combination at most; None means no limit.

        adjacency: Which sets of adjacent tables may be joined.

        reseat: Whether bookings may be moved to make room for another.

        freeze_minutes: Minutes before its arrival from which a party is not moved any more.

        retry_cutoff_minutes: Minutes before a party's arrival from which a refusal goes straight to a person.

        review_from_party: The smallest party on which a person decides; None means that none is too large to be seated
            without one.

        shortest_stay_minutes: The shortest stay that a party at the door is offered where a booking follows, in
            minutes, from 5 to 1,440; None means that its stay is never shortened.

        weights: What the engine's cost is made of.
    """

    service_periods: tuple[ServicePeriod, ...] = attrs.field(default=(), converter=as_tuple, validator=apart)
    special_days: tuple[SpecialDay, ...] = attrs.field(default=(), converter=as_tuple, validator=each_date_once)
    pacing: tuple[PacingRule, ...] = attrs.field(default=(), converter=as_tuple, validator=each(kind(PacingRule)))
    turn_bands: tuple[TurnBand, ...] = attrs.field(default=DEFAULT_TURNS, converter=as_tuple, validator=ever_larger)
    turn_from: TurnFrom = attrs.field(default=TurnFrom.ARRIVAL, converter=TurnFrom)
    offer_within_minutes: int = attrs.field(default=120, validator=whole(0, DAY_MINUTES))
    pre_buffer_minutes: int = attrs.field(default=0, validator=whole(0, 360))
    post_buffer_minutes: int = attrs.field(default=0, validator=whole(0, 360))
    max_tables: int = attrs.field(default=3, validator=whole(1, 8))
    max_overage: int | None = attrs.field(default=None, validator=attrs.validators.optional(whole(0, MAX_PARTY)))
    adjacency: AdjacencyMode = attrs.field(default=AdjacencyMode.CONNECTED, converter=AdjacencyMode)
    reseat: Reseat = attrs.field(default=Reseat.AUTO, converter=Reseat)
    freeze_minutes: int = attrs.field(default=30, validator=whole(0, DAY_MINUTES))
    retry_cutoff_minutes: int = attrs.field(default=15, validator=whole(0, DAY_MINUTES))
    review_from_party: int | None = attrs.field(default=None, validator=attrs.validators.optional(whole(1, MAX_PARTY)))
    shortest_stay_minutes: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(whole(5, DAY_MINUTES))
    )
    weights: Weights = attrs.field(default=Weights(), validator=kind(Weights))

    @special_days.validator
    def _leave_the_days_beside_alone(self, attribute: Any, days: tuple[SpecialDay, ...]) -> None:
        both = into_the_day_after(self.service_periods, days)
        if both is not None:
            raise InvalidValueError(attribute.name, "periods that do not overlap on a day", both)

    @pacing.validator
    def _names_its_periods(self, attribute: Any, rules: tuple[PacingRule, ...]) -> None:
        names = dict.fromkeys(period.name for period in self.all_periods)
        unknown = [name for rule in rules for name in rule.periods if name not in names]
        if unknown:
            expected = f"periods among {', '.join(names)}" if names else "no periods, where the policy has none"
            raise InvalidValueError(attribute.name, expected, repr(unknown[0]))

    @cached_property
    def pre_buffer(self) -> dt.timedelta:
        """For how long a table is blocked before a party."""
        return dt.timedelta(minutes=self.pre_buffer_minutes)

    @cached_property
    def post_buffer(self) -> dt.timedelta:
        """For how long a table is blocked after a party."""
        return dt.timedelta(minutes=self.post_buffer_minutes)

    @property
    def shortest_stay(self) -> dt.timedelta | None:
        """The shortest stay that a party at the door is offered; None means that its stay is never shortened."""
        minutes = self.shortest_stay_minutes
        return None if minutes is None else dt.timedelta(minutes=minutes)

    @property
    def retry_cutoff(self) -> dt.timedelta:
        """How long before a party's arrival a refusal goes straight to a person."""
        return dt.timedelta(minutes=self.retry_cutoff_minutes)

    @property
    def freeze(self) -> dt.timedelta:
        """How long before its arrival a party is not moved any more."""
        return dt.timedelta(minutes=self.freeze_minutes)

    @property
    def offer_within(self) -> dt.timedelta:
        """How far from the time that was asked for others are offered."""
        return dt.timedelta(minutes=self.offer_within_minutes)

    @cached_property
    def all_periods(self) -> tuple[ServicePeriod, ...]:
        """Its service periods, those of special days too."""
        return (*self.service_periods, *(period for day in self.special_days for period in day.service_periods))

    @cached_property
    def has_hours(self) -> bool:
        """Whether it does not serve at all times."""
        return bool(self.service_periods or self.special_days)

    @cached_property
    def names_arrivals(self) -> bool:
        """Whether a period names its arrivals."""
        return any(period.arrivals is not None for period in self.all_periods)

    @cached_property
    def turns_vary(self) -> bool:
        """Whether it depends on the period how long a party sits."""
        return any(period.turn is not None or period.turn_bands is not None for period in self.all_periods)

    @cached_property
    def longest_slot(self) -> dt.timedelta:
        """The longest slot of its pacing; nothing where it has none."""
        return dt.timedelta(minutes=max((rule.minutes for rule in self.pacing), default=0))

    @cached_property
    def reach(self) -> dt.timedelta:
        """How far from the time that was asked for another may be that is offered."""
        named = (period.longest for period in self.all_periods if period.arrivals is not None)
        return dt.timedelta(minutes=max((self.offer_within_minutes, *named)))

    @cached_property
    def longest_turn(self) -> dt.timedelta:
        """The longest stay of all turn bands, and of periods whose parties sit until they end."""
        own = max(band.minutes for band in self.turn_bands)
        return dt.timedelta(minutes=max((own, *(period.longest_turn for period in self.all_periods))))

    @cached_property
    def planning_margin(self) -> dt.timedelta:
        """How far planning for a booking looks beyond its own time: at times on offer, and what lies next to them."""
        return self.reach + self.pre_buffer + self.longest_turn + self.post_buffer

    def needs_review(self, party_size: int) -> bool:
        """Whether a person decides on parties of that size."""
        return self.review_from_party is not None and party_size >= self.review_from_party

    def turn(self, party_size: int) -> dt.timedelta:
        """How long a party of that size sits when neither it nor its period says."""
        return dt.timedelta(minutes=minutes_of(self.turn_bands, party_size))
