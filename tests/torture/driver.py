"""What the host does in a run: it takes bookings, changes and cancels them, and moves the rollout."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import random
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import BlockNotFoundError, CommitUnknownError, StoreUnavailableError
from assignment_pipeline.ports import FlagDecision
from tests.torture.ledger import MODE_EVENT, Ledger
from tests.torture.place import Place
from tests.torture.staff import GET_UP, IS_OURS, Staff
from tests.torture.town import Guests, venues
from tests.torture.worker import PARALLEL, settings

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for which the host tries to write what it has to."""

TELL_MODE = (
    "INSERT INTO assignment_pipeline.observability_events"
    " (id, created_at, source, event_type, severity, restaurant_id, context)"
    " VALUES (%s, %s, 'torture', %s, 'info', %s, %s) ON CONFLICT DO NOTHING"
)


class Modes:
    """What the driver has the flags say."""

    def __init__(self) -> None:
        self.modes: dict[str, Mode] = {}

    def resolve(self, restaurant_id: str) -> FlagDecision:
        mode = self.modes.get(restaurant_id, Mode.ACTIVE)
        return FlagDecision(mode=mode, max_parallel=PARALLEL, reason="listed", source="torture")


class Driver:
    """
    The host, and all that its guests and staff do to it.

    Args:
        place: Where everything is.

        restaurants: How many there are.

        bookings: How many bookings will come.

        chance: What is drawn by.
    """

    def __init__(self, place: Place, restaurants: int, bookings: int, chance: random.Random) -> None:
        self.place = place
        self.ledger = Ledger()
        self._chance = chance
        self._venues = {venue.id: venue for venue in venues(restaurants)}
        self._guests = Guests(chance, tuple(self._venues), bookings, dt.datetime.now(dt.UTC))
        self._store = place.open_store("torture-driver")
        self._host = place.host()
        self._flags = Modes()
        self._coordinator = Coordinator(self._store, flags=self._flags, settings=settings(), sinks=())
        self._staff = Staff(place, self._store, self._venues)
        self._blocks: list[tuple[str, str]] = []
        for venue in self._venues.values():
            self._write(functools.partial(self._have, venue))

    def _have(self, venue: Venue, connection: Any) -> None:
        self._host.put_venue(connection, venue)

    def close(self) -> None:
        """Close the connections."""
        self._coordinator.close()
        self._store.close()

    def _surely(self, call: Callable[[], T]) -> T:
        """Call again until the store has done it: all that is called here may be done twice."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return call()
            except (StoreUnavailableError, CommitUnknownError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _write(self, work: Callable[[Any], T]) -> T:
        return self._surely(lambda: self._store.write(work))  # type: ignore[no-any-return]

    # -- Guests ---------------------------------------------------------------------------------------------------

    def take(self) -> Booking:
        """Take a booking; half of them enqueue it in the same transaction, the sweep finds the others."""
        booking, enqueues = self._guests.comes(), self._chance.random() < 0.5

        def work(connection: Any) -> None:
            self._host.put_booking(connection, booking)
            if enqueues:
                self._coordinator.joined(connection).enqueue(booking)

        self._write(work)
        self.ledger.submitted.add(booking.id)
        return booking

    def change(self, booking_id: str) -> bool:
        """Change a booking's time or party in the host's tables; whether that was possible."""
        party, moment = self._guests.party(), self._guests.moment()
        which = self._chance.random() < 0.5

        def work(connection: Any) -> bool:
            before = self._host.booking(connection, booking_id)
            if before is None or before.status not in {"pending", "confirmed"}:
                return False
            if self.place.ask(connection, IS_OURS, booking_id).fetchall():
                return False
            self._host.put_booking(
                connection, attrs.evolve(before, **({"party_size": party} if which else {"start_at": moment}))
            )
            return True

        return self._write(work)

    def cancel(self, booking_id: str, restaurant_id: str) -> bool:
        """Cancel a booking in the host's tables; whether the pipeline was told in the same transaction."""
        tells = self._chance.random() < 0.5

        def work(connection: Any) -> None:
            before = self._host.booking(connection, booking_id)
            if before is not None:
                self._host.put_booking(connection, attrs.evolve(before, status=CANCELLED))
            self.place.ask(connection, GET_UP, booking_id)
            if tells:
                self._coordinator.joined(connection).cancel(booking_id, restaurant_id)

        self._write(work)
        self.ledger.cancelled.add(booking_id)
        return tells

    def cancel_again(self) -> None:
        """Tell the pipeline of all that were cancelled: a message that was lost is the host's to repeat."""
        for booking_id in sorted(self.ledger.cancelled):
            self._surely(functools.partial(self._told, booking_id))

    def _told(self, booking_id: str) -> None:
        result = self._coordinator.cancel(booking_id, actor="guest")
        if result.retry_after is not None:
            raise StoreUnavailableError(str(result.reason))

    # -- Staff ----------------------------------------------------------------------------------------------------

    def walk_in(self) -> bool:
        """Seat somebody who has not booked; whether there was room."""
        restaurant = self._chance.choice(list(self._venues))
        party, moment = self._guests.party(), self._guests.moment()
        return self._surely(lambda: self._staff.walk_in(restaurant, moment, party)) is not None

    def block(self) -> None:
        """Take a table out of service."""
        restaurant, start = self._chance.choice(list(self._venues)), self._guests.moment()
        window = TimeWindow(start, start + dt.timedelta(hours=self._chance.choice((1, 2, 4))))
        table = self._chance.choice(self._venues[restaurant].floor.tables).id
        how: dict[str, Any] = {"actor": "staff", "reason": "maintenance"}
        result = self._surely(lambda: self._coordinator.block(restaurant, table, window, **how))
        self._blocks.append((restaurant, result.block.id))

    def unblock(self) -> None:
        """Put one back that is out of service, if there is one."""
        if self._blocks:
            restaurant, block_id = self._blocks.pop(self._chance.randrange(len(self._blocks)))
            with contextlib.suppress(BlockNotFoundError):  # It was done, and the answer was lost.
                self._surely(lambda: self._coordinator.unblock(restaurant, block_id, actor="staff"))

    # -- Rollout --------------------------------------------------------------------------------------------------

    def move_rollout(self, modes: dict[str, Mode]) -> None:
        """
        Have the flags say *modes*; once it returns, nothing lands that was planned before.

        A restaurant counts as active from before it may be, and as not active from when no commit can land any more.
        """
        after = {restaurant: modes.get(restaurant, Mode.ACTIVE) for restaurant in self._venues}
        self._tell({restaurant: mode for restaurant, mode in after.items() if mode is Mode.ACTIVE})
        self._flags.modes = after
        if self._revise(after):
            self._tell({restaurant: mode for restaurant, mode in after.items() if mode is not Mode.ACTIVE})

    def _revise(self, modes: dict[str, Mode]) -> bool:
        """Put a revision in force; whether all commits that were in flight are known to have ended."""
        settings: dict[str, Any] = {"enabled": True, "percent": 0, "shadow": True, "shadow_percent": 0}
        settings["max_parallel"] = PARALLEL
        settings["restaurants"] = sorted(name for name, mode in modes.items() if mode is Mode.ACTIVE)
        settings["shadow_restaurants"] = sorted(name for name, mode in modes.items() if mode is Mode.SHADOW)
        generation = self._surely(self._store.rollout).generation + 1
        revision = RolloutRevision(generation=generation, settings=settings, actor="torture", reason="it may")
        while True:
            try:
                self._surely_once(lambda: self._store.revise(revision))
            except CommitUnknownError:
                if self._surely(self._store.rollout).generation == generation:
                    return False
            else:
                return True

    def _surely_once(self, call: Callable[[], T]) -> T:
        """Call again where nothing was written."""
        while True:
            try:
                return call()
            except StoreUnavailableError:
                self._surely(self._store.rollout)

    def _tell(self, modes: dict[str, Mode]) -> None:
        """Leave a mark among the events."""
        now = dt.datetime.now(dt.UTC)
        rows = [(f"mode-{secrets.token_hex(8)}", now, MODE_EVENT, name, _context(mode)) for name, mode in modes.items()]

        def work(connection: Any) -> None:
            for row in rows:
                self.place.ask(connection, TELL_MODE, *row)

        self._write(work)

    def some_modes(self) -> dict[str, Mode]:
        """Modes that most restaurants are active in."""
        return {
            restaurant: self._chance.choice((Mode.ACTIVE, Mode.ACTIVE, Mode.ACTIVE, Mode.SHADOW, Mode.OFF))
            for restaurant in self._venues
        }

    # -- The end --------------------------------------------------------------------------------------------------

    def sweep(self) -> list[str]:
        """One sweep of everything that is due; what was raised in it."""
        report = self._surely(lambda: self._coordinator.sweep(limit=100_000))
        return [f"the sweep of {booking_id}: {error}" for booking_id, error in report.errors]

    def hurry(self) -> int:
        """Make all due that will be, as if a minute had passed; how many that are not at rest."""
        waiting = " WHERE next_attempt_at IS NOT NULL"
        now = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
        statement = f"UPDATE assignment_pipeline.assignment_records SET next_attempt_at = %s{waiting}"
        rows = "SELECT count(*) FROM assignment_pipeline.assignment_records"

        def work(connection: Any) -> int:
            self.place.ask(connection, statement, now)
            [(count,)] = self.place.ask(connection, rows + waiting).fetchall()
            return int(count)

        return self._write(work)

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """What a statement answers."""
        return self._write(lambda connection: list(self.place.ask(connection, statement, *values).fetchall()))


def _context(mode: Mode) -> str:
    return json.dumps({"mode": mode})
