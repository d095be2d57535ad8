"""The store's contract bites: what planning is shown."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import AssignmentPipelineError, SchemaMismatchError
from assignment_pipeline.ports import AssignmentContext, LoadQuery, Occupied, Waiting
from assignment_pipeline.testing.contracts.reads import Reads
from assignment_pipeline.testing.store_harness import make_venue

Records = Mapping[str, AssignmentRecord]
Bookings = Mapping[str, Booking]


def _given(query: LoadQuery) -> dict[str, Any]:
    """What a query was made of."""
    return {field.name: getattr(query, field.name) for field in attrs.fields(LoadQuery) if field.init}


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
MovesTheHosts = loading(
    lambda _, c, __: attrs.evolve(
        c, taken=[attrs.evolve(o, movable=o.movable or o.booking_id is not None) for o in c.taken]
    )
)
TakesEachIdOnce = loading(
    lambda _, c, q: c if len({*q.booking_ids}) == len(q.booking_ids) else attrs.evolve(c, records={})
)
CountsWhatIsNamed = loading(
    lambda s, c, q: (
        attrs.evolve(
            c, taken={*c.taken, *s.load(LoadQuery(restaurant_id=q.restaurant_id, booking_ids=q.booking_ids)).taken}
        )
        if q.bookings and q.booking_ids
        else c
    )
)
OldGeneration = loading(lambda _, c, __: attrs.evolve(c, generation=0))
MachineTime = loading(lambda _, c, __: attrs.evolve(c, now=dt.datetime.now(dt.UTC)))
NoHostBookings = loading(lambda _, c, __: attrs.evolve(c, bookings={}))
NoRecords = loading(lambda _, c, __: attrs.evolve(c, records={}))


def looking(window: Callable[[LoadQuery, Venue, Records, Bookings], TimeWindow | None]) -> type[MemoryStore]:
    """A store that looks at another time than the query says."""

    class Elsewhere(LoadQuery):
        def window(self, venue: Venue, records: Records, bookings: Bookings) -> TimeWindow | None:
            return window(LoadQuery(**_given(self)), venue, records, bookings)

    class Broken(MemoryStore):
        def load(self, query: LoadQuery) -> AssignmentContext | None:
            return super().load(Elsewhere(**_given(query)))

    return Broken


def taking(is_of_day: Callable[[LoadQuery, Venue, AssignmentRecord], bool]) -> type[MemoryStore]:
    """A store that takes other bookings for the day's."""

    class Otherwise(LoadQuery):
        def is_of_day(self, venue: Venue, record: AssignmentRecord) -> bool:
            return self.day is not None and is_of_day(self, venue, record)

    class Broken(MemoryStore):
        def load(self, query: LoadQuery) -> AssignmentContext | None:
            return super().load(Otherwise(**_given(query)))

    return Broken


def _only_the_turns(query: LoadQuery, venue: Venue, records: Records, bookings: Bookings) -> TimeWindow | None:
    found = {**bookings, **{booking.id: booking for booking in query.bookings}}
    known = query.window(venue, records, bookings)
    return TimeWindow.around(venue.blocked(venue.turn(one)) for one in found.values()) if found else known


def _whenever_open(query: LoadQuery, venue: Venue, records: Records, bookings: Bookings) -> TimeWindow | None:
    always_open = attrs.evolve(venue, policy=attrs.evolve(venue.policy, service_periods=()))
    return query.window(always_open, records, bookings)


def _as_recorded(query: LoadQuery, venue: Venue, records: Records, bookings: Bookings) -> TimeWindow | None:
    known = {key: record.booking for key, record in records.items() if record.booking}
    named = LoadQuery(restaurant_id=query.restaurant_id, booking_ids=query.ids, day=query.day)
    return named.window(venue, records, {**bookings, **known})


# Looks at the turn of a booking, and not at what lies next to it.
SeesTooLittle = looking(_only_the_turns)
SeesNoArrivals = looking(_whenever_open)
SeesTooMuch = looking(lambda q, v, r, b: (w := q.window(v, r, b)) and w.widened(dt.timedelta(9), dt.timedelta(9)))
SeesOneWindow = looking(lambda q, v, r, b: attrs.evolve(q, bookings=q.bookings[: not q.booking_ids]).window(v, r, b))
GoesByTheRecord = looking(_as_recorded)
ForgetsWhoWaits = taking(lambda q, v, r: r.allocation is not None and q.is_of_day(v, r))
ForgetsWhoSits = taking(lambda q, v, r: r.allocation is None and q.is_of_day(v, r))
TakesAllDays = taking(lambda _, v, r: r.restaurant_id == v.id)
TakesAllRestaurants = taking(lambda q, v, r: q.is_of_day(v, attrs.evolve(r, restaurant_id=v.id)))


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

    def unassigned(self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None) -> tuple[Any, ...]:
        only = {} if restaurants is None else {"restaurants": restaurants}
        return tuple(self.host.unassigned(None, since, limit, **only))


class UnassignedTooFew(MemoryStore):
    """Counts the enqueued bookings against the limit."""

    def unassigned(self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None) -> tuple[Any, ...]:
        if restaurants is not None:
            return super().unassigned(since, limit, restaurants)
        return tuple(one for one in self.host.unassigned(None, since, limit) if one.id not in self._records)


class UnassignedOfAll(MemoryStore):
    """Lists all restaurants' bookings, whichever it is asked for."""

    def unassigned(self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None) -> tuple[Any, ...]:
        return super().unassigned(since, limit, None if restaurants else restaurants)


class WaitingForTheEnqueued(MemoryStore):
    """Names restaurants whose bookings are all enqueued, too."""

    def waiting(self):
        return attrs.evolve(super().waiting(), restaurants=("r-1", "r-2"))


class WaitingByTheMachine(MemoryStore):
    """Tells another time than its own."""

    def waiting(self) -> Waiting:
        return attrs.evolve(super().waiting(), now=dt.datetime.now(dt.UTC))


class AsksTheHostAnyway(MemoryStore):
    """Reads the host's rows of a day, whether or not anybody wants them."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        return super().load(attrs.evolve(query, records_only=False))


class AnswersBackwards(MemoryStore):
    def load_all(self, queries: Sequence[LoadQuery]) -> tuple[AssignmentContext | None, ...]:
        return super().load_all(queries)[::-1]


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("answers backwards", AnswersBackwards, "each_query_is_answered_in_its_place"),
    ("sees no blocks", SeesNoBlocks, "all_that_is_taken_is_loaded"),
    ("sees ours only", SeesOursOnly, "all_that_is_taken_is_loaded"),
    ("sees others only", SeesOthersOnly, "all_that_is_taken_is_loaded"),
    ("moves all", MovesAll, "what_may_be_moved_says_so"),
    ("moves the host's", MovesTheHosts, "what_the_host_has_seated_stays_where_it_is"),
    ("moves none", MovesNone, "what_may_be_moved_says_so"),
    ("counts what is named", CountsWhatIsNamed, "a_booking_at_hand_counts_as_it_is_there"),
    ("old generation", OldGeneration, "the_generation_is_the_rollouts"),
    ("machine's time", MachineTime, "a_booking_that_is_passed_in_need_not_be_known"),
    ("no host's bookings", NoHostBookings, "an_id_is_known_by_host_or_record"),
    ("takes each id once", TakesEachIdOnce, "an_id_that_is_named_twice_is_loaded_once"),
    ("asks the host anyway", AsksTheHostAnyway, "the_host_need_not_be_asked_about_a_day"),
    ("no records", NoRecords, "an_id_is_known_by_host_or_record"),
    ("sees too little", SeesTooLittle, "planning_sees_as_far_as_it_looks"),
    ("sees no arrivals", SeesNoArrivals, "planning_sees_every_time_on_offer"),
    ("sees too much", SeesTooMuch, "planning_sees_as_far_as_it_looks"),
    ("goes by the record", GoesByTheRecord, "the_window_goes_by_the_newest_word"),
    ("one booking's window", SeesOneWindow, "several_are_loaded_at_once"),
    ("forgets who waits", ForgetsWhoWaits, "everybody_of_a_day_is_loaded"),
    ("forgets who sits", ForgetsWhoSits, "everybody_of_a_day_is_loaded"),
    ("takes all days", TakesAllDays, "everybody_of_a_day_is_loaded"),
    ("takes all restaurants", TakesAllRestaurants, "everybody_of_a_day_is_loaded"),
    ("invents bookings", InventsBookings, "an_unknown_id_is_answered_with_none"),
    ("knows the host's only", KnowsByTheHostOnly, "a_cancelled_unknown_booking_is_loaded"),
    ("hides the host's bookings", HidesBookings, "the_hosts_booking_is_handed_through"),
    ("no schema", NoSchema, "the_schema_is_right"),
    ("caches venues", CachesVenues, "a_changed_floor_is_loaded_changed"),
    ("invents venues", InventsVenues, "an_unknown_restaurant_is_an_error"),
    ("unassigned with records", UnassignedWithRecords, "the_unassigned_are_pending_and_have_no_record"),
    ("unassigned of all", UnassignedOfAll, "the_unassigned_of_some_restaurants"),
    (
        "waiting for the enqueued",
        WaitingForTheEnqueued,
        "restaurants_whose_bookings_are_all_enqueued_wait_for_nothing",
    ),
    ("waiting by the machine", WaitingByTheMachine, "the_time_is_the_stores"),
    ("unassigned too few", UnassignedTooFew, "the_unassigned_are_pending_and_have_no_record"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(Reads, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this part of the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(Reads) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(Reads, stores(MemoryStore)) == set()
