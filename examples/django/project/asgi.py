"""
Django, and the console beside it below ``/tables``, for people who are logged in to Django as staff.

    python -m uvicorn project.asgi:application
"""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django = get_asgi_application()  # Before anything that has models is imported.

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.db import close_old_connections  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import RedirectResponse, Response  # noqa: E402

from assignment_pipeline.console import EVERYWHERE, Staff, console  # noqa: E402
from reservations.pipeline import coordinator  # noqa: E402


def staff(request: Request) -> Staff | Response | None:
    """Who looks at the pages, by Django's own session: its staff. Others are shown the way to the login, or refused."""
    asked = HttpRequest()
    asked.session = SessionStore(request.cookies.get(settings.SESSION_COOKIE_NAME))
    try:
        user = get_user(asked)
    finally:
        close_old_connections()  # This runs in a thread of its own, where no request of Django's ends.
    if not user.is_authenticated:
        return RedirectResponse("/admin/login/?next=/tables/", 303)
    return Staff(user.get_username(), restaurants=EVERYWHERE) if user.is_active and user.is_staff else None


application = Starlette()
application.mount("/tables", console(coordinator(), staff=staff))
application.mount("/", django)
