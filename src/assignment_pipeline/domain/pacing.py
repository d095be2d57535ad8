"""How many may arrive at a time: the caps of a restaurant, and what counts towards them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import as_tuple, each, identifier, optional_identifier, whole
from assignment_pipeline.domain.periods import DAY_MINUTES
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.plain import Printed

MOST_COVERS = 1_000_000


@attrs.frozen(kw_only=True, repr=False)
class PacingRule(Printed):
    """
    How many guests or parties may arrive in one slot of time.

    Attributes:
        minutes: The length of a slot, in minutes, from 1 to 1,440. The first slot of a date begins at local midnight.

        covers: Guests who may arrive in a slot; None means no limit.

        parties: Parties that may arrive in a slot; None means no limit.

        periods: The names of the service periods in which the rule holds; none means always.

        channel: The channel whose bookings the rule counts and limits; None means all bookings.
    """

    minutes: int = attrs.field(validator=whole(1, DAY_MINUTES))
    covers: int | None = attrs.field(default=None, validator=attrs.validators.optional(whole(1, MOST_COVERS)))
    parties: int | None = attrs.field(default=None, validator=attrs.validators.optional(whole(1, MOST_COVERS)))
    periods: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, validator=each(identifier))
    channel: str | None = attrs.field(default=None, validator=optional_identifier)

    @parties.validator
    def _limits_something(self, attribute: Any, value: int | None) -> None:
        if value is None and self.covers is None:
            raise InvalidValueError(attribute.name, "a cap on covers or on parties", "neither")


@attrs.frozen(repr=False)
class ArrivingParty(Printed):
    """
    A party that has tables, as pacing counts it.

    Attributes:
        booking_id: Its booking.

        start_at: When it arrives, as booked. In UTC.

        party_size: Its guests.

        channel: How it was taken, or None.
    """

    booking_id: str
    start_at: dt.datetime
    party_size: int
    channel: str | None = None

    @classmethod
    def of(cls, booking: Booking) -> ArrivingParty:
        """The arrival of the booking's party."""
        return cls(booking.id, booking.start_at, booking.party_size, booking.channel)


@attrs.frozen(kw_only=True, repr=False)
class PacingCap(Printed):
    """
    What a rule allows in the slot of one arrival.

    Attributes:
        spans: The times whose arrivals count, in order: the slot, as far as the rule holds in it.

        covers: Guests who may arrive then, or None.

        parties: Parties that may arrive then, or None.

        channel: The channel that counts; None means all.
    """

    spans: tuple[TimeWindow, ...] = attrs.field(converter=as_tuple)
    covers: int | None = None
    parties: int | None = None
    channel: str | None = None

    def counts(self, arrival: ArrivingParty) -> bool:
        """Whether an arrival counts towards the cap."""
        return self.channel in (None, arrival.channel) and any(
            span.start <= arrival.start_at < span.end for span in self.spans
        )

    def holds(self, arrivals: Iterable[ArrivingParty]) -> bool:
        """Whether all of the *arrivals* together are within the cap."""
        sizes = [arrival.party_size for arrival in arrivals if self.counts(arrival)]
        return (self.covers is None or sum(sizes) <= self.covers) and (
            self.parties is None or len(sizes) <= self.parties
        )
