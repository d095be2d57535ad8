"""The store's contract bites: what a commit compares, refuses and undoes."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, CommitPreconditions, Owner
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import CommitUnknownError, StaleRecordError, StaleRolloutError
from assignment_pipeline.lifecycle import AssignmentState
from assignment_pipeline.ports import Occupied
from assignment_pipeline.testing.contracts.guards import Guards
from assignment_pipeline.testing.store_harness import make_venue


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
        taken = {table for tables in self._taken.values() for (table, _), by in tables.items() if set(by) - set(after)}
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
        if change.preconditions is not None:
            raise StaleRecordError(change.record.booking_id, "booking")


class AssumesAlways(MemoryStore):
    """Takes every change for a plan."""

    def _check(self, change: AssignmentChange) -> None:
        current = self._records.get(change.record.booking_id)
        preconditions = CommitPreconditions(
            booking=change.record.booking,
            venue_version=make_venue(change.record.restaurant_id).version,
            next_attempt_at=current.next_attempt_at if current else None,
            pinned=bool(current and current.pinned),
        )
        super()._check(attrs.evolve(change, preconditions=change.preconditions or preconditions))


class MergesChanges(MemoryStore):
    """Goes by the last of several changes to a booking."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        super().commit(list({change.record.booking_id: change for change in changes}.values()))


class KeepsTables(MemoryStore):
    """Never lets go of a table."""

    def _seat(self, record: AssignmentRecord) -> None:
        if record.allocation is not None:
            super()._seat(record)


class OnlyTheFirstTable(MemoryStore):
    """Names one contested table."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        return set(sorted(super()._contested(after))[:1])


class KeepsByTableNames(MemoryStore):
    """Takes a table of the same name at another restaurant for one that a booking has already."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        kept = {table for key in after if key in self._records for table in self._records[key].tables}
        return super()._contested(after) - kept


class RestaurantByRestaurant(MemoryStore):
    """Commits what is of each restaurant by itself."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        at: defaultdict[str, list[AssignmentChange]] = defaultdict(list)
        for change in changes:
            at[change.record.restaurant_id].append(change)
        for own in at.values():
            super().commit(own)


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


class NeverHeardOf(MemoryStore):
    """Cannot say what became of a commit in which the host's code was called."""

    def _call_hooks(self, changes: Sequence[AssignmentChange]) -> None:
        super()._call_hooks(changes)
        if self.on_commit is not None:
            raise CommitUnknownError("no answer")


class NoHooks(MemoryStore):
    """Does not call the host's code."""

    def _call_hooks(self, changes: Sequence[AssignmentChange]) -> None:
        pass


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("no booking", overlooking("booking"), "a_changed_booking_is_noticed"),
    ("none of several", overlooking("booking"), "each_of_several_bookings_is_compared"),
    ("no venue", overlooking("venue"), "a_changed_floor_is_noticed"),
    ("no schedule", overlooking("schedule"), "a_moved_schedule_is_noticed"),
    ("no pin", overlooking("pinned"), "a_pinned_booking_is_noticed"),
    ("no generation", overlooking("generation"), "a_moved_rollout_is_noticed"),
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
    ("by restaurant", RestaurantByRestaurant, "what_is_taken_at_one_restaurant_refuses_all_of_a_commit"),
    ("not all or none", OneByOne, "a_stale_change_takes_the_others_with_it"),
    ("half a conflict", OneByOne, "a_conflict_takes_the_others_with_it"),
    ("merges changes", MergesChanges, "a_booking_changes_once_a_commit"),
    ("no swaps", OneByOne, "two_bookings_swap_tables"),
    ("keeps tables", KeepsTables, "tables_go_when_the_booking_does"),
    ("keeps by table names", KeepsByTableNames, "a_table_at_another_restaurant_is_none_that_it_keeps"),
    ("names one table", OnlyTheFirstTable, "all_contested_tables_are_named"),
    ("swallows hooks", SwallowsHooks, "what_a_hook_raises_undoes_the_commit"),
    ("hooks afterwards", HooksAfterwards, "what_a_hook_raises_undoes_the_commit"),
    ("no answer", NeverHeardOf, "a_hook_that_closes_its_connection_spoils_no_other_commit"),
    ("no hooks", NoHooks, "a_hook_sees_the_changes"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(Guards, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this part of the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(Guards) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(Guards, stores(MemoryStore)) == set()
