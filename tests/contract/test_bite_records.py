"""The store's contract bites: versions, history, paging and what records keep."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, StateChange
from assignment_pipeline.errors import StaleRecordError, StaleRolloutError
from assignment_pipeline.ports import RecordPage, RecordQuery
from assignment_pipeline.testing.contracts.records import Records


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


class WantsChanges(MemoryStore):
    """Cannot do with none."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        super().commit([changes[0], *changes[1:]])


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


class KeepsTheRow(MemoryStore):
    """Does not tell its host of requests."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        super().commit([attrs.evolve(change, request=None) for change in changes])


class WritesTheRow(MemoryStore):
    """Has the host's row ask for whatever the record does."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        super().commit([attrs.evolve(change, request=change.record.booking) for change in changes])


class WritesTheRowFirst(MemoryStore):
    """Has the host's row follow before the change has landed."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        for change in changes:
            if change.request is not None:
                self.host.put_booking(change.request)
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


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("no version", overlooking("version"), "an_older_version_is_refused"),
    ("no version of none", overlooking("version"), "a_booking_gets_one_record"),
    ("no version of a ghost", overlooking("version"), "a_record_that_is_not_there_is_not_updated"),
    ("wants changes", WantsChanges, "no_changes_are_fine"),
    ("tells first", TellsFirst, "events_land_with_the_commit"),
    ("forgets history", ForgetsHistory, "history_is_gapless"),
    ("one history", OneHistory, "histories_do_not_mix"),
    ("keeps the row", KeepsTheRow, "a_changed_request_reaches_the_row"),
    ("writes the row", WritesTheRow, "a_changed_request_reaches_the_row"),
    ("writes the row first", WritesTheRowFirst, "a_refused_request_leaves_the_row"),
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
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(Records, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this part of the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(Records) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(Records, stores(MemoryStore)) == set()
