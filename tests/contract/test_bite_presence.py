"""The store's contract bites: parties that sit."""

from __future__ import annotations

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.record import StateChange
from assignment_pipeline.ports import RecordPage, RecordQuery
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


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("forgets arrivals", ForgetsArrivals, "arrival_and_departure_are_kept"),
    ("forgets when", ForgetsWhen, "arrival_and_departure_are_kept"),
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
