"""Names of a package, and modules, that are imported when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


class _Module:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self._name), name)
        setattr(self, name, value)  # Python finds it by itself from now on.
        return value


def module_on_use(name: str) -> Any:
    """
    What stands for a module that many processes never use: its first use imports it.

    For type checkers, import the module itself under ``if TYPE_CHECKING``.

    Args:
        name: Its name below `assignment_pipeline`.
    """
    return _Module(f"assignment_pipeline.{name}")


def on_use(package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """
    The ``__getattr__`` of a package that imports a module only when one of the module's names is used.

    Args:
        package: The package's ``__name__``.

        names: For each module, by its name below `assignment_pipeline`, its names that the package offers, with spaces
            between them.
    """
    homes = {name: f"assignment_pipeline.{module}" for module, offered in names.items() for name in offered.split()}

    def find(name: str) -> Any:
        if name not in homes:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        module = importlib.import_module(homes[name])
        value = getattr(module, name)
        setattr(importlib.import_module(package), name, value)  # Python finds it by itself from now on.
        return value

    return find
