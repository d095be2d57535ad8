"""What every store promises that steers a rollout."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import attrs
import pytest

from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import AssignmentPipelineError, StaleRolloutError
from assignment_pipeline.ports import AssignmentStore, RecordQuery, RolloutStore
from assignment_pipeline.testing.clock import START, FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite, need
from assignment_pipeline.testing.contracts.threads import THREADS, race
from assignment_pipeline.testing.store_harness import MINUTE, QUEUE, StoreHarness, make_booking, make_change

COMMITS = 25
"""Commits that land, in the test of what lands beside a revision, before the rollout is revised."""


class SteeredStore(AssignmentStore, RolloutStore, Protocol):
    """A store whose commits the rollout that it keeps gates."""


def make_revision(generation: int = 1, **fields: Any) -> RolloutRevision:
    """A revision with something in every field."""
    made = RolloutRevision(
        generation=generation,
        phase="production-10",
        settings={"enabled": True, "percent": 10, "restaurants": ["r-1", "r-2"]},
        actor="dana",
        reason="The gates pass.",
        forced=True,
        evidence={"verdicts": [{"metric": "confirmation_rate", "value": 0.975, "sample": 400, "low": None}]},
    )
    return attrs.evolve(made, **fields)


def make_event(event_id: str = "e-1") -> Event:
    """An event that a revision tells."""
    return Event(event_id, START, Source.ROLLOUT, EventType.PHASE_CHANGED, context={"to": "production-10"})


class RolloutStoreContract(StoreSuite):
    """
    Subclass it in a test module, and it is the test suite of a store that is a `RolloutStore`, too.

    It takes the fixtures of `AssignmentStoreContract`.
    """

    def test_there_is_nothing_at_first(self, store: SteeredStore) -> None:
        """Before the first change, the rollout is at generation 0, off, and without a history."""
        assert store.rollout() == RolloutRevision()
        assert store.revisions() == ()

    def test_a_revision_is_in_force(self, store: SteeredStore, clock: FakeClock) -> None:
        """What a revision says comes back as it was, with the time of the store's clock."""
        clock.advance(dt.timedelta(milliseconds=250))
        written = store.revise(make_revision())
        assert written == make_revision(created_at=clock.now())
        assert store.rollout() == written

    def test_texts_come_back(self, store: SteeredStore) -> None:
        """Whatever people write and whatever the numbers were, it comes back as it was."""
        given = make_revision(
            actor="Zoë O'Hara", reason="50 % — “fine”; 'quoted'\n\\u0041 🍽", evidence={"ö": [1, 0.1, 1e300, None, True]}
        )
        store.revise(given)
        assert store.rollout().is_same_change(given)

    def test_the_generation_is_that_of_the_revision(self, store: SteeredStore) -> None:
        """Planning reads the generation of the revision in force."""
        store.revise(make_revision())
        assert self.assume(store, make_booking()).generation == 1

    def test_revisions_are_newest_first(self, store: SteeredStore) -> None:
        """The history goes back from the revision in force, as far as one asks."""
        written = [store.revise(make_revision(number, reason=f"{number}")) for number in (1, 2, 3)]
        assert store.revisions() == tuple(written[::-1])
        assert store.revisions(2) == (written[2], written[1])
        assert store.revisions(0) == ()

    @pytest.mark.parametrize("generation", [0, 1, 3])
    def test_only_the_next_generation_fits(self, store: SteeredStore, generation: int) -> None:
        """A revision that was not made from the one in force is refused, and leaves nothing behind."""
        current = store.revise(make_revision())
        with pytest.raises(StaleRolloutError) as refused:
            store.revise(make_revision(generation, reason="Somebody else's."), [make_event()])
        assert refused.value.args == (generation - 1, 1)
        assert store.rollout() == current
        assert store.revisions() == (current,)

    def test_a_refused_revision_tells_nothing(self, store: SteeredStore, harness: StoreHarness) -> None:
        """Events are told by the revision that was written, in its transaction."""
        need(harness, "events")
        store.revise(make_revision(), [make_event("e-1")])
        with pytest.raises(StaleRolloutError):
            store.revise(make_revision(reason="Somebody else's."), [make_event("e-2")])
        assert [event.id for event in harness.events()] == ["e-1"]

    def test_a_revision_that_comes_twice_is_made_once(self, store: SteeredStore, clock: FakeClock) -> None:
        """Whoever lost the answer asks again: it is as it was written."""
        written = store.revise(make_revision(), [make_event()])
        clock.advance(MINUTE)
        assert store.revise(make_revision(), [make_event()]) == written
        assert store.revisions() == (written,)

    def test_one_thread_revises(self, store: SteeredStore) -> None:
        """Of different revisions at the same moment, one is put in force."""
        outcome = race(lambda number: store.revise(make_revision(reason=f"{number}")))
        assert outcome == {"done": 1, "StaleRolloutError": THREADS - 1}
        assert len(store.revisions()) == 1

    def test_nothing_old_lands_afterwards(self, store: SteeredStore) -> None:
        """Beside threads that commit all the time: once a revision is in force, no commit of an older one lands."""
        preconditions = self.assume(store, make_booking())
        numbers, over = itertools.count(), threading.Event()

        def commit_all_the_time() -> set[str]:
            refusals = set()
            while not over.is_set():
                booking = make_booking(f"b-{next(numbers):05}")
                try:
                    store.commit([make_change(booking, *QUEUE, preconditions=preconditions)])
                except AssignmentPipelineError as error:
                    refusals.add(type(error).__name__)
            return refusals

        with ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(commit_all_the_time) for _ in range(4)]
            try:
                while self.landed(store) < COMMITS:
                    time.sleep(0.001)
                store.revise(make_revision())
                at_return = self.landed(store)
                time.sleep(0.1)
            finally:
                over.set()
            assert {refusal for worker in workers for refusal in worker.result()} == {"StaleRolloutError"}
        assert self.landed(store) == at_return

    def test_the_restaurants_are_known(self, store: SteeredStore) -> None:
        """Those that have a record, whether or not anything else is known of them; sorted, and each once."""
        for number, restaurant_id in enumerate(("r-3", "r-1", "r-2", "r-1")):
            self.commit(store, make_booking(f"b-{number}", restaurant_id=restaurant_id), *QUEUE)
        assert store.restaurants() == ("r-1", "r-2", "r-3")

    def landed(self, store: SteeredStore) -> int:
        """How many records there are."""
        return len(store.records(RecordQuery(limit=100_000)).records)
