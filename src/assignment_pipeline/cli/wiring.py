"""From ``--db`` or ``--app`` to a coordinator."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer

from assignment_pipeline.cli.databases import Database, OwnHost, OwnStore, database
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.errors import SchemaMismatchError
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.rollout.flags import FixedFlags

T = TypeVar("T")

APP_VARIABLE = "ASSIGNMENT_PIPELINE_APP"

AppOption = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:FACTORY",
        envvar=APP_VARIABLE,
        help="What makes the host's Coordinator, such as backend.tables:coordinator.",
    ),
]
DbOption = Annotated[
    Database | None,
    typer.Option("--db", metavar="PATH-or-DSN", parser=database, help="The database: what db init or assign has made."),
]
KeepingOption = Annotated[
    Database | None,
    typer.Option(
        "--db", metavar="PATH-or-DSN", parser=database, help="The database to keep it in; made if it is missing."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@contextlib.contextmanager
def opened(app: str | None, db: Database | None) -> Iterator[Coordinator]:
    """
    The coordinator that the options name, for the length of the block.

    Raises:
        BadInputError: They name none.
    """
    if db is not None:
        require_ours(db)
        with standalone(db) as (coordinator, _, _):
            yield coordinator
    elif app is not None:
        with from_app(app) as coordinator:
            yield coordinator
    else:
        refuse("--db or --app", "one of them", "none")


# -- A database of our own ----------------------------------------------------------------------------------------


class Workplace(NamedTuple):
    """A coordinator on a database of our own, its store, and the host that keeps its bookings there."""

    coordinator: Coordinator
    store: OwnStore
    host: OwnHost


@contextlib.contextmanager
def standalone(db: Database, settings: Settings | None = None, *, synchronous: str = "FULL") -> Iterator[Workplace]:
    """
    A coordinator on a database of our own that is there already.

    Its locks are this process's own: they save work, the commit guards the truth, and they do not outlive a run
    that was killed.
    """
    with (
        db.open(synchronous=synchronous) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), settings=settings, sinks=()) as coordinator,
    ):
        yield Workplace(coordinator, store, db.host())


def require_ours(db: Database) -> None:
    """
    Make sure that a database of our own is there.

    Raises:
        BadInputError: It is not.
    """
    try:
        db.check(standalone=True)
    except SchemaMismatchError as error:
        refuse(str(db), error.expected, error.found)


# -- The host's own wiring ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def from_app(spec: str) -> Iterator[Coordinator]:
    """The coordinator that *spec*, ``package.module:factory``, makes or is."""
    coordinator = _load(spec)
    if callable(coordinator) and not isinstance(coordinator, Coordinator):
        try:
            coordinator = coordinator()
        except Exception as error:  # noqa: BLE001 - a host's code may raise anything
            refuse(f"--app {spec}", "a factory that returns", _named(error))
    if not isinstance(coordinator, Coordinator):
        got = f"a {type(coordinator).__name__}"
        refuse(f"--app {spec}", "a Coordinator, or what returns one", got)
    with coordinator:
        yield coordinator


def _load(spec: str) -> Any:
    module_name, _, path = spec.partition(":")
    if not module_name or not path:
        refuse("--app", "package.module:factory", repr(spec))
    # As other tools that import what they are told: from where one stands.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
    except Exception as error:  # noqa: BLE001 - importing a host's code may raise anything
        refuse(f"--app {spec}", "something to import", _named(error))
    return found


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
