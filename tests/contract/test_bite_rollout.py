"""The contract of what steers the rollout bites."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.testing import RolloutStoreContract


class StartsAtOne(MemoryStore):
    def rollout(self) -> RolloutRevision:
        return super().rollout() if self._revisions else RolloutRevision(phase="local")


class Forgets(MemoryStore):
    def rollout(self) -> RolloutRevision:
        return attrs.evolve(super().rollout(), evidence={})


class Ascii(MemoryStore):
    def revise(self, revision: RolloutRevision, events: Sequence[Event] = ()) -> RolloutRevision:
        reason = (revision.reason or "").encode("ascii", "replace").decode()
        return super().revise(attrs.evolve(revision, reason=reason), events)


class TwoGenerations(MemoryStore):
    generation = property(lambda _: 0, lambda *_: None)


class OldestFirst(MemoryStore):
    def revisions(self, limit: int = 100) -> tuple[RolloutRevision, ...]:
        return super().revisions(limit)[::-1]


class LastWins(MemoryStore):
    def revise(self, revision: RolloutRevision, events: Sequence[Event] = ()) -> RolloutRevision:
        return super().revise(attrs.evolve(revision, generation=self.generation + 1), events)


class TellsAnyway(MemoryStore):
    def revise(self, revision: RolloutRevision, events: Sequence[Event] = ()) -> RolloutRevision:
        self.emit(events)
        return super().revise(revision)


class Forgetful(MemoryStore):
    def revise(self, revision: RolloutRevision, events: Sequence[Event] = ()) -> RolloutRevision:
        revision.check_follows(self.rollout())
        return super().revise(revision, events)


class Racy(MemoryStore):
    def revise(self, revision: RolloutRevision, events: Sequence[Event] = ()) -> RolloutRevision:
        revision.check_follows(self.rollout())
        time.sleep(0.02)
        self._revisions.append(revision)
        return revision


class Unsorted(MemoryStore):
    def restaurants(self) -> tuple[str, ...]:
        return tuple(record.restaurant_id for record in self._records.values())


class DoesNotWait(MemoryStore):
    """Looks at the generation, and only then commits: a revision in between is not waited for."""

    def _call_hooks(self, changes: Sequence[AssignmentChange]) -> None:
        self._lock.release()
        time.sleep(0.01)
        self._lock.acquire()

    def revise(self, revision: RolloutRevision, events: Sequence[Event] = ()) -> RolloutRevision:
        with contextlib.nullcontext():
            return super().revise(revision, events)


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("begins with something", StartsAtOne, "there_is_nothing_at_first"),
    ("forgets the evidence", Forgets, "a_revision_is_in_force"),
    ("knows only English", Ascii, "texts_come_back"),
    ("two generations", TwoGenerations, "the_generation_is_that_of_the_revision"),
    ("oldest first", OldestFirst, "revisions_are_newest_first"),
    ("last one wins", LastWins, "only_the_next_generation_fits"),
    ("tells what it refused", TellsAnyway, "a_refused_revision_tells_nothing"),
    ("does not know it again", Forgetful, "a_revision_that_comes_twice_is_made_once"),
    ("racy", Racy, "one_thread_revises"),
    ("unsorted", Unsorted, "the_restaurants_are_known"),
    ("does not wait", DoesNotWait, "nothing_old_lands_afterwards"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, rollouts, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(RolloutStoreContract, rollouts(kind), test) == {test}


def test_every_test_bites():
    """There is no test in the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(RolloutStoreContract) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(rollouts, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(RolloutStoreContract, rollouts(MemoryStore)) == set()


@pytest.fixture
def rollouts(stores):
    """Makes the fixtures of the contract for a kind of store; where a generation is tried, one before the last."""
    return lambda kind: lambda: {**stores(kind)(), "generation": 1}
