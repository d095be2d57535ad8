"""The adapters answer as the in-memory reference does, whatever is asked of them in whatever order."""

from __future__ import annotations

import collections
import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import (
    AssignmentChange,
    AssignmentRecord,
    AttemptResult,
    CommitPreconditions,
    Owner,
)
from assignment_pipeline.errors import AssignmentPipelineError, IllegalTransitionError
from assignment_pipeline.lifecycle import WITH_TABLES, AssignmentState, Trigger, walk
from assignment_pipeline.ports import Due, LoadQuery, Occupied, RecordQuery, Refused, Wanted
from assignment_pipeline.testing import FakeClock, StoreHarness
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOLD,
    HOUR,
    QUEUE,
    REVIEW,
    make_block,
    make_booking,
    make_change,
    make_venue,
)

RESTAURANTS = ("r-1", "r-2")
IDS = ("b-1", "b-2", "b-3", "b-4", "b-Zoë")
SLOTS = tuple(DINNER + number * dt.timedelta(minutes=15) for number in (0, 1, 5, 60))
SPANS = st.sampled_from([dt.timedelta(seconds=1), dt.timedelta(minutes=1), HOUR])
WAYS: tuple[tuple[Trigger, ...], ...] = (
    (),
    QUEUE,
    HOLD,
    *[CONFIRM] * 3,
    REVIEW,
    (Trigger.BEGIN,),
    (Trigger.BEGIN, Trigger.RETRY),
    (Trigger.BEGIN, Trigger.SEAT, Trigger.CONFIRM),
    (Trigger.BEGIN, Trigger.ESCALATE),
    (Trigger.SEAT, Trigger.CONFIRM),
    (Trigger.CONFIRM,),
    (Trigger.MOVE,),
    (Trigger.REQUEUE,),
    (Trigger.REQUEUE, Trigger.BEGIN, Trigger.ESCALATE),
    (Trigger.FAIL,),
    (Trigger.CANCEL,),
)

BOOKINGS = st.builds(
    make_booking,
    st.sampled_from(IDS),
    at=st.sampled_from(SLOTS),
    restaurant_id=st.sampled_from(RESTAURANTS[:1] * 5 + RESTAURANTS[1:]),
    party_size=st.sampled_from([2, 6]),
    end_at=st.none(),
)
TABLES = st.sets(st.sampled_from(["T1", "T2", "T3"]), min_size=1, max_size=2).map(sorted)
WINDOWS = st.builds(
    lambda start, turn: make_venue().turn(make_booking(at=start, end_at=start + turn)),
    st.sampled_from(SLOTS),
    st.sampled_from([dt.timedelta(minutes=15), HOUR]),
)

OCCUPIED = st.builds(
    Occupied, table_id=st.sampled_from(["T1", "T2"]), window=WINDOWS, booking_id=st.sampled_from([None, *IDS])
)
BLOCKS = st.builds(
    lambda number, table_id, window, where: make_block(
        f"{where}/{number}", table_id, window=window, restaurant_id=where
    ),
    st.integers(1, 3),
    st.sampled_from(["T2", "T3"]),
    WINDOWS,
    st.sampled_from(RESTAURANTS),
)
VENUES = st.builds(
    make_venue,
    st.sampled_from(RESTAURANTS),
    tables=st.integers(3, 4),
    post_buffer_minutes=st.sampled_from([0, 15]),
)
HOST_ACTS = st.one_of(
    st.tuples(st.just("put_venue"), VENUES),
    st.tuples(st.just("occupy"), st.just("r-1"), OCCUPIED),
    st.tuples(st.just("bump_generation")),
)
QUERIES = st.builds(
    RecordQuery,
    restaurant_id=st.sampled_from([None, *RESTAURANTS]),
    states=st.sets(st.sampled_from(AssignmentState), max_size=3).map(tuple),
    booking_ids=st.sets(st.sampled_from(IDS), max_size=3).map(tuple),
    after=st.sampled_from([None, *IDS]),
    limit=st.integers(0, 3),
)


def possible(way: Sequence[Trigger], state: AssignmentState) -> bool:
    """Whether the triggers lead anywhere from there."""
    try:
        walk(state, way)
    except IllegalTransitionError:
        return False
    return True


class HookError(Exception):
    """What a host's code raises."""


def refuse(*_: object) -> None:
    """A hook that refuses every commit."""
    raise HookError


class StoreAgreement(RuleBasedStateMachine):
    """Both stores are asked the same; they give the same answers and raise the same errors."""

    changes = Bundle("changes")
    assumptions = Bundle("assumptions")

    def __init__(
        self, *makers: Callable[[FakeClock], Any], done: Callable[[Any], None] = lambda harness: harness.store.close()
    ) -> None:
        super().__init__()
        self.done = done
        self.clock = FakeClock(DINNER - 2 * HOUR)
        self.harnesses: list[StoreHarness | Any] = [make(self.clock) for make in makers]
        self.stores = [harness.store for harness in self.harnesses]
        self.reference = self.stores[0]
        self.numbers = itertools.count()
        self.planned: list[AssignmentChange] = []
        self.claims: list[Due] = []

    def teardown(self) -> None:
        try:
            self.agree_on_the_rest()
        finally:
            for harness in self.harnesses[1:]:
                self.done(harness)

    def both(self, ask: Callable[[Any], Any]) -> Any:
        """What both stores answer to *ask*, or the error that both raise."""
        expected, actual = (self._answer(ask, store) for store in self.stores)
        assert actual == expected
        return expected

    @staticmethod
    def _answer(ask: Callable[[Any], Any], store: Any) -> Any:
        try:
            return ask(store)
        except (AssignmentPipelineError, HookError) as error:
            return type(error), error.args

    def each(self, do: Callable[[Any], Any]) -> None:
        """Have both hosts do the same."""
        for harness in self.harnesses:
            do(harness)

    def can(self, ability: str) -> bool:
        """Whether both hosts are able to."""
        return not any(ability in harness.cannot for harness in self.harnesses)

    def record(self, booking_id: str) -> AssignmentRecord | None:
        """The reference's record of a booking, if there is one."""
        page = self.reference.records(RecordQuery(booking_ids=(booking_id,)))
        return page.records[0] if page.records else None

    def together(self, planned: list[AssignmentChange]) -> list[AssignmentChange]:
        """What may be committed together: where several changes are refused, whose error is raised is not promised."""
        new = [change for change in planned if not self.reference.knows(change)]
        return new if len(planned) > 1 else planned

    # -- The host -------------------------------------------------------------------------------------------------

    @initialize()
    def restaurants(self) -> None:
        for restaurant_id in RESTAURANTS:
            self.each(lambda harness, key=restaurant_id: harness.put_venue(make_venue(key, tables=3)))

    @rule(act=HOST_ACTS)
    def the_host_acts(self, act: tuple[Any, ...]) -> None:
        name, *values = act
        if self.can(name):
            self.each(lambda harness: getattr(harness, name)(*values))

    @rule(booking=BOOKINGS, status=st.sampled_from(["pending", "cancelled", "waitlisted"]))
    def put_booking(self, booking: Booking, status: str) -> None:
        if status == "pending" and (known := self.reference.booking(booking.id)):
            status = known.status  # How hosts take a booking back to pending differs, and is theirs to say.
        self.each(lambda harness: harness.put_booking(attrs.evolve(booking, status=status)))

    @rule(span=SPANS)
    def time_passes(self, span: dt.timedelta) -> None:
        self.clock.advance(span)

    # -- Commits --------------------------------------------------------------------------------------------------

    @rule(target=assumptions, booking=BOOKINGS, gated=st.booleans())
    def look(self, booking: Booking, *, gated: bool) -> Any:
        context = self._load(booking, ())
        record = context.records.get(booking.id)
        return booking.id, CommitPreconditions(
            booking=context.bookings.get(booking.id),
            venue_version=context.venue.version,
            next_attempt_at=record.next_attempt_at if record else None,
            pinned=record.pinned if record else False,
            generation=context.generation if gated else None,
        )

    @rule(target=changes, booking=BOOKINGS, tables=TABLES, data=st.data())
    def plan(self, booking: Booking, tables: list[str], data: st.DataObject) -> AssignmentChange:
        return self._plan(booking, tables, data, None)

    @rule(target=changes, looked=assumptions, booking=BOOKINGS, tables=TABLES, data=st.data())
    def plan_and_commit_on(self, looked: Any, booking: Booking, tables: list[str], data: st.DataObject) -> Any:
        booking_id, preconditions = looked
        planned = self._plan(attrs.evolve(booking, id=booking_id), tables, data, preconditions)
        self.both(lambda store: store.commit([planned]))
        return planned

    def _plan(
        self, booking: Booking, tables: list[str], data: st.DataObject, preconditions: CommitPreconditions | None
    ) -> Any:
        before = self.record(booking.id)
        state = before.state if before else AssignmentState.CREATED
        ways = [way for way in WAYS if possible(way, state) and (before or way)]
        way = data.draw(st.sampled_from(ways), "way")
        moves = bool({Trigger.SEAT, Trigger.MOVE} & set(way))
        ends = (state, *walk(state, way))[-1]
        if before and not moves:
            booking = before.booking or booking
        fields: dict[str, Any] = {
            "next_attempt_at": data.draw(st.sampled_from([None, self.clock.now(), DINNER]), "due"),
            "pinned": data.draw(st.booleans(), "pinned"),
            "reason": data.draw(st.sampled_from([None, "no_fit", "infeasible", "crash_loop"]), "reason"),
            "owner": data.draw(st.sampled_from([Owner.PIPELINE] * 4 + [Owner.LEGACY]), "owner"),
            "deliveries": data.draw(st.integers(0, 2), "deliveries"),
        }
        if fields["owner"] is Owner.LEGACY:
            fields["conflicted"] = data.draw(st.booleans(), "conflicted")
        seated = ends in WITH_TABLES and (moves or before is None or before.allocation is None)
        context = self.reference.load(LoadQuery(restaurant_id=booking.restaurant_id, bookings=(booking,)))
        planned = make_change(
            booking,
            *way,
            before=before,
            tables=tables if seated else (),
            venue=context.venue,
            now=self.clock.now(),
            change_id=f"c-{next(self.numbers)}",
            preconditions=preconditions,
            attempt=AttemptResult.SUCCESS if moves else None,
            **fields,
        )
        self.planned.append(planned)
        return planned

    @rule(planned=st.lists(changes, min_size=1, max_size=3, unique_by=lambda change: change.record.booking_id))
    def commit(self, planned: list[AssignmentChange]) -> None:
        together = self.together(planned)
        self.both(lambda store: store.commit(together))

    @rule(bookings=st.lists(BOOKINGS, min_size=1, max_size=3, unique_by=lambda one: one.id), data=st.data())
    def plan_and_commit(self, bookings: list[Booking], data: st.DataObject) -> None:
        planned = [self._plan(booking, data.draw(TABLES, "tables"), data, None) for booking in bookings]
        self.both(lambda store: store.commit(planned))

    @rule(planned=st.lists(changes, min_size=1, max_size=2, unique_by=lambda change: change.record.booking_id))
    def commit_under_a_hook_that_refuses(self, planned: list[AssignmentChange]) -> None:
        if not self.can("hook"):
            return
        self.each(lambda harness: harness.hook(refuse))
        together = self.together(planned)
        self.both(lambda store: store.commit(together))
        self.each(lambda harness: harness.hook(lambda *_: None))

    @rule(target=changes, planned=st.lists(BOOKINGS, min_size=2, max_size=2, unique_by=lambda one: one.id))
    def plan_a_swap(self, planned: list[Booking]) -> Any:
        records = [self.record(booking.id) for booking in planned]
        if not all(record and record.allocation and record.booking for record in records):
            return multiple()
        swapped = []
        for record, other in (records, records[::-1]):
            change_id = f"c-{next(self.numbers)}"
            venue = self.reference.load(LoadQuery(restaurant_id=record.restaurant_id)).venue
            swapped.append(
                make_change(
                    record.booking,
                    *([Trigger.MOVE] if record.state in WITH_TABLES else []),
                    before=record,
                    tables=other.tables,
                    venue=venue,
                    change_id=change_id,
                )
            )
        self.both(lambda store: store.commit(swapped))
        return multiple(*swapped)

    @rule(name=st.sampled_from(IDS), minutes=st.sampled_from([-30, -15, 15, 60]))
    def stay_for_less_or_more(self, name: str, minutes: int) -> None:
        record = self.record(name)
        if record is None or record.allocation is None or record.booking is None:
            return
        held, by = record.allocation, dt.timedelta(minutes=minutes)
        if held.turn.duration + by <= dt.timedelta(0):
            return
        longer = attrs.evolve(held, turn=held.turn.widened(0 * by, by), blocked=held.blocked.widened(0 * by, by))
        way = [Trigger.MOVE] if record.state in WITH_TABLES else []
        change_id = f"c-{next(self.numbers)}"
        planned = make_change(record.booking, *way, before=record, allocation=longer, change_id=change_id)
        self.both(lambda store: store.commit([planned]))

    # -- Tables out of service ------------------------------------------------------------------------------------

    @rule(block=BLOCKS)
    def block(self, block: TableBlock) -> None:
        known = {one.id: one for one in self.reference.blocked(block.restaurant_id, DINNER - 9 * HOUR)}
        again = known.get(block.id, block)
        self.both(lambda store: store.block([again], ()))

    @rule(restaurant_id=st.sampled_from(RESTAURANTS), since=st.sampled_from(SLOTS), data=st.data())
    def unblock(self, restaurant_id: str, since: dt.datetime, data: st.DataObject) -> None:
        known = self.both(lambda store: store.blocked(restaurant_id, since))
        if known:
            block = data.draw(st.sampled_from(known), "block")
            self.both(lambda store: store.unblock([block], ()))

    # -- Questions ------------------------------------------------------------------------------------------------

    @rule(limit=st.integers(0, 3))
    def due(self, limit: int) -> None:
        claims: tuple[Due, ...] = self.both(lambda store: store.due(limit))
        self.claims.extend(claims)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), after=st.sampled_from([dt.timedelta(), dt.timedelta(minutes=1), HOUR]))
    def put_back(self, data: st.DataObject, after: dt.timedelta) -> None:
        claims = data.draw(
            st.lists(st.sampled_from(self.claims), min_size=1, max_size=3, unique_by=lambda due: due.booking_id),
            "claims",
        )
        self.both(lambda store: store.put_back(claims, after))

    @rule(booking=BOOKINGS, ids=st.lists(st.sampled_from((*IDS, "b-9")), max_size=2).map(tuple))
    def load(self, booking: Booking, ids: tuple[str, ...]) -> None:
        self._load(booking, ids)

    def _load(self, booking: Booking, ids: tuple[str, ...]) -> Any:
        query = LoadQuery(restaurant_id=booking.restaurant_id, bookings=(booking,), booking_ids=ids)

        def ask(store: Any) -> Any:
            context = store.load(query)
            # Whether the host has an on_commit is not the store's doing.
            return context and attrs.evolve(context, taken=collections.Counter(context.taken), follows=False)

        return self.both(ask)

    @rule(query=QUERIES, since=st.sampled_from(SLOTS), limit=st.integers(0, 3))
    def list_them(self, query: RecordQuery, since: dt.datetime, limit: int) -> None:
        self.both(lambda store: (store.records(query), store.unassigned(since, limit)))

    # -- What is there --------------------------------------------------------------------------------------------

    @invariant()
    def the_same_is_there(self) -> None:
        self.both(lambda store: store.records(RecordQuery()))

    def agree_on_the_rest(self) -> None:
        """Make sure of what is dear to ask for."""
        for booking_id in IDS:
            self.both(lambda store, key=booking_id: (store.booking(key), store.history(key)))
            expected, actual = (list(harness.attempts(booking_id)) for harness in self.harnesses)
            assert actual == expected
        expected, actual = (list(harness.events()) for harness in self.harnesses)
        assert actual == expected
        for change in self.planned:
            self.both(lambda store, change=change: store.knows(change))


class LockAgreement(RuleBasedStateMachine):
    """Both lock managers are asked the same, and answer the same."""

    leases = Bundle("leases")

    def __init__(self, *makers: Callable[[FakeClock], Any]) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.reference, self.subject = (make(self.clock) for make in makers)

    def teardown(self) -> None:
        self.subject.close()

    @rule(
        target=leases,
        keys=st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
        slots=st.integers(1, 3),
        ttl=SPANS,
    )
    def acquire(self, keys: list[str], slots: int, ttl: dt.timedelta) -> Any:
        wanted = [Wanted(key, slots) for key in keys]
        expected, actual = (locks.acquire(wanted, ttl=ttl) for locks in (self.reference, self.subject))
        assert actual == expected
        if isinstance(expected, Refused):
            return multiple()
        assert [one.expires_at for one in actual.leases] == [one.expires_at for one in expected.leases]
        return expected, actual

    @rule(held=leases)
    def release(self, held: Any) -> None:
        for locks, leases in zip((self.reference, self.subject), held, strict=True):
            locks.release(leases)

    @rule(span=SPANS)
    def time_passes(self, span: dt.timedelta) -> None:
        self.clock.advance(span)


def test_stores_agree(memory_backend: Any, sqlite_backend: Any) -> None:
    """SQLite's store is told apart from the reference by no sequence of commits, claims and questions."""
    run_state_machine_as_test(
        lambda: StoreAgreement(memory_backend.harness, sqlite_backend.harness),
        settings=settings(stateful_step_count=50),
    )


@pytest.mark.parametrize("family", ["postgres", "postgres-alone"])
def test_postgres_stores_agree(family: str, memory_backend: Any, postgres_backend: Any) -> None:
    """Nor is PostgreSQL's, whether it asks a host or reads our own."""
    backend = postgres_backend(family)
    run_state_machine_as_test(
        lambda: StoreAgreement(memory_backend.harness, backend.again, done=lambda _: None),
        settings=settings(max_examples=settings().max_examples // 3, stateful_step_count=50),
    )


def test_locks_agree(memory_backend: Any, sqlite_backend: Any) -> None:
    """SQLite's locks are told apart from the reference by no sequence of acquisitions, releases and expiries."""
    run_state_machine_as_test(lambda: LockAgreement(memory_backend.locks, sqlite_backend.locks))


def test_postgres_locks_agree(memory_backend: Any, postgres_backend: Any) -> None:
    """Nor are PostgreSQL's."""
    backend = postgres_backend("postgres")
    run_state_machine_as_test(
        lambda: LockAgreement(memory_backend.locks, backend.locks),
        settings=settings(max_examples=settings().max_examples // 3),
    )


def test_redis_locks_agree(memory_backend: Any, redis_backend: Any) -> None:
    """Nor are those in Redis."""
    run_state_machine_as_test(
        lambda: LockAgreement(memory_backend.locks, redis_backend.locks),
        settings=settings(max_examples=settings().max_examples // 2),
    )
