"""The store's contract bites: caps on arrivals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import ArrivingParty, AssignmentContext, LoadQuery, PacingCap
from assignment_pipeline.testing.contracts.pacing import Pacing

HOUR = dt.timedelta(hours=1)


def counting(which: Callable[[ArrivingParty, AssignmentRecord], ArrivingParty | None]) -> type[MemoryStore]:
    """A store that counts what *which* makes of a party."""

    class Broken(MemoryStore):
        def _arrivals(self, restaurant_id: str, window: TimeWindow) -> Iterator[ArrivingParty]:
            for party in super()._arrivals(restaurant_id, window):
                found = which(party, self._records[party.booking_id])
                if found is not None:
                    yield found

    return Broken


def capping(change_cap: Callable[[PacingCap], PacingCap | None]) -> type[MemoryStore]:
    """A store that goes by other caps than those of the change."""

    class Broken(MemoryStore):
        def commit(self, changes: Sequence[AssignmentChange]) -> None:
            def changed(change: AssignmentChange) -> AssignmentChange:
                if change.preconditions is None:
                    return change
                caps = (change_cap(cap) for cap in change.preconditions.caps)
                kept = tuple(cap for cap in caps if cap is not None)
                return attrs.evolve(change, preconditions=attrs.evolve(change.preconditions, caps=kept))

            super().commit([changed(change) for change in changes])

    return Broken


def wider(cap: PacingCap) -> PacingCap:
    around = TimeWindow.around(cap.spans)
    minute = dt.timedelta(minutes=1)
    return attrs.evolve(cap, spans=(TimeWindow(around.start - minute, around.end),))


class OnlyTheFirstCap(MemoryStore):
    """Looks at one cap of several."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        super().commit(
            [
                change
                if change.preconditions is None
                else attrs.evolve(
                    change, preconditions=attrs.evolve(change.preconditions, caps=change.preconditions.caps[:1])
                )
                for change in changes
            ]
        )


class CountsWhoWaits(MemoryStore):
    """Has everybody arrive, with tables or without."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        context = super().load(query)
        assert context is not None
        found = tuple(ArrivingParty.of(one.booking) for one in self._records.values() if one.booking)
        return attrs.evolve(context, arrivals=found) if context.venue.policy.pacing else context


class AlwaysLoads(MemoryStore):
    """Looks for arrivals at restaurants without pacing."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        context = super().load(query)
        assert context is not None
        window = TimeWindow.around(record.allocation.turn for record in self._records.values() if record.allocation)
        return attrs.evolve(context, arrivals=tuple(self._arrivals(query.restaurant_id, window)))


class Remembers(MemoryStore):
    """Counts for ever who had tables once."""

    def _arrivals(self, restaurant_id: str, window: TimeWindow) -> Iterator[ArrivingParty]:
        for record in self._records.values():
            if record.booking is not None and record.restaurant_id == restaurant_id and record.version > 1:
                yield ArrivingParty.of(record.booking)


class RivalToItself(MemoryStore):
    """Counts what a booking had beside what it will have."""

    def _arrivals(self, restaurant_id: str, window: TimeWindow) -> Iterator[ArrivingParty]:
        for party in super()._arrivals(restaurant_id, window):
            yield attrs.evolve(party, booking_id=f"{party.booking_id}'")


class OneByOne(MemoryStore):
    """Commits changes one at a time."""

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        for change in changes:
            super().commit([change])


class CountsEverywhere(MemoryStore):
    """Counts the parties of all restaurants."""

    def _arrivals(self, restaurant_id: str, window: TimeWindow) -> Iterator[ArrivingParty]:
        for place in {record.restaurant_id for record in self._records.values()}:
            yield from super()._arrivals(place, window)


class WakesByTables(MemoryStore):
    """Wakes who wanted tables that came free, and nobody else."""

    def _is_helped(self, record: AssignmentRecord, freed: Sequence[TimeWindow]) -> bool:
        assert record.booking is not None
        wanted = self._venue(record.restaurant_id).turn(record.booking)
        return any(wanted.overlaps(window) for window in freed)


class WakesOnlyByTables(MemoryStore):
    """Wakes nobody where all tables stay taken."""

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        now = self.clock.now()
        gives = any(self._records[key].giving_up(one, now) for key, one in after.items() if key in self._records)
        return super()._woken(after) if gives else {}


class WakesNearby(MemoryStore):
    """Wakes those only that start within a day of what came free."""

    def _is_helped(self, record: AssignmentRecord, freed: Sequence[TimeWindow]) -> bool:
        assert record.booking is not None
        start = record.booking.start_at
        near = [one for one in freed if one.start - 30 * HOUR < start < one.end + 6 * HOUR]
        return bool(near) and super()._is_helped(record, near)


class CountsNearby(MemoryStore):
    """Counts those only whose tables are taken within a few hours of the slot."""

    def _arrivals(self, restaurant_id: str, window: TimeWindow) -> Iterator[ArrivingParty]:
        for party in super()._arrivals(restaurant_id, window):
            held = self._records[party.booking_id].allocation
            if held is not None and window.start - 6 * HOUR < held.blocked.start < window.end + 6 * HOUR:
                yield party


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("counts who waits", CountsWhoWaits, "who_has_tables_arrives"),
    ("always loads", AlwaysLoads, "without_rules_nobody_is_counted"),
    ("no caps", capping(lambda _: None), "guests_are_counted"),
    ("one guest a party", counting(lambda one, _: attrs.evolve(one, party_size=1)), "guests_are_counted"),
    ("guests only", capping(lambda cap: attrs.evolve(cap, parties=None)), "parties_are_counted"),
    ("one cap", OnlyTheFirstCap, "each_cap_holds"),
    ("no legacy", counting(lambda one, of: None if of.owner is Owner.LEGACY else one), "legacys_parties_are_counted"),
    ("all channels", capping(lambda cap: attrs.evolve(cap, channel=None)), "a_channel_counts_its_own"),
    ("wider slots", capping(wider), "a_slot_begins_and_ends"),
    ("one span", capping(lambda cap: attrs.evolve(cap, spans=cap.spans[:1])), "a_slot_begins_and_ends"),
    ("remembers", Remembers, "a_party_that_gave_up_its_tables_does_not_count"),
    ("rival to itself", RivalToItself, "a_booking_is_no_rival_to_itself"),
    ("one by one", OneByOne, "changes_of_a_commit_count_together"),
    ("everywhere", CountsEverywhere, "restaurants_count_apart"),
    ("wakes by tables", WakesByTables, "room_under_a_cap_wakes"),
    ("wakes nearby", WakesNearby, "room_wakes_at_the_far_ends_of_slots"),
    ("counts nearby", CountsNearby, "who_sits_long_before_or_after_its_time_counts"),
    ("wakes only by tables", WakesOnlyByTables, "fewer_guests_wake"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(Pacing, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this part of the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(Pacing) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(Pacing, stores(MemoryStore)) == set()
