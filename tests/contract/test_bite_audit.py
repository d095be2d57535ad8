"""The contract of stores that people look at bites."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.trail import BookingTrail, Whereabouts
from assignment_pipeline.testing import AuditStoreContract


class ForgetsAttempts(MemoryStore):
    """Leaves the attempts out."""

    def trail(self, booking_id: str) -> BookingTrail:
        return attrs.evolve(super().trail(booking_id), attempts=())


class MixesEvents(MemoryStore):
    """Shows everybody's events."""

    def trail(self, booking_id: str) -> BookingTrail:
        return attrs.evolve(super().trail(booking_id), events=self.events)


class Invents(MemoryStore):
    """Has a record for everybody."""

    def trail(self, booking_id: str) -> BookingTrail:
        trail = super().trail(booking_id)
        return trail if trail.record else attrs.evolve(trail, attempts=super().trail("b-0").attempts, booking=1)


class LooksAtNow(MemoryStore):
    """Shows where parties are, whatever the time."""

    def whereabouts(self, restaurant_id: str, at: dt.datetime) -> tuple[Whereabouts, ...]:
        return super().whereabouts(restaurant_id, at + dt.timedelta(days=1))


class LooksEverywhere(MemoryStore):
    """Shows the parties of all restaurants."""

    def whereabouts(self, restaurant_id: str, at: dt.datetime) -> tuple[Whereabouts, ...]:
        names = {*self.restaurants(), restaurant_id}
        found = [one for name in sorted(names) for one in super(LooksEverywhere, self).whereabouts(name, at)]
        return tuple(sorted(found, key=lambda one: one.booking_id))


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("forgets attempts", ForgetsAttempts, "a_trail_has_all_that_is_kept"),
    ("mixes events", MixesEvents, "a_trail_has_all_that_is_kept"),
    ("invents", Invents, "what_nobody_knows_has_an_empty_trail"),
    ("looks at now", LooksAtNow, "whereabouts_are_as_they_were"),
    ("looks everywhere", LooksEverywhere, "whereabouts_are_of_one_restaurant_and_time"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(AuditStoreContract, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(AuditStoreContract) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(AuditStoreContract, stores(MemoryStore)) == set()
