"""The store's contract bites: claims and waking."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.lifecycle import AssignmentState
from assignment_pipeline.ports import CLAIM, Due, RecordPage, RecordQuery, is_ahead
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.contracts.sweep import Sweep
from assignment_pipeline.testing.store_harness import make_venue


class KeepsTheSchedule(MemoryStore):
    """Leaves it at the minute that a claim has given."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        before = dict(self._records)
        super().commit(changes)
        for key, record in before.items():
            self._records[key] = attrs.evolve(self._records[key], next_attempt_at=record.next_attempt_at)


class ShowsWithoutClaiming(MemoryStore):
    """Hands out the same booking to everyone."""

    def _claim(self, booking_id: str, now: dt.datetime) -> Due:
        due = super()._claim(booking_id, now)
        self._records[booking_id] = attrs.evolve(self._records[booking_id], next_attempt_at=now)
        return due


class ForgetsDeliveries(MemoryStore):
    """Does not count how often it hands a booking out."""

    def _claim(self, booking_id: str, now: dt.datetime) -> Due:
        due = super()._claim(booking_id, now)
        self._records[booking_id] = attrs.evolve(self._records[booking_id], deliveries=0)
        return attrs.evolve(due, deliveries=1)


class ClaimsForEver(MemoryStore):
    """Never hands out again what was claimed once."""

    def _claim(self, booking_id: str, now: dt.datetime) -> Due:
        due = super()._claim(booking_id, now)
        self._records[booking_id] = attrs.evolve(self._records[booking_id], next_attempt_at=None)
        return due


class ClaimsWithoutLimit(MemoryStore):
    """Claims all that is due."""

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        return super().due(10_000)


class ClaimsTheNewest(MemoryStore):
    """Lets the longest due wait."""

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        waiting = dict(self._records)
        claimed = list(super().due(10_000))
        keep = claimed[::-1][:limit]
        self._records |= {due.booking_id: waiting[due.booking_id] for due in claimed if due not in keep}
        return tuple(keep)


class ClaimsLegacys(MemoryStore):
    """Sweeps what legacy answers for."""

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        for key, record in self._records.items():
            self._records[key] = attrs.evolve(record, owner=Owner.PIPELINE)
        return super().due(limit, order)


class ClaimsEarly(MemoryStore):
    """Hands bookings out a moment before they are due."""

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        clock = self.clock
        self.clock = FakeClock(clock.now() + dt.timedelta(seconds=1))
        try:
            return super().due(limit, order)
        finally:
            self.clock = clock


class ClaimsPendingOnly(MemoryStore):
    """Leaves holds, reviews and work in the middle where they are."""

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        return tuple(
            due
            for due in super().due(limit, order)
            if self._records[due.booking_id].state is AssignmentState.ASSIGNMENT_PENDING
        )


class WakesNobody(MemoryStore):
    """Lets bookings wait though tables are free."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        return {}


class WakesEverybody(MemoryStore):
    """Has all bookings try again whatever came free."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        now = self.clock.now()
        freed = any(self._records[key].tables and not after[key].tables for key in after if key in self._records)
        rest = {key: record for key, record in self._records.items() if freed and key not in after}
        return {key: attrs.evolve(record, next_attempt_at=now) for key, record in rest.items()}


class WakesOnEveryCommit(MemoryStore):
    """Has those that wait try again though nothing came free."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        now = self.clock.now()
        return {
            key: attrs.evolve(record, next_attempt_at=now)
            for key, record in self._records.items()
            if record.state is AssignmentState.ASSIGNMENT_PENDING and key not in after
        }


class WakesPendingOnly(MemoryStore):
    """Leaves reviews alone that tables came free for."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        woken = super()._woken(after)
        return {key: one for key, one in woken.items() if one.state is AssignmentState.ASSIGNMENT_PENDING}


class WakesWhatIsClaimed(MemoryStore):
    """Makes due again what a sweeper is at work on."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        now = self.clock.now()
        return {key: attrs.evolve(one, next_attempt_at=now) for key, one in super()._woken(after).items()}


class WakesOnLeavingOnly(MemoryStore):
    """Does not notice what a move leaves."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        return super()._woken({key: record for key, record in after.items() if not record.tables})


class WakesItself(MemoryStore):
    """Has who gives tables up try for them again."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        own = {key: one for key, one in after.items() if one.state is AssignmentState.ASSIGNMENT_PENDING}
        now = self.clock.now()
        return super()._woken(after) | {key: attrs.evolve(one, next_attempt_at=now) for key, one in own.items()}


class WakesWithoutBuffers(MemoryStore):
    """Goes by how long those that wait would sit, and forgets their buffers."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        freed = [self._records[key].allocation for key in after if key in self._records]
        turns = {key: one.booking and make_venue().turn(one.booking) for key, one in super()._woken(after).items()}
        return {
            key: attrs.evolve(self._records[key], next_attempt_at=self.clock.now())
            for key, turn in turns.items()
            if any(one and turn and one.turn.overlaps(turn) for one in freed)
        }


class WakesByTheBands(MemoryStore):
    """Takes everybody to sit as long as the turn bands say, whatever the service period says."""

    def _is_helped(self, record: AssignmentRecord, freed: Iterable[TimeWindow]) -> bool:
        assert record.booking is not None
        wanted = make_venue().wanted(record.booking)
        return any(wanted.overlaps(window) for window in freed)


class WakesByTableNames(MemoryStore):
    """Takes a table of the same name at another restaurant for the one that was left."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        seen = {}
        for key, record in after.items():
            before = self._records.get(key)
            seen[key] = attrs.evolve(record, restaurant_id=before.restaurant_id) if before else record
        return super()._woken(seen)


class WakesWithVersion(MemoryStore):
    """Counts waking as a transition, of which the history knows nothing."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        return {key: attrs.evolve(one, version=one.version + 1) for key, one in super()._woken(after).items()}


class CountsWhatIsPutBack(MemoryStore):
    """Holds every claim against its booking."""

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        counts = {key: record.deliveries for key, record in self._records.items()}
        super().put_back(claims, after)
        for key, deliveries in counts.items():
            self._records[key] = attrs.evolve(self._records[key], deliveries=deliveries)


class KnowsClaimsByTheirCount(MemoryStore):
    """Takes for the present claim whichever was as many."""

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        for due in claims:
            record = self._records.get(due.booking_id)
            if record is not None and record.deliveries >= due.deliveries:
                is_same = record.deliveries == due.deliveries
                at = self.clock.now() + min(after, CLAIM) if is_same else record.next_attempt_at
                self._records[due.booking_id] = attrs.evolve(
                    record, deliveries=record.deliveries - 1, next_attempt_at=at
                )


class KnowsClaimsByTheirEnd(MemoryStore):
    """Takes a claim for another one whose end has been moved."""

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        there = {key: record.next_attempt_at for key, record in self._records.items()}
        super().put_back([due for due in claims if there.get(due.booking_id) == due.until], after)


class PutsBackForAsLongAsAsked(MemoryStore):
    """Lets a sweeper keep others away for an hour."""

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        super().put_back(claims, after)
        for due in claims:
            record = self._records.get(due.booking_id)
            if record is not None and record.next_attempt_at is not None and record.deliveries < due.deliveries:
                self._records[due.booking_id] = attrs.evolve(record, next_attempt_at=self.clock.now() + after)


class PutsBackOthers(MemoryStore):
    """Ends a claim that somebody else has made since."""

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        for due in claims:
            record = self._records.get(due.booking_id)
            newer = due if record is None or not record.deliveries else Due.of(record)
            super().put_back((newer,), after)


class PutsBackWhatIsSettled(MemoryStore):
    """Makes due again what was committed since."""

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        super().put_back(claims, after)
        for due in claims:
            record = self._records.get(due.booking_id)
            if record is not None and record.deliveries == 0:
                self._records[due.booking_id] = attrs.evolve(record, next_attempt_at=self.clock.now() + after)


class ClaimsSuspectsWithOthers(MemoryStore):
    """Hands out together whatever is due."""

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        found: list[Due] = []
        while len(found) < limit and (more := super().due(limit - len(found))):
            found += more
        return tuple(found)


class TrustsClocksThatAreAhead(MemoryStore):
    """Waits until a claim ends, however far ahead that is."""

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        now = self.clock.now()
        hidden = {key: one for key, one in self._records.items() if is_ahead(one, now)}
        self._records = {key: one for key, one in self._records.items() if key not in hidden}
        found = super().due(limit, order)
        self._records |= hidden
        return found


class ListsWhatIsDue(MemoryStore):
    """Lists as unfinished whatever it has."""

    def records(self, query: RecordQuery) -> RecordPage:
        return super().records(attrs.evolve(query, unfinished=False))


class LongestDueFirst(MemoryStore):
    """Goes by when bookings became due, and by their ids."""

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        now = self.clock.now()
        ready = sorted((record.next_attempt_at, key) for key, record in self._records.items())
        return tuple(self._claim(key, now) for _, key in ready[:limit])


class QueuesById(MemoryStore):
    """Lists reviews by the ids of their bookings."""

    def records(self, query: RecordQuery) -> RecordPage:
        page = super().records(query)
        return attrs.evolve(page, records=tuple(sorted(page.records, key=lambda record: record.booking_id)))


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("no claims", ShowsWithoutClaiming, "a_claim_is_exclusive"),
    ("forgets deliveries", ForgetsDeliveries, "what_is_due_is_claimed"),
    ("lists what is due", ListsWhatIsDue, "what_no_schedule_brings_back_is_listed"),
    ("counts what is put back", CountsWhatIsPutBack, "a_claim_that_is_put_back_does_not_count"),
    ("knows claims by their count", KnowsClaimsByTheirCount, "two_claims_that_are_put_back_do_not_count"),
    (
        "knows claims by their count, after a commit",
        KnowsClaimsByTheirCount,
        "putting_back_leaves_a_claim_that_was_made_after_a_commit",
    ),
    ("knows claims by their end", KnowsClaimsByTheirEnd, "a_claim_is_put_back_that_freed_tables_have_moved"),
    ("puts back for long", PutsBackForAsLongAsAsked, "a_claim_is_put_back_for_no_longer_than_a_claim"),
    ("puts back others", PutsBackOthers, "putting_back_late_leaves_the_next_claim_alone"),
    ("puts back what is settled", PutsBackWhatIsSettled, "putting_back_leaves_alone_what_was_committed"),
    ("claims suspects with others", ClaimsSuspectsWithOthers, "what_never_came_back_is_claimed_alone"),
    ("trusts clocks", TrustsClocksThatAreAhead, "a_claim_by_a_clock_that_was_ahead_is_over"),
    ("claims for ever", ClaimsForEver, "a_claim_is_exclusive"),
    ("claims all", ClaimsWithoutLimit, "the_longest_due_come_first"),
    ("claims the newest", ClaimsTheNewest, "the_longest_due_come_first"),
    ("queues by id", QueuesById, "reviews_come_by_arrival"),
    ("goes by the due time", LongestDueFirst, "the_longest_wait_comes_first"),
    ("has one order", LongestDueFirst, "the_soonest_arrival_may_come_first"),
    ("knows no sizes", LongestDueFirst, "the_largest_party_may_come_first"),
    ("keeps holds back", LongestDueFirst, "holds_that_expire_come_before_those_who_wait"),
    ("takes no turns", LongestDueFirst, "restaurants_take_turns"),
    ("claims legacy's", ClaimsLegacys, "legacys_bookings_are_never_due"),
    ("claims early", ClaimsEarly, "what_is_not_due_is_left_alone"),
    ("claims pending only", ClaimsPendingOnly, "any_state_may_be_due"),
    ("keeps the schedule", KeepsTheSchedule, "a_commit_sets_the_schedule"),
    ("wakes nobody", WakesNobody, "freed_tables_wake_those_that_wait"),
    ("wakes what is claimed", WakesWhatIsClaimed, "who_is_claimed_stays_claimed_when_tables_come_free"),
    ("wakes everybody", WakesEverybody, "freed_tables_wake_nobody_else"),
    ("wakes for nothing", WakesOnEveryCommit, "what_keeps_its_tables_frees_none"),
    ("wakes pending only", WakesPendingOnly, "freed_tables_wake_those_that_wait"),
    ("wakes on leaving only", WakesOnLeavingOnly, "a_move_frees_what_it_leaves"),
    ("wakes itself", WakesItself, "who_frees_is_not_woken_by_it"),
    ("wakes without buffers", WakesWithoutBuffers, "the_buffers_count_when_tables_come_free"),
    ("wakes by the bands", WakesByTheBands, "freed_tables_wake_whose_period_says_how_long"),
    ("wakes by table names", WakesByTableNames, "a_move_to_another_restaurant_frees_what_it_leaves"),
    ("wakes with version", WakesWithVersion, "waking_moves_nothing_but_the_schedule"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(Sweep, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this part of the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(Sweep) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(Sweep, stores(MemoryStore)) == set()
