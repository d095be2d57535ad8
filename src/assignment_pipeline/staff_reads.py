"""What people look at, for both coordinators: the floor, and all that is kept of a booking."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeVar

from assignment_pipeline.flow.effects import Flow
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.on_use import module_on_use

if TYPE_CHECKING:
    from assignment_pipeline.domain.day import ServiceDay
    from assignment_pipeline.domain.review import ReviewCases
    from assignment_pipeline.domain.trail import BookingTrail, FloorView
    from assignment_pipeline.flow.staff import audit, cases
    from assignment_pipeline.flow.staff import day as days
    from assignment_pipeline.ports import records
else:
    audit = module_on_use("flow.staff.audit")
    cases = module_on_use("flow.staff.cases")
    days = module_on_use("flow.staff.day")
    records = module_on_use("ports.records")

T = TypeVar("T")


class StaffReads:
    """What people look at. Nothing is written, and the flags do not matter."""

    settings: Settings

    def _run(self, flow: Flow[T]) -> T:
        raise NotImplementedError

    def show(self, booking_id: str, *, restaurant_id: str | None = None) -> BookingTrail:
        """
        All that is kept of a booking: its record, history with actors, attempts with costs, and events.

        Args:
            restaurant_id: Refuse a booking of another restaurant. Without it, any booking is shown: who may see which
                is for the host to decide.

        Raises:
            BookingNotFoundError: Neither the pipeline nor the host knows it.
            OtherRestaurantError: It is another restaurant's.
            StoreUnavailableError: The store could not be asked.
            TypeError: The store is no `AuditStore`.
        """
        return self._run(audit.show(booking_id, restaurant_id))

    def floor(self, restaurant_id: str, at: dt.datetime | None = None) -> FloorView:
        """
        Who sits where at a restaurant, at a time: in the past by the history, later as it is planned now.

        A party that sits has its tables from its arrival until it has left. Any other has them for its turn.

        Args:
            at: The time, timezone-aware; None for now, by the store's clock.

        Raises:
            StoreUnavailableError: The store could not be asked.
            TypeError: The store is no `AuditStore`.
            InvalidValueError: *at* has no offset, or is not in the years 1971 to 9997.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(audit.floor(restaurant_id, at))

    def day(self, restaurant_id: str, date: dt.date | None = None) -> ServiceDay:
        """
        A restaurant's service day: who has which tables when, who waits, and what is out of service.

        It is loaded at once, with as many queries however many bookings there are.

        Args:
            date: The day, as the restaurant counts it; None for the one that it is now, by the store's clock.

        Raises:
            StoreUnavailableError: The store could not be asked.
            ValueError: *date* is no date.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(days.day(restaurant_id, date))

    def review_cases(
        self, restaurant_id: str | None = None, *, after: str | None = None, limit: int = 20
    ) -> ReviewCases:
        """
        A page of the review queue with what can be done: a sentence, what was tried, and the three best ways out.

        It plans for each booking: `review_queue` has the bare list. The coordinator's method that a way out names does
        it, with the way's arguments and the name of the person. The first page also has the bookings whose tables
        another party still sits at, in ``conflicts``.

        Args:
            restaurant_id: Of that restaurant only.

            after: Where the last page ended: its ``next``.

            limit: At most so many.

        Raises:
            InvalidValueError: *after* is no ``next`` of a page.
            StoreUnavailableError: The store could not be asked.
            TypeError: The store is no `AuditStore`.
        """
        query = records.RecordQuery.in_review(restaurant_id, after, limit)
        return self._run(cases.review_cases(query, self.settings))


class AsyncStaffReads:
    """`StaffReads`, for asyncio."""

    settings: Settings

    async def _run(self, flow: Flow[T]) -> T:
        raise NotImplementedError

    async def show(self, booking_id: str, *, restaurant_id: str | None = None) -> BookingTrail:
        """All that is kept of a booking. See `Coordinator.show`."""
        return await self._run(audit.show(booking_id, restaurant_id))

    async def floor(self, restaurant_id: str, at: dt.datetime | None = None) -> FloorView:
        """Who sits where at a restaurant, at a time. See `Coordinator.floor`."""
        return await self._run(audit.floor(restaurant_id, at))

    async def day(self, restaurant_id: str, date: dt.date | None = None) -> ServiceDay:
        """A restaurant's service day: who has which tables when, and who waits. See `Coordinator.day`."""
        return await self._run(days.day(restaurant_id, date))

    async def review_cases(
        self, restaurant_id: str | None = None, *, after: str | None = None, limit: int = 20
    ) -> ReviewCases:
        """A page of the review queue with what can be done. See `Coordinator.review_cases`."""
        query = records.RecordQuery.in_review(restaurant_id, after, limit)
        return await self._run(cases.review_cases(query, self.settings))
