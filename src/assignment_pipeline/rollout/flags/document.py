"""Flags as JSON, in the database: written by the rollout's control, and read strictly, for people write them too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from assignment_pipeline.errors import FlagError
from assignment_pipeline.rollout.flags.cohorts import basis_points, percentage
from assignment_pipeline.rollout.flags.settings import MAX_PARALLEL, FlagSettings

PLACE = "settings"

_SWITCH = "true or false"
_PARALLEL = f"a whole number from 1 to {MAX_PARALLEL}"
_PERCENTAGE = "a percentage from 0 to 100 with at most two decimals"
_IDS = "a list of ids of restaurants"


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _parallel(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MAX_PARALLEL:
        raise ValueError(value)
    return value


def _points(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    return basis_points(repr(value))


def _ids(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(map(_is_id, value)):
        raise ValueError(value)
    return frozenset(value)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and value.strip() == value != ""


_FIELDS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "enabled": (_switch, _SWITCH),
    "shadow": (_switch, _SWITCH),
    "max_parallel": (_parallel, _PARALLEL),
    "percent": (_points, _PERCENTAGE),
    "restaurants": (_ids, _IDS),
    "exclude": (_ids, _IDS),
    "shadow_percent": (_points, _PERCENTAGE),
    "shadow_restaurants": (_ids, _IDS),
}


def settings_document(settings: FlagSettings) -> dict[str, Any]:
    """
    Those flags as a JSON object: percentages as numbers, lists sorted.

    What `read_settings` makes of it is the same again.
    """
    document: dict[str, Any] = {
        "enabled": settings.enabled,
        "shadow": settings.shadow,
        "max_parallel": settings.max_parallel,
        "percent": _number(settings.percent),
        "shadow_percent": _number(settings.shadow_percent),
    }
    for name in ("restaurants", "exclude", "shadow_restaurants"):
        if getattr(settings, name):
            document[name] = sorted(getattr(settings, name))
    return document


def read_settings(document: Mapping[str, Any]) -> FlagSettings:
    """
    The flags that a JSON object says; what it leaves out is as nothing set: off, three at a time, 100 %.

    Raises:
        FlagError: A key or a value is none of those that there are; it names the place.
    """
    values = {}
    for key, value in document.items():
        if key not in _FIELDS:
            raise FlagError(f"{PLACE}.{key}", _text(value), f"no such key; there are {', '.join(_FIELDS)}")
        read, takes = _FIELDS[key]
        try:
            values[key] = read(value)
        except ValueError:
            raise FlagError(f"{PLACE}.{key}", _text(value), takes) from None
    return FlagSettings(**values)


def _number(points: int) -> float:
    value = float(percentage(points))
    return int(value) if value.is_integer() else value


def _text(value: Any) -> str:
    return json.dumps(value, default=str)
