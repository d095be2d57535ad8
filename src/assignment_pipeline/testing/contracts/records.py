"""What every store promises of records: versions, history, paging, and that what goes in comes out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from assignment_pipeline.domain.booking import SeatingPreference
from assignment_pipeline.domain.record import AttemptResult, Owner
from assignment_pipeline.errors import StaleRecordError
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.ports import AssignmentStore, RecordQuery
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite, need
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

IDS = (
    "a-1",
    "b 2",
    "b-10",
    "b-2",
    "Zoë's",
    "東京",
    "🦀",
)  # Not in the order of any language, but in that of code points.


WISHES: dict[str, Any] = {
    "party_size": 4,
    "seating": SeatingPreference.OUTDOOR,
    "zone": "terrace",
    "accessible": True,
    "channel": "phone",
}


class Records(StoreSuite):
    """Records, history, attempts and events."""

    def test_a_record_comes_back_as_it_went_in(self, store: AssignmentStore) -> None:
        """A new record is read as it was committed."""
        record = self.commit(store, make_booking(), *CONFIRM, tables=("T2", "T1"), strategy="adjacency")
        assert self.record(store) == record

    def test_every_field_is_kept(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """No field of a record is lost, whatever script it is written in."""
        harness.put_venue(make_venue("Chez Zoë"))
        booking = make_booking(
            "b'1; -- 東京",
            restaurant_id="Chez Zoë",
            party_size=7,
            seating=SeatingPreference.OUTDOOR,
            zone="Galerie 'Süd'",
            accessible=True,
            status="waitlisted",
        )
        record = self.commit(
            store,
            booking,
            *HOLD,
            tables=("T3", "T1"),
            strategy="optimal_fit",
            attempts=3,
            retries=2,
            deliveries=1,
            holds=4,
            next_attempt_at=booking.start_at - dt.timedelta(microseconds=1),
            waiting_since=booking.start_at - dt.timedelta(days=1, microseconds=1),
            pinned=True,
            reason="by_request",
        )
        assert self.record(store, booking.id) == record

    def test_absent_fields_stay_absent(self, store: AssignmentStore) -> None:
        """None comes back as None: no booking, no tables, no restaurant, no reason."""
        booking = make_booking("b-unknown", end_at=None)
        record = self.commit(store, booking, Trigger.CANCEL, booking=None, restaurant_id="")
        assert record.booking is None
        assert self.record(store, booking.id) == record

    def test_a_booking_without_an_end_keeps_none(self, store: AssignmentStore) -> None:
        """The end that a guest did not give is not filled in."""
        record = self.commit(store, make_booking(end_at=None), *QUEUE)
        assert self.record(store) == record

    def test_legacy_records_are_kept(self, store: AssignmentStore) -> None:
        """A record may be legacy's, with tables."""
        record = self.commit(store, make_booking(), *CONFIRM, tables=("T1",), owner=Owner.LEGACY, strategy="legacy")
        assert self.record(store) == record

    def test_a_later_record_replaces_the_former(self, store: AssignmentStore) -> None:
        """An update leaves nothing of the old record."""
        self.commit(store, make_booking(), *HOLD, tables=("T1",), strategy="optimal_fit", reason="x", pinned=True)
        record = self.commit(
            store, make_booking(), Trigger.MOVE, tables=("T2",), strategy=None, reason=None, pinned=False
        )
        assert self.record(store) == record

    def test_a_booking_gets_one_record(self, store: AssignmentStore) -> None:
        """Who expects no record is refused where there is one."""
        first = self.commit(store, make_booking(), *QUEUE)
        with pytest.raises(StaleRecordError) as refused:
            store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
        assert refused.value.args == ("b-1", "version")
        assert self.record(store) == first

    def test_an_older_version_is_refused(self, store: AssignmentStore) -> None:
        """What was decided on an older record is not written."""
        old = self.commit(store, make_booking(), *QUEUE)
        new = self.commit(store, make_booking(), Trigger.BEGIN)
        with pytest.raises(StaleRecordError) as refused:
            store.commit([make_change(make_booking(), Trigger.CANCEL, before=old)])
        assert refused.value.args == ("b-1", "version")
        assert self.record(store) == new

    def test_a_record_that_is_not_there_is_not_updated(self, store: AssignmentStore) -> None:
        """Who expects a record is refused where there is none."""
        ghost = make_change(make_booking(), *QUEUE).record
        with pytest.raises(StaleRecordError):
            store.commit([make_change(make_booking(), Trigger.BEGIN, before=ghost)])
        assert self.record(store) is None

    def test_no_changes_are_fine(self, store: AssignmentStore) -> None:
        """A commit of nothing does nothing."""
        store.commit([])
        assert store.records(RecordQuery()).records == ()

    def test_history_is_gapless(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Each transition is there, in order, with all that is told of it."""
        first = make_change(make_booking(), *CONFIRM, tables=("T2", "T1"), now=clock.now())
        store.commit([first])
        clock.advance(dt.timedelta(seconds=1.5))
        second = make_change(
            make_booking(),
            Trigger.CANCEL,
            before=first.record,
            now=clock.now(),
            reason="by_request",
            actor="Zoë",
        )
        store.commit([second])
        history = store.history("b-1")
        assert history == first.steps + second.steps
        assert [step.version for step in history] == list(range(1, 7))

    def test_histories_do_not_mix(self, store: AssignmentStore) -> None:
        """A booking's history holds its own transitions only; an unknown booking has none."""
        self.commit(store, make_booking("b-1"), *QUEUE)
        self.commit(store, make_booking("b-2"), *CONFIRM, tables=("T1",))
        assert [step.trigger for step in store.history("b-1")] == list(QUEUE)
        assert store.history("b-3") == ()

    def test_a_landed_change_is_known(self, store: AssignmentStore) -> None:
        """A change is known once it has landed, even one without a transition."""
        change = make_change(make_booking(), *QUEUE)
        assert not store.knows(change)
        store.commit([change])
        assert store.knows(change)
        pin = make_change(make_booking(), before=change.record, pinned=True)
        store.commit([pin])
        assert store.knows(pin)
        assert store.knows(change)

    def test_a_change_lands_once(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A change that is committed again is stale, even one without a transition that moved the version."""
        first = make_change(make_booking(), *QUEUE)
        pin = make_change(make_booking(), before=first.record, pinned=True, next_attempt_at=clock.now())
        for change in (first, pin):
            store.commit([change])
            with pytest.raises(StaleRecordError) as refused:
                store.commit([change])
            assert refused.value.args == ("b-1", "version")
        assert self.record(store) == pin.record

    def test_a_refused_change_is_not_known(self, store: AssignmentStore) -> None:
        """A change that was refused has not landed."""
        self.commit(store, make_booking(), *QUEUE)
        late = make_change(make_booking(), *QUEUE)
        with pytest.raises(StaleRecordError):
            store.commit([late])
        assert not store.knows(late)

    def test_a_changed_request_reaches_the_row(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """The host's row asks for what a change says, and keeps its status; a change that says nothing leaves it."""
        need(harness, "keep_request")
        asked, wanted = make_booking(), make_booking(at=DINNER + HOUR, end_at=None, **WISHES)
        harness.put_booking(asked)
        self.commit(store, asked, *CONFIRM, tables=("T1",))
        self.commit(store, wanted, Trigger.MOVE, tables=("T1",))
        assert store.booking("b-1") == attrs.evolve(asked, status="confirmed")
        self.commit(store, wanted, Trigger.MOVE, tables=("T1",), request=wanted)
        assert store.booking("b-1") == attrs.evolve(wanted, status="confirmed")

    def test_a_refused_request_leaves_the_row(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """A change that is refused does not change what the host's row asks for."""
        need(harness, "keep_request")
        asked, wanted = make_booking(), make_booking(party_size=4)
        harness.put_booking(asked)
        self.commit(store, asked, *QUEUE)
        with pytest.raises(StaleRecordError):
            store.commit([make_change(wanted, *QUEUE, request=wanted)])
        assert store.booking("b-1") == asked

    def test_attempts_are_kept(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Each recorded planning is there, oldest first."""
        need(harness, "attempts")
        first = make_change(make_booking(), *QUEUE, Trigger.BEGIN, Trigger.RETRY, attempt=AttemptResult.FAILURE)
        store.commit([first])
        second = make_change(
            make_booking(),
            Trigger.BEGIN,
            Trigger.SEAT,
            before=first.record,
            tables=("T1",),
            attempt=AttemptResult.SUCCESS,
        )
        store.commit([second])
        assert list(harness.attempts("b-1")) == [first.attempt, second.attempt]

    def test_events_land_with_the_commit(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """What a commit tells is there when it has landed, and not when it was refused."""
        need(harness, "events")
        landed = make_change(make_booking(), *QUEUE)
        store.commit([landed])
        with pytest.raises(StaleRecordError):
            store.commit([make_change(make_booking(), *QUEUE)])
        assert tuple(harness.events()) == landed.events

    def test_pages_cover_all_records(self, store: AssignmentStore) -> None:
        """Pages follow each other by booking id, in the order of code points, without gaps or repeats."""
        for booking_id in reversed(IDS):
            self.commit(store, make_booking(booking_id), *QUEUE)
        seen: list[str] = []
        after = None
        for _ in range(3):
            page = store.records(RecordQuery(after=after, limit=3))
            seen += [record.booking_id for record in page.records]
            after = page.next
        assert seen == sorted(IDS)
        assert after is None

    def test_a_full_last_page_ends_it(self, store: AssignmentStore) -> None:
        """Where the records fill the page exactly, there is no next one."""
        for booking_id in ("b-1", "b-2"):
            self.commit(store, make_booking(booking_id), *QUEUE)
        assert store.records(RecordQuery(limit=2)).next is None
        assert store.records(RecordQuery(limit=1)).next == "b-1"

    def test_pages_hold_what_was_asked_for(
        self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """Records are found by restaurant, state and id, and by all of them together."""
        harness.put_venue(make_venue("r-2"))
        self.commit(store, make_booking("b-1"), *QUEUE)
        self.commit(store, make_booking("b-2"), *REVIEW)
        self.commit(store, make_booking("b-3", restaurant_id="r-2"), *REVIEW)

        def found(**query: object) -> list[str]:
            return [record.booking_id for record in store.records(RecordQuery(**query)).records]  # type: ignore[arg-type]

        review = (AssignmentState.MANUAL_REVIEW,)
        assert found(restaurant_id="r-1") == ["b-1", "b-2"]
        assert found(states=review) == ["b-2", "b-3"]
        assert found(states=(*review, AssignmentState.ASSIGNMENT_PENDING)) == ["b-1", "b-2", "b-3"]
        assert found(booking_ids=("b-3", "b-1", "b-9")) == ["b-1", "b-3"]
        assert found(restaurant_id="r-1", states=review, booking_ids=("b-2", "b-3")) == ["b-2"]
        assert found(restaurant_id="r-3") == []
        assert store.records(RecordQuery()).now == clock.now()
