"""Who uses the console, and what of it is theirs: the host decides."""

from __future__ import annotations

import enum
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import attrs
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from assignment_pipeline.domain.checks import each, identifier, require_actor
from assignment_pipeline.errors import InvalidValueError

log = logging.getLogger(__name__)


class Everywhere(enum.Enum):
    """All restaurants, and the rollout."""

    EVERYWHERE = "everywhere"


EVERYWHERE = Everywhere.EVERYWHERE
"""For `Staff.restaurants`: all restaurants, and the rollout."""


def _restaurants(value: Any) -> Any:
    if value is EVERYWHERE or not isinstance(value, Iterable) or isinstance(value, str | bytes):
        return value
    return tuple(dict.fromkeys(value))


@attrs.frozen
class Staff:
    """
    A person who uses the console.

    Attributes:
        actor: The person's name in the history, a text of 1 to 200 printable characters.

        restaurants: The ids of the restaurants that the person sees and works at, or `EVERYWHERE`.
    """

    actor: str = attrs.field()
    restaurants: tuple[str, ...] | Everywhere = attrs.field(kw_only=True, converter=_restaurants)

    @actor.validator
    def _is_named(self, _: Any, actor: Any) -> None:
        require_actor(actor)

    @restaurants.validator
    def _are_ids(self, attribute: Any, value: Any) -> None:
        if value is EVERYWHERE:
            return
        if not isinstance(value, tuple):
            raise InvalidValueError(attribute.name, "a list of restaurants' ids, or EVERYWHERE", repr(value))
        each(identifier)(self, attribute, value)

    @property
    def is_everywhere(self) -> bool:
        """Whether all restaurants are theirs."""
        return self.restaurants is EVERYWHERE

    def works_at(self, restaurant_id: str) -> bool:
        """Whether that restaurant is theirs."""
        return isinstance(self.restaurants, Everywhere) or restaurant_id in self.restaurants


StaffOf: TypeAlias = Callable[[Request], "Staff | Response | Awaitable[Staff | Response | None] | None"]
"""
Says who sends a request: a function, which runs in a worker thread, or a coroutine function.

It answers with a `Staff`; with None to refuse; or with a response of its own, such as a redirect to the login.
"""


async def admit(staff: StaffOf, request: Request) -> Staff | Response | None:
    """
    What *staff* says of a request. Any other answer than the three that are meant refuses, and is logged.

    An answer such as ``True`` or a name lets nobody in.
    """
    if inspect.iscoroutinefunction(staff) or inspect.iscoroutinefunction(getattr(staff, "__call__", None)):  # noqa: B004
        found: Any = await staff(request)  # type: ignore[misc]
    else:
        found = await run_in_threadpool(staff, request)
        if inspect.isawaitable(found):
            found = await found
    if found is None or isinstance(found, Staff | Response):
        return found
    log.error("console: staff: expected a Staff, a Response or None, got a %s; refused", type(found).__name__)
    return None
