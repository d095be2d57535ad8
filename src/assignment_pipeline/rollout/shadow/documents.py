"""Values of the domain as JSON, and back, by what their fields say that they are."""

from __future__ import annotations

import collections.abc
import datetime as dt
import enum
import functools
import math
import typing
from collections.abc import Callable, Mapping
from typing import Any

import attrs

NOTHING = type(None)
_SEVERAL = (tuple, frozenset, collections.abc.Sequence)
_MAPPINGS = (dict, Mapping, collections.abc.Mapping)
LONGEST_REPR = 200


def _of_attrs(value: Any) -> dict[str, Any]:
    return {field.name: document(getattr(value, field.name)) for field in attrs.fields(type(value)) if field.init}


_WRITERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (enum.Enum, lambda value: value.value),
    ((dt.date, dt.time), lambda value: value.isoformat()),
    (Mapping, lambda value: {str(key): document(item) for key, item in value.items()}),
    (frozenset, lambda value: sorted(map(document, value))),
    ((list, tuple), lambda value: [document(item) for item in value]),
    (float, lambda value: value if math.isfinite(value) else str(value)),
    ((str, int, NOTHING), lambda value: value),
    (object, lambda value: repr(value)[:LONGEST_REPR]),
)


def document(value: Any) -> Any:
    """*value* as JSON knows it. Numbers that JSON does not have become text."""
    if attrs.has(type(value)):
        return _of_attrs(value)
    return next(write for kind, write in _WRITERS if isinstance(value, kind))(value)


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
    if origin is not None:
        return _of_generic(origin, typing.get_args(kind), found)
    if not isinstance(kind, type):
        return found
    if attrs.has(kind):
        known = {name: of for name, of in _fields(kind).items() if name in found}
        return kind(**{name: value_of(of, found[name]) for name, of in known.items()})
    if issubclass(kind, dt.date | dt.time):
        return kind.fromisoformat(found)
    return kind(found) if issubclass(kind, enum.Enum) else found


def _of_generic(origin: Any, of: tuple[Any, ...], found: Any) -> Any:
    if origin in _SEVERAL:
        made = frozenset if origin is frozenset else tuple
        return made(value_of(of[0], one) for one in found)
    if origin in _MAPPINGS:
        return {key: value_of(of[1], one) for key, one in found.items()}
    wanted = [one for one in of if one is not NOTHING]
    if len(wanted) > 1:
        wanted = [one for one in wanted if _may_be(one, found)]
    return value_of(wanted[0], found) if found is not None and len(wanted) == 1 else found


def _may_be(kind: Any, found: Any) -> bool:
    """Whether what JSON has can be a value of that kind: an object, a list, or one of the rest."""
    origin = typing.get_origin(kind)
    is_object = attrs.has(kind) or origin in _MAPPINGS
    if isinstance(found, dict):
        return is_object
    return origin in _SEVERAL if isinstance(found, list) else origin is None and not is_object


@functools.cache
def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in attrs.fields(kind) if field.init}
