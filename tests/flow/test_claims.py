"""Claims of the sweep: how long they last, and what counts against a booking."""

from __future__ import annotations

import datetime as dt

import pytest

from assignment_pipeline import AssignmentState, Outcome, Reason, Settings, StoreUnavailableError
from assignment_pipeline.adapters.memory import MemoryLockManager, MemoryStore
from assignment_pipeline.domain.result import WAITS_FOR_TABLES, LegacyResult, Mode
from assignment_pipeline.errors import CommitUnknownError
from assignment_pipeline.ports import Wanted
from assignment_pipeline.rollout.flags import FixedFlags

SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


def enqueue(house, coordinator, count):
    """So many bookings, each on a day of its own, due now."""
    names = [f"B{number:02}" for number in range(count)]
    for number, name in enumerate(names):
        start = house.clock.now().replace(second=0, microsecond=0) + (number + 1) * DAY
        coordinator.enqueue(house.booking(name, start_at=start))
    house.clock.advance(MINUTE)
    return names


def states(house, names):
    """Where each stands, and why."""
    return {(house.record(name).state, house.record(name).reason) for name in names}


def test_a_slow_planner_that_takes_over_does_not_cost_a_batch_its_claims(house, coordinator):
    """Two sweepers hand forty bookings over to a planner of 5 seconds a booking: each is asked for once, none lost."""
    names = enqueue(house, coordinator, 40)
    asked = []

    def slow(booking):
        asked.append(booking.id)
        house.clock.advance(5 * SECOND)
        if len(asked) % 3 == 0:
            other.sweep(limit=100)  # Beside it, as another process would.
        return LegacyResult(("T1",))

    def quick(booking):
        asked.append(booking.id)
        return LegacyResult(("T1",))

    off = FixedFlags(Mode.OFF)
    other = house.coordinator(flags=off, legacy=quick, locks=MemoryLockManager(house.clock))
    one = house.coordinator(flags=off, legacy=slow)
    for _ in range(10):
        one.sweep(limit=100)
        house.clock.advance(MINUTE)
    assert sorted(asked) == names
    assert Reason.CRASH_LOOP not in {reason for _, reason in states(house, names)}


def test_slow_work_does_not_make_a_crash_loop(house):
    """Work of 15 seconds a booking is claimed in pieces that stay fresh, beside other sweepers too."""

    class Slow:
        name = "slow"

        def weigh(self, *_):
            house.clock.advance(15 * SECOND)
            return 0.0

    coordinator = house.coordinator(strategies=(Slow(),))
    names = enqueue(house, coordinator, 12)
    claimed = []
    due = MemoryStore.due

    def spied(limit, order):
        found = due(house.store, limit, order)
        claimed.extend((house.clock.now(), one.deliveries) for one in found)
        return found

    house.store.due = spied
    for _ in range(3):
        coordinator.sweep(limit=100)
    assert states(house, names) == {(AssignmentState.CONFIRMED, None)}
    assert {deliveries for _, deliveries in claimed} == {1}


@pytest.mark.parametrize("reason", [Reason.STORE_UNAVAILABLE, Reason.CIRCUIT_OPEN])
def test_a_store_that_goes_away_in_a_batch_counts_against_nobody(house, coordinator, reason):
    """However often, and also where the circuit breaker leaves the rest of the batch alone."""
    names = enqueue(house, coordinator, 9)
    for _ in range(12):
        house.store.before["commit"] = [StoreUnavailableError("gone")] * 5
        results = coordinator.sweep().results
        house.store.before["commit"] = []
        assert not results or reason in {result.reason for result in results} | {Reason.STORE_UNAVAILABLE}
        assert {house.record(name).deliveries for name in names} == {0}
        if {house.record(name).state for name in names} == {AssignmentState.CONFIRMED}:
            break
        house.clock.advance(MINUTE)
    assert Reason.CRASH_LOOP not in {reason for _, reason in states(house, names)}


def test_a_commit_whose_answer_is_lost_counts_against_nobody(house, coordinator):
    """Nor where it cannot be found out whether it has landed: the booking is put back, and tried again."""
    (name,) = enqueue(house, coordinator, 1)
    house.store.before["commit"] = [CommitUnknownError("cut"), CommitUnknownError("cut")]
    house.store.before["knows"] = [StoreUnavailableError("gone")] * 2
    assert [result.reason for result in coordinator.sweep().results] == [Reason.COMMIT_UNKNOWN]
    assert house.record(name).deliveries == 0


def test_where_claims_cannot_be_put_back_the_batch_ends(house, coordinator):
    """A store that takes nothing is not asked once a booking, and the claims are put back when it takes them again."""
    names = enqueue(house, coordinator, 9)
    house.store.before["commit"] = [StoreUnavailableError("gone")] * 2  # Of all together, and of the first alone.
    house.store.before["put_back"] = [StoreUnavailableError("gone")]
    (result,) = coordinator.sweep().results
    assert result.reason is Reason.STORE_UNAVAILABLE
    assert house.store.asked.count("put_back") == 2
    assert {house.record(name).deliveries for name in names} == {0}


def test_a_booking_that_others_hold_is_put_back_without_a_row(house, coordinator):
    """What was in the way leaves no change behind: nothing grows while nothing happens."""
    coordinator.enqueue(house.booking())
    house.clock.advance(MINUTE)
    locks = MemoryLockManager(house.clock)
    locks.acquire([Wanted("booking:B1")], ttl=9 * MINUTE)
    other = house.coordinator(locks=locks)
    commits = house.store.asked.count("commit")
    for _ in range(9):
        (result,) = other.sweep().results
        assert result.reason is Reason.LOCK_CONTENTION
        house.clock.advance(2 * SECOND)
    assert house.store.asked.count("commit") == commits
    assert house.record().deliveries == 0


def test_a_claim_made_with_flags_that_are_out_of_date_does_not_count(house):
    """A worker whose flags are out of date claims what waits for tables, and only then learns that it may not."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    for name in ("F1", "F2", "F3", "B1"):
        coordinator.assign(house.booking(name))
    coordinator.sweep()
    coordinator.cancel("F1")

    class OutdatedOnce:
        """What the rollout was, and from the second time on what it is."""

        def __init__(self):
            self.answers = iter([Mode.ACTIVE])

        def resolve(self, restaurant_id):
            return FixedFlags(next(self.answers, Mode.SHADOW)).resolve(restaurant_id)

    (result,) = house.coordinator(flags=OutdatedOnce()).sweep().results
    assert (result.outcome, result.reason) == (Outcome.NOOP, Reason.PIPELINE_DISABLED)
    assert (house.record().reason, house.record().deliveries) == (Reason.PIPELINE_DISABLED, 0)


def test_an_earlier_claim_that_is_put_back_late_leaves_the_present_one(house, coordinator):
    """A sweep that slept beyond its claim puts it back while another works: that one goes on."""
    enqueue(house, coordinator, 1)
    slept = house.store.due(1)
    house.clock.advance(MINUTE)

    def put_back_first(query):
        house.store.put_back(slept, SECOND)
        return MemoryStore.load(house.store, query)

    house.store.load = put_back_first
    assert [result.outcome for result in coordinator.sweep().results] == [Outcome.CONFIRMED]


def test_a_claim_stays_the_sweepers_while_tables_come_free(house):
    """However often they do while it works, nobody else gets the booking, and it is planned with what came free."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    for name, party_size in (("F1", 2), ("F2", 2), ("F3", 4), ("B1", 4)):
        coordinator.assign(house.booking(name, party_size))
    coordinator.sweep()

    def come_free():
        coordinator.assign(house.booking("F4"))
        coordinator.cancel("F4")
        assert house.store.due(9) == ()

    coordinator.cancel("F1")
    house.store.before["load"] = [come_free] * 2
    house.store.before["commit"] = [lambda: coordinator.cancel("F3")]
    assert [result.outcome for result in coordinator.sweep().results] == [Outcome.CONFIRMED]
    assert house.record().deliveries == 0


def test_a_booking_that_kills_its_workers_does_not_take_its_neighbours_along(house, coordinator):
    """Of a batch, the one that ends its worker goes to a person; the others are seated."""
    names = enqueue(house, coordinator, 6)
    poison = names[1]

    class Killed(BaseException):
        pass

    def kill(query):
        if poison in query.ids:
            raise Killed
        return MemoryStore.load(house.store, query)

    house.store.load = kill
    for _ in range(20):
        try:
            house.coordinator().sweep()
        except Killed:
            house.clock.advance(MINUTE)
    assert (house.record(poison).state, house.record(poison).reason) == (
        AssignmentState.MANUAL_REVIEW,
        Reason.CRASH_LOOP,
    )
    assert states(house, [name for name in names if name != poison]) == {(AssignmentState.CONFIRMED, None)}


def test_a_give_up_resets_what_was_counted(house, coordinator):
    """A person who puts it back into the queue finds it as if it had never been handed out."""
    coordinator.enqueue(house.booking())
    house.clock.advance(MINUTE)
    for _ in range(5):
        house.store.due(1)
        house.clock.advance(MINUTE)
    assert coordinator.sweep().results[0].reason is Reason.CRASH_LOOP
    assert house.record().deliveries == 0
    coordinator.requeue("B1", actor="anna")
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED


def test_a_review_that_waits_is_given_up_through_the_queue(house):
    """One that waits for tables and kills its workers is in review for that from then on, in the history too."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    for name in ("F1", "F2", "F3", "B1"):
        coordinator.assign(house.booking(name))
    coordinator.sweep()
    assert house.record().reason in WAITS_FOR_TABLES
    coordinator.cancel("F1")
    for _ in range(5):
        assert [due.booking_id for due in house.store.due(1)] == ["B1"]
        house.clock.advance(MINUTE)
    assert [result.reason for result in coordinator.sweep().results] == [Reason.CRASH_LOOP]
    assert [step.trigger.value for step in coordinator.history("B1")][-2:] == ["requeue", "escalate"]
    coordinator.cancel("F2")
    assert coordinator.sweep().results == ()


def test_a_look_in_vain_does_not_count(house):
    """A review that freed tables do not help stays as it was: it is not a claim nearer to being given up."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    for name, party_size in (("F1", 2), ("F2", 2), ("F3", 4), ("B1", 4)):
        coordinator.assign(house.booking(name, party_size))
    coordinator.sweep()
    coordinator.cancel("F1")
    assert [(result.booking_id, result.reason) for result in coordinator.sweep().results] == [("B1", Reason.NO_FIT)]
    assert (house.record().next_attempt_at, house.record().deliveries) == (None, 0)


def test_a_booking_that_is_due_twice_is_taken_up_once_in_a_sweep(house):
    """A hold ends, which makes its booking due at once, while more is claimed: the next sweep sees to that."""
    coordinator = house.coordinator(settings=Settings(confirmation="external", max_holds=2))
    coordinator.assign(house.booking())
    house.clock.advance(3 * MINUTE)
    house.store.due(1)  # A worker that dies: the next claim of it is one alone, and more are claimed after that.
    house.clock.advance(MINUTE)
    assert [(result.booking_id, result.reason) for result in coordinator.sweep(limit=10).results] == [
        ("B1", Reason.HOLD_EXPIRED)
    ]
    assert house.record().deliveries == 0
    assert [result.outcome for result in coordinator.sweep(limit=10).results] == [Outcome.ASSIGNED]
