"""The store's contract bites: what legacy answers for."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.ports import AssignmentContext, Due, LoadQuery, RecordPage, RecordQuery
from assignment_pipeline.testing.contracts.legacys import Legacys


class HandsOutOursOnly(MemoryStore):
    """Does not hand out what legacy was handed."""

    def due(self, limit: int) -> tuple[Due, ...]:
        hidden = {key: record for key, record in self._records.items() if record.owner is Owner.LEGACY}
        self._records = {key: record for key, record in self._records.items() if key not in hidden}
        try:
            return super().due(limit)
        finally:
            self._records |= hidden


class MovesLegacys(MemoryStore):
    """Says that legacy's bookings may be moved."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        context = super().load(query)
        return context and attrs.evolve(context, taken=tuple(attrs.evolve(row, movable=True) for row in context.taken))


class ForgetsConflicts(MemoryStore):
    """Does not keep that tables are conflicted."""

    def records(self, query: RecordQuery) -> RecordPage:
        page = super().records(query)
        return attrs.evolve(page, records=tuple(map(_plain, page.records)))


def _plain(record: AssignmentRecord) -> AssignmentRecord:
    seats = record.allocation
    return attrs.evolve(record, allocation=seats and attrs.evolve(seats, conflicted=False))


class RefusesConflicts(MemoryStore):
    """Checks what is conflicted like anything else."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        return super()._contested({key: _plain(record) for key, record in after.items()})


class OverlooksConflicts(MemoryStore):
    """Does not count conflicted tables as taken."""

    def _seat(self, record: AssignmentRecord) -> None:
        if not (record.allocation and record.allocation.conflicted):
            super()._seat(record)


class ForgivesConflicts(MemoryStore):
    """Lets a booking have for its own what it only had in conflict."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        before = self._records
        self._records = {key: _plain(record) for key, record in before.items()}
        try:
            return super()._contested(after)
        finally:
            self._records = before


class WakesNobody(MemoryStore):
    """Tells nobody that conflicted tables came free."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        conflicted = {
            key for key, record in self._records.items() if record.allocation and record.allocation.conflicted
        }
        return super()._woken({key: record for key, record in after.items() if key not in conflicted})


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("hands out ours only", HandsOutOursOnly, "what_legacy_was_handed_is_due"),
    ("moves legacy's", MovesLegacys, "legacys_tables_are_taken_and_stay"),
    ("forgets conflicts", ForgetsConflicts, "conflicted_tables_may_be_taken_by_others"),
    ("refuses conflicts", RefusesConflicts, "conflicted_tables_may_be_taken_by_others"),
    ("overlooks conflicts", OverlooksConflicts, "conflicted_tables_keep_others_off"),
    ("forgives conflicts", ForgivesConflicts, "conflicted_tables_become_ones_own_only_when_they_are_free"),
    ("wakes nobody", WakesNobody, "conflicted_tables_that_are_given_up_wake_those_that_wait"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(Legacys, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this part of the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(Legacys) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(Legacys, stores(MemoryStore)) == set()
