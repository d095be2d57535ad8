"""Whatever a public signature names can be imported from where ``docs/reference/imports.md`` says."""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
import sys
import types
import typing
from pathlib import Path

import attrs
import pytest

PAGE = (Path(__file__).parents[2] / "docs/reference/imports.md").read_text(encoding="utf-8")
PUBLIC = re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE)
TOP, PORTS = "assignment_pipeline", "assignment_pipeline.ports"
ELSEWHERE = {"assignment_pipeline.flow.effects.Effect": "assignment_pipeline.testing.simulator"}
"""Classes with another home than the rules say: only the simulator's faults name these."""


class _Other(type):
    def __getattr__(cls, name):
        return cls

    def __getitem__(cls, of):
        return cls


class Other(metaclass=_Other):
    """A type of another package, and whatever is in it."""


class Names(dict):
    """A module's names; what it imports for the type checker alone is another package's, and may be anything."""

    def __missing__(self, name):
        return getattr(builtins, name, Other)


@pytest.fixture(scope="module")
def packages():
    """The public packages, by their names; those whose extra is missing are left out."""
    found = {}
    for name in PUBLIC:
        try:
            found[name] = importlib.import_module(name)
        except ImportError:
            assert name.startswith(f"{TOP}.adapters."), name
    return found


def offered(package):
    """What a package offers, by name; a single module without ``__all__`` offers what it defines."""
    if hasattr(package, "__all__"):
        return {name: getattr(package, name) for name in package.__all__}
    own = {name: value for name, value in vars(package).items() if not name.startswith("_")}
    return {name: value for name, value in own.items() if getattr(value, "__module__", "") == package.__name__}


def signatures(value):
    """The functions of a public value whose annotations count, each with its name."""
    if inspect.isfunction(value):
        yield value.__qualname__, value
    for owner in getattr(value, "__mro__", ()):
        if not owner.__module__.startswith(TOP):
            continue
        for name, member in vars(owner).items():
            function = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
            made_elsewhere = "Made by" in (value.__doc__ or "") or attrs.has(value)  # attrs' fields are looked at below
            counts = name == "__call__" or not name.startswith("_") or (name == "__init__" and not made_elsewhere)
            if inspect.isfunction(function) and counts:
                yield f"{value.__name__}.{name}", inspect.unwrap(function)


def types_in(hint):
    """The classes in an annotation, however deep they stand."""
    if isinstance(hint, list):
        for inner in hint:
            yield from types_in(inner)
    for inner in (*typing.get_args(hint), typing.get_origin(hint)):
        yield from types_in(inner) if inner is not None else ()
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        yield hint


def named(value):
    """The classes of ours that a public value's signatures and fields name, each with where."""
    found = list(signatures(value)) if not isinstance(value, types.ModuleType) else []
    if inspect.isclass(value) and attrs.has(value):
        found.append((value.__name__, value))
    for where, annotated in found:
        hints = typing.get_type_hints(annotated, localns=Names(vars(sys.modules[annotated.__module__])))
        for name, hint in hints.items():
            if not name.startswith("_"):
                yield from ((where, kind) for kind in types_in(hint) if kind.__module__.split(".")[0] == TOP)


def home(kind):
    """The packages that may offer a class, by the module that defines it."""
    moved = ELSEWHERE.get(f"{kind.__module__}.{kind.__name__}")
    if moved:
        return [moved]
    outside = [name for name in PUBLIC if name not in {TOP, PORTS}]
    own = [name for name in outside if kind.__module__ == name or kind.__module__.startswith(f"{name}.")]
    return [max(own, key=len)] if own else [TOP, PORTS]


def homeless(packages):
    """A line for each class that a public signature names, and that its package does not offer."""
    missing = set()
    wanted = [value for package in packages.values() for value in offered(package).values()]
    seen = set()
    while wanted:
        value = wanted.pop()
        if id(value) in seen or not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        seen.add(id(value))
        for where, kind in named(value):
            if kind.__name__.startswith("_"):
                continue
            places = [name for name in home(kind) if name in packages]
            if not any(getattr(packages[name], kind.__name__, None) is kind for name in places):
                missing.add(f"{where} names {kind.__module__}.{kind.__name__}: expected it in {' or '.join(places)}")
    return sorted(missing)


def test_whatever_a_signature_names_can_be_imported(packages):
    """From the packages of the page, by its rules."""
    assert homeless(packages) == []


def test_a_class_without_a_home_is_found(packages):
    """Where a signature names it."""

    class Lost:
        """Nowhere."""

    Lost.__module__ = f"{TOP}.domain.lost"

    def find(lost: Lost) -> list[Lost]: ...

    find.__annotations__ = {"lost": Lost, "return": list[Lost]}
    package = types.SimpleNamespace(__all__=["find"], find=find)
    [line] = homeless({TOP: package, PORTS: types.SimpleNamespace(__all__=[])})
    assert line.endswith(f"names {TOP}.domain.lost.Lost: expected it in {TOP} or {PORTS}")


def test_packages_offer_what_they_say(packages):
    """Each name in ``__all__`` is there, once."""
    for name, package in packages.items():
        listed = getattr(package, "__all__", [])
        assert len(listed) == len(set(listed)), name
        assert all(hasattr(package, found) for found in listed), name
