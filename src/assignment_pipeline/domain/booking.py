"""What a guest asked for."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import attrs

from assignment_pipeline.domain.checks import (
    aware_minute,
    enum_fields,
    flag,
    identifier,
    optional_identifier,
    to_utc,
    whole,
)
from assignment_pipeline.domain.made import maker
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.plain import Printed

MAX_PARTY = 500
MAX_TURN = dt.timedelta(hours=24)

PENDING = "pending"
CONFIRMED = "confirmed"
CANCELLED = "cancelled"
FAILED = "failed"

WALK_IN = "walk_in"
"""The channel of a party that is at the door, unless somebody says otherwise."""


class SeatingPreference(enum.StrEnum):
    """Where a party wants to sit; a table stands in one of these, a booking may also take any."""

    ANY = "any"
    INDOOR = "indoor"
    OUTDOOR = "outdoor"
    BAR = "bar"


def _copied(value: Any) -> Any:
    return dict(value) if type(value) is dict or isinstance(value, Mapping) else value


def _mapping(_: object, attribute: Any, value: Any) -> None:
    if type(value) is not dict and not isinstance(value, Mapping):
        raise InvalidValueError(attribute.name, "a mapping", repr(value))


@attrs.frozen(field_transformer=enum_fields, repr=False, weakref_slot=False)
class Booking(Printed):
    """
    A booking as the host knows it.

    Attributes:
        id: The host's id, as text.

        restaurant_id: The restaurant it is for.

        party_size: Guests, from 1 to 500.

        start_at: When the party arrives. Timezone-aware, whole minutes.

        end_at: When it leaves, at most 24 hours later; None leaves that to the policy's turn bands.

        seating: Where it wants to sit. Holds for every table of a combination.

        zone: The zone it wants, or None. Holds for every table of a combination.

        accessible: Whether one of its tables must be accessible.

        status: The guest's view, the host's to keep. Only ``pending`` is assigned.

        channel: How it was taken, such as ``online`` or ``phone``, in the host's own words; None if nobody says.

        attributes: Anything that the host's strategies want. Never compared, stored or put into an event.
    """

    id: str = attrs.field(validator=identifier)
    restaurant_id: str = attrs.field(validator=identifier)
    party_size: int = attrs.field(validator=whole(1, MAX_PARTY))
    start_at: dt.datetime = attrs.field(converter=to_utc, validator=aware_minute)
    end_at: dt.datetime | None = attrs.field(default=None, converter=to_utc)
    seating: SeatingPreference = attrs.field(default=SeatingPreference.ANY, converter=SeatingPreference, kw_only=True)
    zone: str | None = attrs.field(default=None, validator=optional_identifier, kw_only=True)
    accessible: bool = attrs.field(default=False, validator=flag, kw_only=True)
    status: str = attrs.field(default=PENDING, validator=identifier, kw_only=True)
    channel: str | None = attrs.field(default=None, validator=optional_identifier, kw_only=True)
    attributes: Mapping[str, Any] = attrs.field(
        factory=dict, converter=_copied, validator=_mapping, kw_only=True, eq=False, repr=False
    )

    @end_at.validator
    def _is_after_start(self, attribute: Any, end_at: dt.datetime | None) -> None:
        if end_at is None:
            return
        aware_minute(self, attribute, end_at)
        if not dt.timedelta() < end_at - self.start_at <= MAX_TURN:
            expected = f"a time after start_at, {self.start_at}, and at most 24 hours later"
            raise InvalidValueError("end_at", expected, f"{end_at}")

    @property
    def is_pending(self) -> bool:
        """Whether the host still waits for tables for it."""
        return self.status == PENDING

    def asking_for(self, request: Booking) -> Booking:
        """The same booking, with the wishes and the time of *request*; its status and attributes stay."""
        return attrs.evolve(request, status=self.status, attributes=self.attributes)

    def same_request(self, other: Booking) -> bool:
        """Whether both ask for the same seats at the same time; the status does not count."""
        return bool(_request(self) == _request(other))

    def differences(self, other: Booking) -> list[str]:
        """The fields in which the two do not ask for the same."""
        return [name for name in _REQUEST if getattr(self, name) != getattr(other, name)]

    def with_status(self, status: str) -> Booking:
        """The same booking, with what its guest sees by now: one of the words above."""
        return _unchecked_booking(**dict(zip(_FIELDS, _fields(self), strict=True), status=status))


_FIELDS = [field.name for field in attrs.fields(Booking)]
_fields = attrgetter(*_FIELDS)
_unchecked_booking = maker(Booking)
_REQUEST = [field.name for field in attrs.fields(Booking) if field.eq and field.name != "status"]
_request = attrgetter(*_REQUEST)
