"""The console by itself, for a try: on this machine only, for who has the token that is printed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from assignment_pipeline.console.app import console
from assignment_pipeline.console.calls import AnyCoordinator
from assignment_pipeline.console.staff import EVERYWHERE, Staff
from assignment_pipeline.errors import MissingExtraError

LOOPBACK = "127.0.0.1"
SESSION = "assignment_pipeline_session"
NAMES = (LOOPBACK, "localhost")
"""What the address may be called: a page of another name that leads here is refused."""


@attrs.define(eq=False)
class OneTimeLogin:
    """
    Lets in who brings the token, once, and that browser from then on.

    Attributes:
        actor: What the person is called in the history.

        token: The token, until somebody has brought it.
    """

    actor: str
    token: str | None = attrs.field(factory=lambda: secrets.token_urlsafe(24), repr=False)
    _session: str = attrs.field(factory=lambda: secrets.token_urlsafe(32), repr=False)

    def __call__(self, request: Request) -> Staff | Response | None:
        """Who sends the request: see `StaffOf`."""
        if secrets.compare_digest(request.cookies.get(SESSION, "").encode(), self._session.encode()):
            return Staff(self.actor, restaurants=EVERYWHERE)
        brought = request.query_params.get("token", "")
        if self.token is None or not secrets.compare_digest(brought.encode(), self.token.encode()):
            return None
        self.token = None
        response = RedirectResponse("./", 303)  # The token does not stay in the address.
        response.set_cookie(SESSION, self._session, httponly=True, samesite="strict")
        return response


def alone(coordinator: AnyCoordinator, login: OneTimeLogin) -> Starlette:
    """The console with that login, for requests to this machine by its own name."""
    app = console(coordinator, staff=login)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(NAMES), www_redirect=False)
    return app


def serve(coordinator: AnyCoordinator, *, actor: str, port: int, ready: Callable[[str], None]) -> None:
    """
    Serve the console until interrupted.

    Args:
        coordinator: What everything is asked of and done by.

        actor: What the person is called in the history.

        port: The port; 0 for any that is free.

        ready: Called with the address that lets one browser in, once it is served.

    Raises:
        MissingExtraError: Uvicorn is not installed.
        OSError: The port is taken.
    """
    try:
        import uvicorn  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtraError("console", error.name or "uvicorn") from error
    import socket  # noqa: PLC0415 - only needed here

    login = OneTimeLogin(actor)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
        listening.listen(128)
        options: Mapping[str, Any] = {
            "log_level": "error",
            "access_log": False,
            "server_header": False,
            "lifespan": "off",
        }
        server = uvicorn.Server(uvicorn.Config(alone(coordinator, login), **options))
        ready(f"http://{LOOPBACK}:{listening.getsockname()[1]}/?token={login.token}")
        server.run(sockets=[listening])
