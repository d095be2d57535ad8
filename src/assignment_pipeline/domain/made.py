"""
Values made of what was checked before.

A constructor converts and checks each field, of whatever a caller gives it. Where one assignment makes dozens of values
from others, that is half of the time they take, and finds nothing. The tests hold every value that is made here against
the one that its constructor makes.

What makes such values is called ``_unchecked_...``: each call says that nothing is checked there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

T = TypeVar("T", bound=attrs.AttrsInstance)


def maker(kind: type[T]) -> Callable[..., T]:
    """
    What makes values of *kind*, an attrs class with slots: given by name what has no default, kept as it is.

    A frozen value has to be filled in field by field, through calls. So it is filled in as an instance of a class with
    the same fields that is not frozen, and becomes one of *kind* then, which takes half as long. The two are laid out
    alike only without a ``weakref_slot``.

    As attrs does with a constructor, it writes the function out and compiles it: a loop over the fields would take
    longer than all that it saves.

    Raises:
        TypeError: *kind* has a ``weakref_slot``.
    """
    if hasattr(kind, "__weakref__"):
        msg = f"{kind.__name__}: expected a class that is made with weakref_slot=False"
        raise TypeError(msg)
    names = {field.name: field.alias for field in attrs.fields(kind)}
    defaults = {field.alias: field.default for field in attrs.fields(kind) if _is_plain(field.default)}
    given = [f"{alias}=defaults[{alias!r}]" if alias in defaults else alias for alias in names.values()]
    open_kind = type(kind.__name__, kind.__bases__, {"__slots__": getattr(kind, "__slots__", ())})
    lines = [f"def make(*, {', '.join(given)}):", "    made = new(open_kind)"]
    lines += [f"    made.{name} = {alias}" for name, alias in names.items()]
    lines += ["    made.__class__ = kind", "    return made"]
    known: dict[str, Any] = {"kind": kind, "open_kind": open_kind, "new": object.__new__, "defaults": defaults}
    exec("\n".join(lines), known)  # noqa: S102 - nothing but the names of our own fields
    make: Callable[..., T] = known["make"]
    return make


def _is_plain(default: Any) -> bool:
    """Whether it is the same for all values: one that is made for each has to be given."""
    return default is not attrs.NOTHING and not isinstance(default, attrs.Factory)  # type: ignore[arg-type]
