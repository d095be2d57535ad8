"""The contract of stores for shadow runs bites."""

from __future__ import annotations

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.testing import ShadowStoreContract


class LosesDocuments(MemoryStore):
    def bundle(self, bundle_id):
        found = super().bundle(bundle_id)
        return found and attrs.evolve(found, document={})


class ListsDocuments(MemoryStore):
    def bundles(self, **how):
        return tuple(self.bundle(one.id) for one in super().bundles(**how))


class ListsBackwards(MemoryStore):
    def bundles(self, **how):
        return super().bundles(**how)[::-1]


class ListsAll(MemoryStore):
    def bundles(self, *, restaurant_id=None, verdict=None, limit=100):
        return super().bundles(limit=limit)


class KeepsTheFirst(MemoryStore):
    def keep_bundle(self, bundle, **how):
        if bundle.id not in self._bundles:
            super().keep_bundle(bundle, **how)


class KeepsAll(MemoryStore):
    def keep_bundle(self, bundle, *, most, since):
        super().keep_bundle(bundle, most=10**6, since=since)


class KeepsForEver(MemoryStore):
    def keep_bundle(self, bundle, *, most, since):
        super().keep_bundle(bundle, most=most, since=since.replace(year=1))


class HandsOutTwice(MemoryStore):
    def claim_cases(self, limit, *, for_):
        return super().claim_cases(limit, for_=-for_)


class NeverAgain(MemoryStore):
    def claim_cases(self, limit, *, for_):
        return super().claim_cases(limit, for_=for_ * 10_000)


class NoLimit(MemoryStore):
    def put_cases(self, cases, *, most):
        return super().put_cases(cases, most=10**6)


class LosesTime(MemoryStore):
    def answered_since(self, restaurant_id, since):
        return super().answered_since(restaurant_id, since.replace(year=1))


BROKEN = {
    LosesDocuments: "a_bundle_is_kept_whole",
    ListsDocuments: "a_listing_is_the_latest_first_and_without_documents",
    ListsBackwards: "a_listing_is_the_latest_first_and_without_documents",
    ListsAll: "a_listing_can_be_of_a_restaurant_or_a_verdict",
    KeepsTheFirst: "a_bundle_that_comes_again_takes_the_place_of_the_first",
    KeepsAll: "no_more_are_kept_than_wanted",
    KeepsForEver: "old_ones_are_let_go_of",
    HandsOutTwice: "cases_are_handed_out_oldest_first_and_once",
    NeverAgain: "what_nobody_saw_to_is_handed_out_again",
    NoLimit: "no_more_wait_than_wanted",
    LosesTime: "events_tell_whom_legacy_has_seen_to_since",
}


@pytest.fixture
def fixtures(stores):
    """Makes what the contract wants, for a kind of store."""

    def of(kind):
        make = stores(kind)

        def fresh():
            found = make()
            return {**found, "recorded": found["harness"].events}

        return fresh

    return of


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_store_is_found_out(failures, fixtures, kind):
    """By the test that is about it."""
    assert failures(ShadowStoreContract, fixtures(kind), BROKEN[kind]) == {BROKEN[kind]}


def test_the_reference_passes(failures, fixtures):
    """It is not the contract that is broken."""
    assert failures(ShadowStoreContract, fixtures(MemoryStore)) == set()
