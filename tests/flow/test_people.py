"""What people do, and what is due."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    BookingNotFoundError,
    IllegalTransitionError,
    Mode,
    Outcome,
    PlacementRefusedError,
    Reason,
    Settings,
    StaleRecordError,
    TableConflictError,
)
from assignment_pipeline.adapters.memory import MemoryLockManager
from assignment_pipeline.errors import StoreUnavailableError
from assignment_pipeline.ports import LoadQuery, Wanted
from assignment_pipeline.rollout.flags import FixedFlags

DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)


def review(house, coordinator, name="B1", party_size=9):
    """A booking that waits for a person."""
    booking = house.booking(name, party_size)
    assert coordinator.assign(booking).outcome is Outcome.MANUAL_REVIEW
    return booking


def test_the_queue_lists_what_waits(house, coordinator):
    """By arrival, in pages, of one restaurant or of all."""
    for name in ("B3", "B1", "B2"):
        review(house, coordinator, name)
    coordinator.assign(house.booking("B4"))
    soonest = house.booking("B9", 9, start_at=house.record("B1").booking.start_at - dt.timedelta(hours=1))
    coordinator.assign(soonest)
    page = coordinator.review_queue("R1", limit=2)
    assert [record.booking_id for record in page.records] == ["B9", "B1"]
    coordinator.reject("B1", actor="anna", reason="gone")
    rest = coordinator.review_queue("R1", after=page.next)
    assert [record.booking_id for record in rest.records] == ["B2", "B3"]
    assert rest.next is None
    assert coordinator.review_queue("R2").records == ()
    for wrong in ("B1", "", "tomorrow B1", "2031-05-02T18:00:00 B1"):
        with pytest.raises(ValueError, match="after: expected the `next` of a page"):
            coordinator.review_queue("R1", after=wrong)


def test_a_person_places_a_booking(house, coordinator):
    """Validated like a plan, and recorded with who did it."""
    booking = review(house, coordinator, party_size=7)
    with pytest.raises(PlacementRefusedError) as refused:
        coordinator.place(booking, ["T1", "T3"], actor="anna")
    assert set(refused.value.rules) == {"size", "not_joinable"}
    result = coordinator.place(booking, ["T1", "T3"], actor="anna", allow=["size", "not_joinable"])
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T1", "T3"))
    last = coordinator.history("B1")[-1]
    assert (last.actor, last.trigger, result.record.strategy) == ("anna", "confirm", "manual")


def test_a_walk_in_is_placed(house, coordinator):
    """A booking that the pipeline never saw goes all the way."""
    assert coordinator.place(house.booking(), ["T2"], actor="anna").tables == ("T2",)
    assert house.record().version == 5


def test_whoever_walks_in_now_is_in_time(house, coordinator):
    """A booking is for a whole minute; the seconds since do not make it past."""
    house.clock.advance(59 * SECOND)
    now = house.clock.now().replace(second=0)
    assert coordinator.place(house.booking(start_at=now), ["T2"], actor="anna").outcome is Outcome.CONFIRMED
    house.clock.advance(SECOND)
    assert coordinator.assign(house.booking("B2", start_at=now)).reason is Reason.IN_PAST


def test_a_person_moves_a_booking(house, coordinator):
    """From where it sits to where it is wanted, if nobody moved it meanwhile."""
    booking = house.booking()
    seen = coordinator.assign(booking).record.version
    with pytest.raises(StaleRecordError):
        coordinator.place(booking, ["T3"], actor="anna", expect_version=seen - 1)
    assert coordinator.place(booking, ["T3"], actor="anna", expect_version=seen).tables == ("T3",)


def test_what_a_person_chose_stays(house, coordinator):
    """A placed booking is pinned unless told otherwise, and whoever plans sees that it may not be moved."""
    assert coordinator.place(house.booking(), ["T1"], actor="anna").record.pinned
    assert not coordinator.place(house.booking("B2"), ["T2"], actor="anna", pin=False).record.pinned
    taken = house.store.load(LoadQuery(restaurant_id="R1", bookings=(house.booking("B3"),))).taken
    assert {(one.table_id, one.movable) for one in taken} == {("T1", False), ("T2", True)}
    assert not coordinator.assign(house.booking("B3", 4)).record.pinned


def test_a_person_pins_and_unpins(house, coordinator):
    """With a version, a row of the history and an event; what is so already is left alone."""
    coordinator.assign(house.booking())
    before = house.record()
    pinned = coordinator.pin("B1", actor="anna")
    assert (pinned.outcome, pinned.reason, pinned.record.version) == (Outcome.CONFIRMED, Reason.PINNED, 6)
    assert coordinator.pin("B1", actor="ben").outcome is Outcome.NOOP
    unpinned = coordinator.unpin("B1", actor="ben")
    assert unpinned.record == attrs.evolve(before, version=7)
    assert coordinator.unpin("B1", actor="ben").outcome is Outcome.NOOP
    steps = [(step.trigger, step.reason, step.actor) for step in coordinator.history("B1")[-2:]]
    assert steps == [("move", "pinned", "anna"), ("move", "unpinned", "ben")]
    assert [name for name in house.told() if name.endswith("pinned")] == ["coordinator.pinned", "coordinator.unpinned"]


def test_a_hold_is_pinned_as_a_hold(house):
    """It stays to be confirmed, in the same time."""
    coordinator = house.coordinator(settings=Settings(confirmation="external"))
    held = coordinator.assign(house.booking()).record
    pinned = coordinator.pin("B1", actor="anna")
    assert pinned.outcome is Outcome.ASSIGNED
    assert pinned.record == attrs.evolve(held, pinned=True, version=held.version + 1)


@pytest.mark.parametrize(
    "give_up",
    [
        lambda coordinator, house: coordinator.cancel("B1"),
        lambda coordinator, house: coordinator.requeue("B1", actor="anna"),
        lambda coordinator, house: coordinator.reassign(house.booking(party_size=9), keep=False),
    ],
)
def test_whoever_gives_tables_up_is_not_pinned(house, coordinator, give_up):
    """What the person chose is gone, and so is that it stays."""
    coordinator.place(house.booking(), ["T1"], actor="anna")
    give_up(coordinator, house)
    assert (house.record().tables, house.record().pinned) == ((), False)


def test_an_expired_hold_is_not_pinned(house):
    """Nor one that a person turned down."""
    coordinator = house.coordinator(settings=Settings(confirmation="external"))
    for name in ("B1", "B2"):
        coordinator.assign(house.booking(name))
        coordinator.pin(name, actor="anna")
    coordinator.reject("B2", actor="anna", reason="no_deposit")
    house.clock.advance(180 * SECOND)
    coordinator.sweep()
    assert [house.record(name).pinned for name in ("B1", "B2")] == [False, False]


def test_a_changed_booking_stays_pinned_where_it_stays(house, coordinator):
    """A guest who comes later keeps the table that a person chose; one who needs another has what was found."""
    coordinator.place(house.booking(), ["T1"], actor="anna")
    later = house.booking(start_at=house.clock.now().replace(second=0, microsecond=0) + 2 * DAY)
    assert coordinator.reassign(later).record.pinned
    moved = coordinator.reassign(house.booking(party_size=4)).record
    assert (moved.tables, moved.pinned) == (("T3",), False)


def row(house, name="B1"):
    """The row of the host, which is a standalone one."""
    return house.host.booking(None, name)


def test_the_row_of_a_standalone_host_follows_the_guest(house, coordinator):
    """It asks for what was agreed on, and says how it stands; an answer of "kept" leaves it as it was."""
    booking = house.booking(attributes={"note": "by the window"})
    coordinator.assign(booking)
    wanted = attrs.evolve(booking, party_size=4, start_at=booking.start_at + DAY, accessible=False, channel="phone")
    assert coordinator.reassign(attrs.evolve(wanted, attributes={})).outcome is Outcome.CONFIRMED
    assert row(house) == attrs.evolve(wanted, status="confirmed")
    assert row(house).attributes == booking.attributes
    assert coordinator.reassign(attrs.evolve(wanted, party_size=9)).outcome is Outcome.KEPT
    assert coordinator.party_changed("B1", 9, actor="ben").outcome is Outcome.KEPT
    assert row(house).party_size == 4


def test_the_row_follows_a_booking_that_finds_no_tables(house, coordinator):
    """So the sweep plans what the guest asks for now."""
    booking = house.booking()
    coordinator.assign(booking)
    large = attrs.evolve(booking, party_size=9)
    assert coordinator.reassign(large, keep=False).outcome is Outcome.MANUAL_REVIEW
    assert row(house) == large
    assert coordinator.reassign(booking).outcome is Outcome.CONFIRMED
    assert row(house) == attrs.evolve(booking, status="confirmed")


def test_another_number_of_guests_changes_nothing_else_of_the_row(house, coordinator):
    """What the host has learned meanwhile stays."""
    booking = house.booking()
    coordinator.assign(booking)
    moved = attrs.evolve(row(house), start_at=booking.start_at + DAY)
    house.host.put_booking(moved)
    assert coordinator.party_changed("B1", 1, actor="ben").outcome is Outcome.CONFIRMED
    assert row(house) == attrs.evolve(moved, party_size=1)


def test_the_row_follows_a_booking_that_a_person_places(house, coordinator):
    """What it is placed for is what the host has of it; where nothing else is asked for, its row stays."""
    booking = house.booking(attributes={"note": "by the window"})
    coordinator.assign(booking)
    later = attrs.evolve(booking, party_size=1, start_at=booking.start_at + DAY)
    coordinator.place(attrs.evolve(later, attributes={}), ["T2"], actor="ben")
    assert row(house) == attrs.evolve(later, status="confirmed")
    assert row(house).attributes == booking.attributes
    with pytest.raises(PlacementRefusedError):
        coordinator.place(attrs.evolve(later, party_size=9), ["T2"], actor="ben")
    assert row(house) == attrs.evolve(later, status="confirmed")


def test_the_row_stays_where_the_answer_does_not_land(house, coordinator):
    """The row and the tables change in one commit, or neither does."""
    booking = house.booking()
    coordinator.assign(booking)
    house.store.before["commit"] = [StoreUnavailableError("away")]
    wanted = attrs.evolve(booking, party_size=1)
    assert coordinator.reassign(wanted).outcome is Outcome.RETRY
    assert row(house).party_size == 2
    assert coordinator.reassign(wanted).outcome is Outcome.CONFIRMED
    assert row(house).party_size == 1


def test_nobody_may_seat_two_parties_at_one_table(house, coordinator):
    """That cannot be allowed away, and neither can a table that is not there."""
    coordinator.assign(house.booking("F1", 4))
    booking = review(house, coordinator)
    with pytest.raises(TableConflictError) as conflict:
        coordinator.place(booking, ["T3"], actor="anna", allow=["size"])
    assert conflict.value.table_ids == ("T3",)
    with pytest.raises(ValueError, match="expected rules among"):
        coordinator.place(booking, ["T3"], actor="anna", allow=["taken"])
    with pytest.raises(PlacementRefusedError, match="unknown_table"):
        coordinator.place(booking, ["T9"], actor="anna")
    assert house.record().state is AssignmentState.MANUAL_REVIEW


def test_what_has_ended_cannot_be_placed(house, coordinator):
    """Cancelled is cancelled."""
    booking = house.booking()
    coordinator.cancel("B1", "R1")
    with pytest.raises(IllegalTransitionError):
        coordinator.place(booking, ["T1"], actor="anna")


def test_requeue_starts_over(house, coordinator):
    """A booking in review is due at once, with all its attempts before it; a confirmed one gives up its tables."""
    review(house, coordinator, party_size=5)
    house.booking(party_size=3)
    assert coordinator.requeue("B1", actor="anna").outcome is Outcome.RETRY
    (result,) = coordinator.sweep().results
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T3",))
    assert coordinator.requeue("B1", actor="anna").tables == ()
    assert house.host.booking(None, "B1").status == "pending"
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED


def test_reject_ends_it(house, coordinator):
    """With a code for the record; free text is refused, because it holds names."""
    review(house, coordinator)
    with pytest.raises(ValueError, match="short code"):
        coordinator.reject("B1", actor="anna", reason="Guest 12 called")
    result = coordinator.reject("B1", actor="anna", reason="guest_withdrew")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.BY_REQUEST)
    assert house.record().reason == "guest_withdrew"


def test_people_cannot_do_what_is_not_in_the_table(house, coordinator):
    """The lifecycle holds for them too."""
    with pytest.raises(BookingNotFoundError):
        coordinator.requeue("B1", actor="anna")
    coordinator.assign(house.booking())
    with pytest.raises(IllegalTransitionError):
        coordinator.reject("B1", actor="anna", reason="full")


def test_enqueue_is_taken_up_when_nobody_assigns(house, coordinator):
    """A record of its own, idempotent, due after a minute; whoever assigns first is not kept waiting."""
    record = coordinator.enqueue(house.booking())
    assert (record.state, record.version) == (AssignmentState.CREATED, 0)
    assert coordinator.enqueue(house.booking()) == record
    assert coordinator.sweep().results == ()
    house.clock.advance(60 * SECOND)
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED
    coordinator.enqueue(house.booking("B2"))
    assert coordinator.assign(house.booking("B2")).outcome is Outcome.CONFIRMED


def test_enqueue_is_nothing_where_the_pipeline_is_off(house):
    """Elsewhere, legacy answers for the booking."""
    assert house.coordinator(flags=FixedFlags(Mode.OFF)).enqueue(house.booking()) is None
    assert house.record() is None


def test_bookings_that_nobody_enqueued_are_found(house, coordinator):
    """The sweep enqueues them, and assigns them a minute later."""
    house.booking()
    assert coordinator.sweep().enqueued == ("B1",)
    house.clock.advance(60 * SECOND)
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED


def test_work_that_a_crashed_worker_left_is_due_again(house, coordinator):
    """A claim lasts a minute; a booking that kills its workers five times ends with a person."""
    coordinator.enqueue(house.booking())
    house.clock.advance(60 * SECOND)
    for _ in range(5):
        assert len(house.store.due(10)) == 1
        assert house.store.due(10) == ()
        house.clock.advance(60 * SECOND)
    (result,) = coordinator.sweep().results
    assert (result.outcome, result.reason) == (Outcome.MANUAL_REVIEW, Reason.CRASH_LOOP)


def test_holds_end_even_where_the_pipeline_is_off(house):
    """Flags never gate the end of a hold."""
    settings = Settings(confirmation="external")
    house.coordinator(settings=settings).assign(house.booking())
    house.clock.advance(180 * SECOND)
    off = house.coordinator(settings=settings, flags=FixedFlags(Mode.OFF))
    assert off.sweep().results[0].reason is Reason.HOLD_EXPIRED


def test_one_bad_booking_does_not_stop_the_sweep(house, coordinator):
    """What it raised is reported; the others are seen to."""
    for name in ("B1", "B2"):
        coordinator.enqueue(house.booking(name))
    house.clock.advance(60 * SECOND)
    house.store.before["load"] = [RuntimeError("a bug of the host's")] * 2  # Together with the other, and alone.
    report = coordinator.sweep()
    assert report.errors == (("B1", "RuntimeError"),)
    assert [result.booking_id for result in report.results] == ["B2"]


def test_a_sweep_of_more_than_the_limit_holds_no_more_than_one_booking(house):
    """Each is taken up by itself: the restaurant's limit of parallel assignments does not stop it."""
    coordinator = house.coordinator()
    for number in range(9):
        coordinator.enqueue(house.booking(f"B{number}", start_at=house.clock.now() + (number + 1) * DAY))
    house.clock.advance(60 * SECOND)
    assert {result.outcome for result in coordinator.sweep().results} == {Outcome.CONFIRMED}


def test_a_store_that_is_down_stops_the_sweep_loudly(house, coordinator):
    """Who runs it has to know."""
    house.store.before["due"] = [StoreUnavailableError("gone")]
    with pytest.raises(StoreUnavailableError):
        coordinator.sweep()


def test_many_at_once_take_one_commit_a_day(house, coordinator):
    """In their order, from one snapshot, nobody seated twice; who finds nothing free is seen to alone."""
    start = house.clock.now()
    bookings = [house.booking(f"B{n}", 2, start_at=start + (1 + n % 2) * DAY) for n in range(8)]
    results = coordinator.assign_many(bookings)
    assert [result.booking_id for result in results] == [booking.id for booking in bookings]
    assert [result.outcome for result in results].count(Outcome.CONFIRMED) == 6
    assert house.store.asked.count("commit") == 2
    seats = [(house.record(b.id).allocation.turn.start, table) for b in bookings for table in house.record(b.id).tables]
    assert len(seats) == len(set(seats))


def test_many_at_once_survive_a_conflict_and_a_held_booking(house, coordinator):
    """The day is planned again, or its bookings one by one."""
    house.store.before["commit"] = [TableConflictError(("T1",))]
    assert coordinator.assign_many([house.booking("B1")])[0].outcome is Outcome.CONFIRMED
    locks = MemoryLockManager(house.clock)
    locks.acquire([Wanted("booking:B2")], ttl=9 * SECOND)
    held, free = house.coordinator(locks=locks).assign_many([house.booking("B2"), house.booking("B3")])
    assert (held.reason, free.outcome) == (Reason.LOCK_CONTENTION, Outcome.CONFIRMED)
    with pytest.raises(ValueError, match="each booking once"):
        coordinator.assign_many([house.booking("B4"), house.booking("B4")])


def test_many_at_once_where_legacy_is_in_charge(house):
    """Each is handed back."""
    (result,) = house.coordinator(flags=FixedFlags(Mode.OFF)).assign_many([house.booking()])
    assert (result.reason, result.handled) == (Reason.PIPELINE_DISABLED, False)


def test_a_preview_writes_nothing(house, coordinator):
    """It says what would become of the booking, also where it already has tables."""
    booking = house.booking(party_size=4)
    assert coordinator.preview(booking).plan.tables == ("T3",)
    assert house.record() is None
    coordinator.assign(booking)
    assert coordinator.preview(booking).plan.tables == ("T3",)
    assert list(house.store.events) == house.sink.events
