"""What every store promises of its commits: what it compares, what it refuses, and that it is all or nothing."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from assignment_pipeline.domain.record import AssignmentChange, Owner
from assignment_pipeline.errors import CommitUnknownError, StaleRecordError, StaleRolloutError, TableConflictError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import AssignmentStore, Occupied, RecordQuery
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite, need
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOLD,
    HOUR,
    QUEUE,
    StoreHarness,
    make_block,
    make_booking,
    make_change,
    make_venue,
)

BUFFER = dt.timedelta(minutes=15)


class HookError(Exception):
    """What a host's code raises."""


class Guards(StoreSuite):
    """What a commit assumes, whom it conflicts with, and that it leaves nothing behind when refused."""

    # -- What the plan takes for granted ---------------------------------------------------------------------------

    def refused_for(self, store: AssignmentStore, change: AssignmentChange) -> str:
        """Commit *change*, which must be refused; what it was refused for."""
        before = self.record(store, change.record.booking_id)
        with pytest.raises(StaleRecordError) as refused:
            store.commit([change])
        assert refused.value.booking_id == change.record.booking_id
        assert self.record(store, change.record.booking_id) == before
        return refused.value.what

    def test_what_still_holds_is_committed(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """A plan whose assumptions hold goes through, for a new record and for an old one."""
        booking = make_booking()
        harness.put_booking(booking)
        self.commit(store, booking, *QUEUE, preconditions=self.assume(store, booking), next_attempt_at=DINNER)
        record = self.commit(
            store, booking, Trigger.BEGIN, Trigger.SEAT, tables=("T1",), preconditions=self.assume(store, booking)
        )
        assert self.record(store) == record

    def test_a_changed_booking_is_noticed(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """What was planned for two guests is not written for three, nor for a party that has cancelled."""
        booking = make_booking()
        harness.put_booking(booking)
        change = make_change(booking, *CONFIRM, tables=("T1",), preconditions=self.assume(store, booking))
        for moved in ({"party_size": 3}, {"status": "cancelled"}, {"end_at": DINNER + 2 * HOUR}, {"zone": "window"}):
            harness.put_booking(attrs.evolve(booking, **moved))
            assert self.refused_for(store, change) == "booking"
        harness.put_booking(booking)
        store.commit([change])

    def test_each_of_several_bookings_is_compared(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Where several are planned together, one that has changed refuses them all, whichever it is."""
        bookings = [make_booking(f"b-{number}") for number in (1, 2, 3)]
        for booking in bookings:
            harness.put_booking(booking)
        changes = [
            make_change(booking, *CONFIRM, tables=(f"T{number}",), preconditions=self.assume(store, booking))
            for number, booking in enumerate(bookings, 1)
        ]
        for booking in bookings:
            harness.put_booking(attrs.evolve(booking, party_size=3))
            with pytest.raises(StaleRecordError) as refused:
                store.commit(changes)
            assert refused.value.args == (booking.id, "booking")
            harness.put_booking(booking)
        store.commit(changes)

    def test_a_booking_that_turns_up_is_noticed(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """A plan for a booking that the host did not know is refused once it does, and knows it otherwise."""
        booking = make_booking()
        change = make_change(booking, *CONFIRM, tables=("T1",), preconditions=self.assume(store, booking))
        harness.put_booking(attrs.evolve(booking, status="cancelled"))
        assert self.refused_for(store, change) == "booking"

    def test_a_changed_floor_is_noticed(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """A plan on an old floor or policy is not written."""
        booking = make_booking()
        harness.put_booking(booking)
        change = make_change(booking, *CONFIRM, tables=("T1",), preconditions=self.assume(store, booking))
        harness.put_venue(make_venue(tables=5))
        assert self.refused_for(store, change) == "venue"

    def test_a_moved_schedule_is_noticed(self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock) -> None:
        """What was decided before a sweeper took the booking up is not written after."""
        booking = make_booking()
        harness.put_booking(booking)
        record = self.commit(store, booking, *QUEUE, next_attempt_at=clock.now())
        change = make_change(booking, Trigger.BEGIN, before=record, preconditions=self.assume(store, booking))
        assert store.due(1)
        assert self.refused_for(store, change) == "schedule"

    def test_a_pinned_booking_is_noticed(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """A move that was planned before its booking was pinned is refused."""
        booking = make_booking()
        harness.put_booking(booking)
        record = self.commit(store, booking, *HOLD, tables=("T1",))
        change = make_change(
            booking, Trigger.MOVE, before=record, tables=("T2",), preconditions=self.assume(store, booking)
        )
        store.commit([make_change(booking, before=record, pinned=True)])
        assert self.refused_for(store, change) == "pinned"

    def test_a_moved_rollout_is_noticed(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Once the rollout has moved on, nothing that was begun before lands."""
        need(harness, "bump_generation")
        booking = make_booking()
        harness.put_booking(booking)
        preconditions = self.assume(store, booking)
        assert preconditions.generation is not None
        change = make_change(booking, *CONFIRM, tables=("T1",), preconditions=preconditions)
        harness.bump_generation()
        with pytest.raises(StaleRolloutError) as refused:
            store.commit([change])
        assert refused.value.args == (preconditions.generation, preconditions.generation + 1)
        assert self.record(store) is None
        ungated = attrs.evolve(change, preconditions=attrs.evolve(preconditions, generation=None))
        store.commit([ungated])

    def test_what_assumes_nothing_is_compared_by_version_alone(
        self, store: AssignmentStore, harness: StoreHarness
    ) -> None:
        """A cancellation lands whatever the host, the floor or the schedule say."""
        booking = make_booking()
        record = self.commit(store, booking, *QUEUE, next_attempt_at=DINNER, pinned=True)
        harness.put_booking(attrs.evolve(booking, status="cancelled"))
        harness.put_venue(make_venue(tables=5))
        store.commit([make_change(booking, Trigger.CANCEL, before=record)])

    # -- Tables ---------------------------------------------------------------------------------------------------

    def refused_tables(self, store: AssignmentStore, *changes: AssignmentChange) -> Sequence[str]:
        """Commit *changes*, which must be refused; the contested tables."""
        with pytest.raises(TableConflictError) as refused:
            store.commit(changes)
        return refused.value.table_ids

    def seat(self, booking_id: str, *tables: str, **fields: Any) -> AssignmentChange:
        """The change that confirms a new booking at *tables*."""
        return make_change(make_booking(booking_id, **fields), *CONFIRM, tables=tables)

    def test_a_table_is_given_once(self, store: AssignmentStore) -> None:
        """A table that is taken for any minute of the window is refused, and named."""
        store.commit([self.seat("b-1", "T2")])
        for apart in (dt.timedelta(), HOUR / 2, -HOUR / 2, HOUR, -HOUR):
            late = self.seat("b-2", "T1", "T2", at=DINNER + apart)
            assert self.refused_tables(store, late) == ("T2",)
        inside = self.seat("b-2", "T2", at=DINNER + BUFFER, end_at=DINNER + 2 * BUFFER)
        around = self.seat("b-2", "T2", at=DINNER - HOUR, end_at=DINNER + 2 * HOUR)
        assert self.refused_tables(store, inside) == ("T2",)
        assert self.refused_tables(store, around) == ("T2",)
        assert self.record(store, "b-2") is None

    def test_a_hold_keeps_its_tables(self, store: AssignmentStore) -> None:
        """A booking that is not yet confirmed has its tables all the same."""
        self.commit(store, make_booking("b-1"), *HOLD, tables=("T1",))
        assert self.refused_tables(store, self.seat("b-2", "T1")) == ("T1",)

    def test_legacy_keeps_its_tables(self, store: AssignmentStore) -> None:
        """A table that a record has which is legacy's is taken."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",), owner=Owner.LEGACY)
        assert self.refused_tables(store, self.seat("b-2", "T1")) == ("T1",)

    def test_windows_that_touch_do_not_conflict(self, store: AssignmentStore) -> None:
        """A table is free from the minute at which its last buffer ends."""
        store.commit([self.seat("b-1", "T1")])
        assert self.refused_tables(store, self.seat("b-2", "T1", at=DINNER + HOUR + BUFFER - BUFFER / 15)) == ("T1",)
        store.commit([self.seat("b-2", "T1", at=DINNER + HOUR + BUFFER)])
        store.commit([self.seat("b-3", "T1", at=DINNER - HOUR - BUFFER)])

    def test_restaurants_share_no_tables(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Tables of the same name at two restaurants are two tables, in one commit or in two, blocked or not."""
        harness.put_venue(make_venue("r-2"))
        store.commit([self.seat("b-1", "T1")])
        store.commit([self.seat("b-2", "T1", restaurant_id="r-2")])
        store.commit([self.seat("b-3", "T2"), self.seat("b-4", "T2", restaurant_id="r-2")])
        store.block([make_block(table_id="T3", restaurant_id="r-2")], ())
        store.commit([self.seat("b-5", "T3")])

    def test_what_is_taken_at_one_restaurant_refuses_all_of_a_commit(
        self, store: AssignmentStore, harness: StoreHarness
    ) -> None:
        """One that seats bookings of several, as a sweep's does, lands whole or not at all."""
        harness.put_venue(make_venue("r-2"))
        store.commit([self.seat("b-1", "T1", restaurant_id="r-2")])
        together = [self.seat("b-2", "T1"), self.seat("b-3", "T2", restaurant_id="r-2")]
        assert self.refused_tables(store, *together, self.seat("b-4", "T1", restaurant_id="r-2")) == ("T1",)
        assert [record.booking_id for record in store.records(RecordQuery()).records] == ["b-1"]
        store.commit(together)

    def test_a_table_at_another_restaurant_is_none_that_it_keeps(
        self, store: AssignmentStore, harness: StoreHarness
    ) -> None:
        """A booking that moves to another restaurant does not have a table there because it had one of that name."""
        harness.put_venue(make_venue("r-2"))
        record = self.commit(store, make_booking(), *CONFIRM, tables=("T1",))
        store.commit([self.seat("b-2", "T1", restaurant_id="r-2")])
        moves = make_change(make_booking(restaurant_id="r-2"), Trigger.MOVE, before=record, tables=("T1",))
        assert self.refused_tables(store, moves) == ("T1",)

    def test_all_contested_tables_are_named(self, store: AssignmentStore) -> None:
        """What is refused names every contested table, sorted, over all changes."""
        store.commit([self.seat("b-1", "T1", "T3")])
        late = self.refused_tables(store, self.seat("b-2", "T3", "T4"), self.seat("b-3", "T1", "T2"))
        assert late == ("T1", "T3")

    def test_changes_conflict_among_themselves(self, store: AssignmentStore) -> None:
        """Two bookings cannot take one table in the same commit."""
        assert self.refused_tables(store, self.seat("b-1", "T1", "T2"), self.seat("b-2", "T2")) == ("T2",)
        assert self.taken(store) == set()

    def test_the_hosts_tables_are_taken(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """What legacy or the staff wrote after the plan was made is found by the commit."""
        need(harness, "occupy")
        window = make_venue().turn(make_booking())
        harness.occupy("r-1", Occupied(table_id="T1", window=window, booking_id="walk-in"))
        harness.occupy("r-1", Occupied(table_id="T2", window=window.shifted(3 * HOUR)))
        assert self.refused_tables(store, self.seat("b-1", "T1", "T2")) == ("T1",)
        store.commit([self.seat("b-1", "T2", "T3")])

    def test_the_hosts_row_for_the_same_booking_is_no_rival(
        self, store: AssignmentStore, harness: StoreHarness
    ) -> None:
        """A booking does not conflict with what the host wrote for it itself."""
        need(harness, "occupy")
        window = make_venue().turn(make_booking())
        harness.occupy("r-1", Occupied(table_id="T1", window=window, booking_id="b-1"))
        store.commit([self.seat("b-1", "T1")])

    def test_a_blocked_table_is_taken(self, store: AssignmentStore) -> None:
        """A block keeps everybody off its table for its time, and no longer."""
        store.block([make_block()], ())
        assert self.refused_tables(store, self.seat("b-1", "T1")) == ("T1",)
        store.commit([self.seat("b-1", "T2"), self.seat("b-2", "T1", at=DINNER + HOUR)])

    def test_two_bookings_swap_tables(self, store: AssignmentStore) -> None:
        """All that the changes give up is free before anything is taken."""
        one = self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        two = self.commit(store, make_booking("b-2"), *CONFIRM, tables=("T2", "T3"))
        store.commit(
            [
                make_change(make_booking("b-1"), Trigger.MOVE, before=one, tables=("T2", "T3")),
                make_change(make_booking("b-2"), Trigger.MOVE, before=two, tables=("T1",)),
            ]
        )
        assert self.taken(store) == {("T1", "b-2"), ("T2", "b-1"), ("T3", "b-1")}

    def test_a_booking_may_keep_a_table_as_it_moves(self, store: AssignmentStore) -> None:
        """A move to tables or times that overlap its own is no conflict with itself."""
        record = self.commit(store, make_booking(), *CONFIRM, tables=("T1", "T2"))
        later = make_booking(at=DINNER + HOUR / 2)
        store.commit([make_change(later, Trigger.MOVE, before=record, tables=("T2", "T3"))])
        assert self.taken(store) == {("T2", "b-1"), ("T3", "b-1")}
        store.commit([self.seat("b-2", "T1")])
        assert self.refused_tables(store, self.seat("b-3", "T2")) == ("T2",)
        store.commit([self.seat("b-4", "T2", at=DINNER - HOUR)])

    def test_tables_go_when_the_booking_does(self, store: AssignmentStore) -> None:
        """A booking that is neither assigned nor confirmed any more has no tables: others get them."""
        ends = (
            (HOLD, Trigger.FAIL),
            (HOLD, Trigger.ESCALATE),
            (HOLD, Trigger.RETRY),
            (CONFIRM, Trigger.CANCEL),
            (CONFIRM, Trigger.REQUEUE),
        )
        for number, (way, end) in enumerate(ends):
            booking = make_booking(f"b-{number}")
            self.commit(store, booking, *way, tables=("T1",))
            assert self.taken(store) == {("T1", booking.id)}
            self.commit(store, booking, end)
            assert self.taken(store) == set()

    # -- All or nothing -------------------------------------------------------------------------------------------

    def assert_untouched(self, store: AssignmentStore, changes: Sequence[AssignmentChange]) -> None:
        """Make sure that nothing of *changes*, which were all for new bookings, is there."""
        for change in changes:
            booking_id = change.record.booking_id
            assert self.record(store, booking_id) is None
            assert store.history(booking_id) == ()
            assert not store.knows(change)
            assert booking_id not in {taken_by for _, taken_by in self.taken(store)}

    def test_a_stale_change_takes_the_others_with_it(self, store: AssignmentStore) -> None:
        """When one of several changes is stale, none is applied, whichever comes first."""
        self.commit(store, make_booking("b-2"), *QUEUE)
        fresh = [self.seat("b-1", "T1"), self.seat("b-3", "T3")]
        with pytest.raises(StaleRecordError):
            store.commit([fresh[0], self.seat("b-2", "T2"), fresh[1]])
        self.assert_untouched(store, fresh)

    def test_a_booking_changes_once_a_commit(self, store: AssignmentStore) -> None:
        """Two changes that are about one booking are a mistake, and neither is applied."""
        fresh = [self.seat("b-1", "T1"), self.seat("b-2", "T2"), self.seat("b-2", "T3")]
        with pytest.raises(ValueError, match="b-2"):
            store.commit(fresh)
        self.assert_untouched(store, fresh)

    def test_a_conflict_takes_the_others_with_it(self, store: AssignmentStore) -> None:
        """When one of several changes conflicts, none is applied, and nothing is given up."""
        mover = self.commit(store, make_booking("b-0"), *CONFIRM, tables=("T4",))
        self.commit(store, make_booking("b-9"), *CONFIRM, tables=("T2",))
        fresh = [self.seat("b-1", "T1"), self.seat("b-2", "T2"), self.seat("b-3", "T3")]
        move = make_change(make_booking("b-0"), Trigger.MOVE, before=mover, tables=("T1",))
        assert self.refused_tables(store, move, *fresh) == ("T1", "T2")
        self.assert_untouched(store, fresh)
        assert self.record(store, "b-0") == mover
        assert self.taken(store) == {("T4", "b-0"), ("T2", "b-9")}

    def test_a_hook_sees_the_changes(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """The host's code is called inside the commit, with all its changes."""
        need(harness, "hook")
        seen: list[str] = []
        harness.hook(lambda _, changes: seen.extend(change.record.booking_id for change in changes))
        store.commit([self.seat("b-2", "T2"), self.seat("b-1", "T1")])
        assert sorted(set(seen)) == ["b-1", "b-2"]

    def test_a_hook_that_closes_its_connection_spoils_no_other_commit(
        self, store: AssignmentStore, harness: StoreHarness
    ) -> None:
        """Its caller hears at once what became of it, not that there was no answer; the next commit works."""
        need(harness, "hook")
        closed: list[object] = []

        def close(connection: Any, _: Sequence[AssignmentChange]) -> None:
            if not closed:
                closed.append(connection)
                answer = getattr(connection, "close", lambda: None)()
                if inspect.iscoroutine(answer):
                    answer.close()  # A hook cannot wait for it: nothing is closed.

        harness.hook(close)
        spoiled, next_one = self.seat("b-1", "T1"), self.seat("b-2", "T2")
        told: Exception | None = None
        try:
            store.commit([spoiled])
        except Exception as error:  # noqa: BLE001 - each store has its own
            told = error
        assert not isinstance(told, CommitUnknownError)
        store.commit([next_one])
        assert self.record(store, "b-1") in (None, spoiled.record)
        assert self.record(store, "b-2") == next_one.record
        assert self.taken(store) >= {("T2", "b-2")}

    def test_what_a_hook_raises_undoes_the_commit(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """What the host's code raises inside a commit reaches the caller, and nothing is left of the commit."""
        need(harness, "hook")
        waiting = self.commit(store, make_booking("b-8"), *QUEUE, next_attempt_at=DINNER)
        leaving = self.commit(store, make_booking("b-9"), *CONFIRM, tables=("T4",))

        def refuse(_: object, changes: Sequence[AssignmentChange]) -> None:
            raise HookError([change.id for change in changes])

        harness.hook(refuse)
        fresh = [self.seat("b-1", "T1"), self.seat("b-2", "T2")]
        with pytest.raises(HookError):
            store.commit([*fresh, make_change(make_booking("b-9"), Trigger.CANCEL, before=leaving)])
        self.assert_untouched(store, fresh)
        assert self.record(store, "b-8") == waiting
        assert self.record(store, "b-9") == leaving
        assert self.taken(store) == {("T4", "b-9")}
