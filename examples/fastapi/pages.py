"""The console's pages for the same people. A browser's pages send no bearer token: the login keeps it in a cookie."""

from __future__ import annotations

import urllib.parse

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from assignment_pipeline import AsyncCoordinator
from assignment_pipeline.console import EVERYWHERE, Staff, console
from login import name_of

COOKIE = "staff"
FORM = """<!doctype html><html lang="en"><title>Login</title>
<form method="post"><label>Token <input name="token" type="password" autocomplete="current-password"></label>
<button>Log in</button></form></html>"""

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def form() -> HTMLResponse:
    """Where people log in."""
    return HTMLResponse(FORM)


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Keep the token of `STAFF_TOKENS` in a cookie that no script reads, and no other site's page sends."""
    fields = urllib.parse.parse_qs((await request.body()).decode())
    token = fields.get("token", [""])[0]
    if name_of(token) is None:
        return HTMLResponse(FORM, 401)
    response = RedirectResponse("/tables/", 303)
    is_secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, secure=is_secure, httponly=True, samesite="strict")
    return response


def staff(request: Request) -> Staff | Response:
    """Who looks at the pages: whose token the cookie has, or else the way to the login."""
    name = name_of(request.cookies.get(COOKIE, ""))
    return RedirectResponse("/login", 303) if name is None else Staff(name, restaurants=EVERYWHERE)


def mount(app: FastAPI, coordinator: AsyncCoordinator) -> None:
    """The pages, below ``/tables``."""
    app.mount("/tables", console(coordinator, staff=staff), name="console")
