"""
Values made of what was checked before.

A constructor converts and checks each field, of whatever a caller gives it. Where one assignment makes dozens of values
from others, that is half of the time they take, and finds nothing. The tests hold every value that is made here against
the one that its constructor makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

T = TypeVar("T", bound=attrs.AttrsInstance)


def maker(kind: type[T]) -> Callable[..., T]:
    """
    What makes values of *kind*, an attrs class with slots: given every field by its name, as its constructor keeps it.

    As attrs does with a constructor, it writes the function out and compiles it: a loop over the fields would take
    longer than all that it saves.
    """
    names = [field.name for field in attrs.fields(kind)]
    lines = [f"def make(*, {', '.join(names)}):", "    made = new(kind)"]
    lines += [f"    put_{name}(made, {name})" for name in names]
    known: dict[str, Any] = {f"put_{name}": getattr(kind, name).__set__ for name in names}
    known |= {"kind": kind, "new": object.__new__}
    exec("\n".join([*lines, "    return made"]), known)  # noqa: S102 - nothing but the names of our own fields
    make: Callable[..., T] = known["make"]
    return make
