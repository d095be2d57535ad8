"""The library broken on purpose, one promise at a time: the simulator has to find each of these."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import attrs

from assignment_pipeline import ports
from assignment_pipeline.adapters.memory import MemoryLockManager, MemoryStore
from assignment_pipeline.adapters.memory import store as memory_store
from assignment_pipeline.domain.adoption import LegacySeat
from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.floor import FloorPlan
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.result import Mode, Outcome, Reason
from assignment_pipeline.domain.rows import RowOfSeats
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.zones import TableOffer, Terms
from assignment_pipeline.errors import CommitUnknownError, FlagsUnreadError, StaleRecordError, StoreUnavailableError
from assignment_pipeline.flow import effects, landing
from assignment_pipeline.flow.assigning import (
    assign,
    assign_many,
    decision_context,
    enqueue,
    reassign,
    seating,
)
from assignment_pipeline.flow.legacy import adopt, handover, outcome, takeover_on_touch
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff import confirm_and_cancel, review
from assignment_pipeline.flow.sweeping import floor_watch, sweep, unassigned, unfinished
from assignment_pipeline.handlers import Wiring
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest
from assignment_pipeline.ports import Due, FlagDecision, Lease, Leases, RecordQuery
from assignment_pipeline.rollout.shadow import candidate, reverse
from assignment_pipeline.testing.simulator import jobs
from assignment_pipeline.testing.simulator.staff import Staff
from assignment_pipeline.testing.simulator.worker import Worker

Patches = list[tuple[object, str, object]]


@attrs.frozen
class Mutant:
    """
    One way to be wrong.

    Attributes:
        name: What the command line calls it.

        patches: What is replaced where, made anew each time.

        sentence: What is broken.

        faults: Which faults strike meanwhile.

        first: Where the search for a seed begins.
    """

    name: str
    patches: Callable[[], Patches]
    sentence: str
    faults: str | tuple[str, ...]
    first: int = 0

    def seeds(self, count: int) -> Iterator[int]:
        """*count* seeds, from the first one on."""
        return iter(range(self.first, self.first + count))

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """The library is broken for as long as the block lasts."""
        with contextlib.ExitStack() as stack:
            for target, name, broken in self.patches():
                stack.enter_context(mock.patch.object(target, name, broken))
            yield


MUTANTS: list[Mutant] = []


def mutant(*faults: str, first: int = 0) -> Callable[[Callable[[], Patches]], Callable[[], Patches]]:
    """Enlist a mutant, by its name and its sentence, with all faults unless some are named."""

    def enlist(patches: Callable[[], Patches]) -> Callable[[], Patches]:
        sentence = " ".join((patches.__doc__ or "").split())
        MUTANTS.append(Mutant(patches.__name__, patches, sentence, faults or "all", first))
        return patches

    return enlist


def _everywhere(name: str, broken: object) -> Patches:
    return [
        (module, name, broken)
        for module in (landing, outcome, confirm_and_cancel, assign_many, enqueue, review)
        if hasattr(module, name)
    ]


# -- Who is in the room -------------------------------------------------------------------------------------------


@mutant(first=70)
def who_sits_is_nowhere() -> Patches:
    """A sitting party's table is given away: plans and commits go by what is written of its time alone."""
    return [
        (Allocation, "occupied", lambda self, _: self.blocked),
        (Allocation, "sits_at", lambda *_: False),
        (memory_store, "sat_at_twice", lambda *_: set()),
    ]


@mutant(first=100)
def who_stays_on_is_gone() -> Patches:
    """A party that stays past its turn is not shown to planning."""
    return [(Allocation, "occupied", lambda self, _: self.blocked)]


@mutant(first=241)
def who_is_put_back_needs_no_laying_time() -> Patches:
    """A booking that is put back takes its table as if it were laid in no time, whether or not a person had said so."""

    def with_none(self: Any, turn: Any, _: Any) -> Any:
        return attrs.evolve(self, blocked=self.turn) if turn == self.turn else None

    return [(SeatingRequest, "with_laying_of", with_none)]


# -- What the commit compares -------------------------------------------------------------------------------------


@mutant()
def no_version_check() -> Patches:
    """A commit does not compare the record's version."""
    return [(AssignmentChange, "check_version", lambda *_: None)]


@mutant(first=2506)
def no_cap_check() -> Patches:
    """A commit does not count who arrives."""
    return [(memory_store, "check_caps", lambda *_: None)]


@mutant()
def no_caps_to_plan_by() -> Patches:
    """Neither plans nor what they take for granted know of caps."""
    return [(decision_context.DecisionContext, "pace", None)]


def _assumed_but(**forgiven: Callable[[Any, Any, Any, Any], tuple[Any, Any, Any, Any]]) -> Patches:
    ((_, forgive),) = forgiven.items()
    sound = AssignmentChange.check_preconditions

    def check(self: Any, current: Any, booking: Any, version: Any, generation: Any) -> None:
        if self.preconditions is not None:
            current, booking, version, generation = forgive(self.preconditions, current, booking, (version, generation))
        sound(self, current, booking, version, generation)

    return [(AssignmentChange, "check_preconditions", check)]


@mutant(first=133)
def no_generation_check() -> Patches:
    """A commit does not compare the rollout's generation."""
    return _assumed_but(
        generation=lambda meant, now, booking, rest: (
            now,
            booking,
            rest[0],
            rest[1] if meant.generation is None else meant.generation,
        )
    )


@mutant(first=102)
def the_passed_restaurant_decides() -> Patches:
    """A booking is seated where the call says, whatever the host says."""

    def decided(context: Any, _: Any, decide: Any) -> Any:
        return (yield from decide(context))

    return [(decision_context, "_decided", decided)]


@mutant(first=384)
def no_booking_check() -> Patches:
    """A commit does not compare the host's booking with the one that was planned for."""
    return _assumed_but(booking=lambda meant, now, _, rest: (now, meant.booking, *rest))


@mutant(first=92)
def no_venue_check() -> Patches:
    """A commit does not compare the version of the floor."""
    return _assumed_but(venue=lambda meant, now, booking, rest: (now, booking, meant.venue_version, rest[1]))


@mutant(first=120)
def no_schedule_check() -> Patches:
    """A commit does not compare when the record was due."""
    return _assumed_but(
        schedule=lambda meant, now, booking, rest: (
            now and attrs.evolve(now, next_attempt_at=meant.next_attempt_at),
            booking,
            *rest,
        )
    )


@mutant(first=167)
def nothing_is_assumed() -> Patches:
    """The flows do not say what their plans took for granted."""
    return [(module, "preconditions", lambda *_: None) for module in (seating, sweep)]


@mutant(first=38)
def no_overlap_check() -> Patches:
    """A commit does not look whether somebody has the tables."""
    return [(MemoryStore, "_contested", lambda *_: set())]


@mutant(first=115)
def no_look_at_the_hosts_rows() -> Patches:
    """A commit does not look at who sits where by the host."""
    sound = MemoryStore._contested

    def contested(self: MemoryStore, *args: Any) -> Any:
        with mock.patch.object(self.host, "occupied", return_value=()):
            return sound(self, *args)

    return [(MemoryStore, "_contested", contested)]


@mutant(first=930)
def a_change_lands_twice() -> Patches:
    """A commit does not look whether it has landed before."""
    sound = MemoryStore._check

    def check(self: MemoryStore, change: Any) -> None:
        self._changes.discard(change.id)
        sound(self, change)

    return [(MemoryStore, "_check", check)]


# -- What tables are for ------------------------------------------------------------------------------------------


@mutant(first=7)
def a_counters_seats_are_apart() -> Patches:
    """Two guests at a counter have a seat between them."""

    def runs(self: RowOfSeats) -> Iterator[int]:
        return (one | other for one, other in zip(self.bits, self.bits[2:], strict=False))

    return [(RowOfSeats, "runs", runs)]


@mutant(first=7)
def a_seat_is_for_two() -> Patches:
    """A party at a counter or a communal table has a seat less than it has guests."""
    sound = Venue.candidates

    def candidates(self: Venue, party_size: int) -> Any:
        fewer = sound(self, party_size - 1) if party_size > 2 else ()
        return (*sound(self, party_size), *(place for place in fewer if place.row is not None))

    return [(Venue, "candidates", candidates)]


@mutant(first=32)
def a_shared_table_is_never_full() -> Patches:
    """A commit does not look who has the seats of a counter or a communal table."""
    sound = MemoryStore._contested

    def contested(self: MemoryStore, after: Any) -> Any:
        return {name for name in sound(self, after) if "-S-" not in str(name)}

    return [
        (MemoryStore, "_contested", contested),
        (FloorSnapshot, "of", classmethod(_without_seats(FloorSnapshot.of.__func__))),
    ]


def _without_seats(sound: Callable[..., Any]) -> Callable[..., Any]:
    def of(cls: type, venue: Any, taken: Any, *args: Any, **options: Any) -> Any:
        return sound(cls, venue, [row for row in taken if "-S-" not in row.table_id], *args, **options)

    return of


@mutant(first=186)
def all_may_be_joined() -> Patches:
    """What a floor says of tables that are never joined is not read."""
    return [(FloorPlan, "_apart", ())]


@mutant(first=36)
def staff_have_no_tables() -> Patches:
    """Tables that are kept for staff are given to everybody."""
    sound = Terms.at

    def at(self: Terms, ahead: int | None) -> TableOffer:
        found = sound(self, ahead)
        return TableOffer.ALWAYS if found is TableOffer.STAFF else found

    return [(Terms, "at", at)]


@mutant(first=32)
def nobody_has_to_ask() -> Patches:
    """Tables that are given on request are given to everybody."""
    sound = Terms.at

    def at(self: Terms, ahead: int | None) -> TableOffer:
        found = sound(self, ahead)
        return TableOffer.ALWAYS if found is TableOffer.ON_REQUEST else found

    return [(Terms, "at", at)]


@mutant(first=32)
def holds_end_at_once() -> Patches:
    """What is held back until an hour before is given to everybody, however long before."""

    def at(self: Terms, _: int | None) -> TableOffer:
        return self.offer if self.held_until_minutes is None else TableOffer.ALWAYS

    return [(Terms, "at", at)]


# -- What a commit does -------------------------------------------------------------------------------------------


@mutant()
def commits_are_torn() -> Patches:
    """Several changes are several transactions."""
    sound = MemoryStore.commit

    def commit(self: MemoryStore, several: Any) -> None:
        for one in several:
            sound(self, [one])

    return [(MemoryStore, "commit", commit)]


@mutant()
def events_outside_the_commit() -> Patches:
    """Events are told once the commit has been answered, and not written by it."""
    sound = MemoryStore.commit

    def commit(self: MemoryStore, several: Any) -> None:
        sound(self, [attrs.evolve(change, events=()) for change in several])

    def answered(self: Wiring, effect: Any, *_: Any) -> None:
        if isinstance(effect, effects.Commit):
            self.process.emit([event for change in effect.changes for event in change.events])

    return [(MemoryStore, "commit", commit), (Wiring, "answered", answered)]


@mutant()
def tables_are_kept() -> Patches:
    """Tables that are given up stay taken."""
    sound = MemoryStore._seat

    def seat(self: MemoryStore, record: Any) -> None:
        before = self._records.get(record.booking_id)
        sound(self, record)
        for row in before.seats_as_written() if before else ():
            place, minutes, day = before.restaurant_id, row.window.minutes, row.window.minutes[0] // (24 * 60)
            self._taken[place].setdefault((row.table_id, day), {}).setdefault(row.booking_id, row)
            at_that_time = self._days[place].setdefault(day, {}).setdefault(minutes, {})
            at_that_time.setdefault((row.table_id, row.booking_id), row)

    return [(MemoryStore, "_seat", seat)]


@mutant()
def nobody_is_woken() -> Patches:
    """Tables that are given up are no news to who waits for them."""
    return [(MemoryStore, "_woken", lambda *_: {})]


# -- What becomes of a lost answer --------------------------------------------------------------------------------


def _landing(found: Callable[[Any, Any], Any]) -> Patches:
    def land(restaurant_id: str, *several: Any) -> Any:
        try:
            yield from effects.Commit(several)
        except StaleRecordError:
            return False
        except CommitUnknownError as error:
            try:
                return (yield from found(restaurant_id, several))
            except StoreUnavailableError:
                raise error from None
        return True

    return _everywhere("land", land)


@mutant(first=562)
def a_lost_answer_by_version() -> Patches:
    """A commit whose answer was lost counts as landed once the version is there, whoever wrote it."""

    def found(_: str, several: Any) -> Any:
        wanted = several[0].record
        page = yield from effects.ReadRecords(RecordQuery(booking_ids=(wanted.booking_id,)))
        return bool(page.records) and page.records[0].version >= wanted.version

    return _landing(found)


@mutant(first=144)
def a_lost_answer_is_a_no() -> Patches:
    """A commit whose answer was lost counts as not landed, and the call plans once more."""

    def found(*_: Any) -> Any:
        return False
        yield

    return _landing(found)


@mutant()
def a_lost_answer_is_a_yes() -> Patches:
    """A commit whose answer was lost counts as landed."""

    def found(*_: Any) -> Any:
        return True
        yield

    return _landing(found)


# -- Whose turn it is ---------------------------------------------------------------------------------------------


@mutant()
def no_lock() -> Patches:
    """Nobody waits for anybody."""

    def wait(*_: Any) -> Any:
        return None
        yield

    return [(assign, "admit", wait)]


@mutant()
def locks_for_everybody() -> Patches:
    """The lock manager grants whatever is asked for."""

    def acquire(self: MemoryLockManager, wanted: Any, *, ttl: Any) -> Leases:
        until = self.clock.now() + ttl
        return Leases(tuple(Lease(one.key, "anybody", f"{id(one)}", until) for one in wanted))

    return [(MemoryLockManager, "acquire", acquire)]


@mutant()
def released_before_the_commit() -> Patches:
    """Locks are let go of right before the commit that they are for."""
    sound = Worker._answer

    def answer(self: Worker, effect: Any, *args: Any) -> Any:
        if isinstance(effect, effects.Commit):
            for frame in self._frames:
                self._release(frame)
        return sound(self, effect, *args)

    return [(Worker, "_answer", answer)]


@mutant()
def no_owner_check() -> Patches:
    """Bookings that legacy answers for are planned for."""
    sound = assign.settled

    def settled(context: Any) -> Any:
        record = context.record
        if record is None or record.owner is Owner.PIPELINE:
            return sound(context)
        ours = {**context.loaded.records, record.booking_id: attrs.evolve(record, owner=Owner.PIPELINE)}
        return sound(attrs.evolve(context, loaded=attrs.evolve(context.loaded, records=ours)))

    return [(assign, "settled", settled), (reassign, "settled", settled)]


@mutant()
def legacy_at_the_same_time() -> Patches:
    """Legacy is called where the pipeline is in charge."""
    sound = assign.plan_until_landed

    def plan_until_landed(call: Any, target: Any, *args: Any, **options: Any) -> Any:
        if target.booking is not None:
            yield from effects.RunLegacy(target.booking)
        return (yield from sound(call, target, *args, **options))

    return [(assign, "plan_until_landed", plan_until_landed)]


# -- Handovers ----------------------------------------------------------------------------------------------------


@mutant(first=52)
def legacy_before_it_is_written() -> Patches:
    """A booking in flight is handed over after the call."""
    sound = handover.plan_until_landed

    def plan_until_landed(call: Any, target: Any, *args: Any, **options: Any) -> Any:
        if target.booking is not None:
            yield from effects.RunLegacy(target.booking)
        return (yield from sound(call, target, *args, **options))

    return [(handover, "plan_until_landed", plan_until_landed)]


@mutant(first=263)
def legacy_once_more() -> Patches:
    """Where legacy has not answered in time, it is called again."""
    sound = sweep.unanswered

    def unanswered(context: Any, record: Any) -> Any:
        if context.at_host is not None and context.at_host.is_pending:
            yield from effects.RunLegacy(context.at_host)
        return (yield from sound(context, record))

    return [(sweep, "unanswered", unanswered)]


@mutant(first=68)
def handed_over_for_good() -> Patches:
    """Nobody looks after a booking that was handed over."""
    return [(memory_store, "may_be_due", lambda record: record.owner is Owner.PIPELINE)]


@mutant("flags-flip", first=844)
def the_handed_over_keep_their_hold() -> Patches:
    """Held tables stay taken when the booking is handed over."""
    sound = handover.handed_over

    def handed_over(context: Any, record: Any, **facts: Any) -> Any:
        made = yield from sound(context, record, **facts)
        kept = attrs.evolve(made.change.record, allocation=record.allocation)
        return attrs.evolve(made, change=attrs.evolve(made.change, record=kept))

    return [(module, "handed_over", handed_over) for module in (handover, sweep)]


@mutant()
def legacys_tables_are_free() -> Patches:
    """What was adopted, or what legacy answered, is not counted."""
    sound = AssignmentRecord.seats_as_written

    def seats(self: AssignmentRecord) -> Any:
        return () if self.owner is Owner.LEGACY else sound(self)

    return [(AssignmentRecord, "seats_as_written", seats)]


# -- What the flows do --------------------------------------------------------------------------------------------


@mutant(first=20)
def the_hosts_word_is_not_heard() -> Patches:
    """A booking that the host has settled is still planned for."""
    wanted = property(lambda self: self.booking is not None and self.booking.is_pending)
    return [(decision_context.DecisionContext, "is_wanted", wanted)]


@mutant()
def a_retry_without_an_attempt() -> Patches:
    """A planning that found nothing leaves no attempt."""
    sound = seating.record_attempt

    def write(context: Any, request: Any, decision: Any, triggers: Any, outcome: Any, **facts: Any) -> Any:
        made = yield from sound(context, request, decision, triggers, outcome, **facts)
        if outcome is not Outcome.RETRY:
            return made
        record = attrs.evolve(made.change.record, attempts=made.change.record.attempts - 1)
        return attrs.evolve(made, change=attrs.evolve(made.change, attempt=None, record=record))

    return [(seating, "record_attempt", write)]


@mutant()
def retries_without_end() -> Patches:
    """Nobody is ever asked to see to a booking that finds no tables."""
    sound = seating.seat

    def seat(context: Any, *args: Any) -> Any:
        return (
            yield from sound(attrs.evolve(context, settings=attrs.evolve(context.settings, max_retries=100)), *args)
        )

    return [(module, "seat", seat) for module in (assign, reassign, sweep)]


@mutant()
def an_unknown_cancellation_is_forgotten() -> Patches:
    """Cancelling a booking that nobody knows leaves nothing behind."""

    def cancel(booking_id: str, restaurant_id: Any, settings: Any, **_: Any) -> Any:
        call = yield from confirm_and_cancel.Call.begin((booking_id, restaurant_id or ""), "cancel")

        def ending(record: Any, _: Any) -> Any:
            if record is None or record.state is AssignmentState.CANCELLED:
                return (yield from call.answer(Outcome.CANCELLED, record=record))
            if record.state is AssignmentState.FAILED:
                return (yield from call.answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=record))
            facts = {"allocation": None, "next_attempt_at": None, "pinned": False}
            return (
                yield from confirm_and_cancel.record_transition(
                    call, record, (Trigger.CANCEL,), Outcome.CANCELLED, None, **facts
                )
            )

        return (yield from confirm_and_cancel.amend(call, settings, ending))

    return [(confirm_and_cancel, "cancel", cancel)]


@mutant(first=23)
def not_read_is_off() -> Patches:
    """Where the flags were not read yet, the booking is left to legacy."""

    def resolved(restaurant_id: str) -> Any:
        try:
            return (yield from effects.ResolveFlags(restaurant_id))
        except FlagsUnreadError:
            return FlagDecision(mode=Mode.OFF, max_parallel=1, reason="unread", source="mutant", fresh=True)

    return [(assign, "ResolveFlags", resolved)]


# -- The sweep ----------------------------------------------------------------------------------------------------


@mutant("pauses", first=1629)
def the_claim_is_ignored() -> Patches:
    """The sweep goes on with what it was handed, whatever has come of it since."""
    return [(Due, "holds", lambda _, record: record is not None)]


@mutant()
def claims_are_not_claimed() -> Patches:
    """What is due is handed to whoever asks."""

    def claim(self: MemoryStore, booking_id: str, _: Any) -> Due:
        return Due.of(self._records[booking_id])

    return [(MemoryStore, "_claim", claim)]


@mutant()
def holds_do_not_expire() -> Patches:
    """A hold that nobody confirms is held for good."""

    def expire(call: Any, _: Any, record: Any, __: Any) -> Any:
        return landing.ToCommit(change=landing.no_longer_due(call, record), outcome=Outcome.NOOP)
        yield

    return [(sweep, "expire", expire)]


@mutant()
def orphans_are_left_alone() -> Patches:
    """The sweep does not look for bookings that nobody enqueued."""

    def enqueue(*_: Any) -> Any:
        return ()
        yield

    return [(sweep.UnassignedSearch, "run", enqueue)]


# -- The host's staff ---------------------------------------------------------------------------------------------


@mutant(first=2008)
def the_guard_guards_nothing() -> Patches:
    """The staff look in the transaction in which they write, and commits of the pipeline land in between."""
    return [(Staff, "keep_out", lambda *_: False), (Staff, "keep_out_changes", lambda *_: False)]


# -- The shadow ---------------------------------------------------------------------------------------------------


@mutant(first=15)
def the_shadow_commits() -> Patches:
    """What the candidate would commit is passed on to the store."""
    return [(candidate, "LoadContext", (effects.LoadContext, effects.Commit))]


@mutant()
def the_dry_run_seats() -> Patches:
    """What legacy answers in reverse shadow is taken over, as if it had seated the party."""

    def seating(case: Any, answer: Any, dry_run: Any) -> Any:
        asked, trial = yield from reverse.dry_rehearsal(case, answer, dry_run)
        yield from adopt.adopt((LegacySeat(case.booking, asked.legacy.tables),), Settings())
        return asked, trial

    return [(jobs, "dry_rehearsal", seating)]


@mutant()
def nobody_looks_once_more() -> Patches:
    """Who gives tables up and waits for others is not due, whatever came free since the floor was read."""
    return [(seating, "_could_be_woken", lambda record, _: record is not None)]


@mutant()
def nobody_looks_at_the_floor() -> Patches:
    """Who waits for tables is not woken by what happens beside the pipeline."""

    def look(*_: Any) -> Any:
        return
        yield

    return [(sweep, "look_at_floors", look)]


@mutant()
def a_floor_that_allows_more_is_no_news() -> Patches:
    """Only the first look of a process wakes anyone."""
    return [(floor_watch.Floor, "allows_more_than", lambda *_: False)]


@mutant(first=453)
def what_is_allowed_now_is_no_news() -> Patches:
    """A review for what the restaurant did not allow stays, whatever it allows later."""
    return [(floor_watch, "NOT_ALLOWED", frozenset())]


# -- Backlogs elsewhere, and rows that change or make no sense ----------------------------------------------------


@mutant(first=110)
def a_backlog_elsewhere_hides_the_rest() -> Patches:
    """The sweep asks for the soonest of all restaurants, and leaves those out that are off."""

    def ask_for(self: unassigned.UnassignedSearch, now: Any, _: Any) -> Any:
        yield from self._enqueue((yield from effects.FindUnassigned(now, self.limit)))

    return [(unassigned.UnassignedSearch, "_ask_for", ask_for)]


@mutant(first=170)
def one_page_is_read() -> Patches:
    """Of a host that names no restaurants, each sweep reads the soonest page alone."""
    return [(unassigned, "MOST_PAGES", 1)]


@mutant()
def pending_again_is_no_news() -> Patches:
    """What the host called something else for a while is not looked at again, and no row that is mended."""

    def wake(*_: Any) -> Any:
        return
        yield

    return [(unfinished, "_wake", wake)]


@mutant(first=5769)
def an_unanswered_handover_that_is_pending_again_is_no_news() -> Patches:
    """Only what the pipeline has is looked at again, not what legacy was handed."""

    def is_unfinished(record: Any) -> bool:
        return record.owner is Owner.PIPELINE and ports.is_unfinished(record)

    return [(memory_store, "is_unfinished", is_unfinished)]


@mutant(first=54)
def one_bad_row_stops_its_neighbours() -> Patches:
    """A row that makes no sense is an error for whoever looks at the day."""

    def read(find: Any, booking_ids: Any) -> Any:
        found = {booking_id: find(booking_id) for booking_id in booking_ids}
        return {booking_id: booking for booking_id, booking in found.items() if booking}, frozenset()

    return [(memory_store, "read_bookings", read)]


@mutant(first=102)
def a_bad_row_is_nobodys_case() -> Patches:
    """A booking whose row makes no sense is planned for by what was known of it."""
    sound = decision_context._decided

    def decided(context: Any, *args: Any) -> Any:
        readable = attrs.evolve(context, loaded=attrs.evolve(context.loaded, unreadable=frozenset()))
        return (yield from sound(readable, *args))

    return [(decision_context, "_decided", decided)]


@mutant("flags-flip", first=509)
def a_touch_takes_over_anywhere() -> Patches:
    """A booking of legacy's is taken over where somebody asks for something, whoever is in charge."""

    def charge(_: str) -> Any:
        return FlagDecision(mode=Mode.ACTIVE, max_parallel=1, reason="mutant", source="mutant")
        yield

    return [(takeover_on_touch, "ResolveFlags", charge)]


@mutant(first=20197)
def what_the_host_shows_is_free_for_all() -> Patches:
    """Others are moved to a table that the host shows for the booking that is planned for."""
    return [(decision_context.DecisionContext, "shown_by_host", lambda *_: ())]
