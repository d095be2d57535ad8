"""What may be shown: of an error that is not ours, whose text may quote a guest, and of any text."""

from __future__ import annotations

import os
import re
from typing import Any

from assignment_pipeline.errors import AssignmentPipelineError, UnexpectedError

__all__ = ["database_code", "named", "printable", "redacted", "unexpected"]

_OURS = __name__.partition(".")[0]
_STATES = ("sqlstate", "pgcode", "sqlite_errorname")  # psycopg and asyncpg, psycopg2, sqlite3.
_STATE = re.compile(r"[0-9A-Z]{5}|SQLITE_[A-Z_]+")


def redacted(error: BaseException, *, show: bool = False) -> str:
    """
    One line about *error* without anybody's data.

    An error of this library keeps its sentence. Of any other only the class is named, and the database's code for
    the failure, such as ``UniqueViolation (23505)``.

    Args:
        error: The error.

        show: Say what the error says, too, in one line: only where the host has asked for it.
    """
    return _in_one_line(str(error)) if _is_ours(error) else named(error, show=show)


def named(error: BaseException, *, show: bool = False) -> str:
    """The same, and of an error of this library the class as well: ``BookingNotFoundError: Booking ...``."""
    wrapped = _of(error, "orig")  # SQLAlchemy's errors are wider than the driver's: ProgrammingError.
    name = type(wrapped if isinstance(wrapped, Exception) else error).__name__
    state = database_code(error)
    said = f"{name} ({state})" if state else name
    if not show and not _is_ours(error):
        return said
    try:
        text = _in_one_line(str(error))
    except Exception:  # noqa: BLE001 - a host's own error, which cannot even be shown
        return said
    return f"{said}: {text}" if text else said


def printable(text: str) -> str:
    """*text* with what a terminal or a page would obey, or not show, written as Python writes it; lines stay lines."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def unexpected(error: Exception) -> Exception:
    """The same error if it is one of ours; else an `UnexpectedError` in its place, which does not quote it."""
    return error if _is_ours(error) else UnexpectedError(redacted(error))


def _is_ours(error: BaseException) -> bool:
    ours = type(error).__module__.partition(".")[0] == _OURS
    return ours and isinstance(error, AssignmentPipelineError)


def database_code(error: BaseException) -> str | None:
    """The database's code: of the error, of the driver's error that SQLAlchemy wraps, or of its cause, as in Django."""
    for each in (error, _of(error, "orig"), error.__cause__):
        for name in _STATES:
            found = _of(each, name)
            if isinstance(found, str) and _STATE.fullmatch(found):
                return found
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return os.strerror(error.errno)
    return None


def _of(error: object, name: str) -> Any:
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001 - a property of a host's own error
        return None


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
