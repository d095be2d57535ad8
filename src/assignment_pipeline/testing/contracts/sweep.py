"""What every store promises to the sweep: claims, and who is woken when tables come free."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from assignment_pipeline.domain.policy import ServicePeriod
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.errors import StaleRecordError
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.ports import AssignmentStore, Due, RecordQuery
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOLD,
    HOUR,
    QUEUE,
    REVIEW,
    StoreHarness,
    make_booking,
    make_change,
    make_venue,
)

CLAIM = dt.timedelta(minutes=1)
SECOND = dt.timedelta(seconds=1)


class Sweep(StoreSuite):
    """Claims, and waking."""

    # -- Claims ---------------------------------------------------------------------------------------------------

    def test_what_is_due_is_claimed(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A claim names the booking, and pushes its next attempt a minute ahead."""
        record = self.commit(store, make_booking(), *QUEUE, next_attempt_at=clock.now())
        claimed = attrs.evolve(record, next_attempt_at=clock.now() + CLAIM, deliveries=1)
        assert store.due(10) == (Due.of(claimed),)
        assert self.record(store) == claimed

    def test_a_claim_is_exclusive(self, store: AssignmentStore, clock: FakeClock) -> None:
        """What one sweeper has claimed no other gets, until the minute is over."""
        self.commit(store, make_booking(), *QUEUE, next_attempt_at=clock.now())
        assert len(store.due(10)) == 1
        assert store.due(10) == ()
        clock.advance(CLAIM - SECOND)
        assert store.due(10) == ()
        clock.advance(SECOND)
        assert [(due.booking_id, due.deliveries) for due in store.due(10)] == [("b-1", 2)]

    def test_what_is_not_due_is_left_alone(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A booking is claimed from the moment on at which it is due, and never without one."""
        self.commit(store, make_booking("b-1"), *QUEUE, next_attempt_at=clock.now() + SECOND)
        self.commit(store, make_booking("b-2"), *QUEUE)
        assert store.due(10) == ()
        clock.advance(SECOND)
        assert [due.booking_id for due in store.due(10)] == ["b-1"]

    def test_any_state_may_be_due(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Holds that expire, reviews that tables came free for, and work left in the middle are handed out."""
        self.commit(store, make_booking("b-1"), *HOLD, tables=("T1",), next_attempt_at=clock.now())
        self.commit(store, make_booking("b-2"), *REVIEW, next_attempt_at=clock.now())
        self.commit(store, make_booking("b-3"), *QUEUE, Trigger.BEGIN, next_attempt_at=clock.now())
        assert {due.booking_id for due in store.due(10)} == {"b-1", "b-2", "b-3"}

    def test_legacys_bookings_are_never_due(self, store: AssignmentStore, clock: FakeClock) -> None:
        """What legacy answers for is not swept."""
        self.commit(store, make_booking(), *QUEUE, owner=Owner.LEGACY, next_attempt_at=clock.now())
        assert store.due(10) == ()

    def test_the_longest_due_come_first(self, store: AssignmentStore, clock: FakeClock) -> None:
        """With fewer places than bookings, those that have waited longest are claimed, and only those."""
        for number in (3, 1, 4, 2):
            due_at = clock.now() + number * SECOND
            self.commit(store, make_booking(f"b-{number}"), *QUEUE, next_attempt_at=due_at)
        clock.advance(CLAIM)
        assert [due.booking_id for due in store.due(3)] == ["b-1", "b-2", "b-3"]
        assert [due.booking_id for due in store.due(3)] == ["b-4"]
        assert store.due(3) == ()

    def test_reviews_come_by_arrival(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """In pages that go on where they ended, whatever comes before that meanwhile; without a booking, last."""
        harness.put_venue(make_venue("r-2"))
        hours = {"b-1": 3, "b-2": 1, "b-3": 2, "b-4": 2, "b-5": 0}
        for name, hour in hours.items():
            self.commit(store, make_booking(name, at=DINNER + hour * HOUR), *REVIEW)
        self.commit(store, make_booking("b-6"), *QUEUE)
        self.commit(store, make_booking("b-7", restaurant_id="r-2", at=DINNER - HOUR), *REVIEW)
        bare = make_change(make_booking("b-0"), *REVIEW)
        store.commit([attrs.evolve(bare, record=attrs.evolve(bare.record, booking=None))])
        found: list[str] = []
        query = RecordQuery(restaurant_id="r-1", reviews=True, limit=2)
        while True:
            page = store.records(query)
            found += [record.booking_id for record in page.records]
            if page.next is None:
                break
            if len(found) == 4:
                self.commit(store, make_booking("b-8", at=DINNER), *REVIEW)
            query = attrs.evolve(query, after=page.next)
        assert found == ["b-5", "b-2", "b-3", "b-4", "b-1", "b-0"]
        everywhere = store.records(RecordQuery(reviews=True, limit=2)).records
        assert [record.booking_id for record in everywhere] == ["b-7", "b-5"]

    def claimed(self, store: AssignmentStore, clock: FakeClock, order: WakeOrder) -> list[str]:
        """The order in which four bookings are claimed: their sizes, when they arrive, and for how long they waited."""
        asked = {"b-1": (2, 1, 20), "b-2": (6, 3, 5), "b-3": (2, 1, 30), "b-4": (1, 0, 10)}
        for number, (name, (size, hours, waited)) in enumerate(asked.items()):
            booking = make_booking(name, party_size=size, at=DINNER + hours * HOUR)
            times = {
                "next_attempt_at": clock.now() - number % 2 * SECOND,
                "waiting_since": clock.now() - waited * SECOND,
            }
            self.commit(store, booking, *QUEUE, **times)
        return [due.booking_id for due in store.due(10, order)]

    def test_the_longest_wait_comes_first(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Whatever the ids, and since when the bookings are due."""
        assert self.claimed(store, clock, WakeOrder.LONGEST_WAIT) == ["b-3", "b-1", "b-4", "b-2"]

    def test_the_soonest_arrival_may_come_first(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Of two that arrive together, the one that has waited longer."""
        assert self.claimed(store, clock, WakeOrder.SOONEST_ARRIVAL) == ["b-4", "b-3", "b-1", "b-2"]

    def test_the_largest_party_may_come_first(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Of two of one size, the one that has waited longer."""
        assert self.claimed(store, clock, WakeOrder.LARGEST_PARTY) == ["b-2", "b-3", "b-1", "b-4"]

    def test_holds_that_expire_come_before_those_who_wait(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Their tables come free, for the others to get."""
        waits = {"next_attempt_at": clock.now() - HOUR, "waiting_since": clock.now() - HOUR}
        self.commit(store, make_booking("b-1"), *QUEUE, **waits)
        self.commit(store, make_booking("b-2"), *HOLD, tables=("T1",), next_attempt_at=clock.now())
        assert [due.booking_id for due in store.due(10)] == ["b-2", "b-1"]

    def test_restaurants_take_turns(self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock) -> None:
        """However many wait at one, the first of each other restaurant is claimed with its first."""
        harness.put_venue(make_venue("r-2"))
        harness.put_venue(make_venue("r-3"))
        for number in range(6):
            waits = {"next_attempt_at": clock.now() - HOUR, "waiting_since": clock.now() - number * SECOND}
            self.commit(store, make_booking(f"a-{number}"), *QUEUE, **waits)
        for number, restaurant in enumerate(("r-2", "r-2", "r-3")):
            booking = make_booking(f"b-{number}", restaurant_id=restaurant)
            since = clock.now() - number * SECOND
            self.commit(store, booking, *QUEUE, next_attempt_at=since, waiting_since=since)
        assert [due.booking_id for due in store.due(5)] == ["a-5", "b-2", "b-1", "a-4", "b-0"]

    def test_a_commit_sets_the_schedule(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A commit after a claim decides anew when the booking is due, and how often it was handed out."""
        booking = make_booking()
        self.commit(store, booking, *QUEUE, next_attempt_at=clock.now())
        store.due(1)
        self.commit(store, booking, Trigger.BEGIN, Trigger.RETRY, next_attempt_at=clock.now() + SECOND, deliveries=0)
        clock.advance(SECOND)
        assert [(due.booking_id, due.deliveries) for due in store.due(1)] == [("b-1", 1)]
        self.commit(store, booking, Trigger.CANCEL, next_attempt_at=None)
        clock.advance(HOUR)
        assert store.due(1) == ()

    def test_a_claim_that_is_put_back_does_not_count(self, store: AssignmentStore, clock: FakeClock) -> None:
        """The booking is as it was before the claim, and due again when it is told to be."""
        record = self.commit(store, make_booking(), *QUEUE, next_attempt_at=clock.now())
        store.put_back(store.due(1), 2 * SECOND)
        assert self.record(store) == attrs.evolve(record, next_attempt_at=clock.now() + 2 * SECOND)
        assert store.due(1) == ()
        clock.advance(2 * SECOND)
        assert [(due.booking_id, due.deliveries) for due in store.due(1)] == [("b-1", 1)]

    def test_a_claim_is_put_back_for_no_longer_than_a_claim(self, store: AssignmentStore, clock: FakeClock) -> None:
        """However long its sweeper wants to wait, the booking is due again when the claim would have ended."""
        self.commit(store, make_booking(), *QUEUE, next_attempt_at=clock.now())
        store.put_back(store.due(1), HOUR)
        clock.advance(CLAIM)
        assert len(store.due(1)) == 1

    def test_putting_back_late_leaves_the_next_claim_alone(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Who has claimed the booking since keeps it; only the count goes back by one."""
        self.commit(store, make_booking(), *QUEUE, next_attempt_at=clock.now())
        late = store.due(1)
        clock.advance(CLAIM)
        (other,) = store.due(1)
        store.put_back(late, SECOND)
        found = self.record(store)
        assert found is not None
        assert (found.deliveries, found.next_attempt_at) == (other.deliveries - 1, clock.now() + CLAIM)

    def test_two_claims_that_are_put_back_do_not_count(self, store: AssignmentStore, clock: FakeClock) -> None:
        """The earlier one comes back late, and the present one after it: each gives up its own."""
        record = self.commit(store, make_booking(), *QUEUE, next_attempt_at=clock.now())
        late = store.due(1)
        clock.advance(CLAIM)
        present = store.due(1)
        store.put_back(late, SECOND)
        store.put_back(present, 2 * SECOND)
        assert self.record(store) == attrs.evolve(record, next_attempt_at=clock.now() + 2 * SECOND)

    def test_putting_back_leaves_a_claim_that_was_made_after_a_commit(
        self, store: AssignmentStore, clock: FakeClock
    ) -> None:
        """It is the first again, as the one was that comes back late."""
        booking = make_booking()
        self.commit(store, booking, *QUEUE, next_attempt_at=clock.now())
        late = store.due(1)
        times = {"next_attempt_at": clock.now(), "deliveries": 0}
        self.commit(store, booking, Trigger.BEGIN, Trigger.RETRY, **times)
        assert len(store.due(1)) == 1
        claimed = self.record(store)
        store.put_back(late, SECOND)
        assert self.record(store) == claimed

    def test_a_claim_is_put_back_that_freed_tables_have_moved(self, store: AssignmentStore, clock: FakeClock) -> None:
        """It is the same claim, whenever it would have ended."""
        record = self.commit(store, make_booking(), *QUEUE, next_attempt_at=clock.now())
        self.commit(store, make_booking("b-2"), *CONFIRM, tables=("T1",))
        claims = store.due(1)
        self.commit(store, make_booking("b-2"), Trigger.CANCEL)
        store.put_back(claims, SECOND)
        assert self.record(store) == attrs.evolve(record, next_attempt_at=clock.now() + SECOND)

    def test_putting_back_leaves_alone_what_was_committed(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A booking that has changed since its claim stays as that commit left it, when the claim is given up."""
        booking = make_booking()
        self.commit(store, booking, *QUEUE, next_attempt_at=clock.now())
        claims = store.due(1)
        settled = self.commit(store, booking, Trigger.CANCEL, next_attempt_at=None, deliveries=0)
        store.put_back((*claims, attrs.evolve(claims[0], booking_id="nobody")), SECOND)
        assert self.record(store) == settled

    def test_what_never_came_back_is_claimed_alone(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A booking that ended its worker is not claimed with others, who would pay for it."""
        for number, deliveries in enumerate((0, 2, 0, 1)):
            due = clock.now() + number * SECOND
            self.commit(store, make_booking(f"b-{number}"), *QUEUE, next_attempt_at=due, deliveries=deliveries)
        clock.advance(CLAIM)
        handed_out = [[due.booking_id for due in store.due(10)] for _ in range(4)]
        assert handed_out == [["b-0", "b-2"], ["b-1"], ["b-3"], []]

    def test_a_claim_by_a_clock_that_was_ahead_is_over(self, store: AssignmentStore, clock: FakeClock) -> None:
        """What was claimed for longer than a claim lasts is due; what is only scheduled for then is not."""
        far = clock.now() + 6 * HOUR
        self.commit(store, make_booking("b-1"), *QUEUE, next_attempt_at=far, deliveries=1)
        self.commit(store, make_booking("b-2"), *QUEUE, next_attempt_at=far)
        self.commit(store, make_booking("b-3"), *QUEUE, next_attempt_at=clock.now() + CLAIM, deliveries=1)
        assert [due.booking_id for due in store.due(10)] == ["b-1"]
        assert store.due(10) == ()

    def test_what_no_schedule_brings_back_is_listed(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A page of reviews, and of what is neither settled nor due, handed to legacy or not, by booking."""
        self.commit(store, make_booking("b-1"), *QUEUE, next_attempt_at=None)
        self.commit(store, make_booking("b-2"), *QUEUE, next_attempt_at=clock.now())
        self.commit(store, make_booking("b-3"), *REVIEW, next_attempt_at=clock.now())
        self.commit(store, make_booking("b-4"), *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("b-5"), *REVIEW, owner=Owner.LEGACY)
        self.commit(store, make_booking("b-6"), next_attempt_at=None)
        self.commit(store, make_booking("b-7"), *QUEUE, Trigger.BEGIN, owner=Owner.LEGACY, next_attempt_at=None)
        self.commit(store, make_booking("b-8"), *QUEUE, Trigger.BEGIN, owner=Owner.LEGACY, next_attempt_at=clock.now())
        first = store.records(RecordQuery(unfinished=True, limit=2))
        assert [record.booking_id for record in first.records] == ["b-1", "b-3"]
        rest = store.records(RecordQuery(unfinished=True, after=first.next))
        assert ([record.booking_id for record in rest.records], rest.next) == (["b-6", "b-7"], None)
        assert first.records[0] == self.record(store, "b-1")
        assert first.now == clock.now()

    # -- Tables that come free ------------------------------------------------------------------------------------

    def wait(
        self,
        store: AssignmentStore,
        booking_id: str,
        *,
        at: dt.datetime = DINNER,
        restaurant_id: str = "r-1",
        way: Sequence[Trigger] = QUEUE,
        **fields: Any,
    ) -> None:
        """Have a booking wait for tables, not due before dinner."""
        booking = make_booking(booking_id, at=at, restaurant_id=restaurant_id)
        self.commit(store, booking, *way, **{"next_attempt_at": DINNER, **fields})

    def woken(self, store: AssignmentStore, clock: FakeClock, *booking_ids: str) -> set[str]:
        """Which of the bookings are due now."""
        records = {booking_id: self.record(store, booking_id) for booking_id in booking_ids}
        return {key for key, record in records.items() if record and record.next_attempt_at == clock.now()}

    def test_freed_tables_wake_those_that_wait(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Pending bookings, and reviews for want of tables, are due the moment a table comes free at their time."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        self.wait(store, "pending")
        self.wait(store, "no-fit", way=REVIEW, reason="no_fit", next_attempt_at=None)
        self.wait(store, "infeasible", way=REVIEW, reason="infeasible", next_attempt_at=None)
        clock.advance(SECOND)
        self.commit(store, make_booking("b-1"), Trigger.CANCEL)
        waiting = ("pending", "no-fit", "infeasible")
        assert self.woken(store, clock, *waiting) == set(waiting)
        assert {due.booking_id for due in store.due(10)} == set(waiting)

    def test_who_is_claimed_stays_claimed_when_tables_come_free(
        self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """No other sweeper gets the booking, however often; what was planned before the tables came free is refused."""
        booking = make_booking("pending")
        harness.put_booking(booking)
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("b-2"), *CONFIRM, tables=("T2",))
        self.commit(store, booking, *QUEUE, next_attempt_at=clock.now())
        assert [due.deliveries for due in store.due(10)] == [1]
        claimed, preconditions = self.record(store, "pending"), self.assume(store, booking)
        change = make_change(booking, Trigger.BEGIN, before=claimed, preconditions=preconditions)
        clock.advance(SECOND)
        for booking_id in ("b-1", "b-2"):
            self.commit(store, make_booking(booking_id), Trigger.CANCEL)
            assert store.due(10) == ()
        with pytest.raises(StaleRecordError) as refused:
            store.commit([change])
        assert refused.value.what == "schedule"
        clock.advance(CLAIM)
        assert [due.deliveries for due in store.due(10)] == [2]

    def test_freed_tables_wake_whose_period_says_how_long(
        self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """Who did not say how long to sit, and would until the period ends, is due when a table is freed late in it."""
        day = ServicePeriod("day", dt.time(12), dt.time(23, 30), turn="to_end")
        harness.put_venue(make_venue(service_periods=(day,)))
        self.commit(store, make_booking("b-1", at=DINNER + 2 * HOUR), *CONFIRM, tables=("T1",))
        waiting = make_booking("pending", at=DINNER - 5 * HOUR, end_at=None)
        self.commit(store, waiting, *QUEUE, next_attempt_at=DINNER)
        clock.advance(SECOND)
        self.commit(store, make_booking("b-1", at=DINNER + 2 * HOUR), Trigger.CANCEL)
        assert self.woken(store, clock, "pending") == {"pending"}

    def test_freed_tables_wake_nobody_else(
        self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """Reviews for other reasons, other times and restaurants, legacy's and settled bookings are let be."""
        harness.put_venue(make_venue("r-2"))
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        self.wait(store, "impossible", way=REVIEW, reason="party_too_large")
        self.wait(store, "unexplained", way=REVIEW, reason=None)
        self.wait(store, "later", at=DINNER + 3 * HOUR)
        self.wait(store, "elsewhere", restaurant_id="r-2")
        self.wait(store, "legacy", owner=Owner.LEGACY)
        self.wait(store, "begun", way=(*QUEUE, Trigger.BEGIN))
        self.wait(store, "seated", way=HOLD, tables=("T2",))
        clock.advance(SECOND)
        self.commit(store, make_booking("b-1"), Trigger.CANCEL)
        assert store.due(10) == ()

    def test_the_buffers_count_when_tables_come_free(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Those are woken whose turn with its buffers overlaps what came free, touching is not enough."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))  # Until 15 minutes past.
        buffer = dt.timedelta(minutes=15)
        self.wait(store, "touches", at=DINNER + HOUR + buffer)
        self.wait(store, "overlaps", at=DINNER + HOUR + buffer - dt.timedelta(minutes=1))
        self.wait(store, "ends", at=DINNER - HOUR - buffer)
        self.wait(store, "runs-into", at=DINNER - HOUR)
        clock.advance(SECOND)
        self.commit(store, make_booking("b-1"), Trigger.CANCEL)
        found = self.woken(store, clock, "touches", "overlaps", "ends", "runs-into")
        assert found == {"overlaps", "runs-into"}

    def test_a_move_frees_what_it_leaves(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A booking that moves to other tables wakes those that wait, once."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1", "T2"))
        self.wait(store, "pending")
        clock.advance(SECOND)
        self.commit(store, make_booking("b-1"), Trigger.MOVE, tables=("T2",))
        assert self.woken(store, clock, "pending") == {"pending"}
        assert [due.booking_id for due in store.due(10)] == ["pending"]

    def test_a_move_to_another_restaurant_frees_what_it_leaves(
        self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """Also where it is given a table of the same name there."""
        harness.put_venue(make_venue("r-2"))
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        self.wait(store, "pending")
        self.wait(store, "elsewhere", restaurant_id="r-2")
        clock.advance(SECOND)
        self.commit(store, make_booking("b-1", restaurant_id="r-2"), Trigger.MOVE, tables=("T1",))
        assert self.woken(store, clock, "pending", "elsewhere") == {"pending"}

    def test_what_keeps_its_tables_frees_none(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Confirming or pinning a booking wakes nobody, nor does seating one."""
        self.wait(store, "pending")
        self.commit(store, make_booking("b-1"), *HOLD, tables=("T1",))
        clock.advance(SECOND)
        self.commit(store, make_booking("b-1"), Trigger.CONFIRM)
        self.commit(store, make_booking("b-1"), pinned=True)
        self.commit(store, make_booking("b-2"), *CONFIRM, tables=("T2",))
        assert store.due(10) == ()

    def test_who_frees_is_not_woken_by_it(self, store: AssignmentStore, clock: FakeClock) -> None:
        """What the commit itself says of its bookings stands."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        record = self.commit(store, make_booking("b-1"), Trigger.REQUEUE, next_attempt_at=DINNER)
        assert self.record(store) == record
        assert record.state is AssignmentState.ASSIGNMENT_PENDING
        assert store.due(10) == ()
        assert clock.now() < DINNER

    def test_waking_moves_nothing_but_the_schedule(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A woken record is the same but for when it is due: no version, no history."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        self.wait(store, "pending")
        before, history = self.record(store, "pending"), store.history("pending")
        clock.advance(SECOND)
        store.commit([make_change(make_booking("b-1"), Trigger.CANCEL, before=self.record(store))])
        assert before is not None
        assert self.record(store, "pending") == attrs.evolve(before, next_attempt_at=clock.now())
        assert store.history("pending") == history
