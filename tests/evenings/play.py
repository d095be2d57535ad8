"""An evening, played on a store by a staff that does what is sensible."""

from __future__ import annotations

import collections
import datetime as dt
import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from assignment_pipeline import AssignmentPipelineError, Booking, Coordinator, FixedFlags, Mode, Move, Outcome, Reason
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.testing import FakeClock
from tests.evenings.guests import HOUSE, MINUTE, Guest, Script, WalkIn, draw, house
from tests.evenings.reading import violations

SECOND = dt.timedelta(seconds=1)
STAFF = ("ann", "ben", "eve")
OVER = 11 * 60 * MINUTE


class Evening:
    """
    An evening on a store.

    Args:
        harness: The store, with its host.

        clock: Its clock.

        seed: What the evening is drawn from.

    Attributes:
        counts: What has happened, and how often.

        unnamed: Bookings that found a party at their table which `conflicts` had not named.
    """

    def __init__(self, harness: Any, clock: FakeClock, seed: int, part: int) -> None:
        self.harness, self.clock = harness, clock
        self.chance = random.Random(f"staff {seed}")
        harness.put_venue(house())
        self.coordinator = Coordinator(harness.store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=(), shadow=None)
        begins = clock.now().replace(second=0, microsecond=0)
        self.script: Script = draw(seed, begins + 60 * MINUTE, part)
        self.counts: collections.Counter[str] = collections.Counter()
        self.unnamed: list[str] = []
        self._agenda: list[tuple[dt.datetime, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    # -- Playing ------------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """From the first booking to the last party's leaving."""
        for guest in self.script.guests:
            self._book(guest)
        for moment in self.script.swaps:
            self._at(moment, self._swap)
        for moment in self.script.rounds:
            self._at(moment, self._round)
        for party in self.script.walk_ins:
            self._at(party.comes, lambda party=party: self._walk_in(party))
        for minutes in range(0, OVER // MINUTE, 15):
            self._at(self.script.opens + minutes * MINUTE, self._sweep)
        while self._agenda:
            moment, _, act = heapq.heappop(self._agenda)
            if moment > self.clock.now():
                self.clock.advance(moment - self.clock.now())
            act()
            self._tick()

    def found(self) -> list[str]:
        """What must not be."""
        page = self.coordinator.store.records(RecordQuery(limit=1_000))
        histories = {record.booking_id: self.coordinator.history(record.booking_id) for record in page.records}
        self.counts["rows of history"] = sum(map(len, histories.values()))
        found = [*violations(histories, self.clock.now()), *self.unnamed]
        still = [record.booking_id for record in page.records if record.allocation and record.allocation.sits]
        return [*found, *(f"{name} still sits" for name in still), *self._fates(histories)]

    def _fates(self, histories: Any) -> list[str]:
        """What has become of each party, against what the script says."""
        wrong = []
        for guest in self.script.guests:
            steps = histories.get(guest.booking.id, ())
            came = any(step.reason == "seated" for step in steps)
            if guest.comes is None and came:
                wrong.append(f"{guest.booking.id} sat down, and never came")
            if guest.comes is None and steps and steps[-1].to_state.value == "confirmed":
                wrong.append(f"{guest.booking.id} never came, and is confirmed in the end")
            triggers = {step.trigger.value for step in steps}
            if guest.is_put_back is not None and "cancel" in triggers and "reinstate" not in triggers:
                wrong.append(f"{guest.booking.id} was cancelled by mistake, and is not back")
        return wrong

    def _at(self, moment: dt.datetime, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (moment, next(self._numbers), act))

    def _in(self, minutes: int, act: Callable[[], None]) -> None:
        self._at(self.clock.now() + minutes * MINUTE, act)

    def _tick(self) -> None:
        """Between two acts is a second, so that what is written at one moment is one commit."""
        self.clock.advance(SECOND)

    def _do(self, method: str, *values: Any, **options: Any) -> Any:
        """Call it in somebody's name; None where it is refused."""
        self._tick()
        try:
            return getattr(self.coordinator, method)(*values, actor=self.chance.choice(STAFF), **options)
        except AssignmentPipelineError as error:
            self.counts[f"refused: {error.code}"] += 1
            return None

    def _record(self, name: str) -> AssignmentRecord | None:
        return self.coordinator.record(name)

    # -- Who has booked -----------------------------------------------------------------------------------------------

    def _book(self, guest: Guest) -> None:
        booking = guest.booking
        self.harness.put_booking(booking)
        self._tick()
        result = self.coordinator.assign(booking)
        self.counts["booked"] += 1
        self.counts[f"booked: {result.outcome.value}"] += 1
        if guest.is_cancelled is not None and guest.is_put_back is not None:
            self._at(guest.is_cancelled, lambda: self._cancel(guest))
            self._at(guest.is_put_back, lambda: self._put_back(guest))
        if guest.is_missed:
            self._at(booking.start_at + 20 * MINUTE, lambda: self._miss(guest))
        if guest.comes is not None:
            self._at(guest.comes, lambda: self._arrive(guest))

    def _cancel(self, guest: Guest) -> None:
        result = self._do("cancel", guest.booking.id)
        self.counts["cancelled by mistake"] += result is not None and result.outcome is Outcome.CANCELLED

    def _put_back(self, guest: Guest) -> None:
        result = self._do("reinstate", guest.booking.id)
        if result is not None and result.outcome is not Outcome.NOOP:
            self.counts["cancellations undone"] += 1
            self.counts[f"cancellations undone: {result.outcome.value}"] += 1

    def _miss(self, guest: Guest) -> None:
        result = self._do("no_show", guest.booking.id)
        if result is not None and result.outcome is Outcome.CANCELLED:
            self.counts["no-shows"] += 1

    def _arrive(self, guest: Guest) -> None:
        record = self._record(guest.booking.id)
        if record is not None and record.reason == "no_show":
            result = self._do("reinstate", guest.booking.id)
            self.counts["no-shows who came"] += 1
            self.counts["no-shows who came and had a table"] += bool(result and result.tables)
        if guest.comes is not None and guest.comes < guest.booking.start_at:
            self.counts["early arrivals"] += 1
        self._seat(guest, tries=6)

    def _seat(self, guest: Guest, tries: int) -> None:
        name = guest.booking.id
        result = self._do("seated", name)
        if result is None:
            self.counts["came and had no table"] += 1
            return
        if result.outcome is Outcome.KEPT:
            self.counts["found somebody at their table"] += 1
            named = {one.booking_id: one for one in self.coordinator.conflicts(HOUSE)}  # Nothing was written.
            if name not in named and guest.booking.start_at <= self.clock.now():
                self.unnamed.append(f"{name} found {result.displaced} at its table, and no conflict was named")
            self._way_out(guest, named.get(name), tries)
            return
        self.counts["seated"] += result.outcome is Outcome.CONFIRMED
        if guest.becomes is not None:
            changed = self._do("party_changed", name, guest.becomes)
            self.counts["recounted"] += changed is not None and changed.reason == Reason.PARTY_CHANGED
        self._stay(name, guest.stays)

    def _way_out(self, guest: Guest, conflict: Any, tries: int) -> None:
        """The first thing that can be done, or they wait at the bar; at last, whoever sits there is asked to leave."""
        way = conflict.ways_out[0] if conflict is not None and conflict.ways_out else None
        if way is not None and way.method == "place":
            arguments = {key: value for key, value in way.arguments.items() if key != "booking_id"}
            booking = self._booking(way.arguments["booking_id"])
            placed = self._do("place", booking, arguments.pop("tables"), **arguments)
            self.counts["moved out of a conflict"] += placed is not None
        elif tries <= 1 and conflict is not None:
            self._leave(conflict.sitting)
            self.counts["asked to leave"] += 1
        if tries:
            self._in(1 if way is not None and way.method == "place" else 5, lambda: self._seat(guest, tries - 1))

    def _booking(self, name: str) -> Booking:
        record = self._record(name)
        assert record is not None
        assert record.booking is not None
        return record.booking

    # -- Who sits -----------------------------------------------------------------------------------------------------

    def _stay(self, name: str, against: dt.timedelta) -> None:
        record = self._record(name)
        if record is None or record.allocation is None:
            return
        planned = record.allocation.turn.end
        leaves = max(planned + against, self.clock.now() + 5 * MINUTE)
        if against > dt.timedelta():
            self.counts["overstays"] += 1
            if self.chance.randrange(2):
                self._at(planned - 3 * MINUTE, lambda: self._extend(name, planned + against))
        elif against:
            self.counts["early leavers"] += 1
        self._at(leaves, lambda: self._leave(name))

    def _extend(self, name: str, until: dt.datetime) -> None:
        record = self._record(name)
        if (
            record is None
            or record.allocation is None
            or not record.allocation.sits
            or until <= record.allocation.turn.end
        ):
            return
        result = self._do("extend", name, until.replace(second=0))
        if result is not None:
            self.counts["extended" if result.outcome is Outcome.CONFIRMED else "extended: somebody else is next"] += 1

    def _leave(self, name: str) -> None:
        record = self._record(name)
        if record is None or record.allocation is None or not record.allocation.sits:
            return
        self._do("left", name)
        self.counts["left"] += 1

    def _walk_in(self, party: WalkIn) -> None:
        self.counts["walk-ins"] += 1
        row = Booking(party.name, HOUSE, party.size, self.clock.now().replace(second=0, microsecond=0))
        self.harness.put_booking(row)
        options: dict[str, Any] = {"booking_id": party.name}
        if party.asks_first:
            offer = self._do("walk_in", HOUSE, party.size, **options, offer=True)
            self.counts["walk-ins offered a table"] += bool(offer.tables)
            if offer.tables:
                options |= {"tables": offer.tables, "until": offer.until, "moves": offer.decision.plan.moves}
        result = self._do("walk_in", HOUSE, party.size, **options)
        if result is None or not result.tables:
            result = self._closer(party)
        if result is None or not result.tables:
            self.counts["walk-ins turned away"] += 1
            return
        if party.twice:
            again = self._do("walk_in", HOUSE, party.size, **options)
            self.counts["walk-ins asked for twice"] += 1
            if again is None or again.outcome is not Outcome.NOOP or again.tables != result.tables:
                self.unnamed.append(f"{party.name} was seated twice")
        self.counts["walk-ins seated"] += 1
        self.counts["walk-ins with a shortened stay"] += result.record.booking.end_at is not None
        self.counts["moved for a walk-in"] += len(result.moved)
        self._stay(party.name, party.stays)

    def _closer(self, party: WalkIn) -> Any:
        """A table that is still to be laid, if a person says so."""
        large = [table for table in house().floor.tables if table.capacity >= party.size]
        for table in self.chance.sample(large, 8):
            result = self._do(
                "walk_in", HOUSE, party.size, booking_id=party.name, tables=[table.id], allow=["laying_time"]
            )
            if result is not None and result.tables:
                self.counts["laying time shortened"] += 1
                return result
        return None

    # -- Tables -------------------------------------------------------------------------------------------------------

    def _swap(self) -> None:
        self._change(2, "swaps")

    def _round(self) -> None:
        self._change(3, "three move round")

    def _change(self, parties: int, name: str) -> None:
        """Parties of one size change tables, those that sit among them."""
        records = self.coordinator.store.records(RecordQuery(limit=1_000)).records
        held = [one for one in records if one.allocation and one.booking and not one.allocation.left_at]
        held = [one for one in held if one.allocation and one.allocation.turn.end > self.clock.now()]
        for _ in range(20):
            chosen = self.chance.sample(held, parties)
            tables = [one.tables for one in chosen]
            if len(set(tables)) < parties:
                continue
            moves = [
                Move(one.booking_id, one.tables, other)
                for one, other in zip(chosen, [*tables[1:], tables[0]], strict=True)
            ]
            if self._do("rearrange", moves, allow=["size", "laying_time"]) is not None:
                self.counts[name] += 1
                return

    def _sweep(self) -> None:
        self._tick()
        report = self.coordinator.sweep()
        self.counts["swept"] += len(report.results)
        self.unnamed += [f"the sweep: {error}" for error in report.errors]


def play(harness: Any, clock: FakeClock, seed: int, part: int = 1) -> tuple[dict[str, int], list[str]]:
    """What happened on the evening of that seed, with one guest in *part*, and what must not have."""
    evening = Evening(harness, clock, seed, part)
    evening.play()
    found = evening.found()
    return dict(sorted(evening.counts.items())), found
