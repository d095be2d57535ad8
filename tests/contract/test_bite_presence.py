"""The store's contract bites: parties that sit."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain import allocation
from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentRecord, StateChange
from assignment_pipeline.ports import AssignmentContext, LoadQuery, Occupied, RecordPage, RecordQuery
from assignment_pipeline.testing.contracts.presence import Presence


class ForgetsArrivals(MemoryStore):
    """Does not keep that a party has sat down."""

    def records(self, query: RecordQuery) -> RecordPage:
        page = super().records(query)
        plain = (
            attrs.evolve(one, allocation=one.allocation and attrs.evolve(one.allocation, seated_at=None, left_at=None))
            for one in page.records
        )
        return attrs.evolve(page, records=tuple(plain))


class ForgetsWhen(MemoryStore):
    """Leaves arrivals and departures out of the history."""

    def history(self, booking_id: str) -> tuple[StateChange, ...]:
        return tuple(attrs.evolve(step, seated_at=None, left_at=None) for step in super().history(booking_id))


class GoesByThePlan(MemoryStore):
    """Keeps tables for the time that is written, also where a party sits for longer."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        context = super().load(query)
        if context is None:
            return None
        planned = {record.booking_id: record for record in self._records.values() if record.allocation}
        rows = (
            attrs.evolve(row, window=planned[row.booking_id].allocation.blocked) if row.sits else row
            for row in context.taken
        )
        return attrs.evolve(context, taken=tuple(rows))


class CommitsByThePlan(MemoryStore):
    """Lets a commit take a table at which somebody sits, once its time is over, or before it begins."""

    def _staying(self, *asked: Any) -> list[Occupied]:
        with mock.patch.object(self, "_sitting", defaultdict(set)):
            return super()._staying(*asked)


class WaitsForEver(MemoryStore):
    """Believes that a party sits until somebody says that it has left."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        with mock.patch.object(allocation, "LONGEST_STAY", dt.timedelta.max):
            return super().load(query)


class SeatsTwo(MemoryStore):
    """Has two parties sit at one table."""

    def _sat_at_twice(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        return set()


class SitsEverywhere(MemoryStore):
    """Takes a party that sits to sit at all tables of that name."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        others = (record.allocation for key, record in self._records.items() if key not in after)
        sat_at = {table for held in others if held is not None and held.sits for table in held.tables}
        return super()._contested(after) | {table for record in after.values() for table in record.tables} & sat_at


class MovesWhoSits(MemoryStore):
    """Says that a party that sits may be moved."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        context = super().load(query)
        return context and attrs.evolve(
            context, taken=tuple(attrs.evolve(row, movable=True, sits=False) for row in context.taken)
        )


class FreesByThePlan(MemoryStore):
    """Tells nobody of a table that a party leaves past its time."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        with mock.patch.object(Allocation, "occupied", lambda self, now: self.blocked):
            return super()._woken(after)


class FindsAll(MemoryStore):
    """Does not look who sits."""

    def records(self, query: RecordQuery) -> RecordPage:
        return super().records(attrs.evolve(query, sitting=False))


class BlocksByThePlan(MemoryStore):
    """Does not name who sits at a table past its time."""

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        with mock.patch.object(Allocation, "occupied", lambda self, now: self.blocked):
            return super().block(blocks, events)


class GoesByTheArrival(MemoryStore):
    """Has a party that sits take its table since it came, wherever it sat then."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        with mock.patch.object(Allocation, "_since", property(lambda self: self.seated_at or self.turn.start)):
            return super().load(query)


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("forgets arrivals", ForgetsArrivals, "arrival_and_departure_are_kept"),
    ("forgets when", ForgetsWhen, "arrival_and_departure_are_kept"),
    ("goes by the plan", GoesByThePlan, "a_party_that_came_early_has_its_table"),
    ("goes by the plan", GoesByThePlan, "a_party_that_stays_too_long_has_its_table"),
    ("commits by the plan", CommitsByThePlan, "a_party_that_came_early_has_its_table"),
    ("commits by the plan", CommitsByThePlan, "a_party_that_stays_too_long_has_its_table"),
    ("goes by the arrival", GoesByTheArrival, "a_party_that_was_moved_has_its_table_since_then"),
    ("waits for ever", WaitsForEver, "nobody_has_said_that_it_left"),
    ("seats two", SeatsTwo, "no_two_parties_sit_at_one_table"),
    ("sits everywhere", SitsEverywhere, "who_sits_at_another_restaurant_is_in_nobodys_way"),
    ("moves who sits", MovesWhoSits, "a_party_that_sits_is_not_moved"),
    ("frees by the plan", FreesByThePlan, "time_that_a_party_leaves_is_news"),
    ("finds all", FindsAll, "parties_that_sit_are_found"),
    ("blocks by the plan", BlocksByThePlan, "a_block_names_who_sits_there"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(Presence, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this part of the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(Presence) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(Presence, stores(MemoryStore)) == set()
