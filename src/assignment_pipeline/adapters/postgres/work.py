"""
What is done on a connection, written once for threads and for asyncio.

A piece of work is a generator: it yields statements and calls of the host's code, and gets back what they answer.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from assignment_pipeline.adapters.postgres.failures import AgainError, translate, translate_from_host
from assignment_pipeline.driving import adrive, drive
from assignment_pipeline.errors import StoreUnavailableError

T = TypeVar("T")

# Host code may keep our transaction waiting for so long, and no longer. LOCAL: nothing of it stays with the session.
_BOUNDS = "SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '30s'"
BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {_BOUNDS}"
COMMIT = "COMMIT"
BEGIN_READING = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_BOUNDS}"

PAUSES = (0.002, 0.01, 0.05, 0.1, 0.2)
"""Seconds to wait, about, before the same is tried again."""


@attrs.frozen
class Statement:
    """
    One statement; its answer is all its rows.

    Attributes:
        text: The statement.

        values: What its placeholders stand for.

        commits: Whether it lands by itself.
    """

    text: str
    values: Sequence[Any] | Mapping[str, Any] = ()
    commits: bool = False


@attrs.frozen
class HostCall:
    """
    A call of the host's code; its answer is what that returns.

    Attributes:
        function: It gets the connection first.

        arguments: What else it gets.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


Work = Generator[Statement | HostCall, Any, T]


def run(work: Work[T], connection: psycopg.Connection[Any], where: str | None) -> T:
    """
    Do *work*, in the caller's thread.

    Args:
        work: What to do.

        connection: Where to do it.

        where: The database, for people to read; None leaves the driver's errors as they are.

    Raises:
        AgainError: Nothing was written, and it may be tried again.
    """
    # Not of the connection's own kind: the host's may be a RawCursor, which writes placeholders in another way.
    cursor = psycopg.Cursor(connection, row_factory=tuple_row)

    def answer(step: Statement | HostCall) -> Any:
        try:
            if isinstance(step, HostCall):
                return step.function(connection, *step.arguments)
            cursor.execute(step.text, step.values or None, prepare=False)
            return [] if cursor.rownumber is None else cursor.fetchall()
        except BaseException as error:  # noqa: BLE001 - the work is told
            raise _translated(step, error, where, closed=connection.closed)  # noqa: B904 - it has its own cause

    return drive(work, answer, caught=BaseException)


async def arun(work: Work[T], connection: psycopg.AsyncConnection[Any], where: str | None) -> T:
    """`run`, for asyncio: the host's code may be coroutines."""
    cursor = psycopg.AsyncCursor(connection, row_factory=tuple_row)

    async def answer(step: Statement | HostCall) -> Any:
        try:
            if isinstance(step, HostCall):
                answer = step.function(connection, *step.arguments)
                return await answer if inspect.isawaitable(answer) else answer
            await cursor.execute(step.text, step.values or None, prepare=False)
            return [] if cursor.rownumber is None else await cursor.fetchall()
        except BaseException as error:  # noqa: BLE001 - the work is told
            raise _translated(step, error, where, closed=connection.closed)  # noqa: B904 - it has its own cause

    return await adrive(work, answer, caught=BaseException)


def _translated(step: Statement | HostCall, error: BaseException, where: str | None, *, closed: bool) -> BaseException:
    if where is None or not isinstance(error, Exception):
        return error
    if isinstance(step, HostCall):
        return translate_from_host(error, where, closed=closed)
    if not isinstance(error, psycopg.Error):
        return error
    return translate(error, where, closed=closed, commits=step.commits, ends=step.text == COMMIT)


def pauses() -> Iterator[float]:
    """How long to wait before each of the times that something is tried again."""
    for pause in PAUSES:
        yield pause * random.uniform(0.5, 1.5)  # noqa: S311 - so that those who met do not meet again


# -- Transactions -------------------------------------------------------------------------------------------------


def in_snapshot(work: Work[T]) -> Work[T]:
    """*work* in a transaction that only reads, and sees the database as it is at its beginning."""
    yield Statement(BEGIN_READING)
    answer = yield from work
    yield Statement(COMMIT)
    return answer


def in_transaction(work: Work[T]) -> Work[T]:
    """*work* in a transaction of its own."""
    yield Statement(BEGIN)
    answer = yield from work
    yield HostCall(still_open)
    yield Statement(COMMIT, commits=True)
    return answer


def in_savepoint(work: Work[T]) -> Work[T]:
    """*work* in a transaction that somebody else has opened; if it raises, nothing of it stays."""
    yield Statement("SAVEPOINT assignment_pipeline")
    try:
        answer = yield from work
        yield HostCall(still_open)
    except GeneratorExit:
        raise
    except BaseException as error:
        if not (isinstance(error, AgainError) and error.lost):
            yield HostCall(_undo)
        raise
    yield Statement("RELEASE SAVEPOINT assignment_pipeline")
    return answer


_MUST_NOT_END = "code inside a transaction must not commit it or roll it back"

SEAL = """
CREATE TEMPORARY TABLE assignment_pipeline_seal (never integer UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP;
INSERT INTO assignment_pipeline_seal VALUES (1), (1)
"""
"""Statements after which a transaction can be rolled back, and not committed: its COMMIT fails, and undoes it all."""


def not_ended(connection: Any) -> None:
    """Make sure that host code has not ended the transaction, in whatever state it left it."""
    if connection.info.transaction_status is TransactionStatus.IDLE:
        raise RuntimeError(_MUST_NOT_END)


def still_open(connection: Any) -> None:
    """
    Make sure that no host code has ended the transaction, or gone on in one that has failed.

    PostgreSQL would take the COMMIT of that one without an error, and roll it back.
    """
    status = connection.info.transaction_status
    if status is TransactionStatus.INTRANS:
        return
    if connection.closed:
        raise AgainError(StoreUnavailableError("the connection was closed"), lost=True)
    msg = _MUST_NOT_END
    if status is TransactionStatus.INERROR:
        msg = "code inside a transaction must not go on after an error of the database, except after one in a savepoint"
    raise RuntimeError(msg)


def _undo(connection: Any) -> Any:
    if connection.info.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
        return connection.execute(
            "ROLLBACK TO SAVEPOINT assignment_pipeline; RELEASE SAVEPOINT assignment_pipeline", prepare=False
        )
    return None
