"""What a restaurant allows, and what it prefers."""

from __future__ import annotations

import datetime as dt
import enum
from functools import cached_property
from typing import Any

import attrs

from assignment_pipeline.domain.booking import MAX_PARTY
from assignment_pipeline.domain.checks import as_tuple, each, identifier, kind, number, whole
from assignment_pipeline.errors import InvalidValueError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


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


def _wall_time(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, dt.time) or value.tzinfo is not None or value.second or value.microsecond:
        raise InvalidValueError(attribute.name, "a local time of day in whole minutes", repr(value))


def _weekdays(_: object, attribute: Any, value: tuple[str, ...]) -> None:
    unknown = [day for day in value if day not in WEEKDAYS]
    if unknown or not value or len(set(value)) != len(value):
        raise InvalidValueError(attribute.name, f"days among {', '.join(WEEKDAYS)}, each once", f"{list(value)!r}")


@attrs.frozen
class ServicePeriod:
    """
    When a restaurant serves: bookings start and end inside a period.

    Attributes:
        name: What the restaurant calls it, such as ``dinner``.

        start: Local time of day at which it opens.

        end: Local time of day at which it closes; not after *start* means on the next day.

        days: The days on which it opens, from ``mon`` to ``sun``.
    """

    name: str = attrs.field(validator=identifier)
    start: dt.time = attrs.field(validator=_wall_time)
    end: dt.time = attrs.field(validator=_wall_time)
    days: tuple[str, ...] = attrs.field(default=WEEKDAYS, converter=as_tuple, validator=_weekdays)

    @property
    def past_midnight(self) -> bool:
        """Whether it closes on the day after it opened."""
        return self.end <= self.start


@attrs.frozen
class TurnBand:
    """
    How long parties up to a size sit.

    Attributes:
        up_to: The largest party of the band.

        minutes: How long it sits, in minutes, from 15 to 1,440.
    """

    up_to: int = attrs.field(validator=whole(1, MAX_PARTY))
    minutes: int = attrs.field(validator=whole(15, 24 * 60))


DEFAULT_TURNS = (TurnBand(2, 90), TurnBand(4, 105), TurnBand(6, 120), TurnBand(MAX_PARTY, 150))


@attrs.frozen(kw_only=True)
class Weights:
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


def _turn_bands(_: object, attribute: Any, bands: tuple[TurnBand, ...]) -> None:
    each(kind(TurnBand))(_, attribute, bands)
    sizes = [band.up_to for band in bands]
    if not bands or sizes != sorted(set(sizes)):
        raise InvalidValueError(attribute.name, "bands for ever larger parties", repr(sizes))


@attrs.frozen(kw_only=True)
class VenuePolicy:
    """
    What a restaurant allows and prefers. The default allows all that the tables do, with three tables a combination.

    Attributes:
        service_periods: When it serves; none means always.

        turn_bands: How long parties sit that did not say; parties beyond the last band sit as long as it.

        pre_buffer_minutes: Minutes for which a table is blocked before a party, from 0 to 360.

        post_buffer_minutes: Minutes for which it is blocked after one, from 0 to 360.

        max_tables: Tables in a combination at most, from 1 to 8.

        max_overage: Empty seats at a combination at most; None means no limit.

        adjacency: Which sets of adjacent tables may be joined.

        reseat: Whether bookings may be moved to make room for another.

        freeze_minutes: Minutes before its arrival from which a party is not moved any more.

        retry_cutoff_minutes: Minutes before a party's arrival from which a refusal goes straight to a person.

        weights: What the engine's cost is made of.
    """

    service_periods: tuple[ServicePeriod, ...] = attrs.field(
        default=(), converter=as_tuple, validator=each(kind(ServicePeriod))
    )
    turn_bands: tuple[TurnBand, ...] = attrs.field(default=DEFAULT_TURNS, converter=as_tuple, validator=_turn_bands)
    pre_buffer_minutes: int = attrs.field(default=0, validator=whole(0, 360))
    post_buffer_minutes: int = attrs.field(default=0, validator=whole(0, 360))
    max_tables: int = attrs.field(default=3, validator=whole(1, 8))
    max_overage: int | None = attrs.field(default=None, validator=attrs.validators.optional(whole(0, MAX_PARTY)))
    adjacency: AdjacencyMode = attrs.field(default=AdjacencyMode.CONNECTED, converter=AdjacencyMode)
    reseat: Reseat = attrs.field(default=Reseat.AUTO, converter=Reseat)
    freeze_minutes: int = attrs.field(default=30, validator=whole(0, 24 * 60))
    retry_cutoff_minutes: int = attrs.field(default=15, validator=whole(0, 24 * 60))
    weights: Weights = attrs.field(default=Weights(), validator=kind(Weights))

    @property
    def pre_buffer(self) -> dt.timedelta:
        """For how long a table is blocked before a party."""
        return dt.timedelta(minutes=self.pre_buffer_minutes)

    @property
    def post_buffer(self) -> dt.timedelta:
        """For how long a table is blocked after a party."""
        return dt.timedelta(minutes=self.post_buffer_minutes)

    @property
    def retry_cutoff(self) -> dt.timedelta:
        """How long before a party's arrival a refusal goes straight to a person."""
        return dt.timedelta(minutes=self.retry_cutoff_minutes)

    @property
    def freeze(self) -> dt.timedelta:
        """How long before its arrival a party is not moved any more."""
        return dt.timedelta(minutes=self.freeze_minutes)

    @property
    def longest_turn(self) -> dt.timedelta:
        """The longest stay of the turn bands."""
        return dt.timedelta(minutes=max(band.minutes for band in self.turn_bands))

    @cached_property
    def shortest_sale_minutes(self) -> int:
        """The shortest time for which a table can be sold, in minutes: the shortest stay, with its buffers."""
        shortest = min(band.minutes for band in self.turn_bands)
        return self.pre_buffer_minutes + shortest + self.post_buffer_minutes

    def turn(self, party_size: int) -> dt.timedelta:
        """How long a party of that size sits when it did not say."""
        for band in self.turn_bands:
            if party_size <= band.up_to:
                return dt.timedelta(minutes=band.minutes)
        return dt.timedelta(minutes=self.turn_bands[-1].minutes)
