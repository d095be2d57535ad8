"""Who of the staff asks. Put your own login here; without one, nobody is let in."""

from __future__ import annotations

import os
import secrets
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

STAFF_TOKENS = "STAFF_TOKENS"
"""The variable that has a token for each person, such as ``ana=a-long-one bob=another``. None until it is set."""

bearer = HTTPBearer(auto_error=False, description="A token of STAFF_TOKENS.")


def name_of(token: str) -> str | None:
    """The name of the person whose token it is, or None."""
    found = None
    for entry in os.environ.get(STAFF_TOKENS, "").split():
        name, _, known = entry.partition("=")
        if known and secrets.compare_digest(known.encode(), token.encode()):  # Takes as long for a near miss.
            found = name
    return found


def staff(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
    """The name of the person whose token came with the request; 401 if it is nobody's."""
    name = name_of(given.credentials) if given else None
    if name is None:
        raise HTTPException(401, {"code": "no_login"}, {"WWW-Authenticate": "Bearer"})
    return name


Staff = Annotated[str, Depends(staff)]
