"""What the staff report of the service itself, and ask about the room."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, TypeVar

from assignment_pipeline.domain.booking import WALK_IN, SeatingPreference
from assignment_pipeline.domain.result import AssignmentResult, Move
from assignment_pipeline.flow.effects import Flow
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.on_use import module_on_use

if TYPE_CHECKING:
    from assignment_pipeline.domain.room import DueParty, NextParty, OverParty, TableInUse
    from assignment_pipeline.domain.turns import TurnReport
    from assignment_pipeline.flow.staff import arrivals, holds, party, reinstate, room, service, walk_in
else:
    arrivals = module_on_use("flow.staff.arrivals")
    holds = module_on_use("flow.staff.holds")
    party = module_on_use("flow.staff.party")
    reinstate = module_on_use("flow.staff.reinstate")
    room = module_on_use("flow.staff.room")
    service = module_on_use("flow.staff.service")
    walk_in = module_on_use("flow.staff.walk_in")

T = TypeVar("T")


class ServiceActions:
    """Who comes, stays, leaves and is missing. A part of `Coordinator`."""

    settings: Settings

    def _run(self, flow: Flow[T]) -> T:
        raise NotImplementedError

    def seated(
        self, booking_id: str, *, actor: str, restaurant_id: str | None = None, allow: Collection[str] = ()
    ) -> AssignmentResult:
        """
        Record that the party has sat down. Nobody moves it any more, and tables that were only held are confirmed.

        Its tables are its own from its arrival until it has `left`, for as long as `VenuePolicy.turn_from` says and no
        other booking has them. Where another party still sits there, nothing is written: the outcome is ``kept``, and
        ``displaced`` names that party's booking. Else ``displaced`` names the bookings that this party is in the way
        of.

        Args:
            restaurant_id: Refuse a booking of another restaurant.

            allow: ``laying_time``, to keep the tables up to the turn of the next booking: the time to lay them in
                between is shortened.

        Raises:
            BookingNotFoundError: It has no record.
            NoTablesError: It has no tables.
            NotBegunError: Its turn begins on a later service day, and in more than 6 hours.
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
            ValueError: *allow* names another rule.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(
            arrivals.seated(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id, allow=allow)
        )

    def walk_in(
        self,
        restaurant_id: str,
        party_size: int,
        *,
        actor: str,
        booking_id: str | None = None,
        offer: bool = False,
        tables: Collection[str] = (),
        until: dt.datetime | None = None,
        moves: Sequence[Move] = (),
        allow: Collection[str] = (),
        seating: SeatingPreference | str = SeatingPreference.ANY,
        zone: str | None = None,
        accessible: bool = False,
        channel: str | None = WALK_IN,
    ) -> AssignmentResult:
        """
        Seat a party that is at the door, now: which tables, and until when (`AssignmentResult.until`).

        The call makes its booking, with the channel ``walk_in``, and records in the same commit that the party sits. It
        stays as long as the policy says; bookings that may be moved make room. If that is not possible, and
        `VenuePolicy.shortest_stay_minutes` allows it, its stay is shortened up to the next booking or the end of
        the service, and ``displaced`` names the bookings that are next. If there are no tables, nothing is written: the
        outcome is ``kept``, and ``decision`` says why. Where the pipeline is not in charge, a person chooses the
        tables: without ``tables``, the outcome is ``noop``.

        Args:
            restaurant_id: The restaurant.

            party_size: How many guests.

            actor: The person, as the audit is to name them.

            booking_id: The id of the party's booking: twice with the same id is once, and the second answer is
                ``noop``. None makes one. Where your host has rows of its own, write your row first, and pass its id.

            offer: Write nothing: the outcome is ``noop`` with the reason ``offered``. Call again, with ``tables`` and
                ``until`` of the answer, to seat the party there.

            tables: The tables that a person chose, by id; none leaves that to the engine.

            until: When the party leaves, at most 24 hours from now. Its stay is not shortened then.

            moves: Who makes room at these tables, all in one commit: those of ``decision.plan`` in an offer.

            allow: Names of rules to overrule, as for `place`; of tables that nobody chose, ``outside_service`` and
                ``pacing``.

            seating: Where the party wants to sit.

            zone: The zone that it wants.

            accessible: Whether one of its tables must be accessible.

            channel: How the booking counts towards caps on arrivals.

        Raises:
            BookingNotFoundError: One that is to move is not known.
            IllegalTransitionError: The booking has tables and its party has not sat down, or it has ended.
            OtherRestaurantError: The host says that the booking is another restaurant's.
            PlacementRefusedError: The tables that were chosen break rules that were not allowed away.
            StaleRecordError: One that is to move has moved on.
            TableConflictError: Somebody else has one of the tables that were chosen.
            ValueError: An argument makes no sense, or there is no row of the party where your host has rows.
            VenueNotFoundError: The host has no such restaurant.
        """
        party = walk_in.AtDoor.of(
            restaurant_id,
            party_size,
            booking_id=booking_id,
            tables=tables,
            moves=moves,
            until=until,
            allow=allow,
            offer=offer,
            seating=seating,
            zone=zone,
            accessible=accessible,
            channel=channel,
        )
        return self._run(walk_in.walk_in(party, self.settings, actor=actor))

    def left(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """
        Record that the party has left. The rest of its time and its buffer are free at once.

        Raises:
            BookingNotFoundError: It has no record.
            NoTablesError: It has no tables.
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
            NotBegunError: Its turn has not begun, and it has not sat down.
        """
        return self._run(service.left(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    def no_show(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """
        Record that the party did not come. Its tables are free. The assignment is cancelled as ``no_show``.

        Raises:
            BookingNotFoundError: It has no record.
            NoTablesError: It has no tables.
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
            NotBegunError: Its turn has not begun.
            PartySitsError: It has come, and sits at its tables.
        """
        return self._run(service.no_show(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    def extend(
        self,
        booking_id: str,
        until: dt.datetime,
        *,
        actor: str,
        restaurant_id: str | None = None,
        allow: Collection[str] = (),
    ) -> AssignmentResult:
        """
        Record that the party stays longer.

        Where its tables are somebody else's then, nothing is written: the outcome is `kept`, and ``displaced`` names
        the bookings that are in the way. The reason is ``laying_time`` if no turn is, and only the time to lay the
        table.

        Args:
            until: When its turn is to end. Timezone-aware, whole minutes, at most 24 hours after its start.

            allow: ``laying_time``, to keep the tables up to the turn of the next booking: the time to lay them in
                between is shortened, and the history of both says so.

        Raises:
            BookingNotFoundError: It has no record.
            NoTablesError: It has no tables.
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
            ValueError: *until* is no such time, or not after the end that the turn has; or *allow* names another rule.
        """
        return self._run(
            service.extend(booking_id, until, self.settings, actor=actor, restaurant_id=restaurant_id, allow=allow)
        )

    def party_changed(
        self, booking_id: str, party_size: int, *, actor: str, restaurant_id: str | None = None
    ) -> AssignmentResult:
        """
        Record that another number of guests came, or will come, than was booked.

        The party keeps its tables, for the time that it had, where they have the seats. Where they have not, nothing is
        written: the outcome is ``kept`` with the reason ``party_too_large``, and ``decision`` has tables that would do,
        if there are any. A standalone host's row follows in the same commit; your own row is yours to correct.

        Args:
            party_size: How many guests.

        Raises:
            BookingNotFoundError: It has no record.
            NoTablesError: It has no tables.
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
            ValueError: *party_size* is no number of guests.
        """
        return self._run(
            party.party_changed(booking_id, party_size, self.settings, actor=actor, restaurant_id=restaurant_id)
        )

    def reinstate(self, booking_id: str, actor: str, *, restaurant_id: str | None = None) -> AssignmentResult:
        """
        Put back a booking that was cancelled by mistake, did not come in time, or has failed.

        It gets the tables that it had if they are free, else others, else a person decides on it. Only this call leaves
        `cancelled` and `failed`: call it for people, and where your own row of the booking is pending again. A booking
        that has not ended is left as it is, with the outcome ``noop``.

        Raises:
            BookingNotFoundError: It has no record.
            BookingOverError: The time of the booking is over.
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(reinstate.reinstate(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    def extend_hold(
        self,
        booking_id: str,
        until: dt.datetime | None = None,
        *,
        actor: str | None = None,
        restaurant_id: str | None = None,
    ) -> AssignmentResult:
        """
        Hold a booking's tables for longer.

        If the hold has expired, nothing is written, and the outcome is `hold_lost`.

        Args:
            until: The new end of the hold, timezone-aware and at most 24 hours from now. By default, it is
                `Settings.hold_ttl` from now.

        Raises:
            BookingNotFoundError: It has no record.
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
            ValueError: *until* is no such time.
        """
        return self._run(holds.extend_hold(booking_id, until, self.settings, actor=actor, restaurant_id=restaurant_id))

    def due(self, restaurant_id: str) -> tuple[DueParty, ...]:
        """
        The parties that are due and have not sat down, the longest expected first.

        Raises:
            StoreUnavailableError: The store could not be asked.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(room.due(restaurant_id))

    def over(self, restaurant_id: str) -> tuple[OverParty, ...]:
        """
        The parties that sit and are over time, the longest first, with who is next at their tables.

        Raises:
            StoreUnavailableError: The store could not be asked.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(room.over(restaurant_id))

    def next(self, restaurant_id: str, table_id: str | None = None) -> tuple[NextParty, ...]:
        """
        The party that is expected next at each table on this service day and in the next 6 hours, or at one table.

        Raises:
            StoreUnavailableError: The store could not be asked.
            TableNotFoundError: The restaurant has no such table.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(room.next_parties(restaurant_id, table_id))

    def conflicts(self, restaurant_id: str) -> tuple[TableInUse, ...]:
        """
        The bookings that will find a party at their tables that is not expected to have left, with what can be done.

        Raises:
            StoreUnavailableError: The store could not be asked.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(room.conflicts(restaurant_id, self.settings))

    def learned_turns(self, restaurant_id: str, since: dt.datetime | None = None) -> TurnReport:
        """
        How long parties really sat, by size, service period and weekday, and what turn bands would fit them.

        It goes by when parties sat down and left. Nothing is changed: the policy is yours.

        Args:
            since: Those count that sat down at that time or later, timezone-aware; by default, in the last eight weeks.

        Raises:
            StoreUnavailableError: The store could not be asked.
            InvalidValueError: *since* has no offset, or is not in the years 1971 to 9997.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(room.learned_turns(restaurant_id, since))


class AsyncServiceActions:
    """`ServiceActions`, for asyncio."""

    settings: Settings

    async def _run(self, flow: Flow[T]) -> T:
        raise NotImplementedError

    async def seated(
        self, booking_id: str, *, actor: str, restaurant_id: str | None = None, allow: Collection[str] = ()
    ) -> AssignmentResult:
        """Record that the party has sat down. See `Coordinator.seated`."""
        return await self._run(
            arrivals.seated(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id, allow=allow)
        )

    async def walk_in(
        self,
        restaurant_id: str,
        party_size: int,
        *,
        actor: str,
        booking_id: str | None = None,
        offer: bool = False,
        tables: Collection[str] = (),
        until: dt.datetime | None = None,
        moves: Sequence[Move] = (),
        allow: Collection[str] = (),
        seating: SeatingPreference | str = SeatingPreference.ANY,
        zone: str | None = None,
        accessible: bool = False,
        channel: str | None = WALK_IN,
    ) -> AssignmentResult:
        """Seat a party that is at the door, now. See `Coordinator.walk_in`."""
        party = walk_in.AtDoor.of(
            restaurant_id,
            party_size,
            booking_id=booking_id,
            tables=tables,
            moves=moves,
            until=until,
            allow=allow,
            offer=offer,
            seating=seating,
            zone=zone,
            accessible=accessible,
            channel=channel,
        )
        return await self._run(walk_in.walk_in(party, self.settings, actor=actor))

    async def left(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """Record that the party has left. See `Coordinator.left`."""
        return await self._run(service.left(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    async def no_show(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """Record that the party did not come. See `Coordinator.no_show`."""
        return await self._run(service.no_show(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    async def extend(
        self,
        booking_id: str,
        until: dt.datetime,
        *,
        actor: str,
        restaurant_id: str | None = None,
        allow: Collection[str] = (),
    ) -> AssignmentResult:
        """Record that the party stays longer. See `Coordinator.extend`."""
        return await self._run(
            service.extend(booking_id, until, self.settings, actor=actor, restaurant_id=restaurant_id, allow=allow)
        )

    async def party_changed(
        self, booking_id: str, party_size: int, *, actor: str, restaurant_id: str | None = None
    ) -> AssignmentResult:
        """Record that another number of guests came, or will come. See `Coordinator.party_changed`."""
        return await self._run(
            party.party_changed(booking_id, party_size, self.settings, actor=actor, restaurant_id=restaurant_id)
        )

    async def reinstate(self, booking_id: str, actor: str, *, restaurant_id: str | None = None) -> AssignmentResult:
        """Put back a booking that was cancelled by mistake, or has failed. See `Coordinator.reinstate`."""
        return await self._run(reinstate.reinstate(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    async def extend_hold(
        self,
        booking_id: str,
        until: dt.datetime | None = None,
        *,
        actor: str | None = None,
        restaurant_id: str | None = None,
    ) -> AssignmentResult:
        """Hold a booking's tables for longer. See `Coordinator.extend_hold`."""
        return await self._run(
            holds.extend_hold(booking_id, until, self.settings, actor=actor, restaurant_id=restaurant_id)
        )

    async def due(self, restaurant_id: str) -> tuple[DueParty, ...]:
        """The parties that are due and have not sat down, the longest expected first. See `Coordinator.due`."""
        return await self._run(room.due(restaurant_id))

    async def over(self, restaurant_id: str) -> tuple[OverParty, ...]:
        """The parties that sit and are over time, the longest first. See `Coordinator.over`."""
        return await self._run(room.over(restaurant_id))

    async def next(self, restaurant_id: str, table_id: str | None = None) -> tuple[NextParty, ...]:
        """The party that is expected next at each table, or at one table. See `Coordinator.next`."""
        return await self._run(room.next_parties(restaurant_id, table_id))

    async def conflicts(self, restaurant_id: str) -> tuple[TableInUse, ...]:
        """The bookings that will find a party at their tables. See `Coordinator.conflicts`."""
        return await self._run(room.conflicts(restaurant_id, self.settings))

    async def learned_turns(self, restaurant_id: str, since: dt.datetime | None = None) -> TurnReport:
        """How long parties really sat, and what turn bands would fit them. See `Coordinator.learned_turns`."""
        return await self._run(room.learned_turns(restaurant_id, since))
