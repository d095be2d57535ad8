"""The store's contract bites: parties that stay as long as they may."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import AssignmentContext, LoadQuery
from assignment_pipeline.testing.contracts.spans import Spans

FEW = dt.timedelta(hours=6)


class ForgetsTheEnd(MemoryStore):
    """Knows who has a table for the first hours only."""

    def _seat(self, record: AssignmentRecord) -> None:
        super()._seat(record)
        for seats in self._taken[record.restaurant_id].values():
            for booking_id, seat in seats.items():
                start, end = seat.window.start, seat.window.end
                seats[booking_id] = attrs.evolve(seat, window=TimeWindow(start, min(end, start + FEW)))


class LooksAtTheDay(MemoryStore):
    """Plans with the seats that begin on the day itself."""

    def _seat(self, record: AssignmentRecord) -> None:
        super()._seat(record)
        self._longest = 0


class ForgetsTheBeginning(MemoryStore):
    """Knows it for the last hours only."""

    def _seat(self, record: AssignmentRecord) -> None:
        super()._seat(record)
        for seats in self._taken[record.restaurant_id].values():
            for booking_id, seat in seats.items():
                start, end = seat.window.start, seat.window.end
                seats[booking_id] = attrs.evolve(seat, window=TimeWindow(max(start, end - FEW), end))


class BeginsWithTheDay(MemoryStore):
    """Has nobody of a day who came hours before it."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        context = super().load(query)
        if context is None or query.day is None:
            return context
        came = {
            key: record
            for key, record in context.records.items()
            if record.booking and record.booking.start_at > query.day.start - FEW
        }
        return attrs.evolve(context, records=came)


class ShortBlocks(MemoryStore):
    """Keeps no table out of service for longer than a month."""

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        month = dt.timedelta(days=30)
        return super().block(
            [
                attrs.evolve(one, window=TimeWindow(one.window.start, min(one.window.end, one.window.start + month)))
                for one in blocks
            ],
            events,
        )


class WakesNearby(MemoryStore):
    """Wakes those only that start within a few hours of what came free."""

    def _is_helped(self, record: AssignmentRecord, freed: Iterable[TimeWindow]) -> bool:
        assert record.booking is not None
        near = [one for one in freed if one.start - FEW < record.booking.start_at < one.end + FEW / 2]
        return bool(near) and super()._is_helped(record, near)


BROKEN = [
    ("forgets the end", ForgetsTheEnd, "a_long_stay_keeps_its_table_to_the_end"),
    ("forgets the beginning", ForgetsTheBeginning, "a_long_stay_finds_who_comes_at_its_end"),
    ("plans over the end", LooksAtTheDay, "planning_sees_a_long_stay_at_its_end"),
    ("begins with the day", BeginsWithTheDay, "a_day_has_who_has_sat_since_long_before"),
    ("blocks over the end", ForgetsTheEnd, "a_block_names_a_long_stay"),
    ("short blocks", ShortBlocks, "a_long_block_keeps_a_table_to_its_end"),
    ("wakes nearby", WakesNearby, "who_waits_far_off_is_woken"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(Spans, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this part of the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(Spans) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(Spans, stores(MemoryStore)) == set()
