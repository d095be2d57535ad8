"""The application: its addresses, and what every answer has in common."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from assignment_pipeline.console import doing, pages
from assignment_pipeline.console.calls import AnyCoordinator, Calls
from assignment_pipeline.console.guard import ForgedError, form_of, nonce_of, protect, remember
from assignment_pipeline.console.mismatch import mismatch
from assignment_pipeline.console.rendering import environment, icon, render, script, style_sheet, version_of
from assignment_pipeline.console.rollout import RolloutPage
from assignment_pipeline.console.staff import StaffOf, admit
from assignment_pipeline.console.view import AbsentError, View
from assignment_pipeline.errors import (
    STORE_DOWN,
    AssignmentPipelineError,
    BlockNotFoundError,
    BookingNotFoundError,
    InvalidValueError,
    OtherRestaurantError,
    TableNotFoundError,
    VenueNotFoundError,
    ZoneNotFoundError,
)
from assignment_pipeline.redaction import redacted

log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[View], Awaitable[Response]]

_ABSENT = (
    AbsentError,
    BlockNotFoundError,
    BookingNotFoundError,
    OtherRestaurantError,
    TableNotFoundError,
    VenueNotFoundError,
    ZoneNotFoundError,
)
_KNOWN = (AbsentError, AssignmentPipelineError, ForgedError, InvalidValueError)
_FOR_A_DAY = "private, max-age=86400"  # Their addresses change when they do.


def console(coordinator: AnyCoordinator, *, staff: StaffOf) -> Starlette:
    """
    Make the pages, as an ASGI application to be mounted in a host's own.

    Args:
        coordinator: What everything is asked of and done by, a `Coordinator` or an `AsyncCoordinator`.

        staff: Says who sends a request, or refuses: see `StaffOf`. There is no default.

    Raises:
        MissingExtraError: Jinja is not installed.
        TypeError: *staff* is no callable.
    """
    given: Any = staff
    if not callable(given):
        msg = f"console: staff: expected a callable that takes a request, got a {type(given).__name__}"
        raise TypeError(msg)
    environment()
    made = _Console(Calls(coordinator), staff)
    return Starlette(
        routes=[
            Route("/", made.shows(pages.home)),
            Route("/floor", made.shows(pages.floor)),
            Route("/moment", made.shows(pages.moment)),
            Route("/booking", made.shows(pages.booking)),
            Route("/queue", made.shows(pages.queue)),
            Route("/service", made.shows(pages.service)),
            Route("/rollout", made.shows(RolloutPage())),
            Route("/mismatch", made.shows(mismatch)),
            Route("/act", made.shows(doing.preview)),
            Route("/act", made.does(doing.perform), methods=["POST"]),
            Route("/console.css", made.sends(style_sheet, "console.css", "text/css")),
            Route("/console.svg", made.sends(icon, "console.svg", "image/svg+xml")),
            Route("/console.js", made.sends(script, "console.js", "text/javascript")),
        ],
        exception_handlers={404: _absent, 405: _absent},
    )


Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


@attrs.frozen
class _Console:
    """One console: whose coordinator, and who says who is staff."""

    calls: Calls
    staff: StaffOf

    def shows(self, handler: Handler) -> Endpoint:
        """An address that only shows."""

        async def endpoint(request: Request) -> Response:
            return await self._answer(request, handler, is_form=False)

        return endpoint

    def does(self, handler: Handler) -> Endpoint:
        """An address that changes something: only a form of ours gets there."""

        async def endpoint(request: Request) -> Response:
            return await self._answer(request, handler, is_form=True)

        return endpoint

    def sends(self, text: Callable[[], str], name: str, kind: str) -> Endpoint:
        """The style sheet or the script: the same for everybody, and nobody's data."""

        async def endpoint(request: Request) -> Response:
            is_known = request.query_params.get("v") == version_of(name)
            headers = {"Cache-Control": _FOR_A_DAY if is_known else "no-cache"}
            response = PlainTextResponse(text(), media_type=kind, headers=headers)
            protect(response)
            return response

        return endpoint

    async def _answer(self, request: Request, handler: Handler, *, is_form: bool) -> Response:
        found = await admit(self.staff, request)
        if found is None:
            response = _said(403, "Not for you", "You are not staff here, or not logged in.", inside=False)
        elif isinstance(found, Response):
            response = found
        else:
            nonce = nonce_of(request)
            try:
                fields = await form_of(request, found.actor) if is_form else {}
                view = View(request=request, staff=found, calls=self.calls, nonce=nonce, fields=fields)
                response = await handler(view)
            except _KNOWN as error:
                response = _failed(error)
            except Exception as error:  # noqa: BLE001 - a host's code raises anything, and what it says may be a guest's
                log.error("console: %s", redacted(error))
                response = _said(500, "That went wrong", "The log of this application has the kind of the error.")
            remember(request, response, nonce)
        protect(response)
        return response


def _failed(error: Exception) -> Response:
    if isinstance(error, _ABSENT):
        return _said(404, "Not found", "There is no such thing, or it is not yours to see.")
    if isinstance(error, ForgedError):
        return _said(
            403,
            "Nothing was done",
            "This form was not sent by this page. Go back, load the page anew and send it again.",
        )
    if isinstance(error, InvalidValueError):
        return _said(400, "That cannot be", str(error))
    if isinstance(error, STORE_DOWN):
        log.error("console: %s", error)
        return _said(503, "The database cannot be reached", "Nothing was done. Try again in a moment.")
    return _said(409, "Refused", str(error))


async def _absent(_request: Request, _error: Exception) -> Response:
    response = _said(404, "Not found", "There is no such page.", inside=False)
    protect(response)
    return response


def _said(status: int, title: str, why: str, *, inside: bool = True) -> Response:
    """A page with one sentence. Staff (*inside*) also get a link to the start."""
    text = render("message.html", title=title, why=why, inside=inside, styles=version_of("console.css"))
    return HTMLResponse(text, status)
