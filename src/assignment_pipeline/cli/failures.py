"""What ends a command early: each is one line on stderr, and an exit code."""

from __future__ import annotations

import contextlib
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NoReturn

from assignment_pipeline.errors import AssignmentPipelineError, InvalidValueError, SchemaMismatchError, shown
from assignment_pipeline.redaction import redacted

GOOD = 0
NO = 1
BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


class BadInputError(AssignmentPipelineError):
    """
    Something that was handed in is not what it should be.

    Attributes:
        where: The file or option, and the place in it.

        expected: What should be there.

        got: What is.
    """

    code: ClassVar[str] = "bad_input"

    where: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {shown(self.got)}"


def refuse(where: str, expected: str, got: str) -> NoReturn:
    """
    Turn an input down.

    Raises:
        BadInputError: Always.
    """
    raise BadInputError(where, expected, got)


def refuse_value(error: InvalidValueError, **names: str) -> NoReturn:
    """
    Turn an input down that the library has refused. What is no input's fault is raised as it is: see `is_of_input`.

    Args:
        error: What it said.

        names: What the command calls a value, by what the library calls it: an argument or an option.

    Raises:
        BadInputError: Always, for an input.
    """
    raise as_input(error, **names) if is_of_input(error) else error


def as_input(error: InvalidValueError, **names: str) -> BadInputError:
    """What the library said of an input, about what the command calls it: see `refuse_value`."""
    known = {"booking_id": "BOOKING", "restaurant_id": "RESTAURANT", **names}
    return BadInputError(known.get(error.field, error.field), error.expected, error.got)


def is_of_input(error: BaseException) -> bool:
    """
    Whether the library refused a value that a command passed to it, and not one that a row holds.

    Rows are read by adapters and by an application's code. A value that neither has handled is the command's.
    """
    if not isinstance(error, InvalidValueError) or application_frames(error):
        return False
    return not any(frame.filename.startswith(_ADAPTERS) for frame in traceback.extract_tb(error.__traceback__))


def refuse_schema(name: object, error: SchemaMismatchError) -> NoReturn:
    """
    Turn a database down whose tables are not there, or of another version.

    Raises:
        BadInputError: Always.
    """
    refuse(str(name), error.expected, f"{error.found}: {error.remedy}" if error.remedy else error.found)


class RefusedError(AssignmentPipelineError):
    """
    The answer to a command is no.

    Attributes:
        sentence: Why.
    """

    code: ClassVar[str] = "refused"

    sentence: str

    def __str__(self) -> str:
        return self.sentence


_PACKAGE = str(Path(__file__).parents[1])
_ADAPTERS = str(Path(_PACKAGE, "adapters"))
_OTHERS = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), _PACKAGE, "<")
_INSTALLED = {"site-packages", "dist-packages"}


def raised(error: BaseException) -> str:
    """
    What was raised and where, in one line, without what it says: that may quote a guest.

    The place is the innermost line of the application's own code, if it has a part in it. What this library says of the
    types that it was wired with is said in full: it names classes and methods.
    """
    own = application_frames(error)
    where = f" from {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    says = f": {' '.join(str(error).split())}" if isinstance(error, TypeError) and _is_ours(error) else ""
    return f"{redacted(error)}{where}{says}"


def _is_ours(error: BaseException) -> bool:
    """Whether this library's code raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith(_PACKAGE)


def application_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The lines of the application's own code that *error* came through, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_OTHERS)]
    return [frame for frame in own if _INSTALLED.isdisjoint(Path(frame.filename).parts)]


_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_DRIVERS = frozenset({"sqlite3", "psycopg"})
"""What reading raises where somebody else has written: text in place of a number, a view in place of a table."""


@contextlib.contextmanager
def readable(db: object) -> Iterator[None]:
    """
    For the length of the block, what a database holds is bad input where it is not what this version writes.

    Raises:
        BadInputError: It is not.
    """
    try:
        yield
    except AssignmentPipelineError:
        raise
    except Exception as error:
        is_of_driver = type(error).__module__.partition(".")[0] in _DRIVERS
        if is_of_input(error) or not (is_of_driver or isinstance(error, _UNREADABLE)):
            raise
        got = f"something else: it cannot be read ({raised(error)}; --traceback shows where)"
        raise BadInputError(str(db), "data as this version writes it", got) from error
