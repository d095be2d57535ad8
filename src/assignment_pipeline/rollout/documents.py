"""Values of the domain as JSON, and back, by what their fields say that they are."""

from __future__ import annotations

import collections.abc
import datetime as dt
import enum
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

T = TypeVar("T")

NOTHING = type(None)
_SEVERAL = (tuple, frozenset, collections.abc.Sequence)


def document(value: Any) -> Any:
    """*value* as JSON knows it. Numbers that JSON does not have become text."""
    if attrs.has(type(value)):
        return {field.name: document(getattr(value, field.name)) for field in attrs.fields(type(value)) if field.init}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dt.datetime | dt.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): document(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(map(document, value))
    if isinstance(value, list | tuple):
        return [document(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return repr(value)[:200]


def value_of(kind: Any, found: Any) -> Any:
    """
    The value that `document` made *found* of.

    Args:
        kind: What it is: an attrs class, or the type of a field.

        found: What JSON has.

    Raises:
        ValueError, TypeError, KeyError: It is none.
    """
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        wanted = [one for one in typing.get_args(kind) if one is not NOTHING]
        if found is None:
            return None
        return value_of(wanted[0], found) if len(wanted) == 1 else found
    if origin in _SEVERAL:
        item = typing.get_args(kind)[0]
        made = frozenset if origin is frozenset else tuple
        return made(value_of(item, one) for one in found)
    if origin in (dict, Mapping, collections.abc.Mapping):
        item = typing.get_args(kind)[1]
        return {key: value_of(item, one) for key, one in found.items()}
    if isinstance(kind, type):
        if attrs.has(kind):
            known = {name: of for name, of in _fields(kind).items() if name in found}
            return kind(**{name: value_of(of, found[name]) for name, of in known.items()})
        if issubclass(kind, dt.datetime | dt.time):
            return kind.fromisoformat(found)
        if issubclass(kind, enum.Enum):
            return kind(found)
    return found


@functools.cache
def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in attrs.fields(kind) if field.init}
