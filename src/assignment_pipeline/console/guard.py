"""What keeps others out: headers, the cookie, and the check that a form was ours."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import urllib.parse

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "assignment_pipeline_console"
MOST_BYTES = 64 * 1024
"""A form is smaller than that."""

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # With no-referrer, browsers send "Origin: null" with our own forms.
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class ForgedError(Exception):
    """A request that changes something, and that no form of ours has sent."""


def protect(response: Response) -> None:
    """Set the headers that every answer has."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")


def nonce_of(request: Request) -> str:
    """The browser's secret: what its cookie says, or a new one."""
    found = request.cookies.get(COOKIE, "")
    return found if len(found) == 43 and found.isascii() else secrets.token_urlsafe(32)  # noqa: PLR2004 - 32 bytes


def remember(request: Request, response: Response, nonce: str) -> None:
    """Have the browser keep its secret, unless it does."""
    if request.cookies.get(COOKIE) != nonce:
        response.set_cookie(
            COOKIE,
            nonce,
            path=f"{request.scope.get('root_path', '')}/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )


def token_of(nonce: str, actor: str) -> str:
    """What a form carries: only who knows the browser's secret can make it, and it is good for one person."""
    return hmac.new(nonce.encode(), actor.encode(), hashlib.sha256).hexdigest()


async def form_of(request: Request, actor: str) -> dict[str, str]:
    """
    The fields of a form of ours.

    Raises:
        ForgedError: Another site has sent it, or it does not carry this browser's token.
    """
    _refuse_other_sites(request)
    nonce = request.cookies.get(COOKIE)
    body = await _body(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ForgedError
    try:
        fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise ForgedError from None
    token = fields.pop("token", "")
    if not nonce or not hmac.compare_digest(token.encode(), token_of(nonce, actor).encode()):
        raise ForgedError
    return fields


def _refuse_other_sites(request: Request) -> None:
    """
    Refuse what a page of another site has sent: browsers say so.

    `Sec-Fetch-Site` goes through proxies as it is; where a browser sends none, the origin has to be this host.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise ForgedError
        return
    origin = request.headers.get("origin")
    if origin is not None and urllib.parse.urlsplit(origin).netloc != request.headers.get("host"):
        raise ForgedError


async def _body(request: Request) -> bytes:
    found = b""
    async for chunk in request.stream():
        found += chunk
        if len(found) > MOST_BYTES:
            raise ForgedError
    return found
