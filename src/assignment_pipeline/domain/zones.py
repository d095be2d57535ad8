"""What tables are for: to whom they are given without a person, and the zones that say so for all of theirs."""

from __future__ import annotations

import enum

import attrs

from assignment_pipeline.domain.checks import enum_fields, identifier, whole
from assignment_pipeline.plain import Printed

__all__ = ["HOLD", "TableOffer", "Terms", "Zone"]

HOLD = attrs.validators.optional(whole(0, 60 * 24 * 60))
"""How long before a party's arrival a hold-back may end, in minutes: up to 60 days."""


class TableOffer(enum.StrEnum):
    """To whom a table is given without a person."""

    ALWAYS = "always"
    """To everybody."""

    ON_REQUEST = "on_request"
    """To bookings that name its seating or its zone."""

    LAST = "last"
    """To everybody, when nothing else will do."""

    STAFF = "staff"
    """To nobody: people place parties there."""


@attrs.frozen(field_transformer=enum_fields, repr=False)
class Zone(Printed):
    """
    A part of the restaurant, and what holds for all tables that stand in it and do not say otherwise.

    Attributes:
        name: What the `zone` of its tables says.

        offer: To whom its tables are given without a person.

        held_until_minutes: Minutes before a party's arrival from which its tables are given to everybody, from 0 to
            86,400. None means never.
    """

    name: str = attrs.field(validator=identifier)
    offer: TableOffer = attrs.field(default=TableOffer.ALWAYS, converter=TableOffer, kw_only=True)
    held_until_minutes: int | None = attrs.field(default=None, validator=HOLD, kw_only=True)


@attrs.frozen(repr=False)
class Terms(Printed):
    """
    To whom one table is given without a person, by what it and its zone say.

    Attributes:
        offer: To whom.

        held_until_minutes: Minutes before a party's arrival from which it is given to everybody, or None.
    """

    offer: TableOffer = TableOffer.ALWAYS
    held_until_minutes: int | None = None

    def at(self, ahead: int | None) -> TableOffer:
        """
        To whom it is given to a party that arrives in so many minutes.

        Args:
            ahead: The minutes, or None where the clock does not count: then it is held back.
        """
        is_released = ahead is not None and self.held_until_minutes is not None and ahead <= self.held_until_minutes
        return TableOffer.ALWAYS if is_released else self.offer
