"""Errors of a host's, in one line for the person who mends them: where, what, and what to do."""

from __future__ import annotations

from pathlib import Path

from assignment_pipeline.errors import AssignmentPipelineError, BookingUnreadableError, InvalidValueError
from assignment_pipeline.redaction import database_code, redacted

_OURS = str(Path(__file__).parents[1])
_ENDS = "the transaction is the store's: on_commit() must not commit it or roll it back"
_NO_ENDS = ("code inside a transaction must not ", "Explicit commit() forbidden", "Explicit rollback() forbidden")

_BY_CODE = {
    "SQLITE_AUTH": _ENDS,
    "SQLITE_BUSY": "another connection is in the way: on_commit() has to write on the one that it is given",
    "25P02": "an error of the database was passed over before that: put what may fail into a savepoint of its own",
}
_BY_EXPECTED = {
    "text": "Write str() around it",
    "a TimeWindow": "Write TimeWindow(start, end)",
    "offset from UTC": "Give it the zone that it is in: replace(tzinfo=...)",
    "whole minute": "Round it: replace(second=0, microsecond=0)",
    "whole number": "Write int() around it",
}


def sentence_of(error: Exception) -> str:
    """An error in one line: in full where it is ours, and by its class where it may hold what is a guest's."""
    if isinstance(error, BookingUnreadableError) and isinstance(error.__cause__, Exception):
        return f"booking({error.booking_id!r}): {sentence_of(error.__cause__)}"
    place = _place(error)
    if isinstance(error, InvalidValueError):
        advice = "" if error.got[:1] in {"'", '"'} and "text" in error.expected else _advice(error.expected)
        return f"{error}{place}{advice}"
    if isinstance(error, AssignmentPipelineError) or (isinstance(error, TypeError) and "nobody awaits" in str(error)):
        return str(error)
    if str(error).startswith(_NO_ENDS):  # What psycopg and our own guards say: it names nobody.
        return f"{_ENDS}{place}"
    code = database_code(error)
    return f"the host raised {redacted(error)}{place}{f': {_BY_CODE[code]}' if code in _BY_CODE else ''}"


def _advice(expected: str) -> str:
    return next((f". {advice}" for words, advice in _BY_EXPECTED.items() if words in expected), "")


def _place(error: BaseException) -> str:
    """Where the host's code was: the last line of a Python file that is neither ours nor a package's."""
    trace, found = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        path = code.co_filename
        if path.endswith(".py") and not path.startswith(_OURS) and "site-packages" not in path:
            found = f" in {code.co_name}(), {Path(path).name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return found
