"""What every store for shadow runs promises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs

from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict, StoredCase
from assignment_pipeline.testing.clock import FakeClock

LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
MANY = 40
THREADS = 4


def bundle_at(number: int, **fields: Any) -> ShadowBundle:
    """The bundle of a number, captured so many minutes after noon."""
    base = ShadowBundle(
        id=f"b-{number}",
        captured_at=dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC) + number * MINUTE,
        restaurant_id="r-1",
        booking_id=f"booking-{number}",
        verdict=ShadowVerdict.MISMATCH,
        kind="tables",
        cost_difference=-1.5,
        candidate=Owner.LEGACY if number % 2 else Owner.PIPELINE,
        document={"format": 1, "contexts": [{"taken": []}], "name": "Zoë's"},
    )
    return attrs.evolve(base, **fields)


def case_at(number: int, **fields: Any) -> StoredCase:
    """The case of a number."""
    base = StoredCase(
        id=f"c-{number:03}",
        captured_at=dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC) + number * MINUTE,
        restaurant_id="r-1",
        booking_id=f"booking-{number}",
        document={"id": f"c-{number}", "booking": {"party_size": 2}},
    )
    return attrs.evolve(base, **fields)


def ids(found: Sequence[Any]) -> list[str]:
    """Their ids."""
    return [one.id for one in found]


class ShadowStoreContract:
    """
    The suite for a `ShadowStore` that is an `EventSink` too.

    Give it two fixtures: ``store``, a fresh one, and ``clock``, which it goes by.
    """

    def keep(self, store: Any, *bundles: ShadowBundle, most: int = 100, since: dt.datetime = LONG_AGO) -> None:
        """Keep them, one after another."""
        for bundle in bundles:
            store.keep_bundle(bundle, most=most, since=since)

    # -- Bundles --------------------------------------------------------------------------------------------------

    def test_a_bundle_is_kept_whole(self, store: Any) -> None:
        """With its document, whatever is in it."""
        self.keep(store, bundle_at(1))
        assert store.bundle("b-1") == bundle_at(1)
        assert store.bundle("b-1").document == bundle_at(1).document
        assert store.bundle("b-2") is None

    def test_a_listing_is_the_latest_first_and_without_documents(self, store: Any) -> None:
        """Of one time, by id."""
        self.keep(store, bundle_at(2), bundle_at(1), bundle_at(3), bundle_at(4, captured_at=bundle_at(3).captured_at))
        listed = store.bundles()
        assert ids(listed) == ["b-3", "b-4", "b-2", "b-1"]
        assert [bundle.document for bundle in listed] == [{}, {}, {}, {}]
        assert listed[0] == attrs.evolve(bundle_at(3), document={})
        assert ids(store.bundles(limit=2)) == ["b-3", "b-4"]
        assert store.bundles(limit=0) == ()

    def test_a_listing_can_be_of_a_restaurant_or_a_verdict(self, store: Any) -> None:
        """Or of both."""
        error = {"verdict": ShadowVerdict.PIPELINE_ERROR, "kind": None, "cost_difference": None}
        self.keep(store, bundle_at(1), bundle_at(2, restaurant_id="r-2"), bundle_at(3, **error))
        assert ids(store.bundles(restaurant_id="r-1")) == ["b-3", "b-1"]
        assert ids(store.bundles(verdict=ShadowVerdict.PIPELINE_ERROR)) == ["b-3"]
        assert store.bundles(restaurant_id="r-2", verdict=ShadowVerdict.PIPELINE_ERROR) == ()

    def test_a_bundle_that_comes_again_takes_the_place_of_the_first(self, store: Any) -> None:
        """A case that is handed out twice leaves one."""
        self.keep(store, bundle_at(1), bundle_at(1, kind="legacy_only"))
        assert [bundle.kind for bundle in store.bundles()] == ["legacy_only"]

    def test_no_more_are_kept_than_wanted(self, store: Any) -> None:
        """The newest stay, whichever came last."""
        self.keep(store, bundle_at(3), bundle_at(1), bundle_at(2), most=2)
        assert ids(store.bundles()) == ["b-3", "b-2"]

    def test_old_ones_are_let_go_of(self, store: Any) -> None:
        """What was captured just then stays."""
        self.keep(store, bundle_at(1), bundle_at(2))
        self.keep(store, bundle_at(3), since=bundle_at(2).captured_at)
        assert ids(store.bundles()) == ["b-3", "b-2"]

    # -- Cases ----------------------------------------------------------------------------------------------------

    def test_cases_are_handed_out_oldest_first_and_once(self, store: Any) -> None:
        """Until their time is up."""
        assert store.put_cases([case_at(2), case_at(1), case_at(3)], most=10) == 0
        first = store.claim_cases(2, for_=MINUTE)
        assert first == (case_at(1, deliveries=1), case_at(2, deliveries=1))
        assert [case.document for case in first] == [case_at(1).document, case_at(2).document]
        assert ids(store.claim_cases(2, for_=MINUTE)) == ["c-003"]
        assert store.claim_cases(2, for_=MINUTE) == ()

    def test_what_nobody_saw_to_is_handed_out_again(self, store: Any, clock: FakeClock) -> None:
        """With how often that was; what was looked at is gone."""
        store.put_cases([case_at(1), case_at(2)], most=10)
        store.claim_cases(2, for_=MINUTE)
        store.drop_cases(["c-001", "c-of-nobody"])
        clock.advance(MINUTE)
        assert store.claim_cases(2, for_=MINUTE) == (case_at(2, deliveries=2),)
        store.drop_cases([])

    def test_no_more_wait_than_wanted(self, store: Any) -> None:
        """The last ones are left out, and counted; one that waits already takes no room."""
        assert store.put_cases([case_at(1), case_at(2)], most=3) == 0
        assert store.put_cases([case_at(2), case_at(3), case_at(4), case_at(5)], most=3) == 2
        assert ids(store.claim_cases(10, for_=MINUTE)) == ["c-001", "c-002", "c-003"]

    def test_workers_share_the_cases(self, store: Any) -> None:
        """Whoever asks at the same time gets others."""
        store.put_cases([case_at(number) for number in range(MANY)], most=MANY)

        def claim(_: int) -> list[str]:
            found: list[str] = []
            while claimed := store.claim_cases(3, for_=MINUTE):
                found += ids(claimed)
            return found

        with ThreadPoolExecutor(THREADS) as pool:
            taken = [case_id for found in pool.map(claim, range(THREADS)) for case_id in found]
        assert sorted(taken) == [case_at(number).id for number in range(MANY)]

    # -- Who came later -------------------------------------------------------------------------------------------

    def test_events_tell_whom_legacy_has_seen_to_since(self, store: Any, recorded: Any) -> None:
        """At that restaurant, at that time or later."""
        noon = dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC)
        told = [
            Event("e-1", noon - MINUTE, Source.LEGACY, EventType.LEGACY_SUMMARY, restaurant_id="r-1", booking_id="a"),
            Event("e-2", noon, Source.LEGACY, EventType.LEGACY_SUMMARY, restaurant_id="r-1", booking_id="b"),
            Event("e-3", noon, Source.LEGACY, EventType.LEGACY_SUMMARY, restaurant_id="r-2", booking_id="c"),
            Event("e-4", noon, Source.COORDINATOR, EventType.NOOP, restaurant_id="r-1", booking_id="d"),
            Event("e-5", noon + MINUTE, Source.LEGACY, EventType.LEGACY_SUMMARY, restaurant_id="r-1", booking_id="e"),
        ]
        store.emit(told)
        assert len(recorded()) == len(told)
        assert store.answered_since("r-1", noon) == {"b", "e"}
        assert store.answered_since("r-3", noon) == frozenset()
