"""Every contract can fail: adapters that are broken in one way each do not pass it."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryHost, MemoryLockManager, MemorySink, MemoryStore
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Assumed, Owner, StateChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import AssignmentPipelineError, SchemaMismatchError, StaleRecordError, StaleRolloutError
from assignment_pipeline.lifecycle import AssignmentState
from assignment_pipeline.ports import (
    AssignmentContext,
    Due,
    Lease,
    Leases,
    LoadQuery,
    Occupied,
    RecordPage,
    RecordQuery,
    Refused,
    Wanted,
)
from assignment_pipeline.testing import (
    AssignmentStoreContract,
    EventSinkContract,
    FakeClock,
    LockManagerContract,
    StoreHarness,
)
from assignment_pipeline.testing.contracts.harness import make_venue

PAUSE = 0.02
"""Seconds for which a racy adapter looks away, that others may do the same."""


def failures(contract: type, fixtures: Callable[[], Mapping[str, Any]], only: str = "") -> set[str]:
    """The tests of *contract*, or the *only* one, that fail, each run on *fixtures* of its own."""
    failed = set()
    for name, test in inspect.getmembers(contract, inspect.isfunction):
        if name == f"test_{only}" or (not only and name.startswith("test_")):
            made = fixtures()
            wanted = {key: made[key] for key in list(inspect.signature(test).parameters)[1:]}
            try:
                test(contract(), **wanted)
            except (AttributeError, NameError, TypeError):
                raise  # The adapter is broken in a way that it should not be.
            except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever it is, the test has failed
                failed.add(name.removeprefix("test_"))
    return failed


# -- Stores -------------------------------------------------------------------------------------------------------


def overlooking(what: str) -> type[MemoryStore]:
    """A store that does not notice when one thing has moved."""

    class Broken(MemoryStore):
        def _check(self, change: AssignmentChange) -> None:
            try:
                super()._check(change)
            except StaleRecordError as error:
                if error.what != what:
                    raise
            except StaleRolloutError:
                if what != "generation":
                    raise

    return Broken


class NoOverlapCheck(MemoryStore):
    """Gives tables away twice."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        return set()


def overlooking_seats(which: Callable[[AssignmentRecord], bool]) -> type[MemoryStore]:
    """A store that does not count the tables of some records."""

    class Broken(MemoryStore):
        def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
            kept = self._taken
            self._taken = copy.deepcopy(kept)
            for record in filter(which, self._records.values()):
                for table_id in record.tables:
                    del self._taken[record.restaurant_id][table_id][record.booking_id]
            try:
                return super()._contested(after)
            finally:
                self._taken = kept

    return Broken


class RivalToItsPast(MemoryStore):
    """Has a booking that moves conflict with where it sat."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        own = {table for key, one in after.items() for table in one.tables if key in self._taken["r-1"][table]}
        return super()._contested(after) | own


class EachByItself(MemoryStore):
    """Compares each change with what is there, and none with the others."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        return {table for key, record in after.items() for table in super(EachByItself, self)._contested({key: record})}


class BlindToTheHost(MemoryStore):
    """Looks at the host's rows when planning, but not when committing."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        host, self.host = self.host, MemoryHost()
        try:
            return super()._contested(after)
        finally:
            self.host = host


class BlindToBlocks(MemoryStore):
    """Looks at blocks when planning, but not when committing."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        blocks, self.blocks = self.blocks, defaultdict(list)
        try:
            return super()._contested(after)
        finally:
            self.blocks = blocks


class TouchingConflicts(MemoryStore):
    """Counts the minute behind a window as taken."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        minute = dt.timedelta(minutes=1)
        return super()._contested(
            {
                key: attrs.evolve(
                    record,
                    allocation=record.allocation
                    and attrs.evolve(record.allocation, blocked=record.allocation.blocked.widened(minute, minute)),
                )
                for key, record in after.items()
            }
        )


class Anonymous(MemoryHost):
    """A host that does not say for whom its tables are taken."""

    def __init__(self, host: MemoryHost) -> None:
        self.__dict__ |= host.__dict__

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        taken = super().occupied(connection, restaurant_id, window)
        return [attrs.evolve(one, booking_id=None) for one in taken]


class RivalToItself(MemoryStore):
    """Takes what the host wrote for a booking for somebody else's."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        host, self.host = self.host, Anonymous(self.host)
        try:
            return super()._contested(after)
        finally:
            self.host = host


class OneTableForAllRestaurants(MemoryStore):
    """Keeps restaurants' tables apart by nothing but their names."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        taken = {table for tables in self._taken.values() for table, by in tables.items() if set(by) - set(after)}
        return super()._contested(after) | {table for record in after.values() for table in record.tables} & taken


class OneByOne(MemoryStore):
    """Commits changes one at a time."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        for change in changes:
            super().commit([change])


class AssumesNothing(MemoryStore):
    """Takes every plan for outdated."""

    def _check(self, change: AssignmentChange) -> None:
        super()._check(change)
        if change.assumed is not None:
            raise StaleRecordError(change.record.booking_id, "booking")


class AssumesAlways(MemoryStore):
    """Takes every change for a plan."""

    def _check(self, change: AssignmentChange) -> None:
        current = self._records.get(change.record.booking_id)
        assumed = Assumed(
            booking=change.record.booking,
            venue_version=make_venue(change.record.restaurant_id).version,
            next_attempt_at=current.next_attempt_at if current else None,
            pinned=bool(current and current.pinned),
        )
        super()._check(attrs.evolve(change, assumed=change.assumed or assumed))


class MergesChanges(MemoryStore):
    """Goes by the last of several changes to a booking."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        super().commit(list({change.record.booking_id: change for change in changes}.values()))


class WantsChanges(MemoryStore):
    """Cannot do with none."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        super().commit([changes[0], *changes[1:]])


class KeepsTheSchedule(MemoryStore):
    """Leaves it at the minute that a claim has given."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        before = dict(self._records)
        super().commit(changes)
        for key, record in before.items():
            self._records[key] = attrs.evolve(self._records[key], next_attempt_at=record.next_attempt_at)


class KeepsTables(MemoryStore):
    """Never lets go of a table."""

    def _seat(self, record: AssignmentRecord) -> None:
        if record.allocation is not None:
            super()._seat(record)


class OnlyTheFirstTable(MemoryStore):
    """Names one contested table."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        return set(sorted(super()._contested(after))[:1])


class SwallowsHooks(MemoryStore):
    """Commits whatever the host's code says."""

    def _call_hooks(self, changes: Sequence[AssignmentChange]) -> None:
        with contextlib.suppress(Exception):
            super()._call_hooks(changes)


class HooksAfterwards(MemoryStore):
    """Calls the host's code when all is written."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        hook, self.on_commit = self.on_commit, None
        super().commit(changes)
        self.on_commit = hook
        self._call_hooks(changes)


class NoHooks(MemoryStore):
    """Does not call the host's code."""

    def _call_hooks(self, changes: Sequence[AssignmentChange]) -> None:
        pass


class TellsFirst(MemoryStore):
    """Tells of commits before they land."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        for change in changes:
            self.emit(change.events)
        super().commit(changes)


class ForgetsHistory(MemoryStore):
    """Keeps only the last of a commit's transitions."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        super().commit(changes)
        for change in changes:
            kept = self._history[change.record.booking_id]
            del kept[len(kept) - len(change.steps) : -1]


class OneHistory(MemoryStore):
    """Tells every booking's history to everyone."""

    def history(self, booking_id: str) -> tuple[StateChange, ...]:
        return tuple(step for steps in self._history.values() for step in steps)


class ForgetsAttempts(MemoryStore):
    """Keeps only the last attempt."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        super().commit(changes)
        for attempts in self._attempts.values():
            del attempts[:-1]


class KnowsByHistory(MemoryStore):
    """Looks changes up by their transitions, of which some have none."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        super().commit(changes)
        self._changes -= {change.id for change in changes if not change.steps}


class LandsTwice(MemoryStore):
    """Goes by versions alone."""

    def _check(self, change: AssignmentChange) -> None:
        self._changes.discard(change.id)
        super()._check(change)


class KnowsTooEarly(MemoryStore):
    """Notes a change's id before it has landed."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        self._changes |= {change.id for change in changes}
        super().commit(changes)


def losing(field: attrs.Attribute[Any]) -> type[MemoryStore]:
    """A store that does not keep one field of a record."""
    default = field.default if field.default is not attrs.NOTHING else "?"

    class Broken(MemoryStore):
        def records(self, query: RecordQuery) -> RecordPage:
            page = super().records(query)
            lossy = tuple(copy.copy(record) for record in page.records)
            for record in lossy:
                object.__setattr__(record, field.name, default)  # Past the validators, which would notice.
            return attrs.evolve(page, records=lossy)

    return Broken


FIELDS = attrs.fields(AssignmentRecord)
KEPT_BY = {"owner": "legacy_records_are_kept"}


class Merges(MemoryStore):
    """Keeps what a field was where it is to be None."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        before = dict(self._records)
        super().commit(changes)
        for key, record in before.items():
            if self._records[key].reason is None:
                self._records[key] = attrs.evolve(self._records[key], reason=record.reason)


class FillsIn(MemoryStore):
    """Knows better than None."""

    def records(self, query: RecordQuery) -> RecordPage:
        page = super().records(query)
        filled = [attrs.evolve(record, restaurant_id=record.restaurant_id or "?") for record in page.records]
        filled = [attrs.evolve(record, booking=record.booking and ended(record.booking)) for record in filled]
        return attrs.evolve(page, records=tuple(filled))


def ended(booking: Booking) -> Booking:
    """The booking with an end."""
    return attrs.evolve(booking, end_at=booking.end_at or booking.start_at + dt.timedelta(hours=1))


class PagesByArrival(MemoryStore):
    """Pages in the order in which records came."""

    def records(self, query: RecordQuery) -> RecordPage:
        everything = super().records(attrs.evolve(query, limit=10_000, after=None))
        found = [self._records[key] for key in self._records if self._records[key] in everything.records]
        if query.after is not None:
            found = found[[record.booking_id for record in found].index(query.after) + 1 :]
        page = tuple(found[: query.limit])
        return attrs.evolve(everything, records=page, next=page[-1].booking_id if len(found) > len(page) else None)


class PagesForEver(MemoryStore):
    """Says that there is more where there is not."""

    def records(self, query: RecordQuery) -> RecordPage:
        page = super().records(query)
        full = len(page.records) == query.limit
        return attrs.evolve(page, next=page.records[-1].booking_id if full else None)


FILTERS = ("restaurant_id", "states", "booking_ids")


def unfiltered(field: str) -> type[MemoryStore]:
    """A store whose pages leave one filter out of account."""

    class Broken(MemoryStore):
        def records(self, query: RecordQuery) -> RecordPage:
            return super().records(attrs.evolve(query, **{field: attrs.fields_dict(RecordQuery)[field].default}))

    return Broken


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

    def due(self, limit: int) -> tuple[Due, ...]:
        return super().due(10_000)


class ClaimsTheNewest(MemoryStore):
    """Lets the longest due wait."""

    def due(self, limit: int) -> tuple[Due, ...]:
        waiting = dict(self._records)
        claimed = list(super().due(10_000))
        keep = claimed[::-1][:limit]
        self._records |= {due.booking_id: waiting[due.booking_id] for due in claimed if due not in keep}
        return tuple(keep)


class ClaimsLegacys(MemoryStore):
    """Sweeps what legacy answers for."""

    def due(self, limit: int) -> tuple[Due, ...]:
        for key, record in self._records.items():
            self._records[key] = attrs.evolve(record, owner=Owner.PIPELINE)
        return super().due(limit)


class ClaimsEarly(MemoryStore):
    """Hands bookings out a moment before they are due."""

    def due(self, limit: int) -> tuple[Due, ...]:
        clock = self.clock
        self.clock = FakeClock(clock.now() + dt.timedelta(seconds=1))
        try:
            return super().due(limit)
        finally:
            self.clock = clock


class ClaimsPendingOnly(MemoryStore):
    """Leaves holds, reviews and work in the middle where they are."""

    def due(self, limit: int) -> tuple[Due, ...]:
        return tuple(
            due
            for due in super().due(limit)
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


class WakesWithVersion(MemoryStore):
    """Counts waking as a transition, of which the history knows nothing."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        return {key: attrs.evolve(one, version=one.version + 1) for key, one in super()._woken(after).items()}


def loading(
    change: Callable[[MemoryStore, AssignmentContext, LoadQuery], AssignmentContext | None],
) -> type[MemoryStore]:
    """A store whose contexts are changed."""

    class Broken(MemoryStore):
        def load(self, query: LoadQuery) -> AssignmentContext | None:
            context = super().load(query)
            return context and change(self, context, query)

    return Broken


def _some(taken: Iterable[Occupied], which: Callable[[Occupied], object]) -> tuple[Occupied, ...]:
    return tuple(one for one in taken if which(one))


SeesNoBlocks = loading(lambda _, c, __: attrs.evolve(c, taken=_some(c.taken, lambda one: one.reason is None)))
SeesOursOnly = loading(lambda _, c, __: attrs.evolve(c, taken=_some(c.taken, lambda one: one.movable)))
SeesOthersOnly = loading(lambda _, c, q: attrs.evolve(c, taken=_some(c.taken, lambda o: o.booking_id not in q.ids)))
MovesAll = loading(lambda _, c, __: attrs.evolve(c, taken=[attrs.evolve(one, movable=True) for one in c.taken]))
MovesNone = loading(lambda _, c, __: attrs.evolve(c, taken=[attrs.evolve(one, movable=False) for one in c.taken]))
OldGeneration = loading(lambda _, c, __: attrs.evolve(c, generation=0))
MachineTime = loading(lambda _, c, __: attrs.evolve(c, now=dt.datetime.now(dt.UTC)))
NoHostBookings = loading(lambda _, c, __: attrs.evolve(c, bookings={}))
NoRecords = loading(lambda _, c, __: attrs.evolve(c, records={}))


class SeesTooLittle(MemoryStore):
    """Loads the turn of a booking, and not what lies next to it."""

    def _taken_for(self, venue: Venue, bookings: Iterable[Any]) -> Iterator[Occupied]:
        bookings = list(bookings)
        spans = [venue.blocked(venue.turn(booking)) for booking in bookings]
        return (one for one in super()._taken_for(venue, bookings) if any(map(one.window.overlaps, spans)))


class SeesTooMuch(MemoryStore):
    """Loads all that was ever taken."""

    def _taken_for(self, venue: Venue, bookings: Iterable[Any]) -> Iterator[Occupied]:
        for tables in self._taken[venue.id].values():
            yield from tables.values()


class SeesOneWindow(MemoryStore):
    """Looks around the first of several bookings."""

    def _taken_for(self, venue: Venue, bookings: Iterable[Any]) -> Iterator[Occupied]:
        return super()._taken_for(venue, list(bookings)[:1])


class GoesByTheRecord(MemoryStore):
    """Plans around the time that a booking once had."""

    def _taken_for(self, venue: Venue, bookings: Iterable[Any]) -> Iterator[Occupied]:
        known = [self._records[one.id].booking if one.id in self._records else one for one in bookings]
        return super()._taken_for(venue, [one for one in known if one])


class InventsBookings(MemoryStore):
    """Answers for bookings that nobody knows."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        known = [key for key in query.booking_ids if key in self._records or self.host.booking(None, key)]
        return super().load(attrs.evolve(query, booking_ids=tuple(known)))


class KnowsByTheHostOnly(MemoryStore):
    """Does not find a booking that only a record is left of."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        if any(self.host.booking(None, key) is None for key in query.booking_ids):
            return None
        return super().load(query)


class HidesBookings(MemoryStore):
    """Shows bookings of its own only."""

    def booking(self, booking_id: str) -> Booking | None:
        return self._records[booking_id].booking if booking_id in self._records else None


class NoSchema(MemoryStore):
    """Was never set up."""

    def check_schema(self) -> None:
        raise SchemaMismatchError("memory", "tables", "none")


class CachesVenues(MemoryStore):
    """Looks a restaurant up once."""

    def _venue(self, restaurant_id: str) -> Venue:
        cache: dict[str, Venue] = self.__dict__.setdefault("cache", {})
        return cache.setdefault(restaurant_id, super()._venue(restaurant_id))


class InventsVenues(MemoryStore):
    """Has a floor for every restaurant."""

    def _venue(self, restaurant_id: str) -> Venue:
        with contextlib.suppress(AssignmentPipelineError):
            return super()._venue(restaurant_id)
        return make_venue(restaurant_id)


class UnassignedWithRecords(MemoryStore):
    """Lists bookings that were enqueued as unassigned."""

    def unassigned(self, since: dt.datetime, limit: int) -> tuple[Any, ...]:
        return tuple(self.host.unassigned(None, since, limit))


class UnassignedTooFew(MemoryStore):
    """Counts the enqueued bookings against the limit."""

    def unassigned(self, since: dt.datetime, limit: int) -> tuple[Any, ...]:
        return tuple(one for one in self.host.unassigned(None, since, limit) if one.id not in self._records)


class RacyCommit(MemoryStore):
    """Looks, and only then takes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = contextlib.nullcontext()  # type: ignore[assignment]

    def _call_hooks(self, changes: Sequence[AssignmentChange]) -> None:
        time.sleep(PAUSE)


class RacyDue(MemoryStore):
    """Looks what is due, and only then claims it."""

    def due(self, limit: int) -> tuple[Due, ...]:
        found = sorted((record.next_attempt_at, key) for key, record in self._records.items())
        time.sleep(PAUSE)
        with self._lock:
            return tuple(self._claim(key, self.clock.now()) for _, key in found[:limit])


BROKEN_STORES: list[tuple[str, type[MemoryStore], str]] = [
    ("no version", overlooking("version"), "an_older_version_is_refused"),
    ("no booking", overlooking("booking"), "a_changed_booking_is_noticed"),
    ("no venue", overlooking("venue"), "a_changed_floor_is_noticed"),
    ("no schedule", overlooking("schedule"), "a_moved_schedule_is_noticed"),
    ("no pin", overlooking("pinned"), "a_pinned_booking_is_noticed"),
    ("no generation", overlooking("generation"), "a_moved_rollout_is_noticed"),
    ("no version of none", overlooking("version"), "a_booking_gets_one_record"),
    ("no version of a ghost", overlooking("version"), "a_record_that_is_not_there_is_not_updated"),
    ("no new booking", overlooking("booking"), "a_booking_that_turns_up_is_noticed"),
    ("never a plan", AssumesNothing, "what_still_holds_is_committed"),
    ("always a plan", AssumesAlways, "what_assumes_nothing_is_compared_by_version_alone"),
    ("no overlap", NoOverlapCheck, "a_table_is_given_once"),
    ("no holds", overlooking_seats(lambda one: one.state is AssignmentState.ASSIGNED), "a_hold_keeps_its_tables"),
    ("no legacy", overlooking_seats(lambda one: one.owner is Owner.LEGACY), "legacy_keeps_its_tables"),
    ("no host", BlindToTheHost, "the_hosts_tables_are_taken"),
    ("no blocks", BlindToBlocks, "a_blocked_table_is_taken"),
    ("touching", TouchingConflicts, "windows_that_touch_do_not_conflict"),
    ("rival to itself", RivalToItself, "the_hosts_row_for_the_same_booking_is_no_rival"),
    ("rival to its past", RivalToItsPast, "a_booking_may_keep_a_table_as_it_moves"),
    ("each by itself", EachByItself, "changes_conflict_among_themselves"),
    ("one restaurant", OneTableForAllRestaurants, "restaurants_share_no_tables"),
    ("not all or none", OneByOne, "a_stale_change_takes_the_others_with_it"),
    ("half a conflict", OneByOne, "a_conflict_takes_the_others_with_it"),
    ("merges changes", MergesChanges, "a_booking_changes_once_a_commit"),
    ("wants changes", WantsChanges, "no_changes_are_fine"),
    ("no swaps", OneByOne, "two_bookings_swap_tables"),
    ("keeps tables", KeepsTables, "tables_go_when_the_booking_does"),
    ("names one table", OnlyTheFirstTable, "all_contested_tables_are_named"),
    ("swallows hooks", SwallowsHooks, "what_a_hook_raises_undoes_the_commit"),
    ("hooks afterwards", HooksAfterwards, "what_a_hook_raises_undoes_the_commit"),
    ("no hooks", NoHooks, "a_hook_sees_the_changes"),
    ("tells first", TellsFirst, "events_land_with_the_commit"),
    ("forgets history", ForgetsHistory, "history_is_gapless"),
    ("one history", OneHistory, "histories_do_not_mix"),
    ("forgets attempts", ForgetsAttempts, "attempts_are_kept"),
    ("knows by history", KnowsByHistory, "a_landed_change_is_known"),
    ("lands twice", LandsTwice, "a_change_lands_once"),
    ("knows too early", KnowsTooEarly, "a_refused_change_is_not_known"),
    *((f"loses {field.name}", losing(field), KEPT_BY.get(field.name, "every_field_is_kept")) for field in FIELDS),
    ("loses it all", losing(FIELDS.allocation), "a_record_comes_back_as_it_went_in"),
    ("fills ends in", FillsIn, "a_booking_without_an_end_keeps_none"),
    ("fills restaurants in", FillsIn, "absent_fields_stay_absent"),
    ("merges", Merges, "a_later_record_replaces_the_former"),
    ("pages by arrival", PagesByArrival, "pages_cover_all_records"),
    ("pages for ever", PagesForEver, "a_full_last_page_ends_it"),
    *((f"ignores {key}", unfiltered(key), "pages_hold_what_was_asked_for") for key in FILTERS),
    ("ignores after", unfiltered("after"), "pages_cover_all_records"),
    ("ignores limit", unfiltered("limit"), "pages_cover_all_records"),
    ("no claims", ShowsWithoutClaiming, "a_claim_is_exclusive"),
    ("forgets deliveries", ForgetsDeliveries, "what_is_due_is_claimed"),
    ("claims for ever", ClaimsForEver, "a_claim_is_exclusive"),
    ("claims all", ClaimsWithoutLimit, "the_longest_due_come_first"),
    ("claims the newest", ClaimsTheNewest, "the_longest_due_come_first"),
    ("claims legacy's", ClaimsLegacys, "legacys_bookings_are_never_due"),
    ("claims early", ClaimsEarly, "what_is_not_due_is_left_alone"),
    ("claims pending only", ClaimsPendingOnly, "any_state_may_be_due"),
    ("keeps the schedule", KeepsTheSchedule, "a_commit_sets_the_schedule"),
    ("wakes nobody", WakesNobody, "freed_tables_wake_those_that_wait"),
    ("wakes everybody", WakesEverybody, "freed_tables_wake_nobody_else"),
    ("wakes for nothing", WakesOnEveryCommit, "what_keeps_its_tables_frees_none"),
    ("wakes pending only", WakesPendingOnly, "freed_tables_wake_those_that_wait"),
    ("wakes on leaving only", WakesOnLeavingOnly, "a_move_frees_what_it_leaves"),
    ("wakes itself", WakesItself, "who_frees_is_not_woken_by_it"),
    ("wakes without buffers", WakesWithoutBuffers, "the_buffers_count_when_tables_come_free"),
    ("wakes with version", WakesWithVersion, "waking_moves_nothing_but_the_schedule"),
    ("sees no blocks", SeesNoBlocks, "all_that_is_taken_is_loaded"),
    ("sees ours only", SeesOursOnly, "all_that_is_taken_is_loaded"),
    ("sees others only", SeesOthersOnly, "all_that_is_taken_is_loaded"),
    ("moves all", MovesAll, "what_may_be_moved_says_so"),
    ("moves none", MovesNone, "what_may_be_moved_says_so"),
    ("old generation", OldGeneration, "the_generation_is_the_rollouts"),
    ("machine's time", MachineTime, "a_booking_that_is_passed_in_need_not_be_known"),
    ("no host's bookings", NoHostBookings, "an_id_is_known_by_host_or_record"),
    ("no records", NoRecords, "an_id_is_known_by_host_or_record"),
    ("sees too little", SeesTooLittle, "planning_sees_as_far_as_it_looks"),
    ("sees too much", SeesTooMuch, "planning_sees_as_far_as_it_looks"),
    ("goes by the record", GoesByTheRecord, "the_window_goes_by_the_newest_word"),
    ("one booking's window", SeesOneWindow, "a_day_is_loaded_at_once"),
    ("invents bookings", InventsBookings, "an_unknown_id_is_answered_with_none"),
    ("knows the host's only", KnowsByTheHostOnly, "a_cancelled_unknown_booking_is_loaded"),
    ("hides the host's bookings", HidesBookings, "the_hosts_booking_is_handed_through"),
    ("no schema", NoSchema, "the_schema_is_right"),
    ("caches venues", CachesVenues, "a_changed_floor_is_loaded_changed"),
    ("invents venues", InventsVenues, "an_unknown_restaurant_is_an_error"),
    ("unassigned with records", UnassignedWithRecords, "the_unassigned_are_pending_and_have_no_record"),
    ("unassigned too few", UnassignedTooFew, "the_unassigned_are_pending_and_have_no_record"),
    ("racy commit", RacyCommit, "one_thread_gets_the_table"),
    ("racy record", RacyCommit, "one_thread_writes_the_record"),
    ("racy new record", RacyCommit, "one_thread_makes_the_record"),
    ("racy claims", RacyDue, "sweepers_share_the_work"),
]


@pytest.fixture
def stores(memory_harness: type[StoreHarness]) -> Callable[[type[MemoryStore]], Callable[[], dict[str, Any]]]:
    """Makes the fixtures that the store's contract wants, for a kind of store."""

    def of(kind: type[MemoryStore]) -> Callable[[], dict[str, Any]]:
        def make() -> dict[str, Any]:
            clock = FakeClock()
            store = kind(MemoryHost(make_venue()), clock=clock)
            return {"clock": clock, "store": store, "harness": memory_harness(store)}  # type: ignore[call-arg]

        return make

    return of


def test_the_reference_store_passes(stores: Any) -> None:
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(AssignmentStoreContract, stores(MemoryStore)) == set()


@pytest.mark.parametrize(
    ("kind", "test"), [case[1:] for case in BROKEN_STORES], ids=[case[0] for case in BROKEN_STORES]
)
def test_a_broken_store_fails(kind: type[MemoryStore], test: str, stores: Any) -> None:
    """A store that breaks one promise fails the test of that promise."""
    assert test in failures(AssignmentStoreContract, stores(kind), test)


def test_every_store_test_bites() -> None:
    """There is no test in the contract that no broken store fails."""
    proven = {test for _, _, test in BROKEN_STORES}
    assert {name.removeprefix("test_") for name in dir(AssignmentStoreContract) if name.startswith("test_")} == proven


# -- Locks --------------------------------------------------------------------------------------------------------


class GrantsAll(MemoryLockManager):
    """Locks nothing."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return Leases(tuple(Lease(want.key, "me", "x", self.clock.now() + ttl) for want in wanted))


class OneLock(MemoryLockManager):
    """Has one lock for all keys."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        answer = super().acquire([Wanted("all", want.slots) for want in wanted[:1]], ttl=ttl)
        return Refused(wanted[0].key) if isinstance(answer, Refused) else answer


class ReleasesByKey(MemoryLockManager):
    """Lets anyone let go."""

    def release(self, leases: Leases) -> None:
        for lease in leases.leases:
            self._held.pop(lease.key, None)


class NeverReleases(MemoryLockManager):
    """Waits for the time to be up."""

    def release(self, leases: Leases) -> None:
        pass


class ReleasesTheFirst(MemoryLockManager):
    """Lets go of one key of several."""

    def release(self, leases: Leases) -> None:
        super().release(Leases(leases.leases[:1]))


class SomeOrNone(MemoryLockManager):
    """Keeps what it got before it was refused."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        leases: list[Lease] = []
        for want in wanted:
            answer = super().acquire([want], ttl=ttl)
            if isinstance(answer, Refused):
                return answer
            leases += answer.leases
        return Leases(tuple(leases))


class RefusesTheLast(MemoryLockManager):
    """Names the last of the keys that are held."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return super().acquire(list(reversed(wanted)), ttl=ttl)


class RefusesNothing(MemoryLockManager):
    """Has no answer to no question."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return super().acquire(wanted, ttl=ttl) if wanted else Refused("")


class NeverExpires(MemoryLockManager):
    """Keeps the keys of the dead."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return super().acquire(wanted, ttl=1000 * ttl)


class ExpiresAtOnce(MemoryLockManager):
    """Gives every key the same, short time."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return super().acquire(wanted, ttl=min(ttl, dt.timedelta(minutes=1)))


class ExpiresAllSlots(MemoryLockManager):
    """Ends all of a key's leases with the first of them."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        now = self.clock.now()
        self._held = {key: held for key, held in self._held.items() if all(one.expires_at > now for one in held)}
        return super().acquire(wanted, ttl=ttl)


class OneSlot(MemoryLockManager):
    """Takes no notice of slots."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return super().acquire([Wanted(want.key) for want in wanted], ttl=ttl)


class SlotsApart(MemoryLockManager):
    """Counts holders by the number of slots that they asked for."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        answer = super().acquire([Wanted(f"{want.key} {want.slots}", want.slots) for want in wanted], ttl=ttl)
        return Refused(answer.key.rpartition(" ")[0]) if isinstance(answer, Refused) else answer


class PlainKeys(MemoryLockManager):
    """Keeps of a key what its own alphabet has."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        plain = [Wanted(want.key.encode("ascii", "ignore").decode(), want.slots) for want in wanted]
        return super().acquire(plain, ttl=ttl)


class RacyLocks(MemoryLockManager):
    """Looks, and only then takes."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        seen = {key: list(held) for key, held in self._held.items()}
        time.sleep(PAUSE)
        blind = MemoryLockManager(self.clock)
        blind._held = seen
        answer = blind.acquire(wanted, ttl=ttl)
        self._held |= blind._held
        return answer


BROKEN_LOCKS: list[tuple[type[MemoryLockManager], str]] = [
    (GrantsAll, "a_held_key_is_refused"),
    (GrantsAll, "a_key_has_as_many_holders_as_slots"),
    (OneLock, "other_keys_stay_free"),
    (ReleasesByKey, "a_late_release_leaves_the_next_holder_alone"),
    (ReleasesByKey, "releasing_twice_is_harmless"),
    (NeverReleases, "a_released_key_is_free"),
    (ReleasesTheFirst, "what_is_left_of_several_is_released"),
    (SomeOrNone, "it_is_all_or_none"),
    (RefusesTheLast, "the_first_refused_key_is_named"),
    (RefusesTheLast, "leases_come_in_the_order_wanted"),
    (RefusesNothing, "wanting_nothing_is_granted"),
    (NeverExpires, "a_lease_ends_by_itself"),
    (ExpiresAtOnce, "a_lease_lasts_until_its_time"),
    (ExpiresAtOnce, "a_lease_says_when_it_ends"),
    (ExpiresAllSlots, "slots_expire_one_by_one"),
    (OneSlot, "a_key_has_as_many_holders_as_slots"),
    (SlotsApart, "fewer_slots_now_count_those_held_before"),
    (PlainKeys, "any_text_is_a_key"),
    (RacyLocks, "threads_never_share_a_lock"),
]


def locks(kind: type[MemoryLockManager]) -> Callable[[], dict[str, Any]]:
    """The fixtures that the locks' contract wants, for a kind of lock manager."""

    def make() -> dict[str, Any]:
        clock = FakeClock()
        return {"locks": kind(clock), "elapse": clock.advance}

    return make


def test_the_reference_locks_pass() -> None:
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(LockManagerContract, locks(MemoryLockManager)) == set()


@pytest.mark.parametrize(("kind", "test"), BROKEN_LOCKS)
def test_a_broken_lock_manager_fails(kind: type[MemoryLockManager], test: str) -> None:
    """A lock manager that breaks one promise fails the test of that promise."""
    assert failures(LockManagerContract, locks(kind), test) == {test}


def test_every_lock_test_bites() -> None:
    """There is no test in the contract that no broken lock manager fails."""
    proven = {test for _, test in BROKEN_LOCKS}
    assert {name.removeprefix("test_") for name in dir(LockManagerContract) if name.startswith("test_")} == proven


# -- Sinks --------------------------------------------------------------------------------------------------------


class Backwards(MemorySink):
    """Keeps the newest first."""

    def emit(self, events: Sequence[Event]) -> None:
        self.events[:0] = reversed(events)


class WantsEvents(MemorySink):
    """Cannot do with none."""

    def emit(self, events: Sequence[Event]) -> None:
        super().emit([events[0], *events[1:]])


class DropsContext(MemorySink):
    """Keeps what happened and not why."""

    def emit(self, events: Sequence[Event]) -> None:
        super().emit([attrs.evolve(event, context={}) for event in events])


class RefusesRepeats(MemorySink):
    """Takes an event that comes twice for a fault."""

    def emit(self, events: Sequence[Event]) -> None:
        known = {event.id for event in self.events}
        if any(event.id in known for event in events):
            msg = "an event came twice"
            raise ValueError(msg)
        super().emit(events)


class RacySink(MemorySink):
    """Reads, and only then writes."""

    def emit(self, events: Sequence[Event]) -> None:
        seen = list(self.events)
        time.sleep(PAUSE / 20)
        self.events = seen + list(events)


BROKEN_SINKS: list[tuple[type[MemorySink], str]] = [
    (Backwards, "events_arrive_in_their_order"),
    (WantsEvents, "no_events_are_fine"),
    (DropsContext, "all_that_an_event_says_arrives"),
    (RefusesRepeats, "an_event_may_come_twice"),
    (RacySink, "threads_lose_nothing"),
]


def sinks(kind: type[MemorySink]) -> Callable[[], dict[str, Any]]:
    """The fixtures that the sinks' contract wants, for a kind of sink."""

    def make() -> dict[str, Any]:
        sink = kind()
        return {"sink": sink, "recorded": lambda: sink.events}

    return make


@pytest.mark.parametrize(("kind", "test"), BROKEN_SINKS)
def test_a_broken_sink_fails(kind: type[MemorySink], test: str) -> None:
    """A sink that breaks one promise fails the test of that promise."""
    assert failures(EventSinkContract, sinks(kind), test) == {test}


def test_every_sink_test_bites() -> None:
    """There is no test in the contract that no broken sink fails."""
    proven = {test for _, test in BROKEN_SINKS}
    assert {name.removeprefix("test_") for name in dir(EventSinkContract) if name.startswith("test_")} == proven
