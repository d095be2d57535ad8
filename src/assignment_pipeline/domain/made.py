"""
Values made of what was checked before.

A constructor converts and checks each field, of whatever a caller gives it. Where one assignment makes dozens of values
from others, that is most of its work, and finds nothing. The tests hold every value that is made here against the one
that its constructor makes.
"""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

T = TypeVar("T")

_put = object.__setattr__  # What is frozen refuses any other.


def made(kind: type[T], /, **fields: Any) -> T:
    """A value of an attrs class. Every field is given, as its constructor would keep it."""
    value = object.__new__(kind)
    for name, given in fields.items():
        _put(value, name, given)
    return value


def remade(value: T, /, **fields: Any) -> T:
    """`attrs.evolve`, where the *fields* that differ are given as the constructor would keep them."""
    kept: tuple[attrs.Attribute[Any], ...] = type(value).__attrs_attrs__  # type: ignore[attr-defined]
    return made(type(value), **{field.name: getattr(value, field.name) for field in kept} | fields)
