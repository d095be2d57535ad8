"""What the driver's errors mean."""

from __future__ import annotations

import re

import psycopg
from psycopg import conninfo as conninfos
from psycopg import errors

from assignment_pipeline.adapters.postgres.line import SilentError
from assignment_pipeline.adapters.postgres.purposes import remedy_for
from assignment_pipeline.errors import (
    CommitUnknownError,
    InvalidValueError,
    MissingRightsError,
    SchemaMismatchError,
    StoreUnavailableError,
)
from assignment_pipeline.ports.fitting import require_kind

_COLLIDED = frozenset({"40001", "40P01"})  # Serialization failures and deadlocks.
_CONTENDED = _COLLIDED | frozenset(
    {
        "23505",  # unique_violation: someone else, at another restaurant, was first with that booking
        "23P01",  # exclusion_violation: someone took a table without the restaurant's lock
    }
)
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"})  # The server ends the session.
_GONE = ("08", "40003")  # The connection is, or the answer.
_MISSING = frozenset({"42P01", "42703", "42883", "3F000"})  # Tables, columns, functions, schemas.
_UNAVAILABLE = ("53", "57", "58", "0A000", "25006", "55P03", "XX")  # 0A000: a standby writes nothing.
_NO_RIGHT = "42501"
_ISOLATION = "AP001"
_LOCK_TIMEOUT = "55P03"
_IDLE_TIMEOUT = "25P03"

_RELATION = re.compile(r'relation "([^"]+)"')
_DENIED = re.compile(r"permission denied for (?:table|view|function|relation) (\S+)")


class AgainError(Exception):
    """
    Nothing was written. The caller may repeat the work from its beginning.

    Attributes:
        error: What to raise if the repetition fails, too.

        lost: Whether the connection is gone.
    """

    def __init__(self, error: Exception, *, lost: bool) -> None:
        super().__init__(error)
        self.error = error
        self.lost = lost


_EXPECTED = "postgresql://user@host:port/database, or words such as host=... dbname=..."
_DIALECT = re.compile(r"postgresql\+[a-z0-9]+(?=://)")

UNSEEN = "something else, which is not shown: it may hold a password"


def _seen(conninfo: str) -> str:
    """What may be shown of it."""
    dialect = _DIALECT.match(conninfo)
    return f"SQLAlchemy's {dialect[0]}://..., which libpq does not know" if dialect else UNSEEN


def place_of(conninfo: str) -> str:
    """
    The database that *conninfo* names, without a password, for people to read.

    Raises:
        InvalidValueError: It cannot be read; or not as it was meant, so that a part of a password would be shown.
    """
    require_kind("conninfo", conninfo, str, "It is a URL, or libpq's key=value form.")
    try:
        facts = conninfos.conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        raise InvalidValueError("conninfo", _EXPECTED, _seen(conninfo)) from None
    host = str(facts.get("host") or facts.get("hostaddr") or "localhost")
    port, name = str(facts.get("port") or ""), str(facts.get("dbname") or "")
    if "@" in host + name or not set(port) <= set("0123456789,"):
        raise InvalidValueError("conninfo", "special characters in a password as %40 and the like", UNSEEN)
    return f"postgresql://{host}{f':{port}' if port else ''}/{name}"


def translate(error: psycopg.Error, where: str, *, closed: bool, commits: bool, ends: bool = False) -> Exception:
    """
    What our own statement in *where* met.

    Everything that is not about the state of the database is a programming error, and comes back as it is.

    Args:
        error: What the driver raised.

        where: The database.

        closed: Whether the connection is closed since.

        commits: Whether the statement lands by itself, so that with its answer it is lost whether it has.

        ends: Whether it only ends a transaction: what it collides with then is a deferred constraint of the host's.
    """
    state = error.sqlstate or ""
    detail = _detail(error, state)
    found: Exception = error
    if isinstance(error, SilentError):  # Asked again, it might keep the caller as long once more.
        found = CommitUnknownError(f"{where}: {detail}") if commits else StoreUnavailableError(f"{where}: {detail}")
    elif state == _IDLE_TIMEOUT:  # It would be left idle once more.
        found = StoreUnavailableError(f"{where}: {detail}")
    elif closed or state in _LOST or state.startswith(_GONE):
        unavailable = AgainError(StoreUnavailableError(f"{where}: {detail}"), lost=True)
        found = CommitUnknownError(f"{where}: {detail}") if commits else unavailable
    elif state in (_COLLIDED if ends else _CONTENDED):
        found = AgainError(StoreUnavailableError(f"{where}: {detail}"), lost=False)
    elif state in _MISSING:
        found = SchemaMismatchError(where, "all tables and functions of the schema", detail)
    elif state == _NO_RIGHT:
        found = _no_right(f"{where}: {detail}")
    elif state == _ISOLATION:
        found = ValueError(f"connection: expected transactions at READ COMMITTED, got {error.diag.message_detail}")
    elif state.startswith(_UNAVAILABLE) or (not state and isinstance(error, errors.OperationalError)):
        found = StoreUnavailableError(f"{where}: {detail}")
    if found is not error:
        found.__cause__ = error
    return found


def _no_right(detail: str) -> MissingRightsError:
    denied = _DENIED.search(detail)
    remedy = remedy_for(denied[1]) if denied else None
    return MissingRightsError(detail) if remedy is None else MissingRightsError(detail, remedy)


def translate_from_host(error: Exception, where: str, *, closed: bool) -> Exception:
    """
    What host code met inside our transaction: that is the host's to raise.

    Unless the connection went away under it, the whole transaction has to be tried again, or somebody else's holds it
    up. The host may have put the driver's error into one of its own.
    """
    met = error if isinstance(error, psycopg.Error) else _driver_error_behind(error)
    state = (met.sqlstate if met else None) or ""
    found = error
    if met and (closed or state in _LOST):
        return translate(met, where, closed=True, commits=False)
    if met and state in _COLLIDED:
        found = AgainError(StoreUnavailableError(f"{where}: host code, {_detail(met, state)}"), lost=False)
    elif met and state == _LOCK_TIMEOUT:
        found = StoreUnavailableError(f"{where}: host code {_detail(met, state)}")
    if found is not error:
        found.__cause__ = error
    return found


def _driver_error_behind(error: BaseException) -> psycopg.Error | None:
    seen: list[BaseException] = [error]
    while (cause := seen[-1].__cause__ or seen[-1].__context__) is not None and cause not in seen:
        if isinstance(cause, psycopg.Error):
            return cause
        seen.append(cause)
    return None


def _detail(error: psycopg.Error, state: str) -> str:
    said = (str(error) or type(error).__name__).strip().splitlines()[0]
    if state == _IDLE_TIMEOUT:
        return "host code left the transaction of a commit or a look idle for too long, and the server has ended it"
    if state != _LOCK_TIMEOUT or not said.startswith("canceling"):
        return said  # Our own functions say it all.
    place = _RELATION.search(error.diag.context or "")
    what = f"a row of {place[1]}" if place else "a lock"
    return f"waited too long for {what} that another transaction holds: commit it or roll it back, and keep such short"
