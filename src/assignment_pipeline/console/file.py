"""The floor's timeline as one file that needs nothing else, for a printer or a mail."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from assignment_pipeline.console.pages import floor_facts
from assignment_pipeline.console.rendering import environment, render, style_sheet
from assignment_pipeline.domain.day import ServiceDay


def floor_file(day: ServiceDay) -> str:
    """
    A page with the timeline of a day. It loads nothing, runs nothing and leads nowhere.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    styles = style_sheet()
    digest = base64.b64encode(hashlib.sha256(styles.encode()).digest()).decode()
    facts: dict[str, Any] = {"policy": f"default-src 'none'; style-src 'sha256-{digest}'", "link": False}
    environment()
    import markupsafe  # noqa: PLC0415 - comes with Jinja

    return render("file.html", styles=markupsafe.Markup(styles), **floor_facts(day), **facts)  # noqa: S704 - our own
