"""The store's contract bites: tables out of service, and time that is given up or taken on top."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.ports import Occupied
from assignment_pipeline.testing.contracts.blocks import Blocks


class ListsTheEnded(MemoryStore):
    """Lists blocks that are over, in the minute in which they end."""

    def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        return super().blocked(restaurant_id, since - dt.timedelta(minutes=1))


class ListsThemAll(MemoryStore):
    """Lists every restaurant's blocks."""

    def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        return tuple(block for where in list(self.blocks) for block in super(ListsThemAll, self).blocked(where, since))


class ForgetsWho(MemoryStore):
    """Does not keep who blocked a table."""

    def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        return tuple(attrs.evolve(block, actor=None) for block in super().blocked(restaurant_id, since))


class NamesNobody(MemoryStore):
    """Does not say who has the table."""

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        super().block(blocks, events)
        return ()


class NamesOurs(MemoryStore):
    """Does not look at who has the table by the host."""

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        host, self.host = self.host, MemoryHost()
        try:
            return super().block(blocks, events)
        finally:
            self.host = host


class RefusesTheTaken(MemoryStore):
    """Turns out whoever has the table."""

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        found = super().block(blocks, events)
        for booking_id in set(found) & set(self._records):
            self._records[booking_id] = attrs.evolve(self._records[booking_id], version=9)
        return found


class WritesTwice(MemoryStore):
    """Takes what comes again for another block."""

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        ids = {block.id for block in blocks}
        known = [one for one in self.blocks[blocks[0].restaurant_id] if one.id in ids]
        found = super().block(blocks, events)
        self.blocks[blocks[0].restaurant_id] += known
        return found


class EndsNone(MemoryStore):
    """Never puts a table back into service."""

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        known = list(self.blocks[blocks[0].restaurant_id])
        found = super().unblock(blocks, events)
        self.blocks[blocks[0].restaurant_id] = known
        return found


class EndsAll(MemoryStore):
    """Puts all tables back into service with one."""

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        found = super().unblock(blocks, events)
        self.blocks.clear()
        return found


class AlwaysEnds(MemoryStore):
    """Says that there was a block where there was none."""

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        super().unblock(blocks, events)
        return True


class WakesNobodyBehind(MemoryStore):
    """Lets bookings wait though a table is back."""

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        records = dict(self._records)
        found = super().unblock(blocks, events)
        self._records = records
        return found


class WakesAllBehind(MemoryStore):
    """Has all bookings try again when a table is back."""

    def _is_helped(self, record: AssignmentRecord, freed: Any) -> bool:
        return True


class WakesAhead(MemoryStore):
    """Has bookings try again when a table goes."""

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        self._records |= self._helped({block.restaurant_id: [block.window] for block in blocks})
        return super().block(blocks, events)


class TellsNothing(MemoryStore):
    """Keeps no events of blocks."""

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        return super().block(blocks, ())


class BlocksTheFirst(MemoryStore):
    """Takes only the first of several tables out of service."""

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        return super().block(blocks[:1], events)


class EndsTheFirst(MemoryStore):
    """Puts only the first of several tables back."""

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        return super().unblock(blocks[:1], events)


class TellsAnyway(MemoryStore):
    """Tells of the end of what was no block."""

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        self.emit(events)
        return super().unblock(blocks, ())


def as_if_new(record: AssignmentRecord, other: AssignmentRecord | None) -> Any:
    """All that a record has, whatever it had before, unless that is just the same."""
    if record.allocation is None or (other and other.allocation == record.allocation):
        return ()
    return [(table_id, record.allocation.blocked) for table_id in record.tables]


class TakesAnew(MemoryStore):
    """Has a party that leaves early take its table again, as one that moves does."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        contested = super()._contested(after)
        for key, record in after.items():
            for table_id, window in as_if_new(record, self._records.get(key)):
                rivals: list[Occupied] = [block.occupied for block in self.blocks[record.restaurant_id]]
                contested |= {
                    one.table_id for one in rivals if one.table_id == table_id and one.window.overlaps(window)
                }
        return contested


class FreesAnew(MemoryStore):
    """Has a party that stays for less or more give up all that it had."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        freed: dict[str, list[Any]] = {}
        for key, record in after.items():
            before = self._records.get(key)
            if before is not None:
                freed[before.restaurant_id] = [window for _, window in as_if_new(before, record)]
        return {key: record for key, record in self._helped(freed).items() if key not in after}


class ForgetsTheRest(MemoryStore):
    """Does not notice what a party leaves of its time."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        return super()._woken({key: record for key, record in after.items() if not record.tables})


class LetsThemStay(MemoryStore):
    """Looks at whether a table is free only when it is given."""

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        new = {
            key: record
            for key, record in after.items()
            if key not in self._records or self._records[key].tables != record.tables
        }
        return super()._contested(new)


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("lists the ended", ListsTheEnded, "blocks_are_listed_until_they_end"),
    ("lists them all", ListsThemAll, "blocks_are_listed_until_they_end"),
    ("forgets who", ForgetsWho, "blocks_are_listed_until_they_end"),
    ("names nobody", NamesNobody, "a_block_names_who_has_the_table"),
    ("names none beside", NamesNobody, "a_block_of_each_table_names_its_own"),
    ("names ours", NamesOurs, "a_block_names_who_has_the_table"),
    ("refuses the taken", RefusesTheTaken, "who_has_the_table_keeps_it"),
    ("writes twice", WritesTwice, "a_block_is_written_once"),
    ("ends none", EndsNone, "an_ended_block_frees_its_table"),
    ("ends all", EndsAll, "an_ended_block_frees_its_table"),
    ("always ends", AlwaysEnds, "an_ended_block_frees_its_table"),
    ("blocks the first", BlocksTheFirst, "several_tables_are_taken_in_one_act"),
    ("ends the first", EndsTheFirst, "several_tables_come_back_in_one_act"),
    ("wakes nobody", WakesNobodyBehind, "an_ended_block_wakes_those_that_wait"),
    ("wakes everybody", WakesAllBehind, "an_ended_block_wakes_those_that_wait"),
    ("wakes ahead", WakesAhead, "an_ended_block_wakes_those_that_wait"),
    ("tells nothing", TellsNothing, "events_go_with_a_block"),
    ("tells anyway", TellsAnyway, "events_go_with_a_block"),
    ("takes anew", TakesAnew, "who_gives_up_time_takes_nothing"),
    ("frees anew", FreesAnew, "time_given_up_wakes_those_that_want_it"),
    ("forgets the rest", ForgetsTheRest, "time_given_up_wakes_those_that_want_it"),
    ("frees with more", FreesAnew, "who_takes_more_time_has_to_find_it_free"),
    ("lets them stay", LetsThemStay, "who_takes_more_time_has_to_find_it_free"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(Blocks, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this part of the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(Blocks) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(Blocks, stores(MemoryStore)) == set()
