"""Sentences about wrong command lines. Each names the value and says what it may be; those of Typer do not."""

from __future__ import annotations

import contextlib
import enum
import typing
from collections.abc import Iterable
from typing import Any

from assignment_pipeline.errors import shown

_NUMBERS = {int: "a whole number", float: "a number"}


def asked_for(arguments: Iterable[str], group: Any, name: str) -> tuple[str, Any]:
    """The command that the words name, as they are typed and as Typer has it: as far as there is one."""
    words, command = [name], group
    for word in arguments:
        found = getattr(command, "commands", {}).get(word)
        if found is None and not word.startswith("-"):
            break
        if found is not None:
            words.append(word)
            command = found
    return " ".join(words), command


def sentence(error: Any, command: Any) -> str:
    """
    What is wrong.

    Args:
        error: Typer's.

        command: The command, as Typer has it.
    """
    option = getattr(error, "option_name", "")
    told: str = error.format_message()
    if option and told.endswith("requires an argument."):
        named = [one.metavar for one in command.params if option in one.opts]
        return f"{option}: expected {named[0] if named and named[0] else 'a value'}, got nothing"
    if option.lstrip("-").replace(".", "").isdigit():
        return f"{told}; put -- before a value that begins with a dash"
    param, message = getattr(error, "param", None), error.message.removeprefix("Value error, ")
    if param is None:
        return told
    if message.startswith("expected "):
        return f"{_name(param)}: {message}"
    problem, expected = _problem(error.__cause__), _choices(param) or _numbers(param)
    if problem is None or not expected:
        return told
    return f"{_name(param)}: expected {expected}, got {shown(repr(problem['input']))}"


def _problem(cause: Any) -> dict[str, Any] | None:
    """The first thing that Pydantic has found, which Typer asks what a value is."""
    with contextlib.suppress(AttributeError, LookupError, TypeError):
        found: dict[str, Any] = cause.errors()[0]
        return found if "input" in found else None
    return None


def _kinds(param: Any) -> set[Any]:
    annotation = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    return {annotation, *typing.get_args(annotation)}


def _choices(param: Any) -> str:
    """Which words a parameter takes; empty where it takes something else."""
    kinds: list[Iterable[Any]] = [kind for kind in _kinds(param) if isinstance(kind, enum.EnumMeta)]
    words = [str(word.value) for kind in kinds for word in kind]
    return f"one of {', '.join(words)}" if words else ""


def _numbers(param: Any) -> str:
    """Which numbers a parameter takes; empty where it takes something else."""
    kinds = [said for kind, said in _NUMBERS.items() if kind in _kinds(param)]
    if not kinds:
        return ""
    least, most = param.min, param.max
    if most is not None:
        return f"{kinds[0]} from {least} to {most}"
    return kinds[0] if least is None else f"{kinds[0]}, {least} at least"


def _name(param: Any) -> str:
    """What people type for a parameter: its option, or the name that the help gives an argument."""
    return str(next((one for one in param.opts if one.startswith("--")), None) or param.metavar or param.name.upper())
