"""Laying time: the buffers around turns, which a person may shorten where no two turns overlap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping

import attrs

from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.reasons import Reason
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.landing import change
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.planning.base import Rule


@attrs.frozen
class Shortened:
    """
    What is left of laying time where turns follow each other more closely.

    Attributes:
        blocked: For how long the party keeps its tables from others.

        others: The same of the bookings next to it that keep them for less than before, by id.
    """

    blocked: TimeWindow
    others: Mapping[str, TimeWindow]


def shortened(
    needed: TimeWindow,
    blocked: TimeWindow,
    rows: Iterable[Occupied],
    records: Mapping[str, AssignmentRecord],
    now: dt.datetime,
) -> Shortened | None:
    """
    What a party and its neighbours keep if nothing but laying time is in the way; None if more is.

    Args:
        needed: When the party itself is there.

        blocked: For how long it would keep its tables from others.

        rows: What is taken at its tables. Rows outside of *blocked* do not count.

        records: The records that are known. Only the laying time of bookings among them is shortened.

        now: The store's time.
    """
    start, end = blocked.start, blocked.end
    others: dict[str, TimeWindow] = {}
    for row in rows:
        if not row.window.overlaps(blocked):
            continue
        held = _of(row, records, now)
        if held is None:
            return None
        theirs, kept = held
        if theirs.overlaps(needed):
            return None
        if theirs.end <= needed.start:
            ends = max(theirs.end, min(kept.end, needed.start))
            start = max(start, ends)
            left = TimeWindow(kept.start, min(kept.end, ends))
        else:
            begins = min(theirs.start, max(kept.start, needed.end))
            end = min(end, begins)
            left = TimeWindow(max(kept.start, begins), kept.end)
        if left != kept and row.booking_id is not None:
            others[row.booking_id] = left
    return Shortened(TimeWindow(start, end), others) if start < end else None


def _of(
    row: Occupied, records: Mapping[str, AssignmentRecord], now: dt.datetime
) -> tuple[TimeWindow, TimeWindow] | None:
    """When the party of a row is there, and for how long its tables are kept; None where that is not ours to change."""
    record = records.get(row.booking_id or "")
    held = record.allocation if record is not None and record.owner is Owner.PIPELINE else None
    if held is None or held.conflicted or row.window != held.occupied(now):
        return None
    return held.needed(now), held.blocked


def without_laying(row: Occupied, records: Mapping[str, AssignmentRecord], now: dt.datetime) -> Occupied:
    """What is taken, as long as the party itself is there; the same where its laying time is not ours to shorten."""
    held = _of(row, records, now)
    return row if held is None else attrs.evolve(row, window=held[0])


def may_shorten_laying(allow: Collection[str]) -> bool:
    """
    Whether laying time may be shortened.

    Raises:
        ValueError: Another rule is named.
    """
    other = [name for name in allow if name != Rule.LAYING_TIME]
    if other:
        raise InvalidValueError("allow", f"nothing but {Rule.LAYING_TIME}", f"{other[0]!r}")
    return bool(allow)


def named(broken: Iterable[Rule], found: Shortened | None) -> tuple[Rule, ...]:
    """The rules that are *broken*: where nothing but laying time is in the way, that is the rule."""
    return tuple(Rule.LAYING_TIME if rule is Rule.TAKEN and found is not None else rule for rule in broken)


def shorten(
    call: Call, others: Mapping[str, TimeWindow], records: Mapping[str, AssignmentRecord]
) -> tuple[AssignmentChange, ...]:
    """What is written of the bookings whose laying time is shortened."""
    made = []
    for booking_id, blocked in sorted(others.items()):
        record = records[booking_id]
        assert record.allocation is not None  # noqa: S101 - it has tables, or it would be in nobody's way
        kept = attrs.evolve(record.allocation, blocked=blocked)
        why = Reason.LAYING_SHORTENED
        made.append(change(call.about(record), record, (Trigger.MOVE,), why=why, allocation=kept))
    return tuple(made)
