"""What every store promises to planning: one consistent view of what it looks at."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline.domain.policy import ServicePeriod
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import AssignmentContext, AssignmentStore, LoadQuery, Occupied
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite, need
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOLD,
    HOUR,
    MINUTE,
    QUEUE,
    StoreHarness,
    make_block,
    make_booking,
    make_venue,
)


class Reads(StoreSuite):
    """`load`, `booking` and `unassigned`."""

    def load(self, store: AssignmentStore, *booking_ids: str, **query: object) -> AssignmentContext:
        """What is loaded for bookings that are known."""
        context = store.load(LoadQuery(restaurant_id="r-1", booking_ids=booking_ids, **query))  # type: ignore[arg-type]
        assert context is not None
        return context

    def test_the_schema_is_right(self, store: AssignmentStore) -> None:
        """A store that is set up says so by not raising."""
        store.check_schema()

    def test_a_booking_that_is_passed_in_need_not_be_known(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A new booking is loaded for: the time, the floor, and nothing else."""
        context = self.load(store, bookings=(make_booking(),))
        assert context.now == clock.now()
        assert context.venue == make_venue()
        assert (context.records, context.bookings, context.taken) == ({}, {}, ())

    def test_an_unknown_id_is_answered_with_none(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Where one of several ids is known to nobody, there is nothing to plan on."""
        harness.put_booking(make_booking())
        assert store.load(LoadQuery(restaurant_id="r-1", booking_ids=("b-1", "b-2"))) is None

    def test_an_id_is_known_by_host_or_record(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """A booking is found by its id if the host knows it, or a record does, and both are handed over."""
        harness.put_booking(make_booking("b-1"))
        record = self.commit(store, make_booking("b-2"), *QUEUE)
        context = self.load(store, "b-1", "b-2")
        assert context.bookings["b-1"] == make_booking("b-1")
        assert context.records == {"b-2": record}

    def test_an_id_that_is_named_twice_is_loaded_once(self, store: AssignmentStore) -> None:
        """Its tables are those that it has, each once."""
        record = self.commit(store, make_booking(), *CONFIRM, tables=["T1", "T2"])
        assert self.load(store, "b-1", "b-1").records == {"b-1": record}

    def test_a_booking_at_hand_counts_as_it_is_there(self, store: AssignmentStore) -> None:
        """Also where its id is named, too: when it was to come before does not matter."""
        self.commit(store, make_booking(), *CONFIRM, tables=["T1"])
        later = make_booking(at=make_booking().start_at + 24 * HOUR)
        assert self.load(store, "b-1", bookings=(later,)).taken == ()
        assert [one.booking_id for one in self.load(store, "b-1").taken] == ["b-1"]

    def test_a_cancelled_unknown_booking_is_loaded(self, store: AssignmentStore) -> None:
        """A record without a booking is found, though there is no time to look at."""
        record = self.commit(store, make_booking(), Trigger.CANCEL, booking=None)
        context = self.load(store, "b-1")
        assert context.records == {"b-1": record}
        assert context.taken == ()

    def test_the_host_need_not_be_asked_about_a_day(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """With ``records_only``, all is loaded but the host's rows of bookings that nobody has named."""
        for key in ("b-1", "b-2"):
            harness.put_booking(make_booking(key))
            self.commit(store, make_booking(key), *QUEUE)
        day = TimeWindow(DINNER - HOUR, DINNER + HOUR)
        whole, bare = (self.load(store, "b-1", day=day, records_only=only) for only in (False, True))
        assert set(whole.bookings) == {"b-1", "b-2"}
        assert set(bare.bookings) == {"b-1"}
        assert (bare.records, bare.taken, bare.venue) == (whole.records, whole.taken, whole.venue)

    def test_an_unknown_restaurant_is_an_error(self, store: AssignmentStore) -> None:
        """Where the host has no such restaurant, it is named."""
        with pytest.raises(VenueNotFoundError) as missing:
            store.load(LoadQuery(restaurant_id="r-9", bookings=(make_booking(restaurant_id="r-9"),)))
        assert missing.value.args == ("r-9",)

    def test_a_changed_floor_is_loaded_changed(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """A floor is never older than the load."""
        self.load(store, bookings=(make_booking(),))
        harness.put_venue(make_venue(tables=6, pre_buffer_minutes=5))
        assert self.load(store, bookings=(make_booking(),)).venue == make_venue(tables=6, pre_buffer_minutes=5)

    def test_the_generation_is_the_rollouts(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """The generation loaded is the one in force."""
        need(harness, "bump_generation")
        before = self.load(store, bookings=(make_booking(),)).generation
        harness.bump_generation()
        assert self.load(store, bookings=(make_booking(),)).generation == before + 1

    def test_all_that_is_taken_is_loaded(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Ours, blocks and the host's are there, with whom and what for, and the query's own bookings too."""
        need(harness, "occupy")
        window = make_venue().turn(make_booking())
        legacy = Occupied(table_id="T1", window=window, booking_id="walk-in")
        block = make_block(table_id="T2", window=window)
        harness.occupy("r-1", legacy)
        store.block([block], ())
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T3", "T4"))
        blocked = make_venue().blocked(window)
        ours = {Occupied(table_id=key, window=blocked, booking_id="b-1", movable=True) for key in ("T3", "T4")}
        taken = {legacy, Occupied(table_id="T2", window=window, reason="maintenance"), *ours}
        assert set(self.load(store, "b-1").taken) == taken
        assert set(self.load(store, bookings=(make_booking("b-2"),)).taken) == taken

    def test_what_the_host_has_seated_stays_where_it_is(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Nobody but the host moves its rows, whatever they say of themselves."""
        need(harness, "occupy")
        window = make_venue().turn(make_booking())
        harness.occupy("r-1", Occupied(table_id="T1", window=window, booking_id="walk-in", movable=True))
        (taken,) = self.load(store, bookings=(make_booking(),)).taken
        assert taken == Occupied(table_id="T1", window=window, booking_id="walk-in", movable=False)

    def test_what_may_be_moved_says_so(self, store: AssignmentStore) -> None:
        """Ours may be moved, held or confirmed, but not what is pinned, nor legacy's."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("b-2"), *HOLD, tables=("T2",))
        self.commit(store, make_booking("b-3"), *CONFIRM, tables=("T3",), owner=Owner.LEGACY)
        self.commit(store, make_booking("b-4"), *HOLD, tables=("T4",))
        self.commit(store, make_booking("b-4"), pinned=True)
        taken = self.load(store, bookings=(make_booking("b-5"),)).taken
        assert {(one.booking_id, one.movable) for one in taken} == {
            ("b-1", True),
            ("b-2", True),
            ("b-3", False),
            ("b-4", False),
        }

    def test_planning_sees_as_far_as_it_looks(self, store: AssignmentStore) -> None:
        """What lies inside the planning window is loaded, what lies outside is not, nor are other restaurants."""
        venue, booking = make_venue(), make_booking("b-1")
        window = venue.planning_window(booking)
        spans = {
            "before": (window.start - HOUR, window.start - venue.policy.post_buffer),
            "first": (window.start - HOUR, window.start - venue.policy.post_buffer + MINUTE),
            "last": (window.end - MINUTE, window.end + HOUR),
            "behind": (window.end, window.end + HOUR),
        }
        for number, (booking_id, (start, end)) in enumerate(spans.items(), 1):
            self.commit(store, make_booking(booking_id, at=start, end_at=end), *CONFIRM, tables=(f"T{number}",))
        taken = self.load(store, bookings=(booking,)).taken
        assert {one.booking_id for one in taken} == {"first", "last"}

    def test_planning_sees_every_time_on_offer(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Where periods name their arrivals, what is taken at the last of them is loaded for who comes to the first."""
        arrivals = (dt.time(12), dt.time(23))
        day = ServicePeriod("day", dt.time(12), dt.time(23, 30), arrivals=arrivals, turn="to_end")
        venue = make_venue(service_periods=(day,))
        harness.put_venue(venue)
        noon, last = (dt.datetime.combine(DINNER.date(), time, venue.zone) for time in arrivals)
        self.commit(store, make_booking("b-1", at=last), *CONFIRM, tables=("T1",), venue=venue)
        window = venue.planning_window(make_booking("b-2", at=noon))
        for name, start in (("in", window.end - MINUTE), ("out", window.end)):
            seated = make_booking(name, at=start, end_at=start + HOUR)
            self.commit(store, seated, *CONFIRM, tables=("T2",) if name == "in" else ("T3",), venue=venue)
        taken = self.load(store, bookings=(make_booking("b-2", at=noon),)).taken
        assert {one.booking_id for one in taken} == {"b-1", "in"}

    def test_the_window_goes_by_the_newest_word(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Planning looks around the booking as it was passed in, else as the host has it, else as the record does."""
        far = dt.timedelta(days=2)
        for number in range(3):
            seated = make_booking(f"s-{number}", at=DINNER + number * far)
            self.commit(store, seated, *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("b-1"), *QUEUE)
        if self.load(store, "b-1").bookings.get("b-1") is None:
            assert {one.booking_id for one in self.load(store, "b-1").taken} == {"s-0"}
        harness.put_booking(make_booking("b-1", at=DINNER + far))
        assert {one.booking_id for one in self.load(store, "b-1").taken} == {"s-1"}
        passed = make_booking("b-1", at=DINNER + 2 * far)
        assert {one.booking_id for one in self.load(store, bookings=(passed,)).taken} == {"s-2"}

    def test_several_are_loaded_at_once(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """For several bookings, all is loaded that any of them needs."""
        for number in (0, 4, 8):
            self.commit(store, make_booking(f"s-{number}", at=DINNER + number * HOUR), *CONFIRM, tables=("T1",))
        harness.put_booking(make_booking("b-1"))
        late = make_booking("b-2", at=DINNER + 8 * HOUR)
        context = self.load(store, "b-1", bookings=(late,))
        assert {one.booking_id for one in context.taken} == {"s-0", "s-4", "s-8"}

    def test_each_query_is_answered_in_its_place(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Queries that are asked together are answered as each is alone, in their order."""
        harness.put_venue(make_venue("r-2"))
        self.commit(store, make_booking("s-1"), *CONFIRM, tables=("T1",))
        for booking in (make_booking("b-1"), make_booking("b-2", restaurant_id="r-2")):
            harness.put_booking(booking)
        asked = [("r-2", "b-2"), ("r-1", "unknown"), ("r-1", "b-1"), ("r-2", "b-2")]
        queries = [LoadQuery(restaurant_id=where, booking_ids=(booking_id,)) for where, booking_id in asked]
        assert store.load_all(queries) == tuple(map(store.load, queries))
        assert [found and found.venue.id for found in store.load_all(queries)] == ["r-2", None, "r-1", "r-2"]
        assert store.load_all(()) == ()

    def test_everybody_of_a_day_is_loaded(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Who sits or waits for tables in that time, as the host sees them, with all that is taken meanwhile."""
        day = TimeWindow(DINNER - HOUR, DINNER + 4 * HOUR)
        away = 6 * HOUR
        harness.put_venue(make_venue("r-2"))
        for name, at, triggers, tables in (
            ("sits", DINNER, CONFIRM, ("T1",)),
            ("is-held", DINNER, HOLD, ("T2", "T3")),
            ("stays-long", DINNER - 90 * MINUTE, CONFIRM, ("T4",)),
            ("sits-late", DINNER + away, CONFIRM, ("T1",)),
            ("waits", DINNER, QUEUE, ()),
            ("waits-late", DINNER + away, QUEUE, ()),
            ("is-gone", DINNER, (Trigger.CANCEL,), ()),
        ):
            self.commit(store, make_booking(name, at=at), *triggers, tables=tables)
        for name, reason in (("in-review", "no_fit"), ("too-large", "party_too_large")):
            self.commit(store, make_booking(name), Trigger.ESCALATE, reason=reason)
        self.commit(store, make_booking("elsewhere", restaurant_id="r-2"), *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("waits-elsewhere", restaurant_id="r-2"), *QUEUE)
        seen = attrs.evolve(make_booking("sits"), status="confirmed")
        harness.put_booking(seen)
        context = self.load(store, bookings=(make_booking("b-1"),), day=day)
        assert context.records.keys() == {"sits", "is-held", "stays-long", "waits", "in-review"}
        assert context.bookings["sits"] == seen
        assert {one.booking_id for one in context.taken} >= {"sits", "is-held", "stays-long"}
        assert self.load(store, day=day).records.keys() == context.records.keys()

    def test_the_hosts_booking_is_handed_through(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """The host's view of a booking is what the host says, or None."""
        booking = make_booking("b-東京", party_size=5, zone="window", accessible=True, status="waitlisted")
        harness.put_booking(booking)
        assert store.booking("b-東京") == booking
        assert store.booking("b-2") is None

    def test_the_unassigned_are_pending_and_have_no_record(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """The host's pending bookings to come are listed, soonest first, without those that have a record."""
        for number in (2, 0, 3, 1, 4):
            harness.put_booking(make_booking(f"b-{number}", at=DINNER + number * HOUR))
        harness.put_booking(attrs.evolve(make_booking("b-9", at=DINNER + HOUR), status="cancelled"))
        self.commit(store, make_booking("b-2", at=DINNER + 2 * HOUR), *QUEUE)
        assert [booking.id for booking in store.unassigned(DINNER, 10)] == ["b-1", "b-3", "b-4"]
        assert [booking.id for booking in store.unassigned(DINNER, 2)] == ["b-1", "b-3"]
        assert store.unassigned(DINNER + 9 * HOUR, 10) == ()

    def test_the_unassigned_of_some_restaurants(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Where the store names the restaurants that wait, it finds the bookings of those that it is asked for."""
        harness.put_venue(make_venue("r-2"))
        harness.put_booking(make_booking("b-1", at=DINNER + HOUR))
        harness.put_booking(make_booking("b-2", at=DINNER + HOUR, restaurant_id="r-2"))
        harness.put_booking(make_booking("b-3", at=DINNER + 2 * HOUR, restaurant_id="r-2"))
        harness.put_booking(make_booking("b-4", restaurant_id="r-2", at=DINNER + 3 * HOUR, status="cancelled"))
        harness.put_booking(make_booking("b-5", at=DINNER + HOUR))
        waiting = store.waiting()
        if waiting.restaurants is None:
            pytest.skip("the host does not know its restaurants")
        assert {"r-1", "r-2"} <= set(waiting.restaurants)
        self.commit(store, make_booking("b-1", at=DINNER + HOUR), *QUEUE)
        found = store.unassigned(DINNER, 10, ("r-2", "r-2", "nowhere"))
        assert [booking.id for booking in found] == ["b-2", "b-3"]
        assert [booking.id for booking in store.unassigned(DINNER, 1, ("r-2",))] == ["b-2"]
        assert [booking.id for booking in store.unassigned(DINNER + HOUR, 9, ("r-1", "r-2"))] == ["b-3"]
        assert store.unassigned(DINNER, 10, ()) == ()

    def test_restaurants_whose_bookings_are_all_enqueued_wait_for_nothing(
        self, store: AssignmentStore, harness: StoreHarness
    ) -> None:
        """The restaurants that wait are those with a pending booking that has no record, as far as the host knows."""
        harness.put_venue(make_venue("r-2"))
        harness.put_booking(make_booking("b-1"))
        harness.put_booking(make_booking("b-2", restaurant_id="r-2"))
        harness.put_booking(make_booking("b-3", restaurant_id="r-2"))
        if store.waiting().restaurants is None:
            pytest.skip("the host does not know its restaurants")
        self.commit(store, make_booking("b-1"), *QUEUE)
        self.commit(store, make_booking("b-2", restaurant_id="r-2"), *QUEUE)
        restaurants = store.waiting().restaurants
        assert restaurants is not None
        assert "r-2" in restaurants
        need(harness, "tell_enqueued")
        assert restaurants == ("r-2",)

    def test_the_time_is_the_stores(self, store: AssignmentStore, clock: FakeClock) -> None:
        """What the sweep goes by when it looks for bookings is the store's time, not a worker's."""
        assert store.waiting().now == clock.now()
