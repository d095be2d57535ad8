"""A strict walk through a JSON file: complaints name the file, the place, what was expected and what was found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import attrs

from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.errors import InvalidValueError

T = TypeVar("T")

LONGEST_SHOWN = 60
MOST_SHOWN = 8
LONGEST_NUMBER = 100

# How the domain's values complain: "party_size: expected a whole number from 1 to 500, got 0".


class _Absent:
    """Stands where a key is missing, so that the domain says what it expects there."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys came twice."""

    repeated: str | None = None


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object()
    for key, value in pairs:
        if key in made and made.repeated is None:
            made.repeated = key
        made[key] = value
    return made


def _whole(text: str) -> int | float:
    # Python refuses to read very long whole numbers; as floats they are refused where a whole number is expected.
    return int(text) if len(text) <= LONGEST_NUMBER else float(text)


def _quoted(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def shown(value: object) -> str:
    """A value of the file as a complaint shows it: short, on one line."""
    if value is ABSENT:
        return "nothing"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list) and (len(value) > MOST_SHOWN or any(isinstance(item, list | dict) for item in value)):
        return f"a list of {len(value)}"
    text = _quoted(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


@attrs.frozen
class Node:
    """
    A value of the file, and where it stands.

    Attributes:
        file: The file's name.

        path: The place, such as ``bookings[3].party_size``; empty for the whole.

        value: What stands there.
    """

    file: str
    path: str
    value: Any

    @property
    def given(self) -> bool:
        """Whether there is anything: a null counts as nothing."""
        return self.value is not ABSENT and self.value is not None

    def refuse(self, expected: str, got: str | None = None) -> NoReturn:
        """
        Complain about this place.

        Raises:
            BadInputError: Always.
        """
        where = f"{self.file}: {self.path}" if self.path else self.file
        refuse(where, expected, shown(self.value) if got is None else got)

    def child(self, key: str, value: Any = ABSENT) -> Node:
        """What stands under a key."""
        part = key if re.fullmatch(r"\w+", key, re.ASCII) else f"[{shown(key)}]"
        dot = "." if self.path and not part.startswith("[") else ""
        return Node(self.file, f"{self.path}{dot}{part}", value)

    def keys(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Node]:
        """
        What stands under each key of an object; nothing where an optional one is missing.

        Raises:
            BadInputError: This is no object, or it has a key that is unknown or there twice.
        """
        if not isinstance(self.value, _Object):
            self.refuse("an object")
        known = (*required, *optional)
        if self.value.repeated is not None:
            self.child(self.value.repeated).refuse("each key once", "it twice")
        for key, value in self.value.items():
            if key not in known:
                self.child(key, value).refuse(f"a key among {', '.join(known)}", "an unknown one")
        return {key: self.child(key, self.value.get(key, ABSENT)) for key in known}

    def items(self) -> list[Node]:
        """
        The items of a list; none where there is nothing.

        Raises:
            BadInputError: This is no list.
        """
        if not self.given:
            return []
        if not isinstance(self.value, list):
            self.refuse("a list")
        return [Node(self.file, f"{self.path}[{index}]", item) for index, item in enumerate(self.value)]

    def build(self, make: Callable[..., T], fields: Mapping[str, Any], names: Mapping[str, str] | None = None) -> T:
        """
        ``make(**fields)``, a complaint of the domain's turned into one about the place in the file.

        Args:
            make: A class of the domain.

            fields: What it takes; what is `ABSENT` is handed over, so that the domain complains.

            names: What the file calls the fields that it calls otherwise.
        """
        try:
            return make(**fields)
        except InvalidValueError as error:
            if not error.field:
                raise
            key = (names or {}).get(error.field, error.field)
            raw = self.value.get(key, ABSENT) if isinstance(self.value, dict) else ABSENT
            whole = isinstance(raw, list | dict | _Absent) and len(error.got) <= LONGEST_SHOWN
            got = error.got if whole else None
            self.child(key, raw).refuse(error.expected, got)


def read_document(path: Path) -> Node:
    """
    The whole of a JSON file.

    Raises:
        BadInputError: It cannot be read, or is not JSON in UTF-8.
    """
    name = str(path) if str(path).isprintable() else ascii(str(path))
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        refuse(name, "a file", "nothing there")
    except IsADirectoryError:
        refuse(name, "a file", "a directory")
    except (OSError, ValueError) as error:
        refuse(name, "a file that can be read", getattr(error, "strerror", None) or str(error))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        got = f"the byte 0x{content[error.start]:02x}"
        refuse(f"{name}: line {line}, column {column}", "UTF-8", got)
    try:
        return Node(name, "", json.loads(text, object_pairs_hook=_object, parse_int=_whole))
    except json.JSONDecodeError as error:
        got = shown(text[error.pos]) if error.pos < len(text) else "the end of the file"
        where = f"{name}: line {error.lineno}, column {error.colno}"
        refuse(where, "JSON", f"{got} ({error.msg})")
    except RecursionError:
        refuse(name, "JSON", "lists or objects nested too deep to read")
