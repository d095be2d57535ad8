"""A restaurant's service day, for people to look at."""

from __future__ import annotations

import datetime as dt

import attrs

from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.checks import as_tuple
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow


@attrs.frozen(kw_only=True)
class ServiceDay:
    """
    Who has which tables on a service day, and who waits for some.

    Attributes:
        venue: The restaurant.

        date: The day, as the restaurant counts it.

        window: The day, up to the end of the services that began on it.

        now: The store's time.

        records: The records of the bookings that have tables then, or wait for some, by booking id.

        blocks: The tables that are out of service then, by start.

        others: What the host has taken beside that, without the pipeline.
    """

    venue: Venue
    date: dt.date
    window: TimeWindow
    now: dt.datetime
    records: tuple[AssignmentRecord, ...] = attrs.field(converter=as_tuple)
    blocks: tuple[TableBlock, ...] = attrs.field(converter=as_tuple)
    others: tuple[Occupied, ...] = attrs.field(converter=as_tuple)
