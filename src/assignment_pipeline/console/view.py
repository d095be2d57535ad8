"""A request of somebody who is let in: what it asks for, and what pages need to answer it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from assignment_pipeline.console.calls import Calls
from assignment_pipeline.console.guard import token_of
from assignment_pipeline.console.rendering import render, version_of
from assignment_pipeline.console.staff import Staff
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.trail import BookingTrail
from assignment_pipeline.errors import BookingNotFoundError, InvalidValueError


class AbsentError(Exception):
    """There is no such page, or it is not for this person: both answer alike."""


@attrs.frozen(kw_only=True)
class View:
    """
    A request.

    Attributes:
        request: The request.

        staff: Who sends it.

        calls: The coordinator.

        nonce: The browser's secret.

        fields: Those of the form, if it is one.
    """

    request: Request
    staff: Staff
    calls: Calls
    nonce: str
    fields: Mapping[str, str] = attrs.field(factory=dict)

    def asked(self, name: str) -> str:
        """What a form or an address gives for a name, without spaces around it; empty where it gives nothing."""
        return (self.fields.get(name) or self.request.query_params.get(name) or "").strip()

    def restaurant(self) -> str:
        """
        The restaurant that is asked for: by default the only one, or the first.

        Raises:
            AbsentError: It is not this person's, or none was named.
        """
        asked = self.asked("restaurant")
        if not asked and isinstance(self.staff.restaurants, tuple) and self.staff.restaurants:
            asked = self.staff.restaurants[0]
        if not asked or not self.staff.works_at(asked):
            raise AbsentError
        return asked

    def date(self) -> dt.date | None:
        """
        The date that is asked for, or None for today.

        Raises:
            InvalidValueError: It is none.
        """
        asked = self.asked("date")
        if not asked:
            return None
        try:
            return dt.date.fromisoformat(asked)
        except ValueError:
            raise InvalidValueError("date", "a date such as 2031-05-17", repr(asked)) from None

    def whole(self, name: str, low: int, high: int) -> int | None:
        """
        The number that is asked for, or None.

        Raises:
            InvalidValueError: It is no whole number from *low* to *high*.
        """
        asked = self.asked(name)
        if not asked:
            return None
        if not asked.isascii() or not asked.isdigit() or len(asked) > 9 or not low <= int(asked) <= high:  # noqa: PLR2004
            raise InvalidValueError(name, f"a whole number from {low} to {high}", repr(asked))
        return int(asked)

    async def record(self) -> AssignmentRecord:
        """
        The record of the booking that is asked for, if it is of a restaurant of this person's.

        Raises:
            AbsentError: It is not, or there is no such booking.
        """
        booking_id = self.asked("id")
        found: AssignmentRecord | None = await self.calls("record", booking_id) if booking_id else None
        if found is None or not self.staff.works_at(found.restaurant_id):
            raise AbsentError
        return found

    async def trail(self) -> BookingTrail:
        """
        All that is kept of the booking that is asked for, if it is of a restaurant of this person's.

        Raises:
            AbsentError: It is not, or there is no such booking.
        """
        booking_id = self.asked("id")
        try:
            found: BookingTrail = await self.calls("show", booking_id)
        except BookingNotFoundError:
            raise AbsentError from None
        if not booking_id or not self.staff.works_at(found.restaurant_id):
            raise AbsentError
        return found

    async def page(self, template: str, *, status: int = 200, **facts: Any) -> Response:
        """A page of that template."""
        restaurant = facts.get("restaurant", "")
        listed = self.staff.restaurants if isinstance(self.staff.restaurants, tuple) else ()
        text = render(
            template,
            staff=self.staff,
            token=token_of(self.nonce, self.staff.actor),
            here=self.request.url.path.rpartition("/")[2],
            restaurants=listed,
            styles=version_of("console.css"),
            scripts=version_of("console.js"),
            **{"restaurant": restaurant, **facts},
        )
        return HTMLResponse(text, status)
