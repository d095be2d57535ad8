"""How long parties really sat, and what turns of the policy would fit them."""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence

import attrs

from assignment_pipeline.domain.checks import as_tuple
from assignment_pipeline.domain.policy import WEEKDAYS, TurnBand
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import MINUTE

ENOUGH = 20
"""A band is suggested another length from so many parties on."""

SUGGESTED_QUANTILE = 0.75
"""So large a part of the parties has left by the turn that is suggested."""

STEP_MINUTES = 5
"""Suggested turns are whole multiples of that."""

SHORTEST_MINUTES, LONGEST_MINUTES = 15, 1_440


@attrs.frozen(kw_only=True)
class TurnStats:
    """
    How long the parties of one group sat.

    Attributes:
        by: What the group has in common: ``size``, ``period``, ``weekday`` or ``all``.

        name: Which group: a number of guests, the name of a service period (empty outside of all), a weekday.

        parties: How many parties were counted.

        median: Half of them had left after so many minutes.

        p75: Three quarters of them.

        p90: Nine tenths of them.
    """

    by: str
    name: str
    parties: int
    median: int
    p75: int
    p90: int


@attrs.frozen(kw_only=True)
class TurnReport:
    """
    How long parties sat at a restaurant, by `Allocation.seated_at` and `left_at`.

    Attributes:
        restaurant_id: The restaurant.

        since: Those count that sat down at that time or later.

        parties: How many parties were counted.

        groups: All of them; by size, by period, by weekday.

        bands: The policy's turn bands, each with the minutes after which 75 % of its parties had left, in steps of 5.
            A band with fewer than 20 parties is as it was.
    """

    restaurant_id: str
    since: dt.datetime
    parties: int
    groups: tuple[TurnStats, ...] = attrs.field(converter=as_tuple)
    bands: tuple[TurnBand, ...] = attrs.field(converter=as_tuple)


@attrs.frozen
class _Stay:
    party_size: int
    period: str
    weekday: str
    minutes: int


def learn(venue: Venue, records: Iterable[AssignmentRecord], since: dt.datetime) -> TurnReport:
    """What *records* say of how long parties sat that have sat down *since* then, and have left."""
    stays = [stay for record in records if (stay := _stay(venue, record, since)) is not None]
    groups = [_stats("all", "", stays)] if stays else []
    sizes = sorted({stay.party_size for stay in stays})
    groups += [_stats("size", str(size), [one for one in stays if one.party_size == size]) for size in sizes]
    for by, order in (("period", _periods(venue)), ("weekday", WEEKDAYS)):
        found: defaultdict[str, list[_Stay]] = defaultdict(list)
        for stay in stays:
            found[getattr(stay, by)].append(stay)
        groups += [_stats(by, name, found[name]) for name in sorted(found, key=[*order, *sorted(found)].index)]
    return TurnReport(
        restaurant_id=venue.id, since=since, parties=len(stays), groups=groups, bands=_suggested(venue, stays)
    )


def _periods(venue: Venue) -> Sequence[str]:
    return [period.name for period in venue.policy.all_periods]


def _stay(venue: Venue, record: AssignmentRecord, since: dt.datetime) -> _Stay | None:
    held, booking = record.allocation, record.booking
    if held is None or booking is None or held.seated_at is None or held.left_at is None or held.seated_at < since:
        return None
    local = booking.start_at.astimezone(venue.zone)
    period = venue.calendar.period_name(booking.start_at)
    minutes = math.ceil((held.left_at - held.seated_at) / MINUTE)
    return _Stay(booking.party_size, period, WEEKDAYS[local.weekday()], minutes)


def _stats(by: str, name: str, stays: Sequence[_Stay]) -> TurnStats:
    minutes = sorted(stay.minutes for stay in stays)
    median, p75, p90 = (_quantile(minutes, part) for part in (0.5, 0.75, 0.9))
    return TurnStats(by=by, name=name, parties=len(minutes), median=median, p75=p75, p90=p90)


def _quantile(ordered: Sequence[int], part: float) -> int:
    """The shortest of the stays that so large a part does not exceed."""
    return ordered[max(math.ceil(part * len(ordered)) - 1, 0)]


def _suggested(venue: Venue, stays: Sequence[_Stay]) -> list[TurnBand]:
    bands, smallest = [], 1
    for place, band in enumerate(venue.policy.turn_bands):
        is_last = place == len(venue.policy.turn_bands) - 1
        sizes = range(smallest, sys.maxsize if is_last else band.up_to + 1)
        own = sorted(one.minutes for one in stays if one.party_size in sizes)
        smallest = band.up_to + 1
        if len(own) < ENOUGH:
            bands.append(band)
            continue
        rounded = math.ceil(_quantile(own, SUGGESTED_QUANTILE) / STEP_MINUTES) * STEP_MINUTES
        bands.append(TurnBand(band.up_to, min(max(rounded, SHORTEST_MINUTES), LONGEST_MINUTES)))
    return bands
