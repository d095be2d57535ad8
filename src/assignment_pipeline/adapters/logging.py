"""The logging sink: an event, a line."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from assignment_pipeline.domain.events import Event, Severity

_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.ERROR: logging.ERROR}


class LoggingSink:
    """
    Writes one greppable line an event.

    Such as ``assignment.coordinator coordinator.confirmed booking=B1 restaurant=R1 duration_ms=1.9``.

    Args:
        logger: Where to; by default the logger ``assignment_pipeline.events``.
    """

    inline = True

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("assignment_pipeline.events")

    def emit(self, events: Sequence[Event]) -> None:
        """Log *events*, at the level of their severity."""
        for event in events:
            level = _LEVELS[event.severity]
            if self._logger.isEnabledFor(level):
                self._logger.log(level, "%s", line(event))


def line(event: Event) -> str:
    """The event as one line of words; values that are no plain word are put in quotes, as JSON has them."""
    facts: dict[str, Any] = {"booking": event.booking_id, "restaurant": event.restaurant_id, **event.context}
    words = [f"{key}={_word(value)}" for key, value in facts.items() if value is not None]
    return " ".join((event.source.value, event.type.value, *words))


def _word(value: Any) -> str:
    if isinstance(value, tuple | list):
        value = ",".join(map(str, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    plain = text and text.isprintable() and not any(character in ' "=' for character in text)
    return text if plain else json.dumps(text)
