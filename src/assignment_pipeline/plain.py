"""What classes with fields have in common, so that nothing is compiled for each of them when it is imported."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, dataclass_transform

import attrs


@dataclass_transform()
class Plain:
    """
    The base of the errors and of the effects of flows: a process makes few values of each class.

    They declare their fields as attrs' classes do. Fields are neither converted nor validated, and values are equal
    only to themselves.

    Attributes:
        fields: The fields' names, in the order in which the constructor takes them.
    """

    fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = inspect.get_annotations(cls)
        cls.fields = (*cls.fields, *(name for name, kind in own.items() if not str(kind).startswith("ClassVar")))

    def __init__(self, *given: Any, **named: Any) -> None:
        if named or len(given) != len(self.fields):
            bound = self.signature().bind(*given, **named)
            bound.apply_defaults()
            given = bound.args
        self.__dict__.update(zip(self.fields, given, strict=True))

    @classmethod
    def signature(cls) -> inspect.Signature:
        """What the constructor takes."""
        kind, nothing = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
        return inspect.Signature([inspect.Parameter(n, kind, default=getattr(cls, n, nothing)) for n in cls.fields])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.fields)})"


class Printed:
    """The base of attrs' classes that leave ``__repr__`` to it: attrs would compile one for each."""

    __slots__ = ()

    def __repr__(self) -> str:
        fields: tuple[attrs.Attribute[Any], ...] = getattr(type(self), "__attrs_attrs__", ())
        shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields if field.repr)
        return f"{type(self).__qualname__}({shown})"
