"""What legacy has already seated, and what came of taking it over."""

from __future__ import annotations

from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import as_tuple, each, flag, identifier, kind
from assignment_pipeline.errors import InvalidValueError


@attrs.frozen
class LegacySeat:
    """
    Tables that legacy has given a booking.

    Attributes:
        booking: The booking as the host has it, with the status that it has there.

        tables: Their ids.

        pinned: Whether it may not be moved once the pipeline answers for it.
    """

    booking: Booking = attrs.field(validator=kind(Booking))
    tables: tuple[str, ...] = attrs.field(converter=as_tuple)
    pinned: bool = attrs.field(default=False, validator=flag)

    @tables.validator
    def _are_some(self, attribute: Any, tables: tuple[str, ...]) -> None:
        if not tables:
            raise InvalidValueError(attribute.name, f"one table or more for booking {self.booking.id!r}", "none")
        each(identifier)(self, attribute, tables)


@attrs.frozen
class AdoptReport:
    """
    What was taken over.

    Attributes:
        adopted: The bookings that are legacy's now, at those tables.

        conflicted: Those of them whose tables others have for part of the time. They are taken all the same.

        known: Those that were taken over before, at the same tables and time.

        refused: Those that were not, each with a sentence why.
    """

    adopted: tuple[str, ...] = ()
    conflicted: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
